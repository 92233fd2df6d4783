// Compares checkouts of Postern with each other in one run, for example before and after a change:
//
//   node bench/compare.mjs ../before . --cases verify,check --rounds 6
//
// Each checkout must be built (`make build` there), and runs on the workerd of its own
// `node_modules`. A checkout has several processes, since two processes of the same code differ by
// some per cent. All take turns: every round measures each checkout once, and every other round
// goes through them backwards. Before it is measured, a process has the same load for a second.
// What counts is the processor's time of the workerd process, so that other work on the machine
// disturbs little. Name a checkout twice to see how far two figures of the same code differ.

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { measure, median, requests, spread } from "./load.mjs";
import { figure, markdown } from "./table.mjs";
import { end, folder } from "./subjects.mjs";
import { SECRET, UNTIL_INERT_MS, bearer, hs256, issuer, many } from "./tokens.mjs";

const CONNECTIONS = 16;
const USERS = 100;
/**
 * Far more than Postern caches, so that a token is no longer cached when it is sent again.
 */
const TOKENS = 20_000;

const PEERS = {
  empty: { label: "an empty Worker", path: () => "/" },
  jose: { label: "Hono + jose", file: "hono_jose", path: (alg) => `/verify/${alg}` },
};

const userOf = (index) => `user-${index % USERS}`;
const { token: rs256, pem } = issuer("RS256");
/** Tokens of all users in turn. */
const tokens = (count, token) => Promise.all(many(count, (index) => token(userOf(index))));

const one = hs256("user-1");
const forged = hs256("user-1", {}, "a secret of thirty-two bytes, no");
const sending = (path, tokens) => tokens.map((token) => ({ path, headers: bearer(token) }));

/**
 * What can be measured. `list` makes the requests, which all checkouts get; or `own` makes those of
 * one process. `peers` are the algorithms that Hono and jose verify. Of `distinct` requests none is
 * sent twice to a process.
 */
const CASES = {
  empty: {
    about: "a path that nobody serves, 404",
    list: () => [{ path: "/none" }],
    refused: true,
  },
  verify: {
    about: "/v1/verify, one token (HS256), in memory",
    list: () => sending("/v1/verify", [one]),
    peers: "HS256",
  },
  hs256: {
    about: `/v1/verify, ${TOKENS} tokens (HS256)`,
    list: async () => sending("/v1/verify", await tokens(TOKENS, hs256)),
    peers: "HS256",
  },
  rs256: {
    about: `/v1/verify, ${TOKENS} tokens (RS256)`,
    list: async () => sending("/v1/verify", await tokens(TOKENS, rs256)),
    peers: "RS256",
  },
  check: {
    about: "/v1/check, one token, warm",
    list: () => sending("/v1/check?service=1&permission=VIEW", [one]),
    peers: "HS256",
  },
  refused: {
    about: "/v1/verify, a wrong signature, 401",
    list: () => sending("/v1/verify", [forged]),
    refused: true,
    peers: "HS256",
  },
  opaque: {
    about: "/v1/verify, an opaque token of a sign-in, in memory",
    own: async ({ client, send }) => sending("/v1/verify", [(await client.signIn({ send })).token]),
  },
  cold: {
    about: "/v1/check, a user and a service that memory has not together",
    async own({ send }) {
      const [warm] = sending("/v1/check?service=1&permission=VIEW", [one]);
      for (const until = Date.now() + UNTIL_INERT_MS; Date.now() < until; await sleep(500))
        await send(warm);
      return many(100_000, (index) => index).flatMap((index) =>
        sending(`/v1/check?service=${2 + Math.floor(index / USERS)}&permission=VIEW`, [
          firsts[index % USERS],
        ]),
      );
    },
    distinct: true,
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: "string", default: "empty,verify,hs256,check,refused,opaque" },
    rounds: { type: "string", default: "6" },
    seconds: { type: "string", default: "2" },
    processes: { type: "string", default: "3" },
    peers: { type: "string", default: "" },
  },
});
const names = values.cases.split(",").filter(Boolean);
const peers = values.peers.split(",").filter(Boolean);
const [rounds, seconds, processes] = [values.rounds, values.seconds, values.processes].map(Number);
const unknown = [
  ...names.filter((name) => !Object.hasOwn(CASES, name)),
  ...peers.filter((name) => !Object.hasOwn(PEERS, name)),
];
if (
  positionals.length === 0 ||
  unknown.length > 0 ||
  !(rounds > 1 && Number.isInteger(seconds) && seconds > 0 && processes > 0)
) {
  const cases = Object.entries(CASES).map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`);
  console.error(`${unknown.map((name) => `unknown: ${name}\n`).join("")}\
usage: node bench/compare.mjs CHECKOUT… [--cases ${names.join(",")}] [--rounds 6] [--seconds 2]
  [--processes 3] [--peers empty,jose]

cases:
${cases.join("\n")}

peers, each on the workerd of each checkout (\`make bench\` bundles them):
${Object.entries(PEERS)
  .map(([name, { label }]) => `  ${name.padEnd(8)} ${label}`)
  .join("\n")}`);
  process.exit(2);
}
const top = resolve(import.meta.dirname, "..");
const bundle = (name) => join(top, `.build/bench/${PEERS[name].file ?? name}.mjs`);
for (const tree of positionals) {
  if (existsSync(join(tree, "build/index_bg.wasm"))) continue;
  console.error(`${tree} is not built: run \`make build\` there`);
  process.exit(2);
}
for (const name of peers.filter((name) => !existsSync(bundle(name)))) {
  console.error(`${bundle(name)} is missing: \`ONLY=none make bench\` bundles the peers`);
  process.exit(2);
}

