//! Whether verification works.

use crate::context::Cx;
use crate::error::Error;
use crate::memory::known::Known;
use crate::store::snapshot;

/// What answers, and what does not.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    /// D1 answers.
    pub d1: bool,
    /// KV answers.
    pub kv: bool,
    /// Tokens can be verified: D1 answers, or a copy is young enough.
    pub verifies: bool,
}

/// Asks D1 and KV.
pub async fn health(cx: &Cx) -> Health {
    cx.must_read.set(true);
    let d1 = Known::read(cx, &[], None).await.is_ok();
    cx.must_read.set(false);
    let kv = snapshot::answers(cx).await;
    let verifies = d1 || !matches!(Known::read(cx, &[], None).await, Err(Error::Unavailable(_)));
    Health { d1, kv, verifies }
}
