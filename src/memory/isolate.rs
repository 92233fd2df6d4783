//! The memory of an isolate: a cache of the database, and how long it may be used.
//!
//! A change is in force everywhere within `STALENESS_S`. Memory has an age: the time since this
//! isolate last read the change feed.
//!
//! * Up to half of `STALENESS_S`, memory is used without reading.
//! * From then on, the answer comes from memory, and the feed is read in the background, after the
//!   answer.
//! * Above `STALENESS_S`, the feed is read before the answer.
//! * While D1 does not answer in time, memory and the snapshot in KV are used until they are
//!   `STALE_IF_ERROR_S` old.
//!
//! No borrow of the `RefCell` outlives a method. So requests that interleave at an `.await` never
//! meet a borrow.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::domain::applications::application::{AccessKey, Application};
use crate::domain::feed::{Change, ChangeKind, Place};
use crate::domain::identity::machine_key::MachineKey;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId, Username};
use crate::domain::permissions::names::{Actions, ResourceName, ResourceType};
use crate::domain::permissions::period::InTime;
use crate::domain::permissions::permission::{Pair, Permissions, ServiceGroup, Standing};
use crate::domain::secret::HashedToken;
use crate::domain::staleness::Staleness;
use crate::domain::time::{Day, Millis};
use crate::domain::tokens::revocation::{Revocation, RevocationKey, RevocationKind};
use crate::domain::tokens::signed_tokens::SignedTokens;
use crate::domain::tokens::token_app::{self, AppName, Selection, TokenApp};
use crate::memory::assertions::Assertions;
use crate::memory::counters::Counters;
use crate::memory::counts::LastCounts;
use crate::memory::feed::{MAX_APPS, Reading};
use crate::memory::hashing::Hashing;
use crate::memory::health::LastHealth;
use crate::memory::introspections::Introspections;
use crate::memory::key_sets::KeySets;
use crate::memory::lines::Lines;
use crate::memory::machine_keys::RememberedKeys;
use crate::memory::names::RememberedNames;
use crate::memory::recent::Recent;
use crate::memory::refusals::Refusals;
use crate::memory::revocations::Revocations;
use crate::memory::sharing::Sharing;
use crate::memory::snapshot::Snapshot;
use crate::memory::token_writes::TokenWrites;

/// How far the clocks in a data centre may differ. A time up to this far in the future is treated
/// as now.
pub const CLOCKS_DIFFER: Millis = Millis::from_seconds(2);
/// How far the clock of one request may be behind the clock of an overlapping one.
const OVERLAP: Millis = Millis::from_seconds(10);
/// How long a password that was right is not hashed again.
pub const PASSWORD_REMEMBERED: Millis = Millis::from_seconds(60);
/// After D1 did not answer, it is not asked again for this long.
const PAUSE_AFTER_FAILURE: Millis = Millis::from_seconds(2);
/// How long a snapshot is used before KV is asked for a newer one.
const SNAPSHOT_KEPT: Millis = Millis::from_seconds(10);
/// How long a reading that was too late for its answer may continue in the background. The platform
/// ends such work 30 s after the answer.
pub const STALL_GIVEN_UP: Millis = Millis::from_seconds(25);

const CACHED_USERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(10_000);
const CACHED_SESSIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(10_000);
const CACHED_STANDINGS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(50_000);
const CACHED_OF_GROUPS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(10_000);
const CACHED_APPLICATIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(10_000);
const CACHED_PASSWORDS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_000);
const CACHED_SELECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_000);

pub struct Memory {
    inside: RefCell<Remembered>,
    pub key_sets: KeySets,
    pub introspections: Introspections,
    pub signed_tokens: SignedTokens,
    pub assertions: Assertions,
    pub health: LastHealth,
    pub counts: LastCounts,
    pub token_writes: TokenWrites,
    pub sharing: Sharing,
    pub hashing: Hashing,
    pub counters: Counters,
    pub refusals: Refusals,
    pub lines: Lines,
    hashes: Cell<u64>,
}

