//! Manages services and their APIs, for administrators. The creator of a service gets all
//! permissions on it.

use serde_json::json;

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::permissions::directory::{Api, Service};
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::ids::{IdKind, NewId};
use crate::store::{feed, grants, names, services};

/// Creates a service, and grants all permissions on it to the creator. If `id` is `None`, an id is
/// chosen.
pub async fn create(
    cx: &Cx,
    by: &Caller,
    id: Option<i64>,
    name: Option<&str>,
    auth_enabled: bool,
) -> Result<Service> {
    let deed =
        by.deed("service.create", "").after(json!({ "name": name, "authEnabled": auth_enabled }));
    let already = || Error::AlreadyExists {
        what: "service",
        id: id.map(|id| id.to_string()).unwrap_or_default(),
    };
    // A key that speaks for no user creates no creator's grant.
    let creator_id = by.own_id().map(|id| id.0);
    let mut write = Write::with_id(cx, IdKind::Service, id);
    if let Some(creator_id) = creator_id {
        write = write.and(services::insert_creator_grant(creator_id, id, cx.now));
    }
    let rows = write
        .answering(services::insert(id, name, auth_enabled, creator_id, cx.now))
        .and(feed::directory_changed(cx.now))
        .deed_of_new(deed, NewId::of(IdKind::Service, id))
        .commit_unless(cx, &[Constraint::ServiceId, Constraint::Grant], already)
        .await?;
    find(
        cx,
        rows.first()
            .ok_or_else(|| Error::internal("a service was created without an id"))?
            .int64("id")?,
    )
    .await
}

pub async fn find(cx: &Cx, id: i64) -> Result<Service> {
    services::find(cx, id).await?.ok_or_else(|| Error::not_found("service", id))
}

/// Lists services by ascending id. If names must begin with a text, lists them by name.
pub async fn list(
    cx: &Cx,
    beginning: Option<&str>,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Service>> {
    services::list(cx, beginning, after_id, limit).await
}

pub async fn update(
    cx: &Cx,
    by: &Caller,
    id: i64,
    change: impl FnOnce(&mut Service),
) -> Result<Service> {
    let before = find(cx, id).await?;
    let mut after = before.clone();
    change(&mut after);
    let deed = by
        .deed("service.update", id.to_string())
        .before(before.for_audit())
        .after(after.for_audit());
    Write::of(services::update(&before, &after, cx.now))
        .and(feed::service_changed(id, cx.now))
        .deed(deed)
        .commit(cx)
        .await?;
    find(cx, id).await
}

/// Deletes a service with its APIs and all grants on it.
pub async fn delete(cx: &Cx, by: &Caller, id: i64) -> Result<()> {
    let before = find(cx, id).await?;
    let deed = by.deed("service.delete", id.to_string()).before(before.for_audit());
    let write = Write::of(names::note_loss(id, cx.now))
        .and(services::delete(id))
        .and(services::delete_apis(id))
        .and(grants::delete_of_service(id));
    write.and(feed::service_changed(id, cx.now)).deed(deed).commit(cx).await.map(drop)
}

/// Lists the APIs of a service by ascending id.
pub async fn list_apis(
    cx: &Cx,
    service_id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Api>> {
    find(cx, service_id).await?;
    services::list_apis(cx, service_id, after_id, limit).await
}

pub async fn put_api(
    cx: &Cx,
    by: &Caller,
    service_id: i64,
    id: i64,
    name: Option<&str>,
    auth_enabled: bool,
) -> Result<Api> {
    find(cx, service_id).await?;
    let before = services::find_api(cx, service_id, id).await?;
    let deed = by
        .deed("api.put", format!("{service_id}/{id}"))
        .before(before.map(|api| json!({ "name": api.name, "authEnabled": api.auth_enabled })))
        .after(json!({ "name": name, "authEnabled": auth_enabled }));
    Write::of(services::put_api(service_id, id, name, auth_enabled, cx.now))
        .deed(deed)
        .commit(cx)
        .await?;
    services::find_api(cx, service_id, id).await?.ok_or_else(|| Error::not_found("api", id))
}

pub async fn delete_api(cx: &Cx, by: &Caller, service_id: i64, id: i64) -> Result<()> {
    let before =
        services::find_api(cx, service_id, id).await?.ok_or_else(|| Error::not_found("api", id))?;
    let deed = by
        .deed("api.delete", format!("{service_id}/{id}"))
        .before(json!({ "name": before.name, "authEnabled": before.auth_enabled }));
    Write::of(services::delete_api(service_id, id)).deed(deed).commit(cx).await.map(drop)
}
