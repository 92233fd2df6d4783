// The form that gives somebody permissions on a service.

import { t } from "../i18n.mjs";
import { html, useEffect } from "../lib.mjs";
import { useDraft } from "../draft.mjs";
import {
  Button,
  ChecksField,
  Combobox,
  Form,
  MomentField,
  findById,
  say,
  useAction,
} from "../ui.mjs";
import { Named } from "./names.mjs";
import {
  ALWAYS,
  OBJECT_TYPES,
  addGrant,
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
    const authObjectType = OBJECT_TYPES[values.to.kind];
    await replaceGrants([
      {
        serviceId: of,
        authObjectType,
        authObjectId: values.to.id,
        permissions,
        startsAt,
        expiresAt,
      },
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
  const there = give.problem?.status === 409;
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
    <div class="columns">
      <${MomentField}
        name="startsAt"
        label=${t("give.startsAt")}
        value=${values.startsAt}
        onInput=${(startsAt) => change({ startsAt })}
        hint=${t("give.startsAtHint")}
      />
      <${MomentField}
        name="expiresAt"
        label=${t("give.expiresAt")}
        value=${values.expiresAt}
        onInput=${(expiresAt) => change({ expiresAt })}
        hint=${t("give.expiresAtHint")}
      />
    </div>
    ${
      there &&
      html`<div role="alert" class="notice warn">
      <p>${t("give.there")}</p>
      <${Button} kind="secondary outline" busy=${replace.busy} onClick=${() => replace.run()}>
        ${t("give.replace")}
      <//>
    </div>`
    }
  <//>`;
}
