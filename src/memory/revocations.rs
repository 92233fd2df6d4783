//! A cache of revocations.
//!
//! Up to [`KEPT_ALL`] revocations are all kept. Then a token that is not among them needs no look
//! at D1. Beyond that, D1 is asked about each token once, and the answers are in a bounded cache.
//! The change feed brings each new revocation. A revocation is never taken back, so a copy that is
//! too old can only lack some.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::{Revocation, RevocationKey, RevocationKind};

/// The number of revocations up to which all are kept. They take about 400 KB of memory, and as
/// much has to be read when an isolate begins.
pub const KEPT_ALL: usize = 5_000;
/// If there are more revocations, the answers about this number of tokens are cached.
const KEPT_ANSWERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19_999);

#[derive(Debug)]
pub enum Revocations {
    /// All revocations, each with the time until which it is needed.
    All(BTreeMap<RevocationKind, HashMap<HashedToken, Millis>>),
    /// There are too many. These are D1's answers about single tokens.
    Some(LruCache<RevocationKey, bool>),
}

impl Revocations {
    /// `list` is all revocations, or `None` if there are too many.
    #[must_use]
    pub fn new(list: Option<&[Revocation]>) -> Self {
        let mut new = Self::All(BTreeMap::new());
        match list {
            Some(list) => list.iter().for_each(|revocation| new.add(revocation, Millis(0))),
            None => new = Self::none_known(),
        }
        new
    }

    /// No revocation is known, but there may be some.
    #[must_use]
    pub fn none_known() -> Self {
        Self::Some(LruCache::new(KEPT_ANSWERS))
    }

    /// Whether any token may have been revoked by this kind of revocation. If not, the caller need
    /// not compute a digest.
    #[must_use]
    pub fn may_have(&self, kind: RevocationKind) -> bool {
        match self {
            Self::All(kinds) => kinds.get(&kind).is_some_and(|known| !known.is_empty()),
            Self::Some(_) => true,
        }
    }

    /// Whether the token is revoked; `None` if only D1 could tell.
    #[must_use]
    pub fn has(&self, key: &RevocationKey) -> Option<bool> {
        match self {
            Self::All(kinds) => {
                Some(kinds.get(&key.kind).is_some_and(|known| known.contains_key(&key.digest)))
            }
            Self::Some(answers) => answers.peek(key).copied(),
        }
    }

    /// Like [`Self::has`], and marks the answer as recently used.
    pub fn find(&mut self, key: &RevocationKey) -> Option<bool> {
        if let Self::Some(answers) = self {
            answers.promote(key);
        }
        self.has(key)
    }

    /// Adds a revocation. If there are then too many, drops those whose tokens have expired at
    /// `now`.
    pub fn add(&mut self, revocation: &Revocation, now: Millis) {
        let Revocation { key, until } = *revocation;
        match self {
            Self::Some(answers) => drop(answers.put(key, true)),
            Self::All(kinds) => {
                let known = kinds.entry(key.kind).or_default().entry(key.digest).or_default();
                *known = until.max(*known);
                if count(kinds) > KEPT_ALL {
                    for known in kinds.values_mut() {
                        known.retain(|_, until| *until > now);
                    }
                }
                if count(kinds) > KEPT_ALL {
                    *self = Self::none_known();
                    self.add(revocation, now);
                }
            }
        }
    }

    /// Caches D1's answer about a token.
    pub fn note(&mut self, key: RevocationKey, is_revoked: bool) {
        if let Self::Some(answers) = self {
            answers.put(key, is_revoked);
        }
    }
}

fn count(kinds: &BTreeMap<RevocationKind, HashMap<HashedToken, Millis>>) -> usize {
    kinds.values().map(HashMap::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation(number: usize, until: i64) -> Revocation {
        Revocation {
            key: RevocationKey::of_token(HashedToken::of(&[&number.to_le_bytes()])),
            until: Millis(until),
        }
    }

    #[test]
    fn all_are_known_up_to_the_limit_and_those_that_have_expired_make_room() {
        let mut known = Revocations::new(Some(&[]));
        assert!(!known.may_have(RevocationKind::Token));
        for number in 0..KEPT_ALL {
            known.add(&revocation(number, if number < 10 { 5 } else { 50 }), Millis(0));
        }
        assert!(known.may_have(RevocationKind::Token) && !known.may_have(RevocationKind::Jti));
        assert_eq!(known.has(&revocation(0, 0).key), Some(true));
        assert_eq!(known.has(&revocation(KEPT_ALL, 0).key), Some(false));
        known.add(&revocation(KEPT_ALL, 50), Millis(5));
        assert_eq!(known.has(&revocation(KEPT_ALL, 0).key), Some(true));
        assert_eq!(known.has(&revocation(0, 0).key), Some(false), "its token has expired");
        assert_eq!(known.has(&revocation(10, 0).key), Some(true));
    }

    #[test]
    fn beyond_the_limit_no_token_is_accepted_that_d1_was_not_asked_about() {
        let list: Vec<_> = (0..KEPT_ALL).map(|number| revocation(number, 50)).collect();
        let mut known = Revocations::new(Some(&list));
        known.add(&revocation(KEPT_ALL, 50), Millis(0));
        assert_eq!(known.has(&revocation(KEPT_ALL, 0).key), Some(true), "the new one is known");
        assert_eq!(known.has(&revocation(0, 0).key), None);
        assert_eq!(known.has(&revocation(9_999, 0).key), None);
        known.note(revocation(9_999, 0).key, false);
        assert_eq!(known.has(&revocation(9_999, 0).key), Some(false));
        known.add(&revocation(9_999, 50), Millis(0));
        assert_eq!(known.has(&revocation(9_999, 0).key), Some(true), "the feed tells of it");
        assert!(known.may_have(RevocationKind::Jti));
        let Revocations::Some(answers) = &known else { panic!("too many are all kept") };
        assert!(answers.cap().get() <= 20_000);
    }

    #[test]
    fn of_two_revocations_of_one_token_the_later_end_is_kept() {
        let mut known = Revocations::new(Some(&[revocation(1, 50), revocation(1, 5)]));
        for number in 2..=KEPT_ALL + 1 {
            known.add(&revocation(number, 60), Millis(10));
        }
        // The first revocation has not expired at 10, so there is one too many.
        assert_eq!(known.has(&revocation(1, 0).key), None);
    }
}
