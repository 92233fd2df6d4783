//! How long a proxy may cache a verdict.

use postern::api::http::message::Response;
use postern::api::http::verdict;
use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::json;

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, json_of};

const KEPT: &str = "600";

fn keeping<'a>(world: &'a World, more: &[(&str, &str)]) -> Isolate<'a> {
    let mut variables = vec![("VERDICT_MAX_AGE_S", Some(KEPT))];
    variables.extend(more.iter().map(|(name, value)| (*name, Some(*value))));
    let isolate = world.isolate_with(&variables);
    isolate.register(&json!({}));
    isolate
}

fn token(isolate: &Isolate<'_>, seconds: i64) -> String {
    let mut claims = isolate.claims("alice");
    claims.insert("exp".to_owned(), json!(isolate.world.now.get().seconds() + seconds));
    format!(
        "Bearer {}",
        jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a shared secret")
    )
}

/// The seconds for which an answer may be cached; `None` if it may not be cached.
fn age(response: &Response) -> Option<i64> {
    let caching = response.header("cache-control").expect("every answer says it");
    let Some(age) = caching.strip_prefix("private, max-age=") else {
        assert_eq!((caching, response.header("x-accel-expires")), ("no-store", None));
        return None;
    };
    assert_eq!(response.header("x-accel-expires"), Some(age));
    assert!(
        response
            .header("vary")
            .is_some_and(|vary| vary.starts_with("authorization,x-auth-token,cookie"))
    );
    age.parse().ok()
}

const ASKED: [&str; 6] = [
    "/v1/verify",
    "/v1/check?service=7&permission=VIEW",
    "/v1/forward-auth",
    "/v1/forward-auth/signed-in",
    "/v1/forward-auth/7/VIEW",
    "/v1/forward-auth/rules",
];

fn ask(isolate: &Isolate<'_>, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::new(method, path)
        .header("x-forwarded-uri", "/x")
        .header("x-forwarded-method", "GET");
    isolate
        .send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

#[test]
fn a_verdict_is_kept_as_long_as_the_variable_says_and_no_longer_than_its_credential() {
    let world = World::new();
    let isolate = keeping(&world, &[]);
    isolate.verify(&isolate.token("alice"));
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["VIEW"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &grant).status, 200);
    let never = world.isolate();
    for path in ASKED {
        for (credential, expected) in [
            (token(&isolate, 3600), Some(600)),
            (token(&isolate, 100), Some(100)),
            (token(&isolate, 600), Some(600)),
            // The token has expired, and is accepted only because of CLOCK_LEEWAY_S.
            (token(&isolate, -20), Some(40)),
            (token(&isolate, 0), Some(60)),
            (admin(), Some(600)),
        ] {
            let headers = [("authorization", credential.as_str())];
            for method in ["GET", "HEAD"] {
                let response = ask(
                    &isolate,
                    if path == "/v1/forward-auth" { "GET" } else { method },
                    path,
                    &headers,
                );
                assert_eq!(
                    (response.status, age(&response)),
                    (200, expected),
                    "{path}: {}",
                    response.body
                );
            }
            assert_eq!(
                age(&ask(&never, "GET", path, &headers)),
                None,
                "{path}: by default nothing is kept"
            );
        }
    }
}

#[test]
fn a_session_and_a_key_end_a_verdict_too() {
    let world = World::new();
    let isolate = keeping(&world, &[("TOKEN_TTL_S", "30")]);
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let opaque = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body)).body;
    for path in ASKED {
        assert_eq!(
            age(&ask(&isolate, "GET", path, &[("x-auth-token", &opaque)])),
            Some(30),
            "{path}"
        );
    }
    let ends = world.now.get().0 + 50_000;
    let made = isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "billing", "may": ["decisions"], "expiresAt": ends }),
    );
    let key = format!("Bearer {}", json_of(&made)["key"].as_str().expect("a key"));
    assert_eq!(age(&ask(&isolate, "GET", "/v1/verify", &[("authorization", &key)])), Some(50));
}

