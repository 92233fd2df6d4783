// Real proxies with the configurations of examples/, between a client and an application, with
// Postern behind them.
//
// Only addresses and files of a configuration are replaced. What a server of its own needs is put
// around it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { send } from "../../edge/support/http.mjs";
import { top } from "../../edge/support/workerd.mjs";
import { APP_HOST, POSTERN_HOST } from "./neighbours.mjs";
import { program, startProgram, unpacked } from "./processes.mjs";
import { fromPypi } from "./programs.mjs";

const READY_MS = 20_000;

const example = (file) => readFileSync(join(top, "examples", file), "utf8");

/** Replaces each placeholder of the text. Fails if one is missing. */
function filled(text, values) {
  return Object.entries(values).reduce((result, [placeholder, value]) => {
    assert.ok(
      result.includes(placeholder),
      `the example no longer has "${placeholder}", which this test replaces`,
    );
    return result.replaceAll(placeholder, value);
  }, text);
}

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

function nginx({ folder, port, app, postern, trusted, certificate, replaced }) {
  const site = filled(example("nginx.conf"), {
    [`server ${POSTERN_HOST}:443;`]: `server ${postern};`,
    "server app.internal.example.com:8080;": `server ${app};`,
    "listen 443 ssl;": `listen 127.0.0.1:${port} ssl;`,
    "/etc/ssl/app.example.com/fullchain.pem": certificate.certificate,
    "/etc/ssl/app.example.com/privkey.pem": certificate.key,
    "/etc/ssl/certs/ca-certificates.crt": trusted.certificate,
    "/dev/shm/postern-verdicts": `${folder}/verdicts`,
    ...replaced,
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
    [`https://${POSTERN_HOST} {`]: `https://${postern} {\ntransport http {\n${tls}\n}`,
    "app.internal.example.com:8080": app,
    "app.example.com {": [
      `https://${APP_HOST}:${port} {`,
      `tls ${certificate.certificate} ${certificate.key}`,
    ].join("\n"),
  });
  const file = join(folder, "Caddyfile");
  writeFileSync(file, `{\nadmin off\nauto_https off\ndefault_bind 127.0.0.1\n}\n${site}`);
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  return { args: ["run", "--adapter", "caddyfile", "--config", file], env };
}

const placed = (address) => address.replace(/^(.*):(\d+)$/, "address: $1, port_value: $2");

function envoy({ folder, port, app, postern, trusted, certificate, replaced }) {
  const configuration = filled(example("envoy.yaml"), {
    "address: 0.0.0.0, port_value: 443": placed(`127.0.0.1:${port}`),
    "/etc/ssl/app.example.com/fullchain.pem": certificate.certificate,
    "/etc/ssl/app.example.com/privkey.pem": certificate.key,
    "address: app.internal.example.com, port_value: 8080": placed(app),
    [`address: ${POSTERN_HOST}, port_value: 443`]: placed(postern),
    "/etc/ssl/certs/ca-certificates.crt": trusted.certificate,
    ...replaced,
  });
  const file = join(folder, "envoy.yaml");
  writeFileSync(file, configuration);
  return { args: ["-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"] };
}

function traefik({ folder, port, app, postern, trusted, certificate }) {
  const files = {
    dynamic: join(folder, "traefik-dynamic.yml"),
    static: join(folder, "traefik.yml"),
  };
  const fixed = filled(example("traefik.yml"), {
    'address: ":443"': `address: "127.0.0.1:${port}"`,
    "certResolver: letsencrypt": "{}",
    "/var/lib/traefik/acme.json": join(folder, "acme.json"),
    "/etc/traefik/traefik-dynamic.yml": files.dynamic,
  });
  const question = new RegExp(`( +)address: https://${POSTERN_HOST}(/.*)\n`, "g");
  const transport = { rootCAs: [trusted.certificate], serverName: POSTERN_HOST };
  const site = filled(example("traefik-dynamic.yml"), {
    "app.internal.example.com:8080": app,
    "passHostHeader: false": "passHostHeader: false\n        serversTransport: tested",
    [`- url: https://${POSTERN_HOST}`]: `- url: https://${postern}`,
    "http:\n": `http:\n  serversTransports: ${JSON.stringify({ tested: transport })}\n`,
  });
  const asking = site.replaceAll(
    question,
    (_, indent, path) =>
      `${indent}address: https://${postern}${path}\n${indent}tls: { ca: ${trusted.certificate} }\n`,
  );
  assert.notEqual(asking, site, "the example asks Postern");
  const { certificate: certFile, key: keyFile } = certificate;
  const tls = `\ntls: ${JSON.stringify({ certificates: [{ certFile, keyFile }] })}\n`;
  writeFileSync(files.static, fixed);
  writeFileSync(files.dynamic, asking + tls);
  // Traefik would wait ten seconds for open connections.
  return { args: [`--configFile=${files.static}`], ends: "SIGKILL" };
}

