//! Keys and their makers. A key ends with the token app whose token made it. A credential that
//! another isolate has just ended makes no key.

use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::{jwt, revocation};
use serde_json::{Value, json};

use super::ends::{session, status, wish};
use super::{PASSWORD, alice, bearer, make, reason, send};
use crate::support::{Isolate, World, basic};

const APP: &str = "/v1/token-apps/ERP";

#[test]
fn a_key_ends_with_the_app_whose_token_made_it_and_takes_its_own_keys_along() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    let keys = || world.database.number("SELECT COUNT(*) FROM machine_keys WHERE app IS NOT NULL");
    let secret = json!({ "secret": "another secret of thirty-two bytes" });
    for (method, path, body) in [
        ("PATCH", APP, json!({ "enabled": false })),
        ("PATCH", APP, secret),
        ("DELETE", APP, Value::Null),
    ] {
        isolate.register(&json!({}));
        let token = isolate.token("bob");
        let parent =
            bearer(&make(&isolate, &format!("Bearer {token}"), &wish("parent", "administration")));
        let child = bearer(&make(&isolate, &parent, &wish("child", "decisions")));
        for isolate in [&isolate, &other] {
            assert_eq!((status(isolate, &parent), status(isolate, &child)), (200, 200));
        }
        // Both keys end with the token, by the digest that revocations have of it.
        let hash = revocation::digest_of(&token).to_hex();
        let of_token = format!("SELECT COUNT(*) FROM machine_keys WHERE token_hash = '{hash}'");
        assert_eq!((world.database.number(&of_token), keys()), (2, 2));
        // A secret that is encrypted again is the same secret.
        world.database.execute("UPDATE token_apps SET secret_key_id = 'other' || secret_key_id");
        assert_eq!(keys(), 2);
        let response = isolate.administer(method, path, &body);
        assert!(response.status < 300, "{}", response.body);
        assert_eq!(keys(), 0, "{method} {body}");
        assert_eq!(
            (status(&isolate, &parent), status(&isolate, &child)),
            (401, 401),
            "{method} {body}"
        );
        world.pass(11);
        assert_eq!(
            (status(&other, &parent), status(&other, &child)),
            (401, 401),
            "{method} {body}, elsewhere"
        );
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
        ("session", "DELETE", "/v1/users/2/tokens/1", Value::Null),
        ("password", "PUT", "/v1/users/2/password", new_password),
        ("password", "PATCH", "/v1/users/2", json!({ "enabled": false })),
        ("password", "PATCH", "/v1/users/2", json!({ "type": "SYS_Reader" })),
        ("key", "DELETE", "/v1/users/2/tokens", Value::Null),
        ("key", "DELETE", "/v1/keys/1", Value::Null),
    ] {
        let world = World::new();
        let (isolate, stale) = (world.isolate(), world.isolate());
        isolate.register(&json!({ "initroles": ["SYS_Reader"] }));
        // Both credentials are user 2's.
        let bob = || format!("Bearer {}", isolate.token("bob"));
        let password =
            if shown == "token" { String::new() } else { alice(&isolate, "Administrator") };
        let authorization = match shown {
            "token" => bob(),
            "session" => session(&isolate, "alice", PASSWORD),
            "key" => bearer(&make(
                &isolate,
                &password,
                &json!({ "name": "parent", "may": ["administration"], "userId": 2 }),
            )),
            _ => password,
        };
        assert_eq!(status(&stale, &authorization), 200, "{shown}");
        world.run_tasks();
        let keys = world.database.number("SELECT COUNT(*) FROM machine_keys");
        let response = isolate.administer(method, path, &body);
        assert!(response.status < 300, "{}", response.body);
        assert_eq!(
            status(&stale, &authorization),
            200,
            "{shown}: the other isolate has not heard of {method} {path}"
        );
        let response =
            send(&stale, "POST", "/v1/keys", &authorization, &wish("late", "administration"));
        assert_eq!(response.status, 409, "{shown} {method} {path}: {}", response.body);
        let late = "SELECT COUNT(*) FROM machine_keys WHERE name = 'late'";
        assert_eq!(world.database.number(late), 0);
        assert!(world.database.number("SELECT COUNT(*) FROM machine_keys") <= keys);
        let audited = world.database.number(
            "SELECT COUNT(*) FROM audit_events WHERE action = 'key.create' AND target = 'late'",
        );
        assert_eq!(audited, 0, "nothing of it was written");
    }
}

/// A revocation of the token that made an administrator's key does not end the key.
#[test]
fn no_administrator_makes_a_key_by_a_token_that_was_revoked_elsewhere_a_moment_ago() {
    for by_jti in [false, true] {
        let world = World::new();
        let (isolate, stale) = (world.isolate(), world.isolate());
        isolate.register(&json!({ "initroles": ["Administrator"] }));
        let mut claims = isolate.claims("boss");
        claims.insert("jti".to_owned(), json!("7"));
        let token = jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a token");
        let boss = format!("Bearer {token}");
        make(&stale, &boss, &wish("early", "administration"));
        let revoked =
            if by_jti { json!({ "app": "ERP", "jti": "7" }) } else { json!({ "token": token }) };
        assert_eq!(isolate.administer("POST", "/v1/revocations", &revoked).status, 204);
        assert_eq!(status(&stale, &boss), 200, "the other isolate has not heard of it");
        for path in ["/v1/keys", "/v1/keys/1/secret"] {
            let body =
                if path == "/v1/keys" { wish("late", "administration") } else { Value::Null };
            let response = send(&stale, "POST", path, &boss, &body);
            assert_eq!(response.status, 409, "{path}: {}", response.body);
        }
    }
}

