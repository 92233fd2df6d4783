// The cases. Each `prepare` starts the subjects that its cases share; `end` stops them. The first
// subject of a case is what the others are compared with; `claims` are the ratios that are aimed
// at.

import { setTimeout as sleep } from "node:timers/promises";
import { admin, expectStatus, nowInSeconds, registerApp } from "../tests/edge/support/client.mjs";
import { ADMIN_PASSWORD, deployment } from "../tests/edge/support/workerd.mjs";
import { USERS, directory, memberName } from "./grants.mjs";
import { measure, median, requests, used } from "./load.mjs";
import { echo, echoing } from "./streams.mjs";
import { bound, copyOf, folder, peer, postern, several } from "./subjects.mjs";
import { figure, markdown } from "./table.mjs";
import { ALGORITHMS, SECRET, UNTIL_INERT_MS, bearer, hs256, issuer, many } from "./tokens.mjs";

/**
 * So many more than Postern remembers that nothing is known any more of a token when it comes
 * again.
 */
const FORGOTTEN = 100_000;
const NOT_REMEMBERED = "Each again only after more others than Postern remembers.";

/** What a proxy asks about a page whose URL carries a token. */
const forwarded = (tokens, parameter) =>
  requests(
    tokens.map((token) => ({
      path: "/v1/forward-auth",
      headers: { "x-forwarded-uri": `/some/page?${parameter}=${token}` },
    })),
  );

/** Users enough that their records are looked up, and few enough that the isolate remembers all. */
const userOf = (index) => `user-${index % 1000}`;

const stopAll = (subjects) => async () => {
  for (const subject of subjects) await subject.stop();
};

/** Lets every user be created, so that no measured request writes. */
async function meet(subject, tokens, path = "/v1/verify") {
  for (const token of tokens)
    expectStatus(await subject.send({ path, headers: bearer(token) }), 200);
}

const of = (rows, label) => rows.find((row) => row.label === label).micros;

/** The session that begins when a page is opened by the token. */
async function sessionOf(one, token) {
  const headers = { "x-forwarded-uri": `/page?token=${token}`, "sec-fetch-mode": "navigate" };
  const [set] = expectStatus(await one.send({ path: "/v1/forward-auth", headers }), 200).headers[
    "set-cookie"
  ];
  return set.split(";")[0];
}

/** One process: another one has another master key, and does not open the session. */
export async function session() {
  const own = await postern();
  await registerApp(own, { secret: SECRET });
  const token = hs256("user-1");
  const cookie = await sessionOf(own, token);
  const asking = (label, headers) => ({
    subject: own,
    label,
    requests: requests([{ path: "/v1/verify", headers }]),
  });
  return {
    end: stopAll([own]),
    cases: [
      {
        name: "A session of the gateway",
        about:
          "The cookie is the token, sealed: " +
          "each request opens it with AES-GCM, and verifies what is inside.",
        subjects: [
          asking("the token, as a header", bearer(token)),
          asking("its session, as a cookie", { cookie }),
        ],
      },
    ],
  };
}

