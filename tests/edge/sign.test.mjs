// The command that signs a token for trying things out.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import * as jose from "jose";
import { nowInSeconds } from "./support/client.mjs";
import { top } from "./support/workerd.mjs";

function sign(args, env = {}) {
  const options = { cwd: top, encoding: "utf8", env: { PATH: process.env.PATH, ...env } };
  return spawnSync(process.execPath, ["scripts/sign.mjs", ...args], options);
}

test("jose verifies what is signed, whose claims are texts, times and JSON", async () => {
  const claims = [
    "loginname=älice",
    "empty=",
    "a=b=c",
    "exp=+600",
    "iat=-60",
    "nbf=1",
    'roles:=["A"]',
  ];
  for (const { stdout, stderr } of [
    sign(["--secret", "abcd", ...claims]),
    sign(claims, { SECRET: "abcd" }),
  ]) {
    assert.equal(stderr, "");
    const { payload, protectedHeader } = await jose.jwtVerify(stdout.trim(), Buffer.from("abcd"));
    assert.deepEqual(protectedHeader, { typ: "JWT", alg: "HS256" });
    const { exp, iat, ...rest } = payload;
    assert.deepEqual(rest, { loginname: "älice", empty: "", a: "b=c", nbf: 1, roles: ["A"] });
    assert.ok(Math.abs(exp - nowInSeconds() - 600) < 30, String(exp));
    assert.ok(Math.abs(iat - nowInSeconds() + 60) < 30, String(iat));
  }
});

test("a mistake is named, and nothing is signed", () => {
  for (const [args, message] of [
    [["loginname=alice"], "the secret is missing"],
    [["--secret", "abcd"], "there is no claim to sign"],
    [["--secret", "abcd", "alice"], '"alice" is no claim'],
    [["--secret", "abcd", "exp=soon"], "the claim exp must be seconds from now"],
    [["--secret", "abcd", "roles:=A"], "the claim roles is not JSON: A"],
    [["--secret", "abcd", "a=1", "a=2"], "the claim a is there twice"],
    [["--key", "abcd", "a=1"], "Unknown option '--key'"],
  ]) {
    const { status, stdout, stderr } = sign(args);
    assert.deepEqual([status, stdout], [2, ""], args.join(" "));
    assert.ok(stderr.startsWith("sign: ") && stderr.includes(message), stderr);
  }
});
