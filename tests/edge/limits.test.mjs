// Limits of HTTP itself: sizes, methods, repeated credentials, static files.

import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  admin,
  configuration,
  expectRefusal,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
} from "./support/client.mjs";
import { startWorkerd, top } from "./support/workerd.mjs";

const MIB = 1024 * 1024;
const URL_BYTES = 16 * 1024;

let workerd;
let postern;
let session;
const token = () => sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600 });

before(async () => {
  workerd = await startWorkerd({ assets: true });
  [postern] = workerd.isolates;
  await registerApp(postern);
  session = await signIn(postern);
});
after(() => workerd?.stop());

/** For each dialect, a path that reads a body, and the form of its failures. */
const ENVELOPES = {
  "/plugin/datafor-modeler/api/token/update": (json) => ({
    success: json.success,
    code: json.code,
  }),
  "/imanager/cloud/security/tokens.json": (json) => ({
    succeed: json.succeed,
    code: json.error.code,
  }),
  "/v1/verify": (json) => ({ type: json.type, status: json.status }),
};
const TOO_LARGE = {
  "/plugin/datafor-modeler/api/token/update": { success: false, code: "413" },
  "/imanager/cloud/security/tokens.json": { succeed: false, code: 413 },
  "/v1/verify": { type: "about:blank", status: 413 },
};

describe("a body of more than 1 MiB", () => {
  for (const [path, envelope] of Object.entries(ENVELOPES)) {
    for (const chunked of [false, true]) {
      const length = chunked ? "in chunks" : "of declared length";
      it(`at ${path}, ${length}, is a 413 in the dialect's envelope`, async () => {
        const body = `{"a":"${"x".repeat(MIB)}"}`;
        const answer = await postern.send({
          method: "POST",
          path,
          headers: session.credential,
          body,
          chunked,
        });
        expectStatus(answer, 413);
        assert.deepEqual(envelope(answer.json), TOO_LARGE[path]);
      });
    }
  }

  for (const chunked of [false, true]) {
    it(`begins a byte after 1 MiB, ${chunked ? "in chunks" : "of declared length"}`, async () => {
      const json = JSON.stringify(configuration({ name: "LARGE", token_name: "large" }));
      const path = "/plugin/datafor-modeler/api/token/update";
      const padded = (length) => json.padEnd(length, " ");
      const send = (length) =>
        postern.send({
          method: "POST",
          path,
          headers: session.credential,
          body: padded(length),
          chunked,
        });
      expectStatus(await send(MIB), 200);
      expectStatus(await send(MIB + 1), 413);
    });
  }
});

describe("a URL", () => {
  const padded = (length) => {
    const path = `/v1/verify?token=${token()}&app=ERP`;
    // An empty parameter between two & is ignored.
    return path.padEnd(length, "&");
  };
  it("of nearly 16 KiB is read", async () => {
    expectStatus(await postern.send({ path: padded(URL_BYTES - 100) }), 200);
  });
  it("of more than 16 KiB is a 414 in the dialect's envelope", async () => {
    const answer = expectStatus(await postern.send({ path: padded(URL_BYTES + 100) }), 414);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.equal(answer.json.status, 414);
    const list = `/plugin/datafor-modeler/api/token/list?padding=${"x".repeat(URL_BYTES)}`;
    assert.equal(
      expectStatus(await postern.send({ path: list, headers: session.credential }), 414).json.code,
      "414",
    );
  });
});

describe("a token", () => {
  const padded = (bytes) =>
    sign("abcd", { loginname: "alice", exp: nowInSeconds() + 600, x: "x".repeat(bytes) });
  it("of nearly 16 KiB is verified in a header and a body, one of 8 KiB in a URL", async () => {
    const [long, short] = [padded(12_000), padded(5_900)];
    assert.ok(long.length > 16_000 && short.length > 8_000);
    expectStatus(
      await postern.send({ path: "/v1/verify", headers: { authorization: `Bearer ${long}` } }),
      200,
    );
    expectStatus(
      await postern.send({ method: "POST", path: "/v1/verify", json: { token: long } }),
      200,
    );
    expectStatus(await postern.send({ path: `/v1/verify?token=${short}` }), 200);
    expectRefusal(await postern.send({ path: `/v1/verify?token=${padded(6_200)}` }), "too_long");
  });
});

