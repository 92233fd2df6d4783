// The fields of forms. Each has a label, and may have a hint and an error.

import { t } from "../i18n.mjs";
import { html, useEffect, useRef } from "../lib.mjs";
import { useTied } from "./form.mjs";

const Optional = () => html` <span class="faint">${t("common.optional")}</span>`;

/**
 * A field for text, a number, a password or several lines.
 * @param {{
 *   name: string,
 *   label: any,
 *   value: string | number,
 *   onInput: (value: string) => void,
 *   hint?: any,
 *   type?: "text" | "password" | "number" | "email" | "search" | "url",
 *   rows?: number,
 *   required?: boolean,
 * }} props `rows` makes it several lines; further props, such as `maxLength`, go to the control
 */
export function Field(props) {
  const { name, label, value, onInput, hint, type = "text", rows, required, ...rest } = props;
  const { id, tied, below } = useTied(name, hint);
  const control = {
    ...tied,
    value: value ?? "",
    required,
    onInput: (event) => onInput(event.currentTarget.value),
    autocomplete: "off",
    spellcheck: false,
    dir: "auto",
    ...rest,
  };
  return html`<div class="field">
    <label for=${id}>${label}${!required && html`<${Optional} />`}</label>
    ${
      rows
        ? html`<textarea rows=${rows} ...${control} />`
        : html`<input type=${type} ...${control} />`
    }
    ${below}
  </div>`;
}

/**
 * A choice of one.
 * @param {{
 *   name: string,
 *   label: any,
 *   value: string,
 *   onInput: (value: string) => void,
 *   options: [string, string][],
 *   hint?: any,
 * }} props `options` are pairs of a value and its text
 */
export function SelectField({ name, label, value, onInput, options, hint, ...rest }) {
  const { id, tied, below } = useTied(name, hint);
  const input = (event) => onInput(event.currentTarget.value);
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select ...${tied} value=${value} onInput=${input} ...${rest}>
      ${options.map(
        ([one, text]) => html`
        <option key=${one} value=${one} selected=${one === value}>${text}</option>
      `,
      )}
    </select>
    ${below}
  </div>`;
}

/**
 * Yes or no.
 * @param {{
 *   name: string,
 *   label: any,
 *   value: boolean,
 *   onInput: (value: boolean) => void,
 *   hint?: any,
 *   switch?: boolean,
 * }} props
 */
export function CheckField({ name, label, value, onInput, hint, switch: isSwitch, ...rest }) {
  const { tied, below } = useTied(name, hint);
  const control = {
    ...tied,
    role: isSwitch ? "switch" : undefined,
    checked: value,
    onInput: (event) => onInput(event.currentTarget.checked),
    ...rest,
  };
  return html`<div class="field check">
    <label><input type="checkbox" ...${control} /> ${label}</label>
    ${below}
  </div>`;
}

/**
 * Several of a few.
 * @param {{
 *   name: string,
 *   legend: any,
 *   value: string[],
 *   onInput: (value: string[]) => void,
 *   options: [string, any][],
 *   hint?: any,
 *   locked?: string[],
 * }} props `locked` ones are always among them
 */
export function ChecksField({ name, legend, value, onInput, options, hint, locked = [] }) {
  const { id, tied, below } = useTied(name, hint);
  const turn = (one, on) => {
    const all = options.map(([each]) => each);
    onInput(all.filter((each) => (each === one ? on : value.includes(each))));
  };
  const control = (one) => ({
    name,
    value: one,
    checked: locked.includes(one) || value.includes(one),
    disabled: locked.includes(one),
    onInput: (event) => turn(one, event.currentTarget.checked),
  });
  return html`<fieldset class="field checks" aria-describedby=${tied["aria-describedby"]} id=${id}>
    <legend>${legend}</legend>
    <div class="checks-in">
      ${options.map(
        ([one, text]) => html`
        <label key=${one}><input type="checkbox" ...${control(one)} /> ${text}</label>
      `,
      )}
    </div>
    ${below}
  </fieldset>`;
}

/**
 * A moment, in the browser's time zone.
 * @param {{
 *   name: string,
 *   label: any,
 *   value: number | null,
 *   onInput: (at: number | null) => void,
 *   hint?: any,
 *   broken?: string,
 * }} props moments are epoch milliseconds; `broken` is the rule that the moment breaks, in words
 */
export function MomentField({ name, label, value, onInput, hint, broken = "", ...rest }) {
  const { id, tied, below } = useTied(name, hint);
  const field = useRef();
  useEffect(() => field.current.setCustomValidity(broken), [broken]);
  const input = (event) => {
    const at = new Date(event.currentTarget.value).getTime();
    onInput(Number.isNaN(at) ? null : at);
  };
  const control = { ...tied, value: local(value), onInput: input, ...rest };
  return html`<div class="field">
    <label for=${id}>${label}<${Optional} /></label>
    <input ref=${field} type="datetime-local" ...${control} />
    ${below}
  </div>`;
}

/**
 * From when until when something counts.
 * @param {{
 *   value: {startsAt: number | null, expiresAt: number | null},
 *   onInput: (some: {startsAt?: number | null, expiresAt?: number | null}) => void,
 * }} props
 */
export function PeriodFields({ value: { startsAt, expiresAt }, onInput }) {
  const isBefore = startsAt != null && expiresAt != null && expiresAt <= startsAt;
  const isPast = expiresAt != null && expiresAt <= Date.now();
  return html`<div class="columns">
    <${MomentField}
      name="startsAt"
      label=${t("give.startsAt")}
      value=${startsAt}
      onInput=${(at) => onInput({ startsAt: at })}
      hint=${t("give.startsAtHint")}
    />
    <${MomentField}
      name="expiresAt"
      label=${t("give.expiresAt")}
      value=${expiresAt}
      onInput=${(at) => onInput({ expiresAt: at })}
      hint=${t("give.expiresAtHint")}
      broken=${isPast ? t("rule.past") : isBefore ? t("rule.endBeforeStart") : ""}
    />
  </div>`;
}

/** A moment as the control has it: local time, no zone. */
function local(at) {
  if (at == null) return "";
  const moved = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return moved.toISOString().slice(0, 16);
}
