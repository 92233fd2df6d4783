//! The change feed: what an isolate hears of the database, and what one reading of it brings.

use std::rc::Rc;

use crate::domain::applications::application::Application;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::User;
use crate::domain::permissions::permission::Standing;
use crate::domain::secret::HashedToken;
use crate::domain::tokens::token_app::{Selection, TokenApp};

/// How many enabled token apps are all kept; beyond that, those that requests name.
pub const MAX_APPS: usize = 1000;
/// How many changes one reading of the feed takes in; beyond that, memory is emptied.
pub const MAX_CHANGES: i64 = 500;

/// Somebody and a service. The user need not be known to Postern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The service's id.
    pub service_id: i64,
    /// The user's id.
    pub user_id: i64,
}

/// One entry of the change feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed.
    pub kind: ChangeKind,
    /// Its name or id.
    pub key: String,
    /// Ascending.
    pub revision: i64,
}

/// What may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A token app; the key is its name.
    TokenApp,
    /// A user; the key is their id. Their sessions are to be forgotten too.
    User,
    /// A session; the key is its id.
    Session,
    /// A service, its switch, or a grant on it to a department or group; the key is the service's id.
    Service,
    /// A grant to a user; the key is the service's id, a slash, the user's.
    Grant,
    /// The departments and groups of a user; the key is the user's id.
    Membership,
    /// An application, its token or what it is authorized to; the key is its access key.
    Application,
    /// Departments, groups, or so many grants that how anybody stands with any service may be another; the key says nothing.
    Directory,
}

/// What one reading of the database brought, all of it as of `head`.
#[derive(Debug, Default)]
pub struct Reading {
    /// The newest revision.
    pub head: i64,
    /// The oldest revision that the feed still has.
    pub oldest: i64,
    /// The revision after which `changes` begins; `None` where memory was empty.
    pub since: Option<i64>,
    /// What changed, ascending.
    pub changes: Vec<Change>,
    /// The enabled apps that changed; where memory must be emptied, the first `MAX_APPS` + 1 of all.
    pub apps: Vec<Rc<TokenApp>>,
    /// The apps of the selection that was asked for.
    pub selected: Option<(Selection, Vec<Rc<TokenApp>>)>,
    /// Users that were asked for.
    pub users: Vec<Rc<User>>,
    /// The session that was asked for.
    pub session: Option<(HashedToken, Rc<Session>)>,
    /// How those who were asked for stand.
    pub standings: Vec<(Pair, Standing)>,
    /// Applications that were asked for, by access key; `None` for one that is not there.
    pub applications: Vec<(String, Option<Rc<Application>>)>,
}

impl ChangeKind {
    const ALL: [Self; 8] =
        [Self::TokenApp, Self::User, Self::Session, Self::Service, Self::Grant, Self::Membership, Self::Application, Self::Directory];

    /// The word in the feed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenApp => "token_app",
            Self::User => "user",
            Self::Session => "session",
            Self::Service => "service",
            Self::Grant => "grant",
            Self::Membership => "membership",
            Self::Application => "application",
            Self::Directory => "directory",
        }
    }

    /// By its word; `None` for kinds that nothing is remembered of.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Reading {
    /// Whether what lies between memory and this reading is not all in `changes`. The statement in `store::trust` decides the same of `apps`.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.since
            .is_none_or(|since| since < self.oldest.saturating_sub(1) || self.head.saturating_sub(since) > MAX_CHANGES || self.head < since)
    }
}
