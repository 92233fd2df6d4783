// Why is a token refused? Every check with its verdict. The token is in this page alone: in no
// address, no draft and no storage.

import { api } from "../api.mjs";
import { away, list, precisely, t } from "../i18n.mjs";
import { classes, html, useEffect, useRef, useState } from "../lib.mjs";
import { href, path } from "../router.mjs";
import {
  Badge,
  Button,
  Combobox,
  Field,
  Form,
  Page,
  Section,
  Text,
  confirm,
  say,
  useAction,
} from "../ui.mjs";
import { Checks } from "../parts/checks.mjs";
import { bare, readToken } from "../parts/jwt.mjs";
import { byApp, firstFailed, nearest } from "../parts/nearest.mjs";
import { PermissionAnswer } from "../parts/permission_answer.mjs";
import { PermissionField, ServiceField } from "../parts/permission_fields.mjs";

export default function Token() {
  const [text, setText] = useState("");
  const [app, setApp] = useState(null);
  const [service, setService] = useState(null);
  const [permission, setPermission] = useState("VIEW");
  const [result, setResult] = useState(null);
  const heading = useRef();
  const action = useAction(async () => {
    const token = bare(text);
    const question = service && { service: service.id, permission };
    const body = { token, ...(app && { app: app.id }), ...question };
    setResult({ token, explained: await api.post("/v1/explain", body) });
  });
  useEffect(() => {
    if (result) heading.current?.focus();
  }, [result]);
  const changed = (value) => {
    setText(value);
    setResult(null);
  };
  return html`<${Page} title=${t("token.title")} intro=${t("token.intro")}>
    <${Form} action=${action} submit=${t("token.submit")}>
      <${Field}
        name="token"
        label=${t("token.token")}
        value=${text}
        onInput=${changed}
        rows=${5}
        required
        hint=${t("token.tokenHint")}
        class="code"
      />
      <${Combobox}
        name="app"
        label=${t("token.app")}
        kinds=${["tokenApp"]}
        value=${app}
        onPick=${setApp}
        hint=${t("token.appHint")}
      />
      <details class="fields">
        <summary>${t("token.ask")}</summary>
        <${ServiceField} label=${t("token.service")} value=${service} onPick=${setService} />
        <${PermissionField} value=${permission} onInput=${setPermission} />
      </details>
    <//>
    ${result && html`<${Verdict} ...${result} heading=${heading} />`}
  <//>`;
}

const Good = ({ is, children }) => html`<${Badge} kind=${is ? "good" : "bad"}>${children}<//>`;

function Verdict({ token, explained, heading }) {
  const { verdict, checks } = explained;
  const accepted = verdict === "accepted";
  const groups = byApp(checks);
  const near = accepted ? [] : nearest(groups);
  return html`<section class="part result" aria-labelledby="verdict">
    <h2 id="verdict" tabindex="-1" ref=${heading}>
      ${accepted ? t("token.accepted") : t("token.refused")}
      <${Good} is=${accepted}>${t(`token.${verdict}Short`)}<//>
    </h2>
    <${Lifetime} token=${token} accepted=${accepted} />
    ${near.length > 0 && html`<${Because} token=${token} near=${near} groups=${groups} />`}
    ${accepted && html`<${Revoke} token=${token} />`}
    ${groups.map(
      ({ app, checks: of, holds }) => html`
      <details
        key=${app}
        class="app-checks"
        open=${groups.length < 4 || near.some((one) => one.app === app) || holds}
      >
      <summary>
        <span>
          ${app === null ? t("token.ofToken") : t("token.ofApp")}${" "}
          <bdi dir="auto">${app}</bdi>
        </span>
        ${" "}<${Good} is=${holds}>${holds ? t("check.allHeld") : t("check.someFailed")}<//>
      </summary>
      <${Checks} checks=${of} />
      ${
        app !== null &&
        html`
        <p><a href=${href(path`/token-apps/${app}`)}>${t("token.toApp")}</a></p>
      `
      }
    </details>`,
    )}
    ${
      explained.permission &&
      html`
      <${PermissionAnswer} ...${explained} checks=${[]} username=${t("token.itsUser")} />
    `
    }
    <${Said} token=${token} />
  </section>`;
}

