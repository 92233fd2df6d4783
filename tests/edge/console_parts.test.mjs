// Parts of the console that need no browser: how it cuts, compares, reads and writes files.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { requests as ofCommandLine } from "../../scripts/lib/records.mjs";
import { stateFolder, top } from "./support/workerd.mjs";

const part = (name) => import(pathToFileURL(join(top, "public/v1/console/parts", `${name}.mjs`)));
const { requests, placeOf, UnsendableLine } = await part("cut_records");
const { difference } = await part("difference");
const { addressOf, curlOf, membersOf, operationsOf, search } = await part("openapi");
const { changedBody, formOf, newBody, twinBody } = await part("app_members");
const { bare, readToken } = await part("jwt");

const document = JSON.parse(readFileSync(join(top, "public/v1/openapi.json")));

async function all(generator) {
  const found = [];
  for await (const one of generator) found.push(one);
  return found;
}

const secret = (key, number) =>
  `{"record":"keySecret","keyId":${key},"prefix":"pst_${number}","hash":"x"}`;

const ROWS = Array.from({ length: 300 }, (_, at) => `user,${at},"line\n""two"" of ${at}"`);

/** Files that are hard to cut, with their format. */
const FILES = [
  [
    "ndjson",
    Array.from(
      { length: 500 },
      (_, at) => `{"record":"user","id":${at},"name":"${"名".repeat(at % 40)}"}`,
    ).join("\n"),
  ],
  ["ndjson", '\ufeff{"a":1}\r\n\r\n   \n{"b":2}\r\n'],
  ["ndjson", [secret(1, 1), secret(2, 1), secret(2, 2), secret(3, 1), secret(3, 2)].join("\n")],
  ["csv", `record,id,name\r\n${ROWS.join("\r\n")}\r\n`],
  ["csv", "\n\nrecord,id\nuser,1\n"],
  ["ndjson", ""],
];

test("the console cuts a file into the same requests as the command line", async (test) => {
  const path = join(stateFolder(test), "records");
  for (const [format, text] of FILES) {
    writeFileSync(path, text);
    for (const maxBytes of [200, 300, 5000, 1024 * 1024]) {
      const expected = await all(ofCommandLine(path, format, { offset: 0, line: 0 }, maxBytes));
      const found = await all(requests(new Blob([text]), format, { offset: 0, line: 0 }, maxBytes));
      const comparable = ({ body, lines, end }) => ({
        body: Buffer.from(body).toString(),
        lines,
        end,
      });
      assert.deepEqual(found.map(comparable), expected.map(comparable));
      const [first] = found;
      if (!first) continue;
      const rest = await all(requests(new Blob([text]), format, first.end, maxBytes));
      assert.deepEqual(
        rest.map(comparable),
        found.slice(1).map(comparable),
        "an import goes on where it stopped",
      );
    }
  }
});

test("a line that no request can carry is named", async () => {
  const long = new Blob(["{}\n", "x".repeat(200), "\n"]);
  await assert.rejects(
    all(requests(long, "ndjson", { offset: 0, line: 0 }, 100)),
    (error) => error instanceof UnsendableLine && error.line === 2,
  );
});

test("where an export stands is told without what is long or sealed, and with all digits", () => {
  const line =
    '{"record":"user","id":9223372036854775807,"username":"a",' +
    '"password":"v1.0123abcd.sealed","roles":["x"]}';
  assert.equal(
    placeOf("ndjson", line),
    '{"record":"user","id":"9223372036854775807","username":"a"}',
  );
  assert.equal(placeOf("csv", 'user,1,"a,""b""",v1.0123abcd.sealed'), 'user,1,"a,""b""",');
});

test("a change is shown member by member, also for names that each object inherits", () => {
  const before = { name: "a", policy: { audiences: ["x"], issuer: "i" }, constructor: 1 };
  const after = { name: "b", policy: { audiences: ["x"], discover: true } };
  assert.deepEqual(difference(before, after), [
    { path: "name", before: '"a"', after: '"b"', kind: "changed" },
    { path: "policy.audiences", before: '["x"]', after: '["x"]', kind: "same" },
    { path: "policy.issuer", before: '"i"', after: "", kind: "removed" },
    { path: "policy.discover", before: "", after: "true", kind: "added" },
    { path: "constructor", before: "1", after: "", kind: "removed" },
  ]);
  assert.deepEqual(difference(null, { a: 1 }), [
    { path: "a", before: "", after: "1", kind: "added" },
  ]);
  assert.deepEqual(difference({ a: 1 }, null), [
    { path: "a", before: "1", after: "", kind: "removed" },
  ]);
  assert.deepEqual(difference({ a: { b: 1 } }, { a: null }), [
    { path: "a", before: '{"b":1}', after: "null", kind: "changed" },
  ]);
  assert.deepEqual(difference(null, null), []);
});

