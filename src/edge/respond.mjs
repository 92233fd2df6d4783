// Makes an answer in one go: each header that wasm would set by itself is a crossing of its own.

/** `head` is names and values, each followed by a line break. */
export function respond(status, head, body) {
  const headers = new Headers();
  const lines = head.split("\n");
  for (let index = 1; index < lines.length; index += 2) headers.append(lines[index - 1], lines[index]);
  return new Response(body, { status, headers });
}
