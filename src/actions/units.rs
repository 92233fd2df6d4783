//! Manages departments, groups and their members, for administrators.

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::domain::permissions::directory::{Unit, UnitKind};
use crate::domain::permissions::permission::ObjectType;
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::ids::NewId;
use crate::store::{feed, grants, units};

/// Creates a department or group. If `id` is `None`, an id is chosen.
pub async fn create(
    cx: &Cx,
    by: &Caller,
    kind: UnitKind,
    id: Option<i64>,
    name: Option<&str>,
    parent_id: Option<i64>,
) -> Result<Unit> {
    refuse_unknown_parent(cx, parent_id).await?;
    let unit = Unit {
        kind,
        id: id.unwrap_or(0),
        name: name.map(str::to_owned),
        parent_id,
        created_at: cx.now,
    };
    let deed =
        deed(by, kind, ["department.create", "group.create"], String::new(), None, Some(&unit));
    let already = || Error::AlreadyExists { what: kind.noun(), id: id.unwrap_or(0).to_string() };
    let rows = Write::with_id(cx, units::id_kind(kind), id)
        .answering(units::insert(kind, id, name, parent_id, cx.now))
        .and(units::refuse_circle(&[id.unwrap_or(0)]))
        .and(feed::directory_changed(cx.now))
        .deed_of_new(deed, NewId::of(units::id_kind(kind), id))
        .commit_unless(cx, &[Constraint::UnitId], already)
        .await?;
    find(
        cx,
        kind,
        rows.first()
            .ok_or_else(|| Error::internal("a unit was created without an id"))?
            .int64("id")?,
    )
    .await
}

pub async fn find(cx: &Cx, kind: UnitKind, id: i64) -> Result<Unit> {
    units::find(cx, kind, id).await?.ok_or_else(|| Error::not_found(kind.noun(), id))
}

/// Lists departments or groups by ascending id. If names must begin with a text, lists them by
/// name.
pub async fn list(
    cx: &Cx,
    kind: UnitKind,
    beginning: Option<&str>,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Unit>> {
    units::list(cx, kind, beginning, after_id, limit).await
}

/// Changes a department or group. A department cannot be moved below itself.
pub async fn update(
    cx: &Cx,
    by: &Caller,
    kind: UnitKind,
    id: i64,
    change: impl FnOnce(&mut Unit),
) -> Result<Unit> {
    let before = find(cx, kind, id).await?;
    let mut after = before.clone();
    change(&mut after);
    refuse_unknown_parent(cx, after.parent_id).await?;
    let deed = deed(
        by,
        kind,
        ["department.update", "group.update"],
        id.to_string(),
        Some(&before),
        Some(&after),
    );
    Write::of(units::update(&before, &after))
        .and(units::refuse_circle(&[id]))
        .and(feed::directory_changed(cx.now))
        .deed(deed)
        .commit(cx)
        .await?;
    find(cx, kind, id).await
}

/// Deletes a department or group with its memberships and the grants to it. A department that has
/// others below it is not deleted.
pub async fn delete(cx: &Cx, by: &Caller, kind: UnitKind, id: i64) -> Result<()> {
    let before = find(cx, kind, id).await?;
    let deed =
        deed(by, kind, ["department.delete", "group.delete"], id.to_string(), Some(&before), None);
    let mut write = Write::of(units::delete(kind, id));
    if kind == UnitKind::Department {
        write = write.and(units::refuse_orphans(id));
    }
    write
        .and(units::delete_members(kind, id))
        .and(grants::delete_of_object(kind.object_type(), id))
        .and(feed::directory_changed(cx.now))
        .deed(deed)
        .commit(cx)
        .await
        .map(drop)
}

/// Lists the members of a department or group, by ascending user id.
pub async fn list_members(
    cx: &Cx,
    kind: UnitKind,
    id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<i64>> {
    refuse_unknown(cx, kind, id).await?;
    units::list_members(cx, kind, id, after_id, limit).await
}

/// Adds or removes a member. Repeating it changes nothing.
pub async fn set_member(
    cx: &Cx,
    by: &Caller,
    kind: UnitKind,
    id: i64,
    user_id: i64,
    is_member: bool,
) -> Result<()> {
    refuse_unknown(cx, kind, id).await?;
    if cx.config.strict_directory
        && is_member
        && !units::exists(cx, ObjectType::User, user_id).await?
    {
        return Err(Error::not_found("user", user_id));
    }
    let (statement, names) = if is_member {
        (units::insert_member(kind, id, user_id), ["department.add_member", "group.add_member"])
    } else {
        (
            units::delete_member(kind, id, user_id),
            ["department.remove_member", "group.remove_member"],
        )
    };
    let deed = deed(by, kind, names, format!("{id}/{user_id}"), None, None);
    Write::of(statement)
        .and(feed::membership_changed(user_id, cx.now))
        .deed(deed)
        .commit(cx)
        .await
        .map(drop)
}

/// In a strict directory, a department or group must be registered before it has members.
async fn refuse_unknown(cx: &Cx, kind: UnitKind, id: i64) -> Result<()> {
    if cx.config.strict_directory { find(cx, kind, id).await.map(drop) } else { Ok(()) }
}

/// The parent department must be registered even if the directory is not strict, because this is
/// where it would be placed.
async fn refuse_unknown_parent(cx: &Cx, parent_id: Option<i64>) -> Result<()> {
    let Some(parent_id) = parent_id else { return Ok(()) };
    let parent = units::find(cx, UnitKind::Department, parent_id).await?;
    parent.map(drop).ok_or_else(|| Error::invalid("parentId", "must be the id of a department"))
}

/// `names` are the action's names for a department and for a group.
fn deed(
    by: &Caller,
    kind: UnitKind,
    names: [&'static str; 2],
    target: String,
    before: Option<&Unit>,
    after: Option<&Unit>,
) -> Deed {
    let [department, group] = names;
    by.deed(if kind == UnitKind::Department { department } else { group }, target)
        .before(before.map(Unit::for_audit))
        .after(after.map(Unit::for_audit))
}
