//! Each refusal logs one line, and a success logs none.

use postern::api::gate;
use postern::api::refusals::{Refused, note_without_context};
use postern::domain::time::Millis;
use postern::error::Error;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    ADMIN_PASSWORD, Isolate, Lines, REQUEST_ID, Request, World, admin, basic, block_on, forge,
    json_of,
};

/// The lines that the deed logs, of refusals and others.
fn lines(world: &World, deed: impl FnOnce()) -> Vec<String> {
    world.log.0.borrow_mut().clear();
    deed();
    world.run_tasks();
    world.log.0.borrow().clone()
}

/// The only line that the request logs, without the members that are the same in each line.
fn line(isolate: &Isolate<'_>, request: &Request) -> Value {
    let world = isolate.world;
    let logged = lines(world, || drop(isolate.send(request)));
    assert_eq!(logged.len(), 1, "{logged:?}");
    let Value::Object(mut line) = serde_json::from_str(&logged[0]).expect("JSON") else {
        panic!("{logged:?}")
    };
    assert_eq!(line.remove("time"), Some(json!(world.now.get().iso())));
    assert_eq!(line.remove("requestId"), Some(json!(REQUEST_ID)));
    let message =
        format!("refused {} {}", line["status"], line["reason"].as_str().unwrap_or_default());
    assert_eq!(line.remove("message"), Some(json!(message)));
    Value::Object(line)
}

fn get(path: &str) -> Request {
    Request::new("GET", path)
}

fn bearer(path: &str, token: &str) -> Request {
    get(path).authorization(&format!("Bearer {token}"))
}

#[test]
fn a_refusal_is_one_line_with_what_is_known_of_the_caller() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 200);
    let refused = |path: &str, status: u16, reason: &str, more: Value| {
        let mut line = json!({
            "method": "GET", "path": path, "status": status, "reason": reason, "dialect": "v1",
        });
        line.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        line
    };
    assert_eq!(
        line(&isolate, &get("/v1/users?q=1")),
        refused("/v1/users", 401, "missing", json!({}))
    );
    let forged = isolate.signed("wrong", &json!({}));
    let from_abroad = bearer("/v1/verify", &forged).header("test-country", "NL");
    assert_eq!(
        line(&isolate, &from_abroad),
        refused("/v1/verify", 401, "bad_signature", json!({ "country": "NL" }))
    );
    // The token has expired, but its signature is valid, so the line names the app.
    let expired = isolate
        .signed("abcd", &json!({ "loginname": "alice", "exp": world.now.get().seconds() - 3600 }));
    assert_eq!(
        line(&isolate, &bearer("/v1/verify", &expired)),
        refused("/v1/verify", 401, "expired", json!({ "app": "ERP" }))
    );
    let alice = isolate.token("alice");
    let not_administrator =
        refused("/v1/users", 403, "not_administrator", json!({ "app": "ERP", "user": 2 }));
    assert_eq!(line(&isolate, &bearer("/v1/users", &alice)), not_administrator);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
    let disabled = refused("/v1/verify", 403, "user_disabled", json!({ "app": "ERP", "user": 2 }));
    assert_eq!(line(&isolate, &bearer("/v1/verify", &alice)), disabled);
    // The line names the user whose password is guessed, if there is one.
    let guess = |name: &str| get("/v1/verify").authorization(&basic(name, "wrong"));
    assert_eq!(
        line(&isolate, &guess("admin")),
        refused("/v1/verify", 401, "wrong_password", json!({ "user": 1 }))
    );
    assert_eq!(
        line(&isolate, &guess("nobody")),
        refused("/v1/verify", 401, "wrong_password", json!({}))
    );

    let made =
        isolate.administer("POST", "/v1/keys", &json!({ "name": "ci", "may": ["decisions"] }));
    let key = json_of(&made)["key"].as_str().expect("a key").to_owned();
    let id = &json_of(&made)["id"];
    assert_eq!(
        line(&isolate, &bearer("/v1/users", &key)),
        refused("/v1/users", 403, "key_refused", json!({ "key": id }))
    );
    let wrong_name = get("/v1/verify").authorization(&basic("other", &key));
    assert_eq!(
        line(&isolate, &wrong_name),
        refused("/v1/verify", 401, "key_name", json!({ "key": id }))
    );
}

