//! The copy in KV of what verification relies on: a record of all of it, what changed since, and a
//! note that says until when nothing else did. Each is sealed under `MASTER_KEY`.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Cx;
use crate::domain::feed::Place;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};

const KEY: &str = "trust/snapshot/v2";
/// Where releases that knew of no revocations wrote it.
const KEY_BEFORE: &str = "trust/snapshot/v1";
const CHANGES_KEY: &str = "trust/changes/v2";
const RENEWED_KEY: &str = "trust/renewed/v2";
const LIFETIME_S: u32 = 86_400;
/// A month, so that it is missed also when the scheduled event has stopped for long.
const RENEWED_LIFETIME_S: u32 = 30 * 86_400;

/// As of when a record or its changes were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The newest revision that it knows of.
    pub revision: i64,
    /// The moment before D1 was asked.
    pub taken_at: Millis,
}

/// Rows as D1 answered them, so that one reader serves both. The secrets in them are sealed a
/// second time, as they are in D1.
pub type StoredRows = Vec<Map<String, Value>>;

/// All that verification relies on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// When it was read.
    #[serde(flatten)]
    pub taken: Taken,
    /// The enabled token apps.
    pub apps: StoredRows,
    /// Users.
    pub users: StoredRows,
    /// Whether there were no more users than these. One of an earlier commit did not say so.
    #[serde(default)]
    pub has_all_users: bool,
    /// The ids of users who have gone since.
    #[serde(skip)]
    pub gone: BTreeSet<String>,
    /// The row with all revocations.
    pub revocations: StoredRows,
}

/// What changed since a record was taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct Changes {
    /// The record's.
    pub of: Taken,
    /// When they were read.
    #[serde(flatten)]
    pub taken: Taken,
    /// Token apps, by name.
    pub apps: Part,
    /// Users, by id.
    pub users: Part,
    /// The row with all revocations, where one was added.
    pub revocations: Option<StoredRows>,
}

/// What changed of one kind.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// The keys by which the change feed names them.
    pub keys: BTreeSet<String>,
    /// What they are now. A key without a row is of what is gone, or of an app that is disabled.
    pub rows: StoredRows,
}

impl Part {
    /// The rows with these changes made; `column` holds the key.
    fn made_in(self, rows: StoredRows, column: &str) -> StoredRows {
        let stays = |row: &Map<String, Value>| {
            !row.get(column).and_then(Value::as_str).is_some_and(|key| self.keys.contains(key))
        };
        let mut rows: StoredRows = rows.into_iter().filter(stays).collect();
        rows.extend(self.rows);
        rows
    }

    /// The keys without a row.
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
    /// The record as of its changes; as it is where they are another record's.
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
    /// None yet.
    #[must_use]
    pub fn none(of: Taken) -> Self {
        Self { of, taken: of, apps: Part::default(), users: Part::default(), revocations: None }
    }

    /// These, and later ones of the same record.
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

    /// How many apps and users changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.apps.keys.len() + self.users.keys.len()
    }

    /// Whether the record holds as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.revocations.is_none()
    }
}

/// What the scheduled event has found: but for the changes, the record holds until `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// When the event looked.
    pub at: Millis,
    /// How far it has read the change feed. The time there tells a database that was set back and
    /// written since.
    pub place: Place,
    /// The record that it is about.
    pub record: Taken,
    /// The changes that it is about; `None` where there were none.
    pub changes: Option<Taken>,
    /// How the record begins, as it is sealed. Each sealing has a random nonce there.
    pub mark: String,
    /// The version of Postern that took the record. Another one may want more of the rows than are
    /// in it.
    pub version: String,
}

/// The version of this Postern.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How much of a sealed record is its mark: the version, the key's id, and the nonce.
const MARK_CHARACTERS: usize = 64;

impl Renewed {
    /// When what was copied was last known to be true: the note counts only for the record and the
    /// changes that it is about, of which `taken` are the newer.
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

/// Reads the record; `None` where there is none, or none that a master key opens. The error says
/// that KV does not answer. Until the scheduled event has written one, the record of an older
/// release serves. It knows of no revocation, and later such records, as of a Worker that still
/// runs, are not read.
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

/// Writes it sealed, and answers how that begins.
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

/// The mark of the record that is there. It tells without opening the record whether it is the one
/// that a note is about: KV may have lost it, and an older release may have written another one.
pub async fn mark_of_record(cx: &Cx) -> std::result::Result<Option<String>, Fault> {
    Ok(cx.kv.get(KEY).await?.as_deref().map(mark))
}

/// Writes the record, and answers its mark.
pub async fn put(cx: &Cx, record: &Record) -> Result<String> {
    put_sealed(cx, KEY, record, LIFETIME_S).await
}

/// Reads the changes; `None` where there are none, or none that a master key opens.
pub async fn changes(cx: &Cx) -> std::result::Result<Option<Changes>, Fault> {
    Ok(cx.kv.get(CHANGES_KEY).await?.and_then(|sealed| open(cx, &sealed, CHANGES_KEY)))
}

/// Writes the changes.
pub async fn put_changes(cx: &Cx, changes: &Changes) -> Result<()> {
    put_sealed(cx, CHANGES_KEY, changes, LIFETIME_S).await.map(drop)
}

/// Reads the note; `None` where there is none. It also tells whether KV answers, without the
/// record's length. A note that no master key opens is one of long ago, about no record: it is
/// renewed, and `/health` tells that nobody has renewed it.
pub async fn renewed(cx: &Cx) -> std::result::Result<Option<Renewed>, Fault> {
    let note = |sealed: String| open(cx, &sealed, RENEWED_KEY).unwrap_or_else(Renewed::of_long_ago);
    Ok(cx.kv.get(RENEWED_KEY).await?.map(note))
}

/// Writes the note.
pub async fn put_renewed(cx: &Cx, renewed: &Renewed) -> Result<()> {
    put_sealed(cx, RENEWED_KEY, renewed, RENEWED_LIFETIME_S).await.map(drop)
}
