// The Worker behind an entry that only tests know: it counts the calls to D1 and KV, and makes them
// fail when told to.
//
// GET /testing answers `{"d1":…,"kv":…}`, the calls since it was last asked, and POST /testing
// takes `{"d1":"down","kv":"down"}`, "late" for one that fails after 1.1 s, "silent" for one that
// never answers, or a number of milliseconds for one that answers that late; neither is seen by the
// Worker itself, and neither touches D1 or KV.

import postern from "../../../src/edge/entry.mjs";

/** Methods that make a round trip; the others only prepare one. */
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

/** What the bindings themselves reject with. */
const FAILURES = {
  d1: () =>
    new Error("D1_ERROR: Network connection lost.", {
      cause: new Error("Network connection lost."),
    }),
  kv: () => new Error("KV GET failed: 500 Internal Server Error"),
};

/** The binding, and whatever its methods give that has methods of its own, with its calls counted. */
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
