// A page and its parts.

import { t } from "../i18n.mjs";
import { classes, html, useEffect, useId } from "../lib.mjs";
import { href } from "../router.mjs";

/**
 * A page: its heading, which takes the focus when the page changes, and what can be done.
 * @param {{
 *   title: any, name?: string, back?: {to: string, text: string}, intro?: any, actions?: any,
 *   children: any,
 * }} props `name` is the title as text where `title` is more than that
 */
export function Page({ title, name = title, back, intro, actions, children }) {
  useEffect(() => {
    document.title = `${String(name).slice(0, 80)} · Postern`;
  }, [name]);
  return html`<article class="page">
    <header class="page-head">
      <div>
        ${back && html`<a class="back" href=${href(back.to)}>← ${back.text}</a>`}
        <h1 tabindex="-1">${title}</h1>
        ${intro && html`<p class="intro">${intro}</p>`}
      </div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  </article>`;
}

/**
 * A part of a page with a heading of its own.
 * @param {{title: any, intro?: any, actions?: any, children: any, id?: string}} props
 */
export function Section({ title, intro, actions, children, id }) {
  const own = useId();
  return html`<section class="part" aria-labelledby=${id ?? own}>
    <header class="part-head">
      <h2 id=${id ?? own}>${title}</h2>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${intro && html`<p class="intro">${intro}</p>`}
    ${children}
  </section>`;
}

/**
 * Pages about one thing, side by side.
 * @param {{label: string, tabs: {to: string, text: string}[], current: string}} props
 */
export const Tabs = ({ label, tabs, current }) => html`<nav class="tabs" aria-label=${label}>
  ${tabs.map(
    ({ to, text }) => html`
    <a key=${to} href=${href(to)} aria-current=${to === current ? "page" : undefined}>${text}</a>
  `,
  )}
</nav>`;

/**
 * Facts as pairs of a name and a value.
 * @param {{facts: [string, any][]}} props rows without a value are left out
 */
export const Facts = ({ facts }) => html`<dl class="facts">
  ${facts
    .filter(([, value]) => value !== undefined && value !== false)
    .map(
      ([name, value]) => html`
    <div key=${name}><dt>${name}</dt><dd>${value}</dd></div>
  `,
    )}
</dl>`;

/** A button that says that it works on something. */
export const Button = ({ busy = false, kind, small = false, children, ...rest }) =>
  html`
    <button
      type="button"
      class=${classes(kind, small && "small")}
      aria-busy=${busy ? "true" : undefined}
      ...${rest}
    >
      ${children}
    </button>
  `;

/** What is shown where no page is. */
export const NotFound = () => html`<${Page} title=${t("page.notFound")}>
  <p>${t("page.notFoundHelp")} <a href=${href("/")}>${t("overview.title")}</a></p>
<//>`;
