//! Reports whether verification works, and what else is wrong.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::token_app::TokenApp;
use crate::error::{Error, Result};
use crate::memory::copy;
pub use crate::memory::health::{Cause, Health};
use crate::memory::known::Known;
use crate::memory::shared;
use crate::memory::sharing::Works;
use crate::store::sealed::{SealedColumn, SealedCounts};
use crate::store::{self, feed, snapshot, sql};

/// The largest number of names that a cause lists.
const NAMED: usize = 20;

/// The names of the causes that make a deployment degraded.
pub const CAUSES: [&str; 6] = [
    AUDIENCE_UNCHECKED,
    COPY_NOT_RENEWED,
    ISSUER_UNREACHABLE,
    SCHEMA_OUTDATED,
    SECRET_MISSING,
    SECRET_UNOPENED,
];
const AUDIENCE_UNCHECKED: &str = "audience_unchecked";
const COPY_NOT_RENEWED: &str = "copy_not_renewed";
const ISSUER_UNREACHABLE: &str = "issuer_unreachable";
const SCHEMA_OUTDATED: &str = "schema_outdated";
const SECRET_MISSING: &str = "secret_missing";
const SECRET_UNOPENED: &str = "secret_unopened";

/// The names of the states of the data centre's cache.
pub const SHARED_CACHE: [&str; 3] = [WORKS, INERT, UNKNOWN];
const WORKS: &str = "works";
const INERT: &str = "inert";
const UNKNOWN: &str = "unknown";

/// What this isolate knows of the data centre's cache.
#[must_use]
pub fn shared_cache(cx: &Cx) -> &'static str {
    match shared::works(cx) {
        Works::Yes => WORKS,
        Works::No => INERT,
        Works::Unknown => UNKNOWN,
    }
}

/// Reads something small from D1 and from KV, at most once in a few seconds.
pub async fn health(cx: &Cx) -> Rc<Health> {
    if let Some(health) = cx.memory.health.get(cx.now) {
        return health;
    }
    let asked = ask_d1(cx).await;
    if matches!(asked, Err(Error::Unavailable(_))) {
        // The readings below then use copies without waiting for D1.
        cx.memory.note_failure(cx.timer.now());
    }
    let renewed = snapshot::renewed(cx).await;
    let known = Known::current(cx, Vec::new, None).await;
    let is_unmigrated = [asked.as_ref().err(), known.as_ref().err()]
        .into_iter()
        .flatten()
        .any(|error| matches!(error, Error::Misconfigured(_)));
    let d1 = asked.is_ok() || is_unmigrated;
    let apps = cx.memory.apps();
    let reachable = d1 || !matches!(known, Err(Error::Unavailable(_)));
    let verifies = reachable && !is_unmigrated && !none_opens(&apps);
    let (is_newest, sealed) = asked.unwrap_or((!is_unmigrated, SealedCounts::default()));
    let is_stale = matches!(&renewed, Ok(Some(note)) if cx.now - note.at > copy::RENEWED_WITHIN);
    let copy_renewed_at = renewed.as_ref().ok().and_then(Option::as_ref).map(|note| note.at);
    let causes = [
        of_apps(AUDIENCE_UNCHECKED, &apps, TokenApp::leaves_audience_unchecked),
        Cause { kind: COPY_NOT_RENEWED, count: i64::from(is_stale), names: Vec::new() },
        issuers(cx, &apps),
        Cause { kind: SCHEMA_OUTDATED, count: i64::from(!is_newest), names: Vec::new() },
        of_apps(SECRET_MISSING, &apps, TokenApp::lacks_secret),
        Cause { kind: SECRET_UNOPENED, count: sealed.unopened, names: sealed.names },
    ];
    let causes = causes.into_iter().filter(|cause| cause.count > 0).collect();
    let health = Rc::new(Health {
        d1,
        kv: renewed.is_ok(),
        verifies,
        copy_renewed_at,
        causes,
        to_reencrypt: sealed.under_previous,
    });
    cx.memory.health.keep(Rc::clone(&health), cx.now);
    health
}

/// Whether the schema is this Worker's newest, and how many values are not sealed under the current
/// master key.
async fn ask_d1(cx: &Cx) -> Result<(bool, SealedCounts)> {
    let batch =
        vec![feed::select_head(), store::health::select_newest(), SealedColumn::select_counts(cx)];
    let results = sql::query_within(cx, sql::PATIENCE, batch).await?;
    let is_newest = store::health::is_newest(sql::rows(&results, 1)?);
    Ok((is_newest, SealedColumn::counts(sql::rows(&results, 2)?)?))
}

/// Whether there are enabled apps with a secret, and no master key opens any of the secrets.
fn none_opens(apps: &[Rc<TokenApp>]) -> bool {
    let mut with_secret = apps.iter().filter(|app| !app.terms.policy.discover).peekable();
    with_secret.peek().is_some() && with_secret.all(|app| app.is_sealed())
}

fn of_apps(kind: &'static str, apps: &[Rc<TokenApp>], is_one: impl Fn(&TokenApp) -> bool) -> Cause {
    let names: Vec<_> =
        apps.iter().filter(|app| is_one(app)).map(|app| app.name.as_str().to_owned()).collect();
    cause(kind, names)
}

/// The issuers that did not answer when this isolate last asked them for a key set, or about a
/// token.
fn issuers(cx: &Cx, apps: &[Rc<TokenApp>]) -> Cause {
    let sources = apps.iter().filter_map(|app| {
        if let Keys::Published(source) = &app.keys { Some(source) } else { None }
    });
    let failed = sources.filter(|source| cx.memory.key_sets.problem(source).is_some());
    let mut names: Vec<_> = failed.map(|source| source.as_str().to_owned()).collect();
    let endpoints = apps.iter().filter_map(|app| {
        if let Keys::Introspected(endpoint) = &app.keys {
            Some(endpoint.url.as_str())
        } else {
            None
        }
    });
    names.extend(
        endpoints.filter(|url| cx.memory.introspections.problem(url).is_some()).map(str::to_owned),
    );
    names.sort();
    names.dedup();
    cause(ISSUER_UNREACHABLE, names)
}

fn cause(kind: &'static str, mut names: Vec<String>) -> Cause {
    let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
    names.truncate(NAMED);
    Cause { kind, count, names }
}
