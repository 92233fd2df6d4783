//! Requests cannot make an isolate remember more than a bound, whatever names they send.

use postern::api::http::route::Route;
use postern::domain::time::Millis;
use postern::ports::Statement;
use serde_json::{Value, json};

use crate::routes::{filled, routes};
use crate::support::{Isolate, Request, World, admin, basic, block_on, forge, json_of};

/// Bytes of a name: longer than any name may be, and two of them still fit into a URL.
const LONG: usize = 5_000;

/// Requests to a route that name things which do not exist. Each uses names that no other uses.
fn requests(route: &Route, path: &str, number: usize) -> Vec<Request> {
    let long = |of: usize| format!("{number}.{of}.{}", "x".repeat(LONG));
    let path = filled(path);
    // Each segment of the path that is a parameter becomes a long text.
    let plain = path.split('/').enumerate().map(|(at, segment)| match segment {
        "1" | "key" | "USER" | "VIEW" => long(at),
        other => other.to_owned(),
    });
    let long_path = plain.collect::<Vec<_>>().join("/");
    let header = json!({ "alg": "HS256", "kid": long(90) }).to_string();
    let token = forge(
        &header,
        &json!({ "iss": long(89), "loginname": long(91), "exp": 4_000_000_000_i64 }).to_string(),
        b"abcd",
    );
    let body = json!({
        "username": long(92), "name": long(93), "token": token, "accessKey": long(94),
        "appId": long(95),
    })
    .to_string();
    let query = format!("app={}&name={}", long(96), long(97));
    let to = |path: &str, query: &str| {
        Request::new(route.method, &format!("{path}?{query}")).body(&body)
    };
    vec![
        to(&long_path, ""),
        to(&long_path, "").authorization(&admin()),
        to(&path, &query).authorization(&format!("Bearer {token}")),
        to(&path, &format!("{}={token}", long(98))),
        to(&path, &query).authorization(&basic(&long(99), "wrong")),
        to(&path, &query).header("x-auth-token", &long(100)),
        to(&path, "")
            .header("x-forwarded-uri", &format!("/?token={token}"))
            .header("x-forwarded-method", "GET"),
    ]
}

#[test]
fn no_request_makes_memory_keep_a_long_name() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate.verify(&isolate.token("alice"));
    let before = isolate.memory.named_bytes();
    let mut sent = 0;
    for (number, (_, route)) in routes().enumerate() {
        for path in route.paths {
            for request in requests(route, path, number) {
                isolate.send(&request);
                sent += 1;
                // The change feed is older than its bound now, so the next request reads D1 and
                // fills the caches.
                world.pass(11);
            }
        }
    }
    let after = isolate.memory.named_bytes();
    assert!(sent > 500 && after < before + LONG, "{sent} requests: {before} bytes became {after}");
}

#[test]
fn what_may_be_a_name_is_remembered_and_counted() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let before = isolate.memory.named_bytes();
    let check = |isolate: &Isolate<'_>, key: &str| {
        isolate.administer(
            "GET",
            &format!("/v1/applications/{key}/authorizations/USER"),
            &Value::Null,
        )
    };
    assert_eq!(json_of(&check(&isolate, "unknown"))["allowed"], json!(false));
    let batches = world.database.batches.get();
    assert_eq!(json_of(&check(&isolate, "unknown"))["allowed"], json!(false));
    assert_eq!(
        (world.database.batches.get(), isolate.memory.named_bytes()),
        (batches, before + "unknown".len())
    );
    for key in ["x".repeat(129), "x".repeat(15_000), "%20".to_owned(), "%C3%A4".to_owned()] {
        assert_eq!(json_of(&check(&isolate, &key))["allowed"], json!(false), "{key}");
    }
    assert_eq!(
        (world.database.batches.get(), isolate.memory.named_bytes()),
        (batches, before + "unknown".len()),
        "no key is asked about"
    );
}

#[test]
fn asking_for_health_reads_little_and_rarely() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let insert = "INSERT INTO users (username, type, created_at, modified_at)
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
        SELECT 'user ' || n, 'SYS_Reader', 0, 0 FROM numbers";
    block_on(isolate.cx().sql.batch(vec![Statement::new(insert, [])])).expect("10,000 users");
    block_on(postern::actions::housekeeping::run(&isolate.cx())).expect("the scheduled event");
    let snapshot_bytes: usize = world.kv.values.borrow().values().map(String::len).sum();
    assert!(snapshot_bytes > 1_000_000, "{snapshot_bytes}");

    let before = (world.kv.calls.get(), world.kv.bytes_read.get(), world.database.batches.get());
    for _ in 0..120 {
        world.now.set(world.now.get() + Millis(100));
        assert_eq!(isolate.get("/health", "").status, 200);
    }
    let (calls, bytes, batches) = before;
    assert!(
        world.kv.bytes_read.get() - bytes < 4 * 500,
        "the note on the snapshot is read, and not the snapshot"
    );
    let asked = (world.kv.calls.get() - calls, world.database.batches.get() - batches);
    assert_eq!(
        asked,
        (4, 5),
        "once in three seconds, and one reading of the feed behind an answer"
    );

    world.kv.fails.set(true);
    world.database.answers.set(false);
    world.pass(3);
    let health = json_of(&isolate.get("/health", ""));
    assert_eq!(
        (&health["status"], &health["d1"], &health["kv"]),
        (&json!("degraded"), &json!("down"), &json!("down"))
    );
}
