//! What Postern needs from outside, as small traits.
//!
//! The database port takes SQL, because D1 is `SQLite`: the host tests run the shipped statements
//! against the real migrations.

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

/// A future that stays on one thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

pub trait Sql {
    /// Runs the statements in one transaction and one round trip: all of them take effect, or none.
    fn batch(
        &self,
        statements: Vec<Statement>,
    ) -> LocalFuture<'_, std::result::Result<Vec<Rows>, SqlError>>;

    /// The bookmark of this request's last write; `None` if it wrote nothing.
    fn bookmark(&self) -> Option<String>;
}

/// A key-value store of texts, which is eventually consistent.
pub trait Kv {
    /// The value, or `None` if there is none.
    fn get<'a>(
        &'a self,
        key: &'a str,
    ) -> LocalFuture<'a, std::result::Result<Option<String>, Fault>>;

    /// Writes a value that expires after `lifetime_s` seconds (at least 60).
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: String,
        lifetime_s: u32,
    ) -> LocalFuture<'a, std::result::Result<(), Fault>>;
}

/// A cache that the isolates of one data centre share. A name is a URL of the Worker's own host
/// without the scheme. The cache may lose an entry, return an old one, or do nothing at all, and
/// others may write to it. So only sealed entries may be trusted.
pub trait Shared {
    /// The text stored under a name; `None` if there is none or the platform fails.
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>>;

    /// Stores a text for `lifetime_s` seconds, if the platform can.
    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()>;
}

/// Verifies signatures by public keys, and signs Postern's own assertions.
pub trait Signatures {
    /// Verifies the signature over the message. The caller has checked that the key fits the
    /// algorithm, and the signature's length (RFC 7518, 3.3 to 3.5; RFC 8037, 3.1). Fails if the
    /// platform cannot use the key.
    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
        signature: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, std::result::Result<bool, Fault>>;

    /// Checks that the platform can use the key; the error says why not.
    fn accepts<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
    ) -> LocalFuture<'a, std::result::Result<(), Fault>>;

    /// Signs the message with ES256. The signature is `r` followed by `s` (RFC 7518, 3.4). Fails if
    /// the platform cannot use the key.
    fn sign<'a>(
        &'a self,
        key: &'a PrivateKey,
        message: &'a [u8],
    ) -> LocalFuture<'a, std::result::Result<Vec<u8>, Fault>>;
}

/// Requests to issuers: for their published keys, and for the introspection of tokens.
pub trait Issuers {
    /// Fetches the URL within `limit`. It follows redirects to `https://` only. Fails unless the
    /// answer has status 200 and at most `MAX_ANSWER_BYTES`.
    fn fetch<'a>(
        &'a self,
        url: &'a HttpsUrl,
        limit: Millis,
    ) -> LocalFuture<'a, std::result::Result<Published, FetchProblem>>;

    /// Posts a form to the URL within `limit`. It follows no redirect, because the redirect's
    /// target would see the credential and the token. Fails as [`fetch`](Self::fetch) does.
    fn introspect<'a>(
        &'a self,
        url: &'a HttpsUrl,
        authorization: String,
        form: String,
        limit: Millis,
    ) -> LocalFuture<'a, std::result::Result<Vec<u8>, FetchProblem>>;
}

/// The current time, and timers. A request may not wait for another request's work, so it polls: it
/// looks, sleeps for a while, and looks again.
pub trait Timer {
    /// The current time. `Cx::now` keeps the time when the request began.
    fn now(&self) -> Millis;

    /// Waits for so long.
    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()>;
}

/// Waits for the future until the limit; `None` if it takes longer. The future can still be polled
/// afterwards.
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

#[derive(Debug, Clone)]
pub struct Published {
    pub body: Vec<u8>,
    pub cache_control: Option<String>,
}

/// Cryptographically strong random bytes.
pub trait Entropy {
    /// Fills the buffer. The error says why the platform cannot.
    fn fill(&self, buffer: &mut [u8]) -> std::result::Result<(), Fault>;
}

/// A rate limit of the platform.
pub trait Limiter {
    /// Counts an attempt under this key, and tells whether it is within the limit. Returns true if
    /// the platform has no limit or does not answer.
    fn admits<'a>(&'a self, key: &'a str) -> LocalFuture<'a, bool>;
}

/// Work that continues after the answer.
pub trait Tasks {
    /// Runs the future to its end, even after the answer has been sent.
    fn spawn(&self, task: LocalFuture<'static, ()>);
}

pub trait Log {
    /// Writes one line, which must never hold a secret, a password or a token.
    fn line(&self, text: &str);

