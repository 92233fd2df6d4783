//! Requests of reverse proxies, and which parts of a client's request Postern believes.

use postern::api::http::message::Response;
use serde_json::{Value, json};

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, json_of};

const FORMS: [&str; 3] =
    ["/v1/forward-auth/signed-in", "/v1/forward-auth/7/VIEW", "/v1/forward-auth/rules"];

const RULES: &str = r#"[
    {"path": "/reports", "methods": ["GET"], "service": 7, "permission": "VIEW"},
    {"path": "/reports", "methods": ["POST"], "service": 7, "permission": "MODIFY"}
]"#;

/// A Postern without a gateway. Alice has VIEW on the service 7.
fn postern(world: &World) -> Isolate<'_> {
    let isolate = world.isolate_with(&[
        ("ORIGIN_RULES", Some(RULES)),
        ("ORIGIN_PUBLIC", Some("/static")),
        ("LOGIN_URL", Some("password")),
    ]);
    isolate.register(&json!({}));
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 200);
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["VIEW"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &grant).status, 200);
    isolate
}

fn send(isolate: &Isolate<'_>, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::new(method, path);
    isolate
        .send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

fn cookie(isolate: &Isolate<'_>) -> String {
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let response = isolate.send(&Request::new("POST", "/v1/sign-in").body(&body));
    response
        .header("set-cookie")
        .and_then(|cookie| cookie.split([';', '=']).nth(1))
        .expect("a cookie")
        .to_owned()
}

#[test]
fn an_unknown_parameter_is_refused_with_and_without_a_forwarded_url() {
    let world = World::new();
    let isolate = postern(&world);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    for forwarded in [None, Some("/page?servise=1")] {
        let status = |query: &str| {
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(forwarded.map(|url| ("x-forwarded-uri", url)));
            let response = send(&isolate, "GET", &format!("/v1/forward-auth{query}"), &headers);
            (response.status, json_of(&response)["field"].as_str().map(str::to_owned))
        };
        assert_eq!(status("?servise=99"), (400, Some("servise".to_owned())), "{forwarded:?}");
        assert_eq!(status("?service=7&permission=VIEW&user=1").0, 400, "{forwarded:?}");
        assert_eq!(status("?token=x"), (200, None), "{forwarded:?}");
        assert_eq!(status("?service=7&permission=VIEW"), (200, None), "{forwarded:?}");
    }
    assert_eq!(
        send(&isolate, "GET", "/v1/forward-auth?servise=99", &[]).status,
        400,
        "whoever asks"
    );
    let cold = world.isolate();
    assert_eq!(
        send(&cold, "GET", &format!("/v1/forward-auth?token={}", cold.token("alice")), &[]).status,
        200
    );
}

#[test]
fn a_path_form_reads_no_query_of_its_own() {
    let world = World::new();
    let isolate = postern(&world);
    let token = isolate.token("alice");
    let headers = [("x-forwarded-uri", "/reports"), ("x-forwarded-method", "GET")];
    for form in FORMS {
        for query in
            ["", "?servise=99", "?service=9&permission=DELETE", "?q=100%&%zz=%ff", "?app=nobody"]
        {
            let with_token = send(
                &isolate,
                "GET",
                &format!("{form}{query}"),
                &[&headers[..], &[("authorization", &format!("Bearer {token}"))]].concat(),
            );
            assert_eq!(with_token.status, 200, "{form}{query}: {}", with_token.body);
        }
        let own = send(&isolate, "GET", &format!("{form}?token={token}"), &headers);
        assert_eq!(own.status, 401, "{form}: a token in the own query is nobody's");
        let url = format!("/reports?token={token}");
        let in_url = send(
            &isolate,
            "GET",
            form,
            &[("x-forwarded-uri", &url), ("x-forwarded-method", "GET")],
        );
        assert_eq!((in_url.status, in_url.header("x-auth-user")), (200, Some("alice")), "{form}");
    }
}

#[test]
fn behind_the_dash_path_and_query_are_the_clients_and_nothing_in_them_configures() {
    let world = World::new();
    let isolate = postern(&world);
    let (alice, bob) = (isolate.token("alice"), isolate.token("bob"));
    assert_eq!(isolate.verify(&bob).0, 200);
    for form in FORMS {
        let status = |method: &str, rest: &str, headers: &[(&str, &str)]| {
            send(&isolate, method, &format!("{form}{rest}"), headers).status
        };
        assert_eq!(status("GET", &format!("/-/reports?token={alice}"), &[]), 200, "{form}");
        assert_eq!(
            status("GET", &format!("/-/reports/%zz/%ff//x?a=%zz&token={alice}"), &[]),
            200,
            "{form}"
        );
        assert_eq!(
            status(
                "GET",
                &format!("/-/reports?service=9&permission=DELETE&app=nobody&token={alice}"),
                &[]
            ),
            200,
            "{form}"
        );
        assert_eq!(
            status("GET", "/-/reports", &[("x-forwarded-uri", &format!("/reports?token={alice}"))]),
            401,
            "{form}: a client's header"
        );
        assert_eq!(status("GET", &format!("/-?token={alice}"), &[]), 200, "{form}");
        assert_eq!(status("GET", &format!("/-/?token={alice}"), &[]), 200, "{form}");
        assert_eq!(
            status("GET", &format!("/x?token={alice}"), &[]),
            if form == FORMS[1] { 404 } else { 400 },
            "{form}"
        );
        let bobs = if form == FORMS[0] { 200 } else { 403 };
        assert_eq!(status("GET", &format!("/-/reports?token={bob}"), &[]), bobs, "{form}");
    }
    let path = format!("/v1/forward-auth/signed-in/-/x?token={alice}");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "HEAD"] {
        assert_eq!(send(&isolate, method, &path, &[]).status, 200, "{method}");
    }
    let bare = send(&isolate, "GET", &format!("/v1/forward-auth/-/x?token={alice}"), &[]);
    assert_eq!(bare.status, 400, "the bare form takes no path");
}

