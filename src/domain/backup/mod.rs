//! The state of a Postern as records, one a line, in NDJSON or CSV: what an export brings out and
//! an import takes in.
//!
//! [`kinds::KINDS`] is the one table of what records there are, and of their members. Reading,
//! writing, the statements and the list of records in the documents derive from it; a test compares
//! it with the schema.

pub mod format;
pub mod kinds;
pub mod record;
