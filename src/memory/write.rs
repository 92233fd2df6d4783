//! Writes a change, its entries in the change feed and in the audit trail, and reads the feed, all
//! in one batch.

use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::error::{Error, Result};
use crate::memory::reading::Plan;
use crate::ports::{Row, SqlError, Statement};
use crate::store::audit;
use crate::store::constraint::Constraint;
use crate::store::ids::{self, IdKind, NewId};
use crate::store::sql;

/// Statements that are written together or not at all.
#[derive(Debug, Default)]
pub struct Write {
    statements: Vec<Statement>,
    /// The index of the statement whose rows are returned.
    answering: Option<usize>,
    deeds: Vec<(Deed, Option<NewId>)>,
}

impl Write {
    #[must_use]
    pub fn of(statement: Statement) -> Self {
        Self::default().and(statement)
    }

    /// Begins with the statement that chooses an id, unless the caller named one.
    #[must_use]
    pub fn with_id(cx: &Cx, kind: IdKind, named: Option<i64>) -> Self {
        let configured =
            if kind == IdKind::Service { cx.config.rules.services() } else { Vec::new() };
        if named.is_some() { Self::default() } else { Self::of(ids::choose(kind, &configured)) }
    }

    #[must_use]
    pub fn and(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    #[must_use]
    pub fn and_all(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// Adds the statement whose rows [`Self::commit`] returns.
    #[must_use]
    pub fn answering(mut self, statement: Statement) -> Self {
        self.answering = Some(self.statements.len());
        self.and(statement)
    }

    /// Adds an entry to the audit trail.
    #[must_use]
    pub fn deed(mut self, deed: Deed) -> Self {
        self.deeds.push((deed, None));
        self
    }

    /// Adds an audit entry about something that these statements create. If the deed has no target,
    /// the new id becomes its target.
    #[must_use]
    pub fn deed_of_new(mut self, deed: Deed, id: NewId) -> Self {
        self.deeds.push((deed, Some(id)));
        self
    }

    /// Writes everything, and reads the change feed in the same batch, so that the change is in
    /// force immediately in this isolate.
    pub async fn commit(self, cx: &Cx) -> Result<Vec<Row>> {
        self.commit_unless(cx, &[], || Error::internal("no constraint is named")).await
    }

    /// Like [`Self::commit`]. If one of the constraints in `refused_by` refuses the write, the
    /// error is `error`.
    pub async fn commit_unless(
        self,
        cx: &Cx,
        refused_by: &[Constraint],
        error: impl FnOnce() -> Error,
    ) -> Result<Vec<Row>> {
        let mut statements = self.statements;
        statements.extend(self.deeds.iter().map(|(deed, id)| match id {
            Some(id) => audit::insert_created(cx, deed, *id),
            None => audit::insert(cx, deed),
        }));
        let plan = Plan::new(cx, &[], None);
        let written = statements.len();
        statements.extend(plan.statements());
        let mut results = match cx.sql.batch(statements).await {
            Ok(results) => results,
            Err(SqlError::Refused(text)) => {
                return Err(match Constraint::of(&text) {
                    Some(constraint) if refused_by.contains(&constraint) => error(),
                    Some(constraint) => constraint.error(),
                    None => SqlError::Refused(text).into(),
                });
            }
            Err(error @ SqlError::Unmigrated(_)) => return Err(error.into()),
            Err(error) => {
                let now = cx.timer.now();
                cx.memory.note_failure(now);
                cx.memory.expire(now, cx.config.staleness);
                return Err(error.into());
            }
        };
        plan.take_in(cx, results.split_off(written.min(results.len())))?;
        self.answering
            .map_or(Ok(Vec::new()), |index| sql::rows(&results, index).map(<[Row]>::to_vec))
    }
}
