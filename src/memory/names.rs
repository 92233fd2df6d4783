//! A cache of the names of resources and actions, and of names that belong to nothing. The two have
//! separate limits, so guessed names evict no real one.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::feed::{Change, ChangeKind};
use crate::domain::permissions::names::{Actions, ResourceName, ResourceType};

const CACHED_NAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(20_000);
const CACHED_TYPES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_000);
const CACHED_MISSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_000);

pub(super) struct RememberedNames {
    services: LruCache<ResourceName, i64>,
    missing: LruCache<ResourceName, ()>,
    actions: LruCache<ResourceType, Actions>,
    without_actions: LruCache<ResourceType, Actions>,
}

impl Default for RememberedNames {
    fn default() -> Self {
        Self {
            services: LruCache::new(CACHED_NAMES),
            missing: LruCache::new(CACHED_MISSES),
            actions: LruCache::new(CACHED_TYPES),
            without_actions: LruCache::new(CACHED_MISSES),
        }
    }
}

impl RememberedNames {
    /// `Some(None)` means that there is no such name, `None` that the cache does not know.
    #[expect(clippy::option_option, reason = "not knowing and knowing of none are different")]
    pub fn service(&mut self, name: &ResourceName) -> Option<Option<i64>> {
        match self.services.get(name) {
            Some(service_id) => Some(Some(*service_id)),
            None => self.missing.get(name).map(|()| None),
        }
    }

    pub fn actions(&mut self, of: &ResourceType) -> Option<Actions> {
        self.actions.get(of).or_else(|| self.without_actions.get(of)).cloned()
    }

    #[must_use]
    pub fn entries(&self) -> usize {
        [self.services.len(), self.missing.len(), self.actions.len(), self.without_actions.len()]
            .into_iter()
            .sum()
    }

    pub fn take_in(
        &mut self,
        names: &[(ResourceName, Option<i64>)],
        actions: &[(ResourceType, Actions)],
    ) {
        for (name, service_id) in names {
            match service_id {
                Some(service_id) => drop(self.services.put(name.clone(), *service_id)),
                None => drop(self.missing.put(name.clone(), ())),
            }
        }
        for (of, names) in actions {
            let cache =
                if names.is_empty() { &mut self.without_actions } else { &mut self.actions };
            cache.put(of.clone(), names.clone());
        }
    }

    pub fn evict(&mut self, change: &Change) {
        match change.kind {
            ChangeKind::Directory => *self = Self::default(),
            ChangeKind::Name => self.evict_named(&change.key),
            ChangeKind::TokenApp
            | ChangeKind::User
            | ChangeKind::Session
            | ChangeKind::Service
            | ChangeKind::Grant
            | ChangeKind::Membership
            | ChangeKind::Application
            | ChangeKind::Key
            | ChangeKind::Revocation
            | ChangeKind::DeletedTokenApp => {}
        }
    }

    fn evict_named(&mut self, key: &str) {
        let (of, id) = key.split_once('/').map_or((key, None), |(of, id)| (of, Some(id)));
        // If the key is not a valid name, a newer Worker wrote it, which may know more kinds of
        // names. So everything is evicted.
        let Ok(of) = ResourceType::parse(of) else { return *self = Self::default() };
        let Some(id) = id else {
            self.actions.pop(&of);
            self.without_actions.pop(&of);
            return;
        };
        let Ok(name) = ResourceName::new(&of, id) else { return *self = Self::default() };
        self.services.pop(&name);
        self.missing.pop(&name);
    }
}
