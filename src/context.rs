//! The context of a request or of the scheduled event: the ports, the isolate's cache, the
//! configuration and the time.

pub mod noted;

use std::cell::Cell;
use std::rc::Rc;

use crate::context::noted::Noted;
use crate::domain::browsers::EndedSession;
use crate::domain::config::Config;
use crate::domain::network::{PEER, network_of};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::memory::isolate::Memory;
use crate::ports::{
    Decisions, Entropy, Issuers, Kv, Limiter, Log, Shared, Signatures, Sql, Tasks, Timer,
};

/// Reads a header of a request by its name.
pub type HeaderReader = Rc<dyn Fn(&str) -> Option<String>>;

/// Everything that a request or the scheduled event needs. Cloning is cheap. Only work that
/// continues after the answer needs a clone.
#[derive(Clone)]
pub struct Cx {
    /// D1, which holds the state.
    pub sql: Rc<dyn Sql>,
    /// The copy for times when D1 does not answer.
    pub kv: Rc<dyn Kv>,
    /// The cache that the isolates of this data centre share.
    pub shared: Rc<dyn Shared>,
    pub signatures: Rc<dyn Signatures>,
    pub issuers: Rc<dyn Issuers>,
    /// The current time and timers, for code that waits.
    pub timer: Rc<dyn Timer>,
    pub entropy: Rc<dyn Entropy>,
    /// Starts work that continues after the answer.
    pub tasks: Rc<dyn Tasks>,
    pub log: Rc<dyn Log>,
    /// Counts decisions; `None` if the deployment has no Analytics Engine.
    pub decisions: Option<Rc<dyn Decisions>>,
    pub memory: Rc<Memory>,
    /// The deployment's variables and secrets.
    pub config: Rc<Config>,
    /// The time when the request began.
    pub now: Millis,
    /// The platform's rate limit on sign-ins.
    pub limiter: Rc<dyn Limiter>,
    pub request_header: HeaderReader,
    /// Facts about the request for log and analytics.
    pub noted: Rc<Noted>,
    /// The `x-request-id` of the answer.
    pub request_id: String,
    /// The credential was accepted before, and what it opened (a stream) is still open.
    /// Authentication repeated for this reason creates and changes no user, and counts no failure.
    pub is_recheck: bool,
    /// The request must see at least the revision in its bookmark, and the cache has not been
    /// refreshed for that yet.
    pub must_read: Cell<bool>,
    /// The browser's cookie named this session, which has ended. The answer deletes the cookie.
    pub ended_session: Cell<Option<EndedSession>>,
    /// The age of the copies that the answer relies on, because D1 did not answer in time.
    pub stale_by: Cell<Option<Millis>>,
}

impl Cx {
    /// The client's address, if the platform provides it. Behind trusted proxies, it is the address
    /// that they report.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.config.trusted_proxies.client(|name| (self.request_header)(name))
    }

    /// The address of the connection's other end: the client or the proxy in front of it.
    #[must_use]
    pub fn peer_address(&self) -> Option<String> {
        (self.request_header)(PEER)
    }

    /// The client's network, by which sign-ins are limited.
    #[must_use]
    pub fn network(&self) -> String {
        network_of(self.address().as_deref())
    }

    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes).map_err(Error::Internal)?;
        Ok(bytes)
    }
}
