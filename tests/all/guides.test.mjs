// Runs the commands of README.md and of the guides unchanged, by bash, in a folder that looks like
// a checkout in which `make dev` runs. Their output is compared with the block that follows. All
// are typed one after another in one checkout, as readers do, and most guides in a fresh one too.
//
// Blocks with `sh` are run. Blocks with `console` are not: they need an account, a provider or
// another machine.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { top } from "../edge/support/workerd.mjs";
import { commandsOf, differs, fencesOf, headingsOf, linksOf } from "./support/guide.mjs";
import { startCheckout } from "./support/checkout.mjs";

/** Pages whose commands another test runs. */
const ELSEWHERE = new Map([["docs/identity-providers.md", "identity_providers_page.test.mjs"]]);

/** The words that may begin a block, so that a misspelled `sh` is found. */
const FENCES = /^(sh|console|json|text|toml|js|ts|python|yaml|vcl|md|sql|)$/;

/** The least number of blocks. If there are fewer, a page is not read any more. */
const AT_LEAST = 85;

const documents = readdirSync(join(top, "docs"), { recursive: true })
  .filter((name) => name.endsWith(".md"))
  .sort()
  .map((name) => join("docs", name));
const examples = ["examples/README.md", "examples/hono/README.md"];
const pages = ["README.md", ...documents, ...examples];
const textOf = (page) => readFileSync(join(top, page), "utf8");

let ran = 0;
after(() => console.log(`${ran} blocks of commands were run`));

test("every block of every page says what it is", () => {
  for (const page of pages)
    for (const fence of fencesOf(textOf(page)))
      assert.match(fence, FENCES, `${page}: a block begins with \`\`\`${fence}`);
  for (const [page, name] of ELSEWHERE)
    assert.ok(
      existsSync(join(top, page)) && existsSync(join(top, "tests/all", name)),
      `${page} is run by ${name}`,
    );
});

test("every link of every page leads to a file, and to a heading in it", () => {
  const texts = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", ...pages];
  for (const page of texts)
    for (const link of linksOf(textOf(page))) {
      const [file, heading] = link.split("#");
      const path = file ? join(dirname(page), file) : page;
      assert.ok(existsSync(join(top, path)), `${page} links to ${link}, which is not there`);
      if (heading)
        assert.ok(headingsOf(textOf(path)).includes(heading), `${page}: ${link} is no heading`);
    }
});

/** Types the blocks of a page, and asserts that each does what the page shows. */
async function typed(checkout, page, isOther) {
  const wrong = [];
  for (const { line, commands, shown } of commandsOf(textOf(page))) {
    const { printed, failed, complaints } = await checkout.type(commands);
    // A refusal is an error, unless the page shows one.
    const isRefusal = /"status":\s*[45]\d\d|^\s*[45]\d\d$/m.test(shown ?? "");
    if ((shown !== undefined && isOther(shown, printed)) || (failed.length > 0 && !isRefusal))
      wrong.push(`${page}:${line}\n${commands}\nprinted:\n${printed}\n${complaints}`);
    ran += 1;
  }
  assert.ok(wrong.length === 0, wrong.join("\n\n"));
}

const guides = pages
  .slice(1)
  .filter((page) => !ELSEWHERE.has(page) && commandsOf(textOf(page)).length > 0);
/** These lose or replace keys, and start `make dev` again and again. */
const last = ["docs/operate/rotate.md", "docs/operate/break-glass.md"];
const others = guides.filter((page) => !last.includes(page));

/** Pages show the ids of an empty Postern. In one that is used, ids are higher. */
const withoutIds = (text) =>
  text
    .replaceAll(/("(?:id|user|sub|jti|authObjectId)":\s*"?)\d+/g, "$1N")
    .replaceAll(/\bgrant \d+ to\b/g, "grant N to");
const differsInMore = (shown, printed) => differs(withoutIds(shown), withoutIds(printed));

test("README.md and then each guide in the same checkout", { timeout: 480_000 }, async (test) => {
  const checkout = await startCheckout(test);
  for (const page of ["README.md", ...others, ...last]) {
    await test.test(`${page} does what it says`, () => typed(checkout, page, differsInMore));
    await checkout.tidy();
  }
});

for (const page of others)
  test(`${page} does what it says in a fresh checkout`, { timeout: 240_000 }, async (test) =>
    typed(await startCheckout(test), page, differs),
  );

test("enough blocks were run", () => {
  assert.ok(ran >= AT_LEAST, `${ran} blocks were run, ${AT_LEAST} are expected`);
});

test("a difference is seen", () => {
  assert.equal(differs('{"a":1}', '{"a":1}'), false);
  assert.equal(differs('{"at":1795408572,\n "b":"…"}', '{"at":1895408572,"b":"any text"}'), false);
  assert.equal(differs("2026-11-22 05:20:11", "2027-01-01 00:00:00"), false);
  assert.equal(differs("exp is -600 s from now", "exp is -601 s from now"), false);
  assert.equal(differs('{"a":1}', '{"a":2}'), true);
  assert.equal(differs('{"a":1}', '{"a":1}{"a":1}'), true);
  assert.equal(differs('{"at":1795408572}', '{"at":"soon"}'), true);
});
