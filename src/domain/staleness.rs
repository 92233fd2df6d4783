//! How old what an isolate remembers may be when an answer relies on it.

use crate::domain::time::Millis;

/// The longest time that passes before a change made elsewhere is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness(Millis);

/// How often the credential of what stays open is looked at again.
pub const RECHECKED_EVERY: Millis = Millis(5_000);
/// How long such a look may take before its stream is closed.
pub const RECHECK_PATIENCE: Millis = Millis(2_500);
/// The youngest reading of the feed that such a look asks for.
pub const RECHECKED_BY: Millis = Millis(2_500);

impl Staleness {
    /// `STALENESS_S`, in seconds.
    #[must_use]
    pub const fn of_seconds(seconds: i64) -> Self {
        Self(Millis::from_seconds(seconds))
    }

    /// Up to this age of the last reading, memory is used.
    #[must_use]
    pub const fn usable(self) -> Millis {
        self.0
    }

    /// Up to this age, it is used without a reading behind the answer.
    #[must_use]
    pub const fn fresh(self) -> Millis {
        Millis(self.0.0 / 2)
    }

    /// The oldest reading of the feed that a look at an open stream relies on. A change that comes
    /// right after a reading is seen by the next look, and what is open ends as early as requests
    /// do, or within 10 s where `STALENESS_S` is less.
    #[must_use]
    pub fn of_rechecks(self) -> Millis {
        Millis(self.0.0 - RECHECKED_EVERY.0 - RECHECK_PATIENCE.0).max(RECHECKED_BY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_ends_within_the_bound_or_ten_seconds() {
        for seconds in 2..=300 {
            let staleness = Staleness::of_seconds(seconds);
            let ends_within = staleness.of_rechecks().0 + RECHECKED_EVERY.0 + RECHECK_PATIENCE.0;
            assert_eq!(ends_within, staleness.usable().0.max(10_000), "{seconds}");
        }
    }
}
