//! How actions read what an isolate has cached. Each method of [`Known`] that returns one kind of
//! thing is called a door.
//!
//! A door looks first at what was read for this request, then in memory. If it finds nothing there,
//! it reads D1. While D1 does not answer, it uses copies. If no source knows the answer, the door
//! fails with `Unavailable`. So `None` always means that there is no such thing.

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

/// Many open streams are checked at the same time. A check waits this long for another check's
/// reading before it reads D1 itself.
const SHARED_READING: Millis = Millis(1_000);
/// The longest pause between two looks for another request's reading.
const SHARED_READING_POLLED: Millis = Millis(50);
/// The first pause between two looks. Requests wait for it before they answer, so it is short.
const SHORTEST_LOOK: Millis = Millis(5);
/// The longest time over which the isolates of a data centre spread their readings.
const LONGEST_TURNS: Millis = Millis::from_seconds(10);
/// How long KV is waited for, if memory can answer without it.
const COPY_AWAITED: Millis = Millis(100);
/// How long KV is waited for, if memory cannot answer without it.
const COPY_AWAITED_ALONE: Millis = Millis(1_000);

/// What is known to one request.
pub struct Known<'c> {
    cx: &'c Cx,
    /// What was read from D1 for this request. It is boxed, because a warm request reads nothing.
    found: Option<Box<Found>>,
    /// Set while D1 does not answer.
    copies: Option<Box<Copies>>,
}

/// A key, and the user for whom it speaks.
pub type KeyAndUser = (Rc<MachineKey>, Option<Rc<User>>);

/// Names that are looked up together. Each appears once.
#[derive(Debug, Default)]
pub struct AskedNames {
    pub users: Vec<Username>,
    pub user_ids: Vec<UserId>,
    /// Access keys of applications.
    pub applications: Vec<AccessKey>,
    pub resources: Vec<ResourceName>,
    /// Types of which the action names are wanted.
    pub types: Vec<ResourceType>,
}

/// The results for [`AskedNames`].
#[derive(Debug, Default)]
pub struct KnownNames {
    pub users: Vec<Rc<User>>,
    /// `None` means that there is no such application.
    pub applications: Vec<(AccessKey, Option<Rc<Application>>)>,
    /// The service ids of the resources. `None` means that there is no such resource name.
    pub services: Vec<(ResourceName, Option<i64>)>,
    /// The action names of each type.
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

/// What is used while D1 does not answer. At least one of the two is younger than
/// `STALE_IF_ERROR_S`.
struct Copies {
    snapshot: Option<Rc<Snapshot>>,
    memory_is_young: bool,
    snapshot_is_newer: bool,
}

impl<'c> Known<'c> {
    /// Makes memory young enough for this request. If D1 must be read first, `wanted` is read in
    /// the same round trip. If memory is only aging, D1 is read in the background.
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

    /// Counts a lookup, for the isolate and for the request. Something that was read from D1 for
    /// this request is a miss.
    fn looked(&self, of: Looked, is_found: bool) {
        let is_hit = is_found && self.found.is_none();
        self.cx.memory.counters.look(of, is_hit);
        self.cx.noted.looked(is_hit);
    }

    fn of_memory(cx: &'c Cx) -> Self {
        Self { cx, found: None, copies: None }
    }

    /// Makes expired memory young enough: by what the data centre shares, or by another request
    /// that is reading the feed, or by reading D1.
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

