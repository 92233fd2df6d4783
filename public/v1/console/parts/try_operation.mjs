// Sends a request of the API reference as whoever is signed in, and shows the answer as it came.

import { Problem, api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useId, useState } from "../lib.mjs";
import { Button, Notice, ProblemNotice, Text, confirm, useAction } from "../ui.mjs";
import { addressOf } from "./openapi.mjs";

/** So much of an answer is read. */
const MOST_BYTES = 200_000;

/** Whether the console's session opens an operation: the others want a credential of their own. */
function isOpened({ path, schemes }) {
  if (!path.startsWith("/v1/") || path.startsWith("/v1/forward-auth")) return false;
  const isOpen = schemes.length === 0 || schemes.some((one) => one.length === 0);
  return isOpen || schemes.flat().includes("basic");
}

export function Try({ operation, values, setValues, text, setText, signedIn }) {
  const [answer, setAnswer] = useState(null);
  const { method, path, parameters, body, changes } = operation;
  const id = useId();
  const address = addressOf(operation, values);
  const action = useAction(async () =>
    setAnswer(
      await tried(method, address, body && text !== "" ? { body: text, type: body.type } : {}),
    ),
  );
  if (!isOpened(operation)) return html`<p class="faint">${t("try.otherCredential")}</p>`;
  if (!signedIn) return html`<p class="faint">${t("try.signIn")}</p>`;
  const missing = parameters.filter(({ name, required }) => required && !values[name]);
  const submitted = (event) => {
    event.preventDefault();
    if (missing.length > 0) {
      event.currentTarget.elements.namedItem(missing[0].name)?.focus();
      return;
    }
    setAnswer(null);
    if (!changes) action.run();
    else
      confirm({
        title: t("try.confirmTitle"),
        text: html`<code>${method} ${address}</code>`,
        consequences: [t("try.confirmReal")],
        verb: t("try.send"),
        danger: method === "DELETE",
        act: async () => void (await action.run()),
      });
  };
  return html`<details class="try"><summary>${t("try.title")}</summary>
    <form noValidate onSubmit=${submitted}>
      ${changes && html`<${Notice} kind="warn"><p>${t("try.changes")}</p><//>`}
      ${parameters
        .filter((one) => one.in !== "header")
        .map(
          ({ name, required, schema }) => html`
        <div class="field" key=${name}>
        <label for=${`${id}-${name}`}>
          <code>${name}</code>
          ${!required && html` <span class="faint">${t("common.optional")}</span>`}
        </label>
        ${
          schema?.enum
            ? html`
            <select
              id=${`${id}-${name}`}
              name=${name}
              value=${values[name] ?? ""}
              onInput=${(event) => setValues({ ...values, [name]: event.currentTarget.value })}
            >
              <option value=""></option>
              ${schema.enum.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
            </select>
          `
            : html`<input
              id=${`${id}-${name}`}
              name=${name}
              autocomplete="off"
              spellcheck=${false}
              value=${values[name] ?? ""}
              onInput=${(event) => setValues({ ...values, [name]: event.currentTarget.value })}
            />`
        }
      </div>`,
        )}
      ${
        body &&
        html`<div class="field">
        <label for=${`${id}-body`}>${t("reference.body")} <code>${body.type}</code></label>
        <textarea
          id=${`${id}-body`}
          name="body"
          rows=${Math.min(12, text.split("\n").length + 1)}
          class="code"
          dir="ltr"
          autocomplete="off"
          spellcheck=${false}
          value=${text}
          onInput=${(event) => setText(event.currentTarget.value)}
        />
      </div>`
      }
      <div class="form-end">
        <${Button} type="submit" busy=${action.busy} disabled=${action.busy}>
          ${t("try.sendAs", { method, path })}
        <//>
      </div>
    </form>
    <${ProblemNotice} problem=${action.problem} again=${action.again} />
    <div role="status">${answer && html`<${Answer} answer=${answer} />`}</div>
  </details>`;
}

const Answer = ({ answer }) => html`
  <p>
    <strong>${answer.status}</strong>
    ${answer.type && html` <code>${answer.type}</code>`}
    ${" "}<span class="faint">${t("try.took", { n: answer.ms })}</span>
  </p>
  ${
    answer.timing &&
    html`
    <p class="faint">Server-Timing: <${Text} value=${answer.timing} code /></p>
  `
  }
  ${
    answer.text === ""
      ? html`<p class="faint">${t("try.empty")}</p>`
      : html`
        <pre dir="ltr" tabindex="0" aria-label=${t("try.answer")}><code>${answer.text}</code></pre>
      `
  }
  ${answer.isCut && html`<p>${t("try.cut")}</p>`}
`;

async function tried(method, address, request) {
  const began = performance.now();
  const done = (status, headers, read) => ({
    status,
    ms: Math.round(performance.now() - began),
    type: headers?.get("content-type"),
    timing: headers?.get("server-timing"),
    ...read,
  });
  try {
    const answer = await api.raw(method, address, request);
    return done(answer.status, answer.headers, await beginningOf(answer));
  } catch (problem) {
    const isAnswer = problem instanceof Problem && problem.text !== undefined;
    if (!isAnswer || problem.status === 0) throw problem;
    return done(problem.status, null, { text: pretty(problem.text), isCut: false });
  }
}

async function beginningOf(answer) {
  const reader = answer.body?.getReader();
  if (!reader) return { text: "", isCut: false };
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: pretty(text + decoder.decode()), isCut: false };
    text += decoder.decode(value, { stream: true });
    if (text.length <= MOST_BYTES) continue;
    await reader.cancel();
    return { text: text.slice(0, MOST_BYTES), isCut: true };
  }
}

/** JSON on several lines; the digits of large numbers stay as they came. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text, raw), null, 2);
  } catch {
    return text;
  }
}

const raw = (_, value, context) =>
  typeof value === "number" && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
