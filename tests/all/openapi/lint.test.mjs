// redocly finds no error in the document, and only the warnings of accepted_warnings.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { top } from "../../edge/support/workerd.mjs";
import { fromNpm, run } from "../support/programs.mjs";

const folder = join(top, "tests/all/openapi");

/** A list of `{ rule, pointer, why }`. */
const accepted = JSON.parse(readFileSync(join(folder, "accepted_warnings.json"), "utf8"));

let problems;

before(async () => {
  const config = join(folder, "redocly.yaml");
  const { stdout, stderr } = await run(fromNpm("redocly"), [
    "lint",
    "public/v1/openapi.json",
    "--format=json",
    "--config",
    config,
  ]);
  assert.match(stdout, /^\{/, stderr);
  problems = JSON.parse(stdout).problems.map(({ ruleId, severity, message, location }) => ({
    rule: ruleId,
    severity,
    message,
    pointer: location[0].pointer,
  }));
});

const shown = (found) =>
  found.map(({ rule, pointer, message }) => `${rule} at ${pointer}: ${message}`);
const isSame = (one, other) => one.rule === other.rule && one.pointer === other.pointer;

test("redocly finds no error", () => {
  assert.deepEqual(shown(problems.filter(({ severity }) => severity === "error")), []);
});

test("redocly warns of nothing that is not accepted with a reason", () => {
  const warnings = problems.filter(({ severity }) => severity !== "error");
  assert.deepEqual(
    shown(warnings.filter((one) => !accepted.some((other) => isSame(one, other)))),
    [],
  );
});

test("every accepted warning has a reason, and redocly still gives it", () => {
  for (const one of accepted) {
    assert.ok(one.why?.length > 10, `${one.rule} at ${one.pointer} has no reason`);
    assert.ok(
      problems.some((other) => isSame(one, other)),
      `${one.rule} at ${one.pointer} is no longer given`,
    );
  }
});
