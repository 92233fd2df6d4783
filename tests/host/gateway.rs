//! Requests that go on to the origin, and as whom. `tests/edge/gateway.test.mjs` tests the
//! transport.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::api::http::message::{Forward, Response};
use serde_json::json;

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, basic, json_of};

const ORIGIN: &str = "http://origin.test:8080/base";

/// The status of the tests' answer to a request that went on.
const PASSED: u16 = 299;

fn gateway<'a>(world: &'a World, more: &[(&str, &str)]) -> Isolate<'a> {
    let mut variables = vec![("ORIGIN_URL", Some(ORIGIN)), ("ORIGIN_PUBLIC", Some("/static"))];
    variables.extend(more.iter().map(|(name, value)| (*name, Some(*value))));
    let isolate = world.isolate_with(&variables);
    isolate.register(&json!({}));
    isolate
}

fn passed(isolate: &Isolate<'_>, request: &Request) -> Forward {
    let response = isolate.send(request);
    assert_eq!(response.status, PASSED, "{}", response.body);
    isolate.world.passed.borrow_mut().pop().expect("it went on")
}

fn refused(isolate: &Isolate<'_>, request: &Request, status: u16) -> Response {
    let response = isolate.send(request);
    assert_eq!(response.status, status, "{}", response.body);
    assert!(isolate.world.passed.borrow().is_empty(), "nothing went on");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    response
}

fn value<'a>(forward: &'a Forward, name: &str) -> Option<&'a str> {
    let mut values =
        forward.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = values.next();
    assert_eq!(values.next(), None, "{name} is there once");
    first
}

fn sign_in(isolate: &Isolate<'_>) -> (String, String) {
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let response = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body));
    let cookie = response
        .header("set-cookie")
        .and_then(|cookie| cookie.split([';', '=']).nth(1))
        .expect("a cookie")
        .to_owned();
    (response.body, cookie)
}

/// Begins a session for alice by a page with a token in its URL. Returns the session's value.
fn begin(isolate: &Isolate<'_>) -> String {
    let page = Request::new("GET", &format!("/page?token={}", isolate.token("alice")))
        .header("sec-fetch-mode", "navigate");
    let response = isolate.send(&page);
    assert_eq!(response.status, 303, "{}", response.body);
    response
        .header("set-cookie")
        .and_then(|cookie| cookie.split([';', '=']).nth(1))
        .expect("a session")
        .to_owned()
}

#[test]
fn a_verified_request_goes_on_with_who_calls_and_without_the_token() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let request = Request::new(
        "GET",
        &format!("/reports/a%20b?q=1%25&token={}&x=%zz", isolate.token("ålice")),
    );
    let forward =
        passed(&isolate, &request.header("accept", "text/html").header("x-custom", "kept"));
    assert_eq!(forward.url, "http://origin.test:8080/base/reports/a%20b?q=1%25&x=%zz");
    assert_eq!(value(&forward, "x-auth-user"), Some("%C3%A5lice"));
    assert_eq!(value(&forward, "x-auth-user-id"), Some("2"));
    assert_eq!(value(&forward, "x-auth-roles"), Some("SYS_Reader"));
    assert_eq!(value(&forward, "x-auth-app"), Some("ERP"));
    assert_eq!(value(&forward, "x-auth-name"), Some(""));
    assert_eq!(
        (value(&forward, "accept"), value(&forward, "x-custom")),
        (Some("text/html"), Some("kept"))
    );
    assert_eq!(value(&forward, "x-forwarded-for"), Some("203.0.113.9"));
    assert_eq!(value(&forward, "x-forwarded-host"), Some("postern.test"));
    assert_eq!(value(&forward, "x-forwarded-proto"), Some("http"));
    assert_eq!((value(&forward, "upgrade"), forward.timeout_s), (None, 60));
    assert_eq!(forward.answer_headers[0].0, "x-request-id");
}

