//! The way to where people sign in.

use crate::api::http::message::Response;
use crate::api::http::navigation;
use crate::api::http::token_parameters::without_tokens;
use crate::context::Cx;
use crate::domain::browsers::Login;

/// The page where people sign in to the gateway.
pub const SIGN_IN: &str = "/v1/sign-in";

/// Sends a browser to `LOGIN_URL`, which learns where to return to; `None` where the variable is not set.
#[must_use]
pub fn redirect(cx: &Cx, path: &str, query: &str) -> Option<Response> {
    let page = match cx.config.browsers.login.as_ref()? {
        Login::At(url) => url,
        Login::Password => SIGN_IN,
    };
    let return_to = navigation::location(path, &without_tokens(cx, query, None));
    Some(Response::empty(302).with("location", navigation::with_return_to(page, &return_to)))
}
