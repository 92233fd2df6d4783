//! The context of a request or of the scheduled event: the ports, the isolate's memory, the
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

/// What a request, or the scheduled event, has at hand. Cloning is cheap, and only for work behind
/// the answer.
#[derive(Clone)]
pub struct Cx {
    /// The truth.
    pub sql: Rc<dyn Sql>,
    /// The copy for bad days.
    pub kv: Rc<dyn Kv>,
    /// What the isolates of this data centre share.
    pub shared: Rc<dyn Shared>,
    /// Signatures by public keys.
    pub signatures: Rc<dyn Signatures>,
    /// The issuers that publish their keys.
    pub issuers: Rc<dyn Issuers>,
    /// The time, for whoever waits.
    pub timer: Rc<dyn Timer>,
    /// Random bytes.
    pub entropy: Rc<dyn Entropy>,
    /// Work behind the answer.
    pub tasks: Rc<dyn Tasks>,
    /// The log.
    pub log: Rc<dyn Log>,
    /// Where decisions are counted; `None` where the deployment has no such place.
    pub decisions: Option<Rc<dyn Decisions>>,
    /// What this isolate remembers.
    pub memory: Rc<Memory>,
    /// The deployment's variables and secrets.
    pub config: Rc<Config>,
    /// When the request began.
    pub now: Millis,
    /// The platform's limit on sign-ins.
    pub limiter: Rc<dyn Limiter>,
    /// Reads a header of the request.
    pub request_header: HeaderReader,
    /// What the request has found out about itself.
    pub noted: Rc<Noted>,
    /// The answer's `x-request-id`.
    pub request_id: String,
    /// The credential was taken before, and what it opened is still open. Looking again creates and
    /// changes nobody, and counts no failure.
    pub is_recheck: bool,
    /// The request must see at least what its bookmark names, and has not looked yet.
    pub must_read: Cell<bool>,
    /// The session that the browser showed in a cookie, and that is over. The answer tells the
    /// browser to forget it.
    pub ended_session: Cell<Option<EndedSession>>,
    /// How old the copies are that the answer relies on, because D1 did not answer in time.
    pub stale_by: Cell<Option<Millis>>,
}

impl Cx {
    /// The client's address, where the platform tells it; behind trusted proxies, the one that they
    /// tell.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.config.trusted_proxies.client(|name| (self.request_header)(name))
    }

    /// The address of whoever has connected: the client, or the proxy in front.
    #[must_use]
    pub fn peer_address(&self) -> Option<String> {
        (self.request_header)(PEER)
    }

    /// The client's network, by which sign-ins are counted.
    #[must_use]
    pub fn network(&self) -> String {
        network_of(self.address().as_deref())
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes).map_err(Error::Internal)?;
        Ok(bytes)
    }
}
