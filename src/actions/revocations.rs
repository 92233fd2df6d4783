//! Revokes tokens.
//!
//! The revocation of a JSON Web Token is stored until the token would have expired. Only tokens
//! that an enabled app accepts are stored, so a stranger cannot fill the table. An opaque token or
//! a machine key is deleted instead.

use serde_json::json;

use crate::actions::caller::{Caller, Hints, UserCaller};
use crate::actions::find_signer::Accepted;
use crate::actions::{machine_keys, sessions, verify_token};
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::machine_key;
use crate::domain::identity::user::Username;
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::revocation::{self, Listed, MAX_JTI, Revocation, RevocationKey};
use crate::domain::tokens::token_app::AppName;
use crate::error::{Denied, Error, Result};
use crate::memory::write::Write;
use crate::store::revocations;
pub use crate::store::revocations::Stored;
use crate::store::{feed, token_apps};

/// Revokes a token. Whoever has the token may do so. `by` is the authenticated caller, if there is
/// one. No user is created, and it does not matter whether the token's user would be let in.
pub async fn revoke_token(
    cx: &Cx,
    by: Option<&Caller>,
    token: &PlainToken,
    app: Option<&str>,
) -> Result<()> {
    if machine_key::looks_like_one(token.expose()) {
        return machine_keys::delete_shown(cx, by, token).await;
    }
    // Whether the app may speak for the token's user does not matter here.
    let of_app =
        verify_token::accept_telling(cx, token, app, |accepted| OfApp::of(cx.now, accepted)).await;
    let by_holder = || by.map_or_else(|| Actor::bracketed("holder of the token"), Caller::actor);
    match of_app {
        Ok(Some(found)) => found.revoke(cx, by_holder()).await,
        Ok(None) => sessions::revoke_shown(cx, by, token.hashed()).await,
        // The token has been revoked already.
        Err(Error::Unauthenticated(Denied::Revoked)) if token.expose().contains('.') => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is needed to revoke a token that an app accepts.
struct OfApp {
    revocation: Revocation,
    app: String,
    username: Username,
    jti: Option<String>,
}

impl OfApp {
    fn of(now: Millis, Accepted { app, claims, username, lifetime }: &Accepted<'_, '_>) -> Self {
        let is_introspected = app.terms.algorithm == Algorithm::Introspection;
        // An introspection endpoint may accept the same token in another spelling. So the
        // revocation is by `jti` if there is one.
        let until = if is_introspected {
            revocation::over_for_endpoint(lifetime.exp_s, app.terms.expire_s, now)
        } else {
            revocation::over_for_good(lifetime.exp_s, lifetime.issued_at_s)
        };
        let by_jti = || claims.jti().map(|jti| RevocationKey::of_jti(&app.name, &jti));
        let key = if is_introspected { by_jti() } else { None };
        let revocation = Revocation { key: key.unwrap_or_else(|| claims.revocation_key()), until };
        let jti = claims.jti().map(|jti| jti.chars().take(MAX_JTI).collect());
        Self { revocation, app: app.name.as_str().to_owned(), username: username.clone(), jti }
    }

    async fn revoke(self, cx: &Cx, by: Actor) -> Result<()> {
        let listed = Listed {
            app: self.app,
            username: Some(self.username.as_str().to_owned()),
            jti: self.jti,
        };
        write(cx, by, &self.revocation, &listed).await
    }
}

/// Revokes a token for a client (RFC 7009), if the token is the caller's own or the caller is an
/// administrator. The answer never tells whether somebody else's token is valid; that it was not
/// revoked is only in the audit trail. A token that is not valid need not be revoked.
pub async fn revoke_own(cx: &Cx, by: &Caller, token: &PlainToken) -> Result<()> {
    match revoke_if_own(cx, by, token).await {
        Err(Error::Unauthenticated(_) | Error::Forbidden(_) | Error::Invalid { .. }) => Ok(()),
        other => other,
    }
}

async fn revoke_if_own(cx: &Cx, by: &Caller, token: &PlainToken) -> Result<()> {
    if machine_key::looks_like_one(token.expose()) {
        let key = machine_keys::shown(cx, token).await?;
        let is_itself = matches!(by, Caller::Key(caller) if caller.key.id == key.id);
        let is_own = is_itself || (key.user_id.is_some() && key.user_id == by.own_id());
        return if may(by, is_own) {
            machine_keys::delete_found(cx, by.actor(), &key).await
        } else {
            refuse(cx, by, key.name.as_str()).await
        };
    }
    let Some(found) =
        verify_token::accept_telling(cx, token, None, |accepted| OfApp::of(cx.now, accepted))
            .await?
    else {
        let UserCaller { user, .. } = sessions::find(cx, token.hashed(), Hints::default()).await?;
        let is_own = by.own_id() == Some(user.id);
        return if may(by, is_own) {
            sessions::revoke_shown(cx, Some(by), token.hashed()).await
        } else {
            refuse(cx, by, user.username.as_str()).await
        };
    };
    let is_own = by.limited_by().is_some_and(|user| user.username == found.username);
    if may(by, is_own) {
        found.revoke(cx, by.actor()).await
    } else {
        refuse(cx, by, found.username.as_str()).await
    }
}

fn may(by: &Caller, is_own: bool) -> bool {
    is_own || by.is_administrator()
}

/// Writes to the audit trail that the caller tried to revoke somebody else's token.
async fn refuse(cx: &Cx, by: &Caller, whose: &str) -> Result<()> {
    Write::default().deed(by.deed("token.revoke_refused", whose)).commit(cx).await.map(drop)
}

/// Revokes a token that the app has accepted before, even if it does not accept it now.
pub async fn revoke_accepted_before(cx: &Cx, app: &AppName, token: &PlainToken) -> Result<()> {
    let unverified = cx.memory.signed_tokens.read(token.expose())?;
    let (key, _) = unverified.revocation_keys(app);
    let listed = Listed { app: app.as_str().to_owned(), username: None, jti: None };
    write(
        cx,
        Actor::bracketed("holder of the token"),
        &Revocation { key, until: revocation::latest_end(cx.now) },
        &listed,
    )
    .await
}

/// Revokes all tokens of an app that have this `jti`. The tokens themselves are not needed. `until`
/// is when they expire. Without it, the revocation is kept as long as a token of any app can be
/// valid.
pub async fn revoke_jti(
    cx: &Cx,
    by: &Caller,
    app: &AppName,
    jti: String,
    until: Option<Millis>,
) -> Result<()> {
    let latest = revocation::latest_end(cx.now);
    let until = until.unwrap_or(latest);
    if until <= cx.now || until > latest {
        return Err(Error::invalid(
            "until",
            "must be after now and at most ten years ahead, in epoch milliseconds",
        ));
    }
    if token_apps::find(cx, app.as_str()).await?.is_none() {
        return Err(Error::not_found("token app", app.as_str()));
    }
    let key = RevocationKey::of_jti(app, &jti);
    let listed = Listed { app: app.as_str().to_owned(), username: None, jti: Some(jti) };
    write(cx, by.actor(), &Revocation { key, until }, &listed).await
}

/// Listed in place of a token app's name, for revoked console sessions.
const CONSOLE: &str = "Postern console";

/// Revokes a console session that began with a key, until it would have expired.
pub(crate) async fn revoke_console(
    cx: &Cx,
    by: Actor,
    key_name: String,
    key: RevocationKey,
    until: Millis,
) -> Result<()> {
    let listed = Listed { app: CONSOLE.to_owned(), username: None, jti: None };
    write_of(cx, by, key_name, &Revocation { key, until }, &listed).await
}

async fn write(cx: &Cx, by: Actor, revocation: &Revocation, listed: &Listed) -> Result<()> {
    let Listed { app, username, jti } = listed;
    let target = username.as_ref().or(jti.as_ref()).unwrap_or(app).clone();
    write_of(cx, by, target, revocation, listed).await
}

async fn write_of(
    cx: &Cx,
    by: Actor,
    target: String,
    revocation: &Revocation,
    listed: &Listed,
) -> Result<()> {
    let Listed { app, username, jti } = listed;
    let kind = revocation.key.kind.name();
    let after = json!({
        "kind": kind,
        "app": app,
        "username": username,
        "jti": jti,
        "until": revocation.until.0,
    });
    let write = Write::of(revocations::insert(revocation, listed, cx.now))
        .and(feed::revoked(revocation, cx.now))
        .deed(Deed::new(by, "token.revoke", target).after(after));
    write.commit(cx).await.map(drop)
}

/// Lists the revocations with an id below `before`, the newest first.
pub async fn list(cx: &Cx, before: Option<i64>, limit: i64) -> Result<Vec<Stored>> {
    revocations::list(cx, before, limit).await
}
