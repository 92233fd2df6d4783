//! Hashes a password without blocking the other requests of the isolate.
//!
//! A request waits for its turn, and computes the hash in parts. Between two parts, the event loop
//! serves other requests, whose answers take microseconds. bench/NOTES.md has the measurements of
//! the alternatives, under "Hashing".

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

/// Blocks in one part. A block takes about a microsecond.
const PART: usize = 512;
/// The pause between two looks at the queue, for the request that is next. The pause is twice as
/// long for the second next, and so on.
const LOOK: Millis = Millis(5);
/// The longest pause. It is well below the time after which a place in the queue is given up.
const LONGEST_LOOK: Millis = Millis(250);
/// The longest wait, however large `STALENESS_S` is.
const LONGEST_WAIT: Millis = Millis::from_seconds(10);
/// The `Retry-After` of the refusal, in seconds.
const RETRY_AFTER_S: i64 = 2;

/// The right to hash, until it is dropped. Code that has to check something again after the wait
/// does so between [`turn`] and the hash.
pub struct Turn<'a> {
    cx: &'a Cx,
    number: u64,
}

/// Waits for the turn to hash. What the request has read from D1 ages meanwhile, so the wait ends
/// before that is older than `STALENESS_S`.
///
/// # Errors
///
/// [`Limit::Hashing`] if too many requests wait, or if the wait takes too long. Checks of open
/// streams go first and are never refused, because a refusal would close the stream.
pub async fn turn(cx: &Cx) -> Result<Turn<'_>> {
    turn_within(cx, cx.config.staleness.usable() - PATIENCE).await
}

/// Like [`turn`], for callers who are already authenticated, perhaps from memory. The age of memory
/// and the wait add up, so the wait is short.
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

/// How the wait for the turn ended.
pub enum Waited<'a> {
    Turn(Turn<'a>),
    /// Meanwhile another request found the same password right. This is its user.
    Checked(Rc<User>),
}

/// Like [`turn`], but ends early if another request checks the same password first. `digest` is the
/// cache key of the password. So of many requests with the same password, one computes the hash.
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

/// The cached password is used only while memory is young enough. It may have expired during the
/// wait.
fn checked_meanwhile(cx: &Cx, digest: &[u8; 32]) -> Option<Rc<User>> {
    let now = cx.timer.now();
    let is_young = cx.memory.freshness(now, cx.config.staleness) != Freshness::Expired;
    if is_young { cx.memory.remembered_password(digest, now) } else { None }
}

impl Turn<'_> {
    /// Whether the password matches the stored hash. `None` means that there is no such user, or no
    /// password. Then the check takes as long, and the answer is `false`.
    pub async fn is_right(&self, stored: Option<&PasswordHash>, password: &Secret) -> bool {
        if password.len() > password::MAX_BYTES {
            return false;
        }
        let Some(comparison) = Comparison::with(stored) else { return false };
        comparison.is_right(&self.compute(|| comparison.begin(password)).await)
    }

    /// Hashes a password with a new salt.
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
            // This returns immediately, unless the request was away too long and lost its turn.
            self.wait().await;
        }
    }

    async fn wait(&self) {
        loop {
            match self.cx.memory.hashing.before(self.number, self.cx.timer.now()) {
                0 => return,
                // The further back a request is, the more seldom it looks. So hundreds of waiting
                // requests cost little.
                before => {
                    let before = i64::try_from(before).unwrap_or(1);
                    let pause = Millis(LOOK.0 * before).min(LONGEST_LOOK);
                    self.cx.timer.sleep(pause).await;
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
