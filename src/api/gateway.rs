//! The gateway. A request for a path that no dialect owns is verified and forwarded to the origin,
//! with headers that identify the caller and without the credential.
//!
//! This module decides whether a request may pass and how it is changed; `edge` sends it. A
//! client's own headers of these names never reach the origin, in any spelling that an origin might
//! accept.

use crate::actions::assert_identity::assert_identity;
use crate::actions::authenticate;
use crate::actions::caller::{Caller, Credential, UserCaller};
use crate::actions::rules;
use crate::api::dialects;
use crate::api::http::console_host;
use crate::api::http::cors::Preflight;
use crate::api::http::credentials;
use crate::api::http::destination;
use crate::api::http::identity;
use crate::api::http::matched_rules::{match_rules, match_rules_as_written};
use crate::api::http::message::{Authority, Forward, Inbound, Response};
use crate::api::http::method_override;
use crate::api::http::navigation;
use crate::api::http::query::Query;
use crate::api::http::session_cookie;
use crate::api::http::token_parameters::{tokens_in, without_tokens};
use crate::context::Cx;
use crate::domain::method;
use crate::domain::origin::{Demand, Matched, Origin};
use crate::domain::path_readings;
use crate::domain::redaction;
use crate::error::{Error, Refusal, Result};

/// Headers between two neighbours (RFC 9110, 7.6.1), and headers that `fetch` sets itself.
const HOP_BY_HOP: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "content-length",
];

/// Headers with which a client could make an origin use another address, path, host or caller.
const NEVER_PASSED: [&str; 19] = [
    "forwarded",
    "x-real-ip",
    "true-client-ip",
    "x-client-ip",
    "client-ip",
    "x-cluster-client-ip",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    "x-envoy-original-path",
    "x-host",
    "x-http-host-override",
    // gunicorn removes this prefix from the path, if the sender is on its own machine.
    "script-name",
    "path-info",
    "x-script-name",
    // With these, Rack asks a server in front of it to send a file, and maps the path of that file.
    "x-sendfile-type",
    "x-accel-mapping",
    "x-accel-redirect",
];

/// The application that a request is for. `None` if there is none, or on the console's own host.
pub fn origin<'c>(cx: &'c Cx, request: &dyn Inbound) -> Result<Option<&'c Origin>> {
    if !console_host::has_gateway(cx, request) {
        return Ok(None);
    }
    cx.config
        .origins
        .of(authority(request), request.path())
        .map_err(|why| Error::invalid("url", why))
}

fn authority(request: &dyn Inbound) -> &str {
    request.origin().split_once("://").map_or("", |(_, authority)| authority)
}

/// The caller and their credential; `None` if the path needs none.
pub type Proven = Option<(UserCaller, Credential)>;

/// Authenticates and authorizes a request to the origin, as far as its path demands.
pub async fn judge(cx: &Cx, request: &dyn Inbound) -> Result<Proven> {
    let method = request.method();
    if !method::passes(method) {
        return Err(Error::MethodNotAllowed { allow: method::KNOWN.map(str::to_owned).to_vec() });
    }
    dialects::refuse_other_spelling(&cx.config, request.path())?;
    let matched = demand(cx, request)?;
    if matched.demand == Demand::Nothing {
        rules::report_public(cx, &matched, &told(request));
        return Ok(None);
    }
    let query = Query::of_others(request.query());
    let mut shown = credentials::shown(
        cx,
        request,
        session_cookie::origin(cx, request),
        credentials::in_query(&tokens_in(&query)),
    )?;
    if dialects::is_of_cookie(&cx.config, request.path()) {
        shown.extend(credentials::of_gis_manager(request)?);
    }
    let (caller, credential) =
        authenticate::authenticate_first(cx, &shown, rules::hints(&matched)).await?;
    if credential.is_cookie() {
        // Checked second, because it reads all headers: most requests come from the application's
        // own pages and pass the first check.
        let refused = credentials::refuse_cross_origin(cx, request);
        refused.or_else(|error| {
            if credentials::may_change(request, method, request.query()) {
                Err(error)
            } else {
                Ok(())
            }
        })?;
    }
    let user = may_pass(cx, &caller, request, &matched).await?.clone();
    Ok(Some((user, credential.clone())))
}

/// The answer to a page that was opened with a token in its URL: a redirect that sets a session
/// cookie and removes the token from the address bar and the history. `None` for any other request.
pub fn begin_session(
    cx: &Cx,
    request: &dyn Inbound,
    caller: &UserCaller,
    credential: &Credential,
) -> Result<Option<Response>> {
    let is_secure = session_cookie::is_secure(session_cookie::origin(cx, request));
    let Some((name, value)) = session_cookie::begin(cx, request, caller, credential, is_secure)?
    else {
        return Ok(None);
    };
    let location = navigation::location(
        request.path(),
        &without_tokens(cx, request.query(), Some(credential)),
    );
    Ok(Some(Response::empty(303).with("location", location).with(name, value)))
}

