//! Which of the token apps a token is of: the first candidate whose key signed it, and whose terms it meets.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::tokens::checks::{self, Failed};
use crate::domain::tokens::jwk::KeySet;
use crate::domain::tokens::jwt::{Clock, Lifetime, UnverifiedToken, VerifiedClaims};
use crate::domain::tokens::keys::{KeySetUrl, Keys};
use crate::domain::tokens::token_app::{MAX_CANDIDATES, TokenApp};
use crate::error::{Denied, Error, Fault, Result};
use crate::memory::key_sets::{Look, MAX_SET_BYTES};

/// How many issuers one token may make ask for their keys.
const MAX_ASKED: usize = 8;

/// A token that an app accepts.
pub struct Accepted<'a, 't> {
    /// The app.
    pub app: &'a TokenApp,
    /// What the token says.
    pub claims: VerifiedClaims<'t>,
    /// From when until when it counts.
    pub lifetime: Lifetime,
}

/// The app whose key verifies the token and whose terms it meets. Where keys verify it and no terms are met, the app whose checks held longest
/// says why; where no key does, it is `BadSignature`. Issuers whose keys are not known are asked for them last.
pub async fn find_signer<'a, 't>(cx: &Cx, token: &'t UnverifiedToken<'_>, candidates: &'a [Rc<TokenApp>]) -> Result<Accepted<'a, 't>> {
    if let Some(accepted) = remembered(cx, token, candidates) {
        return Ok(accepted);
    }
    let mut failed: Option<Failed> = None;
    let mut offer = |app: &'a TokenApp, claims: VerifiedClaims<'t>| match checks::admit(&claims, &app.terms, clock(cx)) {
        Ok(lifetime) => Some(Accepted { app, claims, lifetime }),
        Err(new) => {
            if failed.as_ref().is_none_or(|known| known.held < new.held) {
                failed = Some(new);
            }
            None
        }
    };
    let mut search = Search { cx, token, keys_left: MAX_CANDIDATES, asks_left: MAX_ASKED, is_open: false };
    let mut unknown = Vec::new();
    for app in candidates {
        let claims = match &app.keys {
            Keys::None => None,
            Keys::Shared(key) => {
                search.count(1)?;
                token.verify(app.terms.algorithm, &key.secret).inspect(|claims| cx.memory.signed_tokens.note(claims, key.id()))
            }
            Keys::Public(set) => search.among(app, set).await?,
            Keys::Published(url) => {
                let Some(set) = search.at_hand(app, url) else {
                    unknown.push((app, url));
                    continue;
                };
                search.among(app, &set).await?
            }
        };
        if let Some(accepted) = claims.and_then(|claims| offer(app, claims)) {
            return Ok(accepted);
        }
    }
    for (app, url) in unknown {
        let Some(set) = search.published(app, url).await? else { continue };
        if let Some(accepted) = search.among(app, &set).await?.and_then(|claims| offer(app, claims)) {
            return Ok(accepted);
        }
    }
    match failed {
        Some(Failed { why, .. }) => Err(why),
        None if search.is_open => Err(Error::Unavailable(Fault::new("an issuer has not answered, and may have the key").of_issuer())),
        None => Err(Denied::BadSignature.into()),
    }
}

/// What lifetimes are compared with.
fn clock(cx: &Cx) -> Clock {
    Clock { now: cx.now, leeway_s: cx.config.clock_leeway_s }
}

/// The same from memory: an app of which a key that counts now was found before to have signed the token. Nobody is asked for keys.
fn remembered<'a, 't>(cx: &Cx, token: &'t UnverifiedToken<'_>, candidates: &'a [Rc<TokenApp>]) -> Option<Accepted<'a, 't>> {
    let (key_id, _) = token.verified_before()?;
    let has_it = |app: &TokenApp| {
        let key_name = key_name(token, app);
        let is_among = |set: &KeySet| set.choose(app.terms.algorithm, key_name).iter().any(|key| *key.key.id() == key_id);
        match &app.keys {
            Keys::None => false,
            Keys::Shared(key) => app.terms.algorithm == token.algorithm() && key.id() == key_id,
            Keys::Public(set) => is_among(set),
            Keys::Published(url) => cx.memory.key_sets.fresh(url, cx.now).is_some_and(|set| is_among(&set)),
        }
    };
    candidates.iter().filter(|app| has_it(app)).find_map(|app| {
        let (_, claims) = token.verified_before()?;
        let lifetime = checks::admit(&claims, &app.terms, clock(cx)).ok()?;
        Some(Accepted { app, claims, lifetime })
    })
}

/// The `kid` by which a token names one of its app's keys. Where it is the app's own name, it has done its work.
fn key_name<'t>(token: &'t UnverifiedToken<'_>, app: &TokenApp) -> Option<&'t str> {
    token.key_id().filter(|id| *id != app.name.as_str())
}

struct Search<'c, 't, 'a> {
    cx: &'c Cx,
    token: &'t UnverifiedToken<'a>,
    keys_left: usize,
    asks_left: usize,
    /// An issuer has not answered yet, or not at all, and may have the key.
    is_open: bool,
}

