// A shared secret is replaced by way of a second app, which takes tokens under the new secret while
// the first one still takes those under the old: an app itself has one shared secret.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, path } from "../router.mjs";
import {
  Badge,
  Button,
  Copy,
  Field,
  Form,
  Loaded,
  Notice,
  Section,
  Text,
  confirm,
  say,
  useAction,
  useLoad,
} from "../ui.mjs";
import { twinBody } from "./app_members.mjs";
import { bare } from "./jwt.mjs";
import { Steps } from "./steps.mjs";

/** The name of the second app; an app's name has at most 64 characters. */
const twinName = (name) => `${name.slice(0, 59)}-next`;

/** 48 random bytes are enough for HS512 as well, in letters that every configuration takes. */
function randomSecret() {
  const bytes = crypto.getRandomValues(new Uint8Array(48));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}

export function SharedSecret({ app, reload }) {
  const name = twinName(app.name);
  const twin = useLoad(
    async (signal) => {
      const { items } = await api.get("/v1/token-apps", { search: name }, { signal });
      return { app: items.find((one) => one.name === name) ?? null };
    },
    [name],
  );
  return html`
    <${Loaded} of=${twin}>
      ${(found) => html`
        <${Replacing} app=${app} twin=${found.app} reload=${twin.reload} done=${reload} />
      `}
    <//>
  `;
}

function Replacing({ app, twin, reload }) {
  const name = twinName(app.name);
  const [secret, setSecret] = useState("");
  const [handedOut, setHandedOut] = useState(false);
  const [checked, setChecked] = useState(false);
  const make = useAction(async () => {
    await api.post("/v1/token-apps", twinBody(app, name, secret));
    reload();
  });
  const finish = async () => {
    const done = await confirm({
      title: t("shared.finishTitle", { name: app.name }),
      consequences: [t("shared.finishOld"), t("shared.finishTwin", { name })],
      verb: t("shared.finish"),
      act: async () => {
        await api.patch(path`/v1/token-apps/${app.name}`, { secret });
        await api.delete(path`/v1/token-apps/${name}`);
      },
    });
    if (!done) return;
    say(t("shared.replaced", { name: app.name }));
    go(path`/token-apps/${app.name}`);
  };
  const field = html`
    <${Field}
      name="secret"
      label=${t("shared.newSecret")}
      type="password"
      autocomplete="new-password"
      value=${secret}
      onInput=${setSecret}
      required
      hint=${twin ? t("shared.sameHint") : t("shared.newHint")}
    />
  `;
  const steps = [
    {
      title: t("shared.step1"),
      done: Boolean(twin),
      children: html`<p>${t("shared.step1Text", { name })}</p>
        ${
          !twin &&
          html`<${Form} action=${make} submit=${t("shared.make", { name })}>
          ${field}
          <p>
            <${Button} kind="secondary outline" small onClick=${() => setSecret(randomSecret())}>
              ${t("shared.random")}
            <//>
          </p>
          ${
            secret &&
            html`
            <p class="secret-once"><${Copy} value=${secret} label=${t("shared.newSecret")} /></p>
          `
          }
        <//>`
        }`,
    },
    {
      title: t("shared.step2"),
      done: Boolean(twin) && (handedOut || checked),
      children: html`<p>${t("shared.step2Text")}</p>
        ${
          twin &&
          secret &&
          html`
          <p class="secret-once"><${Copy} value=${secret} label=${t("shared.newSecret")} /></p>
        `
        }
        ${
          twin &&
          !handedOut &&
          !checked &&
          html`
          <${Button} kind="secondary" small onClick=${() => setHandedOut(true)}>
            ${t("shared.handedOut")}
          <//>`
        }`,
    },
    {
      title: t("shared.step3"),
      done: Boolean(twin) && checked,
      children: html`
        <p>${t("shared.step3Text")}</p>
        ${twin && html`<${TryToken} name=${name} onAccepted=${() => setChecked(true)} />`}
      `,
    },
    {
      title: t("shared.step4"),
      children: html`
        <p>
          ${t("replace.waitText", { n: app.expire })} ${t("shared.step4Text", {
            name: app.name,
            twin: name,
          })}
        </p>
        ${
          twin &&
          html`${!secret && html`<p>${t("shared.typeAgain")}</p>`}${field}
        <${Button} kind="danger" disabled=${!secret} onClick=${finish}>${t("shared.finish")}<//>`
        }`,
    },
  ];
  return html`
    <${Notice}><p>${t("shared.why", { name })}</p><p>${t("shared.kid", { name: app.name })}</p><//>
    <${Section} title=${t("replace.steps")}>
      <${Steps} label=${t("replace.steps")} steps=${steps} />
    <//>
  `;
}

/** Whether a token that the issuer has just made is accepted by the second app. */
function TryToken({ name, onAccepted }) {
  const [token, setToken] = useState("");
  const [explained, setExplained] = useState(null);
  const action = useAction(async () => {
    const result = await api.post("/v1/explain", { token: bare(token), app: name });
    setExplained(result);
    if (result.verdict === "accepted") onAccepted();
  });
  const failed = explained?.checks.find(({ held }) => !held);
  return html`<${Form} action=${action} submit=${t("shared.try")}>
    <${Field}
      name="token"
      label=${t("shared.freshToken")}
      value=${token}
      onInput=${setToken}
      rows=${2}
      required
    />
    <div role="status">
      ${
        explained &&
        html`
        <p>
          <${Badge} kind=${failed ? "bad" : "good"}>
            ${failed ? t("token.refusedShort") : t("token.acceptedShort")}
          <//> ${failed && html`<${Text} value=${failed.detail} />`}
        </p>
      `
      }
    </div>
  <//>`;
}
