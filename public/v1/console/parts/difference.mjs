// How two JSON values differ, member by member: what the audit trail shows of before and after.

/** How many rows are shown at most; the audit trail itself has all of them. */
const MAX_ROWS = 500;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A value as text: texts in quotes, so that `"1"` and `1` look different. */
export const shown = (value) => (value === undefined ? "" : JSON.stringify(value));

/**
 * The rows of a comparison: `{ path, before, after, kind }`, where `kind` is `added`, `removed`,
 * `changed` or `same`, and both values are texts. `path` is empty where the values are no objects.
 */
export function difference(before, after) {
  const rows = [];
  compare([], before ?? undefined, after ?? undefined, rows);
  return rows.slice(0, MAX_ROWS);
}

function compare(path, before, after, rows) {
  const objects = [before, after].filter((value) => value !== undefined);
  if (objects.length > 0 && objects.every(isObject)) {
    const names = new Set(objects.flatMap(Object.keys));
    for (const name of names) compare([...path, name], own(before, name), own(after, name), rows);
    return;
  }
  if (before === undefined && after === undefined) return;
  const texts = { before: shown(before), after: shown(after) };
  rows.push({ path: path.join("."), ...texts, kind: kindOf(before, after, texts) });
}

/** A member of an object itself: `constructor` is a name like any other. */
const own = (object, name) =>
  object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;

/**
 * A value as epoch milliseconds if it is a time, else null. The audit trail writes
 * moments as numbers, in members whose names end with At, or are `until`.
 * @param {string} path @param {string} text both of a row
 */
export function momentOf(path, text) {
  const isNamed = /(?:[a-z]At|_at|(?:^|\.)(?:until|validFrom|valid_from))$/.test(path);
  return isNamed && /^\d{12,14}$/.test(text) ? Number(text) : null;
}

function kindOf(before, after, texts) {
  if (before === undefined) return "added";
  if (after === undefined) return "removed";
  return texts.before === texts.after ? "same" : "changed";
}
