//! Methods that pass the gateway, and preflight requests, by which a browser asks whether a page
//! may call.

use postern::api::http::message::Forward;
use postern::domain::method;
use serde_json::json;

use crate::support::{Isolate, Request, World, admin, json_of};

const PASSED: u16 = 299;

const RULES: &str = r#"[
    {"path": "/dav", "methods": ["propfind", "REPORT", "GET"], "service": 7, "permission": "VIEW"},
    {"path": "/dav", "methods": ["MKCOL", "PUT"], "service": 7, "permission": "MODIFY"},
    {"path": "/closed", "service": 8, "permission": "VIEW"}
]"#;

fn gateway<'a>(world: &'a World, more: &[(&str, &str)]) -> Isolate<'a> {
    let mut variables = vec![("ORIGIN_URL", Some("http://origin.test"))];
    variables.extend(more.iter().map(|(name, value)| (*name, Some(*value))));
    world.isolate_with(&variables)
}

fn passed(isolate: &Isolate<'_>, request: &Request) -> Forward {
    let response = isolate.send(request);
    assert_eq!(response.status, PASSED, "{}", response.body);
    isolate.world.passed.borrow_mut().pop().expect("it went on")
}

fn names(forward: &Forward) -> Vec<&str> {
    forward.headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// A preflight as a browser sends it: with the page's origin, and without a credential.
fn preflight(path: &str, method: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", method)
}

#[test]
fn every_method_passes_but_connect_and_trace() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    for name in method::KNOWN.into_iter().chain(["MKCALENDAR", "BREW"]) {
        let forward = passed(&isolate, &Request::new(name, "/x").authorization(&admin()));
        assert!(forward.has_body && !forward.is_preflight, "{name}");
        assert_eq!(
            isolate.send(&Request::new(name, "/x")).status,
            401,
            "{name} without a credential"
        );
    }
    for name in ["CONNECT", "TRACE", "trace", "get", "G(T"] {
        let response = isolate.send(&Request::new(name, "/x").authorization(&admin()));
        assert_eq!(response.status, 405, "{name}");
        assert!(
            response
                .header("allow")
                .is_some_and(|allow| allow.contains("PROPFIND") && !allow.contains("TRACE")),
            "{name}"
        );
    }
    assert!(world.passed.borrow().is_empty());
}

#[test]
fn rules_name_any_method() {
    let world = World::new();
    let isolate = gateway(&world, &[("ORIGIN_RULES", RULES)]);
    isolate.register(&json!({}));
    let alice = format!("Bearer {}", isolate.token("alice"));
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 200);
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["VIEW"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &grant).status, 200);
    let send = |method: &str| isolate.send(&Request::new(method, "/dav/a").authorization(&alice));
    for (method, status) in [
        ("PROPFIND", PASSED),
        ("REPORT", PASSED),
        ("HEAD", PASSED),
        ("MKCOL", 403),
        ("PUT", 403),
        ("LOCK", 405),
    ] {
        assert_eq!(send(method).status, status, "{method}");
    }
    assert_eq!(send("COPY").header("allow"), Some("GET, HEAD, PUT, MKCOL, PROPFIND, REPORT"));
    for methods in [r#"["TRACE"]"#, r#"["connect"]"#, r#"["GET POST"]"#, r#"[""]"#] {
        let rules =
            format!(r#"[{{"path":"/a","service":1,"permission":"VIEW","methods":{methods}}}]"#);
        assert_eq!(
            gateway(&world, &[("ORIGIN_RULES", &rules)])
                .send(&Request::new("GET", "/health"))
                .status,
            503,
            "{methods}"
        );
    }
}

#[test]
fn a_preflight_reaches_the_origin_as_a_question_and_as_nothing_else() {
    let world = World::new();
    let isolate = gateway(&world, &[("ORIGIN_RULES", RULES)]);
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    let request = preflight(&format!("/closed/a?x=1&token={token}"), "PROPFIND")
        .header("access-control-request-headers", "x-requested-with, depth")
        .header("cookie", "session=1")
        .header("authorization", "Bearer x")
        .header("x-auth-user", "root")
        .header("x-http-method-override", "DELETE")
        .header("x-custom", "1")
        .header("content-type", "text/plain")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("user-agent", "a browser")
        .body("a body");
    let forward = passed(&isolate, &request);
    assert_eq!(forward.url, "http://origin.test/closed/a?x=1");
    assert!(!forward.has_body && forward.authority.is_none());
    assert!(forward.is_preflight, "nobody reads a page by the answer");
    let expected = [
        "access-control-request-headers",
        "access-control-request-method",
        "origin",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
    ];
    assert_eq!(names(&forward), expected);
    assert!(
        !forward.answer_headers.iter().any(|(name, _)| *name == "vary"),
        "nothing depends on the page's origin"
    );
}

