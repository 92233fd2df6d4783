// What `make smoke` creates in a deployment, and how it is removed. Each thing has a name or an id
// that was chosen here, so it is removed also if the answer to its creation was lost.

import { randomBytes, randomInt } from "node:crypto";
import { NoAnswer, wordsOf } from "./asking.mjs";

/** How often a removal is tried, and the pause in between. */
const ATTEMPTS = 5;
const PAUSE_MS = 1000;
const HOUR_MS = 3_600_000;

/** Callers may choose the ids of users and services. This one is almost certainly free. */
const newId = () => randomInt(2 ** 45, 2 ** 46);

export class Made {
  name = `postern-smoke-${randomBytes(6).toString("hex")}`;
  secret = randomBytes(32).toString("base64url");
  userId = newId();
  serviceId = newId();
  #asking;
  /** `[what, remove]` of each thing. The last one is removed first. */
  #things = [];

  constructor(asking) {
    this.#asking = asking;
  }

  app() {
    const json = {
      name: this.name,
      tokenName: this.name,
      algorithm: "HS256",
      secret: this.secret,
      expire: 3600,
      claims: { username: "sub" },
      createsUsers: false,
    };
    this.#things.push([
      `the token app ${this.name}`,
      () => this.#remove(`/v1/token-apps/${this.name}`),
    ]);
    return this.#asking.ask("POST", "/v1/token-apps", { json });
  }

  user() {
    this.#things.push([
      `the name of the deleted user ${this.name}`,
      () => this.#remove(`/v1/tombstones/${this.name}`),
    ]);
    this.#things.push([
      `the user ${this.name}`,
      () => this.#removeOurs(`/v1/users/${this.userId}`, "username"),
    ]);
    const json = { id: this.userId, username: this.name };
    return this.#asking.ask("POST", "/v1/users", { json });
  }

  /** Creates a service. Its grants are removed together with it. */
  service() {
    this.#things.push([
      `the service ${this.serviceId}`,
      () => this.#removeOurs(`/v1/services/${this.serviceId}`, "name"),
    ]);
    const json = { id: this.serviceId, name: this.name };
    return this.#asking.ask("POST", "/v1/services", { json });
  }

  /** Makes a key with this right. The current credential makes and removes it. */
  async key(may) {
    const key = {
      name: `${this.name}-${may}`,
      headers: { authorization: this.#asking.credential },
    };
    this.#things.push([`the key ${key.name}`, () => this.#removeKey(key)]);
    // If the key is left behind, it expires by itself.
    const json = { name: key.name, may: [may], expiresAt: Date.now() + HOUR_MS };
    const answer = await this.#asking.ask("POST", "/v1/keys", { headers: key.headers, json });
    key.id = answer.json?.id;
    return answer;
  }

  #remove(path) {
    return this.#asking.ask("DELETE", path);
  }

  /** Removes what has one of our ids. If it belonged to somebody else before, it is left alone. */
  async #removeOurs(path, member) {
    const answer = await this.#asking.ask("GET", path);
    if (answer.status !== 200) return answer;
    return answer.json?.[member] === this.name ? this.#remove(path) : { status: 404 };
  }

  async #removeKey({ id, name, headers }) {
    for (let cursor = ""; id === undefined && cursor !== null; ) {
      const path = `/v1/keys?limit=500${cursor && `&cursor=${cursor}`}`;
      const answer = await this.#asking.ask("GET", path, { headers });
      if (answer.status !== 200) return answer;
      id = answer.json.items.find((key) => key.name === name)?.id;
      cursor = answer.json.next;
    }
    if (id === undefined) return { status: 404 };
    return this.#asking.ask("DELETE", `/v1/keys/${id}`, { headers });
  }

  /** Removes everything. Returns how many things there were, and what is left, with the reason. */
  async remove() {
    const left = [];
    const things = this.#things.splice(0).reverse();
    for (const [what, remove] of things) {
      const why = await this.#patiently(remove);
      if (why !== undefined) left.push(`${what} (${why})`);
    }
    return { count: things.length, left };
  }

  /** Returns why something could not be removed; undefined if it is gone. */
  async #patiently(remove) {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await remove().catch((error) => {
        if (!(error instanceof NoAnswer)) throw error;
        return { status: 503, text: error.message };
      });
      if ([200, 204, 404].includes(answer.status)) return undefined;
      const mayPass = answer.status === 429 || answer.status >= 500;
      if (!mayPass || attempt === ATTEMPTS) return wordsOf(answer);
      await this.#asking.pause(PAUSE_MS);
    }
  }
}
