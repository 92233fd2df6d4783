// Wraps the Worker for tests. Counts the calls to D1 and KV, and makes them fail on request.
//
// GET /testing answers `{"d1":…,"kv":…}`, the calls since it was last asked. POST /testing takes
// `{"d1":"down","kv":"down"}`; instead of "down", "late" fails after 1.1 s, "silent" never answers,
// and a number answers after so many milliseconds. The Worker does not see either request, and
// neither calls D1 or KV.

import postern from "../../../src/edge/entry.mjs";

/** Methods that make a round trip. The other ones only prepare one. */
const D1_CALLS = ["batch", "exec", "dump", "first", "run", "all", "raw"];
const KV_CALLS = ["get", "getWithMetadata", "put", "delete", "list"];

let calls = { d1: 0, kv: 0 };
let states = {};

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/testing")
      return postern.fetch(request, observed(env), ctx);
    if (request.method === "POST") {
      states = await request.json();
      return new Response(null, { status: 204 });
    }
    const answer = Response.json(calls);
    calls = { d1: 0, kv: 0 };
    return answer;
  },

  scheduled(event, env, ctx) {
    return postern.scheduled(event, observed(env), ctx);
  },
};

function observed(env) {
  return { ...env, DB: watched(env.DB, "d1", D1_CALLS), KV: watched(env.KV, "kv", KV_CALLS) };
}

/** The errors with which the real bindings reject. */
const FAILURES = {
  d1: () =>
    new Error("D1_ERROR: Network connection lost.", {
      cause: new Error("Network connection lost."),
    }),
  kv: () => new Error("KV GET failed: 500 Internal Server Error"),
};

/** Wraps a binding, and the objects that its methods return, so that their calls are counted. */
function watched(binding, kind, counted) {
  return new Proxy(binding, {
    get(target, name) {
      const member = target[name];
      if (typeof member !== "function" || name === "constructor") return member;
      return (...args) => {
        if (!counted.includes(name)) {
          const made = member.apply(target, args);
          return ["withSession", "prepare", "bind"].includes(name)
            ? watched(made, kind, counted)
            : made;
        }
        calls[kind] += 1;
        if (states[kind] === "down") return Promise.reject(FAILURES[kind]());
        if (states[kind] === "late")
          return scheduler.wait(1100).then(() => Promise.reject(FAILURES[kind]()));
        if (states[kind] === "silent") return new Promise(() => {});
        if (Number.isInteger(states[kind]))
          return new Promise((done) => setTimeout(done, states[kind])).then(() =>
            member.apply(target, args),
          );
        return member.apply(target, args);
      };
    },
  });
}