/** The first tokens of as many users, by which a process gets to know them. */
const firsts = await tokens(USERS, hs256);
const running = [];

const moduleOf = (tree, path) => import(pathToFileURL(join(resolve(tree), path)));

async function started(tree, isolate, migrate) {
  const { startWorkerd } = await moduleOf(tree, "tests/edge/support/workerd.mjs");
  const isolates = [{ database: "bench", namespace: "bench", ...isolate }];
  const workerd = await startWorkerd({ isolates, folder: folder(), migrate });
  running.push(workerd);
  return { pid: workerd.pid, ...workerd.isolates[0] };
}

/** A process of a checkout, with the apps and users that all cases need. */
async function postern(tree, name) {
  const { deployment } = await moduleOf(tree, "tests/edge/support/workerd.mjs");
  const client = await moduleOf(tree, "tests/edge/support/client.mjs");
  // Miniflare's cache is a Worker with a database: what it costs says nothing of the platform's.
  const isolate = await started(tree, { bindings: deployment(), cache: false }, true);
  const rsa = { name: "RSA", token_name: "rsa", algorithm: "RS256", secret: pem };
  for (const app of [{ secret: SECRET }, rsa]) await client.registerApp(isolate, app);
  for (const token of [...firsts, ...(await tokens(USERS, rs256))]) {
    const answer = await isolate.send({ path: "/v1/verify", headers: bearer(token) });
    client.expectStatus(answer, 200);
  }
  return { name, client, ...isolate };
}

async function peer(tree, name, label) {
  const modules = [{ type: "ESModule", path: bundle(name) }];
  const KEYS = JSON.stringify({ HS256: SECRET, RS256: pem });
  const isolate = { entry: { modules, modulesRoot: top }, bindings: { KEYS } };
  return { name: label, ...(await started(tree, isolate, false)) };
}

/** One subject: a checkout, or a peer on its workerd. */
const subjects = positionals.flatMap((tree, index) => {
  const name = `${positionals.length > 1 ? `${index + 1}: ` : ""}${basename(resolve(tree))}`;
  const beside = peers.map((peer) => ({ tree, peer, name: `${name}: ${PEERS[peer].label}` }));
  return [{ tree, name }, ...beside];
});

