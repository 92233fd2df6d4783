//! Reads the copy in KV of what verification needs. It is read only while D1 does not answer.
//!
//! The copy has the enabled token apps, the revocations and the users. Of more than
//! [`MAX_USERS`](crate::memory::snapshot::MAX_USERS) users, it has those that changed last. A copy
//! older than `STALE_IF_ERROR_S` is refused.

use std::rc::Rc;

use futures_util::future::join3;

use crate::context::Cx;
use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::error::{Fault, Result};
use crate::memory::revocations::Revocations;
use crate::memory::snapshot::{Others, Snapshot};
use crate::ports::Row;
use crate::store::snapshot::{self, Record, Renewed};
use crate::store::{revocations, token_apps, users};

/// How old the copy may be before `/health` reports it. The scheduled event renews it every five
/// minutes, so three renewals in a row may fail.
pub const RENEWED_WITHIN: Millis = Millis::from_seconds(20 * 60);

/// Returns the snapshot, if there is one that is not older than `STALE_IF_ERROR_S`.
pub async fn fetch(cx: &Cx) -> Option<Rc<Snapshot>> {
    let snapshot = if let Some(kept) = cx.memory.snapshot(cx.now) {
        kept
    } else {
        let (record, changes, renewed) =
            join3(snapshot::get(cx), snapshot::changes(cx), snapshot::renewed(cx)).await;
        let (changes, renewed) = (logged(cx, changes), logged(cx, renewed));
        let fetched = logged(cx, record).and_then(|record| {
            let of = record.taken;
            let record = record.with(changes);
            let holds_at = Renewed::holds_at(renewed.as_ref(), of, record.taken);
            let unreadable = |error| cx.log.line(&format!("the snapshot is unreadable: {error:?}"));
            read(cx, record, holds_at).map_err(unreadable).ok().map(Rc::new)
        });
        cx.memory.keep_snapshot(fetched.clone(), cx.now);
        fetched
    };
    let limit = Millis::from_seconds(cx.config.stale_if_error_s);
    snapshot.filter(|snapshot| cx.now - snapshot.taken_at <= limit)
}

pub(super) fn logged<T>(cx: &Cx, fetched: std::result::Result<Option<T>, Fault>) -> Option<T> {
    let not_answered =
        |fault: Fault| cx.log.line(&format!("KV did not answer: {}", fault.for_log()));
    fetched.map_err(not_answered).ok().flatten()
}

fn read(cx: &Cx, record: Record, holds_at: Millis) -> Result<Snapshot> {
    let apps = record
        .apps
        .into_iter()
        .map(|row| token_apps::app(cx, &Row::from(row)).map(Rc::new))
        .collect::<Result<_>>()?;
    let users = record
        .users
        .into_iter()
        .map(|row| users::user(&Row::from(row)).map(Rc::new))
        .collect::<Result<_>>()?;
    let revocations: Vec<_> = record.revocations.into_iter().map(Row::from).collect();
    let revocations = Revocations::new(revocations::all(&revocations)?.as_deref());
    let gone = record.gone.iter().filter_map(|id| id.parse().ok().map(UserId));
    let others = if record.has_all_users { Others::None } else { Others::SomeGone(gone.collect()) };
    Ok(Snapshot::new((holds_at, record.taken.revision), apps, users, others, revocations))
}
