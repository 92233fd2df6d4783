//! The copy in KV of the records that verification needs. It has three parts: a record of all of
//! them, the changes since then, and a note of the time until which nothing else changed. Each part
//! is sealed under `MASTER_KEY`.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Cx;
use crate::domain::feed::Place;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};

const KEY: &str = "trust/snapshot/v2";
/// The key under which releases without revocations wrote the record.
const KEY_BEFORE: &str = "trust/snapshot/v1";
const CHANGES_KEY: &str = "trust/changes/v2";
const RENEWED_KEY: &str = "trust/renewed/v2";
const LIFETIME_S: u32 = 86_400;
/// A month, so that the note still shows when the scheduled event last ran, if it stopped long ago.
const RENEWED_LIFETIME_S: u32 = 30 * 86_400;

/// The state of the database that a record or its changes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The newest revision that is included.
    pub revision: i64,
    /// The time just before D1 was queried.
    pub taken_at: Millis,
}

/// Rows as D1 returned them, so that the same code reads both. Secrets are still sealed as in D1,
/// and sealed a second time with the whole.
pub type StoredRows = Vec<Map<String, Value>>;

/// All records that verification needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub taken: Taken,
    pub apps: StoredRows,
    pub users: StoredRows,
    /// There were no more users than these. The first records did not have this field.
    #[serde(default)]
    pub has_all_users: bool,
    /// The ids of users who were deleted since.
    #[serde(skip)]
    pub gone: BTreeSet<String>,
    /// The row with all revocations.
    pub revocations: StoredRows,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Changes {
    /// The state of the record that these changes apply to.
    pub of: Taken,
    /// The state that these changes lead to.
    #[serde(flatten)]
    pub taken: Taken,
    pub apps: Part,
    pub users: Part,
    /// The row with all revocations, if one was added.
    pub revocations: Option<StoredRows>,
}

/// The changes of one kind of record.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// The changed records' keys, as in the change feed.
    pub keys: BTreeSet<String>,
    /// The changed records' rows now. A key without a row belongs to a deleted record or a disabled
    /// app.
    pub rows: StoredRows,
}

impl Part {
    /// Applies these changes to the rows. `column` holds the key.
    fn made_in(self, rows: StoredRows, column: &str) -> StoredRows {
        let stays = |row: &Map<String, Value>| {
            !row.get(column).and_then(Value::as_str).is_some_and(|key| self.keys.contains(key))
        };
        let mut rows: StoredRows = rows.into_iter().filter(stays).collect();
        rows.extend(self.rows);
        rows
    }

    /// The keys of deleted records.
    fn gone(&self, column: &str) -> BTreeSet<String> {
        let there: BTreeSet<_> =
            self.rows.iter().filter_map(|row| row.get(column)?.as_str()).collect();
        self.keys.iter().filter(|key| !there.contains(key.as_str())).cloned().collect()
    }

    fn and(self, newer: Self, column: &str) -> Self {
        let keys = self.keys.union(&newer.keys).cloned().collect();
        Self { keys, rows: newer.made_in(self.rows, column) }
    }
}

const APP_KEY: &str = "name";
const USER_KEY: &str = "id";

impl Record {
    /// Applies the changes, if they belong to this record.
    #[must_use]
    pub fn with(self, changes: Option<Changes>) -> Self {
        let Some(changes) = changes.filter(|changes| changes.of == self.taken) else { return self };
        Self {
            taken: changes.taken,
            apps: changes.apps.made_in(self.apps, APP_KEY),
            gone: changes.users.gone(USER_KEY),
            has_all_users: self.has_all_users,
            users: changes.users.made_in(self.users, USER_KEY),
            revocations: changes.revocations.unwrap_or(self.revocations),
        }
    }
}

impl Changes {
    #[must_use]
    pub fn none(of: Taken) -> Self {
        Self { of, taken: of, apps: Part::default(), users: Part::default(), revocations: None }
    }

    /// Merges later changes of the same record into these.
    #[must_use]
    pub fn and(self, newer: Self) -> Self {
        Self {
            of: self.of,
            taken: newer.taken,
            apps: self.apps.and(newer.apps, APP_KEY),
            users: self.users.and(newer.users, USER_KEY),
            revocations: newer.revocations.or(self.revocations),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.apps.keys.len() + self.users.keys.len()
    }

    /// Tells whether the record is current without these changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.revocations.is_none()
    }
}

/// The scheduled event's note: with these changes, the record is current until `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// When the event checked.
    pub at: Millis,
    /// How far the event has read the change feed. The time in it reveals a database that was
    /// restored to an earlier state and written to since.
    pub place: Place,
    /// The record that the note refers to.
    pub record: Taken,
    /// The changes that the note refers to; `None` if there were none.
    pub changes: Option<Taken>,
    /// The beginning of the sealed record. It contains a random nonce, so it differs each time a
    /// record is sealed.
    pub mark: String,
    /// The version of Postern that took the record. Another version may need more columns than its
    /// rows have.
    pub version: String,
}

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The length of the mark. It covers the format's version, the key's id and the nonce.
const MARK_CHARACTERS: usize = 64;

