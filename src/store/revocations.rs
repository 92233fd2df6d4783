//! Revocations.

use crate::context::Cx;
use crate::domain::feed::Place;
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::{Listed, Revocation, RevocationKey, RevocationKind};
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::{feed, sql};

/// All revocations whose tokens are not over, in one row, since thousands would cost a cold isolate
/// more time: `entries` as the change feed writes them, parted by spaces. Where there are
/// `too_many`, `limit` or more, there are no entries; nor are there where the feed has no gap after
/// `since`, so that memory has all of them.
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

/// The same, and none where the feed names no revocation after `since`.
#[must_use]
pub fn select_all_if_added(since: Place, max_changes: i64, limit: i64, now: Millis) -> Statement {
    let was_added = "EXISTS (SELECT 1 FROM changes WHERE revision > ?1 AND kind = 'revocation')";
    select_all_where(was_added, feed::of_gap(Some(since), max_changes), limit, now)
}

fn select_all_where(condition: &str, of_gap: Vec<Param>, limit: i64, now: Millis) -> Statement {
    // CROSS JOIN fixes the order: where the condition does not hold, no revocation is read.
    Statement::new(
        format!(
            "SELECT COUNT(*) >= ?5 AS too_many, CASE WHEN COUNT(*) < ?5 THEN group_concat(entry, ' ') END AS entries FROM (
               SELECT kind || '/' || key || '/' || until AS entry
               FROM (SELECT 1 WHERE {condition}) CROSS JOIN revocations
               WHERE until > ?4 LIMIT ?5)"
        ),
        [of_gap, vec![now.into(), Param::Number(limit)]].concat(),
    )
}

/// What that statement found; `None` where there are too many.
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

/// Which of these are revoked: rows of `kind` and `key`.
#[must_use]
pub fn select_among(keys: &[RevocationKey]) -> Statement {
    let of_kind = |kind| {
        let digests = keys.iter().filter(|key| key.kind == kind).map(|key| key.digest.to_hex());
        Param::from(sql::stored_strings(&digests.collect::<Vec<_>>()))
    };
    Statement::new(
        "SELECT kind, key FROM revocations WHERE kind = 'token' AND key IN (SELECT value FROM json_each(?1))
         UNION ALL
         SELECT kind, key FROM revocations WHERE kind = 'jti' AND key IN (SELECT value FROM json_each(?2))",
        [of_kind(RevocationKind::Token), of_kind(RevocationKind::Jti)],
    )
}

/// The key of a row of [`select_among`].
pub fn key(row: &Row) -> Result<RevocationKey> {
    let key =
        RevocationKind::from_name(row.text("kind")?).zip(HashedToken::from_hex(row.text("key")?));
    let (kind, digest) = key.ok_or_else(|| Error::internal("a stored revocation is unreadable"))?;
    Ok(RevocationKey { kind, digest })
}

/// Adds a revocation. Where it is there already, the later end counts.
#[must_use]
pub fn insert(revocation: &Revocation, listed: &Listed, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO revocations (kind, key, until, app, username, jti, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
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

/// Deletes those whose tokens are over.
#[must_use]
pub fn prune(now: Millis) -> Statement {
    Statement::new("DELETE FROM revocations WHERE until <= ?1", [Param::from(now)])
}

/// A revocation, as people are shown it.
#[derive(Debug)]
pub struct Stored {
    /// Ascending.
    pub id: i64,
    /// What it names, by its word: another release may have others.
    pub kind: String,
    /// Whose tokens are over.
    pub listed: Listed,
    /// When it can be forgotten.
    pub until: Millis,
    /// When it was added.
    pub created_at: Millis,
}

/// Those with an id below `before`, the newest first.
#[must_use]
pub fn select_page(before: Option<i64>, limit: i64) -> Statement {
    Statement::new(
        "SELECT CAST(id AS TEXT) AS id, kind, until, app, username, jti, created_at FROM revocations
         WHERE revocations.id < CAST(?1 AS INTEGER) ORDER BY revocations.id DESC LIMIT ?2",
        [Param::Int64(before.unwrap_or(i64::MAX)), Param::Number(limit)],
    )
}

/// Those of a page.
pub async fn list(cx: &Cx, before: Option<i64>, limit: i64) -> Result<Vec<Stored>> {
    sql::query(cx, select_page(before, limit)).await?.iter().map(stored).collect()
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
