//! The doors to what an isolate knows.
//!
//! Each door answers from what was read for this request, else from memory; else it reads D1, and
//! falls back on copies while D1 does not answer. Where nobody knows, the door itself says
//! `Unavailable`: `None` means that there is no such thing.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::context::Cx;
use crate::domain::applications::application::{AccessKey, Application};
use crate::domain::identity::machine_key::MachineKey;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId, Username};
use crate::domain::permissions::names::{Actions, ResourceName, ResourceType};
use crate::domain::permissions::permission::{Pair, Permissions, ServiceGroup, Standing};
use crate::domain::secret::HashedToken;
use crate::domain::staleness::RECHECK_PATIENCE;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::{RevocationKey, RevocationKind};
use crate::domain::tokens::token_app::{self, AppName, Selection, TokenApp, TokenName};
use crate::error::{Error, Fault, Result};
use crate::memory::copy;
use crate::memory::counters::Looked;
use crate::memory::in_time;
use crate::memory::isolate::Freshness;
use crate::memory::reading::{Found, Wanted};
use crate::memory::shared::{self, Brought};
use crate::memory::sharing::Works;
use crate::memory::snapshot::Snapshot;
use crate::ports::within;
use crate::store::sql::PATIENCE;
use crate::store::standings::Subject;

/// How long a look at an open stream waits for the reading of another one before it reads itself.
const SHARED_READING: Millis = Millis(1_000);
/// How often it looks whether that reading has come.
const SHARED_READING_POLLED: Millis = Millis(50);
/// The first of these looks, for whoever waits in front of an answer.
const SHORTEST_LOOK: Millis = Millis(5);
/// The longest time within which the isolates of a data centre take turns.
const LONGEST_TURNS: Millis = Millis::from_seconds(10);
/// How long KV is waited for where memory would serve without it.
const COPY_AWAITED: Millis = Millis(100);
/// The same where nothing else serves.
const COPY_AWAITED_ALONE: Millis = Millis(1_000);

/// What one request knows.
pub struct Known<'c> {
    cx: &'c Cx,
    /// What was read for this request. A warm one reads nothing, and carries no empty lists along.
    found: Option<Box<Found>>,
    /// Where D1 does not answer.
    copies: Option<Box<Copies>>,
}

/// A key, and the user for whom it speaks.
pub type KeyAndUser = (Rc<MachineKey>, Option<Rc<User>>);

/// Names that are asked about together, each once.
#[derive(Debug, Default)]
pub struct AskedNames {
    /// Names of users.
    pub users: Vec<Username>,
    /// Ids of users.
    pub user_ids: Vec<UserId>,
    /// Access keys of applications.
    pub applications: Vec<AccessKey>,
    /// Names of resources.
    pub resources: Vec<ResourceName>,
    /// Types whose actions have names.
    pub types: Vec<ResourceType>,
}

/// What they stand for.
#[derive(Debug, Default)]
pub struct KnownNames {
    /// The users who are there.
    pub users: Vec<Rc<User>>,
    /// The applications; `None` where there is none.
    pub applications: Vec<(AccessKey, Option<Rc<Application>>)>,
    /// The services of the resources; `None` where there is none.
    pub services: Vec<(ResourceName, Option<i64>)>,
    /// The names of the actions.
    pub actions: Vec<(ResourceType, Actions)>,
}

impl AskedNames {
    fn is_empty(&self) -> bool {
        let has_users = !self.users.is_empty() || !self.user_ids.is_empty();
        !has_users
            && self.applications.is_empty()
            && self.resources.is_empty()
            && self.types.is_empty()
    }

    fn wanted(&self) -> Vec<Wanted> {
        let users =
            || Wanted::Users(self.users.iter().map(|name| name.as_str().to_owned()).collect());
        let users = (!self.users.is_empty()).then(users);
        let user_ids = (!self.user_ids.is_empty()).then(|| Wanted::UserIds(self.user_ids.clone()));
        let resources = (!self.resources.is_empty()).then(|| Wanted::Names(self.resources.clone()));
        let types = (!self.types.is_empty()).then(|| Wanted::Actions(self.types.clone()));
        let applications =
            self.applications.iter().map(|access_key| Wanted::Application(access_key.clone()));
        [users, user_ids, resources, types].into_iter().flatten().chain(applications).collect()
    }
}

/// What serves while D1 does not answer. At least one of them is younger than `STALE_IF_ERROR_S`.
struct Copies {
    snapshot: Option<Rc<Snapshot>>,
    memory_is_young: bool,
    snapshot_is_newer: bool,
}

