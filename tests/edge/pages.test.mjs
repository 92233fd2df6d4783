// Headers that keep a browser from doing with our answers what they are not for. Static files have
// theirs from public/_headers.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectStatus } from "./support/client.mjs";
import { startWorkerd, top } from "./support/workerd.mjs";

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

test("the page and its files have a strict policy, and load nothing that it forbids", async () => {
  const get = (path) => postern.send({ path }, workerd.url);
  for (const path of ["/v1/", "/v1/page.css", "/v1/endpoints.mjs", "/v1/openapi.json"]) {
    const answer = expectStatus(await get(path), 200);
    expectStrict(answer, path);
    assert.match(answer.headers["strict-transport-security"], /^max-age=\d{8}$/);
  }
  const { text, headers } = await get("/v1/");
  const loaded = [...text.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
  assert.deepEqual(loaded.sort(), ["/v1/endpoints.mjs", "/v1/page.css"]);
  assert.doesNotMatch(text, /<style|<script[^>]*>[^<]|\sstyle=|\son[a-z]+=|javascript:/i, "nothing is inline");
  for (const kind of ["script-src", "style-src", "connect-src"]) assert.match(headers["content-security-policy"], new RegExp(`${kind} 'self'`));
  assert.doesNotMatch(readFileSync(join(top, "public/v1/endpoints.mjs"), "utf8"), /innerHTML|eval|\.style\b/);
  // The file of the headers itself is no page.
  expectStatus(await get("/_headers"), 404);
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
