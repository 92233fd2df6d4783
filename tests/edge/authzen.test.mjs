// The certification scenario of AuthZEN Authorization API 1.0, and what the suite's modules check
// beside it, on workerd, with both kinds of credential that the suite knows: Basic Core, Batch
// Core, Search Core and Discovery. Postern does not claim the decisions that need properties.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { admin, basic, expectStatus } from "./support/client.mjs";
import { deployment, startPostern, stateFolder } from "./support/workerd.mjs";

const FIXTURE = [
  { record: "user", id: 2, username: "alice", type: "SYS_Reader", enabled: true },
  { record: "user", id: 3, username: "bob", type: "SYS_Reader", enabled: true },
  { record: "service", id: 101, name: "First" },
  { record: "service", id: 102, name: "Second" },
  { record: "resourceName", type: "record", id: "record-1", serviceId: 101 },
  { record: "resourceName", type: "record", id: "record-2", serviceId: 102 },
  { record: "actionName", type: "record", name: "read", permission: "VIEW" },
  { record: "actionName", type: "record", name: "write", permission: "MODIFY" },
  { record: "actionName", type: "record", name: "delete", permission: "DELETE" },
  {
    record: "grant",
    serviceId: 101,
    authObjectType: "USER",
    authObjectId: 2,
    permissions: ["MODIFY"],
  },
  {
    record: "grant",
    serviceId: 101,
    authObjectType: "USER",
    authObjectId: 3,
    permissions: ["VIEW"],
  },
  {
    record: "grant",
    serviceId: 102,
    authObjectType: "USER",
    authObjectId: 3,
    permissions: ["MODIFY"],
  },
];

const entity = (type, id, properties) => ({
  type,
  ...(id === undefined ? {} : { id }),
  ...(properties && { properties }),
});
const alice = entity("user", "alice");
const bob = entity("user", "bob");
const record = (id) => entity("record", id);
const action = (name) => ({ name });
const asked = (subject, name, resource, more) => ({
  subject,
  action: action(name),
  resource,
  ...more,
});
const without = (object, ...names) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

const EVALUATION = "/access/v1/evaluation";
const EVALUATIONS = "/access/v1/evaluations";
const SEARCH = {
  subject: "/access/v1/search/subject",
  resource: "/access/v1/search/resource",
  action: "/access/v1/search/action",
};
const PERMITTED = asked(alice, "read", record("record-1"));
const SEARCHES = {
  [SEARCH.subject]: asked(entity("user"), "read", record("record-1")),
  [SEARCH.resource]: asked(alice, "read", entity("record")),
  [SEARCH.action]: { subject: alice, resource: record("record-1") },
};
const VALID = {
  [EVALUATION]: PERMITTED,
  [EVALUATIONS]: { ...PERMITTED, evaluations: [{}] },
  ...SEARCHES,
};

/** Loads the fixture by an import, as an operator would, and makes the suite's key. */
async function loaded(test, options) {
  const postern = await startPostern(test, options);
  const text = FIXTURE.map((line) => JSON.stringify(line)).join("\n");
  const headers = { ...admin, "content-type": "application/x-ndjson" };
  expectStatus(
    await postern.send({ method: "POST", path: "/v1/import", headers, body: text }),
    200,
    "the fixture:",
  );
  const json = { name: "suite", may: ["decisions"] };
  const made = expectStatus(
    await postern.send({ method: "POST", path: "/v1/keys", headers: admin, json }),
    201,
  );
  return { postern, key: made.json.key };
}

