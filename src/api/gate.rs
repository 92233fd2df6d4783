//! Answers other Workers of the account with JSON texts: without HTTP, and without exceptions.
//!
//! An answer is the body that the HTTP route for the same question sends, with the additional
//! member `ok`, which is false for a failure. A failure also has `headers`, as the route would send
//! them. A success has `headers` only if it relies on copies; they tell the age of the copies.

use serde_json::{Map, Value};

use super::{class, failure, note_decision, stale, v1};
use crate::api::http::message::{self, Header, Response};
use crate::api::refusals::{self, Refused};
use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::Error;
use crate::ports::Log;

/// Answers a question. `question` is its JSON text; `None` means that it was too large.
pub async fn answer(cx: &Cx, operation: &str, question: Option<&str>) -> String {
    cx.memory.counters.begin(cx.now);
    cx.noted.decides(v1::binding::decides(operation));
    let answer = v1::binding::answer(cx, operation, question).await;
    note_decision(cx, GATE, answer.as_ref().err());
    let status = answer.as_ref().map_or_else(message::status, |response| response.status);
    cx.memory.counters.request(GATE, class(status));
    match answer {
        Ok(response) => match stale(cx) {
            None => with_first(r#""ok":true"#, &response.body),
            Some(age) => {
                with_first(&format!(r#""ok":true,"headers":{}"#, object([age])), &response.body)
            }
        },
        Err(error) => {
            if matches!(status, 401 | 403 | 429 | 500..) {
                refusals::note(cx, None, &error, &refused(operation));
            }
            refusal(&error, &cx.request_id, cx.now, stale(cx))
        }
    }
}

/// Answers a question if the deployment lacks its secrets: every caller is refused.
#[must_use]
pub fn refuse(
    log: &dyn Log,
    operation: &str,
    request_id: &str,
    now: Millis,
    problems: Vec<String>,
) -> String {
    let error = Error::Misconfigured(problems);
    refusals::note_without_context(log, request_id, now, &error, &refused(operation));
    refusal(&error, request_id, now, None)
}

/// The name of these questions in the log and in counters.
const GATE: &str = "gate";

fn refused(operation: &str) -> Refused<'_> {
    Refused { method: operation, dialect: GATE, ..Refused::default() }
}

fn refusal(error: &Error, request_id: &str, now: Millis, stale: Option<Header>) -> String {
    let Response { headers, body, .. } = failure(&v1::DIALECT, error, now);
    let of_failure = headers.into_iter().filter(|(name, _)| *name != "content-type");
    let headers =
        object(of_failure.chain(stale).chain([("x-request-id", request_id.to_owned().into())]));
    with_first(&format!(r#""ok":false,"headers":{headers}"#), &body)
}

fn object(headers: impl IntoIterator<Item = Header>) -> Value {
    let named = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value.into_owned())));
    Value::Object(named.collect::<Map<_, _>>())
}

/// Inserts members at the beginning of a JSON object. The object must have at least one member.
fn with_first(members: &str, object: &str) -> String {
    format!("{{{members},{}", object.strip_prefix('{').unwrap_or("}"))
}
