//! Lines of the log that a stranger can cause as often as they like while something is broken. An
//! isolate writes each of them once a minute at most.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::time::Millis;

const PAUSE: Millis = Millis::from_seconds(60);
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);

pub struct Lines(RefCell<LruCache<String, Millis>>);

impl Default for Lines {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT)))
    }
}

impl Lines {
    /// Whether a line about this may be written now. If so, it counts as written.
    #[must_use]
    pub fn may_write(&self, about: &str, now: Millis) -> bool {
        let mut written = self.0.borrow_mut();
        // Overlapping requests have slightly different clocks.
        if written.get(about).is_some_and(|at| (now - *at).0.abs() < PAUSE.0) {
            return false;
        }
        written.put(about.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_once_a_minute_and_another_one_at_once() {
        let lines = Lines::default();
        let at = Millis::from_seconds;
        assert!(lines.may_write("a", at(100)) && lines.may_write("b", at(100)));
        assert!(!lines.may_write("a", at(159)) && !lines.may_write("a", at(99)));
        assert!(lines.may_write("a", at(160)) && !lines.may_write("a", at(219)));
    }
}
