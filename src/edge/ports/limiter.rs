//! The platform's rate limiting, behind [`Limiter`].

use std::rc::Rc;

use worker::Env;

use crate::edge::runtime::log::ConsoleLog;
use crate::ports::{Limiter, LocalFuture, Log as _};

/// The name of the binding. A deployment may do without it.
const BINDING: &str = "SIGN_INS";

/// Looked up in the environment when it is asked: most requests never ask.
pub(in crate::edge) struct RateLimit(Rc<Env>);

impl RateLimit {
    pub(in crate::edge) fn new(env: Rc<Env>) -> Self {
        Self(env)
    }
}

impl Limiter for RateLimit {
    fn admits<'a>(&'a self, key: &'a str) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            let Ok(limiter) = self.0.rate_limiter(BINDING) else { return true };
            limiter.limit(key.to_owned()).await.map_or_else(
                |error| {
                    ConsoleLog.line(&format!("{BINDING} does not answer: {error}"));
                    true
                },
                |outcome| outcome.success,
            )
        })
    }
}
