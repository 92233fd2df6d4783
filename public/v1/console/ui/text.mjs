// Stored texts, times and values to copy. Whatever a stored text contains, it shows as text.

import { away, moment, precisely, t } from "../i18n.mjs";
import { classes, html, useEffect, useState } from "../lib.mjs";
import { say } from "./notice.mjs";

/** So much of a text is shown before it is cut. Names are shorter: a link has no button in it. */
const LONG = 300;

/**
 * A stored text: in its own direction, cut where it is long, with a way to see all of it.
 * @param {{value: string | number | null | undefined, none?: string, code?: boolean}} props
 *   `none` stands for a text that is not there
 */
export function Text({ value, none = "–", code = false }) {
  const [all, setAll] = useState(false);
  if (value == null || value === "") return html`<span class="faint">${none}</span>`;
  const whole = String(value);
  const shown = all || whole.length <= LONG ? whole : `${whole.slice(0, LONG)}…`;
  const text = html`<bdi dir="auto" class=${classes("stored", code && "code")}>${shown}</bdi>`;
  if (whole.length <= LONG) return text;
  const label = all ? t("common.showLess") : t("common.showAll", { n: whole.length });
  return html`
    ${text} <button type="button" class="link" aria-expanded=${all} onClick=${() => setAll(!all)}>
      ${label}
    </button>
  `;
}

/**
 * A moment; `relative` says how far away it is.
 * @param {{at: number | null, relative?: boolean, none?: string}} props
 */
export function Time({ at, relative = false, none = "–" }) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!relative || at == null) return undefined;
    const timer = setInterval(() => tick((times) => times + 1), 30_000);
    return () => clearInterval(timer);
  }, [relative, at]);
  if (at == null) return html`<span class="faint">${none}</span>`;
  const text = relative ? away(at) : moment(at);
  return html`<time dateTime=${new Date(at).toISOString()} title=${precisely(at)}>${text}</time>`;
}

/**
 * A value with a button that copies it.
 * @param {{value: string, label: string}} props `label` names the value
 */
export function Copy({ value, label }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      say(t("common.copied", { what: label }));
    } catch {
      say(t("common.notCopied"), { bad: true });
    }
  };
  return html`<span class="copy">
    <code dir="auto">${value}</code>
    <button
      type="button"
      class="small secondary outline"
      onClick=${copy}
      aria-label=${t("common.copyWhat", { what: label })}
    >
      ${t("common.copy")}
    </button>
  </span>`;
}

/**
 * A word about a state.
 * @param {{kind?: "good" | "bad" | "warn" | "plain", children: any}} props
 */
export const Badge = ({ kind = "plain", children }) =>
  html`<span class=${`badge ${kind}`}>${children}</span>`;