/** The expiry that the token claims. Elsewhere it is hidden if no app verifies the signature. */
function Lifetime({ token, accepted }) {
  const times = readToken(token)?.times;
  if (!times) return null;
  const { begins, expires, hasEnd } = times;
  const is = (key, at) => t(`token.${key}`, { away: away(at), at: precisely(at) });
  const over = expires !== null && expires <= Date.now();
  const words = [
    begins !== null && begins > Date.now() && is("begins", begins),
    expires !== null && is(over ? "expired" : "expires", expires),
    !hasEnd && t("token.endless"),
  ].filter(Boolean);
  return html`<p class=${classes("lifetime", over && !accepted && "because")}>
    ${words.join(" ")}
  </p>`;
}

/** How many equally near apps are named above; all of them are listed below. */
const MOST_NAMED = 5;

/** Why the token is refused, in the fewest words; every check is below. */
function Because({ token, near, groups }) {
  const [first] = near;
  const { check, detail, fix } = firstFailed(first);
  const others = groups.filter(({ app }) => app !== null).length > near.length;
  const help = (text) =>
    text && html`<p class="fix">${t("check.fix")} <${Text} value=${text} /></p>`;
  if (near.length > 1) {
    return html`
      <p class="because">${t("token.tied")}</p>
      <ul>
        ${near.slice(0, MOST_NAMED).map(
          (one) => html`
          <li key=${one.app}>
            <bdi dir="auto">${one.app}</bdi>: <${Text} value=${firstFailed(one).detail} />
          </li>
        `,
        )}
      </ul>
      ${near.every((one) => firstFailed(one).fix === fix) && help(fix)}
      ${(others || near.length > MOST_NAMED) && html`<p>${t("token.others")}</p>`}
    `;
  }
  const asked = groups
    .filter((one) => one.checks.some((each) => each.check === "introspection"))
    .map(({ app }) => app);
  const isNone = check === "form" && !readToken(token);
  return html`
    ${isNone && html`<p class="because">${t("token.becauseNone")}</p>`}
    ${isNone && asked.length > 0 && html`<p>${t("token.asked", { apps: list(asked) })}</p>`}
    ${!isNone && html`<p class="because">${because(first, check)} <${Text} value=${detail} /></p>`}
    ${help(fix)}
    ${first.app !== null && others && html`<p>${t("token.others")}</p>`}
  `;
}

function because({ app }, check) {
  if (app !== null) return t("token.because", { app });
  const key = { form: "becauseForm", permission: "becausePermission" }[check] ?? "becauseToken";
  return t(`token.${key}`);
}

/** What the token says of itself. */
function Said({ token }) {
  const read = readToken(token);
  if (!read) return null;
  return html`<${Section} title=${t("token.says")} intro=${t("token.saysIntro")}>
    <h3>${t("token.header")}</h3>
    <pre dir="ltr" tabindex="0" aria-label=${t("token.header")}><code>${read.header}</code></pre>
    <h3>${t("token.claims")}</h3>
    <pre dir="ltr" tabindex="0" aria-label=${t("token.claims")}><code>${read.claims}</code></pre>
  <//>`;
}

function Revoke({ token }) {
  const ask = async () => {
    const done = await confirm({
      title: t("token.revokeTitle"),
      consequences: [t("token.revokeOver"), t("token.revokeForever")],
      verb: t("token.revoke"),
      act: () => api.post("/v1/revocations", { token }),
    });
    if (done) say(t("token.revoked"));
  };
  return html`
    <p><${Button} kind="danger outline" small onClick=${ask}>${t("token.revoke")}<//></p>
  `;
}
