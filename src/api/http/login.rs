//! The way to where people sign in.

use crate::api::http::message::Response;
use crate::api::http::navigation;
use crate::api::http::token_parameters::without_tokens;
use crate::context::Cx;
use crate::domain::browsers::Login;

/// The page where people sign in to the gateway.
pub const SIGN_IN: &str = "/v1/sign-in";

/// The page of `LOGIN_URL`; `None` where the variable is not set.
#[must_use]
pub fn page(cx: &Cx) -> Option<&str> {
    Some(match cx.config.browsers.login.as_ref()? {
        Login::At(url) => url,
        Login::Password => SIGN_IN,
    })
}

/// The same, with where to return to.
#[must_use]
pub fn page_for(cx: &Cx, path: &str, query: &str) -> Option<String> {
    let return_to = navigation::location(path, &without_tokens(cx, query, None));
    page(cx).map(|page| navigation::with_return_to(page, &return_to))
}

/// Sends a browser to `LOGIN_URL`, which learns where to return to; `None` where the variable is
/// not set.
#[must_use]
pub fn redirect(cx: &Cx, path: &str, query: &str) -> Option<Response> {
    page_for(cx, path, query).map(|page| Response::empty(302).with("location", page))
}
