//! Sessions of the gateway: how they begin, what they permit, and what ends them. `tests/all` tests
//! them in a browser.

use serde_json::json;

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, cookie_of};

fn gateway<'a>(world: &'a World, more: &[(&str, &str)]) -> Isolate<'a> {
    let mut variables =
        vec![("ORIGIN_URL", Some("http://origin.test")), ("ORIGIN_PUBLIC", Some("/static"))];
    variables.extend(more.iter().map(|(name, value)| (*name, Some(*value))));
    let isolate = world.isolate_with(&variables);
    isolate.register(&json!({}));
    isolate
}

fn navigation(url: &str) -> Request {
    Request::new("GET", url)
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
}

/// Begins a session for alice by a page with a token in its URL.
fn begin(isolate: &Isolate<'_>, token: &str) -> String {
    let response = isolate.send(&navigation(&format!("/page?token={token}")));
    assert_eq!(response.status, 303, "{}", response.body);
    cookie_of(&response)
}

fn status(isolate: &Isolate<'_>, path: &str, cookie: &str) -> u16 {
    isolate.send(&Request::new("GET", path).header("cookie", cookie)).status
}

const PASSED: u16 = 299;

#[test]
fn a_page_that_is_opened_by_a_token_begins_a_session_and_loses_the_token() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let token = isolate.token("alice");
    let response = isolate.send(&navigation(&format!("/reports/a%20b?q=1%25&token={token}&x=%zz")));
    assert_eq!(response.status, 303);
    assert_eq!(response.header("location"), Some("/reports/a%20b?q=1%25&x=%zz"));
    assert_eq!(
        (response.header("cache-control"), response.header("referrer-policy")),
        (Some("no-store"), Some("no-referrer"))
    );
    let set = response.header("set-cookie").expect("a cookie");
    assert!(
        set.starts_with("postern=v1.")
            && set.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{set}"
    );
    assert!(!set.contains(&token) && !response.body.contains(&token), "{set}");
    for path in [
        "/reports",
        "/style.css",
        "/v1/verify",
        "/v1/check?service=1&permission=VIEW",
        "/v1/forward-auth",
    ] {
        assert!(matches!(status(&isolate, path, &cookie_of(&response)), PASSED | 200), "{path}");
    }
}

#[test]
fn over_https_no_other_host_can_set_the_cookie_and_frames_of_others_get_one_of_their_own() {
    let world = World::new();
    for (samesite, end) in [
        ("lax", "; HttpOnly; Secure; SameSite=Lax"),
        ("none", "; HttpOnly; Secure; SameSite=None; Partitioned"),
    ] {
        let isolate = gateway(&world, &[("SESSION_SAMESITE", samesite)]);
        let response =
            isolate.send(&navigation(&format!("/?token={}", isolate.token("alice"))).over_https());
        let set = response.header("set-cookie").expect("a cookie");
        assert!(set.starts_with("__Host-postern=") && set.ends_with(end), "{set}");
        let (_, value) = cookie_of(&response)
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .expect("a value");
        let status_by = |name: &str| {
            isolate
                .send(
                    &Request::new("GET", "/x")
                        .over_https()
                        .header("cookie", &format!("{name}={value}")),
                )
                .status
        };
        assert_eq!((status_by("__Host-postern"), status_by("postern")), (PASSED, 401));
    }
}

#[test]
fn only_a_navigation_begins_a_session() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let url = format!("/page?token={}", isolate.token("alice"));
    let with = |method: &str, headers: &[(&str, &str)]| {
        isolate
            .send(&headers.iter().fold(Request::new(method, &url), |request, (name, value)| {
                request.header(name, value)
            }))
            .status
    };
    let page = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for headers in [
        vec![("sec-fetch-mode", "navigate")],
        vec![("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        vec![("accept", page)],
    ] {
        assert_eq!((with("GET", &headers), with("HEAD", &headers)), (303, 303), "{headers:?}");
        assert_eq!(with("POST", &headers), PASSED, "{headers:?}");
    }
    let others = [
        vec![],
        vec![("accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2")],
        vec![("accept", "application/json")],
        vec![("sec-fetch-mode", "cors"), ("accept", page)],
        vec![("sec-fetch-dest", "empty"), ("accept", page)],
        vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), ("accept", page)],
    ];
    for headers in others {
        assert_eq!(with("GET", &headers), PASSED, "{headers:?}");
    }
    let by_header =
        navigation("/page").header("authorization", &format!("Bearer {}", isolate.token("alice")));
    assert_eq!(isolate.send(&by_header).status, PASSED);
}

#[test]
fn where_the_browser_would_not_keep_the_cookie_the_page_stays_as_it_was() {
    let world = World::new();
    let status = |samesite: &str, site: &str, dest: &str, is_secure: bool| {
        let isolate = gateway(&world, &[("SESSION_SAMESITE", samesite)]);
        let request = Request::new("GET", &format!("/page?token={}", isolate.token("alice")))
            .header("sec-fetch-mode", "navigate");
        let request = request.header("sec-fetch-site", site).header("sec-fetch-dest", dest);
        isolate.send(&if is_secure { request.over_https() } else { request }).status
    };
    for dest in ["iframe", "frame", "embed", "object"] {
        assert_eq!(status("lax", "cross-site", dest, true), PASSED, "{dest}");
        assert_eq!(status("none", "cross-site", dest, true), 303, "{dest}");
        assert_eq!(status("none", "cross-site", dest, false), PASSED, "{dest}: no https");
        assert_eq!(
            (status("lax", "same-site", dest, true), status("lax", "same-origin", dest, true)),
            (303, 303),
            "{dest}"
        );
    }
    assert_eq!(status("lax", "cross-site", "document", true), 303);
}

