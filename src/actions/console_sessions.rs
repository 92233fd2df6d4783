//! Console sessions: an administrator has signed in with a browser to manage Postern.
//!
//! After a sign-in with a password, the cookie is a random value, and its hash is in a row of
//! `sessions`. After a sign-in with a key, the cookie is the key and an expiry, sealed. Each use
//! verifies the key, so revoking the key ends the session. No other endpoint accepts such a cookie,
//! and the console accepts no other credential instead.

use crate::actions::caller::{Caller, Hints, KeyCaller, Proof, UserCaller};
use crate::actions::passwords::RATE_PERIOD_S;
use crate::actions::{machine_keys, revocations, sessions, sign_in};
use crate::context::Cx;
use crate::domain::browsers::EndedSession;
use crate::domain::identity::machine_key::May;
use crate::domain::secret::{PlainToken, Secret};
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::RevocationKey;
use crate::error::{Denied, Error, Limit, Refusal, Result};
use crate::memory::known::Known;
use crate::memory::reading::Wanted;
use crate::memory::write::Write;

#[derive(Debug)]
pub struct ConsoleSession {
    /// An administrator, or a key with `administration`.
    pub caller: Caller,
    /// When the session expires, if it is not ended before.
    pub ends_at: Millis,
}

/// The content of a cookie that a key began.
struct Sealed {
    ends_at: Millis,
    key: PlainToken,
}

/// Begins a session with a password. The password is checked before the role, so a wrong password
/// does not tell who is an administrator.
pub async fn begin(
    cx: &Cx,
    username: &str,
    password: &Secret,
) -> Result<(ConsoleSession, PlainToken)> {
    let user = sign_in::check(cx, username, password).await?;
    if !user.is_administrator() {
        return Err(Refusal::ConsoleIsForAdministrators.into());
    }
    let (cookie, ends_at) = sign_in::begin_console(cx, &user).await?;
    let caller = Caller::User(UserCaller { user, proof: Proof::Password });
    Ok((ConsoleSession { caller, ends_at }, cookie))
}

/// Begins a session with a key.
pub async fn begin_by_key(cx: &Cx, key: &PlainToken) -> Result<(ConsoleSession, PlainToken)> {
    if !cx.limiter.admits(&cx.network()).await {
        return Err(Error::TooMany { limit: Limit::Rate, retry_after_s: RATE_PERIOD_S });
    }
    let found = machine_keys::find(cx, None, key, Hints::default()).await?;
    if !found.key.may.include(May::Administration) {
        return Err(Refusal::KeyMayNot { needs: Some(May::Administration) }.into());
    }
    let ends_at = end_of(&found, cx.now + sign_in::longest_console(cx));
    let name = found.key.name.as_str().to_owned();
    let caller = Caller::Key(found);
    if !caller.is_administrator() {
        return Err(Refusal::ConsoleIsForAdministrators.into());
    }
    let stands_for = format!("{}\n{}", ends_at.0, key.expose());
    let cookie = cx
        .config
        .master_keys
        .seal_console(stands_for.as_bytes(), cx.random()?)
        .map_err(Error::Internal)?;
    Write::default().deed(caller.deed("token.issue", name)).commit(cx).await?;
    Ok((ConsoleSession { caller, ends_at }, PlainToken::new(cookie)))
}

/// Finds the administrator whose session this is, as of now. If the session has expired or was
/// revoked, the browser is told to delete the cookie.
pub async fn find(cx: &Cx, cookie: &PlainToken, hints: Hints<'_>) -> Result<ConsoleSession> {
    let found = find_whosever(cx, cookie, hints).await;
    if matches!(found, Err(Error::Unauthenticated(_))) {
        cx.ended_session.set(Some(EndedSession::OfConsole));
    }
    let session = found?;
    if session.caller.is_administrator() {
        Ok(session)
    } else {
        Err(Refusal::NotAdministrator.into())
    }
}

async fn find_whosever(cx: &Cx, cookie: &PlainToken, hints: Hints<'_>) -> Result<ConsoleSession> {
    let Some(Sealed { ends_at, key }) = sealed(cx, cookie)? else {
        let caller = sessions::find(cx, cookie.hashed_as_console(), hints).await?;
        if !caller.user.profile.enabled {
            return Err(Refusal::UserDisabled.into());
        }
        let ends_at = caller.ends_at(cx.now, 0).unwrap_or(cx.now);
        return Ok(ConsoleSession { caller: Caller::User(caller), ends_at });
    };
    if ends_at <= cx.now {
        return Err(Denied::Expired.into());
    }
    let found = machine_keys::find(cx, None, &key, hints).await?;
    if is_signed_out(cx, cookie).await? {
        return Err(Denied::Revoked.into());
    }
    let ends_at = end_of(&found, ends_at);
    Ok(ConsoleSession { caller: Caller::Key(found), ends_at })
}

fn end_of(KeyCaller { key, .. }: &KeyCaller, ends_at: Millis) -> Millis {
    key.expires_at.map_or(ends_at, |end| end.min(ends_at))
}

/// Ends a session. Does nothing if it has ended already.
pub async fn end(cx: &Cx, cookie: &PlainToken) -> Result<()> {
    let ended = match sealed(cx, cookie) {
        Ok(Some(sealed)) => end_sealed(cx, cookie, &sealed).await,
        Ok(None) => sessions::revoke_shown(cx, None, cookie.hashed_as_console()).await,
        Err(error) => Err(error),
    };
    match ended {
        Err(Error::Unauthenticated(_)) => Ok(()),
        ended => ended,
    }
}

/// Revokes the cookie. Otherwise a copy of it would be valid as long as its key is.
async fn end_sealed(cx: &Cx, cookie: &PlainToken, Sealed { ends_at, key }: &Sealed) -> Result<()> {
    if *ends_at <= cx.now || is_signed_out(cx, cookie).await? {
        return Ok(());
    }
    // The key is looked up even if it is not valid now, because its user may be enabled again.
    let key = machine_keys::shown(cx, key).await?;
    let name = key.name.as_str().to_owned();
    let by = Caller::Key(KeyCaller { key, user: None }).actor();
    revocations::revoke_console(cx, by, name, revocation_key(cookie), *ends_at).await
}

fn revocation_key(cookie: &PlainToken) -> RevocationKey {
    RevocationKey::of_token(cookie.hashed_as_console())
}

async fn is_signed_out(cx: &Cx, cookie: &PlainToken) -> Result<bool> {
    let keys = [revocation_key(cookie)];
    let mut known = Known::current(cx, || vec![Wanted::Revoked(keys.to_vec())], None).await?;
    known.is_revoked(&keys).await
}

/// Opens a sealed cookie. `None` for the cookie of a row, which has no dots.
fn sealed(cx: &Cx, cookie: &PlainToken) -> Result<Option<Sealed>> {
    if !cookie.expose().contains('.') {
        return Ok(None);
    }
    let opened = cx.config.master_keys.open_console(cookie.expose()).ok_or(Denied::Expired)?;
    let (ends_at, key) =
        opened.expose_text().and_then(|text| text.split_once('\n')).ok_or(Denied::Expired)?;
    let ends_at = Millis(ends_at.parse().map_err(|_| Denied::Expired)?);
    Ok(Some(Sealed { ends_at, key: PlainToken::new(key) }))
}
