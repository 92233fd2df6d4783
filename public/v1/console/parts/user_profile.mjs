// Who a user is: type, roles, contact, password.

import { api } from "../api.mjs";
import { number, t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { useDraft } from "../draft.mjs";
import { path } from "../router.mjs";
import {
  Button,
  Combobox,
  Dialog,
  Facts,
  Field,
  Form,
  Section,
  Text,
  Time,
  say,
  useAction,
} from "../ui.mjs";
import { UserEnabled, UserTexts, UserType, rolesOf } from "./user_fields.mjs";

const asValues = ({ type, roles, name, email, phone, enabled, tokenApp }) => ({
  type,
  roles: roles.join(", "),
  name: name ?? "",
  email: email ?? "",
  phone: phone ?? "",
  enabled,
  app: tokenApp && { kind: "tokenApp", id: tokenApp, name: tokenApp },
});

const asBody = ({ roles, app, ...rest }) => ({
  ...rest,
  roles: rolesOf(roles),
  tokenApp: app?.id ?? null,
});

/** The members that are not as they were. */
function changes(before, after) {
  const differs = ([member, value]) => JSON.stringify(value) !== JSON.stringify(before[member]);
  return Object.fromEntries(Object.entries(after).filter(differs));
}

export function UserProfile({ user, onChange }) {
  const initial = asValues(user);
  const [values, change, clear] = useDraft(`user.${user.id}`, initial);
  const [passwordOpen, setPasswordOpen] = useState(false);
  const set = (member) => (value) => change({ [member]: value });
  const body = changes(asBody(initial), asBody(values));
  // A user without an app is not given one, so the member stays out of the body.
  if (body.tokenApp === null) delete body.tokenApp;
  const save = useAction(async () => {
    if (Object.keys(body).length > 0) onChange(await api.patch(path`/v1/users/${user.id}`, body));
    clear();
    say(t("common.changed"));
  });
  return html`
    <${Section} title=${t("user.profile")}>
      <${Form} action=${save} submit=${t("common.save")}>
        <div class="columns">
          <${UserType} values=${values} set=${set} />
          <${UserTexts}
            names=${["roles", "name", "email", "phone"]}
            values=${values}
            set=${set}
          />
          <${Combobox}
            name="tokenApp"
            label=${t("users.tokenApp")}
            kinds=${["tokenApp"]}
            value=${values.app}
            onPick=${set("app")}
            hint=${t("users.tokenAppHint")}
          />
        </div>
        <${UserEnabled} values=${values} set=${set} />
      <//>
    <//>
    <${Section}
      title=${t("session.password")}
      actions=${html`
          <${Button} kind="secondary outline" onClick=${() => setPasswordOpen(true)}>
            ${t("user.setPassword")}
          <//>
        `}
    >
      <p>${t(user.hasPassword ? "user.hasPassword" : "user.hasNoPassword")}</p>
    <//>
    <${Section} title=${t("user.facts")}>
      <${Facts} facts=${[
        [t("users.from"), html`<${Text} value=${user.tokenApp} none=${t("users.madeHere")} />`],
        [t("user.grantsNaming"), grantsNaming(user)],
        [t("common.created"), html`<${Time} at=${user.createdAt} />`],
        [t("users.modified"), html`<${Time} at=${user.modifiedAt} />`],
      ]} />
    <//>
    ${passwordOpen && html`<${Password} user=${user} onClose=${() => setPasswordOpen(false)} />`}
  `;
}

/** They are counted up to 100. */
const grantsNaming = ({ grantsNamingId: count }) =>
  count < 100 ? number(count) : t("user.grantsMany");

function Password({ user, onClose }) {
  const [password, setPassword] = useState("");
  const save = useAction(async () => {
    await api.put(path`/v1/users/${user.id}/password`, { password });
    say(t("user.passwordSet"));
    onClose();
  });
  return html`<${Dialog} title=${t("user.setPassword")} onClose=${onClose}>
    <p>${t("user.passwordGoes")}</p>
    <${Form} action=${save} submit=${t("user.setPassword")} onCancel=${onClose}>
      <${Field}
        name="password"
        type="password"
        label=${t("user.newPassword")}
        value=${password}
        onInput=${setPassword}
        required
        maxLength=${1024}
        autocomplete="new-password"
        autofocus
      />
    <//>
  <//>`;
}
