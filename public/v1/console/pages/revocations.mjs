// Tokens that were revoked, and a way to revoke all tokens with one jti.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { href, path } from "../router.mjs";
import {
  Field,
  Form,
  Page,
  Section,
  Table,
  Text,
  Time,
  confirm,
  say,
  useAction,
  usePages,
} from "../ui.mjs";

const columns = () => [
  {
    key: "at",
    title: t("revocations.at"),
    header: true,
    cell: ({ revokedAt }) => html`<${Time} at=${revokedAt} />`,
  },
  { key: "kind", title: t("revocations.kind"), cell: ({ kind }) => t(`revocations.kind.${kind}`) },
  {
    key: "app",
    title: t("revocations.app"),
    cell: ({ app }) => html`
      <a href=${href(path`/token-apps/${app}`)}><bdi dir="auto">${app}</bdi></a>
    `,
  },
  {
    key: "user",
    title: t("revocations.user"),
    cell: ({ username }) => html`<${Text} value=${username} />`,
  },
  { key: "jti", title: "jti", cell: ({ jti }) => html`<${Text} value=${jti} code />` },
  {
    key: "until",
    title: t("revocations.until"),
    cell: ({ until }) => html`<${Time} at=${until} />`,
  },
];

export default function Revocations() {
  const of = usePages((page, signal) => api.get("/v1/revocations", page, { signal }), []);
  return html`<${Page} title=${t("revocations.title")} intro=${t("revocations.intro")}>
    <p>
      <a href=${href("/token")}>
        ${t("revocations.byToken")}
      </a> · <a href=${href("/users")}>${t("revocations.byUser")}</a>
    </p>
    <${Table}
      caption=${t("revocations.title")}
      columns=${columns()}
      rowKey=${({ id }) => id}
      of=${of}
      empty=${t("revocations.none")}
    />
    <${ByJti} onRevoked=${of.reload} />
  <//>`;
}

function ByJti({ onRevoked }) {
  const [draft, change, clear] = useDraft("revocations.jti", { app: "", jti: "" });
  const action = useAction(async () => {
    const { app, jti } = draft;
    const done = await confirm({
      title: t("revocations.revokeTitle", { app, jti }),
      consequences: [t("token.revokeOver"), t("token.revokeForever")],
      verb: t("revocations.revoke"),
      act: () => api.post("/v1/revocations", { app: app.trim(), jti }),
    });
    if (!done) return;
    clear();
    say(t("revocations.revoked"));
    onRevoked();
  });
  return html`<${Section} title=${t("revocations.byJti")} intro=${t("revocations.byJtiIntro")}>
    <${Form} action=${action} submit=${t("revocations.revoke")} danger>
      <${Field}
        name="app"
        label=${t("revocations.app")}
        value=${draft.app}
        onInput=${(app) => change({ app })}
        required
        maxLength=${64}
      />
      <${Field}
        name="jti"
        label="jti"
        value=${draft.jti}
        onInput=${(jti) => change({ jti })}
        required
      />
    <//>
  <//>`;
}
