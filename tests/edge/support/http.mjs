// Sends requests exactly as written. `fetch` forbids some headers, joins repeated ones and adds its
// own.

import http from "node:http";
import https from "node:https";

/** Milliseconds after which a Worker that hangs fails its test. No test asserts this time. */
const PATIENCE_MS = 60_000;

// Each request has its own connection. workerd closes idle ones, which would fail the next request
// on them.
const agents = {
  "http:": new http.Agent({ keepAlive: false }),
  "https:": new https.Agent({ keepAlive: false, maxCachedSessions: 0 }),
};

/**
 * Sends `{ method, path, headers, body, json, form, chunked }` to a base URL. Returns `{ status,
 * headers, text, json }`. A header's value may be a list, which is sent as several headers.
 * `chunked` sends the body without its length. `tls` has Node's options for an https server: `{ ca,
 * servername }`.
 */
export function send(
  base,
  { method = "GET", path, headers = {}, body, json, form, chunked = false },
  tls = {},
) {
  const { hostname, port, host, protocol } = new URL(base);
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one]),
  );
  const declare = (name, value) => {
    if (!lines.some(([key]) => key.toLowerCase() === name)) lines.push([name, value]);
  };
  let content = body;
  if (json !== undefined) {
    content = JSON.stringify(json);
    declare("content-type", "application/json");
  } else if (form !== undefined) {
    content = String(new URLSearchParams(form));
    declare("content-type", "application/x-www-form-urlencoded");
  }
  declare("host", host);
  if (content !== undefined) {
    if (chunked) declare("transfer-encoding", "chunked");
    else declare("content-length", String(Buffer.byteLength(content)));
  } else if (!["GET", "HEAD"].includes(method)) {
    declare("content-length", "0");
  }
  return new Promise((done, failed) => {
    const options = {
      ...tls,
      hostname,
      port,
      agent: agents[protocol],
      method,
      path,
      headers: lines.flat().map(String),
    };
    const request = (protocol === "https:" ? https : http).request(options, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", failed);
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        done({ status: answer.statusCode, headers: answer.headers, text, json: parsed(text) });
      });
    });
    request.setTimeout(PATIENCE_MS, () =>
      request.destroy(
        new Error(`no answer to ${method} ${path.slice(0, 100)} within ${PATIENCE_MS} ms`),
      ),
    );
    // Without this handler, a 101 would never resolve.
    request.on("upgrade", ({ statusCode, headers }, socket) => {
      socket.destroy();
      done({ status: statusCode, headers });
    });
    request.on("error", failed);
    request.end(content);
  });
}

/** The text as JSON; undefined if it is not JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
