// A department: its name, where it lies, what it may, and its members.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useEffect, useState } from "../lib.mjs";
import { Named, forgetName } from "../parts/names.mjs";
import { Members, UnitName, deleteUnit } from "../parts/unit.mjs";
import { UnitAccess } from "../parts/unit_access.mjs";
import { go, path } from "../router.mjs";
import {
  Button,
  Combobox,
  Dialog,
  Facts,
  Form,
  Loaded,
  Page,
  Section,
  Text,
  findById,
  say,
  useAction,
  useLoad,
} from "../ui.mjs";

export default function Department({ params: { id } }) {
  const at = path`/v1/departments/${id}`;
  const department = useLoad((signal) => api.get(at, {}, { signal }), [at]);
  const [editing, setEditing] = useState(false);
  const name = department.data?.name ?? `${t("kind.department")} ${id}`;
  const remove = async () => {
    if (await deleteUnit({ at, kind: "department", id, name })) go("/departments");
  };
  const actions =
    department.data &&
    html`
    <${Button} kind="secondary outline" onClick=${() => setEditing(true)}>
      ${t("department.edit")}
    <//>
    <${Button} kind="danger outline" onClick=${remove}>${t("common.delete")}<//>
  `;
  return html`
    <${Page}
      title=${html`<${Text} value=${name} />`}
      name=${name}
      back=${{ to: "/departments", text: t("departments.title") }}
      intro=${`${t("common.id")} ${id}`}
      actions=${actions}
    >
    <${Loaded} of=${department}>${({ parentId }) => html`
      <${Section} title=${t("department.where")}>
        <${Facts}
          facts=${[
            [
              t("department.above"),
              parentId == null
                ? t("department.top")
                : html`
              <${Named} kind="department" id=${parentId} />
            `,
            ],
          ]}
        />
      <//>
      <${UnitAccess} kind="department" id=${id} />
      <${Members} at=${at} name=${name} />
    `}<//>
    ${
      editing &&
      html`
      <${Edit} at=${at} department=${department} onClose=${() => setEditing(false)} />
    `
    }
  <//>`;
}

function Edit({ at, department, onClose }) {
  const { id, name: before, parentId } = department.data;
  const [name, setName] = useState(before ?? "");
  const [parent, setParent] = useState(
    parentId == null ? null : { kind: "department", id: parentId, name: null },
  );
  useEffect(() => {
    if (parentId != null) findById("department", parentId).then(setParent, () => {});
  }, []);
  const save = useAction(async () => {
    department.set(await api.patch(at, { name, parentId: parent?.id ?? null }));
    forgetName("department", id);
    say(t("common.changed"));
    onClose();
  });
  return html`<${Dialog} title=${t("department.edit")} onClose=${onClose}>
    <p>${t("department.moveGoes")}</p>
    <${Form} action=${save} submit=${t("common.save")} onCancel=${onClose}>
      <${UnitName} value=${name} onInput=${setName} />
      <${Combobox}
        name="parentId"
        label=${t("department.above")}
        kinds=${["department"]}
        value=${parent}
        onPick=${setParent}
        hint=${t("department.aboveHint")}
      />
    <//>
  <//>`;
}