impl<'c> Known<'c> {
    /// Memory as it may be relied on now. Where D1 must be read first, what is wanted is read in
    /// the same round trip; where memory is only aging, D1 is read behind the answer.
    pub async fn current(
        cx: &'c Cx,
        wanted: impl FnOnce() -> Vec<Wanted>,
        selection: Option<&Selection>,
    ) -> Result<Self> {
        let selection = selection.filter(|selection| may_take_some(selection));
        if cx.must_read.get() {
            return Self::read(cx, &wanted(), selection).await;
        }
        match cx.memory.freshness(cx.now, cx.config.staleness) {
            Freshness::Fresh => {}
            Freshness::Aging => read_behind(cx),
            Freshness::Expired => return Self::renewed(cx, &wanted(), selection).await,
        }
        Ok(Self::of_memory(cx))
    }

    /// Counts a look, for the isolate and for the request. What was read for this request is a
    /// miss.
    fn looked(&self, of: Looked, is_found: bool) {
        let is_hit = is_found && self.found.is_none();
        self.cx.memory.counters.look(of, is_hit);
        self.cx.noted.looked(is_hit);
    }

    fn of_memory(cx: &'c Cx) -> Self {
        Self { cx, found: None, copies: None }
    }

    /// Makes memory young enough: by what the data centre shares, by another request that reads the
    /// feed already, or by a reading of D1.
    async fn renewed(cx: &'c Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Result<Self> {
        let was_cold = cx.memory.place().is_none();
        match shared::renew(cx, wanted, selection).await {
            Brought::Feed if was_cold => return Self::read(cx, wanted, selection).await,
            Brought::Feed | Brought::Wanted => {
                if cx.memory.freshness(cx.now, cx.config.staleness) == Freshness::Aging {
                    read_behind(cx);
                }
                return Ok(Self::of_memory(cx));
            }
            Brought::Nothing => {}
        }
        if is_renewed_by_another(cx).await {
            return Ok(Self::of_memory(cx));
        }
        if cx.memory.is_stalled(cx.timer.now()) {
            return Self::of_copies(cx).await;
        }
        Self::read(cx, wanted, selection).await
    }

    /// Reads D1 now, whatever memory says; falls back on copies that are young enough.
    pub async fn read(
        cx: &'c Cx,
        wanted: &[Wanted],
        selection: Option<&Selection>,
    ) -> Result<Self> {
        let found = |found| Self { cx, found: Some(Box::new(found)), copies: None };
        // A caller who names a bookmark asks for D1 itself.
        if cx.must_read.get() {
            return in_time::read(cx, wanted, selection).await.map(found);
        }
        if cx.memory.is_pausing(cx.timer.now()) {
            return Self::of_copies(cx).await;
        }
        match in_time::read(cx, wanted, selection).await {
            Err(Error::Unavailable(_)) => Self::of_copies(cx).await,
            other => other.map(found),
        }
    }

    /// What serves while D1 does not answer.
    async fn of_copies(cx: &'c Cx) -> Result<Self> {
        let failed =
            || Error::Unavailable(Fault::new("D1 does not answer, and no copy is young enough"));
        let copies = copies(cx).await.ok_or_else(failed)?;
        cx.memory.counters.copy_used();
        Ok(Self { cx, found: None, copies: Some(Box::new(copies)) })
    }

    /// Makes memory as young as open streams need it. Many are looked at together, so one of them
    /// reads the feed and the others wait for its reading: a request may not wait for a promise of
    /// another, so each has a timer of its own. While D1 fails, memory stays as it is, and serves
    /// as it does for requests. What D1 does not confirm in time ends.
    pub async fn refresh(cx: &'c Cx) -> Result<()> {
        let oldest = cx.config.staleness.of_rechecks();
        let ends_at = cx.timer.now() + RECHECK_PATIENCE;
        while cx.memory.age(cx.now).is_none_or(|age| age > oldest) {
            let now = cx.timer.now();
            if now >= ends_at {
                return Err(unavailable("whether a stream may stay open"));
            }
            // The reading that stalls may still come.
            let is_stalled = cx.memory.is_stalled(now);
            if !is_stalled && cx.memory.is_pausing(now) {
                return Ok(());
            }
            if !is_stalled && cx.memory.begin_reading(now, SHARED_READING) {
                Self::read(cx, &[], None).await?;
                if !cx.memory.is_stalled(cx.timer.now()) {
                    return Ok(());
                }
            } else {
                cx.timer.sleep(SHARED_READING_POLLED).await;
            }
        }
        Ok(())
    }

