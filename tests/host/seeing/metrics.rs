//! The numbers for a monitor, read as strictly as the format allows.

use std::collections::{BTreeMap, BTreeSet};

use postern::domain::time::Millis;
use postern::error::{Denied, Limit, Refusal};
use postern::memory::refusals::Recent;
use serde_json::json;

use crate::support::{Isolate, Request, World, admin, json_of};

/// Values by name and labels.
type Numbers = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads the text format of Prometheus, version 0.0.4, and refuses what it does not allow.
fn parse(text: &str) -> Numbers {
    assert!(text.ends_with('\n'), "the last line has an end");
    let (mut help, mut types, mut done) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    let mut numbers = Numbers::new();
    let mut current = String::new();
    for line in text.lines() {
        assert!(!line.is_empty(), "no line is empty");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, about) = rest.split_once(' ').expect("a name and a text");
            assert!(is_name(name) && !about.is_empty(), "{line}");
            assert!(help.insert(name.to_owned()), "{name} has its HELP once");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(help.contains(name), "HELP stands before TYPE: {name}");
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(
                types.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{name} has its TYPE once"
            );
            done.insert(std::mem::replace(&mut current, name.to_owned()));
            assert!(!done.contains(name), "the samples of a family stand together: {name}");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect("a series and a number");
            let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| {
                (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}")))
            });
            assert_eq!(name, current, "a sample stands below its TYPE");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(value.is_finite() && (value >= 0.0 || types[name] == "gauge"), "{line}");
            let series = (name.to_owned(), labels_of(labels));
            assert!(numbers.insert(series, value).is_none(), "{line} is there once");
        }
    }
    assert_eq!(help, types.into_keys().collect());
    numbers
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name), "{text}");
        let end = value.find('"').expect("an end");
        assert!(!value[..end].contains('\\'), "Postern's own words have nothing to escape: {text}");
        assert!(labels.insert(name.to_owned(), value[..end].to_owned()).is_none(), "{text}");
        rest = &value[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}

fn numbers(isolate: &Isolate<'_>) -> Numbers {
    let answer = isolate.get("/v1/metrics", &admin());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(
        answer.body.starts_with("# The counters belong to the isolate that answered."),
        "{}",
        answer.body
    );
    parse(&answer.body)
}

/// The value of a series; 0 if it does not exist.
fn number(numbers: &Numbers, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    numbers.get(&(name.to_owned(), labels)).copied().unwrap_or_default()
}

#[test]
#[expect(clippy::float_cmp, reason = "the numbers are whole")]
fn the_numbers_are_those_of_what_has_happened() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let before = numbers(&isolate);
    world.pass(1);
    isolate.verify(&isolate.token("alice"));
    isolate.verify(&isolate.token("alice"));
    isolate.verify("wrong");
    isolate.verify(&isolate.signed("wrong", &json!({})));
    isolate.get("/v1/nowhere", "");
    let after = numbers(&isolate);
    let grown = |name: &str, labels: &[(&str, &str)]| {
        number(&after, name, labels) - number(&before, name, labels)
    };
    assert_eq!(grown("postern_requests_total", &[("dialect", "v1"), ("status", "4xx")]), 3.0);
    // The first of the two answers of `/metrics` is one of them.
    assert_eq!(grown("postern_requests_total", &[("dialect", "v1"), ("status", "2xx")]), 3.0);
    assert_eq!(grown("postern_refusals_total", &[("reason", "revoked"), ("dialect", "v1")]), 1.0);
    assert_eq!(
        grown("postern_refusals_total", &[("reason", "bad_signature"), ("dialect", "v1")]),
        1.0
    );
    assert_eq!(
        number(&after, "postern_refusals_last_hour", &[("reason", "revoked"), ("dialect", "v1")]),
        1.0
    );
    assert_eq!(
        grown("postern_verifications_total", &[("credential", "token"), ("outcome", "accepted")]),
        2.0
    );
    assert_eq!(
        grown("postern_verifications_total", &[("credential", "token"), ("outcome", "refused")]),
        2.0
    );
    assert!(
        grown("postern_memory_lookups_total", &[("of", "user"), ("result", "hit")]) >= 1.0,
        "{after:?}"
    );
    assert!(
        grown("postern_memory_lookups_total", &[("of", "user"), ("result", "miss")]) >= 1.0,
        "{after:?}"
    );
    assert!(
        grown("postern_memory_lookups_total", &[("of", "token_app"), ("result", "hit")]) >= 2.0,
        "{after:?}"
    );
    assert_eq!(grown("postern_memory_entries", &[("of", "user")]), 1.0);
    assert!(
        grown("postern_d1_batches_total", &[]) >= 2.0
            && grown("postern_feed_reads_total", &[]) >= 1.0,
        "{after:?}"
    );
    assert_eq!(grown("postern_isolate_age_seconds", &[]), 1.0);
    assert_eq!(number(&after, "postern_up", &[("of", "d1")]), 1.0);
    assert_eq!(number(&after, "postern_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
}

#[test]
#[expect(clippy::float_cmp, reason = "the numbers are whole")]
fn failures_of_d1_and_answers_from_copies_are_counted() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let alice = isolate.token("alice");
    isolate.verify(&alice);
    numbers(&isolate);
    world.database.answers.set(false);
    world.pass(30);
    assert_eq!(isolate.verify(&alice).0, 200, "memory serves");
    world.database.answers.set(true);
    world.pass(30);
    let after = numbers(&isolate);
    assert!(
        number(&after, "postern_d1_failures_total", &[("kind", "unavailable")]) >= 1.0,
        "{after:?}"
    );
    assert_eq!(number(&after, "postern_copies_used_total", &[]), 1.0);
}

