//! The record in KV that holds a copy of what verification relies on, sealed as a whole under `MASTER_KEY`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Fault, Result};

const KEY: &str = "trust/snapshot/v1";
/// Nothing is ever there: reading it tells whether KV answers, without the record's length.
const NOTHING_KEY: &str = "health/v1";
const LIFETIME_S: u32 = 86_400;

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
}

/// Reads the record; `None` where there is none, or none that a master key opens. The error says that KV does not answer.
pub async fn get(cx: &Cx) -> std::result::Result<Option<Record>, Fault> {
    let Some(sealed) = cx.kv.get(KEY).await? else { return Ok(None) };
    let text = cx.config.master_keys.open(&sealed, KEY);
    Ok(text.and_then(|text| serde_json::from_slice(text.expose()).ok()))
}

/// Writes the record.
pub async fn put(cx: &Cx, record: &Record) -> Result<()> {
    let text = serde_json::to_vec(record).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = cx.config.master_keys.seal(&text, KEY, cx.random()?).map_err(Error::Internal)?;
    cx.kv.put(KEY, sealed, LIFETIME_S).await.map_err(Error::Internal)
}

/// Whether KV answers.
pub async fn kv_answers(cx: &Cx) -> bool {
    cx.kv.get(NOTHING_KEY).await.is_ok()
}
