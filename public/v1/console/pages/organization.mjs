// One organization: its name, and its applications.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import {
  Button,
  Facts,
  Field,
  Form,
  Loaded,
  Page,
  Section,
  Table,
  Time,
  confirm,
  say,
  useAction,
  useLoad,
  usePages,
} from "../ui.mjs";
import { columns } from "./applications.mjs";

export default function Organization({ params }) {
  const { id } = params;
  const of = useLoad((signal) => api.get(path`/v1/organizations/${id}`, {}, { signal }), [id]);
  const applications = usePages(
    (page, signal) => api.get("/v1/applications", { ...page, organization: id }, { signal }),
    [id],
  );
  const name = of.data?.name ?? id;
  return html`
    <${Page} title=${html`<bdi dir="auto">${name}</bdi>`} name=${name}
      back=${{ to: "/organizations", text: t("organizations.title") }}
      actions=${of.data && html`<${Remove} id=${id} />`}>
    <${Loaded} of=${of}>${(found) => html`
      <${Facts}
        facts=${[
          [t("organizations.id"), html`<code>${found.id}</code>`],
          [t("organizations.createdAt"), html`<${Time} at=${found.createdAt} />`],
        ]}
      />
      <${Rename} key=${found.modifiedAt} found=${found} set=${of.set} />
      <${Section}
        title=${t("applications.title")}
        actions=${html`
            <a role="button" href=${href("/applications", { do: "new", organization: id })}>
              ${t("applications.new")}
            </a>
          `}
      >
        <${Table}
          caption=${t("applications.title")}
          columns=${columns()}
          rowKey=${({ accessKey }) => accessKey}
          of=${applications}
          empty=${t("applications.none")}
        />
      <//>
    `}<//>
  <//>`;
}

function Rename({ found, set }) {
  const [name, setName] = useState(found.name ?? "");
  const action = useAction(async () => {
    set(await api.patch(path`/v1/organizations/${found.id}`, { name: name.trim() || null }));
    say(t("common.changed"));
  });
  return html`<${Form} action=${action} submit=${t("common.save")} compact>
    <${Field}
      name="name"
      label=${t("organizations.name")}
      value=${name}
      onInput=${setName}
      maxLength=${256}
    />
  <//>`;
}

function Remove({ id }) {
  const ask = async () => {
    const done = await confirm({
      title: t("organization.deleteTitle", { id }),
      consequences: [t("organization.deleteEmpty")],
      verb: t("common.delete"),
      act: () => api.delete(path`/v1/organizations/${id}`),
    });
    if (!done) return;
    say(t("organization.deleted", { id }));
    go("/organizations");
  };
  return html`<${Button} kind="danger outline" onClick=${ask}>${t("common.delete")}<//>`;
}
