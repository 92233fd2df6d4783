//! Orders of GIS servers. Postern keeps them; whoever makes the servers reads them here, or gets
//! them passed on.

use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;

/// The most servers of one order.
pub const MAX_COUNT: i64 = 100;

/// What is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTerms {
    /// The size, for example `MEDIUM`.
    pub spec: String,
    /// How many.
    pub count: i64,
    /// What they are to be called.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// Where they are to run; may be empty.
    pub physical_machine_name: String,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOrder {
    /// Ascending.
    pub id: i64,
    /// What is ordered.
    pub terms: NodeTerms,
    /// Who ordered.
    pub creator_id: UserId,
    /// When.
    pub created_at: Millis,
}
