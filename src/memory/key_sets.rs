//! A cache of the key sets that issuers publish (JWKS), and the rules for when an issuer is asked
//! again.
//!
//! A set is fresh for the issuer's `max-age`, but at least 1 minute and at most 60. At most one
//! request fetches a set at a time; the others look here again until it is there. If the request
//! that fetches is lost, its fetch counts as under way for [`LOST_AFTER`]. Then another request
//! starts the next fetch.
//!
//! If a token names a `kid` that the set does not have, the issuer is asked again, at most once in
//! [`UNKNOWN_KEY_PAUSE`]. So made-up key ids can hide a key rotation for at most that long. While
//! an issuer does not answer, its last set is used until it is [`KEPT`] old.
//!
//! No borrow of the `RefCell` outlives a method. So requests that interleave at an `.await` never
//! meet a borrow.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::fetch_problem::{FETCH_TIMEOUT_S, FetchProblem};
use crate::domain::tokens::key_set::KeySet;
use crate::domain::tokens::key_source::{KeySource, Metadata};

pub const FETCH_LIMIT: Millis = Millis::from_seconds(FETCH_TIMEOUT_S as i64);
/// How long a fetch counts as under way if nobody ended it. This is a little longer than the limit,
/// because a fetch that ends by its time limit says so itself.
const LOST_AFTER: Millis = Millis(FETCH_LIMIT.0 + 250);
/// After the issuer was asked, and its set lacked a token's key, it is not asked again for this
/// long.
pub const UNKNOWN_KEY_PAUSE: Millis = Millis::from_seconds(10);
/// While the last set is usable and the issuer does not answer, it is not asked again for this
/// long.
const FAILURE_PAUSE: Millis = Millis::from_seconds(30);
/// If there is no usable set, an issuer that did not answer is not asked again for this long.
const SHORT_PAUSE: Millis = Millis::from_seconds(5);
/// How long the last set is used while the issuer does not answer.
pub const KEPT: Millis = Millis::from_seconds(24 * 60 * 60);
/// Freshness of a set when the issuer sends no max-age, and its bounds, in seconds.
const SET_FRESH_S: Freshness = Freshness { default: 300, min: 60, max: 3600 };
/// Freshness of an issuer's metadata when the issuer sends no max-age, and its bounds, in seconds.
const METADATA_FRESH_S: Freshness = Freshness { default: 3600, min: 300, max: 24 * 60 * 60 };

const KEPT_SETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);

pub struct KeySets(RefCell<LruCache<KeySource, Kept>>);

#[derive(Default)]
struct Kept {
    set: Option<Fetched<KeySet>>,
    metadata: Option<Fetched<Metadata>>,
    asked_at: Option<Millis>,
    /// When the fetch that is under way began.
    fetching_since: Option<Millis>,
    failed_at: Option<Millis>,
    problem: Option<FetchProblem>,
}

struct Fetched<T> {
    value: Rc<T>,
    asked_at: Millis,
    fresh_until: Millis,
}

#[derive(Debug, Clone, Copy)]
pub struct WantedKey<'t> {
    pub algorithm: Algorithm,
    pub name: Option<&'t str>,
    /// When the token came. A set that was asked for later has all keys that could have signed the
    /// token.
    pub since: Millis,
}

/// What the caller has to do.
#[derive(Debug)]
pub enum Look {
    /// The caller uses this set.
    Use(Rc<KeySet>),
    /// The caller starts a fetch, and looks again after it.
    Fetch,
    /// Another request fetches the set. The caller looks again after a while. The value is the last
    /// set, if it is usable.
    Wait(Option<Rc<KeySet>>),
    /// The issuer may have the key, but is not asked now.
    Later {
        /// The last set. It does not have a key of that name.
        known: Option<Rc<KeySet>>,
        /// After this many seconds the issuer may be asked again.
        retry_after_s: i64,
    },
}

struct Freshness {
    default: i64,
    min: i64,
    max: i64,
}

impl Default for KeySets {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT_SETS)))
    }
}

