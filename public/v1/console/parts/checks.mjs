// Checks that were gone through, each with its verdict, in words and not by colour alone.

import { has, t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { Badge, Text } from "../ui.mjs";

/** What a check is about; checks that the console does not know have their own name. */
const named = (check) => (has(`check.${check}`) ? t(`check.${check}`) : check);

/**
 * @param {{checks: {check: string, held: boolean, detail: string, fix?: string | null}[]}} props
 */
export const Checks = ({ checks }) => html`<ul class="checks-list">
  ${checks.map(
    ({ check, held, detail, fix }, at) => html`
    <li key=${at} class=${held ? "held" : "failed"}>
    <p>
      <${Badge} kind=${held ? "good" : "bad"}>
        ${held ? t("check.held") : t("check.failed")}
      <//> <strong>${named(check)}</strong>
    </p>
    <p><${Text} value=${detail} /></p>
    ${fix && html`<p class="fix">${t("check.fix")} <${Text} value=${fix} /></p>`}
  </li>`,
  )}
</ul>`;
