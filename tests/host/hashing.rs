//! Passwords are hashed one at a time and in parts, so that other requests do not wait for a hash.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Waker};

use postern::api::http::message::Response;
use postern::domain::time::Millis;
use postern::memory::hashing::WAITING;
use postern::ports::LocalFuture;
use serde_json::{Value, json};

use crate::support::{
    ADMIN_PASSWORD, Isolate, Request, World, admin, all_at_once, basic, block_on, json_of,
    yield_once,
};

fn sign_in_by(password: &str, address: &str) -> Request {
    let body = json!({ "username": "admin", "password": password }).to_string();
    Request::new("POST", "/imanager/cloud/security/tokens.json")
        .header("cf-connecting-ip", address)
        .body(&body)
}

fn with_app(world: &World) -> Isolate<'_> {
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate
}

#[test]
fn others_are_answered_between_the_parts_of_a_hash() {
    let world = World::new();
    let isolate = with_app(&world);
    let token = format!("Bearer {}", isolate.token("alice"));
    let verified = Cell::new(0);
    let verify = async {
        while verified.get() < 50 {
            assert_eq!(
                isolate
                    .answer(&Request::new("GET", "/v1/verify").authorization(&token))
                    .await
                    .status,
                200
            );
            verified.set(verified.get() + 1);
            yield_once().await;
        }
        0
    };
    let sign_in = async {
        let response = isolate.answer(&sign_in_by(ADMIN_PASSWORD, "192.0.2.1")).await;
        assert_eq!(response.status, 200);
        verified.get()
    };
    let futures: Vec<LocalFuture<'_, u32>> = vec![Box::pin(sign_in), Box::pin(verify)];
    assert_eq!(all_at_once(futures)[0], 50);
}

#[test]
fn of_many_sign_ins_at_once_as_many_wait_as_may_and_the_others_are_told_to_come_again() {
    let world = World::new();
    let isolate = with_app(&world);
    let requests: Vec<_> = (0..WAITING + 6)
        .map(|number| {
            sign_in_by(ADMIN_PASSWORD, &format!("192.0.{}.{}", number / 100, number % 100))
        })
        .collect();
    let before = isolate.memory.hashes();
    let answers: Vec<Response> = all_at_once(
        requests.iter().map(|request| Box::pin(isolate.answer(request)) as _).collect(),
    );
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(
        (answers.iter().filter(|answer| answer.status == 200).count(), refused.len()),
        (WAITING + 1, 5)
    );
    for answer in refused {
        assert_eq!(
            (answer.header("x-postern-reason"), answer.header("retry-after")),
            (Some("too_many_at_once"), Some("2"))
        );
    }
    assert_eq!(
        isolate.memory.hashes() - before,
        WAITING as u64 + 1,
        "who is refused costs no hash"
    );
    assert_eq!(
        isolate.send(&sign_in_by(ADMIN_PASSWORD, "192.0.2.1")).status,
        200,
        "they may come again"
    );
}

#[test]
fn of_many_calls_with_one_password_one_is_hashed() {
    let world = World::new();
    let isolate = with_app(&world);
    world.pass(61);
    isolate.send(&Request::new("GET", "/v1/verify").authorization(&admin()));
    world.pass(61);
    let before = isolate.memory.hashes();
    let request = Request::new("GET", "/v1/verify").authorization(&admin());
    let answers: Vec<Response> =
        all_at_once((0..150).map(|_| Box::pin(isolate.answer(&request)) as _).collect());
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(isolate.memory.hashes() - before, 1);
}