/** The requests of a case for a process. Where its code does not serve them, it answers why. */
async function requestsFor(one, { list, own, refused }, { peer }, alg) {
  try {
    const made = own ? await own(one) : await list();
    const asked = peer ? made.map((ask) => ({ ...ask, path: PEERS[peer].path(alg) })) : made;
    const { status } = await one.send(asked[0]);
    const isExpected = peer === "empty" || (refused ? status >= 400 : status < 300);
    return isExpected ? { requests: requests(asked) } : { lacks: `answers ${status}` };
  } catch (error) {
    return { lacks: error.message.split("\n")[0] };
  }
}

async function run(name) {
  const measured = { ...CASES[name] };
  const list = measured.list && (await measured.list());
  if (list) measured.list = () => list;
  const ready = async (subject, one) => ({
    one,
    at: 0,
    ...(await requestsFor(one, measured, subject, measured.peers)),
  });
  const rows = await Promise.all(
    subjects
      .filter(({ peer }) => !peer || measured.peers)
      .map(async (subject) => {
        const asked = await Promise.all(subject.processes.map((one) => ready(subject, one)));
        const lacks = asked.find(({ lacks }) => lacks)?.lacks;
        return { subject, asked, results: [], lacks };
      }),
  );
  const load = async (asked, refused, seconds) => {
    const start = asked.at % asked.requests.count;
    const options = { seconds, connections: CONNECTIONS, start, refused };
    const result = await measure(asked.one, asked.requests, options);
    asked.at += result.requests;
    if (measured.distinct && asked.at > asked.requests.count)
      throw new Error(`${name}: there are too few requests for so many rounds`);
    return result;
  };
  for (let round = 0; round < rounds; round += 1) {
    const order = rows.filter(({ lacks }) => !lacks);
    for (const { subject, asked, results } of round % 2 ? order.reverse() : order) {
      const one = asked[round % asked.length];
      const refused = measured.refused && subject.peer !== "empty";
      await load(one, refused, 1);
      results.push(await load(one, refused, seconds));
    }
    process.stderr.write(`\r${name}: round ${round + 1} of ${rounds}   `);
  }
  process.stderr.write("\r\x1b[K");
  return rows;
}

/** µs a request over all rounds, or over all but one. */
function pooled(results, left) {
  const counted = results.filter((_, round) => round !== left);
  const sum = (key) => counted.reduce((all, result) => all + result[key], 0);
  return sum("used") / sum("requests");
}

function table(rows) {
  const [first] = rows;
  const lines = rows.map(({ subject, results, lacks }) => {
    if (lacks) return [subject.name, lacks, "", "", "", ""];
    const micros = results.map(({ used, requests }) => used / requests);
    const of = (left) => pooled(results, left) / pooled(first.results, left);
    const without = results.map((_, round) => of(round));
    const ratio = first.lacks ? "" : `${of().toFixed(3)} ± ${spread(without).toFixed(3)}`;
    const error = spread(results.map((_, round) => pooled(results, round)));
    return [
      subject.name,
      figure(pooled(results)),
      error.toFixed(1),
      figure(median(micros)),
      ratio,
      micros.map((value) => value.toFixed(0)).join(" "),
    ];
  });
  return markdown(
    ["checkout", "CPU µs a request", "±", "median of rounds", "of the first", "rounds"],
    lines,
  );
}

try {
  for (const subject of subjects) {
    const make = () =>
      subject.peer
        ? peer(subject.tree, subject.peer, subject.name)
        : postern(subject.tree, subject.name);
    subject.processes = [];
    for (let count = 0; count < processes; count += 1) subject.processes.push(await make());
  }
  for (const name of names)
    console.log(`\n### ${name}: ${CASES[name].about}\n\n${table(await run(name))}`);
} finally {
  await Promise.all(running.map((workerd) => workerd.stop().catch(() => {})));
  await end();
}
