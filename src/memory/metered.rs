//! Counts and times what is asked of D1 and of the data centre's cache, for the isolate and for the
//! request that asks.
//!
//! On the platform, time stands still while the Worker computes and passes while it waits. So the
//! measured times are those of the round trips only.

use std::rc::Rc;

use crate::context::noted::Noted;
use crate::memory::isolate::Memory;
use crate::ports::{LocalFuture, Rows, Shared, Sql, SqlError, Statement, Timer};

pub struct Meter {
    pub memory: Rc<Memory>,
    pub noted: Rc<Noted>,
    pub timer: Rc<dyn Timer>,
}

pub struct MeteredSql<S> {
    inner: S,
    meter: Meter,
}

pub struct MeteredShared {
    inner: Rc<dyn Shared>,
    meter: Meter,
}

impl<S> MeteredSql<S> {
    pub const fn new(inner: S, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl MeteredShared {
    pub const fn new(inner: Rc<dyn Shared>, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<S: Sql> Sql for MeteredSql<S> {
    fn batch(&self, statements: Vec<Statement>) -> LocalFuture<'_, Result<Vec<Rows>, SqlError>> {
        Box::pin(async move {
            let Meter { memory, noted, timer } = &self.meter;
            let (begun_at, count) = (timer.now(), statements.len());
            let answer = self.inner.batch(statements).await;
            let took = timer.now() - begun_at;
            memory.counters.batch(count, answer.as_deref(), took);
            noted.d1.add(took, answer.iter().flatten().map(|rows| rows.read).sum());
            answer
        })
    }

    fn bookmark(&self) -> Option<String> {
        self.inner.bookmark()
    }
}

impl Shared for MeteredShared {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>> {
        Box::pin(async move {
            let begun_at = self.meter.timer.now();
            let found = self.inner.get(name).await;
            self.meter.noted.cache.add(self.meter.timer.now() - begun_at, 0);
            found
        })
    }

    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()> {
        self.inner.put(name, text, lifetime_s)
    }
}
