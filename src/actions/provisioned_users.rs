//! Manages users, for identity providers (SCIM).

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::identity::provisioned::{KnownPerson, MAX_EXTERNAL_ID, Person};
use crate::domain::identity::user::{Profile, UserId, UserType, Username};
use crate::domain::permissions::permission::ObjectType;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::error::{Error, Refusal, Result};
use crate::memory::write::Write;
use crate::ports::LocalFuture;
use crate::store::new_users::{self, MadeBy, NewUser};
pub use crate::store::provisioned_users::Condition;
use crate::store::{feed, grants, provisioned_users, sessions, tombstones, units, users};

/// The largest number of memberships that are read for one page of users.
const MAX_GROUPS: i64 = 20_000;

#[derive(Debug)]
pub struct Page {
    /// By ascending user id.
    pub users: Vec<KnownPerson>,
    /// The number of users on all pages.
    pub total: i64,
}

/// The groups of a page of users: the user's id, the group's id and the group's name.
pub type Groups = Vec<(UserId, i64, Option<String>)>;

/// A page of users. Without a selective condition, it lists the provisioned users. With one, it
/// lists the users whom it selects and for whom `also` holds.
pub async fn list(
    cx: &Cx,
    conditions: &[Condition],
    also: &dyn Fn(&Person) -> bool,
    skip: i64,
    limit: i64,
) -> Result<Page> {
    if !conditions.iter().any(Condition::is_selective) {
        let total = provisioned_users::count(cx, conditions).await?;
        return Ok(Page {
            users: provisioned_users::list(cx, conditions, skip, limit, total).await?,
            total,
        });
    }
    let mut found = provisioned_users::find_all(cx, conditions).await?;
    for condition in conditions {
        if let Condition::Username(name) = condition {
            found = of_name(found, name)?.into_iter().collect();
        }
    }
    found.retain(|known| also(&known.person));
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let (skip, limit) =
        (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    Ok(Page { users: found.into_iter().skip(skip).take(limit).collect(), total })
}

pub async fn groups_of(cx: &Cx, users: &[UserId]) -> Result<Groups> {
    if users.is_empty() {
        Ok(Vec::new())
    } else {
        provisioned_users::groups_of(cx, users, MAX_GROUPS).await
    }
}

pub async fn find(cx: &Cx, id: UserId) -> Result<KnownPerson> {
    let found = provisioned_users::find_all(cx, &[Condition::Id(id.0)]).await?.pop();
    found.ok_or_else(|| Error::not_found("user", id.0))
}

/// The user of a name: the user with exactly this name, otherwise the only user whose name differs
/// in case only.
fn of_name(mut found: Vec<KnownPerson>, name: &str) -> Result<Option<KnownPerson>> {
    if let Some(exact) = found.iter().position(|known| known.person.username == name) {
        return Ok(Some(found.swap_remove(exact)));
    }
    if found.len() > 1 {
        let ids: Vec<_> = found.iter().map(|known| known.id.0.to_string()).collect();
        let why = format!(
            "the names of the users {} differ from this one in case only",
            ids.join(" and ")
        );
        return Err(Error::Conflict { why });
    }
    Ok(found.pop())
}

/// Creates a user. A user whom the provider had deactivated is activated again, with the same id.
/// If `SCIM_ADOPT` is set, an existing user whom provisioning did not create is adopted.
pub async fn create(cx: &Cx, by: &Caller, person: Person) -> Result<KnownPerson> {
    let found =
        provisioned_users::find_all(cx, &[Condition::Username(person.username.clone())]).await?;
    let Some(known) = of_name(found, &person.username)? else {
        return create_new(cx, by, &person).await;
    };
    // Without the provider's id, the name may belong to another person by now.
    let is_same = person.external_id.is_some() && known.person.external_id == person.external_id;
    let comes_back = known.is_provisioned && !known.person.active && is_same;
    let is_adopted = !known.is_provisioned && cx.config.scim_adopts;
    if known.is_administrator || !(comes_back || is_adopted) {
        return Err(Error::Conflict { why: format!("a user of that name exists: {}", known.id.0) });
    }
    write(cx, by, &known, Person { active: person.active || comes_back, ..person }).await
}

async fn create_new(cx: &Cx, by: &Caller, person: &Person) -> Result<KnownPerson> {
    check(person, None)?;
    let username = name(&person.username)?;
    let profile = Profile {
        name: person.display_name.clone(),
        email: person.emails.first().map(str::to_owned),
        enabled: person.active,
        ..Profile::of_type(UserType::Reader)
    };
    let new = NewUser::new(&username, &profile, MadeBy::Administrator);
    let deed = by.deed("scim.user.create", username.as_str()).after(person.for_audit());
    let written = Write::of(provisioned_users::refuse_taken_name(&username, None))
        .and_all(new_users::insert(&new, cx.now))
        .and(provisioned_users::insert_of_new(person))
        .and(feed::user_created(&username, cx.now))
        .deed_of_new(deed, new.new_id());
    written.commit(cx).await?;
    let found =
        provisioned_users::find_all(cx, &[Condition::Username(person.username.clone())]).await?;
    let created = of_name(found, &person.username)?;
    created.ok_or_else(|| Error::internal("a user who was just created is not there"))
}

/// Changes a user. Deactivating a user revokes their tokens.
pub async fn update(
    cx: &Cx,
    by: &Caller,
    id: UserId,
    change: &dyn Fn(&mut Person) -> Result<()>,
) -> Result<KnownPerson> {
    let known = find(cx, id).await?;
    may_change(cx, &known)?;
    let mut person = known.person.clone();
    change(&mut person)?;
    write(cx, by, &known, person).await
}

/// Refuses administrators, and users whom provisioning did not create.
fn may_change(cx: &Cx, known: &KnownPerson) -> Result<()> {
    if known.is_administrator || !(known.is_provisioned || cx.config.scim_adopts) {
        return Err(Refusal::NotProvisioned { is_administrator: known.is_administrator }.into());
    }
    Ok(())
}

/// Boxed, so that the wasm contains the code once.
fn write<'a>(
    cx: &'a Cx,
    by: &'a Caller,
    known: &'a KnownPerson,
    person: Person,
) -> LocalFuture<'a, Result<KnownPerson>> {
    Box::pin(write_changes(cx, by, known, person))
}

