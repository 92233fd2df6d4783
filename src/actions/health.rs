//! Whether verification works.

use crate::context::Cx;
use crate::domain::tokens::token_app::TokenApp;
use crate::error::Error;
pub use crate::memory::health::Health;
use crate::memory::known::Known;
use crate::store::{feed, snapshot, sql};

/// Asks D1 and KV for something small each, at most once in a few seconds.
pub async fn health(cx: &Cx) -> Health {
    if let Some(health) = cx.memory.health.get(cx.now) {
        return health;
    }
    let d1 = sql::query(cx, feed::select_head()).await.is_ok();
    let kv = snapshot::kv_answers(cx).await;
    let known = Known::current(cx, Vec::new, None).await;
    let verifies = d1 || !matches!(known, Err(Error::Unavailable(_)));
    let audience_unchecked = cx.memory.count_apps(TokenApp::leaves_audience_unchecked);
    let health = Health { d1, kv, verifies, audience_unchecked };
    cx.memory.health.keep(health, cx.now);
    health
}