    /// What `look` finds; where it finds nothing, D1 is read for what is wanted. `what` is for the
    /// log: whatever D1 would have known.
    async fn door<T>(
        &mut self,
        (what, of): (&str, Looked),
        wanted: impl FnOnce() -> Vec<Wanted>,
        look: impl Fn(&Self) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut found = look(self);
        self.looked(of, found.is_some());
        if found.is_none() {
            let wanted = wanted();
            if self.found.is_none() && shared::bring(self.cx, &wanted).await {
                found = look(self);
            }
            if found.is_none() && self.copies.is_none() {
                *self = Self::read(self.cx, &wanted, None).await?;
                found = look(self);
            }
        }
        if found.is_none() && self.copies.is_some() {
            return Err(unavailable(what));
        }
        Ok(found)
    }

    /// A user by name. `ahead` is read with them, where D1 is read.
    pub async fn user_named(
        &mut self,
        username: &Username,
        ahead: impl FnOnce() -> Vec<Wanted>,
    ) -> Result<Option<Rc<User>>> {
        let wanted = || [user(username)].into_iter().chain(ahead()).collect();
        self.door(("a user", Looked::User), wanted, |known| known.look_for_user_named(username))
            .await
    }

    /// The users of these names, as far as there are such. Those whom memory does not know are read
    /// together.
    pub async fn users_named(cx: &'c Cx, names: &[Username]) -> Result<Vec<Rc<User>>> {
        let wanted = |names: Vec<&Username>| {
            vec![Wanted::Users(names.into_iter().map(|name| name.as_str().to_owned()).collect())]
        };
        let known = Known::current(cx, || wanted(names.iter().collect()), None).await?;
        let look = |known: &Self| {
            names.iter().filter_map(|name| known.look_for_user_named(name)).collect::<Vec<_>>()
        };
        let mut found = look(&known);
        let missing: Vec<_> =
            names.iter().filter(|name| !found.iter().any(|user| user.username == **name)).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let known = if known.copies.is_some() {
            known
        } else {
            Known::read(cx, &wanted(missing), None).await?
        };
        found = [found, look(&known)].concat();
        let is_known = names.iter().all(|name| found.iter().any(|user| user.username == *name));
        if known.copies.is_some() && !is_known { Err(unavailable("a user")) } else { Ok(found) }
    }

    /// The session of a token or cookie, whether it has ended or not; its user is known with it.
    /// `ahead` likewise.
    pub async fn session(
        &mut self,
        hash: HashedToken,
        ahead: impl FnOnce() -> Vec<Wanted>,
    ) -> Result<Option<Rc<Session>>> {
        let with_user = |known: &Self| {
            let session = known.look_for_session(&hash)?;
            known.look_for_user(session.user_id).map(|_| session)
        };
        let known = with_user(self);
        self.looked(Looked::Session, known.is_some());
        if known.is_some() {
            return Ok(known);
        }
        if self.copies.is_none() {
            let wanted: Vec<_> = [Wanted::Session(hash)].into_iter().chain(ahead()).collect();
            *self = Self::read(self.cx, &wanted, None).await?;
        }
        match self.look_for_session(&hash) {
            None if self.copies.is_some() => Err(unavailable("a session")),
            found => Ok(found),
        }
    }

    /// The user of a session that was found.
    pub fn user_of(&self, session: &Session) -> Result<Option<Rc<User>>> {
        match self.look_for_user(session.user_id) {
            None if self.copies.is_some() => Err(unavailable("a session's user")),
            found => Ok(found),
        }
    }

    /// The key that has a secret of that hash, whether it is over or not, and the user for whom it
    /// speaks. `ahead` likewise.
    pub async fn key(
        &mut self,
        hash: HashedToken,
        ahead: impl FnOnce() -> Vec<Wanted>,
    ) -> Result<Option<KeyAndUser>> {
        let wanted = || [Wanted::Key(hash)].into_iter().chain(ahead()).collect();
        let found =
            self.door(("a key", Looked::Key), wanted, |known| known.look_for_key(&hash)).await?;
        found.ok_or_else(|| unavailable("a key"))
    }

    /// The apps that a selection takes, in order of name.
    pub async fn candidates(&mut self, selection: &Selection) -> Result<Vec<Rc<TokenApp>>> {
        if !may_take_some(selection) {
            return Ok(Vec::new());
        }
        let known = self.look_for_candidates(selection);
        self.looked(Looked::App, known.is_some());
        if let Some(apps) = known {
            return Ok(apps);
        }
        *self = Self::read(self.cx, &[], Some(selection)).await?;
        self.look_for_candidates(selection).ok_or_else(|| unavailable("a token app"))
    }

    /// Whether anything of the kind may have been revoked. It spares making keys where nothing was.
    #[must_use]
    pub fn may_have_revoked(&self, kind: RevocationKind) -> bool {
        self.copies.is_some() || self.cx.memory.may_have_revoked(kind)
    }

