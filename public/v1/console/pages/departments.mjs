// Departments as the tree that they are. What is granted to one counts for all below it.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useMemo, useState } from "../lib.mjs";
import { SearchList } from "../parts/search_list.mjs";
import { NewUnit } from "../parts/unit.mjs";
import { href, path } from "../router.mjs";
import { Button, Empty, Loaded, Notice, Page, Section, Text, useLoad } from "../ui.mjs";

/** A tree of more than these is too long to look at; the search finds the rest. */
const MOST = 2000;
const A_PAGE = 500;
/** Levels that are open at first. */
const OPEN_LEVELS = 2;

async function readAll(signal) {
  const items = [];
  let cursor;
  do {
    const page = await api.get("/v1/departments", { limit: A_PAGE, cursor }, { signal });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < MOST);
  return { items, more: Boolean(cursor) };
}

/** The departments below each; those whose parent is not among them are below `null`. */
function asTree(items) {
  const ids = new Set(items.map(({ id }) => `${id}`));
  const below = new Map();
  for (const item of items) {
    const parent = item.parentId != null && ids.has(`${item.parentId}`) ? `${item.parentId}` : null;
    below.set(parent, [...(below.get(parent) ?? []), item]);
  }
  return below;
}

export default function Departments({ query }) {
  const all = useLoad(readAll, []);
  const [making, setMaking] = useState(query.do === "create" ? {} : null);
  const closed = (made) => {
    setMaking(null);
    if (made) all.reload();
  };
  return html`
    <${Page}
      title=${t("departments.title")}
      intro=${t("departments.intro")}
      actions=${html`<${Button} onClick=${() => setMaking({})}>${t("department.create")}<//>`}
    >
    <${Section} title=${t("departments.tree")}>
      <${Loaded} of=${all}>
        ${(data) => html`<${Tree} ...${data} onAdd=${(parent) => setMaking({ parent })} />`}
      <//>
    <//>
    ${
      all.data?.more &&
      html`
      <${Section} title=${t("departments.search")}>
        <${SearchList}
          at="/v1/departments"
          query=${query}
          label=${t("departments.search")}
          caption=${t("departments.title")}
          columns=${columns()}
          empty=${t("departments.empty")}
        />
      <//>
    `
    }
    ${
      making &&
      html`
      <${NewUnit}
        at="/v1/departments"
        kind="department"
        parent=${making.parent}
        onClose=${closed}
      />
    `
    }
  <//>`;
}

const nameOf = ({ id, name }) => name ?? `${t("kind.department")} ${id}`;

const columns = () => [
  {
    key: "name",
    title: t("common.name"),
    header: true,
    cell: (one) => html`
      <a href=${href(path`/departments/${one.id}`)}><${Text} value=${nameOf(one)} /></a>
    `,
  },
  { key: "id", title: t("common.id"), numeric: true, cell: ({ id }) => id },
  {
    key: "above",
    title: t("department.above"),
    numeric: true,
    cell: ({ parentId }) => html`<${Text} value=${parentId} />`,
  },
];

function Tree({ items, more, onAdd }) {
  const below = useMemo(() => asTree(items), [items]);
  if (items.length === 0) return html`<${Empty}>${t("departments.empty")}<//>`;
  return html`
    ${more && html`<${Notice} kind="warn"><p>${t("departments.more", { n: items.length })}</p><//>`}
    <${Level} of=${below.get(null) ?? []} below=${below} depth=${0} onAdd=${onAdd} />
  `;
}

const Level = ({ of, below, depth, onAdd }) => html`<ul class="tree">
  ${of.map(
    (one) => html`
    <${Branch} key=${one.id} one=${one} below=${below} depth=${depth} onAdd=${onAdd} />
  `,
  )}
</ul>`;

function Branch({ one, below, depth, onAdd }) {
  const [open, setOpen] = useState(depth < OPEN_LEVELS);
  const children = below.get(`${one.id}`) ?? [];
  const name = nameOf(one);
  return html`<li>
    <div class="branch">
      ${
        children.length > 0
          ? html`
          <button
            type="button"
            class="twig"
            aria-expanded=${open ? "true" : "false"}
            aria-label=${t("departments.below", { name })}
            onClick=${() => setOpen(!open)}
          >
            ${open ? "▾" : "▸"}
          </button>
        `
          : html`<span class="twig"></span>`
      }
      <a href=${href(path`/departments/${one.id}`)}><${Text} value=${name} /></a>
      <span class="faint">${String(one.id)}</span>
      <button
        type="button"
        class="small secondary outline"
        aria-label=${t("departments.addBelow", { name })}
        onClick=${() => onAdd({ kind: "department", id: one.id, name: one.name })}
      >
        +
      </button>
    </div>
    ${
      open &&
      children.length > 0 &&
      html`
      <${Level} of=${children} below=${below} depth=${depth + 1} onAdd=${onAdd} />
    `
    }
  </li>`;
}
