// `make backup` and `make restore`: exports and imports the whole state, however large it is, in
// little memory. Usage: backup.mjs backup|restore, with FILE, FORMAT, SECRETS, URL, USERNAME,
// PASSWORD and REQUEST_BYTES in the environment.
//
// After an interruption, both continue where they were. Meanwhile FILE.progress is beside FILE, and
// FILE.partial during a backup.

import { isUtf8 } from "node:buffer";
import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Failure, Passing, Postern, Refusal, broken, patiently } from "./lib/postern.mjs";
import { Bookmark, Progress, grouped } from "./lib/progress.mjs";
import { MAX_REQUEST_BYTES, UnsendableLine, cutToWholeLines, requests } from "./lib/records.mjs";

const {
  URL: url = "http://localhost:8787",
  USERNAME: username = "admin",
  PASSWORD: password,
  REQUEST_BYTES,
} = process.env;

const [LINE_FEED] = Buffer.from("\n");

async function restore(postern, file, format, secrets) {
  const { size, mtimeMs } = await fileStat(file);
  const bookmark = new Bookmark(`${file}.progress`, {
    restore: postern.address,
    format,
    secrets,
    size,
    mtimeMs,
  });
  const from = bookmark.read() ?? { offset: 0, line: 0, records: 0 };
  const fraction = (offset) => (size === 0 ? 1 : offset / size);
  const progress = new Progress({ fraction: fraction(from.offset), records: from.records });
  const begun = from.line > 0 ? `going on behind line ${grouped(from.line)}` : "restoring";
  progress.say(`${begun}: ${file} into ${postern.address}`);
  onInterrupt(() => progress);

  const warn = (text) => progress.say(text, process.stderr);
  let { records, line } = from;
  const withoutSecret = [];
  const refused = (wrong, why) => {
    progress.clear();
    explained(wrong).forEach((one) => console.error(`${file}:${one}`));
    const before = line > 0 ? ` Lines 1 to ${grouped(line)} are written.` : "";
    const isFileRight = wrong.length > 0 && wrong.every((one) => one.why.includes("MASTER_KEY"));
    const then = isFileRight
      ? "Then run the same again"
      : "Correct the file and run the same again";
    return new Failure(`${why}${before} ${then}: what is written twice is there once.`);
  };
  try {
    for await (const { body, lines, end } of requests(file, format, from, maxBytes())) {
      let imported;
      try {
        imported = await patiently(warn, () => postern.importRecords(format, secrets, body));
      } catch (error) {
        if (!(error instanceof Refusal) || [401, 403].includes(error.status)) throw error;
        const unwritten = `nothing of the lines ${grouped(line + 1)} to ${grouped(end.line)}`;
        throw refused(wrongLines(error, body, lines), `${unwritten} was written: ${reason(error)}`);
      }
      records += imported.imported;
      withoutSecret.push(...(imported.withoutSecret ?? []));
      line = end.line;
      bookmark.write({ ...end, records });
      progress.update({ fraction: fraction(end.offset), records });
    }
  } catch (error) {
    if (error instanceof UnsendableLine)
      throw refused([{ line: error.line, why: error.message }], "a line cannot be sent.");
    throw error;
  }
  if (records === 0)
    throw new Failure(
      `${file} has no records${format === "csv" ? " behind its line of column names" : ""}.`,
    );
  const now = await fileStat(file);
  if (now.size !== size || now.mtimeMs !== mtimeMs)
    throw new Failure(`${file} was changed while it was read. Run the same again.`);
  bookmark.remove();
  progress.say(`restored ${progress.summary(records)}`);
  if (withoutSecret.length > 0)
    console.log(`These have no secret, and wait for one: ${withoutSecret.join(", ")}`);
}

/** How many lines with the same fault are shown. */
const SHOWN_ALIKE = 3;

/** The faults of lines, in the words of this command. */
function explained(wrong) {
  const told = new Map();
  for (const { line, field, why } of wrong) {
    const words = [field, why]
      .filter(Boolean)
      .join(" ")
      .replaceAll("secrets=left-out", "SECRETS=left-out");
    told.set(words, [...(told.get(words) ?? []), line]);
  }
  return [...told].flatMap(([words, lines]) => {
    const shown = lines.length > SHOWN_ALIKE + 1 ? lines.slice(0, SHOWN_ALIKE) : lines;
    const rest = lines.slice(shown.length);
    return [
      ...shown.map((line) => `${line}: ${words}`),
      ...(rest.length > 0 ? [`${rest.join(", ")}: the same`] : []),
    ];
  });
}

/** The faults, with the numbers of their lines in the file. */
function wrongLines({ body }, sent, lines) {
  if (Array.isArray(body?.errors))
    return body.errors.map((error) => ({ ...error, line: lines[error.line - 1] ?? error.line }));
  if (isUtf8(sent)) return [];
  const wrong = [];
  for (let index = 0, from = 0; from < sent.length; index += 1) {
    const end = sent.indexOf("\n", from);
    if (!isUtf8(sent.subarray(from, end))) wrong.push({ line: lines[index], why: "is not UTF-8" });
    from = end + 1;
  }
  return wrong;
}