impl Renewed {
    /// When the copy was last known to be current. The note applies only to the record and the
    /// changes it refers to; `taken` is the newer state of the two.
    #[must_use]
    pub fn holds_at(renewed: Option<&Self>, record: Taken, taken: Taken) -> Millis {
        let is_about =
            |note: &&Self| note.record == record && note.changes.unwrap_or(note.record) == taken;
        renewed.filter(is_about).map_or(taken.taken_at, |note| note.at.max(taken.taken_at))
    }

    fn of_long_ago() -> Self {
        let record = Taken { revision: -1, taken_at: Millis(0) };
        let place = Place { revision: -1, at: Millis(0) };
        Self {
            at: Millis(0),
            place,
            record,
            changes: None,
            mark: String::new(),
            version: String::new(),
        }
    }
}

/// Reads the record; `None` if there is none that a master key opens. Fails if KV does not answer.
///
/// Until the scheduled event has written a record under `KEY`, the record of an older release is
/// used. It contains no revocations. From then on, records that an older Worker still writes are
/// not read.
pub async fn get(cx: &Cx) -> std::result::Result<Option<Record>, Fault> {
    if let Some(sealed) = cx.kv.get(KEY).await? {
        return Ok(read(cx, &sealed));
    }
    let Some(sealed) = cx.kv.get(KEY_BEFORE).await? else { return Ok(None) };
    let Some(text) = cx.config.master_keys.open(&sealed, KEY_BEFORE) else { return Ok(None) };
    let Ok(mut record) = serde_json::from_slice::<Map<String, Value>>(text.expose()) else {
        return Ok(None);
    };
    record.insert("revocations".to_owned(), json!([{ "too_many": 0, "entries": null }]));
    Ok(serde_json::from_value(Value::Object(record)).ok())
}

fn read(cx: &Cx, sealed: &str) -> Option<Record> {
    open(cx, sealed, KEY)
}

fn open<T: DeserializeOwned>(cx: &Cx, sealed: &str, key: &str) -> Option<T> {
    let text = cx.config.master_keys.open(sealed, key)?;
    serde_json::from_slice(text.expose()).ok()
}

/// Writes the content sealed, and returns its mark.
async fn put_sealed(
    cx: &Cx,
    key: &str,
    content: &impl Serialize,
    lifetime_s: u32,
) -> Result<String> {
    let text = serde_json::to_vec(content).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = cx.config.master_keys.seal(&text, key, cx.random()?).map_err(Error::Internal)?;
    let mark = mark(&sealed);
    cx.kv.put(key, sealed, lifetime_s).await.map_err(Error::Internal)?;
    Ok(mark)
}

fn mark(sealed: &str) -> String {
    sealed.chars().take(MARK_CHARACTERS).collect()
}

/// The stored record's mark. It tells, without opening the record, whether a note refers to it: KV
/// may have lost that record, or an older release may have written another one.
pub async fn mark_of_record(cx: &Cx) -> std::result::Result<Option<String>, Fault> {
    Ok(cx.kv.get(KEY).await?.as_deref().map(mark))
}

/// Writes the record, and returns its mark.
pub async fn put(cx: &Cx, record: &Record) -> Result<String> {
    put_sealed(cx, KEY, record, LIFETIME_S).await
}

/// Reads the changes; `None` if there are none that a master key opens.
pub async fn changes(cx: &Cx) -> std::result::Result<Option<Changes>, Fault> {
    Ok(cx.kv.get(CHANGES_KEY).await?.and_then(|sealed| open(cx, &sealed, CHANGES_KEY)))
}

pub async fn put_changes(cx: &Cx, changes: &Changes) -> Result<()> {
    put_sealed(cx, CHANGES_KEY, changes, LIFETIME_S).await.map(drop)
}

/// Reads the note; `None` if there is none. The note is short, so this is also the check that KV
/// answers. A note that no master key opens is returned as a very old note about no record. So it
/// is written anew, and until then `/health` reports that nobody renewed it.
pub async fn renewed(cx: &Cx) -> std::result::Result<Option<Renewed>, Fault> {
    let note = |sealed: String| open(cx, &sealed, RENEWED_KEY).unwrap_or_else(Renewed::of_long_ago);
    Ok(cx.kv.get(RENEWED_KEY).await?.map(note))
}

pub async fn put_renewed(cx: &Cx, renewed: &Renewed) -> Result<()> {
    put_sealed(cx, RENEWED_KEY, renewed, RENEWED_LIFETIME_S).await.map(drop)
}
