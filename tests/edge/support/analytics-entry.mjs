// Wraps the Worker for tests, with a data set that keeps its data points, and with counted
// crossings.
//
// GET /testing answers `{ points, crossings }` since its last call. POST /testing takes `{ throws:
// true }`, which makes the data set reject each point.

import { take } from "./counted-imports.mjs";
import postern from "../../../src/edge/entry.mjs";

let points = [];
let throws = false;

const ANALYTICS = {
  writeDataPoint(point) {
    if (throws) throw new Error("the data set is full");
    points.push(point);
  },
};

/** The crossings by the stable part of their import's name. */
function named(crossings) {
  const stable = (name) => name.replace(/^__wbg_|_[0-9a-f]{16}$/g, "");
  return Object.fromEntries(
    Object.entries(crossings).map(([name, count]) => [stable(name), count]),
  );
}

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/testing") {
      return postern.fetch(request, { ...env, ANALYTICS }, ctx);
    }
    if (request.method === "POST") {
      ({ throws } = await request.json());
      return new Response(null, { status: 204 });
    }
    const answer = Response.json({ points, crossings: named(take()) });
    points = [];
    return answer;
  },

  scheduled(event, env, ctx) {
    return postern.scheduled(event, env, ctx);
  },
};
