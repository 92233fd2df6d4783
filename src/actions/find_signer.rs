//! Finds the token app that a token belongs to: the first candidate whose key signed it and whose
//! terms it meets.

use std::rc::Rc;

use crate::actions::key_sets::{self, Found, MAX_ASKED};
use crate::context::Cx;
use crate::domain::identity::user::Username;
use crate::domain::tokens::checks::{self, Admission, Failed};
use crate::domain::tokens::introspection::Introspected;
use crate::domain::tokens::jwk::IssuerKey;
use crate::domain::tokens::jwt::{Clock, Lifetime, UnverifiedToken, VerifiedClaims};
use crate::domain::tokens::key_set::KeySet;
use crate::domain::tokens::key_source::KeySource;
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::revocation::{RevocationKey, RevocationKind};
use crate::domain::tokens::thumbprint::thumbprint;
use crate::domain::tokens::token_app::TokenApp;
use crate::error::{Denied, Error, Fault, Result};
use crate::memory::counters::Looked;
use crate::memory::key_sets::WantedKey;
use crate::memory::known::Known;

/// The largest number of keys of one app that are tried on one token. If more keys of an app could
/// have signed the token, none of them is tried. Tokens of such an app must name their key; tokens
/// of other apps are not affected.
const MAX_KEYS_OF_APP: usize = 64;
/// The largest number of keys that are tried on one token.
const MAX_KEYS: usize = 512;

/// A token that an app accepts, and that was not revoked.
pub struct Accepted<'a, 't> {
    pub app: &'a TokenApp,
    pub claims: VerifiedClaims<'t>,
    /// The user whom the token names.
    pub username: Username,
    pub lifetime: Lifetime,
}

/// Finds the app that accepts the token, and refuses a revoked token. Revocations are looked up
/// after the signature was checked. So a stranger cannot fill memory with them, or make Postern
/// read D1.
pub async fn find_signer<'a, 't>(
    cx: &Cx,
    known: &mut Known<'_>,
    token: &'t UnverifiedToken<'_>,
    candidates: &'a [Rc<TokenApp>],
) -> Result<Accepted<'a, 't>> {
    let accepted = find_app(cx, token, candidates).await?;
    refuse_revoked(known, accepted.app, &accepted.claims)
        .await
        .inspect_err(|_| cx.noted.app(&accepted.app.name))?;
    Ok(accepted)
}

/// Accepts a token by the claims that the app's introspection endpoint returned. Refuses a revoked
/// token.
pub async fn accept_introspected<'a, 't>(
    cx: &Cx,
    known: &mut Known<'_>,
    app: &'a TokenApp,
    token: &'t Introspected<'_>,
) -> Result<Accepted<'a, 't>> {
    let claims =
        token.claims().ok_or_else(|| Error::internal("an endpoint was not asked about a token"))?;
    let Admission { username, lifetime } = admit_known(cx, app, &claims)?;
    refuse_revoked(known, app, &claims).await.inspect_err(|_| cx.noted.app(&app.name))?;
    Ok(Accepted { app, claims, username, lifetime })
}

/// Makes the checks of the app whose endpoint knows the token.
fn admit_known(cx: &Cx, app: &TokenApp, claims: &VerifiedClaims<'_>) -> Result<Admission> {
    let admitted = checks::admit(claims, &app.terms, clock(cx)).map_err(|failed| failed.why);
    admitted.inspect_err(|_| cx.noted.app(&app.name))
}

