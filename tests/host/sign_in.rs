//! Passwords: the first administrator, the limits on failures, and one answer for an unknown user
//! and for a wrong password.

use postern::api::http::message::Response;
use serde_json::{Value, json};

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, all_at_once, basic, json_of};

fn sign_in(isolate: &Isolate<'_>, username: &str, password: &str) -> Response {
    let body = json!({ "username": username, "password": password }).to_string();
    isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body))
}

#[test]
fn the_first_administrator_signs_in_with_exactly_the_configured_words() {
    let world = World::new();
    let isolate = world.isolate();
    for (username, password) in [
        ("admin", "wrong"),
        ("Admin", ADMIN_PASSWORD),
        ("admin", ""),
        ("", ADMIN_PASSWORD),
        ("root", ADMIN_PASSWORD),
    ] {
        assert_eq!(sign_in(&isolate, username, password).status, 401, "{username}");
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 0);
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 200);
    assert_eq!(
        world.database.text("SELECT type FROM users WHERE username = 'admin'"),
        "Administrator"
    );
}

#[test]
fn changing_the_secret_later_changes_nothing() {
    let world = World::new();
    assert_eq!(sign_in(&world.isolate(), "admin", ADMIN_PASSWORD).status, 200);
    let later = world.isolate_with(&[("ADMIN_PASSWORD", Some("another password"))]);
    assert_eq!(sign_in(&later, "admin", "another password").status, 401);
    assert_eq!(sign_in(&later, "admin", ADMIN_PASSWORD).status, 200);
}

#[test]
fn fifty_first_sign_ins_of_the_administrator_make_one() {
    let world = World::new();
    let isolate = world.isolate();
    let request = Request::new("GET", "/v1/verify").authorization(&admin());
    let futures =
        (0..50).map(|_| Box::pin(isolate.answer(&request)) as postern::ports::LocalFuture<'_, _>);
    let answers: Vec<Response> = all_at_once(futures.collect());
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 1);
}

#[test]
fn unknown_user_and_wrong_password_are_one_answer_at_one_cost() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 200);
    let cost = |username: &str| {
        let before = world.database.batches.get();
        let response = sign_in(&isolate, username, "wrong password");
        (response.status, response.body, response.headers, world.database.batches.get() - before)
    };
    assert_eq!(cost("admin"), cost("nobody"));
}

#[test]
fn ten_failures_in_ten_minutes_are_the_limit() {
    let world = World::new();
    let isolate = world.isolate();
    sign_in(&isolate, "admin", ADMIN_PASSWORD);
    for _ in 0..10 {
        assert_eq!(sign_in(&isolate, "admin", "wrong password").status, 401);
        world.pass(1);
    }
    let refused = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("590")),
        "{}",
        refused.body
    );
    assert_eq!(json_of(&refused)["succeed"], json!(false), "in the dialect's envelope");
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 429, "Basic counts the same");
    world.pass(589);
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 429);
    world.pass(2);
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 200);
}

fn sign_in_from(isolate: &Isolate<'_>, address: &str, username: &str, password: &str) -> Response {
    let body = json!({ "username": username, "password": password }).to_string();
    isolate.send(
        &Request::new("POST", "/imanager/cloud/security/tokens.json")
            .header("cf-connecting-ip", address)
            .body(&body),
    )
}

/// The status, and the reason of a refusal.
fn outcome(response: &Response) -> (u16, Option<&str>) {
    (response.status, response.header("x-postern-reason"))
}

const USUAL: &str = "198.51.100.7";
const TOO_MANY: (u16, Option<&str>) = (429, Some("too_many_failures"));

/// 200 addresses of one IPv6 network are one client, and only that client is locked out.
#[test]
fn wrong_passwords_from_one_ipv6_network_lock_nobody_else_out() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status, 200);
    let hashes = isolate.memory.hashes();
    let answers: Vec<_> = (0..200)
        .map(|number| {
            let response = sign_in_from(
                &isolate,
                &format!("2001:db8:1:2:{number:x}::1"),
                "admin",
                "wrong password",
            );
            assert_eq!(
                sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status,
                200,
                "{number}"
            );
            response.status
        })
        .collect();
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 10, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 190);
    assert_eq!(isolate.memory.hashes() - hashes, 10 + 200, "one for each that was tried");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM failed_sign_ins"), 10);
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM audit_events WHERE action = 'sign_in.fail'"),
        1
    );
    assert_eq!(
        outcome(&sign_in_from(&isolate, "2001:db8:1:2::9", "admin", ADMIN_PASSWORD)),
        TOO_MANY
    );
    assert_eq!(
        sign_in_from(&isolate, "2001:db8:1:3::9", "admin", ADMIN_PASSWORD).status,
        200,
        "the next network is another client"
    );
}

