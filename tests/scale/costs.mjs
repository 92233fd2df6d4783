// The bytes that a record takes in the database, and the rows that each kind of operation writes
// and reads.

import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { nowInSeconds, sign } from "../edge/support/client.mjs";
import { admin } from "./support.mjs";

/** Milliseconds to wait for background writes. */
const BEHIND_MS = 400;
/** Milliseconds after which memory is older than STALENESS_S, and the change feed is read again. */
const STALE_MS = 11_000;
const IMPORTED = 100;
const USER_PASSWORD = "correct horse user";

/** Calls each kind of operation once. Returns `{ kind, calls, read, written }` for each. */
export async function operations(url) {
  const done = [];
  const counts = async () => (await fetch(`${url}/testing`)).json();
  const ask = async (
    kind,
    path,
    { json, text, method, headers = admin, status, records = 1 } = {},
  ) => {
    await counts();
    const body = text ?? (json && JSON.stringify(json));
    const answer = await fetch(url + path, {
      method: method ?? (body ? "POST" : "GET"),
      headers,
      body,
    });
    const said = await answer.text();
    const expected = status ? answer.status === status : answer.ok;
    if (!expected) throw new Error(`${kind}: ${path} answered ${answer.status} ${said}`);
    await sleep(BEHIND_MS);
    const { calls, rowsRead, rowsWritten } = await counts();
    if (kind) done.push({ kind, calls, read: rowsRead / records, written: rowsWritten / records });
    return said.startsWith("{") ? JSON.parse(said) : said;
  };

  const fieldmap = { username: "loginname", name: "name", email: "email" };
  const app = { name: "ERP", token_name: "token", secret: "s".repeat(32), expire: 86400, fieldmap };
  const roles = { algorithm: "HS256", enable: "1", inituser: "1", initroles: ["SYS_Reader"] };
  const register = { json: { ...app, ...roles } };
  const token = (loginname) =>
    sign("s".repeat(32), {
      loginname,
      name: "Alice",
      email: "a@example.com",
      iat: nowInSeconds(),
      exp: nowInSeconds() + 600,
    });
  const bearer = (value) => ({ headers: { authorization: `Bearer ${value}` } });
  const issue = (username, password) => [
    "/imanager/cloud/security/tokens.json",
    { json: { username, password }, headers: {} },
  ];

  await ask(undefined, "/v1/users");
  await ask("a token app", "/plugin/datafor-modeler/api/token/updateAuthorization", register);
  const alice = token("alice");
  await ask("a verification that creates its user", "/v1/verify", bearer(alice));
  await ask("a verification, warm", "/v1/verify", bearer(alice));
  await ask("a check, cold", "/v1/check?service=1&permission=VIEW", bearer(alice));
  await ask("a check, warm", "/v1/check?service=1&permission=VIEW", bearer(alice));
  await sleep(STALE_MS);
  await ask("a verification that reads the change feed", "/v1/verify", bearer(alice));
  const bob = {
    username: "bob",
    name: "Bob",
    email: "bob@example.com",
    type: "SYS_Reader",
    password: USER_PASSWORD,
  };
  const { id } = await ask("a user with a password", "/v1/users", { json: bob });
  await ask("an opaque token, the address's first of a day", ...issue("bob", USER_PASSWORD));
  const opaque = await ask("an opaque token", ...issue("bob", USER_PASSWORD));
  await ask("a verification of an opaque token, cold", "/v1/verify", bearer(opaque));
  const [path, wrong] = issue("bob", "wrong");
  await ask("a failed sign-in", path, { ...wrong, status: 401 });
  const grant = { authObjectType: "USER", authObjectId: id, permissions: ["VIEW", "TEST"] };
  await ask("the first grant on a service", "/v1/services/1/grants", { json: grant });
  await ask("a grant", "/v1/services/1/grants", { json: { ...grant, authObjectId: id + 1 } });
  await ask(
    "a grant taken away",
    `/v1/services/1/grants?authObjectType=USER&authObjectId=${id + 1}`,
    { method: "DELETE" },
  );
  const { key } = await ask("a key", "/v1/keys", { json: { name: "machine", may: ["decisions"] } });
  await ask("a key's first use of a day", "/v1/verify", bearer(key));
  await ask("a revoked token", "/v1/revocations", { json: { token: alice } });
  await ask("all of a user's tokens revoked", `/v1/users/${id}/tokens`, { method: "DELETE" });
  await ask(undefined, ...issue("bob", USER_PASSWORD));
  const lines = (record) =>
    Array.from({ length: IMPORTED }, (_, index) => `${JSON.stringify(record(index))}\n`).join("");
  const imported = (record) => ({ text: lines(record), records: IMPORTED });
  const user = (index) => ({
    record: "user",
    id: 1000 + index,
    username: `user${index}`,
    type: "SYS_Reader",
    enabled: true,
  });
  const given = (index) => ({
    record: "grant",
    serviceId: 2,
    authObjectType: "USER",
    authObjectId: 1000 + index,
    permissions: ["VIEW"],
  });
  await ask("an imported user, of a hundred at once", "/v1/import", imported(user));
  await ask("an imported grant, of a hundred at once", "/v1/import", imported(given));
  await ask("a membership", `/v1/groups/1/members/${id}`, { method: "PUT" });
  const event = "/__scheduled?cron=*/5+*+*+*+*";
  await ask("the scheduled event, where all users are written", event);
  await ask("the scheduled event, where nothing has changed", event);
  await ask(undefined, `/v1/users/${id}`, { method: "PATCH", json: { name: "Robert" } });
  await ask("the scheduled event, where one user has changed", event);
  return done;
}

