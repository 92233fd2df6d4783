//! Grants, changes and revokes permissions on services. The caller must have GRANT on the service
//! or be an administrator.

use serde_json::json;

use crate::actions::caller::Caller;
use crate::actions::permissions;
use crate::actions::user_names::{self, Named};
use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::permissions::grant::{self, Grant, GrantPage, GrantQuery, NewGrant};
use crate::domain::permissions::period::Period;
use crate::domain::permissions::permission::{ObjectType, Permission, Permissions};
use crate::domain::permissions::reach::Reached;
use crate::error::{Error, Refusal, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::expired_grants::{self, Which};
use crate::store::grants::Named as NamedGrant;
use crate::store::ids::NewId;
use crate::store::reach::Member;
use crate::store::{backup, feed, grants, reach, services, units};

/// Grants permissions to a user, department or group that has no grant on the service. An expired
/// grant is replaced. Returns the grant's id.
pub async fn add(cx: &Cx, by: &Caller, grant: &NewGrant) -> Result<i64> {
    let NewGrant { service_id, object_type, object_id, permissions, period } = *grant;
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    let mut write = Write::default();
    if cx.config.strict_directory {
        services::find(cx, service_id)
            .await?
            .ok_or_else(|| Error::not_found("service", service_id))?;
        if !units::exists(cx, object_type, object_id).await? {
            return Err(Error::not_found(noun(object_type), object_id));
        }
    } else {
        write = write.and(services::register(service_id, cx.now));
    }
    let already = || Error::AlreadyExists {
        what: "grant",
        id: format!("{}[{object_id}]", object_type.name()),
    };
    for statement in expired_grants::remove(cx, &by.actor(), &Which::To(*grant)) {
        write = write.and(statement);
    }
    let rows = write
        .answering(grants::insert(grant, cx.now))
        .and(feed::grant_changed(service_id, object_type, object_id, cx.now))
        .deed_of_new(
            deed(
                by,
                "grant.create",
                (service_id, object_type, object_id),
                None,
                Some((permissions, period)),
            ),
            NewId::Newest("grants"),
        )
        .commit_unless(cx, &[Constraint::Grant], already)
        .await?;
    rows.first().ok_or_else(|| Error::internal("a grant was given without an id"))?.int64("id")
}

pub async fn replace(cx: &Cx, by: &Caller, id: i64, permissions: Permissions) -> Result<()> {
    let before = touchable(cx, by, id).await?;
    change(cx, by, &before, grants::update(id, permissions), "grant.update", Some(permissions))
        .await
}

pub async fn delete(cx: &Cx, by: &Caller, id: i64) -> Result<()> {
    let before = touchable(cx, by, id).await?;
    change(cx, by, &before, grants::delete(id), "grant.delete", None).await
}

/// Deletes the grant on a service to a user, department or group.
pub async fn delete_to(
    cx: &Cx,
    by: &Caller,
    service_id: i64,
    object_type: ObjectType,
    object_id: i64,
) -> Result<()> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    let found = grants::find_to(cx, service_id, object_type, object_id).await?;
    let not_there = || Error::not_found("grant", format!("{}[{object_id}]", object_type.name()));
    delete(cx, by, found.ok_or_else(not_there)?.id).await
}

/// The id of a user, for callers who may grant on the service. Other callers are not told whether a
/// user of that name exists.
pub async fn user_id(cx: &Cx, by: &Caller, service_id: i64, user: &Named) -> Result<i64> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    user_names::id_now(cx, user).await
}

/// Sets the switches of all APIs of a service. With `whole_service`, also the service's own switch.
pub async fn set_switches(
    cx: &Cx,
    by: &Caller,
    service_id: i64,
    enabled: bool,
    whole_service: bool,
) -> Result<()> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    let before = services::find(cx, service_id).await?;
    if before.is_none() && cx.config.strict_directory {
        return Err(Error::not_found("service", service_id));
    }
    let mut write = Write::of(services::set_api_switches(service_id, enabled));
    if whole_service {
        write = write
            .and(services::set_switch(service_id, enabled, cx.now))
            .and(feed::service_changed(service_id, cx.now));
    }
    let deed = by
        .deed(
            if whole_service { "service.switch" } else { "service.switch_apis" },
            service_id.to_string(),
        )
        .before(before.map(|service| json!({ "authEnabled": service.auth_enabled })))
        .after(json!({ "authEnabled": enabled }));
    write.deed(deed).commit(cx).await.map(drop)
}

