//! The ports of the product, as the model has them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use postern::api::http::message::Inbound;
use postern::domain::assertion::PrivateKey;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::fetch_problem::FetchProblem;
use postern::domain::tokens::key_source::HttpsUrl;
use postern::domain::tokens::public_key::PublicKey;
use postern::error::{Error, Fault};
use postern::ports::{
    Entropy, Issuers, Kv, Limiter, LocalFuture, Log, Param, Published, Rows, Shared, Signatures,
    Sql, SqlError, Statement,
};

use crate::clock::Clock;
use crate::database::Session;
use crate::numbers::Numbers;

/// Why D1 was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Memory was aging: the feed alone, behind an answer.
    Feed,
    /// Memory was expired.
    Expired,
    /// The isolate was cold.
    Cold,
    /// Memory was fresh, but did not know the user.
    Unknown,
}

impl Why {
    /// Read off the statements: the feed, then apps and revocations unless memory is fresh, then
    /// what is wanted. The first parameter of the feed is where memory is.
    fn of(statements: &[Statement]) -> Self {
        let is_cold = statements.first().and_then(|feed| feed.params.first()) == Some(&Param::Null);
        match statements.len() {
            _ if is_cold => Self::Cold,
            2 => Self::Unknown,
            ..=3 => Self::Feed,
            _ => Self::Expired,
        }
    }
}

/// What has happened at D1 on behalf of one data centre.
#[derive(Default)]
pub struct Asked {
    pub queries: RefCell<BTreeMap<Why, u64>>,
    in_flight: Cell<u32>,
    pub most_in_flight: Cell<u32>,
}

impl Asked {
    fn count(&self, why: Why) {
        *self.queries.borrow_mut().entry(why).or_default() += 1;
        self.in_flight.set(self.in_flight.get() + 1);
        self.most_in_flight.set(self.most_in_flight.get().max(self.in_flight.get()));
    }

    pub fn forget(&self) {
        self.queries.borrow_mut().clear();
        self.most_in_flight.set(0);
    }
}

/// A query on its way, also where nobody waits for it any more.
struct InFlight(Rc<Asked>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}

/// How long D1 takes, in milliseconds.
#[derive(Clone, Copy)]
pub struct RoundTrips {
    pub median: f64,
    pub sigma: f64,
    /// The share of queries that take 2 to 25 s more.
    pub stalls: f64,
    /// The share of queries that take 60 to 80 s more.
    pub long_stalls: f64,
}

impl RoundTrips {
    fn draw(&self, numbers: &Numbers) -> f64 {
        let usual = numbers.lognormal(self.median, self.sigma);
        let (kind, stall, long) = (
            numbers.share(),
            numbers.between_by_magnitude(2_000.0, 25_000.0),
            numbers.between(60_000.0, 80_000.0),
        );
        match kind {
            _ if kind < self.long_stalls => usual + long,
            _ if kind < self.long_stalls + self.stalls => usual + stall,
            _ => usual,
        }
    }
}

/// `SQLite` with the real migrations, at the other end of a line.
pub struct Distant {
    pub database: Session,
    pub clock: Rc<Clock>,
    pub numbers: Rc<Numbers>,
    pub takes: RoundTrips,
    pub asked: Rc<Asked>,
}

impl Sql for Distant {
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, Result<Vec<Rows>, SqlError>> {
        Box::pin(async move {
            self.asked.count(Why::of(&statements));
            let _in_flight = InFlight(Rc::clone(&self.asked));
            let takes = micros(self.takes.draw(&self.numbers));
            self.clock.pause(takes / 2).await;
            let results = block_on(self.database.batch(statements));
            self.clock.pause(takes - takes / 2).await;
            results
        })
    }

    fn bookmark(&self) -> Option<String> {
        None
    }
}

/// The cache of a data centre: 1 to 3 ms.
pub struct DataCentre {
    pub clock: Rc<Clock>,
    pub numbers: Rc<Numbers>,
    pub entries: RefCell<BTreeMap<String, (String, u64)>>,
}

impl Shared for DataCentre {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>> {
        Box::pin(async move {
            self.clock.pause(micros(self.numbers.between(1.0, 3.0))).await;
            let entries = self.entries.borrow();
            let (text, until) = entries.get(name)?;
            (*until > self.clock.micros()).then(|| text.clone())
        })
    }

    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()> {
        Box::pin(async move {
            self.clock.pause(micros(self.numbers.between(1.0, 3.0))).await;
            let until = self.clock.micros() + u64::try_from(lifetime_s).unwrap_or(0) * 1_000_000;
            self.entries.borrow_mut().insert(name.to_owned(), (text, until));
        })
    }
}

