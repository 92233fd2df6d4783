//! Workers KV, behind [`Kv`].

use worker::KvStore;

use crate::error::Fault;
use crate::ports::{Kv, LocalFuture};

pub(super) struct WorkersKv(KvStore);

impl WorkersKv {
    pub(super) fn new(store: KvStore) -> Self {
        Self(store)
    }
}

impl Kv for WorkersKv {
    fn get<'a>(&'a self, key: &'a str) -> LocalFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move { self.0.get(key).text().await.map_err(|error| Fault::new(format!("KV get: {error}"))) })
    }

    fn put<'a>(&'a self, key: &'a str, value: String, lifetime_s: u32) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let fault = |error| Fault::new(format!("KV put: {error}"));
            let put = self.0.put(key, value).map_err(fault)?;
            put.expiration_ttl(u64::from(lifetime_s)).execute().await.map_err(fault)
        })
    }
}
