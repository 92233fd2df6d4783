// Whether somebody has a permission on a service, and why.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useEffect, useState } from "../lib.mjs";
import { PermissionAnswer } from "../parts/permission_answer.mjs";
import { PermissionField, ServiceField } from "../parts/permission_fields.mjs";
import { go } from "../router.mjs";
import { Combobox, Form, Page, Section, findById, useAction } from "../ui.mjs";

export default function May({ query }) {
  const [user, setUser] = useState(query.user ? { kind: "user", id: "", name: query.user } : null);
  const [permission, setPermission] = useState(query.permission ?? "VIEW");
  const [service, setService] = useState(null);
  const [answer, setAnswer] = useState(null);
  const ask = useAction(async (username, serviceId, wanted) => {
    setAnswer(null);
    const body = { username, service: serviceId, permission: wanted };
    setAnswer({ ...(await api.post("/v1/explain", body)), username });
  });
  useEffect(() => {
    if (query.service) findById("service", query.service).then(setService, () => {});
    // A link that names both asks at once.
    const { user: who, service: what } = query;
    if (who && what) ask.run(who, what, permission);
  }, []);
  const submit = () => {
    go("/may", { user: user.name, service: service.id, permission }, { replace: true });
    ask.run(user.name, service.id, permission);
  };
  return html`<${Page} title=${t("may.title")} intro=${t("may.intro")}>
    <${Section} title=${t("may.question")}>
      <${Form} action=${ask} onSubmit=${submit} submit=${t("may.ask")}>
        <div class="columns three">
          <${Combobox}
            name="username"
            label=${t("may.user")}
            kinds=${["user"]}
            value=${user}
            onPick=${setUser}
            required
            anyName
          />
          <${PermissionField} value=${permission} onInput=${setPermission} />
          <${ServiceField}
            label=${t("may.service")}
            value=${service}
            onPick=${setService}
            required
          />
        </div>
      <//>
    <//>
    <div aria-live="polite">${answer && html`<${PermissionAnswer} ...${answer} />`}</div>
  <//>`;
}