#[test]
fn refusals_and_whatever_is_no_question_by_get_are_not_kept() {
    let world = World::new();
    let isolate = keeping(&world, &[]);
    let alice = token(&isolate, 3600);
    let bearer = [("authorization", alice.as_str())];
    isolate.verify(&isolate.token("alice"));
    let status_and_age = |response: Response| (response.status, age(&response));
    for path in ASKED {
        assert_eq!(status_and_age(ask(&isolate, "GET", path, &[])), (401, None), "{path}");
    }
    assert_eq!(
        status_and_age(ask(&isolate, "GET", "/v1/forward-auth/7/GRANT", &bearer)),
        (403, None)
    );
    let refused = ask(&isolate, "GET", "/v1/check?service=7&permission=GRANT", &bearer);
    assert_eq!(
        (json_of(&refused)["allowed"].clone(), age(&refused)),
        (json!(false), Some(600)),
        "a no is an answer"
    );
    for path in
        ["/v1/verify", "/v1/forward-auth", "/v1/forward-auth/signed-in", "/v1/forward-auth/rules"]
    {
        assert_eq!(status_and_age(ask(&isolate, "POST", path, &bearer)), (200, None), "{path}");
    }
    let batch = json!({ "checks": [{ "service": 7, "permission": "VIEW" }] });
    assert_eq!(status_and_age(isolate.administer("POST", "/v1/check/batch", &batch)), (200, None));
    for path in ["/health", "/v1/users"] {
        assert_eq!(
            status_and_age(ask(&isolate, "GET", path, &[("authorization", &admin())])),
            (200, None),
            "{path}"
        );
    }
}

#[test]
fn a_verdict_says_what_it_depends_on() {
    let world = World::new();
    let isolate = keeping(
        &world,
        &[("CORS_ORIGINS", "https://app.example.com"), ("ORIGIN_PUBLIC", "/static")],
    );
    let alice = token(&isolate, 3600);
    let vary = |path: &str| {
        let response = ask(&isolate, "GET", path, &[("authorization", &alice)]);
        let values: Vec<_> = response
            .headers
            .iter()
            .filter(|(name, _)| *name == "vary")
            .map(|(_, value)| value.to_string())
            .collect();
        assert_eq!(values.len(), 1, "{values:?}");
        values.concat()
    };
    assert_eq!(vary("/v1/verify"), "authorization,x-auth-token,cookie,origin");
    let told = "authorization,x-auth-token,cookie,x-forwarded-uri,x-original-uri,\
        x-original-url,x-forwarded-method,x-original-method";
    for path in ["/v1/forward-auth", "/v1/forward-auth/signed-in", "/v1/forward-auth/rules"] {
        let vary = vary(path);
        assert_eq!(vary, format!("{told},origin"), "{path}");
        assert!(vary.len() <= 128, "nginx keeps nothing whose Vary is longer");
    }
    let public = |method: &str| {
        let request =
            Request::new("GET", "/v1/forward-auth/rules").header("x-forwarded-uri", "/static/x");
        let response = isolate.send(&request.header("x-forwarded-method", method));
        (response.status, age(&response))
    };
    assert_eq!(public("GET"), (200, Some(600)));
    // The next request may have a `Destination`, to which the rules of a second path apply.
    for method in ["POST", "MOVE"] {
        assert_eq!(public(method), (200, None), "{method}");
    }
}

/// `Vary` cannot list what these verdicts depend on: the page that asks, and all spellings of a
/// header that names a method.
#[test]
fn a_verdict_that_depends_on_more_than_it_can_say_is_not_kept() {
    let world = World::new();
    let isolate = keeping(&world, &[("LOGIN_URL", "password")]);
    let cookie = isolate.session_of_admin();
    for path in [
        "/v1/forward-auth",
        "/v1/forward-auth/signed-in",
        "/v1/forward-auth/7/VIEW",
        "/v1/forward-auth/rules",
    ] {
        let told = |method: &str| {
            let request = Request::new("GET", path)
                .header("x-forwarded-uri", "/x")
                .header("x-forwarded-method", method);
            isolate.send(&request.header("cookie", &cookie))
        };
        assert_eq!((told("GET").status, age(&told("GET"))), (200, Some(600)), "{path}");
        assert_eq!((told("POST").status, age(&told("POST"))), (200, None), "{path}");
    }
    let rules = r#"[{"path":"/reports","methods":["GET"],"service":7,"permission":"VIEW"}]"#;
    let by_method = keeping(&world, &[("ORIGIN_RULES", rules), ("ORIGIN_PUBLIC", "/static")]);
    for url in ["/x", "/static/x"] {
        let request = Request::new("GET", "/v1/forward-auth/rules")
            .header("x-forwarded-uri", url)
            .header("x-forwarded-method", "GET");
        let response = by_method.send(&request.authorization(&admin()));
        assert_eq!((response.status, age(&response)), (200, None), "{url}");
    }
}

