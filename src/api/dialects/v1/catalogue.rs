//! Services and their APIs, departments, groups, and who is in them. Parse, act, map.

use super::directory::page;
use super::wire;
use crate::actions::{services, units};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::error::Result;

pub(super) async fn list_services(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = page(call)?;
    let found = services::list(cx, after_id, limit + 1).await?;
    Ok(wire::page(&found, limit, wire::service, |service| service.id))
}

pub(super) async fn create_service(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.fields().await?;
    let mut name = None;
    wire::name(&fields)?.apply(&mut name);
    let id = fields.integer("id", i64::MIN, i64::MAX)?;
    let auth_enabled = fields.boolean("authEnabled")?.unwrap_or(true);
    let service = services::create(cx, call.caller()?, id, name.as_deref(), auth_enabled).await?;
    Ok(Response::json(201, &wire::service(&service)).with("location", format!("/v1/services/{}", service.id)))
}

pub(super) async fn get_service(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(200, &wire::service(&services::find(cx, call.int64("id")?).await?)))
}

pub(super) async fn update_service(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.fields().await?;
    let name = wire::name(&fields)?;
    let auth_enabled = fields.boolean("authEnabled")?;
    let service = services::update(cx, call.caller()?, call.int64("id")?, |service| {
        name.apply(&mut service.name);
        service.auth_enabled = auth_enabled.unwrap_or(service.auth_enabled);
    });
    Ok(Response::json(200, &wire::service(&service.await?)))
}

pub(super) async fn delete_service(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    services::delete(cx, call.caller()?, call.int64("id")?).await?;
    Ok(Response::empty(204))
}

pub(super) async fn list_apis(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = page(call)?;
    let found = services::list_apis(cx, call.int64("id")?, after_id, limit + 1).await?;
    Ok(wire::page(&found, limit, wire::api, |api| api.id))
}

pub(super) async fn put_api(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.fields().await?;
    let mut name = None;
    wire::name(&fields)?.apply(&mut name);
    let auth_enabled = fields.boolean("authEnabled")?.unwrap_or(true);
    let (service_id, id) = (call.int64("id")?, call.int64("apiId")?);
    let api = services::put_api(cx, call.caller()?, service_id, id, name.as_deref(), auth_enabled).await?;
    Ok(Response::json(200, &wire::api(&api)))
}

pub(super) async fn delete_api(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    services::delete_api(cx, call.caller()?, call.int64("id")?, call.int64("apiId")?).await?;
    Ok(Response::empty(204))
}

async fn list(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    let (limit, after_id) = page(call)?;
    let found = units::list(cx, kind, after_id, limit + 1).await?;
    Ok(wire::page(&found, limit, wire::unit, |unit| unit.id))
}

async fn create(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    let fields = call.fields().await?;
    let mut name = None;
    wire::name(&fields)?.apply(&mut name);
    let id = fields.integer("id", i64::MIN, i64::MAX)?;
    let parent_id = parent_id(&fields, kind)?;
    let unit = units::create(cx, call.caller()?, kind, id, name.as_deref(), parent_id).await?;
    Ok(Response::json(201, &wire::unit(&unit)).with("location", format!("/v1/{}s/{}", kind.noun(), unit.id)))
}

async fn get(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    Ok(Response::json(200, &wire::unit(&units::find(cx, kind, call.int64("id")?).await?)))
}

async fn update(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    let fields = call.fields().await?;
    let name = wire::name(&fields)?;
    let parent_id = parent_id(&fields, kind)?;
    let unit = units::update(cx, call.caller()?, kind, call.int64("id")?, |unit| {
        name.apply(&mut unit.name);
        if fields.has("parentId") {
            unit.parent_id = parent_id;
        }
    });
    Ok(Response::json(200, &wire::unit(&unit.await?)))
}

/// Groups do not lie below each other; what they are sent is ignored, as unknown members are.
fn parent_id(fields: &crate::api::http::body::Fields, kind: UnitKind) -> Result<Option<i64>> {
    if kind == UnitKind::Department { fields.integer("parentId", i64::MIN, i64::MAX) } else { Ok(None) }
}

async fn delete(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    units::delete(cx, call.caller()?, kind, call.int64("id")?).await?;
    Ok(Response::empty(204))
}

async fn list_members(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    let (limit, after_id) = page(call)?;
    let found = units::list_members(cx, kind, call.int64("id")?, after_id, limit + 1).await?;
    Ok(wire::page(&found, limit, |user_id| serde_json::json!({ "userId": user_id }), |user_id| *user_id))
}

async fn set_member(cx: &Cx, call: &Call<'_>, kind: UnitKind, is_member: bool) -> Result<Response> {
    units::set_member(cx, call.caller()?, kind, call.int64("id")?, call.int64("userId")?, is_member).await?;
    Ok(Response::empty(204))
}

/// A handler for departments and one for groups.
macro_rules! for_both {
    ($($department:ident, $group:ident => $handler:ident ($($argument:expr)?);)*) => {$(
        pub(super) async fn $department(cx: &Cx, call: &Call<'_>) -> Result<Response> {
            $handler(cx, call, UnitKind::Department $(, $argument)?).await
        }

        pub(super) async fn $group(cx: &Cx, call: &Call<'_>) -> Result<Response> {
            $handler(cx, call, UnitKind::Group $(, $argument)?).await
        }
    )*};
}

for_both! {
    list_departments, list_groups => list();
    create_department, create_group => create();
    get_department, get_group => get();
    update_department, update_group => update();
    delete_department, delete_group => delete();
    list_department_members, list_group_members => list_members();
    add_department_member, add_group_member => set_member(true);
    remove_department_member, remove_group_member => set_member(false);
}
