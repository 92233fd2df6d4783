// A token app as its form has it, and as the API takes it.

const CLAIMS = ["username", "name", "email", "id", "groups", "roles"];
/** Members that are lists: one line each in the form. */
const LISTS = [
  "audiences",
  "tenants",
  "types",
  "authorizedParties",
  "requiredScopes",
  "initialRoles",
  "passClaims",
];
const MAPS = ["roleMap", "groupMap"];
const TEXTS = [
  "issuer",
  "speaksFor",
  "boundTokens",
  "groupsMode",
  "profile",
  "introspectionEndpoint",
  "introspectionClientId",
  "tokenName",
];
const OF_ENDPOINT = ["introspectionEndpoint", "introspectionClientId", "introspectionCacheS"];
const FLAGS = ["discover", "anyAudience"];
const NUMBERS = ["expire", "introspectionCacheS"];

export const ALGORITHMS = [
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "introspection",
];

/** What an app is verified with: a shared secret, public keys, or an endpoint that is asked. */
export const kindOf = ({ algorithm }) =>
  algorithm === "introspection" ? "endpoint" : algorithm.startsWith("HS") ? "secret" : "keys";

/** An empty line in a list stands for tokens without a `typ`; in the form two quotes do. */
const EMPTY = '""';
const fromList = (items) => (items ?? []).map((item) => item || EMPTY).join("\n");
const toList = (text) => {
  const items = text
    .split("\n")
    .map((one) => one.trim())
    .filter(Boolean);
  return items.length > 0 ? items.map((item) => (item === EMPTY ? "" : item)) : null;
};

const fromMap = (map) =>
  Object.entries(map ?? {})
    .map(([name, value]) => `${name} = ${value}`)
    .join("\n");

/** Lines `value = what it gives`; the last equals sign counts, since values may hold some. */
function toMap(text) {
  const pairs = text
    .split("\n")
    .filter((one) => one.trim())
    .map((one) => {
      const at = one.lastIndexOf("=");
      return at === -1 ? [one.trim(), ""] : [one.slice(0, at).trim(), one.slice(at + 1).trim()];
    });
  return pairs.length > 0 ? Object.fromEntries(pairs) : null;
}

const NEW = {
  enabled: true,
  algorithm: "HS256",
  createsUsers: true,
  claims: { username: "sub" },
};

/** The form of an app, or of a new one. */
export function formOf(app = NEW) {
  const form = {
    name: app.name ?? "",
    enabled: app.enabled,
    algorithm: app.algorithm,
    createsUsers: app.createsUsers,
    secret: "",
    initialPassword: "",
    dropPassword: false,
  };
  for (const claim of CLAIMS) form[`claims.${claim}`] = app.claims[claim] ?? "";
  for (const name of LISTS) form[name] = fromList(app[name]);
  for (const name of MAPS) form[name] = fromMap(app[name]);
  for (const name of TEXTS) form[name] = app[name] ?? "";
  for (const name of FLAGS) form[name] = app[name] ?? false;
  for (const name of NUMBERS) form[name] = app[name] ?? "";
  return form;
}

/** All members, with null for those that have their default. */
function membersOf(form) {
  const members = {
    enabled: form.enabled,
    algorithm: form.algorithm,
    createsUsers: form.createsUsers,
  };
  members.claims = Object.fromEntries(
    CLAIMS.map((claim) => [claim, form[`claims.${claim}`].trim() || null]),
  );
  for (const name of LISTS) members[name] = toList(form[name]);
  for (const name of MAPS) members[name] = toMap(form[name]);
  for (const name of TEXTS) members[name] = form[name].trim() || null;
  for (const name of FLAGS) members[name] = form[name];
  for (const name of NUMBERS) members[name] = form[name] === "" ? null : Number(form[name]);
  if (kindOf(form) !== "endpoint") for (const name of OF_ENDPOINT) members[name] = null;
  if (kindOf(form) !== "keys") members.discover = false;
  return members;
}

/** The body that creates an app. */
export function newBody(form) {
  const members = { name: form.name.trim(), ...membersOf(form), ...secrets(form) };
  const isSaid = ([name, value]) => value !== null && !(FLAGS.includes(name) && value === false);
  const body = Object.fromEntries(Object.entries(members).filter(isSaid));
  body.claims = Object.fromEntries(
    Object.entries(body.claims).filter(([, value]) => value !== null),
  );
  return body;
}

const secrets = ({ secret, initialPassword, dropPassword, discover, algorithm }) => ({
  ...(secret.trim() !== "" && !(discover && kindOf({ algorithm }) === "keys") && { secret }),
  ...(dropPassword ? { initialPassword: null } : initialPassword !== "" && { initialPassword }),
});

/** The members that differ from what the form began with, as a merge patch. */
export function changedBody(before, after) {
  const [old, now] = [membersOf(before), membersOf(after)];
  const body = secrets(after);
  for (const [name, value] of Object.entries(now)) {
    if (name === "claims") {
      const claims = Object.entries(value).filter(([claim, one]) => one !== old.claims[claim]);
      if (claims.length > 0) body.claims = Object.fromEntries(claims);
    } else if (JSON.stringify(value) !== JSON.stringify(old[name])) {
      body[name] = mapChange(name, old[name], value);
    }
  }
  return body;
}

/** In a merge patch an entry of a map stays unless it is null. */
function mapChange(name, old, value) {
  if (!MAPS.includes(name) || value === null || old === null) return value;
  const gone = Object.keys(old).filter((key) => !Object.hasOwn(value, key));
  return { ...value, ...Object.fromEntries(gone.map((key) => [key, null])) };
}

/**
 * The body of a second app that differs in its name and secret alone, and its warnings' causes
 * stay.
 */
export function twinBody(app, name, secret) {
  const form = { ...formOf(app), name, secret };
  // Users who belong to the first app must be let in by the second one as well.
  if (app.speaksFor === "own") Object.assign(form, { speaksFor: "users", createsUsers: false });
  return newBody(form);
}
