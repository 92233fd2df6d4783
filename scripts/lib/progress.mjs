// Shows the progress of a long task: a bar on a terminal, or else a line now and then. Stores it in
// a small file between runs.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const BAR_WIDTH = 24;
const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 10_000;

export const grouped = (number) => Math.round(number).toLocaleString("en-US");

const counted = (records) => `${grouped(records)} ${records === 1 ? "record" : "records"}`;

/** 75 s is 1:15, 4000 s is 1:06:40. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const padded = (number) => String(number).padStart(2, "0");
  return `${hours > 0 ? `${hours}:${padded(minutes)}` : minutes}:${padded(seconds % 60)}`;
}

/**
 * Progress since this run began. `start` is where the earlier run ended: `fraction` between 0 and
 * 1, and `records`.
 */
export class Progress {
  #out;
  #start;
  #startedAt = Date.now();
  #shownAt = Date.now();
  #isDrawn = false;

  constructor({ fraction = 0, records = 0 } = {}, out = process.stdout) {
    this.#out = out;
    this.#start = { fraction, records };
  }

  update(now) {
    const isDue = Date.now() - this.#shownAt >= (this.#out.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS);
    if (!isDue) return;
    this.#shownAt = Date.now();
    if (!this.#out.isTTY) {
      this.#out.write(`${this.#text(now)}\n`);
      return;
    }
    const filled = Math.round(Math.min(1, now.fraction) * BAR_WIDTH);
    const bar = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}`;
    this.#out.write(
      `\r${`${bar} ${this.#text(now)}`.slice(0, (this.#out.columns || 80) - 1)}\u001b[K`,
    );
    this.#isDrawn = true;
  }

  #text({ fraction, records }) {
    const elapsed = Date.now() - this.#startedAt;
    const gone = fraction - this.#start.fraction;
    const left = gone > 0 ? `, ${duration((elapsed * (1 - fraction)) / gone)} left` : "";
    const percent = String(Math.floor(Math.min(1, fraction) * 100)).padStart(3);
    return `${percent} %  ${counted(records)}, ${grouped(this.#rate(records))}/s${left}`;
  }

  #rate(records) {
    return ((records - this.#start.records) * 1000) / Math.max(1, Date.now() - this.#startedAt);
  }

  /** Prints a line, and draws the bar again below it. */
  say(text, out = this.#out) {
    this.clear();
    out.write(`${text}\n`);
  }

  clear() {
    if (this.#isDrawn) this.#out.write("\r\u001b[K");
    this.#isDrawn = false;
  }

  summary(records) {
    const elapsed = Date.now() - this.#startedAt;
    // Kilobytes, the peak of this process.
    const memory = process.resourceUsage().maxRSS / 1024;
    const did = `${counted(records - this.#start.records)} in ${duration(elapsed)}`;
    const rate = `${grouped(this.#rate(records))}/s`;
    return `${did}, ${rate}, with at most ${grouped(memory)} MB of memory`;
  }
}

/** The position of a task in a file. It is valid only for the task that it was written for. */
export class Bookmark {
  #path;
  #task;

  constructor(path, task) {
    this.#path = path;
    this.#task = task;
  }

  /** The last position of this task; undefined if there is none. */
  read() {
    try {
      const { task, at } = JSON.parse(readFileSync(this.#path, "utf8"));
      return isDeepStrictEqual(task, this.#task) ? at : undefined;
    } catch {
      return undefined;
    }
  }

  write(at) {
    const fresh = `${this.#path}.new`;
    writeFileSync(fresh, `${JSON.stringify({ task: this.#task, at })}\n`);
    renameSync(fresh, this.#path);
  }

  remove() {
    rmSync(this.#path, { force: true });
  }
}
