// The fields of a question about a permission on a service.

import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { Combobox, SelectField } from "../ui.mjs";
import { permissionOptions } from "./permissions.mjs";

export const PermissionField = ({ value, onInput }) => html`
  <${SelectField}
    name="permission"
    label=${t("may.permission")}
    value=${value}
    onInput=${onInput}
    options=${permissionOptions()}
  />
`;

export const ServiceField = ({ label, value, onPick, required = false }) => html`
  <${Combobox}
    name="service"
    label=${label}
    kinds=${["service"]}
    value=${value}
    onPick=${onPick}
    required=${required}
    unregistered
  />
`;
