// Who did what, from where, and how it was before and after.

import { api } from "../api.mjs";
import { language, precisely, t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href } from "../router.mjs";
import {
  Badge,
  Button,
  Field,
  Form,
  MomentField,
  Page,
  SelectField,
  Table,
  Text,
  Time,
  useAction,
  usePages,
} from "../ui.mjs";
import { ACTIONS, actionWords, actorWords, targetsOf } from "../parts/audit_words.mjs";
import { difference, momentOf } from "../parts/difference.mjs";
import { ExportAudit } from "../parts/audit_export.mjs";
import { Named } from "../parts/names.mjs";

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
    <${Days} filters=${filters} />
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

/** Days that are often asked for, as filters of the address. */
function daysOf(now = new Date()) {
  const midnight = (ago) =>
    `${new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago).getTime()}`;
  return {
    today: { from: midnight(0) },
    yesterday: { from: midnight(1), until: midnight(0) },
    lastWeek: { from: midnight(6) },
  };
}

function Days({ filters }) {
  const { from, until, ...others } = filters;
  return html`<nav class="days" aria-label=${t("audit.days")}>
    ${Object.entries(daysOf()).map(
      ([name, day]) => html`
      <a
        key=${name}
        href=${href("/audit", { ...others, ...day })}
        aria-current=${from === day.from && until === day.until ? "true" : undefined}
      >${t(`audit.day.${name}`)}</a>
    `,
    )}
  </nav>`;
}

/** All actions in the order of their words; one that is filtered by is among them in any case. */
function actionOptions(chosen) {
  const all = new Set(chosen ? [...ACTIONS, chosen] : ACTIONS);
  const options = [...all].map((action) => [action, actionWords(action)]);
  options.sort(([, one], [, other]) => one.localeCompare(other, language.get()));
  return [["", t("audit.anyAction")], ...options];
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
        <${SelectField}
          name="action"
          label=${t("audit.action")}
          value=${form.action}
          onInput=${change("action")}
          options=${actionOptions(form.action)}
        />
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
    cell: (event) => html`<${Actor} event=${event} filters=${filters} />`,
  },
  {
    key: "action",
    title: t("audit.action"),
    cell: ({ action }) => html`
      <${Filter} filters=${filters} name="action" value=${action} words=${actionWords(action)} />
    `,
  },
  {
    key: "target",
    title: t("audit.target"),
    cell: (event) => html`<${Target} event=${event} filters=${filters} />`,
  },
  { key: "change", title: t("audit.change"), cell: (event) => html`<${Change} event=${event} />` },
];

/** A value that shows what else has it. */
function Filter({ filters, name, value, words = value }) {
  const text = html`<${Text} value=${words} />`;
  if (filters[name] === value || value.length > 200) return text;
  return html`
    <button
      type="button"
      class="link"
      title=${t("audit.only")}
      onClick=${() => go("/audit", { ...filters, [name]: value })}
    >
      ${text}
    </button>
  `;
}

/** Who did it. Nobody has proved to be the user whose name was tried. */
function Actor({ event: { actor, action }, filters }) {
  const of = html`
    <${Filter} filters=${filters} name="actor" value=${actor} words=${actorWords(actor)} />
  `;
  return action === "sign_in.fail" ? html`<span>${t("audit.triedAs")} ${of}</span>` : of;
}

/** To what it was done: by name where that has a page. */
function Target({ event, filters }) {
  const targets = targetsOf(event);
  const of = html`
    <${Filter} filters=${filters} name="target" value=${event.target}
      words=${event.action === "sign_in.fail" ? actorWords(event.target) : event.target} />
  `;
  if (targets.length === 0) return of;
  return html`<span>
    ${targets.map(
      ({ kind, id, name, isGone }, at) => html`
      <span key=${kind}>
        ${at > 0 && " → "}
        <${Named} kind=${kind} id=${id} name=${name} link=${!isGone} />
      </span>
    `,
    )} <span class="faint">${of}</span>
  </span>`;
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

/** A value of a member, and a moment as one. */
function Value({ path, value }) {
  const at = momentOf(path, value);
  return at === null ? html`<${Text} value=${value} code />` : html`<span>${precisely(at)}</span>`;
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
            </span> <del><${Value} path=${path} value=${old} /></del>
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
            </span> <ins><${Value} path=${path} value=${now} /></ins>
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
