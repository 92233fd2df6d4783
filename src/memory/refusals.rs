//! Counts the refusals of this isolate: in all, and within the last hour by the minute.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::domain::time::Millis;

const MINUTE: Millis = Millis::from_seconds(60);
/// The number of minutes that are counted separately.
const MINUTES: usize = 60;
/// The largest number of pairs of reason and dialect. Both are fixed words of Postern, so requests
/// cannot add any. The limit protects memory if somebody adds a reason that is not fixed.
const KEPT: usize = 2_000;

/// The refusals of one reason in one dialect, within the last hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    pub reason: &'static str,
    pub dialect: &'static str,
    pub count: u64,
    pub last_at: Millis,
}

#[derive(Default)]
pub struct Refusals(RefCell<BTreeMap<(&'static str, &'static str), Counted>>);

struct Counted {
    total: u64,
    last_at: Millis,
    /// The minute of the newest count, since the epoch.
    minute: i64,
    by_minute: [u32; MINUTES],
}

impl Counted {
    fn new(now: Millis) -> Self {
        Self { total: 0, last_at: now, minute: minute(now), by_minute: [0; MINUTES] }
    }

    /// Sets the minutes after the newest one up to `minute` to zero. Their counts are from an hour
    /// before.
    fn go_on_to(&mut self, minute: i64) {
        let passed = usize::try_from(minute - self.minute).unwrap_or(0);
        for at in 1..=passed.min(MINUTES) {
            let place = index(self.minute + i64::try_from(at).unwrap_or(0));
            self.by_minute.iter_mut().skip(place).take(1).for_each(|count| *count = 0);
        }
        self.minute = self.minute.max(minute);
    }
}

fn minute(now: Millis) -> i64 {
    now.0.div_euclid(MINUTE.0)
}

fn index(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(60)).unwrap_or(0)
}

impl Refusals {
    pub fn note(&self, reason: &'static str, dialect: &'static str, now: Millis) {
        let mut all = self.0.borrow_mut();
        if all.len() >= KEPT && !all.contains_key(&(reason, dialect)) {
            return;
        }
        let counted = all.entry((reason, dialect)).or_insert_with(|| Counted::new(now));
        counted.go_on_to(minute(now));
        counted.total = counted.total.saturating_add(1);
        counted.last_at = counted.last_at.max(now);
        // A request that began shortly before the newest one is counted in the newest minute.
        let place = index(counted.minute);
        counted
            .by_minute
            .iter_mut()
            .skip(place)
            .take(1)
            .for_each(|count| *count = count.saturating_add(1));
    }

    /// The refusals of the last hour, the most frequent first.
    #[must_use]
    pub fn of_last_hour(&self, now: Millis) -> Vec<Recent> {
        let mut all = self.0.borrow_mut();
        let mut recent: Vec<_> = all
            .iter_mut()
            .map(|((reason, dialect), counted)| {
                counted.go_on_to(minute(now));
                let count = counted.by_minute.iter().copied().map(u64::from).sum();
                Recent { reason, dialect, count, last_at: counted.last_at }
            })
            .filter(|recent| recent.count > 0)
            .collect();
        recent
            .sort_by_key(|recent| (std::cmp::Reverse(recent.count), recent.reason, recent.dialect));
        recent
    }

    /// Since the isolate began: reason, dialect and number.
    #[must_use]
    pub fn totals(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.0
            .borrow()
            .iter()
            .map(|((reason, dialect), counted)| (*reason, *dialect, counted.total))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000_000;

    fn at(minutes: i64) -> Millis {
        Millis(START + minutes * MINUTE.0)
    }

    fn counts(refusals: &Refusals, minutes: i64) -> Vec<(&'static str, &'static str, u64)> {
        refusals
            .of_last_hour(at(minutes))
            .iter()
            .map(|recent| (recent.reason, recent.dialect, recent.count))
            .collect()
    }

    #[test]
    fn a_refusal_counts_for_an_hour_and_in_the_total_for_ever() {
        let refusals = Refusals::default();
        refusals.note("expired", "v1", at(0));
        refusals.note("expired", "v1", at(1));
        refusals.note("expired", "v1", at(1));
        refusals.note("missing", "gateway", at(59));
        assert_eq!(counts(&refusals, 59), [("expired", "v1", 3), ("missing", "gateway", 1)]);
        assert_eq!(counts(&refusals, 60), [("expired", "v1", 2), ("missing", "gateway", 1)]);
        assert_eq!(counts(&refusals, 61), [("missing", "gateway", 1)]);
        assert_eq!(counts(&refusals, 118), [("missing", "gateway", 1)]);
        assert_eq!(counts(&refusals, 119), []);
        refusals.note("expired", "v1", at(1_000_000));
        assert_eq!(counts(&refusals, 1_000_000), [("expired", "v1", 1)]);
        assert_eq!(refusals.totals(), [("expired", "v1", 4), ("missing", "gateway", 1)]);
    }

    #[test]
    fn the_last_time_is_told_and_a_clock_that_goes_back_loses_nothing() {
        let refusals = Refusals::default();
        refusals.note("expired", "v1", at(5));
        refusals.note("expired", "v1", at(3));
        let recent = refusals.of_last_hour(at(5));
        assert_eq!(recent, [Recent { reason: "expired", dialect: "v1", count: 2, last_at: at(5) }]);
        assert_eq!(counts(&refusals, 2), [("expired", "v1", 2)]);
    }
}
