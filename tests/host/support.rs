//! A Postern on the host: SQLite behind `Sql`, a map behind `Kv`, a clock that tests set. A [`World`] has one database and any number of isolates.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use postern::api;
use postern::api::http::{Inbound, MAX_BODY_BYTES, Response};
use postern::domain::algorithm::Algorithm;
use postern::domain::config::Config;
use postern::domain::jwt;
use postern::domain::secret::Secret;
use postern::domain::time::Millis;
use postern::domain::trust::Trust;
use postern::error::{Error, Fault};
use postern::ports::{Cx, Entropy, Kv, LocalFuture, Log, Param, Row, Rows, Sql, SqlError, Statement, Tasks};
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use serde_json::{Map, Value, json};

pub const ADMIN_PASSWORD: &str = "correct horse admin";
pub const ORIGIN: &str = "http://postern.test";
pub const START: Millis = Millis(1_800_000_000_000);

/// One database, one KV namespace, one clock.
pub struct World {
    pub database: Rc<Database>,
    pub kv: Rc<MapKv>,
    pub log: Rc<Lines>,
    pub now: Cell<Millis>,
    tasks: Rc<Queue>,
}

/// One isolate: its own memory, its own configuration.
pub struct Isolate<'a> {
    pub world: &'a World,
    pub trust: Rc<Trust>,
    config: Result<Rc<Config>, Vec<String>>,
}

impl World {
    pub fn new() -> Self {
        Self { database: Rc::new(Database::new()), kv: Rc::default(), log: Rc::default(), now: Cell::new(START), tasks: Rc::default() }
    }

    pub fn isolate(&self) -> Isolate<'_> {
        self.isolate_with(&[])
    }

    /// An isolate with further variables; `None` takes one away.
    pub fn isolate_with(&self, variables: &[(&str, Option<&str>)]) -> Isolate<'_> {
        let mut all = BTreeMap::from([
            ("MASTER_KEY", Some("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")),
            ("ADMIN_PASSWORD", Some(ADMIN_PASSWORD)),
        ]);
        all.extend(variables.iter().copied());
        let config = Config::read(|name| all.get(name).copied().flatten().map(str::to_owned)).map(Rc::new);
        Isolate { world: self, trust: Rc::default(), config }
    }

    pub fn pass(&self, seconds: i64) {
        self.now.set(self.now.get() + Millis::from_seconds(seconds));
    }

    /// Runs what goes on behind the answers.
    pub fn run_tasks(&self) {
        loop {
            let Some(task) = self.tasks.0.borrow_mut().pop() else { return };
            block_on(task);
        }
    }
}

impl Isolate<'_> {
    pub fn cx(&self) -> Cx {
        let world = self.world;
        Cx {
            sql: Rc::new(Session { database: Rc::clone(&world.database), has_written: Cell::new(false) }),
            kv: world.kv.clone(),
            entropy: Rc::new(Random),
            tasks: world.tasks.clone(),
            log: world.log.clone(),
            trust: Rc::clone(&self.trust),
            config: self.config.clone().expect("the variables are right"),
            now: world.now.get(),
            address: Some("203.0.113.9".to_owned()),
            request_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            must_read: Cell::new(false),
        }
    }

    pub async fn answer(&self, request: &Request) -> Response {
        let mut response = self.answer_begun(request).await;
        if let Some(mut pages) = response.pages.take() {
            while let Some(page) = pages().await {
                response.body.push_str(&page.expect("a page"));
            }
        }
        response
    }

    async fn answer_begun(&self, request: &Request) -> Response {
        match &self.config {
            Ok(_) => api::handle(&self.cx(), request).await,
            Err(problems) => api::refuse(request, "00000000-0000-4000-8000-000000000000", self.world.now.get(), problems.clone()),
        }
    }

    pub fn send(&self, request: &Request) -> Response {
        block_on(self.answer(request))
    }

    /// GET with a credential; none where it is empty.
    pub fn get(&self, path: &str, authorization: &str) -> Response {
        self.send(&Request::new("GET", path).authorization(authorization))
    }

    /// A JSON body, as the first administrator.
    pub fn administer(&self, method: &str, path: &str, body: &Value) -> Response {
        self.send(&Request::new(method, path).authorization(&admin()).body(&body.to_string()))
    }

    /// Registers the seed's example with some members replaced.
    pub fn register(&self, change: &Value) {
        let mut body = json!({
            "name": "ERP", "token_name": "token", "secret": "abcd", "expire": 86400,
            "fieldmap": { "username": "loginname", "name": "name", "email": "email" },
            "algorithm": "HS256", "enable": "1", "inituser": "1", "initroles": ["SYS_Reader"],
        });
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let response = self.administer("POST", "/plugin/datafor-modeler/api/token/update", &body);
        assert_eq!(response.status, 200, "{}", response.body);
    }

    /// Verifies a token as Bearer: the status, and the user name or the reason.
    pub fn verify(&self, token: &str) -> (u16, String) {
        let response = self.get("/v1/verify", &format!("Bearer {token}"));
        let body = json_of(&response);
        let word = body.pointer("/user/username").or(body.get("reason")).and_then(Value::as_str);
        (response.status, word.unwrap_or_default().to_owned())
    }

    /// Claims with an end in ten minutes.
    pub fn claims(&self, username: &str) -> Map<String, Value> {
        let end = self.world.now.get().seconds() + 600;
        json!({ "loginname": username, "exp": end }).as_object().cloned().unwrap_or_default()
    }

    /// A token of the seed's example app.
    pub fn token(&self, username: &str) -> String {
        jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &self.claims(username))
    }
}

