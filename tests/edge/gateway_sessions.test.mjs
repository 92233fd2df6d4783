// A copied cookie opens nothing after its session has ended: at once in the isolate where it ended,
// and within 10 s in another. tests/host/gateway_sessions.rs tests what ends a session.

import { test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  admin,
  basic,
  expectStatus,
  nowInSeconds,
  registerApp,
  sessionOf,
  sign,
  signInBrowser,
} from "./support/client.mjs";
import { startOrigin } from "./support/origin.mjs";
import { startIsolates } from "./support/workerd.mjs";

/** Postern promises 10 s; the rest is for a busy machine. */
const BOUND_MS = 15_000;
const PASSWORD = "correct horse battery";

const APPS = {
  ERP: { name: "ERP", token_name: "token", secret: "abcd" },
  Other: { name: "Other", token_name: "token", secret: "other" },
};

const page = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

/** Isolates in front of the same origin. The first one registers the apps. */
async function inFrontOf(test, origin) {
  const isolates = await startIsolates(test, 2, {
    entry: "observed",
    changes: { ORIGIN_URL: origin.url, LOGIN_URL: "password" },
  });
  for (const app of Object.values(APPS)) await registerApp(isolates[0], app);
  return isolates;
}

/** Begins a session with a token in the URL of a page. */
async function openByToken(postern, username, app = APPS.ERP) {
  const now = nowInSeconds();
  // A revocation of all of a user's tokens has a resolution of one second, so the token is older.
  const token = sign(app.secret, { loginname: username, iat: now - 1, exp: now + 600 });
  const cookie = sessionOf(
    expectStatus(await postern.send({ path: `/page?token=${token}`, headers: page }), 303),
  );
  const { json } = expectStatus(
    await postern.send({ path: "/v1/verify", headers: { cookie } }),
    200,
  );
  return { username, cookie, token, id: json.user.id };
}

/** Begins a session with a password on Postern's page. */
async function openByPassword(postern, username) {
  const { json } = expectStatus(
    await postern.send({
      method: "POST",
      path: "/v1/users",
      headers: admin,
      json: { username, password: PASSWORD },
    }),
    201,
  );
  return { username, cookie: await signInBrowser(postern, username, PASSWORD), id: json.id };
}

const ask = (isolate, { cookie }) => isolate.send({ path: "/x", headers: { cookie } });

/** Requests to an isolate that end a session. */
const ENDS = {
  "its sign-out": (postern, { cookie }) =>
    postern.send({ path: "/v1/sign-out", headers: { cookie } }),
  "a sign-out by a form": (postern, { cookie }) =>
    postern.send({ method: "POST", path: "/v1/sign-out", headers: { cookie } }),
  "a new password from an administrator": (postern, { id }) =>
    postern.send({
      method: "PUT",
      path: `/v1/users/${id}/password`,
      headers: admin,
      json: { password: "another horse" },
    }),
  "a new password from its user": (postern, { id, username }) => {
    const headers = { authorization: basic(username, PASSWORD) };
    return postern.send({
      method: "PUT",
      path: `/v1/users/${id}/password`,
      headers,
      json: { password: "another horse", currentPassword: PASSWORD },
    });
  },
  "the revocation of its token": (postern, { token }) =>
    postern.send({ method: "POST", path: "/v1/revocations", json: { token } }),
  "the revocation of all that its user has": (postern, { id }) =>
    postern.send({ method: "DELETE", path: `/v1/users/${id}/tokens`, headers: admin }),
  "the end of its app": (postern) =>
    postern.send({
      method: "PATCH",
      path: "/v1/token-apps/Other",
      headers: admin,
      json: { enabled: false },
    }),
  "the end of its user": (postern, { id }) =>
    postern.send({
      method: "PATCH",
      path: `/v1/users/${id}`,
      headers: admin,
      json: { enabled: false },
    }),
  "the deletion of its user": (postern, { id }) =>
    postern.send({ method: "DELETE", path: `/v1/users/${id}`, headers: admin }),
};

/**
 * After the end, a token still names its user, who is refused. A session by a password is deleted.
 */
const statusAfter = ({ end, token }) =>
  token && ["the end of its user", "the deletion of its user"].includes(end) ? 403 : 401;

const ALL = Object.keys(ENDS);
const OF_TOKENS = ALL.filter((end) => end !== "a new password from its user");
const OF_PASSWORDS = ALL.filter(
  (end) => !["the revocation of its token", "the end of its app"].includes(end),
);

test("a copied cookie is refused within 10 s everywhere, whatever ended its session", {
  timeout: 120_000,
}, async (test) => {
  const origin = await startOrigin(test);
  const [here, there] = await inFrontOf(test, origin);
  const copies = [];
  for (const [index, end] of OF_TOKENS.entries()) {
    const app = end === "the end of its app" ? APPS.Other : APPS.ERP;
    copies.push({ end, ...(await openByToken(here, `token-${index}`, app)) });
  }
  for (const [index, end] of OF_PASSWORDS.entries())
    copies.push({ end, ...(await openByPassword(here, `password-${index}`)) });
  const untouched = [
    await openByToken(here, "token-untouched"),
    await openByPassword(here, "password-untouched"),
  ];
  for (const copy of [...copies, ...untouched]) {
    for (const isolate of [here, there]) expectStatus(await ask(isolate, copy), 200, copy.end);
  }

  for (const copy of copies) {
    const { status, text } = await ENDS[copy.end](here, copy);
    assert.ok(status >= 200 && status < 300, `${copy.end}: ${status} ${text}`);
    copy.since = Date.now();
  }
  const refused = (copy, answer) =>
    expectStatus(answer, statusAfter(copy), `${copy.username}, ${copy.end}:`);
  for (const copy of copies) refused(copy, await ask(here, copy));

  const becomesRefused = async (copy) => {
    let answer = await ask(there, copy);
    while (answer.status === 200) {
      assert.ok(
        Date.now() < copy.since + BOUND_MS,
        `${copy.username} is let in ${BOUND_MS} ms after ${copy.end}`,
      );
      await pause(100);
      answer = await ask(there, copy);
    }
    refused(copy, answer);
  };
  await Promise.all(copies.map(becomesRefused));
  const seen = origin.requests.length;
  for (const copy of copies) refused(copy, await ask(there, copy));
  assert.equal(origin.requests.length, seen, "the application sees nothing more of them");
  for (const copy of untouched) expectStatus(await ask(there, copy), 200, copy.username);
});

for (const [how, open] of [
  ["token", openByToken],
  ["password", openByPassword],
]) {
  test(`a session by a ${how} costs the gateway one round trip only when cold`, async (test) => {
    const origin = await startOrigin(test);
    const [writer, cold] = await inFrontOf(test, origin);
    const session = await open(writer, "alice");
    const callsSince = async () => (await cold.send({ path: "/testing" })).json;
    assert.deepEqual(await callsSince(), { d1: 0, kv: 0 });
    expectStatus(await ask(cold, session), 200);
    assert.deepEqual(await callsSince(), { d1: 1, kv: 0 });
    for (let again = 0; again < 10; again += 1) expectStatus(await ask(cold, session), 200);
    assert.deepEqual(await callsSince(), { d1: 0, kv: 0 });
    assert.equal(origin.requests.length, 11);
  });
}
