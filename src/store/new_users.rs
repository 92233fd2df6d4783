//! Adding users: the one place, so that every way to create a user holds the rules about deleted
//! ones.

use serde_json::{Value, json};

use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::{Profile, UserId, Username};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::ports::{Param, Statement};
use crate::store::constraint::Constraint;
use crate::store::ids::{self, IdKind, NewId};
use crate::store::sql;

/// A user who is to be added.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// The name, which must be free.
    pub username: &'a Username,
    /// What they are.
    pub profile: &'a Profile,
    /// Without one they sign in by tokens only.
    pub password: Option<&'a PasswordHash>,
    /// The user's id, where somebody names it; else one is chosen.
    pub id: Option<UserId>,
    /// Whether a deleted user's name may be taken: an administrator makes the user.
    pub may_follow_deleted: bool,
    /// When the token was issued that creates them, in seconds.
    pub issued_at_s: i64,
}

impl<'a> NewUser<'a> {
    /// A user without a password, whose id is chosen, and who follows no deleted one.
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

    /// The id that they get, for the audit.
    #[must_use]
    pub fn new_id(&self) -> NewId {
        NewId::of(IdKind::User, self.id.map(|id| id.0))
    }
}

/// Adds a user. The batch is refused where the name or the id is taken, or was a deleted user's.
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
            "INSERT INTO users (username, name, email, phone, type, roles, enabled, password, created_at, modified_at, id, token_app,
               followed_at, valid_from, username_folded)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, COALESCE(CAST(?10 AS INTEGER), {}), ?11, ?12, {VALID_FROM}, ?14)",
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

/// Whoever follows a deleted user is not the one whom earlier tokens name: tokens count from the
/// second on in which the user is made (`?13`), and surely not from the one of the deletion.
const VALID_FROM: &str = "COALESCE((SELECT max(?13, (deleted_at / 1000 + 1) * 1000) FROM tombstones WHERE username = ?1), 0)";

/// Refuses the whole batch where one of the users would follow a deleted one.
#[must_use]
pub fn refuse_deleted(users: &[(&str, Option<UserId>)]) -> [Statement; 2] {
    [refuse_deleted_names(users), refuse_deleted_ids(users)]
}

/// Refuses the whole batch where one of the names was a deleted user's.
fn refuse_deleted_names(users: &[(&str, Option<UserId>)]) -> Statement {
    Statement::new(
        Constraint::NameOfDeletedUser
            .refuse_where("EXISTS (SELECT 1 FROM json_each(?1) CROSS JOIN tombstones ON tombstones.username = value ->> 0)"),
        [pairs(users)],
    )
}

/// Refuses the whole batch where the token is of whoever had a freed name before.
fn refuse_earlier_token(new: &NewUser<'_>) -> Statement {
    Statement::new(
        Constraint::TokenOfDeletedUser.refuse_where(
            "EXISTS (SELECT 1 FROM freed_names WHERE username = ?1 AND deleted_at / 1000 >= ?2)",
        ),
        [new.username.as_str().into(), Param::Number(new.issued_at_s)],
    )
}

/// Refuses the whole batch where one of the ids was a deleted user's of another name, and was not
/// freed. A deleted user may have been made anew with their id.
fn refuse_deleted_ids(users: &[(&str, Option<UserId>)]) -> Statement {
    Statement::new(
        Constraint::IdOfDeletedUser.refuse_where(
            "EXISTS (SELECT 1 FROM json_each(?1)
               CROSS JOIN past_ids ON kind = 'user' AND past_ids.id = CAST(value ->> 1 AS INTEGER)
               WHERE freed = 0 AND NOT EXISTS (
                 SELECT 1 FROM tombstones WHERE username = value ->> 0 AND tombstones.id = past_ids.id)
               AND NOT EXISTS (SELECT 1 FROM users WHERE id = past_ids.id AND username = value ->> 0))",
        ),
        [pairs(users)],
    )
}

fn pairs(users: &[(&str, Option<UserId>)]) -> Param {
    let pair = |(name, id): &(&str, Option<UserId>)| json!([name, id.map(|id| id.0.to_string())]);
    Param::Text(Value::Array(users.iter().map(pair).collect()).to_string())
}
