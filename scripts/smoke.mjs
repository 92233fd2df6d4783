// `make smoke`: checks the promises of docs/design/promises.md on a deployment, and prints what it
// saw of each. Usage: smoke.mjs, with URL, USERNAME, PASSWORD and STALENESS_S in the environment.
//
// It creates its own token app, user, service, grant and keys, and removes them, also if it fails
// or is interrupted. The exit status is 1 if a promise was not kept.

import { Failure, credentialFor } from "./lib/postern.mjs";
import { Asking, Interrupted, NoAnswer } from "./lib/smoke/asking.mjs";
import { Made } from "./lib/smoke/made.mjs";
import { Promises } from "./lib/smoke/promises.mjs";
import { Ends, Report } from "./lib/smoke/report.mjs";
import { WAYS_OUT } from "./lib/smoke/ways_out.mjs";

const { URL: url = "http://localhost:8787", USERNAME: username = "admin" } = process.env;
const { PASSWORD: password, STALENESS_S: wanted } = process.env;

const STATUS_OF_SIGNALS = { SIGINT: 130, SIGTERM: 143 };

const say = (text) => console.error(`postern: ${text}`);

function seconds(text) {
  if (!text) return undefined;
  if (!/^\d{1,3}$/.test(text) || text < 2 || text > 300) {
    throw new Failure(`STALENESS_S must be seconds from 2 to 300, not ${text}`);
  }
  return Number(text);
}

/** Returns the exit status. */
async function smoke() {
  const { base, secret } = credentialFor(url, password);
  const wantedS = seconds(wanted);
  const asking = new Asking(base);
  const report = new Report();
  const made = new Made(asking);
  let interrupted;
  for (const [signal, status] of Object.entries(STATUS_OF_SIGNALS)) {
    process.on(signal, () => {
      if (interrupted !== undefined) return;
      interrupted = status;
      say("stopping, and removing what was made");
      asking.interrupt();
    });
  }
  say(`asking ${base}`);
  let hasEnded = false;
  try {
    await new Promises({ asking, report, made, username, secret, wantedS, say }).look();
  } catch (error) {
    hasEnded = true;
    if (error instanceof Interrupted) report.ended = "the run was interrupted";
    else if (error instanceof Ends || error instanceof NoAnswer) report.ended = error.message;
    else throw error;
  } finally {
    asking.cleanUp();
    await cleanUp(made, report);
    asking.end();
    console.log(report.table());
  }
  return interrupted ?? (report.hasFailed || hasEnded ? 1 : 0);
}

async function cleanUp(made, report) {
  const { count, left } = await made.remove();
  const seen = `${left.length} of ${count} are left: ${left.join(", ")}`;
  if (left.length > 0) report.unkept("cleaned", seen, WAYS_OUT.byHand);
  else if (count > 0) report.kept("cleaned", `all ${count}; the audit trail tells of them`);
}

try {
  process.exitCode = await smoke();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`postern: error: ${error.message}`);
  process.exitCode = 1;
}
