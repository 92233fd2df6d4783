//! Passwords: the first administrator, the limit on failures, and one answer for unknown user and wrong password.

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
    for (username, password) in
        [("admin", "wrong"), ("Admin", ADMIN_PASSWORD), ("admin", ""), ("", ADMIN_PASSWORD), ("root", ADMIN_PASSWORD)]
    {
        assert_eq!(sign_in(&isolate, username, password).status, 401, "{username}");
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 0);
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 200);
    assert_eq!(world.database.text("SELECT type FROM users WHERE username = 'admin'"), "Administrator");
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
    let futures = (0..50).map(|_| Box::pin(isolate.answer(&request)) as postern::ports::LocalFuture<'_, _>);
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
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("590")), "{}", refused.body);
    assert_eq!(json_of(&refused)["succeed"], json!(false), "in the dialect's envelope");
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 429, "Basic counts the same");
    world.pass(589);
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 429);
    world.pass(2);
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 200);
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
    for number in 0..10 {
        assert_eq!(sign_in(&isolate, &format!("user{number}"), "wrong password").status, 401);
    }
    assert_eq!(sign_in(&isolate, "admin", ADMIN_PASSWORD).status, 429);
}

/// Of guesses that are begun at once, none is right after the tenth failure, so that a burst finds no more than a trickle.
#[test]
fn a_burst_of_guesses_is_limited_like_a_trickle() {
    let world = World::new();
    let isolate = world.isolate();
    sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let guess = |password: &str| {
        let body = json!({ "username": "admin", "password": password }).to_string();
        Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body)
    };
    let requests: Vec<_> = (0..30).map(|number| guess(if number == 29 { ADMIN_PASSWORD } else { "wrong password" })).collect();
    let futures = requests.iter().map(|request| Box::pin(isolate.answer(request)) as postern::ports::LocalFuture<'_, _>);
    let answers: Vec<Response> = all_at_once(futures.collect());
    assert_eq!(answers[29].status, 429, "the right one came after ten failures");
}

#[test]
fn a_right_password_is_remembered_for_a_minute() {
    let world = World::new();
    let isolate = world.isolate();
    // The first time creates the user; what was read before that is not remembered.
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    let before = world.database.batches.get();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert_eq!(world.database.batches.get(), before, "remembered");
    // The same characters, divided otherwise, are another credential.
    assert_eq!(isolate.get("/v1/verify", &basic("admi", &format!("n{ADMIN_PASSWORD}"))).status, 401);
    for _ in 0..13 {
        world.pass(5);
        isolate.verify("none");
        world.run_tasks();
    }
    let before = world.database.batches.get();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    assert!(world.database.batches.get() > before, "forgotten");
}

#[test]
fn secrets_passwords_and_tokens_are_nowhere_in_the_clear() {
    let world = World::new();
    let isolate = world.isolate();
    let response = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let cookie = response.header("set-cookie").and_then(|value| value.split(['=', ';']).nth(1)).expect("a cookie").to_owned();
    isolate.register(&json!({ "secret": "a-secret-to-be-found", "initpwd": "an-initial-password" }));
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
    crate::support::block_on(postern::actions::housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.database.answers.set(false);
    sign_in(&isolate, "alice", "a-password-of-alice");

    let kept = format!("{}{:?}{:?}", world.database.dump(), world.kv.values.borrow(), world.log.0.borrow());
    assert!(
        kept.contains("alice") && kept.contains("sign_in.fail") && kept.contains("D1 does not answer"),
        "the search finds what is there"
    );
    let secrets = [ADMIN_PASSWORD, "a-secret-to-be-found", "an-initial-password", "a-password-of-alice", "a-wrong-password"];
    for secret in secrets.into_iter().chain([response.body.as_str(), &cookie, &token, &token[token.len() - 43..]]) {
        assert!(!kept.contains(secret), "{secret}");
    }
    let audit = isolate.world.database.number("SELECT COUNT(*) FROM audit_events");
    assert!(audit >= 5, "{audit}");
}

#[test]
fn without_its_secrets_the_worker_says_which_are_missing_and_lets_nobody_in() {
    let world = World::new();
    let isolate = world.isolate_with(&[("MASTER_KEY", None), ("ADMIN_PASSWORD", None)]);
    for path in ["/v1/verify", "/plugin/datafor-modeler/api/token/list", "/imanager/security/logout", "/health", "/nowhere"] {
        let response = isolate.get(path, &basic("admin", ""));
        assert_eq!(response.status, 503, "{path}");
        assert!(
            response.body.contains("MASTER_KEY is missing") && response.body.contains("ADMIN_PASSWORD is missing"),
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
    assert!(response.body.contains("ADMIN_USERNAME must not have the invisible"), "{}", response.body);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 0);

    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token(hidden);
    assert_eq!(isolate.verify(&token).0, 403);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), 1, "the administrator");
    let insert = format!("INSERT INTO users (username, type, created_at, modified_at) VALUES ('{hidden}', 'SYS_Reader', 0, 0)");
    let insert = postern::ports::Statement::new(insert, []);
    crate::support::block_on(isolate.cx().sql.batch(vec![insert])).expect("a user of an earlier version");
    assert_eq!(isolate.verify(&token), (200, hidden.to_owned()));
}
