//! A cache of machine keys, and of secrets that belong to no key. The two have separate limits, so
//! guessed secrets evict no key.

use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::feed::{Change, ChangeKind};
use crate::domain::identity::machine_key::MachineKey;
use crate::domain::secret::HashedToken;
use crate::domain::time::Day;

const CACHED_KEYS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(10_000);
const CACHED_MISSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_000);

/// A machine key, as one of its secrets shows it.
#[derive(Debug, Clone)]
pub struct ByItsSecret {
    pub key: Rc<MachineKey>,
    /// The last day on which the use of this secret was written to D1.
    pub last_used_on: Option<Day>,
}

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
    /// `Some(None)` means that there is no such key, `None` that the cache does not know.
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

    /// Whether the use of the key on that day still has to be written to D1. If so, it counts as
    /// written.
    pub fn begin_noting(&mut self, hash: &HashedToken, day: Day) -> bool {
        let Some(found) = self.known.get_mut(hash) else { return false };
        let is_new = found.last_used_on.is_none_or(|noted| noted < day);
        if is_new {
            found.last_used_on = Some(day);
        }
        is_new
    }

    /// Notes that the write failed, so that the next use is written.
    pub fn fail_noting(&mut self, hash: &HashedToken) {
        if let Some(found) = self.known.get_mut(hash) {
            found.last_used_on = None;
        }
    }

    pub fn evict(&mut self, change: &Change) {
        // Of the kinds below that evict, only apps have a key that is not a number.
        let id = change.key.parse::<i64>().ok();
        let is = |of: Option<i64>| of.is_some() && of == id;
        match change.kind {
            ChangeKind::Key => {
                self.missing.clear();
                self.evict_where(|key| is(Some(key.id)) || is(key.parent_id));
            }
            ChangeKind::Session => self.evict_where(|key| is(key.session_id)),
            ChangeKind::User => self.evict_where(|key| is(key.user_id.map(|id| id.0))),
            ChangeKind::TokenApp => self.evict_where(|key| key.app.as_ref() == Some(&change.key)),
            // A revocation of the token that made a key evicts nothing: it is checked on each use.
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

    fn evict_where(&mut self, gone: impl Fn(&MachineKey) -> bool) {
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
