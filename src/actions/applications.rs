//! Manages applications, for administrators. Their secrets are generated here, and shown once.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::applications::application::{
    AccessKey, Application, ApplicationTerms, OrganizationId,
};
use crate::domain::identity::opaque_token;
use crate::domain::secret::Secret;
use crate::domain::text;
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::sealed::SealedColumn;
use crate::store::{applications, feed, organizations};

/// Registers an application. Returns its secret; a shortcut has none. If `access_key` is `None`,
/// one is generated. Unless the directory is strict, the organization is registered with it.
pub async fn create(
    cx: &Cx,
    by: &Caller,
    access_key: Option<AccessKey>,
    organization_id: &OrganizationId,
    terms: &ApplicationTerms,
) -> Result<(Application, Option<Secret>)> {
    let access_key = match access_key {
        Some(access_key) => {
            text::can_be_in_a_path(access_key.as_str())
                .map_err(|why| Error::invalid("accessKey", why))?;
            access_key
        }
        None => {
            AccessKey::parse(opaque_token::token(cx.random()?).expose()).map_err(Error::internal)?
        }
    };
    let secret = if terms.shortcut { None } else { Some(secret(cx)?) };
    let sealed = secret.as_ref().map(|secret| seal(cx, &access_key, secret)).transpose()?;
    let already =
        || Error::AlreadyExists { what: "application", id: access_key.as_str().to_owned() };
    let mut write = Write::default();
    if !cx.config.strict_directory {
        write = write.and(organizations::register(organization_id, cx.now));
    }
    write
        .and(applications::insert(&access_key, organization_id, terms, sealed.as_ref(), cx.now))
        .and(feed::application_changed(access_key.as_str(), cx.now))
        .deed(
            by.deed("application.create", access_key.as_str())
                .after(terms.for_audit(organization_id)),
        )
        .commit_unless(cx, &[Constraint::AccessKey], already)
        .await?;
    Ok((find(cx, access_key.as_str()).await?, secret))
}

pub async fn find(cx: &Cx, access_key: &str) -> Result<Application> {
    applications::find(cx, access_key)
        .await?
        .ok_or_else(|| Error::not_found("application", access_key))
}

/// Lists applications by ascending access key, of one organization or of all.
pub async fn list(
    cx: &Cx,
    organization_id: Option<&str>,
    after_key: &str,
    limit: i64,
) -> Result<Vec<Application>> {
    applications::list(cx, organization_id, after_key, limit).await
}

/// Changes the terms of an application.
pub async fn update(
    cx: &Cx,
    by: &Caller,
    access_key: &str,
    change: impl FnOnce(&mut ApplicationTerms),
) -> Result<Application> {
    let before = find(cx, access_key).await?;
    let mut terms = before.terms.clone();
    change(&mut terms);
    let after = terms.for_audit(&before.organization_id);
    let deed = by
        .deed("application.update", before.access_key.as_str())
        .before(before.for_audit())
        .after(after);
    let write = Write::of(applications::update(&before.access_key, &before.terms, &terms, cx.now))
        .and(feed::application_changed(access_key, cx.now));
    write.deed(deed).commit(cx).await?;
    find(cx, access_key).await
}

/// Gives an application a new secret, and revokes its access token.
pub async fn renew_secret(cx: &Cx, by: &Caller, access_key: &str) -> Result<Secret> {
    let application = find(cx, access_key).await?;
    if application.terms.shortcut {
        return Err(Error::Conflict { why: "a shortcut has no secret".to_owned() });
    }
    let secret = secret(cx)?;
    let sealed = seal(cx, &application.access_key, &secret)?;
    let id = |secret: &Secret| cx.config.master_keys.id_of_secret(secret.expose());
    let deed = by.deed("application.renew_secret", application.access_key.as_str());
    let deed =
        deed.secret_changed(application.secret.as_ref().map(id).as_deref(), Some(&id(&secret)));
    let write = Write::of(applications::set_secret(&application.access_key, &sealed, cx.now));
    write.and(feed::application_changed(access_key, cx.now)).deed(deed).commit(cx).await?;
    Ok(secret)
}

/// Deletes an application and its access token.
pub async fn delete(cx: &Cx, by: &Caller, access_key: &str) -> Result<()> {
    let before = find(cx, access_key).await?;
    let deed = by.deed("application.delete", before.access_key.as_str()).before(before.for_audit());
    let write = Write::of(applications::delete(&before.access_key))
        .and(feed::application_changed(access_key, cx.now));
    write.deed(deed).commit(cx).await.map(drop)
}

/// 32 random bytes in base64url, which every client can store as text.
fn secret(cx: &Cx) -> Result<Secret> {
    Ok(Secret::new(Base64UrlUnpadded::encode_string(&cx.random::<32>()?)))
}

fn seal(cx: &Cx, access_key: &AccessKey, secret: &Secret) -> Result<crate::store::sealed::Sealed> {
    SealedColumn::APPLICATION_SECRET.seal(cx, access_key.as_str(), secret.expose())
}
