//! A short-lived cache of the numbers of records.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::time::Millis;

/// How long large counts are cached.
const KEPT: Millis = Millis::from_seconds(60);

#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    /// By the name of the kind.
    pub numbers: Vec<(&'static str, i64)>,
    /// The kinds that have more records than the number says.
    pub at_least: Vec<&'static str>,
    pub revision: i64,
}

#[derive(Default)]
pub struct LastCounts(RefCell<Option<(Millis, Rc<Counts>)>>);

impl LastCounts {
    /// Returns the last counts, if they are younger than [`KEPT`].
    #[must_use]
    pub fn get(&self, now: Millis) -> Option<Rc<Counts>> {
        let (at, counts) = self.0.borrow().clone()?;
        ((now - at).0.abs() < KEPT.0).then_some(counts)
    }

    pub fn keep(&self, counts: &Rc<Counts>, now: Millis) {
        *self.0.borrow_mut() = Some((now, Rc::clone(counts)));
    }
}