#[test]
fn whoever_sends_a_form_too_late_is_told_so_on_a_page() {
    let world = World::new();
    for login in [&[][..], &[("LOGIN_URL", "https://portal.example.com/login")][..]] {
        let isolate = gateway(&world, login);
        let send = |mode: &str| {
            isolate.send(&Request::new("POST", "/form").header("sec-fetch-mode", mode).body("a=b"))
        };
        let page = send("navigate");
        assert_eq!(
            (page.status, page.header("content-type")),
            (401, Some("text/html;charset=utf-8")),
            "{}",
            page.body
        );
        assert!(page.body.contains("This page needs a sign-in"), "{}", page.body);
        assert_eq!(
            send("cors").header("content-type"),
            Some("application/problem+json"),
            "a script gets the JSON"
        );
    }
}

#[test]
fn other_sites_show_in_frames_what_happened_and_no_form() {
    let world = World::new();
    for (samesite, is_framed) in [("lax", false), ("none", true)] {
        let isolate = gateway(&world, &[("SESSION_SAMESITE", samesite), ("LOGIN_URL", "password")]);
        let refuses = |request: &Request| {
            let response = isolate.send(request);
            let policy = response.header("content-security-policy").expect("a policy").to_owned();
            assert!(policy.starts_with("default-src 'none'; "), "{policy}");
            policy.contains("frame-ancestors 'none'")
        };
        let too_late = Request::new("POST", "/x").header("sec-fetch-mode", "navigate");
        assert_eq!(refuses(&too_late), !is_framed, "{samesite}");
        assert!(refuses(&navigation("/v1/sign-in")) && refuses(&navigation("/v1/sign-out")));
    }
}

#[test]
fn a_session_opens_the_gateway_and_questions_and_no_management() {
    let world = World::new();
    let isolate = gateway(&world, &[("LOGIN_URL", "password")]);
    let by_password = isolate.session_of_admin();
    isolate.register(&json!({
        "name": "Boss", "token_name": "boss", "secret": "boss", "initroles": ["Administrator"],
    }));
    let sessions = [
        (by_password, ["user=1", "username=admin"]),
        (begin(&isolate, &isolate.token("alice")), ["user=2", "username=alice"]),
    ];
    for (session, itself) in sessions {
        for path in ["/x", "/v1/verify", "/v1/forward-auth", "/v1/forward-auth/signed-in"] {
            assert!(matches!(status(&isolate, path, &session), PASSED | 200), "{path}");
        }
        for who in
            ["user=1", "username=admin", "user=2", "username=alice", "user=9", "username=nobody"]
        {
            let answered =
                status(&isolate, &format!("/v1/check?service=1&permission=VIEW&{who}"), &session);
            assert_eq!(answered, if itself.contains(&who) { 200 } else { 403 }, "{who}");
        }
        for (_, route) in
            crate::routes::routes().filter(|(_, route)| route.access.is_checked_first())
        {
            let request = Request::new(route.method, &crate::routes::filled(route.paths[0]))
                .header("cookie", &session)
                .body("{}");
            assert_eq!(isolate.send(&request).status, 401, "{} {}", route.method, route.paths[0]);
        }
    }
}

#[test]
fn whatever_ends_the_token_ends_its_session() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let token = isolate.token("alice");
    let session = begin(&isolate, &token);
    assert_eq!(status(&isolate, "/x", &session), PASSED);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
    assert_eq!(status(&isolate, "/x", &session), 403);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": true }));
    assert_eq!(status(&isolate, "/x", &session), PASSED);
    assert_eq!(
        isolate
            .administer("PUT", "/v1/users/2/password", &json!({ "password": "another horse" }))
            .status,
        204
    );
    assert_eq!(status(&isolate, "/x", &session), 401, "a copied cookie ends with the old password");
    assert_eq!(isolate.verify(&token).0, 200, "the token does not");
    let session = begin(&isolate, &token);
    assert_eq!(status(&isolate, "/x", &session), PASSED);
    isolate.register(&json!({ "secret": "another" }));
    assert_eq!(status(&isolate, "/x", &session), 401, "the key is no longer the app's");
    isolate.register(&json!({ "enable": "0" }));
    assert_eq!(status(&isolate, "/x", &session), 401);
    isolate.register(&json!({}));
    assert_eq!(status(&isolate, "/x", &session), PASSED);
    assert_eq!(
        isolate.administer("POST", "/v1/revocations", &json!({ "token": token })).status,
        204
    );
    assert_eq!(status(&isolate, "/x", &session), 401);
}

