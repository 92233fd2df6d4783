// What people are told: results, problems, that something loads, that there is nothing.

import { language, t } from "../i18n.mjs";
import { classes, html, makeStore, useEffect, useState, useStore } from "../lib.mjs";
import { session } from "../session.mjs";

const SHOWN_MS = 6000;
const READ_MS = 1000;
const said = makeStore(null);

/**
 * Tells a result, to eyes and to screen readers.
 * @param {string} text
 * @param {{bad?: boolean}} [options]
 */
export const say = (text, { bad = false } = {}) => said.set({ text, bad, at: Date.now() });

/** Where results are told; once on the page. */
export function Said() {
  const now = useStore(said);
  useEffect(() => {
    if (!now) return undefined;
    const end = () => said.set(null);
    const timer = setTimeout(end, SHOWN_MS);
    // An action often opens another page at once; the toast stays then. A later change of page
    // closes it.
    const left = () => Date.now() - now.at > READ_MS && end();
    addEventListener("hashchange", left);
    return () => {
      clearTimeout(timer);
      removeEventListener("hashchange", left);
    };
  }, [now]);
  return html`<div role="status" aria-live="polite" class="said">
    ${now && html`<p class=${classes("toast", now.bad && "bad")} key=${now.at}>${now.text}</p>`}
  </div>`;
}

/**
 * What went wrong, what helps, and a way to try again that keeps the form.
 * @param {{problem: import("../http.mjs").Problem | null, again?: () => void}} props
 */
export function ProblemNotice({ problem, again }) {
  const wait = useWait(problem?.retryAt);
  if (!problem) return null;
  const words = problem.words();
  return html`<div role="alert" class="notice bad">
    ${words && html`<p>${words}</p>`}
    <${Detail} of=${problem} words=${words} />
    ${problem.status === 403 && html`<${Whoever} />`}
    ${problem.errors?.length > 0 && html`<${WrongLines} errors=${problem.errors} />`}
    ${
      again &&
      (problem.passes || problem.status === 401) &&
      html`
      <button type="button" class="small" disabled=${wait > 0} onClick=${again}>
      ${wait > 0 ? t("common.tryAgainIn", { n: wait }) : t("common.tryAgain")}
    </button>`
    }
  </div>`;
}

/**
 * The API's own detail, which is English. It is folded if the words above say as much.
 * @param {{of: import("../http.mjs").Problem, words: string}} props
 */
export function Detail({ of, words }) {
  if (!of.detail || of.detail === words) return null;
  const text = html`<p class="detail"><bdi dir="auto" lang="en">${of.detail}</bdi></p>`;
  const saysAll = of.precise() !== null;
  if (!words || (!saysAll && language.get() === "en")) return text;
  return html`<details class="detail" open=${!saysAll}>
    <summary>${t("problem.detail")}</summary>
    ${text}
  </details>`;
}

/** The seconds until a moment, counted down. */
function useWait(at) {
  const [now, setNow] = useState(Date.now());
  const left = at ? Math.max(0, Math.ceil((at - now) / 1000)) : 0;
  useEffect(() => setNow(Date.now()), [at]);
  useEffect(() => {
    if (left === 0) return undefined;
    const timer = setTimeout(() => setNow(Date.now()), 1000);
    return () => clearTimeout(timer);
  }, [left, now]);
  return left;
}

function Whoever() {
  const is = useStore(session);
  const name = is?.user?.username ?? is?.key?.name;
  if (!name) return null;
  return html`<p>${t(is.user ? "session.youAre" : "session.youAreKey", { name })}</p>`;
}

const WrongLines = ({ errors }) => html`<ul class="wrong-lines">
  ${errors.map(
    ({ line, field, why }) => html`
    <li>
      <code>${line}</code> ${field && html`<code>${field}</code>`} <bdi dir="auto">${why}</bdi>
    </li>
  `,
  )}
</ul>`;

/**
 * Something that people should know.
 * @param {{kind?: "info" | "warn" | "good" | "bad", children: any}} props
 */
export const Notice = ({ kind = "info", children }) =>
  html`<div class=${`notice ${kind}`}>${children}</div>`;

/** That something is being loaded. */
export const Loading = () => html`<p class="loading" aria-busy="true">${t("common.loading")}</p>`;

/** That there is nothing, and what to do about it. */
export const Empty = ({ children }) => html`<div class="empty">${children}</div>`;

/**
 * A bar of progress. Without `value` it only says that something goes on.
 * @param {{label: string, value?: number, max?: number}} props
 */
export const Progress = ({ label, value, max = 1 }) => html`<label class="progress">
  <span>${label}</span>
  <progress value=${value} max=${max} aria-label=${label}></progress>
</label>`;

/**
 * What was loaded, or that it loads, or why not.
 * @param {{
 *   of: ReturnType<typeof import("./data.mjs").useLoad>,
 *   children: (data: any) => any,
 * }} props
 */
export function Loaded({ of, children }) {
  const show = [children].flat().find((child) => typeof child === "function");
  return html`
    <${ProblemNotice} problem=${of.problem} again=${of.reload} />
    ${of.data !== undefined ? show(of.data) : of.loading && html`<${Loading} />`}
  `;
}
