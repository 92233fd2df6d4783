// What a gate is, for main.mjs:
//
// name        as the table has it
// can         what it can do, as the table says it: revocation, grants, serverless, keys
// needs       throws where a program is missing
// start       ({ folder, postern, state, questions }) → { url, pids, stop }
// algorithms  those that it verifies, none where it only checks
// verify      (alg, token) → a request that asks whether the token is good
// check       (question with its token, see questions.mjs) → a request that asks for VIEW
// verdict     (answer) → "allowed", "denied" or "unauthorized"
// revoke      (given, running, username) disables a user elsewhere, who must then be refused soon
// above       false where grants to departments above are not followed
// open        true where everything is let in: the floor
// distinct    true where no request may come twice
//
// The processes of a gate in front of Postern are its own and Postern's.

import { accessSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startProgram, unpacked } from "../../tests/all/support/processes.mjs";
import { ALGORITHMS, bearer } from "./tokens.mjs";

/** What can be said of all that verify tokens and know nothing else. */
export const VERIFIES_ONLY = {
  revocation: "no",
  grants: "no",
  serverless: "no",
  keys: "at a reload",
};

/** What can be said of all that ask Postern. */
export const ASKS_POSTERN = {
  revocation: "yes",
  grants: "yes",
  serverless: "no",
  keys: "at any time",
};

const BY_STATUS = { 200: "allowed", 401: "unauthorized", 403: "denied" };

export const byStatus = ({ status, text }) => BY_STATUS[status] ?? `${status} ${text}`;

const atRoot = (_alg, token) => ({ path: "/", headers: bearer(token) });

/** A gate that answers by its status at its root, and whose program serves a port. */
export const gate = (one) => ({
  algorithms: ALGORITHMS,
  verify: atRoot,
  verdict: byStatus,
  ...one,
});

/** Starts a program, whose time counts, with that of a Postern behind it. */
export async function serve(path, configure, postern) {
  const started = await startProgram(path, configure);
  return { ...started, pids: [started.pid, ...(postern ? [postern.pid] : [])] };
}

export function written(folder, name, text) {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

export const hostOf = (url) => new URL(url).host;

/** A file of Debian's packages, which scripts/bench.sh unpacks; throws where it is not there. */
export function debian(path) {
  const file = join(unpacked("gates"), path);
  accessSync(file);
  return file;
}

/** What a program of those packages needs to find its libraries. */
export const withLibraries = () => {
  const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch];
  return { LD_LIBRARY_PATH: join(unpacked("gates"), `usr/lib/${machine}-linux-gnu`) };
};
