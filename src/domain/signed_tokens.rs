//! Tokens whose signature by a public key was checked before, as an isolate remembers them.
//!
//! What is kept is a fact that never ceases to be one: this text is signed by that key. Whether the key is still one of an enabled app, when
//! the token ends and how its user stands is looked at on each hit, as for any token; so nothing has to be forgotten when these change.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::public_key::KeyId;

/// How many tokens are remembered: two digests each, about a megabyte in all.
const KEPT_TOKENS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// The memory of one isolate: which key signed a token, by the token's SHA-256.
pub struct SignedTokens(RefCell<LruCache<[u8; 32], KeyId>>);

impl Default for SignedTokens {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(KEPT_TOKENS)))
    }
}

impl SignedTokens {
    /// The key that signed the token of that digest, where it is remembered.
    #[must_use]
    pub fn signer(&self, digest: &[u8; 32]) -> Option<KeyId> {
        self.0.borrow_mut().get(digest).copied()
    }

    /// Remembers that the key signed the token.
    pub fn remember(&self, digest: [u8; 32], key: KeyId) {
        self.0.borrow_mut().put(digest, key);
    }
}
