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
    looks: ByWords,
    windows: ByWords,
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

fn count(number: &Cell<u64>) {
    number.set(number.get().saturating_add(1));
}

impl Counters {
    /// Notes that a request began. The first one is taken for the beginning of the isolate, which has no
    /// clock before.
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
        add(&self.looks, of.name(), if is_hit { "hit" } else { "miss" });
    }

    /// Counts a window of the data centre that was looked for.
    pub fn window(&self, is_found: bool) {
        add(&self.windows, "window", if is_found { "hit" } else { "miss" });
    }

    /// Counts a batch of statements.
    pub fn batch(&self, statements: usize, answer: Result<&[Rows], &SqlError>, took: Millis) {
        let mut d1 = self.d1.get();
        d1.batches = d1.batches.saturating_add(1);
        d1.statements = d1.statements.saturating_add(u64::try_from(statements).unwrap_or(u64::MAX));
        d1.waited = d1.waited + took.max(Millis(0));
        match answer {
            Ok(results) => d1.rows_read = d1.rows_read.saturating_add(results.iter().map(|rows| rows.read).sum()),
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
        all(&self.looks)
    }

    /// Windows of the data centre: hit or miss, how many.
    #[must_use]
    pub fn windows(&self) -> Vec<(&'static str, &'static str, u64)> {
        all(&self.windows)
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