/** Counts the assertions, so that a run shows how many were made. */
function suite(postern, authorization) {
  let held = 0;
  const hold = (condition, what) => {
    assert.ok(condition, what);
    held += 1;
  };
  const same = (actual, expected, what) => {
    assert.deepEqual(actual, expected, what);
    held += 1;
  };
  const raw = (path, headers, text, method = "POST") =>
    postern.send({
      method,
      path,
      headers: { authorization, ...headers },
      ...(text === undefined ? {} : { body: text }),
    });
  const ask = (path, body, headers = {}) =>
    raw(
      path,
      { "content-type": "application/json", ...headers },
      typeof body === "string" ? body : JSON.stringify(body),
    );
  const ok = async (path, body, headers) => {
    const answer = await ask(path, body, headers);
    same(answer.status, 200, `${path} ${JSON.stringify(body)}: ${answer.text}`);
    hold(answer.headers["content-type"].startsWith("application/json"), "the media type");
    return answer;
  };
  const refused = async (path, body, what, headers) => {
    const answer = await ask(path, body, headers);
    same(answer.status, 400, `${path}, ${what}: ${answer.text}`);
    hold(typeof answer.json === "string", `${what}: an error is a string: ${answer.text}`);
  };
  const decides = async (body, decision, path = EVALUATION) =>
    same((await ok(path, body)).json.decision, decision, JSON.stringify(body));
  return { hold, same, raw, ask, ok, refused, decides, count: () => held };
}

async function basicLevel({ hold, same, raw, ask, ok, refused, decides }) {
  // Decisions 1 to 4. They are the same with a context, with properties, and with members of a
  // later version.
  for (const [subject, name, id, decision] of [
    [alice, "read", "record-1", true],
    [alice, "write", "record-1", true],
    [bob, "read", "record-1", true],
    [bob, "write", "record-1", false],
  ]) {
    const body = asked(subject, name, record(id));
    await decides(body, decision);
    await decides(
      { ...body, context: { time: "2025-06-27T18:03-07:00", ip: "192.168.1.1" } },
      decision,
    );
  }
  const detailed = {
    subject: entity("user", "alice", { department: "Sales", role: "manager" }),
    action: { name: "read", properties: { method: "GET" } },
    resource: entity("record", "record-1", { status: "active", owner: "bob" }),
  };
  await decides(detailed, true);
  await decides({ ...PERMITTED, foo: "bar", futureField: { nested: true } }, true);
  for (const part of ["subject", "action", "resource"]) {
    await decides(
      { ...PERMITTED, [part]: { ...PERMITTED[part], futureField: [1, { deep: null }] } },
      true,
    );
  }
  // An unknown name is denied.
  for (const body of [
    asked(entity("user", "nobody"), "read", record("record-1")),
    asked(entity("spaceship", "alice"), "read", record("record-1")),
    asked(alice, "fly", record("record-1")),
    asked(alice, "read", record("record-9")),
    asked(alice, "read", entity("spaceship", "x")),
  ]) {
    await decides(body, false);
  }
  const answer = await ok(EVALUATION, PERMITTED);
  same(Object.keys(answer.json).sort(), ["context", "decision"]);
  hold(answer.json.context.constructor === Object, "context is an object");
  same(answer.headers["cache-control"], "no-store");
  // Each part is missing, or has another type.
  for (const part of ["subject", "action", "resource"]) {
    await refused(EVALUATION, without(PERMITTED, part), `without ${part}`);
    for (const wrong of ["alice", 7, null, [], true])
      await refused(
        EVALUATION,
        { ...PERMITTED, [part]: wrong },
        `${part} is ${JSON.stringify(wrong)}`,
      );
    for (const member of Object.keys(PERMITTED[part])) {
      await refused(
        EVALUATION,
        { ...PERMITTED, [part]: without(PERMITTED[part], member) },
        `${part} without ${member}`,
      );
      for (const wrong of [123, null, {}, ["x"]]) {
        await refused(
          EVALUATION,
          { ...PERMITTED, [part]: { ...PERMITTED[part], [member]: wrong } },
          `${part}.${member} is ${JSON.stringify(wrong)}`,
        );
      }
    }
    await refused(
      EVALUATION,
      { ...PERMITTED, [part]: { ...PERMITTED[part], properties: "x" } },
      `${part}.properties is a string`,
    );
  }
  await refused(EVALUATION, { ...PERMITTED, context: "x" }, "context is a string");
  for (const [path, body] of Object.entries(VALID)) {
    for (const text of ["{not json", "", "[]", "7", "null", '"text"', "{}"])
      await refused(path, text, `the body ${text}`);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
      await refused(path, body, type, { "content-type": type });
    same(
      (await ask(path, body, { "content-type": "application/json; charset=utf-8" })).status,
      200,
      "with a charset",
    );
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const other = await raw(path, {}, undefined, method);
      same([other.status, other.headers.allow], [405, "POST"], `${method} ${path}`);
    }
    // The answer returns the caller's request id, also if the request is refused.
    const id = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716";
    same((await ok(path, body, { "x-request-id": id })).headers["x-request-id"], id);
    same(
      (await ask(path, "{", { "x-request-id": "Not a UUID: 7" })).headers["x-request-id"],
      "Not a UUID: 7",
    );
    hold((await ok(path, body)).headers["x-request-id"], "an id of ours");
    const texts = new Set();
    for (let again = 0; again < 3; again += 1) texts.add((await ok(path, body)).text);
    same(texts.size, 1, `${path} answers alike`);
    for (const authorization of ["", "Bearer corrupted", "Basic c3VpdGU6eA==", "Digest x"]) {
      const stranger = await ask(path, body, { authorization });
      same(stranger.status, 401, `${path} with ${authorization}`);
      hold(
        /^Bearer realm="postern".*, Basic realm="postern", charset="UTF-8"$/.test(
          stranger.headers["www-authenticate"],
        ),
        stranger.headers["www-authenticate"],
      );
      hold(typeof stranger.json === "string", stranger.text);
    }
  }
}

