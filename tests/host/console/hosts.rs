//! On `ADMIN_HOST`, no request goes to the application; on other hosts, there is no console.

use super::*;
use crate::support::ORIGIN;

const BEHIND: [(&str, &str); 4] = [
    ("ORIGIN_URL", "http://origin.test"),
    ("ORIGIN_PUBLIC", "/"),
    ("ORIGIN_NODES", "1"),
    ("LOGIN_URL", "password"),
];

fn behind<'a>(world: &'a World, more: &[(&str, &str)]) -> Isolate<'a> {
    let variables: Vec<_> =
        BEHIND.iter().chain(more).map(|(name, value)| (*name, Some(*value))).collect();
    world.isolate_with(&variables)
}

fn place(isolate: &Isolate<'_>, request: &Request) -> (String, Value) {
    let session = json_of(&isolate.send(request));
    (session["signIn"].as_str().expect("a word").to_owned(), session["at"].clone())
}

fn sign_in_at(isolate: &Isolate<'_>, origin: &str) -> Response {
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    isolate.send(&own_page("POST", &format!("{origin}{SESSION}")).body(&body))
}

#[test]
fn on_the_consoles_host_nothing_goes_to_the_application() {
    let world = World::new();
    let rules = r#"[{"path":"/","public":true}]"#;
    let isolate = behind(&world, &[("ADMIN_HOST", "admin.test"), ("ORIGIN_RULES", rules)]);
    let hosts = [
        "https://admin.test",
        "http://admin.test",
        "https://ADMIN.test",
        "https://admin.test.",
        "https://admin.test:443",
        "https://admin.test:8443",
    ];
    let paths = [
        "/",
        "/x",
        "/static/app.js",
        "/api/v1/services/5/unknown",
        "/imanager/x",
        "/%76%31/users",
        "//v1/users",
        "/v1x",
    ];
    for path in paths {
        for method in ["GET", "POST", "OPTIONS", "PROPFIND"] {
            for host in hosts {
                let request = Request::new(method, &format!("{host}{path}"))
                    .header("origin", "https://x.test");
                let request =
                    request.header("access-control-request-method", "GET").authorization(&admin());
                let status = isolate.send(&request).status;
                assert!(matches!(status, 302 | 404 | 405), "{method} {host}{path}: {status}");
            }
        }
    }
    let order = Request::new("POST", "https://admin.test/imanager/cloud/web/nodes/server")
        .authorization(&admin());
    let order = order.body(r#"{"nodeSpec":"MEDIUM","nodeCount":1,"nodeName":"a"}"#);
    assert_eq!(
        isolate.send(&order).status,
        200,
        "an order is written down, as without an application"
    );
    assert!(world.passed.borrow().is_empty(), "{:?}", world.passed.borrow());
    // On another host, the same paths are the application's.
    for path in ["/x", "/static/app.js", "/api/v1/services/5/unknown", "/imanager/x"] {
        assert_eq!(isolate.get(&format!("https://app.test{path}"), "").status, PASSED, "{path}");
    }
}

#[test]
fn what_postern_answers_itself_it_answers_there_as_without_an_application() {
    let world = World::new();
    let isolate = behind(&world, &[("ADMIN_HOST", "admin.test")]);
    let home = isolate.get("https://admin.test/", "");
    assert_eq!((home.status, home.header("location")), (302, Some("/v1/console/")));
    let unknown = isolate.get("https://admin.test/api/v1/services/5/unknown", "");
    assert_eq!(
        (unknown.status, unknown.header("content-type")),
        (404, Some("application/json")),
        "in the dialect's envelope"
    );
    let page = Request::new("GET", "https://admin.test/x")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    let page = isolate.send(&page);
    assert_eq!((page.status, page.header("content-type")), (404, Some("application/problem+json")));
    for (method, path) in [
        ("GET", "/v1/sign-in"),
        ("POST", "/v1/sign-in"),
        ("GET", "/v1/sign-out"),
        ("POST", "/v1/sign-out"),
    ] {
        let body = if path == "/v1/sign-in" && method == "POST" {
            r#"{"username":"admin","password":"x"}"#
        } else {
            ""
        };
        let at = |host: &str| {
            isolate.send(&Request::new(method, &format!("https://{host}{path}")).body(body)).status
        };
        assert_eq!(at("admin.test"), 404, "{method} {path}");
        assert_ne!(at("app.test"), 404, "{method} {path}");
    }
    let rules = isolate.get("https://admin.test/v1/rules", &admin());
    assert_eq!(
        json_of(&rules)["origins"].as_array().map(Vec::len),
        Some(1),
        "the rules are those of the other hosts"
    );
}

#[test]
fn a_session_of_the_gateway_counts_for_nothing_there_but_for_a_proxys_question() {
    let world = World::new();
    let isolate = behind(&world, &[("ADMIN_HOST", "admin.test")]);
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let session =
        cookie_of(&isolate.send(&Request::new("POST", "https://app.test/v1/sign-in").body(&body)));
    let at = |host: &str, path: &str| {
        let request = own_page("GET", &format!("https://{host}{path}")).header("cookie", &session);
        isolate
            .send(&request.header("x-forwarded-uri", "/").header("x-forwarded-method", "GET"))
            .status
    };
    for path in ["/v1/verify", "/v1/check?service=1&permission=VIEW"] {
        assert_eq!((at("app.test", path), at("admin.test", path)), (200, 401), "{path}");
    }
    assert_eq!(
        (at("app.test", "/v1/forward-auth"), at("admin.test", "/v1/forward-auth")),
        (200, 200)
    );
    assert_eq!(at("admin.test", "/v1/users"), 401);
}

#[test]
fn on_other_hosts_there_is_no_console_and_the_application_never_sees_the_cookie() {
    let world = World::new();
    let isolate = behind(&world, &[("ADMIN_HOST", "admin.test")]);
    let response = sign_in_at(&isolate, "https://admin.test");
    assert_eq!(response.status, 201, "{}", response.body);
    let cookie = cookie_of(&response);
    let lists = |request: Request| {
        isolate
            .send(&request.header("cookie", &cookie).header("sec-fetch-site", "same-origin"))
            .status
    };
    assert_eq!(lists(Request::new("GET", "https://admin.test/v1/users")), 200);
    let others =
        ["https://app.test", "https://admin.test.evil.test", "https://xadmin.test", "https://test"];
    for other in others {
        assert_eq!(lists(Request::new("GET", &format!("{other}/v1/users"))), 401, "{other}");
        assert_eq!(sign_in_at(&isolate, other).status, 404, "{other}");
        let said = Request::new("GET", &format!("{other}/v1/users"));
        let said = said
            .header("x-forwarded-host", "admin.test")
            .header("host", "admin.test")
            .header("forwarded", "host=admin.test");
        assert_eq!(lists(said), 401, "{other}: a header names no host");
        let told = place(
            &isolate,
            &own_page("GET", &format!("{other}{SESSION}")).header("cookie", &cookie),
        );
        assert_eq!(told, ("elsewhere".to_owned(), json!("https://admin.test/v1/console/")));
    }
    for name in ["__Host-postern-admin", "postern-admin"] {
        let sent = format!("a=1; {name}={}; b=2", value_of(&cookie));
        assert_eq!(
            isolate.send(&own_page("GET", "https://app.test/x").header("cookie", &sent)).status,
            PASSED
        );
        let forward = world.passed.borrow_mut().pop().expect("it went on");
        assert!(
            forward.headers.contains(&("cookie".to_owned(), "a=1; b=2".to_owned())),
            "{:?}",
            forward.headers
        );
    }
    assert!(
        postern::api::http::session_cookie::is_ours("__Host-postern-admin"),
        "the application sets none either"
    );
    assert!(postern::api::http::session_cookie::is_ours("postern-admin"));
}

#[test]
fn a_port_that_is_named_must_be_the_one() {
    let world = World::new();
    let isolate = behind(&world, &[("ADMIN_HOST", "127.0.0.1:8787")]);
    let at = |origin: &str| place(&isolate, &own_page("GET", &format!("{origin}{SESSION}"))).0;
    assert_eq!(at("http://127.0.0.1:8787"), "here");
    for other in ["http://127.0.0.1", "http://127.0.0.1:8788", "http://localhost:8787"] {
        assert_eq!(at(other), "elsewhere", "{other}");
        assert_eq!(isolate.get(&format!("{other}/x"), "").status, PASSED, "{other}");
    }
}

#[test]
fn without_an_admin_host_there_is_no_console_where_an_application_may_share_the_host() {
    let world = World::new();
    let off: [&[(&str, &str)]; 4] = [
        &[("ORIGIN_URL", "http://origin.test")],
        &[("ORIGINS", r#"[{"path":"/a","url":"http://origin.test"}]"#)],
        &[("LOGIN_URL", "https://portal.test/login")],
        &[("PUBLIC_ORIGIN", "https://app.test")],
    ];
    let cookie = signed_in(&world.isolate());
    for variables in off {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, Some(*value))).collect();
        let isolate = world.isolate_with(&variables);
        assert_eq!(
            place(&isolate, &own_page("GET", SESSION)),
            ("off".to_owned(), Value::Null),
            "{variables:?}"
        );
        assert_eq!(sign_in_at(&isolate, ORIGIN).status, 404, "{variables:?}");
        assert_eq!(manages(&isolate, &cookie), (401, "missing"), "{variables:?}");
        let set = [variables, vec![("ADMIN_HOST", Some("postern.test"))]].concat();
        assert_eq!(manages(&world.isolate_with(&set), &cookie), (200, ""), "{set:?}");
    }
    for own in [ORIGIN, "https://postern.test"] {
        let isolate = world.isolate_with(&[("PUBLIC_ORIGIN", Some(own))]);
        assert_eq!(manages(&isolate, &cookie), (200, ""), "{own}");
    }
}

/// A proxy may serve an application and Postern on one host, whose name it sends.
#[test]
fn behind_a_proxy_that_names_another_host_the_console_wants_an_admin_host() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = signed_in(&isolate);
    let by = |isolate: &Isolate<'_>, host: &str| {
        isolate
            .send(
                &own_page("GET", "/v1/users")
                    .header("cookie", &cookie)
                    .header("x-forwarded-host", host),
            )
            .status
    };
    assert_eq!((by(&isolate, "app.test"), by(&isolate, "postern.test, app.test")), (401, 401));
    assert_eq!((by(&isolate, "postern.test"), by(&isolate, "Postern.test:8080")), (200, 200));
    let named = world.isolate_with(&[("ADMIN_HOST", Some("postern.test"))]);
    assert_eq!(
        by(&named, "admin.example.com"),
        200,
        "the operator has said that the host is the console's"
    );
}

