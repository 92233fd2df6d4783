//! Which of the token apps a token is of: the first candidate whose key signed it, and whose terms
//! it meets.

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

/// How many keys of one app are tried on a token. The keys of an app with more of them that may
/// have signed it are not tried: its tokens must name their key, and those of other apps lose
/// nothing.
const MAX_KEYS_OF_APP: usize = 64;
/// How many keys are tried on one token in all.
const MAX_KEYS: usize = 512;

/// A token that an app accepts, and that was not revoked.
pub struct Accepted<'a, 't> {
    /// The app.
    pub app: &'a TokenApp,
    /// What the token says.
    pub claims: VerifiedClaims<'t>,
    /// Whom it names.
    pub username: Username,
    /// From when until when it counts.
    pub lifetime: Lifetime,
}

/// The app that accepts the token, if it was not revoked. Revocations are looked for after the
/// signature, so that a stranger can neither fill memory with them nor have D1 asked.
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

/// The token as an app accepts it whose introspection endpoint has said what it says, if it was not
/// revoked.
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

/// The checks of an app whose endpoint knows the token.
fn admit_known(cx: &Cx, app: &TokenApp, claims: &VerifiedClaims<'_>) -> Result<Admission> {
    let admitted = checks::admit(claims, &app.terms, clock(cx)).map_err(|failed| failed.why);
    admitted.inspect_err(|_| cx.noted.app(&app.name))
}

/// The check after those of the list, [`checks::REVOCATION`].
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

/// The app whose key verifies the token and whose terms it meets. Where keys verify it and no terms
/// are met, the app whose checks held longest says why; where no key does, it is `BadSignature`.
/// Issuers whose keys are not known are asked for them last.
async fn find_app<'a, 't>(
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

/// The same from memory: an app of which a key that counts now was found before to have signed the
/// token. Nobody is asked for keys.
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

/// The `kid` by which a token names one of its app's keys. Where it is the app's own name, it has
/// done its work.
fn key_name<'t>(token: &'t UnverifiedToken<'_>, app: &TokenApp) -> Option<&'t str> {
    token.key_id().filter(|id| *id != app.name.as_str())
}

struct Search<'c, 't, 'a> {
    cx: &'c Cx,
    token: &'t UnverifiedToken<'a>,
    keys_left: usize,
    asks_left: usize,
    /// The app of which more keys than [`MAX_KEYS_OF_APP`] could have signed the token.
    unnamed: bool,
    open: Option<Open>,
}

/// An issuer may have the key that is not known.
struct Open {
    /// In how many seconds it may be asked again.
    retry_after_s: i64,
    /// It answered a moment ago, and did not have the key.
    is_answered: bool,
}

impl<'c, 't, 'a> Search<'c, 't, 'a> {
    fn new(cx: &'c Cx, token: &'t UnverifiedToken<'a>) -> Self {
        Self { cx, token, keys_left: MAX_KEYS, asks_left: MAX_ASKED, unnamed: false, open: None }
    }

    /// What the token says, if one of these public keys signed it, and which of them.
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
                // Such a key signs nothing; the others may.
                Err(fault) => self.cx.log.line(&format!(
                    "a key of token app {:?} cannot be used: {}",
                    app.name.as_str(),
                    fault.for_log()
                )),
            }
        }
        Ok(None)
    }

    /// The keys that the app's issuer publishes, where they are fresh and have what the token
    /// names.
    fn at_hand(&self, app: &TokenApp, source: &KeySource) -> Option<Rc<KeySet>> {
        let key_name = key_name(self.token, app);
        let set = self.cx.memory.key_sets.fresh(source, self.cx.now)?;
        (key_name.is_none() || set.has(app.terms.algorithm, key_name)).then_some(set)
    }

    /// The keys that the app's issuer publishes, fetched where they are not known.
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
                "must name the token app, or the token its key: more than {MAX_KEYS} keys could have signed this token"
            )
        };
        self.keys_left =
            self.keys_left.checked_sub(keys).ok_or_else(|| Error::invalid("app", why()))?;
        Ok(())
    }

    /// What it means that no key verified the token.
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
                "must name a token app whose tokens name their key: of one, more than {MAX_KEYS_OF_APP} keys could have signed this token"
            );
            return Error::invalid("app", why);
        }
        Denied::BadSignature.into()
    }
}

/// Whether one app's keys signed a token, for explanations.
pub enum Signed<'t> {
    /// They did: what the token says, and which key it was.
    By(VerifiedClaims<'t>, String),
    /// They did not, and this is known of why.
    ByNone(String),
}

/// Looks whether a key of the app signed the token.
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

/// By what an administrator finds a key again.
fn named(key: &IssuerKey) -> String {
    let name = key.id.as_ref().map_or_else(|| "no kid".to_owned(), |id| format!("the kid {id:?}"));
    format!("{name} and the thumbprint {}", thumbprint(&key.key))
}
