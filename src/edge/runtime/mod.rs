//! How events and answers cross between JavaScript and wasm. `entry.mjs` beside this folder is the
//! module that the runtime loads.

pub(super) mod answers;
pub(super) mod executor;
pub(super) mod gate;
pub(super) mod log;
pub(super) mod panics;
pub(super) mod request;
pub(super) mod streams;
pub(super) mod tickets;
pub(super) mod variables;
