//! The copy of apps, users and revocations that is used while D1 does not answer.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::domain::identity::user::{User, UserId, Username};
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::RevocationKey;
use crate::domain::tokens::token_app::TokenApp;
use crate::memory::revocations::Revocations;

/// The largest number of users when the whole copy is written.
pub const MAX_USERS: usize = 10_000;

/// What verification needs, as of one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// When the content was last known to be true. This may be later than when it was written.
    pub taken_at: Millis,
    /// The newest revision of the change feed that the copy contains.
    pub revision: i64,
    pub apps: Vec<Rc<TokenApp>>,
    users: HashMap<UserId, Rc<User>>,
    user_ids: HashMap<Username, UserId>,
    others: Others,
    revocations: Revocations,
}

#[derive(Debug)]
pub enum Others {
    /// There are none: the snapshot has all users.
    None,
    /// There are more users than fit. Those of these ids are known to be deleted.
    SomeGone(HashSet<UserId>),
}

impl Snapshot {
    #[must_use]
    pub fn new(
        (taken_at, revision): (Millis, i64),
        apps: Vec<Rc<TokenApp>>,
        users: Vec<Rc<User>>,
        others: Others,
        revocations: Revocations,
    ) -> Self {
        let user_ids = users.iter().map(|user| (user.username.clone(), user.id)).collect();
        let users = users.into_iter().map(|user| (user.id, user)).collect();
        Self { taken_at, revision, apps, users, user_ids, others, revocations }
    }

    /// Whether the user was deleted, or had another name, when the snapshot was taken.
    #[must_use]
    pub fn knows_otherwise(&self, user: &User) -> bool {
        match (self.users.get(&user.id), &self.others) {
            (Some(current), _) => current.username != user.username,
            (None, Others::None) => true,
            (None, Others::SomeGone(gone)) => gone.contains(&user.id),
        }
    }

    /// When the enabled app of that name was created; `None` if the snapshot has none.
    #[must_use]
    pub fn app_created_at(&self, name: &str) -> Option<Millis> {
        self.apps.iter().find(|app| app.name.as_str() == name).map(|app| app.created_at)
    }

    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&Rc<User>> {
        self.users.get(&id)
    }

    /// Whether the token is revoked; `None` if there were too many revocations to copy them.
    #[must_use]
    pub fn has_revoked(&self, key: &RevocationKey) -> Option<bool> {
        self.revocations.has(key)
    }

    #[must_use]
    pub fn user_id(&self, username: &Username) -> Option<UserId> {
        self.user_ids.get(username).copied()
    }
}