#[test]
fn a_method_that_the_gateway_refuses_is_refused_by_the_rules() {
    let world = World::new();
    let rules = r#"[{"path": "/ops", "roles": ["SYS_Reader"]},
        {"path": "/ops", "methods": ["DELETE"], "roles": ["ops"]}]"#;
    let isolate =
        world.isolate_with(&[("ORIGIN_RULES", Some(rules)), ("ORIGIN_PUBLIC", Some("/static"))]);
    isolate.register(&json!({}));
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let status = |method: &str, more: &[(&str, &str)]| {
        let headers = [
            &[
                ("x-forwarded-uri", "/ops"),
                ("x-forwarded-method", method),
                ("authorization", bearer.as_str()),
            ],
            more,
        ]
        .concat();
        send(&isolate, "GET", "/v1/forward-auth/rules", &headers).status
    };
    assert_eq!((status("GET", &[]), status("DELETE", &[])), (200, 403));
    // An application that converts a method to upper case would do what the second rule protects.
    for method in
        ["delete", "Delete", "get", "TRACE", "CONNECT", "", "GET,", "D\u{c9}L", "GET DELETE"]
    {
        assert_eq!(status(method, &[]), 405, "{method:?}");
        assert_eq!(status("GET", &[("x-original-method", method)]), 405, "{method:?}");
    }
    assert_eq!(status("POST", &[("x-http-method-override", "delete")]), 403);
    assert_eq!(status("POST", &[("x-http-method-override", "delete me")]), 405);
    let public = [("x-forwarded-uri", "/static/x"), ("x-forwarded-method", "trace")];
    assert_eq!(send(&isolate, "GET", "/v1/forward-auth/rules", &public).status, 405);
}

