// Headers that keep a browser from doing with our answers what they are not for. Static files have
// theirs from public/_headers.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { expectStatus } from "./support/client.mjs";
import { startWorkerd } from "./support/workerd.mjs";

let [workerd, postern] = [];

before(async () => {
  workerd = await startWorkerd({ assets: true });
  [postern] = workerd.isolates;
});
after(() => workerd?.stop());

/** What every answer of ours has. */
function expectStrict({ headers }, path) {
  const policy = headers["content-security-policy"] ?? "";
  assert.match(policy, /^default-src 'none'/, path);
  assert.match(policy, /frame-ancestors 'none'/, path);
  assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/, path);
  assert.equal(headers["x-content-type-options"], "nosniff", path);
  assert.equal(headers["referrer-policy"], "no-referrer", path);
}

test("static files have a strict policy", async () => {
  const get = (path) => postern.send({ path }, workerd.url);
  const answer = expectStatus(await get("/v1/openapi.json"), 200);
  expectStrict(answer, "/v1/openapi.json");
  assert.match(answer.headers["strict-transport-security"], /^max-age=\d{8}$/);
  const { headers } = answer;
  for (const kind of ["script-src", "style-src", "connect-src"]) assert.match(headers["content-security-policy"], new RegExp(`${kind} 'self'`));
  // The files of the headers and the redirects are no pages.
  for (const path of ["/_headers", "/_redirects"]) expectStatus(await get(path), 404, path);
});

test("the Worker's own answers have one where they are no JSON, and say nothing of https over http", async () => {
  for (const [path, status] of [["/health", 200], ["/v1/users", 401], ["/nowhere", 404], ["/v1/verify?token=x", 401], ["/health?x=1", 400], ["/", 302]]) {
    const answer = expectStatus(await postern.send({ path }), status);
    if (/json$/.test(answer.headers["content-type"] ?? "")) assert.equal(answer.headers["x-content-type-options"], "nosniff");
    else expectStrict(answer, path);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers["strict-transport-security"], undefined);
  }
});
