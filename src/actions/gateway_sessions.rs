//! Sessions of the gateway: a browser that has shown a token in a URL, or has signed in at
//! Postern's own page, shows a cookie from then on.
//!
//! After a token the cookie is the token, sealed: no row is written, and whatever ends the token
//! ends the session, since each request verifies it as any other. A new password of the user ends
//! it, too, as it ends the rows. After a password the cookie is a random value of a row in
//! `sessions`. The gateway takes it, and who asks whether a request may pass; management does not.

use crate::actions::caller::{Hints, UserCaller};
use crate::actions::{revocations, sessions, verify_token};
use crate::context::Cx;
use crate::domain::identity::user::User;
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Denied, Error, Result};

/// The longest value of a cookie, in bytes: browsers keep 4096 for a name, its value and its
/// attributes.
const MAX_COOKIE_BYTES: usize = 3_900;

/// What the cookie of a session stands for that began with a token.
struct Sealed {
    app: AppName,
    /// When the password of its user had been set. Times of one user are compared, and no clock is
    /// asked.
    password_set_at: Millis,
    token: PlainToken,
}

/// What the cookie of a session is that begins with a token of an app; `None` where no cookie is
/// that long.
pub fn of_token(cx: &Cx, app: &AppName, user: &User, token: &PlainToken) -> Result<Option<String>> {
    let stands_for = format!("{}\n{}\n{}", app.as_str(), user.password_set_at.0, token.expose());
    let sealed = cx
        .config
        .master_keys
        .seal_session(stands_for.as_bytes(), cx.random()?)
        .map_err(Error::Internal)?;
    Ok(Some(sealed).filter(|sealed| sealed.len() <= MAX_COOKIE_BYTES))
}

/// Whose session it is. A cookie that is over, or that no master key opens, is `Expired`.
pub async fn find(cx: &Cx, cookie: &PlainToken, hints: Hints<'_>) -> Result<UserCaller> {
    let Some(Sealed { app, password_set_at, token }) = sealed(cx, cookie)? else {
        return sessions::find(cx, cookie.hashed_as_session(), hints).await;
    };
    // `authenticate` compares the app with one that the question names.
    let caller =
        verify_token::verify(cx, &token, None, Hints { app: Some(app.as_str()), ..hints }).await?;
    if password_set_at < caller.user.password_set_at {
        Err(Denied::Revoked.into())
    } else {
        Ok(caller)
    }
}

/// Ends a session, and with it the token that it began with. One that is over is left as it is.
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

/// Revokes the token also where its app does not take it now, since the app may be enabled again.
async fn end_sealed(cx: &Cx, app: &AppName, token: &PlainToken) -> Result<()> {
    match revocations::revoke_token(cx, None, token, Some(app.as_str())).await {
        Err(Error::Unauthenticated(why)) if !matches!(why, Denied::Expired | Denied::Revoked) => {
            revocations::revoke_accepted_before(cx, app, token).await
        }
        ended => ended,
    }
}

/// The session of a token; `None` for the cookie of a row, which has no dots.
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
