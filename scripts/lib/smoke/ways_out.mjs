// What an operator can do about a promise that `make smoke` has not seen kept.

const LOG = "the log of the Worker (scripts/run.sh wrangler tail)";
const DEPLOY = "Deploy the version of this checkout: make deploy.";

export const WAYS_OUT = {
  network: "Check that URL is right, and that the Worker is deployed there.",
  masterKey:
    "The MASTER_KEY of this deployment is not the one under which the secrets were stored. " +
    "Put the right one back (scripts/run.sh wrangler secret put MASTER_KEY), " +
    "or the old one as MASTER_KEY_PREVIOUS.",
  migrations:
    "Apply them: make deploy does so before it deploys, " +
    "and scripts/run.sh wrangler d1 migrations apply DB --remote does nothing else.",
  degraded: `Ask /health as an administrator, which then names what is wrong; ${LOG} says more.`,
  writes: `Look at ${LOG}: every change needs D1.`,
  slow:
    "Ask again, from another place and at another time. " +
    `If it stays slow, look at ${LOG} for lines that say that D1 did not answer.`,
  kept:
    "Something between here and Postern keeps its answers: several had the same x-request-id. " +
    "Turn its cache off for Postern's paths (docs/cdn.md).",
  version: DEPLOY,
  byHand: "Delete them by hand, below /v1/.",
  /** For isolates that still accept the token. */
  late: (boundS) =>
    `Isolates use data that is older than ${boundS} s. Check STALENESS_S of the deployment, ` +
    "and whether a cache in between keeps answers.",
  longerBound: (wantedS) => `Set STALENESS_S = ${wantedS} in wrangler.toml, and run make deploy.`,
  signIn: ({ status }) => SIGN_IN[status] ?? `Look at ${LOG}.`,
  verdict: ({ status }) =>
    status === 503
      ? "While a secret cannot be opened, or D1 does not answer, nobody can be told whether such " +
        "a token is good. The rows above say which it is."
      : "Check that this is the version of this checkout, and that nothing in between " +
        "changes requests or answers (Authorization, x-postern-bookmark).",
  /** If /health does not report its state. */
  unconfigured({ status, json, text }) {
    const detail = json?.detail ?? text;
    if (status !== 503 || !detail.includes("not configured")) {
      return (
        "Check that URL leads to Postern: something else answers there, " +
        "or a version that is too old or too broken to report its state."
      );
    }
    const secrets = [...new Set(detail.match(SECRET) ?? [])];
    if (secrets.length === 0) return "Correct it in wrangler.toml, and run make deploy.";
    return (
      `Put it by "scripts/run.sh wrangler secret put NAME" (${secrets.join(", ")}). ` +
      "On a development machine it is in .dev.vars."
    );
  },
};

const SECRET = /\b(?:ADMIN_PASSWORD|[A-Z]+(?:_[A-Z]+)*_KEY(?:_PREVIOUS)?)\b/g;

const SIGN_IN = {
  401:
    "Set USERNAME and PASSWORD to those of an administrator. " +
    "ADMIN_PASSWORD counts only until the first administrator is there.",
  403: "Name an administrator as USERNAME, or give a key with administration as PASSWORD.",
  429:
    "Too many sign-ins have failed. Wait ten minutes, " +
    "or sign in from where this user usually does.",
};
