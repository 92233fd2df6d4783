// Who has which permission on a service: a matrix of people and permissions that can be edited.
// What is changed is marked, and saved together: all of it or none.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { t, tn } from "../i18n.mjs";
import { classes, html, useState } from "../lib.mjs";
import { path } from "../router.mjs";
import {
  Badge,
  Button,
  Dialog,
  Empty,
  Form,
  Loading,
  Pager,
  PeriodFields,
  ProblemNotice,
  Section,
  confirm,
  say,
  useAction,
  usePages,
} from "../ui.mjs";
import { GrantPeriod, stateOf } from "./grant_cells.mjs";
import { GrantForm } from "./grant_form.mjs";
import { Named } from "./names.mjs";
import { ALWAYS, KINDS, PERMISSIONS, replaceGrants, takeBack } from "./permissions.mjs";

const whoIs = ({ authObjectType, authObjectId, name }) =>
  name ?? `${t(`kind.${KINDS[authObjectType]}`)} ${authObjectId}`;

const sameAs = (grant, edit) =>
  PERMISSIONS.every((one) => grant.permissions.includes(one) === edit.permissions.includes(one)) &&
  grant.startsAt === edit.startsAt &&
  grant.expiresAt === edit.expiresAt;

/** What of a grant is edited and sent. */
function termsOf(grant) {
  const { serviceId, authObjectType, authObjectId, permissions, startsAt, expiresAt } = grant;
  return { serviceId, authObjectType, authObjectId, permissions, startsAt, expiresAt };
}

export function GrantMatrix({ service }) {
  const at = path`/v1/services/${service}/grants`;
  const pages = usePages((page, signal) => api.get(at, page, { signal }), [at]);
  // By the grant's id: what it is to become. A draft, so that a reload loses none of it.
  const [{ edits }, change, clear] = useDraft(`matrix.${service}`, { edits: {} });
  const [adding, setAdding] = useState(false);
  const [timing, setTiming] = useState(null);
  const count = Object.keys(edits).length;
  const save = useAction(async () => {
    await replaceGrants(Object.values(edits));
    clear();
    say(t("common.changed"));
    pages.reload();
  });
  const edit = (grant, some) => {
    const { [grant.id]: before, ...others } = edits;
    const after = { ...termsOf(before ?? grant), ...some };
    change({ edits: sameAs(grant, after) ? others : { ...others, [grant.id]: after } });
  };
  const remove = async (grant) => {
    const done = await confirm({
      title: t("matrix.takeBackAsk", { who: whoIs(grant) }),
      consequences: [
        t("matrix.takeBackGoes", {
          permissions: grant.permissions.map((one) => t(`permission.${one}`)).join(", "),
        }),
      ],
      verb: t("matrix.takeBack"),
      act: () => takeBack(grant),
    });
    if (!done) return;
    const { [grant.id]: gone, ...others } = edits;
    change({ edits: others });
    say(t("matrix.takenBack"));
    pages.reload();
  };
  const added = () => {
    setAdding(false);
    pages.reload();
  };
  const items = pages.items ?? [];
  return html`
    <${Section}
      title=${t("matrix.title")}
      intro=${t("matrix.intro")}
      actions=${html`<${Button} onClick=${() => setAdding(true)}>${t("give.title")}<//>`}
    >
    <${ProblemNotice} problem=${pages.problem} again=${pages.reload} />
    ${pages.loading && !pages.items && html`<${Loading} />`}
    ${pages.items && items.length === 0 && html`<${Empty}>${t("matrix.empty")}<//>`}
    ${
      items.length > 0 &&
      html`<div class=${classes("table", pages.loading && "stale")}>
      <table class="matrix cards" role="table">
        <caption class="sr-only">${t("matrix.title")}</caption>
        <thead role="rowgroup"><tr role="row">
          <th role="columnheader" scope="col">${t("matrix.who")}</th>
          ${PERMISSIONS.map(
            (one) => html`
            <th key=${one} role="columnheader" scope="col" class="cross">
              ${t(`permission.${one}`)}
            </th>
          `,
          )}
          <th role="columnheader" scope="col">${t("access.when")}</th>
          <th role="columnheader" scope="col">
            <span class="sr-only">${t("common.actions")}</span>
          </th>
        </tr></thead>
        <tbody role="rowgroup">
          ${items.map(
            (grant) => html`
            <${Row}
              key=${grant.id}
              grant=${grant}
              edit=${edits[grant.id]}
              onEdit=${(some) => edit(grant, some)}
              onTime=${() => setTiming(grant)}
              onRemove=${() => remove(grant)}
            />
          `,
          )}
        </tbody>
      </table>
    </div>`
    }
    <${Pager} of=${pages} />
    ${
      (count > 0 || save.problem) &&
      html`<div class="unsaved">
      <p role="status">${tn("matrix.unsaved", count)}</p>
      <${ProblemNotice} problem=${save.problem} again=${save.again} />
      <div class="actions">
        <${Button} busy=${save.busy} onClick=${() => save.run()}>${t("matrix.save")}<//>
        <${Button} kind="secondary outline" onClick=${() => {
          clear();
          save.clear();
        }}>
          ${t("matrix.discard")}
        <//>
      </div>
    </div>`
    }
    ${
      adding &&
      html`
      <${Dialog} title=${t("give.title")} onClose=${() => setAdding(false)} wide>
        <${GrantForm}
          draft=${`give.${service}`}
          service=${service}
          onDone=${added}
          onCancel=${() => setAdding(false)}
        />
      <//>
    `
    }
    ${
      timing &&
      html`
      <${Period}
        of=${{ ...timing, ...edits[timing.id] }}
        onDone=${(some) => {
          edit(timing, some);
          setTiming(null);
        }}
        onClose=${() => setTiming(null)}
      />
    `
    }
  <//>`;
}

