// Wraps the Worker for tests and benchmarks. GET /testing answers the crossings since its last
// call.

import { take } from "./counted-imports.mjs";
import postern from "../../../src/edge/entry.mjs";

export default {
  fetch(request, env, ctx) {
    return new URL(request.url).pathname === "/testing"
      ? Response.json(take())
      : postern.fetch(request, env, ctx);
  },

  scheduled(event, env, ctx) {
    return postern.scheduled(event, env, ctx);
  },
};
