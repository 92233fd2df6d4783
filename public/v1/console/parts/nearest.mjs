// Which of many checks says best why a token is refused.

/**
 * Groups checks by token app, in order of appearance. Checks without an app are under null.
 */
export function byApp(checks) {
  const groups = new Map();
  for (const check of checks) groups.set(check.app, [...(groups.get(check.app) ?? []), check]);
  return [...groups].map(([app, of]) => ({ app, checks: of, holds: of.every(({ held }) => held) }));
}

const hasSignature = ({ checks }) =>
  checks.some(({ check, held }) => held && (check === "signature" || check === "introspection"));
const count = ({ checks }, holds) => checks.filter(({ held }) => held === holds).length;
/** The greater, the nearer an app is to accepting the token. */
const nearness = (of) => [hasSignature(of) ? 1 : 0, -count(of, false), count(of, true)];
const compare = (one, other) => one.map((value, at) => value - other[at]).find(Boolean) ?? 0;

/**
 * What says best why a token is refused: a check of the token itself, or else the apps that came
 * nearest to accepting it. Returns several apps if they are equally near.
 * @param {ReturnType<typeof byApp>} groups
 * @returns {ReturnType<typeof byApp>}
 */
export function nearest(groups) {
  const failed = groups.filter(({ holds }) => !holds);
  const itself = failed.filter(({ app }) => app === null);
  if (itself.length > 0) return itself;
  const best = failed.map(nearness).sort(compare).at(-1);
  return failed.filter((of) => compare(nearness(of), best) === 0);
}

/** The first check of a group that failed. */
export const firstFailed = ({ checks }) => checks.find(({ held }) => !held);