function Row({ grant, edit, onEdit, onTime, onRemove }) {
  const { authObjectType, authObjectId, name, creator } = grant;
  const now = edit ?? grant;
  const who = whoIs(grant);
  const kind = KINDS[authObjectType];
  const turn = (one, on) =>
    onEdit({
      permissions: PERMISSIONS.filter((each) =>
        each === one ? on : now.permissions.includes(each),
      ),
    });
  return html`<tr role="row" class=${classes(edit && "edited")}>
    <th role="rowheader" scope="row">
      <span>
        <${Named} kind=${kind} id=${authObjectId} name=${name ?? undefined} /> <span class="faint">
          ${t(`kind.${kind}`)} ${String(authObjectId)}
        </span>
      ${creator && html` <${Badge}>${t("matrix.creator")}<//>`} ${
        edit && html` <${Badge} kind="warn">${t("matrix.edited")}<//>`
      }
      </span>
    </th>
    ${PERMISSIONS.map(
      (one) => html`
      <td key=${one} role="cell" class="cross" data-label=${t(`permission.${one}`)}>
      <input
        type="checkbox"
        aria-label=${t("matrix.cell", { permission: t(`permission.${one}`), who })}
        checked=${now.permissions.includes(one)}
        disabled=${creator || ALWAYS.includes(one)}
        onInput=${(event) => turn(one, event.currentTarget.checked)}
      />
    </td>`,
    )}
    <td role="cell" data-label=${t("access.when")}>
      <${GrantPeriod} of=${edit ? { ...edit, state: stateOf(edit) } : grant} />
    </td>
    <td role="cell">
      ${
        !creator &&
        html`<div class="actions">
        <${Button}
          kind="secondary outline"
          small
          aria-label=${t("matrix.timeOf", { who })}
          onClick=${onTime}
        >
          ${t("matrix.time")}
        <//>
        <${Button}
          kind="danger outline"
          small
          aria-label=${t("matrix.takeBackOf", { who })}
          onClick=${onRemove}
        >
          ${t("matrix.takeBack")}
        <//>
      </div>`
      }
    </td>
  </tr>`;
}

function Period({ of, onDone, onClose }) {
  const [period, setPeriod] = useState({ startsAt: of.startsAt, expiresAt: of.expiresAt });
  const done = useAction(async () => onDone(period));
  return html`<${Dialog} title=${t("matrix.timeOf", { who: whoIs(of) })} onClose=${onClose}>
    <${Form} action=${done} submit=${t("matrix.take")} onCancel=${onClose}>
      <${PeriodFields} value=${period} onInput=${(some) => setPeriod({ ...period, ...some })} />
    <//>
  <//>`;
}
