//! Revocation of single tokens: who may revoke, what is written, and how long it is kept.

use postern::actions::housekeeping;
use postern::domain::time::Millis;
use postern::domain::tokens::token_app::MAX_EXPIRE_S;
use serde_json::{Value, json};

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, block_on, forge, json_of};

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// A token of the example app, with further claims.
pub fn token_with(isolate: &Isolate<'_>, more: &Value) -> String {
    let mut claims = Value::Object(isolate.claims("alice"));
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    forge(HEADER, &claims.to_string(), b"abcd")
}

/// Sends a revocation without a credential.
pub fn revoke(isolate: &Isolate<'_>, body: &Value) -> (u16, Value) {
    let response = isolate.send(&Request::new("POST", "/v1/revocations").body(&body.to_string()));
    (response.status, json_of(&response))
}

pub fn revoked(isolate: &Isolate<'_>, token: &str) {
    assert_eq!(revoke(isolate, &json!({ "token": token })), (204, Value::Null));
}

fn reason(isolate: &Isolate<'_>, body: &Value) -> (u16, Value) {
    let (status, problem) = revoke(isolate, body);
    (status, problem["reason"].clone())
}

fn rows(world: &World) -> i64 {
    world.database.number("SELECT COUNT(*) FROM revocations")
}

fn opaque(isolate: &Isolate<'_>) -> String {
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    isolate.send(&Request::new("POST", "/imanager/security/tokens.json").body(&body)).body
}

#[test]
fn whoever_has_a_token_revokes_it_and_no_other() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let [one, other] = [1, 2].map(|number| token_with(&isolate, &json!({ "n": number })));
    assert_eq!((isolate.verify(&one).0, isolate.verify(&other).0), (200, 200));
    revoked(&isolate, &one);
    assert_eq!(isolate.verify(&one), (401, "revoked".to_owned()), "at once");
    assert_eq!(isolate.verify(&other).0, 200);
    let event = "SELECT actor || '|' || target || '|' || after FROM audit_events \
        WHERE action = 'token.revoke'";
    let written = world.database.text(event);
    assert!(written.starts_with("[holder of the token]|alice|{"), "{written}");
    let trail = json_of(&isolate.get("/v1/audit?action=token.revoke", &admin()));
    assert_eq!(trail["items"][0]["after"]["app"], "ERP");

    revoked(&isolate, &one);
    assert_eq!(rows(&world), 1, "to revoke it again succeeds and writes nothing");
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM audit_events WHERE action = 'token.revoke'"),
        1
    );
    assert!(
        !world.database.dump().contains(&one)
            && !world.database.dump().contains(one.split('.').nth(1).expect("claims"))
    );
}

