// Reads a file of records block by block, and packs its lines into requests: the whole file is
// never in memory. scripts/lib/records.mjs uses it for `make restore`.

/** What Postern takes in one request. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

const BLOCK_BYTES = 256 * 1024;
const [LINE_FEED, CARRIAGE_RETURN, SPACE, QUOTE] = [10, 13, 32, 34];

/** A line that no request can carry. */
export class UnsendableLine extends Error {
  constructor(line, why) {
    super(why);
    this.line = line;
  }
}

/**
 * Yields requests of whole records, each of at most `maxBytes`, from `start` on, which is
 * `{ offset, line }` as an earlier request's `end`: `{ body, lines, end }`. `lines` has the line in
 * the file of each line of the body. The secrets of one key stay together: Postern adds none to a
 * key that has one.
 */
export async function* requests(file, format, start, maxBytes = MAX_REQUEST_BYTES) {
  const head = format === "csv" ? await headOf(file, maxBytes) : undefined;
  let request = emptyRequest(head);
  for await (const record of records(file, format, start, maxBytes)) {
    if (record.line !== head?.line && !isBlank(record.bytes)) {
      const size = record.bytes.length + 1;
      if (request.size + size > maxBytes && request.records.length > 0) {
        const next = emptyRequest(head);
        const isTorn = request.records.length > 1 && isOfSameKey(request.records.at(-1), record);
        if (isTorn) add(next, request.records.pop());
        yield finished(request);
        request = next;
      }
      if (request.size + size > maxBytes) throw new UnsendableLine(record.line, "long");
      add(request, record);
    }
    // Blank lines belong to what they follow.
    if (request.records.length > 0) request.records.at(-1).end = record.end;
  }
  if (request.records.length > 0) yield finished(request);
}

const emptyRequest = (head) => ({ head, records: [], size: head ? head.bytes.length + 1 : 0 });

function add(request, record) {
  request.records.push(record);
  request.size += record.bytes.length + 1;
}

function finished({ head, records: all }) {
  const sent = head ? [head, ...all] : all;
  const body = joined(sent.flatMap(({ bytes }) => [bytes, Uint8Array.of(LINE_FEED)]));
  return { body, lines: sent.flatMap(linesOf), records: all.length, end: all.at(-1).end };
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The numbers of a record's lines. */
function linesOf({ bytes, line }) {
  const numbers = [line];
  let at = bytes.indexOf(LINE_FEED);
  for (; at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) numbers.push(line + numbers.length);
  return numbers;
}

const KEY_SECRET = /^(?:\{"record":"keySecret"|keySecret),.*?(\d+),(?:"prefix":")?pst_/;

/** Whether two lines, as an export has them, are secrets of one key. */
function isOfSameKey(one, other) {
  const text = (bytes) => new TextDecoder().decode(bytes.subarray(0, 512));
  const [first, second] = [one, other].map(({ bytes }) => KEY_SECRET.exec(text(bytes))?.[1]);
  return first !== undefined && first === second;
}

/** The line of column names: the first that is not blank. */
async function headOf(file, maxBytes) {
  for await (const record of records(file, "csv", { offset: 0, line: 0 }, maxBytes)) {
    if (!isBlank(record.bytes)) return record;
  }
  return undefined;
}

/**
 * Yields `{ bytes, line, end }`: a record without the end of its last line, the number of its first
 * line, and where the next one begins. In CSV a cell in quotes may hold line breaks.
 */
async function* records(file, format, start, maxBytes) {
  let { offset, line } = start;
  let rest = new Uint8Array(0);
  // How much of `rest` has been looked at, and whether a quote is open there.
  let [seen, isQuoted, linesWithin] = [0, false, 0];

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
      const begins = offset === 0 && beginsWithMark(rest) ? 3 : from;
      const ends = end > begins && rest[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
      line += 1 + linesWithin;
      offset += seen - from;
      linesWithin = 0;
      yield { bytes: rest.subarray(begins, ends), line: first, end: { offset, line } };
      from = seen;
    }
    rest = rest.subarray(from);
    seen -= from;
    if (rest.length > maxBytes) throw new UnsendableLine(line + 1, isQuoted ? "quote" : "long");
  }

  for (let at = start.offset; at < file.size; at += BLOCK_BYTES) {
    const block = new Uint8Array(await file.slice(at, at + BLOCK_BYTES).arrayBuffer());
    rest = rest.length === 0 ? block : joined([rest, block]);
    yield* take(false);
  }
  yield* take(true);
}

/** Whether a file begins with the mark by which some editors say UTF-8. */
const beginsWithMark = (bytes) => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

function quotesBetween(bytes, from, to) {
  // Only this part is searched: a search of the rest for each line would be quadratic.
  const part = bytes.subarray(from, to);
  let count = 0;
  for (let at = part.indexOf(QUOTE); at !== -1; at = part.indexOf(QUOTE, at + 1)) count += 1;
  return count;
}

const isBlank = (bytes) => bytes.every((byte) => byte <= SPACE);

/**
 * Where a line of an export stands, for `after`: without what is long or sealed, because URLs end
 * up in logs.
 */
export function placeOf(format, line) {
  const isShort = (value) => !/^v1\.[0-9a-f]{8}\.|^.{257}/s.test(value);
  if (format === "csv") {
    // A cell that is left out leaves its comma.
    const short = (cell, quoted) => (isShort(quoted ?? cell) ? cell : "");
    return line.replace(/"((?:[^"]|"")*)"|[^,]+/g, short);
  }
  // The text of numbers stays as it is: an int64 is more than JavaScript's numbers hold.
  const quoted = (_, text, number) => text ?? `"${number}"`;
  const numbers = line.replace(/("(?:[^"\\]|\\.)*")|(-?\d{16,})/g, quoted);
  const members = Object.entries(JSON.parse(numbers));
  const kept = members.filter(([, value]) => typeof value !== "object" && isShort(String(value)));
  return JSON.stringify(Object.fromEntries(kept));
}