/// The check [`checks::REVOCATION`], which comes after the list of checks.
pub async fn refuse_revoked(
    known: &mut Known<'_>,
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> Result<()> {
    let token = || Some(claims.revocation_key());
    let jti = || claims.jti().map(|jti| RevocationKey::of_jti(&app.name, &jti));
    let token = known.may_have_revoked(RevocationKind::Token).then(token).flatten();
    let jti = known.may_have_revoked(RevocationKind::Jti).then(jti).flatten();
    let keys: Vec<_> = token.into_iter().chain(jti).collect();
    if !keys.is_empty() && known.is_revoked(&keys).await? {
        return Err(Denied::Revoked.into());
    }
    Ok(())
}

/// Finds the app whose key verifies the token and whose terms it meets. If keys verify the token
/// but no app's terms are met, the error is that of the app whose checks held longest. If no key
/// verifies it, the error is `BadSignature`. Issuers whose keys have to be fetched come last.
pub async fn find_app<'a, 't>(
    cx: &Cx,
    token: &'t UnverifiedToken<'_>,
    candidates: &'a [Rc<TokenApp>],
) -> Result<Accepted<'a, 't>> {
    let known = remembered(cx, token, candidates);
    cx.memory.counters.look(Looked::SignedToken, known.is_some());
    cx.noted.looked(known.is_some());
    if let Some(accepted) = known {
        return Ok(accepted);
    }
    let mut failed: Option<(Failed, &TokenApp)> = None;
    let mut offer = |app: &'a TokenApp, claims: VerifiedClaims<'t>| match checks::admit(
        &claims,
        &app.terms,
        clock(cx),
    ) {
        Ok(Admission { username, lifetime }) => Some(Accepted { app, claims, username, lifetime }),
        Err(new) => {
            if failed.as_ref().is_none_or(|(known, _)| known.held < new.held) {
                failed = Some((new, app));
            }
            None
        }
    };
    let of_claims = |(claims, _)| claims;
    let mut search = Search::new(cx, token);
    let mut unknown = Vec::new();
    for app in candidates {
        let claims = match &app.keys {
            Keys::None | Keys::Introspected(_) => None,
            Keys::Shared(key) => {
                search.count(1)?;
                token
                    .verify(app.terms.algorithm, &key.secret)
                    .inspect(|claims| cx.memory.signed_tokens.note(claims, key.id()))
            }
            Keys::Public(set) => search.among(app, set).await?.map(of_claims),
            Keys::Published(source) => {
                let Some(set) = search.at_hand(app, source) else {
                    unknown.push((app, source));
                    continue;
                };
                search.among(app, &set).await?.map(of_claims)
            }
        };
        if let Some(accepted) = claims.and_then(|claims| offer(app, claims)) {
            return Ok(accepted);
        }
    }
    for (app, source) in unknown {
        let Some(set) = search.published(app, source).await? else { continue };
        if let Some(accepted) =
            search.among(app, &set).await?.and_then(|(claims, _)| offer(app, claims))
        {
            return Ok(accepted);
        }
    }
    match failed {
        Some((Failed { why, .. }, app)) => {
            cx.noted.app(&app.name);
            Err(why)
        }
        None => Err(search.none()),
    }
}

/// What lifetimes are compared with.
fn clock(cx: &Cx) -> Clock {
    Clock { now: cx.now, leeway_s: cx.config.clock_leeway_s }
}

/// Finds the app in memory: one of its current keys is known to have signed this token. No issuer
/// is asked for keys.
fn remembered<'a, 't>(
    cx: &Cx,
    token: &'t UnverifiedToken<'_>,
    candidates: &'a [Rc<TokenApp>],
) -> Option<Accepted<'a, 't>> {
    let (key_id, _) = token.verified_before()?;
    let has_it = |app: &TokenApp| {
        let key_name = key_name(token, app);
        let is_among = |set: &KeySet| {
            let keys = set.choose(app.terms.algorithm, key_name);
            keys.len() <= MAX_KEYS_OF_APP && keys.iter().any(|key| *key.key.id() == key_id)
        };
        match &app.keys {
            Keys::None | Keys::Introspected(_) => false,
            Keys::Shared(key) => app.terms.algorithm == token.algorithm() && key.id() == key_id,
            Keys::Public(set) => is_among(set),
            Keys::Published(source) => {
                cx.memory.key_sets.fresh(source, cx.now).is_some_and(|set| is_among(&set))
            }
        }
    };
    candidates.iter().filter(|app| has_it(app)).find_map(|app| {
        let (_, claims) = token.verified_before()?;
        let Admission { username, lifetime } =
            checks::admit(&claims, &app.terms, clock(cx)).ok()?;
        Some(Accepted { app, claims, username, lifetime })
    })
}

/// The `kid` by which the token names a key of the app. A `kid` that is the app's name has chosen
/// the app, and names no key.
fn key_name<'t>(token: &'t UnverifiedToken<'_>, app: &TokenApp) -> Option<&'t str> {
    token.key_id().filter(|id| *id != app.name.as_str())
}

struct Search<'c, 't, 'a> {
    cx: &'c Cx,
    token: &'t UnverifiedToken<'a>,
    keys_left: usize,
    asks_left: usize,
    /// Whether more than [`MAX_KEYS_OF_APP`] keys of some app could have signed the token.
    unnamed: bool,
    open: Option<Open>,
}

/// An issuer may have a key that is not known here.
struct Open {
    /// After this many seconds the issuer may be asked again.
    retry_after_s: i64,
    /// Whether the issuer answered just now, and did not have the key.
    is_answered: bool,
}

impl<'c, 't, 'a> Search<'c, 't, 'a> {
    fn new(cx: &'c Cx, token: &'t UnverifiedToken<'a>) -> Self {
        Self { cx, token, keys_left: MAX_KEYS, asks_left: MAX_ASKED, unnamed: false, open: None }
    }

    /// Returns the claims and the key, if one of these public keys signed the token.
    async fn among(
        &mut self,
        app: &TokenApp,
        set: &KeySet,
    ) -> Result<Option<(VerifiedClaims<'t>, Rc<IssuerKey>)>> {
        let algorithm = app.terms.algorithm;
        let keys = set.choose(algorithm, key_name(self.token, app));
        if keys.len() > MAX_KEYS_OF_APP {
            self.unnamed = true;
            return Ok(None);
        }
        self.count(keys.len())?;
        for key in keys {
            let signatures = &self.cx.signatures;
            let check = async |signature: &[u8], message: &[u8]| {
                signatures.verify(algorithm, &key.key, signature, message).await
            };
            match self.token.verify_by(algorithm, &key.key, check).await {
                Ok(Some(claims)) => {
                    self.cx.memory.signed_tokens.note(&claims, *key.key.id());
                    return Ok(Some((claims, key)));
                }
                Ok(None) => {}
                // This key cannot have signed anything, but the others may have.
                Err(fault) => self.cx.log.line(&format!(
                    "a key of token app {:?} cannot be used: {}",
                    app.name.as_str(),
                    fault.for_log()
                )),
            }
        }
        Ok(None)
    }

