//! Parse, act, map.

use super::wire;
use crate::actions::authorizations::{self, Principal};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::error::Result;

pub(super) async fn set(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let organization_id = call.query.required(wire::ORGANIZATION)?;
    let (access_key, authorizations) = wire::authorization(&call.fields().await?)?;
    authorizations::set(cx, principal(call)?, organization_id, &access_key, authorizations).await?;
    Ok(wire::done())
}

pub(super) async fn info(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (organization_id, access_key) = (call.query.required(wire::ORGANIZATION)?, call.query.required(wire::APPLICATION)?);
    Ok(wire::info(authorizations::list(cx, principal(call)?, organization_id, access_key).await?))
}

/// The application that signed, else the administrator: the route lets nobody else in.
fn principal<'a>(call: &'a Call<'_>) -> Result<Principal<'a>> {
    match &call.application {
        Some(application) => Ok(Principal::Application(application)),
        None => call.caller().map(Principal::Administrator),
    }
}
