//! Writing: a change, its entries in the feed and in the audit trail, and a reading of the feed, in one batch.

use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::error::{Error, Result};
use crate::memory::reading::Plan;
use crate::ports::{Rows, SqlError, Statement};
use crate::store::audit;

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
        let plan = Plan::new(cx, &[], None);
        let written = statements.len();
        statements.extend(plan.statements());
        let mut results = match cx.sql.batch(statements).await {
            Ok(results) => results,
            Err(SqlError::Refused(text)) => return Err(refused(&text).unwrap_or(SqlError::Refused(text).into())),
            Err(error) => {
                cx.memory.note_failure(cx.now, true);
                return Err(error.into());
            }
        };
        let read = results.split_off(written.min(results.len()));
        plan.take_in(cx, &read)?;
        results.truncate(own);
        Ok(results)
    }
}