impl KeySets {
    /// Looks for the set that has the wanted key. If this returns `Fetch`, the fetch counts as
    /// begun.
    #[must_use]
    pub fn look(&self, source: &KeySource, wanted: WantedKey<'_>, now: Millis) -> Look {
        let mut sets = self.0.borrow_mut();
        let kept = sets.get_or_insert_mut(source.clone(), Kept::default);
        let Some(fetched) = kept.set.as_ref().filter(|fetched| now - fetched.asked_at < KEPT)
        else {
            return match left_of(now, kept.failed_at, SHORT_PAUSE) {
                _ if kept.is_fetching(now) => Look::Wait(None),
                Some(left) => Look::Later { known: None, retry_after_s: left },
                None => kept.begin(now),
            };
        };
        let set = Rc::clone(&fetched.value);
        let is_known = wanted.name.is_none() || set.has(wanted.algorithm, wanted.name);
        let is_settled =
            if is_known { now < fetched.fresh_until } else { fetched.asked_at >= wanted.since };
        if is_settled {
            return Look::Use(set);
        }
        if is_known {
            let is_asked =
                kept.is_fetching(now) || left_of(now, kept.asked_at, FAILURE_PAUSE).is_some();
            return if is_asked { Look::Use(set) } else { kept.begin(now) };
        }
        match left_of(now, kept.asked_at, UNKNOWN_KEY_PAUSE) {
            _ if kept.is_fetching(now) => Look::Wait(Some(set)),
            Some(retry_after_s) => Look::Later { known: Some(set), retry_after_s },
            None => kept.begin(now),
        }
    }

    /// Returns the set while it is fresh, whatever `kid` a token names.
    #[must_use]
    pub fn fresh(&self, source: &KeySource, now: Millis) -> Option<Rc<KeySet>> {
        let mut sets = self.0.borrow_mut();
        let fetched = sets.get(source)?.set.as_ref()?;
        (now < fetched.fresh_until && now - fetched.asked_at < KEPT)
            .then(|| Rc::clone(&fetched.value))
    }

    /// When the issuer was asked for the set that is used now; `None` if there is none.
    #[must_use]
    pub fn fetched_at(&self, source: &KeySource) -> Option<Millis> {
        Some(self.0.borrow().peek(source)?.set.as_ref()?.asked_at)
    }

    /// Caches a set that was asked for at `asked_at`, unless a newer one is cached. `cache_control`
    /// is the header of the issuer's answer. Returns whether this set leaves out other keys than
    /// the last one did.
    pub fn keep(
        &self,
        source: &KeySource,
        set: &Rc<KeySet>,
        cache_control: Option<&str>,
        asked_at: Millis,
    ) -> bool {
        let mut sets = self.0.borrow_mut();
        let kept = sets.get_or_insert_mut(source.clone(), Kept::default);
        kept.end(asked_at);
        if kept.set.as_ref().is_some_and(|fetched| fetched.asked_at > asked_at) {
            return false;
        }
        let before =
            kept.set.replace(Fetched::new(Rc::clone(set), cache_control, asked_at, &SET_FRESH_S));
        kept.failed_at = None;
        kept.problem = None;
        before
            .map_or(!set.left_out().is_empty(), |before| before.value.left_out() != set.left_out())
    }

    /// Notes that a fetch failed that began at `asked_at`.
    pub fn note_failure(
        &self,
        source: &KeySource,
        problem: FetchProblem,
        asked_at: Millis,
        now: Millis,
    ) {
        let mut sets = self.0.borrow_mut();
        let kept = sets.get_or_insert_mut(source.clone(), Kept::default);
        kept.end(asked_at);
        if problem.ends_trust() {
            kept.set = None;
        }
        // The key set may have moved to another URL.
        kept.metadata = None;
        kept.failed_at = Some(now);
        kept.problem = Some(problem);
    }

    /// Returns an issuer's metadata while it is fresh.
    #[must_use]
    pub fn metadata(&self, source: &KeySource, now: Millis) -> Option<Rc<Metadata>> {
        let mut sets = self.0.borrow_mut();
        let fetched = sets.get(source)?.metadata.as_ref()?;
        (now < fetched.fresh_until).then(|| Rc::clone(&fetched.value))
    }

