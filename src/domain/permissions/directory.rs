//! Services and their APIs, departments and groups: references into the callers' own systems, by
//! their int64 ids.

use serde_json::{Value, json};

use crate::domain::permissions::permission::ObjectType;
use crate::domain::time::Millis;

/// The longest name of a service, an API, a department or a group, in characters.
pub const MAX_NAME: usize = 256;

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The callers' id.
    pub id: i64,
    /// A name for people.
    pub name: Option<String>,
    /// Whether permissions are looked at.
    pub auth_enabled: bool,
    /// Who created it; `None` where its first grant, or an import, registered it.
    pub creator_id: Option<i64>,
    /// When it was registered.
    pub created_at: Millis,
}

/// An API of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The service's id.
    pub service_id: i64,
    /// Its id, unique in its service.
    pub id: i64,
    /// A name for people.
    pub name: Option<String>,
    /// Whether permissions are looked at.
    pub auth_enabled: bool,
    /// When it was registered.
    pub created_at: Millis,
}

/// What a user may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A department; it may lie below another one.
    Department,
    /// A group.
    Group,
}

/// A department or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Which of the two.
    pub kind: UnitKind,
    /// The callers' id.
    pub id: i64,
    /// A name for people.
    pub name: Option<String>,
    /// The department above.
    pub parent_id: Option<i64>,
    /// When it was registered.
    pub created_at: Millis,
}

impl UnitKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Department, Self::Group];

    /// As the object of a grant.
    #[must_use]
    pub const fn object_type(self) -> ObjectType {
        match self {
            Self::Department => ObjectType::Dept,
            Self::Group => ObjectType::Group,
        }
    }

    /// The noun.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Department => "department",
            Self::Group => "group",
        }
    }
}

impl Service {
    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({ "name": self.name, "authEnabled": self.auth_enabled })
    }
}

impl Unit {
    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({ "name": self.name, "parentId": self.parent_id })
    }
}
