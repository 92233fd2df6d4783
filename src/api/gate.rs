//! The answers to other Workers of the account, as texts: no HTTP, and no exceptions.
//!
//! An answer is the body that the path of the same question has, with one member more: `ok`, which
//! is false for a failure. A failure also has `headers`, those that the path would have sent with
//! it, and so has an answer that relies on copies: one of them says how old these are.

use serde_json::{Map, Value};

use super::{failure, stale, v1};
use crate::api::http::message::{Header, Response};
use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::Error;

/// Answers a question of an operation; `question` is its JSON text, and `None` where it was too
/// large.
pub async fn answer(cx: &Cx, operation: &str, question: Option<&str>) -> String {
    match v1::binding::answer(cx, operation, question).await {
        Ok(response) => match stale(cx) {
            None => with_first(r#""ok":true"#, &response.body),
            Some(age) => with_first(&format!(r#""ok":true,"headers":{}"#, object([age])), &response.body),
        },
        Err(error) => {
            if let Error::Internal(fault) | Error::Unavailable(fault) = &error {
                cx.log.line(&format!("{} Gate.{operation}: {}", cx.request_id, fault.for_log()));
            }
            refusal(&error, &cx.request_id, cx.now, stale(cx))
        }
    }
}

/// Answers a question that got no context: the deployment lacks its secrets, and nobody is let in.
#[must_use]
pub fn refuse(request_id: &str, now: Millis, problems: Vec<String>) -> String {
    refusal(&Error::Misconfigured(problems), request_id, now, None)
}

fn refusal(error: &Error, request_id: &str, now: Millis, stale: Option<Header>) -> String {
    let Response { headers, body, .. } = failure(&v1::DIALECT, error, now);
    let of_failure = headers.into_iter().filter(|(name, _)| *name != "content-type");
    let headers = object(of_failure.chain(stale).chain([("x-request-id", request_id.to_owned().into())]));
    with_first(&format!(r#""ok":false,"headers":{headers}"#), &body)
}

fn object(headers: impl IntoIterator<Item = Header>) -> Value {
    let named = headers.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value.into_owned())));
    Value::Object(named.collect::<Map<_, _>>())
}

/// The text of an object, with members before its own, of which there is at least one.
fn with_first(members: &str, object: &str) -> String {
    format!("{{{members},{}", object.strip_prefix('{').unwrap_or("}"))
}
