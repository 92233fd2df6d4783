// "Give access": to whom, to what, which permissions, until when.

import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { GrantForm } from "../parts/grant_form.mjs";
import { Named } from "../parts/names.mjs";
import { Notice, Page, Section } from "../ui.mjs";

export default function Give({ query }) {
  const [given, setGiven] = useState(null);
  const [kind, id] = query.to?.split(":") ?? [];
  const to = ["user", "group", "department"].includes(kind) && id ? { kind, id } : undefined;
  return html`<${Page} title=${t("give.title")} intro=${t("give.intro")}>
    ${
      given &&
      html`
      <${Notice} kind="good">
        <p>
          ${t("give.done")} <${Named}
            kind=${given.to.kind}
            id=${given.to.id}
            name=${given.to.name ?? undefined}
          /> → <${Named} kind="service" id=${given.service} />
        </p>
      <//>
    `
    }
    <${Section} title=${t("give.what")}>
      <${GrantForm} draft="give" service=${query.service} to=${to} onDone=${setGiven} />
    <//>
  <//>`;
}
