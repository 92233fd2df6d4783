//! Manages the names of services and of actions, for administrators.

use serde_json::{Map, Value, json};

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::permissions::names::{self as rules, Actions, ResourceName, ResourceType};
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Result};
use crate::memory::known::{AskedNames, Known};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::{feed, names, services};

/// The service of a name, from memory if memory knows it.
pub async fn service(cx: &Cx, name: &ResourceName) -> Result<Option<i64>> {
    let asked = AskedNames { resources: vec![name.clone()], ..AskedNames::default() };
    let known = Known::names(cx, &asked).await?;
    Ok(known.services.first().and_then(|(_, service_id)| *service_id))
}

/// The service of a name, read from D1 now.
pub async fn find(cx: &Cx, name: &ResourceName) -> Result<i64> {
    names::find(cx, name).await?.ok_or_else(|| not_found(name))
}

fn not_found(name: &ResourceName) -> Error {
    Error::not_found("resource", format!("{}:{}", name.of.as_str(), name.id))
}

/// Lists the names of a type by ascending id, with their services.
pub async fn list(
    cx: &Cx,
    of: &ResourceType,
    after_id: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>> {
    names::list(cx, of, after_id, limit).await
}

/// Gives a service a name. If the directory is strict, the service must exist.
pub async fn put(cx: &Cx, by: &Caller, name: &ResourceName, service_id: i64) -> Result<()> {
    if cx.config.strict_directory && services::find(cx, service_id).await?.is_none() {
        return Err(Error::not_found("service", service_id));
    }
    let before = names::find(cx, name).await?;
    let deed = deed(by, "resource_name.put", name)
        .before(before.map(for_audit))
        .after(for_audit(service_id));
    let has_name = || Constraint::ServiceIsNamed.error();
    let write =
        Write::of(names::put(name, service_id)).and(feed::name_changed(name, cx.now)).deed(deed);
    write.commit_unless(cx, &[Constraint::ServiceIsNamed], has_name).await.map(drop)
}

pub async fn delete(cx: &Cx, by: &Caller, name: &ResourceName) -> Result<()> {
    let before = find(cx, name).await?;
    let deed = deed(by, "resource_name.delete", name).before(for_audit(before));
    Write::of(names::delete(name))
        .and(feed::name_changed(name, cx.now))
        .deed(deed)
        .commit(cx)
        .await
        .map(drop)
}

fn deed(by: &Caller, action: &'static str, name: &ResourceName) -> crate::domain::audit::Deed {
    by.deed(action, format!("{}:{}", name.of.as_str(), name.id))
}

fn for_audit(service_id: i64) -> Value {
    json!({ "service": service_id })
}

/// The action names of a type. A type that has none exists if some resource name is of this type.
pub async fn actions(cx: &Cx, of: &ResourceType) -> Result<Actions> {
    let (actions, is_used) = names::find_actions(cx, of).await?;
    if actions.is_empty() && !is_used {
        Err(Error::not_found("resource type", of.as_str()))
    } else {
        Ok(actions)
    }
}

/// Replaces the action names of a type.
pub async fn set_actions(
    cx: &Cx,
    by: &Caller,
    of: &ResourceType,
    actions: &[(String, Permission)],
) -> Result<()> {
    if actions.len() > rules::MAX_ACTIONS {
        return Err(Error::invalid(
            "actions",
            format!("must have at most {} names", rules::MAX_ACTIONS),
        ));
    }
    let (before, _) = names::find_actions(cx, of).await?;
    let shown = |actions: &[(String, Permission)]| {
        Value::Object(
            actions
                .iter()
                .map(|(name, permission)| (name.clone(), json!(permission.name())))
                .collect::<Map<_, _>>(),
        )
    };
    let deed =
        by.deed("resource_type.put", of.as_str()).before(json!({ "actions": shown(&before) }));
    let deed = deed.after(json!({ "actions": shown(actions) }));
    let write = Write::default()
        .and_all(names::replace_actions(of, actions))
        .and(feed::actions_changed(of, cx.now));
    write.deed(deed).commit(cx).await.map(drop)
}
