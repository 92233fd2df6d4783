// Starts the built Worker on real workerd, with real D1 and KV, in as many isolates as a test
// wants.
//
// Miniflare's API starts in a second and lets several Workers share a process; `make demo` covers
// `wrangler dev`. Requests go directly to workerd and not through Miniflare's own entry, so that
// headers arrive as they were sent.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { randomBytes, randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { send } from "./http.mjs";

export const top = fileURLToPath(new URL("../../../", import.meta.url));

/** The first administrator's password. Transcripts rely on it. */
export const ADMIN_PASSWORD = "correct horse admin";

const ENTRIES = {
  /** The deployed Worker, wrapped to count crossings from wasm to JavaScript. */
  crossings: {
    root: top,
    main: "tests/edge/support/crossings-entry.mjs",
    more: ["tests/edge/support/counted-imports.mjs"],
    build: "scripts/build.sh",
  },
  /** The same, with a data set that keeps its data points. */
  analytics: {
    root: top,
    main: "tests/edge/support/analytics-entry.mjs",
    more: ["tests/edge/support/counted-imports.mjs"],
    build: "scripts/build.sh",
  },
  /** The deployed Worker. */
  shipped: { root: top, main: "src/edge/entry.mjs", build: "scripts/build.sh" },
  /** The deployed Worker, with routes that panic below `/panic`. */
  probe: {
    root: join(top, ".build/probe"),
    main: "src/edge/entry.mjs",
    build: "scripts/build.sh probe",
  },
  /** The deployed Worker, wrapped to count calls to D1 and KV, and to make them fail. */
  observed: { root: top, main: "tests/edge/support/observed-entry.mjs", build: "scripts/build.sh" },
};

const { Miniflare, Response, convertV4MiniflareOptions, children } = loadMiniflare();

/** Loads Miniflare so that the processes that it starts are known, and no others. */
function loadMiniflare() {
  const require = createRequire(import.meta.url);
  const childProcess = require("node:child_process");
  const { spawn } = childProcess;
  // A child keeps its configuration of up to 50 MB, so those that have ended are forgotten.
  const started = new Set();
  childProcess.spawn = (command, ...rest) => {
    const child = spawn(command, ...rest);
    if (String(command).includes("workerd")) {
      started.add(Object.assign(child, { startedAt: performance.now() }));
      child.once("exit", () => started.delete(child));
    }
    return child;
  };
  const { Miniflare, Response, convertV4MiniflareOptions } = require("miniflare");
  return { Miniflare, Response, convertV4MiniflareOptions, children: started };
}

// Fails once with one message if the build is missing, and not in each test.
modulesOf(ENTRIES.shipped);

function modulesOf({ root, main, more = [], build }) {
  const wasm = "build/index_bg.wasm";
  if (!existsSync(join(root, wasm)))
    throw new Error(`${join(root, wasm)} is missing: run ${build} first`);
  const built = readdirSync(join(root, "build"), { recursive: true }).filter((file) =>
    /\.m?js$/.test(file),
  );
  const files = [
    main,
    ...more,
    "src/edge/entry.mjs",
    ...built.map((file) => join("build", file)),
    wasm,
  ];
  const modules = [...new Set(files)].map((file) => ({
    type: file === wasm ? "CompiledWasm" : "ESModule",
    path: join(root, file),
  }));
  return { modules, modulesRoot: root };
}

const wranglerToml = readFileSync(join(top, "wrangler.toml"), "utf8");

function compatibilityDate() {
  const [, date] = /^compatibility_date = "([\d-]+)"$/m.exec(wranglerToml);
  return date;
}