#[test]
fn the_host_must_be_another_one_than_the_applications() {
    let world = World::new();
    let refused = |variables: &[(&str, &str)]| {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, Some(*value))).collect();
        let response = world.isolate_with(&variables).get("/health", "");
        (response.status, json_of(&response)["detail"].as_str().unwrap_or_default().to_owned())
    };
    let origins = r#"[{"host":"admin.test","url":"http://origin.test"}]"#;
    let public = [
        ("ORIGIN_URL", "http://origin.test"),
        ("PUBLIC_ORIGIN", "https://admin.test"),
        ("ADMIN_HOST", "Admin.test"),
    ];
    for (variables, named) in [
        (&[("ORIGINS", origins), ("ADMIN_HOST", "admin.test")][..], "ORIGINS"),
        (&public[..], "PUBLIC_ORIGIN"),
    ] {
        let (status, detail) = refused(variables);
        assert!(
            status == 503
                && detail
                    .contains(&format!("ADMIN_HOST must be another host than that of {named}")),
            "{detail}"
        );
    }
    let (status, detail) = refused(&[("ADMIN_HOST", "https://admin.test")]);
    assert!(
        status == 503 && detail.contains("ADMIN_HOST must be a host like admin.example.com"),
        "{detail}"
    );
    assert_eq!(
        refused(&[("PUBLIC_ORIGIN", "https://admin.test"), ("ADMIN_HOST", "admin.test")]).0,
        200,
        "no application"
    );
}

