//! The snapshot: a copy of the trust configuration in KV, for when D1 does not answer. It is never read otherwise.
//!
//! It holds the enabled token apps and the users, at most [`MAX_USERS`] of them, those changed last. It is sealed as a whole under
//! `MASTER_KEY`, and refused when older than `STALE_IF_ERROR_S`. The scheduled event writes it.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::memory::snapshot::Snapshot;
use crate::ports::{Param, Row, Rows, Statement};
use crate::store::{sql, token_apps, users};

/// How many users a snapshot holds.
pub const MAX_USERS: i64 = 10_000;

const KEY: &str = "trust/snapshot/v1";
const LIFETIME_S: u32 = 86_400;

/// The rows as D1 answered them, so that one reader serves both; the secrets in them are sealed as they are there.
#[derive(Serialize, Deserialize)]
struct Record {
    revision: i64,
    taken_at: Millis,
    apps: Vec<Map<String, Value>>,
    users: Vec<Map<String, Value>>,
}

/// The snapshot, if there is one that is young enough.
pub async fn fetch(cx: &Cx) -> Option<Rc<Snapshot>> {
    let snapshot = if let Some(kept) = cx.trust.snapshot(cx.now) {
        kept
    } else {
        let fetched = fetch_record(cx).await.and_then(|record| {
            let unreadable = |error| cx.log.line(&format!("the snapshot is unreadable: {error:?}"));
            read(cx, record).map_err(unreadable).ok().map(Rc::new)
        });
        cx.trust.keep_snapshot(fetched.clone(), cx.now);
        fetched
    };
    let limit = Millis::from_seconds(cx.config.stale_if_error_s);
    snapshot.filter(|snapshot| cx.now - snapshot.taken_at <= limit)
}

/// Writes the snapshot anew. Where nothing changed since the last one, only its time is: the users are not read again.
pub async fn publish(cx: &Cx) -> Result<()> {
    let head = Statement::new("SELECT MAX(revision) AS head FROM changes", []);
    let rows = sql::query(cx, head).await?;
    let revision = rows.first().map_or(Ok(0), |row| row.number("head"))?;
    let record = match fetch_record(cx).await {
        Some(record) if record.revision == revision => Record { taken_at: cx.now, ..record },
        _ => take(cx).await?,
    };
    let text = serde_json::to_vec(&record).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = cx.config.master_keys.seal(&text, KEY, cx.random()?).map_err(Error::Internal)?;
    cx.kv.put(KEY, sealed, LIFETIME_S).await.map_err(Error::Internal)
}

async fn take(cx: &Cx) -> Result<Record> {
    let apps = format!("SELECT {} FROM token_apps WHERE enabled = 1 ORDER BY name", token_apps::COLUMNS);
    let users = format!("SELECT {} FROM users u ORDER BY u.modified_at DESC LIMIT ?1", users::COLUMNS);
    let batch = vec![
        Statement::new("SELECT MAX(revision) AS head FROM changes", []),
        Statement::new(apps, []),
        Statement::new(users, [Param::Number(MAX_USERS)]),
    ];
    let results: Vec<Rows> = cx.sql.batch(batch).await?;
    let maps = |index| Ok::<_, Error>(sql::rows(&results, index)?.iter().map(|row| row.0.clone()).collect());
    let revision = sql::rows(&results, 0)?.first().map_or(Ok(0), |row| row.number("head"))?;
    Ok(Record { revision, taken_at: cx.now, apps: maps(1)?, users: maps(2)? })
}

async fn fetch_record(cx: &Cx) -> Option<Record> {
    let sealed = match cx.kv.get(KEY).await {
        Ok(sealed) => sealed?,
        Err(fault) => {
            cx.log.line(&format!("KV did not answer: {}", fault.for_log()));
            return None;
        }
    };
    let text = cx.config.master_keys.open(&sealed, KEY)?;
    serde_json::from_slice(text.expose()).ok()
}

fn read(cx: &Cx, record: Record) -> Result<Snapshot> {
    let apps = record.apps.into_iter().map(|row| token_apps::app(cx, &Row(row)).map(Rc::new)).collect::<Result<_>>()?;
    let users = record.users.into_iter().map(|row| users::user(&Row(row)).map(Rc::new)).collect::<Result<_>>()?;
    Ok(Snapshot::new(record.taken_at, record.revision, apps, users))
}

/// Whether KV answers.
pub async fn answers(cx: &Cx) -> bool {
    cx.kv.get(KEY).await.is_ok()
}