#[test]
fn a_query_with_a_comma_and_a_space_hides_no_method() {
    let world = World::new();
    let isolate = postern(&world);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let status = |url: &str| {
        let headers = [
            ("x-forwarded-uri", url),
            ("x-forwarded-method", "GET"),
            ("authorization", bearer.as_str()),
        ];
        send(&isolate, "GET", "/v1/forward-auth/rules", &headers).status
    };
    assert_eq!((status("/reports?a=b,c"), status("/reports?a=, /reports")), (200, 200));
    for url in [
        "/reports?a=, /reports&_method=DELETE",
        "/reports?, /x, /y&a;%5Fmethod=1",
        "/reports?_method=x, /reports",
    ] {
        assert_eq!(status(url), 400, "{url}");
    }
    let value = cookie(&isolate);
    let cookie = format!("postern={value}");
    let from_elsewhere = |url: &str| {
        let headers = [
            ("x-forwarded-uri", url),
            ("cookie", cookie.as_str()),
            ("sec-fetch-site", "cross-site"),
        ];
        send(&isolate, "GET", "/v1/forward-auth/signed-in", &headers).status
    };
    assert_eq!(
        (from_elsewhere("/x?a=, /y"), from_elsewhere("/x?a=, /y&_method=DELETE")),
        (200, 403)
    );
}

#[test]
fn the_rules_of_the_destination_of_a_copy_or_move_hold_too() {
    let world = World::new();
    let isolate = postern(&world);
    let bearer = format!("Bearer {}", isolate.token("bob"));
    let status = |destination: &str| {
        let headers = [
            ("x-forwarded-uri", "/a"),
            ("x-forwarded-method", "POST"),
            ("authorization", bearer.as_str()),
        ];
        send(
            &isolate,
            "GET",
            "/v1/forward-auth/rules",
            &[&headers[..], &[("destination", destination)]].concat(),
        )
        .status
    };
    assert_eq!(
        (
            status("https://app.test/b"),
            status("https://app.test/x//../reports/b"),
            status("reports")
        ),
        (200, 403, 400)
    );
}

#[test]
fn no_preflight_is_admitted_to_a_proxy() {
    let world = World::new();
    let isolate = world.isolate_with(&[("CORS_ORIGINS", Some("https://app.example.com"))]);
    for form in FORMS.into_iter().chain([
        "/v1/forward-auth",
        "/v1/forward-auth/signed-in/-/x",
        "/v1/forward-auth/rules/redirect/-",
    ]) {
        for method in ["GET", "POST", "DELETE"] {
            let headers =
                [("origin", "https://app.example.com"), ("access-control-request-method", method)];
            let response = send(&isolate, "OPTIONS", form, &headers);
            assert!(response.status >= 400, "{form} {method}: {}", response.status);
        }
    }
}