/// A thousand clients make a hundred guesses. The owner can still sign in from their usual address,
/// and a new address learns why it must wait.
#[test]
fn wrong_passwords_from_a_thousand_addresses_lock_only_new_addresses_out() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status, 200);
    let (hashes, changes) = (isolate.memory.hashes(), world.database.changes());
    let mut tried = 0;
    for number in 0..1000 {
        let address = format!("192.0.{}.{}", number / 250, number % 250);
        let response = sign_in_from(&isolate, &address, "admin", "wrong password");
        tried += u64::from(response.status == 401);
        if number % 100 == 99 {
            assert_eq!(
                sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status,
                200,
                "after {number}"
            );
        }
    }
    assert_eq!(tried, 100);
    assert_eq!(isolate.memory.hashes() - hashes, 100 + 10, "one for each that was tried");
    // A failure writes a row and updates the summary; a sign-in writes a session and an event.
    assert_eq!(world.database.changes() - changes, 100 * 2 + 1 + 10 * 2);
    let refused = sign_in_from(&isolate, "203.0.113.77", "admin", ADMIN_PASSWORD);
    assert_eq!(outcome(&refused), (429, Some("new_address")));
    assert!(
        refused.body.contains("only from an address used during the last 30 days"),
        "{}",
        refused.body
    );
    let unknown = sign_in_from(&isolate, "203.0.113.77", "nobody", "wrong password");
    assert_eq!(unknown.status, 401, "other names are not concerned");
    world.pass(601);
    assert_eq!(sign_in_from(&isolate, "203.0.113.77", "admin", ADMIN_PASSWORD).status, 200);
}

/// Another limit would tell which names exist.
#[test]
fn the_limits_are_the_same_for_a_name_that_nobody_has() {
    let world = World::new();
    let isolate = world.isolate();
    sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD);
    let attack = |name: &str, net: u32| -> Vec<_> {
        let from = |number: u32| format!("10.{net}.{}.{}", number / 12, number % 12 / 11);
        (0..1400)
            .map(|number| sign_in_from(&isolate, &from(number), name, "wrong password"))
            .map(|of| (of.status, of.body, of.headers))
            .collect()
    };
    assert_eq!(attack("admin", 1), attack("nobody", 2));
}

#[test]
fn an_address_counts_as_used_for_thirty_days_and_twenty_are_kept() {
    let world = World::new();
    let isolate = world.isolate();
    let day = 24 * 60 * 60;
    assert_eq!(sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status, 200);
    let noted = || {
        world
            .database
            .number(&format!("SELECT last_at FROM sign_in_networks WHERE network = '{USUAL}'"))
    };
    let first = noted();
    world.pass(day - 1);
    sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD);
    assert_eq!(noted(), first, "within a day nothing is written");
    world.pass(1);
    sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD);
    assert_eq!(noted(), first + day * 1000);
    let attack = || {
        for number in 0..100 {
            sign_in_from(&isolate, &format!("192.0.2.{number}"), "admin", "wrong password");
        }
    };
    world.pass(30 * day - 10);
    attack();
    assert_eq!(
        sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status,
        200,
        "on the thirtieth day"
    );
    world.pass(30 * day);
    attack();
    assert_eq!(
        outcome(&sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD)),
        (429, Some("new_address")),
        "and not after it"
    );
    world.pass(601);
    for number in 0..25 {
        world.pass(1);
        assert_eq!(
            sign_in_from(&isolate, &format!("198.51.100.{number}"), "admin", ADMIN_PASSWORD).status,
            200
        );
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM sign_in_networks"), 20);
    assert_eq!(
        world.database.text("SELECT network FROM sign_in_networks ORDER BY last_at LIMIT 1"),
        "198.51.100.5"
    );
    isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "boss", "password": "password of boss", "type": "Administrator" }),
    );
    assert_eq!(sign_in_from(&isolate, USUAL, "boss", "password of boss").status, 200);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM sign_in_networks"), 21);
    assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM sign_in_networks"),
        20,
        "they go with their user"
    );
    world.pass(31 * day);
    crate::support::block_on(postern::actions::housekeeping::run(&isolate.cx()))
        .expect("the scheduled event");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM sign_in_networks"), 0);
}