    /// Whether one of these was revoked.
    pub async fn is_revoked(&mut self, keys: &[RevocationKey]) -> Result<bool> {
        let found = self
            .door(
                ("a revocation", Looked::Revocation),
                || vec![Wanted::Revoked(keys.to_vec())],
                |known| known.look_for_revoked(keys),
            )
            .await?;
        found.ok_or_else(|| unavailable("a revocation"))
    }

    /// How each of the pairs stands, in their order.
    pub async fn standings(cx: &Cx, pairs: &[Pair]) -> Result<Vec<Standing>> {
        let mut known = Known::current(cx, || standings_of(pairs.iter()), None).await?;
        let mut found: Vec<_> = pairs.iter().map(|pair| known.look_for_standing(pair)).collect();
        for standing in &found {
            known.looked(Looked::Standing, standing.is_some());
        }
        let missing: Vec<_> = pairs
            .iter()
            .zip(&found)
            .filter(|(_, standing)| standing.is_none())
            .map(|(pair, _)| pair)
            .collect();
        if !missing.is_empty() && known.copies.is_none() {
            known = Known::read(cx, &standings_of(missing.into_iter()), None).await?;
            for (pair, standing) in pairs.iter().zip(&mut found) {
                *standing = known.look_for_standing(pair).or(*standing);
            }
        }
        found
            .into_iter()
            .map(|standing| standing.ok_or_else(|| unavailable("a permission")))
            .collect()
    }

    /// The ids of a user's stored groups.
    pub async fn groups(cx: &'c Cx, id: UserId) -> Result<Rc<[i64]>> {
        let wanted = || vec![Wanted::Groups(Subject::Id(id.0))];
        let mut known = Known::current(cx, wanted, None).await?;
        let found = known
            .door(("a user's groups", Looked::Group), wanted, |known| known.look_for_groups(id))
            .await?;
        found.ok_or_else(|| unavailable("a user's groups"))
    }

    /// What is granted on services to groups, for each of these.
    pub async fn of_groups(cx: &'c Cx, asked: &[ServiceGroup]) -> Result<Vec<Permissions>> {
        let wanted = || {
            let mut services: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
            for ServiceGroup { service_id, group_id } in asked {
                services.entry(*service_id).or_default().push(*group_id);
            }
            services
                .into_iter()
                .map(|(service_id, groups)| Wanted::OfGroups { service_id, groups })
                .collect()
        };
        let mut known = Known::current(cx, wanted, None).await?;
        let look = |known: &Self| {
            asked.iter().map(|of| known.look_for_group(of)).collect::<Option<Vec<_>>>()
        };
        let found = known.door(("a group's grants", Looked::Group), wanted, look).await?;
        found.ok_or_else(|| unavailable("a group's grants"))
    }

    /// What names stand for. Those that memory does not know are read together.
    pub async fn names(cx: &'c Cx, asked: &AskedNames) -> Result<KnownNames> {
        let mut known = Known::current(cx, || asked.wanted(), None).await?;
        let mut found = KnownNames::default();
        let missing = known.look_for_names(asked, &mut found);
        known.looked(Looked::Name, missing.is_empty());
        if missing.is_empty() {
            return Ok(found);
        }
        if known.copies.is_none() {
            known = Known::read(cx, &missing.wanted(), None).await?;
        }
        let missing = known.look_for_names(&missing, &mut found);
        // A user name that D1 does not have is nobody's; of other names it says so itself.
        if known.copies.is_some() && !missing.is_empty() {
            Err(unavailable("a name"))
        } else {
            Ok(found)
        }
    }

    /// Reads the groups of these users ahead, all of them together, so that [`Self::groups`] has
    /// them.
    pub async fn groups_ahead(cx: &'c Cx, ids: &[UserId]) -> Result<()> {
        let wanted = |ids: &mut dyn Iterator<Item = &UserId>| {
            ids.map(|id| Wanted::Groups(Subject::Id(id.0))).collect::<Vec<_>>()
        };
        let known = Known::current(cx, || wanted(&mut ids.iter()), None).await?;
        let missing = wanted(&mut ids.iter().filter(|id| known.look_for_groups(**id).is_none()));
        if !missing.is_empty() && known.copies.is_none() {
            Known::read(cx, &missing, None).await?;
        }
        Ok(())
    }

