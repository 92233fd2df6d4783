//! Reads, updates and deletes users. `new_users` adds them.

use crate::context::Cx;
use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::{Profile, User, UserId, UserType, Username};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::beginnings::{self, Page};
use crate::store::sql;

pub(super) const COLUMNS: &str = "CAST(u.id AS TEXT) AS id, u.username, u.name, u.email, u.phone,
    u.type, u.roles, u.enabled, u.password IS NOT NULL AS has_password, u.token_app, u.followed_at,
    u.synced_groups, u.valid_from, u.password_set_at, u.created_at, u.modified_at";

/// The number of grants that name the user's id. It counts at most 100.
const GRANTS_NAMING_ID: &str = "(SELECT COUNT(*) FROM (
    SELECT 1 FROM grants WHERE object_type = 'USER' AND object_id = u.id LIMIT 100))
    AS grants_naming_id";

/// A user as administrators see them.
#[derive(Debug, Clone)]
pub struct Shown {
    pub user: User,
    /// How many grants name their id, at most 100. Some may be older than the user.
    pub grants_naming_id: i64,
}

/// Selects users: by ascending id, at most `limit`.
#[derive(Debug)]
pub struct Filter {
    /// Only the user with this name.
    pub username: Option<String>,
    /// Only users whose name begins with this, ignoring case. They are ordered by name.
    pub beginning: Option<String>,
    /// Only users with a greater id.
    pub after_id: Option<i64>,
    pub limit: i64,
}

/// Selects the users with these names.
#[must_use]
pub fn select_named(names: &[String]) -> Statement {
    Statement::new(
        format!(
            "SELECT {COLUMNS} FROM users u WHERE u.username IN (SELECT value FROM json_each(?1))"
        ),
        [sql::stored_strings(names).into()],
    )
}

/// Selects the users with these ids.
#[must_use]
pub fn select_of_ids(ids: &[UserId]) -> Statement {
    let ids: Vec<_> = ids.iter().map(|id| id.0.to_string()).collect();
    Statement::new(
        format!(
            "SELECT {COLUMNS} FROM json_each(?1) ids
             CROSS JOIN users u ON u.id = CAST(ids.value AS INTEGER)"
        ),
        [sql::stored_strings(&ids).into()],
    )
}

/// Selects the `limit` users that were changed last.
#[must_use]
pub fn select_changed_last(limit: i64) -> Statement {
    Statement::new(
        format!("SELECT {COLUMNS} FROM users u ORDER BY u.modified_at DESC LIMIT ?1"),
        [Param::Number(limit)],
    )
}

/// Selects the users that are named by the first `max_changes` changes after a revision.
#[must_use]
pub fn select_changed_since(revision: i64, max_changes: i64) -> Statement {
    Statement::new(
        format!(
            "SELECT {COLUMNS} FROM users u WHERE u.id IN (
               SELECT CAST(key AS INTEGER)
               FROM (SELECT kind, key FROM changes WHERE revision > ?1 ORDER BY revision LIMIT ?2)
               WHERE kind IN ('user', 'membership'))"
        ),
        [Param::Number(revision), Param::Number(max_changes)],
    )
}

/// Updates name, email, type and roles from a token, unless a token that was issued later has done
/// so. Values equal to those in `before` are not written, because somebody else may have changed
/// them since they were read.
#[must_use]
pub fn follow(
    id: UserId,
    before: &Profile,
    after: &Profile,
    issued_at_s: i64,
    now: Millis,
) -> Statement {
    let roles = (after.roles != before.roles).then(|| sql::stored_strings(&after.roles));
    let user_type =
        (after.user_type != before.user_type).then(|| after.user_type.name().to_owned());
    Statement::new(
        "UPDATE users SET name = COALESCE(?2, name), email = COALESCE(?3, email),
           type = COALESCE(?4, type), roles = COALESCE(?5, roles),
           modified_at = ?6, followed_at = ?7 WHERE id = ?1 AND followed_at <= ?7",
        [
            Param::Int64(id.0),
            after.name.clone().filter(|_| after.name != before.name).into(),
            after.email.clone().filter(|_| after.email != before.email).into(),
            user_type.into(),
            roles.into(),
            now.into(),
            Param::Number(issued_at_s),
        ],
    )
}

/// Records which groups tokens gave a user, unless a token that was issued later has done so.
#[must_use]
pub fn set_synced_groups(id: UserId, synced_groups: &str, issued_at_s: i64) -> Statement {
    Statement::new(
        "UPDATE users SET synced_groups = ?2, followed_at = ?3 WHERE id = ?1 AND followed_at <= ?3",
        [Param::Int64(id.0), synced_groups.into(), Param::Number(issued_at_s)],
    )
}

/// Updates the parts of a profile that differ from `before`.
#[must_use]
pub fn update(id: UserId, before: &Profile, after: &Profile, now: Millis) -> Statement {
    let text = |of: fn(&Profile) -> &Option<String>| {
        [before, after].map(|profile| Param::from(of(profile).clone()))
    };
    let both = |of: fn(&Profile) -> Param| [before, after].map(of);
    let columns = [
        ("name", text(|profile| &profile.name)),
        ("email", text(|profile| &profile.email)),
        ("phone", text(|profile| &profile.phone)),
        ("token_app", text(|profile| &profile.token_app)),
        ("type", both(|profile| profile.user_type.name().into())),
        ("roles", both(|profile| sql::stored_strings(&profile.roles).into())),
        ("enabled", both(|profile| profile.enabled.into())),
    ];
    sql::edit("users", &[("id", Param::Int64(id.0))], &[("modified_at", now.into())], columns)
}

