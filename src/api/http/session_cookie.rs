//! The cookie of a gateway session: its name and its attributes.

use crate::actions::caller::{Credential, Proof, UserCaller};
use crate::actions::gateway_sessions;
use crate::api::http::console_cookie;
use crate::api::http::cookies;
use crate::api::http::message::{Header, Inbound};
use crate::api::http::navigation;
use crate::context::Cx;
use crate::domain::browsers::SessionCookie;
use crate::domain::secret::PlainToken;
use crate::domain::tokens::jwt::UnverifiedToken;
use crate::error::{Error, Result};

/// The name over https. The prefix `__Host-` prevents other hosts from setting it, and requires
/// `Secure`.
pub const SECURE: &str = "__Host-postern";
/// The name over plain http, for development.
pub const PLAIN: &str = "postern";

/// Whether this is one of Postern's cookie names, including the console's. The origin neither
/// receives nor sets such a cookie.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    name == SECURE || name == PLAIN || console_cookie::is_ours(name)
}

/// Whether browsers reach this origin over https.
#[must_use]
pub fn is_secure(origin: &str) -> bool {
    origin.starts_with("https:")
}

/// The origin to which browsers send this request: `PUBLIC_ORIGIN`, otherwise the request's own.
#[must_use]
pub fn origin<'a>(cx: &'a Cx, request: &'a dyn Inbound) -> &'a str {
    cx.config.browsers.public_origin.as_deref().unwrap_or_else(|| request.origin())
}

/// The cookie's name, over https or plain http.
#[must_use]
pub fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE } else { PLAIN }
}

/// The session in a cookie header. Over plain http, two of them are an error: another page may have
/// set one.
pub fn read(header: &str, is_secure: bool) -> Result<Option<Credential>> {
    let mut values = cookies::values(header, name(is_secure));
    let Some(value) = values.next().map(PlainToken::new) else { return Ok(None) };
    let cookie = match (is_secure, values.next().is_some()) {
        (true, false) => SessionCookie::Secure,
        (true, true) => SessionCookie::SecureTwice,
        (false, false) => SessionCookie::Plain,
        (false, true) => return Err(Error::doubled_credential(PLAIN)),
    };
    Ok(Some(Credential::Session { value, cookie }))
}

/// All sessions in a cookie header, under both names, at most four.
pub fn all(header: &str) -> impl Iterator<Item = PlainToken> {
    cookies::values(header, SECURE)
        .chain(cookies::values(header, PLAIN))
        .take(4)
        .map(PlainToken::new)
}

/// The header that begins a session for a token in the URL. `None` if the request does not navigate
/// to a page, if another credential was used, if the token is too long for a cookie, or if the
/// browser would not keep the cookie.
pub fn begin(
    cx: &Cx,
    request: &dyn Inbound,
    caller: &UserCaller,
    credential: &Credential,
    is_secure: bool,
) -> Result<Option<Header>> {
    let is_kept = is_for_frames(cx, is_secure) || !navigation::is_in_foreign_frame(request);
    if !is_kept || !navigation::is_one(request) {
        return Ok(None);
    }
    let (Credential::Parameters(parameters), Proof::Jwt { app, expires_at_s, .. }) =
        (credential, &caller.proof)
    else {
        return Ok(None);
    };
    let is_one = |name: &str| cx.memory.is_token_name(name).unwrap_or(true);
    // If memory does not know all parameter names, the credential is the only parameter with the
    // form of a token: another one would have been refused.
    let is_token = |token: &PlainToken| UnverifiedToken::parse(token.expose()).is_ok();
    let Some((_, token)) = parameters.iter().find(|(name, token)| is_one(name) && is_token(token))
    else {
        return Ok(None);
    };
    let cookie = gateway_sessions::of_token(cx, app, &caller.user, token)?;
    // Within the clock leeway an expired token is still accepted, and its session ends with it.
    let max_age_s = (expires_at_s - cx.now.seconds()).max(1);
    Ok(cookie.map(|cookie| set(cx, &cookie, max_age_s, is_secure)))
}

#[must_use]
pub fn set(cx: &Cx, value: &str, max_age_s: i64, is_secure: bool) -> Header {
    header(value, max_age_s, is_secure, is_for_frames(cx, is_secure))
}

fn header(value: &str, max_age_s: i64, is_secure: bool, in_frames: bool) -> Header {
    let (name, secure) = (name(is_secure), if is_secure { "; Secure" } else { "" });
    let same_site = if in_frames { "; SameSite=None; Partitioned" } else { "; SameSite=Lax" };
    (
        "set-cookie",
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly{secure}{same_site}").into(),
    )
}

/// Whether the cookie is also sent in frames of other sites, which requires https.
fn is_for_frames(cx: &Cx, is_secure: bool) -> bool {
    cx.config.browsers.in_frames && is_secure
}

/// The header that deletes the cookie. Of two cookies, it deletes the one that `SESSION_SAMESITE`
/// no longer sets.
#[must_use]
pub fn take_back(cx: &Cx, cookie: SessionCookie) -> Header {
    match cookie {
        SessionCookie::Plain => set(cx, "", 0, false),
        SessionCookie::Secure => set(cx, "", 0, true),
        SessionCookie::SecureTwice => header("", 0, true, !is_for_frames(cx, true)),
    }
}
