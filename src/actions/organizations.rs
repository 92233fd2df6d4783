//! Manages organizations, for administrators.

use serde_json::{Value, json};

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::applications::application::{Organization, OrganizationId};
use crate::domain::text;
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::organizations;

pub async fn create(
    cx: &Cx,
    by: &Caller,
    id: &OrganizationId,
    name: Option<&str>,
) -> Result<Organization> {
    text::can_be_in_a_path(id.as_str()).map_err(|why| Error::invalid("id", why))?;
    let deed = by.deed("organization.create", id.as_str()).after(kept(name));
    let already = || Error::AlreadyExists { what: "organization", id: id.as_str().to_owned() };
    Write::of(organizations::insert(id, name, cx.now))
        .deed(deed)
        .commit_unless(cx, &[Constraint::OrganizationId], already)
        .await?;
    find(cx, id.as_str()).await
}

pub async fn find(cx: &Cx, id: &str) -> Result<Organization> {
    organizations::find(cx, id).await?.ok_or_else(|| Error::not_found("organization", id))
}

/// Lists organizations by ascending id. If names must begin with a text, lists them by name.
pub async fn list(
    cx: &Cx,
    beginning: Option<&str>,
    after_id: &str,
    limit: i64,
) -> Result<Vec<Organization>> {
    organizations::list(cx, beginning, after_id, limit).await
}

pub async fn update(
    cx: &Cx,
    by: &Caller,
    id: &str,
    change: impl FnOnce(&mut Option<String>),
) -> Result<Organization> {
    let Organization { id, name: before, .. } = find(cx, id).await?;
    let mut name = before.clone();
    change(&mut name);
    let deed = by
        .deed("organization.update", id.as_str())
        .before(kept(before.as_deref()))
        .after(kept(name.as_deref()));
    Write::of(organizations::update(&id, name.as_deref(), cx.now)).deed(deed).commit(cx).await?;
    find(cx, id.as_str()).await
}

/// Deletes an organization. It must not have applications.
pub async fn delete(cx: &Cx, by: &Caller, id: &str) -> Result<()> {
    let Organization { id, name, .. } = find(cx, id).await?;
    let deed = by.deed("organization.delete", id.as_str()).before(kept(name.as_deref()));
    Write::of(organizations::delete(&id)).deed(deed).commit(cx).await.map(drop)
}

/// What the audit trail keeps.
fn kept(name: Option<&str>) -> Value {
    json!({ "name": name })
}
