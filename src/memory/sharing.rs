//! Whether the data centre's cache works, as far as one isolate has seen.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::time::Millis;

/// After this number of windows that were written and then missing, the cache is not asked for a
/// while. On `workers.dev` the platform keeps nothing.
const LOST_BEFORE_GIVEN_UP: u32 = 3;
/// For how long the cache is then not asked.
const GIVEN_UP_FOR: Millis = Millis::from_seconds(300);
/// The number of hosts that are kept. Behind a wildcard route, a request may name any host.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// By host, because each entry belongs to one host, and the cache may work for one host and not for
/// another.
pub struct Sharing(RefCell<LruCache<String, AtHost>>);

impl Default for Sharing {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT)))
    }
}

#[derive(Default)]
struct AtHost {
    /// When this isolate last wrote a window.
    written_at: Option<Millis>,
    /// For the newest window in the cache: when D1 was asked, and the head.
    newest: Option<(Millis, i64)>,
    lost: u32,
    works: bool,
    given_up_at: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Works {
    Yes,
    /// Entries were written, and then missing.
    No,
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

    /// `false` while the cache is given up.
    #[must_use]
    pub fn is_worth_asking(&self, host: &str, now: Millis) -> bool {
        self.at(host, |at_host| {
            at_host.given_up_at.is_none_or(|at| now - at > GIVEN_UP_FOR || now < at)
        })
    }

    /// Notes that a window was found: its head, and when D1 was asked for it.
    pub fn found(&self, host: &str, asked_at: Millis, head: i64) {
        self.at(host, |at_host| {
            let newest = at_host.newest.max(Some((asked_at, head)));
            *at_host = AtHost { newest, works: true, lost: 0, given_up_at: None, ..*at_host };
        });
    }

    /// Notes that no window was found. It is counted as lost if this isolate has written one that
    /// had not expired.
    pub fn missed(&self, host: &str, now: Millis, lifetime: Millis) {
        self.at(host, |at_host| {
            let is_lost = at_host.written_at.take().is_some_and(|at| now - at < lifetime);
            at_host.lost += u32::from(is_lost);
            if at_host.lost >= LOST_BEFORE_GIVEN_UP {
                *at_host = AtHost { lost: 0, works: false, given_up_at: Some(now), ..*at_host };
            }
        });
    }

    /// Whether this isolate should write its window, because others do not know what is in it. If
    /// so, it counts as written.
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

    #[must_use]
    pub fn works(&self, host: &str) -> Works {
        self.at(host, |at_host| match (at_host.works, at_host.given_up_at) {
            (true, _) => Works::Yes,
            (false, Some(_)) => Works::No,
            (false, None) => Works::Unknown,
        })
    }
}