/// However many strangers send whatever they like, only Postern's own words are values of labels.
#[test]
fn labels_are_words_of_posterns_own() {
    let world = World::new();
    let isolate = world.isolate_with(&[("ORIGIN_URL", Some("http://origin.test"))]);
    isolate.register(&json!({}));
    for number in 0..50 {
        isolate.send(&Request::new(&format!("METHOD{number}"), &format!("/stranger{number}/x")));
        isolate.verify(&isolate.signed("abcd", &json!({ "loginname": format!("user{number}") })));
        isolate.get(&format!("/v1/users/{number}?x{number}=1"), &format!("Scheme{number} x"));
        isolate.get("/v1/verify", &crate::support::basic(&format!("user{number}"), "x"));
    }
    let text = isolate.get("/v1/metrics", &admin()).body;
    assert!(
        !text.contains("stranger")
            && !text.contains("user4")
            && !text.contains("Scheme")
            && !text.contains("METHOD"),
        "{text}"
    );
    let kinds: BTreeSet<&str> = [&Denied::REASONS[..], Refusal::REASONS, &Limit::REASONS[..]]
        .concat()
        .into_iter()
        .collect();
    let others =
        ["not_found", "method_not_allowed", "invalid", "unavailable", "internal", "misconfigured"];
    for (_, labels) in parse(&text).keys() {
        assert!(
            labels.get("reason").is_none_or(
                |reason| kinds.contains(reason.as_str()) || others.contains(&reason.as_str())
            ),
            "{labels:?}"
        );
    }
}

#[test]
fn administrators_and_keys_with_decisions_may_read_them_and_nobody_else() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let key = |name: &str, may: &str, user: Option<i64>| {
        let made = isolate.administer(
            "POST",
            "/v1/keys",
            &json!({ "name": name, "may": [may], "userId": user }),
        );
        format!(
            "Bearer {}",
            json_of(&made)["key"].as_str().unwrap_or_else(|| panic!("{}", made.body))
        )
    };
    let alice = isolate.token("alice");
    isolate.verify(&alice);
    for (authorization, status) in [
        (admin(), 200),
        (key("a", "decisions", None), 200),
        (key("b", "administration", None), 200),
        (key("c", "decisions", Some(1)), 200),
        (key("d", "provisioning", None), 403),
        (key("e", "decisions", Some(2)), 403),
        (format!("Bearer {alice}"), 403),
        (String::new(), 401),
    ] {
        assert_eq!(isolate.get("/v1/metrics", &authorization).status, status, "{authorization}");
    }
}

#[test]
fn the_refusals_of_the_last_hour_are_told_with_their_last_time() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.get("/v1/users", "");
    world.pass(60);
    isolate.get("/v1/users", "");
    let (recent, since) = postern::actions::metrics::recent_refusals(&isolate.cx());
    assert_eq!(
        recent,
        [Recent { reason: "missing", dialect: "v1", count: 2, last_at: world.now.get() }]
    );
    assert_eq!(since, Some(world.now.get() - Millis::from_seconds(60)));
}
