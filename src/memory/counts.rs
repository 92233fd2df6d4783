//! How many records there are, for a while.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::time::Millis;

/// For how long large counts serve. Whoever asks more often gets them again.
const KEPT: Millis = Millis::from_seconds(60);

/// How many records of each kind there are.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    /// By the word for the kind.
    pub numbers: Vec<(&'static str, i64)>,
    /// The kinds of which there are more than the number says.
    pub at_least: Vec<&'static str>,
    /// The newest revision of the change feed.
    pub revision: i64,
}

/// The memory of one isolate.
#[derive(Default)]
pub struct LastCounts(RefCell<Option<(Millis, Rc<Counts>)>>);

impl LastCounts {
    /// The last counts, where they are young enough.
    #[must_use]
    pub fn get(&self, now: Millis) -> Option<Rc<Counts>> {
        let (at, counts) = self.0.borrow().clone()?;
        ((now - at).0.abs() < KEPT.0).then_some(counts)
    }

    /// Keeps counts of now.
    pub fn keep(&self, counts: &Rc<Counts>, now: Millis) {
        *self.0.borrow_mut() = Some((now, Rc::clone(counts)));
    }
}