export async function hs256Verification() {
  const prepare = async (one) => {
    await registerApp(one, { secret: SECRET });
    await meet(
      one,
      many(1000, (index) => hs256(userOf(index))),
    );
  };
  const subjects = [
    await several(() => peer("an empty Worker", "empty")),
    await several(() => postern(), prepare),
    await several(() => peer("Hono + jose", "hono_jose", { HS256: SECRET })),
    await several(() => peer("Hono + hono/jwt", "hono_jwt", { HS256: SECRET })),
    await several(() => peer("the same answer, unverified", "same_answer")),
  ];
  const [empty, own, jose, middleware, unverified] = subjects;
  const one = hs256("user-1");
  const distinct = many(FORGOTTEN, (index) => hs256(userOf(index)));
  const forged = hs256("user-1", {}, "another secret");
  const to = (path, tokens) => requests(tokens.map((token) => ({ path, headers: bearer(token) })));
  const both = (tokens) => [
    { subject: empty, requests: to("/", tokens) },
    { subject: own, requests: to("/v1/verify", tokens) },
    { subject: jose, requests: to("/verify/HS256", tokens) },
    { subject: middleware, requests: to("/verify/HS256", tokens) },
    { subject: unverified, requests: to("/v1/verify", tokens) },
  ];
  const aimed = (what) => (rows) => [
    {
      what: `HS256, ${what}: Postern of an empty Worker`,
      value: of(rows, "Postern") / of(rows, "an empty Worker"),
      bound: 1.3,
    },
    {
      what: `HS256, ${what}: Postern of Hono + jose`,
      value: of(rows, "Postern") / of(rows, "Hono + jose"),
      bound: 0.85,
    },
  ];
  const kinds = [
    ["a good token, not seen lately", { requests: to("/v1/verify", distinct) }],
    ["a good token, remembered", { requests: to("/v1/verify", [one]) }],
    ["a wrong signature", { requests: to("/v1/verify", [forged]), refused: true }],
    ["a malformed one", { requests: to("/v1/verify", [`${one}.x`]), refused: true }],
    [
      "an expired one",
      {
        requests: to("/v1/verify", [hs256("user-1", { exp: nowInSeconds() - 3600 })]),
        refused: true,
      },
    ],
  ];
  return {
    end: stopAll(subjects),
    cases: [
      { name: "HS256, one token", subjects: both([one]), claims: aimed("one token") },
      {
        name: "HS256, 100,000 tokens",
        about: NOT_REMEMBERED,
        subjects: both(distinct),
        claims: aimed("100,000 tokens"),
      },
      {
        name: "HS256 at forward-auth",
        subjects: [
          { subject: empty, requests: to("/", [one]) },
          { subject: own, label: "one token", requests: forwarded([one], "token") },
          { subject: own, label: "100,000 tokens", requests: forwarded(distinct, "token") },
        ],
      },
      {
        name: "What is refused",
        subjects: kinds.map(([label, how]) => ({ subject: own, label, ...how })),
        claims: (rows) =>
          rows.slice(2).map(({ label, micros }) => ({
            what: `${label}: of a good token, not seen lately`,
            value: micros / rows[0].micros,
            bound: 1,
          })),
      },
    ],
  };
}

export async function binding() {
  const caller = await bound("a Worker", "asker");
  await registerApp(caller.postern, { secret: SECRET });
  const token = hs256("user-1");
  await meet(caller.postern, [token]);
  const to = (path) => requests([{ path, headers: bearer(token) }]);
  const asking = (path, label) => ({ subject: caller, label, requests: to(path) });
  const about =
    "The Worker and Postern are in one process. A Worker's own HTTP is in the first line, " +
    "so what asking costs is the difference to it.";
  const asked = (method, path) => ({
    name: `Another Worker asks: ${method}`,
    about,
    subjects: [
      asking("/", "a Worker that asks nobody"),
      asking(`/${method}-same`, "gets the same answer by a binding, unverified"),
      asking(`/${method}`, "asks Postern by the binding"),
      asking(`/${method}-http`, "asks Postern by HTTP over a service binding"),
      { subject: caller.postern, label: "Postern, asked by HTTP", requests: to(path) },
    ],
  });
  return {
    end: stopAll([caller]),
    cases: [asked("verify", "/v1/verify"), asked("check", "/v1/check?service=1&permission=VIEW")],
  };
}

/** How many cold starts are measured of each subject. */
const STARTS = 7;

