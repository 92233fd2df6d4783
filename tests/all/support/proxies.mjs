// Real proxies with the configurations of examples/, between a client and an application, and Postern behind them.
//
// Of a configuration only addresses and files are replaced, and what a server of its own needs is put around it.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import WebSocket from "ws";
import { send } from "../../edge/support/http.mjs";
import { top } from "../../edge/support/workerd.mjs";
import { APP_HOST, POSTERN_HOST } from "./neighbours.mjs";
import { program, startProgram } from "./processes.mjs";
import { fromPypi } from "./programs.mjs";

const example = (file) => readFileSync(join(top, "examples", file), "utf8");

/** The text with each placeholder replaced; one that is not there is a failure. */
function filled(text, values) {
  return Object.entries(values).reduce((result, [placeholder, value]) => {
    assert.ok(result.includes(placeholder), `the example no longer has "${placeholder}", which this test replaces`);
    return result.replaceAll(placeholder, value);
  }, text);
}

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

function nginx({ folder, port, app, postern, trusted, certificate }) {
  const site = filled(example("nginx.conf"), {
    [`server ${POSTERN_HOST}:443;`]: `server ${postern};`,
    "server app.internal.example.com:8080;": `server ${app};`,
    "listen 443 ssl;": `listen 127.0.0.1:${port} ssl;`,
    "/etc/ssl/app.example.com/fullchain.pem": certificate.certificate,
    "/etc/ssl/app.example.com/privkey.pem": certificate.key,
    "/etc/ssl/certs/ca-certificates.crt": trusted.certificate,
  });
  const scratch = TEMPORARY.map((kind) => `${kind}_temp_path ${folder}/${kind};`);
  const around = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http {
access_log off; ${scratch.join(" ")}
${site}}
`;
  const file = join(folder, "nginx.conf");
  writeFileSync(file, around);
  return { args: ["-p", folder, "-c", file] };
}

function caddy({ folder, port, app, postern, trusted, certificate }) {
  const tls = `tls_trusted_ca_certs ${trusted.certificate}\ntls_server_name ${POSTERN_HOST}`;
  const site = filled(example("Caddyfile"), {
    [`forward_auth https://${POSTERN_HOST} {`]: `forward_auth https://${postern} {\ntransport http {\n${tls}\n}`,
    "app.internal.example.com:8080": app,
    "app.example.com {": `https://${APP_HOST}:${port} {\ntls ${certificate.certificate} ${certificate.key}`,
  });
  const file = join(folder, "Caddyfile");
  writeFileSync(file, `{\nadmin off\nauto_https off\ndefault_bind 127.0.0.1\n}\n${site}`);
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  return { args: ["run", "--adapter", "caddyfile", "--config", file], env };
}

/** The program of each, and what configures it: writes its files into `folder`, and answers its arguments. */
const PROXIES = {
  nginx: [() => program("nginx"), nginx],
  caddy: [() => fromPypi("caddy"), caddy],
  // On Debian 12 it is 2.6.2, the oldest for which the example is made.
  "the system's caddy": [() => program("caddy"), caddy],
};

/** The names of all. */
export const NAMES = Object.keys(PROXIES);

/**
 * Starts a proxy with its example. `app` and `postern` are `host:port`, `trusted` is the certificate that Postern's has to be,
 * `certificate` the proxy's own. Answers `{ url, stop, send, connect }`, where `send` and `connect` come from a client that knows
 * the proxy by the name of the application.
 */
export async function startProxy(name, options) {
  const [path, configure] = PROXIES[name];
  const { port, stop } = await startProgram(path(), (free) => configure({ port: free, ...options }));
  const url = `https://127.0.0.1:${port}`;
  const tls = { ca: readFileSync(options.certificate.certificate), servername: APP_HOST };
  const withHost = (headers) => ({ host: APP_HOST, ...headers });
  return {
    url,
    stop,
    send: ({ headers, ...request }) => send(url, { ...request, headers: withHost(headers) }, tls),
    connect: (path, headers) => opened(new WebSocket(`wss://127.0.0.1:${port}${path}`, { headers: withHost(headers), ...tls })),
  };
}

/** An open WebSocket, or the status of the answer that refused it: `{ socket, status }`. */
function opened(socket) {
  return new Promise((done, failed) => {
    socket.once("open", () => done({ socket, status: 101 }));
    socket.once("unexpected-response", (request, { statusCode: status }) => {
      request.destroy();
      done({ status });
    });
    socket.on("error", failed);
  });
}