#[test]
fn signing_out_ends_a_copied_cookie_and_the_token() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &[("LOGIN_URL", "password"), ("LOGOUT_URL", "https://portal.example.com/bye")],
    );
    let token = isolate.token("alice");
    let by_password = isolate.session_of_admin();
    for session in [begin(&isolate, &token), by_password] {
        let cross_site = Request::new("GET", "/v1/sign-out")
            .header("cookie", &session)
            .header("sec-fetch-site", "cross-site");
        assert_eq!(isolate.send(&cross_site).status, 403);
        assert_eq!(status(&isolate, "/x", &session), PASSED);
        let response =
            isolate.send(&Request::new("GET", "/v1/sign-out").header("cookie", &session));
        assert_eq!(
            (response.status, response.header("location")),
            (303, Some("https://portal.example.com/bye"))
        );
        assert!(
            response
                .header("set-cookie")
                .is_some_and(|set| set.starts_with("postern=; ") && set.contains("Max-Age=0"))
        );
        assert_eq!(status(&isolate, "/x", &session), 401);
        assert_eq!(
            isolate.send(&Request::new("GET", "/v1/sign-out").header("cookie", &session)).status,
            303,
            "twice is once"
        );
    }
    assert_eq!(isolate.verify(&token).0, 401, "the token in the history opens nothing again");
}

#[test]
fn signing_out_ends_whatever_session_is_shown() {
    let world = World::new();
    let isolate = gateway(&world, &[("LOGIN_URL", "password")]);
    let (one, two) = (begin(&isolate, &isolate.token("alice")), isolate.session_of_admin());
    let of_https = one.replace("postern=", "__Host-postern=");
    let out = isolate.send(
        &Request::new("GET", "/v1/sign-out").header("cookie", &format!("{of_https}; {two}; {two}")),
    );
    assert_eq!(out.status, 200, "{}", out.body);
    assert!(
        out.header("set-cookie")
            .is_some_and(|set| set.starts_with("__Host-postern=; ") && set.contains("Max-Age=0"))
    );
    for session in [one, two] {
        assert_eq!(status(&isolate, "/x", &session), 401);
    }
}

#[test]
fn an_ended_session_is_removed_and_blocks_no_other_credential() {
    let world = World::new();
    let isolate = gateway(&world, &[("TOKEN_COOKIES", "CF_Authorization")]);
    let session = begin(&isolate, &isolate.token("alice"));
    world.pass(700);
    let fresh = isolate.token("bob");
    let broken = format!("{}x", &session[..session.len() - 1]);
    for old in [session.as_str(), broken.as_str(), "postern=v1.00000000.AAAA", "postern=v1."] {
        let response = isolate.send(&Request::new("GET", "/x").header("cookie", old));
        assert_eq!(response.status, 401, "{old}");
        assert!(
            response.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")),
            "{old}"
        );
        let renewed = isolate.send(&navigation(&format!("/x?token={fresh}")).header("cookie", old));
        assert_eq!(renewed.status, 303, "{old}");
        let beside =
            Request::new("GET", "/x").header("cookie", &format!("{old}; CF_Authorization={fresh}"));
        assert_eq!(isolate.send(&beside).status, PASSED, "{old}");
        let forward = world.passed.borrow_mut().pop().expect("it went on");
        assert!(
            forward
                .answer_headers
                .iter()
                .any(|(name, value)| *name == "set-cookie" && value.contains("Max-Age=0")),
            "{old}"
        );
        assert!(forward.answer_headers.contains(&("cache-control", "no-store".into())), "{old}");
        assert!(!forward.headers.iter().any(|(name, _)| name == "cookie"), "{old}");
    }
}

#[test]
fn a_proxy_removes_an_ended_session_by_the_cookies_name_at_its_client() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    for (scheme, cookie) in [("https", "__Host-postern"), ("http", "postern")] {
        let old = format!("{cookie}=v1.00000000.AAAA");
        let asked = Request::new("GET", "/v1/forward-auth/signed-in").header("cookie", &old);
        let asked =
            asked.header("x-forwarded-proto", scheme).header("x-forwarded-host", "app.example.com");
        for asked in [asked.clone(), asked.over_https()] {
            let response = isolate.send(&asked);
            assert_eq!(response.status, 401);
            let set = response.header("set-cookie").expect("the cookie is taken back");
            assert!(set.starts_with(&format!("{cookie}=; ")) && set.contains("Max-Age=0"), "{set}");
            assert_eq!(set.contains("; Secure"), scheme == "https", "{set}");
        }
    }
}

