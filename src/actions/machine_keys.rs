//! Keys for machines: whose one is that is shown, and making and removing them.
//!
//! No credential makes a key that outlives it. A key that a session, a token or another key made
//! ends with that. Only administrators, and users who send their password, make keys without an
//! end.

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
/// How many expired keys are removed in one go; the rest follows at the next event.
const REMOVED_AT_ONCE: i64 = 100;

/// A key that was just made, or a further secret of one.
#[derive(Debug)]
pub struct Made {
    /// The key as it is listed.
    pub listed: Listed,
    /// What is told this once.
    pub secret: PlainToken,
}

/// What is to be made.
#[derive(Debug)]
pub struct Wish {
    /// Its name.
    pub name: KeyName,
    /// What it may.
    pub may: Rights,
    /// For whom it is to speak.
    pub user_id: Option<UserId>,
    /// When it is to expire.
    pub expires_at: Option<Millis>,
}

/// The machine that shows a key. A text that cannot be a key costs no reading.
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
    // Whoever ends all that was issued to a user ends the keys that speak for them, too.
    if user.as_ref().is_some_and(|user| key.created_at < user.valid_from) {
        return Err(Denied::Revoked.into());
    }
    // A key ends with the token that made it.
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

/// Writes down behind the answer that a key was used today, unless that was done before. Then it
/// shares `wanted`, what the request asked for, once more: another isolate that found the old entry
/// would write the same again.
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
            // Where it fails, the next isolate shares it.
            let _ = Known::read(&behind, &wanted, None).await;
        }
    }));
}

/// Makes a key. `shown` is the token app's token that the caller showed, if it was one.
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

/// Gives a key a second secret, which counts beside the first one until one of them is removed.
/// `shown` likewise.
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
    // Somebody else removed the key in between.
    if rows.is_empty() {
        return Err(Error::not_found("key", id));
    }
    Ok(Made { listed: found(cx, id).await?, secret })
}

/// Removes one of a key's two secrets.
pub async fn remove_secret(cx: &Cx, by: &Caller, id: i64, prefix: &str) -> Result<()> {
    let Listed { key, secrets } = visible(cx, by, id).await?;
    if !secrets.iter().any(|secret| secret.prefix == prefix) {
        // It may be the whole key.
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

/// Keys by ascending id: all of them for administrators, their own for others.
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

/// One key that the caller may see. Those of others are not there for them.
pub async fn visible(cx: &Cx, by: &Caller, id: i64) -> Result<Listed> {
    let listed = found(cx, id).await?;
    let is_own = listed.key.user_id.is_some() && listed.key.user_id == by.own_id();
    if is_own || by.is_administrator() { Ok(listed) } else { Err(Error::not_found("key", id)) }
}

/// Removes a key, and the keys that it made.
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

/// Removes the key that is shown, and the keys that it made. Whoever has it may do so; `by` is who
/// is signed in besides.
pub async fn delete_shown(cx: &Cx, by: Option<&Caller>, shown: &PlainToken) -> Result<()> {
    let KeyCaller { key, .. } = find(cx, None, shown, Hints::default()).await?;
    delete_found(cx, by.map_or_else(|| Actor::bracketed("holder of the key"), Caller::actor), &key)
        .await
}

/// The key that is shown, whether it still counts or not: that of a disabled user does not, and may
/// again.
pub async fn shown(cx: &Cx, shown: &PlainToken) -> Result<Rc<MachineKey>> {
    if !machine_key::is_well_formed(shown.expose()) {
        return Err(Denied::BadKey.into());
    }
    let hash = shown.hashed();
    let mut known = Known::current(cx, || vec![Wanted::Key(hash)], None).await?;
    let (key, _) = known.key(hash, Vec::new).await?.ok_or(Denied::Revoked)?;
    Ok(key)
}

/// Removes a key, and the keys that it made.
pub async fn delete_found(cx: &Cx, by: Actor, key: &MachineKey) -> Result<()> {
    let deed = Deed::new(by, "key.delete", key.name.as_str()).before(key.for_audit());
    Write::of(machine_keys::delete(key.id))
        .and(feed::key_changed(key.id, cx.now))
        .deed(deed)
        .commit(cx)
        .await
        .map(drop)
}

/// Removes keys that expired a month ago.
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

/// For whom a key is to speak. Users who are no administrators, and keys that speak for a user,
/// make keys that speak for the same user, and no others.
fn speaks_for(by: &Caller, asked: Option<UserId>) -> Result<Option<UserId>> {
    let is_free = by.is_administrator() && (matches!(by, Caller::User(_)) || by.own_id().is_none());
    match by.own_id() {
        _ if is_free => Ok(asked),
        Some(own_id) if asked.is_none_or(|asked| asked == own_id) => Ok(Some(own_id)),
        _ => Err(Refusal::NotYourself.into()),
    }
}

/// What a key must end with because of the credential that makes it.
#[derive(Default)]
struct Limits {
    expires_at: Option<Millis>,
    session_id: Option<i64>,
    parent_id: Option<i64>,
    /// The digests by which the token is revoked.
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
                // Only its issuer knows when it ends, so that no key could end with it.
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
            // One generation, so that whatever removes a key finds the keys that it made at once.
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

/// A write that is refused where who makes a key is not as the isolate knows them. What was ended
/// or changed elsewhere counts here a little later, and a key that was made meanwhile would stay.
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

/// By what the token is revoked that the caller shows.
fn revocation_keys(
    cx: &Cx,
    shown: Option<&PlainToken>,
    app: &AppName,
) -> Result<(RevocationKey, Option<RevocationKey>)> {
    let shown =
        shown.ok_or_else(|| Error::internal("a token counts that the request does not show"))?;
    Ok(cx.memory.signed_tokens.read(shown.expose())?.revocation_keys(app))
}

/// An administrator could as well make another administrator, and a password says who is there now.
fn is_unlimited(caller: &UserCaller) -> bool {
    caller.user.is_administrator() || matches!(caller.proof, Proof::Password)
}

/// Whether the key ends before the caller's credential does, or at the same time.
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