struct Remembered {
    place: Option<Place>,
    recent: Recent,
    read_at: Option<Millis>,
    reading_since: Option<Millis>,
    stalled_at: Option<Millis>,
    failed_at: Option<Millis>,
    expired_at: Option<Millis>,
    apps: BTreeMap<AppName, Rc<TokenApp>>,
    has_all_apps: bool,
    revocations: Revocations,
    selections: LruCache<Selection, Vec<Rc<TokenApp>>>,
    users: LruCache<UserId, Rc<User>>,
    user_ids: LruCache<Username, UserId>,
    changed_users: LruCache<UserId, i64>,
    sessions: LruCache<HashedToken, Rc<Session>>,
    keys: RememberedKeys,
    passwords: LruCache<[u8; 32], (UserId, Millis)>,
    limited: LruCache<[u8; 32], Millis>,
    standings: LruCache<Pair, InTime<Standing>>,
    groups: LruCache<UserId, Rc<[i64]>>,
    of_groups: LruCache<ServiceGroup, InTime<Permissions>>,
    applications: LruCache<AccessKey, Option<Rc<Application>>>,
    access_tokens: LruCache<HashedToken, AccessKey>,
    names: RememberedNames,
    snapshot: Option<(Millis, Option<Rc<Snapshot>>)>,
}

/// How memory may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Memory is used without reading.
    Fresh,
    /// Memory is used, and the feed is read in the background, after the answer.
    Aging,
    /// Memory is not used before the feed was read.
    Expired,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            inside: RefCell::new(Remembered::empty()),
            key_sets: KeySets::default(),
            introspections: Introspections::default(),
            signed_tokens: SignedTokens::default(),
            assertions: Assertions::default(),
            health: LastHealth::default(),
            counts: LastCounts::default(),
            token_writes: TokenWrites::default(),
            sharing: Sharing::default(),
            hashing: Hashing::default(),
            counters: Counters::default(),
            refusals: Refusals::default(),
            lines: Lines::default(),
            hashes: Cell::new(0),
        }
    }
}

impl Remembered {
    fn empty() -> Self {
        Self {
            place: None,
            recent: Recent::default(),
            read_at: None,
            reading_since: None,
            stalled_at: None,
            failed_at: None,
            expired_at: None,
            apps: BTreeMap::new(),
            has_all_apps: false,
            revocations: Revocations::none_known(),
            selections: LruCache::new(CACHED_SELECTIONS),
            users: LruCache::new(CACHED_USERS),
            user_ids: LruCache::new(CACHED_USERS),
            changed_users: LruCache::new(CACHED_USERS),
            sessions: LruCache::new(CACHED_SESSIONS),
            keys: RememberedKeys::default(),
            passwords: LruCache::new(CACHED_PASSWORDS),
            limited: LruCache::new(CACHED_PASSWORDS),
            standings: LruCache::new(CACHED_STANDINGS),
            groups: LruCache::new(CACHED_USERS),
            of_groups: LruCache::new(CACHED_OF_GROUPS),
            applications: LruCache::new(CACHED_APPLICATIONS),
            access_tokens: LruCache::new(CACHED_APPLICATIONS),
            names: RememberedNames::default(),
            snapshot: None,
        }
    }

    /// Evicts what the reading says has changed, then stores what the reading brought.
    fn take_in(&mut self, reading: &Reading, begun_at: Millis) {
        // If memory is ahead of this reading, a newer reading has overtaken it, and it is ignored.
        // There is one exception: a head below the place where the reading itself began shows that
        // the database was restored to an earlier state. Memory follows it.
        let known = self.place.map(|place| place.revision);
        let overtaken = known
            .is_some_and(|revision| reading.head < revision && reading.since != Some(revision));
        if overtaken {
            return;
        }
        let has_gap = reading.has_gap();
        if has_gap {
            *self = Remembered {
                read_at: self.read_at,
                expired_at: self.expired_at,
                ..Remembered::empty()
            };
            self.has_all_apps = reading.apps.len() <= MAX_APPS;
            self.revocations = Revocations::new(reading.revocations.as_deref());
        }
        self.evict_users_of_deleted_apps(reading);
        for change in &reading.changes {
            self.evict(change, begun_at);
        }
        self.evict_standings(&reading.changes);
        if self.has_all_apps {
            self.apps.extend(reading.apps.iter().map(|app| (app.name.clone(), Rc::clone(app))));
            if self.apps.len() > MAX_APPS {
                self.has_all_apps = false;
                self.apps.clear();
            }
        }
        self.remember(reading);
        let head = Place { revision: reading.head, at: reading.head_at };
        if has_gap {
            self.recent = Recent::from(head);
        } else {
            self.recent.go_on(&reading.changes, head);
        }
        self.place = Some(head);
        // A reading that began before a write whose answer was lost may lack that write. So it does
        // not make memory younger.
        if self.expired_at.is_none_or(|at| begun_at >= at) {
            self.read_at = self.read_at.max(Some(begun_at));
        }
    }

