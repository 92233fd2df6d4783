// A real HTTP server behind the gateway, which records what it gets.

import http from "node:http";
import { WebSocketServer } from "ws";

/**
 * Starts an origin, which is stopped when the test is over. `answer(request, response)` answers;
 * the default answers with the request as JSON. `requests` lists the method, URL and headers of
 * each request.
 */
export async function startOrigin(test, answer = echo) {
  const requests = [];
  const server = http.createServer((request, response) => {
    requests.push({
      method: request.method,
      url: request.url,
      headers: request.headers,
      raw: request.rawHeaders,
    });
    answer(request, response);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    requests.push({
      method: "UPGRADE",
      url: request.url,
      headers: request.headers,
      raw: request.rawHeaders,
    });
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () =>
    new Promise((done) => {
      sockets.clients.forEach((socket) => socket.terminate());
      server.close(done);
      server.closeAllConnections();
    });
  test.after(stop);
  return { url: `http://127.0.0.1:${server.address().port}`, requests, stop };
}

function echo(request, response) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        method: request.method,
        url: request.url,
        body: Buffer.concat(chunks).toString(),
      }),
    );
  });
}
