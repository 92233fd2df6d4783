// What is going on, and the way to what people come for.

import { api } from "../api.mjs";
import { has, number, t, tn } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { go, href, path } from "../router.mjs";
import {
  Badge,
  Button,
  Combobox,
  Empty,
  Facts,
  Loaded,
  Notice,
  Page,
  Section,
  Table,
  Text,
  Time,
  useLoad,
} from "../ui.mjs";

export default function Overview() {
  const overview = useLoad((signal) => api.get("/v1/overview", {}, { signal }), []);
  return html`
    <${Page}
      title=${t("overview.title")}
      actions=${html`
          <${Button} kind="secondary outline" busy=${overview.loading} onClick=${overview.reload}>
            ${t("overview.reload")}
          <//>
        `}
    >
    <${Tasks} />
    <${Loaded} of=${overview}>${(data) => html`
      <${Health} of=${data} />
      ${data.refusals && html`<${Refusals} of=${data} />`}
      <${Counts} of=${data.counts} />
    `}<//>
  <//>`;
}

/** The five tasks, each as far as it goes without leaving the page. */
function Tasks() {
  const [may, setMay] = useState(null);
  const [out, setOut] = useState(null);
  const toAccess = (user) => user && go(`${path`/users/${user.id}`}/access`);
  const toDisconnect = (user) => user && go(path`/users/${user.id}`, { do: "disconnect" });
  return html`<section class="tasks" aria-label=${t("overview.tasks")}>
    <${Task} title=${t("task.token")} text=${t("task.tokenText")}>
      <a role="button" class="outline" href=${href("/token")}>${t("task.tokenGo")}</a>
    <//>
    <${Task} title=${t("task.give")} text=${t("task.giveText")}>
      <a role="button" class="outline" href=${href("/give")}>${t("give.title")}</a>
    <//>
    <${Task} title=${t("task.may")} text=${t("task.mayText")}>
      <${Combobox}
        name="may"
        label=${t("user.title")}
        kinds=${["user"]}
        value=${may}
        onPick=${(user) => {
          setMay(user);
          toAccess(user);
        }}
      />
    <//>
    <${Task} title=${t("task.secret")} text=${t("task.secretText")}>
      <ul class="links">
        <li><a href=${href("/keys")}>${t("task.secretKey")}</a></li>
        <li><a href=${href("/token-apps")}>${t("task.secretApp")}</a></li>
        <li><a href=${href("/applications")}>${t("task.secretApplication")}</a></li>
      </ul>
    <//>
    <${Task} title=${t("task.disconnect")} text=${t("task.disconnectText")}>
      <${Combobox}
        name="disconnect"
        label=${t("user.title")}
        kinds=${["user"]}
        value=${out}
        onPick=${(user) => {
          setOut(user);
          toDisconnect(user);
        }}
      />
    <//>
  </section>`;
}

const Task = ({ title, text, children }) => html`<div class="task">
  <h2>${title}</h2>
  <p class="faint">${text}</p>
  <div class="task-end">${children}</div>
</div>`;

const KINDS = { ok: "good", degraded: "warn", down: "bad", works: "good", inert: "warn" };

const State = ({ of }) => html`<${Badge} kind=${KINDS[of] ?? "plain"}>${t(`health.${of}`)}<//>`;

function Health({ of: { health, version, revision } }) {
  const causes = health.causes ?? [];
  return html`<${Section} title=${html`${t("health.title")} <${State} of=${health.status} />`}>
    ${
      causes.length > 0 &&
      html`
      <ul class="causes">
        ${causes.map((cause) => html`<${Cause} key=${cause.kind} of=${cause} />`)}
      </ul>
    `
    }
    <${Facts} facts=${[
      ["D1", html`<${State} of=${health.d1} />`],
      ["KV", html`<${State} of=${health.kv} />`],
      [t("health.sharedCache"), html`<${State} of=${health.sharedCache ?? "unknown"} />`],
      [t("health.staleness"), tn("health.seconds", health.stalenessS ?? 0)],
      health.toReencrypt > 0 && [t("health.toReencrypt"), number(health.toReencrypt)],
      [t("health.version"), html`<${Text} value=${version} />`],
      [t("health.revision"), revision == null ? "–" : number(revision)],
    ].filter(Boolean)} />
  <//>`;
}

const Cause = ({ of: { kind, count, names = [] } }) => html`<li>
  <strong>${has(`health.cause.${kind}`) ? t(`health.cause.${kind}`, { n: count }) : kind}</strong>
  ${names.map(
    (name, at) => html`
    <span key=${name}>${at > 0 ? ", " : " "}<${Text} value=${name} /></span>
  `,
  )}
  ${names.length < count && names.length > 0 && " …"}
</li>`;

const reasonText = (reason) => (has(`refusal.${reason}`) ? t(`refusal.${reason}`) : reason);

function Refusals({ of: { refusals = [], since } }) {
  const columns = [
    {
      key: "reason",
      title: t("refusals.reason"),
      header: true,
      cell: ({ reason }) => html`
        <span>${reasonText(reason)} <code class="faint">${reason}</code></span>
      `,
    },
    {
      key: "dialect",
      title: t("refusals.dialect"),
      cell: ({ dialect }) => html`<${Text} value=${dialect} />`,
    },
    { key: "count", title: t("refusals.count"), numeric: true, cell: ({ count }) => number(count) },
    {
      key: "last",
      title: t("refusals.last"),
      cell: ({ lastAt }) => html`<${Time} at=${lastAt} relative />`,
    },
  ];
  const intro = html`
    ${t("refusals.intro")} ${since != null && html`${t("refusals.since")} <${Time} at=${since} />.`}
  `;
  const actions = html`
    <a role="button" class="secondary outline" href=${href("/token")}>${t("task.tokenGo")}</a>
  `;
  return html`<${Section} title=${t("refusals.title")} intro=${intro} actions=${actions}>
    ${
      refusals.length === 0
        ? html`<${Empty}>${t("refusals.none")}<//>`
        : html`<${Table}
          caption=${t("refusals.title")}
          columns=${columns}
          rows=${refusals}
          rowKey=${({ reason, dialect }) => `${dialect} ${reason}`}
        />`
    }
  <//>`;
}

/** What is counted, and where it is listed. */
const COUNTED = [
  ["users", "/users"],
  ["groups", "/groups"],
  ["departments", "/departments"],
  ["services", "/services"],
  ["grants", null],
  ["tokenApps", "/token-apps"],
  ["keys", "/keys"],
  ["organizations", "/organizations"],
  ["applications", "/applications"],
];

function Counts({ of }) {
  if (!of) return html`<${Notice} kind="warn"><p>${t("counts.unknown")}</p><//>`;
  const { atLeast = [] } = of;
  const shown = (what) => `${number(of[what])}${atLeast.includes(what) ? "+" : ""}`;
  return html`<${Section} title=${t("counts.title")}>
    <ul class="counts">
      ${COUNTED.map(
        ([what, to]) => html`<li key=${what}>
        <span class="count">${shown(what)}</span>
        ${to ? html`<a href=${href(to)}>${t(`counts.${what}`)}</a>` : t(`counts.${what}`)}
      </li>`,
      )}
    </ul>
  <//>`;
}