test("the reference has every operation, and finds them by words", () => {
  const operations = operationsOf(document);
  assert.equal(
    operations.length,
    Object.values(document.paths).flatMap((item) => Object.keys(item)).length,
  );
  assert.equal(new Set(operations.map(({ id }) => id)).size, operations.length);
  assert.ok(search(operations, "revoke TOKEN").some(({ path }) => path === "/v1/revocations"));
  assert.deepEqual(search(operations, "no such word at all"), []);
  for (const { body } of operations)
    if (body?.schema) assert.ok(Array.isArray(membersOf(document, body.schema)));
  const changing = operations.filter(({ changes }) => changes).map(({ id }) => id);
  for (const { id, method } of operations)
    if (["PUT", "PATCH", "DELETE"].includes(method)) assert.ok(changing.includes(id), id);
});

test("a line for curl survives a shell", async () => {
  const { execFileSync } = await import("node:child_process");
  const operation = operationsOf(document).find(
    ({ method, path }) => method === "DELETE" && path === "/v1/tombstones/{username}",
  );
  const nasty = `a'b"$(touch x)\`\\ c/../d?e=f&g`;
  assert.equal(
    addressOf(operation, { username: nasty }),
    `/v1/tombstones/${encodeURIComponent(nasty)}`,
  );
  const create = operationsOf(document).find(
    ({ method, path }) => method === "POST" && path === "/v1/groups",
  );
  const line = curlOf(create, "https://postern.example", {}, nasty)
    .replace(/^curl/, "printf '%s\\n'")
    .replace('"$USERNAME:$PASSWORD"', "x");
  const words = execFileSync("sh", ["-c", line]).toString().split("\n");
  assert.ok(words.includes(nasty), words.join("\n"));
  assert.ok(words.includes("https://postern.example/v1/groups"));
});

const APP = {
  name: "ERP",
  enabled: true,
  algorithm: "RS256",
  hasSecret: true,
  createsUsers: false,
  initialRoles: ["SYS_Creator"],
  expire: 600,
  tokenName: "token",
  claims: {
    username: "sub",
    name: "name",
    email: "email",
    id: null,
    groups: "groups",
    roles: null,
  },
  audiences: ["a", "b"],
  types: ["", "at+jwt"],
  roleMap: { "x=y": "boss", z: "worker" },
  groupMap: { g: 5 },
  groupsMode: "sync",
  speaksFor: "own",
};

test("a token app's form that is not changed changes nothing, and one member changes alone", () => {
  const before = formOf(APP);
  assert.deepEqual(changedBody(before, before), {});
  assert.deepEqual(changedBody(before, { ...before, audiences: "a\n" }), { audiences: ["a"] });
  assert.deepEqual(changedBody(before, { ...before, "claims.groups": "" }), {
    claims: { groups: null },
  });
  assert.deepEqual(changedBody(before, { ...before, roleMap: "z = worker" }), {
    roleMap: { z: "worker", "x=y": null },
  });
  assert.deepEqual(changedBody(before, { ...before, secret: "new", expire: "700" }), {
    secret: "new",
    expire: 700,
  });
});

test("a new token app has what was filled in, and a copy has all but the secret", () => {
  const form = {
    ...formOf(),
    name: " A ",
    secret: "s",
    "claims.username": "sub",
    audiences: "x\n\ny",
  };
  const body = newBody(form);
  assert.deepEqual(body, {
    enabled: true,
    algorithm: "HS256",
    createsUsers: true,
    claims: { username: "sub" },
    audiences: ["x", "y"],
    name: "A",
    secret: "s",
  });
  const twin = twinBody({ ...APP, algorithm: "HS256" }, "ERP-next", "new");
  assert.deepEqual(
    [twin.name, twin.secret, twin.speaksFor, twin.createsUsers],
    ["ERP-next", "new", "users", false],
  );
  assert.deepEqual(
    [twin.audiences, twin.types, twin.roleMap, twin.groupMap],
    [APP.audiences, APP.types, { "x=y": "boss", z: "worker" }, { g: "5" }],
  );
});

test("a token is found in what people paste", () => {
  const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
  for (const pasted of [
    jwt,
    ` ${jwt}\n`,
    `Bearer ${jwt}`,
    `Authorization: Bearer ${jwt}`,
    `"${jwt}"`,
    `https://app.example.com/page?token=${jwt}&tab=1`,
    `${jwt.slice(0, 30)}\n${jwt.slice(30)}`,
  ]) {
    assert.equal(bare(pasted), jwt, pasted);
  }
  assert.equal(bare("Bearer pst_abc"), "pst_abc");
  assert.equal(bare("0123456789abcdef0123456789abcdef"), "0123456789abcdef0123456789abcdef");
  assert.equal(readToken(jwt).claims, '{\n  "sub": "alice"\n}');
  for (const none of ["x", "a.b.c", "pst_abc", ""]) assert.equal(readToken(none), null);
});
