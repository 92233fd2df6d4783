//! The answers to other Workers of the account, as texts: no HTTP, and no exceptions.
//!
//! An answer is the body that the path of the same question has, with one member more: `ok`, which
//! is false for a failure. A failure also has `headers`, those that the path would have sent with
//! it.

use serde_json::{Map, Value, json};

use super::{failure, v1};
use crate::api::http::message::Response;
use crate::context::Cx;
use crate::domain::time::Millis;
use crate::error::Error;

/// Answers a question of an operation; `question` is its JSON text, and `None` where it was too
/// large.
pub async fn answer(cx: &Cx, operation: &str, question: Option<&str>) -> String {
    match v1::binding::answer(cx, operation, question).await {
        Ok(response) => with_first(r#""ok":true"#, &response.body),
        Err(error) => {
            if let Error::Internal(fault) | Error::Unavailable(fault) = &error {
                cx.log.line(&format!("{} Gate.{operation}: {}", cx.request_id, fault.for_log()));
            }
            refusal(&error, &cx.request_id, cx.now)
        }
    }
}

/// Answers a question that got no context: the deployment lacks its secrets, and nobody is let in.
#[must_use]
pub fn refuse(request_id: &str, now: Millis, problems: Vec<String>) -> String {
    refusal(&Error::Misconfigured(problems), request_id, now)
}

fn refusal(error: &Error, request_id: &str, now: Millis) -> String {
    let Response { headers, body, .. } = failure(&v1::DIALECT, error, now);
    let of_failure = headers.into_iter().filter(|(name, _)| *name != "content-type");
    let named = of_failure.map(|(name, value)| (name.to_owned(), Value::String(value.into_owned())));
    let id = ("x-request-id".to_owned(), json!(request_id));
    let headers = Value::Object(named.chain([id]).collect::<Map<_, _>>());
    with_first(&format!(r#""ok":false,"headers":{headers}"#), &body)
}

/// The text of an object, with members before its own, of which there is at least one.
fn with_first(members: &str, object: &str) -> String {
    format!("{{{members},{}", object.strip_prefix('{').unwrap_or("}"))
}
