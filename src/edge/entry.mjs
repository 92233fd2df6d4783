// The Worker's entry. It starts the wasm, passes events to it, and replaces the instance after a
// panic.
//
// A panic ends a wasm instance in the middle of what it was doing, and so does any other trap. The
// requests that it was answering are lost. The next event gets a fresh instance.

import { WorkerEntrypoint } from "cloudflare:workers";
import * as generated from "../../build/index.js";

/** What this file relies on: mod.rs, panics.rs, streams.rs, and a function of wasm-bindgen. */
const EVENTS = ["fetch", "gate", "scheduled"];
const NEEDED = [...EVENTS, "onPanic", "onStream", "mayStayOpen", "__wbg_reset_state"];
for (const name of NEEDED) {
  // biome-ignore lint/performance/noDynamicNamespaceImportAccess: nothing here is shaken out of it
  if (typeof generated[name] !== "function") {
    throw new Error(`build/index.js exports no function ${name}, which entry.mjs calls`);
  }
}

const { fetch: answer, gate, scheduled, mayStayOpen, onPanic, onStream } = generated;
const replaceInstance = generated.__wbg_reset_state;

/** The instance has panicked or trapped, and the next event must not reach it. */
let isBroken = false;

function breaks() {
  isBroken = true;
}

/** An instance needs this before its first event. */
function introduce() {
  onPanic(breaks);
  onStream(ask);
}

function replace() {
  console.log("replacing the wasm instance");
  replaceInstance();
  introduce();
  isBroken = false;
}

/** A stream asks whether it may stay open: whatever instance there is now, also a newer one. */
function ask(...values) {
  if (isBroken) replace();
  try {
    return mayStayOpen(...values);
  } catch (error) {
    breaks();
    throw error;
  }
}

// Whatever exception leaves the wasm has cut it off in the middle. The one with this message does
// not count: a callback of an instance that has been replaced was called, and did nothing. The
// build helper checks that wasm-bindgen still words it like this.
const STALE = "Cannot invoke closure from previous WASM instance";
addEventListener("error", ({ error }) => {
  if (error?.message !== STALE) breaks();
});
addEventListener("unhandledrejection", ({ reason }) => {
  // A stack that overflows is a RangeError.
  if (reason instanceof WebAssembly.RuntimeError || reason instanceof RangeError) breaks();
});

// The runtime's own queueMicrotask wraps each task in native objects, which cost more than a
// verification. Wasm queues a task for each answer that waits for something. An error is reported,
// as the runtime does it.
globalThis.queueMicrotask = (task) => {
  Promise.resolve().then(task).catch(reportError);
};

introduce();

export default {
  fetch(request, env, ctx) {
    if (isBroken) replace();
    try {
      return answer(request, env, ctx);
    } catch (error) {
      breaks();
      throw error;
    }
  },

  scheduled(event, env, ctx) {
    if (isBroken) replace();
    return scheduled(event, env, ctx);
  },
};

/**
 * What other Workers of the account ask by a service binding: `entrypoint = "Gate"`. No HTTP
 * reaches it. Questions and answers are plain objects; `examples/hono/gate.d.ts` has their types. A
 * refusal is an answer too. A call is rejected only when the instance breaks, and without its
 * words.
 */
export class Gate extends WorkerEntrypoint {
  verify(question) {
    return this.#ask("verify", question);
  }

  introspect(question) {
    return this.#ask("introspect", question);
  }

  check(question) {
    return this.#ask("check", question);
  }

  checkBatch(question) {
    return this.#ask("checkBatch", question);
  }

  #ask(operation, question) {
    if (isBroken) replace();
    try {
      return gate(operation, question, this.env, this.ctx);
    } catch (error) {
      breaks();
      reportError(error);
      throw new Error("Postern broke off this call; the next one is answered");
    }
  }
}
