// Parts of the console that need no browser: how it cuts, compares, reads and writes files.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { requests as ofCommandLine } from "../../scripts/lib/records.mjs";
import { stateFolder, top } from "./support/workerd.mjs";

const part = (name) => import(pathToFileURL(join(top, "public/v1/console/parts", `${name}.mjs`)));
const { requests, placeOf, UnsendableLine } = await part("cut_records");
const { difference } = await part("difference");
const { addressOf, curlOf, membersOf, operationsOf, search } = await part("openapi");
const { ALGORITHMS, changedBody, formOf, newBody, twinBody } = await part("app_members");
const { bare, readToken } = await part("jwt");
const { byApp, firstFailed, nearest } = await part("nearest");

const document = JSON.parse(readFileSync(join(top, "public/v1/openapi.json")));

async function all(generator) {
  const found = [];
  for await (const one of generator) found.push(one);
  return found;
}

const secret = (key, number) =>
  `{"record":"keySecret","keyId":${key},"prefix":"pst_${number}","hash":"x"}`;

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
  [
    "csv",
    `record,id,name\r\n${Array.from({ length: 300 }, (_, at) => `user,${at},"line\n""two"" of ${at}"`).join("\r\n")}\r\n`,
  ],
  ["csv", "\n\nrecord,id\nuser,1\n"],
  ["ndjson", ""],
];

/** The lines of a file that are records, in CSV those of its head too. */
const contentOf = (text) =>
  text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .filter((line) => line.trim());

