//! What one isolate remembers of the database, and how it is kept true.
//!
//! [`known`] has the doors that actions go through. [`isolate`] is the memory itself, which [`reading`] fills from D1 ([`in_time`] bounds the wait) by the change feed
//! ([`feed`]), and [`write`] after each change. [`copy`] and [`snapshot`] are the copy in KV for when D1 does not answer.

pub mod assertions;
pub mod copy;
pub mod feed;
pub mod health;
pub mod in_time;
pub mod isolate;
pub mod key_sets;
pub mod known;
pub mod machine_keys;
pub mod reading;
pub mod recent;
pub mod revocations;
pub mod shared;
pub mod sharing;
pub mod snapshot;
pub mod token_writes;
pub mod write;
