//! Who is calling: one credential in, one caller out.
//!
//! The dialects choose which credential counts; a wrong one is refused here, and nothing falls
//! through to another.

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

/// Tells who shows the credential.
pub async fn authenticate(cx: &Cx, credential: &Credential, hints: Hints<'_>) -> Result<Caller> {
    if cx.is_recheck {
        Known::refresh(cx).await?;
    }
    cx.noted.another_credential();
    let found = find(cx, credential, hints).await;
    cx.memory.counters.verification(credential.word(), outcome(&found));
    let caller = found?;
    note(cx, &caller);
    // Whoever names an app takes the tokens of that app only, and no other kind of credential.
    let app = if let Caller::User(user) = &caller { user.app() } else { None };
    if hints.app.is_some_and(|named| app.is_none_or(|app| app.as_str() != named)) {
        return Err(Denied::NoApp.into());
    }
    Ok(caller)
}

/// What came of a credential, in a word.
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

/// Notes whose credential it is.
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

/// Whose a token is that is no key, and what `tell` makes of one that a token app accepts.
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

/// Authenticates by the first of these that is a credential at all, and answers which it was.
///
/// A parameter that no token app takes is the application's. A session that is over counts as
/// absent, so that an old cookie stands in nobody's way; the browser is told to forget it.
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