function haproxy({ folder, port, app, postern, trusted, certificate, replaced }) {
  const [file, script, socket] = ["haproxy.cfg", "haproxy.lua", "socket"].map((name) =>
    join(folder, name),
  );
  const configuration = filled(example("haproxy.cfg"), {
    "bind :443": `bind 127.0.0.1:${port}`,
    "/etc/ssl/app.example.com/all.pem": certificate.both,
    "/etc/haproxy/haproxy.lua": script,
    "app.internal.example.com:8080": app,
    [`server postern ${POSTERN_HOST}:443`]: `server postern ${postern}`,
    "/etc/ssl/certs/ca-certificates.crt": trusted.certificate,
    "abns@postern": `unix@${socket}`,
  });
  writeFileSync(file, configuration);
  const values = { "abns@postern": `unix@${socket}`, ...replaced };
  writeFileSync(script, filled(example("haproxy.lua"), values));
  // Its libraries are from the same system, but not installed.
  const env = { LD_LIBRARY_PATH: join(unpackedHaproxy() ?? "/usr", "usr/lib/x86_64-linux-gnu") };
  return { args: ["-db", "-f", file], env };
}

/** The folder into which scripts/lib/proxies.sh has unpacked it, if the machine has none. */
function unpackedHaproxy() {
  try {
    return unpacked("haproxy");
  } catch {
    return undefined;
  }
}

/**
 * The program of each proxy, and a function that writes its configuration into `folder` and returns
 * its arguments.
 */
const PROXIES = {
  nginx: [() => program("nginx"), nginx],
  caddy: [() => fromPypi("caddy"), caddy],
  // Debian 12 has 2.6.2, the oldest version for which the example is made.
  envoy: [() => fromPypi("envoy"), envoy],
  traefik: [() => fromPypi("traefik"), traefik],
  haproxy: [
    () => (unpackedHaproxy() ? join(unpackedHaproxy(), "usr/sbin/haproxy") : program("haproxy")),
    haproxy,
  ],
  "the system's caddy": [() => program("caddy"), caddy],
};

export const NAMES = Object.keys(PROXIES);

/**
 * Starts a proxy with its example. `app` and `postern` are `host:port`, `trusted` is the
 * certificate that Postern's must be, and `certificate` is the proxy's own. Returns `{ url, stop,
 * send, sendByHttp2, connect }`, whose clients call the proxy by the application's name.
 */
export async function startProxy(name, options) {
  const [path, configure] = PROXIES[name];
  const running = await startProgram(path(), (free) => configure({ port: free, ...options }));
  const tls = { ca: readFileSync(options.certificate.certificate), servername: APP_HOST };
  const withHost = (headers) => ({ host: APP_HOST, ...headers });
  const url = `https://127.0.0.1:${running.port}`;
  const sockets = [];
  const sends = ({ headers, ...request }) =>
    send(url, { ...request, headers: withHost(headers) }, tls);
  const connect = (path, headers) => {
    const socket = new WebSocket(`wss://127.0.0.1:${running.port}${path}`, {
      headers: withHost(headers),
      ...tls,
    });
    sockets.push(socket);
    return opened(socket);
  };
  const sendByHttp2 = (headers) =>
    statusByHttp2(http2.connect(url, tls), { ":authority": APP_HOST, ...headers });
  const stop = () => {
    sockets.forEach((socket) => socket.terminate());
    return running.stop();
  };
  try {
    await ready(sends);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop, send: sends, sendByHttp2, connect };
}

/** Waits until a proxy has read its whole configuration. Traefik listens before it has a route. */
async function ready(sends) {
  for (const until = Date.now() + READY_MS; ; await sleep(20)) {
    const answer = await sends({ path: "/" }).catch((error) => ({ status: String(error) }));
    if (answer.status >= 200 && answer.status !== 404) return;
    assert.ok(Date.now() < until, `the proxy answers ${answer.status}`);
  }
}

async function statusByHttp2(session, headers) {
  try {
    const failed = new Promise((_, fails) => session.once("error", fails));
    const [answer] = await Promise.race([once(session.request(headers), "response"), failed]);
    return answer[":status"];
  } finally {
    session.destroy();
  }
}

/** An open WebSocket, or the status that refused it: `{ socket, status }`. */
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
