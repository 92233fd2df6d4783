//! Handlers: parse the request, call the action, map the answer.

use super::wire;
use crate::actions::authorizations::{self, Principal};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::error::{Error, Result};

pub(super) async fn set(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let organization_id = call.query.required(wire::ORGANIZATION.name)?;
    let (access_key, authorizations) = wire::authorization(&call.fields().await?)?;
    authorizations::set(cx, principal(call)?, organization_id, &access_key, authorizations)
        .await
        .map_err(named)?;
    Ok(wire::done())
}

pub(super) async fn info(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (organization_id, access_key) = (
        call.query.required(wire::ORGANIZATION.name)?,
        call.query.required(wire::APPLICATION.name)?,
    );
    Ok(wire::info(
        authorizations::list(cx, principal(call)?, organization_id, access_key)
            .await
            .map_err(named)?,
    ))
}

/// An error with the field names of this dialect.
fn named(error: Error) -> Error {
    error
        .with_field_named("organization", wire::ORGANIZATION.name)
        .with_field_named("application", wire::APPLICATION.name)
}

/// The application that signed the call, otherwise the administrator. The route admits nobody else.
fn principal<'a>(call: &'a Call<'_>) -> Result<Principal<'a>> {
    match &call.application {
        Some(application) => Ok(Principal::Application(application)),
        None => call.caller().map(Principal::Administrator),
    }
}