    /// Writes the line of a refusal, which is a JSON text. `is_fault` means that Postern or a
    /// system it relies on failed, rather than the caller.
    fn refusal(&self, line: &str, is_fault: bool);
}

/// Counts a deployment's decisions.
pub trait Decisions {
    /// Counts one decision. It neither fails nor waits.
    fn note(&self, decision: &Decision<'_>);
}

/// One decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The kind of decision: a verification, a check and so on.
    pub kind: &'static str,
    pub outcome: &'static str,
    /// The reason of a refusal; empty if nobody was refused.
    pub reason: &'static str,
    /// The dialect of the request.
    pub dialect: &'static str,
    /// The token app; empty if there was no token or its app is unknown.
    pub app: &'a str,
    pub rule: Option<usize>,
    /// How many permission questions were answered with yes.
    pub yes: u32,
    /// How many were answered with no.
    pub no: u32,
    pub begun_at: Millis,
}

/// One SQL statement with its bound values.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text, with parameters `?1`, `?2` and so on.
    pub sql: Cow<'static, str>,
    pub params: Vec<Param>,
}

/// A bound value, in the types that D1 takes without loss.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    Null,
    Text(String),
    /// An int64, bound as decimal text.
    Int64(i64),
    /// A number that a double holds exactly: milliseconds, counts, 0 and 1.
    Number(i64),
}

/// The message for a database that lacks a table or a column.
pub const UNMIGRATED: &str = "the database has no tables yet, or is older than this Worker: \
    run `make deploy`, which applies the migrations, \
    or `scripts/run.sh wrangler d1 migrations apply postern --remote`";

#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    /// How many rows the database read for it; 0 if it does not report that.
    pub read: u64,
}

#[derive(Debug, Clone)]
pub struct Row {
    /// The column names, shared by all rows of a statement.
    columns: Rc<[String]>,
    /// The values, in the columns' order.
    values: Vec<Datum>,
}

/// A value from the database. It takes a third of the memory of a JSON value, and a page holds
/// thousands.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number. A whole number comes as this type when D1, or an older snapshot, wrote it
    /// as a double.
    Real(f64),
    Text(String),
}

#[derive(Debug, Clone)]
pub enum SqlError {
    /// A constraint, a unique index or a trigger refused it. Holds `SQLite`'s message.
    Refused(String),
    /// The database did not answer. It is unknown whether a write took effect.
    Unavailable(Fault),
    /// The database lacks a table or a column: the migrations have not been applied.
    Unmigrated(Fault),
    /// The statement is wrong, which is a bug of Postern.
    Failed(Fault),
}

impl SqlError {
    /// The error for a statement that `SQLite` could not prepare, from its message.
    #[must_use]
    pub fn of_schema(text: String) -> Self {
        let lacks = ["no such table", "no such column", "has no column named"];
        let is_lack = lacks.iter().any(|words| text.contains(words));
        if is_lack { Self::Unmigrated(Fault::new(text)) } else { Self::Failed(Fault::new(text)) }
    }
}

impl Statement {
    /// Tells whether the statement only reads, and may therefore be repeated.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        ["SELECT", "WITH"].iter().any(|word| self.sql.trim_start().starts_with(word))
    }

    /// A short text that distinguishes this statement from all others of this release: its values
    /// and a digest (FNV-1a) of its SQL.
    #[must_use]
    pub fn name(&self) -> String {
        let fold =
            |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let digest = self.sql.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
        format!("{digest:016x} {:?}", self.params)
    }

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
    /// Builds rows. Each has its values in the order of the columns.
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
    /// A column's value; `None` if there is no such column.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<&Datum> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)
    }

    /// The values by column name, as a snapshot stores them.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.columns.iter().cloned().zip(self.values.iter().map(Datum::to_json)).collect()
    }

    /// Reads a text column that is never NULL.
    pub fn text(&self, column: &str) -> Result<&str> {
        self.optional_text(column)?.ok_or_else(|| wrong(column))
    }

    /// Reads a text column that may be NULL.
    pub fn optional_text(&self, column: &str) -> Result<Option<&str>> {
        match self.value(column) {
            Some(Datum::Text(text)) => Ok(Some(text)),
            Some(Datum::Null) => Ok(None),
            _ => Err(wrong(column)),
        }
    }

    /// Reads a text column that a migration added. Snapshots of older releases lack it; then it is
    /// NULL.
    pub fn added_text(&self, column: &str) -> Result<Option<&str>> {
        if self.value(column).is_some() { self.optional_text(column) } else { Ok(None) }
    }

    /// Reads a number within ±2^53: milliseconds, counts, flags.
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

    /// Reads a number column that a migration added. Snapshots of older releases lack it; then it
    /// is 0.
    pub fn added_number(&self, column: &str) -> Result<i64> {
        if self.value(column).is_some() { self.number(column) } else { Ok(0) }
    }

    /// Reads a number that may be NULL.
    pub fn optional_number(&self, column: &str) -> Result<Option<i64>> {
        if self.value(column) == Some(&Datum::Null) {
            Ok(None)
        } else {
            self.number(column).map(Some)
        }
    }

    /// Reads a column that is 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.number(column)? != 0)
    }

    /// Reads an int64 that was selected as `CAST(… AS TEXT)`. In packed rows it may be a number,
    /// because no double has held it there.
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
    fn json_values_that_no_column_holds_are_errors() {
        for value in [json!(true), json!([1]), json!({}), json!(null)] {
            assert!(row(&json!({ "name": value })).text("name").is_err());
        }
        assert!(serde_json::from_str::<Datum>("[1]").is_err());
    }
}
