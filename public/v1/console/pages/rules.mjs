// The rules of the gateway as they are understood, and what a request would meet by them.

import { api } from "../api.mjs";
import { useDraft } from "../draft.mjs";
import { list, t } from "../i18n.mjs";
import { html, useEffect, useRef, useState } from "../lib.mjs";
import { href, path } from "../router.mjs";
import {
  Badge,
  Combobox,
  Field,
  Form,
  Loaded,
  Page,
  Section,
  SelectField,
  Table,
  Text,
  useAction,
  useLoad,
} from "../ui.mjs";
import { Checks } from "../parts/checks.mjs";
import { bare } from "../parts/jwt.mjs";

export default function Rules() {
  const of = useLoad((signal) => api.get("/v1/rules", {}, { signal }), []);
  return html`<${Page} title=${t("rules.title")} intro=${t("rules.intro")}>
    <${Tester} />
    <${Loaded} of=${of}>${({ rules, origins }) => html`
      <${Section} title=${t("rules.rules")} intro=${t("rules.rulesIntro")}>
        <${Table}
          caption=${t("rules.rules")}
          columns=${ruleColumns()}
          rows=${rules}
          rowKey=${(rule) => rules.indexOf(rule)}
          empty=${t("rules.none")}
        />
      <//>
      <${Section} title=${t("rules.origins")} intro=${t("rules.originsIntro")}>
        <${Table}
          caption=${t("rules.origins")}
          columns=${originColumns()}
          rows=${origins}
          rowKey=${(origin) => origins.indexOf(origin)}
          empty=${t("rules.noOrigin")}
        />
      <//>
    `}<//>
  <//>`;
}

const ruleColumns = () => [
  {
    key: "number",
    title: t("rules.number"),
    header: true,
    cell: ({ number }) => number ?? t("rules.public"),
  },
  {
    key: "requests",
    title: t("rules.requests"),
    cell: ({ methods, host, path: at }) => html`
      <code>
        ${methods?.join(" ") ?? t("rules.anyMethod")}
      </code> <${Text} value=${`${host ?? ""}${at ?? ""}`} code />
    `,
  },
  { key: "does", title: t("rules.does"), cell: (rule) => html`<${Does} rule=${rule} />` },
  { key: "wants", title: t("rules.wants"), cell: (rule) => html`<${Wants} of=${rule} />` },
];

function Does({ rule }) {
  if (rule.public) return html`<${Badge} kind="warn">${t("rules.letsAll")}<//>`;
  return html`
    <${Badge} kind=${rule.deny ? "bad" : "good"}>
      ${rule.deny ? t("rules.denies") : t("rules.demands")}
    <//>
    ${rule.report && html` <${Badge}>${t("rules.reports")}<//>`}
  `;
}

/** What must hold of the caller: all of these, or all members of one of `any`. */
function Wants({ of }) {
  const { service, permission, groups, roles, scopes, apps, audience, any } = of;
  const items = [
    permission &&
      html`
      ${t("rules.permission", { permission })} ${
        service !== null &&
        html`
        <a href=${href(path`/services/${service}`)}>${t("rules.service", { service })}</a>
      `
      }
    `,
    groups?.length > 0 &&
      html`
      ${t("rules.groups")} ${groups.map(
        (id) => html`<a key=${id} href=${href(path`/groups/${id}`)}>${id}</a> `,
      )}
    `,
    roles?.length > 0 && t("rules.roles", { roles: list(roles) }),
    scopes?.length > 0 && t("rules.scopes", { scopes: list(scopes) }),
    apps?.length > 0 && t("rules.apps", { apps: list(apps) }),
    audience && t("rules.audience", { audience }),
  ].filter(Boolean);
  return html`
    ${
      items.length > 0 &&
      html`
      <ul class="plain">${items.map((item) => html`<li>${item}</li>`)}</ul>
    `
    }
    ${
      any?.length > 0 &&
      html`
      <p>${t("rules.any")}</p><ol>${any.map((one) => html`<li><${Wants} of=${one} /></li>`)}</ol>
    `
    }
    ${
      items.length === 0 &&
      !any?.length &&
      html`
      <span class="faint">${of.public ? t("rules.nobody") : t("rules.signedIn")}</span>
    `
    }
  `;
}

const originColumns = () => [
  {
    key: "at",
    title: t("rules.requests"),
    header: true,
    cell: ({ host, path: at }) => html`<${Text} value=${`${host ?? ""}${at ?? ""}`} code />`,
  },
  { key: "url", title: t("rules.goesTo"), cell: ({ url }) => html`<${Text} value=${url} code />` },
  { key: "timeout", title: t("rules.timeout"), numeric: true, cell: ({ timeoutS }) => timeoutS },
];

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const Short = ({ verdict }) => html`
  <${Badge} kind=${["public", "passes"].includes(verdict) ? "good" : "bad"}>
    ${t(`rules.short.${verdict}`)}
  <//>
`;

function Tester() {
  const [draft, change] = useDraft("rules.test", {
    method: "GET",
    url: "",
    who: "nobody",
    user: null,
  });
  const [token, setToken] = useState("");
  const [outcome, setOutcome] = useState(null);
  const heading = useRef();
  const { method, url, who, user } = draft;
  const action = useAction(async () => {
    const by = { user: { username: user?.name }, token: { token: bare(token) } }[who];
    setOutcome(await api.post("/v1/rules/test", { method, url: url.trim(), ...by }));
  });
  useEffect(() => {
    if (outcome) heading.current?.focus();
  }, [outcome]);
  const set = (name) => (value) => {
    change({ [name]: value });
    setOutcome(null);
  };
  return html`<${Section} title=${t("rules.test")} intro=${t("rules.testIntro")}>
    <${Form} action=${action} submit=${t("rules.ask")}>
      <div class="grid">
        <${SelectField}
          name="method"
          label=${t("rules.method")}
          value=${method}
          onInput=${set("method")}
          options=${METHODS.map((one) => [one, one])}
        />
        <${SelectField}
          name="who"
          label=${t("rules.who")}
          value=${who}
          onInput=${set("who")}
          options=${["nobody", "user", "token"].map((one) => [one, t(`rules.who.${one}`)])}
        />
      </div>
      <${Field}
        name="url"
        label=${t("rules.url")}
        value=${url}
        onInput=${set("url")}
        required
        hint=${t("rules.urlHint")}
      />
      ${
        who === "user" &&
        html`
        <${Combobox}
          name="username"
          label=${t("rules.user")}
          kinds=${["user"]}
          value=${user}
          onPick=${set("user")}
          required
        />
      `
      }
      ${
        who === "token" &&
        html`
        <${Field}
          name="token"
          label=${t("token.token")}
          value=${token}
          onInput=${setToken}
          rows=${3}
          required
        />
      `
      }
    <//>
    ${
      outcome &&
      html`<div class="result">
      <h3 tabindex="-1" ref=${heading}>
        ${t(`rules.verdict.${outcome.verdict}`)} <${Short} verdict=${outcome.verdict} />
      </h3>
      <p>
        ${
          outcome.rule === null
            ? t("rules.noRule")
            : outcome.rule === 0
              ? t("rules.byPublic")
              : t("rules.byRule", { n: outcome.rule })
        }
      </p>
      <p>
        ${
          outcome.origin === null
            ? t("rules.nowhere")
            : html`
          ${t("rules.toOrigin")} <${Text} value=${outcome.origin} code />
        `
        }
      </p>
      <${Checks} checks=${outcome.checks} />
    </div>`
    }
  <//>`;
}
