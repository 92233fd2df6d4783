//! The number of records, counted up to a bound.

use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};

/// Counting stops here, because each counted record costs a row.
pub const MAX: i64 = 10_000;

/// The kinds that are counted row by row, by name.
const ROWS: [(&str, &str); 8] = [
    ("users", "users"),
    ("tokenApps", "token_apps"),
    ("services", "services"),
    ("groups", "units WHERE object_type = 'GROUP'"),
    ("departments", "units WHERE object_type = 'DEPT'"),
    ("keys", "machine_keys"),
    ("organizations", "organizations"),
    ("applications", "applications"),
];
/// Grants are added up from the totals that triggers keep per service.
const GRANTS: &str = "grants";

pub const KINDS: [&str; 9] = [
    GRANTS, ROWS[0].0, ROWS[1].0, ROWS[2].0, ROWS[3].0, ROWS[4].0, ROWS[5].0, ROWS[6].0, ROWS[7].0,
];

/// The count of one kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Count {
    pub kind: &'static str,
    /// The number of records, or a lower bound if `is_more`.
    pub number: i64,
    /// There are more than counted.
    pub is_more: bool,
    /// How many rows D1 read for it.
    pub rows: i64,
}

/// The column with the number of totals that were read.
const GRANT_ROWS: &str = "grantRows";

/// Counts all kinds in one row, with a column for each. A UNION would need more than the five terms
/// that D1 takes.
#[must_use]
pub fn select() -> Statement {
    let of_rows = |(kind, from): &(&str, &str)| {
        format!("(SELECT COUNT(*) FROM (SELECT 1 FROM {from} LIMIT ?1)) AS {kind}")
    };
    let columns: Vec<_> = ROWS.iter().map(of_rows).collect();
    let sql = format!(
        "SELECT {}, of_grants.number AS {GRANTS}, of_grants.read AS {GRANT_ROWS}
         FROM (SELECT COALESCE(SUM(grants), 0) AS number, COUNT(*) AS read
               FROM (SELECT grants FROM grant_counts LIMIT ?1)) of_grants",
        columns.join(", ")
    );
    // One row beyond the bound shows that there are more.
    Statement::new(sql, [Param::Number(MAX + 1)])
}

pub fn counts(rows: &[Row]) -> Result<Vec<Count>> {
    let row = rows.first().ok_or_else(|| Error::internal("the counts were not answered"))?;
    let count = |kind: &'static str| {
        let found = row.number(kind)?;
        let rows = if kind == GRANTS { row.number(GRANT_ROWS)? } else { found };
        let number = if kind == GRANTS { found } else { found.min(MAX) };
        Ok(Count { kind, number, is_more: rows > MAX, rows })
    };
    KINDS.into_iter().map(count).collect()
}
