//! How D1 and KV did when they were last asked.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::time::Millis;

/// For how long the last answer serves. Whoever asks more often gets it again.
const KEPT: Millis = Millis::from_seconds(3);

/// What answers, and what does not.
#[derive(Debug)]
pub struct Health {
    /// D1 answers.
    pub d1: bool,
    /// KV answers.
    pub kv: bool,
    /// Tokens can be verified: D1 answers, or a copy is young enough, and there is a key for them.
    pub verifies: bool,
    /// When the scheduled event renewed the copy in KV last, where KV tells.
    pub copy_renewed_at: Option<Millis>,
    /// What makes it degraded besides.
    pub causes: Vec<Cause>,
    /// How many values the scheduled event still encrypts anew.
    pub to_reencrypt: i64,
}

/// Something that makes a deployment degraded.
#[derive(Debug)]
pub struct Cause {
    /// The word for it.
    pub kind: &'static str,
    /// How many.
    pub count: i64,
    /// Which, for administrators: some of them.
    pub names: Vec<String>,
}

/// The memory of one isolate.
#[derive(Default)]
pub struct LastHealth(RefCell<Option<(Millis, Rc<Health>)>>);

impl LastHealth {
    /// The last answer, where it is young enough.
    #[must_use]
    pub fn get(&self, now: Millis) -> Option<Rc<Health>> {
        let (at, health) = self.0.borrow().clone()?;
        ((now - at).0.abs() < KEPT.0).then_some(health)
    }

    /// Keeps an answer of now.
    pub fn keep(&self, health: Rc<Health>, now: Millis) {
        *self.0.borrow_mut() = Some((now, health));
    }
}