#[test]
fn each_kind_of_credential_is_removed_and_nothing_else() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let (token, cookie) = sign_in(&isolate);
    let session = begin(&isolate);
    let jwt = isolate.token("alice");
    let own = "JSESSIONID=0123456789ABCDEF.node1";
    let get = || {
        Request::new("GET", "/x")
            .header("cookie", &format!("a=b; JSESSIONID={cookie}; {own}; c=d; postern={session}"))
    };
    let others = Some("a=b; JSESSIONID=0123456789ABCDEF.node1; c=d");

    for (name, sent, user) in [
        ("authorization", format!("Bearer {jwt}"), "alice"),
        ("authorization", admin(), "admin"),
        ("x-auth-token", token, "admin"),
        ("accept", "*/*".to_owned(), "alice"),
    ] {
        let forward = passed(&isolate, &get().header(name, &sent));
        assert_eq!(value(&forward, "x-auth-user"), Some(user), "{sent}");
        assert_eq!(
            (value(&forward, "authorization"), value(&forward, "x-auth-token")),
            (None, None),
            "{sent}"
        );
        assert_eq!(
            value(&forward, "cookie"),
            others,
            "no credential of ours goes on, whichever counted: {sent}"
        );
    }
    let forward = passed(
        &isolate,
        &Request::new("GET", "/static/x").header("cookie", &format!("postern={session}")),
    );
    assert_eq!(value(&forward, "cookie"), None, "nor on a path that is public");
    for (sent, arrives) in [
        (format!("postern={session},a=1"), Some("a=1")),
        (format!("a=1;postern={session};"), Some("a=1")),
    ] {
        let forward = passed(&isolate, &Request::new("GET", "/x").header("cookie", &sent));
        assert_eq!(
            (value(&forward, "cookie"), value(&forward, "x-auth-user")),
            (arrives, Some("alice")),
            "{sent}"
        );
    }
    // Behind a comma it is no credential for Postern. It is removed all the same, because some
    // servers read it as a cookie.
    let sent = format!("a=1,2; b=3, postern={session}");
    assert_eq!(isolate.send(&Request::new("GET", "/x").header("cookie", &sent)).status, 401);
    let forward = passed(
        &isolate,
        &Request::new("GET", "/x").header("cookie", &sent).authorization(&admin()),
    );
    assert_eq!(value(&forward, "cookie"), Some("a=1,2; b=3"));
}

#[test]
fn no_token_is_in_the_url_or_the_referer_whatever_the_credential() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    isolate.register(&json!({ "name": "CRM", "token_name": "crm", "secret": "other" }));
    let (opaque, _) = sign_in(&isolate);
    let jwt = isolate.token("alice");
    let referer = format!("http://postern.test/page?token={jwt}&tab=2&crm={jwt}");
    for request in [
        Request::new("GET", &format!("/x?token={jwt}&a=1")).header("referer", &referer),
        Request::new("GET", &format!("/x?token={jwt}&a=1"))
            .header("referer", &referer)
            .header("x-auth-token", &opaque),
        Request::new("GET", &format!("/x?%74oken={jwt}&a=1"))
            .header("referer", &referer)
            .authorization(&admin()),
        Request::new("GET", &format!("/static/x?token={jwt}&a=1")).header("referer", &referer),
    ] {
        let forward = passed(&isolate, &request);
        assert!(forward.url.ends_with("/x?a=1"), "{}", forward.url);
        assert_eq!(value(&forward, "referer"), Some("http://postern.test/page?tab=2"));
        let text = format!("{forward:?}");
        assert!(!text.contains(&jwt) && !text.contains(&opaque), "{text}");
    }
    // This `token` parameter is the origin's own, because its value is not one of Postern's tokens.
    let forward = passed(&isolate, &Request::new("GET", "/static/reset?token=abc123"));
    assert!(forward.url.ends_with("/static/reset?token=abc123"));
}

