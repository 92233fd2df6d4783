//! Checks the permissions on services. A cold check reads D1 in one round trip; a warm one reads
//! nothing.

use std::collections::BTreeSet;

use crate::actions::caller::Caller;
use crate::actions::user_names::{self, Named};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::permissions::permission::{
    Pair, Permission, Permissions, ServiceGroup, Standing,
};
use crate::error::{Error, Refusal, Result};
use crate::memory::known::Known;

/// Whether a user has a permission on a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    pub service_id: i64,
    pub user_id: i64,
    pub permission: Permission,
}

/// A question that may name the user by user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub service_id: i64,
    pub user: Named,
    pub permission: Permission,
}

/// No user has this id, because user ids begin at 1.
const NOBODY: i64 = 0;

/// Answers questions like [`check_all`]. User names are looked up only for callers who may ask
/// about these users; other callers are not told whether a user of that name exists.
pub async fn check_named(
    cx: &Cx,
    caller: &Caller,
    asked: &[Asked],
) -> Result<Vec<(Question, bool)>> {
    let is_own = |user: &Named| caller.limited_by().is_some_and(|own| user.is(own));
    let about_others = asked.iter().filter(|asked| !is_own(&asked.user));
    refuse_stranger(cx, caller, about_others.map(|asked| asked.service_id)).await?;
    let ids = user_names::ids(cx, asked.iter().map(|asked| &asked.user)).await?;
    let question = |(asked, id): (&Asked, &Option<i64>)| Question {
        service_id: asked.service_id,
        user_id: id.unwrap_or(NOBODY),
        permission: asked.permission,
    };
    let questions: Vec<_> = asked.iter().zip(&ids).map(question).collect();
    let answers = check_all(cx, caller, &questions).await;
    let unknown = asked.iter().zip(&ids).find_map(|(asked, id)| match &asked.user {
        Named::Username(name) if id.is_none() => Some(name),
        _ => None,
    });
    match (answers, unknown) {
        (Ok(_) | Err(Error::NotFound { what: "user", .. }), Some(name)) => {
            Err(Error::not_found("user", name))
        }
        (answers, _) => Ok(questions.into_iter().zip(answers?).collect()),
    }
}

/// Answers one question. A caller who is not an administrator may ask about themselves, and with
/// GRANT on the service about others.
pub async fn check(cx: &Cx, caller: &Caller, question: Question) -> Result<bool> {
    let answers = check_all(cx, caller, &[question]).await?;
    answers.first().copied().ok_or_else(|| Error::internal("a question has no answer"))
}

/// Answers questions in their order. If the caller may not ask one of them, none is answered.
pub async fn check_all(cx: &Cx, caller: &Caller, questions: &[Question]) -> Result<Vec<bool>> {
    let own_id = caller.own_id().map(|id| id.0);
    let about_others = questions.iter().filter(|question| Some(question.user_id) != own_id);
    refuse_stranger(cx, caller, about_others.map(|question| question.service_id)).await?;
    let pair =
        |question: &Question| Pair { service_id: question.service_id, user_id: question.user_id };
    let subjects = standings(cx, caller, &questions.iter().map(pair).collect::<Vec<_>>()).await?;
    for (question, standing) in questions.iter().zip(&subjects) {
        refuse_unknown(cx, question.service_id, *standing)?;
        if standing.user.is_none() && cx.config.strict_directory {
            return Err(Error::not_found("user", question.user_id));
        }
    }
    Ok(questions
        .iter()
        .zip(&subjects)
        .map(|(question, standing)| standing.allows(question.permission))
        .collect())
}

/// Refuses a caller who asks about other users on services where the caller lacks GRANT. Reads only
/// the caller's own permissions.
async fn refuse_stranger(
    cx: &Cx,
    caller: &Caller,
    services: impl Iterator<Item = i64>,
) -> Result<()> {
    if caller.asks_about_everybody() {
        return Ok(());
    }
    // In the order of the questions, so that the refusal names the first service.
    let services: Vec<_> = services.collect();
    if services.is_empty() {
        return Ok(());
    }
    let needs = Some(May::Decisions);
    let user_id = caller.own_id().ok_or(Refusal::KeyMayNot { needs })?.0;
    let pairs: Vec<_> =
        services.into_iter().map(|service_id| Pair { service_id, user_id }).collect();
    for (pair, standing) in pairs.iter().zip(standings(cx, caller, &pairs).await?) {
        if !standing.allows(Permission::Grant) {
            return Err(no_permission(Permission::Grant, pair.service_id));
        }
    }
    Ok(())
}