    /// The key set that the app's issuer publishes, if it is fresh in memory and has the key that
    /// the token names.
    fn at_hand(&self, app: &TokenApp, source: &KeySource) -> Option<Rc<KeySet>> {
        let key_name = key_name(self.token, app);
        let set = self.cx.memory.key_sets.fresh(source, self.cx.now)?;
        (key_name.is_none() || set.has(app.terms.algorithm, key_name)).then_some(set)
    }

    /// The key set that the app's issuer publishes. It is fetched if it is not known.
    async fn published(
        &mut self,
        app: &TokenApp,
        source: &KeySource,
    ) -> Result<Option<Rc<KeySet>>> {
        let wanted = WantedKey {
            algorithm: app.terms.algorithm,
            name: key_name(self.token, app),
            since: self.cx.now,
        };
        match key_sets::published(self.cx, source, wanted, &mut self.asks_left).await? {
            Found::Settled(set) => Ok(Some(set)),
            Found::Open { known, retry_after_s } => {
                let retry_after_s = self
                    .open
                    .as_ref()
                    .map_or(retry_after_s, |open| open.retry_after_s.min(retry_after_s));
                self.open = Some(Open { retry_after_s, is_answered: known.is_some() });
                Ok(known)
            }
        }
    }

    fn count(&mut self, keys: usize) -> Result<()> {
        let why = || {
            format!(
                "must name the token app, or the token must name its key by kid: more than \
                 {MAX_KEYS} keys could have signed this token"
            )
        };
        self.keys_left =
            self.keys_left.checked_sub(keys).ok_or_else(|| Error::invalid("app", why()))?;
        Ok(())
    }

    /// The error when no key verified the token.
    fn none(&self) -> Error {
        if let Some(Open { retry_after_s, is_answered }) = &self.open {
            let fault = if *is_answered {
                Fault::new("the token names a key that its issuer did not have when it was asked")
                    .of_unknown_key()
            } else {
                Fault::new("an issuer has not answered, and may have the key").of_issuer()
            };
            return Error::Unavailable(fault.with_retry_after(*retry_after_s));
        }
        if self.unnamed {
            let why = format!(
                "must name another token app, or the token must name its key by kid: more than \
                 {MAX_KEYS_OF_APP} keys of one app could have signed this token"
            );
            return Error::invalid("app", why);
        }
        Denied::BadSignature.into()
    }
}

/// Whether one app's keys signed a token, for explanations.
pub enum Signed<'t> {
    /// They did. The text names the key.
    By(VerifiedClaims<'t>, String),
    /// They did not. The text says why, as far as it is known.
    ByNone(String),
}

/// Checks whether a key of the app signed the token.
pub async fn signed_by<'t>(
    cx: &Cx,
    token: &'t UnverifiedToken<'_>,
    app: &TokenApp,
) -> Result<Signed<'t>> {
    let mut search = Search::new(cx, token);
    let (signed, keys) = match &app.keys {
        Keys::None => return Ok(Signed::ByNone(app.why_no_key().to_owned())),
        Keys::Introspected(_) => {
            return Ok(Signed::ByNone(
                "the app looks at no signature: it asks its endpoint".to_owned(),
            ));
        }
        Keys::Shared(key) => {
            let keys = "the shared secret".to_owned();
            return Ok(match token.verify(app.terms.algorithm, &key.secret) {
                Some(claims) => Signed::By(claims, keys),
                None => Signed::ByNone(not_made_by(&keys)),
            });
        }
        Keys::Public(set) => (search.among(app, set).await?, "a registered key".to_owned()),
        Keys::Published(source) => {
            let Some(set) = search.published(app, source).await? else {
                let problem = cx
                    .memory
                    .key_sets
                    .problem(source)
                    .map_or_else(String::new, |problem| format!(": {problem}"));
                return Ok(Signed::ByNone(format!(
                    "{} does not answer with a key set{problem}",
                    source.as_str()
                )));
            };
            (
                search.among(app, &set).await?,
                format!("a key that is published at {}", source.as_str()),
            )
        }
    };
    Ok(match signed {
        Some((claims, key)) => Signed::By(claims, format!("{keys}, which has {}", named(&key))),
        None => Signed::ByNone(not_made_by(&keys)),
    })
}

fn not_made_by(keys: &str) -> String {
    format!("it was not made by {keys}")
}

/// What administrators can recognize a key by.
fn named(key: &IssuerKey) -> String {
    let name = key.id.as_ref().map_or_else(|| "no kid".to_owned(), |id| format!("the kid {id:?}"));
    format!("{name} and the thumbprint {}", thumbprint(&key.key))
}
