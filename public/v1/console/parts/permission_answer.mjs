// What /v1/explain says about a permission: yes or no, what decides, and which grants reach the
// user which way.

import { t } from "../i18n.mjs";
import { classes, html } from "../lib.mjs";
import { Badge, Notice, Section, Table, Text } from "../ui.mjs";
import { Checks } from "./checks.mjs";
import { periodColumn, permissionsColumn } from "./grant_cells.mjs";
import { Named } from "./names.mjs";
import { KINDS } from "./permissions.mjs";

/** @param {{permission: any, checks: any[], verdict: string, username: string}} props */
export function PermissionAnswer({ permission, checks, verdict, username }) {
  const allowed = verdict === "accepted";
  return html`
    <${Section} title=${t("may.answer")}>
      <div class=${classes("answer", allowed ? "good" : "bad")}>
        <p class="answer-word">${t(allowed ? "may.yes" : "may.no")}</p>
        <p>${t(whyOf(permission, allowed), { name: username })}</p>
      </div>
      ${
        permission?.apisOff > 0 &&
        html`
        <${Notice} kind="warn"><p>${t("may.apisOff", { n: permission.apisOff })}</p><//>
      `
      }
      <${Checks} checks=${checks} />
    <//>
    ${
      permission &&
      html`<${Section} title=${t("may.grants")} intro=${t("may.grantsIntro")}>
      <${Table}
        caption=${t("may.grants")}
        columns=${columns(username)}
        rows=${permission.grants}
        rowKey=${({ id }) => id}
        empty=${t("may.noGrants")}
      />
    <//>`
    }
  `;
}

/** The key of the sentence that says what decides. */
function whyOf(permission, allowed) {
  // Without a permission there is nobody of that name, and the checks say more.
  if (!permission) return "may.nobody";
  if (permission.allowed && !allowed) return "may.userRefused";
  return `may.by.${permission.decidedBy}`;
}

const columns = (username) => [
  {
    key: "path",
    title: t("may.path"),
    header: true,
    cell: (grant) => html`<${Way} grant=${grant} username=${username} />`,
  },
  permissionsColumn(),
  periodColumn(),
  {
    key: "gives",
    title: t("may.gives"),
    cell: ({ gives }) => html`
      <${Badge} kind=${gives ? "good" : "plain"}>${t(gives ? "common.yes" : "common.no")}<//>
    `,
  },
];

/** Which way a grant reaches the user: alice → Sales → Company. */
function Way({ grant, username }) {
  const { authObjectType, authObjectId, name, through, path: between = [], creator } = grant;
  const kind = KINDS[authObjectType];
  const steps = between.length > 0 ? between : kind === "user" ? [] : [{ id: authObjectId, name }];
  return html`<span class="way">
    <bdi dir="auto"><${Text} value=${username} /></bdi>
    ${steps.map(
      ({ id, name: called }) => html`
      <span key=${id}> → <${Named} kind=${kind} id=${id} name=${called ?? undefined} /></span>
    `,
    )}
    ${through && html` <span class="faint">${t(`through.${through}`)}</span>`}
    ${creator && html` <${Badge}>${t("matrix.creator")}<//>`}
  </span>`;
}
