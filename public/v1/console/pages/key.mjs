// One key for machines, and how its secret is replaced without an outage.

import { api } from "../api.mjs";
import { day, moment, nextDay, number, t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, path } from "../router.mjs";
import {
  Badge,
  Button,
  Facts,
  Loaded,
  Page,
  Section,
  Table,
  Time,
  confirm,
  say,
  useAction,
  useLoad,
  ProblemNotice,
} from "../ui.mjs";
import { Named } from "../parts/names.mjs";
import { Once } from "../parts/once.mjs";
import { Steps } from "../parts/steps.mjs";
import { lastUse, powers, speaksFor } from "./keys.mjs";

export default function Key({ params }) {
  const of = useLoad((signal) => api.get(path`/v1/keys/${params.id}`, {}, { signal }), [params.id]);
  const key = of.data;
  const title = key ? html`<bdi dir="auto">${key.name}</bdi>` : t("key.title", { id: params.id });
  return html`
    <${Page} title=${title} name=${key?.name ?? t("key.title", { id: params.id })}
      back=${{ to: "/keys", text: t("keys.title") }}
      actions=${key && html`<${Remove} of=${key} />`}>
    <${Loaded} of=${of}>
      ${(found) => html`
        <${Facts} facts=${factsOf(found)} /><${Replacing} of=${found} reload=${of.reload} />
      `}
    <//>
  <//>`;
}

const factsOf = ({ id, may, userId, createdBy, createdAt, expiresAt, lastUsedOn }) => [
  [t("key.id"), number(id)],
  [t("keys.mayTitle"), powers(may)],
  [t("keys.user"), speaksFor({ userId })],
  [t("key.createdBy"), html`<${Named} kind="user" id=${createdBy} />`],
  [t("key.createdAt"), html`<${Time} at=${createdAt} />`],
  [t("keys.expires"), html`<${Time} at=${expiresAt} none=${t("keys.never")} />`],
  [t("keys.lastUsed"), lastUse(lastUsedOn)],
];

function Remove({ of }) {
  const ask = async () => {
    const done = await confirm({
      title: t("key.removeTitle", { name: of.name }),
      consequences: [t("key.removeAtOnce"), t("key.removeMade"), t("key.removeForever")],
      verb: t("key.remove"),
      act: () => api.delete(path`/v1/keys/${of.id}`),
    });
    if (!done) return;
    say(t("key.removed", { name: of.name }));
    go("/keys");
  };
  return html`<${Button} kind="danger outline" onClick=${ask}>${t("key.remove")}<//>`;
}

