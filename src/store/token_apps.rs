//! Token apps. Their secrets are sealed when written and opened when read.

use serde_json::Value;

use crate::context::Cx;
use crate::domain::feed::Place;
use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::UserId;
use crate::domain::secret::Secret;
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::policy::{Policy, TENANT};
use crate::domain::tokens::token_app::{
    AppName, ClaimNames, Selection, TokenApp, TokenAppTerms, TokenName,
};
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::beginnings::{self, Page};
use crate::store::constraint::Constraint;
use crate::store::sealed::{Sealed, SealedColumn};
use crate::store::{feed, sql};

const COLUMNS: &str = "name, token_name, secret, expire_s, claim_username, claim_name, claim_email,
    algorithm, enabled, creates_users, initial_roles, initial_password, policy,
    CAST(creator_id AS TEXT) AS creator_id, created_at, modified_at";

/// Selects at most `limit` enabled apps that changed after a place in the feed. Without a place, or
/// if the feed has a gap of more than `max_changes` after it, selects enabled apps whether they
/// changed or not, also at most `limit`.
#[must_use]
pub fn select_changed_since(since: Option<Place>, max_changes: i64, limit: i64) -> Statement {
    let has_gap = feed::HAS_GAP;
    Statement::new(
        format!(
            "SELECT {COLUMNS} FROM token_apps WHERE enabled = 1 AND name IN (
               SELECT key FROM changes WHERE revision > ?1 AND kind = 'token_app'
               UNION
               SELECT name FROM token_apps WHERE ?1 IS NULL OR ({has_gap}))
             ORDER BY name LIMIT ?4"
        ),
        [feed::of_gap(since, max_changes), vec![Param::Number(limit)]].concat(),
    )
}

/// Selects at most `limit` enabled apps of a selection, first those that name the issuer, and both
/// parts by name. Apps whose secret an import left out come last, because they accept no token and
/// must not crowd out others. An issuer with a placeholder for the tenant is compared later.
#[must_use]
pub fn select_candidates(selection: &Selection, limit: i64) -> Statement {
    let Selection { algorithm, token_name, app, issuer } = selection;
    Statement::new(
        format!(
            "SELECT {COLUMNS} FROM token_apps
             WHERE enabled = 1 AND algorithm IN (?1, ?7) AND (?2 IS NULL OR token_name = ?2)
               AND (?3 IS NULL OR name = ?3)
               AND (?5 = 0 OR issuer IS NULL OR issuer = ?6 OR instr(issuer, '{TENANT}') > 0)
             ORDER BY secret = '' AND NOT COALESCE(json_extract(policy, '$.discover'), 0),
               issuer IS NULL, name LIMIT ?4"
        ),
        [
            algorithm.name().into(),
            token_name.clone().into(),
            app.clone().into(),
            Param::Number(limit),
            issuer.is_some().into(),
            issuer.clone().flatten().into(),
            other_name(*algorithm).into(),
        ],
    )
}

/// The other name under which apps with this algorithm may be stored, or else its own name.
fn other_name(algorithm: Algorithm) -> &'static str {
    Algorithm::ALL
        .into_iter()
        .rev()
        .find(|other| other.canonical() == algorithm)
        .unwrap_or(algorithm)
        .name()
}

/// Selects all enabled apps, by name.
#[must_use]
pub fn select_enabled() -> Statement {
    Statement::new(format!("SELECT {COLUMNS} FROM token_apps WHERE enabled = 1 ORDER BY name"), [])
}

/// What happens to the initial password of an app's new users.
#[derive(Debug)]
pub enum NewPassword<'a> {
    Stays,
    Becomes(&'a PasswordHash),
    /// It is removed: new users have no password.
    Goes,
}

impl NewPassword<'_> {
    fn hash(&self) -> Option<&PasswordHash> {
        if let Self::Becomes(hash) = self { Some(hash) } else { None }
    }
}

/// Creates an app or replaces all of it except its creator and creation time. Without a secret, the
/// stored one is kept; if there is none, the write is refused.
#[must_use]
pub fn upsert(
    name: &AppName,
    terms: &TokenAppTerms,
    secret: Option<&Sealed>,
    password: &NewPassword<'_>,
    creator: UserId,
    now: Millis,
) -> Statement {
    Statement::new(
        "INSERT INTO token_apps (name, token_name, secret, secret_key_id, expire_s, claim_username,
           claim_name, claim_email, algorithm, enabled, creates_users, initial_roles,
           initial_password, creator_id, created_at, modified_at, policy)
         VALUES (?1, ?2, COALESCE(?3, (SELECT secret FROM token_apps WHERE name = ?1)),
           COALESCE(?4, (SELECT secret_key_id FROM token_apps WHERE name = ?1)), ?5, ?6, ?7, ?8, ?9,
           ?10, ?11, ?12, ?13, ?14, ?15, ?15, ?16)
         ON CONFLICT (name) DO UPDATE
         SET token_name = excluded.token_name, secret = excluded.secret,
           secret_key_id = excluded.secret_key_id, expire_s = excluded.expire_s,
           claim_username = excluded.claim_username, claim_name = excluded.claim_name,
           claim_email = excluded.claim_email, algorithm = excluded.algorithm,
           enabled = excluded.enabled, creates_users = excluded.creates_users,
           initial_roles = excluded.initial_roles,
           initial_password =
             CASE ?17 WHEN 0 THEN initial_password ELSE excluded.initial_password END,
           modified_at = excluded.modified_at, policy = excluded.policy",
        [
            name.as_str().into(),
            terms.token_name.as_str().into(),
            secret.map(|secret| secret.stored.clone()).into(),
            secret.map(|secret| secret.key_id.clone()).into(),
            Param::Number(terms.expire_s),
            terms.claims.username.as_str().into(),
            terms.claims.name.as_str().into(),
            terms.claims.email.as_str().into(),
            terms.algorithm.name().into(),
            terms.enabled.into(),
            terms.creates_users.into(),
            sql::stored_strings(&terms.initial_roles).into(),
            password.hash().map(|hash| hash.as_stored().to_owned()).into(),
            Param::Int64(creator.0),
            now.into(),
            Value::Object(terms.policy.chosen()).to_string().into(),
            (!matches!(password, NewPassword::Stays)).into(),
        ],
    )
}

