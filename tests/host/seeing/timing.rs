//! How the time of an answer was spent, which only administrators learn.

use postern::domain::time::Millis;
use serde_json::json;

use crate::support::{Request, World, admin, json_of};

const HEADER: &str = "server-timing";

#[test]
fn an_administrator_is_told_where_the_time_went() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer("GET", "/v1/users", &json!(null));
    isolate.administer("GET", "/v1/users", &json!(null));
    world.database.takes.set([Millis(0), Millis(12)]);
    let told = |path: &str, status: u16| {
        let answer = isolate.get(path, &admin());
        assert_eq!(answer.status, status, "{}", answer.body);
        answer.header(HEADER).map(str::to_owned)
    };
    assert_eq!(
        told("/v1/users", 200).as_deref(),
        Some("mem;desc=\"0 hits, 0 misses\", d1;dur=12;desc=\"1 query\"")
    );
    world.database.takes.set([Millis(0), Millis(0)]);
    let warm = told("/v1/users/99", 404).expect("a failure tells it, too");
    assert!(warm.starts_with("mem;desc=") && warm.contains("d1;dur=0"), "{warm}");
    let key = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "ops", "may": ["administration"] }),
    ))["key"]
        .clone();
    let by_key = isolate.get("/v1/users", &format!("Bearer {}", key.as_str().expect("a key")));
    assert!(by_key.header(HEADER).is_some(), "a key with administration is as good");
    let cold = world.isolate();
    world.shared.works.set(true);
    let answer = cold.get("/v1/verify", &format!("Bearer {}", key.as_str().expect("a key")));
    assert!(
        answer.header(HEADER).is_some_and(|told| told.contains("cache;dur=0;desc=\"")),
        "{:?}",
        answer.header(HEADER)
    );
}

/// The durations would tell others what Postern knows, and what it had to look up.
#[test]
fn only_administrators_are_told_and_only_by_v1() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let key = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "ci", "may": ["decisions", "provisioning"] }),
    ))["key"]
        .clone();
    let alice = format!("Bearer {}", isolate.token("alice"));
    let key = format!("Bearer {}", key.as_str().expect("a key"));
    for (path, authorization) in [
        ("/v1/verify", ""),
        ("/v1/verify", alice.as_str()),
        ("/v1/users", alice.as_str()),
        ("/v1/check?service=1&permission=VIEW", alice.as_str()),
        ("/v1/users", key.as_str()),
        ("/v1/verify", key.as_str()),
        ("/v1/metrics", key.as_str()),
        ("/v1/users", "Bearer wrong"),
        ("/health", ""),
        ("/plugin/datafor-modeler/api/token/list", &admin()),
        ("/scim/v2/Users", &admin()),
    ] {
        let answer = isolate.get(path, authorization);
        assert_eq!(answer.header(HEADER), None, "{path} {authorization}");
    }
    // The token in the body is the subject of the question, and not the caller's credential.
    let about = Request::new("POST", "/v1/introspect").authorization(&key).body("token=x");
    assert_eq!(isolate.send(&about).header(HEADER), None);
    let body = json!({ "token": isolate.token("alice") }).to_string();
    assert_eq!(isolate.send(&Request::new("POST", "/v1/verify").body(&body)).header(HEADER), None);
}
