// casbin with roles: a line of policy for each permission of each grant.

import { createRequire } from "node:module";
import { directory, permissionsOf } from "./directory.mjs";

const { newEnforcer, newModelFromString } = createRequire(import.meta.url)(
  "../../node_modules/casbin",
);

const MODEL = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj == p.obj && r.act == p.act && g(r.sub, p.sub)
`;

export async function decider({ file, ...some }) {
  const { users, parents, memberships, grants } = directory(file, some);
  const enforcer = await newEnforcer(newModelFromString(MODEL));
  const names = new Map(users.map(({ id, username }) => [id, username]));
  await enforcer.addGroupingPolicies([
    ...users.map(({ id, username }) => [username, `USER/${id}`]),
    ...memberships.map(({ user, type, id }) => [names.get(user), `${type}/${id}`]),
    ...parents.map(({ id, parent }) => [`DEPT/${id}`, `DEPT/${parent}`]),
  ]);
  const lines = grants.flatMap(({ service, type, id, permissions }) =>
    permissionsOf(permissions).map((permission) => [`${type}/${id}`, String(service), permission]),
  );
  await enforcer.addPolicies(lines);
  return (username, service, permission) => enforcer.enforce(username, String(service), permission);
}
