// "Disconnect somebody now": ends their tokens, and can keep them out.

import { api } from "../api.mjs";
import { list, t, tn } from "../i18n.mjs";
import { html, useId, useState } from "../lib.mjs";
import { path } from "../router.mjs";
import { Dialog, Form, Loading, ProblemNotice, useAction, useLoad } from "../ui.mjs";

const MOST_KEYS = 100;
const MOST_NAMES = 10;

/** What goes with it. */
async function readWhatGoes(id) {
  const [tokens, keys, health] = await Promise.all([
    api.get(path`/v1/users/${id}/tokens`),
    api.get("/v1/keys", { userId: id, limit: MOST_KEYS }),
    // It says how long it takes everywhere. That is worth no failure of its own.
    api.get("/health").catch(() => null),
  ]);
  return {
    tokens: tokens.items.length,
    keys: keys.items,
    more: Boolean(keys.next),
    stalenessS: health?.stalenessS,
  };
}

/**
 * @param {{user: any, onClose: (done?: string) => void}} props
 *   `onClose` gets what was done, in words
 */
export function Disconnect({ user, onClose }) {
  const [out, setOut] = useState(user.enabled ? "disable" : "revoke");
  const goes = useLoad(() => readWhatGoes(user.id), [user.id]);
  const name = useId();
  const action = useAction(async () => {
    // Disabled first: a token that is issued in between is dead too.
    if (out === "disable") await api.patch(path`/v1/users/${user.id}`, { enabled: false });
    await api.delete(path`/v1/users/${user.id}/tokens`);
    onClose(
      t(out === "disable" ? "disconnect.doneDisabled" : "disconnect.doneRevoked", {
        name: user.username,
      }),
    );
  });
  const choice = (value, title, text) => html`<label class="choice">
    <input
      type="radio"
      name=${name}
      value=${value}
      checked=${out === value}
      autofocus=${out === value}
      onInput=${() => setOut(value)}
      disabled=${value === "disable" && !user.enabled}
    />
    <span><strong>${title}</strong><br /><span class="faint">${text}</span></span>
  </label>`;
  return html`
    <${Dialog} title=${t("disconnect.ask", { name: user.username })} onClose=${() => onClose()}>
    <${Form} action=${action} submit=${t("disconnect.verb")} onCancel=${() => onClose()} danger>
      <fieldset>
        <legend class="sr-only">${t("disconnect.how")}</legend>
        ${choice(
          "disable",
          t("disconnect.disable"),
          user.enabled ? t("disconnect.disableText") : t("disconnect.isDisabled"),
        )}
        ${choice("revoke", t("disconnect.revoke"), t("disconnect.revokeText"))}
      </fieldset>
      <p><strong>${t("disconnect.goes")}</strong></p>
      <${ProblemNotice} problem=${goes.problem} again=${goes.reload} />
      ${goes.loading && !goes.data && html`<${Loading} />`}
      ${goes.data && html`<${WhatGoes} of=${goes.data} />`}
    <//>
  <//>`;
}

function WhatGoes({ of: { tokens, keys, more, stalenessS } }) {
  const names = list(keys.slice(0, MOST_NAMES).map(({ name }) => name));
  const others = more || keys.length > MOST_NAMES ? " …" : "";
  return html`<ul class="consequences">
    <li>${tn("disconnect.tokens", tokens)}</li>
    <li>${t("disconnect.appTokens")}</li>
    <li>
      ${keys.length === 0 ? t("disconnect.noKeys") : `${t("disconnect.keys")} ${names}${others}`}
    </li>
    <li>${t("disconnect.stays")}</li>
    ${stalenessS !== undefined && html`<li>${t("disconnect.when", { n: stalenessS })}</li>`}
  </ul>`;
}
