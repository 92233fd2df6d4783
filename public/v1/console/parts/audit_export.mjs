// Brings the audit trail out as a file, page by page: the list is never whole in a table.

import { api } from "../api.mjs";
import { number, t } from "../i18n.mjs";
import { html, useRef, useState } from "../lib.mjs";
import { Button, ProblemNotice, Section, SelectField, useAction, say } from "../ui.mjs";
import { download } from "./transfers.mjs";

/** What the API brings at once. */
const PAGE = 500;
const COLUMNS = [
  "id",
  "at",
  "actor",
  "actorId",
  "address",
  "action",
  "target",
  "before",
  "after",
  "requestId",
];

const WRITE = {
  ndjson: { type: "application/x-ndjson", head: "", line: (event) => `${JSON.stringify(event)}\n` },
  csv: {
    type: "text/csv",
    head: `${COLUMNS.join(",")}\r\n`,
    line: (event) => `${COLUMNS.map((name) => cell(event[name])).join(",")}\r\n`,
  },
};

/**
 * A cell of CSV. What a spreadsheet would take for a formula gets an apostrophe in front, also
 * behind a semicolon, at which spreadsheets of some languages split.
 */
function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (typeof value === "number") return text;
  const safe = text.replace(/(^|[;\t\r\n])([=+\-@\t\r])/g, "$1'$2");
  return `"${safe.replaceAll('"', '""')}"`;
}

export function ExportAudit({ filters }) {
  const [format, setFormat] = useState("ndjson");
  const [done, setDone] = useState(0);
  const control = useRef();
  // What has come stays here, so that an export that broke off goes on.
  const kept = useRef(null);
  const action = useAction(async () => {
    control.current = new AbortController();
    const name = JSON.stringify([filters, format]);
    if (kept.current?.name !== name) {
      kept.current = { name, parts: [WRITE[format].head], cursor: undefined, count: 0 };
    }
    const of = kept.current;
    do {
      const { items, next } = await api.get(
        "/v1/audit",
        { ...filters, limit: PAGE, cursor: of.cursor },
        { signal: control.current.signal },
      );
      of.parts.push(items.map(WRITE[format].line).join(""));
      of.cursor = next;
      of.count += items.length;
      setDone(of.count);
    } while (of.cursor !== null);
    kept.current = null;
    download(new Blob(of.parts, { type: WRITE[format].type }), `postern-audit.${format}`);
    say(t("audit.exported", { n: of.count }));
  });
  return html`<${Section} title=${t("audit.export")} intro=${t("audit.exportIntro")}>
    <div class="row">
      <${SelectField}
        name="format"
        label=${t("audit.format")}
        value=${format}
        onInput=${setFormat}
        options=${[["ndjson", "NDJSON"], ["csv", "CSV"]]}
      />
      <${Button} busy=${action.busy} disabled=${action.busy} onClick=${() => action.run()}>
        ${t("audit.bring")}
      <//>
      ${
        action.busy &&
        html`
        <${Button} kind="secondary outline" onClick=${() => control.current.abort()}>
          ${t("common.cancel")}
        <//>
      `
      }
    </div>
    ${action.busy && html`<p role="status">${t("audit.brought", { n: number(done) })}</p>`}
    ${
      !control.current?.signal.aborted &&
      html`
      <${ProblemNotice} problem=${action.problem} again=${action.again} />
    `
    }
  <//>`;
}
