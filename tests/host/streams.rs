//! Whether a connection that was opened through the gateway may stay open.
//! `tests/edge/streams.test.mjs` tests when that is checked, and what is closed.

use postern::api::http::message::Authority;
use postern::domain::secret::Secret;
use postern::domain::staleness::RECHECKED_BY;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::{Value, json};

use crate::support::{
    ADMIN_PASSWORD, Isolate, Request, World, admin, all_at_once, basic, block_on, json_of,
};

const RULES: &str = r#"[{"path": "/granted", "service": 7, "permission": "VIEW"}]"#;

fn gateway(world: &World) -> Isolate<'_> {
    world.isolate_with(&[
        ("ORIGIN_URL", Some("http://origin.test")),
        ("ORIGIN_RULES", Some(RULES)),
        ("ORIGIN_PUBLIC", Some("/static")),
        ("ORIGIN_NODES", Some("true")),
    ])
}

/// Registers an app in an isolate with an origin.
fn with_app(world: &World) -> Isolate<'_> {
    let isolate = gateway(world);
    isolate.register(&json!({}));
    isolate
}

struct Stream {
    request: Request,
    authority: Authority,
}

fn open(isolate: &Isolate<'_>, request: Request) -> Stream {
    let response = isolate.send(&request);
    let forward =
        isolate.world.passed.borrow_mut().pop().unwrap_or_else(|| panic!("{}", response.body));
    Stream { request, authority: forward.authority.expect("somebody was asked who they are") }
}

fn open_by(isolate: &Isolate<'_>, authorization: &str) -> Stream {
    open(isolate, Request::new("GET", "/live").authorization(authorization))
}

async fn looked_at(isolate: &Isolate<'_>, stream: &Stream) -> bool {
    isolate.may_stay_open(&stream.request, &stream.authority.holder()).await
}

fn stays(isolate: &Isolate<'_>, stream: &Stream) -> bool {
    block_on(looked_at(isolate, stream))
}

fn bearer(isolate: &Isolate<'_>, username: &str) -> String {
    format!("Bearer {}", isolate.token(username))
}

fn user_id(isolate: &Isolate<'_>, username: &str) -> i64 {
    let response =
        isolate.administer("GET", &format!("/v1/users?username={username}"), &Value::Null);
    json_of(&response)["items"][0]["id"].as_i64().expect("an id")
}

fn sign_in(isolate: &Isolate<'_>) -> String {
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let response = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

fn changed(isolate: &Isolate<'_>, method: &str, path: &str, body: &Value) {
    let response = isolate.administer(method, path, body);
    assert!(response.status < 300, "{method} {path}: {}", response.body);
}

/// Opens a stream in one isolate and ends its right in another. Checks it again when the memory of
/// the first isolate reaches its maximum age.
#[track_caller]
fn ends(what: impl Fn(&Isolate<'_>) -> Request, end: impl Fn(&Isolate<'_>)) {
    let world = World::new();
    let elsewhere = with_app(&world);
    let request = what(&elsewhere);
    let here = gateway(&world);
    let stream = open(&here, request);
    assert!(stays(&here, &stream));
    let read_at = world.now.get();
    end(&elsewhere);
    world.now.set(read_at + RECHECKED_BY);
    assert!(stays(&here, &stream), "memory is used up to that age");
    world.now.set(read_at + RECHECKED_BY + Millis(1));
    assert!(!stays(&here, &stream));
    assert!(!stays(&here, &stream), "and it remains so");
}

fn live(authorization: &str) -> Request {
    Request::new("GET", "/live").authorization(authorization)
}

#[test]
fn what_is_open_ends_with_its_user() {
    let alice = |isolate: &Isolate<'_>| live(&bearer(isolate, "alice"));
    let known = |isolate: &Isolate<'_>| {
        isolate.verify(&isolate.token("alice"));
        alice(isolate)
    };
    let path = |isolate: &Isolate<'_>| format!("/v1/users/{}", user_id(isolate, "alice"));
    ends(known, |isolate| changed(isolate, "PATCH", &path(isolate), &json!({ "enabled": false })));
    ends(known, |isolate| changed(isolate, "DELETE", &path(isolate), &Value::Null));
    ends(known, |isolate| {
        changed(isolate, "DELETE", &format!("{}/tokens", path(isolate)), &Value::Null);
    });
    ends(known, |isolate| {
        // Another user of that name is not the user who opened the stream.
        changed(isolate, "DELETE", &path(isolate), &Value::Null);
        changed(isolate, "POST", "/v1/users", &json!({ "username": "alice" }));
    });
}

