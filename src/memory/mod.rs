//! What one isolate remembers of the database, and how it is kept true.

pub mod copy;
pub mod isolate;
pub mod key_sets;
pub mod known;
pub mod reading;
pub mod snapshot;
pub mod write;
