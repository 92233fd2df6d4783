// Signs a JSON Web Token with HS256 and prints it, to try out a token app without its system.
//
//   node scripts/sign.mjs --secret abcd loginname=alice exp=+600
//
// `name=text` is a claim with a text, and `name:=json` a claim with any JSON value. The times
// `exp`, `nbf` and `iat` are seconds from now, such as `+600` or `-60`, or seconds since the epoch.
// The secret may also be in the environment as SECRET, where other users of the machine cannot read
// it.

import { parseArgs } from "node:util";
import { signHs256 } from "./lib/jwt.mjs";

const USAGE = "usage: node scripts/sign.mjs --secret TEXT name=text name:=json exp=+600 …";
const TIMES = new Set(["exp", "nbf", "iat"]);

/** A mistake in the arguments. */
class Mistake extends Error {}

/** `[name, value]` of a claim on the command line. */
function claim(argument) {
  const [, name, colon, text] = /^([^=]+?)(:?)=(.*)$/s.exec(argument) ?? [];
  if (name === undefined)
    throw new Mistake(`"${argument}" is no claim: write name=text or name:=json`);
  if (colon) return [name, json(name, text)];
  return [name, TIMES.has(name) ? seconds(name, text) : text];
}

function json(name, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Mistake(
      `the claim ${name} is not JSON: ${text} (for a text, write ${name}=… without the colon)`,
    );
  }
}

function seconds(name, text) {
  if (!/^[+-]?\d{1,15}$/.test(text)) {
    throw new Mistake(
      `the claim ${name} must be seconds from now, such as +600, or since the epoch: ${text}`,
    );
  }
  return /^\d/.test(text) ? Number(text) : Math.floor(Date.now() / 1000) + Number(text);
}

function read(args) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: { secret: { type: "string" } }, allowPositionals: true });
  } catch (error) {
    throw new Mistake(error.message);
  }
  const secret = parsed.values.secret ?? process.env.SECRET;
  if (!secret)
    throw new Mistake(
      "the secret is missing: name it with --secret, or set SECRET in the environment",
    );
  if (parsed.positionals.length === 0) throw new Mistake("there is no claim to sign");
  const claims = parsed.positionals.map(claim);
  const names = claims.map(([name]) => name);
  const doubled = names.find((name, index) => names.indexOf(name) !== index);
  if (doubled) throw new Mistake(`the claim ${doubled} is there twice`);
  return { secret, claims: Object.fromEntries(claims) };
}

try {
  const { secret, claims } = read(process.argv.slice(2));
  console.log(signHs256(secret, claims));
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  console.error(`sign: ${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
