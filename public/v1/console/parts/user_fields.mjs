// Fields of the forms in which a user is made and changed.

import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { CheckField, Field, SelectField } from "../ui.mjs";
import { typeOptions } from "./user_badges.mjs";

const TEXTS = {
  name: { maxLength: 256 },
  email: { maxLength: 256 },
  phone: { maxLength: 256 },
  roles: {},
};

/**
 * Fields for texts, in the order in which they are named.
 * @param {{
 *   names: (keyof typeof TEXTS)[], values: Record<string, any>,
 *   set: (member: string) => (value: any) => void,
 * }} props
 */
export const UserTexts = ({ names, values, set }) =>
  names.map(
    (name) => html`
    <${Field}
      key=${name}
      name=${name}
      label=${t(`users.${name}`)}
      value=${values[name]}
      onInput=${set(name)}
      hint=${name === "roles" ? t("users.rolesHint") : undefined}
      ...${TEXTS[name]}
    />
  `,
  );

export const UserType = ({ values, set }) => html`
  <${SelectField}
    name="type"
    label=${t("users.type")}
    value=${values.type}
    onInput=${set("type")}
    options=${typeOptions()}
  />
`;

export const UserEnabled = ({ values, set }) => html`
  <${CheckField}
    name="enabled"
    label=${t("users.enabled")}
    value=${values.enabled}
    onInput=${set("enabled")}
    hint=${t("users.enabledHint")}
    switch
  />
`;

/** The roles that were typed, with commas between them. @param {string} text */
export const rolesOf = (text) =>
  text
    .split(",")
    .map((role) => role.trim())
    .filter(Boolean);