/** The four steps. The secrets themselves tell which of them are done. */
function Replacing({ of, reload }) {
  const [made, setMade] = useState(null);
  const [handedOut, setHandedOut] = useState(false);
  const [newest, old] = of.secrets;
  const second = useAction(async () => setMade(await api.post(path`/v1/keys/${of.id}/secret`)));
  const stored = () => {
    setMade(null);
    reload();
  };
  const remove = async () => {
    const done = await confirm({
      title: t("key.removeOldTitle", { prefix: old.prefix }),
      text: t("key.removeOldText", { prefix: newest.prefix }),
      consequences: [
        old.lastUsedOn === null
          ? t("key.oldNeverUsed")
          : t("key.oldUsedOn", { day: day(old.lastUsedOn) }),
        ...(newest.lastUsedOn === null ? [t("key.newNeverUsed")] : []),
      ],
      verb: t("key.removeOld"),
      act: () => api.delete(path`/v1/keys/${of.id}/secret`, { prefix: old.prefix }),
    });
    if (!done) return;
    say(t("key.replaced"));
    setHandedOut(false);
    reload();
  };
  const isUsed = Boolean(old && newest.lastUsedOn);
  const rests = isUsed && (old.lastUsedOn === null || old.lastUsedOn < newest.lastUsedOn);
  const steps = [
    {
      title: t("key.step1"),
      done: Boolean(old),
      children: html`<p>${t("key.step1Text")}</p>
        ${
          !old &&
          html`
          <${Button} onClick=${() => second.run()} busy=${second.busy} disabled=${second.busy}>
            ${t("key.makeSecond")}
          <//>
        `
        }
        <${ProblemNotice} problem=${second.problem} again=${second.again} />`,
    },
    {
      title: t("key.step2"),
      done: Boolean(old) && (handedOut || isUsed),
      children: html`<p>${t("key.step2Text")}</p>
        ${
          old &&
          !handedOut &&
          !isUsed &&
          html`
          <${Button} kind="secondary" small onClick=${() => setHandedOut(true)}>
            ${t("key.handedOut")}
          <//>`
        }`,
    },
    {
      title: t("key.step3"),
      done: rests,
      children: html`<p>${t("key.step3Text")}</p>
        ${
          old &&
          html`
          <div role="status"><ul class="plain">
            ${usesOf({ newest, old, isUsed, rests }).map(
              ({ key, good }) => html`
              <li key=${key}><${Use} name=${key} good=${good} of=${{ newest, old }} /></li>
            `,
            )}
          </ul></div>
          <${Button} kind="secondary outline" small onClick=${reload}>${t("key.lookAgain")}<//>`
        }`,
    },
    {
      title: t("key.step4"),
      done: false,
      children: html`<p>${t("key.step4Text")}</p>
        ${
          old &&
          html`
          <${Button} kind=${rests ? "danger" : "danger outline"} onClick=${remove}>
            ${t("key.removeOldOne", { prefix: old.prefix })}
          <//>`
        }`,
    },
  ];
  return html`
    <${Section} title=${t("key.secrets")}>
      <${Table}
        caption=${t("key.secrets")}
        columns=${secretColumns(of.secrets)}
        rows=${of.secrets}
        rowKey=${({ prefix }) => prefix}
      />
    <//>
    <${Section} title=${t("key.replace")} intro=${t("key.replaceIntro")}>
      <${Steps} label=${t("key.replace")} steps=${steps} />
    <//>
    ${
      made &&
      html`
      <${Once}
        title=${t("key.secondMade")}
        label=${t("keys.theKey")}
        value=${made.key}
        help=${t("key.secondHelp")}
        onClose=${stored}
      />
    `
    }
  `;
}

/** Sentences about the use of both secrets. A sentence that is not `good` says what is missing. */
function usesOf({ newest, old, isUsed, rests }) {
  const ofNew = { key: newest.lastUsedOn === null ? "newUnused" : "newUsed", good: isUsed };
  if (old.lastUsedOn === null) return [ofNew, { key: "oldUnused", good: isUsed || null }];
  if (!isUsed) return [ofNew, { key: "oldLast", good: null }];
  return [ofNew, { key: rests ? "oldRests" : "oldAlso", good: rests }];
}

function Use({ name, good, of }) {
  const { prefix, lastUsedOn } = name.startsWith("new") ? of.newest : of.old;
  const values = { prefix, day: lastUsedOn === null ? "" : day(lastUsedOn) };
  return html`
    ${good !== null && html`<span aria-hidden="true">${good ? "✓ " : "○ "}</span>`}
    ${t(`key.${name}`, { ...values, next: moment(nextDay()) })}
  `;
}

const secretColumns = (secrets) => [
  {
    key: "prefix",
    title: t("keys.beginsWith"),
    header: true,
    cell: (secret) => html`
      <code>${secret.prefix}</code>
      ${
        secrets.length > 1 &&
        html`
        ${" "}<${Badge}>${t(secret === secrets[0] ? "key.isNew" : "key.isOld")}<//>
      `
      }
    `,
  },
  {
    key: "made",
    title: t("key.createdAt"),
    cell: ({ createdAt }) => html`<${Time} at=${createdAt} />`,
  },
  {
    key: "used",
    title: t("keys.lastUsed"),
    cell: ({ lastUsedOn }) => lastUse(lastUsedOn),
  },
];