    /// An application by access key.
    pub async fn application(cx: &Cx, access_key: &AccessKey) -> Result<Option<Rc<Application>>> {
        let wanted = || vec![Wanted::Application(access_key.clone())];
        let mut known = Known::current(cx, wanted, None).await?;
        let found = known
            .door(("an application", Looked::Application), wanted, |known| {
                known.look_for_application(access_key)
            })
            .await?;
        found.ok_or_else(|| unavailable("an application"))
    }

    /// The application whose access token has that hash, whether the token has ended or not.
    pub async fn application_of(cx: &Cx, token: HashedToken) -> Result<Option<Rc<Application>>> {
        let wanted = || vec![Wanted::AccessToken(token)];
        let mut known = Known::current(cx, wanted, None).await?;
        known
            .door(("an access token", Looked::Application), wanted, |known| {
                known.look_for_application_of(&token)
            })
            .await
    }

    /// The user whose password was right less than a minute ago, by a keyed digest of both. Copies
    /// are not relied on for it.
    pub async fn with_password(cx: &Cx, digest: &[u8; 32]) -> Result<Option<Rc<User>>> {
        let known = Known::current(cx, Vec::new, None).await?;
        Ok(if known.copies.is_some() {
            None
        } else {
            cx.memory.remembered_password(digest, cx.now)
        })
    }

    /// A user who was just created.
    pub async fn created(cx: &Cx, username: &Username) -> Result<Rc<User>> {
        let known = Known::read(cx, &[user(username)], None).await?;
        known
            .look_for_user_named(username)
            .ok_or_else(|| Error::internal("a user who was just created is not there"))
    }

    /// A user by name, as D1 has them now.
    pub async fn read_user(cx: &Cx, username: &Username) -> Result<Option<Rc<User>>> {
        let known = Known::read(cx, &[user(username)], None).await?;
        Ok(known.look_for_user_named(username))
    }

    /// Whether the URL parameter carries the tokens of an enabled app; `None` where only D1 could
    /// tell.
    #[must_use]
    pub fn is_token_name(&self, parameter: &str) -> Option<bool> {
        match self.newer_snapshot() {
            Some(snapshot) => {
                Some(snapshot.apps.iter().any(|app| app.terms.token_name.as_str() == parameter))
            }
            None => self.cx.memory.is_token_name(parameter),
        }
    }

    /// Whether an enabled app takes the parameter of the selection, under another algorithm; `None`
    /// where only D1 could tell.
    #[must_use]
    pub fn takes_other_algorithm(&self, selection: &Selection) -> Option<bool> {
        match &selection.token_name {
            Some(name) => self.is_token_name(name),
            None => self
                .newer_snapshot()
                .map(|snapshot| !snapshot.apps.is_empty())
                .or_else(|| self.cx.memory.has_apps()),
        }
    }

    /// Whether an enabled app has that name; `None` where only D1 could tell.
    #[must_use]
    pub fn is_app(&self, name: &str) -> Option<bool> {
        match self.newer_snapshot() {
            Some(snapshot) => Some(snapshot.apps.iter().any(|app| app.name.as_str() == name)),
            None => self.cx.memory.is_app(name),
        }
    }

