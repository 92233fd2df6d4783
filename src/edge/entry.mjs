// The Worker's entry: a plain object in front of what worker-build generates.
//
// worker-build's default export is an entrypoint class behind a Proxy, which costs more than a verification. Its own method is called directly
// here, and answers at once or by a promise. What matters of the Proxy is kept: after a panic the next request goes through it, and it
// replaces the wasm instance, so that only the requests of the broken one are lost.

import Worker from "../../build/index.js";

const { fetch: answer } = Worker.prototype;
const state = globalThis.__worker_init_state;

// The runtime's own queueMicrotask wraps each task in native objects, which cost more than a verification; wasm queues one for each answer that
// waits for something. As there, an error is reported: after one of wasm, the instance is replaced.
globalThis.queueMicrotask = (task) => {
  Promise.resolve().then(task).catch(reportError);
};

export default {
  fetch(request, env, ctx) {
    if (state.criticalError) return new Worker(ctx, env).fetch(request);
    try {
      return answer.call({ env, ctx }, request);
    } catch (error) {
      state.criticalError = true;
      throw error;
    }
  },

  scheduled(event, env, ctx) {
    return new Worker(ctx, env).scheduled(event);
  },
};