#[test]
fn what_is_open_ends_with_its_credential() {
    let known = |isolate: &Isolate<'_>| live(&bearer(isolate, "alice"));
    ends(known, |isolate| isolate.register(&json!({ "enable": "0" })));
    ends(known, |isolate| isolate.register(&json!({ "secret": "another" })));
    ends(
        |isolate| Request::new("GET", &format!("/live?room=7&token={}", isolate.token("alice"))),
        |isolate| isolate.register(&json!({ "token_name": "ticket" })),
    );
    let signed_in = |isolate: &Isolate<'_>| {
        Request::new("GET", "/live").header("x-auth-token", &sign_in(isolate))
    };
    ends(signed_in, |isolate| {
        let tokens = json_of(&isolate.administer("GET", "/v1/users/1/tokens", &Value::Null));
        let id = tokens["items"][0]["id"].as_i64().expect("an id");
        changed(isolate, "DELETE", &format!("/v1/users/1/tokens/{id}"), &Value::Null);
    });
    // Another app with the same key takes the token, but it is not the app that the stream was
    // opened with.
    ends(known, |isolate| {
        isolate.register(&json!({ "name": "ZZZ" }));
        isolate.register(&json!({ "enable": "0" }));
    });
}

#[test]
fn what_is_open_ends_with_its_grant() {
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["VIEW"] });
    let granted = |isolate: &Isolate<'_>| {
        isolate.verify(&isolate.token("alice"));
        changed(isolate, "POST", "/api/v1/services/7/auth", &grant);
        Request::new("GET", "/granted").authorization(&bearer(isolate, "alice"))
    };
    ends(granted, |isolate| changed(isolate, "DELETE", "/api/v1/services/auth/1", &Value::Null));
}

#[test]
fn a_route_of_a_dialect_that_the_origin_answers_ends_alike() {
    let nodes = |isolate: &Isolate<'_>| {
        let body = json!({
            "username": "carol", "password": "a long password", "type": "SYS_Creator", "roles": [],
        });
        changed(isolate, "POST", "/v1/users", &body);
        Request::new("GET", "/imanager/cloud/web/nodes/server")
            .authorization(&basic("carol", "a long password"))
    };
    ends(nodes, |isolate| {
        changed(
            isolate,
            "PATCH",
            &format!("/v1/users/{}", user_id(isolate, "carol")),
            &json!({ "enabled": false }),
        );
    });
}

#[test]
fn the_end_of_a_token_is_its_own_and_that_of_the_leeway_only_for_one_that_came_within_it() {
    let world = World::new();
    let isolate = with_app(&world);
    let now = world.now.get();
    let token = |exp: i64| {
        let claims =
            json!({ "loginname": "alice", "exp": exp }).as_object().cloned().unwrap_or_default();
        let token =
            jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a shared secret");
        open_by(&isolate, &format!("Bearer {token}")).authority.ends_at
    };
    assert_eq!(token(now.seconds() + 6), Some(Millis::from_seconds(now.seconds() + 6)));
    assert_eq!(token(now.seconds()), Some(Millis::from_seconds(now.seconds() + 60)));
    assert_eq!(token(now.seconds() - 20), Some(Millis::from_seconds(now.seconds() + 40)));
    let session =
        open(&isolate, Request::new("GET", "/live").header("x-auth-token", &sign_in(&isolate)));
    assert_eq!(session.authority.ends_at, Some(now + Millis::from_seconds(43_200)));
    assert_eq!(open_by(&isolate, &admin()).authority.ends_at, None);
    isolate.send(&Request::new("GET", "/static/x"));
    assert_eq!(world.passed.borrow_mut().pop().expect("it went on").authority, None);
}

#[test]
fn looking_again_creates_and_changes_nobody() {
    let world = World::new();
    let elsewhere = with_app(&world);
    let here = gateway(&world);
    let mut claims = elsewhere.claims("alice");
    claims.insert("name".to_owned(), json!("Alice"));
    let token =
        jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a shared secret");
    let stream = open_by(&here, &format!("Bearer {token}"));
    let path = format!("/v1/users/{}", user_id(&elsewhere, "alice"));
    changed(&elsewhere, "PATCH", &path, &json!({ "name": "Alice Liddell" }));
    world.pass(3);
    let before = world.database.changes();
    assert!(stays(&here, &stream));
    assert_eq!(world.database.changes(), before, "the name follows a request, and not a look");
    changed(&elsewhere, "DELETE", &path, &Value::Null);
    world.pass(3);
    let before = world.database.changes();
    assert!(!stays(&here, &stream));
    assert_eq!(world.database.changes(), before);
}

#[test]
fn many_that_are_looked_at_together_cost_one_reading_and_young_memory_none() {
    let world = World::new();
    let isolate = with_app(&world);
    // A bookmark makes a request read D1, but not the later checks of what it has opened.
    let marked = isolate.administer("POST", "/v1/users", &json!({ "username": "bob" }));
    let bookmark = marked.header("x-postern-bookmark").expect("a bookmark").to_owned();
    let streams: Vec<_> = (0..100)
        .map(|number| {
            let request = live(&bearer(&isolate, &format!("user-{}", number % 10)));
            open(&isolate, request.header("x-postern-bookmark", &bookmark))
        })
        .collect();
    let look = || {
        let before = world.database.batches.get();
        let looks = streams.iter().map(|stream| Box::pin(looked_at(&isolate, stream)) as _);
        assert!(all_at_once(looks.collect()).into_iter().all(|stays: bool| stays));
        world.database.batches.get() - before
    };
    assert_eq!(look(), 0);
    world.pass(3);
    assert_eq!(look(), 1);
    assert_eq!(look(), 0);
}

