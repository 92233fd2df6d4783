//! Whether verification works.

use crate::actions::health::{self, Health};
use crate::api::http::declare::{Declared, answer};
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
    } example r#"{"status":"ok","version":"0.1.0","d1":"ok","kv":"ok"}"#
}

async fn show(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    let health = health::health(cx).await;
    let word = |answers| if answers { "ok" } else { "down" };
    let (code, status) = match health {
        Health { verifies: false, .. } => (503, "down"),
        Health { d1: true, kv: true, .. } => (200, "ok"),
        Health { .. } => (200, "degraded"),
    };
    Ok(Response::json(code, &State { status, version: env!("CARGO_PKG_VERSION"), d1: word(health.d1), kv: word(health.kv) }))
}
