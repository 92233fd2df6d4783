//! Grants with a beginning or an end: each isolate applies them in time without reading D1.

use postern::actions::housekeeping;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, START, World, admin, block_on, json_of};

const SERVICE: i64 = 7;

fn give(
    isolate: &Isolate<'_>,
    kind: &str,
    id: i64,
    starts_in_ms: Option<i64>,
    ends_in_ms: Option<i64>,
) {
    let now = isolate.world.now.get().0;
    let mut body = json!({ "authObjectType": kind, "authObjectId": id, "permissions": ["TEST"] });
    for (name, bound) in [("startsAt", starts_in_ms), ("expiresAt", ends_in_ms)] {
        if let Some(bound) = bound {
            body[name] = json!(now + bound);
        }
    }
    let response = isolate.administer("POST", &format!("/v1/services/{SERVICE}/grants"), &body);
    assert_eq!(response.status, 201, "{}", response.body);
}

fn allowed(isolate: &Isolate<'_>, user: i64) -> bool {
    let response =
        isolate.get(&format!("/v1/check?service={SERVICE}&permission=TEST&user={user}"), &admin());
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)["allowed"] == json!(true)
}

fn pass_ms(world: &World, ms: i64) {
    world.now.set(postern::domain::time::Millis(world.now.get().0 + ms));
}

/// How many batches the deed sends to D1.
fn batches(world: &World, deed: impl FnOnce()) -> u32 {
    let before = world.database.batches.get();
    deed();
    world.database.batches.get() - before
}

/// Creates a user's ways to a grant: direct, by a group, by a department, and by a parent
/// department.
fn directory(isolate: &Isolate<'_>) -> [(&'static str, i64, i64); 4] {
    isolate.administer("POST", "/v1/departments", &json!({ "id": 1, "name": "Company" }));
    isolate.administer(
        "POST",
        "/v1/departments",
        &json!({ "id": 2, "name": "Sales", "parentId": 1 }),
    );
    isolate.administer("POST", "/v1/departments", &json!({ "id": 3, "name": "Stock" }));
    isolate.administer("PUT", "/v1/groups/1/members/102", &Value::Null);
    isolate.administer("PUT", "/v1/departments/3/members/103", &Value::Null);
    isolate.administer("PUT", "/v1/departments/2/members/104", &Value::Null);
    [("USER", 101, 101), ("GROUP", 1, 102), ("DEPT", 3, 103), ("DEPT", 1, 104)]
}

#[test]
fn a_grant_begins_and_ends_at_its_moment_in_an_isolate_that_has_it_in_memory() {
    let world = World::new();
    let here = world.isolate();
    let ways = directory(&here);
    for (kind, id, _) in ways {
        give(&here, kind, id, Some(1000), Some(3000));
    }
    let there = world.isolate();
    let all = |isolate: &Isolate<'_>| ways.map(|(.., user)| allowed(isolate, user));
    // Both isolates have all of it in memory now, and have read the change feed.
    assert_eq!((all(&here), all(&there)), ([false; 4], [false; 4]));
    for (passed, expected) in [(999, false), (1, true), (1999, true), (1, false), (1000, false)] {
        pass_ms(&world, passed);
        for isolate in [&here, &there] {
            let queries = batches(&world, || {
                assert_eq!(all(isolate), [expected; 4], "at {}", world.now.get().0 - START.0);
            });
            assert_eq!(queries, 0, "at {}", world.now.get().0 - START.0);
        }
    }
}

#[test]
fn a_grant_ends_while_d1_does_not_answer() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = format!("Bearer {}", isolate.token("alice"));
    let alice = json_of(&isolate.get("/v1/verify", &token))["user"]["id"].as_i64().expect("an id");
    give(&isolate, "USER", alice, None, Some(60_000));
    let asked =
        || json_of(&isolate.get("/v1/check?service=7&permission=TEST", &token))["allowed"].clone();
    assert_eq!(asked(), json!(true));
    world.database.answers.set(false);
    pass_ms(&world, 59_999);
    assert_eq!(asked(), json!(true), "from memory");
    pass_ms(&world, 1);
    assert_eq!(asked(), json!(false));
}