#[test]
fn what_is_sent_is_what_was_decided_about_and_only_public_answers_are_for_everybody() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    for (path, sent) in [("/a/../b/%2e", "/b/"), ("/a\\.\\b", "/a/b"), ("/a%2fb//c", "/a%2fb//c")] {
        let forward = passed(&isolate, &Request::new("GET", path).authorization(&admin()));
        assert_eq!(forward.url, format!("{ORIGIN}{sent}"));
        assert!(!forward.is_for_everybody);
    }
    assert!(passed(&isolate, &Request::new("GET", "/static/x")).is_for_everybody);
    assert!(
        passed(&isolate, &Request::new("GET", "/static/x").authorization(&admin()))
            .is_for_everybody,
        "nobody's name is in it"
    );
}

#[test]
fn what_a_client_says_about_itself_never_arrives() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let lies = [
        "x-auth-user",
        "x-auth-user-id",
        "x-auth-name",
        "x-auth-email",
        "x-auth-roles",
        "x-auth-app",
        "x_auth_user",
        "x-auth_user",
        "x.auth.user",
        "x_auth_app",
        "x-auth-token",
        "x-auth-claim-tenant",
        "X_AUTH.Anything",
        "x-postern-assertion",
        "x-postern-bookmark",
        "X_Postern.Anything",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x_forwarded_for",
        "x-real-ip",
        "forwarded",
        "x-original-url",
        "x-original-uri",
        "x-original-host",
        "x-rewrite-url",
        "x-request-id",
        "script_name",
        "script-name",
        "path_info",
        "x-script-name",
        "x-envoy-original-path",
        "x-host",
        "x-http-host-override",
        "x-sendfile-type",
        "x-accel-mapping",
        "true-client-ip",
        "x-client-ip",
        "client_ip",
        "x-cluster-client-ip",
    ];
    for path in ["/x", "/static/x"] {
        let request =
            lies.iter().fold(Request::new("GET", path).authorization(&admin()), |request, name| {
                request.header(name, "a lie")
            });
        let forward = passed(&isolate, &request);
        assert!(!format!("{forward:?}").contains("a lie"), "{forward:?}");
    }
    let forward = passed(&isolate, &Request::new("GET", "/static/x"));
    assert_eq!(value(&forward, "x-auth-user"), None, "nobody asked who it is");
    let forward = passed(
        &isolate,
        &Request::new("GET", "/x")
            .authorization(&admin())
            .header("x-forwarded-for", "198.51.100.1"),
    );
    assert_eq!(
        value(&forward, "x-forwarded-for"),
        Some("198.51.100.1, 203.0.113.9"),
        "as a CDN does"
    );
}

#[test]
fn hop_by_hop_headers_are_not_forwarded() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let request = Request::new("GET", "/x")
        .authorization(&admin())
        .header("connection", "keep-alive, X-Hop")
        .header("x-hop", "1")
        .header("keep-alive", "1")
        .header("te", "trailers")
        .header("transfer-encoding", "chunked")
        .header("proxy-authorization", "x")
        .header("upgrade", "h2c")
        .header("host", "postern.test")
        .header("content-length", "0");
    let forward = passed(&isolate, &request);
    for name in [
        "connection",
        "x-hop",
        "keep-alive",
        "te",
        "transfer-encoding",
        "proxy-authorization",
        "upgrade",
        "host",
        "content-length",
    ] {
        assert_eq!(value(&forward, name), None, "{name}");
    }
    let upgrade = Request::new("GET", "/x")
        .authorization(&admin())
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    let forward = passed(&isolate, &upgrade);
    assert_eq!(value(&forward, "upgrade"), Some("websocket"));
}

#[test]
fn a_request_without_a_valid_credential_is_refused() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let good = isolate.token("alice");
    let forged = format!(
        "{}.{}",
        good.rsplit_once('.').expect("a token").0,
        Base64UrlUnpadded::encode_string(&[7; 32])
    );
    assert_eq!(json_of(&refused(&isolate, &Request::new("GET", "/x"), 401))["reason"], "missing");
    let with_forged = Request::new("GET", &format!("/x?token={forged}"));
    assert_eq!(json_of(&refused(&isolate, &with_forged, 401))["reason"], "bad_signature");
    assert_eq!(
        json_of(&refused(
            &isolate,
            &Request::new("GET", &format!("/x?token={good}&token={good}")),
            400
        ))["field"],
        "token"
    );
    let wrong_first = Request::new("GET", &format!("/x?token={good}"))
        .header("authorization", &basic("admin", "wrong"));
    refused(&isolate, &wrong_first, 401);
    refused(&isolate, &Request::new("OPTIONS", "/x"), 401);
    refused(&isolate, &Request::new("TRACE", "/x").authorization(&admin()), 405);
}

