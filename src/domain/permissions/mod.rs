//! Who may do what: permissions, grants, and the directory that they refer to.

pub mod directory;
pub mod grant;
pub mod names;
pub mod period;
pub mod permission;
pub mod reach;
