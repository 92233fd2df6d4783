//! The cookie of a console session: its name, its attributes, and the requests for which it is
//! valid.
//!
//! `SameSite` does not separate hosts of one site, such as `app.example.com` and
//! `admin.example.com`. So the browser must also say that a page of exactly this origin sends the
//! request.

use crate::actions::caller::Credential;
use crate::api::http::console_host::{self, SignIn};
use crate::api::http::cookies;
use crate::api::http::message::{Header, Inbound};
use crate::context::Cx;
use crate::domain::browsers::EndedSession;
use crate::domain::secret::PlainToken;
use crate::error::{Denied, Error, Refusal, Result};

/// The name over https. The prefix `__Host-` prevents other hosts from setting it, and requires
/// `Secure`.
const SECURE: &str = "__Host-postern-admin";
/// The name over plain http, for development.
const PLAIN: &str = "postern-admin";

/// Whether this is one of the console's cookie names. The gateway passes such a cookie to no
/// application, and lets none set it.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    name == SECURE || name == PLAIN
}

fn is_secure(request: &dyn Inbound) -> bool {
    request.origin().starts_with("https:")
}

fn name(request: &dyn Inbound) -> &'static str {
    if is_secure(request) { SECURE } else { PLAIN }
}

/// Whether the browser says that a page of this origin sends the request. Over plain http to other
/// machines browsers omit `Sec-Fetch-Site`; then `Origin` must be this origin. If both headers are
/// present, both must agree: behind a proxy, the page may belong to the application.
#[must_use]
pub fn is_of_own_page(request: &dyn Inbound) -> bool {
    let origin = request.header("origin").map(|origin| origin == request.origin());
    match request.header("sec-fetch-site") {
        Some(site) => site == "same-origin" && origin.unwrap_or(true),
        None => origin == Some(true),
    }
}

/// Refuses to begin or end a session for a page of another origin, or on a host without sign-in.
pub fn refuse_others(cx: &Cx, request: &dyn Inbound) -> Result<()> {
    let way_out = match console_host::sign_in(cx, request) {
        SignIn::Here if is_of_own_page(request) => return Ok(()),
        SignIn::Here => return Err(Refusal::NotOfConsole.into()),
        SignIn::Elsewhere(url) => format!("it is at {url}"),
        SignIn::Off => "set ADMIN_HOST to a host that the application does not have".to_owned(),
    };
    Err(Error::not_found("sign-in to the console on this host:", way_out))
}

/// The session of a request, if the cookie is valid for it. Two cookies are an error: over plain
/// http, a page of another host may have set one.
pub fn read(cx: &Cx, request: &dyn Inbound) -> Result<Option<Credential>> {
    let mut values = counting(cx, request).into_iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Error::doubled_credential(name(request))),
        (value, _) => Ok(value.map(Credential::Console)),
    }
}

/// The sessions that a request shows; empty if the cookie is not valid for the request.
#[must_use]
pub fn counting(cx: &Cx, request: &dyn Inbound) -> Vec<PlainToken> {
    let shown = all(request);
    let counts = || console_host::sign_in(cx, request) == SignIn::Here && is_of_own_page(request);
    if !shown.is_empty() && counts() { shown } else { Vec::new() }
}

/// All sessions that a request shows, at most four.
#[must_use]
pub fn all(request: &dyn Inbound) -> Vec<PlainToken> {
    let header = request.header("cookie").unwrap_or_default();
    cookies::values(&header, name(request)).take(4).map(PlainToken::new).collect()
}

/// Tells a refused caller who shows the console's cookie what to do.
#[must_use]
pub fn way_out(cx: &Cx, request: &dyn Inbound, denied: &Denied) -> Option<&'static str> {
    match denied {
        _ if cx.ended_session.get() == Some(EndedSession::OfConsole) => {
            Some("The session of the console is over: sign in again")
        }
        Denied::Missing if !all(request).is_empty() => Some(
            "The console's cookie is valid only on the console's own host, for requests of its own \
             pages, and for management: send Authorization",
        ),
        _ => None,
    }
}

#[must_use]
pub fn set(request: &dyn Inbound, value: &str, max_age_s: i64) -> Header {
    let (name, secure) = (name(request), if is_secure(request) { "; Secure" } else { "" });
    let set =
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly{secure}; SameSite=Strict");
    ("set-cookie", set.into())
}

/// The header that deletes the cookie.
#[must_use]
pub fn take_back(request: &dyn Inbound) -> Header {
    set(request, "", 0)
}