/// A page of grants, for callers who may view all services that they ask for.
pub async fn list(cx: &Cx, by: &Caller, query: &GrantQuery) -> Result<GrantPage> {
    permissions::require_view(cx, by, &query.service_ids).await?;
    if cx.config.strict_directory {
        let services: Vec<_> = query.service_ids.iter().map(|id| ("SERVICE", *id)).collect();
        if let Some((_, id)) = backup::missing(cx, &services).await?.first() {
            return Err(Error::not_found("service", id));
        }
    }
    grants::list(cx, query).await
}

/// Finds the grant, if the caller may change it.
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
    let Grant { id, service_id, object_type, object_id, permissions, period, .. } = *before;
    let rows = Write::default()
        .answering(statement)
        .and(feed::grant_changed(service_id, object_type, object_id, cx.now))
        .deed(deed(
            by,
            action,
            (service_id, object_type, object_id),
            Some((permissions, period)),
            after.map(|after| (after, period)),
        ))
        .commit(cx)
        .await?;
    // Another request deleted the grant in between.
    if rows.is_empty() { Err(Error::not_found("grant", id)) } else { Ok(()) }
}

fn deed(
    by: &Caller,
    action: &'static str,
    (service_id, object_type, object_id): (i64, ObjectType, i64),
    before: Option<(Permissions, Period)>,
    after: Option<(Permissions, Period)>,
) -> Deed {
    let kept = |(permissions, period)| grant::for_audit(permissions, period);
    by.deed(action, format!("{service_id}/{}/{object_id}", object_type.name()))
        .before(before.map(kept))
        .after(after.map(kept))
}

#[must_use]
pub fn noun(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::User => "user",
        ObjectType::Dept => "department",
        ObjectType::Group => "group",
    }
}

/// Finds a grant, for callers who may grant on its service.
pub async fn find_named(cx: &Cx, by: &Caller, id: i64) -> Result<NamedGrant> {
    let found = grants::find_named(cx, id).await?.ok_or_else(|| Error::not_found("grant", id))?;
    permissions::require(cx, by, found.0.service_id, Permission::Grant).await?;
    Ok(found)
}

/// Finds the grant on a service to a user, department or group, for callers who may grant on the
/// service.
pub async fn find_to(
    cx: &Cx,
    by: &Caller,
    service_id: i64,
    object_type: ObjectType,
    object_id: i64,
) -> Result<Option<Grant>> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    grants::find_to(cx, service_id, object_type, object_id).await
}

/// Lists the grants on a service by ascending id, for callers who may grant on it.
pub async fn list_of_service(
    cx: &Cx,
    by: &Caller,
    service_id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<NamedGrant>> {
    permissions::require(cx, by, service_id, Permission::Grant).await?;
    if cx.config.strict_directory && services::find(cx, service_id).await?.is_none() {
        return Err(Error::not_found("service", service_id));
    }
    grants::list_of_service(cx, service_id, after_id, limit).await
}

/// Lists the grants that apply to a user, by ascending id: their own, and those of their
/// departments and groups.
pub async fn list_of_user(
    cx: &Cx,
    by: &Caller,
    user_id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<NamedGrant>> {
    grants::list_of_user(cx, &member(cx, by, user_id).await?, after_id, limit).await
}

/// Lists the departments and groups whose grants apply to a user.
pub async fn list_reached(
    cx: &Cx,
    by: &Caller,
    user_id: i64,
    after: Option<(UnitKind, i64)>,
    limit: i64,
) -> Result<Vec<Reached>> {
    reach::list(cx, &member(cx, by, user_id).await?, after, limit).await
}

/// Finds a user, if the caller may know what they may do. Administrators may know this of
/// everybody, users of themselves. The groups of the caller's token apply to the caller only.
async fn member<'c>(cx: &Cx, by: &'c Caller, user_id: i64) -> Result<Member<'c>> {
    let is_own = by.own_id().map(|id| id.0) == Some(user_id);
    if !is_own && !by.is_administrator() {
        return Err(Refusal::NotYourself.into());
    }
    if cx.config.strict_directory
        && !is_own
        && !units::exists(cx, ObjectType::User, user_id).await?
    {
        return Err(Error::not_found("user", user_id));
    }
    Ok(Member { user_id, token_groups: if is_own { by.groups() } else { &[] } })
}
