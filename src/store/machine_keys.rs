//! Machine keys, and the hashes of their secrets.

use serde_json::{Value, json};

use crate::context::Cx;
use crate::domain::identity::machine_key::{KeyName, KeySecret, MachineKey, Rights};
use crate::domain::identity::user::{User, UserId};
use crate::domain::secret::HashedToken;
use crate::domain::time::{Day, Millis};
use crate::domain::tokens::revocation::RevocationKey;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::constraint::Constraint;
use crate::store::{revocations, sql, users};

const COLUMNS: &str = "CAST(k.id AS TEXT) AS key_id, k.name AS key_name, k.may,
    CAST(k.user_id AS TEXT) AS key_user_id, CAST(k.created_by AS TEXT) AS key_created_by,
    CAST(k.session_id AS TEXT) AS key_session_id, CAST(k.parent_id AS TEXT) AS key_parent_id,
    k.token_hash AS key_token_hash, k.jti_hash AS key_jti_hash, k.app AS key_app,
    k.created_at AS key_created_at, k.expires_at AS key_expires_at";
const SECRET_COLUMNS: &str = "s.prefix, s.created_at AS secret_created_at, s.last_used_on";

/// At most this many keys may speak for one user. A trigger enforces it.
pub const MAX_OF_A_USER: i64 = 20;

#[derive(Debug)]
pub struct NewKey<'a> {
    pub name: &'a KeyName,
    pub may: Rights,
    /// The user for whom the key speaks.
    pub user_id: Option<UserId>,
    /// The user who is responsible for the key.
    pub created_by: UserId,
    /// The key ends with this session.
    pub session_id: Option<i64>,
    /// The key ends with this key.
    pub parent_id: Option<i64>,
    /// The key ends with this token, given by the digest that names the token in revocations.
    pub token: Option<HashedToken>,
    /// The digest of that token's `jti`, as in revocations.
    pub jti: Option<HashedToken>,
    /// The token's app.
    pub app: Option<&'a str>,
    pub expires_at: Option<Millis>,
}

impl NewKey<'_> {
    /// The key's description in the audit trail.
    #[must_use]
    pub fn for_audit(&self, prefix: &str) -> Value {
        json!({
            "may": self.may.names(),
            "userId": self.user_id.map(|id| id.0),
            "expiresAt": self.expires_at,
            "session": self.session_id,
            "madeByKey": self.parent_id,
            "prefix": prefix,
        })
    }
}

#[derive(Debug)]
pub struct NewSecret<'a> {
    pub hash: HashedToken,
    /// The beginning of the secret, which lists show.
    pub prefix: &'a str,
}

/// Selects keys: by ascending id, at most `limit`.
#[derive(Debug)]
pub struct Filter {
    /// Only keys that speak for this user.
    pub user_id: Option<UserId>,
    /// Only keys with a greater id.
    pub after_id: Option<i64>,
    pub limit: i64,
}

/// A key, and its secrets as lists show them, the newest first.
#[derive(Debug)]
pub struct Listed {
    pub key: MachineKey,
    pub secrets: Vec<KeySecret>,
}

/// Selects the columns of a secret, its key and the key's user.
#[must_use]
pub fn select_with_user(hash: &HashedToken) -> Statement {
    let user = users::COLUMNS;
    Statement::new(
        format!(
            "SELECT {user}, {COLUMNS}, {SECRET_COLUMNS} FROM machine_key_secrets s
             CROSS JOIN machine_keys k ON k.id = s.key_id
             LEFT JOIN users u ON u.id = k.user_id
             WHERE s.hash = ?1 AND (k.user_id IS NULL OR u.id IS NOT NULL)"
        ),
        [hash.to_hex().into()],
    )
}

/// Fails the batch if the user changed since their credential was checked: another isolate may just
/// have ended it.
#[must_use]
pub fn refuse_changed_user(user: &User) -> Statement {
    Statement::new(
        Constraint::KeyMakerIsGone.refuse_where(
            "NOT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND enabled = 1 AND valid_from = ?2
               AND password_set_at = ?3 AND type = ?4)",
        ),
        [
            Param::Int64(user.id.0),
            user.valid_from.into(),
            user.password_set_at.into(),
            user.profile.user_type.name().into(),
        ],
    )
}

