// The form of a token app: a new one, or the members of one that is there.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, path } from "../router.mjs";
import { Form, Loaded, Page, say, useAction, useLoad } from "../ui.mjs";
import { AppFields } from "../parts/app_fields.mjs";
import { changedBody, formOf, newBody } from "../parts/app_members.mjs";

export default function Edit({ params }) {
  return params.name === undefined
    ? html`<${New} />`
    : html`<${Existing} key=${params.name} name=${params.name} />`;
}

function New() {
  const [form, change, clear] = useDraft("token_apps.new", formOf());
  const action = useAction(async () => {
    const { name } = await api.post("/v1/token-apps", newBody(form));
    clear();
    say(t("appForm.created", { name }));
    go(path`/token-apps/${name}`);
  });
  const cancel = () => {
    clear();
    go("/token-apps");
  };
  return html`
    <${Page}
      title=${t("apps.new")}
      intro=${t("appForm.intro")}
      back=${{ to: "/token-apps", text: t("apps.title") }}
    >
    <${Form} action=${action} submit=${t("appForm.create")} onCancel=${cancel}>
      <${AppFields} form=${form} change=${change} />
    <//>
  <//>`;
}

function Existing({ name }) {
  const of = useLoad((signal) => api.get(path`/v1/token-apps/${name}`, {}, { signal }), [name]);
  const back = { to: path`/token-apps/${name}`, text: name };
  return html`<${Page} title=${t("appForm.title", { name })} back=${back}>
    <${Loaded} of=${of}>${(app) => html`<${Change} app=${app} />`}<//>
  <//>`;
}

function Change({ app }) {
  const [before] = useState(() => formOf(app));
  const [form, setForm] = useState(before);
  const to = path`/token-apps/${app.name}`;
  const action = useAction(async () => {
    const body = changedBody(before, form);
    if (Object.keys(body).length > 0) await api.patch(path`/v1/token-apps/${app.name}`, body);
    say(t("appForm.saved", { name: app.name }));
    go(to);
  });
  return html`<${Form} action=${action} submit=${t("common.save")} onCancel=${() => go(to)}>
    <${AppFields}
      form=${form}
      change=${(some) => setForm((now) => ({ ...now, ...some }))}
      stored=${app}
    />
  <//>`;
}