#[test]
fn a_token_that_no_app_accepts_is_written_nowhere() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 200);
    let claims = Value::Object(isolate.claims("alice")).to_string();
    let before = world.database.dump();
    for (token, why) in [
        (forge(HEADER, &claims, b"abce"), "bad_signature"),
        (forge(r#"{"alg":"none"}"#, &claims, b"abcd"), "unknown_algorithm"),
        (forge(r#"{"alg":"HS512"}"#, &claims, b"abcd"), "wrong_algorithm"),
        (token_with(&isolate, &json!({ "exp": 1000 })), "expired"),
        (token_with(&isolate, &json!({ "exp": null })), "claim_type"),
        ("a.b.c".to_owned(), "bad_base64"),
        ("7ac687f1-51c3-46ad-8617-89d737d1ba0d".to_owned(), "revoked"),
    ] {
        assert_eq!(reason(&isolate, &json!({ "token": token })), (401, json!(why)), "{token}");
    }
    assert_eq!(
        reason(&isolate, &json!({ "token": isolate.token("alice"), "app": "CRM" })),
        (401, json!("no_app"))
    );
    assert_eq!(world.database.dump(), before);
    isolate.register(&json!({ "enable": "0" }));
    assert_eq!(
        reason(&isolate, &json!({ "token": isolate.token("alice") })),
        (401, json!("no_app"))
    );
    assert_eq!(rows(&world), 0);
}

/// The holder of a token may revoke it even if the user does not exist yet, or is disabled.
#[test]
fn revoking_creates_nobody_and_needs_no_user_who_is_let_in() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    revoked(&isolate, &isolate.token("alice"));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users WHERE username = 'alice'"), 0);
    let other = token_with(&isolate, &json!({ "n": 1 }));
    assert_eq!(isolate.verify(&other).0, 200);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
    revoked(&isolate, &other);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": true }));
    assert_eq!((isolate.verify(&other).0, rows(&world)), (401, 2));
    // The app may not speak for administrators, so the audit trail does not name one as the actor.
    revoked(&isolate, &token_with(&isolate, &json!({ "loginname": "admin" })));
    assert_eq!(
        world.database.number(
            "SELECT COUNT(*) FROM audit_events WHERE action = 'token.revoke' AND actor = 'admin'"
        ),
        0
    );
}

#[test]
fn an_opaque_token_ends_with_its_cookie_by_the_way_that_there_is() {
    let world = World::new();
    let isolate = world.isolate();
    let token = opaque(&isolate);
    assert_eq!(isolate.verify(&token).0, 200);
    revoked(&isolate, &token);
    assert_eq!(isolate.verify(&token), (401, "revoked".to_owned()));
    assert_eq!((rows(&world), world.database.number("SELECT COUNT(*) FROM sessions")), (0, 0));
    assert_eq!(
        world.database.text("SELECT actor FROM audit_events WHERE action = 'token.revoke'"),
        "admin"
    );
    assert_eq!(
        reason(&isolate, &json!({ "token": token })),
        (401, json!("revoked")),
        "nobody can say that it was one"
    );
}

#[test]
fn a_credential_that_is_shown_besides_must_be_good_and_is_in_the_audit_trail() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    let body = json!({ "token": token }).to_string();
    let wrong = Request::new("POST", "/v1/revocations")
        .authorization(&crate::support::basic("admin", "wrong"))
        .body(&body);
    assert_eq!(isolate.send(&wrong).status, 401);
    assert_eq!(rows(&world), 0);
    assert_eq!(
        isolate.administer("POST", "/v1/revocations", &json!({ "token": token })).status,
        204
    );
    assert_eq!(
        world.database.text("SELECT actor FROM audit_events WHERE action = 'token.revoke'"),
        "admin"
    );
}

#[test]
fn only_administrators_revoke_what_they_do_not_have() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate.register(&json!({ "name": "CRM", "secret": "efgh" }));
    let jti = json!({ "app": "ERP", "jti": "7" });
    assert_eq!(reason(&isolate, &jti), (401, json!("missing")));
    let as_alice = |body: &Value| {
        let bearer = format!("Bearer {}", isolate.token("alice"));
        isolate
            .send(
                &Request::new("POST", "/v1/revocations")
                    .authorization(&bearer)
                    .body(&body.to_string()),
            )
            .status
    };
    assert_eq!((as_alice(&jti), rows(&world)), (403, 0));

    let [text, number] =
        [json!("7"), json!(7)].map(|jti| token_with(&isolate, &json!({ "jti": jti })));
    let of_another = token_with(&isolate, &json!({ "jti": "8" }));
    let of_crm = forge(
        HEADER,
        &json!({ "loginname": "alice", "jti": "7", "exp": 1_800_000_600 }).to_string(),
        b"efgh",
    );
    for token in [&text, &number, &of_another, &of_crm] {
        assert_eq!(isolate.verify(token).0, 200);
    }
    assert_eq!(isolate.administer("POST", "/v1/revocations", &jti).status, 204);
    assert_eq!((isolate.verify(&text).0, isolate.verify(&number).0), (401, 401));
    assert_eq!((isolate.verify(&of_another).0, isolate.verify(&of_crm).0), (200, 200));

    let refused = |body: &Value| {
        let response = isolate.administer("POST", "/v1/revocations", body);
        (response.status, json_of(&response)["field"].clone())
    };
    let now = world.now.get().0;
    assert_eq!(refused(&json!({ "app": "ERQ", "jti": "7" })).0, 404, "a misspelled app");
    assert_eq!(refused(&json!({ "jti": "7" })), (400, json!("app")));
    assert_eq!(refused(&json!({ "app": "ERP" })), (400, json!("jti")));
    assert_eq!(refused(&json!({})), (400, json!("token")));
    assert_eq!(refused(&json!({ "app": "ERP", "jti": "" })), (400, json!("jti")));
    assert_eq!(refused(&json!({ "app": "ERP", "jti": "x".repeat(257) })), (400, json!("jti")));
    assert_eq!(refused(&json!({ "app": "ERP", "jti": "9", "token": "x" })), (400, json!("jti")));
    assert_eq!(refused(&json!({ "token": "x", "until": now + 1 })), (400, json!("until")));
    for until in [now, now - 1, now + 1000 * (MAX_EXPIRE_S + 1201), i64::MAX] {
        assert_eq!(
            refused(&json!({ "app": "ERP", "jti": "9", "until": until })),
            (400, json!("until"))
        );
    }
    assert_eq!(rows(&world), 1);
}

