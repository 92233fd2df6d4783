//! `/health`: whether verification works, and whether D1 and KV answer.

use crate::actions::authenticate;
use crate::actions::caller::Hints;
use crate::actions::health::{self, Health};
use crate::api::http::credentials;
use crate::api::http::declare::{Declared, Sometimes, answer};
use crate::api::http::message::Response;
use crate::api::http::route::{Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind};
use crate::context::Cx;
use crate::error::Result;

const ANSWERS: Kind = Kind::OneOf(&["ok", "down"]);

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::get("health", &["/health"], handler!(show))
        .summary("Tells whether verification works, and whether D1 and KV answer")
        .about(
            "The status is 503 if verification does not work; the body then says `down`. D1 and KV \
             are asked at most once in three seconds.",
        )
        .refuses(&[503])
        .answers(Answer::json(200, &State::<'_>::SHAPE))],
};

answer! {
    pub(super) struct State<'a> as "Health" {
        "status" status: &'static str as Kind::OneOf(&["ok", "degraded", "down"]) =>
            "ok, degraded (verification works, but something is wrong), or down (with status 503)",
        "version" version: &'static str => "the version of Postern",
        "d1" d1: &'static str as ANSWERS => "whether D1 answers",
        "kv" kv: &'static str as ANSWERS => "whether KV answers",
        "stalenessS" staleness_s: i64 as Kind::Int64 { min: 2, max: 300 } =>
            "STALENESS_S: a change is in force everywhere within this many seconds",
        "sharedCache" shared_cache: &'static str as Kind::OneOf(&health::SHARED_CACHE) =>
            "whether the shared cache of the data centre works for this isolate; inert: written \
             entries are not found, as on workers.dev, so each isolate reads D1 itself; unknown: \
             not seen yet",
        "causes" causes: Sometimes<Vec<Cause<'a>>> => "other reasons for degraded",
        "toReencrypt" to_reencrypt: Sometimes<i64> =>
            "how many secrets are still encrypted with MASTER_KEY_PREVIOUS",
    } example r#"{
        "status":"ok","version":"0.1.0","d1":"ok","kv":"ok","stalenessS":10,"sharedCache":"works"
    }"#
}

answer! {
    pub(super) struct Cause<'a> as "HealthCause" {
        "kind" kind: &'static str as Kind::OneOf(&health::CAUSES) =>
            "audience_unchecked: token apps whose keys also sign for other audiences, and that do \
             not list the accepted ones; copy_not_renewed: the copy in KV is older than 20 \
             minutes; issuer_unreachable: issuers that did not answer with their keys; \
             schema_outdated: migrations have not been applied; secret_missing: token apps that an \
             import brought without their secret; secret_unopened: stored secrets that no master \
             key opens",
        "count" count: i64 as Kind::Int64 { min: 1, max: i64::MAX } => "how many",
        "names" names: Sometimes<Vec<&'a str>> =>
            "their names, at most 20; for administrators only",
    } example r#"{"kind":"audience_unchecked","count":1}"#
}

/// Whether causes are named. Only administrators see names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Shown,
    LeftOut,
}

impl<'a> State<'a> {
    /// The state, and the HTTP status that `/health` answers with it.
    pub(super) fn of(cx: &Cx, health: &'a Health, names: Names) -> (u16, Self) {
        let word = |answers| if answers { "ok" } else { "down" };
        let (code, status) = match health {
            Health { verifies: false, .. } => (503, "down"),
            Health { d1: true, kv: true, causes, .. } if causes.is_empty() => (200, "ok"),
            Health { .. } => (200, "degraded"),
        };
        let causes: Vec<_> = health
            .causes
            .iter()
            .map(|cause| Cause {
                kind: cause.kind,
                count: cause.count,
                names: Sometimes(
                    Some(cause.names.iter().map(String::as_str).collect())
                        .filter(|found: &Vec<_>| names == Names::Shown && !found.is_empty()),
                ),
            })
            .collect();
        let state = Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            d1: word(health.d1),
            kv: word(health.kv),
            staleness_s: cx.config.staleness.usable().seconds(),
            shared_cache: health::shared_cache(cx),
            causes: Sometimes(Some(causes).filter(|causes| !causes.is_empty())),
            to_reencrypt: Sometimes(Some(health.to_reencrypt).filter(|count| *count > 0)),
        };
        (code, state)
    }
}

async fn show(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let health = health::health(cx).await;
    let has_names = health.causes.iter().any(|cause| !cause.names.is_empty());
    let names =
        if has_names && is_administrator(cx, call).await { Names::Shown } else { Names::LeftOut };
    let (code, state) = State::of(cx, &health, names);
    Ok(Response::json(code, &state))
}

/// Whether the caller is an administrator, or a key that acts for no user. Any other credential,
/// also an invalid one, is treated as none.
async fn is_administrator(cx: &Cx, call: &Call<'_>) -> bool {
    let Ok(Some(credential)) = credentials::in_headers(call.request) else { return false };
    authenticate::authenticate(cx, &credential, Hints::default())
        .await
        .is_ok_and(|caller| caller.limited_by().is_none() || caller.is_administrator())
}
