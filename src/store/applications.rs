//! Applications and their access tokens. Secrets and tokens are sealed when written and opened when
//! read.

use crate::context::Cx;
use crate::domain::applications::application::{
    AccessKey, AccessToken, Application, ApplicationTerms, Authorizations, OrganizationId,
};
use crate::domain::secret::{HashedToken, PlainToken};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::constraint::Constraint;
use crate::store::sealed::{Sealed, SealedColumn};
use crate::store::sql;

const COLUMNS: &str = "access_key, organization_id, name, shortcut, authorizes, enabled,
    authorizations, secret, token, token_hash, token_expires_at, created_at, modified_at";

/// Adds an application. Its access key must be free and its organization registered.
#[must_use]
pub fn insert(
    access_key: &AccessKey,
    organization_id: &OrganizationId,
    terms: &ApplicationTerms,
    secret: Option<&Sealed>,
    now: Millis,
) -> Statement {
    Statement::new(
        "INSERT INTO applications (access_key, organization_id, name, shortcut, authorizes, enabled,
           secret, secret_key_id, created_at, modified_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
        [
            access_key.as_str().into(),
            organization_id.as_str().into(),
            terms.name.clone().into(),
            terms.shortcut.into(),
            terms.authorizes.into(),
            terms.enabled.into(),
            secret.map(|secret| secret.stored.clone()).into(),
            secret.map(|secret| secret.key_id.clone()).into(),
            now.into(),
        ],
    )
}

/// Adds an application without a secret, unless the access key exists.
#[must_use]
pub fn register(
    access_key: &AccessKey,
    organization_id: &OrganizationId,
    now: Millis,
) -> Statement {
    Statement::new(
        "INSERT INTO applications (access_key, organization_id, created_at, modified_at)
         VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (access_key) DO NOTHING",
        [access_key.as_str().into(), organization_id.as_str().into(), now.into()],
    )
}

/// Updates the terms of an application that differ from `before`.
#[must_use]
pub fn update(
    access_key: &AccessKey,
    before: &ApplicationTerms,
    after: &ApplicationTerms,
    now: Millis,
) -> Statement {
    let both = |of: fn(&ApplicationTerms) -> Param| [before, after].map(of);
    let columns = [
        ("name", both(|terms| terms.name.clone().into())),
        ("shortcut", both(|terms| terms.shortcut.into())),
        ("authorizes", both(|terms| terms.authorizes.into())),
        ("enabled", both(|terms| terms.enabled.into())),
    ];
    sql::edit(
        "applications",
        &[("access_key", access_key.as_str().into())],
        &[("modified_at", now.into())],
        columns,
    )
}

/// Replaces an application's authorizations. Returns its access key, or no row if the organization
/// has no such application or it is a shortcut.
#[must_use]
pub fn set_authorizations(
    access_key: &str,
    organization_id: &str,
    authorizations: Authorizations,
    now: Millis,
) -> Statement {
    Statement::new(
        "UPDATE applications SET authorizations = ?3, modified_at = ?4
         WHERE access_key = ?1 AND organization_id = ?2 AND shortcut = 0
         RETURNING access_key",
        [
            access_key.into(),
            organization_id.into(),
            Param::Number(authorizations.bits()),
            now.into(),
        ],
    )
}

/// Replaces an application's secret and ends its access token.
#[must_use]
pub fn set_secret(access_key: &AccessKey, secret: &Sealed, now: Millis) -> Statement {
    Statement::new(
        "UPDATE applications SET secret = ?2, secret_key_id = ?3, token = NULL, token_key_id = NULL,
           token_hash = NULL, token_expires_at = NULL, modified_at = ?4 WHERE access_key = ?1",
        [
            access_key.as_str().into(),
            secret.stored.as_str().into(),
            secret.key_id.as_str().into(),
            now.into(),
        ],
    )
}

#[must_use]
pub fn delete(access_key: &AccessKey) -> Statement {
    Statement::new("DELETE FROM applications WHERE access_key = ?1", [access_key.as_str().into()])
}

/// Gives an application a new access token in place of the one whose hash is `replaced`. `None`
/// means that there is none, or that it has expired. If another request was first, nothing changes,
/// and [`refuse_other_token`] fails the batch.
#[must_use]
pub fn set_token(
    access_key: &str,
    token: &Sealed,
    hash: HashedToken,
    expires_at: Millis,
    replaced: Option<HashedToken>,
    now: Millis,
) -> Statement {
    Statement::new(
        "UPDATE applications SET token = ?2, token_key_id = ?3, token_hash = ?4,
           token_expires_at = ?5
         WHERE access_key = ?1
           AND CASE WHEN ?6 IS NULL THEN token_hash IS NULL OR token_expires_at <= ?7
             ELSE token_hash = ?6 END",
        [
            access_key.into(),
            token.stored.as_str().into(),
            token.key_id.as_str().into(),
            hash.to_hex().into(),
            expires_at.into(),
            replaced.map(|hash| hash.to_hex()).into(),
            now.into(),
        ],
    )
}

/// Records that a signature was used. If it was used before, the batch fails.
#[must_use]
pub fn use_once(used: &str, expires_at: Millis) -> Statement {
    Statement::new(
        "INSERT INTO used_signatures (hash, expires_at) VALUES (?1, ?2)",
        [used.into(), expires_at.into()],
    )
}

