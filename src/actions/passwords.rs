//! Checking a user name and a password, within the limit on failures. Setting one is a matter of `users`.
//!
//! Unknown user and wrong password are one answer, in one time: both cost one reading, one Argon2id and one writing.

use std::rc::Rc;

use crate::actions::caller::{Caller, Proof};
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::password::{self, PasswordHash};
use crate::domain::identity::user::{Profile, User, UserType, Username};
use crate::domain::secret::{Secret, sha256, sha256_of};
use crate::error::{Denied, Error, Result};
use crate::memory::known::Known;
use crate::memory::write::Write;
use crate::ports::Row;
use crate::store::{feed, sign_in_failures, sql, users};

/// Checks a password that comes with a request; one that was right less than a minute ago is not checked again.
pub async fn check(cx: &Cx, username: &str, password: &Secret) -> Result<Caller> {
    let digest = digest(cx, username, password);
    if let Some(user) = Known::with_password(cx, &digest).await? {
        return Ok(Caller { user, proof: Proof::Password });
    }
    let revision = cx.memory.revision();
    let user = check_now(cx, username, password).await?;
    cx.memory.remember_password(digest, &user, revision, cx.now);
    Ok(Caller { user, proof: Proof::Password })
}

/// Checks a password against the database.
pub async fn check_now(cx: &Cx, username: &str, password: &Secret) -> Result<Rc<User>> {
    let counted_as = Actor::claimed(username).name;
    let count = || sign_in_failures::count(&counted_as, cx.address().as_deref(), cx.now);
    let results = cx.sql.batch(vec![count(), users::select_for_sign_in(username)]).await.map_err(Error::from)?;
    refuse_over_limit(cx, sql::rows(&results, 0)?)?;
    let found = sql::rows(&results, 1)?.first().map(users::with_password).transpose()?;
    let hash = found.as_ref().and_then(|(_, hash)| hash.as_ref());
    let right = password::verify(hash, password);
    let user = match found {
        Some((user, _)) if right => Rc::new(user),
        None if is_first_administrator(cx, username, password) => create_first_administrator(cx, password).await?,
        _ => return Err(refuse(cx, username).await?),
    };
    // Counted once more: of many guesses that were begun at once, only those before the tenth failure may be right.
    refuse_over_limit(cx, &sql::query(cx, count()).await?)?;
    Ok(user)
}

fn refuse_over_limit(cx: &Cx, counts: &[Row]) -> Result<()> {
    match sign_in_failures::retry_after_s(counts, cx.now)? {
        Some(retry_after_s) => Err(Error::TooMany { retry_after_s }),
        None => Ok(()),
    }
}

/// Notes a failure, and answers what to refuse with.
async fn refuse(cx: &Cx, username: &str) -> Result<Error> {
    // Cut to what a user name may have, whatever was sent.
    let actor = Actor::claimed(username);
    let failure = sign_in_failures::insert(&actor.name, cx.address().as_deref(), cx.now);
    let deed = Deed::new(actor.clone(), "sign_in.fail", actor.name);
    Write::of(failure).deed(deed).commit(cx).await?;
    Ok(Denied::WrongPassword.into())
}

fn is_first_administrator(cx: &Cx, username: &str, password: &Secret) -> bool {
    let first = &cx.config.first_administrator;
    // The password first and always, so that the time does not tell whether the name is right.
    let is_password = first.password == *password;
    is_password && first.username.as_str() == username
}

async fn create_first_administrator(cx: &Cx, password: &Secret) -> Result<Rc<User>> {
    let username = &cx.config.first_administrator.username;
    Username::new_name(username.as_str()).map_err(|why| Error::Misconfigured(vec![format!("ADMIN_USERNAME {why}")]))?;
    let profile = Profile::of_type(UserType::Administrator);
    let hash = hash(cx, password)?;
    let deed = Deed::new(Actor::bracketed("first administrator"), "user.create", username.as_str().to_owned()).after(profile.for_audit());
    let write =
        Write::of(users::insert(username, &profile, Some(&hash), None, cx.now)).and(feed::user_created(username, cx.now)).deed(deed);
    match write.commit(cx).await {
        // Another request was first, with the same password.
        Ok(_) | Err(Error::Conflict { .. }) => {}
        Err(error) => return Err(error),
    }
    Known::created(cx, username).await
}

/// Hashes a password under a fresh salt.
pub fn hash(cx: &Cx, password: &Secret) -> Result<PasswordHash> {
    password::hash(password, cx.random()?).map_err(Error::Internal)
}

/// What a right password is remembered by: both parts, each with its length, under a key that only this deployment has.
fn digest(cx: &Cx, username: &str, password: &Secret) -> [u8; 32] {
    let lengths = format!("{}:{}:", username.len(), password.len());
    let key = cx.config.first_administrator.password.expose();
    sha256_of(&[&sha256(key), lengths.as_bytes(), username.as_bytes(), password.expose()])
}
