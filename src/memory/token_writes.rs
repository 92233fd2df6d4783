//! Limits how often tokens may change what is stored of their users.
//!
//! An issuer may give a user two tokens in the same second that say different things, for example
//! an ID token and an access token. A client that shows them in turn would otherwise cause a write
//! with each request.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;

/// How many changes the tokens of one user may make within [`WITHIN`].
pub const MAX_WRITES: u32 = 10;
/// The period over which changes are counted.
pub const WITHIN: Millis = Millis::from_seconds(60);
/// The number of users that are kept.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// By user: when the period began, and the number of changes.
pub struct TokenWrites(RefCell<LruCache<UserId, (Millis, u32)>>);

impl Default for TokenWrites {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT)))
    }
}

impl TokenWrites {
    /// Whether a token of the user may change something now. If so, the change is counted.
    #[must_use]
    pub fn may_write(&self, user: UserId, now: Millis) -> bool {
        let mut kept = self.0.borrow_mut();
        let (since, count) = kept.get_or_insert_mut(user, || (now, 0));
        // Overlapping requests have slightly different clocks.
        if (now - *since).0.abs() >= WITHIN.0 {
            (*since, *count) = (now, 0);
        }
        let may = *count < MAX_WRITES;
        *count += u32::from(may);
        may
    }
}
