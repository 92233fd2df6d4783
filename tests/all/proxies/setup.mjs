// Starts Postern, an application and a proxy between them, for the tests of each proxy.

import { after, before, beforeEach, describe } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  admin,
  expectStatus,
  nowInSeconds,
  registerApp,
  sign,
  signIn,
  signInBrowser,
  verifyBearer,
} from "../../edge/support/client.mjs";
import { deployment, startWorkerd } from "../../edge/support/workerd.mjs";
import { makeCertificate, startApp, startFront } from "../support/neighbours.mjs";
import { NAMES, startProxy } from "../support/proxies.mjs";
import { FACTS } from "./facts.mjs";

/** The service of the examples, on which carol has VIEW. */
export const SERVICE = 1;

export const IDENTITY = [
  ...["X-Auth-User", "X-Auth-User-Id", "X-Auth-Name", "X-Auth-Email"],
  ...["X-Auth-Roles", "X-Auth-App", "X-Auth-Roles-Truncated"],
];

export const claims = (username, more) => ({
  loginname: username,
  exp: nowInSeconds() + 600,
  ...more,
});
const token = (username, more) => sign("abcd", claims(username, more));
export const alice = () => token("alice", { name: "Alice Ünal", email: "alice@example.com" });
/** Postern knows no name and no e-mail address of bob and carol. */
export const bob = () => token("bob");
export const carol = () => token("carol");
export const forged = () => sign("wrong", claims("alice"));
export const bearer = (value) => ({ authorization: `Bearer ${value}` });

/** Headers that a browser sends with a navigation. */
export const PAGE = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

export const ALICE = {
  ...{
    "X-Auth-User": "alice",
    "X-Auth-Name": "Alice %C3%9Cnal",
    "X-Auth-Email": "alice@example.com",
  },
  ...{ "X-Auth-Roles": "SYS_Reader", "X-Auth-App": "ERP" },
};
export const BOB = { "X-Auth-User": "bob", "X-Auth-Roles": "SYS_Reader", "X-Auth-App": "ERP" };
export const CAROL = { ...BOB, "X-Auth-User": "carol" };
export const ADMIN = { "X-Auth-User": "admin", "X-Auth-Roles": "Administrator" };

/**
 * The identity that the application gets, or might read: names and values of all headers that look
 * like Postern's.
 */
export function identity({ lines }) {
  const plain = (name) => name.toLowerCase().replaceAll(/[^a-z\d]/g, "-");
  const told = lines.filter(([name]) => plain(name).startsWith("x-auth"));
  const canonical = (name) =>
    IDENTITY.find((one) => one.toLowerCase() === name.toLowerCase()) ?? name;
  const members = told.map(([name, value]) => [canonical(name), value]);
  assert.equal(
    new Set(members.map(([name]) => name)).size,
    members.length,
    `a header came twice: ${told.join("; ")}`,
  );
  // An empty header has no meaning. Some proxies drop it.
  return Object.fromEntries(members.filter(([, value]) => value !== ""));
}

/**
 * Names that some application reads as this one, because it reads each character that is not a
 * letter or digit as `_`.
 */
export function aliases(name) {
  const [first, ...rest] = name.split("-");
  const both = (names, part) => names.flatMap((begun) => [`${begun}-${part}`, `${begun}_${part}`]);
  const mixed = rest.reduce(both, [first]).slice(1);
  return [...mixed, ...Array.from("!#$%&'*+.^`|~", (character) => name.replaceAll("-", character))];
}

/** `PROXY=envoy` runs only the tests of that proxy. */
const isWanted = (name) => !process.env.PROXY || process.env.PROXY.split(",").includes(name);

/** The address that a client claims. */
export const CLAIMED = "198.51.100.7";

/**
 * Asserts that Postern gets the address from which the proxy was reached: the last one of a list.
 * For 127.0.0.1, Envoy sends an address of its machine.
 */
export function expectOwnAddress(headers) {
  const last = headers["x-forwarded-for"].split(",").at(-1).trim();
  assert.ok(isIP(last) && last !== CLAIMED, headers["x-forwarded-for"]);
}

/** Runs `tests` behind each proxy. Each test gets all servers of the set-up. */
export function behindEach(tests, names = NAMES, options = {}) {
  for (const name of names.filter(isWanted)) {
    describe(`behind ${name}`, () => {
      const given = new Given(name, options);
      before(() => given.start());
      after(() => given.stop());
      beforeEach(() => given.forget());
      tests(given, FACTS[name]);
    });
  }
}

class Given {
  /** `variables` are Postern's, and `replaced` is a part of the example. */
  constructor(name, { variables, replaced }) {
    Object.assign(this, { name, variables, replaced });
    this.folder = mkdtempSync(join(tmpdir(), "postern-proxy-"));
    this.number = 0;
  }

  async start() {
    const bindings = deployment({ LOGIN_URL: "password", ...this.variables });
    this.workerd = await startWorkerd({ isolates: [{ bindings }] });
    [this.postern] = this.workerd.isolates;
    const { postern } = this;
    await registerApp(postern);
    const [, value] = (await signInBrowser(postern)).split("=");
    this.session = { ...(await signIn(postern)), cookie: `__Host-postern=${value}` };
    const idOf = async (who) =>
      String(expectStatus(await verifyBearer(postern, who), 200).json.user.id);
    const { token: admins } = this.session;
    this.ids = {
      alice: await idOf(alice()),
      bob: await idOf(bob()),
      carol: await idOf(carol()),
      admin: await idOf(admins),
    };
    const json = {
      authObjectType: "USER",
      authObjectId: Number(this.ids.carol),
      permissions: ["VIEW"],
    };
    const path = `/api/v1/services/${SERVICE}/auth`;
    expectStatus(await postern.send({ method: "POST", path, headers: admin, json }), 200);
    this.certificate = makeCertificate(this.folder, "postern");
    this.app = await startApp();
    this.front = await startFront(postern, this.certificate);
    this.proxy = await this.another();
  }

  async stop() {
    await this.proxy?.stop();
    await Promise.all([this.app?.stop(), this.front?.stop(), this.workerd?.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  forget() {
    this.app.received.length = 0;
    this.front.received.length = 0;
  }

  /**
   * Another proxy like this one. `front` and `trusted` may be others, and `replaced` a part of the
   * example.
   */
  another({ front = this.front, trusted = this.certificate, replaced = this.replaced } = {}) {
    const folder = join(this.folder, `proxy-${++this.number}`);
    mkdirSync(folder);
    const addresses = { app: this.app.address, postern: front.address };
    return startProxy(this.name, {
      ...addresses,
      folder,
      trusted,
      certificate: this.certificate,
      replaced,
    });
  }

  /** The application's view of a request that must arrive. */
  async arriving(request) {
    this.app.received.length = 0;
    expectStatus(await this.proxy.send(request), 200, `${request.path}:`);
    assert.equal(this.app.received.length, 1, "the application is asked once");
    return this.app.received[0];
  }

  async expectIdentity(request, expected) {
    const told = identity(await this.arriving(request));
    assert.deepEqual(told, { ...expected, "X-Auth-User-Id": this.ids[expected["X-Auth-User"]] });
  }

  /** The answer to a request that must not reach the application. */
  async refused(request, status, through = this.proxy) {
    this.app.received.length = 0;
    const answer = expectStatus(await through.send(request), status, `${request.path}:`);
    assert.deepEqual(this.app.received, [], "the application is not asked");
    return answer;
  }
}
