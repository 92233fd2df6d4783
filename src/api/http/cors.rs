//! CORS: preflights, and the headers that let a page of another origin read an answer (Fetch
//! standard, 3.2 "CORS protocol").

use crate::api::http::message::{Header, Inbound, Response};
use crate::context::Cx;
use crate::domain::method;
use crate::error::{Refusal, Result};

/// The longest value of `Access-Control-Request-Headers` that is echoed, in bytes.
const MAX_HEADERS_BYTES: usize = 2048;

pub const ORIGIN: &str = "origin";

pub struct Preflight {
    /// The method of the request that would follow.
    pub method: String,
    /// The headers of the request that would follow; empty if none needs to be allowed.
    headers: String,
}

impl Preflight {
    /// Reads a preflight. `None` for any other request, and for one that no browser would send.
    pub fn of(request: &dyn Inbound) -> Option<Self> {
        if request.method() != "OPTIONS" || request.header("origin")?.trim().is_empty() {
            return None;
        }
        let method = request
            .header("access-control-request-method")
            .filter(|method| method::passes(method))?;
        let headers = request.header("access-control-request-headers").unwrap_or_default();
        let are_names =
            headers.split(',').map(str::trim).all(|name| name.is_empty() || method::is_token(name));
        (are_names && headers.len() <= MAX_HEADERS_BYTES).then_some(Self { method, headers })
    }

    /// The answer that allows what was asked for.
    #[must_use]
    pub fn allowed(self) -> Response {
        let response = Response::empty(204)
            .with("access-control-allow-methods", self.method)
            .with("access-control-max-age", "600");
        if self.headers.is_empty() {
            response
        } else {
            response.with("access-control-allow-headers", self.headers)
        }
    }
}

/// Whether the answer to a preflight keeps this header of the origin, given in lower case. A
/// browser reads no others.
#[must_use]
pub fn is_of_answer(name: &str) -> bool {
    name.starts_with("access-control-") || matches!(name, "allow" | "vary")
}

/// The origin of the calling page, if `CORS_ORIGINS` lists it.
pub fn allowed_origin(cx: &Cx, request: &dyn Inbound) -> Option<String> {
    if cx.config.cors_origins.is_empty() {
        return None;
    }
    request.header("origin").filter(|origin| cx.config.cors_origins.contains(origin))
}

/// Refuses a preflight from an origin that `CORS_ORIGINS` does not list, unless that variable is
/// empty. Otherwise the page's author would see "the credential is missing", which is true of every
/// preflight.
pub fn refuse_unlisted(cx: &Cx, request: &dyn Inbound) -> Result<()> {
    let is_refused = !cx.config.cors_origins.is_empty()
        && Preflight::of(request).is_some()
        && allowed_origin(cx, request).is_none();
    if is_refused { Err(Refusal::OriginNotListed.into()) } else { Ok(()) }
}

/// The headers that let a page of a listed origin read the answer. If any origin is listed, every
/// answer varies by `Origin`, even if the request has none.
pub fn headers(cx: &Cx, request: &dyn Inbound) -> Vec<Header> {
    if cx.config.cors_origins.is_empty() {
        return Vec::new();
    }
    let mut headers: Vec<Header> = vec![("vary", ORIGIN.into())];
    if let Some(origin) = allowed_origin(cx, request) {
        let exposed =
            "x-request-id, x-postern-bookmark, x-postern-reason, retry-after, www-authenticate";
        headers.extend([
            ("access-control-allow-origin", origin.into()),
            ("access-control-expose-headers", exposed.into()),
        ]);
    }
    headers
}