    /// A list of what was read for this request.
    fn read_of<'s, T>(&'s self, list: impl FnOnce(&'s Found) -> &'s Vec<T>) -> &'s [T] {
        self.found.as_deref().map(list).map(Vec::as_slice).unwrap_or_default()
    }

    fn look_for_user_named(&self, username: &Username) -> Option<Rc<User>> {
        let remembered = || self.cx.memory.user_named(username);
        match &self.copies {
            None => self
                .read_of(|found| &found.users)
                .iter()
                .find(|user| user.username == *username)
                .cloned()
                .or_else(remembered),
            Some(copies) => {
                copies.user(self.cx, remembered(), |snapshot| snapshot.user_id(username))
            }
        }
    }

    /// Adds what is known of these names, and answers those of which nothing is known.
    fn look_for_names(&self, asked: &AskedNames, found: &mut KnownNames) -> AskedNames {
        let mut missing = AskedNames::default();
        for username in &asked.users {
            match self.look_for_user_named(username) {
                Some(user) => found.users.push(user),
                None => missing.users.push(username.clone()),
            }
        }
        for id in &asked.user_ids {
            match self.look_for_user(*id) {
                Some(user) => found.users.push(user),
                None => missing.user_ids.push(*id),
            }
        }
        for access_key in &asked.applications {
            match self.look_for_application(access_key) {
                Some(application) => found.applications.push((access_key.clone(), application)),
                None => missing.applications.push(access_key.clone()),
            }
        }
        for name in &asked.resources {
            match self.look_for_service(name) {
                Some(service_id) => found.services.push((name.clone(), service_id)),
                None => missing.resources.push(name.clone()),
            }
        }
        for of in &asked.types {
            match self.look_for_actions(of) {
                Some(actions) => found.actions.push((of.clone(), actions)),
                None => missing.types.push(of.clone()),
            }
        }
        missing
    }

    /// `Some(None)`: nothing has that name.
    #[expect(clippy::option_option, reason = "not knowing and knowing of none are different")]
    fn look_for_service(&self, name: &ResourceName) -> Option<Option<i64>> {
        let read = || {
            self.read_of(|found| &found.names)
                .iter()
                .find(|(of, _)| of == name)
                .map(|(_, service_id)| *service_id)
        };
        self.memory_serves()
            .then(|| read().or_else(|| self.cx.memory.named_service(name)))
            .flatten()
    }

    fn look_for_actions(&self, of: &ResourceType) -> Option<Actions> {
        let read = || {
            self.read_of(|found| &found.actions)
                .iter()
                .find(|(own, _)| own == of)
                .map(|(_, actions)| actions.clone())
        };
        self.memory_serves().then(|| read().or_else(|| self.cx.memory.actions(of))).flatten()
    }

    fn look_for_user(&self, id: UserId) -> Option<Rc<User>> {
        let remembered = || self.cx.memory.user(id);
        match &self.copies {
            None => self
                .read_of(|found| &found.users)
                .iter()
                .find(|user| user.id == id)
                .cloned()
                .or_else(remembered),
            Some(copies) => copies.user(self.cx, remembered(), |_| Some(id)),
        }
    }

    /// Of what follows, memory knows; snapshots do not.
    fn memory_serves(&self) -> bool {
        self.copies.as_ref().is_none_or(|copies| copies.memory_is_young)
    }

    fn look_for_session(&self, hash: &HashedToken) -> Option<Rc<Session>> {
        let found = || {
            self.found
                .as_ref()
                .and_then(|found| found.session.clone())
                .or_else(|| self.cx.memory.session(hash))
        };
        self.memory_serves().then(found).flatten()
    }

    /// `Some(None)`: there is no such key.
    #[expect(clippy::option_option, reason = "not knowing and knowing of none are different")]
    fn look_for_key(&self, hash: &HashedToken) -> Option<Option<KeyAndUser>> {
        let read = || self.read_of(|found| &found.keys).iter().find(|(of, _)| of == hash);
        let read = || read().map(|(_, found)| found.as_ref().map(|found| Rc::clone(&found.key)));
        let key =
            self.memory_serves().then(|| read().or_else(|| self.cx.memory.key(hash))).flatten()?;
        let Some(key) = key else { return Some(None) };
        match key.user_id {
            None => Some(Some((key, None))),
            Some(id) => self.look_for_user(id).map(|user| Some((key, Some(user)))),
        }
    }

    fn look_for_standing(&self, pair: &Pair) -> Option<Standing> {
        let now = self.cx.now;
        let read = || {
            self.read_of(|found| &found.standings)
                .iter()
                .find(|(of, _)| of == pair)
                .and_then(|(_, standing)| standing.at(now))
        };
        self.memory_serves()
            .then(|| read().or_else(|| self.cx.memory.standing(pair, now)))
            .flatten()
    }

    fn look_for_groups(&self, id: UserId) -> Option<Rc<[i64]>> {
        let read = || {
            self.read_of(|found| &found.groups)
                .iter()
                .find(|(of, _)| *of == id)
                .map(|(_, groups)| Rc::clone(groups))
        };
        self.memory_serves().then(|| read().or_else(|| self.cx.memory.groups(id))).flatten()
    }

    fn look_for_group(&self, of: &ServiceGroup) -> Option<Permissions> {
        let now = self.cx.now;
        let read = || {
            self.read_of(|found| &found.of_groups)
                .iter()
                .find(|(group, _)| group == of)
                .and_then(|(_, permissions)| permissions.at(now))
        };
        self.memory_serves()
            .then(|| read().or_else(|| self.cx.memory.granted_to_group(of, now)))
            .flatten()
    }

    /// `Some(None)`: there is no such application.
    #[expect(clippy::option_option, reason = "not knowing and knowing of none are different")]
    fn look_for_application(&self, access_key: &AccessKey) -> Option<Option<Rc<Application>>> {
        let read = || {
            self.read_of(|found| &found.applications)
                .iter()
                .find(|(of, _)| of == access_key)
                .map(|(_, application)| application.clone())
        };
        self.memory_serves()
            .then(|| read().or_else(|| self.cx.memory.application(access_key)))
            .flatten()
    }

    fn look_for_application_of(&self, token: &HashedToken) -> Option<Rc<Application>> {
        let has_token = |application: &&Rc<Application>| {
            application.token.as_ref().is_some_and(|of| of.hash == *token)
        };
        let read = || {
            self.read_of(|found| &found.applications)
                .iter()
                .filter_map(|(_, application)| application.as_ref())
                .find(has_token)
                .cloned()
        };
        self.memory_serves()
            .then(|| read().or_else(|| self.cx.memory.application_of(token)))
            .flatten()
    }

    fn look_for_revoked(&self, keys: &[RevocationKey]) -> Option<bool> {
        let found = |key: &RevocationKey| {
            self.read_of(|found| &found.revoked)
                .iter()
                .find(|(of, _)| of == key)
                .map(|(_, is_revoked)| *is_revoked)
        };
        let remembered =
            |key: &RevocationKey| found(key).or_else(|| self.cx.memory.has_revoked(key));
        let Some(copies) = &self.copies else { return any(keys, remembered) };
        let in_snapshot = copies
            .snapshot
            .as_ref()
            .and_then(|snapshot| any(keys, |key| snapshot.has_revoked(key)));
        match any(keys, remembered) {
            // No revocation is ever taken back, so that the older copy is right too.
            Some(true) => Some(true),
            Some(false) if copies.memory_is_young => Some(in_snapshot.unwrap_or(false)),
            _ => in_snapshot,
        }
    }

    fn look_for_candidates(&self, selection: &Selection) -> Option<Vec<Rc<TokenApp>>> {
        match self.newer_snapshot() {
            Some(snapshot) => Some(token_app::candidates(snapshot.apps.iter(), selection)),
            None => self
                .found
                .as_ref()
                .and_then(|found| found.selected.clone())
                .or_else(|| self.cx.memory.candidates(selection)),
        }
    }

    /// The snapshot, where D1 does not answer and memory is older.
    fn newer_snapshot(&self) -> Option<&Snapshot> {
        self.copies
            .as_ref()
            .filter(|copies| copies.snapshot_is_newer)
            .and_then(|copies| copies.snapshot.as_deref())
    }
}

