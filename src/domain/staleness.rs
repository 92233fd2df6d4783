//! Limits on the age of cached data behind an answer.

use crate::domain::time::Millis;

/// `STALENESS_S`: the longest time until a change made elsewhere takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness(Millis);

/// How often the credential of an open stream is checked again.
pub const RECHECKED_EVERY: Millis = Millis(5_000);
/// The time limit of such a check. After it, the stream is closed.
pub const RECHECK_PATIENCE: Millis = Millis(2_500);
/// The youngest reading of the feed that such a check may require.
pub const RECHECKED_BY: Millis = Millis(2_500);

impl Staleness {
    /// From `STALENESS_S`.
    #[must_use]
    pub const fn of_seconds(seconds: i64) -> Self {
        Self(Millis::from_seconds(seconds))
    }

    /// Cached data may be used up to this age of the last reading of the feed.
    #[must_use]
    pub const fn usable(self) -> Millis {
        self.0
    }

    /// Up to this age, cached data is used without reading the feed first.
    #[must_use]
    pub const fn fresh(self) -> Millis {
        Millis(self.0.0 / 2)
    }

    /// The oldest reading of the feed that a check of an open stream may use. A change right after
    /// a reading is seen by the next check. So a stream ends as soon as requests are refused, or
    /// within 10 s if `STALENESS_S` is less than that.
    #[must_use]
    pub fn of_rechecks(self) -> Millis {
        Millis(self.0.0 - RECHECKED_EVERY.0 - RECHECK_PATIENCE.0).max(RECHECKED_BY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_streams_end_within_the_bound_or_ten_seconds() {
        for seconds in 2..=300 {
            let staleness = Staleness::of_seconds(seconds);
            let ends_within = staleness.of_rechecks().0 + RECHECKED_EVERY.0 + RECHECK_PATIENCE.0;
            assert_eq!(ends_within, staleness.usable().0.max(10_000), "{seconds}");
        }
    }
}
