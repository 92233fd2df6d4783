//! Organizations, as administrators manage them.

use serde_json::{Value, json};

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::applications::application::{Organization, OrganizationId};
use crate::domain::audit::{Actor, Deed};
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::organizations;

/// Registers an organization.
pub async fn create(cx: &Cx, by: &Caller, id: &OrganizationId, name: Option<&str>) -> Result<Organization> {
    let deed = deed(by, "organization.create", id, None, Some(kept(name)));
    let taken =
        |text: &str| organizations::is_double(text).then(|| Error::AlreadyExists { what: "organization", id: id.as_str().to_owned() });
    Write::of(organizations::insert(id, name, cx.now)).deed(deed).commit(cx, taken).await?;
    find(cx, id.as_str()).await
}

/// One organization.
pub async fn find(cx: &Cx, id: &str) -> Result<Organization> {
    organizations::find(cx, id).await?.ok_or_else(|| Error::not_found("organization", id))
}

/// Organizations by ascending id.
pub async fn list(cx: &Cx, after_id: &str, limit: i64) -> Result<Vec<Organization>> {
    organizations::list(cx, after_id, limit).await
}

/// Changes an organization's name.
pub async fn update(cx: &Cx, by: &Caller, id: &str, change: impl FnOnce(&mut Option<String>)) -> Result<Organization> {
    let Organization { id, name: before, .. } = find(cx, id).await?;
    let mut name = before.clone();
    change(&mut name);
    let deed = deed(by, "organization.update", &id, Some(kept(before.as_deref())), Some(kept(name.as_deref())));
    Write::of(organizations::update(&id, name.as_deref(), cx.now)).deed(deed).commit(cx, |_| None).await?;
    find(cx, id.as_str()).await
}

/// Deletes an organization that has no applications.
pub async fn delete(cx: &Cx, by: &Caller, id: &str) -> Result<()> {
    let Organization { id, name, .. } = find(cx, id).await?;
    let deed = deed(by, "organization.delete", &id, Some(kept(name.as_deref())), None);
    Write::of(organizations::delete(&id)).deed(deed).commit(cx, organizations::refused).await.map(drop)
}

fn deed(by: &Caller, action: &'static str, id: &OrganizationId, before: Option<Value>, after: Option<Value>) -> Deed {
    Deed { actor: Actor::from(&*by.user), action, target: id.as_str().to_owned(), before, after }
}

/// What the audit trail keeps.
fn kept(name: Option<&str>) -> Value {
    json!({ "name": name })
}
