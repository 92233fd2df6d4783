// The output of `make smoke`: each promise of docs/design/promises.md, what it saw of it, and the
// way out if it was not kept.

/** The promises, in the order of the table. */
const PROMISES = {
  configured: "It answers, with its secrets and variables",
  migrated: "The database has the migrations of the Worker",
  opened: "The master key opens what is stored",
  well: "D1 and KV answer, and nothing is degraded",
  bound: "The bound on staleness is the one that you want",
  signsIn: "An administrator signs in",
  verifies: "A token that a token app has signed is verified",
  forged: "A forged token is refused",
  expired: "An expired token is refused",
  unknownUser: "A token of an unknown user is refused",
  machine: "A key for machines asks who may do what",
  bookmark: "A read with a write's bookmark sees that write",
  madeUp: "A made-up bookmark is ignored",
  waits: "An answer waits for D1 at most 1.5 s",
  arrives: "A new token app counts within the bound",
  revoked: "A revoked token is refused within the bound",
  shared: "Isolates share what one of them has read",
  cleaned: "Whatever this run has made is gone again",
};

const PROMISE_WIDTH = Math.max(...Object.values(PROMISES).map((promise) => promise.length));
const VERDICT_WIDTH = "not seen".length;

/** A promise that was not kept: what was seen instead, and the way out. */
export class Unkept extends Error {
  constructor(seen, wayOut) {
    super(seen);
    this.wayOut = wayOut;
  }
}

/** What follows cannot be checked, and why. */
export class Ends extends Error {}

export class Report {
  #rows = new Map();
  #latencies = [];
  /** Why promises without a row were not checked. */
  ended = "the run ended before";

  kept(name, seen) {
    this.#rows.set(name, { verdict: "ok", seen });
  }

  unkept(name, seen, wayOut) {
    this.#rows.set(name, { verdict: "FAILED", seen, wayOut });
  }

  notSeen(name, seen) {
    this.#rows.set(name, { verdict: "not seen", seen });
  }

  isKept(name) {
    return this.#rows.get(name)?.verdict === "ok";
  }

  latency(kind, times) {
    this.#latencies.push({ kind, times: times.toSorted((one, other) => one - other) });
  }

  get hasFailed() {
    return [...this.#rows.values()].some(({ verdict }) => verdict === "FAILED");
  }

  table() {
    const lines = Object.entries(PROMISES).flatMap(([name, promise]) => {
      const unseen = { verdict: "not seen", seen: this.ended };
      const { verdict, seen, wayOut } = this.#rows.get(name) ?? unseen;
      const begin = `${verdict.padEnd(VERDICT_WIDTH)}  ${promise.padEnd(PROMISE_WIDTH)}`;
      const end = wayOut ? [`${" ".repeat(VERDICT_WIDTH)}  → ${wayOut}`] : [];
      return [`${begin}  ${seen}`, ...end];
    });
    return [...lines, ...this.#latencyLines()].join("\n");
  }

  #latencyLines() {
    if (this.#latencies.length === 0) return [];
    const width = Math.max(...this.#latencies.map(({ kind }) => kind.length));
    const percentile = (times, part) => times[Math.ceil(times.length * part) - 1];
    const shown = (ms) => `${ms.toFixed(1)} ms`.padStart(11);
    const rows = this.#latencies.map(({ kind, times }) => {
      const percentiles = [0.5, 0.95].map((part) => shown(percentile(times, part)));
      return `${kind.padEnd(width)}${percentiles.join("")}${String(times.length).padStart(9)}`;
    });
    const head = ["p50", "p95"].map((name) => name.padStart(11)).join("");
    return ["", `${"from here, one by one".padEnd(width)}${head}  answers`, ...rows];
  }
}
