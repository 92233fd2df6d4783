//! What ends a session of the console, and what limits it.

use super::*;

#[test]
fn whatever_ends_what_a_user_has_ends_their_session_at_once() {
    let world = World::new();
    let isolate = world.isolate();
    let ends: [(&str, &str, Value, (u16, &str)); 5] = [
        ("PUT", "/v1/users/{id}/password", json!({ "password": "another horse" }), REVOKED),
        ("PATCH", "/v1/users/{id}", json!({ "enabled": false }), REVOKED),
        ("PATCH", "/v1/users/{id}", json!({ "type": "SYS_Creator" }), (403, "not_administrator")),
        ("DELETE", "/v1/users/{id}/tokens", Value::Null, REVOKED),
        ("DELETE", "/v1/users/{id}", Value::Null, REVOKED),
    ];
    for (number, (method, path, body, expected)) in ends.into_iter().enumerate() {
        let (id, cookie) = signed_in_as(&isolate, &format!("user-{number}"));
        assert_eq!(manages(&isolate, &cookie), (200, ""));
        let response = isolate.administer(method, &path.replace("{id}", &id.to_string()), &body);
        assert!(response.status < 300, "{}", response.body);
        assert_eq!(manages(&isolate, &cookie), expected, "{method} {path} {body}");
        let session = json_of(&isolate.send(&own_page("GET", SESSION).header("cookie", &cookie)));
        assert_eq!(
            (&session["user"], &session["expiresAt"]),
            (&Value::Null, &Value::Null),
            "{method} {path} {body}"
        );
    }
}

#[test]
fn another_isolate_learns_of_the_end_within_the_bound() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    let (id, cookie) = signed_in_as(&here, "carol");
    assert_eq!(manages(&there, &cookie), (200, ""));
    assert_eq!(
        here.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "type": "SYS_Reader" }))
            .status,
        200
    );
    world.pass(11);
    assert_eq!(manages(&there, &cookie), (403, "not_administrator"));
}

#[test]
fn signing_out_ends_copies_of_the_cookie_too() {
    let world = World::new();
    let isolate = world.isolate();
    let by_key = signed_in_by(
        &isolate,
        &make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] })),
    );
    for cookie in [signed_in(&isolate), by_key] {
        assert_eq!(manages(&isolate, &cookie), (200, ""));
        for site in ["same-site", "cross-site", "none"] {
            let out = Request::new("DELETE", SESSION)
                .header("cookie", &cookie)
                .header("sec-fetch-site", site);
            assert_eq!(isolate.send(&out).status, 403, "{site}");
        }
        assert_eq!(manages(&isolate, &cookie), (200, ""), "no other page signs anybody out");
        for _ in 0..2 {
            let out = isolate.send(&own_page("DELETE", SESSION).header("cookie", &cookie));
            assert_eq!(out.status, 204, "{}", out.body);
            assert!(out.header("set-cookie").is_some_and(
                |set| set.starts_with("postern-admin=; ") && set.contains("Max-Age=0")
            ));
        }
        let over = answer(&isolate, &cookie);
        assert_eq!((over.status, over.header("x-postern-reason")), REVOKED_OF);
        assert!(over.header("set-cookie").is_some_and(
            |set| set.starts_with("postern-admin=; ") && set.contains("Max-Age=0")
        ));
        assert!(
            over.body.contains("The session of the console is over: sign in again"),
            "{}",
            over.body
        );
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM sessions"), 0);
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM audit_events WHERE action = 'token.revoke'"),
        2,
        "each once"
    );
    assert_eq!(world.database.text("SELECT app FROM revocations"), "Postern console");
}

const REVOKED_OF: (u16, Option<&str>) = (401, Some("revoked"));

#[test]
fn a_session_expires() {
    let world = World::new();
    let isolate = world.isolate_with(&[("TOKEN_TTL_S", Some("600"))]);
    let by_key = signed_in_by(
        &isolate,
        &make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] })),
    );
    for cookie in [signed_in(&isolate), by_key] {
        assert_eq!(manages(&isolate, &cookie), (200, ""));
    }
    let sessions = [
        signed_in(&isolate),
        signed_in_by(
            &isolate,
            &make_key(&isolate, &json!({ "name": "two", "may": ["administration"] })),
        ),
    ];
    world.pass(599);
    for cookie in &sessions {
        assert_eq!(manages(&isolate, cookie), (200, ""));
    }
    world.pass(1);
    for cookie in &sessions {
        assert_eq!(manages(&isolate, cookie), (401, "expired"));
    }
}

