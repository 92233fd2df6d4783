//! Adds users. Every way to create a user comes through here, so that all of them follow the rules
//! about deleted users.

use serde_json::{Value, json};

use crate::context::Cx;
use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::{Profile, UserId, Username};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::error::Result;
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
    pub made_by: MadeBy,
}

/// What creates a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// An administrator or an identity provider. They may give the name of a deleted user, and an
    /// id that was freed.
    Administrator,
    /// A token at first sight, issued at this time.
    ///
    /// It creates no user whose name an application may take for another user's. It gives a freed
    /// id only to a user of the freed name.
    Token { issued_at_s: i64 },
    /// The first sign-in with `ADMIN_PASSWORD`.
    FirstSignIn,
}

impl MadeBy {
    /// 0 without a token.
    const fn issued_at_s(self) -> i64 {
        match self {
            Self::Token { issued_at_s } => issued_at_s,
            Self::Administrator | Self::FirstSignIn => 0,
        }
    }
}

impl<'a> NewUser<'a> {
    /// A user without a password and with a chosen id.
    #[must_use]
    pub const fn new(username: &'a Username, profile: &'a Profile, made_by: MadeBy) -> Self {
        Self { username, profile, password: None, id: None, made_by }
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
    let (is_token, has_id) = (matches!(new.made_by, MadeBy::Token { .. }), new.id.is_some());
    let is_administrator = new.made_by == MadeBy::Administrator;
    let statements = [
        (!has_id).then(|| ids::choose(IdKind::User, &[])),
        (!is_administrator).then(|| refuse_deleted_names(&pair)),
        is_token.then(|| refuse_earlier_token(new)),
        is_token.then(|| refuse_look_alike(new.username)),
        has_id.then(|| refuse_deleted_ids(&pair)),
        (is_token && has_id).then(|| refuse_freed_id_of_another(new)),
        Some(row(new, now)),
    ];
    statements.into_iter().flatten().collect()
}

fn row(new: &NewUser<'_>, now: Millis) -> Statement {
    let optional = |text: &Option<String>| Param::from(text.clone());
    let NewUser { username, profile, password, id, made_by } = new;
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
            Param::Number(made_by.issued_at_s()),
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
        [new.username.as_str().into(), Param::Number(new.made_by.issued_at_s())],
    )
}

/// SQL for another user, or a deleted one, whose name may be taken for `?2`. `?1` are that name's
/// [`Username::look_alikes`].
///
/// Some identity providers write a name as the person typed it. Without the second part, a deleted
/// user would come back by typing their name in another case.
const LOOKS_LIKE_ANOTHER: &str = "(EXISTS (SELECT 1 FROM json_each(?1)
      CROSS JOIN users ON username_folded = value WHERE username <> ?2)
    OR EXISTS (SELECT 1 FROM json_each(?1)
      CROSS JOIN tombstones ON username_folded = value WHERE username <> ?2))";

fn look_alike_params(username: &Username) -> [Param; 2] {
    [Param::Text(json!(username.look_alikes()).to_string()), username.as_str().into()]
}

/// Fails the batch if another user's name, or a deleted one's, may be taken for this one.
fn refuse_look_alike(username: &Username) -> Statement {
    let sql = Constraint::LooksLikeAnotherUser.refuse_where(LOOKS_LIKE_ANOTHER);
    Statement::new(sql, look_alike_params(username))
}

/// Tells whether another user's name, or a deleted one's, may be taken for this one.
pub async fn looks_like_another(cx: &Cx, username: &Username) -> Result<bool> {
    let statement = Statement::new(
        format!("SELECT 1 AS found WHERE {LOOKS_LIKE_ANOTHER}"),
        look_alike_params(username),
    );
    Ok(!sql::query(cx, statement).await?.is_empty())
}

/// Fails the batch if the id was freed together with another name.
fn refuse_freed_id_of_another(new: &NewUser<'_>) -> Statement {
    let id = new.id.map_or(Param::Null, |id| Param::Int64(id.0));
    Statement::new(
        Constraint::IdOfDeletedUser.refuse_where(&format!("NOT ({MAY_GIVE_FREED_ID})")),
        [id, new.username.as_str().into()],
    )
}

/// SQL for: the id `?1` was not freed, or it was freed together with the name `?2`.
const MAY_GIVE_FREED_ID: &str = "NOT EXISTS (SELECT 1 FROM past_ids
      WHERE kind = 'user' AND id = ?1 AND freed = 1)
    OR EXISTS (SELECT 1 FROM freed_names WHERE username = ?2 AND id = ?1)";

/// Tells whether a token may give the id to a user of this name, as far as freed ids are concerned.
pub async fn may_give_freed_id(cx: &Cx, id: UserId, username: &Username) -> Result<bool> {
    let statement = Statement::new(
        format!("SELECT 1 AS found WHERE {MAY_GIVE_FREED_ID}"),
        [Param::Int64(id.0), username.as_str().into()],
    );
    Ok(!sql::query(cx, statement).await?.is_empty())
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
