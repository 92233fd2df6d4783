// What one would write with better-sqlite3: one statement, on Postern's tables and indexes.

import { BITS, open } from "./directory.mjs";

const SQL = `
WITH RECURSIVE
  who (id) AS (SELECT id FROM users WHERE username = ? AND enabled = 1),
  reach (type, id) AS (
    SELECT 'USER', id FROM who
    UNION
    SELECT object_type, object_id FROM memberships WHERE user_id = (SELECT id FROM who)
    UNION
    SELECT 'DEPT', units.parent_id FROM reach
    JOIN units ON reach.type = 'DEPT' AND units.object_type = 'DEPT' AND units.id = reach.id
    WHERE units.parent_id IS NOT NULL
  )
SELECT EXISTS (
  SELECT 1 FROM reach
  CROSS JOIN grants ON grants.service_id = ?
    AND grants.object_type = reach.type AND grants.object_id = reach.id
  WHERE grants.permissions & ?
)`;

export function decider({ file }) {
  const statement = open(file).prepare(SQL).pluck();
  return (username, service, permission) =>
    statement.get(username, service, BITS[permission]) === 1;
}
