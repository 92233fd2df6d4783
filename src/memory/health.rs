//! How D1 and KV did when they were last asked.

use std::cell::Cell;

use crate::domain::time::Millis;

/// For how long the last answer serves. Whoever asks more often gets it again.
const KEPT: Millis = Millis::from_seconds(3);

/// What answers, and what does not.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    /// D1 answers.
    pub d1: bool,
    /// KV answers.
    pub kv: bool,
    /// Tokens can be verified: D1 answers, or a copy is young enough.
    pub verifies: bool,
    /// How many enabled token apps accept tokens for any audience of their issuer, although nobody said so; 0 where memory does not know.
    pub audience_unchecked: usize,
}

/// The memory of one isolate.
#[derive(Default)]
pub struct LastHealth(Cell<Option<(Millis, Health)>>);

impl LastHealth {
    /// The last answer, where it is young enough.
    #[must_use]
    pub fn get(&self, now: Millis) -> Option<Health> {
        let (at, health) = self.0.get()?;
        ((now - at).0.abs() < KEPT.0).then_some(health)
    }

    /// Keeps an answer of now.
    pub fn keep(&self, health: Health, now: Millis) {
        self.0.set(Some((now, health)));
    }
}