/// The platform's limit is asked only if a hash would be computed, and before anything is read or
/// written.
#[test]
fn the_platforms_limit_is_asked_before_anything_is_computed() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    let asked = world.limiter.asked.get();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert_eq!(isolate.get("/v1/verify", "Bearer a.b.c").status, 401);
    assert_eq!(world.limiter.asked.get(), asked, "a remembered password and a token need no hash");
    world.limiter.refused.borrow_mut().push("2001:db8:1:2::/64".to_owned());
    let (hashes, batches) = (isolate.memory.hashes(), world.database.batches.get());
    let refused = sign_in_from(&isolate, "2001:db8:1:2:3::4", "admin", ADMIN_PASSWORD);
    assert_eq!(
        (outcome(&refused), refused.header("retry-after")),
        ((429, Some("rate_limit")), Some("10"))
    );
    assert_eq!(
        (isolate.memory.hashes(), world.database.batches.get(), world.limiter.asked.get()),
        (hashes, batches, asked + 1)
    );
    assert_eq!(sign_in_from(&isolate, "2001:db8:1:3:3::4", "admin", ADMIN_PASSWORD).status, 200);
}

#[test]
fn behind_trusted_proxies_the_client_counts_and_not_the_proxy() {
    let world = World::new();
    let isolate = world.isolate_with(&[
        ("TRUSTED_PROXIES", Some("10.0.0.0/8")),
        ("CLIENT_ADDRESS_HEADER", Some("True-Client-IP")),
    ]);
    let attempt = |peer: &str, said: &str, password: &str| {
        let body = json!({ "username": "admin", "password": password }).to_string();
        let request = Request::new("POST", "/imanager/cloud/security/tokens.json")
            .header("cf-connecting-ip", peer);
        isolate.send(&request.header("true-client-ip", said).body(&body)).status
    };
    for number in 0..10 {
        assert_eq!(attempt(&format!("10.0.0.{number}"), "192.0.2.1", "wrong password"), 401);
    }
    assert_eq!(attempt("10.0.0.1", "192.0.2.1", ADMIN_PASSWORD), 429);
    assert_eq!(
        attempt("10.0.0.1", "192.0.2.2", ADMIN_PASSWORD),
        200,
        "another client of the same proxy"
    );
    assert_eq!(
        attempt("192.0.2.1", "192.0.2.2", ADMIN_PASSWORD),
        429,
        "nobody else may say who calls"
    );
    assert_eq!(world.database.text("SELECT DISTINCT address FROM sessions"), "192.0.2.2");
}

#[test]
fn an_endless_user_name_is_counted_and_kept_short() {
    let world = World::new();
    let isolate = world.isolate();
    let endless = "x".repeat(100_000);
    for _ in 0..10 {
        assert_eq!(sign_in(&isolate, &endless, "wrong password").status, 401);
    }
    assert_eq!(sign_in(&isolate, &endless, "wrong password").status, 429);
    assert!(world.database.dump().len() < 50_000);
}

#[test]
fn an_address_is_limited_across_user_names() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status, 200);
    for (number, address) in
        (0..100).flat_map(|number| ["203.0.113.9", USUAL].map(|address| (number, address)))
    {
        assert_eq!(
            sign_in_from(&isolate, address, &format!("user{number}"), "wrong password").status,
            401
        );
    }
    assert_eq!(
        outcome(&sign_in(&isolate, "admin", ADMIN_PASSWORD)),
        (429, Some("address_failures"))
    );
    assert_eq!(
        sign_in_from(&isolate, USUAL, "admin", ADMIN_PASSWORD).status,
        200,
        "whoever has signed in from there goes on"
    );
    assert_eq!(
        outcome(&sign_in_from(&isolate, USUAL, "user100", "wrong password")),
        (429, Some("address_failures"))
    );
}

