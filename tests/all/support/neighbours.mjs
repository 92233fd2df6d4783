// The servers beside a proxy: the application, and Postern's TLS.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { program } from "./processes.mjs";

/** The examples' name for Postern. */
export const POSTERN_HOST = "postern.example.workers.dev";

/** The examples' name for the application, which browsers show in their address bar. */
export const APP_HOST = "app.example.com";

/**
 * A new self-signed certificate: `{ key, certificate, both }` are files. The default names are
 * those of the examples and 127.0.0.1.
 */
export function makeCertificate(folder, name, names = [POSTERN_HOST, APP_HOST]) {
  const [key, certificate, both] = ["key", "crt", "pem"].map((kind) =>
    join(folder, `${name}.${kind}`),
  );
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-days", "2", "-subj", `/CN=${name}`];
  const address = names.includes(POSTERN_HOST) ? ["IP:127.0.0.1"] : [];
  const alternatives = [...names.map((one) => `DNS:${one}`), ...address].join(",");
  const more = [...subject, "-addext", `subjectAltName=${alternatives}`];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync(program("openssl"), ["req", ...kind, ...more, ...files], { stdio: "pipe" });
  writeFileSync(both, [certificate, key].map((file) => readFileSync(file, "utf8")).join(""));
  return { key, certificate, both };
}

const bodyOf = async (message) => Buffer.concat(await message.toArray());

function recordOf({ method, url, headers, rawHeaders }, body) {
  const count = rawHeaders.length / 2;
  const lines = Array.from({ length: count }, (_, at) => rawHeaders.slice(2 * at, 2 * at + 2));
  return { method, url, headers, lines, body };
}

/** Makes a server listen. Returns `{ address, stop }`. */
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

/** The cookie that the application sets each time. */
export const OF_APP = "of-app=1; Path=/";

/**
 * An application. It answers 200, which caches may keep, to each request, and returns what comes
 * through a WebSocket. It speaks any other protocol, too. `received` lists what it got.
 */
export async function startApp() {
  const received = [];
  const server = http.createServer(async (request, response) => {
    received.push(recordOf(request, await bodyOf(request)));
    response.setHeader("content-type", "text/plain").setHeader("set-cookie", OF_APP);
    response.setHeader("cache-control", "public, max-age=600");
    response.end(`from the app for ${request.headers["x-auth-user"]}`);
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    received.push(recordOf(request));
    if (request.headers.upgrade !== "websocket") {
      socket.end(`HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on("message", (data, isBinary) => opened.send(data, { binary: isBinary }));
    });
  });
  return { received, ...(await listening(server)) };
}

/** Raw headers without `connection`, which is about the connection to workerd only. */
function endToEnd(raw) {
  const pairs = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]]] : []));
  return pairs.filter(([name]) => name.toLowerCase() !== "connection").flat();
}

/**
 * Postern's TLS, which forwards all requests to workerd. `received` lists what the proxy has asked,
 * and `serverNames` the names in its TLS. If `canned` is set, that is the answer instead: `{
 * status, headers }`.
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
    const { method, url, rawHeaders } = request;
    const passed = { hostname, port, agent: false, method, path: url, headers: rawHeaders };
    const onward = http.request(passed, (answer) => {
      response.writeHead(answer.statusCode, endToEnd(answer.rawHeaders));
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    onward.end(body);
  });
  server.on("secureConnection", (socket) => {
    front.connections += 1;
    // A resumed TLS session has no name.
    if (!socket.isSessionReused()) front.serverNames.push(socket.servername);
  });
  return Object.assign(front, await listening(server));
}
