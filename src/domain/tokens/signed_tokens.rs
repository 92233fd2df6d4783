//! The isolate's cache of tokens whose signature was verified.
//!
//! An entry is a fact that stays true: this key signed this text, and the text has these claims.
//! The key, the lifetime and the user are checked on each hit, as for any token. So no entry has to
//! be evicted when these change.
//!
//! The cache is indexed by the end of a token, which anybody who has seen the token can copy. Only
//! an equal text is a hit. A token is cached when it is seen for the second time, because many
//! tokens are seen only once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::secret::PlainToken;
use crate::domain::tokens::jwt::{Parts, UnverifiedToken, VerifiedClaims};
use crate::domain::tokens::public_key::KeyId;
use crate::error::Denied;

/// The greatest number of cached tokens.
pub const KEPT_TOKENS: usize = 10_000;

/// The greatest memory use of all cached tokens, in bytes. 10,000 tokens with a dozen short claims
/// need less.
pub const KEPT_BYTES: usize = 16 << 20;

/// The last bytes of a token, which are the end of its signature. They are an index and prove
/// nothing.
type Mark = [u8; 12];

/// The cache of one isolate: verified tokens by their mark, and the marks of tokens that were seen
/// once.
pub struct SignedTokens {
    kept: RefCell<Kept>,
    seen: RefCell<Seen>,
}

/// Marks of tokens that were seen once: at least the last [`KEPT_TOKENS`] and at most twice as
/// many. So any [`KEPT_TOKENS`] tokens that repeat, in whatever order, are recognized.
#[derive(Default)]
struct Seen {
    newer: HashSet<Mark>,
    older: HashSet<Mark>,
}

struct Kept {
    tokens: LruCache<Mark, SignedToken>,
    bytes: usize,
}

struct SignedToken {
    text: PlainToken,
    parts: Rc<Parts>,
    key: KeyId,
}

impl Default for SignedTokens {
    fn default() -> Self {
        let tokens = LruCache::new(NonZeroUsize::MIN.saturating_add(KEPT_TOKENS - 1));
        Self { kept: RefCell::new(Kept { tokens, bytes: 0 }), seen: RefCell::default() }
    }
}

impl SignedTokens {
    #[must_use]
    pub fn entries(&self) -> usize {
        self.kept.borrow().tokens.len()
    }

    /// Parses a token. A cached token is not decoded again.
    pub fn read<'a>(&self, text: &'a str) -> Result<UnverifiedToken<'a>, Denied> {
        match self.find(text) {
            Some((parts, key)) => Ok(UnverifiedToken::signed_before(text, parts, key)),
            None => UnverifiedToken::parse(text),
        }
    }

    fn find(&self, text: &str) -> Option<(Rc<Parts>, KeyId)> {
        let mut kept = self.kept.borrow_mut();
        let known = kept.tokens.get(text.as_bytes().last_chunk()?)?;
        is_same(known.text.expose(), text).then(|| (Rc::clone(&known.parts), known.key))
    }

    /// Records that the key signed the token. The first time only its mark is stored, the second
    /// time its claims and the key.
    pub fn note(&self, claims: &VerifiedClaims<'_>, key: KeyId) {
        let token = claims.token();
        let Some(mark) = token.text().as_bytes().last_chunk() else { return };
        if self.seen.borrow_mut().sees_again(*mark) {
            let signed = SignedToken {
                text: PlainToken::new(token.text()),
                parts: Rc::clone(token.parts()),
                key,
            };
            self.kept.borrow_mut().keep(*mark, signed);
        }
    }
}

impl Seen {
    fn sees_again(&mut self, mark: Mark) -> bool {
        if self.newer.contains(&mark) || self.older.contains(&mark) {
            return true;
        }
        if self.newer.len() >= KEPT_TOKENS {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(mark);
        false
    }
}

impl Kept {
    fn keep(&mut self, mark: Mark, signed: SignedToken) {
        self.bytes += signed.bytes();
        let replaced = self.tokens.push(mark, signed);
        self.bytes = self.bytes.saturating_sub(replaced.map_or(0, |(_, old)| old.bytes()));
        while self.bytes > KEPT_BYTES {
            let Some((_, old)) = self.tokens.pop_lru() else { return };
            self.bytes = self.bytes.saturating_sub(old.bytes());
        }
    }
}

impl SignedToken {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.expose().len() + self.parts.bytes()
    }
}

/// Compares in constant time for equal lengths.
fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |found, (a, b)| found | (a ^ b));
    one.len() == other.len() && differences == 0
}
