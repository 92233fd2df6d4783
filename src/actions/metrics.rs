//! The numbers for monitoring: what this isolate has done, and whether D1 and KV work.

use crate::actions::health::{self, Health};
use crate::context::Cx;
use crate::domain::metrics::{Family, Kind, Sample, Value};
use crate::domain::time::Millis;
pub use crate::memory::refusals::Recent;

/// The refusals of the last hour that this isolate knows of, the most frequent first, and when the
/// isolate answered its first request.
#[must_use]
pub fn recent_refusals(cx: &Cx) -> (Vec<Recent>, Option<Millis>) {
    (cx.memory.refusals.of_last_hour(cx.now), cx.memory.counters.begun_at())
}

pub async fn families(cx: &Cx) -> Vec<Family> {
    let health = health::health(cx).await;
    [of_isolate(cx), of_requests(cx), of_memory(cx), of_d1(cx), of_health(cx, &health)].concat()
}

fn of_isolate(cx: &Cx) -> Vec<Family> {
    let begun_at = cx.memory.counters.begun_at().unwrap_or(cx.now);
    let version = Sample {
        labels: vec![("version", env!("CARGO_PKG_VERSION").to_owned())],
        value: Value::Count(1),
    };
    let info = "The version of Postern that answers.";
    vec![
        Family {
            samples: vec![version],
            ..Family::one("postern_info", Kind::Gauge, info, Value::Count(1))
        },
        Family::one(
            "postern_isolate_start_time_seconds",
            Kind::Gauge,
            "When this isolate answered its first request, in seconds since the epoch. Another \
             value means another isolate.",
            Value::Time(begun_at),
        ),
        Family::one(
            "postern_isolate_age_seconds",
            Kind::Gauge,
            "Seconds since this isolate answered its first request.",
            Value::Time(cx.now - begun_at),
        ),
    ]
}

fn of_requests(cx: &Cx) -> Vec<Family> {
    let counters = &cx.memory.counters;
    let recent: Vec<_> = cx
        .memory
        .refusals
        .of_last_hour(cx.now)
        .iter()
        .map(|one| (one.reason, one.dialect, one.count))
        .collect();
    vec![
        Family::by_words(
            "postern_requests_total",
            Kind::Counter,
            "Requests to this isolate, by dialect and status class; passed: forwarded to the \
             origin, which chose the status.",
            ["dialect", "status"],
            &counters.requests(),
        ),
        Family::by_words(
            "postern_refusals_total",
            Kind::Counter,
            "Refusals by this isolate, by reason and dialect.",
            ["reason", "dialect"],
            &cx.memory.refusals.totals(),
        ),
        Family::by_words(
            "postern_refusals_last_hour",
            Kind::Gauge,
            "Refusals by this isolate within the last hour, by reason and dialect.",
            ["reason", "dialect"],
            &recent,
        ),
        Family::by_words(
            "postern_verifications_total",
            Kind::Counter,
            "Credentials that this isolate has verified, by kind and outcome; failed: the outcome \
             could not be determined.",
            ["credential", "outcome"],
            &counters.verifications(),
        ),
        Family::one(
            "postern_passwords_hashed_total",
            Kind::Counter,
            "Passwords that this isolate has hashed.",
            Value::Count(cx.memory.hashes()),
        ),
        Family::one(
            "postern_sign_in_queue",
            Kind::Gauge,
            "Requests in this isolate that hash a password or wait for their turn.",
            Value::Count(count(cx.memory.hashing.waiting(cx.now))),
        ),
    ]
}

