//! Issues access tokens to applications that prove their secret, and verifies the signed calls that
//! applications make with them.
//!
//! An application has one access token at a time. While the token is valid, each request with a new
//! proof returns the same token. A proof is valid once: if it is sent again, it returns the token
//! that it returned before while that is valid, and never another one.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::applications::application::{Application, TOKEN_LIFETIME};
use crate::domain::applications::signed_call::{self, Timestamp};
use crate::domain::audit::{Actor, Deed};
use crate::domain::secret::{HashedToken, PlainToken, hex};
use crate::error::{Denied, Error, Result};
use crate::memory::known::Known;
use crate::memory::write::Write;
use crate::store::sealed::SealedColumn;
use crate::store::{applications, feed};

/// What an application sends to get a token.
#[derive(Debug)]
pub struct SecretProof {
    pub access_key: String,
    /// When the application sends it.
    pub timestamp: Timestamp,
    /// See [`signed_call::encryption`].
    pub encryption: String,
}

/// What an application sends with a call.
#[derive(Debug)]
pub struct SignedCall {
    pub token: PlainToken,
    pub timestamp: Timestamp,
    /// See [`signed_call::signature`].
    pub signature: String,
}

#[derive(Debug)]
pub struct Issued {
    pub token: PlainToken,
    /// Seconds until it expires.
    pub seconds_left: i64,
}

/// Returns the application's access token: the current one, or a new one if there is none.
pub async fn get(cx: &Cx, proof: &SecretProof) -> Result<Issued> {
    let (application, brought) = prove(cx, proof).await?;
    if brought.is_some() {
        return brought_by(cx, &application, brought.as_deref());
    }
    if counting(cx, &application).is_some() {
        remember(cx, proof).await?;
    } else {
        // A token that is still valid here could not be decrypted by any master key.
        let replaced = application
            .token
            .as_ref()
            .filter(|token| token.expires_at > cx.now)
            .map(|token| token.hash);
        issue(cx, proof, replaced).await?;
    }
    let (application, brought) = prove(cx, proof).await?;
    brought_by(cx, &application, brought.as_deref())
}

/// Issues a new access token in place of `token`, which must be the application's current and valid
/// one.
pub async fn refresh(cx: &Cx, proof: &SecretProof, token: &PlainToken) -> Result<Issued> {
    let (application, brought) = prove(cx, proof).await?;
    if brought.is_some() {
        return Err(Denied::Replayed.into());
    }
    let current = application
        .token
        .as_ref()
        .filter(|current| current.hash == token.hashed() && current.expires_at > cx.now);
    issue(cx, proof, Some(current.ok_or(Denied::Expired)?.hash)).await?;
    let (application, brought) = prove(cx, proof).await?;
    brought_by(cx, &application, brought.as_deref())
}

/// Finds the application by its access token. The call's time must be current. The signature has
/// still to be verified.
pub async fn find(cx: &Cx, call: &SignedCall) -> Result<Rc<Application>> {
    if !call.timestamp.is_current(cx.now) {
        return Err(Denied::StaleTimestamp.into());
    }
    let application =
        Known::application_of(cx, call.token.hashed()).await?.ok_or(Denied::Revoked)?;
    if application.token.as_ref().is_none_or(|token| token.expires_at <= cx.now) {
        return Err(Denied::Expired.into());
    }
    if application.may_act() { Ok(application) } else { Err(Denied::Revoked.into()) }
}

/// Verifies the signature over these query parameters and this body. The signature of a call that
/// writes can be used once.
pub async fn verify(
    cx: &Cx,
    application: &Application,
    call: &SignedCall,
    parameters: &[(String, String)],
    body: &[u8],
    writes: bool,
) -> Result<()> {
    let secret = application.secret.as_ref().ok_or(Denied::BadSignature)?;
    let expected =
        signed_call::signature(call.token.expose(), parameters, body, &call.timestamp, secret);
    if !signed_call::is_same(&expected, &call.signature) {
        return Err(Denied::BadSignature.into());
    }
    if writes {
        let used = signed_call::used_name("call", &call.token.hashed().to_hex(), &call.signature);
        Write::of(applications::use_once(&used, call.timestamp.end())).commit(cx).await?;
    }
    Ok(())
}

