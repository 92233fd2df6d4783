// Credentials, token apps and tokens, which many tests need.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { ADMIN_PASSWORD } from "./workerd.mjs";

const TOKEN_APPS = "/plugin/datafor-modeler/api/token";
const HASHES = { HS256: "sha256", HS384: "sha384", HS512: "sha512" };

export const basic = (username, password) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** The first administrator's credential. */
export const admin = { authorization: basic("admin", ADMIN_PASSWORD) };

export const nowInSeconds = () => Math.floor(Date.now() / 1000);

const encoded = (value) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** Signs with the HMAC that the header's `alg` names, else with HS256. */
export function sign(secret, claims, header = { typ: "JWT", alg: "HS256" }) {
  const text = `${encoded(header)}.${encoded(claims)}`;
  const signature = createHmac(HASHES[header.alg] ?? "sha256", secret).update(text);
  return `${text}.${signature.digest("base64url")}`;
}

/** The whole configuration of a token app. */
export function configuration(changes = {}) {
  return {
    name: "ERP",
    token_name: "token",
    secret: "abcd",
    expire: 86400,
    fieldmap: { username: "loginname", name: "name", email: "email" },
    algorithm: "HS256",
    enable: "1",
    inituser: "1",
    initroles: ["SYS_Reader"],
    // Keys at a URL sign for many audiences, so an app must say which of them it accepts.
    ...(changes?.secret?.startsWith("https://") ? { any_audience: true } : {}),
    ...changes,
  };
}

/** Asserts the status, and shows the body if it differs. */
export function expectStatus(answer, status, what = "") {
  assert.equal(answer.status, status, `${what} ${answer.status} ${answer.text}`);
  return answer;
}

export async function registerApp(postern, changes, credential = admin) {
  const json = configuration(changes);
  const path = `${TOKEN_APPS}/updateAuthorization`;
  expectStatus(
    await postern.send({ method: "POST", path, headers: credential, json }),
    200,
    "registering a token app:",
  );
  return json;
}

export async function listApps(postern, credential = admin) {
  return expectStatus(
    await postern.send({ path: `${TOKEN_APPS}/list`, headers: credential }),
    200,
    "listing token apps:",
  ).json.data;
}

/** All users, read page by page. */
export async function listUsers(postern, credential = admin) {
  const users = [];
  for (let cursor = ""; cursor !== null; ) {
    const path = `/v1/users?limit=500${cursor && `&cursor=${cursor}`}`;
    const { json } = expectStatus(
      await postern.send({ path, headers: credential }),
      200,
      "listing users:",
    );
    users.push(...json.items);
    cursor = json.next;
  }
  return users;
}

/** Signs in with a user name and a password. Returns the token and its cookie. */
export async function signIn(postern, username = "admin", password = ADMIN_PASSWORD) {
  const answer = await postern.send({
    method: "POST",
    path: "/imanager/cloud/security/tokens.json",
    json: { username, password },
  });
  expectStatus(answer, 200, "signing in:");
  const [, cookie] = /^JSESSIONID=([0-9A-F]{32}\.postern);/.exec(answer.headers["set-cookie"][0]);
  return { token: answer.text, cookie, credential: { "x-auth-token": answer.text } };
}

/**
 * Signs in at the gateway with a user name and a password. Returns the session's cookie. The
 * deployment needs LOGIN_URL = "password".
 */
export async function signInBrowser(postern, username = "admin", password = ADMIN_PASSWORD) {
  const answer = await postern.send({
    method: "POST",
    path: "/v1/sign-in",
    json: { username, password },
  });
  expectStatus(answer, 303, "signing in with a browser:");
  return sessionOf(answer);
}

/** The session's cookie that an answer sets, as `name=value`. */
export function sessionOf(answer) {
  const [cookie] = (answer.headers["set-cookie"] ?? [])
    .map((set) => set.split(";")[0])
    .filter((set) => /^(__Host-)?postern=./.test(set));
  assert.ok(cookie, "a session begins");
  return cookie;
}

export const verifyParameter = (postern, token) =>
  postern.send({ path: `/v1/verify?token=${token}` });

export const verifyBearer = (postern, token) =>
  postern.send({ path: "/v1/verify", headers: { authorization: `Bearer ${token}` } });

/** Asserts a refusal and its reason. */
export function expectRefusal(answer, reason) {
  expectStatus(answer, 401, `expected ${reason}:`);
  assert.equal(answer.json.reason, reason, answer.text);
}