#[test]
fn the_order_of_credentials_is_kept() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &[("TOKEN_HEADERS", "Cf-Access-Jwt-Assertion"), ("TOKEN_COOKIES", "CF_Authorization")],
    );
    let token = |name: &str| isolate.token(name);
    let session = begin(&isolate, &token("session"));
    let kinds = [
        ("cf-access-jwt-assertion", token("header")),
        ("authorization", format!("Bearer {}", token("bearer"))),
        ("cookie", format!("{session}; CF_Authorization={}", token("cookie"))),
    ];
    let user = |headers: &[(&str, String)], query: &str| {
        let request = Request::new("GET", &format!("/x{query}"));
        let response = isolate.send(
            &headers.iter().fold(request, |request, (name, value)| request.header(name, value)),
        );
        assert_eq!(response.status, PASSED, "{}", response.body);
        let forward = world.passed.borrow_mut().pop().expect("it went on");
        let value = |name: &str| {
            forward.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        };
        (value("x-auth-user").expect("a user"), value("authorization").is_some(), forward.url)
    };
    let url = "http://origin.test/x".to_owned();
    assert_eq!(
        user(&kinds, ""),
        ("header".to_owned(), true, url.clone()),
        "Authorization is the application's then"
    );
    assert_eq!(user(&kinds[1..], ""), ("bearer".to_owned(), false, url.clone()));
    let in_url = format!("?token={}&q=1", token("url"));
    assert_eq!(user(&kinds[2..], &in_url), ("url".to_owned(), false, format!("{url}?q=1")));
    assert_eq!(user(&kinds[2..], ""), ("session".to_owned(), false, url.clone()));
    let own = format!("?token=abc&state={}", token("nobody"));
    assert_eq!(
        user(&kinds[2..], &own).0,
        "session",
        "parameters of the application are no credential"
    );
    let alone = [("cookie", format!("CF_Authorization={}", token("cookie")))];
    assert_eq!(user(&alone, "").0, "cookie");
    let forged = crate::support::forge(
        r#"{"alg":"HS256"}"#,
        r#"{"loginname":"url","exp":99999999999}"#,
        b"wrong",
    );
    for wrong in
        [("/x".to_owned(), Some(format!("Bearer {forged}"))), (format!("/x?token={forged}"), None)]
    {
        let request = Request::new("GET", &wrong.0).header("cookie", &kinds[2].1);
        let request = wrong.1.iter().fold(request, |request, bearer| request.authorization(bearer));
        assert_eq!(
            isolate.send(&request).status,
            401,
            "the first kind decides, also where it is wrong"
        );
    }
    let cross_site = Request::new("POST", "/x")
        .header("cookie", &alone[0].1)
        .header("origin", "https://evil.example");
    assert_eq!(isolate.send(&cross_site).status, 403);
}

#[test]
fn people_are_sent_to_sign_in_or_told_what_to_do() {
    let world = World::new();
    let isolate = gateway(&world, &[("LOGIN_URL", "https://portal.example.com/login")]);
    let location = |url: &str| isolate.send(&navigation(url)).header("location").map(str::to_owned);
    let to = |path: &str| Some(format!("https://portal.example.com/login?return_to={path}"));
    assert_eq!(location("/reports?q=1"), to("%2Freports%3Fq%3D1"));
    assert_eq!(location("//evil.example/x"), to("%2F"));
    let expired = isolate.token("alice");
    world.pass(700);
    assert_eq!(
        location(&format!("/r?token={expired}&q=1")),
        to("%2Fr%3Fq%3D1"),
        "without the token"
    );
    assert_eq!(
        isolate.send(&Request::new("GET", "/reports")).status,
        401,
        "a script gets the JSON"
    );
    let isolate = gateway(&world, &[]);
    let page =
        isolate.send(&navigation("/reports").header("accept-language", "zh-CN,zh;q=0.9,en;q=0.8"));
    assert_eq!((page.status, page.header("content-type")), (401, Some("text/html;charset=utf-8")));
    assert!(
        page.body.contains("此页面需要登录") && page.body.contains("lang=\"zh\""),
        "{}",
        page.body
    );
    assert!(isolate.send(&navigation("/reports")).body.contains("This page needs a sign-in"));
}

