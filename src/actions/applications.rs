//! Applications, as administrators manage them. Their secrets are chosen here, and shown once.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::applications::application::{AccessKey, Application, OrganizationId, Terms};
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::opaque_token;
use crate::domain::secret::Secret;
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::sealed::Place;
use crate::store::{applications, feed, organizations};

/// Registers an application, and answers its secret; a shortcut has none. Its access key is chosen where it is `None`. In an open directory
/// its organization is registered with it.
pub async fn create(
    cx: &Cx,
    by: &Caller,
    access_key: Option<AccessKey>,
    organization_id: &OrganizationId,
    terms: &Terms,
) -> Result<(Application, Option<Secret>)> {
    let access_key = match access_key {
        Some(access_key) => access_key,
        None => AccessKey::parse(opaque_token::token(cx.random()?).expose()).map_err(Error::internal)?,
    };
    let secret = if terms.shortcut { None } else { Some(secret(cx)?) };
    let sealed = secret.as_ref().map(|secret| seal(cx, &access_key, secret)).transpose()?;
    let refused = |text: &str| {
        let taken = applications::is_double(text);
        let already = || Error::AlreadyExists { what: "application", id: access_key.as_str().to_owned() };
        taken.then(already).or_else(|| applications::refused(text))
    };
    let mut write = Write::default();
    if !cx.config.strict_directory {
        write = write.and(organizations::register(organization_id, cx.now));
    }
    write
        .and(applications::insert(&access_key, organization_id, terms, sealed.as_ref(), cx.now))
        .and(feed::application_changed(access_key.as_str(), cx.now))
        .deed(deed(by, "application.create", &access_key, None, Some(terms.for_audit(organization_id))))
        .commit(cx, refused)
        .await?;
    Ok((find(cx, access_key.as_str()).await?, secret))
}

/// One application.
pub async fn find(cx: &Cx, access_key: &str) -> Result<Application> {
    applications::find(cx, access_key).await?.ok_or_else(|| Error::not_found("application", access_key))
}

/// Applications by ascending access key, of one organization or of all.
pub async fn list(cx: &Cx, organization_id: Option<&str>, after_key: &str, limit: i64) -> Result<Vec<Application>> {
    applications::list(cx, organization_id, after_key, limit).await
}

/// Changes what can be chosen about an application.
pub async fn update(cx: &Cx, by: &Caller, access_key: &str, change: impl FnOnce(&mut Terms)) -> Result<Application> {
    let before = find(cx, access_key).await?;
    let mut terms = before.terms.clone();
    change(&mut terms);
    let after = terms.for_audit(&before.organization_id);
    let deed = deed(by, "application.update", &before.access_key, Some(before.for_audit()), Some(after));
    let write = Write::of(applications::update(&before.access_key, &terms, cx.now)).and(feed::application_changed(access_key, cx.now));
    write.deed(deed).commit(cx, |_| None).await?;
    find(cx, access_key).await
}

/// Gives an application a new secret, and ends its access token.
pub async fn renew_secret(cx: &Cx, by: &Caller, access_key: &str) -> Result<Secret> {
    let application = find(cx, access_key).await?;
    if application.terms.shortcut {
        return Err(Error::Conflict { why: "a shortcut has no secret".to_owned() });
    }
    let secret = secret(cx)?;
    let sealed = seal(cx, &application.access_key, &secret)?;
    let deed = deed(by, "application.renew_secret", &application.access_key, None, None);
    let write = Write::of(applications::set_secret(&application.access_key, &sealed, cx.now));
    write.and(feed::application_changed(access_key, cx.now)).deed(deed).commit(cx, |_| None).await?;
    Ok(secret)
}

/// Deletes an application, and its access token with it.
pub async fn delete(cx: &Cx, by: &Caller, access_key: &str) -> Result<()> {
    let before = find(cx, access_key).await?;
    let deed = deed(by, "application.delete", &before.access_key, Some(before.for_audit()), None);
    let write = Write::of(applications::delete(&before.access_key)).and(feed::application_changed(access_key, cx.now));
    write.deed(deed).commit(cx, |_| None).await.map(drop)
}

/// 32 random bytes in base64url: text that every client can put into a file.
fn secret(cx: &Cx) -> Result<Secret> {
    Ok(Secret::new(Base64UrlUnpadded::encode_string(&cx.random::<32>()?)))
}

fn seal(cx: &Cx, access_key: &AccessKey, secret: &Secret) -> Result<crate::store::sealed::Sealed> {
    Place::APPLICATION_SECRET.seal(cx, access_key.as_str(), secret.expose())
}

fn deed(
    by: &Caller,
    action: &'static str,
    access_key: &AccessKey,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Deed {
    Deed { actor: Actor::from(&*by.user), action, target: access_key.as_str().to_owned(), before, after }
}
