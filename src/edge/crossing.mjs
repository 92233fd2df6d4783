// What crosses between wasm and the runtime with every request, in as few native objects as can be: they cost more than the wasm does.

/** How many kinds of answers are kept; there are a few dozen. */
const MAX_KEPT = 100;

/** By kind: an answer without a body, whose headers the runtime copies from object to object, and the names of those that differ. */
const kept = new Map();

/** A request's header; undefined where there is none. */
export function header(request, name) {
  return request.headers.get(name) ?? undefined;
}

/**
 * Makes an answer of a text that has three parts, in lines. Up to `valuesAt` its kind: the status, and name and value of each header, where the
 * value is empty if it differs from answer to answer. Up to `bodyAt` the values that differ. Then the body, unless one is given.
 */
export function respond(text, valuesAt, bodyAt, body) {
  const kind = text.slice(0, valuesAt);
  const { response, headers, names } = kept.get(kind) ?? keep(kind);
  const values = names.length === 1 ? [text.slice(valuesAt, bodyAt - 1)] : text.slice(valuesAt, bodyAt).split("\n");
  for (let index = 0; index < names.length; index += 1) headers.set(names[index], values[index]);
  return new Response(body === undefined ? text.slice(bodyAt) : body, response);
}

function keep(part) {
  // A text of its own: a part of one keeps the whole alive, and so somebody's answer.
  const kind = part.split("\n").join("\n");
  const [status, ...lines] = kind.split("\n");
  const response = new Response(null, { status: Number(status) });
  const { headers } = response;
  const names = [];
  for (let index = 0; index + 1 < lines.length; index += 2) {
    if (lines[index + 1] === "") names.push(lines[index]);
    else headers.set(lines[index], lines[index + 1]);
  }
  const one = { response, headers, names };
  // Nobody's cookie is kept.
  if (!names.includes("set-cookie")) {
    if (kept.size === MAX_KEPT) kept.clear();
    kept.set(kind, one);
  }
  return one;
}

/** Lets WebCrypto check a signature; `done` is told the ticket with true, false, or the error's text. The bytes are copied before this returns. */
export function verify(subtle, how, key, signature, message, ticket, done) {
  const failed = (error) => done(ticket, String(error?.message ?? error));
  subtle.verify(how, key, signature, message).then((right) => done(ticket, right), failed);
}