#[test]
fn every_way_of_asking_ends_with_the_grant() {
    let world = World::new();
    let isolate = world.isolate_with(&[
        ("ORIGIN_URL", Some("https://origin.example")),
        ("ORIGIN_RULES", Some(r#"[{"path":"/reports","service":7,"permission":"TEST"}]"#)),
    ]);
    let body = json!({ "username": "alice", "password": "correct horse alice" });
    let alice =
        json_of(&isolate.administer("POST", "/v1/users", &body))["id"].as_i64().expect("an id");
    let credential = crate::support::basic("alice", "correct horse alice");
    give(&isolate, "USER", alice, None, Some(2000));
    let asked = || {
        let status = |path: &str| isolate.get(path, &credential).status;
        let batch = Request::new("POST", "/v1/check/batch").authorization(&credential);
        let batch = isolate.send(&batch.body(r#"{"checks":[{"service":7,"permission":"TEST"}]}"#));
        let own = isolate.get("/api/v1/services/7/user/auth/current", &credential);
        (
            (
                status("/v1/forward-auth?service=7&permission=TEST"),
                status("/v1/forward-auth/7/TEST"),
                status("/reports/1"),
            ),
            json_of(&batch)["results"][0]["allowed"].clone(),
            json_of(&own)["data"]["permissions"].clone(),
            json_of(
                &isolate
                    .get(&format!("/api/v1/services/7/user/{alice}/auth/TEST/check"), &credential),
            )["data"]
                .clone(),
        )
    };
    assert_eq!(asked(), ((200, 200, 299), json!(true), json!(["VIEW", "TEST"]), json!(true)));
    pass_ms(&world, 1999);
    assert_eq!(batches(&world, || assert_eq!(asked().0, (200, 200, 299))), 0);
    pass_ms(&world, 1);
    assert_eq!(
        batches(&world, || assert_eq!(
            asked(),
            ((403, 403, 403), json!(false), json!([]), json!(false))
        )),
        0
    );
}

#[test]
fn the_groups_of_a_token_bring_only_what_counts_now() {
    let world = World::new();
    let isolate = world.isolate();
    let secret = "0123456789abcdef0123456789abcdef";
    let app = json!({
        "name": "A", "algorithm": "HS256", "secret": secret,
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4 },
    });
    assert_eq!(isolate.administer("POST", "/v1/token-apps", &app).status, 201);
    give(&isolate, "GROUP", 4, None, Some(2000));
    let claims =
        json!({ "sub": "alice", "groups": ["ops"], "exp": world.now.get().seconds() + 600 })
            .to_string();
    let token = crate::support::forge(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, secret.as_bytes());
    let asked = || {
        let path = "/v1/check?service=7&permission=TEST";
        json_of(&isolate.get(path, &format!("Bearer {token}")))["allowed"].clone()
    };
    assert_eq!(asked(), json!(true));
    pass_ms(&world, 1999);
    assert_eq!(batches(&world, || assert_eq!(asked(), json!(true))), 0);
    pass_ms(&world, 1);
    assert_eq!(batches(&world, || assert_eq!(asked(), json!(false))), 0);
}

#[test]
fn more_changes_than_are_remembered_are_read_again() {
    let world = World::new();
    let isolate = world.isolate();
    for group in 1..=30 {
        isolate.administer("PUT", &format!("/v1/groups/{group}/members/101"), &Value::Null);
        // The permission holds in every other period of 100 ms.
        give(&isolate, "GROUP", group, Some(group * 200), Some(group * 200 + 100));
    }
    assert!(!allowed(&isolate, 101));
    let queries = batches(&world, || {
        for step in 1..=62 {
            pass_ms(&world, 100);
            assert_eq!(allowed(&isolate, 101), step % 2 == 0 && step <= 60, "step {step}");
        }
    });
    assert!((1..=5).contains(&queries), "{queries}");
}

#[test]
fn the_scheduled_event_removes_what_expired_with_its_audit_entry() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    give(&isolate, "USER", 101, None, Some(1000));
    give(&isolate, "GROUP", 1, Some(500), Some(1001));
    give(&isolate, "USER", 102, None, None);
    assert!(!allowed(&other, 103));
    let run = || block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    let count = |sql: &str| world.database.number(sql);
    pass_ms(&world, 999);
    run();
    assert_eq!(count("SELECT COUNT(*) FROM grants"), 3, "nothing is over");
    let feed = count("SELECT MAX(revision) FROM changes");
    pass_ms(&world, 1);
    run();
    assert_eq!(count("SELECT COUNT(*) FROM grants"), 2, "the first one is");
    pass_ms(&world, 1);
    run();
    run();
    assert_eq!(count("SELECT COUNT(*) FROM grants"), 1);
    assert_eq!(count("SELECT SUM(grants) FROM grant_counts"), 1, "the totals follow");
    assert_eq!(
        count("SELECT MAX(revision) FROM changes"),
        feed + 2,
        "an entry in the feed for each"
    );
    let events = json_of(&isolate.get("/v1/audit?action=grant.expire", &admin()));
    let told = |index: usize| {
        (events["items"][index]["target"].clone(), events["items"][index]["before"].clone())
    };
    let before = json!({
        "permissions": ["VIEW", "TEST"], "startsAt": START.0 + 500, "expiresAt": START.0 + 1001,
    });
    assert_eq!(told(0), (json!("7/GROUP/1"), before), "{events}");
    assert_eq!(
        told(1),
        (
            json!("7/USER/101"),
            json!({ "permissions": ["VIEW", "TEST"], "expiresAt": START.0 + 1000 })
        )
    );
    assert_eq!(events["items"][0]["actor"], "[scheduled]");
}

#[test]
fn the_scheduled_event_leaves_the_grant_of_a_creator_whatever_its_row_says() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(
        isolate.administer("POST", "/v1/services", &json!({ "id": 8, "name": "Orders" })).status,
        201
    );
    world.database.execute("UPDATE grants SET expires_at = 1");
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM grants WHERE creator = 1"), 1);
}

#[test]
fn the_scheduled_event_removes_a_bounded_number_at_once() {
    let world = World::new();
    let isolate = world.isolate();
    let line = |user: i64| {
        let line = json!({
            "record": "grant", "serviceId": 7, "authObjectType": "USER", "authObjectId": user,
            "permissions": [], "expiresAt": 1_000_000_000_000_i64 + user,
        });
        line.to_string()
    };
    let lines: Vec<_> = (1..=300).map(line).collect();
    let import = Request::new("POST", "/v1/import").authorization(&admin()).body(&lines.join("\n"));
    assert_eq!(isolate.send(&import).status, 200);
    for left in [50, 0] {
        block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
        assert_eq!(world.database.number("SELECT COUNT(*) FROM grants"), left);
    }
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM audit_events WHERE action = 'grant.expire'"),
        300
    );
}