    /// Stores what the reading was asked for by name.
    fn remember(&mut self, reading: &Reading) {
        if let Some((selection, apps)) = &reading.selected {
            self.selections.put(selection.clone(), apps.clone());
        }
        for (key, is_revoked) in &reading.revoked {
            self.revocations.note(*key, *is_revoked);
        }
        for user in &reading.users {
            self.remember_user(user);
        }
        if let Some((hash, session)) = &reading.session {
            self.sessions.put(*hash, Rc::clone(session));
        }
        for (hash, read) in &reading.keys {
            self.keys.take_in(*hash, read.as_ref());
        }
        for (pair, standing) in &reading.standings {
            self.standings.put(*pair, standing.clone());
        }
        for (id, groups) in &reading.groups {
            self.groups.put(*id, Rc::clone(groups));
        }
        for (of, permissions) in &reading.of_groups {
            self.of_groups.put(*of, permissions.clone());
        }
        for (access_key, application) in &reading.applications {
            if let Some(token) =
                application.as_ref().and_then(|application| application.token.as_ref())
            {
                self.access_tokens.put(token.hash, access_key.clone());
            }
            self.applications.put(access_key.clone(), application.clone());
        }
        self.names.take_in(&reading.names, &reading.actions);
    }

    fn evict(&mut self, change: &Change, now: Millis) {
        self.keys.evict(change);
        self.names.evict(change);
        match change.kind {
            ChangeKind::TokenApp => {
                self.apps.retain(|name, _| name.as_str() != change.key);
                self.selections.clear();
            }
            ChangeKind::User => self.evict_user(&change.key, change.revision),
            ChangeKind::Session => {
                evict_where(&mut self.sessions, |_, session| session.id.to_string() == change.key);
            }
            ChangeKind::Application => drop(self.applications.pop(change.key.as_str())),
            // These are handled elsewhere: by `evict_standings`, by `evict_users_of_deleted_apps`,
            // and above for keys and names.
            ChangeKind::Service
            | ChangeKind::Grant
            | ChangeKind::Directory
            | ChangeKind::Key
            | ChangeKind::Name
            | ChangeKind::DeletedTokenApp => {}
            ChangeKind::Revocation => drop(
                Revocation::parse(&change.key)
                    .map(|revocation| self.revocations.add(&revocation, now)),
            ),
            // The user's stored groups changed, so they must be compared with the user's token
            // again.
            ChangeKind::Membership => {
                if let Ok(id) = change.key.parse().map(UserId) {
                    self.users.pop(&id);
                    self.groups.pop(&id);
                }
            }
        }
    }

    /// Users of a deleted app no longer belong to an app, even if a new app has the same name. So
    /// their cached rows are evicted.
    fn evict_users_of_deleted_apps(&mut self, reading: &Reading) {
        let is_one = |change: &&Change| change.kind == ChangeKind::TokenApp;
        for Change { key, .. } in reading.changes.iter().filter(is_one) {
            let is_of_name = |app: &&Rc<TokenApp>| app.name.as_str() == key;
            let known = self.apps.values().find(is_of_name).map(|app| app.created_at);
            let now = reading.apps.iter().find(is_of_name).map(|app| app.created_at);
            if known.is_none() || known != now {
                evict_where(&mut self.users, |_, user| {
                    user.profile.token_app.as_ref() == Some(key)
                });
            }
        }
    }

    /// Looks through the standings once for all changes together.
    fn evict_standings(&mut self, changes: &[Change]) {
        if changes.iter().any(|change| change.kind == ChangeKind::Directory) {
            self.standings.clear();
            self.groups.clear();
            self.of_groups.clear();
            // An import may have changed group memberships.
            evict_where(&mut self.users, |_, user| user.synced_groups.is_some());
            return;
        }
        let keys = |kinds: &[ChangeKind]| {
            let named = changes.iter().filter(|change| kinds.contains(&change.kind));
            named.map(|change| change.key.clone()).collect::<HashSet<String>>()
        };
        let services = keys(&[ChangeKind::Service]);
        let users = keys(&[ChangeKind::User, ChangeKind::Membership]);
        let pairs = keys(&[ChangeKind::Grant]);
        if services.is_empty() && users.is_empty() && pairs.is_empty() {
            return;
        }
        evict_where(&mut self.of_groups, |of, _| services.contains(&of.service_id.to_string()));
        evict_where(&mut self.standings, |pair, _| {
            let (service, user) = (pair.service_id.to_string(), pair.user_id.to_string());
            pairs.contains(&format!("{service}/{user}"))
                || services.contains(&service)
                || users.contains(&user)
        });
    }

