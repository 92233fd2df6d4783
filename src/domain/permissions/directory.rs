//! Services and their APIs, departments and groups. Their int64 ids come from the callers' own
//! systems.

use serde_json::{Value, json};

use crate::domain::permissions::permission::ObjectType;
use crate::domain::time::Millis;

/// The longest name of a service, an API, a department or a group, in characters.
pub const MAX_NAME: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Named by the caller, or chosen by Postern.
    pub id: i64,
    /// A display name.
    pub name: Option<String>,
    /// If false, permissions are not checked.
    pub auth_enabled: bool,
    /// `None` if the first grant or an import registered the service.
    pub creator_id: Option<i64>,
    pub created_at: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub service_id: i64,
    /// Unique within its service.
    pub id: i64,
    /// A display name.
    pub name: Option<String>,
    /// If false, permissions are not checked.
    pub auth_enabled: bool,
    pub created_at: Millis,
}

/// A kind of unit that users can be members of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// Departments form a tree.
    Department,
    Group,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub kind: UnitKind,
    /// Named by the caller, or chosen by Postern.
    pub id: i64,
    /// A display name.
    pub name: Option<String>,
    /// The department above this one.
    pub parent_id: Option<i64>,
    pub created_at: Millis,
}

impl UnitKind {
    pub const ALL: [Self; 2] = [Self::Department, Self::Group];

    /// The type of grant object that this kind of unit is.
    #[must_use]
    pub const fn object_type(self) -> ObjectType {
        match self {
            Self::Department => ObjectType::Dept,
            Self::Group => ObjectType::Group,
        }
    }

    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Department => "department",
            Self::Group => "group",
        }
    }
}

impl Service {
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({ "name": self.name, "authEnabled": self.auth_enabled })
    }
}

impl Unit {
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({ "name": self.name, "parentId": self.parent_id })
    }
}
