//! Failures as problem details (RFC 9457). A refused credential has its reason in `reason`; a field
//! that breaks a rule is named in `field`.

use crate::api::http::declare::{Sometimes, answer};
use crate::api::http::message::{self, Response};
use crate::api::http::shape::Kind;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Limit, Refusal};

const REASONS: Kind = Kind::AnyOf(&[
    Kind::OneOf(Denied::OF_ANY_CALL),
    Kind::OneOf(Refusal::REASONS),
    Kind::OneOf(&Limit::REASONS),
]);

answer! {
    pub(super) struct Problem<'a> as "Problem" {
        "type" kind: &'static str => "about:blank",
        "title" title: &'static str => "the status in words",
        "status" status: u16 => "the HTTP status",
        "detail" detail: &'a str => "what is wrong, in a sentence",
        "reason" reason: Sometimes<&'static str> as REASONS =>
            "401: why the credential was refused; 403: why the caller was refused; 429: which \
             limit was reached",
        "field" field: Sometimes<&'a str> => "400: which parameter or member breaks the rule",
        "errors" errors: Sometimes<Vec<WrongLine<'a>>> =>
            "400: the wrong lines of an import, 100 at most",
    } example r#"{
        "type":"about:blank","title":"Unauthorized","status":401,
        "detail":"the token's signature does not verify","reason":"bad_signature"
    }"#
}

answer! {
    pub(super) struct WrongLine<'a> as "WrongLine" {
        "line" line: i64 => "its number; the first line is 1",
        "field" field: &'a str => "which member or column",
        "why" why: &'a str => "the rule that it breaks",
    } example r#"{"line":1,"field":"serviceId","why":"is required"}"#
}

pub(super) fn failure(error: &Error, _: Millis) -> Response {
    of(error, &message::sentence(error))
}

/// A failure with a second sentence that tells the caller what to do.
pub(super) fn failure_with(error: &Error, way_out: &str) -> Response {
    of(error, &format!("{}. {way_out}", message::sentence(error)))
}

fn of(error: &Error, detail: &str) -> Response {
    let mut problem = Problem::of(message::status(error), detail);
    problem.reason = Sometimes(error.reason());
    if let Error::Invalid { field, .. } = error {
        problem.field = Sometimes(Some(field));
    }
    problem.answer()
}

pub(super) fn of_lines(status: u16, detail: &str, errors: Vec<WrongLine<'_>>) -> Response {
    Problem { errors: Sometimes(Some(errors)), ..Problem::of(status, detail) }.answer()
}

impl<'a> Problem<'a> {
    fn of(status: u16, detail: &'a str) -> Self {
        Self {
            kind: "about:blank",
            title: title(status),
            status,
            detail,
            reason: Sometimes(None),
            field: Sometimes(None),
            errors: Sometimes(None),
        }
    }

    /// Written directly as text, so that a refusal costs no more than a success.
    fn answer(&self) -> Response {
        Response::text(
            self.status,
            "application/problem+json",
            serde_json::to_string(self).unwrap_or_default(),
        )
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}
