// Signing in: as a page, and as a dialog over whatever is open when a session is over.

import { t } from "../i18n.mjs";
import { html, useEffect, useRef, useState, useStore } from "../lib.mjs";
import { href } from "../router.mjs";
import { giveUp, signIn, waiting } from "../session.mjs";
import { Dialog, Field, Form, Notice, Page, say, useAction } from "../ui.mjs";

function SignInForm({ onCancel }) {
  const [way, setWay] = useState("password");
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [key, setKey] = useState("");
  const action = useAction(async () => {
    await signIn(way === "key" ? { key: key.trim() } : { username, password });
    setPassword("");
    setKey("");
    say(t("session.signedIn"));
  });
  const change = (next) => {
    setWay(next);
    action.clear();
  };
  return html`
    <${Form}
      action=${{ ...action, again: undefined }}
      submit=${t("session.signIn")}
      onCancel=${onCancel}
    >
      ${
        way === "key"
          ? html`
            <${Field}
              key="key"
              name="key"
              type="password"
              label=${t("session.key")}
              hint=${t("session.keyHint")}
              value=${key}
              onInput=${setKey}
              required
              autofocus
            />
          `
          : html`
            <${Field}
              key="username"
              name="username"
              label=${t("session.username")}
              value=${username}
              onInput=${setUsername}
              required
              autocomplete="username"
              autofocus
            />
            <${Field}
              key="password"
              name="password"
              type="password"
              label=${t("session.password")}
              value=${password}
              onInput=${setPassword}
              required
              autocomplete="current-password"
            />
          `
      }
    <//>
    <p>
      <button
        type="button"
        class="link"
        onClick=${() => change(way === "key" ? "password" : "key")}
      >
        ${t(way === "key" ? "session.withPassword" : "session.withKey")}
      </button>
    </p>
  `;
}

/** What is shown while nobody is signed in. */
export function SignInPage() {
  const page = useRef();
  // It also comes after signing out, when the browser does not look at autofocus any more.
  useEffect(() => page.current.querySelector("input").focus(), []);
  return html`<div class="sign-in" ref=${page}>
    <${Page} title=${t("session.title")} intro=${t("session.intro")}>
      <${SignInForm} />
      <p class="faint"><a href=${href("/reference")}>${t("reference.title")}</a></p>
    <//>
  </div>`;
}

/** What opens when a session is over; what is below stays as it is. */
export function SignInDialog() {
  const those = useStore(waiting);
  if (!those) return null;
  return html`<${Dialog} title=${t("session.over")} onClose=${giveUp}>
    <p>${t("session.overHelp")}</p>
    <${SignInForm} onCancel=${giveUp} />
  <//>`;
}

/** Where and how to sign in, on a host where one cannot. */
export const Elsewhere = ({ is }) => html`<${Page} title=${t("session.title")}>
  ${
    is.signIn === "elsewhere"
      ? html`<${Notice}><p>${t("session.elsewhere")} <a href=${is.at}>${is.at}</a></p><//>`
      : html`<${Notice} kind="warn"><p>${t("session.off")}</p><p>${t("session.offHelp")}</p><//>`
  }
  <p><a href=${href("/reference")}>${t("reference.title")}</a></p>
<//>`;
