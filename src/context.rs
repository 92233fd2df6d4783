//! The context of a request or of the scheduled event: the ports, the isolate's memory, the configuration and the time.

use std::cell::Cell;
use std::rc::Rc;

use crate::domain::config::Config;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::memory::isolate::Memory;
use crate::ports::{Entropy, Issuers, Kv, Log, Signatures, Sql, Tasks, Timer};

/// What a request, or the scheduled event, has at hand. Cloning is cheap, and only for work behind the answer.
#[derive(Clone)]
pub struct Cx {
    /// The truth.
    pub sql: Rc<dyn Sql>,
    /// The copy for bad days.
    pub kv: Rc<dyn Kv>,
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
    /// What this isolate remembers.
    pub memory: Rc<Memory>,
    /// The deployment's variables and secrets.
    pub config: Rc<Config>,
    /// When the request began.
    pub now: Millis,
    /// Reads the client's address, where the platform tells it.
    pub client_address: Rc<dyn Fn() -> Option<String>>,
    /// The answer's `x-request-id`.
    pub request_id: String,
    /// The request must see at least what its bookmark names, and has not looked yet.
    pub must_read: Cell<bool>,
}

impl Cx {
    /// The client's address, where the platform tells it.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        (self.client_address)()
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes).map_err(Error::Internal)?;
        Ok(bytes)
    }
}