/// This holds in both dialects. A grant that has not expired exists already.
#[test]
fn a_grant_over_an_expired_one_replaces_it() {
    let world = World::new();
    let isolate = world.isolate();
    let add = |path: &str| {
        let body =
            json!({ "authObjectType": "USER", "authObjectId": 101, "permissions": ["MODIFY"] });
        isolate.administer("POST", path, &body).status
    };
    for (path, created) in [("/v1/services/7/grants", 201), ("/api/v1/services/7/auth", 200)] {
        give(&isolate, "USER", 101, None, Some(1000));
        pass_ms(&world, 999);
        assert_eq!(add(path), 409, "{path}");
        pass_ms(&world, 1);
        assert!(!allowed(&isolate, 101));
        assert_eq!(add(path), created, "{path}");
        assert_eq!(world.database.number("SELECT COUNT(*) FROM grants"), 1);
        let grant = json_of(&isolate.get("/v1/services/7/grants", &admin()))["items"][0].clone();
        assert_eq!(
            (&grant["permissions"], &grant["expiresAt"]),
            (&json!(["VIEW", "MODIFY"]), &Value::Null)
        );
        isolate.administer(
            "DELETE",
            &format!("/api/v1/services/auth/{}", grant["id"]),
            &Value::Null,
        );
    }
    let events = json_of(&isolate.get("/v1/audit?action=grant.expire", &admin()));
    assert_eq!(events["items"].as_array().map(Vec::len), Some(2), "{events}");
    assert_eq!(events["items"][0]["actor"], "admin");
}

#[test]
fn a_seed_dialect_shows_no_times_and_keeps_them() {
    let world = World::new();
    let isolate = world.isolate();
    give(&isolate, "USER", 101, None, Some(1000));
    let list =
        json_of(&isolate.get("/api/v1/services/auth?serviceId=7&authObjectType=USER", &admin()));
    let grant = list["data"]["list"][0].as_object().expect("a grant");
    let names: Vec<_> = grant.keys().map(String::as_str).collect();
    assert!(
        ["startsAt", "expiresAt", "state"].iter().all(|name| !names.contains(name)),
        "{names:?}"
    );
    let put = isolate.administer(
        "PUT",
        &format!("/api/v1/services/auth/{}", grant["id"]),
        &json!({ "permissions": ["TEST", "SHARE"] }),
    );
    assert_eq!(put.status, 200);
    assert!(allowed(&isolate, 101));
    pass_ms(&world, 1000);
    assert!(!allowed(&isolate, 101));
    let list =
        json_of(&isolate.get("/api/v1/services/auth?serviceId=7&authObjectType=USER", &admin()));
    assert_eq!(list["data"]["total"], 1, "listed until it is removed");
}

/// An import replaces a grant, but no line gives the creator's grant an end.
#[test]
fn the_grant_of_a_creator_never_ends() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "bob", "password": "correct horse bob!", "type": "SYS_Reader" }),
    );
    let import = |more: &Value| {
        let mut line = json!({
            "record": "grant", "serviceId": 7, "authObjectType": "USER", "authObjectId": 2,
            "permissions": [],
        });
        line.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        let request = Request::new("POST", "/v1/import").authorization(&admin());
        assert_eq!(isolate.send(&request.body(&line.to_string())).status, 200);
    };
    import(&json!({ "creator": true }));
    import(&json!({ "expiresAt": 1_000_000_000_000_i64 }));
    assert!(allowed(&isolate, 2));
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(
        world
            .database
            .number("SELECT COUNT(*) FROM grants WHERE creator = 1 AND expires_at IS NULL"),
        1
    );
}

#[test]
fn what_is_exported_with_times_imports_as_the_same() {
    let world = World::new();
    let isolate = world.isolate();
    give(&isolate, "USER", 101, Some(500), Some(1000));
    give(&isolate, "GROUP", 1, Some(500), None);
    pass_ms(&world, 5000);
    for format in ["ndjson", "csv"] {
        let lines = isolate.get(&format!("/v1/export?format={format}"), &admin()).body;
        let other = World::new();
        let empty = other.isolate();
        let import = Request::new("POST", &format!("/v1/import?format={format}"))
            .authorization(&admin())
            .body(&lines);
        assert_eq!(empty.send(&import).status, 200);
        assert_eq!(empty.get(&format!("/v1/export?format={format}"), &admin()).body, lines);
    }
}
