// The API answers ids where a list would need names. This finds all names of a page together.

import { namesOf } from "../ui/search.mjs";
import { html, useEffect, useState } from "../lib.mjs";
import { t } from "../i18n.mjs";
import { href, path } from "../router.mjs";
import { Text } from "../ui.mjs";

/** The API's limit for one request. */
const MOST = 100;
/** How long a name is cached. */
const KEPT_MS = 30_000;

const known = new Map();
/** Ids to ask for with the next request, by kind. */
const waiting = new Map();

function nameOf(kind, id) {
  const key = `${kind}:${id}`;
  const there = known.get(key);
  if (there && there.until > Date.now()) return there.found;
  const found = new Promise((resolve) => {
    // What is rendered together is asked for together.
    if (!waiting.has(kind)) setTimeout(() => ask(kind));
    waiting.set(kind, [...(waiting.get(kind) ?? []), { id: `${id}`, resolve }]);
  });
  known.set(key, { found, until: Date.now() + KEPT_MS });
  return found;
}

function ask(kind) {
  const all = waiting.get(kind);
  waiting.delete(kind);
  for (let at = 0; at < all.length; at += MOST) tell(kind, all.slice(at, at + MOST));
}

async function tell(kind, some) {
  const ids = some.map(({ id }) => id);
  // Names that cannot be read are no reason to hide a list: ids are shown then.
  const names = await namesOf(kind, ids).catch(() => new Map());
  for (const { id, resolve } of some) resolve(names.get(id) ?? null);
}

/** Forgets a name that was changed here. */
export const forgetName = (kind, id) => known.delete(`${kind}:${id}`);

const PAGES_OF = {
  user: "/users",
  group: "/groups",
  department: "/departments",
  service: "/services",
};

/**
 * Somebody or something by name, with a link to its page.
 * @param {{
 *   kind: "user" | "group" | "department" | "service",
 *   id: number | string,
 *   name?: string | null,
 *   link?: boolean,
 * }} props a `name` that is known is not looked up
 */
export function Named({ kind, id, name, link = true }) {
  const [found, setFound] = useState(name);
  useEffect(() => {
    let here = true;
    setFound(name);
    if (name === undefined) nameOf(kind, id).then((one) => here && setFound(one));
    return () => (here = false);
  }, [kind, id, name]);
  const text = found
    ? html`<${Text} value=${found} />`
    : html`<span>${t(`kind.${kind}`)} ${String(id)}</span>`;
  const to = `${PAGES_OF[kind]}/${path`${id}`}`;
  return link ? html`<a href=${href(to)}>${text}</a>` : text;
}
