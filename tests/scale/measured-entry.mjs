// Wraps the Worker for tests, and counts the rows that D1 reads and writes for it.
//
// GET /testing answers
// `{"calls":…,"rowsRead":…,"rowsWritten":…,"statements":[{"sql":…,"rowsRead":…, "rowsWritten":…}]}`
// since it was last asked: round trips to D1, and the statements in them.

import postern from "../../src/edge/entry.mjs";

/** Methods that make a round trip. The other ones only prepare one. */
const CALLS = ["batch", "first", "run", "all", "raw"];
const PREPARING = ["withSession", "prepare", "bind"];

let calls = 0;
let statements = [];

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/testing")
      return postern.fetch(request, { ...env, DB: measured(env.DB) }, ctx);
    const sum = (member) => statements.reduce((all, one) => all + one[member], 0);
    const answer = {
      calls,
      rowsRead: sum("rowsRead"),
      rowsWritten: sum("rowsWritten"),
      statements,
    };
    calls = 0;
    statements = [];
    return Response.json(answer);
  },

  scheduled(event, env, ctx) {
    return postern.scheduled(event, { ...env, DB: measured(env.DB) }, ctx);
  },
};

/** The SQL of each prepared statement. */
const texts = new WeakMap();

function measured(binding, sql) {
  const proxy = new Proxy(binding, {
    get(target, name) {
      const member = target[name];
      if (typeof member !== "function" || name === "constructor") return member;
      if (PREPARING.includes(name))
        return (...args) =>
          measured(member.apply(target, args), name === "prepare" ? args[0] : sql);
      if (!CALLS.includes(name)) return (...args) => member.apply(target, args);
      return async (...args) => {
        calls += 1;
        const answer = await member.apply(target, args);
        const asked = name === "batch" ? args[0].map((statement) => texts.get(statement)) : [sql];
        [answer].flat().forEach(({ meta }, index) => {
          const sql = asked[index].replaceAll(/\s+/g, " ");
          statements.push({ sql, rowsRead: meta.rows_read, rowsWritten: meta.rows_written });
        });
        return answer;
      };
    },
  });
  if (sql) texts.set(proxy, sql);
  return proxy;
}
