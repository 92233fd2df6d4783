//! Sessions. Each has an opaque token and a cookie, which are stored as hashes.

use crate::context::Cx;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId};
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::{sql, users};

const COLUMNS: &str =
    "CAST(s.id AS TEXT) AS session_id, CAST(s.user_id AS TEXT) AS session_user_id,
    s.address AS session_address, s.created_at AS session_created_at,
    s.expires_at AS session_expires_at";

/// Selects the columns of a session, found by token or cookie, and of its user.
#[must_use]
pub fn select_with_user(hash: &HashedToken) -> Statement {
    let user = users::COLUMNS;
    Statement::new(
        format!(
            "SELECT {user}, {COLUMNS} FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.token_hash = ?1 OR s.cookie_hash = ?1"
        ),
        [hash.to_hex().into()],
    )
}

/// Adds a session for the user whose password was just checked. If they were disabled or deleted
/// since then, or their password or all of their tokens ended, adds nothing and returns no row.
#[must_use]
pub fn insert(
    token: HashedToken,
    cookie: HashedToken,
    user: &User,
    address: Option<String>,
    now: Millis,
    expires_at: Millis,
) -> Statement {
    Statement::new(
        "INSERT INTO sessions (token_hash, cookie_hash, user_id, address, created_at, expires_at)
         SELECT ?1, ?2, id, ?4, ?5, ?6 FROM users
         WHERE id = ?3 AND enabled = 1 AND valid_from = ?7 AND password_set_at = ?8
         RETURNING 1 AS added",
        [
            token.to_hex().into(),
            cookie.to_hex().into(),
            Param::Int64(user.id.0),
            address.into(),
            now.into(),
            expires_at.into(),
            user.valid_from.into(),
            user.password_set_at.into(),
        ],
    )
}

#[must_use]
pub fn delete(user_id: UserId, id: i64) -> Statement {
    Statement::new(
        "DELETE FROM sessions WHERE id = ?1 AND user_id = ?2",
        [Param::Int64(id), Param::Int64(user_id.0)],
    )
}

/// Ends all sessions of a user except `but`.
#[must_use]
pub fn delete_all(user_id: UserId, but: Option<i64>) -> Statement {
    let but = but.map_or(Param::Null, Param::Int64);
    Statement::new(
        "DELETE FROM sessions WHERE user_id = ?1 AND (?2 IS NULL OR id <> CAST(?2 AS INTEGER))",
        [Param::Int64(user_id.0), but],
    )
}

/// Deletes expired sessions. A session with keys that end with it stays until the keys are removed,
/// because their removal goes into the audit trail.
#[must_use]
pub fn prune(now: Millis) -> Statement {
    Statement::new(
        "DELETE FROM sessions WHERE expires_at <= ?1
         AND NOT EXISTS (SELECT 1 FROM machine_keys WHERE session_id = sessions.id)",
        [Param::from(now)],
    )
}

/// The user's sessions that have not expired, the newest first, at most 500.
pub async fn list(cx: &Cx, user_id: UserId) -> Result<Vec<Session>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions s WHERE s.user_id = ?1 AND s.expires_at > ?2
         ORDER BY s.id DESC LIMIT 500"
    );
    let statement = Statement::new(sql, [Param::Int64(user_id.0), cx.now.into()]);
    sql::all(cx, statement, session).await
}

/// Tells whether the user has such a session and it has not expired.
pub async fn exists(cx: &Cx, user_id: UserId, id: i64) -> Result<bool> {
    let sql = "SELECT 1 AS found FROM sessions WHERE id = ?1 AND user_id = ?2 AND expires_at > ?3";
    let statement = Statement::new(sql, [Param::Int64(id), Param::Int64(user_id.0), cx.now.into()]);
    Ok(!sql::query(cx, statement).await?.is_empty())
}

pub(crate) fn session(row: &Row) -> Result<Session> {
    Ok(Session {
        id: row.int64("session_id")?,
        user_id: UserId(row.int64("session_user_id")?),
        address: row.optional_text("session_address")?.map(str::to_owned),
        created_at: Millis(row.number("session_created_at")?),
        expires_at: Millis(row.number("session_expires_at")?),
    })
}
