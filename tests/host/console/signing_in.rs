//! Who may sign in to the console, what limits guesses, and what the audit trail records.

use super::*;
use crate::support::basic;

fn reader(isolate: &Isolate<'_>, user_type: &str) {
    let body = json!({ "username": user_type, "password": "correct horse", "type": user_type });
    assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
}

#[test]
fn only_administrators_sign_in_and_a_wrong_password_does_not_tell_who_is_one() {
    let world = World::new();
    let isolate = world.isolate();
    reader(&isolate, "SYS_Reader");
    reader(&isolate, "SYS_Creator");
    for username in ["SYS_Reader", "SYS_Creator"] {
        let response =
            sign_in_with(&isolate, &json!({ "username": username, "password": "correct horse" }));
        assert_eq!(
            (response.status, response.header("x-postern-reason")),
            (403, Some("not_administrator"))
        );
        assert!(
            response.body.contains("only administrators sign in to the console"),
            "{}",
            response.body
        );
        assert_eq!(response.header("set-cookie"), None);
    }
    let wrong = |username: &str| {
        let before = world.database.batches.get();
        let response =
            sign_in_with(&isolate, &json!({ "username": username, "password": "wrong password" }));
        (response.status, response.body, response.headers, world.database.batches.get() - before)
    };
    assert_eq!(wrong("admin"), wrong("SYS_Reader"));
    assert_eq!(wrong("admin"), wrong("nobody"));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM sessions"), 0);
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM audit_events WHERE action = 'token.issue'"),
        0
    );
}

#[test]
fn a_disabled_administrator_does_not_sign_in() {
    let world = World::new();
    let isolate = world.isolate();
    let (id, _) = signed_in_as(&isolate, "carol");
    assert_eq!(
        isolate
            .administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": false }))
            .status,
        200
    );
    let response =
        sign_in_with(&isolate, &json!({ "username": "carol", "password": "correct horse" }));
    assert_eq!(
        (response.status, response.header("x-postern-reason")),
        (403, Some("user_disabled"))
    );
}

#[test]
fn guesses_are_limited_as_everywhere() {
    let world = World::new();
    let isolate = world.isolate();
    signed_in(&isolate);
    let guess =
        || sign_in_with(&isolate, &json!({ "username": "admin", "password": "wrong" })).status;
    assert_eq!(
        (0..11).map(|_| guess()).collect::<Vec<_>>(),
        [[401; 10].as_slice(), &[429]].concat()
    );
    assert_eq!(
        isolate.get("/v1/users", &admin()).status,
        429,
        "they count together with those elsewhere"
    );
}

#[test]
fn the_platforms_limit_is_asked_first_also_for_a_key() {
    let world = World::new();
    let isolate = world.isolate();
    let key =
        make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] }))["key"].clone();
    world.limiter.refused.borrow_mut().push(isolate.cx().network());
    let before = world.database.batches.get();
    for body in [json!({ "username": "admin", "password": ADMIN_PASSWORD }), json!({ "key": key })]
    {
        let response = sign_in_with(&isolate, &body);
        assert_eq!(
            (response.status, response.header("x-postern-reason")),
            (429, Some("rate_limit")),
            "{}",
            response.body
        );
    }
    assert_eq!(world.database.batches.get(), before, "and nothing was asked of the database");
}

#[test]
fn each_sign_in_is_in_the_audit_trail() {
    let world = World::new();
    let isolate = world.isolate();
    let key = make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] }));
    signed_in(&isolate);
    signed_in_by(&isolate, &key);
    let events = world.database.text(
        "SELECT group_concat(actor || ' ' || target, ', ') \
        FROM audit_events WHERE action = 'token.issue'",
    );
    assert_eq!(events, "admin admin, [key 1 ci] ci");
    let trail = world
        .database
        .text("SELECT group_concat(COALESCE(after, '') || COALESCE(before, '')) FROM audit_events");
    assert!(!trail.contains(key["key"].as_str().expect("a key")), "{trail}");
}

