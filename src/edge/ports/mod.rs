//! The ports on the platform: D1, KV, WebCrypto, timers, the Analytics Engine, and `fetch` to
//! issuers and to the origin.

pub(super) mod d1;
pub(super) mod decisions;
pub(super) mod issuers;
pub(super) mod kv;
pub(super) mod limiter;
pub(super) mod origin;
pub(super) mod shared;
pub(super) mod timer;
pub(super) mod webcrypto;
