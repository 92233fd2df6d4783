// Files of records: splits them into requests with the console's code, and removes
// an incomplete last line.

import { open } from "node:fs/promises";
import {
  MAX_REQUEST_BYTES,
  UnsendableLine,
  requests as cut,
} from "../../public/v1/console/parts/cut_records.mjs";

export { MAX_REQUEST_BYTES, UnsendableLine };

const LINE_FEED = 10;

/** Yields the requests of a file on disk, like the console's `requests` for a file in a browser. */
export async function* requests(file, format, start, maxBytes = MAX_REQUEST_BYTES) {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const slice = (from, to) => ({
      arrayBuffer: () => read(handle, from, Math.min(to, size)),
    });
    for await (const request of cut({ size, slice }, format, start, maxBytes)) {
      const { body } = request;
      yield { ...request, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
    }
  } catch (error) {
    if (!(error instanceof UnsendableLine)) throw error;
    const long = `is longer than a request, which is at most ${maxBytes} bytes`;
    const open = "has a quote that is never closed: the file may have been cut off";
    const why = error.message === "quote" ? open : long;
    throw new UnsendableLine(error.line, why);
  } finally {
    await handle.close();
  }
}

/** The bytes of a file from one place up to another, or up to where it ends by now. */
async function read(handle, from, to) {
  const bytes = new Uint8Array(to - from);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, from + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.buffer.slice(0, length);
}

/**
 * Cuts off what follows the last whole line, and answers `{ lines, last }`: how many lines there
 * are, and the last of them. A file that is not there has none.
 */
export async function cutToWholeLines(file) {
  let handle;
  try {
    handle = await open(file, "r+");
  } catch (error) {
    if (error.code === "ENOENT") return { lines: 0, last: undefined };
    throw error;
  }
  try {
    let [lines, size, begins, ends] = [0, 0, 0, 0];
    for await (const chunk of handle.createReadStream({ autoClose: false, start: 0 })) {
      for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, at + 1)) {
        lines += 1;
        [begins, ends] = [ends, size + at + 1];
      }
      size += chunk.length;
    }
    if (ends < size) await handle.truncate(ends);
    if (lines === 0) return { lines, last: undefined };
    const { buffer } = await handle.read(
      Buffer.alloc(ends - 1 - begins),
      0,
      ends - 1 - begins,
      begins,
    );
    return { lines, last: buffer.toString() };
  } finally {
    await handle.close();
  }
}
