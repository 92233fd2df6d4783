//! A cache of the assertions that were signed a moment ago. The requests of one user to the origin
//! share one assertion.
//!
//! The cache key is a digest of everything that the assertion says. If a user changes, the digest
//! changes too, so nothing has to be evicted.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::time::Millis;

/// How long one assertion is sent again. This is half of its lifetime, so the origin has the other
/// half to check it.
pub const SENT_AGAIN: Millis = Millis::from_seconds(30);
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_999);
/// The cache evicts the least recently used assertions above this size, in bytes.
const KEPT_BYTES: usize = 4 << 20;

pub struct Assertions(RefCell<Kept>);

struct Kept {
    by_digest: LruCache<[u8; 32], Signed>,
    bytes: usize,
}

struct Signed {
    text: Rc<str>,
    at: Millis,
}

impl Default for Assertions {
    fn default() -> Self {
        Self(RefCell::new(Kept { by_digest: LruCache::new(KEPT), bytes: 0 }))
    }
}

impl Assertions {
    /// Returns the assertion with this digest, if it was signed less than [`SENT_AGAIN`] ago.
    #[must_use]
    pub fn find(&self, digest: &[u8; 32], now: Millis) -> Option<Rc<str>> {
        let mut kept = self.0.borrow_mut();
        let signed = kept.by_digest.get(digest)?;
        // Overlapping requests have slightly different clocks.
        ((now - signed.at).0.abs() < SENT_AGAIN.0).then(|| Rc::clone(&signed.text))
    }

    /// Caches an assertion that was signed at `now`.
    pub fn keep(&self, digest: [u8; 32], text: &Rc<str>, now: Millis) {
        let kept = &mut *self.0.borrow_mut();
        kept.bytes += text.len();
        let replaced = kept.by_digest.push(digest, Signed { text: Rc::clone(text), at: now });
        kept.bytes -= replaced.map_or(0, |(_, old)| old.text.len());
        while kept.bytes > KEPT_BYTES {
            let Some((_, old)) = kept.by_digest.pop_lru() else { return };
            kept.bytes -= old.text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_sent_again_for_half_of_its_lifetime() {
        let assertions = Assertions::default();
        let text: Rc<str> = "a.b.c".into();
        assertions.keep([1; 32], &text, Millis(100_000));
        assert_eq!(assertions.find(&[1; 32], Millis(129_999)).as_deref(), Some("a.b.c"));
        assert_eq!(assertions.find(&[1; 32], Millis(130_000)), None);
        assert_eq!(assertions.find(&[1; 32], Millis(0)), None, "the clock went back");
        assert_eq!(assertions.find(&[2; 32], Millis(100_000)), None);
    }

    #[test]
    fn they_take_a_bounded_number_of_bytes() {
        let assertions = Assertions::default();
        let text: Rc<str> = "x".repeat(100_000).into();
        for number in 0..1_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            assertions.keep(digest, &text, Millis(0));
            assertions.keep(digest, &text, Millis(0));
        }
        let kept = assertions.0.borrow();
        assert_eq!(kept.bytes, kept.by_digest.len() * text.len());
        assert!(kept.bytes <= KEPT_BYTES && kept.by_digest.len() > 10, "{}", kept.bytes);
    }
}
