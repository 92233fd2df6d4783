// Why is a token refused? Every check with its verdict. The token is in this page alone: in no
// address, no draft and no storage.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useEffect, useRef, useState } from "../lib.mjs";
import { href, path } from "../router.mjs";
import {
  Badge,
  Button,
  Combobox,
  Field,
  Form,
  Page,
  Section,
  SelectField,
  Text,
  confirm,
  say,
  useAction,
} from "../ui.mjs";
import { Checks, byApp } from "../parts/checks.mjs";
import { bare, readToken } from "../parts/jwt.mjs";
import { PermissionAnswer } from "../parts/permission_answer.mjs";
import { permissionOptions } from "../parts/permissions.mjs";

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
        <${Combobox}
          name="service"
          label=${t("token.service")}
          kinds=${["service"]}
          value=${service}
          onPick=${setService}
          unregistered
        />
        <${SelectField}
          name="permission"
          label=${t("may.permission")}
          value=${permission}
          onInput=${setPermission}
          options=${permissionOptions()}
        />
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
  const first = accepted ? undefined : nearest(groups);
  return html`<section class="part result" aria-labelledby="verdict">
    <h2 id="verdict" tabindex="-1" ref=${heading}>
      ${accepted ? t("token.accepted") : t("token.refused")}
      <${Good} is=${accepted}>${t(`token.${verdict}Short`)}<//>
    </h2>
    ${
      first &&
      html`
      <p class="because">
        ${
          first.app ? t("token.because", { app: first.app }) : t("token.becauseToken")
        } <${Text} value=${first.check.detail} />
      </p>
    `
    }
    ${
      first?.check.fix &&
      html`
      <p class="fix">${t("check.fix")} <${Text} value=${first.check.fix} /></p>
    `
    }
    ${accepted && html`<${Revoke} token=${token} />`}
    ${groups.map(
      ({ app, checks: of, holds }) => html`
      <details
        key=${app}
        class="app-checks"
        open=${groups.length < 4 || first?.app === app || holds}
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

/**
 * The check that failed in the app that came furthest: that is the app that the token is meant
 * for.
 */
function nearest(groups) {
  const failed = groups.filter(({ holds }) => !holds);
  const best = failed.sort((one, other) => held(other.checks) - held(one.checks))[0];
  const check = best?.checks.find((one) => !one.held);
  return check && { app: best.app, check };
}

const held = (checks) => checks.filter((one) => one.held).length;

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