/// Authorizes a request of a dialect's own route, whose caller is already authenticated.
pub async fn judge_known<'c>(
    cx: &Cx,
    request: &dyn Inbound,
    caller: &'c Caller,
) -> Result<&'c UserCaller> {
    may_pass(cx, caller, request, &demand(cx, request)?).await
}

/// The user who calls, if the rules let them pass.
async fn may_pass<'c>(
    cx: &Cx,
    caller: &'c Caller,
    request: &dyn Inbound,
    matched: &Matched<'_>,
) -> Result<&'c UserCaller> {
    let what = if matched.reports.is_empty() { String::new() } else { told(request) };
    rules::require(cx, caller, matched, &what).await?;
    caller.user()
}

/// The method and path, as they are logged.
fn told(request: &dyn Inbound) -> String {
    format!("{} {}", redaction::method(request.method()), redaction::path(request.path()))
}

/// The request for the origin, after it was authorized, with the signed assertion of the caller.
pub async fn pass(
    cx: &Cx,
    origin: &Origin,
    request: &dyn Inbound,
    proven: Option<(&UserCaller, &Credential)>,
) -> Result<Forward> {
    let Some((caller, credential)) = proven else { return forward(cx, origin, request, None) };
    let assertion = assert_identity(cx, request.origin(), &origin.url, caller).await?;
    let mut forward = forward(cx, origin, request, Some((caller, credential)))?;
    forward
        .headers
        .extend(assertion.map(|assertion| (identity::ASSERTION.to_owned(), assertion.to_string())));
    Ok(forward)
}

/// The headers of a preflight that are forwarded. A browser sends no others.
const OF_PREFLIGHTS: [&str; 12] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "origin",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
];

/// The preflight for the origin. Browsers send preflights without a credential, so it passes even
/// if rules demand a caller, but only if the rules allow the method that it asks for. It has no
/// body, and no headers that could make it more than a question. Some applications run a page
/// whatever the method is. So the answer is forwarded without its body and only with what a browser
/// reads (`cors::is_of_answer`); otherwise anybody could read any page by OPTIONS.
pub fn pass_preflight(
    cx: &Cx,
    origin: &Origin,
    request: &dyn Inbound,
    asked: &Preflight,
) -> Result<Forward> {
    dialects::refuse_other_spelling(&cx.config, request.path())?;
    if method_override::is_in_query(request.query()) {
        return Err(Error::invalid("url", "must not have the parameter _method in a preflight"));
    }
    match match_rules(
        &cx.config.rules,
        &asked.method,
        authority(request),
        request.path(),
        request.query(),
    )?
    .demand
    {
        Demand::Methods(allow) => return Err(Error::MethodNotAllowed { allow }),
        Demand::Rules(rules) => {
            // A rule that refuses everybody also refuses the preflight.
            if let Some(rule) = rules.iter().find(|rule| rule.deny && rule.needs.is_empty()) {
                return Err(Refusal::ByRule { rule: rule.number, member: "deny" }.into());
            }
        }
        Demand::Nothing => {}
    }
    let mut forward = forward(cx, origin, request, None)?;
    let is_of_postern = |name: &str| name.starts_with("x-forwarded-") || name == "x-request-id";
    forward
        .headers
        .retain(|(name, _)| is_of_postern(name) || OF_PREFLIGHTS.contains(&name.as_str()));
    Ok(Forward { has_body: false, is_preflight: true, ..forward })
}

/// Whether `Destination` has no meaning for the method. Most requests use one of these methods.
fn is_of_reading(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// What the rules demand of a request, and of the destination of a copy or move.
fn demand<'c>(cx: &'c Cx, request: &dyn Inbound) -> Result<Matched<'c>> {
    let (rules, method, authority) = (&cx.config.rules, request.method(), authority(request));
    let matched = match_rules(rules, method, authority, request.path(), request.query())?;
    if is_of_reading(method) || (rules.rules.is_empty() && rules.public.is_empty()) {
        return Ok(matched);
    }
    destination::paths(request)?.iter().try_fold(matched, |matched, path| {
        Ok(matched.and(match_rules_as_written(
            rules,
            method,
            authority,
            path,
            destination::HEADER,
        )?))
    })
}

