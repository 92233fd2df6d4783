//! Reads the audit trail. Each change writes its event in the same batch as itself.

use crate::context::Cx;
use crate::domain::audit::Event;
use crate::error::Result;
pub use crate::store::audit::Filter;

/// Lists the events that match the filter, the newest first.
pub async fn list(cx: &Cx, filter: &Filter) -> Result<Vec<Event>> {
    crate::store::audit::list(cx, filter).await
}
