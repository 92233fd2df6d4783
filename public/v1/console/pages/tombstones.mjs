// The names of deleted users, which no token brings back until somebody frees them.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { path } from "../router.mjs";
import { Button, Page, Table, Text, Time, confirm, say, usePages } from "../ui.mjs";

export default function Tombstones() {
  const of = usePages((page, signal) => api.get("/v1/tombstones", page, { signal }), []);
  const free = async (username) => {
    const done = await confirm({
      title: t("tombstones.freeTitle", { username }),
      consequences: [t("tombstones.freeToken"), t("tombstones.freeId")],
      verb: t("tombstones.free"),
      act: () => api.delete(path`/v1/tombstones/${username}`),
    });
    if (!done) return;
    say(t("tombstones.freed", { username }));
    of.reload();
  };
  const columns = [
    {
      key: "name",
      title: t("tombstones.username"),
      header: true,
      cell: ({ username }) => html`<${Text} value=${username} />`,
    },
    { key: "id", title: t("tombstones.id"), cell: ({ id }) => id },
    {
      key: "at",
      title: t("tombstones.deletedAt"),
      cell: ({ deletedAt }) => html`<${Time} at=${deletedAt} />`,
    },
    {
      key: "by",
      title: t("tombstones.deletedBy"),
      cell: ({ deletedBy }) => html`<${Text} value=${deletedBy} />`,
    },
    {
      key: "free",
      title: t("common.actions"),
      hidden: true,
      cell: ({ username }) => html`
        <${Button}
          kind="danger outline"
          small
          aria-label=${t("tombstones.freeOf", { username })}
          onClick=${() => free(username)}
        >
          ${t("tombstones.free")}
        <//>
      `,
    },
  ];
  return html`
    <${Page}
      title=${t("tombstones.title")}
      intro=${t("tombstones.intro")}
      back=${{ to: "/users", text: t("users.title") }}
    >
    <${Table}
      caption=${t("tombstones.title")}
      columns=${columns}
      rowKey=${({ username }) => username}
      of=${of}
      empty=${t("tombstones.none")}
    />
  <//>`;
}