/// After the tenth failure, even a right guess of the same burst is refused. So a burst of guesses
/// succeeds no more often than slow ones.
#[test]
fn a_burst_of_guesses_is_limited_like_a_trickle() {
    let world = World::new();
    let isolate = world.isolate();
    sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let guess = |password: &str| {
        let body = json!({ "username": "admin", "password": password }).to_string();
        Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body)
    };
    let requests: Vec<_> = (0..30)
        .map(|number| guess(if number == 29 { ADMIN_PASSWORD } else { "wrong password" }))
        .collect();
    let futures = requests
        .iter()
        .map(|request| Box::pin(isolate.answer(request)) as postern::ports::LocalFuture<'_, _>);
    let answers: Vec<Response> = all_at_once(futures.collect());
    assert_eq!(answers[29].status, 429, "the right one came after ten failures");
}

#[test]
fn a_right_password_is_remembered_for_a_minute() {
    let world = World::new();
    let isolate = world.isolate();
    // The first sign-in creates the user, and what was read before that is not cached.
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    let before = world.database.batches.get();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert_eq!(world.database.batches.get(), before, "remembered");
    // The same characters with another boundary between name and password are another credential.
    assert_eq!(
        isolate.get("/v1/verify", &basic("admi", &format!("n{ADMIN_PASSWORD}"))).status,
        401
    );
    for _ in 0..13 {
        world.pass(5);
        isolate.verify("none");
        world.run_tasks();
    }
    let before = world.database.batches.get();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert!(world.database.batches.get() > before, "forgotten");
}

/// A guesser must not profit from an isolate that remembers the owner's own sign-ins.
#[test]
fn a_guess_is_limited_also_while_the_right_password_is_remembered() {
    let world = World::new();
    let isolate = world.isolate();
    let verify = |address: &str, password: &str| {
        let request = Request::new("GET", "/v1/verify").header("cf-connecting-ip", address);
        outcome(&isolate.send(&request.authorization(&basic("admin", password)))).0
    };
    let of_owner = || verify(USUAL, ADMIN_PASSWORD);
    assert_eq!([of_owner(), of_owner()], [200, 200]);
    for elsewhere in ["203.0.113.9", USUAL] {
        for number in 0..10 {
            assert_eq!(verify(elsewhere, &format!("guess {number}")), 401, "{elsewhere}");
        }
        assert_eq!(verify(elsewhere, "one more"), 429, "{elsewhere}");
        assert_eq!(
            verify(elsewhere, ADMIN_PASSWORD),
            429,
            "{elsewhere}: the right one is not told"
        );
        if elsewhere != USUAL {
            assert_eq!(of_owner(), 200, "the owner goes on");
        }
    }
}

#[test]
fn secrets_passwords_and_tokens_are_nowhere_in_the_clear() {
    let world = World::new();
    let isolate = world.isolate();
    let response = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let cookie = response
        .header("set-cookie")
        .and_then(|value| value.split(['=', ';']).nth(1))
        .expect("a cookie")
        .to_owned();
    isolate
        .register(&json!({ "secret": "a-secret-to-be-found", "initpwd": "an-initial-password" }));
    let user = json!({ "username": "alice", "password": "a-password-of-alice" });
    isolate.administer("POST", "/v1/users", &user);
    sign_in(&isolate, "alice", "a-wrong-password");
    let token = postern::domain::tokens::jwt::sign(
        postern::domain::tokens::algorithm::Algorithm::Hs256,
        &postern::domain::secret::Secret::new("a-secret-to-be-found"),
        &isolate.claims("bob"),
    )
    .expect("a shared secret");
    assert_eq!(isolate.verify(&token).0, 200);
    crate::support::block_on(postern::actions::housekeeping::run(&isolate.cx()))
        .expect("the scheduled event");
    world.database.answers.set(false);
    sign_in(&isolate, "alice", "a-password-of-alice");

    let kept = format!(
        "{}{:?}{:?}",
        world.database.dump(),
        world.kv.values.borrow(),
        world.log.0.borrow()
    );
    assert!(
        kept.contains("alice")
            && kept.contains("sign_in.fail")
            && kept.contains("D1 does not answer"),
        "the search finds what is there"
    );
    let secrets = [
        ADMIN_PASSWORD,
        "a-secret-to-be-found",
        "an-initial-password",
        "a-password-of-alice",
        "a-wrong-password",
    ];
    for secret in secrets.into_iter().chain([
        response.body.as_str(),
        &cookie,
        &token,
        &token[token.len() - 43..],
    ]) {
        assert!(!kept.contains(secret), "{secret}");
    }
    let audit = isolate.world.database.number("SELECT COUNT(*) FROM audit_events");
    assert!(audit >= 5, "{audit}");
}

