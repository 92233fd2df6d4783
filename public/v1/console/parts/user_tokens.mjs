// The opaque tokens of a user.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { path } from "../router.mjs";
import { Button, Section, Table, Text, Time, confirm, say, useLoad } from "../ui.mjs";

export function UserTokens({ user, changed }) {
  const at = path`/v1/users/${user.id}/tokens`;
  const tokens = useLoad((signal) => api.get(at, {}, { signal }), [user.id, changed]);
  const revoke = async ({ id }) => {
    const done = await confirm({
      title: t("tokens.revokeAsk", { id: `${id}` }),
      consequences: [t("tokens.revokeGoes")],
      verb: t("tokens.revoke"),
      act: () => api.delete(`${at}/${path`${id}`}`),
    });
    if (!done) return;
    say(t("tokens.revoked"));
    tokens.reload();
  };
  const columns = [
    { key: "id", title: t("common.id"), header: true, cell: ({ id }) => id },
    {
      key: "address",
      title: t("tokens.address"),
      cell: ({ address }) => html`<${Text} value=${address} none=${t("tokens.anyAddress")} />`,
    },
    {
      key: "created",
      title: t("common.created"),
      cell: ({ createdAt }) => html`<${Time} at=${createdAt} />`,
    },
    {
      key: "expires",
      title: t("tokens.expires"),
      cell: ({ expiresAt }) => html`<${Time} at=${expiresAt} relative />`,
    },
    {
      key: "do",
      title: t("common.actions"),
      hidden: true,
      cell: (row) => html`
        <${Button}
          kind="danger outline"
          small
          aria-label=${t("tokens.revokeWhich", { id: `${row.id}` })}
          onClick=${() => revoke(row)}
        >
          ${t("tokens.revoke")}
        <//>
      `,
    },
  ];
  return html`<${Section} title=${t("user.tab.tokens")} intro=${t("tokens.intro")}>
    <${Table}
      caption=${t("user.tab.tokens")}
      columns=${columns}
      rowKey=${({ id }) => id}
      of=${tokens}
      empty=${t("tokens.none")}
    />
  <//>`;
}
