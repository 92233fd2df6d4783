// What is measured: Postern and its peers, each in a workerd process of its own, so that the
// process's time is the subject's.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deployment, startWorkerd, top } from "../tests/edge/support/workerd.mjs";

/** How many processes a subject has in the cases of verification. */
const PROCESSES = Number(process.env.PROCESSES || 3);

const running = new Set();
const folders = new Set();

const peers = (name) => ({
  modules: [{ type: "ESModule", path: join(top, `.build/bench/${name}.mjs`) }],
  modulesRoot: top,
});

/** A folder that goes at the end. */
export function folder() {
  const made = mkdtempSync(join(tmpdir(), "postern-bench-"));
  folders.add(made);
  return made;
}

/** A copy of a state, for another process. */
export function copyOf(state) {
  const copy = folder();
  cpSync(state, copy, { recursive: true });
  return copy;
}

async function start(name, one, { state, migrate = true } = {}) {
  const workerd = await startWorkerd({
    isolates: [{ database: "bench", namespace: "bench", ...one }],
    folder: state,
    migrate,
  });
  running.add(workerd);
  const stop = async () => {
    running.delete(workerd);
    await workerd.stop();
  };
  return { name, pid: workerd.pid, startedAt: workerd.startedAt, ...workerd.isolates[0], stop };
}

/** Postern on a state of its own, or on one that is there. */
export const postern = (options = {}) =>
  start(
    options.name ?? "Postern",
    { bindings: options.bindings ?? deployment(), cache: options.cache },
    { state: options.state, migrate: options.migrate ?? true },
  );

/** Postern on a state that is there, and `other`, an isolate beside it that shares the state. */
export async function twins({ state, bindings }) {
  const one = { database: "bench", namespace: "bench", bindings };
  const workerd = await startWorkerd({ isolates: [one, one], folder: state, migrate: false });
  running.add(workerd);
  const stop = async () => {
    running.delete(workerd);
    await workerd.stop();
  };
  const [first, other] = workerd.isolates;
  return { name: "Postern", pid: workerd.pid, ...first, other, stop };
}

/** A peer with keys for its algorithms. */
export const peer = (name, file, keys = {}, options = {}) =>
  start(
    name,
    { entry: peers(file), bindings: { KEYS: JSON.stringify(keys) } },
    { state: options.state, migrate: false },
  );

/**
 * A peer in one process with a Postern, to which it is bound: `POSTERN` is the entrypoint, and
 * `HTTP` what any client gets. `SAME` is an entrypoint of the peer, in an isolate of its own.
 */
export async function bound(name, file) {
  const services = {
    POSTERN: { isolate: 1, entrypoint: "Gate" },
    HTTP: { isolate: 1 },
    SAME: { isolate: 2, entrypoint: "Same" },
  };
  const shared = { database: "bench", namespace: "bench" };
  const own = { ...shared, entry: peers(file), bindings: {} };
  const workerd = await startWorkerd({
    isolates: [{ ...own, services }, { ...shared, bindings: deployment() }, own],
  });
  running.add(workerd);
  const stop = async () => {
    running.delete(workerd);
    await workerd.stop();
  };
  const [caller, asked] = workerd.isolates;
  return {
    name,
    pid: workerd.pid,
    ...caller,
    postern: { ...asked, name: "Postern", pid: workerd.pid },
    stop,
  };
}

/**
 * Several processes of a subject, which take the rounds in turns: two processes of the same code
 * differ by some per cent. `prepare` makes one ready.
 */
export async function several(make, prepare = () => {}) {
  const processes = [];
  for (let count = 0; count < PROCESSES; count += 1) {
    const one = await make();
    await prepare(one);
    processes.push(one);
  }
  return {
    name: processes[0].name,
    processes,
    stop: async () => {
      for (const one of processes) await one.stop();
    },
  };
}

/** Stops whatever runs, and removes what was written. */
export async function end() {
  await Promise.all([...running].map((workerd) => workerd.stop().catch(() => {})));
  folders.forEach((made) => rmSync(made, { recursive: true, force: true }));
}
