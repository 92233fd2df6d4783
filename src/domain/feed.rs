//! The change feed: what isolates hear of the database.

use serde::{Deserialize, Serialize};

use crate::domain::time::Millis;

/// One entry of the change feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed.
    pub kind: ChangeKind,
    /// Its name or id.
    pub key: String,
    /// Ascending.
    pub revision: i64,
    /// When it was made.
    pub at: Millis,
}

impl Change {
    /// Where it is in the feed.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { revision: self.revision, at: self.at }
    }
}

/// How far somebody has read the feed. Revisions are given anew where the database was set back, so
/// the time of the entry tells whether it is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The newest revision that was read.
    pub revision: i64,
    /// The time of its entry.
    pub at: Millis,
}

/// What may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A token app; the key is its name.
    TokenApp,
    /// A token app was deleted, beside [`Self::TokenApp`]; the key is its name. Its users belong to
    /// none now, also where there is another app of that name later.
    DeletedTokenApp,
    /// A user; the key is their id. Their sessions are to be forgotten too.
    User,
    /// A session; the key is its id.
    Session,
    /// A service, its switch, or a grant on it to a department or group; the key is the service's
    /// id.
    Service,
    /// A grant to a user; the key is the service's id, a slash, the user's.
    Grant,
    /// The departments and groups of a user; the key is the user's id.
    Membership,
    /// An application, its token or what it is authorized to; the key is its access key.
    Application,
    /// A key for machines; the key is its id. Those that it made are to be forgotten too.
    Key,
    /// Departments, groups, or so many grants that how anybody stands with any service may be
    /// another; the key says nothing.
    Directory,
    /// A name of a resource, or the names of the actions of a type; the key is the type, and of a
    /// resource a slash and its id behind it.
    Name,
    /// A token was revoked; the key is the whole revocation, as `Revocation::text` writes it.
    Revocation,
}

impl ChangeKind {
    const ALL: [Self; 12] = [
        Self::TokenApp,
        Self::DeletedTokenApp,
        Self::User,
        Self::Session,
        Self::Service,
        Self::Grant,
        Self::Membership,
        Self::Application,
        Self::Key,
        Self::Directory,
        Self::Name,
        Self::Revocation,
    ];

    /// The word in the feed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenApp => "token_app",
            Self::DeletedTokenApp => "deleted_token_app",
            Self::User => "user",
            Self::Session => "session",
            Self::Service => "service",
            Self::Grant => "grant",
            Self::Membership => "membership",
            Self::Application => "application",
            Self::Key => "key",
            Self::Directory => "directory",
            Self::Name => "name",
            Self::Revocation => "revocation",
        }
    }

    /// By its word; `None` for kinds that nothing is remembered of.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