/// With a route by path, a Worker in front, or nginx with its defaults, an application has the same
/// web origin, and its requests look like the console's.
#[test]
fn nobody_signs_in_on_a_host_that_an_application_may_share() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer("GET", "/v1/users", &Value::Null);
    let told = |host: &str| {
        json_of(&isolate.get(&format!("{host}/v1/console/session"), ""))["signIn"].clone()
    };
    for own in
        ["http://localhost:8787", "http://127.0.0.1:8787", "https://postern.acme.workers.dev"]
    {
        assert_eq!(told(own), "here", "{own}");
        assert_eq!(sign_in_at(&isolate, own).status, 201, "{own}");
    }
    for shared in ["https://app.example.com", "https://gate.example.com", "http://10.0.0.5:8787"] {
        assert_eq!(told(shared), "off", "{shared}");
        assert_eq!(sign_in_at(&isolate, shared).status, 404, "{shared}");
    }
}

/// A proxy of the application sends requests to the console's host, and the page is one of the
/// application.
#[test]
fn a_page_of_another_origin_does_not_sign_in_whatever_else_the_browser_says() {
    let world = World::new();
    let isolate = world.isolate_with(&[("ADMIN_HOST", Some("admin.test"))]);
    let by = |host: &str, origin: &str| {
        let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
        let request =
            own_page("POST", &format!("{host}/v1/console/session")).header("origin", origin);
        isolate.send(&request.body(&body)).status
    };
    assert_eq!(by("https://admin.test", "https://admin.test"), 201);
    assert_eq!(by("https://admin.test", "https://app.example.com"), 403);
    assert_eq!(by("https://admin.test", "null"), 403);
}
