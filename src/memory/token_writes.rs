//! How often tokens may change what is stored of their users.
//!
//! An issuer may give two tokens in one second that say different things, as an ID token and an
//! access token do. Whoever shows them in turn would write with each request.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;

/// How often the tokens of one user may change something in [`WITHIN`].
pub const MAX_WRITES: u32 = 10;
/// For how long writes are counted together.
pub const WITHIN: Millis = Millis::from_seconds(60);
/// Of how many users it is remembered.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// The memory of one isolate: when the counting began, and the count.
pub struct TokenWrites(RefCell<LruCache<UserId, (Millis, u32)>>);

impl Default for TokenWrites {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT)))
    }
}

impl TokenWrites {
    /// Whether a token of the user may change something now. If so, it is counted.
    #[must_use]
    pub fn may_write(&self, user: UserId, now: Millis) -> bool {
        let mut kept = self.0.borrow_mut();
        let (since, count) = kept.get_or_insert_mut(user, || (now, 0));
        // Requests that overlap have clocks that differ a little.
        if (now - *since).0.abs() >= WITHIN.0 {
            (*since, *count) = (now, 0);
        }
        let may = *count < MAX_WRITES;
        *count += u32::from(may);
        may
    }
}
