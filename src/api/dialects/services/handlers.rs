//! Handlers: parse the request, call the action, map the answer.

use super::{filters, wire};
use crate::actions::grants;
use crate::actions::permissions::{self, Question};
use crate::api::http::declare::Request;
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::permissions::grant::NewGrant;
use crate::domain::permissions::period::Period;
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Refusal, Result};

pub(super) async fn add(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let service_id = call.int64("id")?;
    let wire::NewGrant { object_type, object_id, permissions } =
        wire::NewGrant::read(&call.fields().await?)?;
    let grant =
        NewGrant { service_id, object_type, object_id, permissions, period: Period::ALWAYS };
    let id = grants::add(cx, call.caller()?, &grant).await?;
    Ok(wire::created(wire::GrantKey { id, key: object_id.to_string() }, call, cx.now))
}

pub(super) async fn replace(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let wire::GrantedPermissions { permissions } =
        wire::GrantedPermissions::read(&call.fields().await?)?;
    grants::replace(cx, call.caller()?, call.int64("id")?, permissions).await?;
    Ok(wire::nothing((), call, cx.now))
}

pub(super) async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    grants::delete(cx, call.caller()?, call.int64("id")?).await?;
    Ok(wire::nothing((), call, cx.now))
}

pub(super) async fn switch_service(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    set_switches(cx, call, true).await
}

pub(super) async fn switch_apis(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    set_switches(cx, call, false).await
}

async fn set_switches(cx: &Cx, call: &Call<'_>, whole_service: bool) -> Result<Response> {
    let enabled = boolean(call, "enabled")?.ok_or_else(|| Error::missing("enabled"))?;
    grants::set_switches(cx, call.caller()?, call.int64("id")?, enabled, whole_service).await?;
    Ok(wire::nothing((), call, cx.now))
}

pub(super) async fn status(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let switch = permissions::switch(cx, call.caller()?, call.int64("id")?).await?;
    Ok(wire::flag(switch, call, cx.now))
}

pub(super) async fn permissions_of_user(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (service_id, user_id) = (call.int64("id")?, call.int64("userId")?);
    let as_administrator = boolean(call, "admin")?.unwrap_or(false);
    let (_, permissions) =
        permissions::effective(cx, call.caller()?, service_id, user_id, as_administrator).await?;
    Ok(wire::names(permissions.names(), call, cx.now))
}

pub(super) async fn own_permissions(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let caller = call.caller()?;
    let as_administrator = boolean(call, "admin")?.unwrap_or(false);
    // A key that acts for no user has no permissions of its own.
    let own_id = caller.own_id().ok_or(Refusal::KeyIsNoUser)?;
    let (switch, permissions) =
        permissions::effective(cx, caller, call.int64("id")?, own_id.0, as_administrator).await?;
    Ok(wire::own(wire::OwnPermissions { switch, permissions: permissions.names() }, call, cx.now))
}

pub(super) async fn check(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let permission = Permission::parse(call.parameter("authPermission")?)
        .map_err(|why| Error::invalid("authPermission", why))?;
    let question =
        Question { service_id: call.int64("id")?, user_id: call.int64("userId")?, permission };
    let allowed = permissions::check(cx, call.caller()?, question).await?;
    cx.noted.answered(allowed);
    Ok(if allowed { wire::flag(true, call, cx.now) } else { wire::no(permission, call, cx.now) })
}

pub(super) async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let query = filters::grant_query(call.query)?;
    let page = grants::list(cx, call.caller()?, &query).await?;
    Ok(wire::grant_list(wire::Page::of(&page, query.with_names), call, cx.now))
}

fn boolean(call: &Call<'_>, name: &str) -> Result<Option<bool>> {
    match call.query.one(name)? {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(name, "must be true or false")),
    }
}
