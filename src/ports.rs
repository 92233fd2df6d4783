//! What Postern needs from outside, as small traits.
//!
//! The seam is at SQL because D1 is `SQLite`: the statements that ship are the statements that the
//! host tests run, against the real migrations.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use serde::de::{Deserialize, Deserializer, Visitor};
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
    fn batch(
        &self,
        statements: Vec<Statement>,
    ) -> LocalFuture<'_, std::result::Result<Vec<Rows>, SqlError>>;

    /// The bookmark of the last write of this request; `None` where there was none.
    fn bookmark(&self) -> Option<String>;
}

/// Text by key, eventually consistent.
pub trait Kv {
    /// The value, or `None` where there is none.
    fn get<'a>(
        &'a self,
        key: &'a str,
    ) -> LocalFuture<'a, std::result::Result<Option<String>, Fault>>;

    /// Writes a value that vanishes after `lifetime_s` seconds (60 at least).
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: String,
        lifetime_s: u32,
    ) -> LocalFuture<'a, std::result::Result<(), Fault>>;
}

/// What the isolates of one data centre share: texts by name, which is a URL of the Worker's own
/// host without its scheme. It may lose an entry, keep an old one, or do nothing at all, and others
/// may write to it, so nobody relies on an entry that is not sealed.
pub trait Shared {
    /// The text of a name; `None` where there is none, and where the platform fails.
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>>;

    /// Keeps a text for so many seconds, where the platform does.
    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()>;
}

/// Signatures with key pairs: verification by public keys, and signing of Postern's own assertions.
pub trait Signatures {
    /// Whether the signature over the message is by the key. The caller has checked that the key is
    /// for the algorithm, and the signature's length (RFC 7518, 3.3 to 3.5; RFC 8037, 3.1). The
    /// error is that the platform cannot use the key.
    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
        signature: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, std::result::Result<bool, Fault>>;

    /// Whether the platform can use the key at all; the error says why not.
    fn accepts<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
    ) -> LocalFuture<'a, std::result::Result<(), Fault>>;

    /// Signs the message with ES256: `r` and `s`, one after the other (RFC 7518, 3.4). The error is
    /// that the platform cannot use the key.
    fn sign<'a>(
        &'a self,
        key: &'a PrivateKey,
        message: &'a [u8],
    ) -> LocalFuture<'a, std::result::Result<Vec<u8>, Fault>>;
}

/// Issuers that publish their keys, and say what their tokens mean.
pub trait Issuers {
    /// Fetches what is at the URL within `limit`, following redirects to `https://` only. The error
    /// is whatever is no answer of status 200 with at most `MAX_ANSWER_BYTES`.
    fn fetch<'a>(
        &'a self,
        url: &'a HttpsUrl,
        limit: Millis,
    ) -> LocalFuture<'a, std::result::Result<Published, FetchProblem>>;

    /// Posts a form to the URL within `limit`, following no redirect: whoever is named there would
    /// see the credential and the token. The error is as above.
    fn introspect<'a>(
        &'a self,
        url: &'a HttpsUrl,
        authorization: String,
        form: String,
        limit: Millis,
    ) -> LocalFuture<'a, std::result::Result<Vec<u8>, FetchProblem>>;
}

/// The time, for whoever waits. A request may not wait for what another request does: it looks
/// again and again, each time after a while of its own.
pub trait Timer {
    /// The time now; `Cx::now` stays what it was when the request began.
    fn now(&self) -> Millis;

    /// Ends after so long.
    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()>;
}

/// What a future ends with; `None` where it takes longer than the limit. It goes on when it is
/// polled again.
pub async fn within<T>(
    timer: &dyn Timer,
    limit: Millis,
    future: impl Future<Output = T> + Unpin,
) -> Option<T> {
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

    /// Writes the line of a refusal, which is a JSON text. `is_fault` tells that Postern, or
    /// something that it relies on, is at fault, and not the caller.
    fn refusal(&self, line: &str, is_fault: bool);
}

/// Where a deployment counts decisions.
pub trait Decisions {
    /// Notes one. It neither fails nor waits.
    fn note(&self, decision: &Decision<'_>);
}

/// What Postern decided about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// What was to be decided: a verification, a check …
    pub kind: &'static str,
    /// What came of it.
    pub outcome: &'static str,
    /// Why somebody was refused; empty where nobody was.
    pub reason: &'static str,
    /// The dialect in which it was asked.
    pub dialect: &'static str,
    /// The token app; empty where no token was shown, or none is known.
    pub app: &'a str,
    /// The rule of `ORIGIN_RULES` that decided.
    pub rule: Option<usize>,
    /// How many questions of the request were answered with yes.
    pub yes: u32,
    /// How many with no.
    pub no: u32,
    /// When the request began.
    pub begun_at: Millis,
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
    /// How many rows the database read for it; 0 where it does not tell.
    pub read: u64,
}

/// One row, by column name.
#[derive(Debug, Clone)]
pub struct Row {
    /// The same for all rows of a statement.
    columns: Rc<[String]>,
    /// In the columns' order.
    values: Vec<Datum>,
}

