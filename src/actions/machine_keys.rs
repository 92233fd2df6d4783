//! Machine keys: authenticates them, creates them and deletes them.
//!
//! No credential can create a key that outlives it. A key that was created with a session, a token
//! or another key ends with that. Only administrators, and users who send their password, create
//! keys without an end.

use std::rc::Rc;

use crate::actions::caller::{Caller, Hints, KeyCaller, Proof, UserCaller};
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::machine_key::{self, KeyName, MachineKey, Rights};
use crate::domain::identity::user::{User, UserId};
use crate::domain::secret::{HashedToken, PlainToken};
use crate::domain::time::{Day, Millis};
use crate::domain::tokens::revocation::{RevocationKey, RevocationKind};
use crate::domain::tokens::token_app::AppName;
use crate::error::{Denied, Error, Refusal, Result};
use crate::memory::known::Known;
use crate::memory::reading::Wanted;
use crate::memory::shared;
use crate::memory::sharing::Works;
use crate::memory::write::Write;
use crate::store::ids::NewId;
use crate::store::machine_keys::{self, NewKey, NewSecret};
pub use crate::store::machine_keys::{Filter, Listed};
use crate::store::standings::Subject;
use crate::store::{feed, users};

/// How long an expired key is still listed.
const LISTED_AFTER_END: Millis = Millis::from_seconds(30 * 86_400);
/// The number of expired keys that one event deletes. The next event continues.
const REMOVED_AT_ONCE: i64 = 100;

/// A new key, or a new secret of a key.
#[derive(Debug)]
pub struct Made {
    /// The key as it is listed.
    pub listed: Listed,
    /// The secret. It is shown only once.
    pub secret: PlainToken,
}

/// The key that is to be created.
#[derive(Debug)]
pub struct Wish {
    pub name: KeyName,
    pub may: Rights,
    /// The user for whom the key is to speak.
    pub user_id: Option<UserId>,
    pub expires_at: Option<Millis>,
}

/// Authenticates a machine by its key. A text that does not have the form of a key is refused
/// without reading D1.
pub async fn find(
    cx: &Cx,
    name: Option<&str>,
    key: &PlainToken,
    hints: Hints<'_>,
) -> Result<KeyCaller> {
    if !machine_key::is_well_formed(key.expose()) {
        return Err(Denied::BadKey.into());
    }
    let hash = key.hashed();
    let ahead = || hints.ahead(Subject::Key(hash)).collect::<Vec<_>>();
    let wanted = || [Wanted::Key(hash)].into_iter().chain(ahead()).collect();
    let mut known = Known::current(cx, wanted, None).await?;
    let (key, user) = known.key(hash, ahead).await?.ok_or(Denied::Revoked)?;
    cx.noted.key(key.id);
    if name.is_some_and(|name| name != key.name.as_str()) {
        return Err(Denied::KeyName.into());
    }
    if key.is_expired(cx.now) {
        return Err(Denied::Expired.into());
    }
    if user.as_ref().is_some_and(|user: &Rc<User>| !user.profile.enabled) {
        return Err(Refusal::UserDisabled.into());
    }
    // If all tokens of a user are revoked, the keys that speak for the user are revoked, too.
    if user.as_ref().is_some_and(|user| key.created_at < user.valid_from) {
        return Err(Denied::Revoked.into());
    }
    // If the token that created the key is revoked, the key is revoked, too.
    let of =
        |kind, digest: Option<HashedToken>| digest.map(|digest| RevocationKey { kind, digest });
    let ends_with = [of(RevocationKind::Token, key.token), of(RevocationKind::Jti, key.jti)];
    let ends_with: Vec<_> = ends_with.into_iter().flatten().collect();
    if !ends_with.is_empty() && known.is_revoked(&ends_with).await? {
        return Err(Denied::Revoked.into());
    }
    note_use(cx, hash, wanted);
    Ok(KeyCaller { key, user })
}