export async function coldStart() {
  const state = folder();
  const bindings = deployment();
  const first = await postern({ state, bindings });
  await registerApp(first, { secret: SECRET });
  const headers = bearer(hs256("user-1"));
  expectStatus(await first.send({ path: "/v1/verify", headers }), 200);
  await first.stop();
  const subjects = [
    ["an empty Worker", "/", () => peer("an empty Worker", "empty")],
    ["Postern", "/v1/verify", () => postern({ state, bindings, migrate: false })],
    ["Hono + jose", "/verify/HS256", () => peer("Hono + jose", "hono_jose", { HS256: SECRET })],
  ];
  const started = async (path, start) => {
    const subject = await start();
    expectStatus(await subject.send({ path, headers }), 200);
    const times = { wall: performance.now() - subject.startedAt, cpu: used(subject.pid) * 1e3 };
    await subject.stop();
    return times;
  };
  const table = async () => {
    const times = subjects.map(() => []);
    for (let round = 0; round <= STARTS; round += 1) {
      for (const [index, [, path, start]] of subjects.entries())
        times[index].push(await started(path, start));
    }
    const of = (index, key) => figure(median(times[index].slice(1).map((one) => one[key])));
    return markdown(
      ["subject", "ms to the first answer", "CPU ms until then"],
      subjects.map(([label], index) => [label, of(index, "wall"), of(index, "cpu")]),
    );
  };
  const about =
    "From the start of the process to the first verification, of which Postern's is the only one " +
    "that asks D1. Miniflare's own start and its Workers for D1 and KV are in it, for all alike.";
  return { end: async () => {}, cases: [{ name: "Cold start", about, table }] };
}

/** How many scheduled events are measured after a change. */
const EVENTS = 10;

/** The copy in KV: what a scheduled event costs, by how much has changed. */
export async function copyInKv() {
  const one = await postern();
  const user = (id, name) => ({
    record: "user",
    id,
    username: `user${id}`,
    name,
    email: `user${id}@example.com`,
    type: "SYS_Reader",
    enabled: true,
  });
  const put = async (records) => {
    const body = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    expectStatus(await one.send({ method: "POST", path: "/v1/import", headers: admin, body }), 200);
  };
  for (let first = 1000; first < 11_000; first += 500)
    await put(many(500, (index) => user(first + index, `User ${first + index}`)));
  const disable = async (count, enabled) => {
    for (let id = 1000; id < 1000 + count; id += 1) {
      expectStatus(
        await one.send({
          method: "PATCH",
          path: `/v1/users/${id}`,
          headers: admin,
          json: { enabled },
        }),
        200,
      );
    }
  };
  const cpu = async () => {
    const before = used(one.pid);
    const { outcome } = await one.scheduled();
    if (outcome !== "ok") throw new Error(`the scheduled event ended ${outcome}`);
    return (used(one.pid) - before) * 1e3;
  };
  const mean = async (change) => {
    let sum = 0;
    for (let event = 0; event < EVENTS; event += 1) {
      await change(event);
      sum += await cpu();
    }
    return figure(sum / EVENTS);
  };
  const table = async () => {
    const rows = [
      [
        "an import, so that all of it is written",
        await mean((event) => put([user(1000, `Event ${event}`)])),
      ],
    ];
    rows.push(["nothing", await mean(() => {})]);
    for (const count of [1, 10, 100]) {
      const label = count === 1 ? "1 user" : `${count} users`;
      rows.push([label, await mean((event) => disable(count, event % 2 === 1))]);
    }
    return markdown(["what has changed", "CPU ms of a scheduled event"], rows);
  };
  const about =
    `With 10,000 users; the means of ${EVENTS} events. ` +
    "Miniflare's Workers for D1 and KV are in them.";
  return { end: stopAll([one]), cases: [{ name: "The copy in KV", about, table }] };
}

