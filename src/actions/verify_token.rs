//! Verifies a token of a token app: finds the app that accepts it, and its user.
//!
//! A warm verification does no I/O. A cold one reads the apps, the change feed and the users whom
//! the token may name, in one round trip. The claims are used only to read ahead; they are believed
//! after the signature was checked.

use std::rc::Rc;

use crate::actions::caller::{Hints, Proof, UserCaller};
use crate::actions::find_signer::{self, Accepted, find_app, find_signer};
use crate::actions::introspected_tokens::{self, Shown, Told};
use crate::actions::token_user;
use crate::context::Cx;
use crate::domain::identity::opaque_token;
use crate::domain::secret::PlainToken;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::introspection::Said;
use crate::domain::tokens::jwt::{MAX_BYTES_IN_URL, UnverifiedToken};
use crate::domain::tokens::token_app::{self, AppName, MAX_CANDIDATES, Selection, TokenApp};
use crate::error::{Denied, Error, Result};
use crate::memory::known::Known;
use crate::memory::reading::Wanted;
use crate::store::standings::Subject;

/// Verifies a token. `parameter` is the URL parameter that carried it, if one did.
pub async fn verify(
    cx: &Cx,
    token: &PlainToken,
    parameter: Option<&str>,
    hints: Hints<'_>,
) -> Result<UserCaller> {
    verify_telling(cx, token, parameter, hints, |_| ()).await.map(|(caller, ())| caller)
}

/// Like [`verify`]. `tell` gets the accepted token, and its result is returned.
pub async fn verify_telling<T>(
    cx: &Cx,
    token: &PlainToken,
    parameter: Option<&str>,
    hints: Hints<'_>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<(UserCaller, T)> {
    match cx.memory.signed_tokens.read(token.expose()) {
        Ok(unverified) => verify_read(cx, &unverified, parameter, hints, tell).await,
        Err(denied) => {
            let introspected = if parameter.is_none() {
                verify_foreign(cx, token, hints, tell).await?
            } else {
                None
            };
            introspected.ok_or_else(|| denied.into())
        }
    }
}

async fn verify_read<T>(
    cx: &Cx,
    unverified: &UnverifiedToken<'_>,
    parameter: Option<&str>,
    hints: Hints<'_>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<(UserCaller, T)> {
    let (mut known, candidates) = may_be_of(cx, unverified, parameter, hints).await?;
    match find_signer(cx, &mut known, unverified, &candidates).await {
        Ok(accepted) => caller(cx, known, accepted, hints, tell).await,
        Err(Error::Unauthenticated(Denied::BadSignature)) => {
            if may_be_foreign(&mut known, unverified, parameter, hints.app).await?
                && let Some(done) =
                    verify_introspected(cx, Shown::of_jwt(unverified), hints, tell).await?
            {
                return Ok(done);
            }
            Err(unsigned(&mut known, unverified, parameter, hints.app).await)
        }
        Err(error) => Err(error),
    }
}