#[test]
fn a_cookie_of_another_origin_may_read_and_no_more() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let session = begin(&isolate);
    let from_elsewhere = |method: &str| {
        Request::new(method, "/x")
            .header("cookie", &format!("postern={session}"))
            .header("origin", "https://evil.example")
    };
    refused(&isolate, &from_elsewhere("POST"), 403);
    refused(&isolate, &from_elsewhere("GET").header("upgrade", "websocket"), 403);
    passed(&isolate, &from_elsewhere("GET"));
    let own = Request::new("POST", "/x")
        .header("cookie", &format!("postern={session}"))
        .header("origin", "http://postern.test");
    passed(&isolate, &own);
    let hidden = |site: &str| {
        let request = Request::new("POST", "/x")
            .header("cookie", &format!("postern={session}"))
            .header("origin", "null");
        if site.is_empty() { request } else { request.header("sec-fetch-site", site) }
    };
    passed(&isolate, &hidden("same-origin"));
    for site in ["", "none", "same-site", "cross-site"] {
        refused(&isolate, &hidden(site), 403);
    }
    refused(&isolate, &from_elsewhere("POST").header("sec-fetch-site", "same-origin"), 403);
}

#[test]
fn the_rules_of_the_destination_of_a_copy_or_move_hold_too() {
    let world = World::new();
    let rules = r#"[{"path": "/dav/own", "roles": ["SYS_Reader"]},
        {"path": "/dav/all", "roles": ["ops"]}]"#;
    let isolate = gateway(&world, &[("ORIGIN_RULES", rules)]);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let to = |destination: &str| {
        let request = Request::new("MOVE", "/dav/own/a")
            .authorization(&bearer)
            .header("destination", destination);
        isolate.send(&request).status
    };
    for own in
        ["http://postern.test/dav/own/b", "/dav/own/b", "https://other.test/dav/own/b?x=/dav/all"]
    {
        assert_eq!(to(own), PASSED, "{own}");
    }
    for others in [
        "http://postern.test/dav/all/b",
        "/dav/all/b",
        " /dav/all/b ",
        "/dav/own/../all/b",
        "/dav/own//../../all/b",
        "/dav/own/..%2f..%2fdav/all/b",
        "http://postern.test/dav/%61ll/b",
        "http://postern.test/DAV/all/b#x",
        "/dav/own/b, /dav/all/b",
    ] {
        assert_eq!(to(others), 403, "{others}");
    }
    for unclear in ["", "dav/all/b", "http:/dav/all/b", "\\dav\\all\\b", "/dav/../../dav/all/b"] {
        assert_eq!(to(unclear), 400, "{unclear:?}");
    }
    let read = Request::new("GET", "/dav/own/a")
        .authorization(&bearer)
        .header("destination", "/dav/all/b");
    assert_eq!(
        value(&passed(&isolate, &read.header("x-http-method-override", "MOVE")), "destination"),
        None,
        "GET names none"
    );
    world.passed.borrow_mut().clear();
    let from_public =
        |destination: &str| Request::new("COPY", "/static/a").header("destination", destination);
    passed(&isolate, &from_public("/static/b"));
    refused(&isolate, &from_public("/dav/own/b"), 401);
    refused(&isolate, &from_public("/dav/own/b").authorization(&basic("admin", "wrong")), 401);
}

const RULES: &str = r#"[
    {"path": "/reports", "methods": ["GET"], "service": 7, "permission": "VIEW"},
    {"path": "/reports", "methods": ["POST"], "service": 7, "permission": "MODIFY"},
    {"path": "/static/private", "service": 8, "permission": "VIEW"}
]"#;

