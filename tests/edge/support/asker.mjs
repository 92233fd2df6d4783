// A Worker that calls Postern by its binding. POST takes `{ method, question }`, or `odd`, the name
// of a question that JSON cannot express. It answers `{ answer }` or `{ thrown }`. `calls` is a
// list of calls that are made at once.

/** Questions that another Worker may send, but no JSON text. */
const ODD = {
  nothing: () => undefined,
  cyclic: () => {
    const question = { token: "x" };
    return Object.assign(question, { token: question });
  },
  cyclicList: () => {
    const checks = [];
    checks.push(checks);
    return { checks };
  },
  shared: () => {
    // Each level has the level below a hundred times: 100^20 values from 2,000 references.
    let value = "x";
    for (let level = 0; level < 20; level += 1) value = Array(100).fill(value);
    return { checks: value };
  },
  sparse: () => ({ checks: new Array(2 ** 32 - 1) }),
  longToken: () => ({ token: "x".repeat(20_000_000) }),
  longName: () => ({ ["x".repeat(2_000_000)]: 1 }),
  manyMembers: () =>
    Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`m${index}`, 1])),
  loneSurrogate: () => ({ token: "\ud800" }),
  function: () => ({ token: () => "x" }),
  itself: () => () => ({ token: "x" }),
  toJSON: () => ({ token: "x", toJSON: () => ({ token: "y" }) }),
  date: () => ({ service: new Date(0), permission: "VIEW", user: 2 }),
  map: () => new Map([["token", "x"]]),
  bytes: () => ({ token: new Uint8Array(20_000) }),
  headers: () => new Headers({ token: "x" }),
  notANumber: () => ({ service: NaN, permission: "VIEW", user: 2 }),
  infinite: () => ({ service: 1, permission: "VIEW", user: Infinity }),
  bigUser: () => ({ service: 1, permission: "VIEW", user: 9_007_199_254_740_993n }),
  tooBigUser: () => ({ service: 1, permission: "VIEW", user: 2n ** 63n }),
  hugeUser: () => ({ service: 1, permission: "VIEW", user: 2n ** 200_000_000n }),
  leftOut: () => ({ service: 1, permission: "VIEW", user: undefined, username: "alice" }),
};

async function outcome(gate, { method, question, odd }) {
  try {
    return { answer: await gate[method](odd ? ODD[odd]() : question) };
  } catch (error) {
    return { thrown: String(error) };
  }
}

export default {
  async fetch(request, env) {
    const { calls, ...call } = await request.json();
    if (calls)
      return Response.json(await Promise.all(calls.map((one) => outcome(env.POSTERN, one))));
    if (call.method === "fetch") call.question = "https://postern.test/v1/verify";
    return Response.json(await outcome(env.POSTERN, call));
  },
};
