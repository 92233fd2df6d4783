//! The change feed, by which isolates learn of changes in the database.

use serde::{Deserialize, Serialize};

use crate::domain::time::Millis;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    /// The name or id of what changed. [`ChangeKind`] describes it for each kind.
    pub key: String,
    /// In ascending order.
    pub revision: i64,
    pub at: Millis,
}

impl Change {
    /// The position of this entry in the feed.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { revision: self.revision, at: self.at }
    }
}

/// The position up to which the feed was read. Revisions are reused after the database was
/// restored, so the time of the entry tells whether it is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The newest revision that was read.
    pub revision: i64,
    /// The time of that entry.
    pub at: Millis,
}

/// The kind of data that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A token app. The key is its name.
    TokenApp,
    /// A token app was deleted. This comes in addition to [`Self::TokenApp`]. The key is its name.
    /// The users of the app no longer belong to any app, even if another app gets that name later.
    DeletedTokenApp,
    /// A user. The key is their id. Evicts their sessions, too.
    User,
    /// A session. The key is its id.
    Session,
    /// A service, its switch, or a grant on it to a department or group. The key is the service's
    /// id.
    Service,
    /// A grant to a user. The key is the service's id, a slash, and the user's id.
    Grant,
    /// The departments and groups of a user. The key is the user's id.
    Membership,
    /// An application, its token or its authorizations. The key is its access key.
    Application,
    /// A machine key. The key is its id. Evicts the keys that it made, too.
    Key,
    /// Departments, groups, or a change to so many grants that it evicts every standing. The key is
    /// unused.
    Directory,
    /// A resource name, or the action names of a type. The key is the type. For a resource, a slash
    /// and the resource's id follow.
    Name,
    /// A token was revoked. The key is the whole revocation, as `Revocation::text` writes it.
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

    /// `None` for kinds that isolates do not cache.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
