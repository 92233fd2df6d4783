//! Runs statements that only read, and reads values from their rows.

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};
use crate::ports::{Param, Row, Rows, Statement, within};

/// How long authentication and permission checks wait for D1. All tries share this time.
pub const PATIENCE: Millis = Millis(1_500);
/// How long a list waits for D1. All tries share this time.
const PATIENCE_OF_LISTS: Millis = Millis(10_000);

pub async fn query(cx: &Cx, statement: Statement) -> Result<Vec<Row>> {
    let mut results = query_all(cx, vec![statement]).await?;
    Ok(results.pop().map(|result| result.rows).unwrap_or_default())
}

/// Runs one statement that only reads, and reads its first row, if there is one.
pub(crate) async fn first<T>(
    cx: &Cx,
    statement: Statement,
    read: impl FnOnce(&Row) -> Result<T>,
) -> Result<Option<T>> {
    query(cx, statement).await?.first().map(read).transpose()
}

/// Runs one statement that counts, and reads its column `total`.
pub(crate) async fn total(cx: &Cx, statement: Statement) -> Result<i64> {
    Ok(first(cx, statement, |row| row.number("total")).await?.unwrap_or_default())
}

/// Runs one statement that only reads, and reads each of its rows.
pub(crate) async fn all<T>(
    cx: &Cx,
    statement: Statement,
    read: impl FnMut(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    query(cx, statement).await?.iter().map(read).collect()
}

/// Returns all rows of a statement as one JSON text, which costs the Worker and D1 a fraction of
/// what the rows cost one by one. `columns` are the statement's columns. The statement must order
/// and limit its rows, and all of them together must stay below 2 MB, D1's limit for a text. Do not
/// cast an int64 to text in it: JSON carries all its digits.
pub(crate) fn packed(columns: &[&'static str], statement: Statement) -> Statement {
    let Statement { sql, params } = statement;
    Statement::new(
        format!(
            "SELECT json_group_array(json_array({})) AS packed FROM ({sql})",
            columns.join(", ")
        ),
        params,
    )
}

/// Reads the rows of a [`packed`] statement.
pub(crate) fn unpacked(columns: &[&'static str], rows: &[Row]) -> Result<Vec<Row>> {
    let text = rows.first().map_or(Ok("[]"), |row| row.text("packed"))?;
    let rows = serde_json::from_str(text).map_err(|error| {
        Error::internal(format!("the database answered unreadable rows: {error}"))
    })?;
    Ok(Rows::of(columns.iter().map(ToString::to_string).collect(), rows).rows)
}

/// Runs one statement by [`packed`].
pub(crate) async fn query_packed(
    cx: &Cx,
    columns: &[&'static str],
    statement: Statement,
) -> Result<Vec<Row>> {
    unpacked(columns, &query(cx, packed(columns, statement)).await?)
}

/// Runs statements that only read. The list may be empty; D1 itself refuses an empty batch.
pub async fn query_all(cx: &Cx, statements: Vec<Statement>) -> Result<Vec<Rows>> {
    query_within(cx, PATIENCE_OF_LISTS, statements).await
}

/// Like [`query_all`], but fails with `Unavailable` if D1 takes longer than `limit`.
pub async fn query_within(cx: &Cx, limit: Millis, statements: Vec<Statement>) -> Result<Vec<Rows>> {
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let late = || Error::Unavailable(Fault::new(format!("D1 did not answer in {} ms", limit.0)));
    Ok(within(&*cx.timer, limit, cx.sql.batch(statements)).await.ok_or_else(late)??)
}

/// Updates the columns whose value differs from the one that was read before; each column comes
/// with its old and its new value. Equal columns are not written, because another request may have
/// changed them meanwhile. `keys` select the row. The columns in `always` are written in any case.
pub(crate) fn edit<const N: usize>(
    table: &str,
    keys: &[(&'static str, Param)],
    always: &[(&'static str, Param)],
    columns: [(&'static str, [Param; 2]); N],
) -> Statement {
    edit_columns(table, keys, always, Vec::from(columns))
}

/// Not generic, so that the wasm contains this code once.
fn edit_columns(
    table: &str,
    keys: &[(&'static str, Param)],
    always: &[(&'static str, Param)],
    columns: Vec<(&'static str, [Param; 2])>,
) -> Statement {
    let changed = columns
        .into_iter()
        .filter(|(_, [before, after])| before != after)
        .map(|(column, [_, after])| (column, after));
    let values: Vec<_> =
        keys.iter().cloned().chain(always.iter().cloned()).chain(changed).collect();
    let assigned = values
        .iter()
        .enumerate()
        .map(|(index, (column, _))| format!("{column} = ?{}", index + 1))
        .collect::<Vec<_>>();
    let (condition, set) = assigned.split_at_checked(keys.len()).unwrap_or_default();
    // An UPDATE must set something.
    let set = if set.is_empty() {
        keys.iter().map(|(column, _)| format!("{column} = {column}")).collect()
    } else {
        set.to_vec()
    };
    let sql = format!("UPDATE {table} SET {} WHERE {}", set.join(", "), condition.join(" AND "));
    Statement::new(sql, values.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
}

/// The rows of the `index`th statement of a batch.
pub(crate) fn rows(results: &[Rows], index: usize) -> Result<&[Row]> {
    let missing =
        || Error::internal("the database answered fewer results than there were statements");
    results.get(index).map(|result| result.rows.as_slice()).ok_or_else(missing)
}

pub(crate) fn strings(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal(format!("a stored list is unreadable: {error}")))
}

pub(crate) fn stored_strings(list: &[String]) -> String {
    serde_json::json!(list).to_string()
}