/// Fails the batch if the app of the caller's token changed.
#[must_use]
pub fn refuse_changed_app(name: &AppName, modified_at: Millis) -> Statement {
    let changed = "NOT EXISTS (SELECT 1 FROM token_apps
        WHERE name = ?1 AND enabled = 1 AND modified_at = ?2)";
    Statement::new(
        Constraint::KeyMakerIsGone.refuse_where(changed),
        [name.as_str().into(), modified_at.into()],
    )
}

/// Fails the batch if the caller's token was revoked.
#[must_use]
pub fn refuse_revoked(keys: &[RevocationKey]) -> Statement {
    let Statement { sql, params } = revocations::select_among(keys);
    Statement::new(Constraint::KeyMakerIsGone.refuse_where(&format!("EXISTS ({sql})")), params)
}

/// Fails the batch if the caller's session has ended.
#[must_use]
pub fn refuse_ended_session(id: i64) -> Statement {
    let ended = "NOT EXISTS (SELECT 1 FROM sessions WHERE id = ?1)";
    Statement::new(Constraint::KeyMakerIsGone.refuse_where(ended), [Param::Int64(id)])
}

/// Adds a key. No other key of its user may have the name. Returns the id.
#[must_use]
pub fn insert(key: &NewKey<'_>, now: Millis) -> Statement {
    let id = |id: Option<i64>| id.map_or(Param::Null, Param::Int64);
    Statement::new(
        "INSERT INTO machine_keys (name, may, user_id, created_by, session_id, parent_id,
           token_hash, app, created_at, expires_at, jti_hash)
         VALUES (?1, ?2, CAST(?3 AS INTEGER), ?4, CAST(?5 AS INTEGER), CAST(?6 AS INTEGER), ?7, ?8,
           ?9, ?10, ?11)
         RETURNING CAST(id AS TEXT) AS id",
        [
            key.name.as_str().into(),
            Param::Number(key.may.bits()),
            id(key.user_id.map(|id| id.0)),
            Param::Int64(key.created_by.0),
            id(key.session_id),
            id(key.parent_id),
            key.token.map(|hash| hash.to_hex()).into(),
            key.app.map(str::to_owned).into(),
            now.into(),
            key.expires_at.into(),
            key.jti.map(|hash| hash.to_hex()).into(),
        ],
    )
}

/// Adds the first secret of a key that was inserted in the same batch. The key's id is not known
/// yet, so user and name find it.
#[must_use]
pub fn insert_first_secret(key: &NewKey<'_>, secret: &NewSecret<'_>, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO machine_key_secrets (hash, key_id, prefix, created_at)
         SELECT ?1, id, ?2, ?3 FROM machine_keys
         WHERE COALESCE(user_id, 'nobody') = COALESCE(CAST(?4 AS INTEGER), 'nobody') AND name = ?5",
        [
            secret.hash.to_hex().into(),
            secret.prefix.into(),
            now.into(),
            key.user_id.map_or(Param::Null, |id| Param::Int64(id.0)),
            key.name.as_str().into(),
        ],
    )
}

/// Adds a second secret. Returns a row if the key still exists.
#[must_use]
pub fn insert_secret(key_id: i64, secret: &NewSecret<'_>, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO machine_key_secrets (hash, key_id, prefix, created_at)
         SELECT ?1, id, ?2, ?3 FROM machine_keys WHERE id = ?4 RETURNING prefix",
        [secret.hash.to_hex().into(), secret.prefix.into(), now.into(), Param::Int64(key_id)],
    )
}

/// Removes one of two secrets. Returns a row if it did.
#[must_use]
pub fn delete_secret(key_id: i64, prefix: &str) -> Statement {
    Statement::new(
        "DELETE FROM machine_key_secrets WHERE key_id = ?1 AND prefix = ?2
           AND (SELECT COUNT(*) FROM machine_key_secrets WHERE key_id = ?1) > 1
         RETURNING prefix",
        [Param::Int64(key_id), prefix.into()],
    )
}

/// Records the day on which a secret was used.
#[must_use]
pub fn note_use(hash: &HashedToken, day: Day) -> Statement {
    Statement::new(
        "UPDATE machine_key_secrets SET last_used_on = ?2
         WHERE hash = ?1 AND (last_used_on IS NULL OR last_used_on < ?2)",
        [hash.to_hex().into(), Param::Number(day.0)],
    )
}

