// A table that is paged by cursor. Below 40 rem each row becomes a card; the roles keep it a table.

import { t } from "../i18n.mjs";
import { classes, html } from "../lib.mjs";
import { Empty, Loading, ProblemNotice } from "./notice.mjs";

/**
 * @typedef {{
 *   key: string, title: string, cell: (row: any) => any,
 *   numeric?: boolean, header?: boolean, hidden?: boolean,
 * }} Column `header` marks the cell that names the row; `hidden` shows the title to screen readers
 *   only
 */

/**
 * @param {{
 *   caption: string,
 *   columns: Column[],
 *   rows?: any[],
 *   rowKey: (row: any) => any,
 *   of?: ReturnType<typeof import("./data.mjs").usePages>,
 *   empty?: any,
 *   plain?: boolean,
 * }} props either `rows`, or `of`: what `usePages` or `useLoad` of a list answers. `plain` keeps
 *   rows in a line on narrow screens.
 */
export function Table({ caption, columns, rows = [], rowKey, of, empty, plain = false }) {
  const items = of ? (of.items ?? of.data?.items ?? []) : rows;
  const waits = of?.loading && items.length === 0;
  return html`
    ${of && html`<${ProblemNotice} problem=${of.problem} again=${of.reload} />`}
    ${waits && html`<${Loading} />`}
    ${
      !waits &&
      items.length === 0 &&
      !of?.problem &&
      html`
      <${Empty}>${empty ?? t("common.none")}<//>
    `
    }
    ${
      items.length > 0 &&
      html`<div class=${classes("table", of?.loading && "stale")}>
      <table
        role="table"
        class=${classes(!plain && "cards")}
        aria-busy=${of?.loading ? "true" : undefined}
      >
        <caption class="sr-only">${caption}</caption>
        <thead role="rowgroup">
          <tr role="row">${columns.map(
            (column) => html`
            <${ColumnHead} key=${column.key} of=${column} />
          `,
          )}</tr>
        </thead>
        <tbody role="rowgroup">
          ${items.map((row) => html`<${Row} key=${rowKey(row)} row=${row} columns=${columns} />`)}
        </tbody>
      </table>
    </div>`
    }
    ${of?.page && html`<${Pager} of=${of} />`}
  `;
}

const ColumnHead = ({ of: { title, numeric, hidden } }) => html`
  <th role="columnheader" scope="col" class=${classes(numeric && "numeric")}>
    <span class=${classes(hidden && "sr-only")}>${title}</span>
  </th>
`;

const Row = ({ row, columns }) => html`<tr role="row">
  ${columns.map(({ key, title, cell, numeric, header, hidden }) =>
    header
      ? html`<th key=${key} role="rowheader" scope="row">${cell(row)}</th>`
      : html`
        <td
          key=${key}
          role="cell"
          class=${classes(numeric && "numeric")}
          data-label=${hidden ? undefined : title}
        >
          ${cell(row)}
        </td>
      `,
  )}
</tr>`;

/** Back and forth between the pages of a list; nothing where there is one page. */
export function Pager({ of }) {
  if (!of.next && !of.previous) return null;
  return html`<nav class="pager" aria-label=${t("pager.label")}>
    <button
      type="button"
      class="small secondary outline"
      disabled=${!of.previous || of.loading}
      onClick=${of.previous}
    >
      ${t("pager.previous")}
    </button>
    <span>${t("pager.page", { n: of.page })}</span>
    <button
      type="button"
      class="small secondary outline"
      disabled=${!of.next || of.loading}
      onClick=${of.next}
    >
      ${t("pager.next")}
    </button>
  </nav>`;
}
