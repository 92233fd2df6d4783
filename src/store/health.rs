//! What `/health` asks the database.

use crate::ports::{Row, Statement};

/// A table, a trigger or an index of the newest migration. Without it the schema is older than the
/// Worker. `tests/host/operation.rs` compares it with the migrations.
pub const NEWEST_OBJECT: &str = "token_apps_by_lower_name";

/// A row where the newest migration has been applied.
#[must_use]
pub fn select_newest() -> Statement {
    Statement::new("SELECT name FROM sqlite_master WHERE name = ?1", [NEWEST_OBJECT.into()])
}

/// Reads the rows of [`select_newest`].
#[must_use]
pub fn is_newest(rows: &[Row]) -> bool {
    !rows.is_empty()
}
