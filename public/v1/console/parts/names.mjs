// The API answers ids where a list would need names. This finds them, a few at a time, once each.

import { findById } from "../ui/search.mjs";
import { html, useEffect, useState } from "../lib.mjs";
import { t } from "../i18n.mjs";
import { href, path } from "../router.mjs";
import { Text } from "../ui.mjs";

/** So many requests for names run at a time. */
const AT_ONCE = 4;
/** A name that changed elsewhere shows after so long. */
const KEPT_MS = 30_000;

const known = new Map();
const queue = [];
let running = 0;

function nameOf(kind, id) {
  const key = `${kind}:${id}`;
  const there = known.get(key);
  if (there && there.until > Date.now()) return there.found;
  const found = new Promise((resolve) => queue.push({ kind, id, resolve }));
  known.set(key, { found, until: Date.now() + KEPT_MS });
  work();
  return found;
}

async function work() {
  if (running >= AT_ONCE || queue.length === 0) return;
  running += 1;
  const { kind, id, resolve } = queue.shift();
  // A name that cannot be read is no reason to hide the list: the id is shown then.
  resolve(await findById(kind, id).catch(() => ({ kind, id, name: null })));
  running -= 1;
  work();
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
    if (name === undefined) nameOf(kind, id).then((one) => here && setFound(one.name));
    return () => (here = false);
  }, [kind, id, name]);
  const text = found
    ? html`<${Text} value=${found} />`
    : html`<span>${t(`kind.${kind}`)} ${String(id)}</span>`;
  const to = `${PAGES_OF[kind]}/${path`${id}`}`;
  return link ? html`<a href=${href(to)}>${text}</a>` : text;
}
