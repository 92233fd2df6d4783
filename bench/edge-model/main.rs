//! What users wait for, and how often D1 is read, where Postern really runs: `make model`.
//!
//! A discrete-event model of data centres, their isolates, and requests that come at random. The
//! product itself runs in it: each request goes through `api::handle`, with the memory of its
//! isolate and the statements that ship, on `SQLite` with the real migrations. The model is what is
//! behind the ports: how long D1, the cache of a data centre and KV take, when requests come and
//! whose they are, how long isolates live, and time itself.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a model that meets what it does not expect is wrong"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a model reckons with seconds and shares, far from where doubles are inexact"
)]
#![expect(clippy::format_push_string, reason = "what a model prints need not be fast")]

mod clock;
#[path = "../../tests/host/support/database.rs"]
#[allow(
    dead_code,
    reason = "it is the host tests' database, of which the model needs less than they do"
)]
mod database;
mod numbers;
mod ports;
mod report;
mod world;

fn main() {
    report::main();
}

#[cfg(test)]
mod tests;