/// A service's switch, and a user's permissions on the service. If the switch is off, they include
/// VIEW. `as_administrator` returns all permissions if the caller is an administrator. The same
/// callers may ask as in [`check`].
pub async fn effective(
    cx: &Cx,
    caller: &Caller,
    service_id: i64,
    user_id: i64,
    as_administrator: bool,
) -> Result<(bool, Permissions)> {
    check(cx, caller, Question { service_id, user_id, permission: Permission::View }).await?;
    let standing = standing(cx, caller, Pair { service_id, user_id }).await?;
    if as_administrator && caller.is_administrator() {
        return Ok((standing.switch, Permissions::ALL));
    }
    let is_disabled = standing.user.is_some_and(|user| !user.enabled);
    let granted = standing.permissions();
    let permissions =
        if standing.switch || is_disabled { granted } else { granted.with(Permission::View) };
    Ok((standing.switch, permissions))
}

/// A service's switch. The switch of a service that is not registered is on.
pub async fn switch(cx: &Cx, caller: &Caller, service_id: i64) -> Result<bool> {
    // The switch is the same for all users. 0 is no user.
    let user_id = caller.own_id().map_or(0, |id| id.0);
    let standing = standing(cx, caller, Pair { service_id, user_id }).await?;
    refuse_unknown(cx, service_id, standing)?;
    Ok(standing.switch)
}

/// Refuses a caller who neither has the permission by a grant nor is an administrator. It does not
/// matter whether the switch is off.
pub async fn require(
    cx: &Cx,
    caller: &Caller,
    service_id: i64,
    permission: Permission,
) -> Result<()> {
    if caller.is_administrator() {
        return Ok(());
    }
    let user_id = own_id(caller)?;
    let standing = standing(cx, caller, Pair { service_id, user_id }).await?;
    if standing.permissions().has(permission) {
        Ok(())
    } else {
        Err(no_permission(permission, service_id))
    }
}

/// Refuses a caller who may not view one of the services. If a service's switch is off, everybody
/// may view it.
pub async fn require_view(cx: &Cx, caller: &Caller, service_ids: &[i64]) -> Result<()> {
    if caller.is_administrator() {
        return Ok(());
    }
    let user_id = own_id(caller)?;
    let pairs: Vec<_> =
        service_ids.iter().map(|&service_id| Pair { service_id, user_id }).collect();
    for (pair, standing) in pairs.iter().zip(standings(cx, caller, &pairs).await?) {
        if !standing.allows(Permission::View) {
            return Err(no_permission(Permission::View, pair.service_id));
        }
    }
    Ok(())
}

/// The id of the user whose grants apply to the caller. A key that speaks for itself has none.
fn own_id(caller: &Caller) -> Result<i64> {
    let needs = Some(May::Administration);
    caller.own_id().map(|id| id.0).ok_or_else(|| Refusal::KeyMayNot { needs }.into())
}

fn no_permission(permission: Permission, service_id: i64) -> Error {
    Refusal::NoPermission { permission, service_id }.into()
}

fn refuse_unknown(cx: &Cx, service_id: i64, standing: Standing) -> Result<()> {
    if cx.config.strict_directory && !standing.service_exists {
        return Err(Error::not_found("service", service_id));
    }
    Ok(())
}

async fn standing(cx: &Cx, caller: &Caller, pair: Pair) -> Result<Standing> {
    standings(cx, caller, &[pair])
        .await?
        .first()
        .copied()
        .ok_or_else(|| Error::internal("a standing is missing"))
}

/// The standing of each pair. The groups of the caller's token apply to the caller.
pub(super) async fn standings(cx: &Cx, caller: &Caller, pairs: &[Pair]) -> Result<Vec<Standing>> {
    standings_with(cx, caller.own_id().map(|id| id.0), caller.groups(), pairs).await
}

/// Like [`standings`], for the user of that id with these groups in addition to the stored ones.
async fn standings_with(
    cx: &Cx,
    own_id: Option<i64>,
    groups: &[i64],
    pairs: &[Pair],
) -> Result<Vec<Standing>> {
    let mut standings = Known::standings(cx, pairs).await?;
    let is_own = |pair: &Pair| Some(pair.user_id) == own_id;
    if groups.is_empty() || !pairs.iter().any(is_own) {
        return Ok(standings);
    }
    let services: BTreeSet<i64> =
        pairs.iter().filter(|pair| is_own(pair)).map(|pair| pair.service_id).collect();
    let of =
        |service_id: i64| groups.iter().map(move |&group_id| ServiceGroup { service_id, group_id });
    let asked: Vec<_> = services.into_iter().flat_map(of).collect();
    let granted = Known::of_groups(cx, &asked).await?;
    for (standing, pair) in standings.iter_mut().zip(pairs).filter(|(_, pair)| is_own(pair)) {
        let of_service =
            asked.iter().zip(&granted).filter(|(of, _)| of.service_id == pair.service_id);
        standing.granted =
            of_service.fold(standing.granted, |union, (_, permissions)| union.union(*permissions));
    }
    Ok(standings)
}