#[test]
fn what_d1_or_the_origin_fails_at_is_one_line_with_the_fault() {
    let world = World::new();
    let isolate = world.isolate_with(&[("STALE_IF_ERROR_S", Some("0"))]);
    isolate.register(&json!({}));
    world.database.answers.set(false);
    world.pass(60);
    let logged =
        lines(&world, || drop(isolate.send(&bearer("/v1/verify", &isolate.token("alice")))));
    let of_request: Vec<Value> =
        logged.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(of_request.len(), 1, "{logged:?}");
    assert_eq!(
        (&of_request[0]["status"], &of_request[0]["reason"]),
        (&json!(503), &json!("unavailable")),
        "{logged:?}"
    );
    assert!(
        of_request[0]["fault"].as_str().is_some_and(|fault| fault.contains("D1")),
        "{logged:?}"
    );
    let origin_failed = postern::api::origin_failed(
        &isolate.cx(),
        &get("/a"),
        &Error::OriginTimedOut { timeout_s: 7 },
    );
    assert_eq!(origin_failed.status, 504);
    let last = world.log.refusals().pop().expect("a line");
    assert_eq!(
        (&last["reason"], &last["fault"]),
        (&json!("origin_timed_out"), &json!("the origin did not answer within 7 seconds"))
    );
}

#[test]
fn a_deployment_without_its_secrets_says_so_with_every_refusal() {
    let world = World::new();
    let isolate = world.isolate_with(&[("MASTER_KEY", None)]);
    let logged = lines(&world, || assert_eq!(isolate.send(&get("/v1/verify")).status, 503));
    assert_eq!(logged.len(), 1, "{logged:?}");
    let line: Value = serde_json::from_str(&logged[0]).expect("JSON");
    assert_eq!(
        (&line["reason"], &line["dialect"], &line["path"]),
        (&json!("misconfigured"), &json!("v1"), &json!("/v1/verify"))
    );
    assert!(line["fault"].as_str().is_some_and(|fault| fault.contains("MASTER_KEY")), "{line}");
    let lines = Lines::default();
    let answer = gate::refuse(
        &lines,
        "check",
        REQUEST_ID,
        world.now.get(),
        vec!["MASTER_KEY is missing".to_owned()],
    );
    assert!(answer.contains(r#""ok":false"#), "{answer}");
    assert_eq!(
        (&lines.refusals()[0]["dialect"], &lines.refusals()[0]["method"]),
        (&json!("gate"), &json!("check"))
    );
}

/// A stranger's made-up tokens must not fill the log while something is broken.
#[test]
fn a_fault_that_every_caller_meets_is_logged_once_a_minute_and_counted_each_time() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let lost = "UPDATE token_apps SET secret = '' RETURNING 1";
    assert_eq!(world.database.number(lost), 1);
    let cold = world.isolate();
    let forged = forge(r#"{"alg":"HS256"}"#, r#"{"loginname":"alice"}"#, b"wrong");
    let flood = || {
        for _ in 0..20 {
            assert_eq!(cold.send(&bearer("/v1/verify", &forged)).status, 503);
        }
    };
    let logged = lines(&world, flood);
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("misconfigured") && logged[0].contains("has no secret"));
    world.pass(61);
    assert_eq!(lines(&world, flood).len(), 1);
    let counted = cold.cx().memory.refusals.totals();
    assert!(counted.contains(&("misconfigured", "v1", 40)), "{counted:?}");

    let endpoint = "https://idp.test/introspect";
    let app = json!({
        "name": "IdP", "algorithm": "introspection", "introspectionEndpoint": endpoint,
        "introspectionClientId": "gate", "secret": "a client secret", "anyAudience": true,
        "claims": { "username": "username" },
    });
    let world = World::new();
    assert_eq!(world.isolate().administer("POST", "/v1/token-apps", &app).status, 201);
    let cold = world.isolate();
    let logged = lines(&world, || {
        for number in 0..20 {
            assert_eq!(cold.verify(&format!("opaque-{number}")).0, 503);
        }
    });
    let told = logged.iter().filter(|line| line.contains("does not introspect")).count();
    assert_eq!(told, 1, "{logged:?}");
}

#[test]
fn nothing_is_logged_of_what_succeeds_or_is_only_wrong() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate.administer(
        "POST",
        "/v1/users",
        &json!({ "username": "bob", "password": "correct horse bob" }),
    );
    let alice = isolate.token("alice");
    let check = format!("/v1/check?service=1&permission=VIEW&token={alice}");
    let logged = lines(&world, || {
        for (request, status) in [
            (bearer("/v1/verify", &alice), 200),
            (get(&check), 200),
            (get("/health"), 200),
            (get("/v1/users").authorization(&admin()), 200),
            (get("/v1/users/99").authorization(&admin()), 404),
            (get("/v1/users?nonsense=1").authorization(&admin()), 400),
            (get("/v1/nowhere"), 404),
            (get("/nowhere"), 404),
            (Request::new("DELETE", "/v1/verify"), 405),
            (
                Request::new("POST", "/v1/introspect")
                    .authorization(&admin())
                    .body("token=unknown"),
                200,
            ),
        ] {
            let answer = isolate.send(&request);
            assert_eq!(answer.status, status, "{request:?}: {}", answer.body);
        }
    });
    assert_eq!(logged, Vec::<String>::new());
    assert_eq!(isolate.memory.refusals.totals(), []);
}

