//! Every SQL string and every KV key. One noun a file; no decisions, and no statuses.
//!
//! ids are selected as text (`CAST(id AS TEXT) AS id`), so `ORDER BY` names the table's column (`users.id`): the bare name would be the text.

pub mod applications;
pub mod audit;
pub mod feed;
pub mod grants;
pub mod node_orders;
pub mod organizations;
pub mod sealed;
pub mod services;
pub mod sessions;
pub mod sign_in_failures;
pub mod standings;
pub mod token_apps;
pub mod transfer;
pub mod units;
pub mod users;

use crate::domain::audit::Deed;
use crate::error::{Error, Result};
use crate::ports::{Cx, Row, Rows, SqlError, Statement};

/// What belongs together: written in one batch, or not at all.
#[derive(Debug, Default)]
pub struct Write {
    statements: Vec<Statement>,
    deeds: Vec<Deed>,
}

impl Write {
    /// Begins with one statement.
    #[must_use]
    pub fn of(statement: Statement) -> Self {
        Self { statements: vec![statement], deeds: Vec::new() }
    }

    /// Adds a statement.
    #[must_use]
    pub fn and(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    /// How many statements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Adds what the audit trail is to say.
    #[must_use]
    pub fn deed(mut self, deed: Deed) -> Self {
        self.deeds.push(deed);
        self
    }

    /// Writes all of it, and reads the change feed in the same batch, so that it is in force at once in this isolate.
    /// Answers what the statements returned, in their order. `refused` says what a broken constraint means.
    pub async fn commit(self, cx: &Cx, refused: impl Fn(&str) -> Option<Error>) -> Result<Vec<Rows>> {
        let own = self.statements.len();
        let mut statements = self.statements;
        statements.extend(self.deeds.iter().map(|deed| audit::insert(cx, deed)));
        let plan = crate::memory::reading::Plan::new(cx, &[], None);
        let written = statements.len();
        statements.extend(plan.statements());
        let mut results = match cx.sql.batch(statements).await {
            Ok(results) => results,
            Err(SqlError::Refused(text)) => return Err(refused(&text).unwrap_or(SqlError::Refused(text).into())),
            Err(error) => {
                cx.trust.note_failure(cx.now, true);
                return Err(error.into());
            }
        };
        let read = results.split_off(written.min(results.len()));
        plan.take_in(cx, &read)?;
        results.truncate(own);
        Ok(results)
    }
}

/// Runs one statement that only reads.
pub async fn query(cx: &Cx, statement: Statement) -> Result<Vec<Row>> {
    let mut results = cx.sql.batch(vec![statement]).await?;
    Ok(results.pop().map(|result| result.rows).unwrap_or_default())
}

/// The rows of the `index`th statement of a batch.
pub(crate) fn rows(results: &[Rows], index: usize) -> Result<&[Row]> {
    let missing = || Error::internal("the database answered fewer results than there were statements");
    results.get(index).map(|result| result.rows.as_slice()).ok_or_else(missing)
}

/// A JSON array of strings, as stored.
fn strings(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("a stored list is unreadable: {error}")))
}

/// How a list of strings is stored.
pub(crate) fn stored_strings(list: &[String]) -> String {
    serde_json::json!(list).to_string()
}
