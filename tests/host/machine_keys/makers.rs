//! Keys and those who make them: a key ends with the token app whose token made it, and nobody makes
//! one where what they show was ended elsewhere a moment ago.

use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::revocation;
use serde_json::{Value, json};

use super::ends::{session, status, wish};
use super::{PASSWORD, alice, bearer, make, send};
use crate::support::{Isolate, World, basic};

const APP: &str = "/v1/token-apps/ERP";

#[test]
fn a_key_ends_with_the_app_whose_token_made_it_and_takes_its_own_keys_along() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    let keys = || world.database.number("SELECT COUNT(*) FROM machine_keys WHERE app IS NOT NULL");
    let secret = json!({ "secret": "another secret of thirty-two bytes" });
    for (method, path, body) in [("PATCH", APP, json!({ "enabled": false })), ("PATCH", APP, secret), ("DELETE", APP, Value::Null)] {
        isolate.register(&json!({}));
        let token = isolate.token("bob");
        let parent = bearer(&make(&isolate, &format!("Bearer {token}"), &wish("parent", "administration")));
        let child = bearer(&make(&isolate, &parent, &wish("child", "decisions")));
        for isolate in [&isolate, &other] {
            assert_eq!((status(isolate, &parent), status(isolate, &child)), (200, 200));
        }
        // Both end with the token, by the digest that names it in revocations.
        let hash = revocation::digest_of(&token).to_hex();
        let of_token = format!("SELECT COUNT(*) FROM machine_keys WHERE token_hash = '{hash}'");
        assert_eq!((world.database.number(&of_token), keys()), (2, 2));
        // A secret that is encrypted anew is the same secret.
        world.database.execute("UPDATE token_apps SET secret_key_id = 'other' || secret_key_id");
        assert_eq!(keys(), 2);
        let response = isolate.administer(method, path, &body);
        assert!(response.status < 300, "{}", response.body);
        assert_eq!(keys(), 0, "{method} {body}");
        assert_eq!((status(&isolate, &parent), status(&isolate, &child)), (401, 401), "{method} {body}");
        world.pass(11);
        assert_eq!((status(&other, &parent), status(&other, &child)), (401, 401), "{method} {body}, elsewhere");
    }
}

#[test]
fn nobody_makes_a_key_by_what_was_ended_elsewhere_a_moment_ago() {
    let new_password = json!({ "password": "another horse alice" });
    for (shown, method, path, body) in [
        ("token", "DELETE", "/v1/users/2/tokens", Value::Null),
        ("token", "PATCH", APP, json!({ "enabled": false })),
        ("token", "DELETE", APP, Value::Null),
        ("session", "DELETE", "/v1/users/2/tokens", Value::Null),
        ("password", "PUT", "/v1/users/2/password", new_password),
        ("password", "PATCH", "/v1/users/2", json!({ "enabled": false })),
        ("password", "PATCH", "/v1/users/2", json!({ "type": "SYS_Reader" })),
        ("key", "DELETE", "/v1/users/2/tokens", Value::Null),
        ("key", "DELETE", "/v1/keys/1", Value::Null),
    ] {
        let world = World::new();
        let (isolate, stale) = (world.isolate(), world.isolate());
        isolate.register(&json!({ "initroles": ["SYS_Reader"] }));
        // Either of them is user 2.
        let bob = || format!("Bearer {}", isolate.token("bob"));
        let password = if shown == "token" { String::new() } else { alice(&isolate, "Administrator") };
        let authorization = match shown {
            "token" => bob(),
            "session" => session(&isolate, "alice", PASSWORD),
            "key" => bearer(&make(&isolate, &password, &json!({ "name": "parent", "may": ["administration"], "userId": 2 }))),
            _ => password,
        };
        assert_eq!(status(&stale, &authorization), 200, "{shown}");
        world.run_tasks();
        let keys = world.database.number("SELECT COUNT(*) FROM machine_keys");
        let response = isolate.administer(method, path, &body);
        assert!(response.status < 300, "{}", response.body);
        assert_eq!(status(&stale, &authorization), 200, "{shown}: the other isolate has not heard of {method} {path}");
        let response = send(&stale, "POST", "/v1/keys", &authorization, &wish("late", "administration"));
        assert_eq!(response.status, 409, "{shown} {method} {path}: {}", response.body);
        let late = "SELECT COUNT(*) FROM machine_keys WHERE name = 'late'";
        assert_eq!(world.database.number(late), 0);
        assert!(world.database.number("SELECT COUNT(*) FROM machine_keys") <= keys);
        let audited = world.database.number("SELECT COUNT(*) FROM audit_events WHERE action = 'key.create' AND target = 'late'");
        assert_eq!(audited, 0, "nothing of it was written");
    }
}

#[test]
fn nobody_adds_a_secret_by_a_password_that_was_changed_elsewhere_a_moment_ago() {
    let world = World::new();
    let (isolate, stale) = (world.isolate(), world.isolate());
    let password = alice(&isolate, "SYS_Reader");
    make(&isolate, &password, &wish("own", "decisions"));
    assert_eq!(status(&stale, &password), 200);
    let change = json!({ "password": "another horse alice" });
    assert_eq!(isolate.administer("PUT", "/v1/users/2/password", &change).status, 204);
    let add = |authorization: &str| send(&stale, "POST", "/v1/keys/1/secret", authorization, &Value::Null).status;
    assert_eq!(add(&password), 409);
    assert_eq!(add(&basic("alice", "another horse alice")), 201);
    world.pass(11);
    assert_eq!(add(&password), 401);
}

/// Other tokens of the same user count on, and so do the keys that they made.
#[test]
fn a_key_is_over_in_every_isolate_when_the_token_that_made_it_is_revoked_by_itself_or_by_its_jti() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    isolate.register(&json!({}));
    let token = |jti: &str| {
        let mut claims = isolate.claims("bob");
        claims.insert("jti".to_owned(), json!(jti));
        postern::domain::tokens::jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a shared secret")
    };
    let made = |token: &str, name: &str| {
        let parent = bearer(&make(&isolate, &format!("Bearer {token}"), &wish(name, "administration")));
        let child = bearer(&make(&isolate, &parent, &wish(&format!("{name}-child"), "decisions")));
        [parent, child]
    };
    let tokens = ["by-itself", "by-jti", "kept"].map(token);
    let keys: Vec<_> = tokens.iter().zip(["a", "b", "c"]).map(|(token, name)| made(token, name)).collect();
    let counts = |isolate: &Isolate<'_>| keys.iter().map(|pair| pair.each_ref().map(|key| status(isolate, key))).collect::<Vec<_>>();
    for isolate in [&isolate, &other] {
        assert_eq!(counts(isolate), [[200, 200]; 3]);
    }
    let revoke = |body: &Value| assert_eq!(isolate.administer("POST", "/v1/revocations", body).status, 204);
    revoke(&json!({ "token": tokens[0] }));
    revoke(&json!({ "app": "ERP", "jti": "by-jti" }));
    assert_eq!(counts(&isolate), [[401, 401], [401, 401], [200, 200]]);
    world.pass(11);
    for isolate in [&isolate, &other, &world.isolate()] {
        assert_eq!(counts(isolate), [[401, 401], [401, 401], [200, 200]]);
    }
}
