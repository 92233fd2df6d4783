//! Names of deleted users. No token creates a user with such a name again.

use crate::context::Cx;
use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::sql;

const COLUMNS: &str = "username, CAST(id AS TEXT) AS id, deleted_at, deleted_by";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub username: String,
    /// The deleted user's id; 0 if the user exists and only changed the name.
    pub id: UserId,
    pub deleted_at: Millis,
    /// The user name of whoever deleted them; empty if unknown.
    pub deleted_by: String,
}

/// Records who deleted a user. It must run after the deletion in the same batch, because the
/// deletion's trigger creates the tombstone.
#[must_use]
pub fn sign(username: &str, id: UserId, deleted_by: &str, now: Millis) -> Statement {
    Statement::new(
        "UPDATE tombstones SET deleted_at = ?3, deleted_by = ?4 WHERE username = ?1 AND id = ?2",
        [username.into(), Param::Int64(id.0), now.into(), deleted_by.into()],
    )
}

/// The id in the tombstone of a name that its user gave up: the user still has the id.
const OF_NOBODY: UserId = UserId(0);

/// Records who renamed a user. It must run after the change in the same batch, because the change's
/// trigger creates the tombstone of the old name.
#[must_use]
pub fn sign_renamed(old_name: &str, renamed_by: &str, now: Millis) -> Statement {
    sign(old_name, OF_NOBODY, renamed_by, now)
}

/// Frees the name for new users. Tokens issued before the deletion stay invalid.
#[must_use]
pub fn free_name(username: &str) -> [Statement; 2] {
    [
        "INSERT INTO freed_names (username, deleted_at, id)
         SELECT username, deleted_at, NULLIF(id, 0) FROM tombstones WHERE username = ?1
           ON CONFLICT (username) DO UPDATE
             SET deleted_at = MAX(deleted_at, excluded.deleted_at), id = excluded.id",
        "DELETE FROM tombstones WHERE username = ?1",
    ]
    .map(|sql| Statement::new(sql, [username.into()]))
}

/// Frees the id in a name's tombstone. An administrator may give it to anybody, and a token to a
/// user of that name. It must run before [`free_name`].
#[must_use]
pub fn free_id(username: &str) -> Statement {
    Statement::new(
        "UPDATE past_ids SET freed = 1
         WHERE kind = 'user' AND id = (SELECT id FROM tombstones WHERE username = ?1)",
        [username.into()],
    )
}

pub async fn find(cx: &Cx, username: &str) -> Result<Option<Tombstone>> {
    let sql = format!("SELECT {COLUMNS} FROM tombstones WHERE username = ?1");
    sql::first(cx, Statement::new(sql, [username.into()]), tombstone).await
}

pub async fn of_id(cx: &Cx, id: UserId) -> Result<Option<Tombstone>> {
    let sql = format!("SELECT {COLUMNS} FROM tombstones WHERE id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id.0)]), tombstone).await
}

/// Tells whether the id belonged to a deleted user and was not freed.
pub async fn is_past(cx: &Cx, id: UserId) -> Result<bool> {
    let sql = "SELECT 1 AS found FROM past_ids WHERE kind = 'user' AND id = ?1 AND freed = 0";
    Ok(!sql::query(cx, Statement::new(sql, [Param::Int64(id.0)])).await?.is_empty())
}

/// Tells whether a token issued at that time means the deleted user who had a freed name.
pub async fn is_of_former(cx: &Cx, username: &str, issued_at_s: i64) -> Result<bool> {
    let sql = "SELECT 1 AS found FROM freed_names WHERE username = ?1 AND deleted_at / 1000 >= ?2";
    let statement = Statement::new(sql, [username.into(), Param::Number(issued_at_s)]);
    Ok(!sql::query(cx, statement).await?.is_empty())
}

/// Tombstones after a name, by ascending name.
pub async fn list(cx: &Cx, after: &str, limit: i64) -> Result<Vec<Tombstone>> {
    let sql =
        format!("SELECT {COLUMNS} FROM tombstones WHERE username > ?1 ORDER BY username LIMIT ?2");
    sql::all(cx, Statement::new(sql, [after.into(), Param::Number(limit)]), tombstone).await
}

fn tombstone(row: &Row) -> Result<Tombstone> {
    Ok(Tombstone {
        username: row.text("username")?.to_owned(),
        id: UserId(row.int64("id")?),
        deleted_at: Millis(row.number("deleted_at")?),
        deleted_by: row.text("deleted_by")?.to_owned(),
    })
}
