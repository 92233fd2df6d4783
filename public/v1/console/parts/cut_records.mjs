// Reads a file of records block by block, and packs its lines into requests: the whole file is
// never in memory. scripts/lib/records.mjs uses it for `make restore`.

/** What Postern takes in one request. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

const BLOCK_BYTES = 256 * 1024;
const [LINE_FEED, CARRIAGE_RETURN, SPACE, QUOTE, COMMA] = [10, 13, 32, 34, 44];

/** Where in a cell of CSV the next byte is. CLOSED is behind a quote that closes the cell, unless
 * another quote follows. */
const [BEGIN, UNQUOTED, QUOTED, CLOSED] = [0, 1, 2, 3];

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
 *
 * Of a file of CSV that is cut off within a cell, or has a cell that is too long, nothing is
 * yielded: it is read to its end first.
 */
export async function* requests(file, format, start, maxBytes = MAX_REQUEST_BYTES) {
  if (format === "csv") await readThrough(records(file, format, start, maxBytes));
  const head = format === "csv" ? await headOf(file, maxBytes) : undefined;
  let request = emptyRequest(head);
  for await (const record of records(file, format, start, maxBytes)) {
    if (record.line !== head?.line && !isBlank(record, format)) {
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

async function readThrough(records) {
  while (!(await records.next()).done);
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

/** One array of all the bytes. */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The numbers of a record's lines. */
const linesOf = ({ line, count }) => Array.from({ length: count }, (_, at) => line + at);

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
    if (!isBlank(record, "csv")) return record;
  }
  return undefined;
}

/**
 * Yields `{ bytes, line, count, end }`: a record without the end of its last line, the number of
 * its first line, of how many lines it is, and where the next one begins.
 */
async function* records(file, format, start, maxBytes) {
  let { offset, line } = start;
  let rest = new Uint8Array(0);
  // How much of `rest` has been looked at, where in a cell that is, and how many lines ended.
  let [seen, cell, count] = [0, BEGIN, 0];

  /** Moves `seen` behind the end of a record, and answers whether there is one. */
  const find = {
    ndjson() {
      const found = rest.indexOf(LINE_FEED, seen);
      seen = found === -1 ? rest.length : found + 1;
      count = found === -1 ? 0 : 1;
      return found !== -1;
    },
    // By the same rules as `record_lines` in src/domain/backup/format.rs. A line ends with a line
    // feed, a carriage return or both. A quote opens a cell only where the cell begins.
    csv(isLast) {
      while (seen < rest.length) {
        const byte = rest[seen];
        const isReturn = byte === CARRIAGE_RETURN;
        // The next block may begin with the line feed that belongs to it.
        if (isReturn && seen + 1 === rest.length && !isLast) return false;
        seen += isReturn && rest[seen + 1] === LINE_FEED ? 2 : 1;
        const endsLine = isReturn || byte === LINE_FEED;
        if (endsLine) count += 1;
        if (cell === QUOTED) cell = byte === QUOTE ? CLOSED : QUOTED;
        else if (byte === QUOTE) cell = cell === UNQUOTED ? UNQUOTED : QUOTED;
        else cell = endsLine || byte === COMMA ? BEGIN : UNQUOTED;
        if (endsLine && cell === BEGIN) return true;
      }
      return false;
    },
  }[format];

  function* take(isLast) {
    let from = 0;
    if (offset === 0 && seen === 0 && beginsWithMark(rest)) seen = 3;
    for (;;) {
      const begins = offset === 0 && beginsWithMark(rest) ? 3 : from;
      const isFound = find(isLast);
      if (!isFound && (!isLast || from === rest.length)) break;
      if (isLast && cell === QUOTED) throw new UnsendableLine(line + 1, "quote");
      if (!isFound) count += 1;
      let ends = seen;
      if (ends > begins && rest[ends - 1] === LINE_FEED) ends -= 1;
      if (ends > begins && rest[ends - 1] === CARRIAGE_RETURN) ends -= 1;
      const first = line + 1;
      const bytes = rest.subarray(begins, ends);
      line += count;
      offset += seen - from;
      yield { bytes, line: first, count, end: { offset, line } };
      from = seen;
      count = 0;
    }
    rest = rest.subarray(from);
    seen -= from;
    if (rest.length > maxBytes)
      throw new UnsendableLine(line + 1, cell === QUOTED ? "quote" : "long");
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

/** Whether Postern skips this line. In CSV, a line of spaces is a record of one cell. */
const isBlank = ({ bytes }, format) =>
  format === "csv" ? bytes.length === 0 : bytes.every((byte) => byte <= SPACE);

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
