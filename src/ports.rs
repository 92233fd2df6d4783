//! What Postern needs from outside, as small traits.
//!
//! The seam is at SQL because D1 is `SQLite`: the statements that ship are the statements that the host tests run, against the real migrations.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use futures_util::future::{Either, select};
use serde_json::{Map, Value};

use crate::domain::assertion::PrivateKey;
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::fetch_problem::FetchProblem;
use crate::domain::tokens::key_source::HttpsUrl;
use crate::domain::tokens::public_key::PublicKey;
use crate::error::{Error, Fault, Result};

/// A future of one request, on one thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// SQL over one database.
pub trait Sql {
    /// Runs the statements in one transaction and one round trip; all of them count, or none.
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, std::result::Result<Vec<Rows>, SqlError>>;

    /// The bookmark of the last write of this request; `None` where there was none.
    fn bookmark(&self) -> Option<String>;
}

/// Text by key, eventually consistent.
pub trait Kv {
    /// The value, or `None` where there is none.
    fn get<'a>(&'a self, key: &'a str) -> LocalFuture<'a, std::result::Result<Option<String>, Fault>>;

    /// Writes a value that vanishes after `lifetime_s` seconds (60 at least).
    fn put<'a>(&'a self, key: &'a str, value: String, lifetime_s: u32) -> LocalFuture<'a, std::result::Result<(), Fault>>;
}

/// What the isolates of one data centre share: texts by name, which is a URL of the Worker's own host without its scheme. It may lose an entry, keep an old one, or do
/// nothing at all, and others may write to it, so nobody relies on an entry that is not sealed.
pub trait Shared {
    /// The text of a name; `None` where there is none, and where the platform fails.
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>>;

    /// Keeps a text for so many seconds, where the platform does.
    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()>;
}

/// Signatures with key pairs: verification by public keys, and signing of Postern's own assertions.
pub trait Signatures {
    /// Whether the signature over the message is by the key. The caller has checked that the key is for the algorithm, and the signature's
    /// length (RFC 7518, 3.3 to 3.5; RFC 8037, 3.1). The error is that the platform cannot use the key.
    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
        signature: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, std::result::Result<bool, Fault>>;

    /// Whether the platform can use the key at all; the error says why not.
    fn accepts<'a>(&'a self, algorithm: Algorithm, key: &'a PublicKey) -> LocalFuture<'a, std::result::Result<(), Fault>>;

    /// Signs the message with ES256: `r` and `s`, one after the other (RFC 7518, 3.4). The error is that the platform cannot use the key.
    fn sign<'a>(&'a self, key: &'a PrivateKey, message: &'a [u8]) -> LocalFuture<'a, std::result::Result<Vec<u8>, Fault>>;
}

/// Issuers that publish their keys.
pub trait Issuers {
    /// Fetches what is at the URL within `limit`, following redirects to `https://` only. The error
    /// is whatever is no answer of status 200 with at most `MAX_ANSWER_BYTES`.
    fn fetch<'a>(&'a self, url: &'a HttpsUrl, limit: Millis) -> LocalFuture<'a, std::result::Result<Published, FetchProblem>>;
}

/// The time, for whoever waits. A request may not wait for what another request does: it looks again
/// and again, each time after a while of its own.
pub trait Timer {
    /// The time now; `Cx::now` stays what it was when the request began.
    fn now(&self) -> Millis;

    /// Ends after so long.
    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()>;
}

/// What a future ends with; `None` where it takes longer than the limit. It goes on when it is polled again.
pub async fn within<T>(timer: &dyn Timer, limit: Millis, future: impl Future<Output = T> + Unpin) -> Option<T> {
    match select(future, timer.sleep(limit)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// What an issuer answered.
#[derive(Debug, Clone)]
pub struct Published {
    /// The body.
    pub body: Vec<u8>,
    /// The header `Cache-Control`.
    pub cache_control: Option<String>,
}

/// Cryptographically strong random bytes.
pub trait Entropy {
    /// Fills the buffer, or says why it cannot.
    fn fill(&self, buffer: &mut [u8]) -> std::result::Result<(), Fault>;
}

/// The platform's limit on how often something is tried.
pub trait Limiter {
    /// Counts an attempt by this key, and tells whether it is within the limit. It is where the
    /// platform knows of no limit, or does not answer.
    fn admits<'a>(&'a self, key: &'a str) -> LocalFuture<'a, bool>;
}

/// Work that goes on after the answer.
pub trait Tasks {
    /// Runs the future to its end, after the answer if need be.
    fn spawn(&self, task: LocalFuture<'static, ()>);
}

/// The operator's log.
pub trait Log {
    /// Writes one line. Never a secret, a password or a token.
    fn line(&self, text: &str);
}

/// One SQL statement with its bound values.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text, with `?1`, `?2` …
    pub sql: Cow<'static, str>,
    /// The values.
    pub params: Vec<Param>,
}

/// A bound value, in the shapes that D1 takes without loss.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL.
    Null,
    /// Text.
    Text(String),
    /// An int64, bound as decimal text.
    Int64(i64),
    /// A number that a double holds exactly: milliseconds, counts, 0 and 1.
    Number(i64),
}

/// What is told of a database that lacks a table or a column.
pub const UNMIGRATED: &str = "the database has no tables yet, or is older than this Worker: run `make deploy`, which applies the migrations, \
                              or `scripts/run.sh wrangler d1 migrations apply postern --remote`";

/// What one statement returned.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The rows, in order.
    pub rows: Vec<Row>,
}