/// Checks whether an app accepts the token, without looking for its user. Returns what `tell` makes
/// of the accepted token. `None` means that only Postern itself could have issued the token.
pub async fn accept_telling<T>(
    cx: &Cx,
    token: &PlainToken,
    app: Option<&str>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<Option<T>> {
    let text = token.expose();
    let is_signed = text.contains('.');
    if !is_signed && opaque_token::is_token(text) {
        return Ok(None);
    }
    let read = cx.memory.signed_tokens.read(text);
    let unsigned = match &read {
        Ok(unverified) => {
            let (mut known, candidates) =
                may_be_of(cx, unverified, None, Hints { app, ..Hints::default() }).await?;
            match find_signer(cx, &mut known, unverified, &candidates).await {
                Ok(accepted) => return Ok(Some(tell(&accepted))),
                Err(Error::Unauthenticated(Denied::BadSignature)) => {}
                Err(error) => return Err(error),
            }
            let may_be_foreign = may_be_foreign(&mut known, unverified, None, app).await?;
            let error = unsigned(&mut known, unverified, None, app).await;
            if !may_be_foreign {
                return Err(error);
            }
            error
        }
        Err(denied) => denied.clone().into(),
    };
    let shown = read.as_ref().map_or(Shown::opaque(text), Shown::of_jwt);
    let Some((mut known, app, said)) = introspect(cx, shown, app).await? else {
        return if is_signed { Err(unsigned) } else { Ok(None) };
    };
    let token = said.of(text);
    find_signer::accept_introspected(cx, &mut known, &app, &token)
        .await
        .map(|accepted| Some(tell(&accepted)))
}

/// Whether endpoints may be asked about a token that no key has signed. If the token names the
/// issuer of an app with keys, it can only be a token of that app, so no endpoint is asked.
///
/// A `kid` that is the name of an app has narrowed the candidates to that app. The answer must not
/// tell that there is such an app. So it depends on all apps here: on their number, too.
async fn may_be_foreign(
    known: &mut Known<'_>,
    token: &UnverifiedToken<'_>,
    parameter: Option<&str>,
    app: Option<&str>,
) -> Result<bool> {
    let all = match app {
        Some(_) => Vec::new(),
        None => known.candidates(&select(token, parameter, None)).await?,
    };
    Ok(is_foreign(&all)? && parameter.is_none())
}

/// [`may_be_foreign`], for all apps that may have issued the token. There are none if the call
/// names an app.
fn is_foreign(all: &[Rc<TokenApp>]) -> Result<bool> {
    refuse_too_many(all)?;
    Ok(!names_known_issuer(all))
}

/// Whether a token names the issuer of one of the apps that were selected by its issuer.
fn names_known_issuer(selected: &[Rc<TokenApp>]) -> bool {
    selected.iter().any(|app| app.terms.policy.issuer.is_some())
}

/// Fails if more apps than [`MAX_CANDIDATES`] have keys that could have signed a token. D1 selects
/// one app more than that at most, those without a secret last. So if the last one has a secret,
/// there may be further apps.
fn refuse_too_many(apps: &[Rc<TokenApp>]) -> Result<()> {
    let may_be_cut =
        apps.len() == MAX_CANDIDATES + 1 && apps.last().is_some_and(|app| !app.lacks_secret());
    if apps.iter().filter(|app| app.can_verify()).count() <= MAX_CANDIDATES && !may_be_cut {
        return Ok(());
    }
    Err(Error::invalid(
        "app",
        format!("must name the token app: more than {MAX_CANDIDATES} could have issued this token"),
    ))
}

/// Verifies a token that is not a JSON Web Token, if a token app has an introspection endpoint.
pub async fn verify_foreign<T>(
    cx: &Cx,
    token: &PlainToken,
    hints: Hints<'_>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<Option<(UserCaller, T)>> {
    verify_introspected(cx, Shown::opaque(token.expose()), hints, tell).await
}

async fn verify_introspected<T>(
    cx: &Cx,
    shown: Shown<'_>,
    hints: Hints<'_>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<Option<(UserCaller, T)>> {
    let Some((mut known, app, said)) = introspect(cx, shown, hints.app).await? else {
        return Ok(None);
    };
    let token = said.of(shown.token);
    let accepted = find_signer::accept_introspected(cx, &mut known, &app, &token).await?;
    caller(cx, known, accepted, hints, tell).await.map(Some)
}

/// Asks the introspection endpoints about a token. Returns the app whose endpoint calls it active,
/// and the answer. `None` if there is no endpoint to ask.
pub async fn introspect<'c>(
    cx: &'c Cx,
    shown: Shown<'_>,
    app: Option<&str>,
) -> Result<Option<(Known<'c>, Rc<TokenApp>, Said)>> {
    let Some(selection) = endpoints(shown, app) else { return Ok(None) };
    let mut known = Known::current(cx, Vec::new, Some(&selection)).await?;
    match introspected_tokens::ask(cx, &mut known, shown, &selection).await? {
        Told::Nobody => Ok(None),
        // Otherwise a made-up token could be used to find out the names of apps that introspect.
        Told::Inactive if shown.is_jwt || app.is_some() => Ok(None),
        Told::Inactive => Err(Denied::Revoked.into()),
        Told::Active(app, said) => Ok(Some((known, app, said))),
    }
}

/// The apps whose endpoints may be asked about a token; `None` if no endpoint may see it.
#[must_use]
pub fn endpoints(shown: Shown<'_>, app: Option<&str>) -> Option<Selection> {
    let issuer = || shown.issuer.filter(|issuer| issuer.len() <= MAX_ISSUER).map(str::to_owned);
    shown.may_be_shown().then(|| Selection {
        algorithm: Algorithm::Introspection,
        token_name: None,
        app: app.map(str::to_owned),
        issuer: (app.is_none() && shown.is_jwt).then(issuer),
    })
}