impl Copies {
    /// The newer copy first. A user known to have changed since the snapshot is not read from it,
    /// and whoever a newer one knows to be gone or renamed is not taken from memory.
    fn user(
        &self,
        cx: &Cx,
        remembered: Option<Rc<User>>,
        id: impl Fn(&Snapshot) -> Option<UserId>,
    ) -> Option<Rc<User>> {
        let remembered = remembered.filter(|_| self.memory_is_young);
        let in_snapshot = self.snapshot.as_ref().and_then(|snapshot| snapshot.user(id(snapshot)?));
        let is_gone = |user: &User| {
            self.snapshot.as_ref().is_some_and(|snapshot| snapshot.knows_otherwise(user))
        };
        let stands = |user: &&Rc<User>| {
            let revision = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision);
            cx.memory.user_changed_at(user.id).is_none_or(|changed_at| changed_at <= revision)
        };
        let copied = in_snapshot.filter(stands).cloned();
        if self.snapshot_is_newer {
            copied.or_else(|| {
                remembered.filter(|user| !is_gone(user) && self.is_of_same_app(cx, user))
            })
        } else {
            remembered.or_else(|| copied.filter(|user| self.is_of_same_app(cx, user)))
        }
    }

    /// Whether a user of the older copy may be judged with the apps of the newer one: the users of
    /// a deleted app belong to no app, also where there is another one of its name.
    fn is_of_same_app(&self, cx: &Cx, user: &User) -> bool {
        let Some(name) = user.profile.token_app.as_deref() else { return true };
        let in_snapshot = self.snapshot.as_ref().and_then(|snapshot| snapshot.app_created_at(name));
        in_snapshot.is_some() && in_snapshot == cx.memory.app_created_at(name)
    }
}

/// Whether one of the keys was revoked, by what is known of each.
fn any(
    keys: &[RevocationKey],
    is_revoked: impl Fn(&RevocationKey) -> Option<bool>,
) -> Option<bool> {
    let answers: Vec<_> = keys.iter().map(is_revoked).collect();
    if answers.contains(&Some(true)) {
        Some(true)
    } else {
        answers.into_iter().all(|answer| answer.is_some()).then_some(false)
    }
}

