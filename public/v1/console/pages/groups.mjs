// Groups: found by name, and made.

import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { SearchList } from "../parts/search_list.mjs";
import { NewUnit } from "../parts/unit.mjs";
import { go, href, path } from "../router.mjs";
import { Button, Page, Section, Text, Time } from "../ui.mjs";

const columns = () => [
  {
    key: "name",
    title: t("common.name"),
    header: true,
    cell: ({ id, name }) => html`
      <a href=${href(path`/groups/${id}`)}>
        <${Text} value=${name ?? `${t("kind.group")} ${id}`} />
      </a>
    `,
  },
  { key: "id", title: t("common.id"), numeric: true, cell: ({ id }) => id },
  {
    key: "created",
    title: t("common.created"),
    cell: ({ createdAt }) => html`<${Time} at=${createdAt} />`,
  },
];

export default function Groups({ query }) {
  const [making, setMaking] = useState(query.do === "create");
  const closed = (made) => {
    setMaking(false);
    if (made) go(path`/groups/${made.id}`);
  };
  return html`
    <${Page}
      title=${t("groups.title")}
      intro=${t("groups.intro")}
      actions=${html`<${Button} onClick=${() => setMaking(true)}>${t("group.create")}<//>`}
    >
    <${Section} title=${t("groups.list")}>
      <${SearchList}
        at="/v1/groups"
        query=${query}
        label=${t("groups.search")}
        caption=${t("groups.title")}
        columns=${columns()}
        empty=${t("groups.empty")}
      />
    <//>
    ${making && html`<${NewUnit} at="/v1/groups" kind="group" onClose=${closed} />`}
  <//>`;
}