#[test]
fn behind_a_proxy_that_passes_redirects_on_people_are_sent_to_sign_in() {
    let world = World::new();
    for (login, page) in [
        ("password", "/v1/sign-in"),
        ("https://portal.example.com/login?x=1", "https://portal.example.com/login?x=1"),
    ] {
        let isolate = gateway(
            &world,
            &[("LOGIN_URL", login), ("ORIGIN_RULES", r#"[{"path":"/","groups":[5]}]"#)],
        );
        let ask = |path: &str, uri: &str, method: &str| {
            let told = navigation(path)
                .header("x-forwarded-uri", uri)
                .header("x-forwarded-method", method);
            let response = isolate.send(&told);
            (response.status, response.header("location").map(str::to_owned))
        };
        let joint = if page.contains('?') { '&' } else { '?' };
        let there = |return_to: &str| (302, Some(format!("{page}{joint}return_to={return_to}")));
        let forged = crate::support::forge(
            r#"{"alg":"HS256"}"#,
            r#"{"loginname":"alice","exp":99999999999}"#,
            b"wrong",
        );
        for path in
            ["/v1/forward-auth/signed-in", "/v1/forward-auth/7/VIEW", "/v1/forward-auth/rules"]
        {
            let redirecting = format!("{path}/redirect");
            assert_eq!(
                ask(&redirecting, "/reports?q=1", "GET"),
                there("%2Freports%3Fq%3D1"),
                "{path}"
            );
            assert_eq!(
                ask(&redirecting, &format!("/reports?token={forged}"), "GET"),
                there("%2Freports"),
                "{path}"
            );
            assert_eq!(ask(&redirecting, "//evil.example/x", "GET"), there("%2F"), "{path}");
            assert_eq!(ask(&redirecting, "/reports", "POST"), (401, None), "{path}");
            assert_eq!(ask(path, "/reports", "GET"), (401, None), "{path}");
            let script = Request::new("GET", &redirecting)
                .header("x-forwarded-uri", "/reports")
                .header("x-forwarded-method", "GET");
            assert_eq!(
                isolate.send(&script.header("sec-fetch-mode", "cors")).status,
                401,
                "{path}"
            );
        }
        assert_eq!(ask("/v1/forward-auth?redirect=1", "/reports", "GET"), there("%2Freports"));
    }
}

#[test]
fn a_parameter_of_the_application_is_none_of_ours_behind_a_proxy_either() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let session = begin(&isolate, &isolate.token("alice"));
    for path in ["/v1/forward-auth", "/v1/forward-auth/signed-in"] {
        let told = Request::new("GET", path)
            .header("x-forwarded-uri", "/x?token=of-the-form")
            .header("cookie", &session);
        assert_eq!(isolate.send(&told).status, 200, "{path}");
    }
}

#[test]
fn an_empty_header_of_a_token_is_no_way_to_another_credential() {
    let world = World::new();
    let isolate = gateway(&world, &[("TOKEN_HEADERS", "X-Token")]);
    let bearer = format!("Bearer {}", isolate.token("alice"));
    for value in ["", " ", "Bearer "] {
        let request = Request::new("GET", "/x").header("x-token", value).authorization(&bearer);
        assert_eq!(isolate.send(&request).status, 401, "{value:?}");
    }
}

#[test]
fn postern_s_own_page_signs_in_with_a_password_and_returns() {
    let world = World::new();
    let isolate = gateway(&world, &[("LOGIN_URL", "password")]);
    let sent = isolate.send(&navigation("/reports?q=1"));
    assert_eq!(
        (sent.status, sent.header("location")),
        (302, Some("/v1/sign-in?return_to=%2Freports%3Fq%3D1"))
    );
    let page = isolate.send(&navigation("/v1/sign-in?return_to=%2Freports%3Fq%3D1"));
    assert!(
        page.status == 200 && page.body.contains("name=\"return_to\" value=\"/reports?q=1\""),
        "{}",
        page.body
    );
    assert_eq!(
        page.header("referrer-policy"),
        Some("same-origin"),
        "else the form's origin would be null"
    );
    let form = |password: &str, to: &str| {
        let body = format!("username=admin&password={}&return_to={to}", password.replace(' ', "+"));
        let request = Request::new("POST", "/v1/sign-in")
            .header("content-type", "application/x-www-form-urlencoded");
        request.header("origin", "http://postern.test").body(&body)
    };
    let wrong = isolate.send(&form("wrong", "/x"));
    assert!(
        wrong.status == 401
            && wrong.header("set-cookie").is_none()
            && wrong.body.contains("role=\"alert\""),
        "{}",
        wrong.body
    );
    let right = isolate.send(&form(ADMIN_PASSWORD, "%2Freports%3Fq%3D1"));
    assert_eq!((right.status, right.header("location")), (303, Some("/reports?q=1")));
    assert_eq!(status(&isolate, "/x", &cookie_of(&right)), PASSED);
    assert_eq!(
        isolate.send(&form(ADMIN_PASSWORD, "%2F%2Fevil.example")).header("location"),
        Some("/")
    );
    assert_eq!(wrong.header("referrer-policy"), Some("same-origin"), "also when it is shown again");
    let elsewhere = form(ADMIN_PASSWORD, "/").header("sec-fetch-site", "cross-site");
    assert_eq!(isolate.send(&elsewhere).status, 403, "nobody signs a browser in as somebody else");
    let changed = json!({ "password": "another horse", "currentPassword": ADMIN_PASSWORD });
    let change = Request::new("PUT", "/v1/users/1/password")
        .authorization(&admin())
        .body(&changed.to_string());
    assert_eq!(isolate.send(&change).status, 204);
    assert_eq!(status(&isolate, "/x", &cookie_of(&right)), 401, "a new password ends it");
    assert_eq!(
        world.isolate().send(&navigation("/v1/sign-in")).status,
        404,
        "without LOGIN_URL there is no such page"
    );
}

/// A page of `other.example.com` may set cookies for `app.example.com` with `Domain=example.com`,
/// but no cookie whose name begins with `__Host-`.
#[test]
fn no_other_host_brings_its_session_in_by_the_value_of_another_cookie() {
    let world = World::new();
    let isolate = gateway(&world, &[("TOKEN_COOKIES", "CF_Authorization, Second")]);
    let (alice, mallory) = (isolate.token("alice"), isolate.token("mallory"));
    let session = |token: &str| {
        cookie_of(&isolate.send(&navigation(&format!("/?token={token}")).over_https()))
    };
    let (own, strange) = (session(&alice), session(&mallory));
    let get = |cookies: &str| {
        isolate.send(&Request::new("GET", "/x").over_https().header("cookie", cookies))
    };
    for cookies in [
        format!("a=b,{strange}"),
        format!("a=b, {strange}"),
        format!("a=b,CF_Authorization={mallory}"),
    ] {
        assert_eq!(get(&cookies).status, 401, "{cookies}");
        let forward_auth =
            Request::new("GET", "/v1/forward-auth").over_https().header("cookie", &cookies);
        assert_eq!(isolate.send(&forward_auth).status, 401, "{cookies}");
        assert_eq!(get(&format!("{cookies}; {own}")).status, PASSED, "{cookies}");
        let forward = world.passed.borrow_mut().pop().expect("it went on");
        assert!(
            forward.headers.contains(&("x-auth-user".to_owned(), "alice".to_owned())),
            "{cookies}"
        );
        assert!(forward.headers.contains(&("cookie".to_owned(), "a=b".to_owned())), "{cookies}");
    }
    for doubled in [format!("{own}; {strange}"), format!("{own}, {strange}")] {
        assert_eq!(get(&doubled).status, 401, "of two sessions none counts: {doubled}");
    }
    for doubled in [
        format!("CF_Authorization={alice}; CF_Authorization={mallory}"),
        format!("CF_Authorization={alice}, CF_Authorization={mallory}"),
    ] {
        assert_eq!(get(&doubled).status, 400, "{doubled}");
    }
    assert_eq!(
        get(&format!("CF_Authorization={alice}; Second={mallory}")).status,
        PASSED,
        "two names have their order"
    );
}

/// The headers `Origin` and `Sec-Fetch-Site` are those that Chromium sends with a form.
#[test]
fn a_page_that_tells_nobody_its_url_may_send_a_form_to_its_own_origin_only() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let session = begin(&isolate, &isolate.token("alice"));
    let post = |headers: &[(&str, &str)]| {
        let request = Request::new("POST", "/x").header("cookie", &session);
        isolate
            .send(
                &headers.iter().fold(request, |request, (name, value)| request.header(name, value)),
            )
            .status
    };
    let own = ("origin", "http://postern.test");
    let null = ("origin", "null");
    for site in ["same-origin", "none"] {
        assert_eq!(post(&[own, ("sec-fetch-site", site)]), PASSED, "{site}");
    }
    assert_eq!(post(&[null, ("sec-fetch-site", "same-origin")]), PASSED);
    for headers in [
        vec![null],
        vec![null, ("sec-fetch-site", "none")],
        vec![null, ("sec-fetch-site", "same-site")],
        vec![null, ("sec-fetch-site", "cross-site")],
        vec![null, ("sec-fetch-site", "same-origin, cross-site")],
        vec![own, ("sec-fetch-site", "same-site")],
        vec![("origin", "http://evil.test"), ("sec-fetch-site", "same-origin")],
        vec![("origin", "http://postern.test, null"), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(post(&headers), 403, "{headers:?}");
    }
}

/// A request from a page of `other.example.com` carries the session of `app.example.com`, also with
/// `SameSite`.
#[test]
fn a_page_of_another_origin_reads_by_a_session_and_does_nothing_else() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let session = begin(&isolate, &isolate.token("alice"));
    let elsewhere = [("origin", "http://other.test"), ("sec-fetch-site", "same-site")];
    let more = [
        ("/x", None, true),
        ("/x?method=DELETE", Some(("accept", "*/*")), true),
        ("/x", Some(("upgrade", "websocket")), false),
        ("/x", Some(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")), false),
        ("/x", Some(("sec-websocket-version", "13")), false),
        ("/x?a=b&_method=DELETE", None, false),
        ("/x?%5fmethod=DELETE", None, false),
        ("/x", Some(("x-http-method-override", "DELETE")), false),
        ("/x", Some(("x_method_override", "DELETE")), false),
    ];
    for (url, header, only_reads) in more {
        let with = |request: Request, headers: &[(&str, &str)]| {
            let headers =
                headers.iter().copied().chain(header).chain([("cookie", session.as_str())]);
            isolate
                .send(&headers.fold(request, |request, (name, value)| request.header(name, value)))
                .status
        };
        let asked = |path: &str| {
            let request = Request::new("GET", path)
                .header("x-forwarded-method", "GET")
                .header("x-forwarded-uri", url);
            request.header("x-forwarded-proto", "http").header("x-forwarded-host", "postern.test")
        };
        let own = [("origin", "http://postern.test"), ("sec-fetch-site", "same-origin")];
        assert_eq!(with(Request::new("GET", url), &own), PASSED, "{url} {header:?}");
        assert_eq!(
            with(Request::new("GET", url), &elsewhere),
            if only_reads { PASSED } else { 403 },
            "{url} {header:?}"
        );
        for path in ["/v1/forward-auth", "/v1/forward-auth/signed-in", "/v1/forward-auth/rules"] {
            assert_eq!(with(asked(path), &own), 200, "{path} {url} {header:?}");
            assert_eq!(
                with(asked(path), &elsewhere),
                if only_reads { 200 } else { 403 },
                "{path} {url} {header:?}"
            );
        }
    }
}

#[test]
fn with_more_apps_than_memory_holds_a_session_still_begins_with_the_token() {
    let world = World::new();
    gateway(&world, &[]);
    world.database.execute(
        "INSERT INTO token_apps (name, token_name, secret, secret_key_id, expire_s, claim_username,
           claim_name, claim_email, algorithm, enabled, creates_users, initial_roles,
           initial_password, creator_id, created_at, modified_at)
         WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1001)
         SELECT 'A' || n, 't' || n, secret, secret_key_id, expire_s, claim_username, claim_name,
           claim_email, algorithm, enabled, creates_users, initial_roles, initial_password,
           creator_id, created_at, modified_at
         FROM token_apps, numbers WHERE name = 'ERP'",
    );
    let isolate = world.isolate_with(&[
        ("ORIGIN_URL", Some("http://origin.test")),
        ("LOGIN_URL", Some("password")),
    ]);
    let ask = |name: &str, token: &str| {
        let url = format!("/x?state=1&{name}={token}");
        isolate.send(
            &navigation("/v1/forward-auth?redirect=1")
                .header("x-forwarded-uri", &url)
                .header("x-forwarded-method", "GET"),
        )
    };
    let response = ask("token", &isolate.token("alice"));
    assert_eq!(isolate.memory.is_token_name("token"), None, "else this tests nothing");
    assert_eq!((response.status, response.header("location")), (303, Some("/x?state=1")));
    assert_eq!(status(&isolate, "/x", &cookie_of(&response)), PASSED);
    let forged = crate::support::forge(
        r#"{"alg":"HS256"}"#,
        r#"{"loginname":"alice","exp":99999999999}"#,
        b"wrong",
    );
    let response = ask("of_some_app", &forged);
    let sent = (response.status, response.header("location"));
    assert_eq!(
        sent,
        (302, Some("/v1/sign-in?return_to=%2Fx%3Fstate%3D1")),
        "a token goes to no page of sign-in"
    );
}

