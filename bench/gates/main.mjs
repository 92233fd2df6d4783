// Postern beside what people put in front of applications, in one table. Each gate is first seen to
// answer right: a wrong answer ends the benchmark.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { registerApp } from "../../tests/edge/support/client.mjs";
import { send } from "../../tests/edge/support/http.mjs";
import { USERS, directory, memberName } from "../grants.mjs";
import { requests } from "../load.mjs";
import { copyOf, folder, twins } from "../subjects.mjs";
import { figure, markdown } from "../table.mjs";
import { apache } from "./apache.mjs";
import { axum } from "./axum.mjs";
import { caddy } from "./caddy.mjs";
import { casbin } from "./casbin.mjs";
import { cedar } from "./cedar.mjs";
import { cerbos } from "./cerbos.mjs";
import { jwtAuthn, jwtAuthnCached } from "./envoy.mjs";
import { haproxy } from "./haproxy.mjs";
import { authRequest, njs } from "./nginx.mjs";
import { cold, direct, emptyWorker, forwardAuth, honoDrizzle, honoJose } from "./postern.mjs";
import { questions } from "./questions.mjs";
import { spicedb } from "./spicedb.mjs";
import { sqlite } from "./sqlite.mjs";
import { ALGORITHMS, ISSUERS, token } from "./tokens.mjs";
import { traefik } from "./traefik.mjs";

const GATES = [
  ...[emptyWorker, direct, forwardAuth, cold, honoJose, honoDrizzle],
  ...[authRequest, njs, caddy, traefik, jwtAuthn, jwtAuthnCached, haproxy, apache, axum],
  ...[sqlite, cerbos, cedar, casbin, spicedb],
];
const GRANTS = 1_000_000;
/** So many questions that none comes twice. */
const COLD = 60_000;
/** The bound of Postern's default, and two seconds for clocks that differ. */
const REVOKED_WITHIN_MS = 12_000;

function isInstalled({ needs }) {
  try {
    needs();
    return true;
  } catch {
    return false;
  }
}

const withToken = (question, options) => ({
  ...question,
  token: token("HS256", question.username, { profile: false, ...options }),
});

/** Runs what asks, whose verdict must be the expected one. */
async function expects(gate, { url }, request, expected, what) {
  const answer = await send(url, request);
  const verdict = gate.verdict(answer);
  if (verdict === expected) return;
  const said = `${answer.status} ${answer.text.slice(0, 300)}`;
  throw new Error(`${gate.name}: ${what} is ${verdict}, not ${expected}: ${said}`);
}

const WRONG = { "a forged token": { forged: true }, "an expired token": { lifetime: -3600 } };

async function answersRight(gate, running, asked) {
  const one = (request, expected, what) => expects(gate, running, request, expected, what);
  for (const alg of gate.algorithms) {
    await one(gate.verify(alg, token(alg, "user1")), "allowed", `a good token, ${alg}`);
    if (gate.open) continue;
    for (const [what, options] of Object.entries(WRONG)) {
      await one(gate.verify(alg, token(alg, "user1", options)), "unauthorized", `${what}, ${alg}`);
    }
  }
  if (!gate.check) return;
  const kinds = {
    allowed: "allowed",
    denied: "denied",
    ...(gate.above !== false && { above: "allowed" }),
  };
  for (const [kind, expected] of Object.entries(kinds)) {
    for (const question of asked[kind]) {
      const { username, service } = question;
      await one(
        gate.check(withToken(question)),
        expected,
        `${username} on service ${service}, ${kind},`,
      );
    }
  }
  for (const [what, options] of Object.entries(WRONG)) {
    await one(
      gate.check(withToken(asked.allowed[0], options)),
      "unauthorized",
      `${what} at a check`,
    );
  }
}

/** Sees that a user who was let in is refused soon after somebody else has disabled them. */
async function revokesSoon(gate, given, running, question) {
  const request = gate.check
    ? gate.check(withToken(question))
    : gate.verify("HS256", token("HS256", question.username));
  await expects(gate, running, request, "allowed", "a user who will be disabled");
  await gate.revoke(given, running, question.username);
  for (const until = Date.now() + REVOKED_WITHIN_MS; ; await sleep(100)) {
    if (gate.verdict(await send(running.url, request)) !== "allowed") return;
    if (Date.now() > until) throw new Error(`${gate.name}: a disabled user is still let in`);
  }
}

