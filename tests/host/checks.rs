//! What a permission check costs, and how soon a write is in force. `oracle.rs` checks that the
//! answers are right.

use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, json_of};

/// Registers an app with tokens for alice, the service 1, and a grant of TEST to her. Returns her
/// id and the grant's id.
fn set_up(isolate: &Isolate<'_>) -> (i64, i64) {
    isolate.register(&json!({}));
    isolate.verify(&isolate.token("alice"));
    let users = json_of(&isolate.administer("GET", "/v1/users?username=alice", &Value::Null));
    let id = users["items"][0]["id"].as_i64().expect("an id");
    let body = json!({ "authObjectType": "USER", "authObjectId": id, "permissions": ["TEST"] });
    let grant = json_of(&isolate.administer("POST", "/api/v1/services/1/auth", &body));
    (id, grant["data"]["id"].as_i64().expect("an id"))
}

fn allowed(isolate: &Isolate<'_>, authorization: &str) -> bool {
    let response = isolate.get("/v1/check?service=1&permission=TEST", authorization);
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)["allowed"] == json!(true)
}

fn batches(world: &World, deed: impl FnOnce()) -> u32 {
    let before = world.database.batches.get();
    deed();
    world.database.batches.get() - before
}

#[test]
fn a_cold_check_is_one_round_trip_with_its_verification_and_a_warm_one_none() {
    let world = World::new();
    let writer = world.isolate();
    set_up(&writer);
    let jwt = format!("Bearer {}", writer.token("alice"));
    let body =
        json!({ "username": "admin", "password": crate::support::ADMIN_PASSWORD }).to_string();
    let opaque = writer.send(&Request::new("POST", "/imanager/security/tokens").body(&body)).body;
    for credential in [jwt.clone(), format!("Bearer {opaque}")] {
        let cold = world.isolate();
        assert_eq!(batches(&world, || assert!(allowed(&cold, &credential))), 1, "cold");
        assert_eq!(batches(&world, || assert!(allowed(&cold, &credential))), 0, "warm");
        let path = "/v1/forward-auth?service=1&permission=TEST";
        assert_eq!(
            batches(&world, || assert_eq!(cold.get(path, &credential).status, 200)),
            0,
            "warm"
        );
        let cold = world.isolate();
        assert_eq!(
            batches(&world, || assert_eq!(cold.get(path, &credential).status, 200)),
            1,
            "cold"
        );
    }
    let users = json_of(&writer.administer("GET", "/v1/users?username=alice", &Value::Null));
    let about_her = format!("/v1/check?service=1&permission=TEST&user={}", users["items"][0]["id"]);
    let cold = world.isolate();
    assert_eq!(
        batches(&world, || assert_eq!(
            cold.get(&about_her, &format!("Bearer {opaque}")).status,
            200
        )),
        1,
        "about another user"
    );
    // The services dialect makes no reading either. It knows the caller before it reads the
    // service.
    let warm = world.isolate();
    assert!(allowed(&warm, &jwt));
    let path = "/api/v1/services/1/user/auth/current";
    assert_eq!(batches(&world, || assert_eq!(warm.get(path, &jwt).status, 200)), 0);
}

#[test]
fn a_batch_is_one_round_trip_however_many_questions_it_has() {
    let world = World::new();
    let isolate = world.isolate();
    let (id, _) = set_up(&isolate);
    let checks: Vec<_> = (0..100)
        .map(|number| json!({ "service": number % 50, "permission": "TEST", "user": id }))
        .collect();
    let request = Request::new("POST", "/v1/check/batch")
        .authorization(&admin())
        .body(&json!({ "checks": checks }).to_string());
    isolate.verify("warm up");
    isolate.get("/v1/verify", &admin());
    isolate.get("/v1/verify", &admin());
    assert_eq!(batches(&world, || assert_eq!(isolate.send(&request).status, 200)), 1);
    assert_eq!(batches(&world, || assert_eq!(isolate.send(&request).status, 200)), 0);
}

#[test]
fn a_user_whom_a_warm_isolate_does_not_know_costs_one_round_trip_with_the_permission() {
    let world = World::new();
    let (writer, isolate) = (world.isolate(), world.isolate());
    set_up(&writer);
    assert_eq!(writer.verify(&writer.token("bob")).0, 200);
    let (alice, bob) =
        (format!("Bearer {}", writer.token("alice")), format!("Bearer {}", writer.token("bob")));
    assert!(allowed(&isolate, &alice));
    assert_eq!(batches(&world, || assert!(!allowed(&isolate, &bob))), 1);
    assert_eq!(batches(&world, || assert!(!allowed(&isolate, &bob))), 0);
}

#[test]
fn a_revoked_grant_is_refused_at_once_here_and_within_ten_seconds_elsewhere() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    let (id, grant) = set_up(&here);
    let jwt = format!("Bearer {}", here.token("alice"));
    assert!(allowed(&here, &jwt) && allowed(&there, &jwt));
    let revoked =
        here.administer("DELETE", &format!("/api/v1/services/auth/{grant}"), &Value::Null);
    assert!(!allowed(&here, &jwt), "at once");
    assert!(allowed(&there, &jwt), "memory is fresh there");
    let bookmark = revoked.header("x-postern-bookmark").expect("a bookmark");
    let request = Request::new("GET", "/v1/check?service=1&permission=TEST")
        .authorization(&jwt)
        .header("x-postern-bookmark", bookmark);
    assert_eq!(json_of(&there.send(&request))["allowed"], json!(false), "past all caches");

    let body = json!({ "authObjectType": "USER", "authObjectId": id, "permissions": ["TEST"] });
    here.administer("POST", "/api/v1/services/1/auth", &body);
    assert!(allowed(&here, &jwt), "a cached no is dropped at once too");
    world.pass(10);
    assert!(!allowed(&there, &jwt), "the feed is read behind this answer");
    world.run_tasks();
    assert!(allowed(&there, &jwt));
}

#[test]
fn without_d1_a_permission_that_is_remembered_still_counts_and_another_is_503() {
    let world = World::new();
    let isolate = world.isolate();
    set_up(&isolate);
    let jwt = format!("Bearer {}", isolate.token("alice"));
    assert!(allowed(&isolate, &jwt));
    world.database.answers.set(false);
    world.pass(20);
    assert!(allowed(&isolate, &jwt));
    assert_eq!(isolate.get("/v1/check?service=2&permission=TEST", &jwt).status, 503);
    world.pass(900);
    let jwt = format!("Bearer {}", isolate.token("alice"));
    assert_eq!(isolate.get("/v1/check?service=1&permission=TEST", &jwt).status, 503);
}

#[test]
fn fifty_identical_grants_at_once_make_one() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.get("/v1/verify", &admin());
    let body =
        json!({ "authObjectType": "USER", "authObjectId": 5, "permissions": [] }).to_string();
    let request =
        Request::new("POST", "/api/v1/services/1/auth").authorization(&admin()).body(&body);
    let futures =
        (0..50).map(|_| Box::pin(isolate.answer(&request)) as postern::ports::LocalFuture<'_, _>);
    let answers: Vec<postern::api::http::message::Response> =
        crate::support::all_at_once(futures.collect());
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(409)), (1, 49));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM grants"), 1);
    assert_eq!(world.database.number("SELECT grants FROM grant_counts"), 1);
}
