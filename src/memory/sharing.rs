//! How what the isolates of a data centre share has done, as one of them has seen it.

use std::cell::{Cell, RefCell};

use crate::domain::time::Millis;

/// After so many entries that were written and are not there, nothing is shared here: the platform does
/// nothing on `workers.dev`.
const LOST_BEFORE_GIVEN_UP: u32 = 3;
/// How long it is then left alone.
const GIVEN_UP_FOR: Millis = Millis::from_seconds(300);

/// The memory of one isolate.
#[derive(Debug, Default)]
pub struct Sharing {
    /// At which host this isolate wrote a window last, and when: each host has its own.
    written: RefCell<Option<(String, Millis)>>,
    /// When that was asked for which is newest there, and its head.
    newest: Cell<Option<(Millis, i64)>>,
    lost: Cell<u32>,
    works: Cell<bool>,
    given_up_at: Cell<Option<Millis>>,
}

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Works {
    /// An entry was found.
    Yes,
    /// Entries were written, and were not there.
    No,
    /// Nothing has shown it yet.
    Unknown,
}

impl Sharing {
    /// Whether it is worth a look.
    #[must_use]
    pub fn is_worth_asking(&self, now: Millis) -> bool {
        self.given_up_at.get().is_none_or(|at| now - at > GIVEN_UP_FOR || now < at)
    }

    /// A window of that head was there that was asked for at that time.
    pub fn found(&self, asked_at: Millis, head: i64) {
        self.works.set(true);
        self.lost.set(0);
        self.given_up_at.set(None);
        self.newest.set(self.newest.get().max(Some((asked_at, head))));
    }

    /// None was there, although this isolate has written one that had not expired.
    pub fn missed(&self, host: &str, now: Millis, lifetime: Millis) {
        let is_lost = self.written.borrow_mut().take_if(|(written, _)| written == host).is_some_and(|(_, at)| now - at < lifetime);
        if is_lost && self.lost.replace(self.lost.get().saturating_add(1)) + 1 >= LOST_BEFORE_GIVEN_UP {
            self.lost.set(0);
            self.works.set(false);
            self.given_up_at.set(Some(now));
        }
    }

    /// Whether a window of that head that was asked for at that time is news; it is then taken as written.
    pub fn begin_writing(&self, host: &str, asked_at: Millis, head: i64, now: Millis, interval: Millis) -> bool {
        let is_news = self.newest.get().is_none_or(|(newest, known)| asked_at - newest >= interval || (head > known && asked_at >= newest));
        if is_news {
            self.newest.set(Some((asked_at, head)));
            *self.written.borrow_mut() = Some((host.to_owned(), now));
        }
        is_news
    }

    /// What is known of it.
    #[must_use]
    pub fn works(&self) -> Works {
        match (self.works.get(), self.given_up_at.get()) {
            (true, _) => Works::Yes,
            (false, Some(_)) => Works::No,
            (false, None) => Works::Unknown,
        }
    }
}
