// What a WebSocket costs through the gateway: echoes of a short message over several connections,
// each with several on their way. Client and origin are this process; what is measured is
// workerd's.

import http from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { used } from "./load.mjs";

const CONNECTIONS = 16;
const ON_THEIR_WAY = 16;
const MESSAGE = "x".repeat(100);

/** An origin that echoes: `{ url, stop }`. */
export async function echoing() {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) =>
    socket.on("message", (data, binary) => socket.send(data, { binary })),
  );
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = async () => {
    sockets.clients.forEach((socket) => socket.terminate());
    await new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

const opened = (url, headers) =>
  new Promise((done, failed) => {
    const socket = new WebSocket(url.replace("http", "ws"), { headers, perMessageDeflate: false });
    socket.on("open", () => done(socket)).on("error", failed);
  });

/**
 * Echoes for so many seconds: echoes a second, and the processor's time of the process in µs for
 * each.
 */
export async function echo(url, { headers = {}, pid, seconds }) {
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => opened(url, headers)),
  );
  let echoes = 0;
  for (const socket of sockets) {
    socket.on("message", () => {
      echoes += 1;
      socket.send(MESSAGE);
    });
    for (let sent = 0; sent < ON_THEIR_WAY; sent += 1) socket.send(MESSAGE);
  }
  const pause = (time) => new Promise((done) => setTimeout(done, time * 1000));
  await pause(1);
  const before = { echoes, at: performance.now(), used: pid ? used(pid) : 0 };
  await pause(seconds);
  const count = echoes - before.echoes;
  const rate = (count * 1000) / (performance.now() - before.at);
  const micros = pid ? ((used(pid) - before.used) * 1e6) / count : undefined;
  sockets.forEach((socket) => socket.terminate());
  return { rate, micros };
}
