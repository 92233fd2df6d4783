//! Adds users. Every way to create a user comes through here, so that all of them follow the rules
//! about deleted users.

use serde_json::{Value, json};

use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::{Profile, UserId, Username};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::ports::{Param, Statement};
use crate::store::constraint::Constraint;
use crate::store::ids::{self, IdKind, NewId};
use crate::store::sql;

#[derive(Debug)]
pub struct NewUser<'a> {
    /// It must be free.
    pub username: &'a Username,
    pub profile: &'a Profile,
    /// Without a password, the user signs in only by tokens.
    pub password: Option<&'a PasswordHash>,
    /// The id, if the caller chose one; else Postern chooses it.
    pub id: Option<UserId>,
    /// Allows the name of a deleted user, because an administrator creates the user.
    pub may_follow_deleted: bool,
    /// When the token that creates the user was issued, in seconds; 0 without a token.
    pub issued_at_s: i64,
}

impl<'a> NewUser<'a> {
    /// A user without a password and with a chosen id, who may not take a deleted user's name.
    #[must_use]
    pub const fn new(username: &'a Username, profile: &'a Profile) -> Self {
        Self {
            username,
            profile,
            password: None,
            id: None,
            may_follow_deleted: false,
            issued_at_s: 0,
        }
    }

    /// The new user's id, for the audit trail.
    #[must_use]
    pub fn new_id(&self) -> NewId {
        NewId::of(IdKind::User, self.id.map(|id| id.0))
    }
}

/// Adds a user. The batch fails if the name or the id is taken or belonged to a deleted user.
#[must_use]
pub fn insert(new: &NewUser<'_>, now: Millis) -> Vec<Statement> {
    let pair = [(new.username.as_str(), new.id)];
    let choice = new.id.is_none().then(|| ids::choose(IdKind::User, &[]));
    let names = (!new.may_follow_deleted).then(|| refuse_deleted_names(&pair));
    let freed = (new.issued_at_s > 0).then(|| refuse_earlier_token(new));
    let past_ids = new.id.is_some().then(|| refuse_deleted_ids(&pair));
    [choice, names, freed, past_ids, Some(row(new, now))].into_iter().flatten().collect()
}

fn row(new: &NewUser<'_>, now: Millis) -> Statement {
    let optional = |text: &Option<String>| Param::from(text.clone());
    let NewUser { username, profile, password, id, issued_at_s, .. } = new;
    Statement::new(
        format!(
            "INSERT INTO users (username, name, email, phone, type, roles, enabled, password,
               created_at, modified_at, id, token_app, followed_at, valid_from, username_folded)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, COALESCE(CAST(?10 AS INTEGER), {}),
               ?11, ?12, {VALID_FROM}, ?14)",
            IdKind::User.chosen()
        ),
        [
            username.as_str().into(),
            optional(&profile.name),
            optional(&profile.email),
            optional(&profile.phone),
            profile.user_type.name().into(),
            sql::stored_strings(&profile.roles).into(),
            profile.enabled.into(),
            password.map(|hash| hash.as_stored().to_owned()).into(),
            now.into(),
            id.map_or(Param::Null, |id| Param::Int64(id.0)),
            optional(&profile.token_app),
            Param::Number(*issued_at_s),
            Millis::from_seconds(now.seconds()).into(),
            text::folded(username.as_str()).into(),
        ],
    )
}

/// SQL for the new user's `valid_from`. If a deleted user had the name, earlier tokens mean that
/// user. Tokens are valid from the second of the creation (`?13`) on, but never those from the
/// second of the deletion.
const VALID_FROM: &str = "COALESCE((SELECT max(?13, (deleted_at / 1000 + 1) * 1000)
    FROM tombstones WHERE username = ?1), 0)";

/// Fails the batch if a user's name or id belonged to a deleted user.
#[must_use]
pub fn refuse_deleted(users: &[(&str, Option<UserId>)]) -> [Statement; 2] {
    [refuse_deleted_names(users), refuse_deleted_ids(users)]
}

/// Fails the batch if one of the names belonged to a deleted user.
fn refuse_deleted_names(users: &[(&str, Option<UserId>)]) -> Statement {
    Statement::new(
        Constraint::NameOfDeletedUser.refuse_where(
            "EXISTS (SELECT 1 FROM json_each(?1)
               CROSS JOIN tombstones ON tombstones.username = value ->> 0)",
        ),
        [pairs(users)],
    )
}

/// Fails the batch if the name was freed and the token was issued to the deleted user who had it.
fn refuse_earlier_token(new: &NewUser<'_>) -> Statement {
    Statement::new(
        Constraint::TokenOfDeletedUser.refuse_where(
            "EXISTS (SELECT 1 FROM freed_names WHERE username = ?1 AND deleted_at / 1000 >= ?2)",
        ),
        [new.username.as_str().into(), Param::Number(new.issued_at_s)],
    )
}

/// Fails the batch if an id belonged to a deleted user of another name and was not freed. A deleted
/// user may be created again with the same name and id.
fn refuse_deleted_ids(users: &[(&str, Option<UserId>)]) -> Statement {
    Statement::new(
        Constraint::IdOfDeletedUser.refuse_where(
            "EXISTS (SELECT 1 FROM json_each(?1)
               CROSS JOIN past_ids ON kind = 'user' AND past_ids.id = CAST(value ->> 1 AS INTEGER)
               WHERE freed = 0 AND NOT EXISTS (
                 SELECT 1 FROM tombstones WHERE username = value ->> 0
                   AND tombstones.id = past_ids.id)
               AND NOT EXISTS (SELECT 1 FROM users
                 WHERE id = past_ids.id AND username = value ->> 0))",
        ),
        [pairs(users)],
    )
}

fn pairs(users: &[(&str, Option<UserId>)]) -> Param {
    let pair = |(name, id): &(&str, Option<UserId>)| json!([name, id.map(|id| id.0.to_string())]);
    Param::Text(Value::Array(users.iter().map(pair).collect()).to_string())
}
