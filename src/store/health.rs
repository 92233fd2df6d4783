//! Checks for `/health` that the newest migration has been applied.

use crate::ports::{Row, Statement};

/// A table, trigger or index of the newest migration. If it is missing, the schema is older than
/// the Worker. `tests/host/operation.rs` compares this name with the migrations.
pub const NEWEST_OBJECT: &str = "users_take_a_freed_id_from_its_name";

/// If the newest migration only adds columns: the name of one. `NEWEST_OBJECT` is then its table.
pub const NEWEST_COLUMN: Option<&str> = None;

/// Returns a row if the newest migration has been applied.
#[must_use]
pub fn select_newest() -> Statement {
    Statement::new(
        "SELECT name FROM sqlite_master
         WHERE name = ?1 AND (?2 IS NULL OR instr(sql, ' ' || ?2 || ' ') > 0)",
        [NEWEST_OBJECT.into(), NEWEST_COLUMN.map(str::to_owned).into()],
    )
}

#[must_use]
pub fn is_newest(rows: &[Row]) -> bool {
    !rows.is_empty()
}
