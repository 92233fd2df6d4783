//! Verifying a token app's token: which app it belongs to, whether it counts now, and whose it is.
//!
//! A warm verification does no I/O. A cold one reads the apps, the change feed and whoever the token claims to be in one round trip; what
//! it claims is used for reading ahead only, and believed after the signature.

use std::rc::Rc;

use crate::actions::caller::{Caller, Hints, Proof};
use crate::actions::find_signer::find_signer;
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::user::{Profile, User, UserType, Username};
use crate::domain::secret::PlainToken;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::jwt::{Clock, UnverifiedToken, VerifiedClaims};
use crate::domain::tokens::token_app::{MAX_CANDIDATES, Selection, TokenApp};
use crate::error::{Denied, Error, Refusal, Result};
use crate::memory::known::Known;
use crate::memory::reading::Wanted;
use crate::memory::write::Write;
use crate::store::standings::Subject;
use crate::store::{feed, users};

/// Verifies a token. `parameter` is the URL parameter that carried it.
pub async fn verify(cx: &Cx, token: &PlainToken, parameter: Option<&str>, hints: Hints<'_>) -> Result<Caller> {
    verify_read(cx, &cx.memory.signed_tokens.read(token.expose())?, parameter, hints).await
}

async fn verify_read(cx: &Cx, unverified: &UnverifiedToken<'_>, parameter: Option<&str>, hints: Hints<'_>) -> Result<Caller> {
    let of = |app: Option<&str>| select(unverified.algorithm(), parameter, app);
    let mut known = Known::current(cx, || wanted(unverified, hints), Some(&of(hints.app))).await?;
    let candidates = candidates(&mut known, unverified, of, hints.app).await?;
    if candidates.is_empty() {
        return Err(Denied::UnknownApp.into());
    }
    if candidates.len() > MAX_CANDIDATES {
        return Err(Error::invalid("app", format!("must name the token app: more than {MAX_CANDIDATES} could have issued this token")));
    }
    let (app, claims) = find_signer(cx, unverified, &candidates).await?.ok_or(Denied::BadSignature)?;
    let clock = Clock { now: cx.now, leeway_s: cx.config.clock_leeway_s };
    let expires_at_s = claims.lifetime(app.terms.expire_s, clock)?;
    let user = user(cx, known, app, &claims, hints).await?;
    Ok(Caller { user, proof: Proof::Jwt { app: app.name.clone(), expires_at_s } })
}

/// Verifies the token in that of the URL parameters which is an enabled app's. Two of them are refused; none is `Missing`.
pub async fn verify_parameter(cx: &Cx, parameters: &[(String, PlainToken)], hints: Hints<'_>) -> Result<Caller> {
    let unverified = parameters.iter().find_map(|(name, token)| Some((name, cx.memory.signed_tokens.read(token.expose()).ok()?)));
    let wanted = || unverified.iter().flat_map(|(_, token)| wanted(token, hints)).collect();
    let selection = unverified.as_ref().map(|(name, token)| select(token.algorithm(), Some(name), hints.app));
    let known = Known::current(cx, wanted, selection.as_ref()).await?;
    let looks_like_one = |name: &str| name == "token" || unverified.as_ref().is_some_and(|(first, _)| *first == name);
    let mut named = parameters.iter().filter(|(name, _)| known.is_token_name(name).unwrap_or_else(|| looks_like_one(name)));
    match (named.next(), named.next()) {
        (Some((name, token)), None) => match &unverified {
            Some((first, read)) if *first == name => verify_read(cx, read, Some(name), hints).await,
            _ => verify(cx, token, Some(name), hints).await,
        },
        (Some(_), Some(_)) => Err(Denied::Malformed.into()),
        // A token that no enabled app takes is told apart from no token at all.
        (None, _) if parameters.iter().any(|(name, _)| looks_like_one(name)) => Err(Denied::UnknownApp.into()),
        (None, _) => Err(Denied::Missing.into()),
    }
}

/// Whoever the token may be of, and how they stand: read ahead, and believed after the signature.
fn wanted(token: &UnverifiedToken<'_>, hints: Hints<'_>) -> Vec<Wanted> {
    let names = token.possible_usernames();
    [Wanted::Users(names.clone())].into_iter().chain(hints.standings(Subject::Names(names))).collect()
}

fn select(algorithm: Algorithm, parameter: Option<&str>, app: Option<&str>) -> Selection {
    Selection { algorithm, token_name: parameter.map(str::to_owned), app: app.map(str::to_owned) }
}

/// The apps that the token may belong to, in order of name. `of` makes the selection of all, or of one by its name.
async fn candidates(
    known: &mut Known<'_>,
    token: &UnverifiedToken<'_>,
    of: impl Fn(Option<&str>) -> Selection,
    app: Option<&str>,
) -> Result<Vec<Rc<TokenApp>>> {
    // A `kid` narrows only where it is an app's name; beyond the number of apps that memory holds, the named one is looked for.
    if let Some(name) = token.key_id().filter(|_| app.is_none()) {
        let narrow = match known.is_app(name) {
            Some(false) => None,
            Some(true) => Some(known.candidates(&of(Some(name))).await?),
            None => Some(known.candidates(&of(Some(name))).await?).filter(|apps| !apps.is_empty()),
        };
        if let Some(apps) = narrow {
            return Ok(apps);
        }
    }
    known.candidates(&of(app)).await
}

/// The user that verified claims name; created at first sight where the app says so.
async fn user(cx: &Cx, mut known: Known<'_>, app: &TokenApp, claims: &VerifiedClaims<'_>, hints: Hints<'_>) -> Result<Rc<User>> {
    let username = claims.username(&app.terms.claims.username)?;
    let ahead = || hints.standings(Subject::Names(vec![username.as_str().to_owned()])).collect();
    match known.user_named(&username, ahead).await? {
        Some(user) => Ok(user),
        None if app.terms.creates_users => create(cx, app, claims, &username).await,
        None => Err(Refusal::UnknownUser.into()),
    }
}

/// Creates the user of a token at first sight: exactly one, however many tokens of theirs arrive at once.
async fn create(cx: &Cx, app: &TokenApp, claims: &VerifiedClaims<'_>, username: &Username) -> Result<Rc<User>> {
    let profile = Profile {
        name: claims.text(&app.terms.claims.name, Profile::MAX_TEXT),
        email: claims.text(&app.terms.claims.email, Profile::MAX_TEXT),
        phone: None,
        user_type: UserType::among(&app.terms.initial_roles),
        roles: app.terms.initial_roles.clone(),
        enabled: true,
    };
    let deed = Deed::new(Actor::bracketed(&format!("token app {}", app.name.as_str())), "user.create", username.as_str().to_owned())
        .after(profile.for_audit());
    let written = Write::of(users::insert(username, &profile, app.initial_password.as_ref(), cx.now))
        .and(feed::user_created(username, cx.now))
        .deed(deed)
        .commit(cx)
        .await;
    match written {
        // Another request was first; theirs is as good.
        Ok(_) | Err(Error::Conflict { .. }) => {}
        Err(error) => return Err(error),
    }
    Known::created(cx, username).await
}
