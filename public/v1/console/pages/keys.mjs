// Keys for machines: the list, and a new one, which is shown once.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { day, t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import {
  Badge,
  ChecksField,
  Combobox,
  Field,
  Form,
  MomentField,
  Page,
  Section,
  Table,
  Time,
  useAction,
  usePages,
} from "../ui.mjs";
import { Named } from "../parts/names.mjs";
import { Once } from "../parts/once.mjs";

const MAY = ["decisions", "provisioning", "administration"];

/** A name for each thing that a key may. */
export const powers = (may) =>
  may.map((one) => {
    const kind = one === "administration" ? "warn" : "plain";
    return html`<${Badge} key=${one} kind=${kind}>${t(`keys.may.${one}`)}<//> `;
  });

/** The last day of use. */
export const lastUse = (on) => (on === null ? t("keys.neverUsed") : day(on));

function named({ id, name }) {
  const to = href(path`/keys/${id}`);
  return html`<a href=${to}><bdi dir="auto">${name}</bdi></a>`;
}

/** The user for whom a key speaks. */
export const speaksFor = ({ userId }) =>
  userId === null ? t("keys.nobody") : html`<${Named} kind="user" id=${userId} />`;

const beginning = ({ prefix, secrets }) => html`
  <code>${prefix}</code>
  ${secrets.length > 1 && html` <${Badge} kind="warn">${t("keys.twoSecrets")}<//>`}
`;

const columns = () => [
  { key: "name", title: t("keys.name"), header: true, cell: named },
  { key: "may", title: t("keys.mayTitle"), cell: ({ may }) => powers(may) },
  { key: "user", title: t("keys.user"), cell: speaksFor },
  { key: "prefix", title: t("keys.beginsWith"), cell: beginning },
  { key: "used", title: t("keys.lastUsed"), cell: ({ lastUsedOn }) => lastUse(lastUsedOn) },
  {
    key: "expires",
    title: t("keys.expires"),
    cell: ({ expiresAt }) => html`<${Time} at=${expiresAt} none=${t("keys.never")} />`,
  },
];

export default function Keys({ query }) {
  const of = usePages((page, signal) => api.get("/v1/keys", page, { signal }), []);
  const isNew = query.do === "new";
  const to = href("/keys", { do: "new" });
  const actions = !isNew && html`<a role="button" href=${to}>${t("keys.new")}</a>`;
  return html`<${Page} title=${t("keys.title")} intro=${t("keys.intro")} actions=${actions}>
    ${isNew && html`<${NewKey} onMade=${of.reload} />`}
    <${Table}
      caption=${t("keys.title")}
      columns=${columns()}
      rowKey=${({ id }) => id}
      of=${of}
      empty=${t("keys.none")}
    />
  <//>`;
}

const EMPTY = { name: "", may: ["decisions"], user: null, expiresAt: null };

function mayOption(one) {
  const hint = t(`keys.mayHint.${one}`);
  return [one, html`${t(`keys.may.${one}`)} <span class="faint">${hint}</span>`];
}

function NewKey({ onMade }) {
  const [draft, change, clear] = useDraft("keys.new", EMPTY);
  const [made, setMade] = useState(null);
  const action = useAction(async () => {
    const { name, may, user, expiresAt } = draft;
    const more = { ...(user && { userId: user.id }), ...(expiresAt && { expiresAt }) };
    setMade(await api.post("/v1/keys", { name: name.trim(), may, ...more }));
    clear();
    onMade();
  });
  const stored = () => go(path`/keys/${made.id}`);
  const cancel = () => {
    clear();
    go("/keys");
  };
  return html`<${Section} title=${t("keys.new")}>
    <${Form} action=${action} submit=${t("keys.make")} onCancel=${cancel}>
      <${Field}
        name="name"
        label=${t("keys.name")}
        value=${draft.name}
        onInput=${(name) => change({ name })}
        required
        maxLength=${64}
        hint=${t("keys.nameHint")}
      />
      <${ChecksField}
        name="may"
        legend=${t("keys.mayTitle")}
        value=${draft.may}
        onInput=${(may) => change({ may })}
        options=${MAY.map(mayOption)}
      />
      <${Combobox}
        name="userId"
        label=${t("keys.userLabel")}
        kinds=${["user"]}
        value=${draft.user}
        onPick=${(user) => change({ user })}
        hint=${t("keys.userHint")}
      />
      <${MomentField}
        name="expiresAt"
        label=${t("keys.expires")}
        value=${draft.expiresAt}
        onInput=${(expiresAt) => change({ expiresAt })}
      />
    <//>
    ${
      made &&
      html`
        <${Once}
          title=${t("keys.made")}
          label=${t("keys.theKey")}
          value=${made.key}
          help=${t("keys.madeHelp")}
          onClose=${stored}
        />
      `
    }
  <//>`;
}
