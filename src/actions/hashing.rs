//! Hashing a password without holding up whoever else the isolate serves.
//!
//! A request takes a turn, and computes the hash in parts. Between two of them the event loop
//! serves others, whose answers take microseconds. The alternatives were measured: bench/NOTES.md,
//! "Hashing".

use std::pin::pin;
use std::rc::Rc;

use argon2id::Argon2id;
use futures_util::future::{Either, select};

use crate::context::Cx;
use crate::domain::identity::password::{self, Comparison, PasswordHash};
use crate::domain::identity::user::User;
use crate::domain::secret::Secret;
use crate::domain::time::Millis;
use crate::error::{Error, Limit, Result};
use crate::memory::isolate::{CLOCKS_DIFFER, Freshness};
use crate::ports::within;
use crate::store::sql::PATIENCE;

/// How many blocks a part has, of about a microsecond each.
const PART: usize = 512;
/// How often the next one looks whether it is their turn; the second next half as often, and so on.
const LOOK: Millis = Millis(5);
/// Well below the time after which a place is given up.
const LONGEST_LOOK: Millis = Millis(250);
/// Nobody waits longer, however large `STALENESS_S` is.
const LONGEST_WAIT: Millis = Millis::from_seconds(10);
/// After how long it is worth trying again where too many wait.
const RETRY_AFTER_S: i64 = 2;

/// The right to hash, until it is dropped. Whatever is to be looked at again after the wait is
/// looked at between [`turn`] and the hash.
pub struct Turn<'a> {
    cx: &'a Cx,
    number: u64,
}

/// Waits for the turn to hash. What the request has read of D1 ages meanwhile, so that the wait
/// ends before it is older than `STALENESS_S`.
///
/// # Errors
///
/// [`Limit::Hashing`] where too many wait, or the wait is too long. Whoever only proves anew what
/// was open before goes first, and is refused by neither, since that would close it.
pub async fn turn(cx: &Cx) -> Result<Turn<'_>> {
    turn_within(cx, cx.config.staleness.usable() - PATIENCE).await
}

/// The same for whoever was let in before, perhaps by what memory said: the wait comes on top of
/// its age.
///
/// # Errors
///
/// As of [`turn`].
pub async fn short_turn(cx: &Cx) -> Result<Turn<'_>> {
    turn_within(cx, Millis(cx.config.staleness.usable().0 / 4).min(CLOCKS_DIFFER)).await
}

async fn turn_within(cx: &Cx, longest: Millis) -> Result<Turn<'_>> {
    let too_many = || Error::TooMany { limit: Limit::Hashing, retry_after_s: RETRY_AFTER_S };
    let number = cx.memory.hashing.join(cx.timer.now(), cx.is_recheck).ok_or_else(too_many)?;
    let turn = Turn { cx, number };
    if cx.is_recheck {
        turn.wait().await;
    } else {
        within(&*cx.timer, longest.min(LONGEST_WAIT), pin!(turn.wait()))
            .await
            .ok_or_else(too_many)?;
    }
    Ok(turn)
}

/// How a wait for the turn ends.
pub enum Waited<'a> {
    /// It is the request's turn.
    Turn(Turn<'a>),
    /// Another request has found the same password right meanwhile: this is its user.
    Checked(Rc<User>),
}

/// The same as [`turn`], unless another request checks the same password first: `digest` is what it
/// is remembered by. So of many requests with one password, one computes the hash.
///
/// # Errors
///
/// As of [`turn`].
pub async fn turn_unless_checked<'a>(cx: &'a Cx, digest: &[u8; 32]) -> Result<Waited<'a>> {
    let checked = pin!(async {
        loop {
            if let Some(user) = checked_meanwhile(cx, digest) {
                return user;
            }
            cx.timer.sleep(LONGEST_LOOK).await;
        }
    });
    match select(checked, pin!(turn(cx))).await {
        Either::Left((user, _)) => Ok(Waited::Checked(user)),
        Either::Right((turn, _)) => {
            let turn = turn?;
            Ok(checked_meanwhile(cx, digest).map_or(Waited::Turn(turn), Waited::Checked))
        }
    }
}

/// What memory says counts only while memory is young enough, which it may have ceased to be.
fn checked_meanwhile(cx: &Cx, digest: &[u8; 32]) -> Option<Rc<User>> {
    let now = cx.timer.now();
    let is_young = cx.memory.freshness(now, cx.config.staleness) != Freshness::Expired;
    if is_young { cx.memory.remembered_password(digest, now) } else { None }
}

impl Turn<'_> {
    /// Whether the password is the one that was hashed. `None` (no such user, or no password) costs
    /// as much, and is never right.
    pub async fn is_right(&self, stored: Option<&PasswordHash>, password: &Secret) -> bool {
        if password.len() > password::MAX_BYTES {
            return false;
        }
        let Some(comparison) = Comparison::with(stored) else { return false };
        comparison.is_right(&self.compute(|| comparison.begin(password)).await)
    }

    /// Hashes a password under a fresh salt.
    pub async fn hash(&self, password: &Secret) -> Result<PasswordHash> {
        let salt = self.cx.random()?;
        let tag = self.compute(|| password::begin(password, &salt)).await;
        password::stored(&salt, &tag).map_err(Error::Internal)
    }

    async fn compute(&self, begin: impl Fn() -> Argon2id) -> Vec<u8> {
        self.cx.memory.count_hash();
        loop {
            if let Some(tag) = self.cx.memory.hashing.go_on(self.number, PART, &begin) {
                return tag;
            }
            self.cx.timer.sleep(Millis(0)).await;
            // It takes no time, unless the turn was given up because this request was away for too
            // long.
            self.wait().await;
        }
    }

    async fn wait(&self) {
        loop {
            match self.cx.memory.hashing.before(self.number, self.cx.timer.now()) {
                0 => return,
                // Whoever is far from it looks seldom, so that hundreds who wait cost little.
                before => {
                    self.cx
                        .timer
                        .sleep(
                            Millis(LOOK.0 * i64::try_from(before).unwrap_or(1)).min(LONGEST_LOOK),
                        )
                        .await
                }
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.cx.memory.hashing.leave(self.number);
    }
}
