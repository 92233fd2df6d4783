// Where the time of a warm verification and of a warm check goes, and what crosses from wasm to
// JavaScript: .build/bench/profile.md, by `perf`, which samples workerd; V8's map names what it
// compiled. Run by `make bench` where there is `perf`.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A map of what was compiled, in /tmp where `perf` looks for it, and no log beside it. */
const FLAGS = ["--perf-basic-prof", "--no-logfile-per-isolate", "--logfile=/dev/null"];

// Miniflare hands them to workerd, and takes them from nowhere else.
process.env.MINIFLARE_WORKERD_V8_FLAGS = FLAGS.join(" ");

const { registerApp } = await import("../tests/edge/support/client.mjs");
const { startWorkerd, top } = await import("../tests/edge/support/workerd.mjs");
const { measure, requests } = await import("./load.mjs");
const { end, folder, peer, postern } = await import("./subjects.mjs");
const { figure, markdown } = await import("./table.mjs");
const { SECRET, bearer, hs256 } = await import("./tokens.mjs");

const FREQUENCY = 1999;
const SECONDS = 6;
const CONNECTIONS = 16;
const headers = bearer(hs256("user-1"));
const VERIFY = "/v1/verify";
const CHECK = "/v1/check?service=1&permission=VIEW";

const PARTS = ["kernel", "workerd", "wasm", "JavaScript", "libraries"];

/**
 * Which part a sample is of. Names of wasm functions end with the compiler; those of JavaScript
 * begin with a mark of it.
 */
function part(object, symbol) {
  if (object === "[kernel.kallsyms]" || object === "[vdso]") return "kernel";
  if (object === "workerd") return "workerd";
  if (!/^\[JIT\]|^perf-\d+\.map$/.test(object)) return "libraries";
  return /-(turbofan|liftoff|none)$/.test(symbol) ? "wasm" : "JavaScript";
}

/** Samples a subject under load: µs a request by part, and by function. */
async function profile(subject, path) {
  const asked = requests([{ path, headers }]);
  await measure(subject, asked, { seconds: 3, connections: CONNECTIONS });
  const file = join(folder(), "perf.data");
  const perf = spawn(
    "perf",
    [
      "record",
      "-q",
      "-e",
      "cpu-clock",
      "-F",
      String(FREQUENCY),
      "-p",
      String(subject.pid),
      "-o",
      file,
    ],
    { stdio: "ignore" },
  );
  const ended = once(perf, "exit");
  await sleep(1000);
  const result = await measure(subject, asked, { seconds: SECONDS, connections: CONNECTIONS });
  perf.kill("SIGINT");
  await ended;
  const report = [
    "report",
    "-i",
    file,
    "--no-children",
    "-F",
    "sample,dso,symbol",
    "-t",
    "\t",
    "--stdio",
  ];
  const text = execFileSync("perf", report, {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 1 << 28,
  }).toString();
  const parts = Object.fromEntries(PARTS.map((name) => [name, 0]));
  const functions = new Map();
  for (const line of text.split("\n")) {
    const [samples, object, symbol] = line.split("\t").map((cell) => cell.trim());
    if (symbol === undefined || line.startsWith("#")) continue;
    const micros = ((Number(samples) / FREQUENCY) * 1e6) / result.requests;
    const of = part(object, symbol);
    parts[of] += micros;
    const name = symbol
      .replace(/^\[.\] (JS:)?/, "")
      .replace(/(::h[0-9a-f]{16})?-\d+-turbofan$/, "");
    const key = `${of}\t${name}`;
    functions.set(key, (functions.get(key) ?? 0) + micros);
  }
  return { parts, functions };
}

/**
 * What V8 wrote, to be removed at the end: a subject that is looked at twice needs its map twice.
 */
const maps = new Set();
const mapped = (subject) => {
  maps.add(`/tmp/perf-${subject.pid}.map`);
  return subject;
};

async function crossings() {
  const { isolates, stop } = mapped(await startWorkerd({ isolates: [{ entry: "crossings" }] }));
  const [isolate] = isolates;
  await registerApp(isolate, { secret: SECRET });
  const rows = [];
  for (const [label, path] of [
    ["verification", VERIFY],
    ["check", CHECK],
  ]) {
    for (let warm = 0; warm < 3; warm += 1) await isolate.send({ path, headers });
    await isolate.send({ path: "/testing" });
    await isolate.send({ path, headers });
    const { json } = await isolate.send({ path: "/testing" });
    const named = Object.entries(json).map(
      ([name, count]) => `${name.replace(/^__wbg_|_[0-9a-f]{16}$/g, "")} ${count}`,
    );
    rows.push([
      label,
      Object.values(json).reduce((sum, count) => sum + count, 0),
      named.join(", "),
    ]);
  }
  await stop();
  return markdown(["warm", "crossings", "which"], rows);
}

try {
  const empty = mapped(await peer("an empty Worker", "empty"));
  const own = mapped(await postern());
  const jose = mapped(await peer("Hono + jose", "hono_jose", { HS256: SECRET }));
  await registerApp(own, { secret: SECRET });
  for (const path of [VERIFY, CHECK]) await own.send({ path, headers });
  const profiles = [
    ["an empty Worker", await profile(empty, "/")],
    ["Postern, verification", await profile(own, VERIFY)],
    ["Postern, check", await profile(own, CHECK)],
    ["Hono + jose, verification", await profile(jose, "/verify/HS256")],
  ];
  const rows = profiles.map(([label, { parts }]) => {
    const all = Object.values(parts);
    return [
      label,
      ...all.map((micros) => micros.toFixed(1)),
      figure(all.reduce((sum, micros) => sum + micros, 0)),
    ];
  });
  const [, verification] = profiles[1];
  const most = [...verification.functions]
    .filter(([key]) => /^(wasm|JavaScript)\t/.test(key))
    .sort((a, b) => b[1] - a[1])
    .slice(0, 15);
  const sections = [
    `CPU µs a request, by \`perf record -e cpu-clock -F ${FREQUENCY}\` ` +
      `over ${SECONDS} s of load on workerd. HS256, one token; warm; one process each.`,
    markdown(["subject", ...PARTS, "all"], rows),
    "What crosses from wasm to JavaScript (`tests/edge/crossings.test.mjs` holds it there):",
    await crossings(),
    "What Postern itself spends on a verification, the most expensive functions of wasm and " +
      "JavaScript:",
    markdown(
      ["part", "function", "µs a request"],
      most.map(([key, micros]) => [
        ...key.split("\t").map((cell, at) => (at ? `\`${cell}\`` : cell)),
        micros.toFixed(2),
      ]),
    ),
  ];
  writeFileSync(join(top, ".build/bench/profile.md"), `${sections.join("\n\n")}\n`);
} finally {
  await end();
  maps.forEach((map) => rmSync(map, { force: true }));
}
