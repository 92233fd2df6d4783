// What kind of a user somebody is.

import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { Badge } from "../ui.mjs";

const TYPES = ["SYS_Reader", "SYS_Creator", "Administrator"];

/** Pairs of a type of users and its name. @returns {[string, string][]} */
export const typeOptions = () => TYPES.map((type) => [type, t(`userType.${type}`)]);

/** The type of a user, and that they are disabled. */
export const UserBadges = ({ user }) => html`<span class="badges">
  <${Badge} kind=${user.type === "Administrator" ? "warn" : "plain"}>
    ${t(`userType.${user.type}`)}
  <//>
  ${!user.enabled && html` <${Badge} kind="bad">${t("users.disabled")}<//>`}
</span>`;