/// The caller who showed an accepted token.
async fn caller<T>(
    cx: &Cx,
    known: Known<'_>,
    accepted: Accepted<'_, '_>,
    hints: Hints<'_>,
    tell: impl FnOnce(&Accepted<'_, '_>) -> T,
) -> Result<(UserCaller, T)> {
    let user = token_user::find(cx, known, &accepted, hints)
        .await
        .inspect_err(|_| cx.noted.app(&accepted.app.name))?;
    let told = tell(&accepted);
    let Accepted { app, claims, lifetime, .. } = accepted;
    let passed = app
        .terms
        .policy
        .pass_claims
        .iter()
        .filter_map(|name| Some((name.clone(), claims.get(name)?.clone())))
        .collect();
    let groups = token_user::groups_of_request(app, &claims);
    let says = cx.config.rules_look_at_tokens.then(|| Rc::new(token_user::says(app, &claims)));
    let proof = Proof::Jwt {
        app: app.name.clone(),
        app_modified_at: app.modified_at,
        expires_at_s: lifetime.end_s,
        claims: passed,
        groups,
        says,
        is_introspected: app.terms.algorithm == Algorithm::Introspection,
    };
    Ok((UserCaller { user, proof }, told))
}

/// The apps that may have issued a token, with what else was read.
pub async fn may_be_of<'c>(
    cx: &'c Cx,
    unverified: &UnverifiedToken<'_>,
    parameter: Option<&str>,
    hints: Hints<'_>,
) -> Result<(Known<'c>, Vec<Rc<TokenApp>>)> {
    let of = |app: Option<&str>| select(unverified, parameter, app);
    let mut known = Known::current(cx, || wanted(unverified, hints), Some(&of(hints.app))).await?;
    let candidates = candidates(&mut known, unverified, of, hints.app).await?;
    refuse_too_many(&candidates)?;
    Ok((known, candidates))
}

/// Finds the app that a signed token belongs to, as verification does, but among the given apps.
/// These are all apps, read from D1 for an explanation. `None` if no key has signed the token, and
/// endpoints may be asked about it. The error says why verification refuses the token.
pub async fn signer_among(
    cx: &Cx,
    token: &UnverifiedToken<'_>,
    apps: &[Rc<TokenApp>],
    app: Option<&str>,
) -> Result<Option<AppName>> {
    let of = |name: Option<&str>| token_app::candidates(apps.iter(), &select(token, None, name));
    let candidates = of(app.or_else(|| named_by_kid(token, apps)));
    refuse_too_many(&candidates)?;
    match find_app(cx, token, &candidates).await {
        Ok(accepted) => Ok(Some(accepted.app.name.clone())),
        Err(error @ Error::Unauthenticated(Denied::BadSignature)) => {
            let all = if app.is_some() { Vec::new() } else { of(None) };
            if is_foreign(&all)? { Ok(None) } else { Err(error) }
        }
        Err(error) => Err(error),
    }
}

/// The name of an enabled app that the token names by its `kid`.
#[must_use]
pub fn named_by_kid<'t>(token: &'t UnverifiedToken<'_>, apps: &[Rc<TokenApp>]) -> Option<&'t str> {
    let is_app =
        |name: &&str| apps.iter().any(|app| app.terms.enabled && app.name.as_str() == *name);
    token.key_id().filter(is_app)
}

/// The error when no app's key signed the token.
async fn unsigned(
    known: &mut Known<'_>,
    unverified: &UnverifiedToken<'_>,
    parameter: Option<&str>,
    app: Option<&str>,
) -> Error {
    let of = |app: Option<&str>| select(unverified, parameter, app);
    match refuse_to_judge(known, of, app).await {
        Ok(()) => why_no_key(known, of, app).await.map_or_else(|error| error, Error::from),
        Err(error) => error,
    }
}

/// Fails if an app that may have signed the token has a secret that no master key opens, or lost
/// its secret in an import. Then nobody can say whether the token is good. If the call or the
/// token's `kid` names an app, all apps are looked at anyway, so that the answer does not tell
/// which names exist.
async fn refuse_to_judge(
    known: &mut Known<'_>,
    of: impl Fn(Option<&str>) -> Selection,
    app: Option<&str>,
) -> Result<()> {
    let all = of(None);
    // If the call names an app, the token's issuer does not matter: see `select`.
    let all = if app.is_some() { Selection { issuer: None, ..all } } else { all };
    let candidates = known.candidates(&all).await?;
    let why = if candidates.iter().any(|app| app.is_sealed()) {
        "no master key opens the secret of a token app that may have signed the token: is \
         MASTER_KEY the right one?"
    } else if candidates.iter().any(|app| app.lacks_secret()) {
        "a token app that may have signed the token has no secret: GET /health names it to \
         administrators"
    } else {
        return Ok(());
    };
    Err(Error::Misconfigured(vec![why.to_owned()]))
}

