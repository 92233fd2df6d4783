//! A Postern on the host: SQLite behind the port `Sql`, a map behind `Kv`, and a clock that tests
//! set. A [`World`] has one database and any number of isolates.

mod clock;
mod database;
mod request;
mod shared;
pub mod signatures;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use postern::api;
use postern::api::http::message::{Forward, Handled, Response};
use postern::context::Cx;
use postern::context::noted::Noted;
use postern::domain::config::Config;
use postern::domain::config::variables::Bindings;
use postern::domain::network::PEER;
use postern::domain::secret::Secret;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::fetch_problem::FetchProblem;
use postern::domain::tokens::jwt;
use postern::domain::tokens::key_source::HttpsUrl;
use postern::error::Fault;
use postern::memory::isolate::Memory;
use postern::memory::metered::{Meter, MeteredShared, MeteredSql};
use postern::ports::{
    Decision, Decisions, Entropy, Issuers, Kv, Limiter, LocalFuture, Log, Published, Tasks,
};

use serde_json::{Map, Value, json};

pub use request::Request;

use clock::Clock;
pub use database::Database;
use database::Session;
use shared::DataCentre;
use signatures::Native;

pub const ADMIN_PASSWORD: &str = "correct horse admin";
pub const ORIGIN: &str = "http://postern.test";
pub const SECURE_ORIGIN: &str = "https://postern.test";
pub const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";
pub const START: Millis = Millis(1_800_000_000_000);

pub struct World {
    pub database: Rc<Database>,
    pub kv: Rc<MapKv>,
    pub shared: Rc<DataCentre>,
    pub limiter: Rc<Counting>,
    pub log: Rc<Lines>,
    pub decisions: Rc<DataPoints>,
    /// The deployment has a binding for decisions.
    pub counts_decisions: Cell<bool>,
    pub signatures: Rc<Native>,
    pub issuers: Rc<Publishers>,
    pub now: Rc<Clock>,
    /// Requests that went on to the origin. There is no origin; the answer's status is 299.
    pub passed: RefCell<Vec<Forward>>,
    pub tasks: Rc<Queue>,
}

/// An isolate has its own memory and its own configuration.
pub struct Isolate<'a> {
    pub world: &'a World,
    pub memory: Rc<Memory>,
    config: Result<Rc<Config>, Vec<String>>,
}

impl World {
    pub fn new() -> Self {
        Self::on(Database::new())
    }

    pub fn on(database: Database) -> Self {
        let tasks: Rc<Queue> = Rc::default();
        let clock = Rc::new(Clock::new(START, &tasks));
        Self {
            database: Rc::new(database),
            kv: Rc::default(),
            shared: Rc::new(DataCentre::new(&clock)),
            limiter: Rc::default(),
            log: Rc::default(),
            decisions: Rc::default(),
            counts_decisions: Cell::new(false),
            signatures: Rc::default(),
            issuers: Rc::new(Publishers::new(&clock)),
            now: clock,
            passed: RefCell::default(),
            tasks,
        }
    }