/// Memory and the snapshot, while one of them is young enough.
async fn copies(cx: &Cx) -> Option<Copies> {
    let age = cx.memory.age(cx.now);
    let memory_is_young =
        age.is_some_and(|age| age <= Millis::from_seconds(cx.config.stale_if_error_s));
    let patience = if memory_is_young { COPY_AWAITED } else { COPY_AWAITED_ALONE };
    let snapshot = within(&*cx.timer, patience, Box::pin(copy::fetch(cx))).await.flatten();
    let newer = |snapshot: &Rc<Snapshot>| age.is_none_or(|age| snapshot.taken_at > cx.now - age);
    let snapshot_is_newer = snapshot.as_ref().is_some_and(newer);
    let serves = memory_is_young || snapshot.is_some();
    let now = cx.timer.now();
    let ages = [
        cx.memory.age(now).filter(|_| memory_is_young),
        snapshot.as_ref().map(|snapshot| now - snapshot.taken_at),
    ];
    // An answer may rely on either, as where a session is in memory and its user in the snapshot.
    cx.stale_by.set(ages.into_iter().flatten().max());
    serves.then_some(Copies { snapshot, memory_is_young, snapshot_is_newer })
}

/// Reads the feed behind the answer, unless another request does.
fn read_behind(cx: &Cx) {
    if cx.memory.begin_reading(cx.now, PATIENCE + turns(cx)) {
        let behind = cx.clone();
        cx.tasks.spawn(Box::pin(async move {
            if is_fresh_by_sharing(&behind).await {
                return;
            }
            let waits_for_turn = wait_for_turn(&behind).await;
            // What others have read meanwhile is of a later time than the request.
            let behind = Cx { now: behind.timer.now(), ..behind };
            // A failure is noted in memory, which then ages on: the next request reads first.
            if !waits_for_turn || !is_fresh_by_sharing(&behind).await {
                let _ = in_time::read(&behind, &[], None).await;
            }
        }));
    }
}

/// Within what time they take turns. It ends before memory expires, since whoever then comes waits
/// for the reading that is under way.
fn turns(cx: &Cx) -> Millis {
    let staleness = cx.config.staleness;
    let left = staleness.usable() - cx.memory.age(cx.now).unwrap_or(staleness.usable());
    Millis(staleness.fresh().0 / 2).min(LONGEST_TURNS).min(left).max(Millis(0))
}

/// Isolates that have learned of the same reading age at the same moment. Each waits for a time of
/// its own, so that one of them asks D1 and the others find what that one has read. Answers whether
/// this one has waited.
async fn wait_for_turn(cx: &Cx) -> bool {
    if shared::works(cx) != Works::Yes {
        return false;
    }
    let Ok([random]) = cx.random() else { return false };
    cx.timer.sleep(Millis(i64::from(random) * turns(cx).0 / 256)).await;
    true
}

/// Whether what the data centre shares makes memory so young that D1 need not be asked.
async fn is_fresh_by_sharing(cx: &Cx) -> bool {
    shared::renew(cx, &[], None).await;
    cx.memory.freshness(cx.now, cx.config.staleness) == Freshness::Fresh
}

/// Waits while another request of this isolate reads the feed. So of many requests that find memory
/// expired at once, one asks D1. In a cold isolate nobody waits, since the feed is not all that it
/// lacks.
async fn is_renewed_by_another(cx: &Cx) -> bool {
    let mut pause = SHORTEST_LOOK;
    let ends_at = cx.timer.now() + PATIENCE;
    loop {
        let now = cx.timer.now();
        if cx.memory.freshness(cx.now, cx.config.staleness) != Freshness::Expired {
            return true;
        }
        let is_read =
            cx.memory.place().is_some() && !cx.memory.is_pausing(now) && !cx.memory.is_stalled(now);
        if !is_read || now >= ends_at || cx.memory.begin_reading(now, PATIENCE) {
            return false;
        }
        cx.timer.sleep(pause).await;
        pause = Millis(pause.0 * 2).min(SHARED_READING_POLLED);
    }
}

/// Whether an app may have the names of the selection. Others are not asked about, and above all
/// not remembered: a request may name anything.
fn may_take_some(selection: &Selection) -> bool {
    let is_parameter =
        selection.token_name.as_deref().is_none_or(|name| TokenName::parse(name).is_ok());
    is_parameter && selection.app.as_deref().is_none_or(|name| AppName::parse(name).is_ok())
}

fn user(username: &Username) -> Wanted {
    Wanted::Users(vec![username.as_str().to_owned()])
}

/// What to read for these pairs, each once.
fn standings_of<'a>(pairs: impl Iterator<Item = &'a Pair>) -> Vec<Wanted> {
    let mut seen = HashSet::new();
    let once = pairs.filter(|pair| seen.insert(**pair));
    once.map(|pair| Wanted::Standing {
        subject: Subject::Id(pair.user_id),
        service_id: pair.service_id,
    })
    .collect()
}

fn unavailable(what: &str) -> Error {
    Error::Unavailable(Fault::new(format!("{what} is not remembered while D1 does not answer")))
}
