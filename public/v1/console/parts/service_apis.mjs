// The APIs of a service, each with a switch of its own.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { path } from "../router.mjs";
import {
  Button,
  CheckField,
  Dialog,
  Field,
  Form,
  Section,
  Table,
  Text,
  confirm,
  say,
  useAction,
  usePages,
} from "../ui.mjs";

export function ServiceApis({ at }) {
  const pages = usePages((page, signal) => api.get(`${at}/apis`, page, { signal }), [at]);
  const [editing, setEditing] = useState(null);
  const one = ({ id }) => `${at}/apis/${path`${id}`}`;
  const turn = useAction(async (row) => {
    const { name, authEnabled } = row;
    await api.put(one(row), { name, authEnabled: !authEnabled });
    say(t("common.changed"));
    pages.reload();
  });
  const remove = async (row) => {
    const done = await confirm({
      title: t("apis.deleteAsk", { name: row.name ?? `${row.id}` }),
      verb: t("common.delete"),
      act: () => api.delete(one(row)),
    });
    if (done) pages.reload();
  };
  const nameOf = (row) => row.name ?? `API ${row.id}`;
  const columns = [
    {
      key: "name",
      title: t("common.name"),
      header: true,
      cell: (row) => html`<${Text} value=${nameOf(row)} />`,
    },
    { key: "id", title: t("common.id"), numeric: true, cell: ({ id }) => id },
    {
      key: "switch",
      title: t("service.switch"),
      cell: (row) => html`
        <input
          type="checkbox"
          role="switch"
          aria-label=${t("apis.switchOf", { name: nameOf(row) })}
          checked=${row.authEnabled}
          disabled=${turn.busy}
          onInput=${() => turn.run(row)}
        />
      `,
    },
    {
      key: "do",
      title: t("common.actions"),
      hidden: true,
      cell: (row) => html`<div class="actions">
        <${Button}
          kind="secondary outline"
          small
          aria-label=${t("apis.editOf", { name: nameOf(row) })}
          onClick=${() => setEditing(row)}
        >
          ${t("common.edit")}
        <//>
        <${Button}
          kind="danger outline"
          small
          aria-label=${t("apis.deleteOf", { name: nameOf(row) })}
          onClick=${() => remove(row)}
        >
          ${t("common.delete")}
        <//>
      </div>`,
    },
  ];
  const closed = (saved) => {
    setEditing(null);
    if (saved) pages.reload();
  };
  return html`
    <${Section}
      title=${t("apis.title")}
      intro=${t("apis.intro")}
      actions=${html`
          <${Button} kind="secondary outline" onClick=${() => setEditing({})}>${t("apis.add")}<//>
        `}
    >
    <${Table}
      caption=${t("apis.title")}
      columns=${columns}
      rowKey=${({ id }) => id}
      of=${
        turn.problem
          ? {
              ...pages,
              problem: turn.problem,
              reload: () => {
                turn.clear();
                pages.reload();
              },
            }
          : pages
      }
      empty=${t("apis.none")}
    />
    ${editing && html`<${Edit} at=${at} row=${editing} onClose=${closed} />`}
  <//>`;
}

function Edit({ at, row, onClose }) {
  const isNew = row.id === undefined;
  const initial = { id: row.id ?? "", name: row.name ?? "", authEnabled: row.authEnabled ?? true };
  const [values, change, clear] = useDraft(`api.${at}.${row.id ?? "new"}`, initial);
  const save = useAction(async () => {
    const { id, name, authEnabled } = values;
    await api.put(`${at}/apis/${path`${id}`}`, { name: name || null, authEnabled });
    clear();
    say(t("common.changed"));
    onClose(true);
  });
  return html`
    <${Dialog} title=${t(isNew ? "apis.add" : "common.edit")} onClose=${() => onClose(false)}>
    <${Form} action=${save} submit=${t("common.save")} onCancel=${() => onClose(false)}>
      ${
        isNew &&
        html`
        <${Field}
          name="id"
          label=${t("common.id")}
          value=${values.id}
          onInput=${(id) => change({ id })}
          pattern="[0-9]{1,19}"
          required
          autofocus
          hint=${t("apis.idHint")}
        />
      `
      }
      <${Field}
        name="name"
        label=${t("common.name")}
        value=${values.name}
        onInput=${(name) => change({ name })}
        maxLength=${256}
      />
      <${CheckField}
        name="authEnabled"
        label=${t("service.switch")}
        value=${values.authEnabled}
        onInput=${(authEnabled) => change({ authEnabled })}
        switch
      />
    <//>
  <//>`;
}