    /// Reads D1 now, however young memory is. Uses copies if D1 does not answer.
    pub async fn read(
        cx: &'c Cx,
        wanted: &[Wanted],
        selection: Option<&Selection>,
    ) -> Result<Self> {
        let found = |found| Self { cx, found: Some(Box::new(found)), copies: None };
        // A request with a bookmark needs D1 itself, so no copy is used.
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

    /// Uses copies. Fails with `Unavailable` if none is young enough.
    async fn of_copies(cx: &'c Cx) -> Result<Self> {
        let failed =
            || Error::Unavailable(Fault::new("D1 does not answer, and no copy is young enough"));
        let copies = copies(cx).await.ok_or_else(failed)?;
        cx.memory.counters.copy_used();
        Ok(Self { cx, found: None, copies: Some(Box::new(copies)) })
    }

    /// Makes memory young enough for checks of open streams. Many streams are checked at the same
    /// time, so one check reads the feed and the others wait for it. A request must not wait for a
    /// promise of another request, so each polls by its own timer.
    ///
    /// While D1 fails, memory stays as it is, and is used as for requests. A stream that D1 does
    /// not confirm in time ends.
    pub async fn refresh(cx: &'c Cx) -> Result<()> {
        let oldest = cx.config.staleness.of_rechecks();
        let ends_at = cx.timer.now() + RECHECK_PATIENCE;
        while cx.memory.age(cx.now).is_none_or(|age| age > oldest) {
            let now = cx.timer.now();
            if now >= ends_at {
                return Err(unavailable("whether a stream may stay open"));
            }
            // The reading that stalls may still bring an answer.
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

    /// Looks with `look`. If it finds nothing, reads what is wanted from the data centre or from
    /// D1, and looks again. `what` names the thing in the log.
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

    /// Finds a user by name. If D1 is read, `ahead` is read in the same round trip.
    pub async fn user_named(
        &mut self,
        username: &Username,
        ahead: impl FnOnce() -> Vec<Wanted>,
    ) -> Result<Option<Rc<User>>> {
        let wanted = || [user(username)].into_iter().chain(ahead()).collect();
        self.door(("a user", Looked::User), wanted, |known| known.look_for_user_named(username))
            .await
    }

    /// Finds the users of these names; names without a user are left out. All users that memory
    /// does not know are read together.
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

    /// Finds a session by its token or cookie. The session may have ended. Its user is then known,
    /// too. If D1 is read, `ahead` is read in the same round trip.
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

    /// The user of a session that [`Self::session`] found.
    pub fn user_of(&self, session: &Session) -> Result<Option<Rc<User>>> {
        match self.look_for_user(session.user_id) {
            None if self.copies.is_some() => Err(unavailable("a session's user")),
            found => Ok(found),
        }
    }

    /// Finds a key by the hash of a secret, and the user for whom it speaks. The key may have
    /// expired. If D1 is read, `ahead` is read in the same round trip.
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

    /// The apps of a selection, in order of name.
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

    /// Whether any token may have been revoked by this kind of revocation. If not, the caller need
    /// not compute digests.
    #[must_use]
    pub fn may_have_revoked(&self, kind: RevocationKind) -> bool {
        self.copies.is_some() || self.cx.memory.may_have_revoked(kind)
    }

    /// Whether one of the keys is revoked.
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

    /// The permissions of each pair of service and user, in the order of the pairs.
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

    /// What is granted to each of these groups on its service, in the order of `asked`.
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

    /// Looks up names. Those that memory does not know are read together.
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
        // After a reading of D1, only user names can be missing: there is no such user. Of other
        // names, the reading also brings that they do not exist.
        if known.copies.is_some() && !missing.is_empty() {
            Err(unavailable("a name"))
        } else {
            Ok(found)
        }
    }

    /// Reads the groups of these users together, so that [`Self::groups`] finds them in memory.
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

    /// The application whose access token has that hash. The token may have expired.
    pub async fn application_of(cx: &Cx, token: HashedToken) -> Result<Option<Rc<Application>>> {
        let wanted = || vec![Wanted::AccessToken(token)];
        let mut known = Known::current(cx, wanted, None).await?;
        known
            .door(("an access token", Looked::Application), wanted, |known| {
                known.look_for_application_of(&token)
            })
            .await
    }

    /// The user whose password was right less than a minute ago. `digest` is a keyed digest of name
    /// and password. Copies are not used for this.
    pub async fn with_password(cx: &Cx, digest: &[u8; 32]) -> Result<Option<Rc<User>>> {
        let known = Known::current(cx, Vec::new, None).await?;
        Ok(if known.copies.is_some() {
            None
        } else {
            cx.memory.remembered_password(digest, cx.now)
        })
    }

    /// A user who was just created. Fails if D1 does not have them.
    pub async fn created(cx: &Cx, username: &Username) -> Result<Rc<User>> {
        let known = Known::read(cx, &[user(username)], None).await?;
        known
            .look_for_user_named(username)
            .ok_or_else(|| Error::internal("a user who was just created is not there"))
    }

    /// A user by name, read from D1 now.
    pub async fn read_user(cx: &Cx, username: &Username) -> Result<Option<Rc<User>>> {
        let known = Known::read(cx, &[user(username)], None).await?;
        Ok(known.look_for_user_named(username))
    }

    /// Whether an enabled app takes its tokens from this URL parameter; `None` if only D1 could
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

    /// Whether an enabled app takes its tokens from the selection's parameter, with another
    /// algorithm; `None` if only D1 could tell.
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

    /// Whether an enabled app has that name; `None` if only D1 could tell.
    #[must_use]
    pub fn is_app(&self, name: &str) -> Option<bool> {
        match self.newer_snapshot() {
            Some(snapshot) => Some(snapshot.apps.iter().any(|app| app.name.as_str() == name)),
            None => self.cx.memory.is_app(name),
        }
    }

    /// A list of what was read for this request; empty if nothing was read.
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

    /// Adds what is known of these names to `found`, and returns the names of which nothing is
    /// known.
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

    /// `Some(None)` means that nothing has that name.
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

    /// Whether memory can be used for things that snapshots do not have.
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

    /// `Some(None)` means that there is no such key.
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

    /// `Some(None)` means that there is no such application.
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
            // A revocation is never taken back. So a copy that has one is right, however old it is.
            Some(true) => Some(true),
            Some(false) if copies.memory_is_young => Some(in_snapshot.unwrap_or(false)),
            _ => in_snapshot,
        }
    }

