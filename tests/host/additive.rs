//! Migrations only add. The Worker of the last release runs on the new schema while a new release
//! is rolled out, and after it is rolled back.

use std::collections::BTreeMap;

use postern::domain::secret::{hex, sha256};
use rusqlite::Connection;
use serde_json::Value;

use crate::upgrade::{Fixture, fixtures};

/// A table, index or trigger as in `sqlite_master`.
#[derive(Debug, PartialEq)]
struct Object {
    kind: String,
    table: String,
    sql: String,
}

impl Object {
    fn is_unique_index(&self) -> bool {
        self.kind == "index" && normal(&self.sql).starts_with("CREATE UNIQUE INDEX")
    }

    /// A plain index only makes a query faster, so the last release works without it.
    fn is_plain_index(&self) -> bool {
        self.kind == "index" && !self.is_unique_index()
    }

    /// A trigger with `RAISE` may refuse a write of the last release.
    fn may_refuse(&self) -> bool {
        self.kind == "trigger" && normal(&self.sql).contains("RAISE")
    }
}

/// SQL in upper case, with single spaces and without comments.
fn normal(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").to_uppercase()
}

fn objects(connection: &Connection) -> BTreeMap<String, Object> {
    let sql = "SELECT name, type, tbl_name, sql FROM sqlite_master \
        WHERE sql IS NOT NULL AND name <> 'sqlite_sequence'";
    let mut statement = connection.prepare(sql).expect("the catalogue");
    let rows = statement
        .query_map([], |row| {
            Ok((row.get(0)?, Object { kind: row.get(1)?, table: row.get(2)?, sql: row.get(3)? }))
        })
        .expect("objects");
    rows.map(|row| row.expect("an object")).collect()
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection
        .query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))
        .unwrap_or(0)
}

/// Checks that a table's definition has only gained columns. SQLite inserts them in one place.
fn has_only_grown(then: &str, now: &str) -> bool {
    let same = then.bytes().zip(now.bytes()).take_while(|(then, now)| then == now).count();
    let rest = &then.as_bytes()[same..];
    let Some(added) = now.as_bytes()[same..].strip_suffix(rest) else { return false };
    let added = normal(&String::from_utf8_lossy(added));
    // If a table's definition ends with its primary key, the comma follows the new column.
    let is_of_columns = added.is_empty() || added.starts_with(',') || added.ends_with(',');
    is_of_columns
        && !["UNIQUE", "PRIMARY KEY", "FOREIGN KEY"].iter().any(|word| added.contains(word))
}

/// Why the last release could not run on its database after these migrations.
fn objections(release: &str, migrations: &[String]) -> Vec<String> {
    let connection = Connection::open_in_memory().expect("SQLite opens in memory");
    connection.execute_batch(release).expect("the database of a release");
    let before = objects(&connection);
    let tables: Vec<_> =
        before.iter().filter(|(_, object)| object.kind == "table").map(|(name, _)| name).collect();
    let counts: Vec<_> = tables.iter().map(|table| count(&connection, table)).collect();
    let mut found = Vec::new();
    for sql in migrations {
        let text = normal(sql);
        let refused =
            ["DROP TABLE", "DROP COLUMN", " RENAME "].iter().filter(|words| text.contains(**words));
        found.extend(refused.map(|words| format!("{} is not additive", words.trim())));
        found.extend(
            connection.execute_batch(sql).err().map(|error| format!("SQLite refuses it: {error}")),
        );
    }
    let after = objects(&connection);
    found.extend(changed(&before, &after));
    for (table, then) in tables.iter().zip(counts) {
        if count(&connection, table) < then {
            found.push(format!("rows of {table} are gone"));
        }
    }
    found
}

/// Objects that are changed or gone, and new ones that may refuse writes of the last release.
fn changed(before: &BTreeMap<String, Object>, after: &BTreeMap<String, Object>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, then) in before.iter().filter(|(_, object)| !object.is_plain_index()) {
        match after.get(name) {
            None => found.push(format!("the {} {name} is gone", then.kind)),
            Some(now)
                if then.kind == "table"
                    && now.kind == "table"
                    && has_only_grown(&then.sql, &now.sql) => {}
            Some(now) if then == now => {}
            Some(_) => found.push(format!("the {} {name} is another", then.kind)),
        }
    }
    for (name, new) in after
        .iter()
        .filter(|(name, new)| !before.contains_key(*name) && before.contains_key(&new.table))
    {
        if new.is_unique_index() || new.may_refuse() {
            found.push(format!(
                "the {} {name} may refuse what the last release writes to {}",
                new.kind, new.table
            ));
        }
    }
    found
}

