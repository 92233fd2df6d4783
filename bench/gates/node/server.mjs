// A small server of Node in front of something that decides. It verifies HS256 with node:crypto,
// and asks about the user whom the token names. Arguments: the port, the module of the `decider`,
// and what that one is given, as JSON.

import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";

const [port, module, given] = process.argv.slice(2);
const { secret, ...options } = JSON.parse(given);
const { decider } = await import(module);
const decides = await decider(options);

const read = (part) => JSON.parse(Buffer.from(part, "base64url").toString());

/** The claims, or undefined. */
function verified(authorization = "") {
  const [head, body, signature, more] = authorization.slice("Bearer ".length).split(".");
  if (!signature || more !== undefined || read(head).alg !== "HS256") return undefined;
  const expected = createHmac("sha256", secret).update(`${head}.${body}`).digest();
  const actual = Buffer.from(signature, "base64url");
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
  const claims = read(body);
  return claims.exp * 1000 > Date.now() ? claims : undefined;
}

function claimsOf(request) {
  try {
    return verified(request.headers.authorization);
  } catch {
    return undefined;
  }
}

async function statusOf(request) {
  const claims = claimsOf(request);
  if (!claims) return 401;
  const { searchParams } = new URL(request.url, "http://localhost");
  const service = Number(searchParams.get("service"));
  return (await decides(claims.loginname, service, searchParams.get("permission"))) ? 200 : 403;
}

const server = http.createServer((request, response) =>
  statusOf(request).then(
    (status) =>
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(`{"allowed":${status === 200}}`),
    (error) => response.writeHead(500).end(String(error.stack)),
  ),
);
server.keepAliveTimeout = 60_000;
server.listen(Number(port), "127.0.0.1");
