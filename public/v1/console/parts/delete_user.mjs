// Deleting a user, with what goes with them.

import { api } from "../api.mjs";
import { t, tn } from "../i18n.mjs";
import { go, path } from "../router.mjs";
import { confirm, say } from "../ui.mjs";

const MOST = 100;

async function readWhatGoes(id) {
  const [tokens, keys, grants, groups] = await Promise.all([
    api.get(path`/v1/users/${id}/tokens`),
    api.get("/v1/keys", { userId: id, limit: MOST }),
    api.get(path`/v1/users/${id}/grants`, { limit: MOST }),
    api.get(path`/v1/users/${id}/groups`, { limit: MOST }),
  ]);
  const own = grants.items.filter(({ authObjectType }) => authObjectType === "USER");
  const member = groups.items.filter(({ through }) => through === "membership");
  return [
    ...counted("deleteUser.tokens", tokens.items),
    ...counted("deleteUser.keys", keys.items, keys.next),
    ...counted("deleteUser.grants", own, grants.next),
    ...counted("deleteUser.groups", member, groups.next),
    t("deleteUser.name"),
  ];
}

/** How many, in words, where there are any. `next` says that there may be more. */
function counted(key, items, next) {
  if (next) return [t(`${key}.more`, { n: items.length })];
  return items.length > 0 ? [tn(key, items.length)] : [];
}

/** Asks, deletes, and goes to the list. */
export async function deleteUser({ id, username }) {
  const done = await confirm({
    title: t("deleteUser.ask", { name: username }),
    consequences: readWhatGoes(id),
    typed: username.length <= 64 ? username : undefined,
    verb: t("common.delete"),
    act: () => api.delete(path`/v1/users/${id}`),
  });
  if (!done) return;
  say(t("common.deleted"));
  go("/users");
}
