//! What one isolate remembers of the database, and how it is kept true.
//!
//! * [`known`] has the doors that actions go through, and [`isolate`] is the memory itself.
//! * [`reading`] fills it from D1 by the change feed ([`feed`]), within a limit of time
//!   ([`in_time`]). [`write`](mod@write) does so after each change.
//! * [`shared`] fills it from what other isolates of the data centre have read, by the changes that
//!   it has seen of late ([`recent`]), where the cache works ([`sharing`]).
//! * [`counters`] and [`refusals`] count what the isolate does; [`metered`] counts what is asked of
//!   D1.
//! * [`hashing`] has whose turn it is to hash a password.
//! * [`copy`] and [`snapshot`] are the copy in KV for when D1 does not answer, and [`mod@publish`]
//!   renews it.

pub mod assertions;
pub mod copy;
pub mod counters;
pub mod counts;
pub mod feed;
pub mod hashing;
pub mod health;
pub mod in_time;
pub mod introspections;
pub mod isolate;
pub mod key_sets;
pub mod known;
pub mod machine_keys;
pub mod metered;
pub mod names;
pub mod publish;
pub mod reading;
pub mod recent;
pub mod refusals;
pub mod revocations;
pub mod shared;
pub mod sharing;
pub mod snapshot;
pub mod token_writes;
pub mod write;
