//! HTTP as plain types. Parts of a request are read only on demand, because each header that is
//! read crosses from wasm to JavaScript.

use std::borrow::Cow;

use serde::Serialize;

use crate::actions::caller::UserCaller;
use crate::domain::time::Millis;
use crate::error::Error;
use crate::ports::LocalFuture;

/// The longest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest URL, in bytes: path and query.
pub const MAX_URL_BYTES: usize = 16 * 1024;

/// The headers that most answers have; reserved in advance.
const MOST_HEADERS: usize = 8;

pub trait Inbound {
    /// The method in upper case.
    fn method(&self) -> &str;
    /// The web origin: `https://host:port`.
    fn origin(&self) -> &str;
    /// The path, percent-encoded as it was sent.
    fn path(&self) -> &str;
    /// The query without its question mark; empty if there is none.
    fn query(&self) -> &str;
    /// All headers, each name once and in lower case.
    fn headers(&self) -> Vec<(String, String)>;
    /// The value of a header. If it was sent several times, the values are joined by commas.
    fn header(&self, name: &'static str) -> Option<String>;
    /// The client's country as the platform tells it, two letters.
    fn country(&self) -> Option<String>;
    /// The body. Fails with `TooLarge` if it is longer than [`MAX_BODY_BYTES`].
    fn body(&self) -> LocalFuture<'_, Result<Vec<u8>, Error>>;
}

#[derive(Debug)]
pub enum Handled {
    Answered(Response),
    /// The request goes to the origin.
    Passed(Forward),
}

/// A request to the origin: the client's request and body, with other headers.
#[derive(Debug, PartialEq, Eq)]
pub struct Forward {
    pub url: String,
    /// The application's URL as configured in `ORIGIN_URL` or `ORIGINS`; `url` is below it.
    pub origin: String,
    /// All headers except `Host`, which follows from the URL.
    pub headers: Vec<(String, String)>,
    /// Whether the client's body is forwarded.
    pub has_body: bool,
    /// Seconds without progress before the gateway answers 504.
    pub timeout_s: i64,
    /// Whether this is a preflight, which was not authenticated. Its answer is reduced to what a
    /// browser reads.
    pub is_preflight: bool,
    /// Whether the answer is the same for everybody, so that a shared cache may store it.
    pub is_for_everybody: bool,
    /// Who sends the request and until when that is valid; `None` if no credential was needed.
    pub authority: Option<Authority>,
    /// Headers set on the origin's answer, replacing its own; `vary` is appended.
    pub answer_headers: Vec<Header>,
}

/// The authority by which a request was forwarded. A stream that it opens ends with the authority.
#[derive(Debug, PartialEq, Eq)]
pub struct Authority {
    pub user_id: i64,
    pub app: Option<String>,
    /// When the token or session ends. `None` for a password, which does not end.
    pub ends_at: Option<Millis>,
}

impl Authority {
    #[must_use]
    pub fn of(caller: &UserCaller, now: Millis, leeway_s: i64) -> Self {
        let ends_at = caller.ends_at(now, leeway_s);
        let app = caller.app().map(|app| app.as_str().to_owned());
        Self { user_id: caller.user.id.0, app, ends_at }
    }

    /// A text that identifies the user and token app, for comparisons.
    #[must_use]
    pub fn holder(&self) -> String {
        format!("{} {}", self.user_id, self.app.as_deref().unwrap_or_default())
    }
}

/// A header of an answer: its name in lower case, and its value. Constant values are borrowed.
pub type Header = (&'static str, Cow<'static, str>);

/// Produces the further pages of a long body on demand. `None` is the end.
pub type Pages = Box<dyn FnMut() -> LocalFuture<'static, Option<Result<String, Error>>>>;

pub struct Response {
    pub status: u16,
    /// Each name once.
    pub headers: Vec<Header>,
    /// The body, or its beginning if `pages` follow.
    pub body: String,
    /// The rest of a body that is too long to be held in memory.
    pub pages: Option<Pages>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl Response {
    #[must_use]
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self::text(status, "application/json", serde_json::to_string(body).unwrap_or_default())
    }

    #[must_use]
    pub fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::empty(status) }.with("content-type", content_type)
    }

    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::with_capacity(MOST_HEADERS), body: String::new(), pages: None }
    }

    /// Appends further pages to the body.
    #[must_use]
    pub fn followed_by(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds request headers to `Vary`.
    #[must_use]
    pub fn varying(mut self, names: &'static str) -> Self {
        match self.headers.iter_mut().find(|(name, _)| *name == "vary") {
            Some((_, value)) => *value = format!("{value},{names}").into(),
            None => self.headers.push(("vary", names.into())),
        }
        self
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_ref())
    }
}

/// The HTTP status of an error, the same in every dialect.
#[must_use]
pub fn status(error: &Error) -> u16 {
    match error {
        Error::Invalid { .. } => 400,
        Error::Unauthenticated(_) => 401,
        Error::Forbidden(_) => 403,
        Error::NotFound { .. } => 404,
        Error::MethodNotAllowed { .. } => 405,
        Error::NotAcceptable { .. } => 406,
        Error::UnsupportedMediaType { .. } => 415,
        Error::Conflict { .. } | Error::AlreadyExists { .. } => 409,
        Error::TooLarge { what: "url", .. } => 414,
        Error::TooLarge { .. } => 413,
        Error::TooMany { .. } => 429,
        Error::OriginFailed(_) => 502,
        Error::OriginTimedOut { .. } => 504,
        Error::Internal(_) => 500,
        Error::Unavailable(_) | Error::Misconfigured(_) => 503,
    }
}

/// The sentence of an error for callers, without a full stop. It tells nothing about internal
/// faults.
#[must_use]
pub fn sentence(error: &Error) -> String {
    match error {
        Error::Invalid { field, why, .. } => format!("{field} {why}"),
        Error::Unauthenticated(denied) => denied.to_string(),
        Error::Forbidden(refusal) => refusal.to_string(),
        Error::NotFound { what, id } => format!("there is no {what} {id}"),
        Error::MethodNotAllowed { allow } => format!("only {} may be used here", allow.join(", ")),
        Error::UnsupportedMediaType { taken } => format!("the body must be {taken}"),
        Error::NotAcceptable { format } => {
            format!("the format {format} is not supported: use json")
        }
        Error::Conflict { why } => why.clone(),
        Error::AlreadyExists { what, id } => {
            let article = if what.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
            format!("there is {article} {what} {id} already")
        }
        Error::TooLarge { what, limit_bytes } => {
            format!("the {what} is longer than {limit_bytes} bytes")
        }
        Error::TooMany { limit, retry_after_s } => {
            format!("{limit}; try again in {retry_after_s} seconds")
        }
        Error::OriginFailed(_) => "the origin cannot be reached".to_owned(),
        Error::OriginTimedOut { timeout_s } => {
            format!("the origin did not answer within {timeout_s} seconds")
        }
        Error::Internal(_) => "an internal error occurred".to_owned(),
        Error::Unavailable(fault) => format!("{}; try again", fault.for_callers()),
        Error::Misconfigured(problems) => {
            format!("this deployment is not configured: {}", problems.join("; "))
        }
    }
}
