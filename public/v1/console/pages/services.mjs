// Services: found by name, and made.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { Named } from "../parts/names.mjs";
import { SearchList } from "../parts/search_list.mjs";
import { UnitId, UnitName } from "../parts/unit.mjs";
import { go, href, path } from "../router.mjs";
import {
  Badge,
  Button,
  CheckField,
  Dialog,
  Form,
  Page,
  Section,
  Text,
  Time,
  say,
  useAction,
} from "../ui.mjs";

const columns = () => [
  {
    key: "name",
    title: t("common.name"),
    header: true,
    cell: ({ id, name }) => html`
      <a href=${href(path`/services/${id}`)}>
        <${Text} value=${name ?? `${t("kind.service")} ${id}`} />
      </a>
    `,
  },
  {
    key: "switch",
    title: t("service.switch"),
    cell: ({ authEnabled }) => html`<${SwitchBadge} on=${authEnabled} />`,
  },
  {
    key: "creator",
    title: t("service.creator"),
    cell: ({ creatorId }) =>
      creatorId == null
        ? "–"
        : html`
      <${Named} kind="user" id=${creatorId} />
    `,
  },
  { key: "id", title: t("common.id"), numeric: true, cell: ({ id }) => id },
  {
    key: "created",
    title: t("common.created"),
    cell: ({ createdAt }) => html`<${Time} at=${createdAt} />`,
  },
];

/** Whether grants are asked for. */
export const SwitchBadge = ({ on }) => html`
  <${Badge} kind=${on ? "good" : "warn"}>${t(on ? "service.on" : "service.off")}<//>
`;

export default function Services({ query }) {
  const [making, setMaking] = useState(query.do === "create");
  return html`
    <${Page}
      title=${t("services.title")}
      intro=${t("services.intro")}
      actions=${html`<${Button} onClick=${() => setMaking(true)}>${t("service.create")}<//>`}
    >
    <${Section} title=${t("services.list")}>
      <${SearchList}
        at="/v1/services"
        query=${query}
        label=${t("services.search")}
        caption=${t("services.title")}
        columns=${columns()}
        empty=${t("services.empty")}
      />
    <//>
    ${making && html`<${NewService} onClose=${() => setMaking(false)} />`}
  <//>`;
}

function NewService({ onClose }) {
  const [values, change, clear] = useDraft("service.new", { name: "", id: "", authEnabled: true });
  const make = useAction(async () => {
    const { id, ...body } = values;
    const made = await api.post("/v1/services", id ? { ...body, id } : body);
    clear();
    say(t("service.created"));
    go(path`/services/${made.id}`);
  });
  return html`<${Dialog} title=${t("service.create")} onClose=${onClose}>
    <p>${t("service.createGoes")}</p>
    <${Form} action=${make} submit=${t("common.create")} onCancel=${onClose}>
      <${UnitName} value=${values.name} onInput=${(name) => change({ name })} />
      <${UnitId} value=${values.id} onInput=${(id) => change({ id })} />
      <${CheckField}
        name="authEnabled"
        label=${t("service.switch")}
        value=${values.authEnabled}
        onInput=${(authEnabled) => change({ authEnabled })}
        hint=${t("service.switchHint")}
        switch
      />
    <//>
  <//>`;
}
