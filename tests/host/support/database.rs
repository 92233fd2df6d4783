//! SQLite behind the port `Sql`, with the behaviour of D1: numbers are doubles, an int64 is text, a
//! batch is one transaction, and other requests run while a batch is on its way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll};

use postern::domain::time::Millis;
use postern::error::Fault;
use postern::ports::{Datum, LocalFuture, Param, Rows, Sql, SqlError, Statement, Timer};
use rusqlite::StatementStatus;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};

use super::clock::Clock;

/// SQLite with all migrations. It binds and returns values as D1 does: numbers as doubles, int64 as
/// text.
pub struct Database {
    connection: RefCell<rusqlite::Connection>,
    pub batches: Cell<u32>,
    /// How many steps of SQLite's virtual machine the statements took.
    pub steps: Cell<i64>,
    /// `false`: every batch fails, as while D1 does not answer.
    pub answers: Cell<bool>,
    /// How long a batch takes to reach the database, and its answer to come back.
    pub takes: Cell<[Millis; 2]>,
    /// A batch that writes takes effect, but its answer is lost.
    pub loses_answers: Cell<bool>,
    /// SQL that another client runs before a later batch, and how many batches run before it.
    overtaking: RefCell<Option<(u32, String)>>,
}

impl Database {
    pub fn new() -> Self {
        let connection = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
        migrate(&connection, &BTreeSet::new());
        Self::on(connection)
    }

    pub fn unmigrated() -> Self {
        Self::on(rusqlite::Connection::open_in_memory().expect("SQLite opens in memory"))
    }

    /// Runs SQL directly, without the port: no batch is counted.
    pub fn execute(&self, sql: &str) {
        self.connection.borrow().execute_batch(sql).expect(sql);
    }

    /// A database that an earlier release left (as SQL text), after the newer migrations.
    pub fn upgraded(sql: &str) -> Self {
        let connection = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
        connection.execute_batch(sql).expect("the database of a release");
        let mut names =
            connection.prepare("SELECT name FROM d1_migrations").expect("d1_migrations");
        let applied = names
            .query_map([], |row| row.get(0))
            .expect("names")
            .map(|name| name.expect("a name"))
            .collect();
        drop(names);
        migrate(&connection, &applied);
        Self::on(connection)
    }

    fn on(connection: rusqlite::Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(200);
        Self {
            connection: RefCell::new(connection),
            batches: Cell::new(0),
            steps: Cell::new(0),
            answers: Cell::new(true),
            takes: Cell::default(),
            loses_answers: Cell::new(false),
            overtaking: RefCell::default(),
        }
    }

    /// Another client runs this SQL right before the `number`th batch from now.
    pub fn overtake(&self, number: u32, sql: &str) {
        *self.overtaking.borrow_mut() = Some((number, sql.to_owned()));
    }

    fn is_overtaken(&self) {
        let overtaking = self.overtaking.borrow_mut().take();
        match overtaking {
            Some((1, sql)) => self.execute(&sql),
            Some((number, sql)) => *self.overtaking.borrow_mut() = Some((number - 1, sql)),
            None => {}
        }
    }

    /// Reads one number directly, without the port.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection.borrow().query_row(sql, [], |row| row.get(0)).expect(sql)
    }

    /// How many rows were inserted, updated and deleted. Indexes and triggers are not counted.
    pub fn changes(&self) -> i64 {
        self.number("SELECT total_changes()")
    }

    /// Reads one text directly, without the port.
    pub fn text(&self, sql: &str) -> String {
        self.connection.borrow().query_row(sql, [], |row| row.get(0)).expect(sql)
    }

    /// How many steps SQLite's virtual machine takes for a statement: a few for each row that it
    /// reads.
    pub fn steps(&self, statement: &Statement) -> i32 {
        let connection = self.connection.borrow();
        let mut prepared = connection.prepare(&statement.sql).expect("a statement");
        let values = statement.params.iter().map(|param| Bound(param.clone()));
        let mut found = prepared.query(rusqlite::params_from_iter(values)).expect("it runs");
        while found.next().expect("a row").is_some() {}
        drop(found);
        prepared.get_status(rusqlite::StatementStatus::VmStep)
    }

    /// All rows of all tables, as text.
    pub fn dump(&self) -> String {
        let connection = self.connection.borrow();
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
            .expect("tables");
        let tables: Vec<String> = tables
            .query_map([], |row| row.get(0))
            .expect("tables")
            .map(|name| name.expect("name"))
            .collect();
        let mut dump = String::new();
        for table in tables {
            let mut statement =
                connection.prepare(&format!("SELECT * FROM {table}")).expect("table");
            let columns = statement.column_count();
            let mut rows = statement.query([]).expect("rows");
            while let Some(row) = rows.next().expect("row") {
                let values: Vec<String> = (0..columns)
                    .map(|index| format!("{:?}", row.get_ref(index).expect("value")))
                    .collect();
                let texts: Vec<String> =
                    (0..columns).filter_map(|index| row.get::<_, String>(index).ok()).collect();
                dump.push_str(&format!("{table}: {} {}\n", values.join(" | "), texts.join(" | ")));
            }
        }
        dump
    }

    fn run(&self, statements: &[Statement]) -> Result<Vec<Rows>, SqlError> {
        assert!(!statements.is_empty(), "D1 refuses a batch without statements");
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().map_err(sort)?;
        let results = statements
            .iter()
            .map(|statement| run(&transaction, statement, &self.steps))
            .collect::<Result<_, _>>()?;
        transaction.commit().map_err(sort)?;
        Ok(results)
    }
}

