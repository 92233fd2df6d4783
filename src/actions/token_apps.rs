//! Registering, listing and deleting token apps.

use crate::actions::caller::Caller;
use crate::actions::passwords;
use crate::context::Cx;
use crate::domain::secret::Secret;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::token_app::{AppName, TokenApp, TokenAppTerms};
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::sealed::SealedColumn;
use crate::store::{feed, token_apps};

/// A whole configuration, as it is to be.
#[derive(Debug)]
pub struct Registration {
    /// The app's name.
    pub name: AppName,
    /// What can be chosen.
    pub terms: TokenAppTerms,
    /// The shared secret or the public keys; `None` keeps what is stored.
    pub secret: Option<Secret>,
    /// The password of users created at first sight.
    pub initial_password: Option<Secret>,
}

/// Creates or replaces a token app, wholly or not at all. Answers warnings.
pub async fn register(cx: &Cx, by: &Caller, app: &Registration) -> Result<Vec<String>> {
    let before = token_apps::find(cx, app.name.as_str()).await?;
    let kept = before.as_ref().and_then(|before| before.secret.as_ref());
    let secret = app.secret.as_ref().or(kept);
    if let Some(secret) = secret {
        check(cx, app.terms.algorithm, secret).await?;
    }
    let sealed =
        app.secret.as_ref().map(|secret| SealedColumn::TOKEN_APP_SECRET.seal(cx, app.name.as_str(), secret.expose())).transpose()?;
    let password = app.initial_password.as_ref().map(|password| passwords::hash(cx, password)).transpose()?;
    let deed = by
        .deed(if before.is_some() { "token_app.update" } else { "token_app.create" }, app.name.as_str().to_owned())
        .before(before.as_ref().map(TokenApp::for_audit))
        .after(app.terms.for_audit());
    let upsert = token_apps::upsert(&app.name, &app.terms, sealed.as_ref(), password.as_ref(), by.user.id, cx.now);
    let write = Write::of(upsert).and(feed::token_app_changed(app.name.as_str(), cx.now)).deed(deed);
    write.commit(cx).await?;
    let too_short = app.terms.algorithm.min_secret_bytes().filter(|min| secret.is_some_and(|secret| secret.len() < *min));
    Ok(too_short.map(|min| format!("secret is shorter than {min} bytes (RFC 7518, 3.2)")).into_iter().collect())
}

/// The rules for a secret under an algorithm.
async fn check(cx: &Cx, algorithm: Algorithm, secret: &Secret) -> Result<()> {
    let invalid = |why: String| Error::invalid("secret", why);
    let min = cx.config.min_secret_bytes;
    match Keys::parse(algorithm, secret).map_err(invalid)? {
        Keys::Shared(key) if key.secret.len() < min => Err(invalid(format!("must have at least {min} bytes (MIN_SECRET_BYTES)"))),
        // The issuer is asked when a token of its comes: it need not be there before.
        Keys::Shared(_) | Keys::Published(_) | Keys::None => Ok(()),
        Keys::Public(keys) => {
            for key in keys.choose(algorithm, None) {
                if cx.signatures.accepts(algorithm, &key.key).await.is_ok() {
                    return Ok(());
                }
            }
            Err(invalid("must be a usable key: WebCrypto does not take its numbers".to_owned()))
        }
    }
}

/// Every token app, by name.
pub async fn list(cx: &Cx) -> Result<Vec<TokenApp>> {
    token_apps::list(cx).await
}

/// One token app.
pub async fn find(cx: &Cx, name: &str) -> Result<TokenApp> {
    token_apps::find(cx, name).await?.ok_or_else(|| Error::not_found("token app", name))
}

/// Deletes the apps of these names, all or none; unknown names are skipped.
pub async fn delete(cx: &Cx, by: &Caller, names: &[String]) -> Result<()> {
    let apps = token_apps::find_all(cx, names).await?;
    let mut write = Write::default();
    for app in &apps {
        let name = app.name.as_str();
        let deed = by.deed("token_app.delete", name.to_owned()).before(app.for_audit());
        write = write.and(token_apps::delete(name)).and(feed::token_app_changed(name, cx.now)).deed(deed);
    }
    if apps.is_empty() { Ok(()) } else { write.commit(cx).await.map(drop) }
}
