// A field that finds a user, group, department, service … while one types.

import { oneOf, t } from "../i18n.mjs";
import { classes, html, useEffect, useRef, useState } from "../lib.mjs";
import { href } from "../router.mjs";
import { useTied } from "./form.mjs";
import { asTyped, findOf, strangers } from "./search.mjs";

const PAUSE_MS = 200;

/** Where each kind is created, and the text that says so. */
const CREATED = {
  user: [href("/users", { do: "create" }), "users.create"],
  group: [href("/groups", { do: "create" }), "group.create"],
  department: [href("/departments", { do: "create" }), "department.create"],
  service: [href("/services", { do: "create" }), "service.create"],
  tokenApp: [href("/new-token-app"), "apps.new"],
  organization: [href("/organizations", { do: "new" }), "organizations.new"],
};

/** What is offered for a text, while the list is open. */
function useOptions({ kinds, text, isOpen, unregistered, anyName }) {
  const [result, setResult] = useState({ state: "searching", options: [] });
  useEffect(() => {
    if (!isOpen) return undefined;
    const control = new AbortController();
    setResult(({ options }) => ({ state: "searching", options }));
    const search = async () => {
      try {
        const wanted = text.trim();
        const each = kinds.map((kind) => findOf(kind, wanted, control.signal));
        const options = (await Promise.all(each)).flat();
        if (unregistered) options.push(...strangers(kinds, wanted, options));
        if (anyName) options.push(...asTyped(kinds[0], wanted, options));
        setResult({ state: "found", options });
      } catch (problem) {
        if (control.signal.aborted) return;
        setResult({ state: "failed", options: [], problem });
      }
    };
    const timer = setTimeout(search, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text, isOpen, kinds.join()]);
  return result;
}

/**
 * @param {{
 *   name: string,
 *   label: any,
 *   kinds: import("./search.mjs").Kind[],
 *   value: import("./search.mjs").Found | null,
 *   onPick: (found: import("./search.mjs").Found | null) => void,
 *   hint?: any,
 *   required?: boolean,
 *   unregistered?: boolean,
 *   anyName?: boolean,
 * }} props `unregistered` also offers an id that nobody registered, as `DIRECTORY = "open"` allows;
 *   `anyName` also offers what was typed as a name
 */
export function Combobox(props) {
  const { name, label, kinds, value, onPick, hint, required } = props;
  const [text, setText] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const { state, options, problem } = useOptions({ ...props, text, isOpen });
  const { id, tied, below } = useTied(name, hint);
  const input = useRef();
  const hasty = useRef(false);

  useEffect(() => {
    setAt(0);
    // Enter came before the answer. It counts where the answer leaves no choice.
    const only = options.length === 1 ? options[0] : options.find((one) => one.name === text);
    if (hasty.current && state === "found" && only) pick(only);
    if (state !== "searching") hasty.current = false;
  }, [options, state]);
  useEffect(() => {
    // Native validation does not know that a text alone is no choice.
    input.current.setCustomValidity(required && !value ? t("rule.pick") : "");
  }, [required, value]);
  useEffect(() => {
    document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const pick = (option) => {
    onPick(option);
    setText("");
    setOpen(false);
    input.current.focus();
  };
  const move = (event, by) => {
    event.preventDefault();
    if (!isOpen) setOpen(true);
    else setAt(Math.max(0, Math.min(at + by, options.length - 1)));
  };
  const keys = {
    ArrowDown: (event) => move(event, 1),
    ArrowUp: (event) => move(event, -1),
    Enter: (event) => {
      // It would send the form while something is being chosen.
      if (!isOpen) return;
      event.preventDefault();
      if (state === "found" && options[at]) pick(options[at]);
      else hasty.current = true;
    },
    Escape: (event) => {
      // It would close the dialog around the field.
      if (!isOpen) return;
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
    },
    Backspace: () => value && text === "" && onPick(null),
  };
  const typed = (event) => {
    setText(event.currentTarget.value);
    hasty.current = false;
    if (value) onPick(null);
    setOpen(true);
  };
  const words = isOpen ? inWords({ state, options, problem, kinds, text }) : "";
  const shown = isOpen && options.length > 0;
  const isNothing = isOpen && state === "found" && options.length === 0;
  const left = ({ currentTarget, relatedTarget }) =>
    currentTarget.closest(".combobox").contains(relatedTarget) || setOpen(false);
  return html`<div class="field combobox">
    <label for=${id}>${label}</label>
    <input
      ref=${input}
      ...${tied}
      type="text"
      role="combobox"
      autocomplete="off"
      spellcheck=${false}
      dir="auto"
      aria-autocomplete="list"
      aria-expanded=${shown ? "true" : "false"}
      aria-controls=${`${id}-list`}
      aria-required=${required ? "true" : undefined}
      aria-activedescendant=${shown ? `${id}-${at}` : undefined}
      placeholder=${t(`combobox.${kinds.length === 1 ? kinds[0] : "any"}`)}
      value=${value && text === "" ? nameOf(value) : text}
      onInput=${typed}
      onKeyDown=${(event) => keys[event.key]?.(event)}
      onClick=${() => setOpen(true)}
      onBlur=${left}
    />
    ${
      value &&
      html`
      <button
        type="button"
        class="clear"
        aria-label=${t("combobox.clear")}
        onClick=${() => pick(null)}
      >×</button>
    `
    }
    <div
      id=${`${id}-list`}
      role="listbox"
      aria-label=${t("combobox.results")}
      class=${classes("options", !shown && "hidden")}
    >
      ${
        shown &&
        options.map(
          (option, index) => html`
        <${Option}
          key=${`${option.kind}:${option.id}`}
          id=${`${id}-${index}`}
          option=${option}
          current=${index === at}
          onPick=${pick}
        />
      `,
        )
      }
    </div>
    <p class="sr-only" role="status">${words}</p>
    ${isOpen && !shown && html`<p class="option-note" aria-hidden="true">${words}</p>`}
    ${
      isNothing &&
      html`
      <p class="option-note">
        ${kinds.map((kind) => html`<${Create} key=${kind} kind=${kind} onBlur=${left} />`)}
      </p>
    `
    }
    ${below}
  </div>`;
}

/** A press of the mouse leaves the focus in the field. Else its click would find no link. */
const Create = ({ kind, onBlur }) => html`<a
  href=${CREATED[kind][0]}
  onMouseDown=${(event) => event.preventDefault()}
  onBlur=${onBlur}
>${t(CREATED[kind][1])}</a>`;

const Option = ({ id, option, current, onPick }) => html`<div
  id=${id}
  role="option"
  aria-selected=${current ? "true" : "false"}
  class=${classes("option", current && "current")}
  onMouseDown=${(event) => event.preventDefault()}
  onClick=${() => onPick(option)}
>
  <bdi dir="auto" class="stored">${nameOf(option)}</bdi>
  <span class="faint">
    ${` ${t(`kind.${option.kind}`)} ${option.id}`}
    ${option.more && html` · <bdi dir="auto">${option.more}</bdi>`}
  </span>
</div>`;

const nameOf = ({ kind, id, name }) =>
  name ?? t("combobox.unnamed", { kind: t(`kind.${kind}`), id: `${id}` });

function inWords({ state, options, problem, kinds, text }) {
  if (state === "failed") return problem.words?.() || problem.detail || `${problem}`;
  if (state === "searching") return t("combobox.searching");
  if (options.length > 0) return t("combobox.found", { n: options.length });
  const names = oneOf(kinds.map((kind) => t(`kind.${kind}`)));
  return t("combobox.nothing", { kinds: names, text: text.trim() });
}