/// Runs the migrations that are not in `applied`, in the order of their names.
fn migrate(connection: &rusqlite::Connection, applied: &BTreeSet<String>) {
    let mut files: Vec<_> = std::fs::read_dir("migrations")
        .expect("migrations")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        if !applied.contains(&name) {
            let sql = std::fs::read_to_string(&file).expect("a migration");
            connection
                .execute_batch(&sql)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }
}

fn run(
    connection: &rusqlite::Connection,
    statement: &Statement,
    steps: &Cell<i64>,
) -> Result<Rows, SqlError> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(sort)?;
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let values = statement.params.iter().map(|param| Bound(param.clone()));
    let mut found = prepared.query(rusqlite::params_from_iter(values)).map_err(sort)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(sort)? {
        let value = |index| row.get_ref(index).map_or(Datum::Null, answer);
        rows.push((0..names.len()).map(value).collect());
    }
    drop(found);
    steps.set(steps.get() + i64::from(prepared.reset_status(StatementStatus::VmStep)));
    Ok(Rows::of(names, rows))
}

fn answer(value: ValueRef<'_>) -> Datum {
    match value {
        ValueRef::Null => Datum::Null,
        // D1 returns numbers as doubles, so an int64 that was not cast to text is rounded.
        ValueRef::Integer(number) => Datum::Real(number as f64),
        ValueRef::Real(number) => Datum::Real(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Datum::Text(String::from_utf8_lossy(text).into_owned())
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn sort(error: rusqlite::Error) -> SqlError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => SqlError::Refused(error.to_string()),
        _ => SqlError::of_schema(error.to_string()),
    }
}

struct Bound(Param);

impl rusqlite::ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match &self.0 {
            Param::Null => SqlValue::Null,
            Param::Text(text) => SqlValue::Text(text.clone()),
            Param::Int64(number) => SqlValue::Text(number.to_string()),
            Param::Number(number) => SqlValue::Real(*number as f64),
        }))
    }
}

pub struct Session {
    database: Rc<Database>,
    clock: Rc<Clock>,
    has_written: Cell<bool>,
}

impl Session {
    pub fn new(database: &Rc<Database>, clock: &Rc<Clock>) -> Self {
        Self {
            database: Rc::clone(database),
            clock: Rc::clone(clock),
            has_written: Cell::new(false),
        }
    }
}

impl Sql for Session {
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, Result<Vec<Rows>, SqlError>> {
        Box::pin(async move {
            self.database.batches.set(self.database.batches.get() + 1);
            // Other requests run while the batch is on its way to D1.
            Yield(false).await;
            let [there, back] = self.database.takes.get();
            if there > Millis(0) {
                self.clock.sleep(there).await;
            }
            let lost = || SqlError::Unavailable(Fault::new("D1 does not answer"));
            if !self.database.answers.get() {
                return Err(lost());
            }
            self.database.is_overtaken();
            let results = self.database.run(&statements)?;
            // Other requests run before the answer arrives, too.
            Yield(false).await;
            if back > Millis(0) {
                self.clock.sleep(back).await;
            }
            if !statements.iter().all(Statement::only_reads) {
                self.has_written.set(true);
                if self.database.loses_answers.get() {
                    return Err(lost());
                }
            }
            Ok(results)
        })
    }

    fn bookmark(&self) -> Option<String> {
        self.has_written
            .get()
            .then(|| "00000001-00000002-00000003-0123456789abcdef0123456789abcdef".to_owned())
    }
}

struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}