#[test]
fn the_rules_decide_by_every_method_and_url_that_are_named() {
    let world = World::new();
    let isolate = postern(&world);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let status = |headers: &[(&str, &str)]| {
        let response = send(
            &isolate,
            "GET",
            "/v1/forward-auth/rules",
            &[headers, &[("authorization", &bearer)]].concat(),
        );
        (response.status, response.header("x-auth-user").is_some_and(|user| !user.is_empty()))
    };
    let asked = |method: &str, url: &str| {
        status(&[("x-forwarded-method", method), ("x-forwarded-uri", url)])
    };
    assert_eq!(asked("GET", "/reports/1?x=1"), (200, true));
    assert_eq!(asked("GET", "https://app.example.com/reports?x"), (200, true));
    assert_eq!(asked("POST", "/reports/1"), (403, false));
    assert_eq!(asked("POST", "https://app.example.com/reports"), (403, false));
    assert_eq!(asked("DELETE", "/reports/1"), (405, false));
    assert_eq!(asked("POST", "/elsewhere"), (200, true));
    assert_eq!(asked("POST", "https://app.example.com"), (200, true));
    assert_eq!(asked("GET", "/static/x"), (200, false), "public: nobody is asked who it is");
    assert_eq!(asked("POST", "/static/%2e%2e/reports"), (403, false));
    assert_eq!(asked("GET", "*"), (400, false));
    assert_eq!(asked("GET, POST", "/reports"), (403, false));
    assert_eq!(status(&[("x-forwarded-uri", "/reports")]), (400, false), "the method is missing");
    assert_eq!(status(&[("x-forwarded-method", "GET")]), (400, false), "the URL is missing");
    assert_eq!(
        status(&[("x-original-method", "POST"), ("x-original-url", "http://a.example/reports")]),
        (403, false)
    );
    assert_eq!(
        status(&[("x-original-method", "POST"), ("x-original-uri", "/reports")]),
        (403, false)
    );
    // Of two such headers, one is the client's own.
    let both = |own: &str, told: &str| {
        status(&[
            ("x-forwarded-method", "POST"),
            ("x-forwarded-uri", own),
            ("x-original-url", told),
        ])
    };
    assert_eq!(both("/static/x", "https://app.example.com/reports"), (403, false));
    assert_eq!(both("/reports", "https://app.example.com/static/x"), (403, false));
    assert_eq!(
        status(&[
            ("x-forwarded-method", "POST"),
            ("x-forwarded-uri", "/static/x"),
            ("x-forwarded-uri", "/reports")
        ]),
        (403, false)
    );
    assert_eq!(
        status(&[
            ("x-forwarded-method", "GET"),
            ("x-original-method", "POST"),
            ("x-forwarded-uri", "/reports")
        ]),
        (403, false)
    );
    // A proxy that appends the URL to the path keeps the method, or names it in a header.
    let behind = |method: &str, headers: &[(&str, &str)]| {
        send(
            &isolate,
            method,
            "/v1/forward-auth/rules/-/reports",
            &[headers, &[("authorization", &bearer)]].concat(),
        )
        .status
    };
    assert_eq!(
        (behind("GET", &[]), behind("POST", &[]), behind("GET", &[("x-forwarded-method", "POST")])),
        (200, 403, 403)
    );
    assert_eq!(
        behind("POST", &[("x-forwarded-method", "GET")]),
        403,
        "a client's header frees nothing"
    );
    // The proxy forwards the path unchanged, and some servers read these paths as /reports.
    for path in ["/static//../reports", "/reports/x\\..\\..\\static/y", "/reports/%2e%2e/static/x"]
    {
        let told = [("x-forwarded-method", "GET"), ("x-forwarded-uri", path)];
        assert_eq!(send(&isolate, "GET", "/v1/forward-auth/rules", &told).status, 401, "{path}");
        assert_eq!(
            send(&isolate, "GET", &format!("/v1/forward-auth/rules/-{path}"), &[]).status,
            401,
            "{path}"
        );
    }
    let anonymous = send(&isolate, "GET", "/v1/forward-auth/rules/-/static/x", &[]);
    assert_eq!(anonymous.status, 200);
    assert_eq!(send(&isolate, "GET", "/v1/forward-auth/rules/-/reports", &[]).status, 401);
}

