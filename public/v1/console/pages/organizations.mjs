// Organizations of the IoT portal, whose applications are authorized.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import { Field, Form, Page, Section, Table, Text, Time, say, useAction, usePages } from "../ui.mjs";

function linked({ id }) {
  const to = href(path`/organizations/${id}`);
  return html`<a href=${to}>${id}</a>`;
}

const columns = () => [
  { key: "id", title: t("organizations.id"), header: true, cell: linked },
  {
    key: "name",
    title: t("organizations.name"),
    cell: ({ name }) => html`<${Text} value=${name} none=${t("common.unnamed")} />`,
  },
  {
    key: "created",
    title: t("organizations.createdAt"),
    cell: ({ createdAt }) => html`<${Time} at=${createdAt} />`,
  },
];

export default function Organizations({ query }) {
  const of = usePages((page, signal) => api.get("/v1/organizations", page, { signal }), []);
  const isNew = query.do === "new";
  const to = href("/organizations", { do: "new" });
  const actions = !isNew && html`<a role="button" href=${to}>${t("organizations.new")}</a>`;
  return html`
    <${Page} title=${t("organizations.title")} intro=${t("organizations.intro")} actions=${actions}>
      ${isNew && html`<${New} />`}
      <${Table}
        caption=${t("organizations.title")}
        columns=${columns()}
        rowKey=${({ id }) => id}
        of=${of}
        empty=${t("organizations.none")}
      />
    <//>
  `;
}

function New() {
  const [draft, change, clear] = useDraft("organizations.new", { id: "", name: "" });
  const action = useAction(async () => {
    const [id, name] = [draft.id.trim(), draft.name.trim()];
    await api.post("/v1/organizations", { id, ...(name && { name }) });
    clear();
    say(t("organizations.created", { id }));
    go(path`/organizations/${id}`);
  });
  const cancel = () => {
    clear();
    go("/organizations");
  };
  return html`<${Section} title=${t("organizations.new")}>
    <${Form} action=${action} submit=${t("common.create")} onCancel=${cancel}>
      <${Field}
        name="id"
        label=${t("organizations.id")}
        value=${draft.id}
        onInput=${(id) => change({ id })}
        required
        maxLength=${128}
        hint=${t("organizations.idHint")}
      />
      <${Field}
        name="name"
        label=${t("organizations.name")}
        value=${draft.name}
        onInput=${(name) => change({ name })}
        maxLength=${256}
      />
    <//>
  <//>`;
}
