//! Refusals for the operator: a log line, which is one JSON text, and a counter.
//!
//! A line contains no credential. It has no query, no header except the request's id, and nothing
//! of a body. Path segments that look like tokens are hidden. The length of each member is bounded.

use serde::Serialize;

use crate::api::dialects::authzen;
use crate::api::http::message::{Inbound, status};
use crate::context::Cx;
use crate::domain::redaction;
use crate::domain::time::Millis;
use crate::error::{Error, Refusal};
use crate::ports::Log;

/// The longest request id of a client that is logged, in characters.
const MAX_REQUEST_ID: usize = 64;
/// The longest text about a fault, in characters.
const MAX_FAULT: usize = 400;

#[derive(Debug, Clone, Copy, Default)]
pub struct Refused<'a> {
    /// The method, or the operation that another Worker called.
    pub method: &'a str,
    /// The path; empty if another Worker called.
    pub path: &'a str,
    /// The name of the dialect, `gateway` or `gate`.
    pub dialect: &'static str,
    pub status: Status,
    /// Whether this is a recheck of an open stream.
    pub is_recheck: bool,
}

/// The status with which a refusal was answered.
#[derive(Debug, Clone, Copy, Default)]
pub enum Status {
    /// The status of the error, the same in every dialect.
    #[default]
    OfError,
    /// Another status, for example a redirect to the sign-in.
    Answered(u16),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    /// The text that Workers Logs shows of a collapsed line.
    message: &'a str,
    time: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_id: Option<String>,
    method: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    status: u16,
    reason: &'static str,
    dialect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// Logs and counts a refusal. `request` is `None` if another Worker called.
///
/// While a deployment is misconfigured, any caller can be refused for it. So each such fault is
/// logged once a minute at most. All refusals are counted.
pub fn note(cx: &Cx, request: Option<&dyn Inbound>, error: &Error, refused: &Refused<'_>) {
    cx.memory.refusals.note(error.word(), refused.dialect, cx.now);
    if let Error::Misconfigured(problems) = error
        && !cx.memory.lines.may_write(&problems.join("; "), cx.now)
    {
        return;
    }
    let rule = if let Error::Forbidden(Refusal::ByRule { rule, .. }) = error {
        Some(*rule)
    } else {
        cx.noted.rule_number()
    };
    let line = Line {
        client_request_id: request.and_then(client_request_id),
        app: cx.noted.app_name(),
        user: cx.noted.user_id(),
        key: cx.noted.key_id(),
        rule,
        about: cx.noted.asked_about().map(|what| about(&what)),
        country: request.and_then(country),
        ..Line::of(error, refused)
    };
    line.write(&*cx.log, &cx.request_id, cx.now, error);
}

/// Logs the refusal of a request when the deployment lacks its secrets.
pub fn note_without_context(
    log: &dyn Log,
    request_id: &str,
    now: Millis,
    error: &Error,
    refused: &Refused<'_>,
) {
    Line::of(error, refused).write(log, request_id, now, error);
}

impl Line<'_> {
    fn of(error: &Error, refused: &Refused<'_>) -> Self {
        Self {
            message: "",
            time: "",
            request_id: "",
            client_request_id: None,
            method: redaction::method(refused.method),
            path: redaction::path(refused.path),
            status: match refused.status {
                Status::OfError => status(error),
                Status::Answered(status) => status,
            },
            reason: error.word(),
            dialect: refused.dialect,
            app: None,
            user: None,
            key: None,
            rule: None,
            about: None,
            country: None,
            stream: refused.is_recheck,
            fault: error.fault().map(|fault| redaction::text(&fault, MAX_FAULT)),
        }
    }

    fn write(self, log: &dyn Log, request_id: &str, now: Millis, error: &Error) {
        let message = format!("refused {} {}", self.status, self.reason);
        let line = Line { message: &message, time: &now.iso(), request_id, ..self };
        let json = serde_json::to_string(&line).unwrap_or_default();
        log.refusal(&redaction::escaped(&json), status(error) >= 500);
    }
}

/// The method and path that a proxy asked about.
fn about(what: &str) -> String {
    match what.split_once(' ') {
        Some((method, path)) => format!("{} {}", redaction::method(method), redaction::path(path)),
        None => redaction::path(what),
    }
}

/// The two-character country code of the platform, which also has codes for Tor and for unknown
/// countries.
fn country(request: &dyn Inbound) -> Option<String> {
    request.country().filter(|country| {
        country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// The request id that the client sent, if answers echo it in place of Postern's own. Clients use
/// UUIDs as request ids, and Postern's opaque tokens are UUIDs, too. So an id that the request also
/// shows as a credential is hidden.
fn client_request_id(request: &dyn Inbound) -> Option<String> {
    let id = authzen::request_id(request)?;
    let is_plain = id.len() <= MAX_REQUEST_ID
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte));
    let is_uuid = is_plain
        && id.len() == 36
        && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_shown = || {
        let headers =
            ["authorization", "cookie"].into_iter().filter_map(|name| request.header(name));
        headers
            .chain([request.query().to_owned(), request.path().to_owned()])
            .any(|text| text.contains(&id))
    };
    let may_be_told =
        if is_uuid { !is_shown() } else { is_plain && !redaction::looks_like_token(&id) };
    Some(if may_be_told { id } else { redaction::HIDDEN.to_owned() })
}