describe("HEAD", () => {
  const paths = [
    ["/health", {}, 200],
    ["/v1/verify", () => ({ authorization: `Bearer ${token()}` }), 200],
    ["/v1/verify", {}, 401],
    ["/v1/forward-auth", () => ({ "x-forwarded-uri": `/?token=${token()}` }), 200],
    ["/v1/users", () => session.credential, 200],
    ["/v1/users/1", () => session.credential, 200],
    ["/v1/users/999", () => session.credential, 404],
    ["/v1/audit", {}, 401],
    ["/plugin/datafor-modeler/api/token/list", () => session.credential, 200],
    ["/plugin/datafor-modeler/api/token/content?name=ERP", () => session.credential, 200],
    ["/plugin/datafor-modeler/api/token/update", () => session.credential, 405],
    ["/no/such/path", {}, 404],
  ];
  for (const [path, headers, status] of paths) {
    it(`${path} answers ${status} as GET does, without a body`, async () => {
      const given = typeof headers === "function" ? headers() : headers;
      const get = expectStatus(await postern.send({ path, headers: given }), status);
      const head = expectStatus(
        await postern.send({ method: "HEAD", path, headers: given }),
        status,
      );
      assert.equal(head.text, "");
      for (const name of [
        "content-type",
        "cache-control",
        "x-content-type-options",
        "allow",
        "www-authenticate",
      ]) {
        assert.equal(head.headers[name], get.headers[name], name);
      }
      assert.ok(head.headers["x-request-id"]);
    });
  }
});

describe("a doubled credential is refused, though each of the two is right:", () => {
  const twice = (value) => [value, value];
  it("two Authorization headers", async () => {
    expectRefusal(
      await postern.send({
        path: "/v1/verify",
        headers: { authorization: twice(`Bearer ${token()}`) },
      }),
      "not_three_parts",
    );
    expectRefusal(
      await postern.send({
        path: "/v1/verify",
        headers: { authorization: twice(`Bearer ${session.token}`) },
      }),
      "revoked",
    );
    expectRefusal(
      await postern.send({
        path: "/v1/verify",
        headers: { authorization: twice(admin.authorization) },
      }),
      "bad_base64",
    );
    const mixed = [`Bearer ${session.token}`, admin.authorization];
    expectRefusal(
      await postern.send({ path: "/v1/verify", headers: { authorization: mixed } }),
      "revoked",
    );
  });
  it("two X-Auth-Token headers", async () => {
    expectRefusal(
      await postern.send({ path: "/v1/verify", headers: { "x-auth-token": twice(session.token) } }),
      "revoked",
    );
  });
  it("two cookies, in one header or in two", async () => {
    const list = (cookie) =>
      postern.send({ path: "/imanager/cloud/web/nodes/server", headers: { cookie } });
    const cookie = `JSESSIONID=${session.cookie}`;
    expectStatus(await list(`a=b; ${cookie}; c=d`), 200);
    expectStatus(await list(`${cookie}; ${cookie}`), 400);
    expectStatus(await list(twice(cookie)), 400);
    expectStatus(
      await postern.send({ path: "/v1/verify", headers: { cookie: "postern=a; postern=b" } }),
      400,
    );
  });
  it("two parameters", async () => {
    expectStatus(await postern.send({ path: `/v1/verify?token=${token()}` }), 200);
    expectStatus(await postern.send({ path: `/v1/verify?token=${token()}&token=${token()}` }), 400);
    expectStatus(
      await postern.send({ path: `/v1/verify?token=${token()}&%74oken=${token()}` }),
      400,
    );
    const forwarded = { "x-forwarded-uri": `/?token=${token()}&token=${token()}` };
    expectStatus(await postern.send({ path: "/v1/forward-auth", headers: forwarded }), 400);
  });
});

describe("cookies", () => {
  const path = "/imanager/cloud/web/nodes/server";
  const json = { nodeSpec: "MEDIUM", nodeCount: 1, nodeName: "a" };
  const write = (headers) =>
    postern.send({
      method: "POST",
      path,
      headers: { cookie: `JSESSIONID=${session.cookie}`, ...headers },
      json,
    });

  it("of a page of the same origin, or of no page, may write", async () => {
    expectStatus(await write({}), 200);
    expectStatus(await write({ origin: postern.url.replace(/\/$/, "") }), 200);
    expectStatus(await write({ "sec-fetch-site": "same-origin" }), 200);
  });
  it("of a page of another origin may not", async () => {
    expectStatus(await write({ origin: "https://evil.example" }), 403);
    expectStatus(await write({ origin: "null" }), 403);
    for (const site of ["cross-site", "same-site"])
      expectStatus(await write({ "sec-fetch-site": site }), 403);
  });
});

describe("static files", () => {
  const file = join(top, "public/v1/openapi.json");
  const fromFrontDoor = (request) => workerd.isolates[0].send(request, workerd.url);

  it("/v1/openapi.json is the document in public/", async () => {
    assert.ok(
      existsSync(file),
      "public/v1/openapi.json is missing: it is generated from the routes",
    );
    const answer = expectStatus(await fromFrontDoor({ path: "/v1/openapi.json" }), 200);
    assert.match(answer.headers["content-type"], /^application\/json/);
    assert.equal(answer.text, readFileSync(file, "utf8"));
  });
  it("a path without a file goes to the Worker", async () => {
    assert.equal(expectStatus(await fromFrontDoor({ path: "/health" }), 200).json.status, "ok");
    assert.equal(
      expectStatus(await fromFrontDoor({ path: "/no/such/file.json" }), 404).headers[
        "content-type"
      ],
      "application/problem+json",
    );
  });
});
