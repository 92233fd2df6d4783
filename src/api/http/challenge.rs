//! The `WWW-Authenticate` header of a refusal: RFC 6750, 3, for tokens; RFC 7617 for passwords.

use crate::api::http::message::{Inbound, sentence};
use crate::error::{Denied, Error, Refusal, Rule};

/// Added because some programs send a user name and a password only after such a challenge.
const BASIC: &str = "Basic realm=\"postern\", charset=\"UTF-8\"";

/// The challenge of a refusal, or `None`. A missing permission has none: another credential would
/// not help.
#[must_use]
pub fn of(error: &Error, offers_basic: bool) -> Option<String> {
    match error {
        Error::Unauthenticated(denied) => {
            let bearer = of_denied(denied, error);
            Some(if offers_basic { format!("{bearer}, {BASIC}") } else { bearer })
        }
        Error::Forbidden(Refusal::InsufficientScope { scopes }) => {
            let scopes = quotable(scopes);
            Some(format!("{}, scope=\"{scopes}\"", with_error("insufficient_scope", error)))
        }
        Error::Invalid { rule: Rule::Credential, .. } => Some(with_error("invalid_request", error)),
        _ => None,
    }
}

/// If no token could be judged, the challenge has no error code (RFC 6750, 3.1).
fn of_denied(denied: &Denied, error: &Error) -> String {
    match denied {
        Denied::Missing
        | Denied::BadScheme
        | Denied::WrongPassword
        | Denied::UnknownApplication
        | Denied::Replayed
        | Denied::StaleTimestamp => "Bearer realm=\"postern\"".to_owned(),
        _ => with_error("invalid_token", error),
    }
}

fn with_error(word: &str, error: &Error) -> String {
    format!(
        "Bearer realm=\"postern\", error=\"{word}\", error_description=\"{}\"",
        quotable(&sentence(error))
    )
}

/// Keeps the characters that are allowed between the quotes (RFC 6750, 3).
fn quotable(text: &str) -> String {
    text.chars()
        .filter(|c| (c.is_ascii_graphic() && !matches!(c, '"' | '\\')) || *c == ' ')
        .collect()
}

/// Whether Basic may be offered. A browser that gets this challenge opens its own window for the
/// password, even if a script of the page sent the request.
#[must_use]
pub fn offers_basic(request: &dyn Inbound) -> bool {
    let is_browser =
        || request.header("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/"));
    request.header("sec-fetch-site").is_none() && !is_browser()
}