impl<'t> Search<'_, 't, '_> {
    /// What the token says, if one of these public keys signed it.
    async fn among(&mut self, app: &TokenApp, set: &KeySet) -> Result<Option<VerifiedClaims<'t>>> {
        let algorithm = app.terms.algorithm;
        let keys = set.choose(algorithm, key_name(self.token, app));
        self.count(keys.len())?;
        for key in keys {
            let signatures = &self.cx.signatures;
            let check = async |signature: &[u8], message: &[u8]| signatures.verify(algorithm, &key.key, signature, message).await;
            match self.token.verify_by(algorithm, &key.key, check).await {
                Ok(Some(claims)) => {
                    self.cx.memory.signed_tokens.note(&claims, *key.key.id());
                    return Ok(Some(claims));
                }
                Ok(None) => {}
                // Such a key signs nothing; the others may.
                Err(fault) => self.cx.log.line(&format!("a key of token app {:?} cannot be used: {}", app.name.as_str(), fault.for_log())),
            }
        }
        Ok(None)
    }

    /// The keys that the app's issuer publishes, where they are fresh and have what the token names.
    fn at_hand(&self, app: &TokenApp, url: &KeySetUrl) -> Option<Rc<KeySet>> {
        let key_name = key_name(self.token, app);
        let set = self.cx.memory.key_sets.fresh(url, self.cx.now)?;
        (key_name.is_none() || set.has(app.terms.algorithm, key_name)).then_some(set)
    }

    /// The keys that the app's issuer publishes, asked for where they are not known; `None` where it does not answer.
    async fn published(&mut self, app: &TokenApp, url: &KeySetUrl) -> Result<Option<Rc<KeySet>>> {
        let cx = self.cx;
        let known = match cx.memory.key_sets.look(url, app.terms.algorithm, key_name(self.token, app), cx.now) {
            Look::Use(set) => return Ok(Some(set)),
            Look::Meanwhile(set) => {
                self.is_open = true;
                return Ok(Some(set));
            }
            Look::Nothing => {
                self.is_open = true;
                return Ok(None);
            }
            Look::Ask(known) => known,
        };
        let why = || format!("must name the token app: more than {MAX_ASKED} issuers would have to be asked for their keys");
        self.asks_left = self.asks_left.checked_sub(1).ok_or_else(|| Error::invalid("app", why()))?;
        match fetch(cx, url).await {
            Ok(set) => Ok(Some(set)),
            Err(fault) => {
                cx.memory.key_sets.note_failure(url, cx.now);
                cx.log.line(&format!("the keys of token app {:?} cannot be fetched: {}", app.name.as_str(), fault.for_log()));
                self.is_open = self.is_open || known.is_none();
                Ok(known)
            }
        }
    }

    fn count(&mut self, keys: usize) -> Result<()> {
        let why = || format!("must name the token app, or the token its key: more than {MAX_CANDIDATES} keys could have signed this token");
        self.keys_left = self.keys_left.checked_sub(keys).ok_or_else(|| Error::invalid("app", why()))?;
        Ok(())
    }
}

async fn fetch(cx: &Cx, url: &KeySetUrl) -> std::result::Result<Rc<KeySet>, Fault> {
    let published = cx.issuers.fetch(url).await?;
    if published.body.len() > MAX_SET_BYTES {
        return Err(Fault::new(format!("the answer is longer than {MAX_SET_BYTES} bytes")));
    }
    let set = KeySet::from_json(&published.body).map_err(|why| Fault::new(format!("the answer {why}")))?;
    let set = Rc::new(set);
    cx.memory.key_sets.keep(url, &set, published.cache_control.as_deref(), cx.now);
    Ok(set)
}

/// Whether one app's keys signed a token, for explanations.
pub enum Signed<'t> {
    /// They did: what the token says, and which key it was.
    By(VerifiedClaims<'t>, String),
    /// They did not, and this is known of why.
    ByNone(String),
}

/// Looks whether a key of the app signed the token.
pub async fn signed_by<'t>(cx: &Cx, token: &'t UnverifiedToken<'_>, app: &TokenApp) -> Result<Signed<'t>> {
    let mut search = Search { cx, token, keys_left: MAX_CANDIDATES, asks_left: MAX_ASKED, is_open: false };
    let (claims, keys) = match &app.keys {
        Keys::None => {
            return Ok(Signed::ByNone(
                "the app has no usable key: no master key opens its secret, or it is none for the algorithm".to_owned(),
            ));
        }
        Keys::Shared(key) => (token.verify(app.terms.algorithm, &key.secret), "the shared secret".to_owned()),
        Keys::Public(set) => (search.among(app, set).await?, "a registered key".to_owned()),
        Keys::Published(url) => match search.published(app, url).await? {
            Some(set) => (search.among(app, &set).await?, format!("a key that is published at {}", url.as_str())),
            None => return Ok(Signed::ByNone(format!("{} does not answer with a key set", url.as_str()))),
        },
    };
    Ok(match claims {
        Some(claims) => Signed::By(claims, keys),
        None => Signed::ByNone(format!("it was not made by {keys}")),
    })
}
