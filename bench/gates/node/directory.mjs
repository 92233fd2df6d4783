// What the engines are loaded with, from the database that Postern has.

import { createRequire } from "node:module";

/** Loaded where it is used, since it may be missing. */
const sqlite = () => createRequire(import.meta.url)("../../node_modules/better-sqlite3");

export const BITS = {
  ADD: 1,
  VIEW: 2,
  MODIFY: 4,
  DELETE: 8,
  TEST: 16,
  GRANT: 32,
  SHARE: 64,
  RELEASE: 128,
  EXPORT: 256,
};

export function open(file) {
  const Database = sqlite();
  return new Database(file);
}

const PARENTS = `
SELECT id, parent_id AS parent FROM units WHERE object_type = 'DEPT' AND parent_id IS NOT NULL`;
const MEMBERSHIPS = "SELECT user_id AS user, object_type AS type, object_id AS id FROM memberships";
const GRANTS = `
SELECT service_id AS service, object_type AS type, object_id AS id, permissions FROM grants`;

/** Where services or users are named, only what is theirs. */
export function directory(file, { services, usernames } = {}) {
  const database = open(file);
  const rows = (sql, column, list) => {
    if (!list) return database.prepare(sql).all();
    const some = `${sql} WHERE ${column} IN (SELECT value FROM json_each(?))`;
    return database.prepare(some).all(JSON.stringify(list));
  };
  const users = rows("SELECT id, username FROM users", "username", usernames);
  const ids = usernames && users.map(({ id }) => id);
  const read = {
    users,
    parents: rows(PARENTS),
    memberships: rows(MEMBERSHIPS, "user_id", ids),
    grants: rows(GRANTS, "service_id", services),
  };
  database.close();
  return read;
}

export const permissionsOf = (bits) => Object.keys(BITS).filter((name) => bits & BITS[name]);