#[test]
fn a_new_password_ends_the_sessions_that_tokens_have_begun() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let token = isolate.token("alice");
    let session = begin(&isolate, &token);
    world.pass(1);
    assert_eq!(status(&isolate, "/x", &session), PASSED);
    let password = json!({ "password": "another horse" });
    assert_eq!(isolate.administer("PUT", "/v1/users/2/password", &password).status, 204);
    for path in ["/x", "/v1/verify", "/v1/forward-auth"] {
        assert_eq!(status(&isolate, path, &session), 401, "{path}");
    }
    assert_eq!(isolate.verify(&token), (200, "alice".to_owned()), "the token is its app's to end");
    world.pass(1);
    assert_eq!(status(&isolate, "/x", &begin(&isolate, &token)), PASSED, "and begins another one");
}

#[test]
fn signing_out_ends_a_session_whose_app_is_disabled_for_good() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let token = isolate.token("alice");
    let session = begin(&isolate, &token);
    isolate.register(&json!({ "enable": "0" }));
    assert_eq!(
        isolate.send(&Request::new("GET", "/v1/sign-out").header("cookie", &session)).status,
        200
    );
    isolate.register(&json!({}));
    assert_eq!(status(&isolate, "/x", &session), 401);
    assert_eq!(isolate.verify(&token), (401, "revoked".to_owned()));
}

