//! The record in KV that holds a copy of what verification relies on, sealed as a whole under `MASTER_KEY`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};

const KEY: &str = "trust/snapshot/v2";
/// Where releases that knew of no revocations wrote it.
const KEY_BEFORE: &str = "trust/snapshot/v1";
/// Holds the time at which the record was last renewed, in epoch milliseconds.
const RENEWED_KEY: &str = "trust/renewed/v1";
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

/// Reads the record; `None` where there is none, or none that a master key opens. The error says that KV does not answer.
pub async fn get(cx: &Cx) -> std::result::Result<Option<Record>, Fault> {
    let Some(sealed) = cx.kv.get(KEY).await? else { return Ok(None) };
    Ok(read(cx, &sealed))
}

/// The same. Until the scheduled event has written one, the record of an older release serves. It
/// knows of no revocation, and later such records, as of a Worker that still runs, are not read.
pub async fn get_any(cx: &Cx) -> std::result::Result<Option<Record>, Fault> {
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

/// Writes the record.
pub async fn put(cx: &Cx, record: &Record) -> Result<()> {
    let text = serde_json::to_vec(record).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = cx.config.master_keys.seal(&text, KEY, cx.random()?).map_err(Error::Internal)?;
    cx.kv.put(KEY, sealed, LIFETIME_S).await.map_err(Error::Internal)
}

/// When the record was last renewed; `None` where that is not known. Reading it tells whether KV
/// answers, without the record's length.
pub async fn renewed_at(cx: &Cx) -> std::result::Result<Option<Millis>, Fault> {
    Ok(cx.kv.get(RENEWED_KEY).await?.and_then(|text| text.parse().ok()).map(Millis))
}

/// Notes when the record was renewed.
pub async fn put_renewed(cx: &Cx, at: Millis) -> Result<()> {
    cx.kv.put(RENEWED_KEY, at.0.to_string(), RENEWED_LIFETIME_S).await.map_err(Error::Internal)
}
