//! Postern: an authorization gate at the edge.
//!
//! One Cloudflare Worker registers token apps, verifies their tokens, issues opaque tokens, keeps
//! grants, answers permission checks and stands in front of an application. Its state is in D1 (the
//! truth) and KV (a copy for the time when D1 does not answer). The map, from the outside in:
//!
//! * `edge` (wasm only): the Worker itself; the only place that names `worker`.
//! * [`api`]: the HTTP dialects, side by side, on plain types.
//! * [`actions`]: one use case, one function.
//! * [`memory`]: what an isolate remembers of the database, and how it is kept true.
//! * [`store`]: every SQL string and every KV key.
//! * [`domain`]: values and decisions, without I/O.
//! * [`ports`], [`context`] and [`error`]: what all of them share.
//!
//! `tests/host/layers.rs` holds which room may name which, and that no dialect names another.

pub mod actions;
pub mod api;
pub mod context;
pub mod domain;
#[cfg(target_arch = "wasm32")]
mod edge;
pub mod error;
pub mod memory;
pub mod ports;
pub mod store;
