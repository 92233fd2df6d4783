//! What each caller may do, and which credential of a request is used.

use serde_json::{Value, json};

use crate::support::{
    ADMIN_PASSWORD, Isolate, ORIGIN, Request, World, admin, basic, cookie_of, json_of,
};

struct SignedIn {
    token: String,
    cookie: String,
}

fn sign_in(isolate: &Isolate<'_>, username: &str, password: &str) -> SignedIn {
    let body = json!({ "username": username, "password": password }).to_string();
    let response =
        isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    let cookie = cookie_of(&response);
    SignedIn { token: response.body, cookie }
}

const ORDER: &str = r#"{"nodeSpec":"MEDIUM","nodeCount":1,"nodeName":"a"}"#;

#[test]
fn a_cookie_changes_nothing_for_pages_of_other_origins() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = sign_in(&isolate, "admin", ADMIN_PASSWORD).cookie;
    let order = |headers: &[(&str, &str)]| {
        let request = Request::new("POST", "/imanager/cloud/web/nodes/server")
            .header("cookie", &cookie)
            .body(ORDER);
        isolate
            .send(
                &headers.iter().fold(request, |request, (name, value)| request.header(name, value)),
            )
            .status
    };
    assert_eq!(order(&[("origin", "https://evil.example")]), 403);
    assert_eq!(order(&[("origin", "null")]), 403);
    assert_eq!(order(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(order(&[("sec-fetch-site", "same-site")]), 403);
    assert_eq!(order(&[("origin", ORIGIN), ("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(order(&[]), 200, "no browser");
    let logout = Request::new("GET", "/imanager/security/logout")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site");
    assert_eq!(isolate.send(&logout).status, 403, "signing out is a change, whatever its method");
    let with_header = Request::new("POST", "/v1/users")
        .authorization(&admin())
        .header("origin", "https://evil.example")
        .body(r#"{"username":"c"}"#);
    assert_eq!(
        isolate.send(&with_header).status,
        201,
        "other credentials no browser adds by itself"
    );
}

#[test]
fn the_cookie_of_the_gis_manager_counts_on_that_systems_paths_only_and_only_in_our_form() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = sign_in(&isolate, "admin", ADMIN_PASSWORD).cookie;
    let status = |method: &str, path: &str, cookie: &str| {
        isolate.send(&Request::new(method, path).header("cookie", cookie).body(ORDER)).status
    };
    let order = |cookie: &str| status("POST", "/imanager/cloud/web/nodes/server", cookie);
    assert_eq!(order(&cookie), 200);
    assert_eq!(
        order(&format!("JSESSIONID=0123456789ABCDEF0123456789ABCDEF; {cookie}")),
        200,
        "the application's own is beside it"
    );
    assert_eq!(order(&format!("{cookie}; {cookie}")), 400, "which of the two?");
    let form = "A".repeat(32);
    for other in
        ["wrong".to_owned(), form.clone(), format!("{form}.node1"), format!("{form}.postern.x")]
    {
        assert_eq!(order(&format!("JSESSIONID={other}")), 401, "{other}");
    }
    assert_eq!(order(&format!("JSESSIONID={form}.postern")), 401, "one of ours that nobody has");
    for path in [
        "/v1/users",
        "/v1/verify",
        "/v1/check?service=1&permission=VIEW",
        "/plugin/datafor-modeler/api/token/list",
        "/api/v1/services/auth",
    ] {
        assert_eq!(status("GET", path, &cookie), 401, "{path}");
    }
}

#[test]
fn the_first_kind_present_decides_and_a_wrong_one_never_falls_through() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let good = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let jwt = isolate.token("alice");
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[("authorization", "Bearer wrong"), ("x-auth-token", &good.token)], 401),
        (&[("authorization", "Digest x"), ("x-auth-token", &good.token)], 401),
        (&[("authorization", ""), ("x-auth-token", &good.token)], 401),
        (&[("x-auth-token", "wrong"), ("cookie", &good.cookie)], 401),
        (&[("x-auth-token", &good.token), ("x-auth-token", &good.token)], 401),
        (&[("cookie", "JSESSIONID=wrong")], 200),
        (&[("cookie", "postern=wrong")], 200),
        (&[("x-auth-token", &good.token), ("cookie", "JSESSIONID=wrong")], 200),
        (&[("authorization", &admin()), ("x-auth-token", "wrong")], 200),
        (&[("x-auth-token", &jwt)], 401),
    ];
    for (headers, status) in cases {
        // A valid token in the URL does not help when the header has an invalid credential.
        let request = Request::new("GET", &format!("/v1/verify?token={jwt}"));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(isolate.send(&request).status, *status, "{headers:?}");
    }
}

#[test]
fn a_cookies_value_is_no_token_and_a_token_no_cookie() {
    let world = World::new();
    let isolate = world.isolate();
    let SignedIn { token, cookie } = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let (_, value) = cookie.split_once('=').expect("a value");
    let order = |name: &str, value: &str| {
        isolate
            .send(
                &Request::new("POST", "/imanager/cloud/web/nodes/server")
                    .header(name, value)
                    .body(ORDER),
            )
            .status
    };
    assert_eq!(order("x-auth-token", value), 401);
    assert_eq!(order("authorization", &format!("Bearer {value}")), 401);
    assert_eq!(order("cookie", &format!("JSESSIONID={token}")), 401);
    for name in ["postern", "__Host-postern"] {
        let with = |value: &str| {
            isolate
                .send(
                    &Request::new("GET", "/v1/verify").header("cookie", &format!("{name}={value}")),
                )
                .status
        };
        assert_eq!((with(value), with(&token)), (401, 401), "{name}");
    }
    assert_eq!(order("cookie", &cookie), 200);
}

#[test]
fn every_dialect_takes_every_credential() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "initroles": ["Administrator"] }));
    let good = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let jwt = isolate.token("root");
    let credentials = [
        ("authorization", admin()),
        ("authorization", format!("Bearer {}", good.token)),
        ("authorization", format!("bearer {jwt}")),
        ("x-auth-token", good.token.clone()),
    ];
    for (name, value) in &credentials {
        for path in ["/plugin/datafor-modeler/api/token/list", "/v1/users", "/v1/verify"] {
            assert_eq!(
                isolate.send(&Request::new("GET", path).header(name, value)).status,
                200,
                "{path} {name}"
            );
        }
    }
    assert_eq!(
        isolate.get(&format!("/plugin/datafor-modeler/api/token/list?token={jwt}"), "").status,
        200
    );
    assert_eq!(
        isolate.get(&format!("/v1/users?token={jwt}"), "").status,
        401,
        "no URL parameter elsewhere"
    );
    let (name, value) = &credentials[3];
    assert_eq!(
        isolate.send(&Request::new("GET", "/imanager/security/logout").header(name, value)).status,
        200
    );
    assert_eq!(
        isolate.send(&Request::new("GET", "/v1/verify").header(name, value)).status,
        401,
        "the token is over"
    );
    let order = Request::new("POST", "/imanager/cloud/web/nodes/server")
        .header("cookie", &good.cookie)
        .body(ORDER);
    assert_eq!(isolate.send(&order).status, 401, "and the cookie with it");
}

