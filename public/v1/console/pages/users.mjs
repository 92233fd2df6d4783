// Users: found by name, and made.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { SearchList } from "../parts/search_list.mjs";
import { UserBadges } from "../parts/user_badges.mjs";
import { UserEnabled, UserTexts, UserType, rolesOf } from "../parts/user_fields.mjs";
import { go, href, path } from "../router.mjs";
import { Button, Dialog, Field, Form, Page, Section, Text, Time, say, useAction } from "../ui.mjs";

const columns = () => [
  {
    key: "username",
    title: t("users.username"),
    header: true,
    cell: ({ id, username }) => html`
      <a href=${href(path`/users/${id}`)}><${Text} value=${username} /></a>
    `,
  },
  { key: "name", title: t("users.name"), cell: ({ name }) => html`<${Text} value=${name} />` },
  { key: "type", title: t("users.type"), cell: (user) => html`<${UserBadges} user=${user} />` },
  {
    key: "app",
    title: t("users.from"),
    cell: ({ tokenApp }) => html`<${Text} value=${tokenApp} none=${t("users.madeHere")} />`,
  },
  { key: "id", title: t("common.id"), numeric: true, cell: ({ id }) => id },
  {
    key: "modified",
    title: t("users.modified"),
    cell: ({ modifiedAt }) => html`<${Time} at=${modifiedAt} relative />`,
  },
];

export default function Users({ query }) {
  const [making, setMaking] = useState(query.do === "create");
  const actions = html`
    <a role="button" class="secondary outline" href=${href("/tombstones")}>${t("users.deleted")}</a>
    <${Button} onClick=${() => setMaking(true)}>${t("users.create")}<//>
  `;
  return html`<${Page} title=${t("users.title")} actions=${actions}>
    <${Section} title=${t("users.list")}>
      <${SearchList}
        at="/v1/users"
        query=${query}
        label=${t("users.search")}
        caption=${t("users.title")}
        columns=${columns()}
        empty=${t("users.empty")}
      />
    <//>
    ${making && html`<${NewUser} onClose=${() => setMaking(false)} />`}
  <//>`;
}

const NEW = {
  username: "",
  name: "",
  email: "",
  phone: "",
  type: "SYS_Reader",
  roles: "",
  id: "",
  enabled: true,
};

function NewUser({ onClose }) {
  const [values, change, clear] = useDraft("users.new", NEW);
  const [password, setPassword] = useState("");
  const set = (member) => (value) => change({ [member]: value });
  const action = useAction(async () => {
    const { roles, id, ...rest } = values;
    const listed = rolesOf(roles);
    const body = { ...rest, password: password || null };
    if (listed.length > 0) body.roles = listed;
    if (id) body.id = id;
    const user = await api.post("/v1/users", body);
    clear();
    say(t("users.created"));
    go(path`/users/${user.id}`);
  });
  return html`<${Dialog} title=${t("users.create")} onClose=${onClose}>
    <${Form} action=${action} submit=${t("common.create")} onCancel=${onClose}>
      <${Field}
        name="username"
        label=${t("users.username")}
        value=${values.username}
        onInput=${set("username")}
        required
        maxLength=${128}
        autofocus
      />
      <${Field}
        name="password"
        type="password"
        label=${t("session.password")}
        value=${password}
        onInput=${setPassword}
        autocomplete="new-password"
        maxLength=${1024}
        hint=${t("users.passwordHint")}
      />
      <${UserType} values=${values} set=${set} />
      <details>
        <summary>${t("users.moreFields")}</summary>
        <${UserTexts} names=${["name", "email", "phone", "roles"]} values=${values} set=${set} />
        <${Field}
          name="id"
          label=${t("common.id")}
          value=${values.id}
          onInput=${set("id")}
          pattern="[0-9]{1,19}"
          hint=${t("users.idHint")}
        />
        <${UserEnabled} values=${values} set=${set} />
      </details>
    <//>
  <//>`;
}
