// A group: its name, what it may, and its members.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { Members, Rename, deleteUnit } from "../parts/unit.mjs";
import { UnitAccess } from "../parts/unit_access.mjs";
import { go, path } from "../router.mjs";
import { Button, Loaded, Page, Text, useLoad } from "../ui.mjs";

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
  const close = () => setRenaming(false);
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
    ${renaming && html`<${Rename} at=${at} kind="group" of=${group} onClose=${close} />`}
  <//>`;
}