#[test]
fn a_rule_demands_a_grant_and_a_cold_check_costs_one_round_trip() {
    let world = World::new();
    let isolate = gateway(&world, &[("ORIGIN_RULES", RULES)]);
    let alice = format!("Bearer {}", isolate.token("alice"));
    let send = |method: &str, path: &str| Request::new(method, path).authorization(&alice);
    passed(&isolate, &send("GET", "/elsewhere"));
    let body = json_of(&refused(&isolate, &send("GET", "/reports/1"), 403));
    assert_eq!(body["detail"], "the permission VIEW on service 7 is needed");
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["VIEW"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &grant).status, 200);
    passed(&isolate, &send("GET", "/reports/1"));
    passed(&isolate, &send("HEAD", "/reports/1"));
    refused(&isolate, &send("POST", "/reports/1"), 403);
    refused(&isolate, &send("GET", "/static/private/x"), 403);
    refused(&isolate, &Request::new("GET", "/static/private/x"), 401);
    let response = refused(&isolate, &send("DELETE", "/reports/1"), 405);
    assert_eq!(response.header("allow"), Some("GET, HEAD, POST"));
    refused(&isolate, &Request::new("DELETE", "/reports/1"), 401);

    let cold = world.isolate_with(&[("ORIGIN_URL", Some(ORIGIN)), ("ORIGIN_RULES", Some(RULES))]);
    let before = world.database.batches.get();
    passed(&cold, &send("GET", "/reports/1"));
    assert_eq!(world.database.batches.get() - before, 1);
    passed(&cold, &send("GET", "/reports/1"));
    assert_eq!(world.database.batches.get() - before, 1, "warm, it costs nothing");
}

#[test]
fn no_spelling_gets_around_a_rule_and_no_header_changes_the_method() {
    let world = World::new();
    let isolate = gateway(&world, &[("ORIGIN_RULES", RULES)]);
    let alice = format!("Bearer {}", isolate.token("alice"));
    for path in [
        "/static/..%2freports",
        "/Reports",
        "/%72eports",
        "/x/..%5creports",
        "//reports",
        "/reports;a=b",
        "/x/%252e%252e/reports",
    ] {
        refused(&isolate, &Request::new("GET", path).authorization(&alice), 403);
    }
    for path in [
        "/reports.json",
        "/reports%20",
        "/reports::$DATA",
        "/reports%3fx",
        "/reports%23x",
        "/%72eports/..%2fstatic",
    ] {
        refused(&isolate, &Request::new("GET", path).authorization(&alice), 403);
    }
    for path in [
        "/reports%00",
        "/..%2fbase/reports",
        "/..%2fsecret",
        "/../x",
        "/static/..;/reports",
        "/%u0072eports",
    ] {
        refused(&isolate, &Request::new("GET", path).authorization(&alice), 400);
    }
    let sly = Request::new("POST", "/elsewhere")
        .authorization(&alice)
        .header("x-http-method-override", "DELETE");
    assert_eq!(value(&passed(&isolate, &sly), "x-http-method-override"), None);
    for name in [
        "_method",
        "%5fmethod",
        "%255Fmethod",
        "_METHOD",
        "_method[]",
        "+.method",
        "a;_method",
        "_method%00x",
        "%5bmethod",
    ] {
        let sly =
            Request::new("POST", &format!("/elsewhere?a=b&{name}=DELETE")).authorization(&alice);
        refused(&isolate, &sly, 400);
    }
    for query in ["method=a", "x_method=a", "_methods=a", "a=_method", "%zz=_method"] {
        passed(
            &isolate,
            &Request::new("POST", &format!("/elsewhere?{query}")).authorization(&alice),
        );
    }
    let without_methods = gateway(&world, &[]);
    passed(
        &without_methods,
        &Request::new("POST", "/elsewhere?_method=DELETE").authorization(&alice),
    );
}