/// The migrations that are newer than a release.
fn newer_than(fixture: &Fixture) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir("migrations")
        .expect("migrations")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    let is_newer = |file: &std::path::PathBuf| {
        let name = file.file_name().expect("a name").to_string_lossy();
        fixture.facts["migrations"][name.as_ref()].is_null()
    };
    files
        .iter()
        .filter(|file| is_newer(file))
        .map(|file| std::fs::read_to_string(file).expect("a migration"))
        .collect()
}

#[test]
fn migrations_that_a_release_does_not_have_only_add_to_its_schema() {
    for fixture in fixtures() {
        assert_eq!(objections(&fixture.sql, &newer_than(&fixture)), Vec::<String>::new());
    }
}

/// A database that has already applied the migration would never get the change.
#[test]
fn a_released_migration_is_as_it_was_released() {
    for fixture in fixtures() {
        let released = fixture.facts["migrations"].as_object().expect("migrations");
        assert!(!released.is_empty());
        for (name, hash) in released {
            let bytes = std::fs::read(format!("migrations/{name}")).unwrap_or_default();
            assert_eq!(
                &Value::String(hex(&sha256(&bytes))),
                hash,
                "migrations/{name} has been released: add a new file instead"
            );
        }
    }
}

fn judge(sql: &str) -> String {
    let last = fixtures().pop().expect("a fixture");
    objections(&last.sql, &[sql.to_owned()]).join("; ")
}

#[test]
fn additions_are_accepted() {
    for sql in [
        "ALTER TABLE users ADD COLUMN locale TEXT",
        "ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT 'en'; \
         ALTER TABLE users ADD COLUMN zone TEXT",
        "ALTER TABLE users ADD COLUMN level INTEGER DEFAULT 1 CHECK (level > 0)",
        "ALTER TABLE memberships ADD COLUMN since INTEGER",
        "CREATE TABLE passkeys (id TEXT PRIMARY KEY, user_id INTEGER NOT NULL); \
         CREATE UNIQUE INDEX passkeys_by_user ON passkeys (user_id)",
        "CREATE INDEX users_by_email ON users (email)",
        "DROP INDEX users_by_modified_at",
        "CREATE TRIGGER users_touched AFTER UPDATE ON users BEGIN \
         UPDATE grants SET creator = creator WHERE id = NEW.id; END",
        "UPDATE users SET name = username WHERE name IS NULL",
    ] {
        assert_eq!(judge(sql), "", "{sql}");
    }
}

#[test]
fn what_the_last_release_could_not_run_on_is_refused() {
    for (sql, why) in [
        ("DROP TABLE memberships", "the table memberships is gone"),
        ("ALTER TABLE users DROP COLUMN phone", "DROP COLUMN is not additive"),
        ("ALTER TABLE users RENAME COLUMN phone TO telephone", "the table users is another"),
        ("ALTER TABLE users RENAME COLUMN phone TO email_2", "the table users is another"),
        ("ALTER TABLE users RENAME TO accounts", "the table users is gone"),
        ("ALTER TABLE users ADD COLUMN locale TEXT NOT NULL", "SQLite refuses it"),
        (
            "CREATE UNIQUE INDEX users_by_email ON users (email)",
            "may refuse what the last release writes to users",
        ),
        (
            "CREATE TRIGGER users_need_email BEFORE INSERT ON users WHEN NEW.email IS NULL BEGIN \
             SELECT RAISE(ABORT, 'email'); END",
            "may refuse what the last release writes to users",
        ),
        ("DROP INDEX grants_by_object", "the index grants_by_object is gone"),
        ("DROP TRIGGER grants_count_inserted", "the trigger grants_count_inserted is gone"),
        ("DELETE FROM sessions", "rows of sessions are gone"),
        (
            "DROP TABLE sign_in_failures; \
             CREATE TABLE sign_in_failures \
             (scope TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL)",
            "the table sign_in_failures is another",
        ),
    ] {
        let found = judge(sql);
        assert!(found.contains(why), "{sql}: {found:?}");
    }
}
