//! Exports and imports: the state of a deployment as records, one per line, in NDJSON or CSV.
//!
//! [`kinds::KINDS`] is the table of all records and their members. Reading, writing, the SQL
//! statements and the list of records in the documents derive from it. A test compares it with the
//! schema.

pub mod format;
pub mod kinds;
pub mod record;