/// Fails the batch if the app's policy is not the one that was read.
#[must_use]
pub fn refuse_changed_policy(name: &AppName, read: Option<&Policy>) -> Statement {
    let policy = read.map(Policy::chosen).unwrap_or_default();
    Statement::new(
        Constraint::TokenAppChanged
            .refuse_where("COALESCE((SELECT policy FROM token_apps WHERE name = ?1), '{}') <> ?2"),
        [name.as_str().into(), Value::Object(policy).to_string().into()],
    )
}

/// Fails the batch if the app changed since it was read, or exists although none was found.
#[must_use]
pub fn refuse_changed(name: &AppName, read_at: Option<Millis>) -> Statement {
    Statement::new(
        Constraint::TokenAppChanged.refuse_where(
            "COALESCE((SELECT modified_at FROM token_apps WHERE name = ?1), -1)
               <> COALESCE(?2, -1)",
        ),
        [name.as_str().into(), read_at.map_or(Param::Null, Param::from)],
    )
}

#[must_use]
pub fn delete(name: &str) -> Statement {
    Statement::new("DELETE FROM token_apps WHERE name = ?1", [name.into()])
}

pub async fn find(cx: &Cx, name: &str) -> Result<Option<TokenApp>> {
    let sql = format!("SELECT {COLUMNS} FROM token_apps WHERE name = ?1");
    sql::first(cx, Statement::new(sql, [name.into()]), |row| app(cx, row)).await
}

/// The existing apps among these names.
pub async fn find_all(cx: &Cx, names: &[String]) -> Result<Vec<TokenApp>> {
    let sql =
        format!("SELECT {COLUMNS} FROM token_apps WHERE name IN (SELECT value FROM json_each(?1))");
    sql::all(cx, Statement::new(sql, [sql::stored_strings(names).into()]), |row| app(cx, row)).await
}

/// The apps whose name begins with a text, ignoring case, by name.
pub async fn list_beginning(cx: &Cx, beginning: &str) -> Result<Vec<TokenApp>> {
    let page = Page { beginning, after: None, limit: i64::from(u32::MAX) };
    let statement = beginnings::TOKEN_APPS.select(cx, COLUMNS, page).await?;
    sql::all(cx, statement, |row| app(cx, row)).await
}

/// All apps, by name.
pub async fn list(cx: &Cx) -> Result<Vec<TokenApp>> {
    let sql = format!("SELECT {COLUMNS} FROM token_apps ORDER BY name");
    sql::all(cx, Statement::new(sql, []), |row| app(cx, row)).await
}

fn stored_name(row: &Row) -> Result<AppName> {
    AppName::parse(row.text("name")?)
        .map_err(|_| Error::internal("a stored token app has an unreadable name"))
}

pub(crate) fn app(cx: &Cx, row: &Row) -> Result<TokenApp> {
    let unreadable =
        |what: &str| Error::internal(format!("a stored token app has an unreadable {what}"));
    let name = stored_name(row)?;
    let secret = match row.text("secret")? {
        // An import brought the app without its secret.
        "" => Some(Secret::new("")),
        stored => SealedColumn::TOKEN_APP_SECRET.open(cx, name.as_str(), stored),
    };
    let algorithm =
        Algorithm::from_name(row.text("algorithm")?).ok_or_else(|| unreadable("algorithm"))?;
    let policy: Policy = serde_json::from_str(row.added_text("policy")?.unwrap_or("{}"))
        .map_err(|_| unreadable("policy"))?;
    let keys = Keys::of_app(algorithm, &policy, secret.as_ref());
    Ok(TokenApp {
        name,
        terms: TokenAppTerms {
            token_name: TokenName::parse(row.text("token_name")?)
                .map_err(|_| unreadable("token name"))?,
            algorithm,
            expire_s: row.number("expire_s")?,
            claims: ClaimNames {
                username: row.text("claim_username")?.to_owned(),
                name: row.text("claim_name")?.to_owned(),
                email: row.text("claim_email")?.to_owned(),
            },
            enabled: row.flag("enabled")?,
            creates_users: row.flag("creates_users")?,
            initial_roles: sql::strings(row.text("initial_roles")?)?,
            policy,
        },
        secret,
        keys,
        initial_password: row.optional_text("initial_password")?.map(PasswordHash::from_stored),
        creator_id: UserId(row.int64("creator_id")?),
        created_at: Millis(row.number("created_at")?),
        modified_at: Millis(row.number("modified_at")?),
    })
}