/// The platform drops a request whose client has left, or never polls it again.
#[test]
fn a_hash_that_nobody_goes_on_with_holds_others_up_for_a_second_at_most() {
    let world = World::new();
    let isolate = with_app(&world);
    let request = sign_in_by(ADMIN_PASSWORD, "192.0.2.1");
    let begun_and_left = || {
        let before = isolate.memory.hashes();
        let mut sign_in = Box::pin(isolate.answer(&request));
        while isolate.memory.hashes() == before {
            assert!(sign_in.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        sign_in
    };
    drop(begun_and_left());
    let before = world.now.get();
    assert_eq!(isolate.send(&request).status, 200);
    assert_eq!(world.now.get() - before, Millis(0), "what is dropped gives its turn up at once");
    std::mem::forget(begun_and_left());
    assert_eq!(isolate.send(&request).status, 200);
    let waited = world.now.get() - before;
    assert!((Millis(1000)..Millis(1100)).contains(&waited), "{waited:?}");
}

#[test]
fn a_password_that_is_set_waits_for_its_turn_as_well() {
    let world = World::new();
    let isolate = with_app(&world);
    isolate.administer("POST", "/v1/users", &json!({ "username": "carol" }));
    let wrong = sign_in_by("wrong password", "192.0.2.1");
    let mut sign_in = pin!(isolate.answer(&wrong));
    let before = isolate.memory.hashes();
    while isolate.memory.hashes() == before {
        assert!(sign_in.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let new = Request::new("POST", "/v1/users")
        .authorization(&admin())
        .body(&json!({ "username": "dora", "password": "12345678" }).to_string());
    let mut set = pin!(isolate.answer(&new));
    for _ in 0..3 {
        assert!(set.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(isolate.memory.hashes() - before, 1);
    let both: Vec<LocalFuture<'_, Response>> = vec![Box::pin(sign_in), Box::pin(set)];
    let statuses: Vec<_> = all_at_once(both).iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [401, 201]);
}

/// Data that a request has read from D1 must not be older than the bound when it is answered.
#[test]
fn whoever_would_wait_for_too_long_is_told_to_come_again() {
    for (staleness_s, wanted) in [("2", 429), ("10", 200)] {
        let world = World::new();
        let isolate = world.isolate_with(&[("STALENESS_S", Some(staleness_s))]);
        isolate.send(&sign_in_by(ADMIN_PASSWORD, "192.0.2.1"));
        let cx = isolate.cx();
        let place = cx.memory.hashing.join(cx.timer.now(), false).unwrap();
        let busy = async {
            for _ in 0..5 {
                assert_eq!(cx.memory.hashing.before(place, cx.timer.now()), 0);
                cx.timer.sleep(Millis(200)).await;
            }
            cx.memory.hashing.leave(place);
            0
        };
        let before = world.now.get();
        let request = sign_in_by(ADMIN_PASSWORD, "192.0.2.1");
        let sign_in = async { isolate.answer(&request).await.status };
        let answers = all_at_once::<u16>(vec![Box::pin(busy), Box::pin(sign_in)]);
        assert_eq!(answers[1], wanted, "STALENESS_S={staleness_s}");
        assert!(world.now.get() - before < Millis(1_100));
    }
}

/// A client that guesses many passwords at once must not learn from the refusals which one was
/// right.
#[test]
fn beyond_the_limit_a_right_guess_is_answered_as_a_wrong_one() {
    let world = World::new();
    let isolate = with_app(&world);
    isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "carol", "password": "the right one" }),
    );
    let guess = |password: &str| {
        let body = json!({ "username": "carol", "password": password }).to_string();
        Request::new("POST", "/imanager/cloud/security/tokens.json")
            .header("cf-connecting-ip", "192.0.2.9")
            .body(&body)
    };
    let requests: Vec<_> = (0..30)
        .map(|number| guess(if number == 20 { "the right one" } else { "a wrong one" }))
        .collect();
    let answers: Vec<Response> = all_at_once(
        requests.iter().map(|request| Box::pin(isolate.answer(request)) as _).collect(),
    );
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert!(statuses[..10].iter().all(|status| *status == 401), "{statuses:?}");
    assert!(statuses[11..].iter().all(|status| *status == 429), "{statuses:?}");
}

/// Polls until the request begins to hash a password.
fn until_it_hashes(isolate: &Isolate<'_>, future: &mut LocalFuture<'_, Response>, hashes: u64) {
    let before = isolate.memory.hashes();
    while isolate.memory.hashes() < before + hashes {
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

/// An attacker with a stolen password changes it while an administrator resets it. The change waits
/// for its hash, and must not undo the reset.
#[test]
fn a_reset_by_an_administrator_is_not_undone_by_a_change_that_waited_for_its_hash() {
    let world = World::new();
    let isolate = with_app(&world);
    let made = isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "carol", "password": "a stolen one" }),
    );
    let path = format!("/v1/users/{}/password", json_of(&made)["id"]);
    let body =
        json!({ "password": "the thief's own", "currentPassword": "a stolen one" }).to_string();
    let change =
        Request::new("PUT", &path).authorization(&basic("carol", "a stolen one")).body(&body);
    let mut changing: LocalFuture<'_, Response> = Box::pin(isolate.answer(&change));
    until_it_hashes(&isolate, &mut changing, 3);
    world.pass(1);
    let elsewhere = world.isolate();
    assert_eq!(
        elsewhere.administer("PUT", &path, &json!({ "password": "reset by the admin" })).status,
        204
    );
    assert_eq!(block_on(changing).status, 409);
    for (password, status) in [("reset by the admin", 200), ("the thief's own", 401)] {
        let verify = Request::new("GET", "/v1/verify").authorization(&basic("carol", password));
        assert_eq!(world.isolate().send(&verify).status, status, "{password}");
    }
}

#[test]
fn an_administrator_who_is_disabled_while_a_hash_waits_creates_nobody() {
    let world = World::new();
    let isolate = with_app(&world);
    let made = isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "eve", "password": "12345678", "type": "Administrator" }),
    );
    let new = json!({ "username": "mallory", "password": "87654321", "type": "Administrator" })
        .to_string();
    let request =
        Request::new("POST", "/v1/users").authorization(&basic("eve", "12345678")).body(&new);
    let mut creating: LocalFuture<'_, Response> = Box::pin(isolate.answer(&request));
    until_it_hashes(&isolate, &mut creating, 2);
    let path = format!("/v1/users/{}", json_of(&made)["id"]);
    world.isolate().administer("PATCH", &path, &json!({ "enabled": false }));
    assert_eq!(block_on(creating).status, 409);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users WHERE username = 'mallory'"), 0);
}

/// A sign-in may wait seconds for its turn. Afterwards, the user's current state decides.
#[test]
fn a_password_that_was_replaced_or_a_user_who_was_disabled_while_the_hash_waited_is_refused() {
    for (method, path, change, wanted) in [
        ("PUT", "/password", json!({ "password": "reset by the admin" }), 401),
        ("PATCH", "", json!({ "enabled": false }), 403),
        ("DELETE", "", Value::Null, 401),
    ] {
        let world = World::new();
        let isolate = with_app(&world);
        let made = isolate.administer(
            "POST",
            "/v1/users",
            &json!({ "username": "carol", "password": "the old one" }),
        );
        let path = format!("/v1/users/{}{path}", json_of(&made)["id"]);
        let request =
            Request::new("GET", "/v1/verify").authorization(&basic("carol", "the old one"));
        let mut signing_in: LocalFuture<'_, Response> = Box::pin(isolate.answer(&request));
        until_it_hashes(&isolate, &mut signing_in, 1);
        assert!(world.isolate().administer(method, &path, &change).status < 300);
        assert_eq!(block_on(signing_in).status, wanted, "{method}");
    }
}
