// Brings the whole state out as a file, and records of a file in, with how far it is.

import { number, t } from "../i18n.mjs";
import { html, useRef, useState } from "../lib.mjs";
import {
  Button,
  CheckField,
  Notice,
  Page,
  ProblemNotice,
  Progress,
  Section,
  SelectField,
  Text,
  confirm,
  say,
  useAction,
} from "../ui.mjs";
import {
  UnsendableLine,
  bookmarkOf,
  download,
  forgetBookmark,
  importFile,
  startExport,
} from "../parts/transfers.mjs";

const FORMATS = [
  ["ndjson", "NDJSON"],
  ["csv", "CSV"],
];

export default function Transfer() {
  return html`
    <${Page} title=${t("transfer.title")} intro=${t("transfer.intro")}>
      <${Export} /><${Import} />
    <//>
  `;
}

function Export() {
  const [format, setFormat] = useState("ndjson");
  const [sealed, setSealed] = useState(false);
  const [at, setAt] = useState(null);
  const [control, setControl] = useState(null);
  const running = useRef(null);
  const action = useAction(async () => {
    const own = new AbortController();
    setControl(own);
    const options = { format, secrets: sealed ? "sealed" : "left-out" };
    running.current ??= startExport(options);
    try {
      await running.current.run({ signal: own.signal, tell: setAt });
    } catch (error) {
      if (own.signal.aborted) return;
      throw error;
    } finally {
      setControl(null);
    }
    download(running.current.file(), `postern.${format}`);
    say(t("transfer.exported", { n: running.current.records() }));
    forget();
  });
  const forget = () => {
    running.current = null;
    setAt(null);
  };
  const stopped = !action.busy && running.current !== null;
  return html`<${Section} title=${t("transfer.export")} intro=${t("transfer.exportIntro")}>
    <${SelectField}
      name="exportFormat"
      label=${t("transfer.format")}
      value=${format}
      onInput=${setFormat}
      options=${FORMATS}
      disabled=${action.busy || stopped}
    />
    <${CheckField}
      name="sealed"
      label=${t("transfer.sealed")}
      hint=${t("transfer.sealedHint")}
      value=${sealed}
      onInput=${setSealed}
      disabled=${action.busy || stopped}
    />
    ${
      at &&
      html`
      <${Progress}
        label=${t("transfer.brought", { n: at.records, of: at.total || "?" })}
        value=${at.records}
        max=${Math.max(at.total, at.records, 1)}
      />
    `
    }
    ${at?.waitMs > 0 && html`<p role="status">${t("transfer.waiting")}</p>`}
    <${ProblemNotice} problem=${action.problem} />
    <div class="row">
      <${Button} busy=${action.busy} disabled=${action.busy} onClick=${() => action.run()}>
        ${stopped ? t("transfer.goOn") : t("transfer.bringOut")}
      <//>
      ${
        control &&
        html`
        <${Button} kind="secondary outline" onClick=${() => control.abort()}>
          ${t("transfer.stop")}
        <//>
      `
      }
      ${
        stopped &&
        html`
        <${Button} kind="secondary outline" onClick=${forget}>${t("transfer.forget")}<//>
      `
      }
    </div>
  <//>`;
}

/** A line that cannot be sent is told like a refusal of the API. */
const inWords = (error) =>
  Object.assign(error, {
    words: () => t(`transfer.line.${error.message}`, { n: error.line }),
  });

function Import() {
  const [file, setFile] = useState(null);
  const [format, setFormat] = useState("ndjson");
  const [sealed, setSealed] = useState(true);
  const [at, setAt] = useState(null);
  const [done, setDone] = useState(null);
  const [control, setControl] = useState(null);
  const options = { format, secrets: sealed ? "sealed" : "left-out" };
  const [mark, setMark] = useState(null);
  const run = async () => {
    const own = new AbortController();
    setControl(own);
    setDone(null);
    try {
      setDone(await importFile(file, options, { signal: own.signal, tell: setAt }));
      setAt(null);
    } catch (error) {
      if (!own.signal.aborted) throw error instanceof UnsendableLine ? inWords(error) : error;
    } finally {
      setControl(null);
      setMark(bookmarkOf(file, options));
    }
  };
  const action = useAction(run);
  const ask = () =>
    confirm({
      title: t("transfer.importTitle", { name: file.name }),
      consequences: [
        t("transfer.importReplaces"),
        t("transfer.importStays"),
        t("transfer.importTakenAway"),
      ],
      verb: t("transfer.bringIn"),
      act: async () => {
        // The dialog closes at once; the bar below shows how far it is.
        action.run();
      },
    });
  const chosen = (event) => {
    const [picked = null] = event.currentTarget.files;
    setFile(picked);
    setDone(null);
    setAt(null);
    action.clear();
    if (picked && /\.csv$/i.test(picked.name)) setFormat("csv");
    setMark(
      picked &&
        bookmarkOf(picked, { ...options, format: /\.csv$/i.test(picked.name) ? "csv" : format }),
    );
  };
  const anew = () => {
    forgetBookmark();
    setMark(null);
  };
  return html`<${Section} title=${t("transfer.import")} intro=${t("transfer.importIntro")}>
    <div class="field">
      <label for="import-file">${t("transfer.file")}</label>
      <input
        id="import-file"
        type="file"
        accept=".ndjson,.jsonl,.csv,.txt,application/x-ndjson,text/csv"
        onChange=${chosen}
        disabled=${action.busy}
      />
    </div>
    <${SelectField}
      name="importFormat"
      label=${t("transfer.format")}
      value=${format}
      onInput=${setFormat}
      options=${FORMATS}
      disabled=${action.busy}
    />
    <${CheckField}
      name="withSecrets"
      label=${t("transfer.withSecrets")}
      hint=${t("transfer.withSecretsHint")}
      value=${sealed}
      onInput=${setSealed}
      disabled=${action.busy}
    />
    ${
      mark &&
      !action.busy &&
      html`
      <${Notice}>
        <p>
          ${t("transfer.mark", { n: mark.line })}
          ${" "}<button type="button" class="link" onClick=${anew}>${t("transfer.anew")}</button>
        </p>
      <//>
    `
    }
    ${
      at &&
      html`
      <${Progress}
        label=${t("transfer.written", { n: at.records, percent: Math.floor(at.fraction * 100) })}
        value=${at.fraction}
        max=${1}
      />
    `
    }
    ${at?.waitMs > 0 && html`<p role="status">${t("transfer.waiting")}</p>`}
    <${ProblemNotice} problem=${action.problem} />
    ${action.problem && html`<p>${t("transfer.correct")}</p>`}
    <div role="status">${done && html`<${Done} done=${done} />`}</div>
    <div class="row">
      <${Button} busy=${action.busy} disabled=${action.busy || file === null} onClick=${ask}>
        ${mark ? t("transfer.goOn") : t("transfer.bringIn")}
      <//>
      ${
        control &&
        html`
        <${Button} kind="secondary outline" onClick=${() => control.abort()}>
          ${t("transfer.stop")}
        <//>
      `
      }
    </div>
  <//>`;
}

const Done = ({ done }) => html`<${Notice} kind="good">
  <p>${t("transfer.imported", { n: number(done.records) })}</p>
  ${
    done.withoutSecret.length > 0 &&
    html`
    <p>${t("transfer.withoutSecret")}</p>
    <ul>
      ${done.withoutSecret.map((name) => html`<li key=${name}><${Text} value=${name} /></li>`)}
    </ul>
  `
  }
<//>`;