    fn evict_user(&mut self, key: &str, revision: i64) {
        let Ok(id) = key.parse().map(UserId) else { return };
        self.users.pop(&id);
        self.groups.pop(&id);
        let known = self.changed_users.peek(&id).copied().unwrap_or(i64::MIN);
        self.changed_users.put(id, revision.max(known));
        evict_where(&mut self.sessions, |_, session| session.user_id == id);
        evict_where(&mut self.passwords, |_, (user_id, _)| *user_id == id);
    }

    fn remember_user(&mut self, user: &Rc<User>) {
        self.user_ids.put(user.username.clone(), user.id);
        self.users.put(user.id, Rc::clone(user));
    }
}

fn evict_where<K: Clone + std::hash::Hash + Eq, V>(
    cache: &mut LruCache<K, V>,
    gone: impl Fn(&K, &V) -> bool,
) {
    let keys: Vec<K> =
        cache.iter().filter(|(key, value)| gone(key, value)).map(|(key, _)| key.clone()).collect();
    for key in keys {
        cache.pop(&key);
    }
}

impl Memory {
    #[must_use]
    pub fn freshness(&self, now: Millis, staleness: Staleness) -> Freshness {
        match self.age(now) {
            Some(age) if age <= staleness.fresh() => Freshness::Fresh,
            Some(age) if age <= staleness.usable() => Freshness::Aging,
            _ => Freshness::Expired,
        }
    }

    /// The time since the feed was last read. `None` if it never was, or if the clock went back by
    /// more than requests overlap.
    #[must_use]
    pub fn age(&self, now: Millis) -> Option<Millis> {
        let age = now - self.inside.borrow().read_at?;
        (age.0 > -OVERLAP.0).then(|| age.max(Millis(0)))
    }

    /// The newest revision of the change feed that memory has read.
    #[must_use]
    pub fn revision(&self) -> Option<i64> {
        self.place().map(|place| place.revision)
    }

