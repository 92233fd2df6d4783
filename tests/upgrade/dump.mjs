// Writes a database as SQL text, and refuses one with an empty table.

/** Wrangler's table of the migrations that it has applied. */
const MIGRATIONS_TABLE = `CREATE TABLE d1_migrations(
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

const text = (value) => `'${value.replaceAll("'", "''")}'`;

/** The rows of a table, each as the VALUES of an INSERT. */
async function rowsOf(query, table) {
  const columns = (await query(`SELECT name FROM pragma_table_info(${text(table)})`)).map(
    ({ name }) => name,
  );
  const values = columns.map((name) => `quote("${name}")`).join(" || ', ' || ");
  return (await query(`SELECT ${values} AS row FROM "${table}"`)).map(({ row }) => row);
}

async function insertsInto(query, table) {
  const rows = await rowsOf(query, table);
  if (rows.length === 0)
    throw new Error(`the table ${table} is empty: nothing would be known of its upgrade`);
  return rows.map((row) => `INSERT INTO ${table} VALUES (${row});`).join("\n");
}

/**
 * The whole database, in parts that an empty line separates. `query` returns the rows of an SQL
 * text. Triggers and indexes come last, so that rows are inserted unchanged.
 */
export async function dump(query, migrations) {
  const objects = await query(
    `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL
     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
     AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY type = 'trigger', type = 'index', rowid`,
  );
  const applied = migrations.map(
    (name) => `INSERT INTO d1_migrations (name) VALUES (${text(name)});`,
  );
  const parts = [`${MIGRATIONS_TABLE};\n${applied.join("\n")}`];
  for (const { name, sql } of objects.filter(({ type }) => type === "table")) {
    parts.push(`${sql};\n${await insertsInto(query, name)}`);
  }
  // The counters of AUTOINCREMENT, because an id must never be given twice.
  const counters = await query("SELECT name, seq FROM sqlite_sequence ORDER BY name");
  parts.push(
    counters
      .filter(({ name }) => objects.some((object) => object.name === name))
      .map(({ name, seq }) => `UPDATE sqlite_sequence SET seq = ${seq} WHERE name = ${text(name)};`)
      .join("\n"),
  );
  parts.push(...objects.filter(({ type }) => type !== "table").map(({ sql }) => `${sql};`));
  return `${parts.join("\n\n")}\n`;
}
