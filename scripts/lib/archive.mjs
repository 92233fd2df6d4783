// Writes archives whose bytes depend only on their content.

import { gzipSync } from "node:zlib";

const BLOCK = 512;

/** The offsets of a header's fields (POSIX.1-1988, ustar). */
const FIELDS = {
  name: 0,
  mode: 100,
  uid: 108,
  gid: 116,
  size: 124,
  mtime: 136,
  checksum: 148,
  type: 156,
  magic: 257,
  prefix: 345,
};

/**
 * A gzipped tar archive of one folder. `files` has texts or bytes by their paths. Files whose names
 * end in `.sh` or whose text begins with `#!` are executable. `time` is in epoch seconds.
 */
export function archive(folder, files, time) {
  const blocks = Object.entries(files)
    .map(([path, content]) => [`${folder}/${path}`, Buffer.from(content)])
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([path, content]) => [header(path, content, time), content, padding(content.length)]);
  const packed = gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 9 });
  // The tenth byte is the operating system; 255 means unknown (RFC 1952, 2.3.1).
  packed[9] = 255;
  return packed;
}

const padding = (length) => Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK);

function header(path, content, time) {
  const block = Buffer.alloc(BLOCK);
  const [prefix, name] = divided(path);
  const octal = (field, value, length) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, FIELDS[field]);
  const isProgram = path.endsWith(".sh") || content.subarray(0, 2).equals(Buffer.from("#!"));
  block.write(name, FIELDS.name);
  block.write(prefix, FIELDS.prefix);
  octal("mode", isProgram ? 0o755 : 0o644, 8);
  octal("uid", 0, 8);
  octal("gid", 0, 8);
  octal("size", content.length, 12);
  octal("mtime", time, 12);
  block.write("0", FIELDS.type);
  block.write("ustar\x0000", FIELDS.magic);
  block.fill(" ", FIELDS.checksum, FIELDS.checksum + 8);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, FIELDS.checksum);
  return block;
}

/** A path of more than 100 bytes is split at a slash. */
function divided(path) {
  if (Buffer.byteLength(path) <= 100) return ["", path];
  const at = path.lastIndexOf("/", 154);
  const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
  if (at === -1 || Buffer.byteLength(name) > 100 || Buffer.byteLength(prefix) > 155)
    throw new Error(`too long for an archive: ${path}`);
  return [prefix, name];
}
