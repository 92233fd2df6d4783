//! Time as a number. The current time is `cx.now`.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Milliseconds since the epoch, UTC.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// The largest number that D1, which uses doubles, stores exactly.
pub const MAX_MILLIS: i64 = 1 << 53;
/// Numbers below this would be milliseconds before March 1973. As seconds they reach the year 5138.
const LEAST_MILLIS: i64 = 100_000_000_000;

impl Millis {
    /// Checks a moment that a caller gives. Fails for seconds, because as milliseconds they are
    /// long past, and a grant would start at once. The error is a phrase to put after the member's
    /// name.
    pub fn named(number: i64) -> Result<Self, String> {
        match number {
            1..LEAST_MILLIS => {
                Err("looks like seconds: epoch milliseconds are expected".to_owned())
            }
            0..=MAX_MILLIS => Ok(Self(number)),
            _ => Err("must be epoch milliseconds".to_owned()),
        }
    }

    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// ISO 8601 in UTC, for example `2026-11-27T09:05:00.120Z`.
    #[must_use]
    pub fn iso(self) -> String {
        let [hours, minutes, seconds] =
            [3_600_000, 60_000, 1000].map(|unit| self.0.rem_euclid(86_400_000) / unit);
        let milliseconds = self.0.rem_euclid(1000);
        format!(
            "{}T{hours:02}:{:02}:{:02}.{milliseconds:03}Z",
            Day::of(self).text(),
            minutes % 60,
            seconds % 60
        )
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// A day in UTC, as the number of days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

/// The Julian day of 1970-01-01.
const FIRST_DAY: i64 = 2_440_588;

impl Day {
    #[must_use]
    pub const fn of(time: Millis) -> Self {
        Self(time.0.div_euclid(86_400_000))
    }

    /// ISO 8601, for example `2026-11-27`.
    #[must_use]
    pub fn text(self) -> String {
        let julian = i32::try_from(self.0.saturating_add(FIRST_DAY)).ok();
        let date = julian.and_then(|day| time::Date::from_julian_day(day).ok());
        date.map_or_else(String::new, |date| date.to_string())
    }
}

impl Add for Millis {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_no_moment() {
        let seconds = "looks like seconds: epoch milliseconds are expected";
        for (number, expected) in [
            (0, Ok(())),
            (1, Err(seconds)),
            (1_795_792_109, Err(seconds)),
            (99_999_999_999, Err(seconds)),
            (100_000_000_000, Ok(())),
            (1_795_792_109_000, Ok(())),
            (MAX_MILLIS, Ok(())),
            (MAX_MILLIS + 1, Err("must be epoch milliseconds")),
            (-1, Err("must be epoch milliseconds")),
        ] {
            assert_eq!(
                Millis::named(number),
                expected.map(|()| Millis(number)).map_err(str::to_owned)
            );
        }
    }

    #[test]
    fn a_moment_is_told_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_737_599_999, "2026-11-26T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Millis(millis).iso(), text);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        for (millis, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (1_795_737_599_999, "2026-11-26"),
            (1_795_737_600_000, "2026-11-27"),
            (1_709_164_800_000, "2024-02-29"),
        ] {
            assert_eq!(Day::of(Millis(millis)).text(), text);
        }
        assert_eq!(Day(i64::MAX).text(), "");
    }
}
