//! Finds the user of an accepted token. If the app says so, creates the user at first sight, and
//! updates the user's profile and groups from the token.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::actions::caller::Hints;
use crate::actions::find_signer::Accepted;
use crate::actions::whose_id;
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::user::{Profile, User, UserId, UserType, Username};
use crate::domain::origin::TokenSays;
use crate::domain::time::Millis;
use crate::domain::tokens::jwt::VerifiedClaims;
use crate::domain::tokens::policy::{ClaimedRoles, GroupsMode, ProfileMode, SpeaksFor};
use crate::domain::tokens::token_app::TokenApp;
use crate::error::{Denied, Error, Fault, Refusal, Result};
use crate::memory::known::Known;
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::new_users::{self, MadeBy, NewUser};
use crate::store::standings::Subject;
use crate::store::{feed, tombstones, units, users};

/// Finds or creates the user whom the token names, and updates them from the token.
pub async fn find(
    cx: &Cx,
    mut known: Known<'_>,
    accepted: &Accepted<'_, '_>,
    hints: Hints<'_>,
) -> Result<Rc<User>> {
    let Accepted { app, claims, username, .. } = accepted;
    let id = claimed_id(app, claims)?;
    let ahead = || hints.ahead(Subject::Names(vec![username.as_str().to_owned()])).collect();
    let user = match known.user_named(username, ahead).await? {
        Some(user) => user,
        None if app.terms.creates_users && !cx.is_recheck => {
            create(cx, accepted, username, id).await?
        }
        None => return Err(Refusal::UnknownUser.into()),
    };
    cx.noted.user(user.id);
    may_be(app, &user, id)?;
    if !user.profile.enabled {
        return Ok(user);
    }
    is_still_valid(accepted, &user)?;
    if cx.is_recheck {
        return Ok(user);
    }
    let user = follow(cx, accepted, user).await?;
    sync_groups(cx, accepted, user).await
}

/// The user of a token as [`find`] would leave them.
pub struct WouldBe {
    pub user: Rc<User>,
    /// Whether the token would create them.
    pub is_new: bool,
    /// `None` if a new id would be chosen.
    pub id: Option<UserId>,
    /// Groups that would apply to this request, in addition to the stored ones.
    pub groups: Vec<i64>,
    /// Groups that the user would be removed from.
    pub leaves: Vec<i64>,
}

/// Returns the user whom [`find`] would find or create. Nothing is written.
pub async fn would_be(cx: &Cx, accepted: &Accepted<'_, '_>) -> Result<WouldBe> {
    let Accepted { app, claims, username, .. } = accepted;
    let id = claimed_id(app, claims)?;
    let groups = || {
        Ok::<_, Denied>(
            [groups_of_request(app, claims), groups_to_sync(app, claims)?.unwrap_or_default()]
                .concat(),
        )
    };
    if let Some(user) = Known::read_user(cx, username).await? {
        may_be(app, &user, id)?;
        let (id, disabled) = (Some(user.id), !user.profile.enabled);
        if !disabled {
            is_still_valid(accepted, &user)?;
        }
        let profile = if disabled { None } else { profile_to_follow(accepted, &user)? };
        let groups = if disabled { Vec::new() } else { groups()? };
        let user = profile.map_or_else(
            || Rc::clone(&user),
            |profile| Rc::new(User { profile, ..(*user).clone() }),
        );
        let leaves = if disabled { Vec::new() } else { groups_to_leave(accepted, &user)? };
        return Ok(WouldBe { user, is_new: false, id, groups, leaves });
    }
    if !app.terms.creates_users {
        return Err(Refusal::UnknownUser.into());
    }
    may_be_created(username)?;
    let profile = new_profile(app, claims)?;
    let groups = groups()?;
    if tombstones::find(cx, username.as_str()).await?.is_some() {
        return Err(Refusal::UserDeleted.into());
    }
    if tombstones::is_of_former(cx, username.as_str(), accepted.lifetime.issued_at_s).await? {
        return Err(Denied::Revoked.into());
    }
    if new_users::looks_like_another(cx, username).await? {
        return Err(Refusal::NameConflict.into());
    }
    if let Some(id) = id
        && whose_id::why_not_by_token(cx, id, username).await?.is_some()
    {
        return Err(Refusal::IdConflict.into());
    }
    let user = User {
        id: id.unwrap_or(NOBODY),
        profile,
        username: username.clone(),
        has_password: false,
        followed_at_s: 0,
        synced_groups: None,
        valid_from: Millis(0),
        password_set_at: Millis(0),
        created_at: cx.now,
        modified_at: cx.now,
    };
    Ok(WouldBe { user: Rc::new(user), is_new: true, id, groups, leaves: Vec::new() })
}