/// Writes to D1, in the background, that the key was used today, unless this is known to be
/// written. Then shares again what the request asked for, `wanted`: another isolate that found the
/// old entry would write the same again.
fn note_use(cx: &Cx, hash: HashedToken, wanted: impl FnOnce() -> Vec<Wanted>) {
    let today = Day::of(cx.now);
    if cx.memory.is_pausing(cx.now) || !cx.memory.begin_noting_key(&hash, today) {
        return;
    }
    let (behind, wanted) = (cx.clone(), wanted());
    cx.tasks.spawn(Box::pin(async move {
        if let Err(error) = behind.sql.batch(vec![machine_keys::note_use(&hash, today)]).await {
            behind.memory.fail_noting_key(&hash);
            behind.log.line(&format!("the use of a key was not noted: {:?}", Error::from(error)));
        } else if shared::works(&behind) == Works::Yes {
            // If this fails, the next isolate shares it.
            let _ = Known::read(&behind, &wanted, None).await;
        }
    }));
}

/// Creates a key. `shown` is the token app's token with which the caller authenticated, if it was
/// one.
pub async fn create(cx: &Cx, by: &Caller, shown: Option<&PlainToken>, wish: Wish) -> Result<Made> {
    let limits = Limits::of(cx, by, shown)?;
    let user_id = speaks_for(by, wish.user_id)?;
    if let Some(id) = user_id {
        let is_enabled = |user: &User| user.profile.enabled;
        if !users::find(cx, id).await?.as_ref().is_some_and(is_enabled) {
            return Err(Error::invalid("userId", "must be the id of an enabled user"));
        }
    }
    if wish.expires_at.is_some_and(|end| end <= cx.now) {
        return Err(Error::invalid(
            "expiresAt",
            format!("must be in the future, in epoch milliseconds: now is {}", cx.now.0),
        ));
    }
    let expires_at = [wish.expires_at, limits.expires_at].into_iter().flatten().min();
    let Limits { session_id, parent_id, token, jti, ref app, .. } = limits;
    let (name, app) = (&wish.name, app.as_deref());
    let key = NewKey {
        name,
        may: wish.may,
        user_id,
        created_by: by.accountable(),
        session_id,
        parent_id,
        token,
        jti,
        app,
        expires_at,
    };
    let secret = machine_key::generate(cx.random()?);
    let prefix = machine_key::prefix(&secret);
    let first = NewSecret { hash: secret.hashed(), prefix: &prefix };
    let deed = by.deed("key.create", name.as_str()).after(key.for_audit(&prefix));
    let rows = by_an_unchanged_maker(cx, by, shown)?
        .answering(machine_keys::insert(&key, cx.now))
        .and(machine_keys::insert_first_secret(&key, &first, cx.now))
        .deed_of_new(deed, NewId::Newest("machine_keys"))
        .commit(cx)
        .await?;
    let id =
        rows.first().ok_or_else(|| Error::internal("a key was made without an id"))?.int64("id")?;
    Ok(Made { listed: found(cx, id).await?, secret })
}

/// Gives a key a second secret. Both are valid until one of them is deleted. `shown` is as for
/// [`create`].
pub async fn add_secret(cx: &Cx, by: &Caller, shown: Option<&PlainToken>, id: i64) -> Result<Made> {
    let Listed { key, .. } = visible(cx, by, id).await?;
    if !ends_before(&key, by) {
        return Err(Refusal::WouldOutlive.into());
    }
    let secret = machine_key::generate(cx.random()?);
    let prefix = machine_key::prefix(&secret);
    let second = NewSecret { hash: secret.hashed(), prefix: &prefix };
    let rows = by_an_unchanged_maker(cx, by, shown)?
        .answering(machine_keys::insert_secret(id, &second, cx.now))
        .deed(of_secret(by, "key.add_secret", &key, &prefix))
        .commit(cx)
        .await?;
    // Another request deleted the key in between.
    if rows.is_empty() {
        return Err(Error::not_found("key", id));
    }
    Ok(Made { listed: found(cx, id).await?, secret })
}

/// Deletes one of a key's two secrets.
pub async fn remove_secret(cx: &Cx, by: &Caller, id: i64, prefix: &str) -> Result<()> {
    let Listed { key, secrets } = visible(cx, by, id).await?;
    if !secrets.iter().any(|secret| secret.prefix == prefix) {
        // `prefix` may be a whole key, so it is shortened.
        return Err(Error::not_found("secret", machine_key::shown(prefix)));
    }
    let rows = Write::default()
        .answering(machine_keys::delete_secret(id, prefix))
        .and(feed::key_changed(id, cx.now))
        .deed(of_secret(by, "key.remove_secret", &key, prefix))
        .commit(cx)
        .await?;
    if rows.is_empty() {
        let why = "it is the key's only secret: add another one first, or delete the key";
        return Err(Error::Conflict { why: why.to_owned() });
    }
    Ok(())
}

