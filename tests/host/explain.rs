//! `POST /v1/explain` shows administrators all checks of a token, and changes nothing.

use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, basic, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn app(isolate: &Isolate<'_>, name: &str, change: &Value) {
    let mut body = json!({
        "name": name, "algorithm": "HS256", "secret": SECRET, "claims": { "username": "sub" },
    });
    for (member, value) in change.as_object().expect("an object") {
        body[member] = value.clone();
    }
    let response = isolate.administer("POST", "/v1/token-apps", &body);
    assert_eq!(response.status, 201, "{}", response.body);
}

fn token(isolate: &Isolate<'_>, claims: &Value) -> String {
    isolate.signed(SECRET, claims)
}

fn explain(isolate: &Isolate<'_>, question: &Value) -> Value {
    let response = isolate.administer("POST", "/v1/explain", question);
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)
}

/// The checks that did not hold, each as its app and its name.
fn failed(explanation: &Value) -> Vec<String> {
    let checks = explanation["checks"].as_array().expect("checks");
    let failed = checks.iter().filter(|check| check["held"] == false);
    failed
        .map(|check| {
            format!(
                "{}/{}",
                check["app"].as_str().unwrap_or("-"),
                check["check"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn every_check_is_told_and_none_stops_the_others() {
    let world = World::new();
    let isolate = world.isolate();
    app(
        &isolate,
        "A",
        &json!({
            "audiences": ["a"], "issuer": "https://idp.example", "authorizedParties": ["web"],
            "requiredScopes": ["x"],
        }),
    );
    app(
        &isolate,
        "B",
        &json!({ "enabled": false, "secret": "another secret of thirty-two bytes" }),
    );
    app(&isolate, "C", &json!({ "algorithm": "HS512", "secret": SECRET.repeat(2) }));
    let wrong = token(
        &isolate,
        &json!({
            "aud": "b", "iss": "https://evil.example", "azp": "other", "cnf": {}, "exp": 1_000,
            "sub": "admin",
        }),
    );
    let explanation = explain(&isolate, &json!({ "token": wrong }));
    assert_eq!(explanation["verdict"], "refused");
    let of_a = ["A/lifetime", "A/issuer", "A/audience", "A/party", "A/binding", "A/scopes"];
    let others = ["B/enabled", "B/signature", "C/algorithm"];
    assert_eq!(
        failed(&explanation),
        of_a.into_iter().chain(others).map(str::to_owned).collect::<Vec<_>>(),
        "{explanation}"
    );
    let audience = explanation["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["check"] == "audience")
        .expect("one");
    assert!(
        audience["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("\"b\"") && detail.contains("[\"a\"]")),
        "{audience}"
    );
    assert!(audience["fix"].is_string());
}

#[test]
fn an_explanation_agrees_with_what_happens_and_changes_nothing() {
    let world = World::new();
    let isolate = world.isolate();
    app(&isolate, "A", &json!({ "audiences": ["a"], "passClaims": ["x"] }));
    isolate.administer("POST", "/v1/users", &json!({ "username": "bob", "enabled": false }));
    let state = || {
        let count = |table: &str| world.database.number(&format!("SELECT COUNT(*) FROM {table}"));
        ["users", "audit_events", "changes", "sessions", "memberships", "grants"].map(count)
    };
    let cases = [
        json!({ "aud": "a" }),
        json!({ "aud": "b" }),
        json!({ "aud": "a", "sub": "admin" }),
        json!({ "aud": "a", "sub": "bob" }),
        json!({ "aud": "a", "sub": "" }),
        json!({ "aud": "a", "exp": 1 }),
        json!({ "aud": "a", "nbf": i64::MAX }),
        json!({ "aud": "a", "events": {} }),
    ];
    for claims in cases {
        let token = token(&isolate, &claims);
        let before = state();
        let lines = world.log.0.borrow().len();
        let explanation = explain(&isolate, &json!({ "token": token }));
        assert_eq!(state(), before, "{claims}");
        assert!(
            world.log.0.borrow().iter().skip(lines).all(|line| !line.contains(&token)),
            "the log"
        );
        let is_accepted = isolate.get("/v1/verify", &format!("Bearer {token}")).status == 200;
        assert_eq!(explanation["verdict"] == "accepted", is_accepted, "{claims}: {explanation}");
        assert_eq!(failed(&explanation).is_empty(), is_accepted, "{explanation}");
    }
}

/// As in verification, a second app is not asked whether it may speak for the user.
#[test]
fn the_first_app_that_accepts_the_token_decides_whose_it_is() {
    let world = World::new();
    let isolate = world.isolate();
    app(&isolate, "A", &json!({ "speaksFor": "users" }));
    app(&isolate, "B", &json!({ "speaksFor": "everybody" }));
    let of_admin = token(&isolate, &json!({ "sub": "admin" }));
    assert_eq!(isolate.get("/v1/verify", &format!("Bearer {of_admin}")).status, 403);
    let explanation = explain(&isolate, &json!({ "token": of_admin }));
    assert_eq!(
        (&explanation["verdict"], failed(&explanation)),
        (&json!("refused"), vec!["A/user".to_owned()])
    );
    let of_b = explain(&isolate, &json!({ "token": of_admin, "app": "B" }));
    assert_eq!(of_b["verdict"], "accepted", "{of_b}");
}

#[test]
fn a_permission_is_explained_for_a_token_and_for_a_user() {
    let world = World::new();
    let isolate = world.isolate();
    app(
        &isolate,
        "A",
        &json!({ "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4 } }),
    );
    isolate.administer("POST", "/v1/users", &json!({ "username": "alice" }));
    let body = json!({ "authObjectType": "GROUP", "authObjectId": 4, "permissions": ["TEST"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &body).status, 200);
    let asked = |about: &str, value: &str| {
        explain(&isolate, &json!({ about: value, "service": 7, "permission": "TEST" }))
    };
    assert_eq!(
        asked("token", &token(&isolate, &json!({ "groups": ["ops"] })))["verdict"],
        "accepted"
    );
    assert_eq!(
        failed(&asked("token", &token(&isolate, &json!({ "groups": ["dev"] })))),
        ["-/permission"]
    );
    assert_eq!(failed(&asked("username", "alice")), ["-/permission"]);
    assert_eq!(asked("username", "admin")["verdict"], "accepted");
    assert_eq!(failed(&asked("username", "nobody")), ["-/user"]);
    assert_eq!(failed(&asked("token", "7ac687f1-51c3-46ad-8617-89d737d1ba0d")), ["-/token"]);
    assert_eq!(failed(&asked("token", "a.b")), ["-/form"]);
    assert_eq!(
        failed(&explain(
            &isolate,
            &json!({ "token": token(&isolate, &json!({})), "app": "Other" })
        )),
        ["-/app"]
    );
}

#[test]
fn an_explanation_says_how_far_off_the_clock_is() {
    let world = World::new();
    let isolate = world.isolate();
    app(&isolate, "A", &json!({ "expire": 3600 }));
    let now = world.now.get().seconds();
    for (claims, told) in [
        (json!({ "exp": now - 100 }), format!("exp {}, which is -100 s from now", now - 100)),
        (
            json!({ "iat": now - 4000 }),
            "iat 1799996000, which is -4000 s from now; the app's expire is 3600 s".to_owned(),
        ),
        (json!({ "nbf": now + 90 }), format!("nbf {}, which is 90 s from now", now + 90)),
        (json!({ "iat": now * 1000 }), "60 s of difference are allowed".to_owned()),
        (
            json!({ "iat": null, "exp": now * 1000 }),
            "the claim iat has a value that cannot be used".to_owned(),
        ),
    ] {
        let explanation = explain(&isolate, &json!({ "token": token(&isolate, &claims) }));
        let checks = explanation["checks"].as_array().expect("checks");
        let lifetime = checks.iter().find(|check| check["check"] == "lifetime").expect("one");
        assert!(
            lifetime["detail"].as_str().is_some_and(|detail| detail.contains(&told)),
            "{told}: {lifetime}"
        );
        assert!(lifetime["fix"].is_string(), "{lifetime}");
    }
}

#[test]
fn only_administrators_are_told_and_only_what_is_asked() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "alice", "password": "correct horse alice" }),
    );
    let body = json!({ "username": "admin" }).to_string();
    let of_alice = Request::new("POST", "/v1/explain")
        .authorization(&basic("alice", "correct horse alice"))
        .body(&body);
    assert_eq!(isolate.send(&of_alice).status, 403);
    assert_eq!(isolate.send(&Request::new("POST", "/v1/explain").body(&body)).status, 401);
    for (question, field) in [
        (json!({}), "token"),
        (json!({ "token": "x", "username": "y" }), "token"),
        (json!({ "username": "y", "service": 1 }), "permission"),
        (json!({ "username": "y", "permission": "VIEW" }), "service"),
        (json!({ "user": "y" }), "user"),
    ] {
        let response = isolate.administer("POST", "/v1/explain", &question);
        assert_eq!(
            (response.status, &json_of(&response)["field"]),
            (400, &json!(field)),
            "{question}: {}",
            response.body
        );
    }
}

/// A claim that cannot be read refuses the token, and so does an id that another user has. The
/// explanation says so.
#[test]
fn what_the_user_takes_from_the_token_is_explained_too() {
    let world = World::new();
    let isolate = world.isolate();
    let claims = json!({ "username": "sub", "roles": "roles", "groups": "groups", "id": "uid" });
    app(
        &isolate,
        "A",
        &json!({ "claims": claims, "groupMap": { "ops": 4 }, "groupsMode": "sync" }),
    );
    let known = json!({ "uid": 7, "roles": [], "groups": [] });
    assert_eq!(
        isolate.get("/v1/verify", &format!("Bearer {}", token(&isolate, &known))).status,
        200
    );
    let agree = |change: &Value, status: u16| {
        let mut claims = known.clone();
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let token = token(&isolate, &claims);
        let explanation = explain(&isolate, &json!({ "token": token }));
        assert_eq!(explanation["verdict"] == "accepted", status == 200, "{change}: {explanation}");
        assert_eq!(failed(&explanation).is_empty(), status == 200, "{explanation}");
        assert_eq!(
            isolate.get("/v1/verify", &format!("Bearer {token}")).status,
            status,
            "{change}"
        );
    };
    for sub in ["alice", "bob"] {
        let uid = if sub == "alice" { 7 } else { 8 };
        for wrong in [json!(5), json!([1]), json!({})] {
            agree(&json!({ "sub": sub, "uid": uid, "roles": wrong }), 401);
            agree(&json!({ "sub": sub, "uid": uid, "groups": wrong }), 401);
        }
    }
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM users WHERE username = 'bob'"),
        0,
        "a refused token creates nobody"
    );
    agree(&json!({ "sub": "bob", "uid": 7 }), 403);
    agree(&json!({ "sub": "bob", "uid": 8 }), 200);
}

/// The explanation describes the user as the token would change them.
#[test]
fn a_role_that_the_token_would_give_is_explained_and_not_written() {
    let world = World::new();
    let isolate = world.isolate();
    let claims = json!({ "username": "sub", "roles": "roles" });
    app(&isolate, "A", &json!({ "claims": claims, "roleMap": { "bi": "SYS_Creator" } }));
    let plain = token(&isolate, &json!({ "roles": [] }));
    assert_eq!(isolate.get("/v1/verify", &format!("Bearer {plain}")).status, 200);
    let explanation =
        explain(&isolate, &json!({ "token": token(&isolate, &json!({ "roles": ["bi"] })) }));
    let checks = explanation["checks"].as_array().expect("checks");
    let user = checks.iter().find(|check| check["check"] == "user").expect("the check of the user");
    assert!(
        user["detail"].as_str().is_some_and(|detail| detail.contains("SYS_Creator")),
        "{explanation}"
    );
    assert_eq!(
        world.database.text("SELECT type FROM users WHERE username = 'alice'"),
        "SYS_Reader"
    );
}

/// The explanation decides a permission as verification would at the user's first sign-in.
#[test]
fn a_permission_of_somebody_who_would_be_created_is_explained() {
    let world = World::new();
    let isolate = world.isolate();
    app(
        &isolate,
        "A",
        &json!({ "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4 } }),
    );
    let grant = json!({ "authObjectType": "GROUP", "authObjectId": 4, "permissions": ["TEST"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &grant).status, 200);
    let agree = |sub: &str, groups: Value, allowed: bool| {
        let token = token(&isolate, &json!({ "sub": sub, "groups": groups }));
        let explanation =
            explain(&isolate, &json!({ "token": token, "service": 7, "permission": "TEST" }));
        assert_eq!(explanation["verdict"] == "accepted", allowed, "{sub}: {explanation}");
        let checked =
            isolate.get("/v1/check?service=7&permission=TEST", &format!("Bearer {token}"));
        assert_eq!(json_of(&checked)["allowed"], allowed, "{sub}");
    };
    agree("with-group", json!(["ops"]), true);
    agree("without", json!([]), false);
    isolate.administer("PATCH", "/v1/token-apps/A", &json!({ "groupsMode": "sync" }));
    agree("with-membership", json!(["ops"]), true);
    isolate.administer("PATCH", "/v1/token-apps/A", &json!({ "initialRoles": ["Administrator"] }));
    agree("administrator", json!([]), true);
}
