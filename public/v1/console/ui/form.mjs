// Forms. An error names its field and the rule, is read out with the field, and takes the focus.

import { language, number, t } from "../i18n.mjs";
import { classes, createContext, html } from "../lib.mjs";
import { useContext, useEffect, useId, useRef, useState } from "../lib.mjs";
import { Detail, ProblemNotice } from "./notice.mjs";

const Within = createContext({ wrong: {} });

/**
 * A form. Nothing that was typed is lost while its action fails.
 * @param {{
 *   action: ReturnType<typeof import("./data.mjs").useAction>,
 *   onSubmit?: () => void,
 *   submit: string,
 *   onCancel?: () => void,
 *   danger?: boolean,
 *   compact?: boolean,
 *   children: any,
 * }} props `onSubmit` stands for `action.run()`; `compact` puts everything in a line
 */
export function Form(props) {
  const { action, onSubmit = () => action.run(), submit, onCancel, children } = props;
  const [broken, setBroken] = useState({});
  const form = useRef();
  const { problem, busy } = action;
  const wrong = problem?.field ? { ...broken, [problem.field]: problem } : broken;
  useEffect(() => {
    if (problem?.field) reveal(fieldOf(form.current, problem.field));
  }, [problem]);
  const submitted = (event) => {
    event.preventDefault();
    const found = rulesBroken(form.current);
    setBroken(Object.fromEntries(found.map(({ name, rule }) => [name, rule])));
    if (found.length > 0) reveal(found[0].element);
    else onSubmit();
  };
  // What a field of the form shows itself is not told twice.
  const elsewhere = problem && !(problem.field && fieldOf(form.current, problem.field));
  const kind = classes(props.compact && "compact");
  return html`<form ref=${form} noValidate class=${kind} onSubmit=${submitted}>
    <${Within.Provider} value=${{ wrong }}>${children}<//>
    ${elsewhere && html`<${ProblemNotice} problem=${problem} again=${action.again} />`}
    <div class="form-end">
      <button
        type="submit"
        class=${classes(props.danger && "danger")}
        aria-busy=${busy ? "true" : undefined}
        disabled=${busy}
      >${submit}</button>
      ${
        onCancel &&
        html`
        <button type="button" class="secondary outline" onClick=${onCancel}>
          ${t("common.cancel")}
        </button>
      `
      }
    </div>
  </form>`;
}

/** Puts the focus on a field, also where it is folded away. */
function reveal(element) {
  const folded = element?.closest?.("details:not([open])");
  if (folded) folded.open = true;
  element?.focus?.();
}

const fieldOf = (form, name) => form?.elements.namedItem(name);

/** The fields whose rule is broken, from the top down. */
function rulesBroken(form) {
  return [...form.elements]
    .filter((element) => element.name && element.willValidate && !element.validity.valid)
    .map((element) => ({ element, name: element.name, rule: brokenRule(element) }));
}

function brokenRule(element) {
  const { validity } = element;
  const of = (key, n) => t(`rule.${key}`, n === undefined ? {} : { n });
  if (validity.valueMissing) return of("required");
  if (validity.tooLong) return of("tooLong", element.maxLength);
  if (validity.tooShort) return of("tooShort", element.minLength);
  if (validity.rangeUnderflow) return of("atLeast", numberOf(element.min));
  if (validity.rangeOverflow) return of("atMost", numberOf(element.max));
  if (validity.customError) return element.validationMessage;
  return element.dataset.rule || of("form");
}

const numberOf = (text) => (Number.isNaN(Number(text)) ? text : number(Number(text)));

/** A rule that was broken: the form's own in words, or what the API says. */
function Rule({ of }) {
  if (typeof of === "string") return html`<bdi dir="auto">${of}</bdi>`;
  // English has no better words than the API's own, which name the member.
  if (language.get() === "en") return html`<bdi dir="auto">${of.detail}</bdi>`;
  const words = of.words();
  return html`${words} <${Detail} of=${of} words=${words} />`;
}

/** The props by which a control is tied to its label, its hint and its error. */
export function useTied(name, hint) {
  const id = useId();
  const rule = useContext(Within).wrong[name];
  const described = [hint && `${id}-hint`, rule && `${id}-rule`].filter(Boolean).join(" ");
  const tied = {
    id,
    name,
    "aria-invalid": rule ? "true" : undefined,
    "aria-describedby": described || undefined,
  };
  const below = html`
    ${hint && html`<small id=${`${id}-hint`}>${hint}</small>`}
    ${rule && html`<small id=${`${id}-rule`} class="rule"><${Rule} of=${rule} /></small>`}
  `;
  return { id, tied, below };
}