    pub fn isolate(&self) -> Isolate<'_> {
        self.isolate_with(&[])
    }

    /// An isolate with further text variables; `None` removes one.
    pub fn isolate_with(&self, variables: &[(&str, Option<&str>)]) -> Isolate<'_> {
        self.isolate_of(variables.iter().map(|(name, text)| ((*name).to_owned(), json!(text))))
    }

    /// An isolate with further variables of any type; null removes one.
    pub fn isolate_of(&self, variables: impl IntoIterator<Item = (String, Value)>) -> Isolate<'_> {
        let mut all = Bindings::from([
            ("MASTER_KEY".to_owned(), json!("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")),
            ("ADMIN_PASSWORD".to_owned(), json!(ADMIN_PASSWORD)),
        ]);
        all.extend(variables);
        Isolate { world: self, memory: Rc::default(), config: Config::read(&all).map(Rc::new) }
    }

    pub fn pass(&self, seconds: i64) {
        self.now.set(self.now.get() + Millis::from_seconds(seconds));
    }

    /// Runs the background tasks (`waitUntil`) to their end.
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
        let noted = Rc::new(Noted::default());
        let meter = || Meter {
            memory: Rc::clone(&self.memory),
            noted: Rc::clone(&noted),
            timer: world.now.clone(),
        };
        Cx {
            sql: Rc::new(MeteredSql::new(Session::new(&world.database, &world.now), meter())),
            kv: world.kv.clone(),
            shared: Rc::new(MeteredShared::new(world.shared.clone(), meter())),
            signatures: world.signatures.clone(),
            issuers: world.issuers.clone(),
            timer: world.now.clone(),
            entropy: Rc::new(Random),
            tasks: world.tasks.clone(),
            log: world.log.clone(),
            decisions: world
                .counts_decisions
                .get()
                .then(|| Rc::clone(&world.decisions) as Rc<dyn Decisions>),
            memory: Rc::clone(&self.memory),
            config: self.config.clone().expect("the variables are right"),
            now: world.now.get(),
            limiter: world.limiter.clone(),
            request_header: Rc::new(of_every_request),
            noted: Rc::clone(&noted),
            request_id: REQUEST_ID.to_owned(),
            is_recheck: false,
            must_read: Cell::new(false),
            ended_session: Cell::new(None),
            stale_by: Cell::new(None),
        }
    }

    /// The context of a request, with its headers and those that the platform adds.
    fn cx_of(&self, request: &Request) -> Cx {
        let request = request.clone();
        let header = move |name: &str| request.values(name).or_else(|| of_every_request(name));
        Cx { request_header: Rc::new(header), ..self.cx() }
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
            Ok(_) => match api::handle(&self.cx_of(request), request).await {
                Handled::Answered(response) => {
                    // The runtime takes each header name once.
                    let names: HashSet<_> = response.headers.iter().map(|(name, _)| name).collect();
                    assert_eq!(names.len(), response.headers.len(), "{:?}", response.headers);
                    response
                }
                Handled::Passed(forward) => {
                    let answer = Response::text(299, "text/plain", format!("{forward:?}"));
                    self.world.passed.borrow_mut().push(forward);
                    answer
                }
            },
            Err(problems) => api::refuse(
                &*self.world.log,
                request,
                REQUEST_ID,
                self.world.now.get(),
                problems.clone(),
            ),
        }
    }

    /// Answers whether the connection that the request opened may stay open for `holder`.
    pub async fn may_stay_open(&self, request: &Request, holder: &str) -> bool {
        let cx = Cx { is_recheck: true, ..self.cx_of(request) };
        api::may_stay_open(&cx, request, holder).await
    }

    pub fn send(&self, request: &Request) -> Response {
        block_on(self.answer(request))
    }

    /// GET with a credential; an empty one sends no header.
    pub fn get(&self, path: &str, authorization: &str) -> Response {
        self.send(&Request::new("GET", path).authorization(authorization))
    }

    /// Sends a JSON body as the first administrator; null sends no body.
    pub fn administer(&self, method: &str, path: &str, body: &Value) -> Response {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(&Request::new(method, path).authorization(&admin()).body(&text))
    }

    /// Registers the seed's example app with some members replaced.
    pub fn register(&self, change: &Value) {
        let mut body = json!({
            "name": "ERP", "token_name": "token", "secret": "abcd", "expire": 86400,
            "fieldmap": { "username": "loginname", "name": "name", "email": "email" },
            "algorithm": "HS256", "enable": "1", "inituser": "1", "initroles": ["SYS_Reader"],
        });
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let is_published =
            body["secret"].as_str().is_some_and(|secret| secret.starts_with("https://"));
        if is_published && body["audiences"].is_null() && body["any_audience"].is_null() {
            body["any_audience"] = json!(true);
        }
        let response = self.administer("POST", "/plugin/datafor-modeler/api/token/update", &body);
        assert_eq!(response.status, 200, "{}", response.body);
    }

    /// Signs the first administrator in by password and returns the session's cookie. `LOGIN_URL`
    /// must be `password`.
    pub fn session_of_admin(&self) -> String {
        let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
        cookie_of(&self.send(&Request::new("POST", "/v1/sign-in").body(&body)))
    }

    /// Verifies a token as Bearer. Returns the status, and the user name or the reason.
    pub fn verify(&self, token: &str) -> (u16, String) {
        let response = self.get("/v1/verify", &format!("Bearer {token}"));
        let body = json_of(&response);
        let word = body.pointer("/user/username").or(body.get("reason")).and_then(Value::as_str);
        (response.status, word.unwrap_or_default().to_owned())
    }

    /// Claims that expire in ten minutes.
    pub fn claims(&self, username: &str) -> Map<String, Value> {
        let end = self.world.now.get().seconds() + 600;
        json!({ "loginname": username, "exp": end }).as_object().cloned().unwrap_or_default()
    }

    /// A token for alice, valid for ten minutes, signed with HS256. `claims` are added or replace
    /// others.
    pub fn signed(&self, secret: &str, claims: &Value) -> String {
        let now = self.world.now.get().seconds();
        let mut all = json!({ "sub": "alice", "iat": now, "exp": now + 600 });
        for (name, value) in claims.as_object().expect("an object") {
            all[name] = value.clone();
        }
        forge(r#"{"alg":"HS256","typ":"JWT"}"#, &all.to_string(), secret.as_bytes())
    }

    pub fn token(&self, username: &str) -> String {
        jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &self.claims(username))
            .expect("a shared secret")
    }
}

