//! Fetches the keys that issuers publish when a token needs them. The isolate caches the keys.
//! Requests that need keys which are being fetched wait for them.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::fetch_problem::{FetchProblem, MAX_ANSWER_BYTES};
use crate::domain::tokens::jwk::IssuerKey;
use crate::domain::tokens::key_set::{KeySet, LeftOut};
use crate::domain::tokens::key_source::{HttpsUrl, IssuerUrl, KeySource, Metadata};
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::thumbprint::thumbprint;
use crate::domain::tokens::token_app::TokenApp;
use crate::error::{Error, Result};
use crate::memory::key_sets::{FETCH_LIMIT, Look, WantedKey};
use crate::ports::Published;

/// The pause between two looks for a set that another request fetches.
const POLL: Millis = Millis(25);
/// How long a request waits. This is enough for a fetch that was lost with its request, and for the
/// next one.
const MAX_WAIT: Millis = Millis(2 * FETCH_LIMIT.0);
/// The largest number of sets that are fetched or waited for to verify one token.
pub const MAX_ASKED: usize = 8;

/// What is known of an issuer's keys.
#[derive(Debug)]
pub enum Found {
    /// These are the issuer's keys now.
    Settled(Rc<KeySet>),
    /// The issuer may have another key than the known ones.
    Open {
        /// The last set, if it may still be used.
        known: Option<Rc<KeySet>>,
        /// After this many seconds, more may be known.
        retry_after_s: i64,
    },
}

/// Finds the key set of a source, for a token's key. If the set is not known, it is fetched; if
/// another request fetches it, this one waits. Either takes one of `asks_left`.
pub async fn published(
    cx: &Cx,
    source: &KeySource,
    wanted: WantedKey<'_>,
    asks_left: &mut usize,
) -> Result<Found> {
    let begun = cx.timer.now();
    let mut has_waited = false;
    loop {
        let now = cx.timer.now();
        match cx.memory.key_sets.look(source, wanted, now) {
            Look::Use(set) => return Ok(Found::Settled(set)),
            Look::Later { known, retry_after_s } => {
                return Ok(Found::Open { known, retry_after_s });
            }
            Look::Wait(known) if now - begun >= MAX_WAIT => {
                return Ok(Found::Open { known, retry_after_s: 1 });
            }
            Look::Wait(_) => {}
            Look::Fetch => {
                begin(cx, source, now);
                if now - begun >= MAX_WAIT {
                    return Ok(Found::Open { known: None, retry_after_s: 1 });
                }
            }
        }
        if !has_waited {
            let why = || {
                format!(
                    "must name the token app: more than {MAX_ASKED} issuers would have to be \
                     asked for their keys"
                )
            };
            *asks_left = asks_left.checked_sub(1).ok_or_else(|| Error::invalid("app", why()))?;
            has_waited = true;
        }
        cx.timer.sleep(POLL).await;
    }
}

/// Fetches a set in the background. The request may end before the set is there, because its client
/// may go away.
fn begin(cx: &Cx, source: &KeySource, asked_at: Millis) {
    let (own, source) = (cx.clone(), source.clone());
    cx.tasks.spawn(Box::pin(async move {
        // The result goes into memory, where the waiting requests look for it.
        drop(fetch(&own, &source, asked_at).await);
    }));
}

/// Fetches a set. Caches the set, or the reason why there is none.
async fn fetch(
    cx: &Cx,
    source: &KeySource,
    asked_at: Millis,
) -> std::result::Result<Rc<KeySet>, FetchProblem> {
    let asked = ask(cx, source, asked_at).await;
    match &asked {
        Ok((set, cache_control)) => keep(cx, source, set, cache_control.as_deref(), asked_at),
        Err(problem) => {
            log_problem(cx, source, problem);
            cx.memory.key_sets.note_failure(source, problem.clone(), asked_at, cx.timer.now());
        }
    }
    asked.map(|(set, _)| set)
}

fn log_problem(cx: &Cx, source: &KeySource, problem: &FetchProblem) {
    cx.log
        .line(&format!("the keys of {source} cannot be fetched: {problem} {}", problem.for_log()));
}

fn keep(
    cx: &Cx,
    source: &KeySource,
    set: &Rc<KeySet>,
    cache_control: Option<&str>,
    asked_at: Millis,
) {
    if cx.memory.key_sets.keep(source, set, cache_control, asked_at) {
        log_left_out(cx, source, set);
    }
}

async fn ask(
    cx: &Cx,
    source: &KeySource,
    asked_at: Millis,
) -> std::result::Result<(Rc<KeySet>, Option<String>), FetchProblem> {
    let url = match source {
        KeySource::Url(url) => url.clone(),
        KeySource::Issuer(issuer) => metadata(cx, source, issuer, asked_at).await?.jwks_uri.clone(),
    };
    let Published { body, cache_control } = get(cx, &url, asked_at).await?;
    let no_set = |why| Metadata::in_place_of_a_set(&body).unwrap_or(FetchProblem::NotASet(why));
    let set = KeySet::published(&body).map_err(no_set)?;
    Ok((Rc::new(set), cache_control))
}

