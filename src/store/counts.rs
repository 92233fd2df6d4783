//! How many records there are, counted up to a bound.

use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};

/// Further records are not counted: each costs a row.
pub const MAX: i64 = 10_000;

/// The kinds that are counted by their rows, by their words.
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
/// Grants are added up from the totals that triggers keep of each service.
const GRANTS: &str = "grants";

/// Every kind that is counted.
pub const KINDS: [&str; 9] = [
    GRANTS, ROWS[0].0, ROWS[1].0, ROWS[2].0, ROWS[3].0, ROWS[4].0, ROWS[5].0, ROWS[6].0, ROWS[7].0,
];

/// What was counted of a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Count {
    /// The word for the kind.
    pub kind: &'static str,
    /// How many, at least.
    pub number: i64,
    /// Whether there are more.
    pub is_more: bool,
    /// How many rows that cost.
    pub rows: i64,
}

/// How many rows the totals of grants are, beside their sum.
const GRANT_ROWS: &str = "grantRows";

/// Counts all kinds, in one row with a column for each: D1 takes no more than five terms of UNION.
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
    // One more than the bound tells that there are more.
    Statement::new(sql, [Param::Number(MAX + 1)])
}

/// Reads the row of [`select`].
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