#[test]
fn only_a_real_preflight_passes_without_a_credential() {
    let world = World::new();
    let isolate = gateway(&world, &[("ORIGIN_RULES", RULES)]);
    let origin = ("origin", "https://app.example.com");
    let method = ("access-control-request-method", "PUT");
    let long = "x".repeat(2049);
    for (sent_as, headers) in [
        ("OPTIONS", vec![origin]),
        ("OPTIONS", vec![method]),
        ("OPTIONS", vec![("origin", " "), method]),
        ("OPTIONS", vec![origin, ("access-control-request-method", "PUT, GET")]),
        ("OPTIONS", vec![origin, ("access-control-request-method", "TRACE")]),
        ("OPTIONS", vec![origin, method, ("access-control-request-headers", "a b")]),
        ("OPTIONS", vec![origin, method, ("access-control-request-headers", long.as_str())]),
        ("POST", vec![origin, method]),
        ("GET", vec![origin, method]),
    ] {
        let request = headers.iter().fold(Request::new(sent_as, "/x"), |request, (name, value)| {
            request.header(name, value)
        });
        assert_eq!(isolate.send(&request).status, 401, "{sent_as} {headers:?}");
    }
    let response = isolate.send(&preflight("/dav/a", "LOCK"));
    assert_eq!(
        (response.status, response.header("allow")),
        (405, Some("GET, HEAD, PUT, MKCOL, PROPFIND, REPORT"))
    );
    assert_eq!(isolate.send(&preflight("/dav/a?_method=PUT", "PUT")).status, 400);
    assert_eq!(
        gateway(&world, &[]).send(&preflight("/x?_method=PUT", "PUT")).status,
        400,
        "also without rules"
    );
    assert_eq!(isolate.send(&preflight("/a/..%2f..%2fb", "PUT")).status, 400);
    assert_eq!(isolate.send(&preflight("/imanager//security/tokens", "POST")).status, 404);
    assert_eq!(
        isolate.send(&preflight("/imanager/security/tokens", "POST")).status,
        405,
        "a route of Postern's own"
    );
    assert!(world.passed.borrow().is_empty());
}

#[test]
fn where_origins_are_listed_postern_answers_what_was_asked() {
    let world = World::new();
    let isolate =
        gateway(&world, &[("ORIGIN_RULES", RULES), ("CORS_ORIGINS", "https://app.example.com")]);
    let asked = "X-Requested-With, depth,if-none-match";
    for path in ["/x", "/closed/a", "/v1/users", "/imanager/services.json"] {
        let method = if path == "/v1/users" { "POST" } else { "PROPFIND" };
        let response =
            isolate.send(&preflight(path, method).header("access-control-request-headers", asked));
        assert_eq!(response.status, 204, "{path}");
        assert_eq!(response.header("access-control-allow-methods"), Some(method));
        assert_eq!(response.header("access-control-allow-headers"), Some(asked));
        assert_eq!(response.header("access-control-allow-origin"), Some("https://app.example.com"));
        assert_eq!(response.header("vary"), Some("origin"));
    }
    assert_eq!(
        isolate.send(&preflight("/x", "PUT")).header("access-control-allow-headers"),
        None,
        "none was asked for"
    );
    let other = Request::new("OPTIONS", "/x")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "PUT");
    let refused = isolate.send(&other);
    assert_eq!(
        (refused.status, refused.header("x-postern-reason")),
        (403, Some("cross_origin")),
        "the list is Postern's to keep"
    );
    assert!(refused.body.contains("CORS_ORIGINS"), "{}", refused.body);
    for headers in ["a b", "a\u{e4}", "a, (b)", &"x".repeat(2049)] {
        let response =
            isolate.send(&preflight("/x", "PUT").header("access-control-request-headers", headers));
        assert_eq!(
            (response.status, response.header("access-control-allow-headers")),
            (401, None),
            "{headers}"
        );
    }
    assert_eq!(
        isolate.send(&preflight("/v1/users", "LOCK")).status,
        405,
        "which the route does not have"
    );
    assert!(world.passed.borrow().is_empty());
}

#[test]
fn every_answer_that_depends_on_the_pages_origin_says_so() {
    let world = World::new();
    let isolate = gateway(&world, &[("CORS_ORIGINS", "https://app.example.com")]);
    for origin in [None, Some("https://app.example.com"), Some("https://evil.example")] {
        let with_origin = |request: Request| {
            origin.map_or(request.clone(), |origin| request.header("origin", origin))
        };
        for path in ["/health", "/v1/users", "/imanager/security/tokens", "/x"] {
            let response = isolate.send(&with_origin(Request::new("GET", path)));
            let vary: Vec<_> =
                response.headers.iter().filter(|(name, _)| *name == "vary").collect();
            assert_eq!(vary, [&("vary", "origin".into())], "{path} {origin:?}");
        }
        let forward =
            passed(&isolate, &with_origin(Request::new("GET", "/x").authorization(&admin())));
        assert!(forward.answer_headers.contains(&("vary", "origin".into())), "{origin:?}");
    }
    let without = gateway(&world, &[]);
    let response =
        without.send(&Request::new("GET", "/health").header("origin", "https://app.example.com"));
    assert_eq!(response.header("vary"), None);
    assert_eq!(json_of(&response)["status"], "ok", "{}", response.body);
}

#[test]
fn a_preflight_for_what_is_denied_to_everybody_is_refused() {
    let world = World::new();
    let rules = r#"[{"path":"/gone","deny":true},
        {"path":"/some","deny":true,"roles":["guest"]},{"path":"/some","roles":["staff"]}]"#;
    let isolate = gateway(&world, &[("ORIGIN_RULES", rules)]);
    for path in ["/gone", "/gone/a", "/Gone", "/x/..%2fgone"] {
        assert_eq!(isolate.send(&preflight(path, "PUT")).status, 403, "{path}");
    }
    assert!(world.passed.borrow().is_empty());
    passed(&isolate, &preflight("/some/a", "PUT"));
}