#[test]
fn only_administrators_administer() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "initroles": ["SYS_Creator"] }));
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let own = json_of(&isolate.get("/v1/verify", &bearer))["user"]["id"].to_string();
    for route in postern::api::dialects::DIALECTS.iter().flat_map(|dialect| dialect.routes()) {
        if route.access == postern::api::http::route::Access::Administrator {
            let path = route.paths[0].replace("{id}", &own).replace("{tokenId}", "1");
            let request =
                Request::new(route.method, &path).authorization(&bearer).body("{not json");
            assert_eq!(isolate.send(&request).status, 403, "{}", route.operation);
        }
    }
    assert_eq!(isolate.get(&format!("/v1/users/{own}"), &bearer).status, 200, "themselves");
    assert_eq!(isolate.get("/v1/users/1", &bearer).status, 403, "not others");
    let body = json!({ "password": "correct horse", "currentPassword": "x" }).to_string();
    let request = Request::new("PUT", "/v1/users/1/password").authorization(&bearer).body(&body);
    assert_eq!(isolate.send(&request).status, 403, "not others' passwords");
}

#[test]
fn changing_ones_own_password_needs_the_current_one_and_ends_the_other_tokens() {
    let world = World::new();
    let isolate = world.isolate();
    let user = isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "alice", "password": "correct horse" }),
    );
    let id = json_of(&user)["id"].to_string();
    let (mine, other) =
        (sign_in(&isolate, "alice", "correct horse"), sign_in(&isolate, "alice", "correct horse"));
    let change = |body: Value| {
        let request = Request::new("PUT", &format!("/v1/users/{id}/password"))
            .header("x-auth-token", &mine.token);
        isolate.send(&request.body(&body.to_string())).status
    };
    assert_eq!(change(json!({ "password": "battery staple" })), 400);
    assert_eq!(change(json!({ "password": "battery staple", "currentPassword": "wrong" })), 400);
    assert_eq!(change(json!({ "password": "short", "currentPassword": "correct horse" })), 400);
    assert_eq!(
        change(json!({ "password": "battery staple", "currentPassword": "correct horse" })),
        204
    );
    assert_eq!((isolate.verify(&mine.token).0, isolate.verify(&other.token).0), (200, 401));
    assert_eq!(isolate.get("/v1/verify", &basic("alice", "correct horse")).status, 401);
    assert_eq!(isolate.get("/v1/verify", &basic("alice", "battery staple")).status, 200);
}