#[test]
fn a_user_who_goes_while_a_key_for_them_is_made_gets_none() {
    for end in ["DELETE FROM users WHERE id = 2", "UPDATE users SET enabled = 0 WHERE id = 2"] {
        let world = World::new();
        let isolate = world.isolate();
        alice(&isolate, "SYS_Reader");
        assert_eq!(isolate.administer("GET", "/v1/keys", &Value::Null).status, 200);
        // The first batch looks the user up, and the second one writes the key.
        world.database.overtake(2, end);
        let wish = json!({ "name": "late", "may": ["decisions"], "userId": 2 });
        let response = isolate.administer("POST", "/v1/keys", &wish);
        assert_eq!(response.status, 409, "{end}: {}", response.body);
        assert_eq!(world.database.number("SELECT COUNT(*) FROM machine_keys"), 0, "{end}");
    }
}

/// The schema deletes the keys of such users. If one exists all the same, it is refused.
#[test]
fn a_key_whose_user_is_gone_or_disabled_is_refused_though_it_is_stored() {
    for (end, answer) in [
        ("DELETE FROM users WHERE id = 2", (401, "revoked")),
        ("UPDATE users SET enabled = 0 WHERE id = 2", (403, "user_disabled")),
    ] {
        let world = World::new();
        let isolate = world.isolate();
        let key =
            bearer(&make(&isolate, &alice(&isolate, "SYS_Reader"), &wish("own", "decisions")));
        world.database.execute(&format!(
            "DROP TRIGGER machine_keys_end_with_their_user; \
             DROP TRIGGER machine_keys_end_when_their_user_is_disabled; {end}"
        ));
        let (code, why) = reason(&world.isolate().get("/v1/verify", &key));
        assert_eq!((code, why.as_str()), answer, "{end}");
    }
}

#[test]
fn a_key_that_ended_with_its_user_does_not_come_back_with_them() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    let password = alice(&isolate, "SYS_Reader");
    let key = bearer(&make(&isolate, &password, &wish("own", "decisions")));
    assert_eq!(status(&other, &key), 200);
    world.run_tasks();
    for enabled in [false, true] {
        isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": enabled }));
    }
    world.pass(11);
    // The isolate reads both changes from the feed, and remembers the user again as enabled.
    assert_eq!(status(&other, &password), 200);
    assert_eq!(status(&other, &key), 401);
    make(&isolate, &password, &wish("new", "decisions"));
    isolate.administer("DELETE", "/v1/users/2", &Value::Null);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM machine_keys"), 0);
}

#[test]
fn of_two_who_remove_a_secret_each_one_leaves_a_secret() {
    let world = World::new();
    let isolate = world.isolate();
    let password = alice(&isolate, "SYS_Reader");
    let first = make(&isolate, &password, &wish("own", "decisions"));
    assert_eq!(send(&isolate, "POST", "/v1/keys/1/secret", &password, &Value::Null).status, 201);
    let prefix = first["prefix"].as_str().expect("a prefix");
    world
        .database
        .overtake(2, &format!("DELETE FROM machine_key_secrets WHERE prefix <> '{prefix}'"));
    let path = format!("/v1/keys/1/secret?prefix={prefix}");
    assert_eq!(send(&isolate, "DELETE", &path, &password, &Value::Null).status, 409);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM machine_key_secrets"), 1);
}

#[test]
fn a_token_adds_no_secret_even_to_a_key_that_it_made() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let bob = format!("Bearer {}", isolate.token("bob"));
    make(&isolate, &bob, &wish("own", "decisions"));
    let added = send(&isolate, "POST", "/v1/keys/1/secret", &bob, &Value::Null);
    assert_eq!(reason(&added), (403, "would_outlive".to_owned()));
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
    let add = |authorization: &str| {
        send(&stale, "POST", "/v1/keys/1/secret", authorization, &Value::Null).status
    };
    assert_eq!(add(&password), 409);
    assert_eq!(add(&basic("alice", "another horse alice")), 201);
    world.pass(11);
    assert_eq!(add(&password), 401);
}

/// Other tokens of the same user stay valid, and so do the keys that they made.
#[test]
fn a_key_is_over_in_every_isolate_when_the_token_that_made_it_is_revoked_by_itself_or_by_its_jti() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    isolate.register(&json!({}));
    let token = |jti: &str| {
        let mut claims = isolate.claims("bob");
        claims.insert("jti".to_owned(), json!(jti));
        postern::domain::tokens::jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims)
            .expect("a shared secret")
    };
    let made = |token: &str, name: &str| {
        let parent =
            bearer(&make(&isolate, &format!("Bearer {token}"), &wish(name, "administration")));
        let child = bearer(&make(&isolate, &parent, &wish(&format!("{name}-child"), "decisions")));
        [parent, child]
    };
    let tokens = ["by-itself", "by-jti", "kept"].map(token);
    let keys: Vec<_> =
        tokens.iter().zip(["a", "b", "c"]).map(|(token, name)| made(token, name)).collect();
    let counts = |isolate: &Isolate<'_>| {
        keys.iter().map(|pair| pair.each_ref().map(|key| status(isolate, key))).collect::<Vec<_>>()
    };
    for isolate in [&isolate, &other] {
        assert_eq!(counts(isolate), [[200, 200]; 3]);
    }
    let revoke =
        |body: &Value| assert_eq!(isolate.administer("POST", "/v1/revocations", body).status, 204);
    revoke(&json!({ "token": tokens[0] }));
    revoke(&json!({ "app": "ERP", "jti": "by-jti" }));
    assert_eq!(counts(&isolate), [[401, 401], [401, 401], [200, 200]]);
    world.pass(11);
    for isolate in [&isolate, &other, &world.isolate()] {
        assert_eq!(counts(isolate), [[401, 401], [401, 401], [200, 200]]);
    }
}
