//! Opaque tokens: finds their users, lists them and revokes them.

use std::rc::Rc;

use serde_json::json;

use crate::actions::caller::{Caller, Hints, Proof, UserCaller};
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::UserId;
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Result};
use crate::memory::known::Known;
use crate::memory::reading::Wanted;
use crate::memory::write::Write;
use crate::store::machine_keys::Filter;
use crate::store::standings::Subject;
use crate::store::{feed, machine_keys, sessions, users};

/// Authenticates a user by the hash of an opaque token or of its cookie.
pub async fn find(cx: &Cx, hash: HashedToken, hints: Hints<'_>) -> Result<UserCaller> {
    let ahead = || hints.ahead(Subject::Session(hash)).collect::<Vec<_>>();
    let wanted = || [Wanted::Session(hash)].into_iter().chain(ahead()).collect();
    let mut known = Known::current(cx, wanted, None).await?;
    let session = known.session(hash, ahead).await?.ok_or(Denied::Revoked)?;
    cx.noted.user(session.user_id);
    if session.expires_at <= cx.now {
        return Err(Denied::Expired.into());
    }
    let user = known.user_of(&session)?.ok_or(Denied::Revoked)?;
    if session.created_at < user.valid_from {
        return Err(Denied::Revoked.into());
    }
    Ok(UserCaller { user, proof: Proof::Session(session) })
}

/// Lists a user's tokens that have neither expired nor been revoked, the newest first.
pub async fn list(cx: &Cx, user_id: UserId) -> Result<Vec<Session>> {
    let user =
        users::find(cx, user_id).await?.ok_or_else(|| Error::not_found("user", user_id.0))?;
    let mut sessions = sessions::list(cx, user_id).await?;
    sessions.retain(|session| session.created_at >= user.valid_from);
    Ok(sessions)
}

/// Revokes the token that is shown. Whoever has the token may do so. `by` is the authenticated
/// caller, if there is one.
pub async fn revoke_shown(cx: &Cx, by: Option<&Caller>, hash: HashedToken) -> Result<()> {
    let UserCaller { user, proof } = find(cx, hash, Hints::default()).await?;
    let by = by.map_or_else(|| Actor::from(&*user), Caller::actor);
    match proof {
        Proof::Session(session) => end(cx, &by, user.username.as_str(), user.id, session.id).await,
        Proof::Password | Proof::Jwt { .. } => {
            Err(Error::internal("an opaque token has no session"))
        }
    }
}

/// Revokes one token of a user.
pub async fn revoke(cx: &Cx, by: &Caller, user_id: UserId, session_id: i64) -> Result<()> {
    let user =
        users::find(cx, user_id).await?.ok_or_else(|| Error::not_found("user", user_id.0))?;
    if !sessions::exists(cx, user_id, session_id).await? {
        return Err(Error::not_found("token", session_id));
    }
    end(cx, &by.actor(), user.username.as_str(), user_id, session_id).await
}

/// Revokes all tokens that any issuer has issued to a user so far.
///
/// `iat` has whole seconds, so all tokens of the current second are revoked. The answer is sent in
/// the next second, so a token that the user gets after the answer is valid.
pub async fn revoke_all(cx: &Cx, by: &Caller, user_id: UserId) -> Result<()> {
    let user =
        users::find(cx, user_id).await?.ok_or_else(|| Error::not_found("user", user_id.0))?;
    let now = cx.timer.now().max(cx.now);
    let valid_from = Millis::from_seconds(now.seconds() + 1);
    // A trigger deletes the keys.
    let of_user =
        Filter { user_id: Some(user_id), after_id: None, limit: machine_keys::MAX_OF_A_USER };
    let mut keys = machine_keys::list(cx, &of_user).await?;
    keys.retain(|listed| listed.key.created_at < valid_from);
    let mut deed = by.deed("token.revoke_all", user.username.as_str().to_owned());
    if !keys.is_empty() {
        let names: Vec<_> = keys.iter().map(|listed| listed.key.name.as_str()).collect();
        deed = deed.before(json!({ "keys": names }));
    }
    let write = Write::of(sessions::delete_all(user_id, None))
        .and(users::set_valid_from(user_id, valid_from, now))
        .and(feed::user_changed(user_id, now))
        .deed(deed);
    write.commit(cx).await?;
    cx.timer.sleep(valid_from - cx.timer.now()).await;
    Ok(())
}

/// Ends the session that the caller authenticated with. Does nothing if the caller used another
/// credential.
pub async fn sign_out(cx: &Cx, by: &Caller) -> Result<()> {
    let caller = by.user()?;
    match &caller.proof {
        Proof::Session(session) => {
            let session: &Rc<Session> = session;
            end(cx, &by.actor(), caller.user.username.as_str(), session.user_id, session.id).await
        }
        Proof::Password | Proof::Jwt { .. } => Ok(()),
    }
}

async fn end(cx: &Cx, by: &Actor, username: &str, user_id: UserId, session_id: i64) -> Result<()> {
    let deed = Deed::new(by.clone(), "token.revoke", format!("{username}/{session_id}"));
    let write = Write::of(sessions::delete(user_id, session_id))
        .and(feed::session_changed(session_id, cx.now))
        .deed(deed);
    write.commit(cx).await.map(drop)
}