/// Fails the batch if the application has another access token than this one.
#[must_use]
pub fn refuse_other_token(access_key: &str, hash: HashedToken) -> Statement {
    Statement::new(
        Constraint::TokenReplaced
            .refuse_where("?2 IS NOT (SELECT token_hash FROM applications WHERE access_key = ?1)"),
        [access_key.into(), hash.to_hex().into()],
    )
}

/// Records that a signature obtained this access token. If it was used before, the batch fails.
#[must_use]
pub fn use_for_new_token(used: &str, hash: HashedToken, expires_at: Millis) -> Statement {
    Statement::new(
        "INSERT INTO used_signatures (hash, token_hash, expires_at) VALUES (?1, ?2, ?3)",
        [used.into(), hash.to_hex().into(), expires_at.into()],
    )
}

/// Records that a signature obtained the application's current access token. An earlier record
/// stays.
#[must_use]
pub fn use_for_token(used: &str, access_key: &str, expires_at: Millis) -> Statement {
    Statement::new(
        "INSERT INTO used_signatures (hash, token_hash, expires_at)
         SELECT ?1, token_hash, ?3 FROM applications WHERE access_key = ?2
         ON CONFLICT (hash) DO NOTHING",
        [used.into(), access_key.into(), expires_at.into()],
    )
}

/// Deletes signatures whose timestamp can no longer be accepted.
#[must_use]
pub fn prune_signatures(now: Millis) -> Statement {
    Statement::new("DELETE FROM used_signatures WHERE expires_at <= ?1", [Param::from(now)])
}

#[must_use]
pub fn prune_tokens(now: Millis) -> Statement {
    Statement::new(
        "UPDATE applications SET token = NULL, token_key_id = NULL, token_hash = NULL,
           token_expires_at = NULL WHERE token_expires_at <= ?1",
        [Param::from(now)],
    )
}

#[must_use]
pub fn select(access_key: &str) -> Statement {
    Statement::new(
        format!("SELECT {COLUMNS} FROM applications WHERE access_key = ?1"),
        [access_key.into()],
    )
}

#[must_use]
pub fn select_by_token(hash: &HashedToken) -> Statement {
    Statement::new(
        format!("SELECT {COLUMNS} FROM applications WHERE token_hash = ?1"),
        [hash.to_hex().into()],
    )
}

pub async fn find(cx: &Cx, access_key: &str) -> Result<Option<Application>> {
    sql::first(cx, select(access_key), |row| application(cx, row)).await
}

/// Finds an application, and the hash of the access token that the signature obtained before:
/// `None` if the signature was not used, and empty if it obtained no token.
pub async fn find_with_use(
    cx: &Cx,
    access_key: &str,
    used: &str,
) -> Result<(Option<Application>, Option<String>)> {
    let use_of =
        Statement::new("SELECT token_hash FROM used_signatures WHERE hash = ?1", [used.into()]);
    let results = sql::query_all(cx, vec![select(access_key), use_of]).await?;
    let found = sql::rows(&results, 0)?.first().map(|row| application(cx, row)).transpose()?;
    let token_hash =
        |row: &Row| row.optional_text("token_hash").map(|hash| hash.unwrap_or_default().to_owned());
    Ok((found, sql::rows(&results, 1)?.first().map(token_hash).transpose()?))
}

/// Applications of one organization or of all, by ascending access key.
pub async fn list(
    cx: &Cx,
    organization_id: Option<&str>,
    after_key: &str,
    limit: i64,
) -> Result<Vec<Application>> {
    let of_one = if organization_id.is_some() { " AND organization_id = ?3" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM applications WHERE access_key > ?1{of_one}
         ORDER BY access_key LIMIT ?2"
    );
    let mut params = vec![after_key.into(), Param::Number(limit)];
    params.extend(organization_id.map(Param::from));
    sql::all(cx, Statement::new(sql, params), |row| application(cx, row)).await
}

pub(crate) fn application(cx: &Cx, row: &Row) -> Result<Application> {
    let unreadable =
        |what: &str| Error::internal(format!("a stored application has an unreadable {what}"));
    let access_key =
        AccessKey::parse(row.text("access_key")?).map_err(|_| unreadable("access key"))?;
    let open = |place: SealedColumn, stored: &str| place.open(cx, access_key.as_str(), stored);
    let token = match (
        row.optional_text("token")?,
        row.optional_text("token_hash")?,
        row.optional_number("token_expires_at")?,
    ) {
        (Some(stored), Some(hash), Some(expires_at)) => Some(AccessToken {
            token: open(SealedColumn::ACCESS_TOKEN, stored)
                .and_then(|token| token.expose_text().map(PlainToken::new)),
            hash: HashedToken::from_hex(hash).ok_or_else(|| unreadable("token"))?,
            expires_at: Millis(expires_at),
        }),
        _ => None,
    };
    Ok(Application {
        organization_id: OrganizationId::parse(row.text("organization_id")?)
            .map_err(|_| unreadable("organization"))?,
        terms: ApplicationTerms {
            name: row.optional_text("name")?.map(str::to_owned),
            shortcut: row.flag("shortcut")?,
            authorizes: row.flag("authorizes")?,
            enabled: row.flag("enabled")?,
        },
        authorizations: Authorizations::from_bits(row.number("authorizations")?),
        secret: row
            .optional_text("secret")?
            .and_then(|stored| open(SealedColumn::APPLICATION_SECRET, stored)),
        token,
        created_at: Millis(row.number("created_at")?),
        modified_at: Millis(row.number("modified_at")?),
        access_key,
    })
}
