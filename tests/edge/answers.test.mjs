// Postern copies cached answers of the same kind. Nothing of one answer may show in another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, nowInSeconds, registerApp, sign } from "./support/client.mjs";
import { ADMIN_PASSWORD, startPostern } from "./support/workerd.mjs";

const SECRET = "a shared secret of thirty-two b!";

test("no header or body of one answer shows in another that is answered at once", async (t) => {
  const postern = await startPostern(t);
  await registerApp(postern, { secret: SECRET });
  const people = {
    alice: { name: "Alice", email: "alice@example.com" },
    bob: { name: "Bøb" },
    carol: { email: "carol@example.com" },
    dave: {},
  };
  const bearer = (username) => {
    const claims = { loginname: username, exp: nowInSeconds() + 600, ...people[username] };
    return { authorization: `Bearer ${sign(SECRET, claims)}` };
  };
  const kinds = Object.entries(people).flatMap(([username, { name, email }]) => [
    {
      request: { path: "/v1/forward-auth", headers: bearer(username) },
      status: 200,
      headers: {
        "x-auth-user": username,
        "x-auth-name": encodeURIComponent(name ?? ""),
        "x-auth-email": email ?? "",
        "set-cookie": undefined,
      },
      text: "",
    },
    {
      request: { path: "/v1/verify", headers: bearer(username) },
      status: 200,
      headers: { "x-auth-user": undefined, "set-cookie": undefined, "www-authenticate": undefined },
      user: username,
    },
  ]);
  kinds.push(
    {
      request: { path: "/v1/verify" },
      status: 401,
      headers: {
        "www-authenticate": 'Bearer realm="postern", Basic realm="postern", charset="UTF-8"',
        "x-auth-user": undefined,
      },
    },
    {
      request: { method: "PUT", path: "/v1/verify" },
      status: 405,
      headers: { allow: "HEAD, GET, POST", "www-authenticate": undefined },
    },
    {
      request: {
        method: "POST",
        path: "/imanager/cloud/security/tokens.json",
        json: { username: "admin", password: ADMIN_PASSWORD },
      },
      status: 200,
      cookie: true,
      headers: { "x-auth-user": undefined },
    },
    {
      request: { method: "POST", path: "/v1/groups", headers: admin, json: { name: "Testers" } },
      status: 201,
      group: true,
      headers: { "x-auth-user": undefined },
    },
  );
  // Users are created at their first sign-in.
  for (const { request } of kinds) await postern.send(request);
  const asked = Array.from({ length: 12 }, () => kinds).flat();
  const answers = await Promise.all(asked.map(({ request }) => postern.send(request)));
  const ids = new Set();
  const cookies = new Set();
  for (const [index, answer] of answers.entries()) {
    const { request, status, headers, text, user, cookie, group } = asked[index];
    const what = JSON.stringify(request);
    assert.equal(answer.status, status, what);
    for (const [name, value] of Object.entries(headers))
      assert.equal(answer.headers[name], value, `${name} of ${what}`);
    if (text !== undefined) assert.equal(answer.text, text, what);
    if (user) assert.equal(answer.json.user.username, user, what);
    if (group) assert.equal(answer.headers.location, `/v1/groups/${answer.json.id}`);
    else assert.equal(answer.headers.location, undefined, what);
    if (cookie) cookies.add(String(answer.headers["set-cookie"]));
    else assert.equal(answer.headers["set-cookie"], undefined, what);
    assert.equal(answer.headers["cache-control"], "no-store");
    ids.add(answer.headers["x-request-id"]);
  }
  assert.equal(ids.size, answers.length, "each answer has an id of its own");
  assert.equal(cookies.size, 12, "each sign-in has a cookie of its own");
});
