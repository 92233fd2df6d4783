//! The copy in KV of what verification relies on. It is read only while D1 does not answer.
//!
//! It holds the enabled token apps, the revocations, and the users, at most [`MAX_USERS`] of them,
//! those changed last. It is refused when it is older than `STALE_IF_ERROR_S`. The scheduled event
//! writes it.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};
use crate::memory::feed::MAX_CHANGES;
use crate::memory::reading::one_more_than;
use crate::memory::revocations::{KEPT_ALL, Revocations};
use crate::memory::snapshot::Snapshot;
use crate::ports::{Row, Rows};
use crate::store::snapshot::{self, Record};
use crate::store::{feed, revocations, sql, token_apps, users};

/// The scheduled event renews the snapshot every five minutes; three in a row may fail.
pub const RENEWED_WITHIN: Millis = Millis::from_seconds(20 * 60);
/// How many users a snapshot holds.
pub const MAX_USERS: i64 = 10_000;

/// The snapshot, if there is one that is young enough.
pub async fn fetch(cx: &Cx) -> Option<Rc<Snapshot>> {
    let snapshot = if let Some(kept) = cx.memory.snapshot(cx.now) {
        kept
    } else {
        let fetched = logged(cx, snapshot::get_any(cx).await).and_then(|record| {
            let unreadable = |error| cx.log.line(&format!("the snapshot is unreadable: {error:?}"));
            read(cx, record).map_err(unreadable).ok().map(Rc::new)
        });
        cx.memory.keep_snapshot(fetched.clone(), cx.now);
        fetched
    };
    let limit = Millis::from_seconds(cx.config.stale_if_error_s);
    snapshot.filter(|snapshot| cx.now - snapshot.taken_at <= limit)
}

/// Writes the snapshot anew. Where nothing changed since the last one, only its time is: the users are not read again.
pub async fn publish(cx: &Cx) -> Result<()> {
    let rows = sql::query(cx, feed::select_head()).await?;
    let revision = rows.first().map_or(Ok(0), |row| row.number("head"))?;
    let record = match logged(cx, snapshot::get(cx).await) {
        Some(record) if record.revision == revision => Record { taken_at: cx.now, ..record },
        _ => take(cx).await?,
    };
    snapshot::put(cx, &record).await?;
    snapshot::put_renewed(cx, record.taken_at).await
}

async fn take(cx: &Cx) -> Result<Record> {
    let revocations = revocations::select_all_at_gap(None, MAX_CHANGES, one_more_than(KEPT_ALL), cx.now);
    let batch = vec![feed::select_head(), token_apps::select_enabled(), users::select_changed_last(MAX_USERS), revocations];
    let results: Vec<Rows> = cx.sql.batch(batch).await?;
    let maps = |index| Ok::<_, Error>(sql::rows(&results, index)?.iter().map(Row::to_map).collect());
    let revision = sql::rows(&results, 0)?.first().map_or(Ok(0), |row| row.number("head"))?;
    Ok(Record { revision, taken_at: cx.now, apps: maps(1)?, users: maps(2)?, revocations: maps(3)? })
}

fn logged(cx: &Cx, fetched: std::result::Result<Option<Record>, Fault>) -> Option<Record> {
    let not_answered = |fault: Fault| cx.log.line(&format!("KV did not answer: {}", fault.for_log()));
    fetched.map_err(not_answered).ok().flatten()
}

fn read(cx: &Cx, record: Record) -> Result<Snapshot> {
    let apps = record.apps.into_iter().map(|row| token_apps::app(cx, &Row::from(row)).map(Rc::new)).collect::<Result<_>>()?;
    let users = record.users.into_iter().map(|row| users::user(&Row::from(row)).map(Rc::new)).collect::<Result<_>>()?;
    let revocations: Vec<_> = record.revocations.into_iter().map(Row::from).collect();
    let revocations = Revocations::new(revocations::all(&revocations)?.as_deref());
    Ok(Snapshot::new(record.taken_at, record.revision, apps, users, revocations))
}