/// Headers that the platform sets on every request.
fn of_every_request(name: &str) -> Option<String> {
    let value = [(PEER, "203.0.113.9"), ("host", "postern.test")]
        .into_iter()
        .find(|(of, _)| *of == name)?
        .1;
    Some(value.to_owned())
}

pub fn admin() -> String {
    basic("admin", ADMIN_PASSWORD)
}

pub fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{username}:{password}").as_bytes()))
}

/// The cookie that an answer sets, as `name=value`.
pub fn cookie_of(response: &Response) -> String {
    let set = response.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("a value").to_owned()
}

pub fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or(Value::Null)
}

/// A token with any header and any claims, signed with the HMAC that the header names, else HS256.
pub fn forge(header: &str, claims: &str, secret: &[u8]) -> String {
    use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
    use jwt_compact::{Algorithm as _, AlgorithmSignature as _};

    let text =
        [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".");
    let algorithm = serde_json::from_str::<Value>(header)
        .ok()
        .and_then(|header| header["alg"].as_str().map(str::to_owned));
    let signature = match algorithm.as_deref() {
        Some("HS384") => Hs384.sign(&Hs384Key::new(secret), text.as_bytes()).as_bytes().to_vec(),
        Some("HS512") => Hs512.sign(&Hs512Key::new(secret), text.as_bytes()).as_bytes().to_vec(),
        _ => Hs256.sign(&Hs256Key::new(secret), text.as_bytes()).as_bytes().to_vec(),
    };
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
}

/// Lets other futures run first.
pub async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Polls a future to its end. Futures on the host wait only for each other.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// Polls the futures in turn until all have ended.
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

/// A map behind the port `Kv` that counts its calls.
#[derive(Default)]
pub struct MapKv {
    pub values: RefCell<BTreeMap<String, String>>,
    pub calls: Cell<u32>,
    pub bytes_read: Cell<usize>,
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
        Box::pin(async move {
            self.call()?;
            let value = self.values.borrow().get(key).cloned();
            self.bytes_read.set(self.bytes_read.get() + value.as_ref().map_or(0, String::len));
            Ok(value)
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: String,
        _: u32,
    ) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.call().map(|()| drop(self.values.borrow_mut().insert(key.to_owned(), value)))
        })
    }
}

/// The platform's rate limit: counts the calls, and refuses each key of its list.
#[derive(Default)]
pub struct Counting {
    pub asked: Cell<u32>,
    pub refused: RefCell<Vec<String>>,
}

impl Limiter for Counting {
    fn admits<'a>(&'a self, key: &'a str) -> LocalFuture<'a, bool> {
        self.asked.set(self.asked.get() + 1);
        Box::pin(async move { !self.refused.borrow().iter().any(|refused| refused == key) })
    }
}

