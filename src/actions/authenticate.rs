//! Authenticates a request: takes one credential and returns one caller.
//!
//! The dialects choose which credential is used. If it is wrong, the request is refused here, and
//! no other credential is tried.

use crate::actions::caller::{Caller, Credential, Hints, UserCaller};
use crate::actions::find_signer::Accepted;
use crate::actions::{
    console_sessions, gateway_sessions, machine_keys, passwords, sessions, verify_token,
};
use crate::context::Cx;
use crate::domain::browsers::{EndedSession, SessionCookie};
use crate::domain::identity::opaque_token;
use crate::domain::secret::PlainToken;
use crate::error::{Denied, Error, Refusal, Result};
use crate::memory::known::Known;

/// Finds the caller who shows this credential. If the request names an app, only that app's tokens
/// are accepted, and no other kind of credential.
pub async fn authenticate(cx: &Cx, credential: &Credential, hints: Hints<'_>) -> Result<Caller> {
    if cx.is_recheck {
        Known::refresh(cx).await?;
    }
    cx.noted.another_credential();
    let found = find(cx, credential, hints).await;
    cx.memory.counters.verification(credential.word(), outcome(&found));
    let caller = found?;
    note(cx, &caller);
    let app = if let Caller::User(user) = &caller { user.app() } else { None };
    if hints.app.is_some_and(|named| app.is_none_or(|app| app.as_str() != named)) {
        return Err(Denied::NoApp.into());
    }
    Ok(caller)
}

/// The outcome of a verification, for the counters.
fn outcome(found: &Result<Caller>) -> &'static str {
    match found {
        Ok(_) => "accepted",
        Err(
            Error::Unauthenticated(_)
            | Error::Forbidden(_)
            | Error::TooMany { .. }
            | Error::Invalid { .. },
        ) => "refused",
        Err(_) => "failed",
    }
}

fn note(cx: &Cx, caller: &Caller) {
    match caller {
        Caller::User(caller) => note_user(cx, caller),
        Caller::Key(caller) => cx.noted.key(caller.key.id),
    }
    cx.noted.settle();
}

fn note_user(cx: &Cx, caller: &UserCaller) {
    cx.noted.user(caller.user.id);
    if let Some(app) = caller.app() {
        cx.noted.app(app);
    }
}

async fn find(cx: &Cx, credential: &Credential, hints: Hints<'_>) -> Result<Caller> {
    let caller = match credential {
        Credential::Key { name, key } => {
            return machine_keys::find(cx, name.as_deref(), key, hints).await.map(Caller::Key);
        }
        Credential::Password { username, password } => {
            passwords::check(cx, username, password).await?
        }
        Credential::Token(token) | Credential::Placed { token, .. } => {
            return by_token(cx, token, hints, |_| ())
                .await
                .map(|(caller, _)| Caller::User(caller));
        }
        Credential::OpaqueToken(token) => sessions::find(cx, token.hashed(), hints).await?,
        Credential::Cookie(cookie) => sessions::find(cx, cookie.hashed_as_cookie(), hints).await?,
        Credential::Session { cookie: SessionCookie::SecureTwice, .. } => {
            return Err(Denied::Expired.into());
        }
        Credential::Session { value, .. } => gateway_sessions::find(cx, value, hints).await?,
        Credential::Console(cookie) => {
            match console_sessions::find(cx, cookie, hints).await?.caller {
                Caller::User(caller) => caller,
                key @ Caller::Key(_) => return Ok(key),
            }
        }
        Credential::Parameters(parameters) => {
            verify_token::verify_parameter(cx, parameters, hints).await?
        }
    };
    enabled(cx, caller).map(Caller::User)
}

/// Finds whose token this is, if it is not a machine key. If a token app accepts it, `tell` gets
/// the accepted token, and its result is returned.
pub async fn by_token<T>(
    cx: &Cx,
    token: &PlainToken,
    hints: Hints<'_>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<(UserCaller, Option<T>)> {
    let (caller, told) = if token.expose().contains('.') {
        let (caller, told) = verify_token::verify_telling(cx, token, None, hints, tell).await?;
        (caller, Some(told))
    } else {
        let foreign = if opaque_token::is_token(token.expose()) {
            None
        } else {
            verify_token::verify_foreign(cx, token, hints, tell).await?
        };
        match foreign {
            Some((caller, told)) => (caller, Some(told)),
            None => (sessions::find(cx, token.hashed(), hints).await?, None),
        }
    };
    enabled(cx, caller).map(|caller| (caller, told))
}

fn enabled(cx: &Cx, caller: UserCaller) -> Result<UserCaller> {
    if caller.user.profile.enabled {
        return Ok(caller);
    }
    note_user(cx, &caller);
    Err(Refusal::UserDisabled.into())
}

/// Authenticates by the first credential that is present. Returns which one it was.
///
/// A URL parameter that no token app takes belongs to the application, so it counts as absent. So
/// does an expired session, so that an old cookie does not lock anybody out; the browser is then
/// told to delete the cookie.
pub async fn authenticate_first<'s>(
    cx: &Cx,
    shown: &'s [Credential],
    hints: Hints<'_>,
) -> Result<(Caller, &'s Credential)> {
    let mut absent = Denied::Missing;
    for credential in shown {
        match authenticate(cx, credential, hints).await {
            Ok(caller) => return Ok((caller, credential)),
            Err(Error::Unauthenticated(why)) if counts_as_absent(credential, &why) => {
                if let Credential::Session { cookie, .. } = credential {
                    cx.ended_session.set(Some(EndedSession::OfGateway(*cookie)));
                }
                if !matches!(why, Denied::Missing) {
                    absent = why;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(absent.into())
}

fn counts_as_absent(credential: &Credential, why: &Denied) -> bool {
    match credential {
        Credential::Parameters(_) => matches!(why, Denied::Missing | Denied::WrongParameter),
        Credential::Session { .. } => matches!(why, Denied::Expired),
        _ => false,
    }
}
