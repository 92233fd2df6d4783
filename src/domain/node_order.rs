//! Orders of GIS servers. Postern stores them, or forwards them to the origin. The team that sets
//! up the servers reads them here.

use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;

/// The greatest number of servers in one order.
pub const MAX_COUNT: i64 = 100;

/// The content of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTerms {
    /// The size, for example `MEDIUM`.
    pub spec: String,
    pub count: i64,
    /// The name for the servers.
    pub name: String,
    /// May be empty.
    pub description: String,
    /// The machine to run on. May be empty.
    pub physical_machine_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOrder {
    /// In ascending order.
    pub id: i64,
    pub terms: NodeTerms,
    pub creator_id: UserId,
    pub created_at: Millis,
}
