//! What a request knows of the database: as it was loaded, else as the isolate remembers it; from copies while D1 does not answer.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::applications::application::Application;
use crate::domain::feed::Pair;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId, Username};
use crate::domain::permissions::permission::Standing;
use crate::domain::secret::HashedToken;
use crate::domain::tokens::token_app::{self, Selection, TokenApp};
use crate::memory::snapshot::Snapshot;

/// What was loaded, from D1 or, while D1 does not answer, from the snapshot.
#[derive(Debug, Default)]
pub struct Loaded {
    pub(super) users: Vec<Rc<User>>,
    pub(super) session: Option<Rc<Session>>,
    pub(super) selected: Option<Vec<Rc<TokenApp>>>,
    pub(super) standings: Vec<(Pair, Standing)>,
    pub(super) applications: Vec<(String, Option<Rc<Application>>)>,
    pub(super) copies: Option<Copies>,
}

/// What serves while D1 does not answer. At least one of them is younger than `STALE_IF_ERROR_S`.
#[derive(Debug)]
pub(super) struct Copies {
    pub(super) snapshot: Option<Rc<Snapshot>>,
    pub(super) memory_is_young: bool,
    pub(super) snapshot_is_newer: bool,
}

impl Loaded {
    /// A user by name: as loaded, else as remembered; from the copies while D1 does not answer.
    #[must_use]
    pub fn user_named(&self, cx: &Cx, username: &Username) -> Option<Rc<User>> {
        let loaded = || self.users.iter().find(|user| user.username == *username).cloned();
        match &self.copies {
            None => loaded().or_else(|| cx.trust.user_named(username)),
            Some(copies) => copies.user(cx, cx.trust.user_named(username), |snapshot| snapshot.user_id(username)),
        }
    }

    /// A user by id, likewise.
    #[must_use]
    pub fn user(&self, cx: &Cx, id: UserId) -> Option<Rc<User>> {
        let loaded = || self.users.iter().find(|user| user.id == id).cloned();
        match &self.copies {
            None => loaded().or_else(|| cx.trust.user(id)),
            Some(copies) => copies.user(cx, cx.trust.user(id), |_| Some(id)),
        }
    }

    /// The session that was wanted, or that is remembered. Snapshots have none.
    #[must_use]
    pub fn session(&self, cx: &Cx, hash: &HashedToken) -> Option<Rc<Session>> {
        match &self.copies {
            Some(copies) if !copies.memory_is_young => None,
            _ => self.session.clone().or_else(|| cx.trust.session(hash)),
        }
    }

    /// How somebody stands with a service: as loaded, else as remembered. Snapshots do not know.
    #[must_use]
    pub fn standing(&self, cx: &Cx, pair: &Pair) -> Option<Standing> {
        match &self.copies {
            Some(copies) if !copies.memory_is_young => None,
            _ => {
                let loaded = self.standings.iter().find(|(of, _)| of == pair).map(|(_, standing)| *standing);
                loaded.or_else(|| cx.trust.standing(pair))
            }
        }
    }

    /// An application by access key: as loaded, else as remembered; `Some(None)` where there is none. Snapshots do not know.
    #[must_use]
    pub fn application(&self, cx: &Cx, access_key: &str) -> Option<Option<Rc<Application>>> {
        if self.copies.as_ref().is_some_and(|copies| !copies.memory_is_young) {
            return None;
        }
        let loaded = self.applications.iter().find(|(of, _)| of == access_key).map(|(_, application)| application.clone());
        loaded.or_else(|| cx.trust.application(access_key))
    }

    /// The application whose access token has that hash, likewise.
    #[must_use]
    pub fn application_of(&self, cx: &Cx, token: &HashedToken) -> Option<Rc<Application>> {
        if self.copies.as_ref().is_some_and(|copies| !copies.memory_is_young) {
            return None;
        }
        let has_token = |application: &&Rc<Application>| application.token.as_ref().is_some_and(|of| of.hash == *token);
        let loaded = self.applications.iter().filter_map(|(_, application)| application.as_ref()).find(has_token);
        loaded.cloned().or_else(|| cx.trust.application_of(token))
    }

    /// The apps that a selection takes, in order of name; `None` where that is not known yet.
    #[must_use]
    pub fn candidates(&self, cx: &Cx, selection: &Selection) -> Option<Vec<Rc<TokenApp>>> {
        match self.apps() {
            Apps::Of(snapshot) => Some(token_app::candidates(snapshot.apps.iter(), selection)),
            Apps::OfMemory => self.selected.clone().or_else(|| cx.trust.candidates(selection)),
        }
    }

    /// Whether the URL parameter carries the tokens of an enabled app; `None` where that is not known.
    #[must_use]
    pub fn is_token_name(&self, cx: &Cx, parameter: &str) -> Option<bool> {
        match self.apps() {
            Apps::Of(snapshot) => Some(snapshot.apps.iter().any(|app| app.terms.token_name.as_str() == parameter)),
            Apps::OfMemory => cx.trust.is_token_name(parameter),
        }
    }

    /// Whether an enabled app has that name; `None` where that is not known.
    #[must_use]
    pub fn is_app(&self, cx: &Cx, name: &str) -> Option<bool> {
        match self.apps() {
            Apps::Of(snapshot) => Some(snapshot.apps.iter().any(|app| app.name.as_str() == name)),
            Apps::OfMemory => cx.trust.is_app(name),
        }
    }

    /// Whether all of this comes from copies, because D1 does not answer.
    #[must_use]
    pub fn is_from_copies(&self) -> bool {
        self.copies.is_some()
    }

    fn apps(&self) -> Apps<'_> {
        match &self.copies {
            Some(Copies { snapshot: Some(snapshot), snapshot_is_newer: true, .. }) => Apps::Of(snapshot),
            _ => Apps::OfMemory,
        }
    }
}

enum Apps<'a> {
    OfMemory,
    Of(&'a Snapshot),
}

impl Copies {
    /// The newer copy first. The snapshot's is refused where memory knows that the user changed since.
    fn user(&self, cx: &Cx, remembered: Option<Rc<User>>, id: impl Fn(&Snapshot) -> Option<UserId>) -> Option<Rc<User>> {
        let remembered = remembered.filter(|_| self.memory_is_young);
        let copied = self.snapshot.as_ref().and_then(|snapshot| {
            let user = snapshot.user(id(snapshot)?)?;
            let stands = cx.trust.user_changed_at(user.id).is_none_or(|revision| revision <= snapshot.revision);
            stands.then(|| Rc::clone(user))
        });
        if self.snapshot_is_newer { copied.or(remembered) } else { remembered.or(copied) }
    }
}
