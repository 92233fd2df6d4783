// A cache between the clients and the gateway never gives one user's answer to another. The cache
// is nginx's. Its key is the URL and not the caller, as in most CDNs.

import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectStatus, nowInSeconds, registerApp, sign } from "../edge/support/client.mjs";
import { send } from "../edge/support/http.mjs";
import { startOrigin } from "../edge/support/origin.mjs";
import { deployment, startPostern } from "../edge/support/workerd.mjs";
import { startNginx } from "./support/servers.mjs";

const bearer = (loginname) => ({
  authorization: `Bearer ${sign("abcd", { loginname, exp: nowInSeconds() + 600 })}`,
});

/** Headers of an origin by which caches keep its answers. */
const SAID = [
  { "cache-control": "public, max-age=600" },
  { "cache-control": "s-maxage=600" },
  { "cache-control": 'private="x-a", public, max-age=600' },
  { "cache-control": ["max-age=600", "Public"] },
  { "x-accel-expires": "600" },
  {
    "x-accel-expires": "600",
    "cache-control": "public, max-age=600",
    "cdn-cache-control": "max-age=600",
  },
  { expires: new Date(Date.now() + 600_000).toUTCString() },
];

async function behindCache(test) {
  const origin = await startOrigin(test, (request, response) => {
    const said = SAID[Number(new URL(request.url, "http://origin").searchParams.get("said"))];
    response.writeHead(200, {
      "content-type": "application/pdf",
      "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT",
      ...said,
    });
    response.end(`for ${request.headers["x-auth-user"]}, number ${origin.requests.length}`);
  });
  const postern = await startPostern(test, {
    bindings: deployment({ ORIGIN_URL: origin.url, ORIGIN_PUBLIC: "/static" }),
  });
  await registerApp(postern);
  const folder = mkdtempSync(join(tmpdir(), "postern-caching-"));
  const cache = await startNginx(
    folder,
    (port) => `proxy_cache_path ${folder}/cache keys_zone=all:1m; proxy_cache_key $request_uri;
      server { listen 127.0.0.1:${port}; location / {
        proxy_pass ${postern.url}; proxy_cache all; add_header X-Cache $upstream_cache_status;
      } }`,
  );
  test.after(async () => {
    await cache.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { cache, postern, origin };
}

test("behind a cache, the second user never gets the first one's file", async (test) => {
  const { cache, postern } = await behindCache(test);
  for (const [index, said] of SAID.entries()) {
    const path = `/x.pdf?said=${index}`;
    for (const name of ["alice", "bob", "alice"]) {
      const { text, headers } = expectStatus(
        await send(cache.url, { path, headers: bearer(name) }),
        200,
      );
      assert.match(text, new RegExp(`^for ${name},`), JSON.stringify(said));
      assert.match(headers["cache-control"], /^private(,|$)/);
      assert.doesNotMatch(headers["cache-control"], /public|s-maxage/i);
    }
    expectStatus(await send(cache.url, { path }), 401);
    const { headers } = await postern.send({ path, headers: bearer("alice") });
    for (const name of ["cdn-cache-control", "x-accel-expires", "surrogate-control"])
      assert.equal(headers[name], undefined, name);
  }
});

test("behind a cache, what is public is still kept, as the origin says", async (test) => {
  const { cache, origin } = await behindCache(test);
  for (const index of [0, 1, 4, 6]) {
    const before = origin.requests.length;
    const texts = [];
    for (const headers of [bearer("alice"), bearer("bob"), {}]) {
      texts.push(
        expectStatus(await send(cache.url, { path: `/static/x.pdf?said=${index}`, headers }), 200)
          .text,
      );
    }
    assert.equal(new Set(texts).size, 1);
    assert.equal(origin.requests.length, before + 1, JSON.stringify(SAID[index]));
  }
});
