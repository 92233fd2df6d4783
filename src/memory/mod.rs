//! The memory of one isolate: a cache of the database, and how it is kept up to date.
//!
//! * [`known`] has the functions through which actions read memory, and [`isolate`] is the memory
//!   itself.
//! * [`reading`] fills memory from D1 by the change feed ([`feed`]), within a time limit
//!   ([`in_time`]). [`write`](mod@write) does so after each change.
//! * [`shared`] fills memory from what other isolates of the data centre have read. It needs the
//!   latest changes ([`recent`]), and works only where the platform's cache works ([`sharing`]).
//! * [`counters`] and [`refusals`] count what the isolate does; [`metered`] counts what is asked of
//!   D1.
//! * [`hashing`] is the queue of requests that want to hash a password.
//! * [`copy`] reads the copy in KV ([`snapshot`]) while D1 does not answer, and [`mod@publish`]
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
pub mod lines;
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