    /// The place up to which memory has read the change feed.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.inside.borrow().place
    }

    /// Whether a reading of the feed should begin now. If so, it counts as begun. An earlier
    /// reading that began more than `lost_after` ago, and did not stall, was lost with its request.
    pub fn begin_reading(&self, now: Millis, lost_after: Millis) -> bool {
        if self.is_stalled(now) {
            return false;
        }
        let mut memory = self.inside.borrow_mut();
        let idle = memory.reading_since.is_none_or(|since| now - since > lost_after);
        if idle {
            memory.reading_since = Some(now);
        }
        idle
    }

    /// Stores a reading of D1 that began at `begun_at`. Evicts exactly what changed. A reading that
    /// is older than memory changes nothing.
    pub fn take_in(&self, reading: &Reading, begun_at: Millis) {
        let memory = &mut *self.inside.borrow_mut();
        memory.reading_since = None;
        memory.stalled_at = None;
        memory.failed_at = None;
        memory.expired_at = memory.expired_at.filter(|at| begun_at < *at);
        memory.snapshot = None;
        memory.take_in(reading, begun_at);
    }

    /// Stores a reading that another isolate made. `recent` is what that isolate knows of the feed.
    pub fn take_in_shared(&self, reading: &Reading, asked_at: Millis, recent: Recent) {
        let memory = &mut *self.inside.borrow_mut();
        memory.reading_since = None;
        memory.take_in(reading, asked_at);
        let begins_at = |recent: &Recent| recent.ends().map(|(floor, _)| floor.revision);
        let ends_here = recent.ends().is_some_and(|(_, head)| memory.place == Some(head));
        if ends_here && begins_at(&recent) < begins_at(&memory.recent) {
            memory.recent = recent;
        }
    }

    /// Stores what was read at an earlier place, then evicts what has changed since. Stores nothing
    /// and returns `false` if memory does not know that place, or if an app or the directory has
    /// changed since.
    pub fn take_in_earlier(&self, reading: &Reading, place: Place, now: Millis) -> bool {
        let memory = &mut *self.inside.borrow_mut();
        let Some(since) = memory.recent.since(place) else { return false };
        if since
            .iter()
            .any(|change| matches!(change.kind, ChangeKind::TokenApp | ChangeKind::Directory))
        {
            return false;
        }
        let since: Vec<Change> = since.into_iter().cloned().collect();
        memory.remember(reading);
        for change in &since {
            memory.evict(change, now);
        }
        memory.evict_standings(&since);
        true
    }

    /// Whether a reading by another isolate is newer than memory. It must also be newer than any
    /// write of this isolate whose answer was lost. `asked_at` is by the other isolate's clock.
    #[must_use]
    pub fn may_learn_from(&self, asked_at: Millis) -> bool {
        let memory = self.inside.borrow();
        memory.read_at.is_none_or(|at| at < asked_at)
            && memory.expired_at.is_none_or(|at| at + CLOCKS_DIFFER < asked_at)
    }

    /// What memory knows of the feed, for other isolates: when D1 was asked, floor, head and
    /// changes.
    #[must_use]
    pub fn shared_window(&self) -> Option<(Millis, Place, Place, Vec<Change>)> {
        let memory = self.inside.borrow();
        let (floor, head) = memory.recent.ends()?;
        Some((memory.read_at?, floor, head, memory.recent.changes().cloned().collect()))
    }

    /// Notes that a reading ended without a result.
    pub fn end_reading(&self) {
        self.inside.borrow_mut().reading_since = None;
    }

    /// Notes that D1 did not answer. `now` is when this became known; the pause begins then.
    pub fn note_failure(&self, now: Millis) {
        let mut memory = self.inside.borrow_mut();
        memory.failed_at = Some(now);
        memory.stalled_at = None;
        memory.reading_since = None;
    }

    /// Notes that D1 did not answer in time, and that the reading continues in the background.
    pub fn note_stall(&self, now: Millis) {
        let mut memory = self.inside.borrow_mut();
        memory.failed_at = Some(now);
        // A stall that is older than this was lost with its request.
        memory.stalled_at = memory.stalled_at.filter(|at| now - *at < STALL_GIVEN_UP).or(Some(now));
    }

    /// Whether a reading that was too late for its answer continues in the background. Until it
    /// ends, no request waits for another reading of the feed.
    #[must_use]
    pub fn is_stalled(&self, now: Millis) -> bool {
        self.inside.borrow().stalled_at.is_some_and(|at| now - at < STALL_GIVEN_UP)
    }

    /// Makes memory expire. Called when the answer to a write was lost, because the write may have
    /// taken effect.
    pub fn expire(&self, now: Millis, staleness: Staleness) {
        let mut memory = self.inside.borrow_mut();
        memory.read_at = memory.read_at.map(|at| at.min(now - staleness.usable() - Millis(1)));
        memory.expired_at = Some(now);
    }

    /// Whether D1 failed so recently that copies are used without asking it again.
    #[must_use]
    pub fn is_pausing(&self, now: Millis) -> bool {
        self.inside.borrow().failed_at.is_some_and(|at| now - at < PAUSE_AFTER_FAILURE && now >= at)
    }

    /// The apps of a selection, in order of name; `None` if memory does not know.
    #[must_use]
    pub fn candidates(&self, selection: &Selection) -> Option<Vec<Rc<TokenApp>>> {
        let mut memory = self.inside.borrow_mut();
        if memory.has_all_apps {
            return Some(token_app::candidates(memory.apps.values(), selection));
        }
        memory.selections.get(selection).cloned()
    }

    /// Whether a token may have been revoked by this kind of revocation.
    #[must_use]
    pub fn may_have_revoked(&self, kind: RevocationKind) -> bool {
        self.inside.borrow().revocations.may_have(kind)
    }

    /// `None` if memory does not know.
    #[must_use]
    pub fn has_revoked(&self, key: &RevocationKey) -> Option<bool> {
        self.inside.borrow_mut().revocations.find(key)
    }

    /// Whether an enabled app takes its tokens from this URL parameter; `None` if memory does not
    /// know.
    #[must_use]
    pub fn is_token_name(&self, parameter: &str) -> Option<bool> {
        let memory = self.inside.borrow();
        let named = || memory.apps.values().any(|app| app.terms.token_name.as_str() == parameter);
        memory.has_all_apps.then(named)
    }

    /// All enabled apps; empty if memory does not keep all of them.
    #[must_use]
    pub fn apps(&self) -> Vec<Rc<TokenApp>> {
        self.inside.borrow().apps.values().cloned().collect()
    }

    /// `None` if memory does not know.
    #[must_use]
    pub fn has_apps(&self) -> Option<bool> {
        let memory = self.inside.borrow();
        memory.has_all_apps.then(|| !memory.apps.is_empty())
    }

    /// Whether an enabled app has that name; `None` if memory does not know.
    #[must_use]
    pub fn is_app(&self, name: &str) -> Option<bool> {
        let memory = self.inside.borrow();
        memory.has_all_apps.then(|| memory.apps.keys().any(|app| app.as_str() == name))
    }

    /// Finds a user by name. The cached id of the name is checked: a user of that name may have
    /// been deleted, and the id given to another user.
    #[must_use]
    pub fn user_named(&self, username: &Username) -> Option<Rc<User>> {
        let memory = &mut *self.inside.borrow_mut();
        let id = memory.user_ids.get(username)?;
        memory.users.get(id).filter(|user| user.username == *username).cloned()
    }

    #[must_use]
    pub fn user(&self, id: UserId) -> Option<Rc<User>> {
        self.inside.borrow_mut().users.get(&id).cloned()
    }

    /// Finds a session by the hash of its token or cookie. The session may have ended.
    #[must_use]
    pub fn session(&self, hash: &HashedToken) -> Option<Rc<Session>> {
        self.inside.borrow_mut().sessions.get(hash).cloned()
    }

    /// Finds a key by the hash of a secret. The key may have expired. `Some(None)` means that there
    /// is no such key, `None` that memory does not know.
    #[must_use]
    pub fn key(&self, hash: &HashedToken) -> Option<Option<Rc<MachineKey>>> {
        self.inside.borrow_mut().keys.find(hash)
    }

    /// Whether the use of a key on that day still has to be written to D1. If so, it counts as
    /// written.
    pub fn begin_noting_key(&self, hash: &HashedToken, day: Day) -> bool {
        self.inside.borrow_mut().keys.begin_noting(hash, day)
    }

    /// Notes that the write failed, so that the next use is written.
    pub fn fail_noting_key(&self, hash: &HashedToken) {
        self.inside.borrow_mut().keys.fail_noting(hash);
    }

    /// A user's permissions on a service at `now`.
    #[must_use]
    pub fn standing(&self, pair: &Pair, now: Millis) -> Option<Standing> {
        self.inside.borrow_mut().standings.get(pair)?.at(now)
    }

    /// The ids of a user's groups.
    #[must_use]
    pub fn groups(&self, id: UserId) -> Option<Rc<[i64]>> {
        self.inside.borrow_mut().groups.get(&id).cloned()
    }

    /// What is granted to a group on a service at `now`.
    #[must_use]
    pub fn granted_to_group(&self, of: &ServiceGroup, now: Millis) -> Option<Permissions> {
        self.inside.borrow_mut().of_groups.get(of)?.at(now)
    }

    /// `Some(None)` means that there is no such application, `None` that memory does not know.
    #[must_use]
    pub fn application(&self, access_key: &AccessKey) -> Option<Option<Rc<Application>>> {
        self.inside.borrow_mut().applications.get(access_key).cloned()
    }

    /// The application whose access token has that hash. The token may have expired.
    #[must_use]
    pub fn application_of(&self, token: &HashedToken) -> Option<Rc<Application>> {
        let memory = &mut *self.inside.borrow_mut();
        let access_key = memory.access_tokens.get(token)?;
        let application = memory.applications.get(access_key)?.clone()?;
        // A newer access token may have replaced this one.
        application
            .token
            .as_ref()
            .is_some_and(|current| current.hash == *token)
            .then_some(application)
    }

    /// The service id of a name. `Some(None)` means that there is no such name, `None` that memory
    /// does not know.
    #[must_use]
    pub fn named_service(&self, name: &ResourceName) -> Option<Option<i64>> {
        self.inside.borrow_mut().names.service(name)
    }

    #[must_use]
    pub fn actions(&self, of: &ResourceType) -> Option<Actions> {
        self.inside.borrow_mut().names.actions(of)
    }

    /// The last answer of KV, if it is younger than [`SNAPSHOT_KEPT`]. `Some(None)` means that KV
    /// had no snapshot.
    #[must_use]
    pub fn snapshot(&self, now: Millis) -> Option<Option<Rc<Snapshot>>> {
        let memory = self.inside.borrow();
        let (fetched_at, snapshot) = memory.snapshot.as_ref()?;
        (now - *fetched_at < SNAPSHOT_KEPT).then(|| snapshot.clone())
    }

    pub fn keep_snapshot(&self, snapshot: Option<Rc<Snapshot>>, now: Millis) {
        self.inside.borrow_mut().snapshot = Some((now, snapshot));
    }

    /// The user whose password was right less than a minute ago. `digest` is a keyed digest of name
    /// and password.
    #[must_use]
    pub fn remembered_password(&self, digest: &[u8; 32], now: Millis) -> Option<Rc<User>> {
        let memory = &mut *self.inside.borrow_mut();
        let (id, until) = memory.passwords.get(digest).copied()?;
        if until <= now {
            memory.passwords.pop(digest);
            return None;
        }
        memory.users.get(&id).cloned()
    }

    /// Caches that a password was right. Does nothing if memory has moved on from `revision`, at
    /// which the user was read.
    pub fn remember_password(
        &self,
        digest: [u8; 32],
        user: &Rc<User>,
        revision: Option<i64>,
        now: Millis,
    ) {
        let memory = &mut *self.inside.borrow_mut();
        if revision.is_some() && memory.place.map(|place| place.revision) == revision {
            memory.remember_user(user);
            memory.passwords.put(digest, (user.id, now + PASSWORD_REMEMBERED));
        }
    }

    /// Notes that sign-ins of a name from a network are limited until that time. `digest` is a
    /// digest of both.
    pub fn note_limited(&self, digest: [u8; 32], until: Millis) {
        self.inside.borrow_mut().limited.put(digest, until);
    }

    /// Whether these sign-ins are limited now.
    #[must_use]
    pub fn is_limited(&self, digest: &[u8; 32], now: Millis) -> bool {
        self.inside.borrow().limited.peek(digest).is_some_and(|until| now < *until)
    }

    /// Counts one password hash, which costs about 50 ms and 19 MiB.
    pub fn count_hash(&self) {
        self.hashes.set(self.hashes.get().saturating_add(1));
    }

    /// The number of password hashes since the isolate began.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hashes.get()
    }

    /// The number of entries of each cache.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, usize); 10] {
        let memory = self.inside.borrow();
        [
            ("token_app", memory.apps.len()),
            ("user", memory.users.len()),
            ("session", memory.sessions.len()),
            ("key", memory.keys.entries()),
            ("standing", memory.standings.len()),
            ("group", memory.groups.len() + memory.of_groups.len()),
            ("application", memory.applications.len()),
            ("name", memory.names.entries()),
            ("password", memory.passwords.len()),
            ("signed_token", self.signed_tokens.entries()),
        ]
    }

    /// The size, in bytes, of the cache keys that requests choose freely. Each was parsed before,
    /// so their length is bounded; the caches bound their number.
    #[must_use]
    pub fn named_bytes(&self) -> usize {
        let memory = self.inside.borrow();
        let issuer =
            |of: &Selection| of.issuer.as_ref().and_then(Option::as_ref).map_or(0, String::len);
        let names = |of: &Selection| {
            [&of.token_name, &of.app].into_iter().flatten().map(String::len).sum::<usize>()
        };
        let of_selection = |of: &Selection| issuer(of) + names(of);
        let selections: usize =
            memory.selections.iter().map(|(selection, _)| of_selection(selection)).sum();
        let usernames: usize =
            memory.user_ids.iter().map(|(username, _)| username.as_str().len()).sum();
        let applications: usize =
            memory.applications.iter().map(|(access_key, _)| access_key.as_str().len()).sum();
        selections + usernames + applications
    }

    /// When the enabled app of that name was created; `None` if memory has none.
    #[must_use]
    pub fn app_created_at(&self, name: &str) -> Option<Millis> {
        self.inside
            .borrow()
            .apps
            .values()
            .find(|app| app.name.as_str() == name)
            .map(|app| app.created_at)
    }

    /// The revision of the user's last change that memory has seen.
    #[must_use]
    pub fn user_changed_at(&self, id: UserId) -> Option<i64> {
        self.inside.borrow().changed_users.peek(&id).copied()
    }
}