#[test]
fn a_session_begins_with_the_token_and_not_with_a_token_of_the_application() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let state = crate::support::forge(
        r#"{"alg":"HS256"}"#,
        r#"{"loginname":"mallory"}"#,
        b"of the application",
    );
    let token = isolate.token("alice");
    let response = isolate.send(&navigation(&format!("/x?state={state}&token={token}")));
    assert_eq!(response.header("location"), Some(format!("/x?state={state}").as_str()));
    assert_eq!(status(&isolate, "/x", &cookie_of(&response)), PASSED);
    let asked = |query: &str| {
        navigation("/v1/forward-auth")
            .header("x-forwarded-uri", &format!("/x?{query}"))
            .header("x-forwarded-method", "GET")
    };
    let response = isolate.send(&asked(&format!("state={state}&token={token}")));
    assert_eq!(status(&isolate, "/x", &cookie_of(&response)), PASSED);
}

#[test]
fn a_token_that_no_cookie_holds_opens_its_page_and_begins_nothing() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let begun = |note: usize| {
        let claims = json!({
            "loginname": "alice", "exp": world.now.get().seconds() + 600, "note": "x".repeat(note),
        });
        let token = crate::support::forge(r#"{"alg":"HS256"}"#, &claims.to_string(), b"abcd");
        let response = isolate.send(&navigation(&format!("/x?token={token}")));
        let length = response
            .header("set-cookie")
            .map(|set| set.split(';').next().unwrap_or_default().len());
        assert_eq!(response.status, if length.is_some() { 303 } else { PASSED }, "{note}");
        length
    };
    assert!(begun(1_500).is_some_and(|length| (2_500..4_000).contains(&length)));
    assert_eq!(begun(3_000), None);
}

#[test]
fn a_header_that_carries_a_token_never_reaches_the_origin_in_no_spelling() {
    let world = World::new();
    let isolate = gateway(&world, &[("TOKEN_HEADERS", "Cf-Access-Jwt-Assertion")]);
    let token = isolate.token("alice");
    let bearer = format!("Bearer {token}");
    let shown = [("cf-access-jwt-assertion", token.as_str())];
    for (path, credential) in
        [("/x", shown), ("/x", [("authorization", bearer.as_str())]), ("/static/x", shown)]
    {
        for name in
            ["cf_access_jwt_assertion", "cf.access.jwt-assertion", "cf-access-jwt_assertion"]
        {
            let request =
                Request::new("GET", path).header(name, "forged").header("cf-access-jwt", "another");
            let request = credential
                .iter()
                .fold(request, |request, (name, value)| request.header(name, value));
            assert_eq!(isolate.send(&request).status, PASSED, "{path} {name}");
            let forward = world.passed.borrow_mut().pop().expect("it went on");
            let names: Vec<_> = forward
                .headers
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| name.starts_with("cf"))
                .collect();
            assert_eq!(names, ["cf-access-jwt"], "{path} {name}");
        }
    }
}

