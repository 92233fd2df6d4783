// How `make smoke` checks each promise.

import { existsSync, readFileSync } from "node:fs";
import { signHs256 } from "../jwt.mjs";
import { NoAnswer, wordsOf } from "./asking.mjs";
import { Ends, Unkept } from "./report.mjs";
import { sharedCache } from "./shared_cache.mjs";
import { WAYS_OUT } from "./ways_out.mjs";

const DEFAULT_STALENESS_S = 10;
/** Milliseconds after the bound in which an answer may still be the old one. */
const GRACE_MS = 5000;
const ASKED_EVERY_MS = 250;
/** This many equal answers in a row show that the isolates that answer here agree. */
const AGREEING = 4;
/** How many answers of each kind are timed. */
const TIMED = 20;
/** Milliseconds. Postern waits 1.5 s for D1; the rest is for the network. */
const SLOW_MS = 5000;
/** The longest time to wait for a sign of the shared cache. */
const CACHE_SHOWN_WITHIN_MS = 60_000;
/** A bookmark in D1's own format. */
const MADE_UP_BOOKMARK = "0000ffff-0000ffff-0000ffff-0123456789abcdef0123456789abcdef";
/** Causes that have their own row. */
const OWN_CAUSES = ["secret_unopened", "schema_outdated"];

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const inSeconds = (offset) => Math.floor(Date.now() / 1000) + offset;
const isVerified = ({ status }) => status === 200;

export class Promises {
  #asking;
  #report;
  #made;
  #username;
  #secret;
  #wantedS;
  #say;
  #health;
  /** The newest bookmark of a write. */
  #bookmark;
  #userToken;
  #key;
  /** Milliseconds for which a proxy may cache a verdict. */
  #keptMs = 0;

  /** `wantedS` is the bound that the operator wants, if they set one. `say` gets what is done. */
  constructor({ asking, report, made, username, secret, wantedS, say }) {
    this.#asking = asking;
    this.#report = report;
    this.#made = made;
    this.#username = username;
    this.#secret = secret;
    this.#wantedS = wantedS;
    this.#say = say;
  }

  /** Checks all promises. Throws `Ends` if nothing more can be checked. */
  async look() {
    await this.#lookAtHealth();
    await this.#signIn();
    await this.#tellNames();
    await this.#make();
    await this.#refusals();
    await this.#permissions();
    await this.#bookmarkOfWrite();
    await this.#arrival();
    await this.#madeUpBookmark();
    await this.#latencies();
    await this.#revocation();
    await this.#sharing();
  }

