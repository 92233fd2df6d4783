// One application of an organization: what it may, its members, and its secret.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import {
  Button,
  CheckField,
  Facts,
  Field,
  Form,
  Loaded,
  Page,
  Section,
  Time,
  confirm,
  say,
  useAction,
  useLoad,
} from "../ui.mjs";
import { authorizedTo } from "./applications.mjs";
import { Once } from "../parts/once.mjs";
import { Steps } from "../parts/steps.mjs";

export default function Application({ params }) {
  const { key } = params;
  const of = useLoad((signal) => api.get(path`/v1/applications/${key}`, {}, { signal }), [key]);
  const name = of.data?.name ?? key;
  return html`
    <${Page} title=${html`<bdi dir="auto">${name}</bdi>`} name=${name}
      back=${{ to: "/applications", text: t("applications.title") }}
      actions=${of.data && html`<${Remove} accessKey=${key} />`}>
    <${Loaded} of=${of}>${(found) => html`
      <${Facts} facts=${factsOf(found)} />
      <${Change} key=${found.modifiedAt} found=${found} set=${of.set} />
      ${!found.shortcut && html`<${Secret} found=${found} reload=${of.reload} />`}
    `}<//>
  <//>`;
}

const factsOf = ({ accessKey, organization, authorizations, createdAt, modifiedAt }) => [
  [t("applications.accessKey"), html`<code>${accessKey}</code>`],
  [
    t("applications.organization"),
    html`
    <a href=${href(path`/organizations/${organization}`)}>${organization}</a>
  `,
  ],
  [t("applications.authorizations"), authorizedTo({ authorizations })],
  [t("organizations.createdAt"), html`<${Time} at=${createdAt} />`],
  [t("app.modifiedAt"), html`<${Time} at=${modifiedAt} />`],
];

function Change({ found, set }) {
  const [form, setForm] = useState({
    name: found.name ?? "",
    enabled: found.enabled,
    shortcut: found.shortcut,
    authorizeApplications: found.authorizeApplications,
  });
  const change = (some) => setForm((before) => ({ ...before, ...some }));
  const save = async () => {
    set(
      await api.patch(path`/v1/applications/${found.accessKey}`, {
        ...form,
        name: form.name.trim() || null,
      }),
    );
    say(t("common.changed"));
  };
  const action = useAction(async () => {
    const ends = found.enabled && !form.enabled;
    const becomesShortcut = !found.shortcut && form.shortcut;
    if (!ends && !becomesShortcut) return save();
    const consequences = [
      ends && t("application.disableDead"),
      becomesShortcut && t("application.shortcutNothing"),
    ].filter(Boolean);
    return confirm({
      title: t("application.changeTitle"),
      consequences,
      verb: t("common.save"),
      act: save,
    });
  });
  const flag = (name) => html`
    <${CheckField}
      name=${name}
      label=${t(`applications.${name}`)}
      hint=${t(`applications.${name}Hint`)}
      value=${form[name]}
      onInput=${(value) => change({ [name]: value })}
    />
  `;
  return html`<${Section} title=${t("application.members")}>
    <${Form} action=${action} submit=${t("common.save")}>
      <${Field}
        name="name"
        label=${t("applications.name")}
        value=${form.name}
        onInput=${(name) => change({ name })}
        maxLength=${256}
      />
      ${flag("enabled")}${flag("shortcut")}${flag("authorizeApplications")}
    <//>
  <//>`;
}

function Secret({ found, reload }) {
  const [made, setMade] = useState(null);
  const replace = () =>
    confirm({
      title: t("application.replaceTitle"),
      consequences: [t("application.replaceOld"), t("application.replaceToken")],
      verb: t("application.replace"),
      act: async () => setMade(await api.post(path`/v1/applications/${found.accessKey}/secret`)),
    });
  const stored = () => {
    setMade(null);
    reload();
  };
  const steps = [
    {
      title: t("application.step1"),
      children: html`
        <p>${t("application.step1Text")}</p>
        <p>
          <a href=${href("/applications", { do: "new", organization: found.organization })}>
            ${t("applications.new")}
          </a>
        </p>
      `,
    },
    { title: t("application.step2"), children: html`<p>${t("application.step2Text")}</p>` },
    { title: t("application.step3"), children: html`<p>${t("application.step3Text")}</p>` },
  ];
  return html`
    <${Section}
      title=${t("application.secret")}
      intro=${found.hasSecret ? t("application.secretIntro") : t("application.secretMissing")}
    >
    <p><${Button} kind="danger outline" onClick=${replace}>${t("application.replace")}<//></p>
    <details>
      <summary>${t("application.without")}</summary>
      <${Steps} label=${t("application.without")} steps=${steps} />
    </details>
    ${
      made &&
      html`
      <${Once}
        title=${t("application.replaced")}
        label=${t("applications.secret")}
        value=${made.secret}
        onClose=${stored}
      />
    `
    }
  <//>`;
}

function Remove({ accessKey }) {
  const ask = async () => {
    const done = await confirm({
      title: t("application.deleteTitle", { key: accessKey }),
      consequences: [t("application.deleteToken"), t("application.deleteMay")],
      verb: t("common.delete"),
      act: () => api.delete(path`/v1/applications/${accessKey}`),
    });
    if (!done) return;
    say(t("application.deleted", { key: accessKey }));
    go("/applications");
  };
  return html`<${Button} kind="danger outline" onClick=${ask}>${t("common.delete")}<//>`;
}