/// One row, by column name.
#[derive(Debug, Clone)]
pub struct Row(pub Map<String, Value>);

/// Why a batch failed.
#[derive(Debug, Clone)]
pub enum SqlError {
    /// A constraint, a unique index or a trigger refused it; `SQLite`'s text.
    Refused(String),
    /// The database does not answer. Whether a write took effect is unknown.
    Unavailable(Fault),
    /// It lacks a table or a column: the migrations have not been applied.
    Unmigrated(Fault),
    /// The statement is wrong: our fault.
    Failed(Fault),
}

impl SqlError {
    /// A statement that `SQLite` could not even prepare, by its text.
    #[must_use]
    pub fn of_schema(text: String) -> Self {
        let lacks = ["no such table", "no such column", "has no column named"];
        let is_lack = lacks.iter().any(|words| text.contains(words));
        if is_lack { Self::Unmigrated(Fault::new(text)) } else { Self::Failed(Fault::new(text)) }
    }
}

impl Statement {
    /// Whether it changes nothing, so that it may be tried again.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        ["SELECT", "WITH"].iter().any(|word| self.sql.trim_start().starts_with(word))
    }

    /// A statement with its values.
    pub fn new(sql: impl Into<Cow<'static, str>>, params: impl Into<Vec<Param>>) -> Self {
        Self { sql: sql.into(), params: params.into() }
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Param {
    fn from(flag: bool) -> Self {
        Self::Number(i64::from(flag))
    }
}

impl From<Millis> for Param {
    fn from(time: Millis) -> Self {
        Self::Number(time.0)
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Row {
    /// A text column that is never NULL.
    pub fn text(&self, column: &str) -> Result<&str> {
        self.optional_text(column)?.ok_or_else(|| wrong(column))
    }

    /// A text column.
    pub fn optional_text(&self, column: &str) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(wrong(column)),
        }
    }

    /// A text column that a migration added: snapshots of older releases lack it, as if it were NULL.
    pub fn added_text(&self, column: &str) -> Result<Option<&str>> {
        if self.0.contains_key(column) { self.optional_text(column) } else { Ok(None) }
    }

    /// A number within ±2^53: milliseconds, counts, flags.
    pub fn number(&self, column: &str) -> Result<i64> {
        let value = self.0.get(column).ok_or_else(|| wrong(column))?;
        #[expect(clippy::cast_possible_truncation, reason = "D1 answers whole numbers as doubles, exact within 2^53")]
        value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).ok_or_else(|| wrong(column))
    }

    /// A number in a column that a migration added: copies of older releases lack it, as if it were 0.
    pub fn added_number(&self, column: &str) -> Result<i64> {
        if self.0.contains_key(column) { self.number(column) } else { Ok(0) }
    }

    /// A number that may be NULL.
    pub fn optional_number(&self, column: &str) -> Result<Option<i64>> {
        if self.0.get(column).is_some_and(Value::is_null) { Ok(None) } else { self.number(column).map(Some) }
    }

    /// A 0/1 column.
    pub fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.number(column)? != 0)
    }

    /// An int64, which was selected as `CAST(… AS TEXT)`.
    pub fn int64(&self, column: &str) -> Result<i64> {
        self.text(column)?.parse().map_err(|_| wrong(column))
    }
}

fn wrong(column: &str) -> Error {
    Error::internal(format!("the database answered column {column} in an unexpected shape"))
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Refused(text) => Self::internal(format!("the database refused: {text}")),
            SqlError::Unavailable(fault) => Self::Unavailable(fault),
            SqlError::Unmigrated(_) => Self::Misconfigured(vec![UNMIGRATED.to_owned()]),
            SqlError::Failed(fault) => Self::Internal(fault),
        }
    }
}