#[test]
fn while_d1_does_not_answer_a_stream_stays_as_long_as_its_requests_would_be_answered() {
    let world = World::new();
    let isolate = with_app(&world);
    let stream = open_by(&isolate, &bearer(&isolate, "alice"));
    world.database.answers.set(false);
    for _ in 0..5 {
        world.pass(60);
        assert!(stays(&isolate, &stream));
        assert_eq!(isolate.send(&stream.request).status, 299);
    }
    world.pass(900);
    assert!(!stays(&isolate, &stream));
    assert_eq!(isolate.send(&stream.request).status, 503);
}

/// While D1 does not answer, requests use copies. A stream ends if D1 does not confirm it in time.
#[test]
fn what_d1_does_not_confirm_in_time_ends_and_what_comes_in_time_counts() {
    for (back, stays_open) in [(60_000, false), (2_700, false), (2_300, true), (100, true)] {
        let world = World::new();
        let isolate = with_app(&world);
        let stream = open_by(&isolate, &bearer(&isolate, "alice"));
        world.pass(5);
        world.database.takes.set([Millis(0), Millis(back)]);
        let began = world.now.get();
        assert_eq!(stays(&isolate, &stream), stays_open, "{back}");
        assert!(world.now.get() - began <= Millis(2_600), "{back}");
        assert_eq!(isolate.send(&stream.request).status, 299, "{back}");
    }
}

#[test]
fn a_reading_that_is_lost_holds_the_others_up_for_a_second() {
    let world = World::new();
    let isolate = with_app(&world);
    let stream = open_by(&isolate, &bearer(&isolate, "alice"));
    world.pass(3);
    assert!(isolate.memory.begin_reading(world.now.get(), Millis(0)), "whose request is gone then");
    let before = world.now.get();
    assert!(stays(&isolate, &stream));
    let waited = world.now.get() - before;
    assert!(waited > Millis(1_000) && waited < Millis(1_200), "{waited:?}");
}

#[test]
fn a_password_is_checked_again_once_a_minute_for_all_and_counts_no_failure() {
    let world = World::new();
    let isolate = with_app(&world);
    changed(
        &isolate,
        "POST",
        "/v1/users",
        &json!({ "username": "carol", "password": "the first password" }),
    );
    let carol = basic("carol", "the first password");
    let streams: Vec<_> = (0..20).map(|_| open_by(&isolate, &carol)).collect();
    let look = || {
        let before = isolate.memory.hashes();
        let looks = streams.iter().map(|stream| Box::pin(looked_at(&isolate, stream)) as _);
        let stay: Vec<bool> = all_at_once(looks.collect());
        (isolate.memory.hashes() - before, stay.into_iter().filter(|stays| *stays).count())
    };
    assert_eq!(look(), (0, 20));
    world.pass(61);
    assert_eq!(look(), (1, 20));
    let path = format!("/v1/users/{}/password", user_id(&isolate, "carol"));
    changed(&isolate, "PUT", &path, &json!({ "password": "the second password" }));
    let before = world.database.changes();
    assert_eq!(look().1, 0);
    assert_eq!(world.database.changes(), before, "no failure is noted");
    open_by(&isolate, &basic("carol", "the second password"));
}

/// Many concurrent sign-ins must not close the streams of other users.
#[test]
fn a_password_that_is_checked_again_waits_for_no_queue_of_sign_ins() {
    let world = World::new();
    let isolate = with_app(&world);
    changed(
        &isolate,
        "POST",
        "/v1/users",
        &json!({ "username": "carol", "password": "the first password" }),
    );
    let stream = open_by(&isolate, &basic("carol", "the first password"));
    world.pass(61);
    let cx = isolate.cx();
    let places: Vec<u64> =
        (0..100).map(|_| cx.memory.hashing.join(cx.timer.now(), false).expect("a place")).collect();
    // Each sign-in takes 50 ms, and all clients are still waiting.
    let sign_ins = async {
        for (done, place) in places.iter().enumerate() {
            cx.timer.sleep(Millis(50)).await;
            cx.memory.hashing.leave(*place);
            for waiting in &places[done + 1..] {
                cx.memory.hashing.before(*waiting, cx.timer.now());
            }
        }
        world.now.get()
    };
    let look = async {
        assert!(looked_at(&isolate, &stream).await);
        world.now.get()
    };
    let began = world.now.get();
    let ended: Vec<Millis> = all_at_once(vec![Box::pin(sign_ins) as _, Box::pin(look)]);
    assert!(ended[0] - began >= Millis(5000) && ended[1] - began < Millis(500), "{ended:?}");
}
