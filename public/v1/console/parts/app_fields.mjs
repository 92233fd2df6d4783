// The fields of a token app's form, in the groups in which people think of them.

import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { CheckField, Field, SelectField } from "../ui.mjs";
import { ALGORITHMS, kindOf } from "./app_members.mjs";

/**
 * @param {{form: any, change: (some: any) => void, stored?: any}} props `stored` is the app that
 * is changed
 */
export function AppFields({ form, change, stored }) {
  const set = (name) => (value) => change({ [name]: value });
  const text = (name, more) => html`
    <${Field}
      name=${name}
      label=${t(`appForm.${name}`)}
      hint=${t(`appForm.${name}.hint`)}
      value=${form[name]}
      onInput=${set(name)}
      ...${more}
    />
  `;
  const lines = (name, more) => text(name, { rows: 2, ...more });
  const flag = (name) => html`
    <${CheckField}
      name=${name}
      label=${t(`appForm.${name}`)}
      hint=${t(`appForm.${name}.hint`)}
      value=${form[name]}
      onInput=${set(name)}
    />
  `;
  const choice = (name, values) => html`
    <${SelectField}
      name=${name}
      label=${t(`appForm.${name}`)}
      value=${form[name]}
      onInput=${set(name)}
      options=${[
        ["", t("appForm.default")],
        ...values.map((value) => [value, t(`appForm.${name}.${value}`)]),
      ]}
    />
  `;
  return html`
    ${!stored && text("name", { required: true, maxLength: 64 })}
    ${flag("enabled")}
    <${Group} title=${t("appForm.group.keys")} open>
      <${SelectField}
        name="algorithm"
        label=${t("appForm.algorithm")}
        hint=${t("appForm.algorithm.hint")}
        value=${form.algorithm}
        onInput=${set("algorithm")}
        options=${ALGORITHMS.map((one) => [one, one])}
      />
      <${Keys} form=${form} text=${text} flag=${flag} stored=${stored} />
    <//>
    <${Group} title=${t("appForm.group.claims")} open>
      <div class="grid">
        ${text("claims.username", { required: true })}${text("claims.name")}${text("claims.email")}
      </div>
      <div class="grid">${text("claims.id")}${text("claims.groups")}${text("claims.roles")}</div>
    <//>
    <${Group} title=${t("appForm.group.accepted")} open=${kindOf(form) === "keys"}>
      ${kindOf(form) !== "keys" && text("issuer")}
      ${lines("audiences")}
      ${flag("anyAudience")}
      ${lines("types")}
      ${lines("authorizedParties")}
      ${lines("requiredScopes")}
      ${lines("tenants")}
      ${text("expire", { type: "number", min: 1, max: 315360000 })}
      ${choice("boundTokens", ["refuse", "ignore"])}
    <//>
    <${Group} title=${t("appForm.group.users")}>
      ${flag("createsUsers")}
      ${choice("speaksFor", ["own", "users", "everybody"])}
      ${choice("profile", ["follow", "once"])}
      ${lines("initialRoles")}
      ${text("initialPassword", {
        type: "password",
        maxLength: 1024,
        autocomplete: "new-password",
      })}
      ${
        stored?.hasInitialPassword &&
        html`
        <${CheckField}
          name="dropPassword"
          label=${t("appForm.dropPassword")}
          value=${form.dropPassword}
          onInput=${set("dropPassword")}
        />
      `
      }
    <//>
    <${Group} title=${t("appForm.group.groups")}>
      ${lines("roleMap")}${lines("groupMap")}${choice("groupsMode", ["request", "sync"])}
    <//>
    <${Group} title=${t("appForm.group.more")}>
      ${text("tokenName", { maxLength: 64 })}${lines("passClaims")}
    <//>
  `;
}

const Group = ({ title, open, children }) => html`
  <details class="fields" open=${open}><summary>${title}</summary>${children}</details>
`;

/** What tokens are verified with. */
function Keys({ form, text, flag, stored }) {
  const kind = kindOf(form);
  const label = t(`appForm.secret.${kind}`);
  const hint = stored?.hasSecret ? t("appForm.secret.stays") : t(`appForm.secret.${kind}.hint`);
  const required = !stored?.hasSecret;
  const secret = { label, hint, type: "password", autocomplete: "new-password", required };
  if (kind === "secret") return text("secret", secret);
  if (kind === "endpoint") {
    return html`
      ${text("introspectionEndpoint", { type: "url", required: true })}
      ${text("introspectionClientId", { required: true, maxLength: 256 })}
      ${text("secret", {
        label,
        hint,
        type: "password",
        autocomplete: "new-password",
        required: !stored?.hasSecret,
      })}
      ${text("introspectionCacheS", { type: "number", min: 0, max: 60 })}`;
  }
  return html`${text("issuer", { required: form.discover })}${flag("discover")}
    ${!form.discover && text("secret", { label, hint, rows: 5, required: !stored?.hasSecret })}`;
}
