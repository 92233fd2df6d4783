//! Permissions, grants, and the directory of services and units that they refer to.

pub mod directory;
pub mod grant;
pub mod names;
pub mod period;
pub mod permission;
pub mod reach;