pub fn admin() -> String {
    basic("admin", ADMIN_PASSWORD)
}

pub fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{username}:{password}").as_bytes()))
}

pub fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or(Value::Null)
}

/// A token of any header and any claims, signed with HMAC as the header says, else with SHA-256.
pub fn forge(header: &str, claims: &str, secret: &[u8]) -> String {
    use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
    use jwt_compact::{Algorithm as _, AlgorithmSignature as _};

    let text = [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".");
    let algorithm = serde_json::from_str::<Value>(header).ok().and_then(|header| header["alg"].as_str().map(str::to_owned));
    let signature = match algorithm.as_deref() {
        Some("HS384") => Hs384.sign(&Hs384Key::new(secret), text.as_bytes()).as_bytes().to_vec(),
        Some("HS512") => Hs512.sign(&Hs512Key::new(secret), text.as_bytes()).as_bytes().to_vec(),
        _ => Hs256.sign(&Hs256Key::new(secret), text.as_bytes()).as_bytes().to_vec(),
    };
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
}

/// Polls to the end. Host futures wait for nothing but each other.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// A request that a test makes up.
#[derive(Debug, Clone, Default)]
pub struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, url: &str) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_lowercase(), value.to_owned()));
        self
    }

    pub fn authorization(self, value: &str) -> Self {
        if value.is_empty() { self } else { self.header("authorization", value) }
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }
}

impl Inbound for Request {
    fn method(&self) -> &str {
        &self.method
    }

    fn origin(&self) -> &str {
        ORIGIN
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> &str {
        &self.query
    }

    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn body(&self) -> LocalFuture<'_, Result<Vec<u8>, Error>> {
        let too_large = self.body.len() > MAX_BODY_BYTES;
        let error = Error::TooLarge { what: "body", limit_bytes: MAX_BODY_BYTES };
        Box::pin(async move { if too_large { Err(error) } else { Ok(self.body.clone()) } })
    }
}

/// SQLite with the migrations, which binds and answers as D1 does: numbers as doubles, int64 as text.
pub struct Database {
    connection: RefCell<rusqlite::Connection>,
    /// How many batches were run.
    pub batches: Cell<u32>,
    /// Whether it answers.
    pub answers: Cell<bool>,
    /// Whether a batch that writes takes effect and its answer is lost.
    pub loses_answers: Cell<bool>,
}

impl Database {
    fn new() -> Self {
        let connection = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
        let mut files: Vec<_> = std::fs::read_dir("migrations").expect("migrations").map(|entry| entry.expect("entry").path()).collect();
        files.sort();
        for file in files {
            let sql = std::fs::read_to_string(&file).expect("a migration");
            connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        Self { connection: RefCell::new(connection), batches: Cell::new(0), answers: Cell::new(true), loses_answers: Cell::new(false) }
    }

    /// Asks for one number, past all ports.
    pub fn number(&self, sql: &str) -> i64 {
        self.connection.borrow().query_row(sql, [], |row| row.get(0)).expect(sql)
    }

    /// Asks for one text, past all ports.
    pub fn text(&self, sql: &str) -> String {
        self.connection.borrow().query_row(sql, [], |row| row.get(0)).expect(sql)
    }

    /// Everything in every table, as text.
    pub fn dump(&self) -> String {
        let connection = self.connection.borrow();
        let mut tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").expect("tables");
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).expect("tables").map(|name| name.expect("name")).collect();
        let mut dump = String::new();
        for table in tables {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("table");
            let columns = statement.column_count();
            let mut rows = statement.query([]).expect("rows");
            while let Some(row) = rows.next().expect("row") {
                let values: Vec<String> = (0..columns).map(|index| format!("{:?}", row.get_ref(index).expect("value"))).collect();
                let texts: Vec<String> = (0..columns).filter_map(|index| row.get::<_, String>(index).ok()).collect();
                dump.push_str(&format!("{table}: {} {}\n", values.join(" | "), texts.join(" | ")));
            }
        }
        dump
    }