async function batchLevel({ same, hold, ok, refused, decides }) {
  const decisions = async (body) =>
    (await ok(EVALUATIONS, body)).json.evaluations.map((one) => one.decision);
  const two = {
    subject: alice,
    action: action("read"),
    evaluations: [{ resource: record("record-1") }, { resource: record("record-2") }],
  };
  same(await decisions(two), [true, false]);
  same(
    await decisions({
      subject: bob,
      resource: record("record-1"),
      evaluations: [{ action: action("read") }, { action: action("write") }],
    }),
    [true, false],
  );
  same(await decisions({ evaluations: [PERMITTED, asked(bob, "write", record("record-1"))] }), [
    true,
    false,
  ]);
  same(
    await decisions({
      ...two,
      context: { time: "x" },
      evaluations: [
        two.evaluations[0],
        { ...two.evaluations[1], context: { source: "batch-override" } },
      ],
    }),
    [true, false],
  );
  // A member of an item replaces the request's member as a whole.
  const whole = (
    await ok(EVALUATIONS, { ...PERMITTED, evaluations: [{ resource: { id: "record-1" } }] })
  ).json;
  same([whole.evaluations[0].decision, whole.evaluations[0].context.error.status], [false, 400]);
  const failing = (
    await ok(EVALUATIONS, {
      subject: alice,
      action: action("read"),
      evaluations: [{ resource: record("record-1") }, {}],
    })
  ).json;
  same(
    failing.evaluations.map((one) => one.decision),
    [true, false],
  );
  hold(failing.decision === undefined, "no decision beside evaluations");
  hold(typeof failing.evaluations[1].context.error.message === "string", "it says what is missing");
  same(await decisions({ evaluations: [{}, {}] }), [false, false], "where no item has a subject");
  for (const body of [PERMITTED, { ...PERMITTED, evaluations: [] }]) {
    await decides(body, true, EVALUATIONS);
    hold(
      (await ok(EVALUATIONS, body)).json.evaluations === undefined,
      "one question has one answer",
    );
  }
  await refused(EVALUATIONS, { evaluations: [] }, "no question at all");
  for (const wrong of [{}, "x", 7, null])
    await refused(
      EVALUATIONS,
      { ...PERMITTED, evaluations: wrong },
      `evaluations is ${JSON.stringify(wrong)}`,
    );
  for (const wrong of ["x", 7, null, []])
    await refused(
      EVALUATIONS,
      { ...PERMITTED, evaluations: [wrong] },
      `an item is ${JSON.stringify(wrong)}`,
    );
  const items = ["read", "write", "read", "write"].map((name) => ({ action: action(name) }));
  for (const [semantic, expected] of Object.entries({
    execute_all: [true, false, true, false],
    deny_on_first_deny: [true, false],
    permit_on_first_permit: [true],
  })) {
    same(
      await decisions({
        subject: bob,
        resource: record("record-1"),
        evaluations: items,
        options: { evaluations_semantic: semantic, later: 1 },
      }),
      expected,
      semantic,
    );
  }
  same(
    await decisions({
      subject: bob,
      resource: record("record-1"),
      evaluations: items.slice(1, 2),
      options: { evaluations_semantic: "permit_on_first_permit" },
    }),
    [false],
  );
  for (const wrong of ["x", 7, null])
    await refused(
      EVALUATIONS,
      { ...PERMITTED, evaluations: [{}], options: { evaluations_semantic: wrong } },
      "a semantic",
    );
  same((await decisions({ ...PERMITTED, evaluations: Array(100).fill({}) })).length, 100);
  await refused(EVALUATIONS, { ...PERMITTED, evaluations: Array(101).fill({}) }, "101 items");
}