#[test]
fn guessing_the_current_password_is_limited_too() {
    let world = World::new();
    let isolate = world.isolate();
    let token = sign_in(&isolate, "admin", ADMIN_PASSWORD).token;
    let id =
        json_of(&isolate.get("/v1/verify", &format!("Bearer {token}")))["user"]["id"].to_string();
    let guess = || {
        let body = json!({ "password": "battery staple", "currentPassword": "wrong" }).to_string();
        isolate
            .send(
                &Request::new("PUT", &format!("/v1/users/{id}/password"))
                    .header("x-auth-token", &token)
                    .body(&body),
            )
            .status
    };
    assert_eq!(
        (0..11).map(|_| guess()).collect::<Vec<_>>(),
        [[400; 10].as_slice(), &[429]].concat()
    );
}

#[test]
fn int64_ids_keep_their_full_range() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer("POST", "/v1/users", &json!({ "username": "first" }));
    let insert = "INSERT INTO users (id, username, type, created_at, modified_at) \
        VALUES (9007199254740993, 'big', 'SYS_Reader', 0, 0)";
    crate::support::block_on(
        isolate.cx().sql.batch(vec![postern::ports::Statement::new(insert, [])]),
    )
    .expect("a user");
    let response = isolate.administer("GET", "/v1/users/9007199254740993", &Value::Null);
    assert_eq!(json_of(&response)["id"], json!(9_007_199_254_740_993_i64), "{}", response.body);
    let next = isolate.administer("POST", "/v1/users", &json!({ "username": "next" }));
    assert_eq!(json_of(&next)["id"], 3, "an id that was named moves no counter");
    assert_eq!(next.header("location"), Some("/v1/users/3"));
    let last = json!({ "id": i64::MAX, "username": "last" });
    assert_eq!(json_of(&isolate.administer("POST", "/v1/users", &last))["id"], json!(i64::MAX));
    let page = json_of(&isolate.administer(
        "GET",
        "/v1/users?limit=1&cursor=9007199254740992",
        &Value::Null,
    ));
    assert_eq!(
        (&page["items"][0]["username"], &page["next"]),
        (&json!("big"), &json!("9007199254740993"))
    );
    assert_eq!(
        isolate.administer("DELETE", "/v1/users/9007199254740993", &Value::Null).status,
        204
    );
    assert_eq!(
        isolate.administer("GET", "/v1/users/9223372036854775808", &Value::Null).status,
        400
    );
}

