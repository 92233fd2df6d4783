//! Whether verification works.

use crate::actions::health::{self, Health};
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
        .about("With 503 the body is the same, and says `down`. D1 and KV are asked at most once in three seconds.")
        .refuses(&[503])
        .answers(Answer::json(200, &State::SHAPE))],
};

answer! {
    struct State as "Health" {
        "status" status: &'static str as Kind::OneOf(&["ok", "degraded", "down"]) => "down is answered with 503",
        "version" version: &'static str => "the version of Postern",
        "d1" d1: &'static str as ANSWERS => "whether D1 answers",
        "kv" kv: &'static str as ANSWERS => "whether KV answers",
        "causes" causes: Sometimes<Vec<Cause>> => "what else makes it degraded",
    } example r#"{"status":"ok","version":"0.1.0","d1":"ok","kv":"ok"}"#
}

answer! {
    struct Cause as "HealthCause" {
        "kind" kind: &'static str as Kind::OneOf(&["audience_unchecked"]) => "audience_unchecked: token apps whose keys sign for other audiences too, and that do not say which count",
        "count" count: usize as Kind::Int64 { min: 1, max: i64::MAX } => "how many",
    } example r#"{"kind":"audience_unchecked","count":1}"#
}

async fn show(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    let health = health::health(cx).await;
    let word = |answers| if answers { "ok" } else { "down" };
    let (code, status) = match health {
        Health { verifies: false, .. } => (503, "down"),
        Health { d1: true, kv: true, audience_unchecked: 0, .. } => (200, "ok"),
        Health { .. } => (200, "degraded"),
    };
    let cause = |count| vec![Cause { kind: "audience_unchecked", count }];
    let causes = Sometimes(Some(health.audience_unchecked).filter(|count| *count > 0).map(cause));
    Ok(Response::json(code, &State { status, version: env!("CARGO_PKG_VERSION"), d1: word(health.d1), kv: word(health.kv), causes }))
}
