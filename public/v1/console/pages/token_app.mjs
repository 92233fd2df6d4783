// One token app: all of its members, the keys that were found, and what is unwise about it.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import {
  Badge,
  Button,
  Facts,
  Loaded,
  Notice,
  Page,
  Section,
  Table,
  Text,
  Time,
  confirm,
  say,
  useAction,
  useLoad,
  ProblemNotice,
} from "../ui.mjs";
import { Named } from "../parts/names.mjs";
import { State, verifiedBy } from "./token_apps.mjs";

export default function TokenApp({ params }) {
  const { name } = params;
  const of = useLoad((signal) => api.get(path`/v1/token-apps/${name}`, {}, { signal }), [name]);
  return html`
    <${Page} title=${html`<bdi dir="auto">${name}</bdi>`} name=${name}
      back=${{ to: "/token-apps", text: t("apps.title") }}
      actions=${of.data && html`<${Actions} app=${of.data} set=${of.set} />`}>
    <${Loaded} of=${of}>${(app) => html`
      ${
        app.warnings?.length > 0 &&
        html`
        <${Notice} kind="warn">
          <p>${t("app.unwise")}</p>
          <ul>${app.warnings.map((text) => html`<li><${Text} value=${text} /></li>`)}</ul>
        <//>
      `
      }
      <${Facts} facts=${main(app)} />
      <${FoundKeys} name=${name} app=${app} />
      <${Section} title=${t("app.all")}><${Facts} facts=${rest(app)} /><//>
    `}<//>
  <//>`;
}

function Actions({ app, set }) {
  const to = (page) => href(path`/token-apps/${app.name}` + page);
  const change = useAction(async () => {
    set(await api.patch(path`/v1/token-apps/${app.name}`, { enabled: !app.enabled }));
    say(t(app.enabled ? "app.nowDisabled" : "app.nowEnabled", { name: app.name }));
  });
  const disable = () =>
    confirm({
      title: t("app.disableTitle", { name: app.name }),
      consequences: [t("app.disableRefused"), t("app.disableBack")],
      verb: t("app.disable"),
      act: change.run,
    });
  const remove = async () => {
    const done = await confirm({
      title: t("app.deleteTitle", { name: app.name }),
      consequences: [
        t("app.deleteRefused"),
        t("app.deleteKeys"),
        t("app.deleteUsers"),
        t("app.deleteForever"),
      ],
      verb: t("app.delete"),
      typed: app.name,
      act: () => api.delete(path`/v1/token-apps/${app.name}`),
    });
    if (!done) return;
    say(t("app.deleted", { name: app.name }));
    go("/token-apps");
  };
  return html`
    <a role="button" href=${to("/edit")}>${t("common.edit")}</a>
    <a role="button" class="secondary" href=${to("/secret")}>${t("app.replace")}</a>
    <${Button}
      kind="secondary outline"
      busy=${change.busy}
      onClick=${app.enabled ? disable : change.run}
    >
      ${app.enabled ? t("app.disable") : t("app.enable")}
    <//>
    <${Button} kind="danger outline" onClick=${remove}>${t("app.delete")}<//>
    <${ProblemNotice} problem=${change.problem} again=${change.again} />
  `;
}

const yes = (value) => (value ? t("common.yes") : t("common.no"));
const code = (value) => html`<${Text} value=${value} code none=${t("app.default")} />`;
const listed = (items) =>
  items?.length > 0
    ? html`
      <ul class="plain">
        ${items.map(
          (item) => html`
          <li><${Text} value=${item} code none=${t("app.withoutType")} /></li>
        `,
        )}
      </ul>
    `
    : html`<span class="faint">${t("app.default")}</span>`;
const mapped = (map) => {
  const pairs = Object.entries(map ?? {});
  return pairs.length > 0
    ? html`
      <ul class="plain">
        ${pairs.map(
          ([from, to]) => html`
          <li><${Text} value=${from} code /> → <${Text} value=${to} code /></li>
        `,
        )}
      </ul>
    `
    : html`<span class="faint">${t("app.default")}</span>`;
};
const chosen = (name, value) =>
  value
    ? t(`appForm.${name}.${value}`)
    : html`
  <span class="faint">${t("app.default")}</span>
`;

const main = (app) => [
  [t("apps.state"), html`<${State} of=${app} />`],
  [t("apps.algorithm"), html`<code>${app.algorithm}</code>`],
  [t("apps.verifiedBy"), verifiedBy(app)],
  [t("apps.issuer"), code(app.issuer)],
  [t("appForm.audiences"), app.anyAudience ? t("app.anyAudience") : listed(app.audiences)],
  [t("appForm.createsUsers"), yes(app.createsUsers)],
  [t("appForm.speaksFor"), chosen("speaksFor", app.speaksFor)],
];

