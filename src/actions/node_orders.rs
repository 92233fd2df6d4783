//! Orders for GIS servers.

use serde_json::json;

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::node_order::{NodeOrder, NodeTerms};
use crate::domain::secret::{Secret, hex};
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::ids::NewId;
use crate::store::node_orders;
use crate::store::sealed::SealedColumn;

/// A name for servers that were ordered without one.
pub fn made_name(cx: &Cx) -> Result<String> {
    Ok(format!("iserver-{}", hex(&cx.random::<4>()?)))
}

/// Stores an order. Returns its id.
pub async fn order(
    cx: &Cx,
    by: &Caller,
    terms: &NodeTerms,
    password: Option<&Secret>,
) -> Result<i64> {
    let sealed = password
        .map(|password| SealedColumn::NODE_PASSWORD.seal(cx, &terms.name, password.expose()))
        .transpose()?;
    let after = json!({
        "nodeSpec": terms.spec,
        "nodeCount": terms.count,
        "physicalMachineName": terms.physical_machine_name,
    });
    let deed = by.deed("node.order", terms.name.clone()).after(after);
    let write = Write::default().answering(node_orders::insert(
        terms,
        sealed.as_ref(),
        by.accountable(),
        cx.now,
    ));
    let write = write.deed_of_new(deed, NewId::Newest("node_orders"));
    write
        .commit(cx)
        .await?
        .first()
        .ok_or_else(|| Error::internal("an order was written without an id"))?
        .int64("id")
}

/// Lists orders, the newest first, and counts those of all pages. `page` is a page number from 1
/// and a page size; `None` lists all.
pub async fn list(cx: &Cx, page: Option<(i64, i64)>) -> Result<(Vec<NodeOrder>, i64)> {
    let (offset, limit) =
        page.map_or((0, -1), |(number, size)| ((number - 1).saturating_mul(size), size));
    node_orders::list(cx, offset, limit).await
}
