//! Counts what this isolate has done since it began. No decision depends on these numbers. They end
//! with the isolate.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::domain::time::Millis;
use crate::ports::{Rows, SqlError};

/// Numbers by two fixed words, for example a reason and a dialect.
type ByWords = RefCell<BTreeMap<(&'static str, &'static str), u64>>;

#[derive(Default)]
pub struct Counters {
    begun_at: Cell<Option<Millis>>,
    requests: ByWords,
    verifications: ByWords,
    /// Hits and misses by [`Looked`], as an array: a warm request looks four times, and comparing
    /// words would cost too much.
    looks: Cell<[[u64; 2]; Looked::ALL.len()]>,
    windows: Cell<[u64; 2]>,
    d1: Cell<D1>,
    d1_failures: ByWords,
    feed_reads: Cell<u64>,
    feed_gaps: Cell<u64>,
    copies_used: Cell<u64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct D1 {
    /// Round trips, including failed ones.
    pub batches: u64,
    pub statements: u64,
    /// Rows read, as D1 reports them.
    pub rows_read: u64,
    /// The sum of the waiting times of all batches, also where they overlapped.
    pub waited: Millis,
}

/// The kinds of things that are looked up in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    App,
    /// The result of an earlier signature check.
    SignedToken,
    User,
    Session,
    Key,
    /// A user's permissions on a service.
    Standing,
    /// A user's groups, or the grants of a group.
    Group,
    Revocation,
    Application,
    Name,
}

impl Looked {
    /// In the order of the discriminants.
    const ALL: [Self; 10] = [
        Self::App,
        Self::SignedToken,
        Self::User,
        Self::Session,
        Self::Key,
        Self::Standing,
        Self::Group,
        Self::Revocation,
        Self::Application,
        Self::Name,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "token_app",
            Self::SignedToken => "signed_token",
            Self::User => "user",
            Self::Session => "session",
            Self::Key => "key",
            Self::Standing => "standing",
            Self::Group => "group",
            Self::Revocation => "revocation",
            Self::Application => "application",
            Self::Name => "name",
        }
    }
}

fn add(numbers: &ByWords, one: &'static str, other: &'static str) {
    let mut numbers = numbers.borrow_mut();
    let number = numbers.entry((one, other)).or_default();
    *number = number.saturating_add(1);
}

fn all(numbers: &ByWords) -> Vec<(&'static str, &'static str, u64)> {
    numbers.borrow().iter().map(|((one, other), number)| (*one, *other, *number)).collect()
}

fn count_of_two([hits, misses]: &mut [u64; 2], is_hit: bool) {
    let number = if is_hit { hits } else { misses };
    *number = number.saturating_add(1);
}

/// Leaves out the numbers that are zero.
fn hits_and_misses(
    of: &'static str,
    [hits, misses]: [u64; 2],
) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
    [(of, "hit", hits), (of, "miss", misses)].into_iter().filter(|(_, _, number)| *number > 0)
}

fn count(number: &Cell<u64>) {
    number.set(number.get().saturating_add(1));
}

impl Counters {
    /// Notes that a request began. An isolate has no clock before its first request, so that
    /// request marks the beginning.
    pub fn begin(&self, now: Millis) {
        if self.begun_at.get().is_none() {
            self.begun_at.set(Some(now));
        }
    }

    /// Counts a request by its dialect and its status class.
    pub fn request(&self, dialect: &'static str, class: &'static str) {
        add(&self.requests, dialect, class);
    }

    /// Counts the verification of a credential by its outcome.
    pub fn verification(&self, credential: &'static str, outcome: &'static str) {
        add(&self.verifications, credential, outcome);
    }

    /// Counts a lookup in memory.
    pub fn look(&self, of: Looked, is_hit: bool) {
        let mut looks = self.looks.get();
        if let Some(kind) = looks.get_mut(of as usize) {
            count_of_two(kind, is_hit);
        }
        self.looks.set(looks);
    }

    /// Counts a lookup of the data centre's window.
    pub fn window(&self, is_found: bool) {
        let mut windows = self.windows.get();
        count_of_two(&mut windows, is_found);
        self.windows.set(windows);
    }

    pub fn batch(&self, statements: usize, answer: Result<&[Rows], &SqlError>, took: Millis) {
        let mut d1 = self.d1.get();
        d1.batches = d1.batches.saturating_add(1);
        d1.statements = d1.statements.saturating_add(u64::try_from(statements).unwrap_or(u64::MAX));
        d1.waited = d1.waited + took.max(Millis(0));
        match answer {
            Ok(results) => {
                d1.rows_read =
                    d1.rows_read.saturating_add(results.iter().map(|rows| rows.read).sum());
            }
            Err(error) => add(&self.d1_failures, "d1", word(error)),
        }
        self.d1.set(d1);
    }

    pub fn feed_read(&self, has_gap: bool) {
        count(&self.feed_reads);
        if has_gap {
            count(&self.feed_gaps);
        }
    }

    /// Counts an answer that came from copies, because D1 did not answer.
    pub fn copy_used(&self) {
        count(&self.copies_used);
    }

    /// The time of the isolate's first request.
    #[must_use]
    pub fn begun_at(&self) -> Option<Millis> {
        self.begun_at.get()
    }

    /// Returns dialect, status class and number.
    #[must_use]
    pub fn requests(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.requests)
    }

    /// Returns kind of credential, outcome and number.
    #[must_use]
    pub fn verifications(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.verifications)
    }

    /// Returns the kind, hit or miss, and the number.
    #[must_use]
    pub fn looks(&self) -> Vec<(&'static str, &'static str, u64)> {
        let kinds = Looked::ALL.iter().zip(self.looks.get());
        kinds.flat_map(|(of, counts)| hits_and_misses(of.name(), counts)).collect()
    }

    /// Lookups of the data centre's window: hit or miss, and the number.
    #[must_use]
    pub fn windows(&self) -> Vec<(&'static str, &'static str, u64)> {
        hits_and_misses("window", self.windows.get()).collect()
    }

    #[must_use]
    pub fn d1(&self) -> D1 {
        self.d1.get()
    }

    /// Returns, for the batches that failed, the kind of failure and the number.
    #[must_use]
    pub fn d1_failures(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.d1_failures)
    }

    /// Returns how often the change feed was read, and how often it did not reach back to where
    /// memory was.
    #[must_use]
    pub fn feed_reads(&self) -> (u64, u64) {
        (self.feed_reads.get(), self.feed_gaps.get())
    }

    #[must_use]
    pub fn copies_used(&self) -> u64 {
        self.copies_used.get()
    }
}

fn word(error: &SqlError) -> &'static str {
    match error {
        SqlError::Refused(_) => "refused",
        SqlError::Unavailable(_) => "unavailable",
        SqlError::Unmigrated(_) => "unmigrated",
        SqlError::Failed(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_counted_by_their_kind() {
        let counters = Counters::default();
        for (at, of) in Looked::ALL.into_iter().enumerate() {
            assert_eq!(of as usize, at, "{of:?}");
            counters.look(of, at % 2 == 0);
        }
        let looks = counters.looks();
        assert_eq!(looks.len(), Looked::ALL.len());
        assert_eq!((looks[0], looks[1]), (("token_app", "hit", 1), ("signed_token", "miss", 1)));
    }
}
