// Fills each table of an empty Postern by its API. Returns what a later release must still answer.

import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, sign as signBytes } from "node:crypto";
import {
  admin,
  basic,
  expectStatus,
  registerApp,
  sign,
  signIn,
  verifyBearer,
} from "../edge/support/client.mjs";

export const ADMIN_PASSWORD = "correct horse admin";
export const KEY_SET_URL = "https://issuer.example/jwks.json";

/** The expiry of the fixture's tokens, in 2100, after every test that reads it. */
const EXP = 4_102_444_800;

/** alice has the initial password of the app whose token creates her. */
const PASSWORDS = {
  admin: ADMIN_PASSWORD,
  carol: "correct horse carol",
  dan: "correct horse dan",
  alice: "correct horse alice",
};

const keys = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  EdDSA: generateKeyPairSync("ed25519"),
};

/** The key set that the issuer publishes at KEY_SET_URL. */
export function keySet() {
  return JSON.stringify({
    keys: [
      {
        ...createPublicKey(keys.EdDSA.privateKey).export({ format: "jwk" }),
        kid: "one",
        alg: "EdDSA",
      },
    ],
  });
}

function signedWith(alg, header, claims) {
  const text = [{ typ: "JWT", alg, ...header }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const hash = alg === "RS256" ? "sha256" : null;
  const signature = signBytes(hash, Buffer.from(text), keys[alg].privateKey);
  return `${text}.${signature.toString("base64url")}`;
}

const digest = (...parts) => createHash("sha256").update(parts.join("")).digest("hex");

/** Sends a request as the first administrator. Returns the body. */
const administer = async (postern, method, path, json, status = 200) =>
  expectStatus(
    await postern.send({ method, path, headers: admin, json }),
    status,
    `${method} ${path}`,
  ).json;

/** Users of each kind: with a password, with every member, and disabled. */
async function addUsers(postern) {
  const create = (json) => administer(postern, "POST", "/v1/users", json, 201);
  await create({
    username: "carol",
    name: "Carol",
    email: "carol@example.com",
    phone: "1",
    password: PASSWORDS.carol,
  });
  await create({ username: "dan", type: "SYS_Creator", password: PASSWORDS.dan });
  await create({ username: "eve", enabled: false, roles: ["A", "B"] });
}

/** Deletes the newest user. Returns the id, which must never be given again. */
async function deleteNewestUser(postern) {
  const { id } = await administer(postern, "POST", "/v1/users", { username: "gone" }, 201);
  await administer(postern, "DELETE", `/v1/users/${id}`, undefined, 204);
  return id;
}

/** Adds an app with each kind of key, and signs a token of each. */
async function addTokenApps(postern) {
  const pem = keys.RS256.publicKey.export({ type: "spki", format: "pem" });
  await registerApp(postern, { initpwd: PASSWORDS.alice });
  await registerApp(postern, { name: "CRM", token_name: "crm", algorithm: "RS256", secret: pem });
  await registerApp(postern, {
    name: "SSO",
    token_name: "sso",
    algorithm: "EdDSA",
    secret: KEY_SET_URL,
  });
  await registerApp(postern, {
    name: "OFF",
    token_name: "off",
    secret: "a secret that is off",
    enable: "0",
  });
  const claims = (loginname) => ({ loginname, exp: EXP });
  const tokens = [
    {
      app: "ERP",
      username: "alice",
      token: sign("abcd", { ...claims("alice"), name: "Alice", email: "alice@example.com" }),
    },
    { app: "CRM", username: "bob", token: signedWith("RS256", {}, claims("bob")) },
    { app: "SSO", username: "alice", token: signedWith("EdDSA", { kid: "one" }, claims("alice")) },
  ];
  for (const { app, username, token } of tokens) {
    const { json } = expectStatus(await verifyBearer(postern, token), 200, app);
    assert.deepEqual([json.app, json.user.username], [app, username]);
  }
  const refused = sign("a secret that is off", claims("alice"));
  expectStatus(await verifyBearer(postern, refused), 401);
  return { tokens, refused: [refused] };
}

/** Services, APIs, nested departments, groups, members, and grants of all kinds. */
async function addDirectory(postern) {
  const [alice, bob, carol] = await Promise.all(
    ["alice", "bob", "carol"].map((name) => idOf(postern, name)),
  );
  await administer(postern, "POST", "/v1/services", { id: 1, name: "Orders" }, 201);
  await administer(postern, "POST", "/v1/services", { id: 2, name: "Stock" }, 201);
  await administer(postern, "PUT", "/v1/services/1/apis/1", { name: "List", authEnabled: false });
  await administer(postern, "POST", "/v1/departments", { id: 1, name: "Sales" }, 201);
  await administer(postern, "POST", "/v1/departments", { id: 2, name: "Europe", parentId: 1 }, 201);
  await administer(postern, "POST", "/v1/groups", { id: 1, name: "Testers" }, 201);
  await administer(postern, "PUT", `/v1/departments/2/members/${bob}`, undefined, 204);
  await administer(postern, "PUT", `/v1/groups/1/members/${carol}`, undefined, 204);
  const grants = [
    [1, "USER", alice, ["TEST"]],
    [1, "DEPT", 1, ["MODIFY", "EXPORT"]],
    [1, "GROUP", 1, ["DELETE"]],
    // A service and a user that nobody has registered, with ids that a double cannot hold.
    ["9007199254740993", "USER", alice, ["SHARE"]],
  ];
  for (const [service, authObjectType, authObjectId, permissions] of grants) {
    await administer(postern, "POST", `/api/v1/services/${service}/auth`, {
      authObjectType,
      authObjectId,
      permissions,
    });
  }
  await administer(postern, "PATCH", "/api/v1/services/2/auth/enabled?enabled=false");
  return [
    { user: alice, service: 1, permission: "TEST", allowed: true },
    { user: alice, service: 1, permission: "VIEW", allowed: true },
    { user: alice, service: 1, permission: "MODIFY", allowed: false },
    { user: bob, service: 1, permission: "MODIFY", allowed: true },
    { user: bob, service: 1, permission: "DELETE", allowed: false },
    { user: carol, service: 1, permission: "DELETE", allowed: true },
    { user: carol, service: 1, permission: "EXPORT", allowed: false },
    { user: carol, service: 2, permission: "MODIFY", allowed: true },
    { user: carol, service: 2, permission: "GRANT", allowed: false },
    { user: alice, service: "9007199254740993", permission: "SHARE", allowed: true },
    { user: alice, service: "9007199254740992", permission: "SHARE", allowed: false },
  ];
}

async function idOf(postern, username) {
  const { items } = await administer(postern, "GET", `/v1/users?username=${username}`);
  return items[0].id;
}

/** An application with an access token, one without, and a signed call that was used. */
async function addApplications(postern) {
  await administer(postern, "POST", "/v1/organizations", { id: "1", name: "Wind" }, 201);
  const create = (json) =>
    administer(postern, "POST", "/v1/applications", { organization: "1", ...json }, 201);
  const { secret } = await create({
    accessKey: "key",
    name: "Console",
    authorizeApplications: true,
  });
  await create({ accessKey: "other", enabled: false });
  const timestamp = Date.now();
  const proof = { appKey: "key", timestamp, encryption: digest("key", timestamp, secret) };
  const { data } = expectStatus(
    await postern.send({ method: "POST", path: "/apim-token-service/v2.0/token/get", json: proof }),
    200,
  ).json;
  const body = JSON.stringify({ appId: "key", dataAuthorizeType: ["USER", "ROLE"] });
  const used = {
    method: "POST",
    path: "/app-portal-service/v2.3/app/authorization/set?orgId=1",
    headers: {
      "content-type": "application/json",
      "apim-accesstoken": data.accessToken,
      "apim-timestamp": String(timestamp),
      "apim-signature": digest(data.accessToken, "orgId", "1", body, timestamp, secret),
    },
    body,
  };
  expectStatus(await postern.send(used), 200);
  assert.notEqual((await postern.send(used)).json.code, 0, "a signed call counts once");
  return { application: { accessKey: "key", secret, token: data.accessToken }, usedCall: used };
}

/** Orders with and without a password. */
async function orderNodes(postern) {
  const path = "/imanager/cloud/web/nodes/server.json";
  const headers = { authorization: basic("dan", PASSWORDS.dan) };
  for (const password of ["the node's own password", ""]) {
    const json = {
      nodeSpec: "MEDIUM",
      nodeCount: 2,
      nodeName: "iserver",
      password,
      description: "for maps",
      physicalMachineName: "rack",
    };
    assert.equal(
      expectStatus(await postern.send({ method: "POST", path, headers, json }), 200).json.isSucceed,
      true,
    );
  }
}

/** Fails so often that the name is locked. Each failure comes from another address. */
async function lockOut(postern, username) {
  const json = { username, password: "wrong" };
  const attempt = (number) =>
    postern.send({
      method: "POST",
      path: "/imanager/security/tokens",
      headers: { "cf-connecting-ip": `192.0.2.${number}` },
      json,
    });
  for (let number = 1; number <= 10; number += 1) expectStatus(await attempt(number), 401);
  expectStatus(await attempt(11), 429);
}

/** What the first administrator reads. The answers are kept unchanged. */
const READS = [
  "/plugin/datafor-modeler/api/token/list",
  "/plugin/datafor-modeler/api/token/content?name=ERP",
  "/api/v1/services/1/auth/status",
  "/api/v1/services/2/auth/status",
  "/api/v1/services/1/user/5/auth",
  "/api/v1/services/1/user/auth/current",
  "/api/v1/services/1/user/5/auth/VIEW/check",
  "/api/v1/services/auth?authObjectType=USER&serviceId=1",
  "/api/v1/services/auth?authObjectType=DEPT&serviceId=1",
  "/api/v1/services/auth?authObjectType=GROUP&serviceId=1",
  "/imanager/cloud/web/nodes/server.json",
  "/app-portal-service/v2.3/app/authorization/info?orgId=1&appId=key",
  "/v1/verify",
  "/v1/forward-auth",
  "/v1/check?service=1&permission=VIEW",
  "/health",
  "/v1/users",
  "/v1/users/1",
  "/v1/users/1/tokens",
  "/v1/services",
  "/v1/services/1",
  "/v1/services/1/apis",
  "/v1/departments",
  "/v1/departments/1",
  "/v1/departments/2/members",
  "/v1/groups",
  "/v1/groups/1",
  "/v1/groups/1/members",
  "/v1/export",
  "/v1/organizations",
  "/v1/organizations/1",
  "/v1/applications",
  "/v1/applications/key",
  "/v1/applications/key/authorizations/USER",
  "/v1/audit?limit=500",
];

/** The answers as texts, because a JavaScript number could not hold an int64. */
async function answersTo(postern, token) {
  const answers = {};
  for (const path of READS) {
    answers[path] = expectStatus(
      await postern.send({ path, headers: { "x-auth-token": token } }),
      200,
      path,
    ).text;
  }
  return answers;
}

/** Fills all tables. Returns the part of the fixture that says what must still hold. */
export async function fill(postern) {
  const kept = await signIn(postern, "admin", ADMIN_PASSWORD);
  const leaving = await signIn(postern, "admin", ADMIN_PASSWORD);
  await addUsers(postern);
  const { tokens, refused } = await addTokenApps(postern);
  const checks = await addDirectory(postern);
  const applications = await addApplications(postern);
  await orderNodes(postern);
  await lockOut(postern, "mallory");
  const deletedUser = await deleteNewestUser(postern);
  return {
    passwords: PASSWORDS,
    opaque: { token: kept.token, cookie: kept.cookie, leaving: leaving.token },
    tokens,
    refused,
    checks,
    ...applications,
    locked: "mallory",
    deletedUser,
    answers: await answersTo(postern, kept.token),
  };
}
