// What `make smoke` says about the word that /health has for the data centre's cache.

const INERT = "the cache is inert: what was written there was not there";
const WAY_OUT =
  "Answers are right, but each isolate reads D1 for itself: cold answers take longer, and D1 is " +
  "asked more often. Serve Postern at a custom domain, or at a route of a zone of yours " +
  "(routes in wrangler.toml).";

/** `{ verdict, seen, wayOut }` for the member `sharedCache` of /health at that host. */
export function sharedCache(word, hostname) {
  if (word === "works") return { verdict: "ok", seen: "the cache of the data centre works" };
  if (word === "inert") {
    return hostname.endsWith(".workers.dev")
      ? { verdict: "not seen", seen: "the cache is inert, as everywhere on workers.dev" }
      : { verdict: "FAILED", seen: INERT, wayOut: WAY_OUT };
  }
  const seen =
    word === "unknown" ? "nothing has shown yet whether it works" : "/health does not say it";
  return { verdict: "not seen", seen };
}
