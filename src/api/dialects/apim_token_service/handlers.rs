//! Handlers: parse the request, call the action, map the answer.

use super::wire;
use crate::actions::access_tokens;
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::error::Result;

pub(super) async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let proof = wire::proof(&call.fields().await?)?;
    Ok(wire::issued(&access_tokens::get(cx, &proof).await?))
}

pub(super) async fn refresh(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (proof, token) = wire::refresh(&call.fields().await?)?;
    Ok(wire::issued(&access_tokens::refresh(cx, &proof, &token).await?))
}
