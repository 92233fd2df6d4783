// What a group or department may, on all services.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { href } from "../router.mjs";
import { Section, Table, usePages } from "../ui.mjs";
import { periodColumn, permissionsColumn, serviceColumn } from "./grant_cells.mjs";
import { objectOf } from "./permissions.mjs";

/** @param {{kind: "group" | "department", id: any}} props */
export function UnitAccess({ kind, id }) {
  const pages = usePages(
    (page, signal) => api.get("/v1/grants", { ...objectOf({ kind, id }), ...page }, { signal }),
    [kind, id],
  );
  const actions = html`
    <a role="button" href=${href("/give", { to: `${kind}:${id}` })}>${t("give.title")}</a>
  `;
  return html`
    <${Section}
      title=${t("unitAccess.title")}
      intro=${t(`unitAccess.${kind}`)}
      actions=${actions}
    >
      <${Table}
        caption=${t("unitAccess.title")}
        columns=${[serviceColumn(), permissionsColumn(), periodColumn()]}
        rowKey=${(grant) => grant.id}
        of=${pages}
        empty=${t("unitAccess.none")}
      />
    <//>
  `;
}
