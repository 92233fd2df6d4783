//! The overview for administrators.

use super::health::{Names, State};
use crate::actions::health;
use crate::actions::metrics::{self, Recent};
use crate::actions::overview::{self, Counts};
use crate::api::http::declare::{Declared, answer};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind};
use crate::context::Cx;
use crate::error::Result;

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::get("overview", &["/v1/overview"], handler!(show))
        .summary("Shows the health of a deployment, and how much it stores")
        .about(
            "Grants are summed from stored totals. Of every other kind at most 10,000 are counted. \
             If the counts add up to more than 1,000, they may be a minute old.",
        )
        .access(Access::Administrator)
        .answers(Answer::json(200, &Overview::<'_>::SHAPE))],
};

const KINDS: Kind = Kind::list(&Kind::OneOf(&overview::KINDS));

answer! {
    struct Numbers as "OverviewCounts" {
        "users" users: i64 => "users",
        "tokenApps" token_apps: i64 => "token apps",
        "services" services: i64 => "services",
        "grants" grants: i64 => "grants",
        "groups" groups: i64 => "groups",
        "departments" departments: i64 => "departments",
        "keys" keys: i64 => "keys for machines",
        "organizations" organizations: i64 => "organizations",
        "applications" applications: i64 => "applications",
        "atLeast" at_least: Vec<&'static str> as KINDS =>
            "the kinds of which there are more than the number says",
    } example r#"{
        "users":10000,"tokenApps":3,"services":120,"grants":52411,"groups":40,"departments":12,
        "keys":7,"organizations":2,"applications":5,"atLeast":["users"]
    }"#
}

answer! {
    struct Refused as "OverviewRefusals" {
        "reason" reason: &'static str => "the reason, as in X-Postern-Reason and in the log",
        "dialect" dialect: &'static str =>
            "the dialect; gateway; or gate, for a call of another Worker",
        "count" count: i64 as Kind::Int64 { min: 1, max: i64::MAX } =>
            "how many within the last hour",
        "lastAt" last_at: i64 as Kind::TIME => "when the last one was, epoch milliseconds",
    } example r#"{"reason":"expired","dialect":"v1","count":3,"lastAt":1737599864898}"#
}

answer! {
    struct Overview<'a> as "Overview" {
        "version" version: &'static str => "the version of Postern",
        "revision" revision: Option<i64> =>
            "the number of the newest change; null while D1 does not answer",
        "health" health: State<'a> => "as GET /health answers administrators",
        "counts" counts: Option<Numbers> => "how many there are; null while D1 does not answer",
        "refusals" refusals: Vec<Refused> =>
            "refusals of the last hour by the isolate that answers, the most frequent first",
        "since" since: Option<i64> as Kind::Nullable(&Kind::TIME) =>
            "when that isolate started, epoch milliseconds",
    } example r#"{
        "version":"0.1.0","revision":812,
        "health":{
            "status":"ok","version":"0.1.0","d1":"ok","kv":"ok","stalenessS":10,
            "sharedCache":"works"
        },
        "counts":{
            "users":2,"tokenApps":3,"services":120,"grants":52411,"groups":40,"departments":12,
            "keys":7,"organizations":2,"applications":5,"atLeast":[]
        },
        "refusals":[{"reason":"expired","dialect":"v1","count":3,"lastAt":1737599864898}],
        "since":1737599800000
    }"#
}

impl Numbers {
    fn of(counts: &Counts) -> Self {
        let number = |kind: &str| {
            counts.numbers.iter().find(|(of, _)| *of == kind).map_or(0, |(_, number)| *number)
        };
        Self {
            users: number("users"),
            token_apps: number("tokenApps"),
            services: number("services"),
            grants: number("grants"),
            groups: number("groups"),
            departments: number("departments"),
            keys: number("keys"),
            organizations: number("organizations"),
            applications: number("applications"),
            at_least: counts.at_least.clone(),
        }
    }
}

impl Refused {
    fn of(recent: &Recent) -> Self {
        let count = i64::try_from(recent.count).unwrap_or(i64::MAX);
        Self { reason: recent.reason, dialect: recent.dialect, count, last_at: recent.last_at.0 }
    }
}

async fn show(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    let counts = overview::counts(cx).await?;
    let health = health::health(cx).await;
    let (refusals, since) = metrics::recent_refusals(cx);
    let overview = Overview {
        version: env!("CARGO_PKG_VERSION"),
        revision: counts.as_ref().map(|counts| counts.revision),
        health: State::of(cx, &health, Names::Shown).1,
        counts: counts.as_deref().map(Numbers::of),
        refusals: refusals.iter().map(Refused::of).collect(),
        since: since.map(|since| since.0),
    };
    Ok(Response::json(200, &overview))
}
