// What stays open through the gateway: it ends when the credential ends that opened it.
//
// The timers, sockets and bodies belong to the request that opened the stream. The runtime keeps
// the request alive while its WebSocket or its body is open, and drops them with it. Each stream
// holds the request, its bindings, and one text of who opened it; the wasm holds nothing, so that a
// stream is judged like any other request by whatever instance there is.

/**
 * How many bytes may wait for a side that takes its messages slowly, not counting the largest
 * message.
 */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

const ENDED = { code: 1008, reason: "the credential is no longer valid" };
const TOO_SLOW = { code: 1013, reason: "too many messages wait" };
const CLIENT_GONE = { code: 1001, reason: "the client has gone" };
const ORIGIN_GONE = { code: 1011, reason: "the connection to the origin broke" };

/**
 * What a stream is watched by. `ask(...values)` promises whether it may stay open; without an
 * answer in time it may not. It ends at `endsAt`, whatever the answer.
 */
export function watch(ask, values, endsAt, everyMs, patienceMs) {
  return { ask: async () => ask(...values), endsAt, everyMs, patienceMs };
}

/**
 * Asks at once, since the stream may have been opened by memory that was nearly too old, and then
 * again and again. The time counts from the question on, so that slow answers do not stretch it.
 * Calls `end` once, unless the function that this answers was called before.
 */
function whenOver({ ask, endsAt, everyMs, patienceMs }, end) {
  let timer;
  let isStopped = false;
  const stop = () => {
    isStopped = true;
    clearTimeout(timer);
  };
  const over = () => {
    if (isStopped) return;
    stop();
    end();
  };
  const wait = (until) => {
    const isEnd = endsAt <= until;
    timer = setTimeout(isEnd ? over : check, Math.max(0, (isEnd ? endsAt : until) - Date.now()));
  };
  const check = () => {
    const next = Date.now() + everyMs;
    timer = setTimeout(over, patienceMs);
    const answered = (mayStay) => {
      if (isStopped) return;
      clearTimeout(timer);
      if (mayStay === true) wait(next);
      else over();
    };
    ask().then(answered, over);
  };
  // The wasm is under way now, and must not be entered.
  wait(Date.now());
  return stop;
}

/** Closes a side; one that has broken, or was closed before, stays as it is. */
function close(socket, ...codeAndReason) {
  try {
    socket.close(...codeAndReason);
  } catch {
    // There is nobody to tell.
  }
}

/**
 * Passes a close frame on. One without a code stays without a code. A code that must not be sent
 * becomes a protocol error.
 */
function closeLike(socket, { code, reason }) {
  try {
    if (code === 1005) socket.close();
    else socket.close(code, reason);
  } catch {
    close(socket, 1002);
  }
}

/**
 * Relays between the client and the WebSocket of the origin's answer, in both directions, and
 * answers the client with the headers. A side that is closed stays open for the other's messages
 * until it closes too, as between the two themselves.
 */
export function relay(answer, headers, watch) {
  const origin = answer.webSocket;
  const [client, here] = Object.values(new WebSocketPair());
  const closed = new Set();
  let isOver = false;
  const end = ({ code, reason }) => {
    isOver = true;
    stop();
    close(here, code, reason);
    close(origin, code, reason);
  };
  const stop = whenOver(watch, () => end(ENDED));
  const join = (from, to, gone) => {
    const left = () => closed.add(from).size === 2 && stop();
    let largest = 0;
    from.binaryType = "arraybuffer";
    from.addEventListener("message", ({ data }) => {
      if (isOver) return;
      const waiting = to.bufferedAmount;
      if (waiting === 0) largest = 0;
      // There is no way to stop reading from the side that sends.
      if (waiting - largest > MAX_WAITING_BYTES) return end(TOO_SLOW);
      largest = Math.max(largest, data.byteLength ?? data.length);
      try {
        to.send(data);
      } catch {
        // It was closed meanwhile.
      }
    });
    from.addEventListener("close", (event) => {
      left();
      if (event.code === 1006) close(to, gone.code, gone.reason);
      else closeLike(to, event);
    });
    from.addEventListener("error", () => {
      left();
      close(to, gone.code, gone.reason);
    });
    from.accept({ allowHalfOpen: true });
  };
  join(here, origin, CLIENT_GONE);
  join(origin, here, ORIGIN_GONE);
  return switched(headers, client);
}

/** The answer that changes the protocol, with other headers and the same connection. */
export function withHeaders(answer, headers) {
  return switched(headers, answer.webSocket);
}

function switched(headers, webSocket) {
  // The connections to the client and to the origin have their own.
  for (const name of ["sec-websocket-accept", "sec-websocket-extensions"]) headers.delete(name);
  return new Response(null, { status: 101, headers, webSocket });
}

/**
 * A body that is passed on without JavaScript. If its stream is closed early, the body ends as if
 * it were complete.
 */
export function pump(body, watch) {
  const { readable, writable } = new IdentityTransformStream();
  const abort = new AbortController();
  const stop = whenOver(watch, () => abort.abort());
  const broken = (error) => {
    stop();
    return abort.signal.aborted ? writable.close() : writable.abort(error);
  };
  body
    .pipeTo(writable, { signal: abort.signal, preventAbort: true })
    .then(stop, broken)
    .catch(() => {});
  return readable;
}
