//! Whether the cache of the data centre works, as one isolate has seen it.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::time::Millis;

/// After so many windows that were written and are not there, the cache is left alone: on
/// `workers.dev` the platform keeps nothing.
const LOST_BEFORE_GIVEN_UP: u32 = 3;
/// For how long it is left alone.
const GIVEN_UP_FOR: Millis = Millis::from_seconds(300);
/// For how many hosts this is remembered. Behind a wildcard route, a request may name any host.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// The memory of one isolate, by host: each entry is of one host, and the cache may work for one
/// host and not for another.
pub struct Sharing(RefCell<LruCache<String, AtHost>>);

impl Default for Sharing {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT)))
    }
}

#[derive(Default)]
struct AtHost {
    /// When this isolate wrote a window last.
    written_at: Option<Millis>,
    /// When D1 was asked for the newest window that is there, and the head of that window.
    newest: Option<(Millis, i64)>,
    lost: u32,
    works: bool,
    given_up_at: Option<Millis>,
}

/// Whether the cache works.
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
    fn at<T>(&self, host: &str, look: impl FnOnce(&mut AtHost) -> T) -> T {
        let mut hosts = self.0.borrow_mut();
        if let Some(at_host) = hosts.get_mut(host) {
            return look(at_host);
        }
        look(hosts.get_or_insert_mut(host.to_owned(), AtHost::default))
    }

    /// Whether the cache is worth a look. It is not while it is left alone.
    #[must_use]
    pub fn is_worth_asking(&self, host: &str, now: Millis) -> bool {
        self.at(host, |at_host| {
            at_host.given_up_at.is_none_or(|at| now - at > GIVEN_UP_FOR || now < at)
        })
    }

    /// Notes a window that was there: its head, and when D1 was asked for it.
    pub fn found(&self, host: &str, asked_at: Millis, head: i64) {
        self.at(host, |at_host| {
            let newest = at_host.newest.max(Some((asked_at, head)));
            *at_host = AtHost { newest, works: true, lost: 0, given_up_at: None, ..*at_host };
        });
    }

    /// Notes that no window was there. It is lost where this isolate wrote one that had not
    /// expired.
    pub fn missed(&self, host: &str, now: Millis, lifetime: Millis) {
        self.at(host, |at_host| {
            let is_lost = at_host.written_at.take().is_some_and(|at| now - at < lifetime);
            at_host.lost += u32::from(is_lost);
            if at_host.lost >= LOST_BEFORE_GIVEN_UP {
                *at_host = AtHost { lost: 0, works: false, given_up_at: Some(now), ..*at_host };
            }
        });
    }

    /// Whether a window of this isolate is news for the others. It then counts as written.
    pub fn begin_writing(
        &self,
        host: &str,
        asked_at: Millis,
        head: i64,
        now: Millis,
        interval: Millis,
    ) -> bool {
        self.at(host, |at_host| {
            let is_news = |(newest, known)| {
                asked_at - newest >= interval || (head > known && asked_at >= newest)
            };
            let is_news = at_host.newest.is_none_or(is_news);
            if is_news {
                *at_host =
                    AtHost { newest: Some((asked_at, head)), written_at: Some(now), ..*at_host };
            }
            is_news
        })
    }

    /// Whether the cache works at a host.
    #[must_use]
    pub fn works(&self, host: &str) -> Works {
        self.at(host, |at_host| match (at_host.works, at_host.given_up_at) {
            (true, _) => Works::Yes,
            (false, Some(_)) => Works::No,
            (false, None) => Works::Unknown,
        })
    }
}
