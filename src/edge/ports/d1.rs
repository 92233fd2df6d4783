//! D1, behind [`Sql`].
//!
//! Each request has one session, which begins at the primary, so that it sees every write before it. Its bookmark names what it wrote.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use serde_json::{Map, Value};
use worker::wasm_bindgen::JsValue;
use worker::{D1DatabaseSession, D1PreparedStatement, D1Result, Env, Error};

use crate::error::Fault;
use crate::ports::{LocalFuture, Param, Row, Rows, Sql, SqlError, Statement};

/// The name of the binding.
pub(in crate::edge) const BINDING: &str = "DB";

/// How often a batch that only reads is tried.
const ATTEMPTS: u32 = 3;

/// Looked up in the environment when it is first asked: most requests never ask.
pub(in crate::edge) struct D1 {
    env: Rc<Env>,
    session: OnceCell<D1DatabaseSession>,
    has_written: Cell<bool>,
}

impl D1 {
    pub(in crate::edge) fn new(env: Rc<Env>) -> Self {
        Self { env, session: OnceCell::new(), has_written: Cell::new(false) }
    }

    fn session(&self) -> Result<&D1DatabaseSession, SqlError> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let database = self.env.d1(BINDING).map_err(|error| sort(&error))?;
        let session = database.with_session(Some("first-primary")).map_err(|error| sort(&error))?;
        Ok(self.session.get_or_init(|| session))
    }

    async fn run(&self, statements: &[Statement]) -> Result<Vec<Rows>, SqlError> {
        let session = self.session()?;
        let prepared = statements.iter().map(|statement| prepare(session, statement)).collect::<Result<_, _>>()?;
        let results = session.batch(prepared).await.map_err(|error| sort(&error))?;
        results.iter().map(rows).collect()
    }
}

impl Sql for D1 {
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, Result<Vec<Rows>, SqlError>> {
        Box::pin(async move {
            let only_reads = statements.iter().all(Statement::only_reads);
            let mut attempt = 1;
            loop {
                match self.run(&statements).await {
                    Err(SqlError::Unavailable(_)) if only_reads && attempt < ATTEMPTS => attempt += 1,
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
        session.get_bookmark().ok().flatten()
    }
}

fn prepare(session: &D1DatabaseSession, statement: &Statement) -> Result<D1PreparedStatement, SqlError> {
    let prepared = session.prepare(statement.sql.as_ref());
    if statement.params.is_empty() {
        return Ok(prepared);
    }
    let values: Vec<JsValue> = statement.params.iter().map(value).collect();
    prepared.bind(&values).map_err(|error| sort(&error))
}

fn value(param: &Param) -> JsValue {
    match param {
        Param::Null => JsValue::NULL,
        Param::Text(text) => JsValue::from_str(text),
        Param::Int64(number) => JsValue::from_str(&number.to_string()),
        #[expect(clippy::cast_precision_loss, reason = "numbers that are bound this way are within 2^53")]
        Param::Number(number) => JsValue::from_f64(*number as f64),
    }
}

fn rows(result: &D1Result) -> Result<Rows, SqlError> {
    let rows = result.results::<Map<String, Value>>().map_err(|error| sort(&error))?;
    Ok(Rows { rows: rows.into_iter().map(Row).collect() })
}

/// Sorts a failure by SQLite's text. What SQLite did not say is taken for D1 not answering.
fn sort(error: &Error) -> SqlError {
    let text = match error {
        Error::D1(error) => error.cause(),
        other => other.to_string(),
    };
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["SQLITE_CONSTRAINT", "constraint failed", "last administrator"]) {
        SqlError::Refused(text)
    } else if says(&["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM"]) {
        SqlError::Unavailable(Fault::new(text))
    } else if says(&["SQLITE_", "D1_TYPE_ERROR", "D1_COLUMN_NOTFOUND", "no such table", "syntax error"]) {
        SqlError::of_schema(text)
    } else {
        SqlError::Unavailable(Fault::new(text))
    }
}
