//! D1, behind [`Sql`].
//!
//! The primary answers everything, so that each request sees every write before it. What a request
//! writes goes through one session, whose bookmark names it.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use serde::{Deserialize, Serialize, Serializer};
use worker::Env;
use worker::js_sys::{self, Date};
use worker::wasm_bindgen::{self, JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};

use crate::edge::runtime::tickets::{self, Tickets};
use crate::error::Fault;
use crate::ports::{Datum, LocalFuture, Param, Rows, Sql, SqlError, Statement};

/// The name of the binding.
pub(in crate::edge) const BINDING: &str = "DB";

/// How often a batch that only reads is tried.
const ATTEMPTS: u32 = 3;
/// How long after the first attempt began another one may begin. Where D1 takes seconds to fail, a
/// second attempt would take as many again.
const RETRIES_MS: f64 = 1000.0;

#[wasm_bindgen(module = "/src/edge/runtime/database.mjs")]
extern "C" {
    /// D1, or a session of it.
    type Database;

    #[wasm_bindgen(catch)]
    fn database(env: &Env, binding: &str) -> Result<Database, JsValue>;
    #[wasm_bindgen(catch)]
    fn session(env: &Env, binding: &str) -> Result<Database, JsValue>;
    #[wasm_bindgen(catch)]
    fn batch(
        database: &Database,
        statements: &str,
        ticket: u32,
        done: &JsValue,
    ) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = getBookmark)]
    fn bookmark(this: &Database) -> Result<Option<String>, JsValue>;
}

thread_local! {
    /// The batches that are under way: what D1 answered, or what it said of the failure.
    static BATCHES: Tickets<Result<String, String>> =
        Tickets::new(Closure::<dyn Fn(u32, bool, String)>::new(is_done).into_js_value());
}

fn is_done(ticket: u32, failed: bool, text: String) {
    tickets::tell(&BATCHES, ticket, if failed { Err(text) } else { Ok(text) });
}

/// Looked up in the environment when it is first asked: most requests never ask.
pub(in crate::edge) struct D1 {
    env: Rc<Env>,
    database: OnceCell<Database>,
    session: OnceCell<Database>,
    has_written: Cell<bool>,
}

impl D1 {
    pub(in crate::edge) fn new(env: Rc<Env>) -> Self {
        Self {
            env,
            database: OnceCell::new(),
            session: OnceCell::new(),
            has_written: Cell::new(false),
        }
    }

    fn database(&self, only_reads: bool) -> Result<&Database, SqlError> {
        let cell = if only_reads { &self.database } else { &self.session };
        if let Some(found) = cell.get() {
            return Ok(found);
        }
        let found =
            if only_reads { database(&self.env, BINDING) } else { session(&self.env, BINDING) };
        let found = found.map_err(thrown)?;
        Ok(cell.get_or_init(|| found))
    }

    async fn run(&self, statements: &str, only_reads: bool) -> Result<Vec<Rows>, SqlError> {
        let database = self.database(only_reads)?;
        let asked =
            tickets::ask(&BATCHES, |ticket, done| batch(database, statements, ticket, done))
                .map_err(thrown)?;
        rows(&asked.await.map_err(sort)?)
    }
}

impl Sql for D1 {
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, Result<Vec<Rows>, SqlError>> {
        Box::pin(async move {
            let only_reads = statements.iter().all(Statement::only_reads);
            let text = text(&statements)?;
            let began_at = if only_reads { Date::now() } else { 0.0 };
            let mut attempt = 1;
            loop {
                let may_retry =
                    || only_reads && attempt < ATTEMPTS && Date::now() - began_at < RETRIES_MS;
                match self.run(&text, only_reads).await {
                    Err(SqlError::Unavailable(_)) if may_retry() => attempt += 1,
                    Ok(results) => {
                        self.has_written.set(self.has_written.get() || !only_reads);
                        return Ok(results);
                    }
                    Err(error) => return Err(error),
                }
            }
        })
    }

    fn bookmark(&self) -> Option<String> {
        let session = self.session.get().filter(|_| self.has_written.get())?;
        session.bookmark().ok().flatten()
    }
}

/// The statements as the text that `database.mjs` takes.
fn text(statements: &[Statement]) -> Result<String, SqlError> {
    let statements: Vec<_> = statements
        .iter()
        .map(|Statement { sql, params }| {
            (sql.as_ref(), params.iter().map(Bound).collect::<Vec<_>>())
        })
        .collect();
    serde_json::to_string(&statements)
        .map_err(|error| SqlError::Failed(Fault::new(error.to_string())))
}

struct Bound<'a>(&'a Param);

impl Serialize for Bound<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Param::Null => serializer.serialize_unit(),
            Param::Text(text) => serializer.serialize_str(text),
            Param::Int64(number) => serializer.collect_str(number),
            Param::Number(number) => serializer.serialize_i64(*number),
        }
    }
}

/// What one statement returned, as `database.mjs` tells it.
#[derive(Deserialize)]
struct Answered(Vec<String>, Vec<Vec<Datum>>, Datum);

fn rows(text: &str) -> Result<Vec<Rows>, SqlError> {
    let unreadable = |error: serde_json::Error| {
        SqlError::Failed(Fault::new(format!("D1 answered what cannot be read: {error}")))
    };
    let results: Vec<Answered> = serde_json::from_str(text).map_err(unreadable)?;
    let read = |told| {
        if let Datum::Integer(count) = told { u64::try_from(count).unwrap_or_default() } else { 0 }
    };
    let of = |Answered(columns, rows, told)| Rows { read: read(told), ..Rows::of(columns, rows) };
    Ok(results.into_iter().map(of).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn thrown(error: JsValue) -> SqlError {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    sort(message.unwrap_or_else(|| format!("{error:?}")))
}

/// Sorts a failure by SQLite's text. What SQLite did not say is taken for D1 not answering.
fn sort(text: String) -> SqlError {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["SQLITE_CONSTRAINT", "constraint failed", "last administrator"]) {
        SqlError::Refused(text)
    } else if says(&["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM"]) {
        SqlError::Unavailable(Fault::new(text))
    } else if says(&[
        "SQLITE_",
        "D1_TYPE_ERROR",
        "D1_COLUMN_NOTFOUND",
        "no such table",
        "syntax error",
    ]) {
        SqlError::of_schema(text)
    } else {
        SqlError::Unavailable(Fault::new(text))
    }
}
