//! The requests in which the console's cookie is accepted. No other session is accepted in its
//! place.

use postern::api::http::route::{Access, Dialect, Route};
use serde_json::{Value, json};

use super::*;
use crate::routes::{filled, routes};
use crate::support::ORIGIN;

/// Management routes take the cookie.
fn takes_cookie((dialect, route): &(&'static Dialect, &'static Route)) -> bool {
    dialect.name == "v1" && (route.access.is_checked_first() || route.access == Access::Holder)
}

/// A request that changes nothing about the administrator who sends it.
fn harmless(route: &Route) -> Request {
    let path = route.paths[0]
        .replace("/users/{id}/tokens", "/users/999/tokens")
        .replace("{tokenId}", "999");
    // Only an administrator may revoke by `jti`.
    let body = if route.access == Access::Holder { r#"{"app":"ERP","jti":"x"}"# } else { "{}" };
    let request = Request::new(route.method, &filled(&path));
    if route.method == "GET" { request } else { request.body(body) }
}

#[test]
fn the_cookie_opens_all_of_management_to_the_consoles_own_pages_and_nothing_else() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = signed_in(&isolate);
    let mut opened = 0;
    for found in routes().filter(|(_, route)| !route.operation.ends_with("_console_session")) {
        let (dialect, route) = found;
        let request =
            harmless(route).header("cookie", &cookie).header("sec-fetch-site", "same-origin");
        let response = isolate.send(&request);
        if takes_cookie(&found) {
            assert_ne!(response.status, 401, "{}: {}", route.operation, response.body);
            assert_eq!(response.header("cache-control"), Some("no-store"), "{}", route.operation);
            opened += 1;
        } else if route.access.is_checked_first() {
            assert_eq!(response.status, 401, "{} {}", dialect.name, route.operation);
        }
    }
    assert!(opened > 70, "{opened}");
    assert_eq!(manages(&isolate, &cookie), (200, ""), "the session is still there");
    for path in [
        "/v1/verify",
        "/v1/check?service=1&permission=VIEW",
        "/v1/forward-auth",
        "/v1/forward-auth/signed-in",
    ] {
        let asked = own_page("GET", path)
            .header("cookie", &cookie)
            .header("x-forwarded-uri", "/")
            .header("x-forwarded-method", "GET");
        let response = isolate.send(&asked);
        assert_eq!(
            (response.status, response.header("x-postern-reason")),
            (401, Some("missing")),
            "{path}"
        );
    }
}

#[test]
fn the_cookie_is_refused_for_pages_of_other_origins_even_to_read() {
    let world = World::new();
    let isolate = world.isolate_with(&[
        ("CORS_ORIGINS", Some("https://app.test")),
        ("PUBLIC_ORIGIN", Some(ORIGIN)),
    ]);
    let cookie = signed_in(&isolate);
    let none: [(&str, &str); 0] = [];
    let refused: &[&[(&str, &str)]] = &[
        &none,
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "same-site"), ("origin", ORIGIN)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "Same-Origin")],
        &[("origin", "https://app.test")],
        &[("origin", "https://postern.test")],
        &[("origin", "null")],
        &[("origin", "http://postern.test:8080")],
    ];
    for headers in refused {
        for (_, route) in routes().filter(takes_cookie) {
            let request = headers
                .iter()
                .fold(harmless(route), |request, (name, value)| request.header(name, value));
            let response = isolate.send(&request.header("cookie", &cookie));
            assert_eq!(
                (response.status, response.header("x-postern-reason")),
                (401, Some("missing")),
                "{} {headers:?}",
                route.operation
            );
            assert_eq!(
                response.header("set-cookie"),
                None,
                "a page of somebody else signs nobody out"
            );
            assert!(
                json_of(&response)["detail"]
                    .as_str()
                    .is_some_and(|detail| detail.contains("The console's cookie is valid only"))
            );
        }
    }
    for headers in [[("sec-fetch-site", "same-origin")], [("origin", ORIGIN)]] {
        let request =
            headers.iter().fold(Request::new("GET", "/v1/users"), |request, (name, value)| {
                request.header(name, value)
            });
        assert_eq!(isolate.send(&request.header("cookie", &cookie)).status, 200, "{headers:?}");
    }
}

