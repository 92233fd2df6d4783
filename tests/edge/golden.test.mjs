// Each transcript over HTTP, on its own isolate, D1 and KV. Each body is compared with the OpenAPI
// document. In the end, the remaining state is searched for credentials.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { DocumentCheck } from "./support/document.mjs";
import { administratorOf, run, transcripts } from "./support/golden.mjs";
import { Recorder, filesIn, occurrences, sha256Hex } from "./support/leaks.mjs";
import { deployment, startWorkerd } from "./support/workerd.mjs";

/** Isolates in one workerd process, which starts once for all of them. */
const ISOLATES = 12;
/** Processes that run at the same time. */
const LANES = 2;

const all = transcripts();
const state = mkdtempSync(join(tmpdir(), "postern-golden-"));
const recorder = new Recorder();
const documentCheck = new DocumentCheck();
let output = "";

/**
 * A process with an isolate for each of its transcripts. It starts with the first and stops after
 * the last.
 */
class Batch {
  transcripts = [];
  #workerd;
  #ended = 0;

  async run(transcript) {
    this.#workerd ??= this.#start();
    const { isolates } = await this.#workerd;
    try {
      const isolate = recorder.listen(isolates[this.transcripts.indexOf(transcript)]);
      // The document describes all dialects, but lacks the paths of a dialect that is not served.
      const isWhole = transcript.variables?.DIALECTS === undefined;
      const listened = isWhole ? documentCheck.listen(isolate, transcript.file) : isolate;
      await run(listened, transcript);
    } finally {
      this.#ended += 1;
      if (this.#ended === this.transcripts.length) await this.stop();
    }
  }

  async #start() {
    const isolates = this.transcripts.map((transcript) => ({
      bindings: deployment(transcript.variables),
    }));
    const folder = mkdtempSync(join(state, "batch-"));
    const workerd = await startWorkerd({ isolates, folder, onOutput: (text) => (output += text) });
    await Promise.all(
      workerd.isolates.map((isolate, index) =>
        isolate.tool("migrate", administratorOf(this.transcripts[index])),
      ),
    );
    return workerd;
  }

  async stop() {
    const workerd = await this.#workerd?.catch(() => {});
    // Nothing keeps the process's configuration of 50 MB any longer.
    this.#workerd = undefined;
    await workerd?.stop();
  }
}

const batches = [];

/** Consecutive transcripts go to different processes, so that all of them are busy. */
function batchOf(index) {
  const place = LANES * Math.floor(index / (LANES * ISOLATES)) + (index % LANES);
  batches[place] ??= new Batch();
  return batches[place];
}

after(async () => {
  await Promise.all(batches.map((batch) => batch.stop()));
  rmSync(state, { recursive: true, force: true });
});

it("there are transcripts", () => assert.notEqual(all.length, 0));

describe("transcripts", { concurrency: LANES }, () => {
  for (const [index, transcript] of all.entries()) {
    const batch = batchOf(index);
    batch.transcripts.push(transcript);
    it(`${transcript.file}: ${transcript.about}`, () => batch.run(transcript));
  }
});

it("every body of a transcript is as the OpenAPI document says", () => {
  assert.ok(
    documentCheck.checked > 1000,
    `only ${documentCheck.checked} requests were held against the document`,
  );
  assert.deepEqual(
    [...documentCheck.mistakes].map(([mistake, file]) => `${mistake} (${file})`),
    [],
  );
});

it("no secret, password, token or cookie of a transcript is in the state or in the log", () => {
  const files = filesIn(state);
  const hashes = [...recorder.issued].map(sha256Hex);
  assert.notEqual(
    occurrences(files, hashes).length,
    0,
    "the search finds what is there: the hashes of tokens",
  );
  assert.deepEqual(
    occurrences({ ...files, "the log": Buffer.from(output) }, recorder.credentials),
    [],
  );
});