#[test]
fn lists_are_in_the_order_of_numbers_and_not_of_digits() {
    let world = World::new();
    let isolate = world.isolate();
    for id in [9, 10, 100, 11, 2] {
        assert_eq!(
            isolate
                .administer("POST", "/v1/services", &json!({ "id": id, "name": "Service" }))
                .status,
            201
        );
        isolate.administer("PUT", &format!("/v1/services/2/apis/{id}"), &json!({}));
        isolate.administer("POST", "/v1/departments", &json!({ "id": id, "name": "Department" }));
        isolate.administer("PUT", &format!("/v1/groups/1/members/{id}"), &Value::Null);
        isolate.administer("POST", "/v1/users", &json!({ "username": format!("user {id}") }));
        isolate.administer("POST", "/v1/users", &json!({ "username": format!("other {id}") }));
    }
    isolate.administer("PUT", "/v1/services/2/apis/9", &json!({}));
    for id in [9, 10, 100, 11] {
        isolate.administer("PUT", &format!("/v1/services/2/apis/{id}"), &json!({}));
    }
    let ids = |path: &str, member: &str| -> Vec<i64> {
        let page = json_of(&isolate.administer("GET", path, &Value::Null));
        page["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item[member].as_i64())
            .collect()
    };
    for (path, member) in [
        ("/v1/services", "id"),
        ("/v1/services/2/apis", "id"),
        ("/v1/departments", "id"),
        ("/v1/groups/1/members", "userId"),
    ] {
        assert_eq!(ids(path, member), [2, 9, 10, 11, 100], "{path}");
    }
    let users = ids("/v1/users", "id");
    assert!(users.len() > 10 && users.is_sorted(), "{users:?}");
    let events = ids("/v1/audit", "id");
    assert!(events.len() > 10 && events.iter().rev().is_sorted(), "{events:?}");
}

#[test]
fn cors_is_off_unless_origins_are_listed() {
    let world = World::new();
    let page = "https://app.example";
    let preflight = Request::new("OPTIONS", "/v1/users")
        .header("origin", page)
        .header("access-control-request-method", "POST");
    let off = world.isolate().send(&preflight);
    assert_eq!((off.status, off.header("access-control-allow-origin")), (405, None));
    let isolate =
        world.isolate_with(&[("CORS_ORIGINS", Some("https://app.example, https://other.example"))]);
    let on = isolate.send(&preflight);
    assert_eq!((on.status, on.header("access-control-allow-origin")), (204, Some(page)));
    let request = Request::new("GET", "/v1/verify").header("origin", page);
    assert_eq!(isolate.send(&request).header("access-control-allow-origin"), Some(page));
    let stranger = Request::new("GET", "/v1/verify").header("origin", "https://evil.example");
    assert_eq!(isolate.send(&stranger).header("access-control-allow-origin"), None);
}

#[test]
fn urls_and_bodies_over_the_limit_are_refused() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(isolate.get(&format!("/v1/verify?x={}", "y".repeat(16 * 1024)), "").status, 414);
    let body = format!(r#"{{"username":"{}"}}"#, "x".repeat(1024 * 1024));
    let request = Request::new("POST", "/v1/users").authorization(&admin()).body(&body);
    assert_eq!(isolate.send(&request).status, 413);
    assert_eq!(isolate.send(&Request::new("HEAD", "/health")).body, "");
}

#[test]
fn every_answer_of_ours_is_strict_towards_browsers_and_asks_for_https_over_https_only() {
    let world = World::new();
    let isolate = world.isolate();
    for path in ["/health", "/v1/users", "/nowhere", "/"] {
        let plain = isolate.send(&Request::new("GET", path));
        let secure = isolate.send(&Request::new("GET", path).over_https());
        for response in [&plain, &secure] {
            // A browser that obeys `nosniff` never shows JSON as a page.
            let is_json = response
                .header("content-type")
                .is_some_and(|media_type| media_type.ends_with("json"));
            assert_eq!(is_json, path != "/", "{path}");
            let policy = Some("default-src 'none'; frame-ancestors 'none'").filter(|_| !is_json);
            assert_eq!(response.header("content-security-policy"), policy, "{path}");
            assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(
                response.header("referrer-policy"),
                Some("no-referrer").filter(|_| !is_json),
                "{path}"
            );
            assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
        }
        assert_eq!(plain.header("strict-transport-security"), None, "{path}");
        assert_eq!(secure.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let signed_in = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body));
    assert!(signed_in.header("set-cookie").is_some());
    let cookie =
        signed_in.header("set-cookie").unwrap_or_default().split(';').next().unwrap_or_default();
    let signed_out =
        isolate.send(&Request::new("GET", "/imanager/security/logout").header("cookie", cookie));
    assert!(signed_out.header("set-cookie").is_some(), "{}", signed_out.body);
    for response in [signed_in, signed_out] {
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn a_request_that_names_an_app_uses_no_other_credential() {
    let world = World::new();
    let isolate = world.isolate_with(&[("LOGIN_URL", Some("password"))]);
    isolate.register(&json!({ "initroles": ["Administrator"] }));
    isolate.register(&json!({ "name": "CRM", "token_name": "crm", "secret": "other" }));
    let key =
        isolate.administer("POST", "/v1/keys", &json!({ "name": "asker", "may": ["decisions"] }));
    let key = json_of(&key)["key"].as_str().expect("a key").to_owned();
    let opaque = sign_in(&isolate, "admin", ADMIN_PASSWORD);
    let jwt = format!("Bearer {}", isolate.token("alice"));
    let others = [
        ("authorization", admin()),
        ("authorization", format!("Bearer {}", opaque.token)),
        ("authorization", format!("Bearer {key}")),
        ("x-auth-token", opaque.token.clone()),
        ("cookie", isolate.session_of_admin()),
    ];
    let status = |path: &str, (name, value): (&str, &str)| {
        isolate.send(&Request::new("GET", path).header(name, value))
    };
    for path in ["/v1/verify?", "/v1/check?service=1&permission=VIEW&user=1&", "/v1/forward-auth?"]
    {
        assert_eq!(
            status(&format!("{path}app=ERP"), ("authorization", &jwt)).status,
            200,
            "{path}"
        );
        assert_eq!(
            status(&format!("{path}app=CRM"), ("authorization", &jwt)).status,
            401,
            "{path}"
        );
        for (name, value) in &others {
            let refused = status(&format!("{path}app=ERP"), (name, value));
            assert_eq!(
                (refused.status, &json_of(&refused)["reason"]),
                (401, &json!("no_app")),
                "{path} {name}"
            );
        }
    }
    let posted = |token: &str| {
        isolate
            .send(
                &Request::new("POST", "/v1/verify?app=ERP")
                    .body(&json!({ "token": token }).to_string()),
            )
            .status
    };
    assert_eq!((posted(&opaque.token), posted(&key), posted(&jwt[7..])), (401, 401, 200));
}
