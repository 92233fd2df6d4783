//! Tokens whose signature was checked before, as an isolate remembers them.
//!
//! What is kept is a fact that never ceases to be one: this text is signed by that key, and says
//! this. Whether the key is still one of an enabled app, when the token ends and how its user
//! stands is looked at on each hit, as for any token; so nothing has to be forgotten when these
//! change.
//!
//! The end of a token says where to look, and whoever has seen the token can copy it; only where
//! the whole text is the same, it is the one that is remembered. A text is kept from the second
//! time on: many tokens are seen once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::secret::PlainToken;
use crate::domain::tokens::jwt::{Parts, UnverifiedToken, VerifiedClaims};
use crate::domain::tokens::public_key::KeyId;
use crate::error::Denied;

/// How many tokens are remembered at most.
pub const KEPT_TOKENS: usize = 10_000;

/// How many bytes of memory they may take in all: as many tokens with a dozen short claims need
/// fewer.
pub const KEPT_BYTES: usize = 16 << 20;

/// The end of a token, which is the end of its signature: where to look, and no proof of anything.
type Mark = [u8; 12];

/// The memory of one isolate: what a token says and which key signed it, by its mark; and the marks
/// of tokens that were seen.
pub struct SignedTokens {
    kept: RefCell<Kept>,
    seen: RefCell<Seen>,
}

/// The marks of tokens that were seen once: of the last [`KEPT_TOKENS`] at least, and of twice as
/// many at most. So whatever the order in which as many tokens come, each of them is known when it
/// comes again.
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
    /// How many tokens are remembered.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.kept.borrow().tokens.len()
    }

    /// Reads a token; one that is remembered need not be decoded.
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

    /// Takes note that the key signed the token: the first time that it was seen, the second time
    /// of what it says and which key.
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

/// Whether the texts are the same, in a time that does not tell where they differ.
fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |found, (a, b)| found | (a ^ b));
    one.len() == other.len() && differences == 0
}
