//! How many records there are, counted up to a bound.

use crate::error::Result;
use crate::ports::{Param, Row, Statement};

/// Further records are not counted: each costs a row.
pub const MAX: i64 = 10_000;

/// D1 refuses a compound of more SELECTs.
const MOST_TERMS: usize = 5;

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
pub const KINDS: [&str; 9] = [GRANTS, ROWS[0].0, ROWS[1].0, ROWS[2].0, ROWS[3].0, ROWS[4].0, ROWS[5].0, ROWS[6].0, ROWS[7].0];

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

/// Counts all kinds: a row each, of `kind`, `number` and `read`.
#[must_use]
pub fn select() -> Statement {
    let of_rows = |(kind, from): &(&str, &str)| {
        format!("SELECT '{kind}' AS kind, COUNT(*) AS number, COUNT(*) AS read FROM (SELECT 1 FROM {from} LIMIT ?1)")
    };
    let of_grants = format!(
        "SELECT '{GRANTS}' AS kind, COALESCE(SUM(grants), 0) AS number, COUNT(*) AS read
         FROM (SELECT grants FROM grant_counts LIMIT ?1)"
    );
    let selects: Vec<_> = ROWS.iter().map(of_rows).chain([of_grants]).collect();
    let several = |terms: &[String]| format!("SELECT * FROM ({})", terms.join(" UNION ALL "));
    let compounds: Vec<_> = selects.chunks(MOST_TERMS).map(several).collect();
    // One more than the bound tells that there are more.
    Statement::new(compounds.join(" UNION ALL "), [Param::Number(MAX + 1)])
}

/// Reads the rows of [`select`].
pub fn counts(rows: &[Row]) -> Result<Vec<Count>> {
    let count = |row: &Row| {
        let (word, number, read) = (row.text("kind")?, row.number("number")?, row.number("read")?);
        let is_more = read > MAX;
        let is_of_rows = word != GRANTS;
        let kind = KINDS.into_iter().find(|kind| *kind == word);
        Ok(kind.map(|kind| Count { kind, number: if is_of_rows { number.min(MAX) } else { number }, is_more, rows: read }))
    };
    rows.iter().filter_map(|row| count(row).transpose()).collect()
}