async function searchLevel({ same, hold, ok, refused }) {
  const results = async (kind, body) => (await ok(SEARCH[kind], body)).json.results;
  const has = (found, ...wanted) =>
    wanted.forEach((one) =>
      hold(
        found.some((other) => JSON.stringify(other) === JSON.stringify(one)),
        `${JSON.stringify(one)} in ${JSON.stringify(found)}`,
      ),
    );
  const subjects = SEARCHES[SEARCH.subject];
  for (const body of [
    subjects,
    { ...subjects, context: { a: 1 } },
    { ...subjects, subject: entity("user", "ignored") },
    { ...subjects, later: 1 },
  ]) {
    const found = await results("subject", body);
    has(found, alice, bob);
    hold(
      found.every((one) => one.type === "user" && typeof one.id === "string"),
      "of the type that was asked for",
    );
    same(new Set(found.map((one) => one.id)).size, found.length, "each once");
  }
  const resources = SEARCHES[SEARCH.resource];
  for (const body of [
    resources,
    { ...resources, context: {} },
    { ...resources, resource: entity("record", "ignored") },
  ]) {
    const found = await results("resource", body);
    has(found, record("record-1"));
    hold(
      found.every((one) => one.type === "record"),
      "of the type that was asked for",
    );
  }
  const actions = SEARCHES[SEARCH.action];
  for (const body of [
    actions,
    { ...actions, context: {} },
    { ...actions, action: action("ignored") },
  ]) {
    const found = await results("action", body);
    has(found, action("read"), action("write"));
    hold(!found.some((one) => one.name === "delete"), "not what alice may not");
  }
  // The decisions on record-2 follow from grants, without properties.
  has(await results("subject", asked(entity("user"), "write", record("record-2"))), bob);
  has(await results("resource", asked(bob, "write", entity("record"))), record("record-2"));
  has(await results("action", { subject: bob, resource: record("record-2") }), action("write"));
  const nobody = [entity("user", "nonexistent-user"), entity("spaceship", "x")];
  for (const subject of nobody) {
    same((await ok(SEARCH.action, { ...actions, subject })).json, { results: [] });
    same((await ok(SEARCH.resource, { ...resources, subject })).json, { results: [] });
  }
  for (const resource of [record("record-9"), entity("spaceship", "x")]) {
    same((await ok(SEARCH.subject, { ...subjects, resource })).json, { results: [] });
    same((await ok(SEARCH.action, { ...actions, resource })).json, { results: [] });
    same((await ok(SEARCH.resource, { ...resources, resource: entity("spaceship") })).json, {
      results: [],
    });
  }
  same((await ok(SEARCH.subject, { ...subjects, subject: entity("spaceship") })).json, {
    results: [],
  });
  same((await ok(SEARCH.subject, { ...subjects, action: action("fly") })).json, { results: [] });
  for (const [path, body] of Object.entries(SEARCHES)) {
    for (const part of Object.keys(body))
      await refused(path, without(body, part), `without ${part}`);
    for (const wrong of ["x", 7, null, []])
      await refused(path, { ...body, page: wrong }, `page is ${JSON.stringify(wrong)}`);
    for (const limit of [0, -1, 1.5, "1", null])
      await refused(path, { ...body, page: { limit } }, `a limit of ${JSON.stringify(limit)}`);
    for (const token of ["made up", 7, null])
      await refused(path, { ...body, page: { token } }, `the token ${token}`);
    // All pages together have each result once.
    const whole = (await ok(path, body)).json;
    hold(whole.page === undefined, "no page where nobody asked and nothing follows");
    const collected = [];
    for (let page = { limit: 1, later: {} }; page; ) {
      const answer = await ok(path, { ...body, page });
      same(Object.keys(answer.json), ["page", "results"], "the page is the first member");
      same([answer.json.page.count, answer.json.results.length], [1, 1]);
      collected.push(...answer.json.results);
      page =
        answer.json.page.next_token === "" ? undefined : { token: answer.json.page.next_token };
    }
    same(collected, whole.results, path);
  }
  await refused(SEARCH.subject, { ...subjects, resource: entity("record") }, "resource without id");
  await refused(SEARCH.resource, { ...resources, subject: entity("user") }, "subject without id");
  await refused(SEARCH.action, { ...actions, subject: entity("user") }, "subject without id");
}

