//! Grants, and how lists of them are asked for.

use serde_json::{Map, Value, json};

use crate::domain::permissions::period::Period;
use crate::domain::permissions::permission::{ObjectType, Permissions};
use crate::domain::time::Millis;

/// Somebody's permissions on a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: i64,
    /// On which service.
    pub service_id: i64,
    /// To a user, a department or a group.
    pub object_type: ObjectType,
    /// To which.
    pub object_id: i64,
    /// What may be done.
    pub permissions: Permissions,
    /// Whether it is the grant of who created the service: everything, and not to be touched.
    pub creator: bool,
    /// When it was given.
    pub created_at: Millis,
    /// When it counts; a creator's does always.
    pub period: Period,
}

/// A grant that is to be given.
#[derive(Debug, Clone, Copy)]
pub struct NewGrant {
    /// On which service.
    pub service_id: i64,
    /// To a user, a department or a group.
    pub object_type: ObjectType,
    /// To which.
    pub object_id: i64,
    /// What may be done.
    pub permissions: Permissions,
    /// When it counts.
    pub period: Period,
}

/// What the audit trail keeps of a grant.
#[must_use]
pub fn for_audit(permissions: Permissions, period: Period) -> Value {
    let mut kept = Map::from_iter([("permissions".to_owned(), json!(permissions.names()))]);
    let bounds = [("startsAt", period.starts_at), ("expiresAt", period.expires_at)];
    kept.extend(
        bounds.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), json!(bound?)))),
    );
    Value::Object(kept)
}

/// Which grants, in which order, and which page of them.
#[derive(Debug, Clone)]
pub struct GrantQuery {
    /// Of these services.
    pub service_ids: Vec<i64>,
    /// To objects of this type.
    pub object_type: ObjectType,
    /// And all of these hold.
    pub conditions: Vec<Condition>,
    /// In this order.
    pub order_by: OrderBy,
    /// The greatest first.
    pub descending: bool,
    /// How many to pass over.
    pub offset: i64,
    /// How many at most.
    pub limit: i64,
    /// Whether to look up the objects' names.
    pub with_names: bool,
}

/// Something that must hold for a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Of which field.
    pub field: GrantField,
    /// What.
    pub test: Test,
}

/// A field of a grant that lists may be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantField {
    /// The grant's id.
    Id,
    /// The service's id.
    ServiceId,
    /// The type of whom it is given to.
    ObjectType,
    /// The id of whom it is given to.
    ObjectId,
    /// When it was given.
    CreatedAt,
}

/// What must hold for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// From the first to the last, both included; `None` is no bound. Times are milliseconds.
    Within(Option<i64>, Option<i64>),
    /// One of these, or none of these.
    Among {
        /// Which; names of object types, or decimal digits.
        values: Vec<String>,
        /// None of them.
        not: bool,
    },
    /// The text begins with, or contains, another one, letter by letter.
    Like {
        /// The other text.
        text: String,
        /// At the beginning only.
        at_start: bool,
        /// It does not.
        not: bool,
    },
    /// There is a value, or there is none.
    Present(bool),
}

/// What lists may be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    /// The grant's id.
    Id,
    /// The service's id, then the grant's.
    ServiceId,
    /// When it was given, then the grant's id.
    CreatedAt,
}

/// A page of grants.
#[derive(Debug, Clone)]
pub struct GrantPage {
    /// How many there are on all pages.
    pub total: i64,
    /// The grants, each with the name of whom it is given to where that was asked for and is known.
    pub grants: Vec<(Grant, Option<String>)>,
}