export async function publicKeys() {
  const made = ALGORITHMS.map(issuer);
  const keys = Object.fromEntries(made.map(({ alg, pem }) => [alg, pem]));
  const prepare = async (one) => {
    for (const { alg, token, pem } of made) {
      await registerApp(one, { name: alg, token_name: alg, algorithm: alg, secret: pem });
      await meet(one, await Promise.all(many(1000, (index) => token(userOf(index)))));
    }
  };
  const subjects = [
    await several(() => peer("an empty Worker", "empty")),
    await several(() => postern(), prepare),
    await several(() => peer("Hono + jose", "hono_jose", keys)),
  ];
  const [empty, own, jose] = subjects;
  const cases = [];
  for (const { alg, token } of made) {
    const one = await token("user-1");
    const distinct = await Promise.all(many(FORGOTTEN, (index) => token(userOf(index))));
    const to = (path, tokens) => requests(tokens.map((text) => ({ path, headers: bearer(text) })));
    const both = (tokens) => [
      { subject: empty, requests: to("/", tokens) },
      { subject: own, requests: to("/v1/verify", tokens) },
      { subject: jose, requests: to(`/verify/${alg}`, tokens) },
    ];
    cases.push(
      {
        name: `${alg}, one token`,
        subjects: both([one]),
        claims: (rows) => [
          {
            what: `${alg}, one token: Postern of an empty Worker`,
            value: of(rows, "Postern") / of(rows, "an empty Worker"),
            bound: 1.4,
          },
        ],
      },
      {
        name: `${alg}, 100,000 tokens`,
        about: NOT_REMEMBERED,
        subjects: both(distinct),
        claims: (rows) => [
          {
            what: `${alg}, 100,000 tokens: Postern of Hono + jose`,
            value: of(rows, "Postern") / of(rows, "Hono + jose"),
            bound: 1,
          },
        ],
      },
      {
        name: `${alg} at forward-auth`,
        subjects: [
          { subject: empty, requests: to("/", [one]) },
          { subject: own, label: "one token", requests: forwarded([one], alg) },
          { subject: own, label: "100,000 tokens", requests: forwarded(distinct, alg) },
        ],
      },
    );
  }
  return { end: stopAll(subjects), cases };
}

export async function tokenApps() {
  const single = await postern({ name: "one app" });
  const crowd = await postern({ name: "10,000 apps" });
  await registerApp(single, { secret: SECRET });
  for (let index = 0; index < 10_000; index += 1) {
    await registerApp(crowd, {
      name: `APP-${index}`,
      token_name: `token-${index}`,
      secret: SECRET,
    });
  }
  const token = hs256("user-1");
  for (const path of ["/v1/verify?app=APP-77", `/v1/verify?token-77=${token}`])
    expectStatus(
      await crowd.send({ path, headers: path.includes("app=") ? bearer(token) : {} }),
      200,
    );
  expectStatus(await single.send({ path: "/v1/verify", headers: bearer(token) }), 200);
  const named = many(500, (index) => ({
    path: `/v1/verify?app=APP-${index}`,
    headers: bearer(token),
  }));
  const parameters = many(500, (index) => ({ path: `/v1/verify?token-${index}=${token}` }));
  return {
    end: stopAll([single, crowd]),
    cases: [
      {
        name: "10,000 token apps",
        subjects: [
          {
            subject: single,
            requests: requests([{ path: "/v1/verify?app=ERP", headers: bearer(token) }]),
          },
          { subject: crowd, label: "10,000 apps, app=", requests: requests(named) },
          {
            subject: single,
            label: "one app, parameter",
            requests: requests([{ path: `/v1/verify?token=${token}` }]),
          },
          { subject: crowd, label: "10,000 apps, parameter", requests: requests(parameters) },
        ],
        claims: (rows) => [
          {
            what: "10,000 apps with app=: of one app",
            value: rows[1].micros / rows[0].micros,
            bound: 1.2,
          },
          {
            what: "10,000 apps by parameter: of one app",
            value: rows[3].micros / rows[2].micros,
            bound: 1.2,
          },
        ],
      },
    ],
  };
}

/** Postern writes a name down that is new to it, which would be measured with the check. */
const NO_PROFILE = { name: undefined, email: undefined };

