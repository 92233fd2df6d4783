// A batch of D1 as one text each way: a crossing for each statement, value, row and member costs
// more than the statements do.

/** The database itself. Without a session, its primary answers. */
export function database(env, binding) {
  return env[binding];
}

/**
 * A session, whose bookmark names what it wrote. It begins at the primary. Bookmarks cost D1 time,
 * so a batch that only reads uses no session.
 */
export function session(env, binding) {
  return env[binding].withSession("first-primary");
}

/**
 * Runs a batch on the database or a session. `statements` is the JSON text of `[sql, values]` for
 * each. `done` is told the ticket, whether it failed, and a text: the JSON of `[columns, rows,
 * read]` for each statement, where a row has its values in the columns' order and `read` is how
 * many rows D1 has read, or what D1 said.
 */
export function batch(database, statements, ticket, done) {
  const say = (failed, text) => {
    try {
      done(ticket, failed, text);
    } catch (error) {
      reportError(error);
    }
  };
  answer(database, JSON.parse(statements)).then(
    (text) => say(false, text),
    (error) => say(true, words(error)),
  );
}

async function answer(database, statements) {
  const prepared = statements.map(([sql, values]) =>
    values.length === 0 ? database.prepare(sql) : database.prepare(sql).bind(...values),
  );
  const results = await database.batch(prepared);
  return JSON.stringify(
    results.map(({ results: rows, meta }) => [
      Object.keys(rows[0] ?? {}),
      rows.map(Object.values),
      meta?.rows_read ?? null,
    ]),
  );
}

/** D1's own words are the cause of what it throws. */
function words(error) {
  return String(error?.cause?.message ?? error?.message ?? error);
}
