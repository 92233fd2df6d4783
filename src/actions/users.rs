//! Manages users, for administrators.

use crate::actions::caller::{Caller, Proof, UserCaller};
use crate::actions::{passwords, whose_id};
use crate::context::Cx;
use crate::domain::identity::password;
use crate::domain::identity::user::{Profile, User, UserId, Username};
use crate::domain::permissions::permission::ObjectType;
use crate::domain::secret::Secret;
use crate::error::{Denied, Error, Refusal, Result};
use crate::memory::write::Write;
use crate::store::new_users::{self, MadeBy, NewUser};
pub use crate::store::tombstones::Tombstone;
pub use crate::store::users::{Filter, Shown};
use crate::store::{feed, grants, sessions, tombstones, units, users};

/// Creates a user. The name may be that of a deleted user. If `id` is `None`, an id is chosen.
pub async fn create(
    cx: &Cx,
    by: &Caller,
    id: Option<UserId>,
    username: &Username,
    profile: &Profile,
    password: Option<&Secret>,
) -> Result<Shown> {
    let hash = match password {
        Some(password) => Some(passwords::hash(cx, password).await?),
        None => None,
    };
    let deed = by.deed("user.create", username.as_str()).after(profile.for_audit());
    let new = NewUser {
        password: hash.as_ref(),
        id,
        ..NewUser::new(username, profile, MadeBy::Administrator)
    };
    let write = if hash.is_some() { by.unchanged() } else { Write::default() };
    let write =
        write.and_all(new_users::insert(&new, cx.now)).and(feed::user_created(username, cx.now));
    let write = write.deed_of_new(deed, new.new_id());
    match (write.commit(cx).await, id) {
        (Ok(_), _) => {}
        (Err(conflict @ Error::Conflict { .. }), Some(id)) => {
            let whose = whose_id::sentence(cx, id).await?;
            return Err(whose.map_or(conflict, |why| Error::Conflict { why }));
        }
        (Err(error), _) => return Err(error),
    }
    let filter = Filter {
        username: Some(username.as_str().to_owned()),
        beginning: None,
        after_id: None,
        limit: 1,
    };
    let created = users::list(cx, &filter).await?.pop();
    created.ok_or_else(|| Error::internal("a user who was just created is not there"))
}

async fn find(cx: &Cx, id: UserId) -> Result<User> {
    users::find(cx, id).await?.ok_or_else(|| Error::not_found("user", id.0))
}

/// Shows a user, to administrators and to the user themselves.
pub async fn show(cx: &Cx, by: &Caller, id: UserId) -> Result<Shown> {
    if by.own_id() != Some(id) && !by.is_administrator() {
        return Err(Refusal::NotYourself.into());
    }
    shown(cx, id).await
}

async fn shown(cx: &Cx, id: UserId) -> Result<Shown> {
    users::show(cx, id).await?.ok_or_else(|| Error::not_found("user", id.0))
}

/// The users with these ids, by ascending id. Ids that do not exist are left out.
pub async fn list_by_ids(cx: &Cx, ids: &[i64]) -> Result<Vec<Shown>> {
    users::list_by_ids(cx, ids).await
}

/// Lists users by ascending id.
pub async fn list(cx: &Cx, filter: &Filter) -> Result<Vec<Shown>> {
    users::list(cx, filter).await
}

/// Changes a user's profile. Disabling a user revokes their opaque tokens for good.
pub async fn update(
    cx: &Cx,
    by: &Caller,
    id: UserId,
    change: impl FnOnce(&mut Profile),
) -> Result<Shown> {
    let before = find(cx, id).await?;
    let mut profile = before.profile.clone();
    change(&mut profile);
    let deed = by
        .deed("user.update", before.username.as_str())
        .before(before.profile.for_audit())
        .after(profile.for_audit());
    let mut write = Write::of(users::update(id, &before.profile, &profile, cx.now))
        .and(feed::user_changed(id, cx.now))
        .deed(deed);
    if !profile.enabled {
        write = write.and(sessions::delete_all(id, None));
    }
    write.commit(cx).await?;
    shown(cx, id).await
}

/// Deletes a user with their tokens, memberships and grants. Tokens cannot create a user of that
/// name again.
pub async fn delete(cx: &Cx, by: &Caller, id: UserId) -> Result<()> {
    let before = find(cx, id).await?;
    let deed = by.deed("user.delete", before.username.as_str()).before(before.for_audit());
    let write = Write::of(users::delete(id))
        .and(tombstones::sign(before.username.as_str(), id, &by.actor().name, cx.now))
        .and(sessions::delete_all(id, None))
        .and(units::delete_memberships(id.0))
        .and(grants::delete_of_object(ObjectType::User, id.0))
        .and(feed::user_changed(id, cx.now))
        .deed(deed);
    write.commit(cx).await.map(drop)
}

/// Sets a user's password, and revokes their tokens except the one that the caller authenticated
/// with. Users who change their own password must know the current one. Only an administrator may
/// set a user's first password.
pub async fn set_password(
    cx: &Cx,
    by: &Caller,
    id: UserId,
    new: &Secret,
    current: Option<&Secret>,
) -> Result<()> {
    let is_own = by.own_id() == Some(id);
    if !is_own && !by.is_administrator() {
        return Err(Refusal::NotYourself.into());
    }
    let (user, stored) =
        users::find_with_password(cx, id).await?.ok_or_else(|| Error::not_found("user", id.0))?;
    // A password that is set with a token would outlive the token.
    if stored.is_none() && !by.is_administrator() {
        return Err(Refusal::NotAdministrator.into());
    }
    if is_own && stored.is_some() {
        let current = current.ok_or_else(|| {
            Error::invalid("currentPassword", "is required to change one's own password")
        })?;
        match passwords::check_now(cx, user.username.as_str(), current).await {
            Err(Error::Unauthenticated(Denied::WrongPassword)) => {
                return Err(Error::invalid("currentPassword", "is not the current password"));
            }
            other => drop(other?),
        }
    }
    let text = new.expose_text().ok_or_else(|| Error::invalid("password", "must be UTF-8"))?;
    password::rule(text).map_err(|why| Error::invalid("password", why))?;
    let hash = passwords::hash(cx, new).await?;
    let kept = match by {
        Caller::User(UserCaller { proof: Proof::Session(session), .. }) if is_own => {
            Some(session.id)
        }
        _ => None,
    };
    let write = by
        .unchanged()
        .and(users::set_password(id, &hash, cx.now))
        .and(sessions::delete_all(id, kept))
        .and(feed::user_changed(id, cx.now))
        .deed(by.deed("user.set_password", user.username.as_str()));
    write.commit(cx).await.map(drop)
}

/// Lists the names of deleted users in ascending order.
pub async fn list_tombstones(cx: &Cx, after: &str, limit: i64) -> Result<Vec<Tombstone>> {
    tombstones::list(cx, after, limit).await
}

/// Frees the name of a deleted user. Their id is freed too, but is given only to a request that
/// names it.
pub async fn free_tombstone(cx: &Cx, by: &Caller, username: &str) -> Result<()> {
    let not_there = || Error::not_found("tombstone", username);
    let before = tombstones::find(cx, username).await?.ok_or_else(not_there)?;
    let deed =
        by.deed("tombstone.delete", username).before(serde_json::json!({ "id": before.id.0 }));
    let write = Write::of(tombstones::free_id(username)).and_all(tombstones::free_name(username));
    write.deed(deed).commit(cx).await.map(drop)
}