export async function permissionChecks() {
  const empty = await peer("an empty Worker", "empty");
  const cases = [];
  const subjects = [empty];
  const byGrants = {};
  for (const grants of [1_000, 1_000_000]) {
    const { state, bindings, size } = await directory(grants);
    const again = await postern({
      name: `Postern, ${grants.toLocaleString("en")} grants`,
      state,
      bindings,
      migrate: false,
    });
    const drizzle = await peer(
      `Hono + Drizzle + D1, ${grants.toLocaleString("en")} grants`,
      "hono_drizzle",
      { HS256: SECRET },
      { state: copyOf(state) },
    );
    // Miniflare's cache is a Worker with a database: what it costs says nothing of the platform's.
    const alone = await postern({
      name: again.name,
      state: copyOf(state),
      bindings,
      migrate: false,
      cache: false,
    });
    subjects.push(again, alone, drizzle);
    // No pair of a user and a service twice.
    const service = (index) => 1 + ((index + Math.floor(index / USERS)) % size.services);
    const ask = (index) => ({
      query: `service=${service(index)}&permission=VIEW`,
      headers: bearer(hs256(memberName(index), NO_PROFILE)),
    });
    const asked = (count, path) =>
      requests(
        many(count, (index) => ask(index)).map(({ query, headers }) => ({
          path: `${path}?${query}`,
          headers,
        })),
      );
    const one = ask(0);
    for (const end = Date.now() + UNTIL_INERT_MS; Date.now() < end; await sleep(500)) {
      expectStatus(await alone.send({ path: `/v1/check?${one.query}`, headers: one.headers }), 200);
    }
    byGrants[grants] = {
      own: again,
      alone,
      drizzle,
      warm: (path) => asked(100, path),
      cold: (path) => asked(60_000, path),
    };
  }
  for (const [grants, { own, drizzle, warm }] of Object.entries(byGrants)) {
    cases.push({
      name: `Permission check, warm, ${Number(grants).toLocaleString("en")} grants`,
      subjects: [
        { subject: empty, requests: warm("/") },
        { subject: own, requests: warm("/v1/check") },
        { subject: drizzle, requests: warm("/check") },
      ],
      claims: (rows) => [
        {
          what: `check, warm, ${grants} grants: of an empty Worker`,
          value: rows[1].micros / rows[0].micros,
          bound: 1.5,
        },
      ],
    });
  }
  cases.push({
    name: "Permission check, cold",
    seconds: 2,
    about:
      "Each request is of another user and another service, that the isolate has not seen; " +
      "the peer keeps nothing anyway, and does not walk the departments above. " +
      "Postern has no shared cache here, as on workers.dev.",
    subjects: Object.values(byGrants).flatMap(({ alone, drizzle, cold }) => [
      { subject: drizzle, requests: cold("/check") },
      { subject: alone, requests: cold("/v1/check"), distinct: true },
    ]),
    claims: (rows) => [
      {
        what: "check, cold, a thousand grants: of Hono + Drizzle + D1",
        value: rows[1].micros / rows[0].micros,
        bound: 1,
      },
      {
        what: "check, cold, a million grants: of Hono + Drizzle + D1",
        value: rows[3].micros / rows[2].micros,
        bound: 1,
      },
      {
        what: "check, cold: a million grants of a thousand",
        value: rows[3].micros / rows[1].micros,
        bound: 1.3,
      },
    ],
  });
  const list = (size) => ({
    path: `/api/v1/services/auth?serviceId=1&authObjectType=USER&pageSize=${size}`,
    headers: admin,
  });
  const { own } = byGrants[1_000_000];
  cases.push({
    name: "Lists of grants, of a million",
    subjects: [10, 2000].map((size) => ({
      subject: own,
      label: `a page of ${size}`,
      requests: requests([list(size)]),
    })),
  });
  return { end: stopAll(subjects), cases };
}

