//! How long whoever asks may keep a verdict: `VERDICT_MAX_AGE_S`, and never longer than its
//! credential.
//!
//! Only answers to GET and HEAD are kept, since a cache knows a request by its URL.

use crate::actions::caller::Caller;
use crate::api::http::message::{Inbound, Response};
use crate::context::Cx;

/// The headers in which a credential may be.
pub const CREDENTIALS: &str = "authorization,x-auth-token,cookie";

/// The same, and those by which a proxy tells its client's request. nginx keeps no answer whose
/// `Vary` is longer than 128 bytes, so there are no spaces.
pub const FORWARDED: &str = "authorization,x-auth-token,cookie,x-forwarded-uri,x-original-uri,x-original-url,\
x-forwarded-method,x-original-method";

/// Lets a verdict about a caller be kept, if the deployment allows it. `None` is a verdict about
/// nobody.
#[must_use]
pub fn kept(
    cx: &Cx,
    request: &dyn Inbound,
    caller: Option<&Caller>,
    vary: &'static str,
    response: Response,
) -> Response {
    let max_age_s = cx.config.verdict_max_age_s;
    // `Vary` is too short for names that a deployment chooses.
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
    // What sets or takes back a cookie is for one client and one request.
    let has_cookie = response.header("set-cookie").is_some() || cx.ended_session.get().is_some();
    if age_s <= 0 || has_cookie {
        return response;
    }
    let response = response.with("cache-control", format!("private, max-age={age_s}"));
    response.with("x-accel-expires", age_s.to_string()).varying(vary)
}