fn of_memory(cx: &Cx) -> Vec<Family> {
    let counters = &cx.memory.counters;
    let entries: Vec<_> =
        cx.memory.entries().map(|(of, entries)| ("", of, count(entries))).to_vec();
    let (feed_reads, feed_gaps) = counters.feed_reads();
    let age = cx.memory.age(cx.now);
    let mut families = vec![
        Family::by_words(
            "postern_memory_lookups_total",
            Kind::Counter,
            "Lookups in the memory of this isolate, by kind and result.",
            ["of", "result"],
            &counters.looks(),
        ),
        Family::by_words(
            "postern_memory_entries",
            Kind::Gauge,
            "Entries in the memory of this isolate, by kind.",
            ["", "of"],
            &entries,
        ),
        Family::one(
            "postern_feed_reads_total",
            Kind::Counter,
            "Readings of the change feed by this isolate.",
            Value::Count(feed_reads),
        ),
        Family::one(
            "postern_feed_gaps_total",
            Kind::Counter,
            "Readings of the change feed that did not reach back to what this isolate knew, so \
             that it emptied its memory.",
            Value::Count(feed_gaps),
        ),
        Family::by_words(
            "postern_shared_windows_total",
            Kind::Counter,
            "Lookups by this isolate of the change feed that its data centre shares, by result.",
            ["", "result"],
            &counters.windows(),
        ),
        Family::one(
            "postern_copies_used_total",
            Kind::Counter,
            "Answers of this isolate that used copies because D1 did not answer.",
            Value::Count(counters.copies_used()),
        ),
    ];
    families.extend(age.map(|age| {
        let help =
            "Seconds since this isolate, or another one of its data centre, read the change feed.";
        Family::one("postern_feed_age_seconds", Kind::Gauge, help, Value::Time(age))
    }));
    families
}

fn of_d1(cx: &Cx) -> Vec<Family> {
    let d1 = cx.memory.counters.d1();
    let one = |name, help, value| Family::one(name, Kind::Counter, help, value);
    vec![
        one(
            "postern_d1_batches_total",
            "Round trips of this isolate to D1.",
            Value::Count(d1.batches),
        ),
        one(
            "postern_d1_statements_total",
            "SQL statements that this isolate has sent to D1.",
            Value::Count(d1.statements),
        ),
        one(
            "postern_d1_rows_read_total",
            "Rows that D1 reports it has read for this isolate.",
            Value::Count(d1.rows_read),
        ),
        one(
            "postern_d1_wait_seconds_total",
            "Seconds that this isolate has waited for D1. Overlapping waits are added up.",
            Value::Time(d1.waited),
        ),
        Family::by_words(
            "postern_d1_failures_total",
            Kind::Counter,
            "Round trips of this isolate to D1 that failed, by kind; refused: by a constraint, \
             for example because the record exists.",
            ["", "kind"],
            &cx.memory.counters.d1_failures(),
        ),
    ]
}

fn of_health(cx: &Cx, health: &Health) -> Vec<Family> {
    let up = [
        ("", "d1", u64::from(health.d1)),
        ("", "kv", u64::from(health.kv)),
        ("", "verification", u64::from(health.verifies)),
    ];
    let causes = health::CAUSES.map(|kind| {
        let found = health.causes.iter().find(|cause| cause.kind == kind);
        ("", kind, found.map_or(0, |cause| u64::try_from(cause.count).unwrap_or_default()))
    });
    let mut families = vec![
        Family::by_words(
            "postern_up",
            Kind::Gauge,
            "1 if it works, as far as this isolate can tell. It checks at most once in 3 s.",
            ["", "of"],
            &up,
        ),
        Family::by_words(
            "postern_degraded",
            Kind::Gauge,
            "Problems that make the deployment degraded, by cause.",
            ["", "cause"],
            &causes,
        ),
        Family::one(
            "postern_secrets_to_reencrypt",
            Kind::Gauge,
            "Secrets in D1 that are still under MASTER_KEY_PREVIOUS.",
            Value::Count(u64::try_from(health.to_reencrypt).unwrap_or_default()),
        ),
    ];
    families.extend(health.copy_renewed_at.map(|at| {
        let help = "Seconds since the scheduled event renewed the copy in KV.";
        Family::one("postern_copy_age_seconds", Kind::Gauge, help, Value::Time(cx.now - at))
    }));
    families
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