function reason({ body, message }) {
  const untold = Array.isArray(body?.errors)
    ? Number.parseInt(body.detail, 10) - body.errors.length
    : 0;
  if (untold > 0) return `${body.detail.split(",")[0]}, of which ${body.errors.length} are shown.`;
  return `${body?.detail?.replace(", nothing was written", "") ?? message}.`;
}

async function backup(postern, file, format, secrets) {
  const partial = `${file}.partial`;
  const bookmark = new Bookmark(`${file}.progress`, { backup: postern.address, format, secrets });
  if (!bookmark.read()) {
    await rm(partial, { force: true });
    bookmark.write({});
  }
  const headLines = format === "csv" ? 1 : 0;
  let { records, last } = await recordsOf(partial, headLines);
  const started = records;
  let progress = new Progress({ records });
  const begun = records > 0 ? `going on behind ${grouped(records)} records` : "backing up";
  progress.say(`${begun}: ${postern.address} into ${file}`);
  onInterrupt(() => progress);

  let achieved = records;
  const progressed = () => {
    const more = records > achieved;
    achieved = records;
    return more;
  };
  const warn = (text) => progress.say(text, process.stderr);
  await patiently(
    warn,
    async () => {
      ({ records, last } = await recordsOf(partial, headLines));
      const { body, total } = await postern.exportRecords(format, secrets, last).catch((error) => {
        if (records === 0 && error instanceof Refusal) bookmark.remove();
        throw error;
      });
      if (total > 0 && records === started)
        progress = new Progress({ records, fraction: records / total });
      let hasHead = records > 0 || headLines === 0;
      let tail = LINE_FEED;
      const counted = new Transform({
        transform(chunk, _, done) {
          let lines = 0;
          for (let at = chunk.indexOf("\n"); at !== -1; at = chunk.indexOf("\n", at + 1))
            lines += 1;
          if (lines > 0 && !hasHead) {
            hasHead = true;
            lines -= 1;
          }
          records += lines;
          tail = chunk.at(-1) ?? tail;
          progress.update({ records, fraction: total > 0 ? Math.min(1, records / total) : 0 });
          done(null, chunk);
        },
      });
      try {
        await pipeline(
          Readable.fromWeb(body),
          counted,
          createWriteStream(partial, { flags: "a", mode: 0o600 }),
        );
      } catch (error) {
        throw broken(error);
      }
      if (tail !== LINE_FEED) throw new Passing("the answer ended within a line");
    },
    progressed,
  );
  await rename(partial, file);
  bookmark.remove();
  progress.say(`backed up ${progress.summary(records)}; ${grouped(records)} are in ${file}`);
  if (secrets === "sealed")
    console.log(
      "Its passwords and secrets are sealed: " +
        "whoever restores it needs the MASTER_KEY of this Postern.",
    );
}

/** How many records a file has, and the last one. A part of a line after it is cut off. */
async function recordsOf(partial, headLines) {
  const { lines, last } = await cutToWholeLines(partial);
  if (lines > headLines) return { records: lines - headLines, last };
  await rm(partial, { force: true });
  return { records: 0, last: undefined };
}

function onInterrupt(progress) {
  process.once("SIGINT", () => {
    progress().say("stopped; the same command goes on from here", process.stderr);
    process.exit(130);
  });
}

async function fileStat(file) {
  try {
    return await stat(file);
  } catch (error) {
    throw error.code === "ENOENT" ? new Failure(`there is no file ${file}`) : error;
  }
}

function maxBytes() {
  const bytes = Number(REQUEST_BYTES ?? MAX_REQUEST_BYTES);
  if (!(bytes > 0 && bytes <= MAX_REQUEST_BYTES))
    throw new Failure(`REQUEST_BYTES must be 1 to ${MAX_REQUEST_BYTES}`);
  return bytes;
}

function formatOf(file) {
  const format = process.env.FORMAT || (/\.csv$/i.test(file) ? "csv" : "ndjson");
  if (!["ndjson", "csv"].includes(format))
    throw new Failure(`FORMAT must be ndjson or csv, not ${format}`);
  return format;
}

try {
  const [task] = process.argv.slice(2);
  const act = { backup, restore }[task];
  if (!act) throw new Failure("say backup or restore");
  const file =
    process.env.FILE || (act === backup ? `postern.${process.env.FORMAT || "ndjson"}` : undefined);
  if (!file) throw new Failure("say which file: make restore FILE=postern.ndjson");
  const secrets = process.env.SECRETS || "sealed";
  if (!["sealed", "left-out"].includes(secrets))
    throw new Failure(`SECRETS must be sealed or left-out, not ${secrets}`);
  await act(new Postern({ url, username, password }), file, formatOf(file), secrets);
} catch (error) {
  // An error of the file system has a code: the folder does not exist, the path is a folder, the
  // disk is full.
  if (!(error instanceof Failure) && !error.syscall) throw error;
  console.error(`postern: error: ${error.message}`);
  process.exitCode = 1;
}