/// Lists keys by ascending id. Administrators get all keys, others their own.
pub async fn list(cx: &Cx, by: &Caller, filter: Filter) -> Result<Vec<Listed>> {
    if by.is_administrator() {
        return machine_keys::list(cx, &filter).await;
    }
    let own_id = by.own_id().ok_or(Refusal::NotAdministrator)?;
    if filter.user_id.is_some_and(|asked| asked != own_id) {
        return Err(Refusal::NotYourself.into());
    }
    machine_keys::list(cx, &Filter { user_id: Some(own_id), ..filter }).await
}

/// Finds a key that the caller may see. Keys of other users are not found.
pub async fn visible(cx: &Cx, by: &Caller, id: i64) -> Result<Listed> {
    let listed = found(cx, id).await?;
    let is_own = listed.key.user_id.is_some() && listed.key.user_id == by.own_id();
    if is_own || by.is_administrator() { Ok(listed) } else { Err(Error::not_found("key", id)) }
}

/// Deletes a key, and the keys that it created.
pub async fn delete(cx: &Cx, by: &Caller, id: i64) -> Result<()> {
    let Listed { key, .. } = visible(cx, by, id).await?;
    let deed = by.deed("key.delete", key.name.as_str()).before(key.for_audit());
    Write::of(machine_keys::delete(id))
        .and(feed::key_changed(id, cx.now))
        .deed(deed)
        .commit(cx)
        .await
        .map(drop)
}

/// Deletes the key that is shown, and the keys that it created. Whoever has the key may do so. `by`
/// is the authenticated caller, if there is one.
pub async fn delete_shown(cx: &Cx, by: Option<&Caller>, shown: &PlainToken) -> Result<()> {
    let KeyCaller { key, .. } = find(cx, None, shown, Hints::default()).await?;
    delete_found(cx, by.map_or_else(|| Actor::bracketed("holder of the key"), Caller::actor), &key)
        .await
}

/// Finds the key that is shown, even if it is not valid now: the key of a disabled user is not, and
/// may be again.
pub async fn shown(cx: &Cx, shown: &PlainToken) -> Result<Rc<MachineKey>> {
    if !machine_key::is_well_formed(shown.expose()) {
        return Err(Denied::BadKey.into());
    }
    let hash = shown.hashed();
    let mut known = Known::current(cx, || vec![Wanted::Key(hash)], None).await?;
    let (key, _) = known.key(hash, Vec::new).await?.ok_or(Denied::Revoked)?;
    Ok(key)
}

/// Deletes a key, and the keys that it created.
pub async fn delete_found(cx: &Cx, by: Actor, key: &MachineKey) -> Result<()> {
    let deed = Deed::new(by, "key.delete", key.name.as_str()).before(key.for_audit());
    Write::of(machine_keys::delete(key.id))
        .and(feed::key_changed(key.id, cx.now))
        .deed(deed)
        .commit(cx)
        .await
        .map(drop)
}

/// Deletes keys that expired a month ago.
pub async fn remove_expired(cx: &Cx) -> Result<()> {
    let expired =
        machine_keys::list_expired(cx, cx.now - LISTED_AFTER_END, REMOVED_AT_ONCE).await?;
    if expired.is_empty() {
        return Ok(());
    }
    let mut write = Write::default();
    for key in expired {
        let deed =
            Deed::new(Actor::system(), "key.delete", key.name.as_str()).before(key.for_audit());
        write = write
            .and(machine_keys::delete(key.id))
            .and(feed::key_changed(key.id, cx.now))
            .deed(deed);
    }
    write.commit(cx).await.map(drop)
}

async fn found(cx: &Cx, id: i64) -> Result<Listed> {
    machine_keys::find(cx, id).await?.ok_or_else(|| Error::not_found("key", id))
}

fn of_secret(by: &Caller, action: &'static str, key: &MachineKey, prefix: &str) -> Deed {
    by.deed(action, key.name.as_str()).after(serde_json::json!({ "id": key.id, "prefix": prefix }))
}

/// The user for whom a new key speaks. Users who are not administrators, and keys that speak for a
/// user, create only keys that speak for the same user.
fn speaks_for(by: &Caller, asked: Option<UserId>) -> Result<Option<UserId>> {
    let is_free = by.is_administrator() && (matches!(by, Caller::User(_)) || by.own_id().is_none());
    match by.own_id() {
        _ if is_free => Ok(asked),
        Some(own_id) if asked.is_none_or(|asked| asked == own_id) => Ok(Some(own_id)),
        _ => Err(Refusal::NotYourself.into()),
    }
}