const RULES: &str =
    r#"[{"path": "/secret", "roles": ["boss"]}, {"path": "/closed", "deny": true}]"#;

#[test]
fn the_gateway_logs_whatever_it_lets_not_pass() {
    let world = World::new();
    let origin = [
        ("ORIGIN_URL", Some("http://origin.test")),
        ("ORIGIN_RULES", Some(RULES)),
        ("LOGIN_URL", Some("password")),
    ];
    let isolate = world.isolate_with(&origin);
    isolate.register(&json!({}));
    let alice = isolate.token("alice");
    let logged = lines(&world, || assert_eq!(isolate.send(&bearer("/a", &alice)).status, 299));
    assert_eq!(logged, Vec::<String>::new());
    let of_gateway = |request: &Request| {
        let line = line(&isolate, request);
        assert_eq!(line["dialect"], "gateway");
        ["status", "reason", "rule", "path"].map(|name| line[name].clone())
    };
    assert_eq!(
        of_gateway(&get("/a?x=y")),
        [json!(401), json!("missing"), json!(null), json!("/a")]
    );
    assert_eq!(
        of_gateway(&bearer("/secret/a", &alice)),
        [json!(403), json!("rule"), json!(1), json!("/secret/a")]
    );
    assert_eq!(
        of_gateway(&bearer("/closed", &alice)),
        [json!(403), json!("rule"), json!(2), json!("/closed")]
    );
    // A path that an origin could read as one of Postern's own, and a method that does not pass.
    assert_eq!(
        of_gateway(&bearer("/%761/users", &alice)),
        [json!(404), json!("not_found"), json!(null), json!("/%761/users")]
    );
    assert_eq!(of_gateway(&Request::new("TRACE", "/a"))[1], json!("method_not_allowed"));
    // A browser that is redirected to sign in was refused, too. So a loop of such redirects shows
    // in the log.
    assert_eq!(
        of_gateway(&get("/page").header("sec-fetch-mode", "navigate"))[..2],
        [json!(302), json!("missing")]
    );
    // A path that is no application's is not a refusal.
    let origins = [("ORIGINS", Some(r#"[{"path": "/app", "url": "http://origin.test"}]"#))];
    let elsewhere = world.isolate_with(&origins);
    assert_eq!(
        lines(&world, || assert_eq!(elsewhere.send(&get("/other")).status, 404)),
        Vec::<String>::new()
    );
}

#[test]
fn forward_auth_logs_what_its_proxy_asked_about() {
    let world = World::new();
    let isolate =
        world.isolate_with(&[("ORIGIN_RULES", Some(RULES)), ("LOGIN_URL", Some("password"))]);
    isolate.register(&json!({}));
    let alice = isolate.token("alice");
    let asked = |path: &str, url: &str| {
        get(path).header("x-forwarded-uri", url).header("x-forwarded-method", "PUT")
    };
    let of = |request: &Request| {
        let line = line(&isolate, request);
        ["path", "status", "reason", "about"].map(|name| line[name].clone())
    };
    let page = of(&asked("/v1/forward-auth", "/page?x=y"));
    assert_eq!(page, [json!("/v1/forward-auth"), json!(401), json!("missing"), json!("PUT /page")]);
    let by_rules =
        asked("/v1/forward-auth/rules", "/secret/x").authorization(&format!("Bearer {alice}"));
    assert_eq!(
        of(&by_rules),
        [json!("/v1/forward-auth/rules"), json!(403), json!("rule"), json!("PUT /secret/x")]
    );
    assert_eq!(line(&isolate, &by_rules)["rule"], json!(1));
    // If a proxy names no method, every request is refused, so its operator must see that.
    let silent = get("/v1/forward-auth/rules").header("x-forwarded-uri", "/a");
    assert_eq!(of(&silent)[1..3], [json!(400), json!("invalid")]);
    // The client is redirected to sign in. The line has its page without the query.
    let page = get("/v1/forward-auth/signed-in/redirect")
        .header("x-forwarded-uri", "/page?a=b")
        .header("sec-fetch-mode", "navigate");
    assert_eq!(of(&page)[1..], [json!(302), json!("missing"), json!("/page")]);
}

#[test]
fn a_sign_in_that_a_page_refuses_is_logged_as_one() {
    let world = World::new();
    let isolate = world.isolate_with(&[("LOGIN_URL", Some("password"))]);
    let body = json!({ "username": "admin", "password": "wrong" }).to_string();
    let refused = line(&isolate, &Request::new("POST", "/v1/sign-in").body(&body));
    assert_eq!((&refused["status"], &refused["reason"]), (&json!(401), &json!("wrong_password")));
    let right = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let logged = lines(&world, || {
        assert_eq!(isolate.send(&Request::new("POST", "/v1/sign-in").body(&right)).status, 303);
    });
    assert_eq!(logged, Vec::<String>::new());
}

#[test]
fn other_workers_are_refused_by_one_line_and_a_question_that_is_wrong_by_none() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let ask = |operation: &str, question: &Value| {
        lines(&world, || {
            drop(block_on(gate::answer(&isolate.cx(), operation, Some(&question.to_string()))));
        })
    };
    let logged = ask("verify", &json!({ "token": isolate.signed("wrong", &json!({})) }));
    assert_eq!(logged.len(), 1, "{logged:?}");
    let line: Value = serde_json::from_str(&logged[0]).expect("JSON");
    assert_eq!(
        ["dialect", "method", "reason"].map(|name| line[name].clone()),
        [json!("gate"), json!("verify"), json!("bad_signature")]
    );
    assert_eq!(line.get("path"), None);
    assert_eq!(ask("verify", &json!({ "tokn": "x" })), Vec::<String>::new());
    assert_eq!(
        ask("introspect", &json!({ "token": isolate.signed("wrong", &json!({})) })),
        Vec::<String>::new(),
        "a no is no refusal"
    );
    assert_eq!(
        ask("check", &json!({ "service": 1, "permission": "VIEW", "user": 1 })),
        Vec::<String>::new()
    );
}

#[test]
fn a_client_that_names_its_request_finds_it_and_no_credential_with_it() {
    let world = World::new();
    let isolate = world.isolate();
    let ask = |id: &str, authorization: &str| {
        let request = Request::new("POST", "/access/v1/evaluation")
            .authorization(authorization)
            .header("x-request-id", id)
            .body("{}");
        line(&isolate, &request)["clientRequestId"].clone()
    };
    let id = "7ac687f1-51c3-46ad-8617-89d737d1ba0d";
    assert_eq!(ask(id, ""), json!(id));
    assert_eq!(ask("job 7", ""), json!("{hidden}"), "a space is no part of an id");
    assert_eq!(ask(id, &format!("Bearer {id}")), json!("{hidden}"));
    assert_eq!(ask(&isolate.token("alice"), ""), json!("{hidden}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_line_is_one_line_of_bounded_json_whatever_strangers_write(
        method in ".{0,300}", path in "(/.{0,300}){0,20}", fault in ".{0,2000}",
    ) {
        let lines = Lines::default();
        let refused = Refused { method: &method, path: &path, dialect: "v1", ..Refused::default() };
        note_without_context(&lines, REQUEST_ID, Millis(0), &Error::internal(fault), &refused);
        let line = lines.0.borrow()[0].clone();
        let is_plain = |c: char| {
            c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric())
        };
        prop_assert!(line.chars().all(is_plain), "{line}");
        // Each character may take six bytes, and twelve as two UTF-16 units.
        prop_assert!(line.len() < 12 * (256 + 20 + 400) + 400, "{} bytes", line.len());
        let read: Value = serde_json::from_str(&line).expect("JSON");
        for (name, most) in [("method", 21), ("path", 257), ("fault", 401)] {
            let length = read[name].as_str().map_or(0, |text| text.chars().count());
            prop_assert!(length <= most, "{name} has {length}");
        }
    }
}
