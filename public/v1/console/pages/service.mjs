// A service: its switch, who has which permission on it, and its APIs.

import { api } from "../api.mjs";
import { t, tn } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { GrantMatrix } from "../parts/grant_matrix.mjs";
import { ServiceApis } from "../parts/service_apis.mjs";
import { Rename } from "../parts/unit.mjs";
import { go, href, path } from "../router.mjs";
import { SwitchBadge } from "./services.mjs";
import { Button, Loaded, Notice, Page, Text, confirm, say, useLoad } from "../ui.mjs";

const MOST = 500;

export default function Service({ params: { id } }) {
  const at = path`/v1/services/${id}`;
  // An id may have grants before anybody registers it, so "not found" still shows them.
  const service = useLoad(
    (signal) =>
      api.get(at, {}, { signal }).catch((problem) => {
        if (problem.status === 404) return { id, name: null, authEnabled: null };
        throw problem;
      }),
    [at],
  );
  const [renaming, setRenaming] = useState(false);
  const is = service.data;
  const registered = is && is.authEnabled !== null;
  const name = is?.name ?? `${t("kind.service")} ${id}`;

  const turn = async () => {
    const next = !is.authEnabled;
    const done = await confirm({
      title: t(next ? "service.turnOnAsk" : "service.turnOffAsk", { name }),
      consequences: [t(next ? "service.turnOnGoes" : "service.turnOffGoes")],
      verb: t(next ? "service.turnOn" : "service.turnOff"),
      danger: !next,
      act: async () => service.set(await api.patch(at, { authEnabled: next })),
    });
    if (done) say(t("common.changed"));
  };
  const remove = async () => {
    const done = await confirm({
      title: t("service.deleteAsk", { name }),
      consequences: whatGoes(at),
      typed: name.length <= 64 ? name : undefined,
      verb: t("common.delete"),
      act: () => api.delete(at),
    });
    if (!done) return;
    say(t("common.deleted"));
    go("/services");
  };
  const actions =
    registered &&
    html`
    <a role="button" class="secondary outline" href=${href("/may", { service: id })}>
      ${t("access.askOne")}
    </a>
    <${Button} kind="secondary outline" onClick=${() => setRenaming(true)}>${t("unit.rename")}<//>
    <${Button} kind="secondary outline" onClick=${turn}>
      ${t(is.authEnabled ? "service.turnOff" : "service.turnOn")}
    <//>
    <${Button} kind="danger outline" onClick=${remove}>${t("common.delete")}<//>
  `;
  const intro =
    is &&
    html`
    ${
      registered ? html`<${SwitchBadge} on=${is.authEnabled} />` : t("service.unregistered")
    } ${t("common.id")} ${id}
  `;
  return html`
    <${Page}
      title=${html`<${Text} value=${name} />`}
      name=${name}
      back=${{ to: "/services", text: t("services.title") }}
      intro=${intro}
      actions=${actions}
    >
    <${Loaded} of=${service}>${() => html`
      ${
        registered &&
        !is.authEnabled &&
        html`
        <${Notice} kind="warn"><p>${t("service.offNotice")}</p><//>
      `
      }
      <${GrantMatrix} service=${id} />
      ${registered && html`<${ServiceApis} at=${at} />`}
    `}<//>
    ${
      renaming &&
      html`
      <${Rename} at=${at} kind="service" of=${service} onClose=${() => setRenaming(false)} />
    `
    }
  <//>`;
}

async function whatGoes(at) {
  const [grants, apis] = await Promise.all([
    api.get(`${at}/grants`, { limit: MOST }),
    api.get(`${at}/apis`, { limit: MOST }),
  ]);
  const count = (key, { items, next }) =>
    next ? t(`${key}.more`, { n: items.length }) : tn(key, items.length);
  return [count("service.goesGrants", grants), count("service.goesApis", apis)];
}
