// What crosses between wasm and the runtime with every request, in as few native objects as can be:
// they cost more than the wasm does.

/** A request's header; undefined where there is none. */
export function header(request, name) {
  return request.headers.get(name) ?? undefined;
}

/**
 * The country from which a request comes; undefined if the platform does not tell it, as in
 * the tests.
 */
export function country(request) {
  const country = request.cf?.country;
  return typeof country === "string" ? country : undefined;
}

/**
 * A kind of answers, from a text in lines: the status, then name and value of each header, where
 * the value is empty if it differs from answer to answer. It is an answer without a body, whose
 * headers the runtime copies from object to object, and the names of those that differ.
 */
export function kind(text) {
  const [status, ...lines] = text.split("\n");
  const response = new Response(null, { status: Number(status) });
  const { headers } = response;
  const names = [];
  for (let index = 0; index + 1 < lines.length; index += 2) {
    if (lines[index + 1] === "") names.push(lines[index]);
    else headers.set(lines[index], lines[index + 1]);
  }
  return { response, headers, names };
}

/**
 * Makes an answer of its kind. Up to `bodyAt` the text has the values that differ, each ended by a
 * line feed. The body follows, unless one is given.
 */
export function respond({ response, headers, names }, text, bodyAt, body) {
  const values =
    names.length === 1 ? [text.slice(0, bodyAt - 1)] : text.slice(0, bodyAt).split("\n");
  for (let index = 0; index < names.length; index += 1) headers.set(names[index], values[index]);
  return new Response(body === undefined ? text.slice(bodyAt) : body, response);
}

/** The classes of latency, by the milliseconds below which each ends. */
const LATENCIES = [
  [1, "0"],
  [10, "<10"],
  [50, "<50"],
  [250, "<250"],
  [1000, "<1000"],
];

/**
 * Writes a data point about a decision. `blobs` are texts in lines; the class of the latency
 * follows them. Nothing waits for the platform, and whatever it throws is nobody's trouble. The
 * clock goes on only while the Worker waits, so that whatever was answered from memory took 0 ms.
 */
export function decided(env, binding, index, blobs, yes, no, begunAt) {
  try {
    const took = Date.now() - begunAt;
    const [, latency] = LATENCIES.find(([end]) => took < end) ?? [Infinity, ">=1000"];
    env[binding].writeDataPoint({
      indexes: [index],
      blobs: [...blobs.split("\n"), latency],
      doubles: [took, yes, no],
    });
  } catch {
    // A decision is not lost with its data point.
  }
}

/**
 * The cookies that an answer of the origin sets, one by one, because joined ones cannot be
 * separated again.
 */
export function setCookies(headers) {
  return headers.getSetCookie();
}

/**
 * A promise and the functions that settle it. This module keeps neither, because after a panic it
 * outlives the wasm instance.
 */
export function promised() {
  return Promise.withResolvers();
}

/**
 * Lets WebCrypto check a signature; `done` is told the ticket with true, false, or the error's
 * text, and answers whoever waits for it. The bytes are copied before this returns.
 */
export function verify(subtle, how, key, signature, message, ticket, done) {
  const say = (outcome) => {
    try {
      done(ticket, outcome);
    } catch (error) {
      reportError(error);
    }
  };
  subtle
    .verify(how, key, signature, message)
    .then(say, (error) => say(String(error?.message ?? error)));
}

// The key of an entry must be a URL of the Worker's own host: with another one the platform would
// look that host up.
const urlOf = (name) => `https://${name}`;

/**
 * The entry that isolates of this data centre share under a name; undefined if there is none, or if
 * the platform has no such cache.
 */
export async function sharedText(name) {
  try {
    return await (await caches.default.match(urlOf(name)))?.text();
  } catch {
    return undefined;
  }
}

/** Shares a text for so many seconds. */
export async function share(name, text, seconds) {
  try {
    await caches.default.put(
      urlOf(name),
      new Response(text, { headers: { "cache-control": `max-age=${seconds}` } }),
    );
  } catch {
    // What is not shared is read from D1.
  }
}
