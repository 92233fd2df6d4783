//! The last result of checking D1 and KV.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::time::Millis;

/// How long a result is cached.
const KEPT: Millis = Millis::from_seconds(3);

#[derive(Debug)]
pub struct Health {
    pub d1: bool,
    pub kv: bool,
    /// Whether tokens can be verified: D1 answers, or a copy is young enough, and there is an app
    /// with a usable key.
    pub verifies: bool,
    /// When the scheduled event last renewed the copy in KV, if KV answers.
    pub copy_renewed_at: Option<Millis>,
    /// Further reasons why the deployment is degraded.
    pub causes: Vec<Cause>,
    /// How many values the scheduled event still has to encrypt under the new master key.
    pub to_reencrypt: i64,
}

/// A reason why a deployment is degraded.
#[derive(Debug)]
pub struct Cause {
    pub kind: &'static str,
    pub count: i64,
    /// Some of the affected names, for administrators.
    pub names: Vec<String>,
}

#[derive(Default)]
pub struct LastHealth(RefCell<Option<(Millis, Rc<Health>)>>);

impl LastHealth {
    /// Returns the last result, if it is younger than [`KEPT`].
    #[must_use]
    pub fn get(&self, now: Millis) -> Option<Rc<Health>> {
        let (at, health) = self.0.borrow().clone()?;
        ((now - at).0.abs() < KEPT.0).then_some(health)
    }

    pub fn keep(&self, health: Rc<Health>, now: Millis) {
        *self.0.borrow_mut() = Some((now, health));
    }
}