#[test]
fn whatever_ends_a_key_ends_its_session() {
    let world = World::new();
    let isolate = world.isolate();
    let (id, _) = signed_in_as(&isolate, "carol");
    let own = |name: &str| json!({ "name": name, "may": ["administration"], "userId": id });
    let of_user = |isolate: &Isolate<'_>, name: &str| {
        let made = make_key(isolate, &own(name));
        (made["id"].as_i64().expect("an id"), signed_in_by(isolate, &made))
    };
    let (key, cookie) = of_user(&isolate, "deleted");
    assert_eq!(manages(&isolate, &cookie), (200, ""));
    assert_eq!(isolate.administer("DELETE", &format!("/v1/keys/{key}"), &Value::Null).status, 204);
    assert_eq!(manages(&isolate, &cookie), REVOKED);

    let (key, cookie) = of_user(&isolate, "replaced");
    let second = isolate.administer("POST", &format!("/v1/keys/{key}/secret"), &Value::Null);
    assert_eq!(second.status, 201, "{}", second.body);
    assert_eq!(manages(&isolate, &cookie), (200, ""));
    let first = world.database.text(&format!(
        "SELECT MIN(prefix) FROM machine_key_secrets WHERE key_id = {key} AND prefix <> '{}'",
        json_of(&second)["prefix"].as_str().expect("a prefix")
    ));
    assert_eq!(
        isolate
            .administer("DELETE", &format!("/v1/keys/{key}/secret?prefix={first}"), &Value::Null)
            .status,
        204
    );
    assert_eq!(manages(&isolate, &cookie), REVOKED, "the secret that began it");

    let (_, cookie) = of_user(&isolate, "limited");
    let change =
        |body: Value| isolate.administer("PATCH", &format!("/v1/users/{id}"), &body).status;
    assert_eq!(change(json!({ "type": "SYS_Reader" })), 200);
    assert_eq!(manages(&isolate, &cookie), (403, "not_administrator"));
    assert_eq!(change(json!({ "type": "Administrator" })), 200);
    assert_eq!(manages(&isolate, &cookie), (200, ""));
    assert_eq!(change(json!({ "enabled": false })), 200);
    assert_eq!(manages(&isolate, &cookie).0, 401, "a disabled user has no keys");
}

#[test]
fn a_session_of_a_key_ends_no_later_than_the_key() {
    let world = World::new();
    let isolate = world.isolate();
    let end = world.now.get().0 + 60_000;
    let made = make_key(
        &isolate,
        &json!({ "name": "short", "may": ["administration"], "expiresAt": end }),
    );
    let response = sign_in_with(&isolate, &json!({ "key": made["key"] }));
    assert!(
        response.header("set-cookie").is_some_and(|set| set.contains("; Max-Age=60; ")),
        "{:?}",
        response.headers
    );
    assert_eq!(json_of(&response)["expiresAt"], json!(end));
    let cookie = cookie_of(&response);
    assert_eq!(manages(&isolate, &cookie), (200, ""));
    world.pass(60);
    assert_eq!(manages(&isolate, &cookie), (401, "expired"));
}

#[test]
fn a_sealed_cookie_is_taken_as_it_was_given_and_nothing_like_it() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = signed_in_by(
        &isolate,
        &make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] })),
    );
    for other in [
        format!("{}x", &cookie[..cookie.len() - 1]),
        cookie.replace("v1.", "v2."),
        "postern-admin=v1.00000000.AAAA".to_owned(),
        "postern-admin=.".to_owned(),
        "postern-admin=".to_owned(),
    ] {
        let response = answer(&isolate, &other);
        assert_eq!(response.status, 401, "{other}");
        assert!(
            response.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")),
            "{other}"
        );
    }
    let elsewhere = world.isolate_with(&[(
        "MASTER_KEY",
        Some("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    )]);
    assert_eq!(manages(&elsewhere, &cookie).0, 401, "another deployment's");
}