const rest = (app) => [
  ...["username", "name", "email", "id", "groups", "roles"].map((claim) => [
    t(`appForm.claims.${claim}`),
    code(app.claims[claim]),
  ]),
  [t("appForm.discover"), yes(app.discover)],
  [t("appForm.types"), listed(app.types)],
  [t("appForm.authorizedParties"), listed(app.authorizedParties)],
  [t("appForm.requiredScopes"), listed(app.requiredScopes)],
  [t("appForm.tenants"), listed(app.tenants)],
  [t("appForm.expire"), t("app.seconds", { n: app.expire })],
  [t("appForm.boundTokens"), chosen("boundTokens", app.boundTokens)],
  [t("appForm.profile"), chosen("profile", app.profile)],
  [t("appForm.initialRoles"), listed(app.initialRoles)],
  [t("app.hasInitialPassword"), yes(app.hasInitialPassword)],
  [t("appForm.roleMap"), mapped(app.roleMap)],
  [t("appForm.groupMap"), mapped(app.groupMap)],
  [t("appForm.groupsMode"), chosen("groupsMode", app.groupsMode)],
  [t("appForm.tokenName"), code(app.tokenName)],
  [t("appForm.passClaims"), listed(app.passClaims)],
  [
    t("appForm.introspectionEndpoint"),
    app.algorithm === "introspection" && code(app.introspectionEndpoint),
  ],
  [
    t("appForm.introspectionClientId"),
    app.algorithm === "introspection" && code(app.introspectionClientId),
  ],
  [
    t("appForm.introspectionCacheS"),
    app.algorithm === "introspection" && code(app.introspectionCacheS),
  ],
  [t("app.creator"), html`<${Named} kind="user" id=${app.creatorId} />`],
  [t("app.createdAt"), html`<${Time} at=${app.createdAt} />`],
  [t("app.modifiedAt"), html`<${Time} at=${app.modifiedAt} />`],
];

const keyColumns = () => [
  {
    key: "kid",
    title: "kid",
    header: true,
    cell: ({ kid }) => html`<${Text} value=${kid} code none=${t("app.withoutName")} />`,
  },
  {
    key: "kty",
    title: t("app.kty"),
    cell: ({ kty, bytes }) => html`
      <${Text} value=${kty} code />
      ${
        bytes !== undefined &&
        html`
        ${" "}<span class="faint">${t("app.secretLength", { n: bytes })}</span>
      `
      }
    `,
  },
  { key: "alg", title: "alg", cell: ({ alg }) => html`<${Text} value=${alg} code />` },
  { key: "use", title: "use", cell: ({ use }) => html`<${Text} value=${use} code />` },
  {
    key: "usable",
    title: t("app.usable"),
    cell: ({ usable, why }) => html`
      <${Badge} kind=${usable ? "good" : "bad"}>
        ${usable ? t("app.canBeUsed") : t("app.cannotBeUsed")}
      <//> ${why && html`<${Text} value=${why} />`}
    `,
  },
];

/** The keys as verification finds them: they are fetched when somebody asks. */
export function FoundKeys({ name, app }) {
  const of = useLoad(
    (signal) => api.get(path`/v1/token-apps/${name}/keys`, {}, { signal }),
    [name, app.modifiedAt],
  );
  const again = html`
    <${Button} kind="secondary outline" small busy=${of.loading} onClick=${of.reload}>
      ${t("app.fetchAgain")}
    <//>
  `;
  return html`<${Section} title=${t("app.keys")} actions=${again}>
    <${Loaded} of=${of}>${({ keys, fetchedAt, error }) => html`
      ${
        error &&
        html`
        <${Notice} kind="bad">
          <p>${t("app.keysProblem")}</p><p class="detail"><${Text} value=${error} /></p>
        <//>
      `
      }
      <${Table}
        caption=${t("app.keys")}
        columns=${keyColumns()}
        rows=${keys}
        rowKey=${(key) => keys.indexOf(key)}
        empty=${app.algorithm === "introspection" ? t("app.noKeysAsked") : t("app.noKeys")}
      />
      ${
        fetchedAt &&
        html`
        <p class="faint">${t("app.fetchedAt")} <${Time} at=${fetchedAt} relative /></p>
      `
      }
    `}<//>
  <//>`;
}
