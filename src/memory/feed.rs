//! What one reading of the change feed brings, and whether it is whole.

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

/// How many enabled token apps are all kept; beyond that, those that requests name.
pub const MAX_APPS: usize = 1000;
/// How many changes one reading of the feed takes in; beyond that, memory is emptied.
pub const MAX_CHANGES: i64 = 500;

/// What one reading of the database brought, all of it as of `head`.
#[derive(Debug, Default)]
pub struct Reading {
    /// The newest revision.
    pub head: i64,
    /// The time of its entry.
    pub head_at: Millis,
    /// The oldest revision that the feed still has.
    pub oldest: i64,
    /// The revision after which `changes` begins; `None` where memory was empty.
    pub since: Option<i64>,
    /// Whether the entry of that revision is not the one that was read: the database was set back,
    /// and written since.
    pub is_other: bool,
    /// What changed, ascending.
    pub changes: Vec<Change>,
    /// The enabled apps that changed; where memory must be emptied, the first `MAX_APPS` + 1 of
    /// all.
    pub apps: Vec<Rc<TokenApp>>,
    /// All revocations, where memory must be emptied; `None` where there are too many.
    pub revocations: Option<Vec<Revocation>>,
    /// Tokens that were asked about, and whether they were revoked.
    pub revoked: Vec<(RevocationKey, bool)>,
    /// The apps of the selection that was asked for.
    pub selected: Option<(Selection, Vec<Rc<TokenApp>>)>,
    /// Users that were asked for.
    pub users: Vec<Rc<User>>,
    /// The session that was asked for.
    pub session: Option<(HashedToken, Rc<Session>)>,
    /// Keys that were asked for, by the hash of a secret; `None` for one that is not there.
    pub keys: Vec<(HashedToken, Option<ByItsSecret>)>,
    /// How those who were asked for stand.
    pub standings: Vec<(Pair, InTime<Standing>)>,
    /// The groups of those who were asked for.
    pub groups: Vec<(UserId, Rc<[i64]>)>,
    /// What groups that were asked for may do.
    pub of_groups: Vec<(ServiceGroup, InTime<Permissions>)>,
    /// Applications that were asked for, by access key; `None` for one that is not there.
    pub applications: Vec<(AccessKey, Option<Rc<Application>>)>,
    /// The services of names that were asked for; `None` for a name that is nobody's.
    pub names: Vec<(ResourceName, Option<i64>)>,
    /// The names of the actions of types that were asked for.
    pub actions: Vec<(ResourceType, Actions)>,
}

impl Reading {
    /// Whether changes between memory and this reading are missing in `changes`. SQL decides the
    /// same for `apps` and `revocations`, by `store::feed::HAS_GAP`.
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
