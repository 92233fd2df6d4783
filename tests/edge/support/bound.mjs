// Starts Postern, and Workers with a binding to its entrypoint Gate.

import { join } from "node:path";
import { startWorkerd, deployment, top } from "./workerd.mjs";

const asker = {
  modules: [{ type: "ESModule", path: join(top, "tests/edge/support/asker.mjs") }],
  modulesRoot: top,
};

/**
 * Starts isolates of Postern on one database, and a Worker with a binding to the first one:
 * asker.mjs, or the modules `caller`. `ask` calls by the binding, and `output` returns what workerd
 * has printed.
 */
export async function startBound(test, { entry, changes = {}, count = 1, caller = asker } = {}) {
  const shared = { database: "shared", namespace: "shared" };
  const one = { ...shared, entry, bindings: deployment(changes) };
  const services = { POSTERN: { isolate: 0, entrypoint: "Gate" } };
  const isolates = [
    ...Array.from({ length: count }, () => one),
    { ...shared, entry: caller, bindings: {}, services },
  ];
  let printed = "";
  const workerd = await startWorkerd({ isolates, onOutput: (text) => (printed += text) });
  test.after(() => workerd.stop());
  const posterns = workerd.isolates.slice(0, count);
  const bound = workerd.isolates[count];
  const tell = async (json) => (await bound.send({ method: "POST", path: "/", json })).json;
  /** Returns the answer to a question, and throws if the call was rejected. */
  const ask = async (method, question) => {
    const { answer, thrown } = await tell({ method, question });
    if (thrown !== undefined) throw new Error(thrown);
    return answer;
  };
  return { postern: posterns[0], posterns, bound, tell, ask, output: () => printed };
}