/// No user has this id, because ids begin at 1. Nothing is granted to it.
pub const NOBODY: UserId = UserId(i64::MIN);

/// The groups that [`sync_groups`] would remove the user from.
fn groups_to_leave(
    accepted: &Accepted<'_, '_>,
    user: &User,
) -> std::result::Result<Vec<i64>, Denied> {
    let Accepted { app, claims, lifetime, .. } = accepted;
    let Some(groups) =
        groups_to_sync(app, claims)?.filter(|_| lifetime.issued_at_s >= user.followed_at_s)
    else {
        return Ok(Vec::new());
    };
    Ok(app
        .terms
        .policy
        .group_map
        .values()
        .copied()
        .filter(|group| !groups.contains(group))
        .collect())
}

/// Explains to administrators why the user cannot have the id that the token names.
pub async fn id_conflict(cx: &Cx, accepted: &Accepted<'_, '_>) -> Result<String> {
    let Accepted { app, claims, username, .. } = accepted;
    let Some(id) = claimed_id(app, claims)? else { return Ok(String::new()) };
    let whose = whose_id::why_not_by_token(cx, id, username)
        .await?
        .unwrap_or_else(|| format!("no user has the id {}", id.0));
    let known = Known::read_user(cx, username).await?;
    let has =
        known.map(|user| format!(", and the user has the id {}", user.id.0)).unwrap_or_default();
    Ok(format!("the token says the id {}{has}; {whose}", id.0))
}

/// Refuses a name that no new user may have.
fn may_be_created(username: &Username) -> Result<()> {
    Username::new_name(username.as_str()).map(drop).map_err(|_| Refusal::UserRefused.into())
}

/// Refuses a user whom the app may not speak for, and a user whose id differs from the token's.
fn may_be(app: &TokenApp, user: &User, id: Option<UserId>) -> Result<()> {
    let may = match app.speaks_for() {
        SpeaksFor::Everybody => true,
        SpeaksFor::Users => !user.is_administrator(),
        SpeaksFor::Own => user.profile.token_app.as_deref() == Some(app.name.as_str()),
    };
    if !may {
        return Err(Refusal::UserRefused.into());
    }
    if id.is_some_and(|id| id != user.id) { Err(Refusal::IdConflict.into()) } else { Ok(()) }
}

/// Refuses a token that was issued before all tokens of the user were revoked.
fn is_still_valid(accepted: &Accepted<'_, '_>, user: &User) -> std::result::Result<(), Denied> {
    let issued_at = Millis::from_seconds(accepted.lifetime.issued_at_s);
    if issued_at < user.valid_from { Err(Denied::Revoked) } else { Ok(()) }
}

/// The user's id in the token: a whole number from 1, or a text with its digits.
fn claimed_id(
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> std::result::Result<Option<UserId>, Denied> {
    let Some(name) = &app.terms.policy.id_claim else { return Ok(None) };
    let value = claims.get(name).ok_or_else(|| Denied::ClaimMissing(name.as_str().into()))?;
    let digits = |text: &str| text.parse().ok().filter(|id: &i64| id.to_string() == text);
    let id = value.as_i64().or_else(|| digits(value.as_str()?)).filter(|id| *id > 0);
    id.map(|id| Some(UserId(id))).ok_or_else(|| Denied::ClaimType(name.as_str().into()))
}

/// The values of a claim with groups or roles; empty if the claim is absent.
fn values<'c>(
    claims: &'c VerifiedClaims<'_>,
    claim: Option<&String>,
) -> std::result::Result<Vec<&'c str>, Denied> {
    Ok(claim.map(|claim| claims.texts(claim)).transpose()?.flatten().unwrap_or_default())
}