/// A cookie is for one client, so an answer that sets one is not cached.
#[test]
fn an_answer_that_sets_a_cookie_is_not_kept() {
    let world = World::new();
    let isolate = keeping(&world, &[]);
    let (cx, request) = (isolate.cx(), Request::new("GET", "/v1/verify"));
    let kept =
        |response: Response| verdict::kept(&cx, &request, None, verdict::CREDENTIALS, response);
    assert_eq!(kept(Response::empty(200)).header("cache-control"), Some("private, max-age=600"));
    assert_eq!(kept(Response::empty(200).with("set-cookie", "a=b")).header("cache-control"), None);
    assert_eq!(kept(Response::empty(204)).header("cache-control"), None);
}

#[test]
fn an_answer_that_takes_a_session_back_is_not_kept() {
    let world = World::new();
    let isolate = keeping(&world, &[("TOKEN_COOKIES", "CF_Authorization")]);
    let token = isolate.token("alice");
    for (session, taken_back, kept) in [("", false, Some(600)), ("; postern=v1.0.AAAA", true, None)]
    {
        let cookie = format!("CF_Authorization={token}{session}");
        let response = ask(&isolate, "GET", "/v1/verify", &[("cookie", &cookie)]);
        assert_eq!(
            (response.status, response.header("set-cookie").is_some()),
            (200, taken_back),
            "{session}"
        );
        assert_eq!(age(&response), kept, "{session}");
    }
}

/// `Vary` has no room for names that a deployment chooses.
#[test]
fn where_headers_are_named_that_carry_tokens_no_verdict_is_kept() {
    let world = World::new();
    let isolate = keeping(&world, &[("TOKEN_HEADERS", "X-Token")]);
    let token = isolate.token("alice");
    let bearer = format!("Bearer {token}");
    for shown in [("authorization", bearer.as_str()), ("x-token", &token)] {
        let response = ask(&isolate, "GET", "/v1/verify", &[shown]);
        assert_eq!((response.status, age(&response)), (200, None), "{}", shown.0);
    }
}

#[test]
fn no_verdict_is_kept_that_could_serve_another_host_or_another_page() {
    let world = World::new();
    let rules = r#"[{"host":"closed.test","path":"/","roles":["nobody"]}]"#;
    let isolate = keeping(&world, &[("ORIGIN_RULES", rules)]);
    let alice = token(&isolate, 3600);
    let bearer = ("authorization", alice.as_str());
    let rules = |host: &str| {
        ask(&isolate, "GET", "/v1/forward-auth/rules", &[bearer, ("x-forwarded-host", host)])
    };
    let open = rules("open.test");
    assert_eq!((open.status, age(&open)), (200, None), "the same URL is refused at another host");
    assert_eq!(rules("closed.test").status, 403);

    let isolate = keeping(&world, &[("ORIGIN_URL", "http://origin.test")]);
    let opened = isolate.token("alice");
    let opened = isolate.send(
        &Request::new("GET", &format!("/?token={opened}")).header("sec-fetch-mode", "navigate"),
    );
    let session = crate::support::cookie_of(&opened);
    let cookie = ("cookie", session.as_str());
    for path in ["/v1/forward-auth", "/v1/forward-auth/signed-in", "/v1/forward-auth/rules"] {
        let kept = |headers: &[(&str, &str)]| {
            let response = ask(&isolate, "GET", path, headers);
            assert_eq!(response.status, 200, "{path} {headers:?}: {}", response.body);
            age(&response).is_some()
        };
        assert!(kept(&[cookie]) && kept(&[cookie, ("sec-fetch-site", "same-origin")]), "{path}");
        assert!(
            !kept(&[cookie, ("sec-fetch-site", "same-site")]),
            "{path}: for a socket that the page opens next"
        );
        assert!(!kept(&[cookie, ("sec-websocket-key", "x")]), "{path}");
        assert!(
            kept(&[bearer, ("sec-fetch-site", "same-site")]),
            "{path}: no browser sends it by itself"
        );
    }
}
