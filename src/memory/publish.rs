//! Renews the copy in KV at each scheduled event.
//!
//! The whole copy is rarely read and written. After a change, the event reads what the change feed
//! names, and writes that beside the record. If nothing in the copy changed, the event writes only
//! a note.

use std::collections::BTreeSet;

use crate::context::Cx;
use crate::domain::feed::{ChangeKind, Place};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::memory::copy::logged;
use crate::memory::feed::{MAX_APPS, MAX_CHANGES};
use crate::memory::reading::{one_more_than, read_feed};
use crate::memory::revocations::KEPT_ALL;
use crate::memory::snapshot::MAX_USERS;
use crate::ports::{Row, Rows};
use crate::store::snapshot::{self, Changes, Part, Record, Renewed, StoredRows, Taken, VERSION};
use crate::store::{feed, revocations, sql, token_apps, users};

/// The age at which the record is written again. KV deletes it after a day.
const WRITTEN_ANEW_AFTER: Millis = Millis::from_seconds(12 * 60 * 60);
/// How many changed apps and users may be kept beside the record.
const MAX_CHANGED: usize = 1000;

pub async fn publish(cx: &Cx) -> Result<()> {
    let renewed = match usable_note(cx).await {
        Some(note) => renew(cx, note).await?,
        None => None,
    };
    let renewed = match renewed {
        Some(renewed) => renewed,
        None => write_all(cx).await?,
    };
    snapshot::put_renewed(cx, &renewed).await
}

/// Returns the note, if its record is there, young enough, and of this version.
async fn usable_note(cx: &Cx) -> Option<Renewed> {
    // While a master key is being replaced, the record must be sealed under the new one.
    let is_rotating = cx.config.master_keys.previous_id().is_some();
    let is_young = |note: &Renewed| cx.now - note.record.taken_at < WRITTEN_ANEW_AFTER;
    let is_usable = |note: &Renewed| !is_rotating && note.version == VERSION && is_young(note);
    let note = logged(cx, snapshot::renewed(cx).await).filter(is_usable)?;
    let mark = logged(cx, snapshot::mark_of_record(cx).await)?;
    (mark == note.mark).then_some(note)
}

/// Adds what changed since the note. Returns `None` if the whole copy must be written.
async fn renew(cx: &Cx, note: Renewed) -> Result<Option<Renewed>> {
    let head = head(&sql::query(cx, feed::select_head()).await?)?;
    if head == note.place {
        return Ok(Some(Renewed { at: cx.now, ..note }));
    }
    let Some((place, newer)) = changes_since(cx, &note).await? else { return Ok(None) };
    if newer.is_empty() {
        return Ok(Some(Renewed { at: cx.now, place, ..note }));
    }
    let older = match note.changes {
        Some(taken) => logged(cx, snapshot::changes(cx).await)
            .filter(|older| (older.of, older.taken) == (note.record, taken)),
        None => Some(Changes::none(note.record)),
    };
    let Some(changes) =
        older.map(|older| older.and(newer)).filter(|changes| changes.len() <= MAX_CHANGED)
    else {
        return Ok(None);
    };
    snapshot::put_changes(cx, &changes).await?;
    Ok(Some(Renewed { at: cx.now, place, changes: Some(changes.taken), ..note }))
}

/// How far the feed goes, and what changed since the note. `None` if the feed does not name
/// everything that changed.
async fn changes_since(cx: &Cx, note: &Renewed) -> Result<Option<(Place, Changes)>> {
    let since = note.place;
    let batch = vec![
        feed::select_since(Some(since), MAX_CHANGES),
        token_apps::select_changed_since(Some(since), MAX_CHANGES, one_more_than(MAX_APPS)),
        users::select_changed_since(since.revision, MAX_CHANGES),
        revocations::select_all_if_added(since, MAX_CHANGES, one_more_than(KEPT_ALL), cx.now),
    ];
    let results: Vec<Rows> = cx.sql.batch(batch).await?;
    let reading = read_feed(Some(since), sql::rows(&results, 0)?)?;
    // After an app was deleted, its users belong to no app, and the feed does not name them.
    let lost_an_app =
        reading.changes.iter().any(|change| change.kind == ChangeKind::DeletedTokenApp);
    if reading.has_gap() || lost_an_app {
        return Ok(None);
    }
    let keys = |kinds: &[ChangeKind]| -> BTreeSet<String> {
        reading
            .changes
            .iter()
            .filter(|change| kinds.contains(&change.kind))
            .map(|change| change.key.clone())
            .collect()
    };
    let was_added = reading.changes.iter().any(|change| change.kind == ChangeKind::Revocation);
    let changes = Changes {
        of: note.record,
        taken: Taken { revision: reading.head, taken_at: cx.now },
        apps: Part { keys: keys(&[ChangeKind::TokenApp]), rows: stored(&results, 1)? },
        users: Part {
            keys: keys(&[ChangeKind::User, ChangeKind::Membership]),
            rows: stored(&results, 2)?,
        },
        revocations: if was_added { Some(stored(&results, 3)?) } else { None },
    };
    Ok(Some((Place { revision: reading.head, at: reading.head_at }, changes)))
}

async fn write_all(cx: &Cx) -> Result<Renewed> {
    let revocations =
        revocations::select_all_at_gap(None, MAX_CHANGES, one_more_than(KEPT_ALL), cx.now);
    let batch = vec![
        feed::select_head(),
        token_apps::select_enabled(),
        users::select_changed_last(i64::try_from(MAX_USERS).unwrap_or(i64::MAX)),
        revocations,
    ];
    let results: Vec<Rows> = cx.sql.batch(batch).await?;
    let place = head(sql::rows(&results, 0)?)?;
    let taken = Taken { revision: place.revision, taken_at: cx.now };
    let users = stored(&results, 2)?;
    let record = Record {
        taken,
        apps: stored(&results, 1)?,
        has_all_users: users.len() < MAX_USERS,
        users,
        gone: BTreeSet::new(),
        revocations: stored(&results, 3)?,
    };
    let mark = snapshot::put(cx, &record).await?;
    Ok(Renewed {
        at: cx.now,
        place,
        record: taken,
        changes: None,
        mark,
        version: VERSION.to_owned(),
    })
}

fn head(rows: &[Row]) -> Result<Place> {
    let Some(row) = rows.first() else { return Ok(Place { revision: 0, at: Millis(0) }) };
    Ok(Place { revision: row.number("head")?, at: Millis(row.number("head_at")?) })
}

fn stored(results: &[Rows], index: usize) -> Result<StoredRows> {
    Ok::<_, Error>(sql::rows(results, index)?.iter().map(Row::to_map).collect())
}