/// The metadata of an issuer, from the cache if it is fresh.
async fn metadata(
    cx: &Cx,
    source: &KeySource,
    issuer: &IssuerUrl,
    asked_at: Millis,
) -> std::result::Result<Rc<Metadata>, FetchProblem> {
    if let Some(metadata) = cx.memory.key_sets.metadata(source, asked_at) {
        return Ok(metadata);
    }
    let mut problem = FetchProblem::NotFound(404);
    for url in issuer.metadata_urls() {
        match get(cx, &url, asked_at).await {
            Ok(published) => {
                let metadata = Rc::new(Metadata::read(&published.body, issuer)?);
                cx.memory.key_sets.keep_metadata(
                    source,
                    &metadata,
                    published.cache_control.as_deref(),
                    asked_at,
                );
                return Ok(metadata);
            }
            Err(absent @ FetchProblem::NotFound(_)) => problem = absent,
            Err(other) => return Err(other),
        }
    }
    Err(problem)
}

/// Gets a URL, within the time that is left for the whole fetch.
async fn get(
    cx: &Cx,
    url: &HttpsUrl,
    asked_at: Millis,
) -> std::result::Result<Published, FetchProblem> {
    let left = asked_at + FETCH_LIMIT - cx.timer.now();
    if left <= Millis(0) {
        return Err(FetchProblem::TimedOut);
    }
    let published = cx.issuers.fetch(url, left).await?;
    if published.body.len() > MAX_ANSWER_BYTES {
        return Err(FetchProblem::TooLong);
    }
    Ok(published)
}

fn log_left_out(cx: &Cx, source: &KeySource, set: &KeySet) {
    let names = set.left_out().iter().take(10).map(|key| match &key.kid {
        Some(kid) => format!("{kid:?} {}", key.why),
        None => format!("one without a name {}", key.why),
    });
    let (names, count) = (names.collect::<Vec<_>>().join("; "), set.left_out().len());
    if count == 0 {
        cx.log.line(&format!("all keys of {source} can be used again"));
    } else {
        cx.log.line(&format!("of the keys of {source}, {count} cannot be used: {names}"));
    }
}