/// What is published at each URL; other URLs do not answer. Counts the fetches.
pub struct Publishers {
    pub answers: RefCell<BTreeMap<String, Result<Published, FetchProblem>>>,
    pub asked: Cell<u32>,
    /// How long an answer takes. A fetch whose limit is not longer times out.
    pub delay: Cell<Millis>,
    /// Calls of introspection endpoints: the URL, the credential and the form.
    pub introspected: RefCell<Vec<[String; 3]>>,
    clock: Rc<Clock>,
}

impl Publishers {
    fn new(clock: &Rc<Clock>) -> Self {
        Self {
            answers: RefCell::default(),
            asked: Cell::new(0),
            delay: Cell::default(),
            introspected: RefCell::default(),
            clock: Rc::clone(clock),
        }
    }

    pub fn publish(&self, url: &str, body: &str, cache_control: Option<&str>) {
        let published = Published {
            body: body.as_bytes().to_vec(),
            cache_control: cache_control.map(str::to_owned),
        };
        self.answers.borrow_mut().insert(url.to_owned(), Ok(published));
    }

    pub fn fail(&self, url: &str, problem: FetchProblem) {
        self.answers.borrow_mut().insert(url.to_owned(), Err(problem));
    }
}

impl Issuers for Publishers {
    fn fetch<'a>(
        &'a self,
        url: &'a HttpsUrl,
        limit: Millis,
    ) -> LocalFuture<'a, Result<Published, FetchProblem>> {
        use postern::ports::Timer as _;
        self.asked.set(self.asked.get() + 1);
        Box::pin(async move {
            yield_once().await;
            // The answer is what is published when the request arrives.
            let answer = self.answers.borrow().get(url.as_str()).cloned();
            let delay = self.delay.get();
            if delay > Millis(0) {
                self.clock.sleep(delay.min(limit)).await;
            }
            yield_once().await;
            if delay >= limit {
                return Err(FetchProblem::TimedOut);
            }
            answer.unwrap_or_else(|| Err(FetchProblem::Unreachable("no such host".to_owned())))
        })
    }

    fn introspect<'a>(
        &'a self,
        url: &'a HttpsUrl,
        authorization: String,
        form: String,
        limit: Millis,
    ) -> LocalFuture<'a, Result<Vec<u8>, FetchProblem>> {
        self.introspected.borrow_mut().push([url.as_str().to_owned(), authorization, form]);
        Box::pin(async move { self.fetch(url, limit).await.map(|published| published.body) })
    }
}

struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(buffer).map_err(|error| Fault::new(error.to_string()))
    }
}

#[derive(Default)]
pub struct Lines(pub RefCell<Vec<String>>);

impl Log for Lines {
    fn line(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }

    fn refusal(&self, line: &str, is_fault: bool) {
        let parsed: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line} is no JSON: {error}"));
        assert_eq!(is_fault, parsed["status"].as_i64() >= Some(500), "{line}");
        self.line(line);
    }
}

impl Lines {
    /// The log lines of refusals, parsed.
    pub fn refusals(&self) -> Vec<Value> {
        let lines = self.0.borrow();
        lines
            .iter()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}

/// Decisions, each as the deployment's binding gets it.
#[derive(Default)]
pub struct DataPoints(pub RefCell<Vec<Value>>);

impl Decisions for DataPoints {
    fn note(&self, decision: &Decision<'_>) {
        let Decision { kind, outcome, reason, dialect, app, rule, yes, no, begun_at } = decision;
        let point = json!({
            "kind": kind, "outcome": outcome, "reason": reason, "dialect": dialect, "app": app,
            "rule": rule, "yes": yes, "no": no, "begunAt": begun_at,
        });
        self.0.borrow_mut().push(point);
    }
}

/// The background tasks (`waitUntil`).
#[derive(Default)]
pub struct Queue(pub RefCell<Vec<LocalFuture<'static, ()>>>);

impl Queue {
    /// Polls each task once.
    fn poll(&self) {
        let mut context = Context::from_waker(Waker::noop());
        let tasks = std::mem::take(&mut *self.0.borrow_mut());
        for mut task in tasks {
            if task.as_mut().poll(&mut context).is_pending() {
                self.0.borrow_mut().push(task);
            }
        }
    }
}

impl Tasks for Queue {
    fn spawn(&self, task: LocalFuture<'static, ()>) {
        self.0.borrow_mut().push(task);
    }
}