async fn write_changes(
    cx: &Cx,
    by: &Caller,
    known: &KnownPerson,
    person: Person,
) -> Result<KnownPerson> {
    let (id, before) = (known.id, &known.person);
    check(&person, Some(before))?;
    if known.is_provisioned && person == *before {
        return Ok(known.clone());
    }
    let action = if known.is_provisioned { "scim.user.update" } else { "scim.user.adopt" };
    let deed = by
        .deed(action, before.username.as_str())
        .before(before.for_audit())
        .after(person.for_audit());
    let [of_user, of_provider] = provisioned_users::update(id, before, &person, cx.now);
    let mut write = Write::of(provisioned_users::refuse_administrator(id));
    if person.username != before.username {
        // Tokens that name the new name were issued to somebody else, so they are revoked.
        let username = name(&person.username)?;
        let valid_from = Millis::from_seconds(cx.now.seconds() + 1);
        write = write
            .and(provisioned_users::refuse_taken_name(&username, Some(id)))
            .and(users::set_valid_from(id, valid_from, cx.now));
    }
    if !person.active || person.username != before.username {
        write = write.and(sessions::delete_all(id, None));
    }
    write = write.and(of_user);
    if person.username != before.username {
        write = write.and(tombstones::sign_renamed(&before.username, &by.actor().name, cx.now));
    }
    write = write.and(if known.is_provisioned {
        of_provider
    } else {
        provisioned_users::adopt(id, &person)
    });
    write.and(feed::user_changed(id, cx.now)).deed(deed).commit(cx).await?;
    find(cx, id).await
}

/// Deletes a user with their tokens, memberships and grants.
pub async fn delete(cx: &Cx, by: &Caller, id: UserId) -> Result<()> {
    let known = find(cx, id).await?;
    may_change(cx, &known)?;
    let username = known.person.username.as_str();
    let mut before = known.person.for_audit();
    if let Some(members) = before.as_object_mut() {
        members.insert("id".to_owned(), id.0.into());
    }
    let write = Write::of(provisioned_users::refuse_administrator(id))
        .and(users::delete(id))
        .and(tombstones::sign(username, id, &by.actor().name, cx.now))
        .and(sessions::delete_all(id, None))
        .and(units::delete_memberships(id.0))
        .and(grants::delete_of_object(ObjectType::User, id.0))
        .and(feed::user_changed(id, cx.now))
        .deed(by.deed("scim.user.delete", username).before(before));
    write.commit(cx).await.map(drop)
}

fn name(username: &str) -> Result<Username> {
    Username::new_name(username).map_err(|why| Error::invalid("userName", why))
}

/// Refuses what cannot be stored. An unchanged user name is not checked.
fn check(person: &Person, before: Option<&Person>) -> Result<()> {
    if before.is_none_or(|before| before.username != person.username) {
        name(&person.username)?;
    }
    let texts = [
        ("externalId", &person.external_id, MAX_EXTERNAL_ID),
        ("displayName", &person.display_name, Profile::MAX_TEXT),
        ("name.givenName", &person.given_name, Profile::MAX_TEXT),
        ("name.familyName", &person.family_name, Profile::MAX_TEXT),
        ("name.formatted", &person.formatted_name, Profile::MAX_TEXT),
    ];
    for (member, value, max) in texts {
        value
            .as_deref()
            .map_or(Ok(()), |value| text::printable(value, max))
            .map_err(|why| Error::invalid(member, why))?;
    }
    person.emails.check().map_err(|why| Error::invalid("emails", why))
}
