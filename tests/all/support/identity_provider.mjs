// A real identity provider: oidc-provider with TLS on 127.0.0.1 and its own certificate. Also
// answers a Worker that fetches from the provider's https host.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { npmPackages, succeed, workFolder } from "./programs.mjs";

const fromPackages = (path) => import(pathToFileURL(join(npmPackages, path)));
const { default: Provider } = await fromPackages("oidc-provider/lib/index.js");

const HOST = "idp.test";
export const ISSUER = `https://${HOST}`;

const client = (id) => ({
  client_id: id,
  client_secret: `the secret of ${id}`,
  grant_types: ["client_credentials"],
  response_types: [],
  redirect_uris: [],
});

/** Three clients. Access tokens are JWTs if a resource was asked for, and opaque otherwise. */
function configuration(keys) {
  return {
    clients: ["reports-web", "crm-web", "gate"].map(client),
    jwks: { keys },
    cookies: { keys: ["for cookies, of which this test has none"] },
    extraTokenClaims: () => ({ realm: { roles: ["bi-authors", "Administrator"] } }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: "read",
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
        }),
      },
    },
  };
}

async function certificate() {
  const folder = workFolder("identity-provider");
  const [key, cert] = ["key.pem", "cert.pem"].map((file) => join(folder, file));
  const names = ["-subj", `/CN=${HOST}`, "-addext", `subjectAltName=DNS:${HOST}`];
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", key, "-out", cert];
  await succeed("openssl", ["req", "-x509", ...ec, ...files, ...names, "-days", "2"]);
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** Starts the provider with its private keys, as JWKs. It signs with the first one. */
export async function startIdentityProvider(keys) {
  const { key, cert } = await certificate();
  let answer;
  const use = (jwks) => {
    answer = new Provider(ISSUER, configuration(jwks)).callback();
  };
  use(keys);
  const server = https.createServer({ key, cert }, (...exchange) => answer(...exchange));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const agent = new https.Agent({ keepAlive: true, ca: cert });
  const { port } = server.address();
  const asked = [];

  /** Sends a request over TLS. The certificate must be the provider's. */
  const send = (path, { method = "GET", headers = {}, body } = {}) =>
    new Promise((done, failed) => {
      const options = { host: "127.0.0.1", port, path, method, agent, servername: HOST };
      options.headers = { ...headers, host: HOST };
      const request = https.request(options, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          done({ status: response.statusCode, headers: response.headers, body: text });
        });
      });
      request.on("error", failed).end(body);
    });

  /** Posts a form as a client. */
  async function post(id, path, form) {
    const credential = [id, `the secret of ${id}`].map(encodeURIComponent).join(":");
    const { status, body } = await send(path, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(credential).toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: String(new URLSearchParams(form)),
    });
    assert.equal(status, 200, body);
    return body;
  }

  /** An access token that the provider issues to a client: for a resource, or an opaque one. */
  async function token(id, resource) {
    const form = { grant_type: "client_credentials", ...(resource && { resource }) };
    return JSON.parse(await post(id, "/token", form)).access_token;
  }

  /** Revokes a token of a client. */
  const revoke = (id, token) => post(id, "/token/revocation", { token });

  /** Answers what a Worker fetches. */
  async function outbound(request) {
    const url = new URL(request.url);
    asked.push(request.url);
    if (url.origin !== ISSUER) return { status: 502 };
    const { status, headers, body } = await send(url.pathname + url.search, {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: request.method === "POST" ? await request.text() : undefined,
    });
    const { "content-type": type, "cache-control": caching } = headers;
    const told = { "content-type": type, ...(caching && { "cache-control": caching }) };
    return { status, headers: told, body };
  }

  const stop = () => {
    agent.destroy();
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { use, token, revoke, outbound, asked, stop };
}