#[test]
fn a_key_signs_in_where_it_may_administer() {
    let world = World::new();
    let isolate = world.isolate();
    reader(&isolate, "SYS_Reader");
    let sign_in = |body: Value| {
        let made = make_key(&isolate, &body);
        let response = sign_in_with(&isolate, &json!({ "key": made["key"] }));
        (response.status, response.header("x-postern-reason").unwrap_or_default().to_owned())
    };
    let refused = |reason: &str| (403, reason.to_owned());
    assert_eq!(sign_in(json!({ "name": "all", "may": ["administration"] })).0, 201);
    assert_eq!(sign_in(json!({ "name": "admins", "may": ["administration"], "userId": 1 })).0, 201);
    assert_eq!(
        sign_in(json!({ "name": "asks", "may": ["decisions", "provisioning"] })),
        refused("key_refused")
    );
    assert_eq!(
        sign_in(json!({ "name": "readers", "may": ["administration"], "userId": 2 })),
        refused("not_administrator")
    );
    for (key, reason) in
        [("pst_wrong", "bad_key"), ("", "bad_key"), ("eyJhbGciOiJIUzI1NiJ9.e30.x", "bad_key")]
    {
        let response = sign_in_with(&isolate, &json!({ "key": key }));
        assert_eq!(
            (response.status, response.header("x-postern-reason")),
            (401, Some(reason)),
            "{key}"
        );
    }
}

#[test]
fn a_key_that_signed_in_may_no_more_than_it_may_elsewhere() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = signed_in_by(
        &isolate,
        &make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] })),
    );
    let post = |body: Value| {
        let request =
            own_page("POST", "/v1/keys").header("cookie", &cookie).body(&body.to_string());
        let response = isolate.send(&request);
        assert_eq!(response.status, 201, "{}", response.body);
        json_of(&response)
    };
    let child = post(json!({ "name": "child", "may": ["administration"] }));
    let by_child = signed_in_by(&isolate, &child);
    let grandchild = own_page("POST", "/v1/keys")
        .header("cookie", &by_child)
        .body(r#"{"name":"x","may":["decisions"]}"#);
    let response = isolate.send(&grandchild);
    assert_eq!((response.status, response.header("x-postern-reason")), (403, Some("key_refused")));
    assert_eq!(isolate.administer("DELETE", "/v1/keys/1", &Value::Null).status, 204);
    assert_eq!(
        (manages(&isolate, &cookie), manages(&isolate, &by_child)),
        (REVOKED, REVOKED),
        "one ends with the other"
    );
}

/// An attacker may have planted the old session in the browser, or have read it.
#[test]
fn signing_in_ends_the_session_that_was_shown_and_takes_none_over() {
    let world = World::new();
    let isolate = world.isolate();
    let by_key = signed_in_by(
        &isolate,
        &make_key(&isolate, &json!({ "name": "ci", "may": ["administration"] })),
    );
    for before in [signed_in(&isolate), by_key] {
        let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
        let response =
            isolate.send(&own_page("POST", SESSION).header("cookie", &before).body(&body));
        let fresh = cookie_of(&response);
        assert_ne!(fresh, before);
        assert_eq!((manages(&isolate, &before), manages(&isolate, &fresh)), (REVOKED, (200, "")));
    }
    let kept = signed_in(&isolate);
    let wrong = json!({ "username": "admin", "password": "wrong" }).to_string();
    assert_eq!(
        isolate.send(&own_page("POST", SESSION).header("cookie", &kept).body(&wrong)).status,
        401
    );
    assert_eq!(manages(&isolate, &kept), (200, ""), "a wrong password ends nothing");
}

#[test]
fn no_page_of_another_origin_signs_a_browser_in() {
    let world = World::new();
    let isolate = world.isolate();
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    for (name, value) in [
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("x", "y"),
    ] {
        let before = world.database.batches.get();
        let response = isolate.send(&Request::new("POST", SESSION).header(name, value).body(&body));
        assert_eq!(
            (response.status, response.header("x-postern-reason")),
            (403, Some("cross_origin")),
            "{name}: {value}"
        );
        assert_eq!((response.header("set-cookie"), world.database.batches.get()), (None, before));
    }
}

#[test]
fn the_session_of_an_administrator_lets_them_change_their_own_password() {
    let world = World::new();
    let isolate = world.isolate();
    let (id, cookie) = signed_in_as(&isolate, "carol");
    let change = |body: Value| {
        let request =
            own_page("PUT", &format!("/v1/users/{id}/password")).header("cookie", &cookie);
        isolate.send(&request.body(&body.to_string())).status
    };
    assert_eq!(
        change(json!({ "password": "battery staple" })),
        400,
        "the current one is asked for"
    );
    assert_eq!(
        change(json!({ "password": "battery staple", "currentPassword": "correct horse" })),
        204
    );
    assert_eq!(isolate.get("/v1/users", &basic("carol", "battery staple")).status, 200);
    assert_eq!(
        manages(&isolate, &cookie),
        (200, ""),
        "the session that changed it goes on, as a token's does"
    );
}