#[test]
fn a_cookie_of_another_origin_may_read_and_no_more() {
    let world = World::new();
    let isolate = postern(&world);
    let value = cookie(&isolate);
    let cookie = format!("__Host-postern={value}");
    let at_proxy = [
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", "/x"),
    ];
    let status = |path: &str, method: &str, more: &[(&str, &str)]| {
        let headers =
            [&at_proxy[..], &[("cookie", cookie.as_str()), ("x-forwarded-method", method)], more]
                .concat();
        let response = send(&isolate, "GET", path, &headers);
        let body: Value = json_of(&response);
        (
            response.status,
            body["detail"].as_str().is_some_and(|detail| detail.contains("another origin")),
        )
    };
    for path in [
        "/v1/forward-auth",
        "/v1/forward-auth/signed-in",
        "/v1/forward-auth/7/VIEW",
        "/v1/forward-auth/rules",
    ] {
        assert_eq!(
            status(path, "POST", &[("origin", "https://evil.example")]),
            (403, true),
            "{path}"
        );
        assert_eq!(status(path, "POST", &[("origin", "null")]), (403, true), "{path}");
        assert_eq!(
            status(path, "DELETE", &[("sec-fetch-site", "cross-site")]),
            (403, true),
            "{path}"
        );
        assert_eq!(
            status(path, "POST", &[("origin", "https://app.example.com")]),
            (200, false),
            "{path}"
        );
        assert_eq!(status(path, "POST", &[]), (200, false), "{path}: no browser");
        assert_eq!(
            status(path, "GET", &[("origin", "https://evil.example")]),
            (200, false),
            "{path}: it only reads"
        );
    }
    for hosts in [", app.example.com", "app.example.com, app.example.com"] {
        let headers = [
            ("x-forwarded-host", hosts),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-uri", "/x"),
            ("x-forwarded-method", "POST"),
        ];
        let page = [("cookie", cookie.as_str()), ("origin", "https://app.example.com")];
        assert_eq!(
            send(&isolate, "GET", "/v1/forward-auth", &[&headers[..], &page].concat()).status,
            200,
            "{hosts}"
        );
    }
    let plain = format!("postern={value}");
    let other = [("cookie", plain.as_str()), ("origin", "https://app.example.com")];
    assert_eq!(
        send(&isolate, "GET", "/v1/forward-auth", &other).status,
        200,
        "no method and no origin is told"
    );
    let behind = send(
        &isolate,
        "POST",
        "/v1/forward-auth/signed-in/-/x",
        &[&at_proxy[..], &[("cookie", &cookie), ("origin", "https://evil.example")]].concat(),
    );
    assert_eq!(behind.status, 403);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let elsewhere = [
        ("authorization", bearer.as_str()),
        ("origin", "https://evil.example"),
        ("x-forwarded-method", "POST"),
    ];
    assert_eq!(
        send(&isolate, "GET", "/v1/forward-auth", &[&at_proxy[..], &elsewhere].concat()).status,
        200,
        "no browser adds it by itself"
    );
}

/// The proxy forwards the request as the client sent it, so the origin may use a method that the
/// client names in a header.
#[test]
fn rules_that_look_at_methods_look_at_those_that_the_client_tells_the_origin() {
    let world = World::new();
    let isolate = postern(&world);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    let status = |isolate: &Isolate<'_>, url: &str, header: &str, method: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-forwarded-uri", url),
            ("x-forwarded-method", "GET"),
            (header, method),
        ];
        send(isolate, "GET", "/v1/forward-auth/rules", &headers).status
    };
    assert_eq!(status(&isolate, "/reports", "x-other", "POST"), 200);
    for name in ["x-http-method-override", "x_http_method", "x-method-override"] {
        assert_eq!(status(&isolate, "/reports", name, "post"), 403, "{name}");
        assert_eq!(status(&isolate, "/reports", name, "GET, DELETE"), 405, "{name}");
        assert_eq!(status(&isolate, "/reports", name, "GET"), 200, "{name}");
    }
    for query in ["_method=POST", "a=b&%5fmethod=POST", "_method[]=POST"] {
        assert_eq!(status(&isolate, &format!("/reports?{query}"), "x-other", ""), 400, "{query}");
        let behind = send(
            &isolate,
            "GET",
            &format!("/v1/forward-auth/rules/-/reports?{query}"),
            &[("authorization", &bearer)],
        );
        assert_eq!(behind.status, 400, "{query}");
    }
    let other = world.isolate_with(&[(
        "ORIGIN_RULES",
        Some(r#"[{"path": "/reports", "service": 7, "permission": "VIEW"}]"#),
    )]);
    assert_eq!(
        status(&other, "/reports?_method=POST", "x-http-method", "POST"),
        200,
        "rules for every method need not look"
    );
}

/// A client may send a `#`, which some servers read as a part of the path.
#[test]
fn what_follows_a_hash_sign_is_read_too() {
    let world = World::new();
    let isolate = postern(&world);
    let status = |url: &str| {
        send(
            &isolate,
            "GET",
            "/v1/forward-auth/rules",
            &[("x-forwarded-uri", url), ("x-forwarded-method", "GET")],
        )
        .status
    };
    assert_eq!((status("/static"), status("/static/a#b")), (200, 200));
    assert_eq!(status("/static#/../reports"), 401);
    assert_eq!(status("/static/#/../../reports"), 401);
}
