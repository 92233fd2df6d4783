//! A short-lived cache of the answers of introspection endpoints (RFC 7662).
//!
//! The cache key is a digest of the token, the app and the time of the app's last change, so a
//! changed app never gets an older answer. Tokens that are not active have a cache of their own, so
//! guessed tokens evict no good one.
//!
//! Of several requests with the same token, one asks the endpoint. The others look here again until
//! the answer is there. If the request that asks is lost, its question counts as under way for
//! [`LOST_AFTER`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::time::Millis;
use crate::domain::tokens::introspection::Said;

/// How long an endpoint may take to answer.
pub const LIMIT: Millis = Millis::from_seconds(5);
/// How many questions an isolate asks within [`LIMIT`] about tokens that were active before. It
/// asks as many about other tokens.
const ASKED_WITHIN_LIMIT: usize = 200;
/// How many of these questions may be about one token.
const ASKED_ABOUT_ONE: usize = ASKED_WITHIN_LIMIT / 2;
/// How many of the questions about other tokens one network may cause.
const ASKED_BY_ONE: usize = ASKED_WITHIN_LIMIT / 2;
/// How long a question counts as under way if nobody ended it.
const LOST_AFTER: Millis = Millis(LIMIT.0 + 250);
/// How long an inactive token stays in the cache.
pub const INACTIVE_FOR: Millis = Millis::from_seconds(5);
/// After a failure, the endpoint is not asked about the same token again for this long.
pub const FAILED_FOR: Millis = Millis::from_seconds(1);

const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);
const KEPT_BYTES: usize = 8 * 1024;
const KEPT_OTHERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1999);
const KEPT_DIGESTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
const KEPT_PROBLEMS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);

/// The cache key of a question.
pub type Question = [u8; 32];

#[derive(Clone)]
pub enum Outcome {
    Active(Said),
    Inactive,
    /// The endpoint did not answer, or its answer says neither.
    Failed,
}

/// What the caller has to do.
pub enum Look {
    Use(Outcome),
    /// The caller must ask the endpoint.
    Ask,
    /// Another request asks the endpoint. The caller looks again after a while.
    Wait,
}

pub struct Introspections {
    asked: RefCell<VecDeque<Asked>>,
    were_active: RefCell<LruCache<Question, ()>>,
    active: RefCell<LruCache<Question, (Said, Millis)>>,
    others: RefCell<LruCache<Question, Other>>,
    problems: RefCell<LruCache<String, String>>,
}

/// A recent question. `by` is the network that caused it, or `None` if the token was active before.
struct Asked {
    at: Millis,
    question: Question,
    by: Option<String>,
}

enum Other {
    AskedSince(Millis),
    Known(Outcome, Millis),
}

impl Default for Introspections {
    fn default() -> Self {
        Self {
            asked: RefCell::default(),
            were_active: RefCell::new(LruCache::new(KEPT_DIGESTS)),
            active: RefCell::new(LruCache::new(KEPT)),
            others: RefCell::new(LruCache::new(KEPT_OTHERS)),
            problems: RefCell::new(LruCache::new(KEPT_PROBLEMS)),
        }
    }
}

impl Introspections {
    /// Looks for a cached answer. If this returns `Ask`, the question counts as begun.
    #[must_use]
    pub fn look(&self, question: &Question, now: Millis) -> Look {
        if let Some((said, _)) =
            self.active.borrow_mut().get(question).filter(|(_, until)| now < *until)
        {
            return Look::Use(Outcome::Active(said.clone()));
        }
        let mut others = self.others.borrow_mut();
        match others.get(question) {
            Some(Other::Known(outcome, until)) if now < *until => {
                return Look::Use(outcome.clone());
            }
            Some(Other::AskedSince(since)) if (now - *since).0.abs() < LOST_AFTER.0 => {
                return Look::Wait;
            }
            _ => {}
        }
        others.put(*question, Other::AskedSince(now));
        Look::Ask
    }

    /// Whether one more question may be asked now. If so, the question is counted. Strangers can
    /// send tokens that nobody knows, and an isolate would ask about each. Tokens that were active
    /// before are counted apart, so that strangers cannot use up their share.
    #[must_use]
    pub fn may_ask(&self, question: &Question, network: &str, now: Millis) -> bool {
        let was_active = self.were_active.borrow_mut().get(question).is_some();
        let by = (!was_active).then(|| network.to_owned());
        let mut asked = self.asked.borrow_mut();
        asked.retain(|asked| (now - asked.at).0.abs() < LIMIT.0);
        let alike = asked.iter().filter(|asked| asked.by.is_some() == by.is_some()).count();
        let of_one = asked.iter().filter(|asked| by.is_some() && asked.by == by).count();
        let about_one = asked.iter().filter(|asked| asked.question == *question).count();
        let may =
            alike < ASKED_WITHIN_LIMIT && of_one < ASKED_BY_ONE && about_one < ASKED_ABOUT_ONE;
        if may {
            asked.push_back(Asked { at: now, question: *question, by });
        }
        may
    }

    /// Notes whether a token is active. Questions about a token that was active are counted apart.
    pub fn note_active(&self, question: Question, is_active: bool) {
        let mut were_active = self.were_active.borrow_mut();
        if is_active {
            were_active.put(question, ());
        } else {
            were_active.pop(&question);
        }
    }

    /// Caches an outcome until the given moment.
    pub fn keep(&self, question: Question, outcome: &Outcome, until: Millis) {
        match outcome {
            Outcome::Active(said) => {
                self.others.borrow_mut().pop(&question);
                if said.bytes() <= KEPT_BYTES {
                    self.active.borrow_mut().put(question, (said.clone(), until));
                }
            }
            other => {
                self.active.borrow_mut().pop(&question);
                self.others.borrow_mut().put(question, Other::Known(other.clone(), until));
            }
        }
    }

    /// Notes why an endpoint did not answer the last question; `None` if it did answer.
    pub fn note(&self, endpoint: &str, problem: Option<String>) {
        let mut problems = self.problems.borrow_mut();
        match problem {
            Some(problem) => drop(problems.put(endpoint.to_owned(), problem)),
            None => drop(problems.pop(endpoint)),
        }
    }

    /// Why the endpoint did not answer the last question.
    #[must_use]
    pub fn problem(&self, endpoint: &str) -> Option<String> {
        self.problems.borrow().peek(endpoint).cloned()
    }
}
