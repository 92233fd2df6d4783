//! Running statements that read, and what their rows hold.

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};
use crate::ports::{Param, Row, Rows, Statement, within};

/// How long a decision waits for D1: who calls, and what they may do. All tries share it.
pub const PATIENCE: Millis = Millis(1_500);
/// How long a list waits for D1.
const PATIENCE_OF_LISTS: Millis = Millis(10_000);

/// Runs one statement that only reads.
pub async fn query(cx: &Cx, statement: Statement) -> Result<Vec<Row>> {
    let mut results = query_all(cx, vec![statement]).await?;
    Ok(results.pop().map(|result| result.rows).unwrap_or_default())
}

/// Lets the rows of a statement come as one text, which costs the Worker and D1 a fraction of what
/// as many rows cost. `columns` are those of the statement. It orders and limits its rows, which
/// together have to be shorter than a text in D1 may be, 2 MB. An int64 is not cast to text in it,
/// since it comes as digits.
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

/// The rows that came as one text.
pub(crate) fn unpacked(columns: &[&'static str], rows: &[Row]) -> Result<Vec<Row>> {
    let text = rows.first().map_or(Ok("[]"), |row| row.text("packed"))?;
    let rows = serde_json::from_str(text).map_err(|error| {
        Error::internal(format!("the database answered unreadable rows: {error}"))
    })?;
    Ok(Rows::of(columns.iter().map(ToString::to_string).collect(), rows).rows)
}

/// Runs one statement that only reads, and whose rows come as one text.
pub(crate) async fn query_packed(
    cx: &Cx,
    columns: &[&'static str],
    statement: Statement,
) -> Result<Vec<Row>> {
    unpacked(columns, &query(cx, packed(columns, statement)).await?)
}

/// Runs statements that only read, which may be none: D1 refuses a batch without statements.
pub async fn query_all(cx: &Cx, statements: Vec<Statement>) -> Result<Vec<Rows>> {
    query_within(cx, PATIENCE_OF_LISTS, statements).await
}

/// The same. The error is `Unavailable` where D1 takes longer than `limit`.
pub async fn query_within(cx: &Cx, limit: Millis, statements: Vec<Statement>) -> Result<Vec<Rows>> {
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let late = || Error::Unavailable(Fault::new(format!("D1 did not answer in {} ms", limit.0)));
    Ok(within(&*cx.timer, limit, cx.sql.batch(statements)).await.ok_or_else(late)??)
}

/// Writes what differs of a row that was read before: each column with its value then and its value
/// to be. The other columns stay as they are now, since somebody else may have changed them since.
/// `keys` find the row, and `always` is written in any case.
pub(crate) fn edit<const N: usize>(
    table: &str,
    keys: &[(&'static str, Param)],
    always: &[(&'static str, Param)],
    columns: [(&'static str, [Param; 2]); N],
) -> Statement {
    edit_columns(table, keys, always, Vec::from(columns))
}

/// The same for any number of columns, so that the wasm has it once.
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

/// A JSON array of strings, as stored.
pub(crate) fn strings(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal(format!("a stored list is unreadable: {error}")))
}

/// Ids as a list of strings, which `json_each` reads: a number of JSON may be no int64.
pub(crate) fn stored_ids(ids: &[i64]) -> String {
    stored_strings(&ids.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// How a list of strings is stored.
pub(crate) fn stored_strings(list: &[String]) -> String {
    serde_json::json!(list).to_string()
}
