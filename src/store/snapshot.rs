//! The record in KV that holds a copy of what verification relies on, and the note that says until when
//! nothing changed. Both are sealed under `MASTER_KEY`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};

const KEY: &str = "trust/snapshot/v2";
/// Where releases that knew of no revocations wrote it.
const KEY_BEFORE: &str = "trust/snapshot/v1";
const RENEWED_KEY: &str = "trust/renewed/v2";
const LIFETIME_S: u32 = 86_400;
/// A month, so that it is missed also when the scheduled event has stopped for long.
const RENEWED_LIFETIME_S: u32 = 30 * 86_400;

/// The rows as D1 answered them, so that one reader serves both. The secrets in them are sealed a second time, as they are in D1.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// The newest revision that the record knows of.
    pub revision: i64,
    /// When it was taken.
    pub taken_at: Millis,
    /// The enabled token apps.
    pub apps: Vec<Map<String, Value>>,
    /// Users.
    pub users: Vec<Map<String, Value>>,
    /// The row with all revocations.
    pub revocations: Vec<Map<String, Value>>,
}

/// What the scheduled event has found: since the record was taken, nothing changed until `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// When the event looked.
    pub at: Millis,
    /// The newest revision that it saw, which is the record's.
    pub revision: i64,
    /// The time of that revision's entry. It tells a database that was set back and written since.
    pub revision_at: Millis,
    /// When the record was taken.
    pub taken_at: Millis,
    /// How the record begins, as it is sealed. Each sealing has a random nonce there.
    pub mark: String,
    /// The version of Postern that took the record. Another one may want more of the rows than are in it.
    pub version: String,
}

/// The version of this Postern.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How much of a sealed record is its mark: the version, the key's id, and the nonce.
const MARK_CHARACTERS: usize = 64;

impl Renewed {
    /// When the record was last known to be true: the note counts only for the record that it is about.
    #[must_use]
    pub fn taken_at(renewed: Option<&Self>, record: &Record) -> Millis {
        let is_about = |note: &&Self| note.revision == record.revision && note.taken_at == record.taken_at;
        renewed.filter(is_about).map_or(record.taken_at, |note| note.at.max(record.taken_at))
    }

    const fn of_long_ago() -> Self {
        let [at, revision_at, taken_at] = [Millis(0); 3];
        Self { at, revision: -1, revision_at, taken_at, mark: String::new(), version: String::new() }
    }
}

/// Reads the record; `None` where there is none, or none that a master key opens. The error says that
/// KV does not answer. Until the scheduled event has written one, the record of an older release serves. It
/// knows of no revocation, and later such records, as of a Worker that still runs, are not read.
pub async fn get(cx: &Cx) -> std::result::Result<Option<Record>, Fault> {
    if let Some(sealed) = cx.kv.get(KEY).await? {
        return Ok(read(cx, &sealed));
    }
    let Some(sealed) = cx.kv.get(KEY_BEFORE).await? else { return Ok(None) };
    let Some(text) = cx.config.master_keys.open(&sealed, KEY_BEFORE) else { return Ok(None) };
    let Ok(mut record) = serde_json::from_slice::<Map<String, Value>>(text.expose()) else { return Ok(None) };
    record.insert("revocations".to_owned(), json!([{ "too_many": 0, "entries": null }]));
    Ok(serde_json::from_value(Value::Object(record)).ok())
}

fn read(cx: &Cx, sealed: &str) -> Option<Record> {
    let text = cx.config.master_keys.open(sealed, KEY)?;
    serde_json::from_slice(text.expose()).ok()
}

fn mark(sealed: &str) -> String {
    sealed.chars().take(MARK_CHARACTERS).collect()
}

/// The mark of the record that is there. It tells without opening the record whether it is the one that
/// a note is about: KV may have lost it, and an older release may have written another one.
pub async fn mark_of_record(cx: &Cx) -> std::result::Result<Option<String>, Fault> {
    Ok(cx.kv.get(KEY).await?.as_deref().map(mark))
}

/// Writes the record, and answers its mark.
pub async fn put(cx: &Cx, record: &Record) -> Result<String> {
    let text = serde_json::to_vec(record).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = cx.config.master_keys.seal(&text, KEY, cx.random()?).map_err(Error::Internal)?;
    let mark = mark(&sealed);
    cx.kv.put(KEY, sealed, LIFETIME_S).await.map_err(Error::Internal)?;
    Ok(mark)
}

/// Reads the note; `None` where there is none. It also tells whether KV answers, without the record's
/// length. A note that no master key opens is one of long ago, about no record: it is renewed, and
/// `/health` tells that nobody has renewed it.
pub async fn renewed(cx: &Cx) -> std::result::Result<Option<Renewed>, Fault> {
    let Some(sealed) = cx.kv.get(RENEWED_KEY).await? else { return Ok(None) };
    let text = cx.config.master_keys.open(&sealed, RENEWED_KEY);
    let note = text.and_then(|text| serde_json::from_slice(text.expose()).ok());
    Ok(Some(note.unwrap_or_else(Renewed::of_long_ago)))
}

/// Writes the note.
pub async fn put_renewed(cx: &Cx, renewed: &Renewed) -> Result<()> {
    let text = serde_json::to_vec(renewed).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = cx.config.master_keys.seal(&text, RENEWED_KEY, cx.random()?).map_err(Error::Internal)?;
    cx.kv.put(RENEWED_KEY, sealed, RENEWED_LIFETIME_S).await.map_err(Error::Internal)
}
