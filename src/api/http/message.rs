//! HTTP on plain types. What comes from outside is read when asked for: each reading of a header
//! crosses from wasm to JavaScript.

use std::borrow::Cow;

use serde::Serialize;

use crate::actions::caller::UserCaller;
use crate::domain::time::Millis;
use crate::error::Error;
use crate::ports::LocalFuture;

/// The longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 16 * 1024;

/// Room for the headers of most answers.
const MOST_HEADERS: usize = 8;

/// A request as it arrives.
pub trait Inbound {
    /// The method, upper case.
    fn method(&self) -> &str;
    /// `https://host:port`.
    fn origin(&self) -> &str;
    /// The path, percent-encoded as it was sent.
    fn path(&self) -> &str;
    /// What follows the question mark; empty where there is none.
    fn query(&self) -> &str;
    /// All headers, each name once and in lower case.
    fn headers(&self) -> Vec<(String, String)>;
    /// A header's value; the values of a header that was sent twice are joined by a comma.
    fn header(&self, name: &'static str) -> Option<String>;
    /// The country that the platform tells of the client, as two letters.
    fn country(&self) -> Option<String>;
    /// The body; `TooLarge` where it is longer than [`MAX_BODY_BYTES`].
    fn body(&self) -> LocalFuture<'_, Result<Vec<u8>, Error>>;
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Handled {
    /// It is answered.
    Answered(Response),
    /// It goes to the origin.
    Passed(Forward),
}

/// A request to the origin: the client's, with other headers. Its body is the client's.
#[derive(Debug, PartialEq, Eq)]
pub struct Forward {
    /// Where to.
    pub url: String,
    /// The application's URL as `ORIGIN_URL` or `ORIGINS` has it, below which `url` is.
    pub origin: String,
    /// All headers; but for `Host`, which follows from the URL.
    pub headers: Vec<(String, String)>,
    /// Whether the client's body goes with it.
    pub has_body: bool,
    /// For how many seconds the origin may show no sign of life before it answers.
    pub timeout_s: i64,
    /// Whether it is a preflight that nobody was asked about, so that its answer tells no more than
    /// a browser reads of one.
    pub is_preflight: bool,
    /// Whether the answer is the same for everybody, so that a cache may keep it for others.
    pub is_for_everybody: bool,
    /// By whom, and until when; `None` where nobody is asked who they are.
    pub authority: Option<Authority>,
    /// What the answer gets on its way back, in place of what the origin says; `vary` beside it.
    pub answer_headers: Vec<Header>,
}

/// By what a request went on to the origin. A stream that it opens ends with this.
#[derive(Debug, PartialEq, Eq)]
pub struct Authority {
    /// The user's id.
    pub user_id: i64,
    /// The token app whose token was shown.
    pub app: Option<String>,
    /// When the token or session ends; a password does not.
    pub ends_at: Option<Millis>,
}

impl Authority {
    /// The authority of a caller at `now`.
    #[must_use]
    pub fn of(caller: &UserCaller, now: Millis, leeway_s: i64) -> Self {
        let ends_at = caller.ends_at(now, leeway_s);
        let app = caller.app().map(|app| app.as_str().to_owned());
        Self { user_id: caller.user.id.0, app, ends_at }
    }

    /// Whose it is, as a text that is the same for nobody else.
    #[must_use]
    pub fn holder(&self) -> String {
        format!("{} {}", self.user_id, self.app.as_deref().unwrap_or_default())
    }
}

/// A header of an answer: its name in lower case, and its value. A value that is the same in every
/// answer of its kind is borrowed.
pub type Header = (&'static str, Cow<'static, str>);

/// The further pages of a long body, made one by one as they are asked for; `None` is the end.
pub type Pages = Box<dyn FnMut() -> LocalFuture<'static, Option<Result<String, Error>>>>;

/// An answer.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Each name once.
    pub headers: Vec<Header>,
    /// The body, or its beginning.
    pub body: String,
    /// What follows, where the body is too long to be held.
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
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self::text(status, "application/json", serde_json::to_string(body).unwrap_or_default())
    }

    /// An answer of another content type.
    #[must_use]
    pub fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::empty(status) }.with("content-type", content_type)
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::with_capacity(MOST_HEADERS), body: String::new(), pages: None }
    }

    /// Lets further pages follow the body.
    #[must_use]
    pub fn followed_by(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says that the answer depends on headers of the request, too.
    #[must_use]
    pub fn varying(mut self, names: &'static str) -> Self {
        match self.headers.iter_mut().find(|(name, _)| *name == "vary") {
            Some((_, value)) => *value = format!("{value},{names}").into(),
            None => self.headers.push(("vary", names.into())),
        }
        self
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_ref())
    }
}

/// The status of a failure, in every dialect.
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

/// The sentence of a failure for callers, without a full stop. Of internal faults it says nothing.
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