/// What a new key must end with, because of the credential that creates it.
#[derive(Default)]
struct Limits {
    expires_at: Option<Millis>,
    session_id: Option<i64>,
    parent_id: Option<i64>,
    /// The digest by which the token may be revoked.
    token: Option<HashedToken>,
    jti: Option<HashedToken>,
    app: Option<String>,
}

impl Limits {
    fn of(cx: &Cx, by: &Caller, shown: Option<&PlainToken>) -> Result<Self> {
        match by {
            Caller::User(caller) if is_unlimited(caller) => Ok(Self::default()),
            Caller::User(UserCaller { proof, .. }) => Ok(match proof {
                Proof::Password => Self::default(),
                Proof::Session(session) => Self {
                    expires_at: Some(session.expires_at),
                    session_id: Some(session.id),
                    ..Self::default()
                },
                // Only the issuer knows when such a token ends, so no key could end with it.
                Proof::Jwt { is_introspected: true, .. } => {
                    return Err(Refusal::WouldOutlive.into());
                }
                Proof::Jwt { expires_at_s, app, .. } => {
                    let (token, jti) = revocation_keys(cx, shown, app)?;
                    let (expires_at, app) =
                        (Some(Millis::from_seconds(*expires_at_s)), Some(app.as_str().to_owned()));
                    Self {
                        expires_at,
                        token: Some(token.digest),
                        jti: jti.map(|key| key.digest),
                        app,
                        ..Self::default()
                    }
                }
            }),
            // Keys of keys create no keys. So whoever deletes a key finds all keys that it created
            // at once.
            Caller::Key(KeyCaller { key, .. }) if key.parent_id.is_some() => {
                Err(Refusal::KeyOfKey.into())
            }
            Caller::Key(KeyCaller { key, .. }) => {
                let MachineKey { expires_at, session_id, token, jti, .. } = **key;
                Ok(Self {
                    expires_at,
                    session_id,
                    parent_id: Some(key.id),
                    token,
                    jti,
                    app: key.app.clone(),
                })
            }
        }
    }
}

/// A write that is refused if the key's creator is not as this isolate knows them. A change
/// elsewhere takes effect here a little later, and a key that was created in between would remain.
fn by_an_unchanged_maker(cx: &Cx, by: &Caller, shown: Option<&PlainToken>) -> Result<Write> {
    let write = by.unchanged();
    Ok(match by {
        Caller::User(UserCaller { proof: Proof::Jwt { app, app_modified_at, .. }, .. }) => {
            let (token, jti) = revocation_keys(cx, shown, app)?;
            let keys: Vec<_> = [token].into_iter().chain(jti).collect();
            write
                .and(machine_keys::refuse_changed_app(app, *app_modified_at))
                .and(machine_keys::refuse_revoked(&keys))
        }
        Caller::User(UserCaller { proof: Proof::Session(session), .. }) => {
            write.and(machine_keys::refuse_ended_session(session.id))
        }
        Caller::User(_) | Caller::Key(_) => write,
    })
}

/// The keys under which the caller's token may be revoked.
fn revocation_keys(
    cx: &Cx,
    shown: Option<&PlainToken>,
    app: &AppName,
) -> Result<(RevocationKey, Option<RevocationKey>)> {
    let shown =
        shown.ok_or_else(|| Error::internal("a token counts that the request does not show"))?;
    Ok(cx.memory.signed_tokens.read(shown.expose())?.revocation_keys(app))
}

/// An administrator could as well create another administrator. A password proves who is there now.
fn is_unlimited(caller: &UserCaller) -> bool {
    caller.user.is_administrator() || matches!(caller.proof, Proof::Password)
}

/// Whether the key ends before the caller's credential does, or together with it.
fn ends_before(key: &MachineKey, by: &Caller) -> bool {
    match by {
        Caller::User(caller) if is_unlimited(caller) => true,
        Caller::User(UserCaller { proof: Proof::Session(session), .. }) => {
            key.session_id == Some(session.id)
        }
        Caller::User(_) => false,
        Caller::Key(caller) => key.parent_id == Some(caller.key.id),
    }
}
