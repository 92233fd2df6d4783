// Real nginx and real Caddy with the configurations of examples/, between a client and an application, and Postern behind them.
//
// Of a configuration only addresses and files are replaced, and what a server of its own needs is put around it.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { top } from "../../edge/support/workerd.mjs";

const START_MS = 30_000;
const STOP_MS = 5000;
const ATTEMPTS = 5;

/** The name that the examples know Postern by. */
export const POSTERN_HOST = "postern.example.workers.dev";

/** Where scripts/lib/proxies.sh puts what it fetches, and where else it looks. */
const fetched = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern/proxies");

const folders = [
  ...(process.env.PATH ?? "").split(delimiter),
  ...["/usr/sbin", "/usr/local/sbin"],
  fetched,
];

/** A folder of packages that scripts/lib/proxies.sh has unpacked. */
export function unpacked(name) {
  const folder = join(fetched, name);
  accessSync(folder, constants.R_OK);
  return folder;
}

export function program(name) {
  const found = folders.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(found, `${name} is not installed: make test-all fetches it`);
  return found;
}

const example = (file) => readFileSync(join(top, "examples", file), "utf8");

/** The text with each placeholder replaced; one that is not there is a failure. */
function filled(text, values) {
  return Object.entries(values).reduce((result, [placeholder, value]) => {
    assert.ok(result.includes(placeholder), `the example no longer has "${placeholder}", which this test replaces`);
    return result.replaceAll(placeholder, value);
  }, text);
}

/** How each is configured and run: its file is written into `folder`, and its arguments are answered. */
const PROXIES = {
  nginx({ folder, port, app, postern, trusted, certificate }) {
    const site = filled(example("nginx.conf"), {
      [`server ${POSTERN_HOST}:443;`]: `server ${postern};`,
      "server app.internal.example.com:8080;": `server ${app};`,
      "listen 443 ssl;": `listen 127.0.0.1:${port};`,
      "/etc/ssl/app.example.com/fullchain.pem": certificate.certificate,
      "/etc/ssl/app.example.com/privkey.pem": certificate.key,
      "/etc/ssl/certs/ca-certificates.crt": trusted.certificate,
    });
    const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
    const around = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http {
access_log off; ${scratch.join(" ")}
${site}}
`;
    const file = join(folder, "nginx.conf");
    writeFileSync(file, around);
    return { args: ["-p", folder, "-c", file] };
  },

  caddy({ folder, port, app, postern, trusted }) {
    const site = filled(example("Caddyfile"), {
      [`forward_auth https://${POSTERN_HOST} {`]: `forward_auth https://${postern} {\ntransport http {\ntls_trusted_ca_certs ${trusted.certificate}\n}`,
      "app.internal.example.com:8080": app,
      "app.example.com {": `http://127.0.0.1:${port} {`,
    });
    const file = join(folder, "Caddyfile");
    writeFileSync(file, `{\nadmin off\nauto_https off\ndefault_bind 127.0.0.1\n}\n${site}`);
    const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    return { args: ["run", "--adapter", "caddyfile", "--config", file], env };
  },
};

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/**
 * Starts `nginx` or `caddy` with its example, and answers `{ url, stop }`. `app` and `postern` are `host:port`, `trusted` is the
 * certificate that Postern's has to be, `certificate` the proxy's own.
 */
export const startProxy = (name, options) => startProgram(program(name), (port) => PROXIES[name]({ port, ...options }));

/** Starts a program that serves a port, with the `{ args, env }` that `configure` answers for it; answers `{ url, port, stop }`. */
export async function startProgram(path, configure) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const { args, env } = configure(port);
    const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    const ended = new Promise((done) => child.once("close", done).once("error", done)).then(() => running.delete(child));
    const stop = async () => {
      child.kill("SIGTERM");
      const patience = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(patience);
    };
    if (await answers(port, child)) return { url: `http://127.0.0.1:${port}`, port, stop };
    await stop();
    // The port was free a moment ago; somebody else may have taken it since.
    if (attempt === ATTEMPTS || !/address already in use/i.test(output)) throw new Error(`${path} did not start: ${output}`);
  }
}

export function freePort() {
  return new Promise((done, failed) => {
    const server = net.createServer().once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

async function answers(port, child) {
  const connects = () =>
    new Promise((done) => {
      const socket = net.connect(port, "127.0.0.1", () => done(true));
      socket.once("error", () => done(false)).once("close", () => done(false));
      socket.once("connect", () => socket.destroy());
    });
  for (const until = Date.now() + START_MS; Date.now() < until && child.exitCode === null; await sleep(20)) {
    if (await connects()) return true;
  }
  return false;
}

/** A fresh self-signed certificate for Postern's name and for 127.0.0.1, as two files. */
export function makeCertificate(folder, name) {
  const [key, certificate] = ["key", "crt"].map((kind) => join(folder, `${name}.${kind}`));
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", `/CN=${name}`];
  const names = ["-addext", `subjectAltName=DNS:${POSTERN_HOST},IP:127.0.0.1`];
  execFileSync(program("openssl"), ["req", ...kind, ...names, "-keyout", key, "-out", certificate], { stdio: "pipe" });
  return { key, certificate };
}

const bodyOf = async (message) => Buffer.concat(await message.toArray());

function recordOf({ method, url, headers, rawHeaders }, body) {
  const lines = Array.from({ length: rawHeaders.length / 2 }, (_, index) => rawHeaders.slice(2 * index, 2 * index + 2));
  return { method, url, headers, lines, body };
}

/** Makes a server listen, and answers `{ address, stop }`. */
async function listening(server) {
  const sockets = new Set();
  const name = server instanceof https.Server ? "secureConnection" : "connection";
  server.on(name, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  });
  await new Promise((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const stop = () =>
    new Promise((done) => {
      server.close(() => done());
      sockets.forEach((socket) => socket.destroy());
    });
  return { address: `127.0.0.1:${server.address().port}`, stop };
}

/** An application: answers 200 to everything, and `received` is what has come. */
export async function startApp() {
  const received = [];
  const server = http.createServer(async (request, response) => {
    received.push(recordOf(request, await bodyOf(request)));
    response.end("from the app");
  });
  return { received, ...(await listening(server)) };
}

/** Raw headers without `connection`, which is about the connection to workerd only. */
function endToEnd(raw) {
  const pairs = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]]] : []));
  return pairs.filter(([name]) => name.toLowerCase() !== "connection").flat();
}

/**
 * Postern's TLS: passes all on to workerd. `received` is what the proxy has asked, `serverNames` the names under which it came. Where
 * `canned` is set, that is the answer instead: `{ status, headers }`.
 */
export async function startFront(postern, { key, certificate }) {
  const front = { received: [], serverNames: [], connections: 0, canned: undefined };
  const files = { key: readFileSync(key), cert: readFileSync(certificate) };
  const server = https.createServer(files, async (request, response) => {
    const body = await bodyOf(request);
    front.received.push(recordOf(request, body));
    if (front.canned) {
      response.writeHead(front.canned.status, front.canned.headers).end();
      return;
    }
    const { hostname, port } = new URL(postern.url);
    const passed = { hostname, port, agent: false, method: request.method, path: request.url, headers: request.rawHeaders };
    const onward = http.request(passed, (answer) => {
      response.writeHead(answer.statusCode, endToEnd(answer.rawHeaders));
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    onward.end(body);
  });
  server.on("secureConnection", (socket) => {
    front.connections += 1;
    // A session that is taken up again says no name.
    if (!socket.isSessionReused()) front.serverNames.push(socket.servername);
  });
  return Object.assign(front, await listening(server));
}
