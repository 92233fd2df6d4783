//! The HTTP dialects, side by side, and the way of one request through them: dialect → route → access → handler → envelope.
//!
//! Dialects never import each other.

pub mod body;
pub mod credentials;
pub mod datafor_modeler;
pub mod http;
pub mod imanager;
#[cfg(not(target_arch = "wasm32"))]
pub mod openapi;
pub mod query;
pub mod route;
pub mod services;
pub mod shape;
pub mod v1;

use crate::actions::authenticate::{self, Caller, Credential, Hints};
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Refusal, Result};
use crate::ports::Cx;

use http::{Inbound, MAX_URL_BYTES, Response};
use query::Query;
use route::{Access, Call, Dialect, Found, Route};

/// Every dialect. The longest matching prefix decides; the last one has the empty prefix.
pub const DIALECTS: &[&Dialect] = &[&datafor_modeler::DIALECT, &services::DIALECT, &imanager::DIALECT, &v1::DIALECT];

/// The header that names what a read must at least have seen, and what a write wrote.
const BOOKMARK: &str = "x-postern-bookmark";

/// Answers a request. It never fails: failures are answers too.
pub async fn handle(cx: &Cx, request: &dyn Inbound) -> Response {
    if let Some(response) = preflight(cx, request) {
        return finish(request, &cx.request_id, Some(cx), response);
    }
    let dialect = dialect(request.path());
    let response = match answer(cx, dialect, request).await {
        Ok(response) => response,
        Err(error) => {
            log(cx, request, &error);
            failure(dialect, &error, cx.now)
        }
    };
    finish(request, &cx.request_id, Some(cx), response)
}

/// Answers a request that got no context: the deployment lacks its secrets, and lets nobody in.
#[must_use]
pub fn refuse(request: &dyn Inbound, request_id: &str, now: Millis, problems: Vec<String>) -> Response {
    finish(request, request_id, None, failure(dialect(request.path()), &Error::Misconfigured(problems), now))
}

/// Answers a request that cannot even be read.
#[must_use]
pub fn unreadable(request_id: &str, error: &Error) -> Response {
    with_standard_headers(failure(&v1::DIALECT, error, Millis(0)), request_id)
}

fn dialect(path: &str) -> &'static Dialect {
    let owns = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'));
    let longest = |dialect: &Dialect| dialect.prefixes.iter().filter(|prefix| owns(prefix)).map(|prefix| prefix.len() + 1).max();
    DIALECTS.iter().copied().max_by_key(|dialect| longest(dialect)).unwrap_or(&v1::DIALECT)
}

async fn answer(cx: &Cx, dialect: &Dialect, request: &dyn Inbound) -> Result<Response> {
    if request.path().len() + request.query().len() > MAX_URL_BYTES {
        return Err(Error::TooLarge { what: "url", limit_bytes: MAX_URL_BYTES });
    }
    let Found { route, parameters } = route::find(request.method(), request.path())?;
    let query = Query::parse(request.query())?;
    if let Some(bookmark) = request.header(BOOKMARK) {
        check_bookmark(&bookmark)?;
        cx.sql.read_at_least(bookmark);
        cx.must_read.set(true);
    }
    let caller = caller(cx, dialect, route, request, &query).await?;
    let call = Call { request, query: &query, parameters, caller };
    (route.handler)(cx, &call).await
}

/// Who calls, where the route wants to know; looked at before the body is.
async fn caller(cx: &Cx, dialect: &Dialect, route: &Route, request: &dyn Inbound, query: &Query) -> Result<Option<Caller>> {
    if route.access == Access::Public {
        return Ok(None);
    }
    let in_query = || dialect.takes_parameters.then(|| credentials::in_query(query)).flatten();
    let credential = credentials::in_headers(request)?.or_else(in_query).ok_or(Denied::Missing)?;
    if route.writes && matches!(credential, Credential::Cookie(_)) {
        credentials::refuse_cross_origin(request)?;
    }
    let caller = authenticate::authenticate(cx, &credential, Hints::default()).await?;
    if route.access == Access::Administrator && !caller.user.is_administrator() {
        return Err(Refusal::NotAdministrator.into());
    }
    Ok(Some(caller))
}

/// A bookmark is what a write answered, and nothing else: D1 gives other words a meaning.
fn check_bookmark(bookmark: &str) -> Result<()> {
    let is_one = (1..=128).contains(&bookmark.len()) && bookmark.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_one { Ok(()) } else { Err(Error::invalid(BOOKMARK, "must be the value that a write answered")) }
}

fn log(cx: &Cx, request: &dyn Inbound, error: &Error) {
    if let Error::Internal(fault) | Error::Unavailable(fault) = error {
        cx.log.line(&format!("{} {} {}: {}", cx.request_id, request.method(), request.path(), fault.for_log()));
    }
}

/// A failure in the dialect's envelope, with the headers that HTTP wants in any.
fn failure(dialect: &Dialect, error: &Error, now: Millis) -> Response {
    let response = (dialect.failure)(error, now);
    match error {
        Error::Unauthenticated(Denied::Missing) => response.with("www-authenticate", "Bearer"),
        Error::Unauthenticated(_) => response.with("www-authenticate", "Bearer error=\"invalid_token\""),
        Error::MethodNotAllowed { allow } => response.with("allow", allow.join(", ")),
        Error::TooMany { retry_after_s } => response.with("retry-after", retry_after_s.to_string()),
        Error::Forbidden(_)
        | Error::NotFound { .. }
        | Error::NotAcceptable { .. }
        | Error::Conflict { .. }
        | Error::AlreadyExists { .. }
        | Error::Invalid { .. }
        | Error::TooLarge { .. }
        | Error::Unavailable(_)
        | Error::Misconfigured(_)
        | Error::Internal(_) => response,
    }
}

fn finish(request: &dyn Inbound, request_id: &str, cx: Option<&Cx>, mut response: Response) -> Response {
    if request.method() == "HEAD" {
        response.body.clear();
        response.pages = None;
    }
    let mut response = with_standard_headers(response, request_id);
    let Some(cx) = cx else { return response };
    if let Some(bookmark) = cx.sql.bookmark() {
        response = response.with(BOOKMARK, bookmark);
    }
    if let Some(origin) = allowed_origin(cx, request) {
        response = response
            .with("access-control-allow-origin", origin)
            .with("access-control-expose-headers", "x-request-id, x-postern-bookmark, retry-after")
            .with("vary", "origin");
    }
    response
}

fn with_standard_headers(response: Response, request_id: &str) -> Response {
    response.with("x-request-id", request_id).with("cache-control", "no-store").with("x-content-type-options", "nosniff")
}

/// The origin of the page that calls, where `CORS_ORIGINS` lists it.
fn allowed_origin(cx: &Cx, request: &dyn Inbound) -> Option<String> {
    if cx.config.cors_origins.is_empty() {
        return None;
    }
    request.header("origin").filter(|origin| cx.config.cors_origins.contains(origin))
}

/// The answer to a browser that asks whether a page may call.
fn preflight(cx: &Cx, request: &dyn Inbound) -> Option<Response> {
    if request.method() != "OPTIONS" {
        return None;
    }
    allowed_origin(cx, request)?;
    let method = request.header("access-control-request-method")?;
    route::find(&method, request.path()).ok()?;
    let response = Response::empty(204)
        .with("access-control-allow-methods", method)
        .with("access-control-allow-headers", "authorization, content-type, x-auth-token, x-postern-bookmark")
        .with("access-control-max-age", "600");
    Some(response)
}