/// Checks the proof. Returns the application, and, if the proof was used before, the hash of the
/// token that it returned.
async fn prove(cx: &Cx, proof: &SecretProof) -> Result<(Application, Option<String>)> {
    if !proof.timestamp.is_current(cx.now) {
        return Err(Error::invalid("timestamp", "must be within 15 minutes of now"));
    }
    let (application, brought) =
        applications::find_with_use(cx, &proof.access_key, &used(proof)).await?;
    let application = application.filter(Application::may_act).ok_or(Denied::UnknownApplication)?;
    let secret = application.secret.as_ref().ok_or(Denied::BadSignature)?;
    let expected = signed_call::encryption(&proof.access_key, &proof.timestamp, secret);
    if !signed_call::is_same(&expected, &proof.encryption) {
        return Err(Denied::BadSignature.into());
    }
    Ok((application, brought))
}

fn brought_by(cx: &Cx, application: &Application, brought: Option<&str>) -> Result<Issued> {
    let (token, hash, expires_at_ms) = counting(cx, application).ok_or(Denied::Replayed)?;
    if brought != Some(hash.to_hex().as_str()) {
        return Err(Denied::Replayed.into());
    }
    Ok(Issued { token: token.clone(), seconds_left: (expires_at_ms - cx.now.0).div_euclid(1000) })
}

/// The application's token, its hash and its expiry in milliseconds. `None` if it has expired or
/// cannot be decrypted.
fn counting<'a>(
    cx: &Cx,
    application: &'a Application,
) -> Option<(&'a PlainToken, HashedToken, i64)> {
    let token = application.token.as_ref().filter(|token| token.expires_at > cx.now)?;
    Some((token.token.as_ref()?, token.hash, token.expires_at.0))
}

/// Issues a token. If another request issues one at the same time, the proof returns that one.
async fn issue(cx: &Cx, proof: &SecretProof, replaced: Option<HashedToken>) -> Result<()> {
    let access_key = proof.access_key.as_str();
    let token = PlainToken::new(hex(&cx.random::<32>()?));
    let (hash, sealed) = (
        token.hashed(),
        SealedColumn::ACCESS_TOKEN.seal(cx, access_key, token.expose().as_bytes())?,
    );
    let deed = Deed::new(
        application_actor(access_key),
        if replaced.is_some() { "access_token.refresh" } else { "access_token.issue" },
        access_key.to_owned(),
    );
    let written = Write::of(applications::set_token(
        access_key,
        &sealed,
        hash,
        cx.now + TOKEN_LIFETIME,
        replaced,
        cx.now,
    ))
    .and(applications::refuse_other_token(access_key, hash))
    .and(applications::use_for_new_token(&used(proof), hash, proof.timestamp.end()))
    .and(feed::application_changed(access_key, cx.now))
    .deed(deed)
    .commit(cx)
    .await;
    match written {
        Ok(_) => Ok(()),
        Err(Error::Unauthenticated(Denied::Replayed)) => remember(cx, proof).await,
        Err(error) => Err(error),
    }
}

/// Notes that the proof returns the current token.
async fn remember(cx: &Cx, proof: &SecretProof) -> Result<()> {
    let remember =
        applications::use_for_token(&used(proof), &proof.access_key, proof.timestamp.end());
    Write::of(remember).commit(cx).await.map(drop)
}

/// How the audit trail names an application.
pub(crate) fn application_actor(access_key: &str) -> Actor {
    Actor::bracketed(&format!("application {access_key}"))
}

fn used(proof: &SecretProof) -> String {
    signed_call::used_name("encryption", &proof.access_key, &proof.encryption)
}
