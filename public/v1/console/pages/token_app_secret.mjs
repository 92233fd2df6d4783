// Replaces what an app's tokens are verified with, so that at no moment a good token is refused.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { path } from "../router.mjs";
import { Form, Field, Loaded, Notice, Page, Section, say, useAction, useLoad } from "../ui.mjs";
import { kindOf } from "../parts/app_members.mjs";
import { Steps } from "../parts/steps.mjs";
import { SharedSecret } from "../parts/shared_secret.mjs";
import { FoundKeys } from "./token_app.mjs";

export default function ReplaceSecret({ params }) {
  const { name } = params;
  const of = useLoad((signal) => api.get(path`/v1/token-apps/${name}`, {}, { signal }), [name]);
  return html`
    <${Page}
      title=${t("replace.title")}
      intro=${t("replace.intro")}
      back=${{ to: path`/token-apps/${name}`, text: name }}
    >
    <${Loaded} of=${of}>${(app) => html`<${By} app=${app} set=${of.set} reload=${of.reload} />`}<//>
  <//>`;
}

function By({ app, set, reload }) {
  const kind = kindOf(app);
  if (kind === "secret") return html`<${SharedSecret} app=${app} reload=${reload} />`;
  if (kind === "endpoint") {
    return html`
      <${Notice}><p>${t("replace.endpoint")}</p><//>
      <${StoreKeys} app=${app} set=${set} type="password" />
    `;
  }
  if (app.discover) {
    return html`
      <${Notice}><p>${t("replace.issuer")}</p><//>
      <${FoundKeys} name=${app.name} app=${app} />
    `;
  }
  return html`<${PublicKeys} app=${app} set=${set} />`;
}

/** Keys that were given: a set may hold the old one and the new one. */
function PublicKeys({ app, set }) {
  const both = app.keys.length > 1;
  const steps = [
    { title: t("replace.keys1"), done: both, children: html`<p>${t("replace.keys1Text")}</p>` },
    {
      title: t("replace.keys2"),
      done: both,
      children: html`
        <p>${t("replace.keys2Text")}</p>
        <pre dir="ltr" tabindex="0" aria-label=${t("replace.example")}>
          <code>${'{"keys": [ {…}, {…} ]}'}</code>
        </pre>
      `,
    },
    { title: t("replace.keys3"), children: html`<p>${t("replace.keys3Text")}</p>` },
    {
      title: t("replace.keys4"),
      children: html`<p>${t("replace.waitText", { n: app.expire })}</p>`,
    },
    { title: t("replace.keys5"), children: html`<p>${t("replace.keys5Text")}</p>` },
  ];
  return html`
    <${Section} title=${t("replace.steps")}>
      <${Steps} label=${t("replace.steps")} steps=${steps} />
    <//>
    <${FoundKeys} name=${app.name} app=${app} />
    <${StoreKeys} app=${app} set=${set} rows=${6} />
  `;
}

function StoreKeys({ app, set, ...more }) {
  const [secret, setSecret] = useState("");
  const label = t(`appForm.secret.${kindOf(app)}`);
  const action = useAction(async () => {
    set(await api.patch(path`/v1/token-apps/${app.name}`, { secret }));
    setSecret("");
    say(t("replace.stored"));
  });
  return html`<${Section} title=${t("replace.store")}>
    <${Form} action=${action} submit=${t("replace.storeVerb")}>
      <${Field}
        name="secret"
        label=${label}
        value=${secret}
        onInput=${setSecret}
        required
        ...${more}
      />
    <//>
  <//>`;
}
