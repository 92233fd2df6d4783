//! Where a browser is sent to sign in.

use crate::api::http::message::Response;
use crate::api::http::navigation;
use crate::api::http::token_parameters::without_tokens;
use crate::context::Cx;
use crate::domain::browsers::Login;

pub const SIGN_IN: &str = "/v1/sign-in";

/// The sign-in page that `LOGIN_URL` selects; `None` if the variable is not set.
#[must_use]
pub fn page(cx: &Cx) -> Option<&str> {
    Some(match cx.config.browsers.login.as_ref()? {
        Login::At(url) => url,
        Login::Password => SIGN_IN,
    })
}

/// The sign-in page, with the URL to return to.
#[must_use]
pub fn page_for(cx: &Cx, path: &str, query: &str) -> Option<String> {
    let return_to = navigation::location(path, &without_tokens(cx, query, None));
    page(cx).map(|page| navigation::with_return_to(page, &return_to))
}

/// Redirects a browser to the sign-in page, with the URL to return to. `None` if `LOGIN_URL` is not
/// set.
#[must_use]
pub fn redirect(cx: &Cx, path: &str, query: &str) -> Option<Response> {
    page_for(cx, path, query).map(|page| Response::empty(302).with("location", page))
}