/** Questions that come once each, most of which are denied, of users who are not disabled. */
function coldQuestions({ services }, disabled) {
  const left = new Set(disabled.map(({ username }) => username));
  const all = Array.from({ length: COLD }, (_, index) => {
    const service = 1 + ((index + Math.floor(index / USERS)) % services);
    return { username: memberName(index), service };
  });
  return all.filter(({ username }) => !left.has(username)).map((question) => withToken(question));
}

const KINDS = [...ALGORITHMS, "check"];

/** What a gate is asked while it is measured, by kind. */
function loads(gate, running, asked, cold) {
  const subject = { name: gate.name, ...running };
  const verified = (alg) => [alg, [gate.verify(alg, token(alg, "user1"))]];
  const checks = () => (gate.distinct ? cold() : asked.map((question) => withToken(question)));
  const kinds = [
    ...gate.algorithms.map(verified),
    ...(gate.check ? [["check", checks().map(gate.check)]] : []),
  ];
  return kinds.map(([kind, list]) => ({
    subject,
    label: `${gate.name}, ${kind}`,
    distinct: gate.distinct,
    requests: requests(list),
  }));
}

const HEAD = ["gate", ...KINDS.map((kind) => (kind === "check" ? "permission check" : kind))];
const CAN = [
  "tells a revocation in 10 s",
  "holds grants",
  "no server to run",
  "new keys and apps",
  "refuses forged",
];

const about = (checks) =>
  `
Each cell has CPU µs a request · requests a second. The time is that of all processes of a gate, and
of Postern where it asks that. A gate verifies one token of each algorithm again and again, and
makes ${checks} permission checks (VIEW, with a token by HS256) again and again. Where nothing is
remembered, each check is of another user and service. A gate has one worker process or thread where
that can be set, and guards a page of its own: no application is behind it.

The directory has a million grants. casbin and SpiceDB have those of the services that are asked
about, some ten thousand. Cerbos and Cedar hold no grants: they are handed those of the service with
each question. The bench has them ready for Cerbos, where an application would have to read them.

Each gate was first seen to let in what it must, and to refuse forged signatures, expired tokens and
checks that are denied. Where a revocation is told, a user was disabled elsewhere, and refused
within ten seconds, and two more for clocks that differ. The other columns are what a gate's
documentation says.
`.trim();

function layout(rows, started, missing) {
  const cells = (gate) =>
    KINDS.map((kind) => {
      const row = rows.find((one) => one.label === `${gate.name}, ${kind}`);
      return row ? `${figure(row.micros)} · ${figure(row.rate)}` : "";
    });
  const line = (gate) => {
    const { revocation, grants, serverless, keys } = gate.can;
    return [
      gate.name,
      ...cells(gate),
      revocation,
      grants,
      serverless,
      keys,
      gate.open ? "no" : "yes",
    ];
  };
  const absent = missing.map(({ name }) => [
    name,
    ...KINDS.map(() => "not installed here"),
    ...CAN.map(() => ""),
  ]);
  return markdown([...HEAD, ...CAN], [...started.map(({ gate }) => line(gate)), ...absent]);
}

export async function gates() {
  const { state, bindings, size } = await directory(GRANTS);
  // Before somebody writes into it.
  const spare = copyOf(state);
  const postern = await twins({ state, bindings });
  for (const alg of ALGORITHMS) {
    const secret = alg === "HS256" ? SECRET : ISSUERS[alg].key;
    const names = alg === "HS256" ? {} : { name: alg, token_name: alg };
    await registerApp(postern, { ...names, algorithm: alg, secret });
  }
  const found = questions(size);
  // Each gate disables a user of its own.
  const disabled = found.allowed.splice(0, GATES.length);
  const started = [];
  const end = async () => {
    for (const { running } of started) await running.stop();
    await postern.stop();
  };
  const missing = GATES.filter((gate) => !isInstalled(gate));
  try {
    for (const [index, gate] of GATES.entries()) {
      if (missing.includes(gate)) continue;
      const own = join(folder(), "gate");
      mkdirSync(own);
      const given = { folder: own, postern, state: spare, questions: { ...found, disabled } };
      const running = await gate.start(given);
      started.push({ gate, running });
      await answersRight(gate, running, found);
      if (gate.revoke) await revokesSoon(gate, given, running, disabled[index]);
    }
  } catch (error) {
    await end();
    throw error;
  }
  const cold = () => coldQuestions(size, disabled);
  const subjects = started.flatMap(({ gate, running }) =>
    loads(gate, running, found.allowed, cold),
  );
  const one = {
    name: "Beside other gates",
    section: true,
    about: about(found.allowed.length),
    subjects,
    layout: (rows) => layout(rows, started, missing),
  };
  return { end, cases: [one] };
}
