// The departments and groups of a user, and why they are in each.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useState } from "../lib.mjs";
import { path } from "../router.mjs";
import {
  Button,
  Combobox,
  Form,
  Section,
  Table,
  confirm,
  say,
  useAction,
  usePages,
} from "../ui.mjs";
import { Named } from "./names.mjs";

const LISTS = { group: "groups", department: "departments" };

export function UserGroups({ user, changed }) {
  const at = path`/v1/users/${user.id}/groups`;
  const pages = usePages((page, signal) => api.get(at, page, { signal }), [user.id, changed]);
  const [picked, setPicked] = useState(null);
  const memberOf = ({ kind, id }) => `/v1/${LISTS[kind]}/${path`${id}/members/${user.id}`}`;
  const add = useAction(async () => {
    await api.put(memberOf(picked));
    say(t("members.added"));
    setPicked(null);
    pages.reload();
  });
  const remove = async (row) => {
    const done = await confirm({
      title: t("members.removeAsk", { who: user.username, from: row.name ?? `${row.id}` }),
      consequences: [t("members.removeGoes")],
      verb: t("common.remove"),
      act: () => api.delete(memberOf(row)),
    });
    if (done) pages.reload();
  };
  const columns = [
    {
      key: "name",
      title: t("common.name"),
      header: true,
      cell: ({ kind, id, name }) => html`
        <${Named} kind=${kind} id=${id} name=${name ?? undefined} />
      `,
    },
    { key: "kind", title: t("members.kind"), cell: ({ kind }) => t(`kind.${kind}`) },
    { key: "through", title: t("members.through"), cell: ({ through }) => t(`through.${through}`) },
    {
      key: "do",
      title: t("common.actions"),
      hidden: true,
      cell: (row) =>
        row.through === "membership" &&
        html`
          <${Button}
            kind="secondary outline"
            small
            aria-label=${t("members.removeFrom", { from: row.name ?? `${row.id}` })}
            onClick=${() => remove(row)}
          >
            ${t("common.remove")}
          <//>
        `,
    },
  ];
  return html`<${Section} title=${t("user.tab.groups")} intro=${t("members.ofUserIntro")}>
    <${Form} action=${add} submit=${t("common.add")} compact>
      <${Combobox}
        name="group"
        label=${t("members.addTo")}
        kinds=${["group", "department"]}
        value=${picked}
        onPick=${setPicked}
        required
        unregistered
      />
    <//>
    <${Table}
      caption=${t("user.tab.groups")}
      columns=${columns}
      rowKey=${({ kind, id }) => `${kind}:${id}`}
      of=${pages}
      empty=${t("members.inNone")}
    />
  <//>`;
}
