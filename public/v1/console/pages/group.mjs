// A group: its name, what it may, and its members.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { forgetName } from "../parts/names.mjs";
import { Members, deleteUnit } from "../parts/unit.mjs";
import { UnitAccess } from "../parts/unit_access.mjs";
import { go, path } from "../router.mjs";
import {
  Button,
  Dialog,
  Field,
  Form,
  Loaded,
  Page,
  Text,
  say,
  useAction,
  useLoad,
} from "../ui.mjs";

export default function Group({ params: { id } }) {
  const at = path`/v1/groups/${id}`;
  const group = useLoad((signal) => api.get(at, {}, { signal }), [at]);
  const [renaming, setRenaming] = useState(false);
  const name = group.data?.name ?? `${t("kind.group")} ${id}`;
  const remove = async () => {
    if (await deleteUnit({ at, kind: "group", id, name })) go("/groups");
  };
  const actions =
    group.data &&
    html`
    <${Button} kind="secondary outline" onClick=${() => setRenaming(true)}>${t("unit.rename")}<//>
    <${Button} kind="danger outline" onClick=${remove}>${t("common.delete")}<//>
  `;
  return html`
    <${Page}
      title=${html`<${Text} value=${name} />`}
      name=${name}
      back=${{ to: "/groups", text: t("groups.title") }}
      intro=${`${t("common.id")} ${id}`}
      actions=${actions}
    >
    <${Loaded} of=${group}>
      ${() => html`
        <${UnitAccess} kind="group" id=${id} />
        <${Members} at=${at} name=${name} />
      `}
    <//>
    ${renaming && html`<${Rename} at=${at} group=${group} onClose=${() => setRenaming(false)} />`}
  <//>`;
}

function Rename({ at, group, onClose }) {
  const [name, setName] = useState(group.data.name ?? "");
  const save = useAction(async () => {
    group.set(await api.patch(at, { name }));
    forgetName("group", group.data.id);
    say(t("common.changed"));
    onClose();
  });
  return html`<${Dialog} title=${t("unit.rename")} onClose=${onClose}>
    <${Form} action=${save} submit=${t("common.save")} onCancel=${onClose}>
      <${Field}
        name="name"
        label=${t("common.name")}
        value=${name}
        onInput=${setName}
        required
        maxLength=${256}
        autofocus
      />
    <//>
  <//>`;
}