#[test]
fn behind_a_proxy_only_a_navigation_that_reads_begins_a_session() {
    let world = World::new();
    let isolate = gateway(&world, &[]);
    let url = format!("/x?token={}", isolate.token("alice"));
    for path in [
        "/v1/forward-auth?redirect=1",
        "/v1/forward-auth/signed-in/redirect",
        "/v1/forward-auth/rules/redirect",
    ] {
        for (mode, method, status) in [
            ("navigate", "GET", 303),
            ("navigate", "HEAD", 303),
            ("navigate", "POST", 200),
            ("navigate", "PROPFIND", 200),
            ("navigate", "GET, POST", 200),
            ("cors", "GET", 200),
            ("no-cors", "GET", 200),
        ] {
            let asked = Request::new("GET", path)
                .header("x-forwarded-uri", &url)
                .header("x-forwarded-method", method);
            let response = isolate.send(&asked.header("sec-fetch-mode", mode));
            let begun = response.header("set-cookie").is_some();
            assert_eq!(
                (response.status, begun),
                (status, status == 303),
                "{path} {mode} {method}: {}",
                response.body
            );
        }
    }
    for path in ["/v1/forward-auth", "/v1/forward-auth/signed-in", "/v1/forward-auth/rules"] {
        let response = isolate.send(
            &navigation(path).header("x-forwarded-uri", &url).header("x-forwarded-method", "GET"),
        );
        let begun = response.header("set-cookie").is_some();
        assert_eq!(
            (response.status, begun),
            (200, true),
            "{path}: nginx makes a 500 of a redirect"
        );
    }
}

#[test]
fn behind_a_proxy_that_changes_the_origin_browsers_are_at_the_public_one() {
    let world = World::new();
    let isolate = gateway(&world, &[("PUBLIC_ORIGIN", "https://app.example.com")]);
    let session = begin(&isolate, &isolate.token("alice"));
    assert!(session.starts_with("__Host-postern="), "{session}");
    let post = |origin: &str| {
        isolate
            .send(&Request::new("POST", "/x").header("cookie", &session).header("origin", origin))
            .status
    };
    assert_eq!(post("https://app.example.com"), PASSED);
    for other in [
        "http://app.example.com",
        "https://app.example.com.evil.test",
        "https://app.example.com:8443",
        "https://evil.test",
        "null",
    ] {
        assert_eq!(post(other), 403, "{other}");
    }
}

#[test]
fn a_session_that_was_revoked_is_refused_whatever_comes_after_it() {
    let world = World::new();
    let isolate = gateway(&world, &[("TOKEN_COOKIES", "CF_Authorization")]);
    let token = isolate.token("alice");
    let cookies = format!("{}; CF_Authorization={}", begin(&isolate, &token), isolate.token("bob"));
    assert_eq!(status(&isolate, "/x", &cookies), PASSED);
    assert_eq!(
        isolate.administer("POST", "/v1/revocations", &json!({ "token": token })).status,
        204
    );
    for path in ["/x", "/v1/verify", "/v1/forward-auth"] {
        assert_eq!(status(&isolate, path, &cookies), 401, "{path}");
    }
}

#[test]
fn of_two_sessions_over_https_the_one_of_the_old_setting_is_removed() {
    let world = World::new();
    for (samesite, end) in [("lax", "; SameSite=None; Partitioned"), ("none", "; SameSite=Lax")] {
        let isolate = gateway(&world, &[("SESSION_SAMESITE", samesite)]);
        let begun =
            isolate.send(&navigation(&format!("/?token={}", isolate.token("alice"))).over_https());
        let session = cookie_of(&begun);
        let get =
            |cookies: &str| isolate.send(&navigation("/x").over_https().header("cookie", cookies));
        let both = get(&format!("{session}; __Host-postern=v1.old"));
        assert_eq!(both.status, 401, "{}", both.body);
        let taken_back = both.header("set-cookie").expect("one of the two is taken back");
        assert!(
            taken_back.starts_with("__Host-postern=; Path=/; Max-Age=0; ")
                && taken_back.ends_with(end),
            "{taken_back}"
        );
        assert_eq!(get(&session).status, PASSED);
    }
}

#[test]
fn pages_that_end_or_refuse_link_to_where_one_signs_in() {
    let world = World::new();
    for (login, link) in [
        ("password", "/v1/sign-in"),
        (
            "https://portal.example.com/login?a=\"b&c",
            "https://portal.example.com/login?a=&quot;b&amp;c",
        ),
    ] {
        let isolate = gateway(&world, &[("LOGIN_URL", login)]);
        let out = isolate.send(&navigation("/v1/sign-out")).body;
        assert!(out.contains(&format!("<a href=\"{link}\">")), "{out}");
        let form = isolate
            .send(&Request::new("POST", "/orders?page=2").header("sec-fetch-mode", "navigate"));
        let joint = if link.contains('?') { "&amp;" } else { "?" };
        assert_eq!(form.status, 401);
        assert!(
            form.body
                .contains(&format!("<a href=\"{link}{joint}return_to=%2Forders%3Fpage%3D2\">")),
            "{}",
            form.body
        );
    }
    let isolate = gateway(&world, &[]);
    assert!(
        !isolate.send(&navigation("/x")).body.contains("<a "),
        "there is no page to sign in at"
    );
}

#[test]
fn whoever_opens_a_postern_that_is_not_set_up_reads_what_is_left_to_do() {
    let world = World::new();
    let isolate = world
        .isolate_with(&[("LOGIN_URL", Some("/login")), ("ORIGIN_URL", Some("http://origin.test"))]);
    let page = isolate.send(&navigation("/"));
    assert_eq!((page.status, page.header("content-type")), (503, Some("text/html;charset=utf-8")));
    assert!(
        page.body.contains("Postern is not set up") && page.body.contains("LOGIN_URL"),
        "{}",
        page.body
    );
    for api in [navigation("/v1/verify"), Request::new("GET", "/")] {
        assert_eq!(isolate.send(&api).header("content-type"), Some("application/problem+json"));
    }
}
