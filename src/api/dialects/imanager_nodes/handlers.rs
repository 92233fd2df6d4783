//! Handlers: parse the request, call the action, map the answer.

use super::wire;
use crate::actions::node_orders;
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::error::Result;

pub(super) async fn order(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (terms, password) = wire::order(&call.fields().await?, || node_orders::made_name(cx))?;
    let id = node_orders::order(cx, call.caller()?, &terms, password.as_ref()).await?;
    Ok(wire::ordered(id))
}

pub(super) async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (orders, total) = node_orders::list(cx, wire::page(call.query)?).await?;
    Ok(wire::list(&orders, total))
}
