//! Revocations of tokens that have not expired yet.

use crate::context::Cx;
use crate::domain::feed::Place;
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::{Listed, Revocation, RevocationKey, RevocationKind};
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::{feed, sql};

/// Selects all revocations of tokens that have not expired, if the feed has a gap after `since` or
/// there is no `since`. Else it selects none, because the cache already has them.
///
/// They come in one row, because thousands of rows would slow down a cold isolate: `entries` holds
/// them as the change feed writes them, separated by spaces. With `limit` or more of them,
/// `too_many` is set and `entries` is NULL.
#[must_use]
pub fn select_all_at_gap(
    since: Option<Place>,
    max_changes: i64,
    limit: i64,
    now: Millis,
) -> Statement {
    select_all_where(
        &format!("?1 IS NULL OR ({})", feed::HAS_GAP),
        feed::of_gap(since, max_changes),
        limit,
        now,
    )
}

/// Like [`select_all_at_gap`], but selects none if the feed names no revocation after `since`.
#[must_use]
pub fn select_all_if_added(since: Place, max_changes: i64, limit: i64, now: Millis) -> Statement {
    let was_added = "EXISTS (SELECT 1 FROM changes WHERE revision > ?1 AND kind = 'revocation')";
    select_all_where(was_added, feed::of_gap(Some(since), max_changes), limit, now)
}

fn select_all_where(condition: &str, of_gap: Vec<Param>, limit: i64, now: Millis) -> Statement {
    // CROSS JOIN fixes the order: if the condition does not hold, no revocation is read.
    Statement::new(
        format!(
            "SELECT COUNT(*) >= ?5 AS too_many,
               CASE WHEN COUNT(*) < ?5 THEN group_concat(entry, ' ') END AS entries FROM (
               SELECT kind || '/' || key || '/' || until AS entry
               FROM (SELECT 1 WHERE {condition}) CROSS JOIN revocations
               WHERE until > ?4 LIMIT ?5)"
        ),
        [of_gap, vec![now.into(), Param::Number(limit)]].concat(),
    )
}

/// Reads the row of such a statement; `None` if there are too many revocations.
pub fn all(rows: &[Row]) -> Result<Option<Vec<Revocation>>> {
    let Some(row) = rows.first() else {
        return Err(Error::internal("the revocations were not answered"));
    };
    if row.flag("too_many")? {
        return Ok(None);
    }
    let entries = row.optional_text("entries")?.unwrap_or_default();
    Ok(Some(entries.split(' ').filter_map(Revocation::parse).collect()))
}

/// Selects those of the keys that are revoked: rows of `kind` and `key`.
#[must_use]
pub fn select_among(keys: &[RevocationKey]) -> Statement {
    let of_kind = |kind| {
        let digests = keys.iter().filter(|key| key.kind == kind).map(|key| key.digest.to_hex());
        Param::from(sql::stored_strings(&digests.collect::<Vec<_>>()))
    };
    Statement::new(
        "SELECT kind, key FROM revocations
         WHERE kind = 'token' AND key IN (SELECT value FROM json_each(?1))
         UNION ALL
         SELECT kind, key FROM revocations
         WHERE kind = 'jti' AND key IN (SELECT value FROM json_each(?2))",
        [of_kind(RevocationKind::Token), of_kind(RevocationKind::Jti)],
    )
}

/// Reads a row of [`select_among`].
pub fn key(row: &Row) -> Result<RevocationKey> {
    let key =
        RevocationKind::from_name(row.text("kind")?).zip(HashedToken::from_hex(row.text("key")?));
    let (kind, digest) = key.ok_or_else(|| Error::internal("a stored revocation is unreadable"))?;
    Ok(RevocationKey { kind, digest })
}

/// Adds a revocation. If it exists, the later end is kept.
#[must_use]
pub fn insert(revocation: &Revocation, listed: &Listed, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO revocations (kind, key, until, app, username, jti, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (kind, key) DO UPDATE SET until = MAX(until, excluded.until)",
        [
            revocation.key.kind.name().into(),
            revocation.key.digest.to_hex().into(),
            revocation.until.into(),
            listed.app.as_str().into(),
            listed.username.clone().into(),
            listed.jti.clone().into(),
            now.into(),
        ],
    )
}

/// Deletes revocations whose tokens have expired.
#[must_use]
pub fn prune(now: Millis) -> Statement {
    Statement::new("DELETE FROM revocations WHERE until <= ?1", [Param::from(now)])
}

/// A revocation as lists show it.
#[derive(Debug)]
pub struct Stored {
    /// Ids ascend in the order of creation.
    pub id: i64,
    /// The kind's name. It may be unknown here if another release wrote it.
    pub kind: String,
    /// The tokens that are revoked.
    pub listed: Listed,
    /// When it can be deleted.
    pub until: Millis,
    pub created_at: Millis,
}

/// Selects revocations with an id below `before`, the newest first.
#[must_use]
pub fn select_page(before: Option<i64>, limit: i64) -> Statement {
    Statement::new(
        "SELECT CAST(id AS TEXT) AS id, kind, until, app, username, jti, created_at FROM revocations
         WHERE revocations.id < CAST(?1 AS INTEGER) ORDER BY revocations.id DESC LIMIT ?2",
        [Param::Int64(before.unwrap_or(i64::MAX)), Param::Number(limit)],
    )
}

pub async fn list(cx: &Cx, before: Option<i64>, limit: i64) -> Result<Vec<Stored>> {
    sql::all(cx, select_page(before, limit), stored).await
}

fn stored(row: &Row) -> Result<Stored> {
    let text = |name| Ok::<_, Error>(row.optional_text(name)?.map(str::to_owned));
    Ok(Stored {
        id: row.int64("id")?,
        kind: row.text("kind")?.to_owned(),
        listed: Listed {
            app: row.text("app")?.to_owned(),
            username: text("username")?,
            jti: text("jti")?,
        },
        until: Millis(row.number("until")?),
        created_at: Millis(row.number("created_at")?),
    })
}
