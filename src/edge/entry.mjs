// The Worker's entry: a plain object in front of what worker-build generates.
//
// worker-build's default export is an entrypoint class behind a Proxy. As the Worker's own entry it would cost each
// request the runtime's class dispatch; constructed here it costs less, and keeps what matters: after a panic its
// constructor replaces the wasm instance, so that only the requests of the broken one are lost.

import Worker from "../../build/index.js";

export default {
  fetch(request, env, ctx) {
    return new Worker(ctx, env).fetch(request);
  },

  scheduled(event, env, ctx) {
    return new Worker(ctx, env).scheduled(event);
  },
};
