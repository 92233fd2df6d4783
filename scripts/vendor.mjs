// Makes public/v1/console/vendor/ from the npm packages that the console uses.
//
//   node scripts/vendor.mjs           writes the files anew
//   node scripts/vendor.mjs --check   only tells whether they are what the packages have
//
// The console has no build step, so these files are committed as browsers load them. npm installs
// the packages. Each is listed with its version and the hash of its archive.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const VENDOR = fileURLToPath(new URL("../public/v1/console/vendor", import.meta.url));

/** A package, the hash of its archive, and the names that its files get here. */
const PACKAGES = [
  {
    name: "preact",
    version: "11.2.0",
    license: "MIT",
    integrity:
      "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
    files: {
      "dist/preact.mjs": "preact.mjs",
      "hooks/dist/hooks.mjs": "hooks.mjs",
      LICENSE: "preact.LICENSE.txt",
    },
  },
  {
    name: "htm",
    version: "3.1.1",
    license: "Apache-2.0",
    integrity:
      "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
    files: { "dist/htm.mjs": "htm.mjs", LICENSE: "htm.LICENSE.txt" },
  },
  {
    name: "@picocss/pico",
    version: "2.1.1",
    license: "MIT",
    integrity:
      "sha512-kIDugA7Ps4U+2BHxiNHmvgPIQDWPDU4IeU6TNRdvXQM1uZX+FibqDQT2xUOnnO2yq/LUHcwnGlu1hvf4KfXnMg==",
    files: { "css/pico.min.css": "pico.min.css", "LICENSE.md": "pico.LICENSE.txt" },
  },
];

const sha512 = (bytes) => `sha512-${createHash("sha512").update(bytes).digest("base64")}`;

/** The files of a package, by their names here. */
function filesOf({ name, version, integrity, files }, folder) {
  const packed = execFileSync("npm", ["pack", `${name}@${version}`, "--silent"], {
    cwd: folder,
    encoding: "utf8",
  });
  const archive = join(folder, packed.trim().split("\n").at(-1));
  const found = sha512(readFileSync(archive));
  if (found !== integrity) throw new Error(`${name}@${version} has ${found}, not ${integrity}`);
  const unpacked = join(folder, `of-${name.replace("/", "-")}`);
  mkdirSync(unpacked);
  execFileSync("tar", ["xzf", archive, "-C", unpacked]);
  const of = ([from, to]) => [to, asServed(readFileSync(join(unpacked, "package", from), "utf8"))];
  return Object.entries(files).map(of);
}

/**
 * The text as browsers load it. With the console's Content-Security-Policy, a page has no import
 * map, so `"preact"` becomes a path. Source maps are left out, so no file may point to one.
 */
function asServed(text) {
  const named = text.replace(/from"preact"/g, 'from"./preact.mjs"');
  const bare = /\bfrom"(?!\.\/)([^"]+)"/.exec(named);
  if (bare) throw new Error(`an import names "${bare[1]}", which no browser finds`);
  return `${named.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "").trimEnd()}\n`;
}

/** The origin of each file, for readers and for the test that nobody has changed one by hand. */
function versions(files) {
  const packages = PACKAGES.map(({ name, version, license, integrity }) => ({
    name,
    version,
    license,
    integrity,
  }));
  const hashes = Object.fromEntries(files.map(([name, text]) => [name, sha512(text)]));
  return `${JSON.stringify({ packages, files: hashes }, null, 2)}\n`;
}

function make() {
  const folder = mkdtempSync(join(tmpdir(), "vendor-"));
  try {
    const files = PACKAGES.flatMap((one) => filesOf(one, folder)).sort();
    return [...files, ["versions.json", versions(files)]];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function check(files) {
  const there = new Map(readdirSync(VENDOR).map((name) => [name, true]));
  const wrong = files.filter(([name, text]) => {
    const known = there.delete(name);
    return !known || readFileSync(join(VENDOR, name), "utf8") !== text;
  });
  const names = [...wrong.map(([name]) => name), ...there.keys()];
  if (names.length > 0) throw new Error(`not as the packages have it: ${names.join(", ")}`);
  console.log(`${files.length} files are as the packages have them`);
}

function write(files) {
  rmSync(VENDOR, { recursive: true, force: true });
  mkdirSync(VENDOR, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(VENDOR, name), text);
  console.log(`${files.length} files written to ${VENDOR}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  (process.argv.includes("--check") ? check : write)(make());
}