/// A cache that keeps nothing, and says so at once.
pub struct NothingShared;

impl Shared for NothingShared {
    fn get<'a>(&'a self, _: &'a str) -> LocalFuture<'a, Option<String>> {
        Box::pin(async { None })
    }

    fn put<'a>(&'a self, _: &'a str, _: String, _: i64) -> LocalFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// KV: around 30 ms to read, for all alike.
pub struct Copies {
    pub clock: Rc<Clock>,
    pub numbers: Rc<Numbers>,
    pub values: RefCell<BTreeMap<String, String>>,
}

impl Kv for Copies {
    fn get<'a>(&'a self, key: &'a str) -> LocalFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move {
            self.clock.pause(micros(self.numbers.lognormal(30.0, 0.5))).await;
            Ok(self.values.borrow().get(key).cloned())
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: String,
        _: u32,
    ) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.values.borrow_mut().insert(key.to_owned(), value);
            Ok(())
        })
    }
}

/// The same for the scheduled event, for which time does not pass.
pub struct CopiesAtOnce(pub Rc<Copies>);

impl Kv for CopiesAtOnce {
    fn get<'a>(&'a self, key: &'a str) -> LocalFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move { Ok(self.0.values.borrow().get(key).cloned()) })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: String,
        lifetime_s: u32,
    ) -> LocalFuture<'a, Result<(), Fault>> {
        self.0.put(key, value, lifetime_s)
    }
}

/// What the traffic of the model does not need, or what costs no time in it.
pub struct Rest(pub Numbers);

impl Signatures for Rest {
    fn verify<'a>(
        &'a self,
        _: Algorithm,
        _: &'a PublicKey,
        _: &'a [u8],
        _: &'a [u8],
    ) -> LocalFuture<'a, Result<bool, Fault>> {
        Box::pin(async { Err(Fault::new("no key pairs here")) })
    }

    fn accepts<'a>(&'a self, _: Algorithm, _: &'a PublicKey) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async { Err(Fault::new("no key pairs here")) })
    }

    fn sign<'a>(
        &'a self,
        _: &'a PrivateKey,
        _: &'a [u8],
    ) -> LocalFuture<'a, Result<Vec<u8>, Fault>> {
        Box::pin(async { Err(Fault::new("no key pairs here")) })
    }
}

impl Issuers for Rest {
    fn fetch<'a>(
        &'a self,
        _: &'a HttpsUrl,
        _: Millis,
    ) -> LocalFuture<'a, Result<Published, FetchProblem>> {
        Box::pin(async { Err(FetchProblem::TimedOut) })
    }

    fn introspect<'a>(
        &'a self,
        _: &'a HttpsUrl,
        _: String,
        _: String,
        _: Millis,
    ) -> LocalFuture<'a, Result<Vec<u8>, FetchProblem>> {
        Box::pin(async { Err(FetchProblem::TimedOut) })
    }
}

impl Entropy for Rest {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Fault> {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl Limiter for Rest {
    fn admits<'a>(&'a self, _: &'a str) -> LocalFuture<'a, bool> {
        Box::pin(async { true })
    }
}

impl Log for Rest {
    fn line(&self, _: &str) {}

    fn refusal(&self, _: &str, _: bool) {}
}

/// A request, with as many headers as the traffic has.
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub authorization: String,
    pub body: String,
}

impl Inbound for Request {
    fn method(&self) -> &str {
        self.method
    }

    fn origin(&self) -> &'static str {
        "https://postern.test"
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> &'static str {
        ""
    }

    fn header(&self, name: &'static str) -> Option<String> {
        (name == "authorization" && !self.authorization.is_empty())
            .then(|| self.authorization.clone())
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.header("authorization")
            .map(|value| ("authorization".to_owned(), value))
            .into_iter()
            .collect()
    }

    fn country(&self) -> Option<String> {
        None
    }

    fn body(&self) -> LocalFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async { Ok(self.body.clone().into_bytes()) })
    }
}

/// Milliseconds as whole microseconds.
fn micros(millis: f64) -> u64 {
    (millis * 1_000.0) as u64
}

/// Polls what does not wait for time to pass.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}
