//! Organizations, their applications, and what these are authorized to. Parse, act, map.

use super::directory::limit;
use super::wire;
use crate::actions::{applications, authorizations, organizations};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::applications::application::{AuthorizationType, OrganizationId};
use crate::error::{Error, Result};

pub(super) async fn list_organizations(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = page(call)?;
    let found = organizations::list(cx, after_id, limit + 1).await?;
    Ok(wire::page(&found, limit, wire::organization, |organization| organization.id.clone()))
}

pub(super) async fn create_organization(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.fields().await?;
    let id = fields.parsed("id", OrganizationId::parse)?;
    let mut name = None;
    wire::name(&fields)?.apply(&mut name);
    let organization = organizations::create(cx, call.caller()?, &id, name.as_deref()).await?;
    Ok(Response::json(201, &wire::organization(&organization)).with("location", format!("/v1/organizations/{id}")))
}

pub(super) async fn get_organization(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(200, &wire::organization(&organizations::find(cx, call.parameter("id")?).await?)))
}

pub(super) async fn update_organization(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let change = wire::name(&call.fields().await?)?;
    let organization = organizations::update(cx, call.caller()?, call.parameter("id")?, |name| change.apply(name)).await?;
    Ok(Response::json(200, &wire::organization(&organization)))
}

pub(super) async fn delete_organization(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    organizations::delete(cx, call.caller()?, call.parameter("id")?).await?;
    Ok(Response::empty(204))
}

pub(super) async fn list_applications(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_key) = page(call)?;
    let found = applications::list(cx, call.query.one("organization")?, after_key, limit + 1).await?;
    Ok(wire::page(&found, limit, wire::application, |application| application.access_key.clone()))
}

pub(super) async fn create_application(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let new = wire::new_application(&call.fields().await?)?;
    let (application, secret) = applications::create(cx, call.caller()?, new.access_key, &new.organization_id, &new.terms).await?;
    let location = format!("/v1/applications/{}", application.access_key);
    Ok(Response::json(201, &wire::application_with_secret(&application, secret.as_ref())).with("location", location))
}

pub(super) async fn get_application(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(200, &wire::application(&applications::find(cx, call.parameter("accessKey")?).await?)))
}

pub(super) async fn update_application(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let change = wire::application_change(&call.fields().await?)?;
    let application = applications::update(cx, call.caller()?, call.parameter("accessKey")?, |terms| change.apply(terms)).await?;
    Ok(Response::json(200, &wire::application(&application)))
}

pub(super) async fn delete_application(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    applications::delete(cx, call.caller()?, call.parameter("accessKey")?).await?;
    Ok(Response::empty(204))
}

pub(super) async fn renew_secret(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let access_key = call.parameter("accessKey")?;
    let secret = applications::renew_secret(cx, call.caller()?, access_key).await?;
    Ok(wire::secret(access_key, &secret))
}

pub(super) async fn check_authorization(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let access_key = call.parameter("accessKey")?;
    let kind = AuthorizationType::parse(call.parameter("type")?).map_err(|why| Error::invalid("type", why))?;
    let allowed = authorizations::check(cx, access_key, kind).await?;
    Ok(wire::authorized(access_key, kind, allowed))
}

/// How many, and behind which id.
fn page<'a>(call: &'a Call<'_>) -> Result<(i64, &'a str)> {
    Ok((limit(call)?, call.query.one("cursor")?.unwrap_or_default()))
}
