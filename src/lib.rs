//! Postern: an authorization gate at the edge.
//!
//! One Cloudflare Worker registers token apps, verifies their tokens, issues opaque tokens, stores
//! grants, answers permission checks and acts as a gateway before applications. D1 holds the state;
//! KV holds a copy for times when D1 does not answer. The modules, from the outside in:
//!
//! * `edge` (wasm only): the Worker's events and bindings. Only this module names `worker`.
//! * [`api`]: the HTTP dialects, side by side, on plain types.
//! * [`actions`]: one function per use case.
//! * [`memory`]: an isolate's cache of the database, and how it stays current.
//! * [`store`]: every SQL string and every KV key.
//! * [`domain`]: values and decisions, without I/O.
//! * [`ports`], [`context`] and [`error`]: shared by all of them.
//!
//! `tests/host/layers.rs` checks which module may use which, and that no dialect uses another.

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
