// Applications of organizations, with an access key and a secret of their own.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import {
  Badge,
  CheckField,
  Combobox,
  Field,
  Form,
  Page,
  Section,
  Table,
  Text,
  useAction,
  usePages,
} from "../ui.mjs";
import { Once } from "../parts/once.mjs";

function linked({ accessKey }) {
  const to = href(path`/applications/${accessKey}`);
  return html`<a href=${to} class="code">${accessKey}</a>`;
}

function itsOrganization({ organization }) {
  const to = href(path`/organizations/${organization}`);
  return html`<a href=${to}>${organization}</a>`;
}

const state = ({ enabled, hasSecret }) => html`
  <${Badge} kind=${enabled ? "good" : "plain"}>
    ${enabled ? t("applications.enabled") : t("applications.disabled")}
  <//>
  ${!hasSecret && html` <${Badge} kind="warn">${t("applications.noSecret")}<//>`}
`;

/** What an application is authorized to. */
export const authorizedTo = ({ authorizations }) =>
  authorizations.length > 0
    ? authorizations.map((one) => html`<code key=${one}>${one}</code> `)
    : html`<span class="faint">${t("applications.nothing")}</span>`;

/** The columns of lists of applications. */
export const columns = () => [
  { key: "key", title: t("applications.accessKey"), header: true, cell: linked },
  {
    key: "name",
    title: t("applications.name"),
    cell: ({ name }) => html`<${Text} value=${name} none=${t("common.unnamed")} />`,
  },
  { key: "organization", title: t("applications.organization"), cell: itsOrganization },
  { key: "state", title: t("applications.state"), cell: state },
  { key: "may", title: t("applications.authorizations"), cell: authorizedTo },
];

export default function Applications({ query }) {
  const [organization, setOrganization] = useState(null);
  const of = usePages(
    (page, signal) => {
      const only = { organization: organization?.id };
      return api.get("/v1/applications", { ...page, ...only }, { signal });
    },
    [organization?.id],
  );
  const isNew = query.do === "new";
  const to = href("/applications", { do: "new" });
  const actions = !isNew && html`<a role="button" href=${to}>${t("applications.new")}</a>`;
  return html`
    <${Page} title=${t("applications.title")} intro=${t("applications.intro")} actions=${actions}>
      ${isNew && html`<${New} organization=${query.organization ?? ""} onMade=${of.reload} />`}
      <${Combobox}
        name="organization"
        label=${t("applications.only")}
        kinds=${["organization"]}
        value=${organization}
        onPick=${setOrganization}
      />
      <${Table}
        caption=${t("applications.title")}
        columns=${columns()}
        rowKey=${({ accessKey }) => accessKey}
        of=${of}
        empty=${t("applications.none")}
      />
    <//>
  `;
}

const EMPTY = { name: "", accessKey: "", shortcut: false, authorizeApplications: false };

/** The body that registers an application: what is left empty is left out. */
function bodyOf({ organization, name, accessKey, ...flags }) {
  const texts = { organization, name, accessKey };
  const given = Object.entries(texts).map(([member, text]) => [member, text.trim()]);
  return { ...flags, ...Object.fromEntries(given.filter(([, text]) => text !== "")) };
}

function New({ organization, onMade }) {
  const [draft, change, clear] = useDraft("applications.new", { organization, ...EMPTY });
  const [made, setMade] = useState(null);
  const action = useAction(async () => {
    const answer = await api.post("/v1/applications", bodyOf(draft));
    clear();
    onMade();
    if (answer.secret === null) go(path`/applications/${answer.accessKey}`);
    else setMade(answer);
  });
  const cancel = () => {
    clear();
    go("/applications");
  };
  const text = (name, label, more) => html`
    <${Field}
      name=${name}
      label=${label}
      value=${draft[name]}
      onInput=${(value) => change({ [name]: value })}
      ...${more}
    />
  `;
  const flag = (name) => html`
    <${CheckField}
      name=${name}
      label=${t(`applications.${name}`)}
      hint=${t(`applications.${name}Hint`)}
      value=${draft[name]}
      onInput=${(value) => change({ [name]: value })}
    />
  `;
  return html`<${Section} title=${t("applications.new")}>
    <${Form} action=${action} submit=${t("common.create")} onCancel=${cancel}>
      ${text("organization", t("organizations.id"), { required: true, maxLength: 128 })}
      ${text("name", t("applications.name"), { maxLength: 256 })}
      ${text("accessKey", t("applications.accessKey"), {
        maxLength: 128,
        hint: t("applications.accessKeyHint"),
      })}
      ${flag("shortcut")}${flag("authorizeApplications")}
    <//>
    ${made && html`<${Made} made=${made} />`}
  <//>`;
}

const Made = ({ made }) => html`
  <${Once}
    title=${t("applications.made")}
    label=${t("applications.secret")}
    value=${made.secret}
    help=${t("applications.madeHelp", { key: made.accessKey })}
    onClose=${() => go(path`/applications/${made.accessKey}`)}
  />
`;