  /**
   * `see` returns what it saw of a promise, or throws `Unkept`. Returns whether the promise is
   * kept.
   */
  async #promise(name, see) {
    try {
      this.#report.kept(name, await see());
      return true;
    } catch (error) {
      const { message, wayOut = WAYS_OUT.network } = error;
      if (!(error instanceof Unkept) && !(error instanceof NoAnswer)) throw error;
      this.#report.unkept(name, message, wayOut);
      return false;
    }
  }

  /** Like `#promise`, for a promise without which nothing more can be checked. */
  async #needs(name, otherwise, see) {
    if (!(await this.#promise(name, see))) throw new Ends(otherwise);
  }

  get #boundMs() {
    return 1000 * (this.#wantedS ?? this.#health.stalenessS ?? DEFAULT_STALENESS_S);
  }

  async #lookAtHealth() {
    await this.#needs("configured", "Postern did not say how it is", async () => {
      const answer = await this.#asking.ask("GET", "/health");
      if (answer.json?.d1 === undefined) {
        throw new Unkept(wordsOf(answer), WAYS_OUT.unconfigured(answer));
      }
      this.#health = answer.json;
      return `version ${answer.json.version}, ${besideCheckout(answer.json.version)}`;
    });
    await this.#promise("bound", async () => this.#bound());
    this.#stored();
    const wrong = this.#wrong();
    if (wrong.length > 0) this.#report.unkept("well", wrong.join(", "), WAYS_OUT.degraded);
    else this.#report.kept("well", "D1 ok, KV ok");
  }

  #bound() {
    const { stalenessS } = this.#health;
    const wanted = this.#wantedS;
    if (stalenessS === undefined) {
      throw new Unkept("/health of this version does not tell it", WAYS_OUT.version);
    }
    if (wanted === undefined) return `${stalenessS} s`;
    if (stalenessS > wanted) {
      const seen = `STALENESS_S is ${stalenessS}, and you said ${wanted}`;
      throw new Unkept(seen, WAYS_OUT.longerBound(wanted));
    }
    return `${stalenessS} s, and you said ${wanted}`;
  }

  /** Checks that the migrations are applied, and that the secrets can be opened. */
  #stored() {
    const { status, d1 } = this.#health;
    if (d1 !== "ok") {
      for (const name of ["migrated", "opened"]) this.#report.notSeen(name, "D1 does not answer");
      return;
    }
    if (this.#cause("schema_outdated")) {
      const seen = status === "down" ? "they are missing" : "some are missing";
      this.#report.unkept("migrated", seen, WAYS_OUT.migrations);
      if (status === "down") throw new Ends("it can be seen when the migrations are applied");
    } else {
      this.#report.kept("migrated", "all of them");
    }
    const unopened = this.#cause("secret_unopened")?.count;
    const seen = `no master key opens ${unopened} of the stored secrets`;
    if (unopened) this.#report.unkept("opened", seen, WAYS_OUT.masterKey);
    else this.#report.kept("opened", "all secrets");
  }

  #cause(kind) {
    return this.#health.causes?.find((cause) => cause.kind === kind);
  }

  #wrong() {
    const { d1, kv, causes = [] } = this.#health;
    const silent = Object.entries({ D1: d1, KV: kv }).filter(([, how]) => how !== "ok");
    const others = causes.filter(({ kind }) => !OWN_CAUSES.includes(kind));
    return [
      ...silent.map(([what]) => `${what} does not answer`),
      ...others.map(({ kind, count }) => `${kind}: ${count}`),
    ];
  }

  /**
   * Uses paths that are always Postern's, so that the password reaches no application behind it.
   */
  async #signIn() {
    const isKey = this.#secret.startsWith("pst_");
    const pair = Buffer.from(`${this.#username}:${this.#secret}`).toString("base64");
    this.#asking.credential = isKey ? `Bearer ${this.#secret}` : `Basic ${pair}`;
    await this.#needs("signsIn", "nobody is signed in", async () => {
      const answer = await this.#asking.ask("GET", "/v1/users?limit=1");
      if (answer.status !== 200) throw new Unkept(wordsOf(answer), WAYS_OUT.signIn(answer));
      if (isKey) return "by a key";
      // The key replaces the password, which costs 50 ms at each check.
      const { key } = await this.#write(this.#made.key("administration"));
      this.#asking.credential = `Bearer ${key}`;
      return this.#username;
    });
  }

  /** The body of the answer to a write. */
  async #write(asked) {
    const answer = await asked;
    if (answer.status >= 300) {
      throw new Unkept(`a write was refused: ${wordsOf(answer)}`, WAYS_OUT.writes);
    }
    this.#bookmark = answer.headers["x-postern-bookmark"] ?? this.#bookmark;
    return answer.json;
  }

  get #sinceWritten() {
    return { "x-postern-bookmark": this.#bookmark };
  }

  /** Prints the names of what is wrong, which only administrators get. */
  async #tellNames() {
    if (!this.#health.causes?.length) return;
    const { json } = await this.#asking.ask("GET", "/health", { headers: this.#sinceWritten });
    for (const { kind, names = [] } of json?.causes ?? []) {
      if (names.length > 0) this.#say(`${kind}: ${names.join(", ")}`);
    }
  }

  async #make() {
    this.#say("making a token app, a user, a service, a grant and keys, which go in the end");
    const made = this.#made;
    await this.#needs("verifies", "a token app and its user could not be made", async () => {
      await this.#write(made.app());
      await this.#write(made.user());
      await this.#write(made.service());
      const json = { authObjectType: "USER", authObjectId: made.userId, permissions: ["VIEW"] };
      const grants = `/v1/services/${made.serviceId}/grants`;
      await this.#write(this.#asking.ask("POST", grants, { json }));
      this.#key = (await this.#write(made.key("decisions"))).key;

      this.#userToken = this.#token();
      const answer = await this.#verify(this.#userToken, { headers: this.#sinceWritten });
      if (!isVerified(answer) || answer.json?.user?.username !== made.name) {
        throw new Unkept(wordsOf(answer), WAYS_OUT.verdict(answer));
      }
      const [, maxAge = 0] = /\bmax-age=(\d+)/.exec(answer.headers["cache-control"] ?? "") ?? [];
      this.#keptMs = 1000 * Number(maxAge);
      return "200, with its user";
    });
  }

  /** A token of the app, a different one each time. */
  #token(claims = {}, secret = this.#made.secret) {
    const sub = this.#made.name;
    const jti = `${sub}-${Math.random()}`;
    return signHs256(secret, { sub, iat: inSeconds(0), exp: inSeconds(1200), jti, ...claims });
  }

  #forged() {
    return this.#token({}, "a secret that no token app has");
  }

  #verify(token, { headers, isKept } = {}) {
    const all = { authorization: `Bearer ${token}`, ...headers };
    return this.#asking.ask("GET", "/v1/verify", { headers: all, isKept });
  }

  #check(credential, { query, headers, isKept } = {}) {
    const question = { service: this.#made.serviceId, permission: "VIEW", ...query };
    const path = `/v1/check?${new URLSearchParams(question)}`;
    const all = { authorization: `Bearer ${credential}`, ...headers };
    return this.#asking.ask("GET", path, { headers: all, isKept });
  }

  async #refusals() {
    const expired = this.#token({ iat: inSeconds(-7200), exp: inSeconds(-3600) });
    const stranger = this.#token({ sub: `${this.#made.name}-stranger` });
    const refused = [
      ["forged", this.#forged(), "401 bad_signature"],
      ["expired", expired, "401 expired"],
      ["unknownUser", stranger, "403 user_unknown"],
    ];
    for (const [name, token, expected] of refused) {
      await this.#promise(name, async () => {
        const answer = await this.#verify(token, { headers: this.#sinceWritten });
        const seen = wordsOf(answer);
        if (seen === expected) return seen;
        throw new Unkept(`${seen} in place of ${expected}`, WAYS_OUT.verdict(answer));
      });
    }
  }

  async #permissions() {
    const headers = this.#sinceWritten;
    await this.#promise("machine", async () => {
      for (const [permission, expected] of Object.entries({ VIEW: true, DELETE: false })) {
        const query = { user: this.#made.userId, permission };
        const answer = await this.#check(this.#key, { query, headers });
        const allowed = answer.json?.allowed;
        if (allowed !== expected) {
          const seen = `${permission}: ${allowed ?? wordsOf(answer)} in place of ${expected}`;
          throw new Unkept(seen, WAYS_OUT.verdict(answer));
        }
      }
      return "what is granted is allowed, the rest is not";
    });
  }

  async #bookmarkOfWrite() {
    await this.#promise("bookmark", async () => {
      // Each connection may lead to another isolate.
      for (let count = 0; count < AGREEING; count += 1) {
        const answer = await this.#check(this.#userToken, { headers: this.#sinceWritten });
        if (answer.json?.allowed !== true) {
          const seen = `a new grant does not count: ${answer.json?.allowed ?? wordsOf(answer)}`;
          throw new Unkept(seen, WAYS_OUT.verdict(answer));
        }
      }
      return `a new grant counts, asked ${AGREEING} times`;
    });
  }

  async #madeUpBookmark() {
    await this.#promise("madeUp", async () => {
      const headers = { "x-postern-bookmark": MADE_UP_BOOKMARK };
      const { agree, lastOther, isStale } = await this.#watch({
        ask: () => this.#verify(this.#userToken, { headers }),
        agrees: isVerified,
        atLeastMs: 0,
        limitMs: this.#boundMs + GRACE_MS,
      });
      if (!agree) throw new Unkept(wordsOf(lastOther), WAYS_OUT.verdict(lastOther));
      if (isStale) throw new Unkept("answers with it rely on copies", WAYS_OUT.version);
      return "200";
    });
  }

  /**
   * Asks again and again, each time by a new connection, until the answers agree and `atLeastMs`
   * has passed, for at most `limitMs`. Returns whether they agree in the end, the last other answer
   * and when it was asked for, and how many answers there were to how many requests.
   */
  async #watch({ ask, agrees, atLeastMs, limitMs }) {
    const begun = performance.now();
    const ids = new Set();
    let [agreeing, count, isStale, lastOther, lastOtherMs] = [0, 0, false, undefined, 0];
    for (;;) {
      const next = performance.now() + ASKED_EVERY_MS;
      const answer = await ask();
      const askedMs = answer.sentAt - begun;
      count += 1;
      ids.add(answer.headers["x-request-id"]);
      isStale ||= answer.headers["x-postern-stale"] !== undefined;
      if (agrees(answer)) {
        agreeing += 1;
      } else {
        [agreeing, lastOther, lastOtherMs] = [0, answer, askedMs];
      }
      const agree = agreeing >= AGREEING;
      if ((agree && askedMs >= atLeastMs) || askedMs >= limitMs) {
        return { agree, lastOther, lastOtherMs, count, requests: ids.size, isStale };
      }
      await this.#asking.pause(next - performance.now());
    }
  }

  async #arrival() {
    await this.#promise("arrives", async () => {
      const { agree, lastOther, lastOtherMs } = await this.#watch({
        ask: () => this.#verify(this.#userToken),
        agrees: isVerified,
        atLeastMs: 0,
        limitMs: this.#boundMs + GRACE_MS,
      });
      if (lastOther === undefined) return "at once, wherever it was asked";
      if (agree) return `everywhere after ${seconds(lastOtherMs + ASKED_EVERY_MS)}`;
      const seen = `after ${seconds(lastOtherMs)} still ${wordsOf(lastOther)}`;
      throw new Unkept(seen, WAYS_OUT.verdict(lastOther));
    });
  }

  async #latencies() {
    this.#say(`timing ${TIMED} answers of each kind`);
    const isKept = true;
    const headers = this.#sinceWritten;
    const user = `/v1/users/${this.#made.userId}`;
    const rename = (name) => this.#asking.ask("PATCH", user, { json: { name }, isKept });
    const forged = ["a forged token", 401, () => this.#verify(this.#forged(), { isKept })];
    const kinds = [
      ["a verification, warm", 200, () => this.#verify(this.#userToken, { isKept })],
      // If forged tokens are not refused, their own row says so.
      ...(this.#report.isKept("forged") ? [forged] : []),
      ["a check, warm", 200, () => this.#check(this.#userToken, { isKept })],
      ["a check, cold (D1 is asked)", 200, () => this.#check(this.#userToken, { headers, isKept })],
    ];
    let slowest = 0;
    await this.#promise("waits", async () => {
      for (const kind of kinds) slowest = Math.max(slowest, await this.#timed(...kind));
      await this.#timed("a write", 200, (count) => rename(`smoke ${count}`));
      const seen = `the slowest took ${slowest.toFixed()} ms`;
      if (slowest > SLOW_MS) throw new Unkept(seen, WAYS_OUT.slow);
      const stale = this.#asking.stale;
      return stale === 0 ? seen : `${seen}; so far ${stale} relied on copies, as D1 was slow`;
    });
  }

  /** Times answers of a kind. Returns the milliseconds of the slowest one. */
  async #timed(kind, status, ask) {
    const times = [];
    // The first request opens the connection, and is not timed.
    for (let count = 0; count <= TIMED; count += 1) {
      const answer = await ask(count);
      if (answer.status !== status) {
        const seen = `${kind}: ${wordsOf(answer)} in place of ${status}`;
        throw new Unkept(seen, WAYS_OUT.verdict(answer));
      }
      if (count > 0) times.push(answer.ms);
    }
    this.#report.latency(kind, times);
    return Math.max(...times);
  }

  async #revocation() {
    const boundMs = this.#boundMs + this.#keptMs;
    const bound = `the bound is ${boundMs / 1000} s`;
    this.#say(`revoking a token, and asking about it for ${boundMs / 1000 + 1} s`);
    await this.#promise("revoked", async () => {
      const token = this.#token();
      const ask = () => this.#verify(token);
      // Lets isolates cache the token as a valid one.
      const good = { ask, agrees: isVerified, atLeastMs: 1000, limitMs: boundMs + GRACE_MS };
      const { agree, lastOther: refusal } = await this.#watch(good);
      if (!agree) throw new Unkept(wordsOf(refusal), WAYS_OUT.verdict(refusal));
      await this.#write(this.#asking.ask("POST", "/v1/revocations", { json: { token } }));

      const seen = await this.#watch({
        ask,
        agrees: ({ status }) => status === 401,
        // One isolate refuses it at once, while others may still accept it.
        atLeastMs: boundMs + 1000,
        limitMs: boundMs + GRACE_MS,
      });
      const { lastOther, lastOtherMs, count, requests } = seen;
      if (!seen.agree) {
        // Each answer of Postern's has its own id.
        const isOfCache = requests < count / 2 || lastOther.headers.age !== undefined;
        const wayOut = isOfCache ? WAYS_OUT.kept : WAYS_OUT.late(this.#boundMs / 1000);
        const still = `after ${seconds(lastOtherMs)} still ${wordsOf(lastOther)}`;
        throw new Unkept(`${still}; ${bound}`, wayOut);
      }
      const when = lastOther ? `accepted until ${seconds(lastOtherMs)} after it` : "at once";
      return `${when}, asked ${count} times; ${bound}`;
    });
  }

  async #sharing() {
    const patience = Math.min(CACHE_SHOWN_WITHIN_MS, 3 * this.#boundMs + GRACE_MS);
    const ends = performance.now() + patience;
    let word = "unknown";
    while (word === "unknown" && performance.now() < ends) {
      const next = performance.now() + ASKED_EVERY_MS;
      // Asks without a credential, because the question needs no administrator.
      const headers = { authorization: undefined };
      word = (await this.#asking.ask("GET", "/health", { headers })).json?.sharedCache;
      // By such questions, an isolate learns what the cache does.
      await this.#verify(this.#userToken);
      await this.#asking.pause(next - performance.now());
    }
    const { verdict, seen, wayOut } = sharedCache(word, this.#asking.hostname);
    if (verdict === "ok") this.#report.kept("shared", seen);
    else if (verdict === "FAILED") this.#report.unkept("shared", seen, wayOut);
    else this.#report.notSeen("shared", seen);
  }
}

function besideCheckout(version) {
  const here = ownVersion();
  return here === version ? "as in this checkout" : `and this checkout is ${here}`;
}

/** A release has its version in VERSION, and has no Cargo.toml. */
function ownVersion() {
  const file = (name) => new URL(`../../../${name}`, import.meta.url);
  if (existsSync(file("VERSION"))) return readFileSync(file("VERSION"), "utf8").split(" ")[0];
  const [, version] = /^version = "([^"]+)"$/m.exec(readFileSync(file("Cargo.toml"), "utf8")) ?? [];
  return version;
}
