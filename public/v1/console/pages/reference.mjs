// The API reference: every operation of the OpenAPI document, searched, with a line for curl, and
// tried by whoever is signed in.

import { send } from "../http.mjs";
import { t, tn } from "../i18n.mjs";
import { classes, html, useEffect, useMemo, useRef, useState } from "../lib.mjs";
import { go } from "../router.mjs";
import { Loaded, Page, useLoad } from "../ui.mjs";
import { Operation } from "../parts/operation.mjs";
import { operationsOf, search } from "../parts/openapi.mjs";

const DOCUMENT = "/v1/openapi.json";

const load = async (signal) => (await send("GET", DOCUMENT, { signal })).json();

export default function Reference({ query }) {
  const of = useLoad(load, []);
  const download = html`
    <a role="button" class="secondary outline" href=${DOCUMENT} download="postern-openapi.json">
      ${t("reference.download")}
    </a>
  `;
  return html`
    <${Page} title=${t("reference.title")} intro=${t("reference.intro")} actions=${download}>
      <${Loaded} of=${of}>
        ${(document) => html`<${Operations} document=${document} query=${query} />`}
      <//>
    <//>
  `;
}

function Operations({ document, query }) {
  const all = useMemo(() => operationsOf(document), [document]);
  const opened = all.find(({ id }) => id === query.op);
  const [text, setText] = useState("");
  const [tag, setTag] = useState(opened?.tag ?? "v1");
  const ofTag = (one) => text !== "" || tag === "" || one.tag === tag;
  const found = search(all, text).filter(ofTag);
  const dialects = document.tags.filter(({ name }) => found.some((one) => one.tag === name));
  return html`
    <search class="row">
      <div class="field">
        <label for="reference-search">${t("reference.search")}</label>
        <input
          id="reference-search"
          type="search"
          autocomplete="off"
          spellcheck=${false}
          value=${text}
          onInput=${(event) => setText(event.currentTarget.value)}
          placeholder=${t("reference.searchHint")}
        />
      </div>
      <${Dialects} tags=${document.tags} value=${tag} onInput=${setTag} disabled=${text !== ""} />
    </search>
    <p role="status" class="faint">${tn("reference.found", found.length)}</p>
    ${dialects.map(
      (dialect) => html`
      <${Dialect}
        key=${dialect.name}
        document=${document}
        dialect=${dialect}
        operations=${found.filter((one) => one.tag === dialect.name)}
        opened=${query.op}
      />
    `,
    )}
  `;
}

const Dialects = ({ tags, value, onInput, disabled }) => html`
  <div class="field">
    <label for="reference-tag">${t("reference.dialect")}</label>
    <select
      id="reference-tag"
      value=${value}
      onInput=${(event) => onInput(event.currentTarget.value)}
      disabled=${disabled}
    >
      <option value="" selected=${value === ""}>${t("reference.allDialects")}</option>
      ${tags.map(
        ({ name }) => html`
        <option key=${name} value=${name} selected=${name === value}>${name}</option>
      `,
      )}
    </select>
  </div>
`;

const Dialect = ({ document, dialect: { name, description }, operations, opened }) => html`
  <section class="part" aria-labelledby=${`tag-${name}`}>
    <h2 id=${`tag-${name}`}>${name}</h2>
    <p class="intro" lang="en">${description}</p>
    ${operations.map(
      (one) => html`
      <${Row} key=${one.id} document=${document} operation=${one} isOpened=${one.id === opened} />
    `,
    )}
  </section>
`;

/** One line, whose rest is made when it is opened. */
function Row({ document, operation, isOpened }) {
  const [open, setOpen] = useState(isOpened);
  const { id, method, path, summary } = operation;
  const row = useRef();
  useEffect(() => {
    if (isOpened) row.current.scrollIntoView({ block: "start" });
  }, []);
  const toggled = (event) => {
    const now = event.currentTarget.open;
    if (now === open) return;
    setOpen(now);
    go("/reference", { op: now ? id : undefined }, { replace: true });
  };
  return html`<details ref=${row} class="operation" open=${open} onToggle=${toggled}>
    <summary>
      <span class=${classes("method", method.toLowerCase())}>${method}</span> <code>${path}</code>
      <span class="summary" lang="en">${summary}</span>
    </summary>
    ${open && html`<${Operation} document=${document} operation=${operation} />`}
  </details>`;
}
