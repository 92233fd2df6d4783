//! The result of one reading of the change feed, and whether it is complete.

use std::rc::Rc;

use crate::domain::applications::application::{AccessKey, Application};
use crate::domain::feed::Change;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId};
use crate::domain::permissions::names::{Actions, ResourceName, ResourceType};
use crate::domain::permissions::period::InTime;
use crate::domain::permissions::permission::{Pair, Permissions, ServiceGroup, Standing};
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::{Revocation, RevocationKey};
use crate::domain::tokens::token_app::{Selection, TokenApp};
use crate::memory::machine_keys::ByItsSecret;

/// Up to this number of enabled token apps, memory keeps all of them. Beyond it, memory keeps those
/// that requests name.
pub const MAX_APPS: usize = 1000;
/// The largest number of changes that one reading of the feed takes in. If there are more, memory
/// is emptied.
pub const MAX_CHANGES: i64 = 500;

/// The result of one reading of the database. All of it is as of `head`.
#[derive(Debug, Default)]
pub struct Reading {
    pub head: i64,
    /// The time of the newest feed entry.
    pub head_at: Millis,
    /// The oldest revision that is still in the feed.
    pub oldest: i64,
    /// `changes` begins after this revision. `None` if memory was empty.
    pub since: Option<i64>,
    /// The feed entry of revision `since` is not the one that memory had read. This happens when
    /// the database was restored to an earlier state and then written.
    pub is_other: bool,
    /// In ascending order of revision.
    pub changes: Vec<Change>,
    /// The enabled apps that changed. If memory must be emptied, the first `MAX_APPS` + 1 of all.
    pub apps: Vec<Rc<TokenApp>>,
    /// All revocations, if memory must be emptied. `None` if there are too many.
    pub revocations: Option<Vec<Revocation>>,
    /// The tokens that were asked about, and whether each was revoked.
    pub revoked: Vec<(RevocationKey, bool)>,
    pub selected: Option<(Selection, Vec<Rc<TokenApp>>)>,
    pub users: Vec<Rc<User>>,
    pub session: Option<(HashedToken, Rc<Session>)>,
    /// By the hash of a secret. `None` means that there is no such key.
    pub keys: Vec<(HashedToken, Option<ByItsSecret>)>,
    pub standings: Vec<(Pair, InTime<Standing>)>,
    pub groups: Vec<(UserId, Rc<[i64]>)>,
    pub of_groups: Vec<(ServiceGroup, InTime<Permissions>)>,
    /// By access key. `None` means that there is no such application.
    pub applications: Vec<(AccessKey, Option<Rc<Application>>)>,
    /// The service ids of the names. `None` means that there is no such name.
    pub names: Vec<(ResourceName, Option<i64>)>,
    pub actions: Vec<(ResourceType, Actions)>,
}

impl Reading {
    /// Whether changes between memory and this reading are missing in `changes`.
    /// `store::feed::HAS_GAP` decides the same in SQL, for `apps` and `revocations`.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.is_other
            || self.since.is_none_or(|since| {
                since < self.oldest.saturating_sub(1)
                    || self.head.saturating_sub(since) > MAX_CHANGES
                    || self.head < since
            })
    }
}
