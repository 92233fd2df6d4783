// Cells about a grant.

import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { Badge, Time } from "../ui.mjs";
import { Named } from "./names.mjs";
import { PERMISSIONS } from "./permissions.mjs";

/** The permissions of a grant, in the usual order. */
export const Permissions = ({ of: { permissions } }) => html`<span class="badges">
  ${PERMISSIONS.filter((one) => permissions.includes(one)).map(
    (one) => html`<${Badge} key=${one}>${t(`permission.${one}`)}<//> `,
  )}
</span>`;

const KINDS_OF_STATE = { active: "good", scheduled: "warn", expired: "bad" };

/** Whether a grant is valid now, from when, and until when. */
export const GrantPeriod = ({ of: { state, startsAt, expiresAt } }) => html`<span>
  <${Badge} kind=${KINDS_OF_STATE[state]}>${t(`grantState.${state}`)}<//>
  ${state === "scheduled" && html` ${t("grantState.from")} <${Time} at=${startsAt} />`}
  ${expiresAt != null && html` ${t("grantState.until")} <${Time} at=${expiresAt} />`}
</span>`;

/** Columns of tables of grants. */
export const serviceColumn = () => ({
  key: "service",
  title: t("service.title"),
  header: true,
  cell: ({ serviceId }) => html`<${Named} kind="service" id=${serviceId} />`,
});
export const permissionsColumn = () => ({
  key: "permissions",
  title: t("give.permissions"),
  cell: (grant) => html`<${Permissions} of=${grant} />`,
});
export const periodColumn = () => ({
  key: "period",
  title: t("access.when"),
  cell: (grant) => html`<${GrantPeriod} of=${grant} />`,
});

/** The state of a grant that is not stored yet. */
export function stateOf({ startsAt, expiresAt }, now = Date.now()) {
  if (expiresAt != null && expiresAt <= now) return "expired";
  return startsAt != null && startsAt > now ? "scheduled" : "active";
}
