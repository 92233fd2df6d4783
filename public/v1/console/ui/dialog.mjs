// Dialogs. The browser's own <dialog> holds the focus inside; it goes back to where it came from.

import { t } from "../i18n.mjs";
import {
  classes,
  html,
  makeStore,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  useStore,
} from "../lib.mjs";
import { useAction } from "./data.mjs";
import { ProblemNotice } from "./notice.mjs";

/**
 * A dialog over the page.
 * @param {{title: any, onClose: () => void, children: any, wide?: boolean}} props
 */
export function Dialog({ title, onClose, children, wide = false }) {
  const dialog = useRef();
  const heading = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => giveBack(before);
  }, []);
  // Escape asks the page to close it, so that the page knows.
  const cancelled = (event) => {
    event.preventDefault();
    onClose();
  };
  // A browser closes a dialog by itself when Escape is pressed again and again.
  return html`
    <dialog
      ref=${dialog}
      aria-labelledby=${heading}
      onCancel=${cancelled}
      onClose=${onClose}
      class=${classes(wide && "wide")}
    >
    <article>
      <header>
        <h2 id=${heading}>${title}</h2>
        <button type="button" class="close" aria-label=${t("common.close")} onClick=${onClose}>
          ×
        </button>
      </header>
      ${children}
    </article>
  </dialog>`;
}

/** Puts the focus where it was before, or on the heading if that is gone. */
function giveBack(before) {
  // The page is rendered first: what was there may be gone then.
  setTimeout(() => {
    if (document.querySelector("dialog[open]")?.contains(document.activeElement)) return;
    const there = before?.isConnected && before !== document.body && !before.disabled;
    (there ? before : document.querySelector("main h1"))?.focus();
  });
}

const open = makeStore([]);

/**
 * Asks before something is destroyed, says what goes with it, and does it.
 * @param {{
 *   title: string,
 *   text?: any,
 *   consequences?: any[] | Promise<any[]>,
 *   verb: string,
 *   act: () => Promise<any>,
 *   typed?: string,
 *   danger?: boolean,
 * }} question `verb` is on the button; `typed` has to be typed before it works
 * @returns {Promise<boolean>} whether it was done
 */
export function confirm(question) {
  return new Promise((resolve) => {
    const entry = {
      question,
      close: (done) => {
        open.set(open.get().filter((one) => one !== entry));
        resolve(done);
      },
    };
    open.set([...open.get(), entry]);
  });
}

// A question is about the page on which it was asked. By the Back button it would stand over
// another.
addEventListener("hashchange", () => open.get().forEach(({ close }) => close(false)));

/** Where confirmations appear; once on the page. */
export const Confirmations = () =>
  useStore(open).map((entry, at) => html`<${Confirmation} key=${at} ...${entry} />`);

function Confirmation({ question, close }) {
  const { title, text, verb, act, typed, danger = true } = question;
  const action = useAction(async () => {
    await act();
    close(true);
  });
  const [given, setGiven] = useState("");
  const typing = useId();
  const submitted = (event) => {
    event.preventDefault();
    action.run();
  };
  return html`<${Dialog} title=${title} onClose=${() => close(false)}>
    <form onSubmit=${submitted}>
      ${text && html`<p>${text}</p>`}
      <${Consequences} of=${question.consequences} />
      ${
        typed !== undefined &&
        html`
        <label for=${typing}>
          ${t("confirm.type")} <bdi dir="auto" class="code">${typed}</bdi>
        </label>
        <input
          id=${typing}
          autocomplete="off"
          value=${given}
          onInput=${(event) => setGiven(event.currentTarget.value)}
        />`
      }
      <${ProblemNotice} problem=${action.problem} again=${action.again} />
      <footer class="form-end">
        <button type="button" class="secondary outline" autofocus onClick=${() => close(false)}>
          ${t("common.cancel")}
        </button>
        <button
          type="submit"
          class=${classes(danger && "danger")}
          aria-busy=${action.busy ? "true" : undefined}
          disabled=${action.busy || (typed !== undefined && given !== typed)}
        >
          ${verb}
        </button>
      </footer>
    </form>
  <//>`;
}

function Consequences({ of }) {
  const [lines, setLines] = useState(Array.isArray(of) ? of : null);
  useEffect(() => {
    let here = true;
    Promise.resolve(of ?? []).then(
      (found) => here && setLines(found),
      () => here && setLines([t("confirm.unknown")]),
    );
    return () => (here = false);
  }, []);
  if (!lines) return html`<p aria-busy="true">${t("confirm.counting")}</p>`;
  return lines.length === 0
    ? null
    : html`<ul class="consequences">${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}
