// `make release`: packs what is needed to run and deploy this version without Rust. Usage:
// release.mjs [FOLDER], where FOLDER (dist) gets postern-VERSION.tar.gz and its checksum. Build
// first (scripts/build.sh).
//
// The archive of a commit has the same bytes each time: names are sorted, times are the commit's,
// and all files belong to root.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { archive } from "./lib/archive.mjs";
import { lockOf } from "./lib/lock.mjs";

const top = fileURLToPath(new URL("../", import.meta.url));
const read = (path) => readFileSync(join(top, path));
const git = (...args) => execFileSync("git", args, { cwd: top, encoding: "utf8" }).trim();

/** Files that are packed unchanged, except for the commands that they name. */
const TRACKED = [
  ...[".npmrc", "LICENSE", "wrangler.toml"],
  ...["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"],
  ...[
    "bench/NOTES.md",
    "bench/RESULTS.md",
    "bench/prices.mjs",
    "docs",
    "examples",
    "migrations",
    "public",
  ],
  ...[
    "scripts/backup.mjs",
    "scripts/deploy.sh",
    "scripts/dev.sh",
    "scripts/sign.mjs",
    "scripts/smoke.mjs",
  ],
  ...[
    "announce.mjs",
    "common.sh",
    "jwt.mjs",
    "node.sh",
    "postern.mjs",
    "progress.mjs",
    "records.mjs",
    "smoke",
  ].map((name) => `scripts/lib/${name}`),
  "src/edge/entry.mjs",
];

/** Other files that the archive is made from. */
const SOURCES = [
  "src",
  "build-helper",
  "Cargo.toml",
  "Cargo.lock",
  "package.json",
  "package-lock.json",
  "scripts",
];

const IGNORED = ["/.build/", "node_modules/", ".wrangler/", ".dev.vars*", ".env*"];

function version() {
  const [, found] = /^version = "(.+)"$/m.exec(read("Cargo.toml").toString());
  return found;
}

/** An archive has npm scripts instead of targets, and npx finds wrangler. */
function withItsCommands(text) {
  return text
    .replaceAll("scripts/run.sh wrangler", "npx wrangler")
    .replaceAll(
      /\bmake (dev|deploy|smoke|backup|restore)\b( (?=[A-Z_]+=))?/g,
      (_, name, variables) => `npm run ${name}${variables ? " -- " : ""}`,
    );
}

function replaceOnce(text, pattern, replacement, what) {
  if (text.match(new RegExp(pattern, "gm"))?.length !== 1)
    throw new Error(`${what} is not there once`);
  return text.replace(new RegExp(pattern, "m"), () => replacement);
}

/** The README begins with the steps for an archive. */
function readme(text) {
  const start = read("scripts/release/start.md").toString();
  return replaceOnce(
    text,
    "^## Two commands\\n[^]*?(?=^## First results$)",
    `${start}\n`,
    'README.md: "Two commands"',
  );
}

/** The configuration without its build, because the Worker is built already. */
function configuration(text) {
  return replaceOnce(text, "^(?:#.*\\n)+\\[build\\]\\n(?:.+\\n)+\\n", "", "wrangler.toml: [build]");
}

const CHANGES = { "README.md": readme, "wrangler.toml": configuration };

function manifest() {
  const lock = lockOf(JSON.parse(read("package-lock.json")), "wrangler");
  const task = (name) => [name, `scripts/task.sh ${name}`];
  const root = {
    name: "postern",
    version: version(),
    license: "Apache-2.0",
    engines: { node: lock.packages["node_modules/wrangler"].engines.node },
    dependencies: { wrangler: lock.packages["node_modules/wrangler"].version },
  };
  const scripts = Object.fromEntries(["dev", "deploy", "smoke", "backup", "restore"].map(task));
  const text = (value) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    "package.json": text({ ...root, private: true, type: "module", scripts }),
    "package-lock.json": text({
      ...{ name: root.name, version: root.version, lockfileVersion: 3, requires: true },
      packages: { "": root, ...lock.packages },
    }),
  };
}

function built() {
  const names = readdirSync(join(top, "build"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(top.length));
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}

function files(commit, isChanged) {
  const all = { ...built(), ...manifest() };
  for (const path of git("ls-files", "--", ...TRACKED).split("\n")) {
    const bytes = read(path);
    // The Worker serves public/, so its files are not documents of this archive.
    if (path.startsWith("public/") || !/\.(md|mjs|sh|toml)$/.test(path)) all[path] = bytes;
    else all[path] = withItsCommands((CHANGES[path] ?? ((text) => text))(bytes.toString()));
  }
  all["scripts/build.sh"] = read("scripts/release/build.sh");
  all["scripts/task.sh"] = read("scripts/release/task.sh");
  all[".gitignore"] = `${IGNORED.join("\n")}\n`;
  all.VERSION = `${version()} ${commit}${isChanged ? " with changes" : ""}\n`;
  return all;
}

const folder = process.argv[2] ?? join(top, "dist");
const [commit, time] = git("log", "-1", "--format=%H %ct").split(" ");
const isChanged = git("status", "--porcelain", "--", ...TRACKED, ...SOURCES) !== "";
const name = `postern-${version()}`;
const bytes = archive(name, files(commit, isChanged), Number(time));
mkdirSync(folder, { recursive: true });
const path = join(folder, `${name}.tar.gz`);
writeFileSync(path, bytes);
const digest = createHash("sha256").update(bytes).digest("hex");
writeFileSync(`${path}.sha256`, `${digest}  ${name}.tar.gz\n`);
const changed = isChanged ? ", with changes that are not committed" : "";
console.log(`postern: packed ${path}: ${bytes.length} bytes of ${commit.slice(0, 12)}${changed}`);
