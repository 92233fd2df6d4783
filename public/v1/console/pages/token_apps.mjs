// All token apps: whose tokens are accepted here.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { href, path } from "../router.mjs";
import { Badge, Page, Table, Text, usePages } from "../ui.mjs";

const columns = () => [
  {
    key: "name",
    title: t("apps.name"),
    header: true,
    cell: ({ name }) => html`
      <a href=${href(path`/token-apps/${name}`)}><bdi dir="auto">${name}</bdi></a>
    `,
  },
  { key: "state", title: t("apps.state"), cell: (app) => html`<${State} of=${app} />` },
  {
    key: "algorithm",
    title: t("apps.algorithm"),
    cell: ({ algorithm }) => html`<code>${algorithm}</code>`,
  },
  { key: "keys", title: t("apps.verifiedBy"), cell: (app) => verifiedBy(app) },
  {
    key: "issuer",
    title: t("apps.issuer"),
    cell: ({ issuer }) => html`<${Text} value=${issuer} />`,
  },
];

/** Whether an app accepts tokens, and how many warnings there are. */
export const State = ({ of }) => html`
  <${Badge} kind=${of.enabled ? "good" : "plain"}>
    ${of.enabled ? t("apps.enabled") : t("apps.disabled")}
  <//>
  ${
    of.warnings?.length > 0 &&
    html`
    ${" "}<${Badge} kind="warn">${t("apps.warnings", { n: of.warnings.length })}<//>
  `
  }
`;

/** What an app's tokens are verified with, in words. */
export function verifiedBy({ algorithm, discover, keys, hasSecret }) {
  if (algorithm === "introspection") return t("apps.byEndpoint");
  if (discover) return t("apps.byIssuer");
  if (algorithm.startsWith("HS")) return hasSecret ? t("apps.bySecret") : t("apps.byNothing");
  return hasSecret ? t("apps.byKeys", { n: keys.length }) : t("apps.byNothing");
}

export default function TokenApps() {
  const of = usePages(
    async (_page, signal) => ({ next: null, ...(await api.get("/v1/token-apps", {}, { signal })) }),
    [],
  );
  const actions = html`<a role="button" href=${href("/new-token-app")}>${t("apps.new")}</a>`;
  return html`<${Page} title=${t("apps.title")} intro=${t("apps.intro")} actions=${actions}>
    <${Table}
      caption=${t("apps.title")}
      columns=${columns()}
      rowKey=${({ name }) => name}
      of=${of}
      empty=${t("apps.none")}
    />
  <//>`;
}
