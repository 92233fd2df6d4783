//! The key sets that issuers publish, as an isolate remembers them: for how long, and when an issuer is asked again.
//!
//! Fresh for the `max-age` that the issuer said, 1 minute at least and 60 at most. A `kid` that the set does not have asks again, as does an
//! issuer that did not answer, once in [`PAUSE`]. While it does not answer, its last set counts until it is [`KEPT`] old.
//!
//! No borrow of the inside outlives a method, so requests that interleave at an `.await` cannot meet one.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::jwk::KeySet;
use crate::domain::tokens::keys::KeySetUrl;

/// The longest set that is read.
pub const MAX_SET_BYTES: usize = 256 * 1024;
/// How long an issuer may take to answer with the whole of it.
pub const FETCH_TIMEOUT_S: u32 = 5;
/// How long an issuer is left alone after it was asked for a key that it does not have, or did not answer while its last set serves.
pub const PAUSE: Millis = Millis::from_seconds(30);
/// How long it is left alone after it did not answer, where there is nothing to serve meanwhile.
const SHORT_PAUSE: Millis = Millis::from_seconds(5);
/// How many requests ask an issuer at once, where there is nothing to serve meanwhile.
const MAX_AT_ONCE: u32 = 16;
/// How long the last set serves while the issuer does not answer.
pub const KEPT: Millis = Millis::from_seconds(24 * 60 * 60);
/// How long a set is fresh of which the issuer does not say it.
const DEFAULT_FRESH_S: i64 = 300;

const KEPT_SETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);

/// The memory of one isolate.
pub struct KeySets(RefCell<LruCache<KeySetUrl, Kept>>);

#[derive(Default)]
struct Kept {
    set: Option<Fetched>,
    asked_at: Option<Millis>,
    asking: u32,
    failed_at: Option<Millis>,
}

struct Fetched {
    set: Rc<KeySet>,
    at: Millis,
    fresh_until: Millis,
}

/// What is to be done about a set.
#[derive(Debug)]
pub enum Look {
    /// It is used as it is.
    Use(Rc<KeySet>),
    /// It is used; but a newer one, which may have the key, is on its way to another request.
    Meanwhile(Rc<KeySet>),
    /// The issuer is asked; should it not answer, this is used.
    Ask(Option<Rc<KeySet>>),
    /// The issuer did not answer a moment ago, or is asked by many, and there is nothing to use.
    Nothing,
}

impl Default for KeySets {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT_SETS)))
    }
}

impl KeySets {
    /// Looks for the set in which a key for a token under the algorithm, with that `kid`, is to be found. `Ask` is taken as asked.
    #[must_use]
    pub fn look(&self, url: &KeySetUrl, algorithm: Algorithm, key_name: Option<&str>, now: Millis) -> Look {
        let mut sets = self.0.borrow_mut();
        let kept = sets.get_or_insert_mut(url.clone(), Kept::default);
        let is_within = |moment, limit| is_within(now, moment, limit);
        let Some(fetched) = kept.set.as_ref().filter(|fetched| now - fetched.at < KEPT) else {
            if is_within(kept.failed_at, SHORT_PAUSE) || kept.in_flight(now) >= MAX_AT_ONCE {
                return Look::Nothing;
            }
            kept.ask(now);
            return Look::Ask(None);
        };
        let is_known = key_name.is_none() || fetched.set.has(algorithm, key_name);
        let set = Rc::clone(&fetched.set);
        if !is_known && kept.in_flight(now) > 0 {
            return Look::Meanwhile(set);
        }
        if (is_known && now < fetched.fresh_until) || is_within(kept.asked_at, PAUSE) {
            return Look::Use(set);
        }
        kept.ask(now);
        Look::Ask(Some(set))
    }

    /// The set as long as it is fresh, whatever a token calls its key.
    #[must_use]
    pub fn fresh(&self, url: &KeySetUrl, now: Millis) -> Option<Rc<KeySet>> {
        let mut sets = self.0.borrow_mut();
        let fetched = sets.get(url)?.set.as_ref()?;
        (now < fetched.fresh_until && now - fetched.at < KEPT).then(|| Rc::clone(&fetched.set))
    }

    /// Keeps a set that was asked for at `asked_at`; `cache_control` is what the issuer said about it. An older answer than the kept one is dropped.
    pub fn keep(&self, url: &KeySetUrl, set: &Rc<KeySet>, cache_control: Option<&str>, asked_at: Millis) {
        let mut sets = self.0.borrow_mut();
        let kept = sets.get_or_insert_mut(url.clone(), Kept::default);
        kept.asking = kept.asking.saturating_sub(1);
        if kept.set.as_ref().is_none_or(|fetched| fetched.at <= asked_at) {
            let fresh_until = asked_at + Millis::from_seconds(fresh_s(cache_control));
            kept.set = Some(Fetched { set: Rc::clone(set), at: asked_at, fresh_until });
            kept.failed_at = None;
        }
    }

    /// Notes that the issuer, asked at `asked_at`, did not answer with a set.
    pub fn note_failure(&self, url: &KeySetUrl, asked_at: Millis) {
        let mut sets = self.0.borrow_mut();
        let kept = sets.get_or_insert_mut(url.clone(), Kept::default);
        kept.asking = kept.asking.saturating_sub(1);
        kept.failed_at = Some(asked_at);
    }
}

impl Kept {
    fn ask(&mut self, now: Millis) {
        self.asking = self.in_flight(now).saturating_add(1);
        self.asked_at = Some(now);
    }

    /// How many requests wait for the issuer. One that was given up never says so; after the time limit it counts no more.
    fn in_flight(&self, now: Millis) -> u32 {
        if is_within(now, self.asked_at, Millis::from_seconds(i64::from(FETCH_TIMEOUT_S))) { self.asking } else { 0 }
    }
}

/// Whether a moment is less than `limit` away; requests that overlap have clocks that differ a little.
fn is_within(now: Millis, moment: Option<Millis>, limit: Millis) -> bool {
    moment.is_some_and(|at| (now - at).0.abs() < limit.0)
}

/// The `max-age` of a `Cache-Control` (RFC 9111, 5.2.2) within its limits.
fn fresh_s(cache_control: Option<&str>) -> i64 {
    let directives = || cache_control.unwrap_or_default().split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives().any(|directive| ["no-store", "no-cache"].contains(&directive.as_str())) {
        return 60;
    }
    let max_age = directives().find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse::<u32>().ok());
    max_age.map_or(DEFAULT_FRESH_S, |seconds| i64::from(seconds).clamp(60, 3600))
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
            assert_eq!(fresh_s(text), seconds, "{text:?}");
        }
    }
}