/// Removes the link between a token app and its users, so that a later app of the same name does
/// not get them.
#[must_use]
pub fn leave_token_app(name: &str) -> Statement {
    Statement::new("UPDATE users SET token_app = NULL WHERE token_app = ?1", [name.into()])
}

#[must_use]
pub fn set_password(id: UserId, password: &PasswordHash, now: Millis) -> Statement {
    Statement::new(
        "UPDATE users SET password = ?2, modified_at = ?3, password_set_at = ?3 WHERE id = ?1",
        [Param::Int64(id.0), password.as_stored().into(), now.into()],
    )
}

/// Ends all sessions and tokens that the user got before `valid_from`.
#[must_use]
pub fn set_valid_from(id: UserId, valid_from: Millis, now: Millis) -> Statement {
    Statement::new(
        "UPDATE users SET valid_from = max(valid_from, ?2), modified_at = ?3 WHERE id = ?1",
        [Param::Int64(id.0), valid_from.into(), now.into()],
    )
}

/// Tells whether there is an administrator, enabled or not.
pub async fn has_administrator(cx: &Cx) -> Result<bool> {
    // An index finds the enabled administrators. Triggers keep at least one, so the second search
    // hardly ever runs.
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE type = 'Administrator' AND enabled = 1)
        OR EXISTS (SELECT 1 FROM users WHERE type = 'Administrator') AS found";
    sql::query(cx, Statement::new(sql, [])).await?.first().map_or(Ok(true), |row| row.flag("found"))
}

#[must_use]
pub fn delete(id: UserId) -> Statement {
    Statement::new("DELETE FROM users WHERE id = ?1", [Param::Int64(id.0)])
}

/// Selects a user with the password hash by name, for signing in.
#[must_use]
pub fn select_for_sign_in(username: &str) -> Statement {
    Statement::new(
        format!("SELECT {COLUMNS}, u.password FROM users u WHERE u.username = ?1"),
        [username.into()],
    )
}

/// Finds a user with the password hash, by id.
pub async fn find_with_password(
    cx: &Cx,
    id: UserId,
) -> Result<Option<(User, Option<PasswordHash>)>> {
    let sql = format!("SELECT {COLUMNS}, u.password FROM users u WHERE u.id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id.0)]), with_password).await
}

pub async fn find(cx: &Cx, id: UserId) -> Result<Option<User>> {
    let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id.0)]), user).await
}

/// Finds a user and counts the grants that name their id.
pub async fn show(cx: &Cx, id: UserId) -> Result<Option<Shown>> {
    let sql = format!("SELECT {COLUMNS}, {GRANTS_NAMING_ID} FROM users u WHERE u.id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id.0)]), of_shown).await
}

pub async fn list(cx: &Cx, filter: &Filter) -> Result<Vec<Shown>> {
    if let Some(beginning) = &filter.beginning {
        let page =
            Page { beginning, after: filter.after_id.map(Param::Int64), limit: filter.limit };
        let statement =
            beginnings::USERS.select(cx, &format!("{COLUMNS}, {GRANTS_NAMING_ID}"), page).await?;
        return sql::all(cx, statement, of_shown).await;
    }
    let mut sql = format!("SELECT {COLUMNS}, {GRANTS_NAMING_ID} FROM users u WHERE u.id > ?1");
    let mut params =
        vec![Param::Int64(filter.after_id.unwrap_or(i64::MIN)), Param::Number(filter.limit)];
    if let Some(username) = &filter.username {
        params.push(username.as_str().into());
        sql.push_str(" AND u.username = ?3");
    }
    sql.push_str(" ORDER BY u.id LIMIT ?2");
    sql::all(cx, Statement::new(sql, params), of_shown).await
}

/// The rows with these ids, by ascending id. Ids that do not exist are left out.
pub async fn list_by_ids(cx: &Cx, ids: &[i64]) -> Result<Vec<Shown>> {
    let sql = format!(
        "SELECT {COLUMNS}, {GRANTS_NAMING_ID} FROM users u
         WHERE u.id IN (SELECT CAST(value AS INTEGER) FROM json_each(?1)) ORDER BY u.id"
    );
    let params = [Param::from(sql::stored_ids(ids))];
    sql::all(cx, Statement::new(sql, params), of_shown).await
}

fn of_shown(row: &Row) -> Result<Shown> {
    Ok(Shown { user: user(row)?, grants_naming_id: row.number("grants_naming_id")? })
}

pub(crate) fn with_password(row: &Row) -> Result<(User, Option<PasswordHash>)> {
    Ok((user(row)?, row.optional_text("password")?.map(PasswordHash::from_stored)))
}

pub(crate) fn user(row: &Row) -> Result<User> {
    let text = |column| row.optional_text(column).map(|text| text.map(str::to_owned));
    let added = |column| row.added_text(column).map(|text| text.map(str::to_owned));
    let unreadable =
        |what: &str| Error::internal(format!("a stored user has an unreadable {what}"));
    Ok(User {
        id: UserId(row.int64("id")?),
        username: Username::parse(row.text("username")?).map_err(|_| unreadable("username"))?,
        profile: Profile {
            name: text("name")?,
            email: text("email")?,
            phone: text("phone")?,
            user_type: UserType::from_name(row.text("type")?).ok_or_else(|| unreadable("type"))?,
            roles: sql::strings(row.text("roles")?)?,
            enabled: row.flag("enabled")?,
            token_app: added("token_app")?,
        },
        has_password: row.flag("has_password")?,
        followed_at_s: row.added_number("followed_at")?,
        synced_groups: added("synced_groups")?,
        valid_from: Millis(row.added_number("valid_from")?),
        password_set_at: Millis(row.added_number("password_set_at")?),
        created_at: Millis(row.number("created_at")?),
        modified_at: Millis(row.number("modified_at")?),
    })
}