#[test]
fn what_a_dialect_owns_is_never_the_origins() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    for path in ["/v1/nowhere", "/health/nowhere", "/scim/v2/nowhere", "/access/v1/nowhere"] {
        assert_eq!(
            isolate.send(&Request::new("GET", path).authorization(&admin())).status,
            404,
            "{path}"
        );
    }
    for path in [
        "/%69manager/cloud/web/nodes/server.json",
        "//imanager/cloud/web/nodes/server",
        "/x/..%2fv1/users",
        "/V1/users",
        "/v1;x/users",
        "/%2576%2531",
        "/v1.json",
        "/v1%20/users",
        "/health.json",
        "/imanager/security/tokens%3fx",
    ] {
        assert_eq!(
            isolate.send(&Request::new("POST", path).authorization(&admin())).status,
            404,
            "{path}, whatever the origin takes it for"
        );
    }
    assert!(world.passed.borrow().is_empty());
    for path in ["/", "/v1x", "/imanagerx", "/api/v1/other", "/healthy"] {
        passed(&isolate, &Request::new("GET", path).authorization(&admin()));
    }
    assert_eq!(
        world.isolate().send(&Request::new("GET", "/x").authorization(&admin())).status,
        404,
        "without ORIGIN_URL"
    );
    let home = world.isolate().send(&Request::new("GET", "/"));
    assert_eq!((home.status, home.header("location")), (302, Some("/v1/console/")));
}

#[test]
fn orders_of_nodes_go_on_where_the_deployment_says_so() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &[
            ("ORIGIN_NODES", "1"),
            ("ORIGIN_RULES", r#"[{"path":"/imanager","service":9,"permission":"ADD"}]"#),
        ],
    );
    let path = "/imanager/cloud/web/nodes/server.json";
    let (token, _) = sign_in(&isolate);
    let forward =
        passed(&isolate, &Request::new("POST", path).header("x-auth-token", &token).body("{}"));
    assert_eq!(forward.url, format!("{ORIGIN}{path}"));
    assert_eq!(
        (value(&forward, "x-auth-user"), value(&forward, "x-auth-token")),
        (Some("admin"), None)
    );
    let creator =
        json!({ "username": "cleo", "password": "correct horse cleo", "type": "SYS_Creator" });
    assert_eq!(isolate.administer("POST", "/v1/users", &creator).status, 201);
    let response = isolate.send(
        &Request::new("POST", path).authorization(&basic("cleo", "correct horse cleo")).body("{}"),
    );
    assert_eq!(
        (response.status, json_of(&response)["isSucceed"].clone()),
        (403, json!(false)),
        "the rule binds here too: {}",
        response.body
    );
    let response = isolate.send(&Request::new("POST", path).body("{}"));
    assert_eq!((response.status, json_of(&response)["resultId"].clone()), (401, json!(null)));
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM node_orders"),
        0,
        "nothing is written down here"
    );
}

#[test]
fn a_page_of_a_listed_origin_may_call_the_origin_through_the_gateway() {
    let world = World::new();
    let isolate = gateway(&world, &[("CORS_ORIGINS", "https://app.example.com")]);
    let from = |method: &str, origin: &str| Request::new(method, "/x").header("origin", origin);
    let preflight =
        |origin: &str| from("OPTIONS", origin).header("access-control-request-method", "PUT");
    let response = isolate.send(&preflight("https://app.example.com"));
    assert_eq!(
        (response.status, response.header("access-control-allow-methods")),
        (204, Some("PUT"))
    );
    refused(&isolate, &preflight("https://evil.example"), 403);
    let forward = passed(&isolate, &from("PUT", "https://app.example.com").authorization(&admin()));
    assert!(
        forward
            .answer_headers
            .contains(&("access-control-allow-origin", "https://app.example.com".into()))
    );
    let forward = passed(&isolate, &from("PUT", "https://evil.example").authorization(&admin()));
    assert!(!forward.answer_headers.iter().any(|(name, _)| name.starts_with("access-control")));
}
