// Who did what, from where, and how it was before and after.

import { api } from "../api.mjs";
import { precisely, t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href } from "../router.mjs";
import {
  Badge,
  Button,
  Field,
  Form,
  MomentField,
  Page,
  Table,
  Text,
  Time,
  useAction,
  usePages,
} from "../ui.mjs";
import { difference } from "../parts/difference.mjs";
import { ExportAudit } from "../parts/audit_export.mjs";

const NAMES = ["actor", "action", "target", "from", "until"];

/** The filters that the address has; moments are epoch milliseconds there. */
const filtersOf = (query) =>
  Object.fromEntries(NAMES.filter((name) => query[name]).map((name) => [name, query[name]]));

export default function Audit({ query }) {
  const filters = filtersOf(query);
  const text = JSON.stringify(filters);
  const of = usePages(
    (page, signal) => api.get("/v1/audit", { ...page, ...filters }, { signal }),
    [text],
  );
  const all = html`<a role="button" class="secondary outline" href=${href("/audit")}>
    ${t("audit.all")}
  </a>`;
  const actions = text !== "{}" && all;
  return html`<${Page} title=${t("audit.title")} intro=${t("audit.intro")} actions=${actions}>
    <${Filters} key=${text} filters=${filters} />
    <${Table}
      caption=${t("audit.title")}
      columns=${columns(filters)}
      rowKey=${({ id }) => id}
      of=${of}
      empty=${t("audit.none")}
    />
    <${ExportAudit} filters=${filters} />
  <//>`;
}

function Filters({ filters }) {
  const [form, setForm] = useState({
    actor: "",
    action: "",
    target: "",
    ...filters,
    from: moment(filters.from),
    until: moment(filters.until),
  });
  const change = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const action = useAction(async () =>
    go("/audit", {
      ...form,
      actor: form.actor.trim(),
      action: form.action.trim(),
      target: form.target.trim(),
    }),
  );
  const field = (name, more) => html`
    <${Field}
      name=${name}
      label=${t(`audit.${name}`)}
      value=${form[name]}
      onInput=${change(name)}
      ...${more}
    />
  `;
  return html`<details class="fields" open=${Object.keys(filters).length > 0}>
    <summary>${t("audit.filter")}</summary>
    <${Form} action=${action} submit=${t("audit.show")}>
      <div class="grid">
        ${field("actor")}
        ${field("action", { placeholder: "token_app.update", hint: t("audit.actionHint") })}
        ${field("target")}
      </div>
      <div class="grid">
        <${MomentField}
          name="from"
          label=${t("audit.from")}
          value=${form.from}
          onInput=${change("from")}
        />
        <${MomentField}
          name="until"
          label=${t("audit.until")}
          value=${form.until}
          onInput=${change("until")}
        />
      </div>
    <//>
  </details>`;
}

const moment = (text) => (/^\d+$/.test(text ?? "") ? Number(text) : null);

const columns = (filters) => [
  { key: "at", title: t("audit.at"), header: true, cell: ({ at }) => html`<${Time} at=${at} />` },
  {
    key: "actor",
    title: t("audit.actor"),
    cell: ({ actor }) => html`<${Filter} filters=${filters} name="actor" value=${actor} />`,
  },
  {
    key: "action",
    title: t("audit.action"),
    cell: ({ action }) => html`<${Filter} filters=${filters} name="action" value=${action} code />`,
  },
  {
    key: "target",
    title: t("audit.target"),
    cell: ({ target }) => html`<${Filter} filters=${filters} name="target" value=${target} />`,
  },
  { key: "change", title: t("audit.change"), cell: (event) => html`<${Change} event=${event} />` },
];

/** A value that shows what else has it. */
function Filter({ filters, name, value, code }) {
  const text = html`<${Text} value=${value} code=${code} />`;
  if (filters[name] === value || value.length > 200) return text;
  return html`
    <button
      type="button"
      class="link"
      title=${t("audit.only")}
      onClick=${() => go("/audit", { ...filters, [name]: value })}
    >
      <${Text} value=${value} code=${code} />
    </button>
  `;
}

/** What was changed, and where the request came from. */
function Change({ event }) {
  const [open, setOpen] = useState(false);
  const { at, before, after, address, requestId } = event;
  return html`
    <${Button}
      kind="secondary outline"
      small
      aria-expanded=${open ? "true" : "false"}
      onClick=${() => setOpen(!open)}
    >
      ${open ? t("audit.hide") : t("audit.showChange")}
    <//>
    ${
      open &&
      html`<div class="difference">
      <${Difference} before=${before} after=${after} />
      <p class="faint">
        ${precisely(at)} · ${address ?? t("audit.noAddress")} · <code>${requestId}</code>
      </p>
    </div>`
    }
  `;
}

const SIGNS = { added: "+", removed: "−", changed: "±", same: "=" };

function Difference({ before, after }) {
  const [all, setAll] = useState(false);
  const rows = difference(before, after);
  const shown = all ? rows : rows.filter(({ kind }) => kind !== "same");
  const same = rows.length - rows.filter(({ kind }) => kind !== "same").length;
  if (rows.length === 0) return html`<p>${t("audit.nothing")}</p>`;
  return html`
    <dl class="changes">
      ${shown.map(
        ({ path, before: old, after: now, kind }) => html`<div key=${path} class=${kind}>
        <dt>
          <span aria-hidden="true">${SIGNS[kind]}</span> <bdi dir="auto" class="code">
            ${path || t("audit.value")}
          </bdi> <${Badge}>${t(`audit.${kind}`)}<//>
        </dt>
        ${
          old !== "" &&
          html`
          <dd class="before">
            <span class="sr-only">
              ${t("audit.before")}
            </span> <del><${Text} value=${old} code /></del>
          </dd>
        `
        }
        ${
          now !== "" &&
          kind !== "same" &&
          html`
          <dd class="after">
            <span class="sr-only">
              ${t("audit.after")}
            </span> <ins><${Text} value=${now} code /></ins>
          </dd>
        `
        }
      </div>`,
      )}
    </dl>
    ${
      same > 0 &&
      html`
      <button
        type="button"
        class="link"
        aria-expanded=${all ? "true" : "false"}
        onClick=${() => setAll(!all)}
      >
        ${all ? t("audit.hideSame") : t("audit.showSame", { n: same })}
      </button>
    `
    }
  `;
}
