// Headers that restrict what a browser may do with Postern's answers. Static files have them from
// public/_headers.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { expectStatus } from "./support/client.mjs";
import { startWorkerd, top } from "./support/workerd.mjs";

let [workerd, postern] = [];

before(async () => {
  workerd = await startWorkerd({ assets: true });
  [postern] = workerd.isolates;
});
after(() => workerd?.stop());

/**
 * The headers that each of Postern's answers has. `pictures` are the policy's image sources, which
 * only the console has.
 */
function expectStrict({ headers }, path, pictures = "") {
  const policy = headers["content-security-policy"] ?? "";
  assert.match(policy, /^default-src 'none'/, path);
  assert.match(policy, /frame-ancestors 'none'/, path);
  assert.doesNotMatch(policy.replace(pictures, ""), /unsafe|\*|data:|https?:|,/, path);
  assert.equal(headers["x-content-type-options"], "nosniff", path);
  assert.equal(headers["referrer-policy"], "no-referrer", path);
}

const get = (path) => postern.send({ path }, workerd.url);
const CONSOLE = join(top, "public/v1/console");

/** The paths of the console's files, below /v1/console/. */
const filesOfConsole = () =>
  readdirSync(CONSOLE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(CONSOLE, join(entry.parentPath, entry.name)));

test("/v1/ leads to the console", async () => {
  for (const path of ["/v1", "/v1/", "/v1/?a=b"]) {
    const { headers } = expectStatus(await get(path), 302);
    assert.match(headers.location, /^\/v1\/console\/(\?a=b)?$/);
  }
  expectStatus(await get("/v1/console/"), 200);
});

test("every static file has a strict policy, and the console's alone allows images", async () => {
  const openapi = expectStatus(await get("/v1/openapi.json"), 200);
  expectStrict(openapi, "/v1/openapi.json");
  for (const file of filesOfConsole()) {
    const path = `/v1/console/${file}`.replace(/\/index\.html$/, "/");
    const answer = expectStatus(await get(path), 200);
    expectStrict(answer, path, "img-src 'self' data:");
    assert.match(answer.headers["content-security-policy"], /require-trusted-types-for 'script'/);
    assert.match(answer.headers["strict-transport-security"], /^max-age=\d{8}$/);
  }
  for (const kind of ["script-src", "style-src", "connect-src"]) {
    assert.match(openapi.headers["content-security-policy"], new RegExp(`${kind} 'self'`));
  }
  // The file with the headers is not served.
  for (const path of ["/_headers", "/_redirects"]) expectStatus(await get(path), 404);
});

test("nothing of the console is inline, from elsewhere, or taken for markup", () => {
  const page = readFileSync(join(CONSOLE, "index.html"), "utf8");
  const loaded = page.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"/g);
  for (const [, path] of loaded) assert.ok(filesOfConsole().includes(path), path);
  const inline = /<style|<script[^>]*>[^<]|\sstyle=|\son[a-z]+=|javascript:/i;
  assert.doesNotMatch(page, inline);
  const ours = filesOfConsole().filter(
    (file) => /\.m?js$/.test(file) && !file.startsWith("vendor/"),
  );
  assert.ok(ours.length > 40, `${ours.length}`);
  for (const file of ours) {
    const text = readFileSync(join(CONSOLE, file), "utf8");
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|\beval\b|\bstyle=|srcdoc/i,
      file,
    );
    for (const [, from] of text.matchAll(/(?:\bfrom |\bimport\()"([^"]+)"/g)) {
      assert.match(from, /^\.{1,2}\//, `${file} imports ${from}`);
      assert.ok(existsSync(join(CONSOLE, dirname(file), from)), `${file} imports ${from}`);
    }
  }
});

test("vendored files are as scripts/vendor.mjs made them", () => {
  const vendor = join(CONSOLE, "vendor");
  const { files } = JSON.parse(readFileSync(join(vendor, "versions.json"), "utf8"));
  const found = readdirSync(vendor).filter((name) => name !== "versions.json");
  assert.deepEqual(found.sort(), Object.keys(files).sort());
  for (const name of found) {
    const hash = createHash("sha512")
      .update(readFileSync(join(vendor, name)))
      .digest("base64");
    assert.equal(`sha512-${hash}`, files[name], name);
  }
});

test("both languages have the same texts and values, and all that the pages name", () => {
  const [en, zh] = ["en", "zh"].map((tag) =>
    JSON.parse(readFileSync(join(CONSOLE, "texts", `${tag}.json`), "utf8")),
  );
  assert.deepEqual(Object.keys(zh), Object.keys(en), "the same keys, in the same order");
  const valuesOf = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const key of Object.keys(en)) {
    assert.deepEqual(valuesOf(zh[key]), valuesOf(en[key]), key);
    assert.ok(en[key].trim() && zh[key].trim(), key);
  }
  for (const file of filesOfConsole().filter((name) => /^(?!vendor).*\.mjs$/.test(name))) {
    const text = readFileSync(join(CONSOLE, file), "utf8");
    const isThere = (key) =>
      assert.ok(key in en, `${file} names ${key}, which texts/en.json and texts/zh.json lack`);
    for (const [, call, key] of text.matchAll(/\b(tn?)\(\s*"([^"]+)"/g))
      isThere(call === "t" ? key : `${key}.other`);
    // A condition chooses between two texts.
    for (const [, one, other] of text.matchAll(/\bt\([^()"]*\?\s*"([^"]+)"\s*:\s*"([^"]+)"/g))
      for (const key of [one, other]) isThere(key);
    for (const [, key] of text.matchAll(/\btitle: "(\w+\.\w+)"/g)) isThere(key);
  }
});

test("every module of a page is a page, and the navigation shows every group", async () => {
  const { GROUPS, PAGES } = await import(pathToFileURL(join(CONSOLE, "pages.mjs")));
  const en = JSON.parse(readFileSync(join(CONSOLE, "texts/en.json"), "utf8"));
  const loaded = PAGES.map(({ load }) => /\.\/pages\/(\w+\.mjs)/.exec(load)[1]);
  for (const file of readdirSync(join(CONSOLE, "pages")))
    assert.ok(loaded.includes(file), `pages/${file} has no row in pages.mjs`);
  for (const { path, group, under } of PAGES) {
    if (group) assert.ok(GROUPS.includes(group), `${path}: GROUPS in pages.mjs lacks ${group}`);
    else
      assert.ok(
        PAGES.some((page) => page.path === under && page.group),
        `${path} needs a group, or under, the path of a page that has one`,
      );
  }
  for (const group of GROUPS.slice(1)) assert.ok(`shell.group.${group}` in en, group);
});

test("answers that are not JSON have a policy, and over http none asks for https", async () => {
  for (const [path, status] of [
    ["/health", 200],
    ["/v1/users", 401],
    ["/nowhere", 404],
    ["/v1/verify?token=x", 401],
    ["/health?x=1", 400],
    ["/", 302],
  ]) {
    const answer = expectStatus(await postern.send({ path }), status);
    if (/json$/.test(answer.headers["content-type"] ?? ""))
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
    else expectStrict(answer, path);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers["strict-transport-security"], undefined);
  }
});