/// Removes a key and the keys that it created.
#[must_use]
pub fn delete(id: i64) -> Statement {
    Statement::new("DELETE FROM machine_keys WHERE id = ?1 OR parent_id = ?1", [Param::Int64(id)])
}

pub async fn find(cx: &Cx, id: i64) -> Result<Option<Listed>> {
    let sql = format!(
        "SELECT {COLUMNS}, {SECRET_COLUMNS} FROM machine_keys k
         LEFT JOIN machine_key_secrets s ON s.key_id = k.id WHERE k.id = ?1
         ORDER BY s.created_at DESC, s.prefix"
    );
    Ok(listed(&sql::query(cx, Statement::new(sql, [Param::Int64(id)])).await?)?.pop())
}

pub async fn list(cx: &Cx, filter: &Filter) -> Result<Vec<Listed>> {
    let mut params =
        vec![Param::Int64(filter.after_id.unwrap_or(i64::MIN)), Param::Number(filter.limit)];
    let of_user = filter.user_id.map_or("", |id| {
        params.push(Param::Int64(id.0));
        " AND user_id = ?3"
    });
    let sql = format!(
        "SELECT {COLUMNS}, {SECRET_COLUMNS}
         FROM (SELECT * FROM machine_keys WHERE id > ?1{of_user} ORDER BY id LIMIT ?2) k
         LEFT JOIN machine_key_secrets s ON s.key_id = k.id
         ORDER BY k.id, s.created_at DESC, s.prefix"
    );
    listed(&sql::query(cx, Statement::new(sql, params)).await?)
}

/// Keys that expired before a time, the earliest first.
pub async fn list_expired(cx: &Cx, before: Millis, limit: i64) -> Result<Vec<MachineKey>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM machine_keys k WHERE k.expires_at <= ?1
         ORDER BY k.expires_at LIMIT ?2"
    );
    sql::all(cx, Statement::new(sql, [before.into(), Param::Number(limit)]), key).await
}

/// Groups rows by key. Rows of one key are adjacent, one for each secret.
fn listed(rows: &[Row]) -> Result<Vec<Listed>> {
    let mut list: Vec<Listed> = Vec::new();
    for row in rows {
        let key = key(row)?;
        let secret = row.optional_text("prefix")?.map(|_| secret(row)).transpose()?;
        match list.last_mut() {
            Some(newest) if newest.key.id == key.id => newest.secrets.extend(secret),
            _ => list.push(Listed { key, secrets: secret.into_iter().collect() }),
        }
    }
    Ok(list)
}

pub(crate) fn key(row: &Row) -> Result<MachineKey> {
    let unreadable = |what: &str| Error::internal(format!("a stored key has an unreadable {what}"));
    let id = |column| -> Result<Option<i64>> {
        let text = row.optional_text(column)?;
        text.map(|text| text.parse().map_err(|_| unreadable(column))).transpose()
    };
    let digest = |column| -> Result<Option<HashedToken>> {
        let hex = row.optional_text(column)?;
        hex.map(|hex| HashedToken::from_hex(hex).ok_or_else(|| unreadable(column))).transpose()
    };
    Ok(MachineKey {
        id: row.int64("key_id")?,
        name: KeyName::parse(row.text("key_name")?).map_err(|_| unreadable("name"))?,
        may: Rights::from_bits(row.number("may")?).ok_or_else(|| unreadable("set of rights"))?,
        user_id: id("key_user_id")?.map(UserId),
        created_by: UserId(row.int64("key_created_by")?),
        session_id: id("key_session_id")?,
        parent_id: id("key_parent_id")?,
        token: digest("key_token_hash")?,
        jti: digest("key_jti_hash")?,
        app: row.optional_text("key_app")?.map(str::to_owned),
        created_at: Millis(row.number("key_created_at")?),
        expires_at: row.optional_number("key_expires_at")?.map(Millis),
    })
}

pub(crate) fn secret(row: &Row) -> Result<KeySecret> {
    Ok(KeySecret {
        prefix: row.text("prefix")?.to_owned(),
        created_at: Millis(row.number("secret_created_at")?),
        last_used_on: row.optional_number("last_used_on")?.map(Day),
    })
}
