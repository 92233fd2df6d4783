//! Manages groups and their members, for identity providers (SCIM).

use serde_json::{Value, json};

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::domain::identity::provisioned::{KnownGroup, MAX_EXTERNAL_ID, MemberChange};
use crate::domain::permissions::directory::{MAX_NAME, UnitKind};
use crate::domain::permissions::permission::ObjectType;
use crate::domain::text;
use crate::error::{Error, Refusal, Result};
use crate::memory::write::Write;
use crate::ports::LocalFuture;
use crate::store::ids::{IdKind, NewId};
pub use crate::store::provisioned_groups::Condition;
use crate::store::{feed, grants, provisioned_groups, units};

/// The number of memberships that are read at once, and about the largest number in one list.
const MEMBERS_AT_ONCE: i64 = 20_000;

/// What a provider says of a group.
#[derive(Debug)]
pub struct Draft {
    /// The provider's own id. It is case-sensitive.
    pub external_id: Option<String>,
    pub name: String,
    /// The members to add and to remove.
    pub members: MemberChange,
}

#[derive(Debug)]
pub struct Page {
    /// Each group with its members, if they were asked for.
    pub groups: Vec<(KnownGroup, Vec<i64>)>,
    /// The number of groups on all pages.
    pub total: i64,
}

/// A page of groups. Without a selective condition, it lists the provisioned groups. With members,
/// the page ends early if there are too many for one answer, but it has at least one group.
pub async fn list(
    cx: &Cx,
    conditions: &[Condition],
    skip: i64,
    limit: i64,
    with_members: bool,
) -> Result<Page> {
    let (found, total) = if conditions.iter().any(Condition::is_selective) {
        let found = provisioned_groups::find_all(cx, conditions).await?;
        let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let (skip, limit) =
            (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
        (found.into_iter().skip(skip).take(limit).collect(), total)
    } else {
        let total = provisioned_groups::count(cx, conditions).await?;
        (provisioned_groups::list(cx, conditions, skip, limit, total).await?, total)
    };
    let groups =
        if with_members && !found.is_empty() { fill(cx, found).await? } else { bare(found) };
    Ok(Page { groups, total })
}

fn bare(groups: Vec<KnownGroup>) -> Vec<(KnownGroup, Vec<i64>)> {
    groups.into_iter().map(|group| (group, Vec::new())).collect()
}

async fn fill(cx: &Cx, groups: Vec<KnownGroup>) -> Result<Vec<(KnownGroup, Vec<i64>)>> {
    let ids: Vec<_> = groups.iter().map(|group| group.id).collect();
    let pairs = provisioned_groups::members_of(cx, &ids, MEMBERS_AT_ONCE).await?;
    let is_cut = i64::try_from(pairs.len()).is_ok_and(|read| read >= MEMBERS_AT_ONCE);
    let last_read = pairs.last().map(|(group, _)| *group);
    let mut filled = Vec::new();
    for group in groups {
        if is_cut && Some(group.id) == last_read {
            if filled.is_empty() {
                let members = members(cx, group.id).await?;
                filled.push((group, members));
            }
            break;
        }
        let members =
            pairs.iter().filter(|(of, _)| *of == group.id).map(|(_, user)| *user).collect();
        filled.push((group, members));
    }
    Ok(filled)
}

pub async fn find(cx: &Cx, id: i64) -> Result<KnownGroup> {
    provisioned_groups::find(cx, id).await?.ok_or_else(|| Error::not_found("group", id))
}

/// The members of a group, by ascending id.
pub async fn members(cx: &Cx, id: i64) -> Result<Vec<i64>> {
    let mut members = Vec::new();
    loop {
        let after = members.last().copied().unwrap_or(i64::MIN);
        let page = provisioned_groups::members_behind(cx, id, after, MEMBERS_AT_ONCE).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|read| read < MEMBERS_AT_ONCE);
        members.extend(page);
        if is_last {
            return Ok(members);
        }
    }
}

/// Creates a group. If `SCIM_ADOPT` is set, an existing group that provisioning did not create is
/// adopted.
pub async fn create(cx: &Cx, by: &Caller, draft: Draft) -> Result<KnownGroup> {
    check(&draft.name, draft.external_id.as_deref())?;
    let mut found =
        provisioned_groups::find_all(cx, &[Condition::Name(draft.name.clone())]).await?;
    let exact = found.iter().position(|known| known.name.as_deref() == Some(&draft.name));
    let is_one = exact.is_some() || found.len() == 1;
    let may_adopt =
        cx.config.scim_adopts && is_one && found.iter().all(|known| !known.is_provisioned);
    if !found.is_empty() && !may_adopt {
        let ids: Vec<_> = found.iter().map(|known| known.id.to_string()).collect();
        return Err(Error::Conflict {
            why: format!("a group of that name exists: {}", ids.join(" and ")),
        });
    }
    if !found.is_empty() {
        let known = found.swap_remove(exact.unwrap_or(0));
        return write(cx, by, &known, draft).await;
    }
    let (MemberChange::Some { add: members, .. } | MemberChange::All(members)) = &draft.members;
    let deed = by.deed("scim.group.create", "").after(for_audit(
        &draft.name,
        draft.external_id.as_deref(),
        &draft.members,
    ));
    let rows = Write::with_id(cx, IdKind::Group, None)
        .and(provisioned_groups::refuse_taken_name(&draft.name, None))
        .answering(units::insert(UnitKind::Group, None, Some(&draft.name), None, cx.now))
        .and(provisioned_groups::insert_of_new(draft.external_id.as_deref(), cx.now))
        .and_all(provisioned_groups::insert_members_of_new(members, cx.now))
        .deed_of_new(deed, NewId::of(IdKind::Group, None))
        .commit(cx)
        .await?;
    find(
        cx,
        rows.first()
            .ok_or_else(|| Error::internal("a group was created without an id"))?
            .int64("id")?,
    )
    .await
}

