//! Running statements that read, and what their rows hold.

use crate::context::Cx;
use crate::error::{Error, Result};
use crate::ports::{Row, Rows, Statement};

/// Runs one statement that only reads.
pub async fn query(cx: &Cx, statement: Statement) -> Result<Vec<Row>> {
    let mut results = cx.sql.batch(vec![statement]).await?;
    Ok(results.pop().map(|result| result.rows).unwrap_or_default())
}

/// Runs statements that only read, which may be none: D1 refuses a batch without statements.
pub async fn query_all(cx: &Cx, statements: Vec<Statement>) -> Result<Vec<Rows>> {
    if statements.is_empty() { Ok(Vec::new()) } else { Ok(cx.sql.batch(statements).await?) }
}

/// The rows of the `index`th statement of a batch.
pub(crate) fn rows(results: &[Rows], index: usize) -> Result<&[Row]> {
    let missing = || Error::internal("the database answered fewer results than there were statements");
    results.get(index).map(|result| result.rows.as_slice()).ok_or_else(missing)
}

/// A JSON array of strings, as stored.
pub(crate) fn strings(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("a stored list is unreadable: {error}")))
}

/// How a list of strings is stored.
pub(crate) fn stored_strings(list: &[String]) -> String {
    serde_json::json!(list).to_string()
}
