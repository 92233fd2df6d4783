//! The copy in KV of what verification relies on. It is read only while D1 does not answer.
//!
//! It holds the enabled token apps, the revocations, and the users, at most [`MAX_USERS`] of them,
//! those changed last. It is refused when it is older than `STALE_IF_ERROR_S`. The scheduled event
//! writes it after a change, and otherwise only a note that it still holds.

use std::rc::Rc;

use futures_util::future::join;

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};
use crate::memory::feed::MAX_CHANGES;
use crate::memory::reading::one_more_than;
use crate::memory::revocations::{KEPT_ALL, Revocations};
use crate::memory::snapshot::Snapshot;
use crate::ports::{Row, Rows};
use crate::store::snapshot::{self, Record, Renewed, VERSION};
use crate::store::{feed, revocations, sql, token_apps, users};

/// The scheduled event renews the snapshot every five minutes; three in a row may fail.
pub const RENEWED_WITHIN: Millis = Millis::from_seconds(20 * 60);
/// How old the record may grow while nothing changes. KV forgets it after a day.
const WRITTEN_ANEW_AFTER: Millis = Millis::from_seconds(12 * 60 * 60);
/// How many users a snapshot holds.
pub const MAX_USERS: i64 = 10_000;

/// The snapshot, if there is one that is young enough.
pub async fn fetch(cx: &Cx) -> Option<Rc<Snapshot>> {
    let snapshot = if let Some(kept) = cx.memory.snapshot(cx.now) {
        kept
    } else {
        let (record, renewed) = join(snapshot::get(cx), snapshot::renewed(cx)).await;
        let renewed = logged(cx, renewed);
        let fetched = logged(cx, record).and_then(|record| {
            let taken_at = Renewed::taken_at(renewed.as_ref(), &record);
            let unreadable = |error| cx.log.line(&format!("the snapshot is unreadable: {error:?}"));
            read(cx, Record { taken_at, ..record }).map_err(unreadable).ok().map(Rc::new)
        });
        cx.memory.keep_snapshot(fetched.clone(), cx.now);
        fetched
    };
    let limit = Millis::from_seconds(cx.config.stale_if_error_s);
    snapshot.filter(|snapshot| cx.now - snapshot.taken_at <= limit)
}

/// Renews the snapshot. Where nothing changed since the record was taken, a note says so, and the
/// record is neither opened nor written.
pub async fn publish(cx: &Cx) -> Result<()> {
    let head = head(&sql::query(cx, feed::select_head()).await?)?;
    // While a master key is replaced, the record is to be sealed under the new one.
    let is_rotating = cx.config.master_keys.previous_id().is_some();
    let is_of_now = |note: &Renewed| note.version == VERSION && (note.revision, note.revision_at) == head;
    let is_true_still = |note: &Renewed| !is_rotating && is_of_now(note) && cx.now - note.taken_at < WRITTEN_ANEW_AFTER;
    let note = logged(cx, snapshot::renewed(cx).await).filter(is_true_still);
    let mark = if note.is_some() { logged(cx, snapshot::mark_of_record(cx).await) } else { None };
    let renewed = if let Some(note) = note.filter(|note| mark.as_ref() == Some(&note.mark)) {
        Renewed { at: cx.now, ..note }
    } else {
        let (record, revision_at) = take(cx).await?;
        let mark = snapshot::put(cx, &record).await?;
        let Record { revision, taken_at, .. } = record;
        Renewed { at: taken_at, revision, revision_at, taken_at, mark, version: VERSION.to_owned() }
    };
    snapshot::put_renewed(cx, &renewed).await
}

/// The newest revision, and the time of its entry.
fn head(rows: &[Row]) -> Result<(i64, Millis)> {
    let Some(row) = rows.first() else { return Ok((0, Millis(0))) };
    Ok((row.number("head")?, Millis(row.number("head_at")?)))
}

async fn take(cx: &Cx) -> Result<(Record, Millis)> {
    let revocations = revocations::select_all_at_gap(None, MAX_CHANGES, one_more_than(KEPT_ALL), cx.now);
    let batch = vec![feed::select_head(), token_apps::select_enabled(), users::select_changed_last(MAX_USERS), revocations];
    let results: Vec<Rows> = cx.sql.batch(batch).await?;
    let maps = |index| Ok::<_, Error>(sql::rows(&results, index)?.iter().map(Row::to_map).collect());
    let (revision, revision_at) = head(sql::rows(&results, 0)?)?;
    let record = Record { revision, taken_at: cx.now, apps: maps(1)?, users: maps(2)?, revocations: maps(3)? };
    Ok((record, revision_at))
}

fn logged<T>(cx: &Cx, fetched: std::result::Result<Option<T>, Fault>) -> Option<T> {
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