/// The keys of an app, for whoever registers it.
#[derive(Debug, Default)]
pub struct Report {
    /// The keys that may sign the app's tokens.
    pub usable: Vec<UsableKey>,
    /// The keys that cannot be used, and why.
    pub left_out: Vec<LeftOut>,
    /// Why an issuer's keys could not be fetched. This is no reason to refuse the app, because the
    /// issuer may be down for a moment.
    pub problem: Option<FetchProblem>,
    /// What to register instead, as a sentence without a full stop.
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableKey {
    pub kid: Option<String>,
    pub algorithm: Algorithm,
    /// The thumbprint of RFC 7638.
    pub thumbprint: String,
}

/// Checks the keys of an app with an algorithm. Keys that an issuer publishes are fetched once, and
/// cached.
pub async fn inspect(cx: &Cx, keys: &Keys, algorithm: Algorithm) -> Report {
    let source = match keys {
        Keys::None | Keys::Shared(_) | Keys::Introspected(_) => return Report::default(),
        Keys::Public(set) => return report(cx, set, algorithm).await,
        Keys::Published(source) => source,
    };
    let asked_at = cx.timer.now();
    match ask(cx, source, asked_at).await {
        Ok((set, cache_control)) => {
            keep(cx, source, &set, cache_control.as_deref(), asked_at);
            report(cx, &set, algorithm).await
        }
        // The failure is not cached. If the issuer works a moment later, the first token makes
        // Postern ask it again.
        Err(problem) => {
            log_problem(cx, source, &problem);
            let hint = hint(cx, source, &problem).await;
            Report { problem: Some(problem), hint, ..Report::default() }
        }
    }
}

/// The usable keys that are known without asking an issuer.
pub async fn known(cx: &Cx, keys: &Keys, algorithm: Algorithm) -> Vec<UsableKey> {
    match keys {
        Keys::None | Keys::Shared(_) | Keys::Introspected(_) => Vec::new(),
        Keys::Public(set) => report(cx, set, algorithm).await.usable,
        Keys::Published(source) => match cx.memory.key_sets.fresh(source, cx.now) {
            Some(set) => report(cx, &set, algorithm).await.usable,
            None => Vec::new(),
        },
    }
}

async fn report(cx: &Cx, set: &KeySet, algorithm: Algorithm) -> Report {
    let mut report = Report { left_out: set.left_out().to_vec(), ..Report::default() };
    for key in set.iter() {
        match is_usable(cx, key, algorithm).await {
            Ok(()) => report.usable.push(UsableKey {
                kid: key.id.clone(),
                algorithm: key.algorithm.unwrap_or(algorithm),
                thumbprint: thumbprint(&key.key),
            }),
            Err(why) => report.left_out.push(LeftOut { kid: key.id.clone(), why }),
        }
    }
    report
}

/// Whether a key can verify an app's tokens with this algorithm. The error is a phrase that follows
/// "it".
async fn is_usable(
    cx: &Cx,
    key: &IssuerKey,
    algorithm: Algorithm,
) -> std::result::Result<(), String> {
    key.fits(algorithm)?;
    let accepted = cx.signatures.accepts(algorithm, &key.key).await;
    accepted.map_err(|_| "must be a usable key: WebCrypto does not take its numbers".to_owned())
}

/// What the app's tokens are verified with at this moment, for administrators.
#[derive(Debug, Default)]
pub struct Looked {
    /// All keys, also those that cannot be used.
    pub keys: Vec<LookedKey>,
    /// When the issuer was asked for these keys.
    pub fetched_at: Option<Millis>,
    /// Why there are no keys, or not the latest ones, as a sentence without a full stop.
    pub problem: Option<String>,
}

#[derive(Debug)]
pub struct LookedKey {
    pub kid: Option<String>,
    /// The `kty` of its JWK; `None` if the key could not be read.
    pub kind: Option<&'static str>,
    pub algorithm: Option<Algorithm>,
    /// The length of a shared secret.
    pub bytes: Option<usize>,
    /// Why the key cannot be used, as a phrase that follows "it".
    pub why_not: Option<String>,
}

impl LookedKey {
    fn left_out(LeftOut { kid, why }: &LeftOut) -> Self {
        Self {
            kid: kid.clone(),
            kind: None,
            algorithm: None,
            bytes: None,
            why_not: Some(why.clone()),
        }
    }
}

/// Shows the keys of an app. An issuer is asked for its keys as a token would make Postern ask: no
/// more often, and with the same time limit.
pub async fn look(cx: &Cx, app: &TokenApp) -> Result<Looked> {
    let algorithm = app.terms.algorithm;
    match &app.keys {
        Keys::None => {
            Ok(Looked { problem: Some(app.why_no_key().to_owned()), ..Looked::default() })
        }
        Keys::Introspected(_) => Ok(Looked::default()),
        Keys::Shared(key) => {
            let bytes = Some(key.secret.len());
            let key = LookedKey {
                kid: None,
                kind: Some("oct"),
                algorithm: Some(algorithm),
                bytes,
                why_not: None,
            };
            Ok(Looked { keys: vec![key], ..Looked::default() })
        }
        Keys::Public(set) => {
            Ok(Looked { keys: each_of(cx, set, algorithm).await, ..Looked::default() })
        }
        Keys::Published(source) => {
            let wanted = WantedKey { algorithm, name: None, since: cx.now };
            let (set, retry_after_s) = match published(cx, source, wanted, &mut 1).await? {
                Found::Settled(set) => (Some(set), None),
                Found::Open { known, retry_after_s } => (known, Some(retry_after_s)),
            };
            let keys = match &set {
                Some(set) => each_of(cx, set, algorithm).await,
                None => Vec::new(),
            };
            let waits = || {
                retry_after_s.map(|seconds| {
                    format!("{source} has not answered yet: look again in {seconds} seconds")
                })
            };
            let problem = cx
                .memory
                .key_sets
                .problem(source)
                .map(|problem| format!("the keys of {source} cannot be fetched: {problem}"));
            Ok(Looked {
                keys,
                fetched_at: cx.memory.key_sets.fetched_at(source),
                problem: problem.or_else(waits),
            })
        }
    }
}

async fn each_of(cx: &Cx, set: &KeySet, algorithm: Algorithm) -> Vec<LookedKey> {
    let mut looked = Vec::new();
    for key in set.iter() {
        looked.push(LookedKey {
            kid: key.id.clone(),
            kind: Some(key.key.kind().name()),
            algorithm: Some(key.algorithm.unwrap_or(algorithm)),
            bytes: None,
            why_not: is_usable(cx, key, algorithm).await.err(),
        });
    }
    looked.extend(set.left_out().iter().map(LookedKey::left_out));
    looked
}

/// A guess at what was meant, if the URL of a key set turns out to be that of an issuer or of its
/// metadata.
async fn hint(cx: &Cx, source: &KeySource, problem: &FetchProblem) -> Option<String> {
    let issuer = match (source, problem) {
        (_, FetchProblem::IssuerMismatch { found }) => {
            return Some(format!(
                "the issuer must be written as its metadata has it, {found:?}, if that is the one \
                 you mean"
            ));
        }
        (KeySource::Url(_), FetchProblem::IsMetadata { issuer, jwks_uri }) => {
            return Some(instead(issuer, jwks_uri));
        }
        (
            KeySource::Url(url),
            FetchProblem::NotASet(_)
            | FetchProblem::NotFound(_)
            | FetchProblem::Forbidden(_)
            | FetchProblem::Status(_),
        ) => url.as_issuer()?,
        _ => return None,
    };
    let asked_at = cx.timer.now();
    let published = get(cx, issuer.metadata_urls().first()?, asked_at).await.ok()?;
    match Metadata::in_place_of_a_set(&published.body)? {
        FetchProblem::IsMetadata { issuer, jwks_uri } => Some(instead(&issuer, &jwks_uri)),
        _ => None,
    }
}

fn instead(issuer: &str, jwks_uri: &str) -> String {
    format!(
        "register {jwks_uri:?}, where the issuer {issuer:?} has its keys, or the issuer itself \
         with discover"
    )
}
