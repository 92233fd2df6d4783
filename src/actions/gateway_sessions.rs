//! Gateway sessions: a browser that showed a token in a URL, or signed in on Postern's own page,
//! sends a cookie from then on.
//!
//! After a token, the cookie is the token itself, sealed. No row is written. Each request verifies
//! the token like any other, so whatever ends the token ends the session. A new password of the
//! user ends the session, too, as it ends the sessions that have rows.
//!
//! After a password, the cookie is a random value, and its hash is in a row of `sessions`.
//!
//! The gateway accepts these cookies, and so do the endpoints that ask whether a request may pass.
//! The management endpoints do not.

use crate::actions::caller::{Hints, UserCaller};
use crate::actions::{revocations, sessions, verify_token};
use crate::context::Cx;
use crate::domain::identity::user::User;
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Denied, Error, Result};

/// The longest value of a cookie, in bytes. Browsers keep 4096 bytes for a name, its value and its
/// attributes.
const MAX_COOKIE_BYTES: usize = 3_900;

/// The content of a cookie that a token began.
struct Sealed {
    app: AppName,
    /// The user's `password_set_at` when the session began. It is compared with the user's current
    /// one, so no clock is needed.
    password_set_at: Millis,
    token: PlainToken,
}

/// Makes the cookie of a session that begins with an app's token. `None` if the cookie would be too
/// long for browsers.
pub fn of_token(cx: &Cx, app: &AppName, user: &User, token: &PlainToken) -> Result<Option<String>> {
    let stands_for = format!("{}\n{}\n{}", app.as_str(), user.password_set_at.0, token.expose());
    let sealed = cx
        .config
        .master_keys
        .seal_session(stands_for.as_bytes(), cx.random()?)
        .map_err(Error::Internal)?;
    Ok(Some(sealed).filter(|sealed| sealed.len() <= MAX_COOKIE_BYTES))
}

/// Finds the user of a session. A cookie that has expired, or that no master key opens, is
/// `Expired`.
pub async fn find(cx: &Cx, cookie: &PlainToken, hints: Hints<'_>) -> Result<UserCaller> {
    let Some(Sealed { app, password_set_at, token }) = sealed(cx, cookie)? else {
        return sessions::find(cx, cookie.hashed_as_session(), hints).await;
    };
    // `authenticate` compares this app with the app that the request names.
    let caller =
        verify_token::verify(cx, &token, None, Hints { app: Some(app.as_str()), ..hints }).await?;
    if password_set_at < caller.user.password_set_at {
        Err(Denied::Revoked.into())
    } else {
        Ok(caller)
    }
}

/// Ends a session. If it began with a token, the token is revoked, too. Does nothing if the session
/// has ended already.
pub async fn end(cx: &Cx, cookie: &PlainToken) -> Result<()> {
    let ended = match sealed(cx, cookie) {
        Ok(Some(Sealed { app, token, .. })) => end_sealed(cx, &app, &token).await,
        Ok(None) => sessions::revoke_shown(cx, None, cookie.hashed_as_session()).await,
        Err(error) => Err(error),
    };
    match ended {
        Err(Error::Unauthenticated(_)) => Ok(()),
        ended => ended,
    }
}

/// Revokes the token even if its app does not accept it now, because the app may be enabled again.
async fn end_sealed(cx: &Cx, app: &AppName, token: &PlainToken) -> Result<()> {
    match revocations::revoke_token(cx, None, token, Some(app.as_str())).await {
        Err(Error::Unauthenticated(why)) if !matches!(why, Denied::Expired | Denied::Revoked) => {
            revocations::revoke_accepted_before(cx, app, token).await
        }
        ended => ended,
    }
}

/// Opens a sealed cookie. `None` for the cookie of a row, which has no dots.
fn sealed(cx: &Cx, cookie: &PlainToken) -> Result<Option<Sealed>> {
    if !cookie.expose().contains('.') {
        return Ok(None);
    }
    let opened = cx.config.master_keys.open_session(cookie.expose()).ok_or(Denied::Expired)?;
    let text = std::str::from_utf8(opened.expose()).map_err(|_| Denied::Expired)?;
    read(text).ok_or(Denied::Expired.into()).map(Some)
}

fn read(text: &str) -> Option<Sealed> {
    let (app, rest) = text.split_once('\n')?;
    let (password_set_at, token) = rest.split_once('\n')?;
    Some(Sealed {
        app: AppName::parse(app).ok()?,
        password_set_at: Millis(password_set_at.parse().ok()?),
        token: PlainToken::new(token),
    })
}
