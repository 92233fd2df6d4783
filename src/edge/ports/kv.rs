//! Workers KV, behind [`Kv`].

use std::rc::Rc;

use worker::{Env, KvStore};

use crate::error::Fault;
use crate::ports::{Kv, LocalFuture};

/// The name of the binding.
pub(in crate::edge) const BINDING: &str = "KV";

/// Looked up in the environment when it is asked: most requests never ask.
pub(in crate::edge) struct WorkersKv(Rc<Env>);

impl WorkersKv {
    pub(in crate::edge) fn new(env: Rc<Env>) -> Self {
        Self(env)
    }

    fn store(&self) -> Result<KvStore, Fault> {
        self.0.kv(BINDING).map_err(|error| Fault::new(format!("KV: {error}")))
    }
}

impl Kv for WorkersKv {
    fn get<'a>(&'a self, key: &'a str) -> LocalFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move {
            self.store()?
                .get(key)
                .text()
                .await
                .map_err(|error| Fault::new(format!("KV get: {error}")))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: String,
        lifetime_s: u32,
    ) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let fault = |error| Fault::new(format!("KV put: {error}"));
            let put = self.store()?.put(key, value).map_err(fault)?;
            put.expiration_ttl(u64::from(lifetime_s)).execute().await.map_err(fault)
        })
    }
}
