//! How long a caller may cache a verdict: `VERDICT_MAX_AGE_S`, but never longer than the credential
//! is valid.
//!
//! Only answers to GET and HEAD may be cached, because the URL is the cache key.

use crate::actions::caller::Caller;
use crate::api::http::message::{Inbound, Response};
use crate::context::Cx;

/// The headers that may contain a credential.
pub const CREDENTIALS: &str = "authorization,x-auth-token,cookie";

/// The same headers, and those in which a proxy describes its client's request. There are no
/// spaces, because nginx does not cache an answer whose `Vary` is longer than 128 bytes.
pub const FORWARDED: &str = "authorization,x-auth-token,cookie,x-forwarded-uri,x-original-uri,\
                             x-original-url,x-forwarded-method,x-original-method";

/// Allows a verdict about a caller to be cached, if the deployment configures it. `None` is a
/// verdict without a caller.
#[must_use]
pub fn kept(
    cx: &Cx,
    request: &dyn Inbound,
    caller: Option<&Caller>,
    vary: &'static str,
    response: Response,
) -> Response {
    let max_age_s = cx.config.verdict_max_age_s;
    // The header names that a deployment configures would not fit into `Vary`.
    let names_headers = !cx.config.browsers.token_headers.is_empty();
    if max_age_s == 0
        || names_headers
        || response.status != 200
        || !matches!(request.method(), "GET" | "HEAD")
    {
        return response;
    }
    let ends_at = caller.and_then(|caller| caller.ends_at(cx.now, cx.config.clock_leeway_s));
    let age_s =
        ends_at.map_or(max_age_s, |end| max_age_s.min(end.0.saturating_sub(cx.now.0) / 1000));
    // An answer that sets or deletes a cookie is for one client and one request.
    let has_cookie = response.header("set-cookie").is_some() || cx.ended_session.get().is_some();
    if age_s <= 0 || has_cookie {
        return response;
    }
    let response = response.with("cache-control", format!("private, max-age={age_s}"));
    response.with("x-accel-expires", age_s.to_string()).varying(vary)
}
