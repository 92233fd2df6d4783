// The questions of other Workers as JSON texts, and the answers to them as objects.
//
// A question is whatever a Worker may send: it may refer to itself, or have a member a billion
// times over, and `JSON.stringify` would call what its members bring as `toJSON`, in the other
// Worker. So it is copied, as far as a question may go, and nothing of it is called.

/** How deep questions nest: a batch, its list, a question in it, and a level that is refused. */
const MAX_DEPTH = 4;
const MAX_VALUES = 10_000;
const MAX_CHARACTERS = 1_000_000;

/** Stands for a value that JSON has not. No member may be an object, so the refusal names it. */
const NO_VALUE = {};

export function textOf(question) {
  const left = { values: MAX_VALUES, characters: MAX_CHARACTERS };
  const copied = copy(question, MAX_DEPTH, left);
  return isWithin(left) ? (JSON.stringify(copied) ?? "null") : undefined;
}

export function objectOf(text) {
  return JSON.parse(text);
}

const isWithin = ({ values, characters }) => values >= 0 && characters >= 0;

function copy(value, depth, left) {
  switch (typeof value) {
    case "string":
      left.characters -= value.length;
      return isWithin(left) ? value : undefined;
    case "number":
      return Number.isFinite(value) ? value : NO_VALUE;
    case "bigint":
      return digits(value, left);
    case "boolean":
    case "undefined":
      return value;
    case "object":
      return value === null ? null : copyOfObject(value, depth, left);
    default:
      return NO_VALUE;
  }
}

/** An int64 has 64 bits. The digits of a longer number take long to make. */
function digits(value, left) {
  left.characters -= 20;
  return BigInt.asIntN(64, value) === value ? String(value) : NO_VALUE;
}

function copyOfObject(value, depth, left) {
  if (depth === 0) return NO_VALUE;
  if (Array.isArray(value)) {
    left.values -= value.length;
    return isWithin(left) ? Array.from(value, (item) => copy(item, depth - 1, left)) : undefined;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return NO_VALUE;
  const names = Object.keys(value);
  left.values -= names.length;
  const members = [];
  for (const name of names) {
    left.characters -= name.length;
    if (!isWithin(left)) return undefined;
    members.push([name, copy(value[name], depth - 1, left)]);
  }
  return Object.fromEntries(members);
}