fn claimed_roles(
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> std::result::Result<Option<ClaimedRoles>, Denied> {
    let Some(claim) = &app.terms.policy.roles_claim else { return Ok(None) };
    values(claims, Some(claim)).map(|values| Some(app.terms.policy.roles_of(&values)))
}

/// The token's groups that apply to this request only. Values that are not texts give no groups.
#[must_use]
pub fn groups_of_request(app: &TokenApp, claims: &VerifiedClaims<'_>) -> Vec<i64> {
    let policy = &app.terms.policy;
    if policy.groups_mode != GroupsMode::Request {
        return Vec::new();
    }
    values(claims, policy.groups_claim.as_ref())
        .map(|values| policy.groups_of(&values))
        .unwrap_or_default()
}

/// The parts of a token that gateway rules look at.
#[must_use]
pub fn says(app: &TokenApp, claims: &VerifiedClaims<'_>) -> TokenSays {
    let of = |claim: &str| claims.texts(claim).map(Option::unwrap_or_default);
    let scopes = || {
        let texts = [of("scope")?, of("scp")?].concat();
        Ok(texts.into_iter().flat_map(str::split_ascii_whitespace).map(str::to_owned).collect())
    };
    let audiences = || Ok(of("aud")?.into_iter().map(str::to_owned).collect());
    TokenSays { scopes: scopes(), audiences: audiences(), groups: has_all_groups(app, claims) }
}

/// Fails if [`groups_of_request`] cannot have all groups of the token. If a user has too many
/// groups, Entra leaves them out, and `_claim_names` shows this.
fn has_all_groups(app: &TokenApp, claims: &VerifiedClaims<'_>) -> Result<()> {
    let policy = &app.terms.policy;
    let Some(claim) =
        policy.groups_claim.as_ref().filter(|_| policy.groups_mode == GroupsMode::Request)
    else {
        return Ok(());
    };
    if claims.get(claim).is_none() && claims.get("_claim_names").is_some() {
        return Err(Error::Unavailable(
            Fault::new("the token has so many groups that its issuer left them out")
                .of_left_out_groups(),
        ));
    }
    Ok(values(claims, Some(claim)).map(drop)?)
}

/// The groups that the user should be a member of; `None` if the app does not update memberships
/// from tokens.
fn groups_to_sync(
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> std::result::Result<Option<Vec<i64>>, Denied> {
    let policy = &app.terms.policy;
    let Some(claim) =
        policy.groups_claim.as_ref().filter(|_| policy.groups_mode == GroupsMode::Sync)
    else {
        return Ok(None);
    };
    // If a user has too many groups, Entra leaves them out, and `_claim_names` shows this.
    if claims.get(claim).is_none() && claims.get("_claim_names").is_some() {
        return Ok(None);
    }
    values(claims, Some(claim)).map(|values| Some(policy.groups_of(&values)))
}

/// The roles and the user type of a user: the initial ones of the app, and those of the token.
fn roles_with(app: &TokenApp, claimed: Option<&ClaimedRoles>) -> (Vec<String>, UserType) {
    let initial = &app.terms.initial_roles;
    let claimed_roles = claimed.map(|claimed| claimed.roles.as_slice()).unwrap_or_default();
    let new = claimed_roles.iter().filter(|role| !initial.contains(role)).cloned();
    let user_type = UserType::among(initial)
        .max(claimed.and_then(|claimed| claimed.user_type).unwrap_or(UserType::Reader));
    (initial.iter().cloned().chain(new).collect(), user_type)
}

/// The profile of a user whom the token creates. An app that may not speak for administrators
/// creates none.
fn new_profile(app: &TokenApp, claims: &VerifiedClaims<'_>) -> Result<Profile> {
    let (roles, user_type) = roles_with(app, claimed_roles(app, claims)?.as_ref());
    if user_type == UserType::Administrator && app.speaks_for() != SpeaksFor::Everybody {
        return Err(Refusal::UserRefused.into());
    }
    Ok(Profile {
        name: claims.text(&app.terms.claims.name, Profile::MAX_TEXT),
        email: claims.text(&app.terms.claims.email, Profile::MAX_TEXT),
        phone: None,
        user_type,
        roles,
        enabled: true,
        token_app: Some(app.name.as_str().to_owned()),
    })
}

/// Creates the user of a token at first sight. If several tokens of the user arrive at the same
/// time, exactly one user is created.
async fn create(
    cx: &Cx,
    accepted: &Accepted<'_, '_>,
    username: &Username,
    id: Option<UserId>,
) -> Result<Rc<User>> {
    may_be_created(username)?;
    let Accepted { app, claims, lifetime, .. } = accepted;
    let profile = new_profile(app, claims)?;
    // A token that is refused because of its groups creates nobody.
    groups_to_sync(app, claims)?;
    let deed = Deed::new(actor(app), "user.create", username.as_str().to_owned())
        .after(profile.for_audit());
    let password = app.initial_password.as_ref();
    let new = NewUser {
        password,
        id,
        ..NewUser::new(username, &profile, MadeBy::Token { issued_at_s: lifetime.issued_at_s })
    };
    let write = Write::default()
        .and_all(new_users::insert(&new, cx.now))
        .and(feed::user_created(username, cx.now));
    let write = write.deed_of_new(deed, new.new_id());
    match write
        .commit_unless(cx, &[Constraint::UserId, Constraint::IdOfDeletedUser], || {
            Refusal::IdConflict.into()
        })
        .await
    {
        // Another request has created the user, which is as good. If the conflict is about the id,
        // there is no user of this name.
        Ok(_) | Err(Error::Conflict { .. }) => {}
        Err(Error::Forbidden(Refusal::IdConflict)) => {
            let known = Known::read_user(cx, username).await?;
            return known.ok_or_else(|| Refusal::IdConflict.into());
        }
        Err(error) => return Err(error),
    }
    Known::created(cx, username).await
}

/// The profile after the update from the token; `None` if nothing is to be changed. A token that
/// was issued before the last token that changed the user changes nothing.
fn profile_to_follow(
    accepted: &Accepted<'_, '_>,
    user: &User,
) -> std::result::Result<Option<Profile>, Denied> {
    let Accepted { app, claims, lifetime, .. } = accepted;
    if app.terms.policy.profile == ProfileMode::Once || lifetime.issued_at_s < user.followed_at_s {
        return Ok(None);
    }
    followed(app, claims, user)
}

/// Updates name, email and roles from the token.
async fn follow(cx: &Cx, accepted: &Accepted<'_, '_>, user: Rc<User>) -> Result<Rc<User>> {
    let Accepted { app, lifetime, .. } = accepted;
    let Some(profile) = profile_to_follow(accepted, &user)? else { return Ok(user) };
    if !cx.memory.token_writes.may_write(user.id, cx.now) {
        return Ok(user);
    }
    let deed = Deed::new(actor(app), "user.follow", user.username.as_str())
        .before(user.profile.for_audit())
        .after(profile.for_audit());
    let update = users::follow(user.id, &user.profile, &profile, lifetime.issued_at_s, cx.now);
    let write = Write::of(update).and(feed::user_changed(user.id, cx.now)).deed(deed);
    let written = write
        .commit_unless(cx, &[Constraint::LastAdministrator], || Error::Conflict {
            why: String::new(),
        })
        .await;
    written_behind(cx, written, user).await
}

/// The profile as the token says it; `None` if this is the stored profile, as it nearly always is.
fn followed(
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
    user: &User,
) -> std::result::Result<Option<Profile>, Denied> {
    let names = &app.terms.claims;
    let is_so = |claim: &str, known: &Option<String>| {
        claims.get(claim).is_none_or(|value| known.is_some() && value.as_str() == known.as_deref())
    };
    let claimed = claimed_roles(app, claims)?;
    if claimed.is_none()
        && is_so(&names.name, &user.profile.name)
        && is_so(&names.email, &user.profile.email)
    {
        return Ok(None);
    }
    let text = |claim: &str| claims.text(claim, Profile::MAX_TEXT);
    let mut profile = user.profile.clone();
    profile.name = text(&names.name).or(profile.name);
    profile.email = text(&names.email).or(profile.email);
    if let Some(claimed) = claimed {
        let (roles, user_type) = roles_with(app, Some(&claimed));
        // The user type changes only if the role map has user types. Whether a user is an
        // administrator changes only if the role map has that type, too.
        let policy = &app.terms.policy;
        let has_administrator =
            policy.role_map.values().any(|role| role == UserType::Administrator.name());
        if policy.gives_types() && (has_administrator || !user.is_administrator()) {
            let most = if app.speaks_for() == SpeaksFor::Everybody {
                UserType::Administrator
            } else {
                UserType::Creator
            };
            profile.user_type = user_type.min(most);
        }
        // Of roles that are user types, the user keeps only those up to their own type: the origin
        // gets the roles, and may act on them.
        let user_type = profile.user_type;
        profile.roles = roles
            .into_iter()
            .filter(|role| UserType::from_name(role).is_none_or(|of_role| of_role <= user_type))
            .collect();
    }
    Ok(Some(profile).filter(|profile| *profile != user.profile))
}

/// Updates the user's memberships of mapped groups from the token, if the app wants this and they
/// differ. A token that was issued before the last token that changed the user changes nothing:
/// otherwise it would bring back memberships that were removed since, until another token comes.
async fn sync_groups(cx: &Cx, accepted: &Accepted<'_, '_>, user: Rc<User>) -> Result<Rc<User>> {
    let Accepted { app, claims, lifetime, .. } = accepted;
    let policy = &app.terms.policy;
    let issued_at_s = lifetime.issued_at_s;
    let Some(groups) = groups_to_sync(app, claims)?.filter(|_| issued_at_s >= user.followed_at_s)
    else {
        return Ok(user);
    };
    let known = user.synced_groups.as_deref().unwrap_or("{}");
    let mut synced: BTreeMap<String, Vec<i64>> = serde_json::from_str(known).unwrap_or_default();
    let before = synced.insert(app.name.as_str().to_owned(), groups.clone());
    if before.as_ref() == Some(&groups) || !cx.memory.token_writes.may_write(user.id, cx.now) {
        return Ok(user);
    }
    let managed: Vec<i64> = policy.group_map.values().copied().collect();
    let told =
        serde_json::to_string(&synced).map_err(|error| Error::internal(error.to_string()))?;
    let deed = Deed::new(actor(app), "user.sync_groups", user.username.as_str())
        .before(serde_json::json!({ "groups": before }))
        .after(serde_json::json!({ "groups": groups }));
    let write = Write::of(units::leave_groups(user.id.0, &managed, &groups, issued_at_s))
        .and(units::join_groups(user.id.0, &groups, cx.config.strict_directory, issued_at_s))
        // After the memberships, because their triggers delete this note.
        .and(users::set_synced_groups(user.id, &told, issued_at_s))
        .and(feed::user_changed(user.id, cx.now))
        .and(feed::membership_changed(user.id.0, cx.now))
        .deed(deed);
    let written = write.commit(cx).await;
    written_behind(cx, written, user).await
}

/// The user after a write that a token caused. If the write failed because D1 does not answer, the
/// user as known before is used.
async fn written_behind<T>(cx: &Cx, written: Result<T>, user: Rc<User>) -> Result<Rc<User>> {
    match written {
        Ok(_) => Known::read_user(cx, &user.username).await?.ok_or_else(|| Denied::Revoked.into()),
        Err(Error::Conflict { .. } | Error::Unavailable(_)) => Ok(user),
        Err(error) => Err(error),
    }
}

fn actor(app: &TokenApp) -> Actor {
    Actor::bracketed(&format!("token app {}", app.name.as_str()))
}