/// The request for the origin. `proven` is the caller and their credential; `None` if none was
/// needed.
fn forward(
    cx: &Cx,
    origin: &Origin,
    request: &dyn Inbound,
    proven: Option<(&UserCaller, &Credential)>,
) -> Result<Forward> {
    let credential = proven.map(|(_, credential)| credential);
    let query = without_tokens(cx, request.query(), credential);
    let question_mark = if query.is_empty() { "" } else { "?" };
    let mut headers = passed_headers(cx, request, credential);
    if let Some(address) = cx.peer_address() {
        let for_list = [request.header("x-forwarded-for"), Some(address)];
        headers.push((
            "x-forwarded-for".to_owned(),
            for_list.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ));
    }
    let (scheme, host) = request.origin().split_once("://").unwrap_or_default();
    headers.push(("x-forwarded-host".to_owned(), host.to_owned()));
    headers.push(("x-forwarded-proto".to_owned(), scheme.to_owned()));
    headers.push(("x-request-id".to_owned(), cx.request_id.clone()));
    if is_upgrade(request) {
        headers.push(("upgrade".to_owned(), "websocket".to_owned()));
    }
    if let Some((caller, _)) = proven {
        headers.extend(
            identity::headers(caller).into_iter().map(|(name, value)| (name.to_owned(), value)),
        );
        headers.extend(identity::passed_claims(caller));
    }
    let path = path_readings::as_sent(request.path()).map_err(|why| Error::invalid("url", why))?;
    Ok(Forward {
        url: format!("{}{path}{question_mark}{query}", origin.url),
        origin: origin.url.clone(),
        headers,
        has_body: true,
        is_preflight: false,
        timeout_s: cx.config.origins.timeout_s(origin),
        is_for_everybody: proven.is_none(),
        authority: proven
            .map(|(caller, _)| Authority::of(caller, cx.now, cx.config.clock_leeway_s)),
        answer_headers: Vec::new(),
    })
}

fn passed_headers(
    cx: &Cx,
    request: &dyn Inbound,
    credential: Option<&Credential>,
) -> Vec<(String, String)> {
    let connection = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    let of_this_hop: Vec<_> = connection.split(',').map(str::trim).collect();
    let stays = |name: &str| {
        let plain = method_override::plain_name(name);
        let is = |names: &[&str]| names.contains(&plain.as_str());
        !(HOP_BY_HOP.contains(&name)
            || of_this_hop.contains(&name)
            || is(&NEVER_PASSED)
            || identity::PREFIXES.iter().any(|prefix| plain.starts_with(prefix))
            || plain.starts_with("x-forwarded-")
            || plain == "x-request-id"
            || (is_of_reading(request.method()) && name == destination::HEADER)
            || cx
                .config
                .browsers
                .token_headers
                .iter()
                .any(|header| method_override::plain_name(header) == plain)
            || (cx.config.rules.looks_at_methods() && method_override::is_header(name))
            || (matches!(
                credential,
                Some(Credential::Password { .. } | Credential::Token(_) | Credential::Key { .. })
            ) && plain == "authorization"))
    };
    let cleaned = |(name, value): (String, String)| match name.as_str() {
        "cookie" => Some((name, without_cookies(cx, &value)?)),
        "referer" => Some((name, clean_url(cx, &value, credential))),
        _ => Some((name, value)),
    };
    request.headers().into_iter().filter(|(name, _)| stays(name)).filter_map(cleaned).collect()
}

/// Whether a header of the origin's answer is only for this connection and must not be forwarded.
#[must_use]
pub fn is_hop_by_hop(name: &str) -> bool {
    name != "content-length" && HOP_BY_HOP.contains(&name)
}

fn is_upgrade(request: &dyn Inbound) -> bool {
    request
        .header("upgrade")
        .is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// A cookie header without credentials; `None` if nothing remains. The application's cookies are
/// unchanged. A header that was sent twice arrives joined by a comma, but a value may also contain
/// commas.
fn without_cookies(cx: &Cx, header: &str) -> Option<String> {
    let is_credential = |name: &str, value: &str| {
        session_cookie::is_ours(name)
            || credentials::is_of_gis_manager(name, value)
            || cx.config.browsers.token_cookies.iter().any(|of_list| of_list == name)
    };
    let is_other = |part: &&str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        !is_credential(name.trim(), value.trim())
    };
    let others = |pair: &str| {
        let parts: Vec<_> = pair.split(',').filter(is_other).collect();
        parts.join(",").trim().to_owned()
    };
    let pairs: Vec<_> = header.split(';').map(others).filter(|pair| !pair.is_empty()).collect();
    Some(pairs.join("; ")).filter(|text| !text.is_empty())
}

fn clean_url(cx: &Cx, url: &str, credential: Option<&Credential>) -> String {
    let Some((begin, query)) = url.split_once('?') else { return url.to_owned() };
    match without_tokens(cx, query, credential) {
        query if query.is_empty() => begin.to_owned(),
        query => format!("{begin}?{query}"),
    }
}
