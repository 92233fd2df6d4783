//! Checks user names and passwords, within the limit on failures. `users` sets passwords.
//!
//! An unknown user and a wrong password have the same answer, in the same time: both cost one
//! reading, one Argon2id hash and one write.

use std::rc::Rc;

use crate::actions::caller::{Proof, UserCaller};
use crate::actions::hashing::{self, Waited};
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::{Profile, User, UserType, Username};
use crate::domain::secret::{Secret, sha256, sha256_of};
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Limit, Refusal, Result};
use crate::memory::known::Known;
use crate::memory::write::Write;
use crate::store::new_users::{self, MadeBy, NewUser};
use crate::store::{audit, feed, sign_ins, sql, users};

/// The period of the platform's rate limit, in seconds (`[[ratelimits]]` in `wrangler.toml`).
pub(crate) const RATE_PERIOD_S: i64 = 10;

/// Checks the password of a request. A password that was right less than a minute ago is not hashed
/// again.
pub async fn check(cx: &Cx, username: &str, password: &Secret) -> Result<UserCaller> {
    let network = cx.network();
    let digest = digest(cx, &network, username, password);
    // Above the limit, a right password must have the same answer as a wrong one, even if it is
    // cached.
    let is_limited = cx.memory.is_limited(&limited_by(&network, username), cx.now);
    if !is_limited && let Some(user) = Known::with_password(cx, &digest).await? {
        return Ok(UserCaller { user, proof: Proof::Password });
    }
    let revision = cx.memory.revision();
    let user = if cx.is_recheck {
        check_again(cx, username, password, &digest).await
    } else {
        check_unless(cx, username, password, Some(&digest)).await
    }?;
    cx.memory.remember_password(digest, &user, revision, cx.now);
    Ok(UserCaller { user, proof: Proof::Password })
}

/// Checks the password of an open stream again. It was right when the stream was opened, so it is
/// not a guess and failures are not counted: otherwise a user with ten streams who changes their
/// password would lock themselves out. When many streams are checked at the same time, one of them
/// computes the hash.
async fn check_again(
    cx: &Cx,
    username: &str,
    password: &Secret,
    digest: &[u8; 32],
) -> Result<Rc<User>> {
    let turn = match hashing::turn_unless_checked(cx, digest).await? {
        Waited::Turn(turn) => turn,
        Waited::Checked(user) => return Ok(user),
    };
    // The user is read after the wait, because an administrator may have disabled the user
    // meanwhile.
    let rows = sql::query(cx, users::select_for_sign_in(username)).await?;
    let found = rows.first().map(users::with_password).transpose()?;
    let (user, hash) = found.ok_or(Denied::WrongPassword)?;
    if turn.is_right(hash.as_ref(), password).await {
        Ok(Rc::new(user))
    } else {
        Err(Denied::WrongPassword.into())
    }
}

/// Checks a password against D1, even if it is cached.
pub async fn check_now(cx: &Cx, username: &str, password: &Secret) -> Result<Rc<User>> {
    check_unless(cx, username, password, None).await
}

/// Checks a password against D1, unless another request checks the same password while this one
/// waits for its turn. `digest` is the cache key of the password.
///
/// The platform's rate limit is checked first, so a flood from one address causes no reading and no
/// hash.
async fn check_unless(
    cx: &Cx,
    username: &str,
    password: &Secret,
    digest: Option<&[u8; 32]>,
) -> Result<Rc<User>> {
    let checked = check_within_limits(cx, username, password, digest).await;
    if let Err(Error::TooMany { limit: Limit::Rate | Limit::Failures, retry_after_s }) = &checked {
        let until = cx.now + Millis::from_seconds(*retry_after_s);
        cx.memory.note_limited(limited_by(&cx.network(), username), until);
    }
    checked
}

async fn check_within_limits(
    cx: &Cx,
    username: &str,
    password: &Secret,
    digest: Option<&[u8; 32]>,
) -> Result<Rc<User>> {
    let network = cx.network();
    if !cx.limiter.admits(&network).await {
        return Err(Error::TooMany { limit: Limit::Rate, retry_after_s: RATE_PERIOD_S });
    }
    // Cut to the length of a user name, whatever was sent.
    let claimed = Actor::claimed(username).name;
    let failures = || sign_ins::select_failures(&claimed, &network, cx.now);
    let results =
        sql::query_within(cx, sql::PATIENCE, vec![failures(), users::select_for_sign_in(username)])
            .await?;
    sign_ins::failures(sql::rows(&results, 0)?)?.check(cx.now)?;
    let found = sql::rows(&results, 1)?.first().map(users::with_password).transpose()?;
    let hash = found.as_ref().and_then(|(_, hash)| hash.as_ref());
    let turn = match digest {
        Some(digest) => match hashing::turn_unless_checked(cx, digest).await? {
            Waited::Turn(turn) => turn,
            Waited::Checked(user) => return Ok(user),
        },
        None => hashing::turn(cx).await?,
    };
    let right = turn.is_right(hash, password).await;
    drop(turn);
    // Failures are counted again before the result is used: many guesses may have begun at once,
    // and above the limit the answer must not tell which of them was right. The user is read again,
    // too: the password that was checked may have been replaced while the request waited for its
    // turn.
    let again =
        sql::query_within(cx, sql::PATIENCE, vec![failures(), users::select_for_sign_in(username)])
            .await?;
    let failures = sign_ins::failures(sql::rows(&again, 0)?)?;
    failures.check(cx.now)?;
    let current = sql::rows(&again, 1)?.first().map(users::with_password).transpose()?;
    let is_known = current.is_some();
    let is_same = |user: &User, current_hash: Option<&PasswordHash>| {
        found
            .as_ref()
            .is_some_and(|(before, hash)| before.id == user.id && hash.as_ref() == current_hash)
    };
    let user = match current {
        Some((user, hash)) if right && is_same(&user, hash.as_ref()) => Some(Rc::new(user)),
        None if is_first_administrator(cx, username, password) => {
            first_administrator(cx, password).await?
        }
        _ => None,
    };
    if let Some((user, _)) = &found {
        cx.noted.user(user.id);
    }
    let Some(user) = user else { return Err(refuse(cx, &claimed, &network, is_known).await?) };
    if failures.is_to_be_noted(cx.now) {
        note_network(cx, &user, &network).await;
    }
    Ok(user)
}

