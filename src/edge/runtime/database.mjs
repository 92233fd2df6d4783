// A batch of D1 as one text each way: a crossing for each statement, value, row and member costs more than the statements do.

/** A request's session. It begins at the primary, so that it sees every write before it. */
export function session(env, binding) {
  return env[binding].withSession("first-primary");
}

/**
 * Runs a batch. `statements` is the JSON text of `[sql, values]` for each. `done` is told the ticket, whether it failed, and a text: the JSON of
 * `[columns, rows]` for each statement, where a row has its values in the columns' order, or what D1 said.
 */
export function batch(session, statements, ticket, done) {
  const say = (failed, text) => {
    try {
      done(ticket, failed, text);
    } catch (error) {
      reportError(error);
    }
  };
  answer(session, JSON.parse(statements)).then((text) => say(false, text), (error) => say(true, words(error)));
}

async function answer(session, statements) {
  const prepared = statements.map(([sql, values]) => (values.length === 0 ? session.prepare(sql) : session.prepare(sql).bind(...values)));
  const results = await session.batch(prepared);
  return JSON.stringify(results.map(({ results: rows }) => [Object.keys(rows[0] ?? {}), rows.map(Object.values)]));
}

/** D1's own words are the cause of what it throws. */
function words(error) {
  return String(error?.cause?.message ?? error?.message ?? error);
}
