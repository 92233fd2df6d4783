//! Reading the audit trail. It is written with each deed, in the same batch.

use crate::context::Cx;
use crate::domain::audit::Event;
use crate::error::Result;
pub use crate::store::audit::Filter;

/// Events that the filter takes, the newest first.
pub async fn list(cx: &Cx, filter: &Filter) -> Result<Vec<Event>> {
    crate::store::audit::list(cx, filter).await
}