/// Why no app's key signed the token. If an app is named, by the call or by the token's `kid`, the
/// answer is the same whether an enabled app of that name exists or not, so that names cannot be
/// guessed.
async fn why_no_key(
    known: &mut Known<'_>,
    of: impl Fn(Option<&str>) -> Selection,
    app: Option<&str>,
) -> Result<Denied> {
    if app.is_some() {
        return Ok(Denied::NoApp);
    }
    let all = of(None);
    if !known.candidates(&all).await?.is_empty() {
        return Ok(Denied::BadSignature);
    }
    if !known.candidates(&Selection { issuer: None, ..all.clone() }).await?.is_empty() {
        let has_issuer = all.issuer.flatten().is_some();
        return Ok(if has_issuer {
            Denied::IssuerMismatch
        } else {
            Denied::ClaimMissing("iss".into())
        });
    }
    let takes_others = known.takes_other_algorithm(&all).unwrap_or(false);
    Ok(if takes_others { Denied::WrongAlgorithm } else { Denied::NoApp })
}

/// Verifies the token in the one URL parameter that an enabled app takes tokens from. Two such
/// parameters are refused. Without one, the error is `Missing`.
pub async fn verify_parameter(
    cx: &Cx,
    parameters: &[(String, PlainToken)],
    hints: Hints<'_>,
) -> Result<UserCaller> {
    let is_short = |token: &PlainToken| token.expose().len() <= MAX_BYTES_IN_URL;
    let read = |token| cx.memory.signed_tokens.read(PlainToken::expose(token)).ok();
    let unverified = parameters
        .iter()
        .filter(|(_, token)| is_short(token))
        .find_map(|(name, token)| Some((name, read(token)?)));
    let wanted = || unverified.iter().flat_map(|(_, token)| wanted(token, hints)).collect();
    let selection = unverified.as_ref().map(|(name, token)| select(token, Some(name), hints.app));
    let known = Known::current(cx, wanted, selection.as_ref()).await?;
    let looks_like_one = |name: &str| {
        name == "token" || unverified.as_ref().is_some_and(|(first, _)| *first == name)
    };
    let mut named = parameters
        .iter()
        .filter(|(name, _)| known.is_token_name(name).unwrap_or_else(|| looks_like_one(name)));
    match (named.next(), named.next()) {
        (Some((_, token)), None) if !is_short(token) => Err(Denied::TooLong.into()),
        (Some((name, token)), None) => match &unverified {
            Some((first, read)) if *first == name => {
                verify_read(cx, read, Some(name), hints, |_| ()).await.map(|(caller, ())| caller)
            }
            _ => verify(cx, token, Some(name), hints).await,
        },
        (Some((name, _)), Some(_)) => Err(Error::doubled_credential(name)),
        // A token in a parameter that no enabled app takes has another error than no token at all.
        (None, _) if unverified.is_some() => Err(Denied::WrongParameter.into()),
        (None, _) => Err(Denied::Missing.into()),
    }
}

/// The users whom the token may name, and their permissions. They are read ahead, and the claims
/// are believed after the signature.
fn wanted(token: &UnverifiedToken<'_>, hints: Hints<'_>) -> Vec<Wanted> {
    let names = token.possible_usernames();
    [Wanted::Users(names.clone())].into_iter().chain(hints.ahead(Subject::Names(names))).collect()
}

/// A longer `iss` is not used to choose apps, in bytes.
const MAX_ISSUER: usize = 2048;

/// If the call names an app, the token's issuer does not matter here. It is compared after the
/// signature. So whoever made a token for that app learns that the issuer is wrong, and a stranger
/// does not.
fn select(token: &UnverifiedToken<'_>, parameter: Option<&str>, app: Option<&str>) -> Selection {
    let issuer = || token.issuer().filter(|issuer| issuer.len() <= MAX_ISSUER).map(str::to_owned);
    let issuer = app.is_none().then(issuer);
    Selection {
        algorithm: token.algorithm(),
        token_name: parameter.map(str::to_owned),
        app: app.map(str::to_owned),
        issuer,
    }
}

/// The apps that may have issued the token, in order of name. `of` makes the selection of all apps,
/// or of the app of a name.
async fn candidates(
    known: &mut Known<'_>,
    token: &UnverifiedToken<'_>,
    of: impl Fn(Option<&str>) -> Selection,
    app: Option<&str>,
) -> Result<Vec<Rc<TokenApp>>> {
    // A `kid` narrows the candidates only if it is the name of an app. If memory does not keep all
    // apps, that app is looked up.
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
