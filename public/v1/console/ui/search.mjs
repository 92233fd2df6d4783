// Where users, groups, departments, services … are found by the beginning of a name, or by an id.

import { api } from "../api.mjs";
import { path } from "../router.mjs";

/** So many of a kind are offered. */
const MOST = 8;

/**
 * @typedef {"user" | "group" | "department" | "service" | "tokenApp" | "organization"} Kind
 * @typedef {{ kind: Kind, id: number | string, name: string | null, more?: string | null }} Found
 *   `name` is null for an id that nobody registered
 */

/** Where each kind is listed, and what it is called there. */
const LISTS = {
  user: {
    at: "/v1/users",
    name: ({ username }) => username,
    more: ({ name }) => name,
    byId: true,
  },
  group: { at: "/v1/groups", name: ({ name }) => name, byId: true },
  department: { at: "/v1/departments", name: ({ name }) => name, byId: true },
  service: { at: "/v1/services", name: ({ name }) => name, byId: true },
  tokenApp: {
    at: "/v1/token-apps",
    id: ({ name }) => name,
    name: ({ name }) => name,
    // The list has no pages.
    whole: true,
  },
  organization: { at: "/v1/organizations", name: ({ name }) => name },
};

const found = (kind, item) => {
  const { id = (one) => one.id, name, more } = LISTS[kind];
  return { kind, id: id(item), name: name(item) ?? null, more: more?.(item) };
};

const same = (one, other) => `${one}` === `${other}`;

/**
 * What of a kind begins with a text, and what has it as its id.
 * @param {Kind} kind
 * @param {string} text
 * @param {AbortSignal} [signal]
 * @returns {Promise<Found[]>}
 */
export async function findOf(kind, text, signal) {
  const { at, byId, whole } = LISTS[kind];
  const listed = api.get(at, { search: text, limit: whole ? null : MOST }, { signal });
  const isId = byId && /^\d{1,19}$/.test(text);
  const one = isId ? api.get(`${at}/${text}`, {}, { signal }).catch(() => null) : null;
  const [{ items }, item] = await Promise.all([listed, one]);
  const all = items.slice(0, MOST).map((each) => found(kind, each));
  if (item && !all.some(({ id }) => same(id, item.id))) all.unshift(found(kind, item));
  return all;
}

/**
 * One of a kind by its id; without a name where nobody registered it.
 * @param {Kind} kind
 * @param {number | string} id
 * @returns {Promise<Found>}
 */
export async function findById(kind, id) {
  try {
    return found(kind, await api.get(`${LISTS[kind].at}/${path`${id}`}`));
  } catch (problem) {
    if (problem.status === 404) return { kind, id, name: null };
    throw problem;
  }
}

/**
 * The names of those of a kind that are there, by their ids as texts.
 * @param {Kind} kind
 * @param {string[]} ids at most 100
 * @returns {Promise<Map<string, string | null>>}
 */
export async function namesOf(kind, ids) {
  const { at, name } = LISTS[kind];
  const { items } = await api.get(at, { ids: ids.join(",") });
  return new Map(items.map((item) => [`${item.id}`, name(item) ?? null]));
}

/** A text as an id that nobody registered, for each kind where it is none of those listed. */
export function strangers(kinds, text, listed) {
  if (!/^[1-9]\d{0,18}$/.test(text)) return [];
  const isListed = (kind) => listed.some((one) => one.kind === kind && same(one.id, text));
  return kinds.filter((kind) => !isListed(kind)).map((kind) => ({ kind, id: text, name: null }));
}

/** A text as a name that need not be there. */
export const asTyped = (kind, text, listed) =>
  text && !listed.some(({ name }) => name === text) ? [{ kind, id: "", name: text }] : [];
