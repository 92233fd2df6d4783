// What groups, departments and services have in common: a name, members, an end.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { path } from "../router.mjs";
import {
  Button,
  Combobox,
  Dialog,
  Field,
  Form,
  Section,
  Table,
  confirm,
  say,
  useAction,
  usePages,
} from "../ui.mjs";
import { Named, forgetName } from "./names.mjs";
import { objectOf } from "./permissions.mjs";

/** Members and grants are counted up to this number. */
const MOST = 500;

/**
 * Who is in it, with ways in and out.
 * @param {{at: string, name: string}} props
 */
export function Members({ at, name }) {
  const pages = usePages((page, signal) => api.get(`${at}/members`, page, { signal }), [at]);
  const [picked, setPicked] = useState(null);
  const add = useAction(async () => {
    await api.put(`${at}/members/${path`${picked.id}`}`);
    say(t("members.added"));
    setPicked(null);
    pages.reload();
  });
  const remove = async ({ userId }) => {
    const done = await confirm({
      title: t("members.removeAsk", { who: `${t("kind.user")} ${userId}`, from: name }),
      consequences: [t("members.removeGoes")],
      verb: t("common.remove"),
      act: () => api.delete(`${at}/members/${path`${userId}`}`),
    });
    if (!done) return;
    say(t("members.removed"));
    pages.reload();
  };
  const columns = [
    {
      key: "user",
      title: t("users.username"),
      header: true,
      cell: ({ userId }) => html`<${Named} kind="user" id=${userId} />`,
    },
    { key: "id", title: t("common.id"), numeric: true, cell: ({ userId }) => userId },
    {
      key: "do",
      title: t("common.actions"),
      hidden: true,
      cell: (row) => html`
        <${Button}
          kind="secondary outline"
          small
          aria-label=${t("members.removeWho", { who: `${row.userId}` })}
          onClick=${() => remove(row)}
        >
          ${t("common.remove")}
        <//>
      `,
    },
  ];
  return html`<${Section} title=${t("members.title")}>
    <${Form} action=${add} submit=${t("common.add")} compact>
      <${Combobox}
        name="userId"
        label=${t("members.addUser")}
        kinds=${["user"]}
        value=${picked}
        onPick=${setPicked}
        required
        unregistered
      />
    <//>
    <${Table}
      caption=${t("members.title")}
      columns=${columns}
      rowKey=${({ userId }) => userId}
      of=${pages}
      empty=${t("members.none")}
    />
  <//>`;
}

/**
 * A dialog that gives another name.
 * @param {{
 *   at: string, kind: "group" | "service",
 *   of: ReturnType<typeof import("../ui.mjs").useLoad>, onClose: () => void,
 * }} props `of` is what was loaded from `at`
 */
export function Rename({ at, kind, of, onClose }) {
  const [name, setName] = useState(of.data.name ?? "");
  const save = useAction(async () => {
    of.set(await api.patch(at, { name }));
    forgetName(kind, of.data.id);
    say(t("common.changed"));
    onClose();
  });
  return html`<${Dialog} title=${t("unit.rename")} onClose=${onClose}>
    <${Form} action=${save} submit=${t("common.save")} onCancel=${onClose}>
      <${UnitName} value=${name} onInput=${setName} />
    <//>
  <//>`;
}

/** The field for a name in a dialog. */
export const UnitName = ({ value, onInput }) => html`
  <${Field}
    name="name"
    label=${t("common.name")}
    value=${value}
    onInput=${onInput}
    required
    maxLength=${256}
    autofocus
  />
`;

/** The field for an id. Postern chooses one if it is empty. */
export const UnitId = ({ value, onInput }) => html`
  <${Field}
    name="id"
    label=${t("common.id")}
    value=${value}
    onInput=${onInput}
    pattern="[0-9]{1,19}"
    hint=${t("unit.idHint")}
  />
`;

/**
 * A dialog that makes one.
 * @param {{at: string, kind: string, parent?: any, onClose: (made?: any) => void}} props
 *   `parent` is a department above it
 */
export function NewUnit({ at, kind, parent, onClose }) {
  const [values, change, clear] = useDraft(`${kind}.new`, {
    name: "",
    id: "",
    parent: parent ?? null,
  });
  const make = useAction(async () => {
    const body = { name: values.name };
    if (values.id) body.id = values.id;
    if (values.parent) body.parentId = values.parent.id;
    const made = await api.post(at, body);
    clear();
    say(t("unit.created"));
    onClose(made);
  });
  return html`<${Dialog} title=${t(`${kind}.create`)} onClose=${() => onClose()}>
    <${Form} action=${make} submit=${t("common.create")} onCancel=${() => onClose()}>
      <${UnitName} value=${values.name} onInput=${(name) => change({ name })} />
      ${
        kind === "department" &&
        html`
        <${Combobox}
          name="parentId"
          label=${t("department.above")}
          kinds=${["department"]}
          value=${values.parent}
          onPick=${(parent) => change({ parent })}
          hint=${t("department.aboveHint")}
        />
      `
      }
      <${UnitId} value=${values.id} onInput=${(id) => change({ id })} />
    <//>
  <//>`;
}

async function whatGoes({ at, kind, id }) {
  const [members, grants] = await Promise.all([
    api.get(`${at}/members`, { limit: MOST }),
    api.get("/v1/grants", { ...objectOf({ kind, id }), limit: MOST }),
  ]);
  const count = ({ items, next }) => (next ? `${items.length}+` : items.length);
  const goes = [
    t("unit.goesMembers", { n: count(members) }),
    t("unit.goesGrants", { n: count(grants) }),
  ];
  return kind === "department" ? [...goes, t("department.goesNoneBelow")] : goes;
}

/**
 * Asks and deletes a group or department.
 * @param {{at: string, kind: "group" | "department", id: any, name: string}} unit
 * @returns {Promise<boolean>}
 */
export async function deleteUnit(unit) {
  const { at, kind, name } = unit;
  const done = await confirm({
    title: t(`${kind}.deleteAsk`, { name }),
    consequences: whatGoes(unit),
    verb: t("common.delete"),
    act: () => api.delete(at),
  });
  if (done) say(t("common.deleted"));
  return done;
}
