//! Tokens whose signature by a public key was checked before, as an isolate remembers them.
//!
//! What is kept is a fact that never ceases to be one: this text is signed by that key. Whether the key is still one of an enabled app, when
//! the token ends and how its user stands is looked at on each hit, as for any token; so nothing has to be forgotten when these change.
//!
//! The beginning of a token's signature says where to look, and whoever has seen the token can copy it; only where the SHA-256 of the whole token
//! is the same, it is the one that is remembered. The digest is made from the second time on: many tokens are seen once.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::public_key::KeyId;

/// How many tokens are remembered: two digests each, about a megabyte in all.
const KEPT_TOKENS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// How many tokens that were seen once are told apart; a newer one takes the place of an older.
const SEEN_TOKENS: usize = 1 << 14;

/// The beginning of a signature: where to look, and no proof of anything.
type Mark = [u8; 8];

/// The memory of one isolate: which key signed a token, by its mark and its SHA-256; and the marks of tokens that were seen.
pub struct SignedTokens {
    kept: RefCell<LruCache<Mark, Signed>>,
    seen: RefCell<Vec<Mark>>,
}

#[derive(Clone, Copy)]
struct Signed {
    digest: [u8; 32],
    key: KeyId,
}

impl Default for SignedTokens {
    fn default() -> Self {
        Self { kept: RefCell::new(LruCache::new(KEPT_TOKENS)), seen: RefCell::default() }
    }
}

impl SignedTokens {
    /// The key that signed the token of that signature and digest, where it is remembered.
    #[must_use]
    pub fn signer(&self, signature: &[u8], digest: impl FnOnce() -> [u8; 32]) -> Option<KeyId> {
        let signed = *self.kept.borrow_mut().get(signature.first_chunk()?)?;
        (signed.digest == digest()).then_some(signed.key)
    }

    /// Takes note that the key signed the token: the first time that it was seen, the second time of which token and which key.
    pub fn note(&self, signature: &[u8], digest: impl FnOnce() -> [u8; 32], key: KeyId) {
        let Some(mark) = signature.first_chunk() else { return };
        if self.sees_again(*mark) {
            self.kept.borrow_mut().put(*mark, Signed { digest: digest(), key });
        }
    }

    fn sees_again(&self, mark: Mark) -> bool {
        let mut seen = self.seen.borrow_mut();
        // Made when there is something to put in: not every isolate sees public keys.
        seen.resize(SEEN_TOKENS, Mark::default());
        let [.., high, low] = mark;
        let Some(place) = seen.get_mut(usize::from(u16::from_be_bytes([high, low])) % SEEN_TOKENS) else { return false };
        std::mem::replace(place, mark) == mark
    }
}
