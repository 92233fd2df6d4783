//! How many sign-ins may fail before others are refused.
//!
//! A stranger must not guess passwords, and must not lock out a user whose name they know. So
//! failures count for a user name and a network together. Where many networks fail with one name,
//! only those go on from which its user has signed in before.

use crate::domain::time::Millis;
use crate::error::{Error, Limit, Result};

/// For how long a failure counts.
pub const WINDOW: Millis = Millis::from_seconds(600);
/// How many may fail with one user name from one network.
pub const OF_PAIR: i64 = 10;
/// How many may fail with one user name, from wherever.
pub const OF_NAME: i64 = 100;
/// How many may fail from one network, with whatever user names.
pub const OF_NETWORK: i64 = 100;
/// For how long a network is one from which a user has signed in.
pub const KNOWN_FOR: Millis = Millis::from_seconds(30 * 24 * 60 * 60);
/// How old the note of a sign-in from there may grow before it is written anew.
pub const NOTED_AGAIN_AFTER: Millis = Millis::from_seconds(24 * 60 * 60);
/// How many such networks are kept of a user: those of the latest sign-ins.
pub const KEPT_NETWORKS: i64 = 20;

/// Failures within the window, up to a limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// How many, at most as many as are allowed.
    pub failures: i64,
    /// When the oldest of them was.
    pub oldest: Millis,
}

/// The failures that bear on a sign-in, and whether its user has signed in from there before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failures {
    /// With its user name from its network.
    pub of_pair: Count,
    /// With its user name.
    pub of_name: Count,
    /// From its network.
    pub of_network: Count,
    /// When its user last signed in from its network; `None` where they have not within
    /// [`KNOWN_FOR`].
    pub known_at: Option<Millis>,
}

impl Failures {
    /// Refuses the sign-in if a limit is reached.
    pub fn check(&self, now: Millis) -> Result<()> {
        refuse_at(self.of_pair, OF_PAIR, Limit::Failures, now)?;
        if self.known_at.is_some() {
            return Ok(());
        }
        refuse_at(self.of_name, OF_NAME, Limit::NewAddress, now)?;
        refuse_at(self.of_network, OF_NETWORK, Limit::AddressFailures, now)
    }

    /// Whether a sign-in that was right is to be noted with its network.
    #[must_use]
    pub fn is_to_be_noted(&self, now: Millis) -> bool {
        self.known_at.is_none_or(|at| now - at >= NOTED_AGAIN_AFTER)
    }
}

fn refuse_at(count: Count, allowed: i64, limit: Limit, now: Millis) -> Result<()> {
    if count.failures < allowed {
        return Ok(());
    }
    let left = count.oldest + WINDOW - now;
    Err(Error::TooMany { limit, retry_after_s: (left + Millis(999)).seconds().max(1) })
}
