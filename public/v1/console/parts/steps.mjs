// A deed in steps, of which some are the reader's: what is done, what is next, what waits.

import { t } from "../i18n.mjs";
import { classes, html } from "../lib.mjs";

/**
 * @param {{label: string, steps: {title: any, done?: boolean, children: any}[]}} props the first
 * step
 *   that is not done is the current one
 */
export function Steps({ label, steps }) {
  const current = steps.findIndex(({ done }) => !done);
  return html`<ol class="steps" aria-label=${label}>
    ${steps.map(
      ({ title, done, children }, at) => html`
      <li
        key=${at}
        class=${classes("step", done && "done", at === current && "current")}
        aria-current=${at === current ? "step" : undefined}
      >
      <h3>${title}${done && html` <span class="badge good">${t("steps.done")}</span>`}</h3>
      ${children}
    </li>`,
    )}
  </ol>`;
}
