// What a user may, and where from.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { href, path } from "../router.mjs";
import { Notice, Section, Table, usePages } from "../ui.mjs";
import { Named } from "./names.mjs";
import { periodColumn, permissionsColumn, serviceColumn } from "./grant_cells.mjs";
import { KINDS } from "./permissions.mjs";

export function UserAccess({ user, changed }) {
  const at = path`/v1/users/${user.id}/grants`;
  const pages = usePages((page, signal) => api.get(at, page, { signal }), [user.id, changed]);
  const columns = [
    serviceColumn(),
    permissionsColumn(),
    {
      key: "from",
      title: t("access.from"),
      cell: (grant) => html`<${From} grant=${grant} user=${user} />`,
    },
    periodColumn(),
    {
      key: "ask",
      title: t("may.title"),
      hidden: true,
      cell: ({ serviceId }) => html`
        <a href=${href("/may", { user: user.username, service: serviceId })}>${t("access.ask")}</a>
      `,
    },
  ];
  const actions = html`
    <a role="button" class="secondary outline" href=${href("/may", { user: user.username })}>
      ${t("access.askOne")}
    </a>
    <a role="button" href=${href("/give", { to: `user:${user.id}` })}>${t("give.title")}</a>
  `;
  return html`
    ${!user.enabled && html`<${Notice} kind="warn"><p>${t("access.disabled")}</p><//>`}
    ${user.type === "Administrator" && html`<${Notice}><p>${t("access.administrator")}</p><//>`}
    <${Section} title=${t("access.title")} intro=${t("access.intro")} actions=${actions}>
      <${Table}
        caption=${t("access.title")}
        columns=${columns}
        rowKey=${({ id }) => id}
        of=${pages}
        empty=${t("access.none")}
      />
    <//>
  `;
}

function From({ grant, user }) {
  const { authObjectType, authObjectId, name, creator } = grant;
  if (creator) return t("access.creator");
  if (authObjectType === "USER" && `${authObjectId}` === `${user.id}`) return t("access.direct");
  const kind = KINDS[authObjectType];
  return html`
    <span>
      ${t(`kind.${kind}`)} <${Named} kind=${kind} id=${authObjectId} name=${name ?? undefined} />
    </span>
  `;
}