/// Notes the network from which a user signed in. If this fails, the user is let in anyway, so the
/// failure is only logged.
async fn note_network(cx: &Cx, user: &User, network: &str) {
    let note = sign_ins::note_network(user.id, network, cx.now).to_vec();
    if let Err(error) = cx.sql.batch(note).await {
        cx.log.line(&format!("the network of a sign-in could not be noted: {error:?}"));
    }
}

/// Notes a failed sign-in. Returns the error to answer with.
async fn refuse(cx: &Cx, claimed: &str, network: &str, is_known: bool) -> Result<Error> {
    let summed = audit::sum_up_failed_sign_in(cx, claimed, network, is_known);
    let write = Write::of(sign_ins::insert_failure(claimed, network, cx.now));
    summed.into_iter().fold(write, Write::and).commit(cx).await?;
    Ok(Denied::WrongPassword.into())
}

fn is_first_administrator(cx: &Cx, username: &str, password: &Secret) -> bool {
    let first = &cx.config.first_administrator;
    // The password is always compared, and first, so the time does not tell whether the name is
    // right.
    let is_password = first.password == *password;
    is_password && first.username.as_str() == username
}

/// The first administrator. They are created only while there is no administrator at all. So a
/// first administrator whom another administrator has deleted does not come back by the
/// deployment's secret.
async fn first_administrator(cx: &Cx, password: &Secret) -> Result<Option<Rc<User>>> {
    if !users::has_administrator(cx).await?
        && let Some(created) = create_first_administrator(cx, password).await?
    {
        return Ok(Some(created));
    }
    // Another request may have created this user since the name was looked up.
    let rows =
        sql::query(cx, users::select_for_sign_in(cx.config.first_administrator.username.as_str()))
            .await?;
    let Some((user, hash)) = rows.first().map(users::with_password).transpose()? else {
        return Ok(None);
    };
    let is_right = hashing::turn(cx).await?.is_right(hash.as_ref(), password).await;
    Ok(is_right.then(|| Rc::new(user)))
}

/// `None` if a user of that name exists by now, or was deleted.
async fn create_first_administrator(cx: &Cx, password: &Secret) -> Result<Option<Rc<User>>> {
    let username = &cx.config.first_administrator.username;
    Username::new_name(username.as_str())
        .and_then(|name| name.can_be_in_basic())
        .map_err(|why| Error::Misconfigured(vec![format!("ADMIN_USERNAME {why}")]))?;
    let profile = Profile::of_type(UserType::Administrator);
    let hash = hashing::turn(cx).await?.hash(password).await?;
    let deed = Deed::new(
        Actor::bracketed("first administrator"),
        "user.create",
        username.as_str().to_owned(),
    )
    .after(profile.for_audit());
    let new =
        NewUser { password: Some(&hash), ..NewUser::new(username, &profile, MadeBy::FirstSignIn) };
    let write = Write::default()
        .and_all(new_users::insert(&new, cx.now))
        .and(feed::user_created(username, cx.now));
    let write = write.deed_of_new(deed, new.new_id());
    match write.commit(cx).await {
        Ok(_) => Known::created(cx, username).await.map(Some),
        Err(Error::Conflict { .. } | Error::Forbidden(Refusal::UserDeleted)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Hashes a password with a new salt.
pub async fn hash(cx: &Cx, password: &Secret) -> Result<PasswordHash> {
    hashing::short_turn(cx).await?.hash(password).await
}

/// The cache key of a right password: the network that it came from, the name and the password,
/// each with its length, under a key that only this deployment has. Somebody who guesses from
/// another network finds nothing in the cache, so the limits apply to them.
fn digest(cx: &Cx, network: &str, username: &str, password: &Secret) -> [u8; 32] {
    let lengths = format!("{}:{}:{}:", network.len(), username.len(), password.len());
    let key = cx.config.first_administrator.password.expose();
    sha256_of(&[
        &sha256(key),
        lengths.as_bytes(),
        network.as_bytes(),
        username.as_bytes(),
        password.expose(),
    ])
}

/// The cache key of limited sign-ins.
fn limited_by(network: &str, username: &str) -> [u8; 32] {
    sha256_of(&[format!("{}:", network.len()).as_bytes(), network.as_bytes(), username.as_bytes()])
}