/** The variables under [vars]. Each value is on one line, and its TOML is also JSON. */
function variables() {
  const [, section] = /^\[vars\]\n((?:(?!\[).*\n)*)/m.exec(wranglerToml);
  return Object.fromEntries(
    [...section.matchAll(/^([A-Z0-9_]+) = (.+)$/gm)].map(([, name, value]) => [
      name,
      JSON.parse(value),
    ]),
  );
}

/** The migrations in order. */
export const migrations = readdirSync(join(top, "migrations"))
  .filter((file) => file.endsWith(".sql"))
  .sort()
  .map((file) => readFileSync(join(top, "migrations", file), "utf8"));

/** Secrets and variables of a deployment; null removes one. */
export function deployment(changes = {}) {
  const all = {
    ...variables(),
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_PASSWORD,
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

/** A folder for state, which is removed when the test (a context of node:test) is over. */
export function stateFolder(test) {
  const folder = mkdtempSync(join(tmpdir(), "postern-edge-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Starts a workerd process with isolates of the Worker. Each isolate is `{ entry, bindings,
 * database, namespace }`. The default is the deployed Worker with fresh secrets and its own D1 and
 * KV. Isolates that name the same database share it. `entry` may also be the modules of another
 * Worker, in Miniflare's form. `services` are bindings to other isolates by number: `{ POSTERN: {
 * isolate: 0, entrypoint: "Gate" } }`. `analytics: true` binds a data set of the Analytics Engine,
 * as `wrangler dev` does. `cache: false` is a data centre whose cache keeps nothing, as on
 * workers.dev. `outbound` answers what the Worker fetches, instead of the network, with `{ status,
 * headers, body }`.
 *
 * `folder` keeps the state; without it, the state is in memory. `migrate: false` is for a folder
 * that is migrated already; a list of SQL texts runs instead of the migrations. `assets` serves
 * public/ in front of the first isolate, at `url`. `https` is `{ key, cert }` of the certificate
 * for `url`, at `port`. `onOutput` gets what workerd prints.
 */
export async function startWorkerd({
  isolates = [{}],
  folder,
  migrate = true,
  assets = false,
  https,
  port = 0,
  onOutput = () => {},
} = {}) {
  const directly = {
    compatibilityDate: compatibilityDate(),
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
  const workers = isolates.map(
    (
      {
        entry = "shipped",
        bindings = deployment(),
        database = randomUUID(),
        namespace = database,
        outbound,
        ratelimits,
        analytics = false,
        cache = true,
        services = {},
      },
      index,
    ) => ({
      ...directly,
      ...(typeof entry === "string" ? modulesOf(ENTRIES[entry]) : entry),
      name: `isolate-${index}`,
      bindings,
      d1Databases: { DB: database },
      kvNamespaces: { KV: namespace },
      cacheAPI: cache,
      serviceBindings: mapped(services, ({ isolate, entrypoint }) => ({
        name: `isolate-${isolate}`,
        entrypoint,
      })),
      ...(ratelimits && { ratelimits }),
      ...(analytics && {
        analyticsEngineDatasets: { ANALYTICS: { dataset: "postern_decisions" } },
      }),
      ...(outbound && { outboundService: answering(outbound) }),
      ...(assets &&
        index === 0 && {
          assets: { directory: join(top, "public"), routerConfig: { has_user_worker: true } },
        }),
    }),
  );
  const before = new Set(children);
  let output = "";
  const print = ({ message }) => {
    output += `${message}\n`;
    onOutput(`${message}\n`);
  };
  const options = convertV4MiniflareOptions({
    host: "127.0.0.1",
    port,
    ...(https && { httpsKey: https.key, httpsCert: https.cert }),
    // Otherwise Miniflare downloads an example of `request.cf`.
    cf: false,
    ...(folder && { resourcePersistencePath: folder }),
    handleStructuredLogs: print,
    workers: [...workers, { ...directly, ...toolsFor(workers) }],
  });
  const miniflare = new Miniflare(options);
  let stopped;
  const stop = () => (stopped ??= miniflare.dispose());
  try {
    const url = String(await miniflare.ready);
    const [child] = [...children].filter((one) => !before.has(one));
    const tools = await toolsOf(miniflare);
    const running = await Promise.all(
      workers.map((worker, index) => isolate(miniflare, worker, tools(index))),
    );
    if (migrate) {
      const fresh = new Map(running.map((one, index) => [workers[index].d1Databases.DB, one]));
      await Promise.all(
        [...fresh.values()].map((one) =>
          one.tool("migrate", migrate === true ? migrations : migrate),
        ),
      );
    }
    /** Sends SIGKILL, whatever the process is doing. */
    const kill = async () => {
      const gone = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await gone;
      await stop();
    };
    return { url, isolates: running, pid: child.pid, startedAt: child.startedAt, stop, kill };
  } catch (error) {
    await stop().catch(() => {});
    throw new Error(`workerd did not start: ${output}`, { cause: error });
  }
}

const mapped = (object, map) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));

/** Answers requests by a function, in Miniflare's form. A request without an answer fails. */
function answering(outbound) {
  return async (request) => {
    const { body = null, ...rest } = (await outbound(request)) ?? { status: 503 };
    return new Response(body, rest);
  };
}

/** The Worker of tools.mjs, with the bindings of each isolate under its number. */
function toolsFor(workers) {
  const bound = (kind, value) =>
    Object.fromEntries(workers.map((worker, index) => [`${kind}_${index}`, value(worker)]));
  return {
    name: "tools",
    modules: [{ type: "ESModule", path: join(top, "tests/edge/support/tools.mjs") }],
    modulesRoot: top,
    // Needed to call the scheduled event of another Worker.
    compatibilityFlags: ["service_binding_extra_handlers"],
    d1Databases: bound("DB", (worker) => worker.d1Databases.DB),
    kvNamespaces: bound("KV", (worker) => worker.kvNamespaces.KV),
    serviceBindings: bound("ISOLATE", (worker) => worker.name),
  };
}

async function toolsOf(miniflare) {
  const url = await miniflare.unsafeGetDirectURL("tools");
  return (index) => async (name, json) => {
    const answer = await send(url, { method: "POST", path: `/${name}?isolate=${index}`, json });
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
}

async function isolate(miniflare, { name, bindings }, tool) {
  const url = String(await miniflare.unsafeGetDirectURL(name));
  return {
    url,
    bindings,
    tool,
    /**
     * Sends a request, see http.mjs. It bypasses the static files, unless `base` says otherwise.
     */
    send: (request, base = url) => send(base, request),
    /** Runs the scheduled event to its end. */
    scheduled: () => tool("scheduled"),
    /** The records of KV: name, expiration, value. */
    records: () => tool("records"),
  };
}

/** Starts one isolate, which is stopped when the test is over. */
export async function startPostern(test, { folder, migrate, onOutput, ...one } = {}) {
  const workerd = await startWorkerd({ isolates: [one], folder, migrate, onOutput });
  test.after(() => workerd.stop());
  return { ...workerd.isolates[0], pid: workerd.pid, stop: workerd.stop };
}

/** Starts isolates on one database and one KV, which are stopped when the test is over. */
export async function startIsolates(test, count, { entry, changes } = {}) {
  const shared = { entry, bindings: deployment(changes), database: "shared", namespace: "shared" };
  const workerd = await startWorkerd({ isolates: Array.from({ length: count }, () => shared) });
  test.after(() => workerd.stop());
  return workerd.isolates;
}
