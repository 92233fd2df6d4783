//! Giving, changing and taking back permissions on services. All of it needs GRANT on the service, or an administrator.

use serde_json::json;

use crate::actions::caller::Caller;
use crate::actions::permissions;
use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::domain::permissions::grant::{Grant, GrantPage, GrantQuery};
use crate::domain::permissions::permission::{ObjectType, Permission, Permissions};
use crate::error::{Error, Refusal, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::{feed, grants, services, transfer, units};

/// Gives permissions to an object that has none on the service. Answers the grant's id.
pub async fn add(cx: &Cx, by: &Caller, service_id: i64, object_type: ObjectType, object_id: i64, permissions: Permissions) -> Result<i64> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    let mut write = Write::default();
    if cx.config.strict_directory {
        services::find(cx, service_id).await?.ok_or_else(|| Error::not_found("service", service_id))?;
        if !units::exists(cx, object_type, object_id).await? {
            return Err(Error::not_found(noun(object_type), object_id));
        }
    } else {
        write = write.and(services::register(service_id, cx.now));
    }
    let already = || Error::AlreadyExists { what: "grant", id: format!("{}[{object_id}]", object_type.name()) };
    let rows = write
        .answering(grants::insert(service_id, object_type, object_id, permissions, false, cx.now))
        .and(feed::grant_changed(service_id, object_type, object_id, cx.now))
        .deed(deed(by, "grant.create", service_id, object_type, object_id, None, Some(permissions)))
        .commit_unless(cx, &[Constraint::Grant], already)
        .await?;
    rows.first().ok_or_else(|| Error::internal("a grant was given without an id"))?.int64("id")
}

/// Replaces the permissions of a grant.
pub async fn replace(cx: &Cx, by: &Caller, id: i64, permissions: Permissions) -> Result<()> {
    let before = touchable(cx, by, id).await?;
    change(cx, by, &before, grants::update(id, permissions), "grant.update", Some(permissions)).await
}

/// Takes a grant back.
pub async fn delete(cx: &Cx, by: &Caller, id: i64) -> Result<()> {
    let before = touchable(cx, by, id).await?;
    change(cx, by, &before, grants::delete(id), "grant.delete", None).await
}

/// Sets the switches of all APIs of a service, and with `whole_service` its own.
pub async fn set_switches(cx: &Cx, by: &Caller, service_id: i64, enabled: bool, whole_service: bool) -> Result<()> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    let before = services::find(cx, service_id).await?;
    if before.is_none() && cx.config.strict_directory {
        return Err(Error::not_found("service", service_id));
    }
    let mut write = Write::of(services::set_api_switches(service_id, enabled));
    if whole_service {
        write = write.and(services::set_switch(service_id, enabled, cx.now)).and(feed::service_changed(service_id, cx.now));
    }
    let deed = by
        .deed(if whole_service { "service.switch" } else { "service.switch_apis" }, service_id.to_string())
        .before(before.map(|service| json!({ "authEnabled": service.auth_enabled })))
        .after(json!({ "authEnabled": enabled }));
    write.deed(deed).commit(cx).await.map(drop)
}

/// A page of grants, for callers who may see all services that they ask for.
pub async fn list(cx: &Cx, by: &Caller, query: &GrantQuery) -> Result<GrantPage> {
    permissions::require_view(cx, by, &query.service_ids).await?;
    if cx.config.strict_directory {
        let services: Vec<_> = query.service_ids.iter().map(|id| ("SERVICE", *id)).collect();
        if let Some((_, id)) = transfer::missing(cx, &services).await?.first() {
            return Err(Error::not_found("service", id));
        }
    }
    grants::list(cx, query).await
}

/// The grant, if the caller may change it.
async fn touchable(cx: &Cx, by: &Caller, id: i64) -> Result<Grant> {
    let grant = grants::find(cx, id).await?.ok_or_else(|| Error::not_found("grant", id))?;
    permissions::require(cx, by, grant.service_id, Permission::Grant).await?;
    if grant.creator {
        return Err(Refusal::CreatorGrant.into());
    }
    Ok(grant)
}

async fn change(
    cx: &Cx,
    by: &Caller,
    before: &Grant,
    statement: crate::ports::Statement,
    action: &'static str,
    after: Option<Permissions>,
) -> Result<()> {
    let Grant { id, service_id, object_type, object_id, permissions, .. } = *before;
    let rows = Write::default()
        .answering(statement)
        .and(feed::grant_changed(service_id, object_type, object_id, cx.now))
        .deed(deed(by, action, service_id, object_type, object_id, Some(permissions), after))
        .commit(cx)
        .await?;
    // Somebody else took it back in between.
    if rows.is_empty() { Err(Error::not_found("grant", id)) } else { Ok(()) }
}

fn deed(
    by: &Caller,
    action: &'static str,
    service_id: i64,
    object_type: ObjectType,
    object_id: i64,
    before: Option<Permissions>,
    after: Option<Permissions>,
) -> Deed {
    let names = |permissions: Permissions| json!({ "permissions": permissions.names() });
    by.deed(action, format!("{service_id}/{}/{object_id}", object_type.name())).before(before.map(names)).after(after.map(names))
}

/// The noun of an object type.
#[must_use]
pub fn noun(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::User => "user",
        ObjectType::Dept => "department",
        ObjectType::Group => "group",
    }
}