    fn run(&self, statements: &[Statement]) -> Result<Vec<Rows>, SqlError> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().map_err(sort)?;
        let results = statements.iter().map(|statement| run(&transaction, statement)).collect::<Result<_, _>>()?;
        transaction.commit().map_err(sort)?;
        Ok(results)
    }
}

fn run(connection: &rusqlite::Connection, statement: &Statement) -> Result<Rows, SqlError> {
    let mut prepared = connection.prepare(&statement.sql).map_err(sort)?;
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let values = statement.params.iter().map(|param| Bound(param.clone()));
    let mut found = prepared.query(rusqlite::params_from_iter(values)).map_err(sort)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(sort)? {
        let value = |index| row.get_ref(index).map_or(Value::Null, answer);
        rows.push(Row(names.iter().enumerate().map(|(index, name)| (name.clone(), value(index))).collect()));
    }
    drop(found);
    let changes = if statement.only_reads() { 0 } else { connection.changes() };
    Ok(Rows { rows, changes })
}

fn answer(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        // As a double: an int64 that was not cast to text is rounded here as it is in D1.
        ValueRef::Integer(number) => json!(number as f64),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => json!(String::from_utf8_lossy(text)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn sort(error: rusqlite::Error) -> SqlError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => SqlError::Refused(error.to_string()),
        _ => SqlError::Failed(Fault::new(error.to_string())),
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

struct Session {
    database: Rc<Database>,
    has_written: Cell<bool>,
}

impl Sql for Session {
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, Result<Vec<Rows>, SqlError>> {
        Box::pin(async move {
            self.database.batches.set(self.database.batches.get() + 1);
            // Let others run first, as they do while D1 is on its way.
            Yield(false).await;
            let lost = || SqlError::Unavailable(Fault::new("D1 does not answer"));
            if !self.database.answers.get() {
                return Err(lost());
            }
            let results = self.database.run(&statements)?;
            // Others run before the answer arrives, too.
            Yield(false).await;
            if !statements.iter().all(Statement::only_reads) {
                self.has_written.set(true);
                if self.database.loses_answers.get() {
                    return Err(lost());
                }
            }
            Ok(results)
        })
    }

    fn read_at_least(&self, _: String) {}

    fn bookmark(&self) -> Option<String> {
        self.has_written.get().then(|| "00000001-00000002-00000003-0123456789abcdef0123456789abcdef".to_owned())
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

/// Polls all of them in turn until all have ended.
pub fn all_at_once<T>(futures: Vec<LocalFuture<'_, T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    let mut context = Context::from_waker(Waker::noop());
    while running.iter().any(|(future, _)| future.is_some()) {
        for (future, result) in &mut running {
            let polled = future.as_mut().map(|future| future.as_mut().poll(&mut context));
            if let Some(Poll::Ready(value)) = polled {
                *result = Some(value);
                *future = None;
            }
        }
    }
    running.into_iter().filter_map(|(_, result)| result).collect()
}

/// A map that counts how often it is asked.
#[derive(Default)]
pub struct MapKv {
    pub values: RefCell<BTreeMap<String, String>>,
    pub calls: Cell<u32>,
    pub fails: Cell<bool>,
}

impl MapKv {
    fn call(&self) -> Result<(), Fault> {
        self.calls.set(self.calls.get() + 1);
        if self.fails.get() { Err(Fault::new("KV does not answer")) } else { Ok(()) }
    }
}

impl Kv for MapKv {
    fn get<'a>(&'a self, key: &'a str) -> LocalFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move { self.call().map(|()| self.values.borrow().get(key).cloned()) })
    }

    fn put<'a>(&'a self, key: &'a str, value: String, _: u32) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.call().map(|()| drop(self.values.borrow_mut().insert(key.to_owned(), value))) })
    }
}

struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(buffer).map_err(|error| Fault::new(error.to_string()))
    }
}

/// The log, line by line.
#[derive(Default)]
pub struct Lines(pub RefCell<Vec<String>>);

impl Log for Lines {
    fn line(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
}

#[derive(Default)]
struct Queue(RefCell<Vec<LocalFuture<'static, ()>>>);

impl Tasks for Queue {
    fn spawn(&self, task: LocalFuture<'static, ()>) {
        self.0.borrow_mut().push(task);
    }
}