/** How often a row is copied, so that its pages are as full as those of a large table. */
const COPIES = 20_000;

const HASH = "lower(hex(randomblob(32)))";

/**
 * The tables that grow, with the columns in which two of their rows differ; `n` counts the copies.
 * Hashes are not in order, as in use.
 */
const GROWING = [
  [
    "a user with a password",
    "users",
    "username = 'bob'",
    { username: "printf('user%06d', n)", email: "printf('user%06d@example.com', n)" },
  ],
  [
    "a user without",
    "users",
    "username = 'alice'",
    {
      username: "printf('user%06d', n)",
      email: "printf('user%06d@example.com', n)",
      password: "NULL",
    },
  ],
  ["a token app", "token_apps", "name = 'ERP'", { name: "printf('App %06d', n)" }],
  [
    "an opaque token",
    "sessions",
    "true",
    { token_hash: HASH, cookie_hash: HASH, user_id: "1 + n % 5000" },
  ],
  ["a grant", "grants", "true", { service_id: "10 + n % 500", object_id: "100000 + n" }],
  ["a membership", "memberships", "true", { user_id: "100000 + n", object_id: "1 + n % 100" }],
  ["a key", "machine_keys", "true", { name: "printf('machine %06d', n)", user_id: "10 + n" }],
  ["a key's secret", "machine_key_secrets", "true", { hash: HASH, key_id: "10 + n" }],
  ["a revoked token", "revocations", "true", { key: HASH }],
  ["an entry of the audit trail", "audit_events", undefined, { at: "at + n", request_id: HASH }],
];

/** The bytes that a record of each kind takes in a database, with its index entries. */
export function sizesOf(stateDir, scratch) {
  const folder = join(stateDir, "v3/d1/miniflare-D1DatabaseObject");
  return GROWING.map(([kind, table, where, differing], index) => {
    // Works on a copy, so that the state stays unchanged.
    const file = join(scratch, `copy-${index}.sqlite`);
    const [name] = readdirSync(folder).filter(
      (one) => one.endsWith(".sqlite") && one !== "metadata.sqlite",
    );
    for (const end of ["", "-wal"]) cpSync(join(folder, name + end), file + end, { force: true });
    const database = new DatabaseSync(file);
    try {
      return { kind, bytes: grown(database, table, where, differing) };
    } finally {
      database.close();
    }
  });
}

/**
 * The bytes for each row by which a table and its indexes grow. Triggers of other tables are not
 * counted.
 */
function grown(database, table, where, differing) {
  for (const { name } of all(database, "SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    database.exec(`DROP TRIGGER "${name}"`);
  const columns = all(database, `SELECT name, pk, type FROM pragma_table_info('${table}')`);
  const counted = ({ name, pk, type }) => name === "id" && pk === 1 && type === "INTEGER";
  const value = (column) =>
    differing[column.name] ?? (counted(column) ? "NULL" : `"${column.name}"`);
  // Entries of the audit trail differ in length, so each existing one is copied in turn.
  const source = where ? `SELECT * FROM ${table} WHERE ${where} LIMIT 1` : `SELECT * FROM ${table}`;
  const [{ rows }] = all(database, `SELECT COUNT(*) AS rows FROM (${source})`);
  if (rows === 0) throw new Error(`${table} has no row to copy`);
  const size = () =>
    all(
      database,
      `SELECT SUM(pgsize) AS bytes FROM dbstat WHERE name IN
         (SELECT name FROM sqlite_master WHERE tbl_name = '${table}')`,
    )[0].bytes;
  const copies = Math.floor(COPIES / rows);
  const before = size();
  database.exec(`INSERT INTO ${table} (${columns.map(({ name }) => name)})
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${copies})
    SELECT ${columns.map(value)} FROM numbers, (${source})`);
  return (size() - before) / (copies * rows);
}

const all = (database, sql) => database.prepare(sql).all();

export function table(done, sizes) {
  const figure = (number) => String(Math.round(number * 100) / 100).padStart(9);
  return [
    `${"bytes of a record, with its indexes".padEnd(52)} ${"bytes".padStart(9)}`,
    ...sizes.map(({ kind, bytes }) => `${kind.padEnd(52)} ${figure(Math.round(bytes))}`),
    "",
    `${"D1".padEnd(52)} ${["calls", "read", "written"].map((word) => word.padStart(9)).join(" ")}`,
    ...done.map(
      ({ kind, calls, read, written }) =>
        `${kind.padEnd(52)} ${[calls, read, written].map(figure).join(" ")}`,
    ),
  ].join("\n");
}
