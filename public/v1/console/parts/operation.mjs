// One operation of the API reference: parameters, bodies, answers, a line for curl, and a try.

import { t } from "../i18n.mjs";
import { html, useState, useStore } from "../lib.mjs";
import { isSignedIn, session } from "../session.mjs";
import { Badge, Copy, Table, Text } from "../ui.mjs";
import { curlOf, limitsOf, membersOf, typeOf } from "./openapi.mjs";
import { Try } from "./try_operation.mjs";

/** Sentences of the document, which are English in each language; what is in backticks is code. */
export const Prose = ({ text }) =>
  html`
    <span lang="en">
      ${text
        .split("`")
        .map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part.replaceAll("**", "")))}
    </span>
  `;

export function Operation({ document, operation }) {
  const { parameters, body, description, answers } = operation;
  const [values, setValues] = useState({});
  const [text, setText] = useState(body?.example ?? "");
  const is = useStore(session);
  const line = curlOf(operation, location.origin, values, text);
  return html`<div class="operation-body">
    ${description && html`<p><${Prose} text=${description} /></p>`}
    ${
      parameters.length > 0 &&
      html`
      <h3>${t("reference.parameters")}</h3>
      <${Members}
        caption=${t("reference.parameters")}
        rows=${parameters.map((one) => parameterRow(document, one))}
      />
    `
    }
    ${
      body &&
      html`
      <h3>${t("reference.body")} <code>${body.type}</code></h3>
      <${Body} document=${document} of=${body} />
    `
    }
    <h3>${t("reference.answers")}</h3>
    <ul class="answers">
      ${answers.map(
        (answer) => html`
        <${Answer} key=${answer.status} document=${document} answer=${answer} />
      `,
      )}
    </ul>
    <h3>curl</h3>
    <p class="curl"><${Copy} value=${line} label=${t("reference.curl")} /></p>
    <${Try}
      operation=${operation}
      values=${values}
      setValues=${setValues}
      text=${text}
      setText=${setText}
      signedIn=${isSignedIn(is)}
    />
  </div>`;
}

const parameterRow = (document, { name, in: place, required, description, schema }) => ({
  name,
  type: `${typeOf(document, schema)} · ${place}`,
  isRequired: required,
  description: description ?? "",
  limits: limitsOf(schema),
});

const memberColumns = () => [
  {
    key: "name",
    title: t("reference.name"),
    header: true,
    cell: ({ name, isRequired }) => html`
      <code>${name}</code>
      ${isRequired && html` <${Badge} kind="warn">${t("reference.required")}<//>`}
    `,
  },
  {
    key: "type",
    title: t("reference.type"),
    cell: ({ type, limits }) => html`
      <${Text} value=${type} code />${limits && html` <span class="faint">${limits}</span>`}
    `,
  },
  {
    key: "about",
    title: t("reference.about"),
    cell: ({ description }) => html`<${Prose} text=${description} />`,
  },
];

const Members = ({ caption, rows }) => html`
  <${Table}
    caption=${caption}
    columns=${memberColumns()}
    rows=${rows}
    rowKey=${({ name }) => name}
  />
`;

function Body({ document, of }) {
  const rows = of.schema ? membersOf(document, of.schema) : [];
  return html`
    ${of.description && html`<p><${Prose} text=${of.description} /></p>`}
    ${rows.length > 0 && html`<${Members} caption=${t("reference.members")} rows=${rows} />`}
    ${
      of.example &&
      html`
      <details class="example">
        <summary>${t("reference.example")}</summary>
        <pre dir="ltr" tabindex="0" aria-label=${t("reference.example")}>
          <code>${of.example}</code>
        </pre>
      </details>
    `
    }
  `;
}

function Answer({ document, answer }) {
  const [open, setOpen] = useState(false);
  const { status, description, schema, example } = answer;
  const head = html`
    <strong>
      ${status === "default" ? t("reference.otherwise") : status}
    </strong> <${Prose} text=${description} />
  `;
  if (!schema && !example) return html`<li>${head}</li>`;
  return html`
    <li>
      <details onToggle=${(event) => setOpen(event.currentTarget.open)}>
        <summary>${head}</summary>
        ${open && html`<${Body} document=${document} of=${{ schema, example }} />`}
      </details>
    </li>
  `;
}