/** How often the ways of a WebSocket take turns, and for how many seconds each. */
const TURNS = { rounds: 5, seconds: 3 };

export async function streams() {
  const origin = await echoing();
  const own = await postern({
    bindings: deployment({ ORIGIN_URL: origin.url, ORIGIN_PUBLIC: "/public" }),
  });
  await registerApp(own, { secret: SECRET });
  const ways = [
    ["directly, without a gateway", { url: origin.url }],
    ["a public path: handed to the runtime", { url: `${own.url}public/x`, pid: own.pid }],
    [
      "a path with a credential: relayed and watched",
      { url: `${own.url}x`, pid: own.pid, headers: bearer(hs256("user-1")) },
    ],
  ];
  const table = async () => {
    const results = ways.map(() => []);
    for (let round = 0; round < TURNS.rounds; round += 1) {
      for (const [index, [, { url, ...way }]] of ways.entries())
        results[index].push(await echo(url, { ...way, seconds: TURNS.seconds }));
    }
    const line = ([label, { pid }], index) => {
      const of = (key) => figure(median(results[index].map((one) => one[key])));
      return [label, of("rate"), pid ? of("micros") : ""];
    };
    return markdown(["way", "echoes/s", "CPU µs of workerd an echo"], ways.map(line));
  };
  const about =
    "Messages of 100 bytes, 16 connections with 16 messages on their way each. " +
    "An echo is two messages. Client and origin share the other processor.";
  const end = async () => {
    await own.stop();
    await origin.stop();
  };
  return { end, cases: [{ name: "WebSocket through the gateway", about, table }] };
}

export async function signIns() {
  const own = await postern();
  const body = JSON.stringify({ username: "admin", password: ADMIN_PASSWORD });
  const request = {
    method: "POST",
    path: "/imanager/cloud/security/tokens.json",
    headers: { "content-type": "application/json" },
    body,
  };
  expectStatus(await own.send({ ...request, body }), 200);
  return {
    end: stopAll([own]),
    cases: [
      {
        name: "Sign-in (Argon2id, 19 MiB, two passes)",
        subjects: [{ subject: own, requests: requests([request]) }],
        connections: 2,
      },
    ],
  };
}

/** What people wait for whose token is verified while others sign in on the same isolate. */
export async function besideSignIns() {
  const own = await postern();
  await registerApp(own, { secret: SECRET });
  const token = hs256("user-1");
  await meet(own, [token]);
  const verifying = requests([{ path: "/v1/verify", headers: bearer(token) }]);
  const body = JSON.stringify({ username: "admin", password: ADMIN_PASSWORD });
  // Each from an address of its own, since one address may not sign in that often.
  const signIn = (index) => ({
    method: "POST",
    path: "/imanager/cloud/security/tokens.json",
    headers: {
      "content-type": "application/json",
      "cf-connecting-ip": `10.1.${index >> 8}.${index & 255}`,
    },
    body,
  });
  const signingIn = requests(many(4096, signIn));
  const table = async () => {
    const lines = [];
    for (const connections of [0, 2, 8]) {
      const beside =
        connections > 0
          ? measure(own, signingIn, { seconds: 5, connections })
          : Promise.resolve({ rate: 0, p50: 0 });
      const [signed, verified] = await Promise.all([
        beside,
        measure(own, verifying, { seconds: 4, connections: 4 }),
      ]);
      lines.push([
        `${connections}`,
        figure(signed.rate),
        figure(signed.p50 / 1000),
        figure(verified.rate),
        figure(verified.p50 / 1000),
        figure(verified.p99 / 1000),
      ]);
    }
    return markdown(
      ["connections that sign in", "sign-ins/s", "p50 ms", "verifications/s", "p50 ms", "p99 ms"],
      lines,
    );
  };
  const about = "Four connections verify one HS256 token, in one process with those that sign in.";
  return { end: stopAll([own]), cases: [{ name: "Verification beside sign-ins", about, table }] };
}
