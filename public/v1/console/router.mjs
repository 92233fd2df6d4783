// Pages are fragments of the URL, such as #/users/7?do=disconnect, so that one static file has all.

import { makeStore } from "./lib.mjs";

/**
 * @typedef {{ path: string, query: Record<string, string> }} Place
 */

/** Where the browser is. */
export const place = makeStore(read());

/** @returns {Place} */
function read() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split(/\?(.*)/s);
  return { path: path || "/", query: Object.fromEntries(new URLSearchParams(query)) };
}

addEventListener("hashchange", () => place.set(read()));

/** A path with its values encoded: path`/users/${id}`. For the API and for pages. */
export const path = (parts, ...values) => String.raw({ raw: parts }, ...values.map(encoded));

const encoded = (value) => encodeURIComponent(value);

/**
 * What a link to a page has as its href.
 * @param {string} to a path as {@link path} makes it
 * @param {Record<string, any>} [query] values that are undefined, null or empty are left out
 */
export function href(to, query = {}) {
  const there = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(there).toString();
  return `#${to}${text && "?"}${text}`;
}

/** Goes to a page. With `replace` the page before is not in the history. */
export function go(to, query, { replace = false } = {}) {
  const target = href(to, query);
  if (!replace) location.hash = target;
  else {
    history.replaceState(null, "", target);
    place.set(read());
  }
}

/**
 * The values that a pattern such as `/users/:id` finds in a path, or `null`.
 * @param {string} pattern
 * @param {string} path
 * @returns {Record<string, string> | null}
 */
export function match(pattern, path) {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return null;
  const params = {};
  for (const [at, part] of wanted.entries()) {
    if (part.startsWith(":")) params[part.slice(1)] = decoded(given[at]);
    else if (part !== given[at]) return null;
  }
  return Object.values(params).some((value) => !value) ? null : params;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
