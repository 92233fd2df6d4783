//! Tokens that were issued to a user before a revocation of all their tokens are refused, whoever
//! issued them.

use postern::domain::time::Millis;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, forge, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn register(isolate: &Isolate<'_>) {
    let body = json!({
        "name": "A", "algorithm": "HS256", "secret": SECRET, "expire": 1000,
        "claims": { "username": "sub" },
    });
    assert_eq!(isolate.administer("POST", "/v1/token-apps", &body).status, 201);
}

fn token(claims: &Value) -> String {
    forge(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string(), SECRET.as_bytes())
}

fn verify(isolate: &Isolate<'_>, token: &str) -> (u16, Value) {
    let response = isolate.get("/v1/verify", &format!("Bearer {token}"));
    (response.status, json_of(&response)["reason"].clone())
}

fn sign_in(isolate: &Isolate<'_>, password: &str) -> String {
    let body = json!({ "username": "alice", "password": password }).to_string();
    let response =
        isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

#[test]
fn tokens_of_the_second_of_the_revocation_are_over_and_the_next_ones_count() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    register(&isolate);
    world.now.set(Millis(world.now.get().seconds() * 1000 + 300));
    let now = world.now.get().seconds();
    let same_second = token(&json!({ "sub": "alice", "iat": now, "exp": now + 600 }));
    let with_fraction = token(&json!({
        "sub": "alice", "iat": f64::from(u32::try_from(now).expect("small")) + 0.9,
        "exp": now + 600,
    }));
    let without_iat = token(&json!({ "sub": "alice", "exp": now + 600 }));
    for isolate in [&isolate, &other] {
        for token in [&same_second, &with_fraction, &without_iat] {
            assert_eq!(verify(isolate, token).0, 200);
            assert_eq!(verify(isolate, token).0, 200, "from memory");
        }
    }
    assert_eq!(isolate.administer("DELETE", "/v1/users/2/tokens", &json!({})).status, 204);
    assert_eq!(world.now.get(), Millis((now + 1) * 1000), "the answer waits for the next second");
    let next = token(&json!({ "sub": "alice", "iat": now + 1, "exp": now + 600 }));
    let refused = (401, json!("revoked"));
    for old in [&same_second, &with_fraction, &without_iat] {
        assert_eq!(verify(&isolate, old), refused);
        let explanation =
            json_of(&isolate.administer("POST", "/v1/explain", &json!({ "token": old })));
        assert_eq!(explanation["verdict"], "refused", "{explanation}");
        let names_iat = explanation.to_string().contains(
            "the token has no iat, so it counts as issued at its \
                exp less the app's expire of 1000 s",
        );
        assert_eq!(names_iat, old == &without_iat, "{explanation}");
    }
    assert_eq!(verify(&isolate, &next).0, 200);
    world.pass(11);
    assert_eq!(verify(&other, &same_second), refused, "within the bound in every isolate");
    // A token without `iat` is valid only if it must have been issued after the revocation.
    let now = world.now.get().seconds();
    assert_eq!(verify(&isolate, &token(&json!({ "sub": "alice", "exp": now + 985 }))), refused);
    assert_eq!(verify(&isolate, &token(&json!({ "sub": "alice", "exp": now + 995 }))).0, 200);
}

#[test]
fn a_revoked_token_changes_nothing_about_its_user() {
    let world = World::new();
    let isolate = world.isolate();
    register(&isolate);
    let now = world.now.get().seconds();
    let claims = |name: &str| json!({ "sub": "alice", "name": name, "iat": now, "exp": now + 600 });
    assert_eq!(verify(&isolate, &token(&claims("before"))).0, 200);
    assert_eq!(isolate.administer("DELETE", "/v1/users/2/tokens", &json!({})).status, 204);
    assert_eq!(verify(&isolate, &token(&claims("after"))).0, 401);
    assert_eq!(world.database.text("SELECT name FROM users WHERE id = 2"), "before");
}

#[test]
fn a_session_from_before_is_over_and_one_of_the_same_second_after_it_counts() {
    let world = World::new();
    let isolate = world.isolate();
    let body = json!({ "username": "alice", "password": "correct horse alice" });
    assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
    let old = sign_in(&isolate, "correct horse alice");
    // An older Worker, or one that was in the middle of a request, inserts its row after the
    // revocation.
    world.database.execute("CREATE TABLE kept AS SELECT * FROM sessions");
    assert_eq!(isolate.administer("DELETE", "/v1/users/2/tokens", &json!({})).status, 204);
    world.database.execute("INSERT INTO sessions SELECT * FROM kept");
    assert_eq!(verify(&isolate, &old), (401, json!("revoked")));
    assert_eq!(json_of(&isolate.get("/v1/users/2/tokens", &admin()))["items"], json!([]));
    assert_eq!(verify(&isolate, &sign_in(&isolate, "correct horse alice")).0, 200);
}

/// The old password was right a moment before it was changed. The sign-in gets no session.
#[test]
fn a_sign_in_that_a_change_of_the_password_overtakes_gets_no_session() {
    for change in ["password_set_at = 5", "valid_from = 5000", "enabled = 0"] {
        let world = World::new();
        let isolate = world.isolate();
        let body = json!({ "username": "alice", "password": "correct horse alice" });
        assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
        let request = Request::new("POST", "/imanager/cloud/security/tokens.json")
            .body(&json!({ "username": "alice", "password": "correct horse alice" }).to_string());
        world.database.overtake(3, &format!("UPDATE users SET {change} WHERE id = 2"));
        assert_eq!(isolate.send(&request).status, 401, "{change}");
        assert_eq!(world.database.number("SELECT COUNT(*) FROM sessions"), 0, "{change}");
    }
}