    fn look_for_candidates(&self, selection: &Selection) -> Option<Vec<Rc<TokenApp>>> {
        if let Some(snapshot) = self.newer_snapshot() {
            return Some(token_app::candidates(snapshot.apps.iter(), selection));
        }
        let read = self.found.as_ref().and_then(|found| found.selected.as_ref());
        read.filter(|(of, _)| of == selection)
            .map(|(_, apps)| apps.clone())
            .or_else(|| self.cx.memory.candidates(selection))
    }

    /// The snapshot, if D1 does not answer and memory is older than the snapshot.
    fn newer_snapshot(&self) -> Option<&Snapshot> {
        self.copies
            .as_ref()
            .filter(|copies| copies.snapshot_is_newer)
            .and_then(|copies| copies.snapshot.as_deref())
    }
}

impl Copies {
    /// Looks in the newer copy first. A user who changed after the snapshot is not read from the
    /// snapshot. A user whom a newer snapshot does not have, or has by another name, is not read
    /// from memory.
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

    /// Whether a user of the older copy and the apps of the newer copy belong together. When an app
    /// is deleted, its users belong to no app, also if a new app has the same name.
    fn is_of_same_app(&self, cx: &Cx, user: &User) -> bool {
        let Some(name) = user.profile.token_app.as_deref() else { return true };
        let in_snapshot = self.snapshot.as_ref().and_then(|snapshot| snapshot.app_created_at(name));
        in_snapshot.is_some() && in_snapshot == cx.memory.app_created_at(name)
    }
}

/// Whether any of the keys is revoked: `None` if none is known to be, and some are unknown.
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

/// Memory and the snapshot, if one of them is young enough.
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
    // One answer may use both. For example, the session is in memory and its user in the snapshot.
    // So the older of the two ages is reported.
    cx.stale_by.set(ages.into_iter().flatten().max());
    serves.then_some(Copies { snapshot, memory_is_young, snapshot_is_newer })
}

/// Reads the feed in the background, unless another request does.
fn read_behind(cx: &Cx) {
    if cx.memory.begin_reading(cx.now, PATIENCE + turns(cx)) {
        let behind = cx.clone();
        cx.tasks.spawn(Box::pin(async move {
            if is_fresh_by_sharing(&behind).await {
                return;
            }
            let waits_for_turn = wait_for_turn(&behind).await;
            // What other isolates have read meanwhile is later than the request's time, so the
            // current time is used.
            let behind = Cx { now: behind.timer.now(), ..behind };
            // A failure is noted in memory. Memory then ages further, and the next request reads
            // before its answer.
            if !waits_for_turn || !is_fresh_by_sharing(&behind).await {
                let _ = in_time::read(&behind, &[], None).await;
            }
        }));
    }
}

/// The time over which isolates spread their readings. It ends before memory expires, because
/// requests that come later wait for the reading that is under way.
fn turns(cx: &Cx) -> Millis {
    let staleness = cx.config.staleness;
    let left = staleness.usable() - cx.memory.age(cx.now).unwrap_or(staleness.usable());
    Millis(staleness.fresh().0 / 2).min(LONGEST_TURNS).min(left).max(Millis(0))
}

/// Isolates that share one reading become old at the same moment. So each waits for a random time:
/// one of them asks D1, and the others find what it has read. Returns whether this isolate has
/// waited.
async fn wait_for_turn(cx: &Cx) -> bool {
    if shared::works(cx) != Works::Yes {
        return false;
    }
    let Ok([random]) = cx.random() else { return false };
    cx.timer.sleep(Millis(i64::from(random) * turns(cx).0 / 256)).await;
    true
}

/// Takes in what the data centre shares. Returns whether memory is then fresh, so that D1 need not
/// be asked.
async fn is_fresh_by_sharing(cx: &Cx) -> bool {
    shared::renew(cx, &[], None).await;
    cx.memory.freshness(cx.now, cx.config.staleness) == Freshness::Fresh
}

/// Waits while another request of this isolate reads the feed. So when many requests find memory
/// expired at the same time, one asks D1. In a cold isolate nobody waits, because it lacks more
/// than the feed.
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

/// Whether an app could have the names of the selection. A request may send any text, so other
/// names are not asked about and not cached.
fn may_take_some(selection: &Selection) -> bool {
    let is_parameter =
        selection.token_name.as_deref().is_none_or(|name| TokenName::parse(name).is_ok());
    is_parameter && selection.app.as_deref().is_none_or(|name| AppName::parse(name).is_ok())
}

fn user(username: &Username) -> Wanted {
    Wanted::Users(vec![username.as_str().to_owned()])
}

/// What to read for these pairs. Duplicate pairs are read once.
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
    Error::Unavailable(Fault::new(format!("{what} is not cached, and D1 does not answer")))
}
