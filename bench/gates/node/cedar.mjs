// Cedar in wasm: one policy, and grants as an attribute of a service. Whoever embeds it holds the
// grants, and hands over those of the service that is asked about.

import { createRequire } from "node:module";
import { directory, permissionsOf } from "./directory.mjs";

const cedar = createRequire(import.meta.url)("../../node_modules/@cedar-policy/cedar-wasm/nodejs");

const POLICY = `
permit (principal, action == Action::"VIEW", resource is Service)
when { principal in resource.VIEW };`;

const uid = (type, id) => ({ type, id: String(id) });
const TYPES = { USER: "User", DEPT: "Department", GROUP: "Group" };

const grouped = (rows, key, value) => {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(key(row))) groups.set(key(row), []);
    groups.get(key(row)).push(value(row));
  }
  return groups;
};

export function decider({ file }) {
  const { users, parents, memberships, grants } = directory(file);
  const ids = new Map(users.map(({ id, username }) => [username, id]));
  const above = new Map(parents.map(({ id, parent }) => [id, parent]));
  const unitsOf = grouped(
    memberships,
    ({ user }) => user,
    ({ type, id }) => ({ type, id }),
  );
  const grantsOf = grouped(
    grants,
    ({ service }) => service,
    ({ type, id, permissions }) => ({ type, id, permissions }),
  );
  const parsed = cedar.preparsePolicySet("grants", { staticPolicies: POLICY });
  if (parsed.type !== "success") throw new Error(JSON.stringify(parsed));

  const departments = (id) => {
    const parent = above.get(id);
    const entity = {
      uid: uid("Department", id),
      attrs: {},
      parents: parent === undefined ? [] : [uid("Department", parent)],
    };
    return [entity, ...(parent === undefined ? [] : departments(parent))];
  };
  const people = (id) => {
    const units = unitsOf.get(id) ?? [];
    const user = {
      uid: uid("User", id),
      attrs: {},
      parents: units.map((unit) => uid(TYPES[unit.type], unit.id)),
    };
    const entities = units.flatMap((unit) => (unit.type === "DEPT" ? departments(unit.id) : []));
    // No entity may be there twice.
    return [user, ...new Map(entities.map((entity) => [entity.uid.id, entity])).values()];
  };
  const guarded = (id, permission) => {
    const holders = (grantsOf.get(id) ?? []).filter(({ permissions }) =>
      permissionsOf(permissions).includes(permission),
    );
    const attrs = {
      [permission]: holders.map((one) => ({ __entity: uid(TYPES[one.type], one.id) })),
    };
    return { uid: uid("Service", id), attrs, parents: [] };
  };
  return (username, service, permission) => {
    const id = ids.get(username);
    if (id === undefined) return false;
    const answer = cedar.statefulIsAuthorized({
      principal: uid("User", id),
      action: uid("Action", permission),
      resource: uid("Service", service),
      context: {},
      preparsedPolicySetId: "grants",
      entities: [...people(id), guarded(service, permission)],
    });
    if (answer.type !== "success") throw new Error(JSON.stringify(answer));
    return answer.response.decision === "allow";
  };
}
