//! Searches for subjects, resources and actions. A result is in the list if an evaluation of it
//! answers yes. Users and services are read from D1 now, one page at a time.

use std::collections::BTreeSet;

use crate::actions::caller::Caller;
use crate::actions::decisions::{self, Asked, Asking, Resource, Subject, candidates};
use crate::context::Cx;
use crate::domain::permissions::names::{self, ResourceName, ResourceType};
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Refusal, Result};
use crate::store::reach::Member;
use crate::store::searches;
pub use crate::store::searches::Page;

/// One page of results. Each has the key after which the next page begins.
pub type Found = Vec<(i64, String)>;

/// How the subjects in the results are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    Usernames,
    UserIds,
}

/// The kind of the resources in the results.
#[derive(Debug, Clone)]
pub enum ResourceKind {
    Services,
    /// Services, by their names of this type.
    Named(ResourceType),
}

/// Finds the subjects who may do something with a resource. `kind` is `None` if the type of subject
/// is unknown.
pub async fn subjects(
    cx: &Cx,
    caller: &Caller,
    kind: Option<SubjectKind>,
    asked: &Asked<'_>,
    page: Page,
) -> Result<Found> {
    // A caller with GRANT on a service may ask about users whom they name. They may not list them:
    // a list would have all administrators, and everybody if the switch is off.
    if !caller.asks_about_everybody() {
        return Err(Refusal::NotYourself.into());
    }
    let own = caller.own_id().map_or(Subject::Nobody, |id| Subject::UserId(id.0));
    let asking = Asking::new(cx, caller, &[Asked { subject: own, ..asked.clone() }]).await?;
    let permission = names::meaning(&asking.actions(&asked.resource), &asked.action);
    let (Some(kind), Some(service_id), Some(permission)) =
        (kind, asking.service_id(&asked.resource), permission)
    else {
        return Ok(Found::new());
    };
    if cx.config.strict_directory && crate::store::services::find(cx, service_id).await?.is_none() {
        return Ok(Found::new());
    }
    // The groups of the caller's token apply to the caller.
    let also = asking.own_id().filter(|own_id| {
        let standing = asking.standing(service_id, *own_id);
        !caller.groups().is_empty() && standing.is_some_and(|standing| standing.allows(permission))
    });
    let strangers = kind == SubjectKind::UserIds && !cx.config.strict_directory;
    let users = searches::users(cx, (service_id, permission), also, strangers, page).await?;
    let result = |(id, username): (i64, Option<String>)| match kind {
        SubjectKind::Usernames => username.map(|username| (id, username)),
        SubjectKind::UserIds => Some((id, id.to_string())),
    };
    Ok(users.into_iter().filter_map(result).collect())
}

/// Finds the resources with which a subject may do something.
pub async fn resources(
    cx: &Cx,
    caller: &Caller,
    subject: &Subject,
    action: &str,
    kind: Option<&ResourceKind>,
    page: Page,
) -> Result<Found> {
    // The action names of a type are read together with a resource name. That name need not exist.
    let resource = match kind {
        Some(ResourceKind::Named(of)) => {
            ResourceName::new(of, "-").map(Resource::Named).map_err(Error::internal)?
        }
        _ => Resource::Nothing,
    };
    let asked = Asked {
        subject: subject.clone(),
        action: action.to_owned(),
        resource,
        about: String::new(),
    };
    let asking = Asking::new(cx, caller, std::slice::from_ref(&asked)).await?;
    let user_id = asking.user_id(subject);
    asking.refuse_stranger(user_id, &Resource::Nothing)?;
    let permission: Option<Permission> = names::meaning(&asking.actions(&asked.resource), action);
    let (Some(kind), Some(user_id), Some(permission)) = (kind, user_id, permission) else {
        return Ok(Found::new());
    };
    if cx.config.strict_directory && !asking.is_user(subject) {
        return Ok(Found::new());
    }
    let token_groups = if asking.own_id() == Some(user_id) { caller.groups() } else { &[] };
    let of = match kind {
        ResourceKind::Services => None,
        ResourceKind::Named(of) => Some(of),
    };
    let services =
        searches::services(cx, &Member { user_id, token_groups }, permission, of, page).await?;
    Ok(services
        .into_iter()
        .map(|(id, name)| (id, name.unwrap_or_else(|| id.to_string())))
        .collect())
}

/// Finds the actions that a subject may do with a resource, in ascending order. `resource` makes
/// the resource for an action.
pub async fn actions<'r>(
    cx: &Cx,
    caller: &Caller,
    subject: &Subject,
    about: &str,
    resource: impl Fn(&str) -> Result<Resource<'r>>,
) -> Result<Vec<String>> {
    let one = |action: &str| {
        let (subject, about) = (subject.clone(), about.to_owned());
        Ok(Asked { subject, action: action.to_owned(), resource: resource(action)?, about })
    };
    let first = one("GET")?;
    let asking = Asking::new(cx, caller, std::slice::from_ref(&first)).await?;
    asking.refuse_stranger(asking.user_id(subject), &first.resource)?;
    let names: BTreeSet<_> = candidates(&asking, &first.resource).into_iter().collect();
    let asked = names.iter().map(|name| one(name)).collect::<Result<Vec<_>>>()?;
    let mut found = Vec::new();
    for (name, answer) in names.into_iter().zip(decisions::evaluate(cx, caller, &asked).await?) {
        if answer?.allowed {
            found.push(name);
        }
    }
    Ok(found)
}
