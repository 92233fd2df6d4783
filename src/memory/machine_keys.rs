//! Keys that were shown: those that count, and texts that are none, each in bounds of its own, so
//! that guesses push no key out.

use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::feed::{Change, ChangeKind};
use crate::domain::identity::machine_key::MachineKey;
use crate::domain::secret::HashedToken;
use crate::domain::time::Day;

const CACHED_KEYS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(10_000);
const CACHED_MISSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_000);

/// A key as it was read by one of its secrets.
#[derive(Debug, Clone)]
pub struct ByItsSecret {
    /// The key.
    pub key: Rc<MachineKey>,
    /// The last day on which this secret was noted as used.
    pub last_used_on: Option<Day>,
}

/// What an isolate remembers of keys.
pub(super) struct RememberedKeys {
    known: LruCache<HashedToken, ByItsSecret>,
    missing: LruCache<HashedToken, ()>,
}

impl Default for RememberedKeys {
    fn default() -> Self {
        Self { known: LruCache::new(CACHED_KEYS), missing: LruCache::new(CACHED_MISSES) }
    }
}

impl RememberedKeys {
    /// `Some(None)`: there is no such key.
    #[expect(clippy::option_option, reason = "not knowing and knowing of none are different")]
    pub fn find(&mut self, hash: &HashedToken) -> Option<Option<Rc<MachineKey>>> {
        match self.known.get(hash) {
            Some(found) => Some(Some(Rc::clone(&found.key))),
            None => self.missing.get(hash).map(|()| None),
        }
    }

    #[must_use]
    pub fn entries(&self) -> usize {
        self.known.len() + self.missing.len()
    }

    pub fn take_in(&mut self, hash: HashedToken, read: Option<&ByItsSecret>) {
        if let Some(read) = read {
            self.missing.pop(&hash);
            self.known.put(hash, read.clone());
        } else {
            self.known.pop(&hash);
            self.missing.put(hash, ());
        }
    }

    /// Whether the key was not noted as used on that day; then it is taken as noted.
    pub fn begin_noting(&mut self, hash: &HashedToken, day: Day) -> bool {
        let Some(found) = self.known.get_mut(hash) else { return false };
        let is_new = found.last_used_on.is_none_or(|noted| noted < day);
        if is_new {
            found.last_used_on = Some(day);
        }
        is_new
    }

    /// The note was not written.
    pub fn fail_noting(&mut self, hash: &HashedToken) {
        if let Some(found) = self.known.get_mut(hash) {
            found.last_used_on = None;
        }
    }

    pub fn forget(&mut self, change: &Change) {
        // Only apps are named by something else than a number.
        let id = change.key.parse::<i64>().ok();
        let is = |of: Option<i64>| of.is_some() && of == id;
        match change.kind {
            ChangeKind::Key => {
                self.missing.clear();
                self.forget_where(|key| is(Some(key.id)) || is(key.parent_id));
            }
            ChangeKind::Session => self.forget_where(|key| is(key.session_id)),
            ChangeKind::User => self.forget_where(|key| is(key.user_id.map(|id| id.0))),
            ChangeKind::TokenApp => self.forget_where(|key| key.app.as_ref() == Some(&change.key)),
            // Whether the token that made a key was revoked is looked at each time.
            ChangeKind::Service
            | ChangeKind::Grant
            | ChangeKind::Membership
            | ChangeKind::Application
            | ChangeKind::Directory
            | ChangeKind::Name
            | ChangeKind::Revocation
            | ChangeKind::DeletedTokenApp => {}
        }
    }

    fn forget_where(&mut self, gone: impl Fn(&MachineKey) -> bool) {
        let hashes: Vec<_> = self
            .known
            .iter()
            .filter(|(_, found)| gone(&found.key))
            .map(|(hash, _)| *hash)
            .collect();
        for hash in hashes {
            self.known.pop(&hash);
        }
    }
}