async function discovery(postern, { same, hold }) {
  const path = "/.well-known/authzen-configuration";
  const answer = await postern.send({ path });
  same(answer.status, 200);
  hold(answer.headers["content-type"].startsWith("application/json"), "the media type");
  same(answer.headers["cache-control"], "public, max-age=3600");
  const origin = "https://pdp.example.com";
  same(answer.json, {
    policy_decision_point: origin,
    access_evaluation_endpoint: origin + EVALUATION,
    access_evaluations_endpoint: origin + EVALUATIONS,
    search_subject_endpoint: origin + SEARCH.subject,
    search_resource_endpoint: origin + SEARCH.resource,
    search_action_endpoint: origin + SEARCH.action,
  });
  same(
    (await postern.send({ path, headers: { "x-request-id": "seven" } })).headers["x-request-id"],
    "seven",
  );
}

test("the certification scenario holds with both kinds of credential", {
  timeout: 300_000,
}, async (t) => {
  const bindings = deployment({ PUBLIC_ORIGIN: "https://pdp.example.com" });
  const { postern, key } = await loaded(t, { bindings });
  for (const [variant, authorization] of Object.entries({
    api_key: `Bearer ${key}`,
    client_secret_basic: basic("suite", key),
  })) {
    const checks = suite(postern, authorization);
    await t.test(`${variant}: Basic Core`, () => basicLevel(checks));
    await t.test(`${variant}: Batch Core`, () => batchLevel(checks));
    await t.test(`${variant}: Search Core`, () => searchLevel(checks));
    await t.test(`${variant}: Discovery`, () => discovery(postern, checks));
    t.diagnostic(`${variant}: ${checks.count()} checks hold`);
  }
});

test("a decision follows a revoked grant in another process, and at once with a bookmark", {
  timeout: 120_000,
}, async (t) => {
  const folder = stateFolder(t);
  const one = { bindings: deployment(), database: "shared", namespace: "shared", folder };
  const { postern: here, key } = await loaded(t, one);
  const there = await startPostern(t, { ...one, migrate: false });
  const json = asked(alice, "write", record("record-1"));
  const decision = async (headers = {}) => {
    const answer = await there.send({
      method: "POST",
      path: EVALUATION,
      headers: { authorization: `Bearer ${key}`, ...headers },
      json,
    });
    return expectStatus(answer, 200).json.decision;
  };
  assert.equal(await decision(), true);
  const path = "/v1/services/101/grants?authObjectType=USER&authObjectId=2";
  const gone = await here.send({ method: "DELETE", path, headers: admin });
  assert.equal(gone.status, 204, gone.text);
  const deadline = Date.now() + 15_000;
  while (await decision()) {
    assert.ok(Date.now() < deadline, "it is not in force after 15 s");
    await pause(100);
  }
  expectStatus(
    await here.send({
      method: "POST",
      path: "/v1/services/101/grants",
      headers: admin,
      json: { authObjectType: "USER", authObjectId: 2, permissions: ["MODIFY"] },
    }),
    201,
  );
  const again = await here.send({ method: "DELETE", path, headers: admin });
  const bookmark = again.headers["x-postern-bookmark"];
  // The local runtime gives no bookmark. If there is one, the change is in force at once.
  if (bookmark) assert.equal(await decision({ "x-postern-bookmark": bookmark }), false);
});
