// A gateway that asks by AuthZEN: Envoy with examples/envoy-authzen.yaml, an application behind it,
// and Postern's ORIGIN_RULES, which decide. The names are those of AuthZEN's interoperability
// scenario for API gateways.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { admin, expectStatus, nowInSeconds } from "../edge/support/client.mjs";
import { send } from "../edge/support/http.mjs";
import { deployment, startWorkerd, top } from "../edge/support/workerd.mjs";
import {
  APP_HOST,
  POSTERN_HOST,
  makeCertificate,
  startApp,
  startFront,
} from "./support/neighbours.mjs";
import { startProgram } from "./support/processes.mjs";
import { fromPypi } from "./support/programs.mjs";

const RULES = [
  { path: "/users", methods: ["GET"], service: 1, permission: "VIEW" },
  { path: "/todos", methods: ["GET"], service: 1, permission: "VIEW" },
  { path: "/todos", methods: ["POST", "PUT", "DELETE"], service: 1, permission: "MODIFY" },
];

/** In the scenario, rick may change records and beth may only read them. */
const [RICK, BETH] = [
  "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
  "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
];

const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

function token(sub, more = {}) {
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = { alg: "ES256", kid: "one", typ: "JWT" };
  const claims = {
    iss: "https://issuer.example.com",
    aud: "api",
    sub,
    exp: nowInSeconds() + 600,
    ...more,
  };
  const text = `${encoded(header)}.${encoded(claims)}`;
  const signature = sign("sha256", Buffer.from(text), {
    key: keys.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${text}.${signature.toString("base64url")}`;
}

const given = {};

/** The example with the addresses, the files and the key of this test. */
function configuration(port, key) {
  const place = (address) => address.replace(/^(.*):(\d+)$/, "address: $1, port_value: $2");
  const values = {
    "address: 0.0.0.0, port_value: 443": place(`127.0.0.1:${port}`),
    "/etc/ssl/app.example.com/fullchain.pem": given.certificate.certificate,
    "/etc/ssl/app.example.com/privkey.pem": given.certificate.key,
    "address: app.internal.example.com, port_value: 8080": place(given.app.address),
    [`address: ${POSTERN_HOST}, port_value: 443`]: place(given.front.address),
    "/etc/ssl/certs/ca-certificates.crt": given.certificate.certificate,
    "/etc/envoy/jwks.json": given.jwks,
    pst_replace_this: key,
  };
  let text = readFileSync(join(top, "examples/envoy-authzen.yaml"), "utf8");
  for (const [placeholder, value] of Object.entries(values)) {
    assert.ok(text.includes(placeholder), `the example no longer has ${placeholder}`);
    text = text.replaceAll(placeholder, value);
  }
  const file = join(given.folder, "envoy.yaml");
  writeFileSync(file, text);
  return { args: ["-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"] };
}

before(async () => {
  given.folder = mkdtempSync(join(tmpdir(), "postern-authzen-"));
  given.jwks = join(given.folder, "jwks.json");
  writeFileSync(
    given.jwks,
    JSON.stringify({
      keys: [{ ...keys.publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256" }],
    }),
  );
  given.certificate = makeCertificate(given.folder, "all");
  given.app = await startApp();
  given.workerd = await startWorkerd({
    isolates: [{ bindings: deployment({ ORIGIN_RULES: JSON.stringify(RULES) }) }],
  });
  const [postern] = given.workerd.isolates;
  given.postern = postern;
  given.front = await startFront(postern, given.certificate);
  const post = (path, json, status) =>
    postern
      .send({ method: "POST", path, headers: admin, json })
      .then((answer) => expectStatus(answer, status));
  for (const username of [RICK, BETH])
    await post("/v1/users", { username, type: "SYS_Reader" }, 201);
  await post("/v1/services", { id: 1, name: "Todos" }, 201);
  await post("/v1/services/1/grants", { username: RICK, permissions: ["MODIFY"] }, 201);
  await post("/v1/services/1/grants", { username: BETH, permissions: ["VIEW"] }, 201);
  const made = await post("/v1/keys", { name: "envoy", may: ["decisions"] }, 201);
  given.envoy = await startProgram(fromPypi("envoy"), (port) => configuration(port, made.json.key));
});

after(async () => {
  await given.envoy?.stop();
  await Promise.all([given.app?.stop(), given.front?.stop(), given.workerd?.stop()]);
  rmSync(given.folder, { recursive: true, force: true });
});

const ask = (method, path, authorization, more = {}) =>
  send(
    `https://127.0.0.1:${given.envoy.port}`,
    { method, path, headers: { host: APP_HOST, ...(authorization && { authorization }), ...more } },
    { ca: readFileSync(given.certificate.certificate), servername: APP_HOST },
  );

test("each request through the gateway is decided by Postern's rules", async () => {
  for (const [sub, method, path, status] of [
    [RICK, "GET", "/users/7", 200],
    [RICK, "GET", "/todos?page=2", 200],
    [RICK, "POST", "/todos", 200],
    [RICK, "PUT", "/todos/7", 200],
    [RICK, "DELETE", "/todos/7", 200],
    [BETH, "GET", "/users/7", 200],
    [BETH, "GET", "/todos", 200],
    [BETH, "POST", "/todos", 403],
    [BETH, "PUT", "/todos/7", 403],
    [BETH, "DELETE", "/todos/../todos/7", 403],
    [BETH, "DELETE", "//todos/7", 403],
    [RICK, "GET", "/elsewhere", 403],
    ['no "body"\\ at all', "GET", "/todos", 403],
  ]) {
    const [asked, reached] = [given.front.received.length, given.app.received.length];
    const answer = await ask(method, path, `Bearer ${token(sub)}`, {
      "x-auth-user": "somebody else",
    });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${answer.text}`);
    const question = JSON.parse(given.front.received.at(-1).body);
    assert.equal(given.front.received.length - asked, 1, "Postern is asked once");
    assert.deepEqual(
      [question.subject, question.action.name, question.resource.type],
      [{ type: "identity", id: sub }, method, "route"],
    );
    assert.equal(
      given.app.received.length - reached,
      status === 200 ? 1 : 0,
      `${method} ${path} reaches the application`,
    );
    if (status === 200) assert.equal(given.app.received.at(-1).headers["x-auth-user"], sub);
  }
});

test("a token that the gateway does not verify is not asked about", async () => {
  const asked = given.front.received.length;
  for (const authorization of [
    undefined,
    "Bearer x",
    `Bearer ${token(RICK, { exp: nowInSeconds() - 600 })}`,
    `Bearer ${token(RICK, { aud: "other" })}`,
  ]) {
    const { status } = await ask("GET", "/todos", authorization);
    assert.ok([401, 403].includes(status), `${status}`);
  }
  assert.equal(given.front.received.length, asked);
});

test("a deleted grant is in force, and nobody passes while Postern does not answer", async () => {
  const path = "/v1/services/1/grants";
  const [rick] = (await given.postern.send({ path: `/v1/users?username=${RICK}`, headers: admin }))
    .json.items;
  const gone = await given.postern.send({
    method: "DELETE",
    path: `${path}?authObjectType=USER&authObjectId=${rick.id}`,
    headers: admin,
  });
  assert.equal(gone.status, 204, gone.text);
  assert.equal((await ask("POST", "/todos", `Bearer ${token(RICK)}`)).status, 403);
  for (const canned of [
    { status: 503, headers: {} },
    { status: 401, headers: {} },
    { status: 200, headers: { "content-type": "application/json" } },
  ]) {
    given.front.canned = canned;
    const { status } = await ask("GET", "/todos", `Bearer ${token(BETH)}`);
    assert.ok([403, 503].includes(status), `${status}`);
  }
  given.front.canned = undefined;
  assert.equal((await ask("GET", "/todos", `Bearer ${token(BETH)}`)).status, 200);
  assert.ok(given.front.serverNames.every((name) => name === POSTERN_HOST));
});