test("the console and the command line cut a file into the same whole records", async (test) => {
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
      for (const { body } of found) assert.ok(body.length <= maxBytes, `${body.length}`);
      const bodies = found.map(({ body }) => contentOf(Buffer.from(body).toString()));
      const [head] = contentOf(text);
      const heads = format === "csv" ? bodies.map((lines) => lines.shift()) : [];
      assert.ok(heads.every((line) => line === head));
      const records = contentOf(text).slice(format === "csv" ? 1 : 0);
      assert.deepEqual(bodies.flat(), records, "every record is in one request, in its order");
      if (format === "ndjson" && maxBytes >= 300) {
        const keyOf = (line) => line?.startsWith('{"record":"keySecret"') && JSON.parse(line).keyId;
        for (const [at, lines] of bodies.entries()) {
          const before = keyOf(bodies[at - 1]?.at(-1));
          assert.ok(!before || keyOf(lines[0]) !== before, "the secrets of one key stay together");
        }
      }
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

const START = { offset: 0, line: 0 };

/** Texts of CSV, of which some are not right: the same ones in each run. */
function* textsOfCsv() {
  let state = 1;
  const below = (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  const some = (...choices) => choices[below(choices.length)];
  const cell = () =>
    some("", "1", "a b", " ", "名", 'a"b', '"', '""', '"a,b"', '"a""b"', '"a\nb"') +
    some("", "", "", "", '"c"', '"a\r\n\r"', '"""d"', "e", '"');
  for (let count = 0; count < 300; count += 1) {
    const end = some("\n", "\r\n", "\r", "");
    const ends = () => end || some("\n", "\r\n", "\r", "\n\n", "\r\r\n", "\r\n\r\n");
    let text = some("", "", "", "\ufeff", "\n", "\r\n", "\r") + some("record,id", '"record",id');
    for (let rows = below(8); rows > 0; rows -= 1)
      text += ends() + [cell(), ...some([cell()], [cell()], [])].join(",");
    yield some(text, text + ends(), text.slice(0, below(text.length + 1)));
  }
}

test("the console cuts CSV as Postern reads it", async () => {
  const cases = [];
  for (const text of textsOfCsv()) {
    for (const maxBytes of [20, 60]) {
      try {
        const found = await all(requests(new Blob([text]), "csv", START, maxBytes));
        const bodies = found.map(({ body, lines }) => [new TextDecoder().decode(body), lines]);
        cases.push({ text, bodies });
      } catch (error) {
        assert.ok(error instanceof UnsendableLine, error);
        if (error.message === "quote") cases.push({ text, unclosed: error.line });
      }
    }
  }
  const lines = [...new Set(cases.map((one) => JSON.stringify(one)))];
  assert.ok(lines.length > 200 && lines.filter((line) => line.includes("unclosed")).length > 20);
  // The tests of src/domain/backup/format.rs compare these with what is read of each whole text.
  const file = join(top, "tests/edge/cuts_of_csv.json");
  const written = `[\n${lines.join(",\n")}\n]\n`;
  if (process.env.UPDATE) writeFileSync(file, written);
  assert.equal(readFileSync(file, "utf8"), written, "UPDATE=1 writes this file");
});

test("a block may end anywhere in a file of CSV", async () => {
  const head = "record,id\n";
  const rows = '\r\n"a\r\n""b",1\r\r\ny';
  for (let at = 0; at <= rows.length; at += 1) {
    const first = "x".repeat(256 * 1024 - head.length - at);
    const text = new Blob([head, first, rows]);
    const [request] = await all(requests(text, "csv", START));
    const body = new TextDecoder().decode(request.body);
    assert.equal(body, `${head}${first}\n"a\r\n""b",1\ny\n`, `${at}`);
    assert.deepEqual(request.lines, [1, 2, 3, 4, 6], `${at}`);
  }
});

test("of a file that is cut off within a cell nothing is sent", async () => {
  const text = `record,id\n${"user,1\n".repeat(9)}user,"1`;
  const generator = requests(new Blob([text]), "csv", START, 30);
  await assert.rejects(
    generator.next(),
    (error) => error instanceof UnsendableLine && error.line === 11 && error.message === "quote",
  );
});

test("a line that no request can carry is named", async () => {
  const long = new Blob(["{}\n", "x".repeat(200), "\n"]);
  await assert.rejects(
    all(requests(long, "ndjson", START, 100)),
    (error) => error instanceof UnsendableLine && error.line === 2,
  );
});

test("where an export stands is told without what is long or sealed, and with all digits", () => {
  const line =
    '{"record":"user","id":9223372036854775807,"username":"a","password":"v1.0123abcd.sealed","roles":["x"]}';
  assert.equal(
    placeOf("ndjson", line),
    '{"record":"user","id":"9223372036854775807","username":"a"}',
  );
  assert.equal(placeOf("csv", 'user,1,"a,""b""",v1.0123abcd.sealed'), 'user,1,"a,""b""",');
});

test("a change is shown by member, also for names such as __proto__", () => {
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
  assert.deepEqual(search(operations, "token xylophone"), []);
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

test("a new token app has what was filled in, and a twin has all but the secret", () => {
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

const seconds = (at) => Math.floor(at / 1000);
const jwtOf = (claims) =>
  ['{"alg":"HS256"}', JSON.stringify(claims), "x"]
    .map((text) => Buffer.from(text).toString("base64url"))
    .join(".");

test("when a token begins and ends is read, also where that is no moment", () => {
  const at = Date.UTC(2026, 0, 2);
  assert.deepEqual(readToken(jwtOf({ exp: seconds(at), nbf: seconds(at) })).times, {
    begins: at,
    expires: at,
    hasEnd: true,
  });
  assert.deepEqual(readToken(jwtOf({})).times, { begins: null, expires: null, hasEnd: false });
  for (const exp of ["soon", 1e300, {}, true])
    assert.deepEqual(readToken(jwtOf({ exp })).times, {
      begins: null,
      expires: null,
      hasEnd: true,
    });
  assert.deepEqual(readToken(jwtOf(null)).times, { begins: null, expires: null, hasEnd: false });
});

/** Checks of an app, of which those in capitals fail. */
const checksOf = (app, ...names) =>
  names.map((name) => ({ app, check: name.toLowerCase(), held: name !== name.toUpperCase() }));

test("the app that came nearest to accepting a token is named, unless several did alike", () => {
  const of = (...apps) => nearest(byApp(apps.flat())).map(({ app }) => app);
  const form = checksOf(null, "form");
  const unsigned = (app) => checksOf(app, "enabled", "algorithm", "SIGNATURE");
  const other = checksOf("other", "enabled", "ALGORITHM");
  assert.deepEqual(of(form, unsigned("A"), unsigned("B"), other), ["A", "B"], "a tie");
  const signed = (app, ...more) => checksOf(app, "enabled", "algorithm", "signature", ...more);
  assert.deepEqual(
    of(form, unsigned("A"), signed("B", "LIFETIME", "ISSUER", "AUDIENCE", "BINDING"), other),
    ["B"],
    "a signature that holds counts before anything else",
  );
  assert.deepEqual(
    of(form, signed("A", "LIFETIME", "AUDIENCE"), signed("B", "LIFETIME", "audience")),
    ["B"],
    "then the fewest failures",
  );
  assert.deepEqual(of(form, other, unsigned("A")), ["A"]);
  assert.deepEqual(of(checksOf(null, "FORM"), checksOf("A", "INTROSPECTION")), [null]);
  assert.deepEqual(of(checksOf(null, "form", "PERMISSION"), signed("A"), unsigned("B")), [null]);
  assert.deepEqual(of(form, signed("A")), [], "nothing failed");
  assert.equal(firstFailed({ checks: signed("A", "LIFETIME", "AUDIENCE") }).check, "lifetime");
});

const { ruleOf } = await import(pathToFileURL(join(top, "public/v1/console/error_rules.mjs")));
const english = JSON.parse(readFileSync(join(top, "public/v1/console/texts/en.json")));

test("common rules of the API have words of the console, with their numbers", () => {
  for (const [detail, key, values = {}] of [
    ["name is required", "rule.required"],
    ['there is a user "alice" already', "rule.exists"],
    ["there is no group 7", "rule.notThere"],
    ["expire must be a whole number from 1 to 100", "rule.number", { min: "1", max: "100" }],
    ["id must be an int64", "rule.whole"],
    ["name must have 1 to 64 characters", "rule.length", { min: "1", max: "64" }],
    ["expiresAt must be in the future, in epoch milliseconds: now is 5", "rule.past"],
    ["expiresAt must be later than startsAt", "rule.endBeforeStart"],
    ["type must be one of A, B or C", "rule.words", { words: "A, B or C" }],
  ]) {
    assert.deepEqual(ruleOf(detail), { key, values }, detail);
    assert.ok(key in english, key);
  }
  for (const none of [undefined, "", "it is complicated"]) assert.equal(ruleOf(none), null);
});

test("the console and the page of credentials have every algorithm", () => {
  const { algorithm } = document.components.schemas.NewTokenApp.properties;
  assert.deepEqual(ALGORITHMS, algorithm.enum, "ALGORITHMS in parts/app_members.mjs");
  const page = readFileSync(join(top, "docs/reference/credentials.md"), "utf8");
  for (const name of algorithm.enum)
    assert.ok(page.includes(`\`${name}\``), `docs/reference/credentials.md lacks ${name}`);
});

test("every reason for a refusal has words of the console", () => {
  const page = readFileSync(join(top, "docs/reference/reasons.md"), "utf8");
  const reasons = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason);
  assert.ok(reasons.length > 40, `${reasons.length}`);
  for (const reason of reasons)
    assert.ok(`refusal.${reason}` in english, `the texts of the console lack refusal.${reason}`);
});

const { ACTIONS, targetsOf } = await part("audit_words");
const { momentOf } = await part("difference");

/** The texts of the source, without what is only for its tests. */
const sources = () =>
  readdirSync(join(top, "src"), { recursive: true })
    .filter((file) => file.endsWith(".rs"))
    .map((file) => readFileSync(join(top, "src", file), "utf8").split("#[cfg(test)]")[0]);

test("common rules are those that the API's answers really have", () => {
  const golden = readdirSync(join(top, "tests/golden"), { recursive: true })
    .filter((file) => file.endsWith(".json"))
    .map((file) => readFileSync(join(top, "tests/golden", file), "utf8"));
  const details = golden.flatMap((text) => text.match(/(?<="detail":\s*)"(?:[^"\\]|\\.)*"/g) ?? []);
  const found = new Set(details.map((detail) => ruleOf(JSON.parse(detail))?.key));
  const expected = ["required", "twice", "exists", "notThere", "number", "whole", "length"];
  expected.push("tooShort", "past", "endBeforeStart", "json", "https", "words", "characters");
  for (const key of expected) assert.ok(found.has(`rule.${key}`), key);
});

test("every action that the source writes into the audit trail has words, and no other", () => {
  const nouns = new Set(ACTIONS.map((action) => action.split(".")[0]));
  const written = new Set();
  for (const text of sources()) {
    for (const [, action] of text.matchAll(/["']([a-z_]+(?:\.[a-z_]+){1,2})["']/g)) {
      // Columns are named likewise, but their tables are plurals.
      if (nouns.has(action.split(".")[0])) written.add(action);
    }
    // A noun that is new is found where a deed is made.
    for (const [call] of text.matchAll(/(?:\bdeed\w*\(|Deed::new\()[^;]{0,300}/g)) {
      for (const [, action] of call.matchAll(/"([a-z_]+(?:\.[a-z_]+){1,2})"/g)) written.add(action);
    }
  }
  assert.deepEqual([...written].sort(), [...ACTIONS].sort());
  for (const action of ACTIONS) assert.ok(`action.${action}` in english, action);
});

test("what an action was done to is found in its target", () => {
  const of = (action, target, more) =>
    targetsOf({ action, target, before: null, after: null, ...more });
  assert.deepEqual(of("grant.create", "7/DEPT/2"), [
    { kind: "service", id: "7" },
    { kind: "department", id: "2" },
  ]);
  assert.deepEqual(of("group.add_member", "3/100"), [
    { kind: "group", id: "3" },
    { kind: "user", id: "100" },
  ]);
  assert.deepEqual(of("group.update", "3", { after: { name: "Analysts" } }), [
    { kind: "group", id: "3", name: "Analysts", isGone: false },
  ]);
  assert.deepEqual(of("service.delete", "7"), [
    { kind: "service", id: "7", name: null, isGone: true },
  ]);
  for (const [action, target] of [
    ["user.update", "bob"],
    ["user.update", "7"],
    ["token.revoke", "bob/3"],
    ["directory.import", "5 records"],
    ["grant.create", "x/USER/../y"],
  ])
    assert.deepEqual(of(action, target), [], `${action} ${target}`);
});

test("moments in the audit trail are shown as moments, and other numbers are not", () => {
  assert.equal(momentOf("expiresAt", "1737599864898"), 1737599864898);
  assert.equal(momentOf("policy.lastAt", "1737599864898"), 1737599864898);
  assert.equal(momentOf("until", "1737599864898"), 1737599864898);
  for (const [path, text] of [
    ["id", "1737599864898"],
    ["expiresAt", '"1737599864898"'],
    ["expiresAt", "60"],
    ["format", "1737599864898"],
  ])
    assert.equal(momentOf(path, text), null, path);
});
