// Reads a file of records as a stream, and packs its lines into requests.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

/** The largest request that Postern accepts. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

const [LINE_FEED, CARRIAGE_RETURN, SPACE, QUOTE] = Buffer.from('\n\r "');
const BYTE_ORDER_MARK = Buffer.from("\ufeff");
const END_OF_LINE = Buffer.from("\n");

/** A line that is longer than any request may be. */
export class UnsendableLine extends Error {
  constructor(line, why) {
    super(why);
    this.line = line;
  }
}

/**
 * Yields requests of whole records, each of at most `maxBytes`: `{ body, lines, end }`. `start` is
 * `{ offset, line }`, such as the `end` of an earlier request. `lines` has the number in the file
 * of each line of the body. The secrets of one key stay together, because Postern adds none to a
 * key that has one.
 */
export async function* requests(file, format, start, maxBytes = MAX_REQUEST_BYTES) {
  const head = format === "csv" ? await headOf(file, maxBytes) : undefined;
  let request = newRequest(head);
  for await (const record of records(file, format, start, maxBytes)) {
    const isHead = head && record.line === head.line;
    if (!isHead && !isBlank(record.bytes)) {
      const size = record.bytes.length + 1;
      if (request.size + size > maxBytes && request.records.length > 0) {
        const next = newRequest(head);
        if (request.records.length > 1 && isOfSameKey(request.records.at(-1), record))
          add(next, request.records.pop());
        yield finished(request);
        request = next;
      }
      if (request.size + size > maxBytes)
        throw new UnsendableLine(
          record.line,
          `is longer than a request, which is at most ${maxBytes} bytes`,
        );
      add(request, record);
    }
    // Blank lines belong to the record before them.
    if (request.records.length > 0) request.records.at(-1).end = record.end;
  }
  if (request.records.length > 0) yield finished(request);
}

const newRequest = (head) => ({ head, records: [], size: head ? head.bytes.length + 1 : 0 });

function add(request, record) {
  request.records.push(record);
  request.size += record.bytes.length + 1;
}

function finished({ head, records }) {
  const all = head ? [head, ...records] : records;
  return {
    body: Buffer.concat(all.flatMap(({ bytes }) => [bytes, END_OF_LINE])),
    lines: all.flatMap(linesOf),
    end: records.at(-1).end,
  };
}

/** The numbers of a record's lines. */
function linesOf({ bytes, line }) {
  const numbers = [line];
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1))
    numbers.push(line + numbers.length);
  return numbers;
}

/** Answers whether two lines of an export are secrets of one key. */
function isOfSameKey(one, other) {
  const [first, second] = [one, other].map(
    ({ bytes }) =>
      /^(?:\{"record":"keySecret"|keySecret),.*?(\d+),(?:"prefix":")?pst_/.exec(bytes)?.[1],
  );
  return first !== undefined && first === second;
}

/** The line of column names: the first one that is not blank. */
async function headOf(file, maxBytes) {
  for await (const record of records(file, "csv", { offset: 0, line: 0 }, maxBytes)) {
    if (!isBlank(record.bytes)) return record;
  }
  return undefined;
}

/**
 * Yields `{ bytes, line, end }`: a record without the end of its last line, the number of its first
 * line, and where the next one begins. In CSV a cell in quotes may contain line breaks.
 */
async function* records(file, format, start, maxBytes) {
  const stream = createReadStream(file, { start: start.offset, highWaterMark: 256 * 1024 });
  let { offset, line } = start;
  let rest = Buffer.alloc(0);
  // How much of `rest` has been read, and whether a quote is open there.
  let seen = 0;
  let isQuoted = false;
  let linesWithin = 0;

  function* take(isLast) {
    let from = 0;
    for (;;) {
      const found = rest.indexOf(LINE_FEED, seen);
      const end = found === -1 ? rest.length : found;
      if (format === "csv" && quotesBetween(rest, seen, end) % 2 === 1) isQuoted = !isQuoted;
      seen = found === -1 ? end : end + 1;
      if (found !== -1 && isQuoted) {
        linesWithin += 1;
        continue;
      }
      if (found === -1 && (!isLast || from === rest.length)) break;
      const first = line + 1;
      const begins = offset === 0 && rest.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : from;
      const ends = end > begins && rest[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
      line += 1 + linesWithin;
      offset += seen - from;
      linesWithin = 0;
      yield { bytes: rest.subarray(begins, ends), line: first, end: { offset, line } };
      from = seen;
    }
    rest = rest.subarray(from);
    seen -= from;
    if (rest.length > maxBytes) {
      throw new UnsendableLine(
        line + 1,
        isQuoted
          ? "has a quote that is never closed"
          : `is longer than a request, which is at most ${maxBytes} bytes`,
      );
    }
  }

  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    yield* take(false);
  }
  yield* take(true);
}

function quotesBetween(bytes, from, to) {
  let count = 0;
  for (let at = bytes.indexOf(QUOTE, from); at !== -1 && at < to; at = bytes.indexOf(QUOTE, at + 1))
    count += 1;
  return count;
}

function isBlank(bytes) {
  return bytes.every((byte) => byte <= SPACE);
}

/**
 * Cuts off what follows the last whole line. Returns `{ lines, last }`: the number of lines and the
 * last one. A missing file has none.
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