#[test]
fn without_its_secrets_the_worker_says_which_are_missing_and_lets_nobody_in() {
    let world = World::new();
    let isolate = world.isolate_with(&[("MASTER_KEY", None), ("ADMIN_PASSWORD", None)]);
    for path in [
        "/v1/verify",
        "/plugin/datafor-modeler/api/token/list",
        "/imanager/security/logout",
        "/health",
        "/nowhere",
    ] {
        let response = isolate.get(path, &basic("admin", ""));
        assert_eq!(response.status, 503, "{path}");
        assert!(
            response.body.contains("MASTER_KEY is missing")
                && response.body.contains("ADMIN_PASSWORD is missing"),
            "{}",
            response.body
        );
    }
}

#[test]
fn a_user_without_a_password_cannot_sign_in_with_any() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer("POST", "/v1/users", &json!({ "username": "alice" }));
    for password in ["", "null", "NULL"] {
        assert_eq!(sign_in(&isolate, "alice", password).status, 401);
    }
    let user = isolate.administer("GET", "/v1/users?username=alice", &Value::Null);
    assert_eq!(json_of(&user)["items"][0]["hasPassword"], json!(false));
}

#[test]
fn a_name_that_nobody_may_have_creates_no_administrator_and_stays_with_who_has_it() {
    let hidden = "admin\u{200b}";
    let world = World::new();
    let isolate = world.isolate_with(&[("ADMIN_USERNAME", Some(hidden))]);
    let response = isolate.get("/v1/verify", &basic(hidden, ADMIN_PASSWORD));
    assert_eq!(response.status, 503, "{}", response.body);
    assert!(
        response.body.contains("ADMIN_USERNAME must not have the invisible"),
        "{}",
        response.body
    );
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 0);

    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token(hidden);
    assert_eq!(isolate.verify(&token).0, 403);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 1, "the administrator");
    let insert = format!(
        "INSERT INTO users (username, type, created_at, modified_at) \
         VALUES ('{hidden}', 'SYS_Reader', 0, 0)"
    );
    let insert = postern::ports::Statement::new(insert, []);
    crate::support::block_on(isolate.cx().sql.batch(vec![insert]))
        .expect("a user of an earlier version");
    assert_eq!(isolate.verify(&token), (200, hidden.to_owned()));
}

/// The first administrator is created if no administrator exists. A deleted one is not created
/// again, also if the administrator who deleted them is the only one left.
#[test]
fn a_deleted_first_administrator_does_not_come_back() {
    let world = World::new();
    let isolate = world.isolate();
    let body = json!({
        "username": "second", "type": "Administrator", "password": "correct horse second",
    });
    assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
    let delete = Request::new("DELETE", "/v1/users/1")
        .authorization(&basic("second", "correct horse second"));
    assert_eq!(isolate.send(&delete).status, 204);
    world.pass(61);
    let cost = |username: &str| {
        let response = sign_in(&isolate, username, ADMIN_PASSWORD);
        (response.status, response.body)
    };
    assert_eq!(cost("admin"), cost("nobody"));
    assert_eq!(cost("admin").0, 401);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 1);
    // The schema keeps one enabled administrator. If only a disabled one is left, no first one is
    // created either.
    world.database.execute("DROP TRIGGER users_keep_an_administrator_on_update");
    world.database.execute("UPDATE users SET enabled = 0");
    assert_eq!(cost("admin").0, 401);
    world.database.execute("DROP TRIGGER users_keep_an_administrator_on_delete");
    world.database.execute("DELETE FROM users");
    assert_eq!(cost("admin").0, 401, "there is none at all, and the name is a deleted user's");
    let isolate = world.isolate_with(&[("ADMIN_USERNAME", Some("root"))]);
    assert_eq!(sign_in(&isolate, "root", ADMIN_PASSWORD).status, 200, "another name is not");
}
