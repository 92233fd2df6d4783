//! Hashing a password without holding up whoever else the isolate serves.
//!
//! A request takes a turn, and computes the hash in parts. Between two of them the event loop serves
//! others, whose answers take microseconds. The alternatives were measured: bench/NOTES.md, "Hashing".

use argon2id::Argon2id;

use crate::context::Cx;
use crate::domain::identity::password::{self, Comparison, PasswordHash};
use crate::domain::secret::Secret;
use crate::domain::time::Millis;
use crate::error::{Error, Limit, Result};

/// How many blocks a part has, of about a microsecond each.
const PART: usize = 512;
/// How often the next one looks whether it is their turn; the second next half as often, and so on.
const LOOK: Millis = Millis(5);
/// Well below the time after which a place is given up.
const LONGEST_LOOK: Millis = Millis(250);
/// After how long it is worth trying again where too many wait.
const RETRY_AFTER_S: i64 = 2;

/// The right to hash, until it is dropped. Whatever is to be looked at again after the wait is looked
/// at between [`turn`] and the hash.
pub struct Turn<'a> {
    cx: &'a Cx,
    number: u64,
}

/// Waits for the turn to hash.
///
/// # Errors
///
/// [`Limit::Hashing`] where too many wait. Whoever only proves anew what was open before is let wait
/// anyhow, since refusing them would close it.
pub async fn turn(cx: &Cx) -> Result<Turn<'_>> {
    let hashing = &cx.memory.hashing;
    let number =
        hashing.join(cx.timer.now(), cx.is_recheck).ok_or(Error::TooMany { limit: Limit::Hashing, retry_after_s: RETRY_AFTER_S })?;
    let turn = Turn { cx, number };
    loop {
        match hashing.before(number, cx.timer.now()) {
            0 => return Ok(turn),
            // Whoever is far from it looks seldom, so that a hundred who wait cost little.
            before => cx.timer.sleep(Millis(LOOK.0 * i64::try_from(before).unwrap_or(1)).min(LONGEST_LOOK)).await,
        }
    }
}

impl Turn<'_> {
    /// Whether the password is the one that was hashed. `None` (no such user, or no password) costs as
    /// much, and is never right.
    pub async fn is_right(&self, stored: Option<&PasswordHash>, password: &Secret) -> bool {
        let Some(mut comparison) = Comparison::begin(stored, password) else { return false };
        let tag = self.compute(comparison.computed()).await;
        comparison.is_right(&tag)
    }

    /// Hashes a password under a fresh salt.
    pub async fn hash(&self, password: &Secret) -> Result<PasswordHash> {
        let salt = self.cx.random()?;
        let tag = self.compute(&mut password::begin(password, &salt)).await;
        password::stored(&salt, &tag).map_err(Error::Internal)
    }

    async fn compute(&self, hash: &mut Argon2id) -> Vec<u8> {
        self.cx.memory.count_hash();
        loop {
            if let Some(tag) = hash.go_on(PART) {
                return tag;
            }
            self.cx.timer.sleep(Millis(0)).await;
            // Tells that this one is still there. It goes on even where the turn was given up meanwhile.
            let _ = self.cx.memory.hashing.before(self.number, self.cx.timer.now());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.cx.memory.hashing.leave(self.number);
    }
}
