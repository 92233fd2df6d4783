// The form that gives somebody permissions on a service.

import { t } from "../i18n.mjs";
import { html, useEffect } from "../lib.mjs";
import { useDraft } from "../draft.mjs";
import {
  Button,
  ChecksField,
  Combobox,
  Form,
  Loaded,
  PeriodFields,
  Table,
  findById,
  say,
  useAction,
  useLoad,
} from "../ui.mjs";
import { periodColumn, permissionsColumn, stateOf } from "./grant_cells.mjs";
import { Named } from "./names.mjs";
import {
  ALWAYS,
  addGrant,
  grantTo,
  objectOf,
  permissionOptions,
  replaceGrants,
} from "./permissions.mjs";

const EMPTY = { to: null, service: null, permissions: ["VIEW"], startsAt: null, expiresAt: null };

/**
 * @param {{
 *   draft: string,
 *   service?: any,
 *   to?: any,
 *   onDone: (given: any) => void,
 *   onCancel?: () => void,
 * }} props `draft` names what is kept of it. `service`, an id, leaves out its field. `to`,
 *   `{kind, id}`, is chosen at first.
 */
export function GrantForm({ draft, service, to, onDone, onCancel }) {
  const [values, change, clear] = useDraft(draft, EMPTY);
  const of = service ?? values.service?.id;
  const done = () => {
    const given = { to: values.to, service: of };
    clear();
    say(t("give.done"));
    onDone(given);
  };
  const give = useAction(async () => {
    await addGrant(of, values.to, values);
    done();
  });
  const replace = useAction(async () => {
    const { permissions, startsAt, expiresAt } = values;
    await replaceGrants([
      { serviceId: of, ...objectOf(values.to), permissions, startsAt, expiresAt },
    ]);
    done();
  });
  useEffect(() => {
    if (to)
      findById(to.kind, to.id).then(
        (found) => change({ to: found }),
        () => {},
      );
  }, [to?.kind, to?.id]);
  // The conflict was about the earlier choice.
  const asked = `${values.to?.kind} ${values.to?.id} ${of}`;
  useEffect(() => give.clear(), [asked]);
  const there = give.problem?.status === 409 && values.to;
  const giving = there ? { ...give, problem: null } : give;
  const action = replace.problem || replace.busy ? replace : giving;
  return html`
    <${Form}
      action=${action}
      onSubmit=${() => give.run()}
      submit=${t("give.verb")}
      onCancel=${onCancel}
    >
    <${Combobox}
      name="to"
      label=${t("give.to")}
      kinds=${["user", "group", "department"]}
      value=${values.to}
      onPick=${(to) => change({ to })}
      hint=${t("give.toHint")}
      required
      unregistered
    />
    ${
      service === undefined
        ? html`<${Combobox}
            name="service"
            label=${t("give.service")}
            kinds=${["service"]}
            value=${values.service}
            onPick=${(service) => change({ service })}
            required
            unregistered
          />`
        : html`<p>${t("give.service")}: <${Named} kind="service" id=${service} /></p>`
    }
    <${ChecksField}
      name="permissions"
      legend=${t("give.permissions")}
      options=${permissionOptions()}
      locked=${ALWAYS}
      value=${values.permissions}
      onInput=${(permissions) => change({ permissions })}
      hint=${t("give.viewAlways")}
    />
    <${PeriodFields} value=${values} onInput=${change} />
    ${there && html`<${There} service=${of} to=${values.to} wanted=${values} replace=${replace} />`}
  <//>`;
}

/** The existing grant beside the one that would replace it. */
function There({ service, to, wanted, replace }) {
  const of = useLoad(() => grantTo(service, to), [service, to.kind, to.id]);
  const comparison = ({ permissions, startsAt, expiresAt }) => {
    const { state } = of.data;
    const then = { permissions: [...ALWAYS, ...wanted.permissions], state: stateOf(wanted) };
    return [
      { key: "now", permissions, state, startsAt, expiresAt },
      { key: "then", startsAt: wanted.startsAt, expiresAt: wanted.expiresAt, ...then },
    ];
  };
  const columns = [
    {
      key: "which",
      title: t("give.which"),
      hidden: true,
      header: true,
      cell: ({ key }) => t(`give.${key}`),
    },
    permissionsColumn(),
    periodColumn(),
  ];
  return html`<div role="alert" class="notice warn">
    <${Loaded} of=${of}>${(grant) =>
      grant?.creator
        ? html`<p>${t("give.creatorStays")}</p>`
        : html`
        <p>${t("give.there")}</p>
        ${
          grant &&
          html`
          <${Table}
            caption=${t("give.there")}
            columns=${columns}
            rows=${comparison(grant)}
            rowKey=${({ key }) => key}
          />
        `
        }
        <${Button} kind="secondary outline" busy=${replace.busy} onClick=${() => replace.run()}>
          ${t("give.replace")}
        <//>
      `}<//>
  </div>`;
}
