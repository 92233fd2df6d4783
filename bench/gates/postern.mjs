// Postern itself and its peers among Workers.

import { admin, expectStatus } from "../../tests/edge/support/client.mjs";
import { copyOf, peer } from "../subjects.mjs";
import { byStatus, gate } from "./gate.mjs";
import { KEYS, bearer } from "./tokens.mjs";

const SERVERLESS = { revocation: "yes", grants: "yes", serverless: "yes", keys: "at any time" };
const none = () => {};
const run = (one) => ({ ...one, pids: [one.pid] });
const asked = ({ token, service }) => ({
  path: `/v1/check?service=${service}&permission=VIEW`,
  headers: bearer(token),
});
const said = (answer) =>
  answer.status === 200 && answer.json?.allowed === false ? "denied" : byStatus(answer);

/** Disables a user by the other isolate: the one that is asked has to learn of it. */
export async function disable({ postern: { other } }, _running, username) {
  const found = expectStatus(
    await other.send({ path: `/v1/users?username=${username}`, headers: admin }),
    200,
  );
  const [{ id }] = found.json.items;
  const change = {
    method: "PATCH",
    path: `/v1/users/${id}`,
    headers: admin,
    json: { enabled: false },
  };
  expectStatus(await other.send(change), 200);
}

/** The same Postern for all, which is stopped by whoever started it. */
const same = ({ postern }) => ({ url: postern.url, pids: [postern.pid], stop: none });

export const emptyWorker = gate({
  name: "an empty Worker",
  can: { revocation: "no", grants: "no", serverless: "yes", keys: "no" },
  needs: none,
  open: true,
  start: async () => run(await peer("an empty Worker", "empty")),
});

export const direct = gate({
  name: "**Postern**, `/v1/verify` and `/v1/check`",
  can: SERVERLESS,
  needs: none,
  start: same,
  verify: (_alg, token) => ({ path: "/v1/verify", headers: bearer(token) }),
  check: asked,
  verdict: said,
  revoke: disable,
});

export const forwardAuth = gate({
  name: "**Postern**, `/v1/forward-auth`",
  can: SERVERLESS,
  needs: none,
  start: same,
  verify: (_alg, token) => ({
    path: "/v1/forward-auth",
    headers: { ...bearer(token), "x-forwarded-uri": "/some/page" },
  }),
  check: ({ token, service }) => ({
    path: `/v1/forward-auth?service=${service}&permission=VIEW`,
    headers: { ...bearer(token), "x-forwarded-uri": "/some/page" },
  }),
  revoke: disable,
});

export const cold = gate({
  name: "**Postern**, a check of which nothing is remembered",
  can: SERVERLESS,
  needs: none,
  start: same,
  algorithms: [],
  check: asked,
  verdict: said,
  distinct: true,
  revoke: disable,
});

export const honoJose = gate({
  name: "Hono + jose (Worker)",
  can: { revocation: "no", grants: "no", serverless: "yes", keys: "at a reload" },
  needs: none,
  start: async () => run(await peer("Hono + jose", "hono_jose", KEYS)),
  verify: (_alg, token) => ({ path: `/verify/${alg}`, headers: bearer(token) }),
});

export const honoDrizzle = gate({
  name: "Hono + Drizzle + D1 (Worker)",
  can: { revocation: "yes", grants: "yes", serverless: "yes", keys: "at a reload" },
  needs: none,
  above: false,
  start: async ({ state }) =>
    run(await peer("Hono + Drizzle + D1", "hono_drizzle", KEYS, { state: copyOf(state) })),
  revoke: (_given, { tool }, username) =>
    tool("migrate", [`UPDATE users SET enabled = 0 WHERE username = '${username}'`]),
  algorithms: [],
  check: ({ token, service }) => ({
    path: `/check?service=${service}&permission=VIEW`,
    headers: bearer(token),
  }),
  verdict: said,
});
