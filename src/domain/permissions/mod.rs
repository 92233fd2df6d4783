//! Who may do what: permissions, grants, the directory that they refer to, and its import and export.

pub mod directory;
pub mod grant;
pub mod period;
pub mod permission;
pub mod reach;
pub mod record;
pub mod transfer;