/// `PUBLIC_ORIGIN` is the application's web origin, and the gateway treats its pages as
/// same-origin.
#[test]
fn the_public_origin_of_the_application_is_no_page_of_the_console() {
    let world = World::new();
    let variables = [
        ("ORIGIN_URL", Some("http://origin.test")),
        ("PUBLIC_ORIGIN", Some("https://app.test")),
        ("ADMIN_HOST", Some("postern.test")),
    ];
    let isolate = world.isolate_with(&variables);
    let cookie = signed_in(&isolate);
    let by = |origin: &str| {
        let read =
            Request::new("GET", "/v1/users").header("cookie", &cookie).header("origin", origin);
        let write = Request::new("POST", "/v1/groups")
            .header("cookie", &cookie)
            .header("origin", origin)
            .body(r#"{"name":"Sales"}"#);
        let login = Request::new("POST", SESSION)
            .header("origin", origin)
            .body(r#"{"username":"admin","password":"x"}"#);
        [read, write, login].map(|request| isolate.send(&request).status)
    };
    assert_eq!(by("https://app.test"), [401, 401, 403]);
    assert_eq!(by(ORIGIN), [200, 201, 401]);
}

#[test]
fn no_answer_lets_a_page_of_another_origin_send_cookies() {
    let world = World::new();
    let isolate = world.isolate_with(&[("CORS_ORIGINS", Some("https://app.test"))]);
    let cookie = signed_in(&isolate);
    for (_, route) in routes().filter(|(dialect, _)| dialect.name == "v1") {
        for method in [route.method, "OPTIONS"] {
            let request = Request::new(method, &filled(route.paths[0]))
                .header("origin", "https://app.test")
                .header("cookie", &cookie);
            let response = isolate
                .send(&request.header("access-control-request-method", route.method).body("{}"));
            assert_eq!(
                response.header("access-control-allow-credentials"),
                None,
                "{method} {}",
                route.operation
            );
        }
    }
}

/// A session of each kind: its credential, and the places that accept it.
struct Kinds {
    opaque: String,
    gis_manager: String,
    gateway: String,
    by_token: String,
    console: String,
    by_key: String,
}

impl Kinds {
    fn of(isolate: &Isolate<'_>) -> Self {
        let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
        let issued =
            isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body));
        let navigation =
            Request::new("GET", &format!("https://app.test/x?token={}", isolate.token("root")));
        let begun = isolate.send(
            &navigation.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document"),
        );
        let gateway =
            isolate.send(&Request::new("POST", "https://app.test/v1/sign-in").body(&body));
        Self {
            opaque: issued.body.clone(),
            gis_manager: value_of(&cookie_of(&issued)).to_owned(),
            gateway: value_of(&cookie_of(&gateway)).to_owned(),
            by_token: value_of(&cookie_of(&begun)).to_owned(),
            console: value_of(&signed_in(isolate)).to_owned(),
            by_key: value_of(&signed_in_by(
                isolate,
                &make_key(isolate, &json!({ "name": "ci", "may": ["administration"] })),
            ))
            .to_owned(),
        }
    }

    fn all(&self) -> [(&'static str, &str); 6] {
        [
            ("opaque", &self.opaque),
            ("gis_manager", &self.gis_manager),
            ("gateway", &self.gateway),
            ("gateway", &self.by_token),
            ("console", &self.console),
            ("console", &self.by_key),
        ]
    }
}

/// Each kind of credential is sent in each place of another kind.
#[test]
fn no_session_is_accepted_as_one_of_another_kind() {
    let world = World::new();
    let variables = [
        ("ORIGIN_URL", Some("http://origin.test")),
        ("LOGIN_URL", Some("password")),
        ("ADMIN_HOST", Some("postern.test")),
    ];
    let isolate = world.isolate_with(&variables);
    isolate.register(&json!({ "initroles": ["Administrator"] }));
    let kinds = Kinds::of(&isolate);
    let order = r#"{"nodeSpec":"MEDIUM","nodeCount":1,"nodeName":"a"}"#;
    for (kind, value) in kinds.all() {
        let by = |request: Request, name: &str, value: &str| {
            isolate.send(&request.header(name, value)).status
        };
        let taken = [
            ("opaque", by(Request::new("GET", "/v1/users"), "x-auth-token", value) == 200),
            (
                "opaque",
                by(Request::new("GET", "/v1/users"), "authorization", &format!("Bearer {value}"))
                    == 200,
            ),
            ("gis_manager", {
                let request = Request::new("POST", "/imanager/cloud/web/nodes/server").body(order);
                by(request, "cookie", &format!("JSESSIONID={value}")) == 200
            }),
            (
                "gateway",
                by(
                    Request::new("GET", "https://app.test/x"),
                    "cookie",
                    &format!("__Host-postern={value}"),
                ) == PASSED,
            ),
            (
                "console",
                by(own_page("GET", "/v1/users"), "cookie", &format!("postern-admin={value}"))
                    == 200,
            ),
            (
                "console",
                by(
                    own_page("GET", "https://postern.test/v1/users"),
                    "cookie",
                    &format!("__Host-postern-admin={value}"),
                ) == 200,
            ),
        ];
        for (place, is_taken) in taken {
            assert_eq!(is_taken, place == kind, "a session of {kind} at a place for {place}");
        }
    }
}

#[test]
fn the_name_of_the_cookie_is_the_one_of_the_scheme_and_there_is_one() {
    let world = World::new();
    let isolate = world.isolate();
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let sign_in = |request: Request| {
        let response = isolate.send(&request.body(&body));
        (cookie_of(&response), response.header("set-cookie").expect("a cookie").to_owned())
    };
    let (plain, set) = sign_in(own_page("POST", SESSION));
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    let (secure, set) = sign_in(own_page("POST", SESSION).over_https());
    assert!(
        set.starts_with("__Host-postern-admin=")
            && set.ends_with("; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict"),
        "{set}"
    );
    let over_http =
        |cookie: &str| isolate.send(&own_page("GET", "/v1/users").header("cookie", cookie)).status;
    let over_https = |cookie: &str| {
        isolate.send(&own_page("GET", "/v1/users").over_https().header("cookie", cookie)).status
    };
    assert_eq!((over_http(&plain), over_http(&secure)), (200, 401));
    assert_eq!((over_https(&secure), over_https(&plain)), (200, 401));
    assert_eq!(
        over_http(&format!("{plain}; postern-admin=x")),
        400,
        "another page has set one of them"
    );
    assert_eq!(
        over_http(&format!("a=b,postern-admin=x; {plain}")),
        200,
        "what follows a comma is a value"
    );
    let told = isolate
        .send(&own_page("GET", SESSION).header("cookie", &format!("{plain}; postern-admin=x")));
    assert_eq!((told.status, json_of(&told)["user"].clone()), (200, Value::Null));
    assert!(
        told.header("set-cookie")
            .is_some_and(|set| set.starts_with("postern-admin=; ") && set.contains("Max-Age=0"))
    );
}

#[test]
fn a_credential_in_a_header_decides_also_where_it_is_wrong() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = signed_in(&isolate);
    for (name, value) in
        [("authorization", "Bearer wrong"), ("x-auth-token", "wrong"), ("authorization", "")]
    {
        let response = isolate
            .send(&own_page("GET", "/v1/users").header("cookie", &cookie).header(name, value));
        assert_eq!(
            (response.status, response.header("set-cookie")),
            (401, None),
            "{name}: {value}"
        );
    }
}