/// A value as the database answers it: a third of the size of any JSON value, and there are
/// thousands of them in a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number; also a whole one where D1, or an older snapshot, told it as a double.
    Real(f64),
    /// Text.
    Text(String),
}

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

    /// A short text that tells it from all others of this release: its values, and a digest of what
    /// is in the program (FNV-1a).
    #[must_use]
    pub fn name(&self) -> String {
        let fold =
            |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let digest = self.sql.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
        format!("{digest:016x} {:?}", self.params)
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

impl Rows {
    /// Rows, each with its values in the order of the columns.
    #[must_use]
    pub fn of(columns: Vec<String>, rows: Vec<Vec<Datum>>) -> Self {
        let columns = Rc::<[String]>::from(columns);
        let rows =
            rows.into_iter().map(|values| Row { columns: Rc::clone(&columns), values }).collect();
        Self { rows, read: 0 }
    }
}

impl Datum {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Number(number) => {
                number.as_i64().map(Self::Integer).or_else(|| number.as_f64().map(Self::Real))
            }
            Value::String(text) => Some(Self::Text(text)),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(DatumVisitor)
    }
}

struct DatumVisitor;

impl Visitor<'_> for DatumVisitor {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a number or a text")
    }

    fn visit_unit<E>(self) -> std::result::Result<Datum, E> {
        Ok(Datum::Null)
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Datum, E> {
        Ok(Datum::Integer(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "no column holds such a number")]
    fn visit_u64<E>(self, number: u64) -> std::result::Result<Datum, E> {
        Ok(i64::try_from(number).map_or(Datum::Real(number as f64), Datum::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Datum, E> {
        Ok(Datum::Real(number))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Datum, E> {
        Ok(Datum::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Datum, E> {
        Ok(Datum::Text(text))
    }
}

impl From<Map<String, Value>> for Row {
    fn from(map: Map<String, Value>) -> Self {
        let known = map.into_iter().filter_map(|(name, value)| Some((name, Datum::of(value)?)));
        let (columns, values): (Vec<_>, _) = known.unzip();
        Self { columns: columns.into(), values }
    }
}

impl Row {
    /// The value of a column; `None` where there is no such column.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<&Datum> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)
    }

    /// The values by the names of their columns, as a snapshot keeps them.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.columns.iter().cloned().zip(self.values.iter().map(Datum::to_json)).collect()
    }

    /// A text column that is never NULL.
    pub fn text(&self, column: &str) -> Result<&str> {
        self.optional_text(column)?.ok_or_else(|| wrong(column))
    }

    /// A text column.
    pub fn optional_text(&self, column: &str) -> Result<Option<&str>> {
        match self.value(column) {
            Some(Datum::Text(text)) => Ok(Some(text)),
            Some(Datum::Null) => Ok(None),
            _ => Err(wrong(column)),
        }
    }

    /// A text column that a migration added: snapshots of older releases lack it, as if it were
    /// NULL.
    pub fn added_text(&self, column: &str) -> Result<Option<&str>> {
        if self.value(column).is_some() { self.optional_text(column) } else { Ok(None) }
    }

    /// A number within ±2^53: milliseconds, counts, flags.
    pub fn number(&self, column: &str) -> Result<i64> {
        match self.value(column) {
            Some(Datum::Integer(number)) => Ok(*number),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "D1 answers whole numbers as doubles, exact within 2^53"
            )]
            Some(Datum::Real(number)) => Ok(*number as i64),
            _ => Err(wrong(column)),
        }
    }

    /// A number in a column that a migration added: copies of older releases lack it, as if it were
    /// 0.
    pub fn added_number(&self, column: &str) -> Result<i64> {
        if self.value(column).is_some() { self.number(column) } else { Ok(0) }
    }

    /// A number that may be NULL.
    pub fn optional_number(&self, column: &str) -> Result<Option<i64>> {
        if self.value(column) == Some(&Datum::Null) {
            Ok(None)
        } else {
            self.number(column).map(Some)
        }
    }

    /// A 0/1 column.
    pub fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.number(column)? != 0)
    }

    /// An int64, which was selected as `CAST(… AS TEXT)`; among packed rows, which no double has
    /// held, it may be a number.
    pub fn int64(&self, column: &str) -> Result<i64> {
        match self.value(column) {
            Some(Datum::Integer(number)) => Ok(*number),
            _ => self.text(column)?.parse().map_err(|_| wrong(column)),
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: &Value) -> Row {
        Row::from(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn the_rows_of_a_snapshot_read_alike_whether_its_numbers_are_written_as_doubles_or_not() {
        for number in ["1700000000000", "1700000000000.0", "1.7e12"] {
            let row =
                row(&serde_json::from_str(&format!(r#"{{"at":{number},"name":"a","none":null}}"#))
                    .expect("JSON"));
            let again = Row::from(row.to_map());
            for row in [row, again] {
                assert_eq!(row.number("at").ok(), Some(1_700_000_000_000));
                assert_eq!(row.text("name").ok(), Some("a"));
                assert_eq!(row.optional_text("none").ok(), Some(None));
                assert_eq!(row.added_number("later").ok(), Some(0));
            }
        }
    }

    #[test]
    fn an_int64_is_read_from_digits_and_never_from_a_double() {
        for exact in [json!({ "id": i64::MAX.to_string() }), json!({ "id": i64::MAX })] {
            assert_eq!(row(&exact).int64("id").ok(), Some(i64::MAX));
        }
        assert!(row(&json!({ "id": 9_007_199_254_740_993.0 })).int64("id").is_err());
    }

    #[test]
    fn what_no_column_holds_is_an_error_and_no_value() {
        for value in [json!(true), json!([1]), json!({}), json!(null)] {
            assert!(row(&json!({ "name": value })).text("name").is_err());
        }
        assert!(serde_json::from_str::<Datum>("[1]").is_err());
    }
}