    pub fn keep_metadata(
        &self,
        source: &KeySource,
        metadata: &Rc<Metadata>,
        cache_control: Option<&str>,
        asked_at: Millis,
    ) {
        let fetched = Fetched::new(Rc::clone(metadata), cache_control, asked_at, &METADATA_FRESH_S);
        self.0.borrow_mut().get_or_insert_mut(source.clone(), Kept::default).metadata =
            Some(fetched);
    }

    /// The reason of the last failed fetch; `None` if the last fetch succeeded, or if there was
    /// none.
    #[must_use]
    pub fn problem(&self, source: &KeySource) -> Option<FetchProblem> {
        self.0.borrow().peek(source)?.problem.clone()
    }

    /// Every source whose last fetch failed, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(KeySource, FetchProblem)> {
        let sets = self.0.borrow();
        sets.iter()
            .filter_map(|(source, kept)| Some((source.clone(), kept.problem.clone()?)))
            .collect()
    }
}

impl Kept {
    fn begin(&mut self, now: Millis) -> Look {
        self.asked_at = Some(now);
        self.fetching_since = Some(now);
        Look::Fetch
    }

    /// Ends the fetch that began at `asked_at`. A fetch that began later is still under way.
    fn end(&mut self, asked_at: Millis) {
        self.fetching_since = self.fetching_since.filter(|since| *since > asked_at);
    }

    fn is_fetching(&self, now: Millis) -> bool {
        left_of(now, self.fetching_since, LOST_AFTER).is_some()
    }
}

impl<T> Fetched<T> {
    fn new(
        value: Rc<T>,
        cache_control: Option<&str>,
        asked_at: Millis,
        limits: &Freshness,
    ) -> Self {
        let fresh_until = asked_at + Millis::from_seconds(fresh_s(cache_control, limits));
        Self { value, asked_at, fresh_until }
    }
}

/// The seconds that are left of a pause that began at `began`, at least one; `None` if the pause
/// has ended. Overlapping requests have slightly different clocks.
fn left_of(now: Millis, began: Option<Millis>, pause: Millis) -> Option<i64> {
    let passed = (now - began?).0.abs();
    (passed < pause.0).then(|| (pause.0 - passed + 999).div_euclid(1000))
}

/// The `max-age` of a `Cache-Control` header (RFC 9111, section 5.2.2), within the limits.
fn fresh_s(cache_control: Option<&str>, limits: &Freshness) -> i64 {
    let directives = || {
        cache_control
            .unwrap_or_default()
            .split(',')
            .map(|directive| directive.trim().to_ascii_lowercase())
    };
    if directives().any(|directive| ["no-store", "no-cache"].contains(&directive.as_str())) {
        return limits.min;
    }
    let max_age = directives().find_map(|directive| {
        directive.strip_prefix("max-age=")?.trim_matches('"').parse::<u32>().ok()
    });
    max_age.map_or(limits.default, |seconds| i64::from(seconds).clamp(limits.min, limits.max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_read_and_kept_within_an_hour() {
        let cases = [
            (None, 300),
            (Some(""), 300),
            (Some("public"), 300),
            (Some("max-age=0"), 60),
            (Some("max-age=60"), 60),
            (Some("public, Max-Age=600, must-revalidate"), 600),
            (Some("max-age=\"600\""), 600),
            (Some("max-age=86400"), 3600),
            (Some("max-age=99999999999999"), 300),
            (Some("max-age=-1"), 300),
            (Some("s-maxage=600"), 300),
            (Some("max-age=600, no-store"), 60),
            (Some("no-cache"), 60),
        ];
        for (text, seconds) in cases {
            assert_eq!(fresh_s(text, &SET_FRESH_S), seconds, "{text:?}");
        }
        for (text, seconds) in [
            (None, 3600),
            (Some("max-age=5"), 300),
            (Some("max-age=7200"), 7200),
            (Some("max-age=999999"), 86400),
        ] {
            assert_eq!(fresh_s(text, &METADATA_FRESH_S), seconds, "{text:?}");
        }
    }
}
