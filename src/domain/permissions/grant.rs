//! Grants, and the queries for lists of grants.

use serde_json::{Map, Value, json};

use crate::domain::permissions::period::Period;
use crate::domain::permissions::permission::{ObjectType, Permissions};
use crate::domain::time::Millis;

/// The permissions of a user, department or group on a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: i64,
    pub service_id: i64,
    pub object_type: ObjectType,
    /// The id of the user, department or group.
    pub object_id: i64,
    pub permissions: Permissions,
    /// Whether this is the grant of the user who created the service. It has all permissions and
    /// cannot be changed.
    pub creator: bool,
    pub created_at: Millis,
    /// When the grant is valid. A creator's grant always is.
    pub period: Period,
}

/// A grant that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewGrant {
    pub service_id: i64,
    pub object_type: ObjectType,
    /// The id of the user, department or group.
    pub object_id: i64,
    pub permissions: Permissions,
    /// When the grant is valid.
    pub period: Period,
}

#[must_use]
pub fn for_audit(permissions: Permissions, period: Period) -> Value {
    let mut kept = Map::from_iter([("permissions".to_owned(), json!(permissions.names()))]);
    let bounds = [("startsAt", period.starts_at), ("expiresAt", period.expires_at)];
    kept.extend(
        bounds.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), json!(bound?)))),
    );
    Value::Object(kept)
}

/// A query for one page of grants.
#[derive(Debug, Clone)]
pub struct GrantQuery {
    pub service_ids: Vec<i64>,
    pub object_type: ObjectType,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
    pub order_by: OrderBy,
    pub descending: bool,
    /// The number of grants to skip.
    pub offset: i64,
    /// The greatest number of grants to return.
    pub limit: i64,
    /// Whether to look up the names of the users, departments and groups.
    pub with_names: bool,
}

/// A test that a grant must pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub field: GrantField,
    pub test: Test,
}

/// A field that lists of grants can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantField {
    Id,
    ServiceId,
    /// The type of the subject that has the grant.
    ObjectType,
    /// The id of the subject that has the grant.
    ObjectId,
    CreatedAt,
}

/// A test of a field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// From the first to the last value, both included. `None` is no bound. Times are milliseconds.
    Within(Option<i64>, Option<i64>),
    /// Equal to one of the values.
    Among {
        /// Names of object types, or decimal digits.
        values: Vec<String>,
        not: bool,
    },
    /// Contains another text. The comparison is case-sensitive.
    Like {
        text: String,
        /// The value must begin with the text.
        at_start: bool,
        not: bool,
    },
    /// Whether there is a value.
    Present(bool),
}

/// The order of a list of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    Id,
    /// By the service's id, then by the grant's id.
    ServiceId,
    /// By the time of the grant, then by the grant's id.
    CreatedAt,
}

#[derive(Debug, Clone)]
pub struct GrantPage {
    /// The number of grants on all pages.
    pub total: i64,
    /// Each grant, with the name of its subject if the query asked for names and the name is known.
    pub grants: Vec<(Grant, Option<String>)>,
}