/// When the row is deleted, the token must have expired, whatever `expire` the app has by then.
#[test]
fn a_revocation_is_kept_until_its_token_is_over_for_good() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "expire": 100 }));
    let start = world.now.get().seconds();
    let short = token_with(&isolate, &json!({ "iat": start, "exp": start + 600 }));
    let long = token_with(&isolate, &json!({ "iat": start, "exp": start + 5000 }));
    let mut claims = isolate.claims("alice");
    claims.remove("exp");
    claims.insert("iat".to_owned(), start.into());
    let endless = forge(HEADER, &Value::Object(claims).to_string(), b"abcd");
    let tokens = [&short, &long, &endless];
    for token in &tokens {
        revoked(&isolate, token);
    }
    let prune = || block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.pass(1000);
    prune();
    assert_eq!(rows(&world), 3, "the app's expire is over, and their own ends are not");
    isolate.register(&json!({ "expire": MAX_EXPIRE_S }));
    for isolate in [&isolate, &world.isolate()] {
        assert_eq!(isolate.verify(&short).0, 401);
        assert_eq!(
            (isolate.verify(&long).1, isolate.verify(&endless).1),
            ("revoked".to_owned(), "revoked".to_owned())
        );
    }
    world.now.set(Millis::from_seconds(start + 1199));
    prune();
    assert_eq!(rows(&world), 3);
    world.pass(1);
    prune();
    assert_eq!(rows(&world), 2);
    let isolate = world.isolate_with(&[("CLOCK_LEEWAY_S", Some("600"))]);
    assert_eq!(isolate.verify(&short).1, "expired", "with the greatest leeway");
    world.pass(10 * 86_400);
    prune();
    assert_eq!((rows(&world), world.isolate().verify(&endless).1), (1, "revoked".to_owned()));
    world.now.set(Millis::from_seconds(start + MAX_EXPIRE_S + 600));
    prune();
    assert_eq!((rows(&world), world.isolate().verify(&endless).0), (0, 401));
}

#[test]
fn of_two_revocations_of_one_jti_the_later_end_counts() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let now = world.now.get().0;
    for after in [500_000, 900_000, 100_000] {
        let body = json!({ "app": "ERP", "jti": "7", "until": now + after });
        assert_eq!(isolate.administer("POST", "/v1/revocations", &body).status, 204);
    }
    assert_eq!(
        (rows(&world), world.database.number("SELECT until FROM revocations")),
        (1, now + 900_000)
    );
}

#[test]
fn the_list_is_paged_for_administrators_and_tells_no_token() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let tokens: Vec<_> = (0..5)
        .map(|number| token_with(&isolate, &json!({ "jti": format!("j{number}") })))
        .collect();
    for token in &tokens {
        revoked(&isolate, token);
    }
    let mut jtis = Vec::new();
    let mut path = "/v1/revocations?limit=2".to_owned();
    loop {
        let page = json_of(&isolate.get(&path, &admin()));
        jtis.extend(
            page["items"].as_array().expect("items").iter().map(|item| item["jti"].clone()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/revocations?limit=2&cursor={next}");
    }
    assert_eq!(jtis, ["j4", "j3", "j2", "j1", "j0"]);
    let first = json_of(&isolate.get("/v1/revocations?limit=1", &admin()))["items"][0].clone();
    let now = world.now.get().0;
    let expected = json!({
        "id": 5, "kind": "token", "app": "ERP", "username": "alice", "jti": "j4", "revokedAt": now,
        "until": now + 1_200_000,
    });
    assert_eq!(first, expected);
    assert_eq!(
        isolate.get("/v1/revocations", &format!("Bearer {}", isolate.token("alice"))).status,
        403
    );
    assert_eq!(isolate.get("/v1/revocations", "").status, 401);
}

/// The revocation, its audit event and its entry of the feed are written in one batch.
#[test]
fn a_revocation_that_is_not_written_is_not_in_force_and_says_so() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    assert_eq!(isolate.verify(&token).0, 200);
    world.database.answers.set(false);
    assert_eq!(revoke(&isolate, &json!({ "token": token })).0, 503);
    world.database.answers.set(true);
    world.pass(11);
    assert_eq!((isolate.verify(&token).0, rows(&world)), (200, 0));
    // The answer of the write is lost, so memory must not be used before the feed is read.
    world.database.loses_answers.set(true);
    assert_eq!(revoke(&isolate, &json!({ "token": token })).0, 503);
    world.database.loses_answers.set(false);
    world.pass(3);
    assert_eq!(isolate.verify(&token).0, 401);
}
