//! Limits on failed sign-ins.
//!
//! A stranger must not guess passwords, and must not lock out a user whose name they know.
//! Therefore failures are counted per pair of user name and network. If sign-ins with one name fail
//! from many networks, only networks from which that user has signed in before may go on.

use crate::domain::time::Millis;
use crate::error::{Error, Limit, Result};

/// How long a failure is counted.
pub const WINDOW: Millis = Millis::from_seconds(600);
/// Failures allowed with one user name from one network.
pub const OF_PAIR: i64 = 10;
/// Failures allowed with one user name from all networks together.
pub const OF_NAME: i64 = 100;
/// Failures allowed from one network with all user names together.
pub const OF_NETWORK: i64 = 100;
/// How long a network stays known after its user's last sign-in from it.
pub const KNOWN_FOR: Millis = Millis::from_seconds(30 * 24 * 60 * 60);
/// The age at which the record of a sign-in from a network is written anew.
pub const NOTED_AGAIN_AFTER: Millis = Millis::from_seconds(24 * 60 * 60);
/// Known networks kept per user: those of the latest sign-ins.
pub const KEPT_NETWORKS: i64 = 20;

/// Failures within [`WINDOW`], counted up to the limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// No larger than the limit.
    pub failures: i64,
    /// The time of the oldest of these failures.
    pub oldest: Millis,
}

/// All that decides whether a sign-in may be tried.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failures {
    /// Failures with this user name from this network.
    pub of_pair: Count,
    /// Failures with this user name.
    pub of_name: Count,
    pub of_network: Count,
    /// When the user last signed in from this network. `None` if that was longer ago than
    /// [`KNOWN_FOR`], or never.
    pub known_at: Option<Millis>,
}

impl Failures {
    /// Fails with [`Error::TooMany`] if a limit is reached.
    pub fn check(&self, now: Millis) -> Result<()> {
        refuse_at(self.of_pair, OF_PAIR, Limit::Failures, now)?;
        if self.known_at.is_some() {
            return Ok(());
        }
        refuse_at(self.of_name, OF_NAME, Limit::NewAddress, now)?;
        refuse_at(self.of_network, OF_NETWORK, Limit::AddressFailures, now)
    }

    /// Whether a successful sign-in must be recorded with its network.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(limit: i64) -> impl Strategy<Value = Count> {
        let failures = prop_oneof![0..limit, limit - 1..=limit];
        (failures, 0_i64..=600_000)
            .prop_map(|(failures, oldest)| Count { failures, oldest: Millis(oldest) })
    }

    fn failures() -> impl Strategy<Value = Failures> {
        let known_at = proptest::option::of((0_i64..600_000).prop_map(Millis));
        (count(10), count(100), count(100), known_at).prop_map(
            |(of_pair, of_name, of_network, known_at)| Failures {
                of_pair,
                of_name,
                of_network,
                known_at,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn nobody_guesses_on_and_nobody_locks_a_user_out_of_a_known_network(
            failures in failures(),
        ) {
            let Failures { of_pair, of_name, of_network, known_at } = failures;
            let may_try = of_pair.failures < 10
                && (known_at.is_some() || of_name.failures < 100 && of_network.failures < 100);
            prop_assert_eq!(failures.check(Millis(600_000)).is_ok(), may_try);
        }

        #[test]
        fn the_wait_ends_in_the_second_in_which_the_oldest_failure_is_over(
            of_pair in count(10),
            now in 600_000_i64..1_200_000,
        ) {
            let of_pair = Count { failures: 10, ..of_pair };
            let failures = Failures { of_pair, ..Failures::default() };
            let Err(Error::TooMany { retry_after_s, .. }) = failures.check(Millis(now)) else {
                return Err(TestCaseError::fail("it was let through"));
            };
            let is_over = |after_s: i64| now + after_s * 1000 >= of_pair.oldest.0 + 600_000;
            prop_assert!(is_over(retry_after_s) && retry_after_s >= 1);
            prop_assert!(retry_after_s == 1 || !is_over(retry_after_s - 1));
        }
    }

    #[test]
    fn a_known_network_is_noted_once_a_day() {
        let day = Millis(86_400_000);
        let known = |known_at| Failures { known_at, ..Failures::default() };
        assert!(known(None).is_to_be_noted(day));
        assert!(known(Some(Millis(0))).is_to_be_noted(day));
        assert!(!known(Some(Millis(1))).is_to_be_noted(day));
        assert_eq!(KNOWN_FOR, Millis(30 * day.0));
    }
}