/// Changes a group and its members.
pub async fn update(
    cx: &Cx,
    by: &Caller,
    id: i64,
    change: &dyn Fn(&KnownGroup) -> Result<Draft>,
) -> Result<KnownGroup> {
    let known = find(cx, id).await?;
    may_change(cx, &known)?;
    let draft = change(&known)?;
    write(cx, by, &known, draft).await
}

/// Refuses a group that provisioning did not create.
fn may_change(cx: &Cx, known: &KnownGroup) -> Result<()> {
    if known.is_provisioned || cx.config.scim_adopts {
        return Ok(());
    }
    Err(Refusal::NotProvisioned { is_administrator: false }.into())
}

/// Boxed, so that the wasm contains the code once.
fn write<'a>(
    cx: &'a Cx,
    by: &'a Caller,
    known: &'a KnownGroup,
    draft: Draft,
) -> LocalFuture<'a, Result<KnownGroup>> {
    Box::pin(write_changes(cx, by, known, draft))
}

async fn write_changes(
    cx: &Cx,
    by: &Caller,
    known: &KnownGroup,
    draft: Draft,
) -> Result<KnownGroup> {
    let Draft { external_id, name, members } = draft;
    let after = KnownGroup { external_id, name: Some(name.clone()), ..known.clone() };
    let is_same = known.is_provisioned && after == *known;
    if is_same && members.is_none() {
        return Ok(after);
    }
    let mut write = Write::of(provisioned_groups::refuse_other_than(known));
    if !is_same {
        check(&name, after.external_id.as_deref())?;
        let action = if known.is_provisioned { "scim.group.update" } else { "scim.group.adopt" };
        let old = known.name.as_deref().unwrap_or_default();
        let deed = by
            .deed(action, known.id.to_string())
            .before(of_names(old, known.external_id.as_deref()));
        let deed = deed.after(of_names(&name, after.external_id.as_deref()));
        let [of_group, of_provider] = provisioned_groups::update(known, &after, cx.now);
        if known.name != after.name {
            write = write.and(provisioned_groups::refuse_taken_name(&name, Some(known.id)));
        }
        let adopt = || provisioned_groups::adopt(known.id, after.external_id.as_deref(), cx.now);
        write = write
            .and(of_group)
            .and(if known.is_provisioned { of_provider } else { adopt() })
            .deed(deed);
    }
    if !members.is_none() {
        let deed = members_deed(by, known.id, &members);
        write = write.and_all(provisioned_groups::change_members(cx, known.id, &members, &deed));
    }
    write.commit(cx).await?;
    find(cx, known.id).await
}

fn members_deed(by: &Caller, id: i64, members: &MemberChange) -> Deed {
    by.deed("scim.group.update", id.to_string()).after(json!({ "members": members.for_audit() }))
}

/// Deletes a group, its memberships and the grants to it. Its members are not deleted.
pub async fn delete(cx: &Cx, by: &Caller, id: i64) -> Result<()> {
    let known = find(cx, id).await?;
    may_change(cx, &known)?;
    let before = of_names(known.name.as_deref().unwrap_or_default(), known.external_id.as_deref());
    let write = Write::of(provisioned_groups::refuse_other_than(&known))
        .and(units::delete(UnitKind::Group, id))
        .and(units::delete_members(UnitKind::Group, id))
        .and(grants::delete_of_object(ObjectType::Group, id))
        .and(feed::directory_changed(cx.now))
        .deed(by.deed("scim.group.delete", id.to_string()).before(before));
    write.commit(cx).await.map(drop)
}

fn of_names(name: &str, external_id: Option<&str>) -> Value {
    json!({ "name": name, "externalId": external_id })
}

fn for_audit(name: &str, external_id: Option<&str>, members: &MemberChange) -> Value {
    json!({ "name": name, "externalId": external_id, "members": members.for_audit() })
}

fn check(name: &str, external_id: Option<&str>) -> Result<()> {
    text::printable(name, MAX_NAME).map_err(|why| Error::invalid("displayName", why))?;
    let external_id = external_id.map_or(Ok(()), |id| text::printable(id, MAX_EXTERNAL_ID));
    external_id.map_err(|why| Error::invalid("externalId", why))
}
