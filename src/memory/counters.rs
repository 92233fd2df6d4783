//! What this isolate has done since it began. Nobody decides by it; it ends with the isolate.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::domain::time::Millis;
use crate::ports::{Rows, SqlError};

/// Numbers by two words of Postern's own, as a reason and a dialect.
type ByWords = RefCell<BTreeMap<(&'static str, &'static str), u64>>;

/// The memory of one isolate.
#[derive(Default)]
pub struct Counters {
    begun_at: Cell<Option<Millis>>,
    requests: ByWords,
    verifications: ByWords,
    /// By kind: hits and misses. A warm request looks four times, so no words are compared.
    looks: Cell<[[u64; 2]; Looked::ALL.len()]>,
    windows: Cell<[u64; 2]>,
    d1: Cell<D1>,
    d1_failures: ByWords,
    feed_reads: Cell<u64>,
    feed_gaps: Cell<u64>,
    copies_used: Cell<u64>,
}

/// What was asked of D1.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct D1 {
    /// Round trips, those that failed among them.
    pub batches: u64,
    /// Statements in them.
    pub statements: u64,
    /// Rows that D1 says it has read.
    pub rows_read: u64,
    /// For how long they were waited for, each by itself.
    pub waited: Millis,
}

/// Of what kind something is that memory may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// A token app.
    App,
    /// Whether the signature of a token was checked before.
    SignedToken,
    /// A user.
    User,
    /// A session.
    Session,
    /// A key for machines.
    Key,
    /// How somebody stands with a service.
    Standing,
    /// The groups of a user, and what is granted to groups.
    Group,
    /// Whether a token was revoked.
    Revocation,
    /// An application.
    Application,
    /// A name of something.
    Name,
}

impl Looked {
    /// All kinds, in their order.
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

    /// The word for it.
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

/// Those of the two that are not zero.
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
    /// Notes that a request began. The first one is taken for the beginning of the isolate, which
    /// has no clock before.
    pub fn begin(&self, now: Millis) {
        if self.begun_at.get().is_none() {
            self.begun_at.set(Some(now));
        }
    }

    /// Counts a request by its dialect and the class of its status.
    pub fn request(&self, dialect: &'static str, class: &'static str) {
        add(&self.requests, dialect, class);
    }

    /// Counts a credential that was looked at, and what came of it.
    pub fn verification(&self, credential: &'static str, outcome: &'static str) {
        add(&self.verifications, credential, outcome);
    }

    /// Counts a look into memory.
    pub fn look(&self, of: Looked, is_hit: bool) {
        let mut looks = self.looks.get();
        if let Some(kind) = looks.get_mut(of as usize) {
            count_of_two(kind, is_hit);
        }
        self.looks.set(looks);
    }

    /// Counts a window of the data centre that was looked for.
    pub fn window(&self, is_found: bool) {
        let mut windows = self.windows.get();
        count_of_two(&mut windows, is_found);
        self.windows.set(windows);
    }

    /// Counts a batch of statements.
    pub fn batch(&self, statements: usize, answer: Result<&[Rows], &SqlError>, took: Millis) {
        let mut d1 = self.d1.get();
        d1.batches = d1.batches.saturating_add(1);
        d1.statements = d1.statements.saturating_add(u64::try_from(statements).unwrap_or(u64::MAX));
        d1.waited = d1.waited + took.max(Millis(0));
        match answer {
            Ok(results) => {
                d1.rows_read =
                    d1.rows_read.saturating_add(results.iter().map(|rows| rows.read).sum())
            }
            Err(error) => add(&self.d1_failures, "d1", word(error)),
        }
        self.d1.set(d1);
    }

    /// Counts a reading of the change feed.
    pub fn feed_read(&self, has_gap: bool) {
        count(&self.feed_reads);
        if has_gap {
            count(&self.feed_gaps);
        }
    }

    /// Counts an answer that relied on copies, because D1 did not answer.
    pub fn copy_used(&self) {
        count(&self.copies_used);
    }

    /// When the isolate answered its first request.
    #[must_use]
    pub fn begun_at(&self) -> Option<Millis> {
        self.begun_at.get()
    }

    /// Requests: dialect, class of the status, how many.
    #[must_use]
    pub fn requests(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.requests)
    }

    /// Credentials: kind, outcome, how many.
    #[must_use]
    pub fn verifications(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.verifications)
    }

    /// Looks into memory: of what kind, hit or miss, how many.
    #[must_use]
    pub fn looks(&self) -> Vec<(&'static str, &'static str, u64)> {
        let kinds = Looked::ALL.iter().zip(self.looks.get());
        kinds.flat_map(|(of, counts)| hits_and_misses(of.name(), counts)).collect()
    }

    /// Windows of the data centre: hit or miss, how many.
    #[must_use]
    pub fn windows(&self) -> Vec<(&'static str, &'static str, u64)> {
        hits_and_misses("window", self.windows.get()).collect()
    }

    /// What was asked of D1.
    #[must_use]
    pub fn d1(&self) -> D1 {
        self.d1.get()
    }

    /// Batches that failed: how, how many.
    #[must_use]
    pub fn d1_failures(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.d1_failures)
    }

    /// How often the change feed was read, and how often it did not reach back to what memory knew.
    #[must_use]
    pub fn feed_reads(&self) -> (u64, u64) {
        (self.feed_reads.get(), self.feed_gaps.get())
    }

    /// How many answers relied on copies.
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
