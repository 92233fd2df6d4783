//! The rules of the gateway over HTTP: what is looked up for them, when, and what is logged.

use serde_json::{Value, json};

use crate::path_spellings::Numbers;
use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, basic, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The status of the tests' answer to a request that went on.
const PASSED: u16 = 299;

fn gateway<'a>(world: &'a World, rules: &Value) -> Isolate<'a> {
    let rules = rules.to_string();
    let variables = [
        ("ORIGIN_URL", Some("http://origin.test")),
        ("ORIGIN_PUBLIC", Some("/static")),
        ("ORIGIN_RULES", Some(rules.as_str())),
    ];
    world.isolate_with(&variables)
}

/// Registers the app `A`, whose tokens name roles and groups, and the user alice.
fn set_up(isolate: &Isolate<'_>) {
    let app = json!({
        "name": "A", "algorithm": "HS256", "secret": SECRET,
        "claims": { "username": "sub", "groups": "groups" },
        "groupsMode": "request", "groupMap": { "testers": 9 },
    });
    let response = isolate.administer("POST", "/v1/token-apps", &app);
    assert_eq!(response.status, 201, "{}", response.body);
    let alice = json!({ "username": "alice", "password": "correct horse alice" });
    assert_eq!(isolate.administer("POST", "/v1/users", &alice).status, 201);
    assert_eq!(isolate.administer("PATCH", "/v1/users/2", &json!({ "tokenApp": "A" })).status, 200);
}

fn token(isolate: &Isolate<'_>, claims: &Value) -> String {
    isolate.signed(SECRET, claims)
}

fn get(isolate: &Isolate<'_>, path: &str, claims: &Value) -> (u16, String) {
    answer(
        isolate,
        &Request::new("GET", path).authorization(&format!("Bearer {}", token(isolate, claims))),
    )
}

/// The status, and the reason of a refusal.
fn answer(isolate: &Isolate<'_>, request: &Request) -> (u16, String) {
    let response = isolate.send(request);
    (response.status, response.header("x-postern-reason").unwrap_or_default().to_owned())
}

fn passed() -> (u16, String) {
    (PASSED, String::new())
}

fn refused(reason: &str) -> (u16, String) {
    (403, reason.to_owned())
}

#[test]
fn groups_are_read_with_the_caller_once_and_follow_the_feed() {
    let world = World::new();
    let here = gateway(&world, &json!([{ "path": "/a", "groups": [5] }]));
    set_up(&here);
    let there = gateway(&world, &json!([{ "path": "/a", "groups": [5] }]));
    let batches = || world.database.batches.get();
    let before = batches();
    assert_eq!(get(&there, "/a", &json!({})), refused("rule"));
    assert_eq!(batches() - before, 1, "the groups come in the round trip that tells who calls");
    let before = batches();
    assert_eq!(get(&there, "/a", &json!({})), refused("rule"));
    assert_eq!(get(&there, "/b", &json!({})), passed());
    assert_eq!(batches(), before, "warm, nothing is read");

    assert_eq!(here.administer("PUT", "/v1/groups/5/members/2", &Value::Null).status, 204);
    assert_eq!(get(&here, "/a", &json!({})), passed(), "at once where it was changed");
    world.pass(11);
    assert_eq!(
        get(&there, "/a", &json!({})),
        passed(),
        "elsewhere with the next reading of the feed"
    );
    here.administer("DELETE", "/v1/groups/5/members/2", &Value::Null);
    world.pass(11);
    assert_eq!(get(&there, "/a", &json!({})), refused("rule"));

    // A deleted group has no members.
    here.administer("POST", "/v1/groups", &json!({ "id": 5 }));
    here.administer("PUT", "/v1/groups/5/members/2", &Value::Null);
    world.pass(11);
    assert_eq!(get(&there, "/a", &json!({})), passed());
    here.administer("DELETE", "/v1/groups/5", &Value::Null);
    world.pass(11);
    let is_member = world.database.number("SELECT COUNT(*) FROM memberships") > 0;
    assert_eq!(get(&there, "/a", &json!({})) == passed(), is_member);
}

#[test]
fn groups_are_as_they_were_while_d1_does_not_answer_and_unknown_ones_are_503() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &json!([{ "path": "/a", "groups": [5] }, { "path": "/b", "groups": [5], "report": true }]),
    );
    set_up(&isolate);
    isolate.administer("PUT", "/v1/groups/5/members/2", &Value::Null);
    let cold = gateway(
        &world,
        &json!([{ "path": "/a", "groups": [5] }, { "path": "/b", "groups": [5], "report": true }]),
    );
    assert_eq!(get(&isolate, "/a", &json!({})), passed());
    assert_eq!(
        get(&cold, "/c", &json!({})),
        passed(),
        "alice is known here, and her groups are not"
    );
    world.database.answers.set(false);
    world.pass(11);
    assert_eq!(get(&isolate, "/a", &json!({})), passed());
    assert_eq!(get(&cold, "/a", &json!({})).0, 503);
    assert_eq!(get(&cold, "/b", &json!({})), passed(), "what only reports refuses nobody");
    assert!(
        world.log.0.borrow().iter().any(|line| line.contains("GET /b: rule 2 of ORIGIN_RULES")
            && line.contains("does not answer"))
    );
}

#[test]
fn groups_of_a_token_count_for_its_request_and_left_out_ones_are_503() {
    let world = World::new();
    let isolate = gateway(&world, &json!([{ "path": "/a", "groups": [9] }]));
    set_up(&isolate);
    assert_eq!(get(&isolate, "/a", &json!({ "groups": ["testers"] })), passed());
    assert_eq!(get(&isolate, "/a", &json!({ "groups": ["others"] })), refused("rule"));
    assert_eq!(get(&isolate, "/a", &json!({})), refused("rule"));
    assert_eq!(get(&isolate, "/a", &json!({ "_claim_names": { "groups": "src1" } })).0, 503);
    assert_eq!(get(&isolate, "/a", &json!({ "groups": 9 })), (401, "claim_type".to_owned()));
}

#[test]
fn scopes_audience_app_and_roles_are_those_of_the_token_and_its_user() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &json!([
            { "path": "/scopes", "scopes": ["read", "write"] },
            { "path": "/audience", "audience": "bi" },
            { "path": "/app", "apps": ["A"] },
            { "path": "/roles", "roles": ["sales"] },
            { "path": "/type", "roles": ["SYS_Reader"] },
        ]),
    );
    set_up(&isolate);
    for (path, claims, expected) in [
        ("/scopes", json!({ "scope": "write read x" }), passed()),
        ("/scopes", json!({ "scp": ["read", "write"] }), passed()),
        ("/scopes", json!({ "scp": ["read"], "scope": "write" }), passed()),
        ("/scopes", json!({ "scope": "read" }), refused("insufficient_scope")),
        ("/scopes", json!({ "scope": 7 }), (401, "claim_type".to_owned())),
        ("/scopes", json!({}), refused("insufficient_scope")),
        ("/audience", json!({ "aud": "bi" }), passed()),
        ("/audience", json!({ "aud": ["x", "bi"] }), passed()),
        ("/audience", json!({ "aud": "bio" }), refused("rule")),
        ("/app", json!({}), passed()),
        ("/roles", json!({}), refused("rule")),
        ("/type", json!({}), passed()),
    ] {
        assert_eq!(get(&isolate, path, &claims), expected, "{path} {claims}");
    }
    let by_password = |path: &str| {
        answer(
            &isolate,
            &Request::new("GET", path).authorization(&basic("alice", "correct horse alice")),
        )
    };
    assert_eq!(by_password("/scopes"), refused("insufficient_scope"));
    assert_eq!(by_password("/audience"), refused("rule"));
    assert_eq!(by_password("/app"), refused("rule"));
    assert_eq!(by_password("/type"), passed());
    isolate.administer("PATCH", "/v1/users/2", &json!({ "roles": ["sales"] }));
    assert_eq!(get(&isolate, "/roles", &json!({})), passed());
    let key = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "k", "userId": 2, "may": ["decisions"] }),
    ));
    let key = format!("Bearer {}", key["key"].as_str().expect("a key"));
    assert_eq!(answer(&isolate, &Request::new("GET", "/type").authorization(&key)).0, 403);
}

#[test]
fn a_report_is_logged_with_the_rule_and_never_with_the_query() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &json!([
            { "path": "/a", "roles": ["boss"], "report": true },
            { "path": "/static/new", "groups": [5], "report": true },
        ]),
    );
    set_up(&isolate);
    let jwt = token(&isolate, &json!({}));
    world.log.0.borrow_mut().clear();
    assert_eq!(get(&isolate, &format!("/a/b?secret={jwt}"), &json!({})), passed());
    assert_eq!(answer(&isolate, &Request::new("GET", "/static/new/x")), passed());
    assert_eq!(answer(&isolate, &Request::new("GET", "/static/x")), passed());
    let lines = world.log.0.borrow().clone();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let why = "GET /a/b: rule 1 of ORIGIN_RULES, which only reports, would have refused: user 2: \
               rule 1 of ORIGIN_RULES requires what the caller lacks: roles";
    assert!(lines[0].ends_with(why), "{lines:?}");
    assert!(lines[1].contains("GET /static/new/x: rule 2 of ORIGIN_RULES"), "{lines:?}");
    assert!(!lines.concat().contains(&jwt));
}

#[test]
fn rules_of_a_host_are_for_that_host_behind_a_proxy_too() {
    let world = World::new();
    let rules = json!([
        { "path": "/a", "deny": true },
        { "host": "postern.test", "path": "/a", "roles": ["SYS_Reader"] },
        { "host": "open.test", "path": "/a", "public": true },
    ]);
    let isolate = gateway(&world, &rules);
    set_up(&isolate);
    assert_eq!(get(&isolate, "/a", &json!({})), passed());
    let jwt = format!("Bearer {}", token(&isolate, &json!({})));
    let asked = |hosts: Option<&str>, url: &str| {
        let request = Request::new("GET", "/v1/forward-auth/rules")
            .header("x-forwarded-method", "GET")
            .header("x-original-url", url);
        let request = match hosts {
            Some(hosts) => request.header("x-forwarded-host", hosts),
            None => request,
        };
        (answer(&isolate, &request).0, answer(&isolate, &request.authorization(&jwt)).0)
    };
    assert_eq!(asked(Some("postern.test:8443"), "/a"), (401, 200));
    assert_eq!(asked(Some("open.test"), "/a"), (200, 200));
    assert_eq!(asked(Some("other.test"), "/a"), (401, 403));
    assert_eq!(
        asked(Some("open.test, other.test"), "/a"),
        (401, 403),
        "either may be the client's"
    );
    assert_eq!(asked(Some("open.test"), "https://other.test/a"), (401, 403));
    assert_eq!(asked(None, "https://open.test/a"), (200, 200));
    assert_eq!(asked(None, "/a"), (400, 400), "rules look at hosts, and none is told");
}

#[test]
fn a_table_that_cannot_be_understood_lets_nobody_in() {
    for rule in [
        json!({ "path": "/a", "group": [5] }),
        json!({ "path": "/a", "groups": [] }),
        json!({ "path": "/a", "any": [] }),
    ] {
        let world = World::new();
        let isolate = gateway(&world, &json!([rule]));
        let response = isolate.send(&Request::new("GET", "/static/x").authorization(&admin()));
        assert_eq!(response.status, 503, "{}", response.body);
        assert!(response.body.contains("ORIGIN_RULES has a rule (number 1)"), "{}", response.body);
    }
}

/// The verdict on a request, in the words of `/v1/rules/test`.
fn met(isolate: &Isolate<'_>, request: &Request) -> &'static str {
    let status = isolate.send(request).status;
    let forward = isolate.world.passed.borrow_mut().pop();
    match (status, forward) {
        (PASSED, Some(forward)) if forward.is_for_everybody => "public",
        (PASSED, Some(_)) => "passes",
        (400..=499, None) => "refused",
        (500..=599, None) => "unknown",
        (other, _) => panic!("{other}"),
    }
}

fn signed_in(isolate: &Isolate<'_>, username: &str, password: &str) -> String {
    let body = json!({ "username": username, "password": password }).to_string();
    let response = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

/// A random condition of a rule.
fn a_need(numbers: &mut Numbers) -> (&'static str, Value) {
    match numbers.below(8) {
        0 | 6 | 7 => (
            "groups",
            [json!([5]), json!([9]), json!([5, 9]), json!([6])][numbers.below(4)].clone(),
        ),
        1 => ("roles", json!([numbers.one(&["sales", "boss", "SYS_Reader", "Administrator"])])),
        2 => (
            "scopes",
            json!([["read", "write"], ["read", "read"], ["x", "read"]][numbers.below(3)]),
        ),
        3 => ("apps", json!([numbers.one(&["A", "B"])])),
        4 => ("audience", json!(numbers.one(&["bi", "crm"]))),
        _ => ("permission", json!(numbers.one(&["VIEW", "TEST", "MODIFY"]))),
    }
}

fn some_needs(numbers: &mut Numbers) -> Value {
    let mut needs = json!({});
    for _ in 0..=numbers.below(2) {
        let (member, value) = a_need(numbers);
        needs[member] = value;
        if member == "permission" {
            needs["service"] = json!(7);
        }
    }
    needs
}

fn a_rule(numbers: &mut Numbers) -> Value {
    let kind = numbers.below(8);
    let mut rule = match kind {
        0 => json!({ "public": true }),
        1 => json!({ "any": [some_needs(numbers), some_needs(numbers)] }),
        _ => some_needs(numbers),
    };
    rule["path"] = json!(numbers.one(&["/", "/a", "/a/b", "/A", "/static", "/static/x"]));
    match kind {
        2 => rule["deny"] = json!(true),
        3 => rule["report"] = json!(true),
        _ => {}
    }
    if numbers.below(3) == 0 {
        rule["methods"] = json!([numbers.one(&["GET", "POST", "HEAD"])]);
    }
    if numbers.below(4) == 0 {
        rule["host"] = json!(numbers.one(&["postern.test", "other.test"]));
    }
    rule
}

#[test]
fn the_tester_says_what_the_gate_does_for_10_000_requests() {
    let world = World::new();
    let first = gateway(&world, &json!([]));
    set_up(&first);
    first.administer("PUT", "/v1/groups/5/members/2", &Value::Null);
    first.administer("PATCH", "/v1/users/2", &json!({ "roles": ["sales"] }));
    first.administer(
        "POST",
        "/v1/services/7/grants",
        &json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["TEST"] }),
    );
    let admin = format!("Bearer {}", signed_in(&first, "admin", ADMIN_PASSWORD));
    let opaque = signed_in(&first, "alice", "correct horse alice");
    let key = json_of(&first.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "k", "userId": 2, "may": ["decisions"] }),
    ));
    let mut tokens: Vec<String> = [
        json!({}),
        json!({ "scope": "read", "aud": "bi" }),
        json!({ "scope": "read write", "groups": ["testers"], "aud": ["bi", "crm"] }),
        json!({ "scope": 7, "aud": 7 }),
        json!({ "_claim_names": {} }),
        json!({ "_claim_names": {}, "scope": "read write", "aud": "bi" }),
        json!({ "groups": [1] }),
        json!({ "exp": 1 }),
    ]
    .iter()
    .map(|claims| token(&first, claims))
    .collect();
    tokens.extend([opaque, key["key"].as_str().expect("a key").to_owned(), "unknown".to_owned()]);

    let mut numbers = Numbers(20_261_127);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..100 {
        let rules: Vec<_> = (0..numbers.below(6)).map(|_| a_rule(&mut numbers)).collect();
        let isolate = gateway(&world, &json!(rules));
        for _ in 0..100 {
            let method = numbers.one(&["GET", "GET", "POST", "HEAD", "PUT", "BREW"]);
            let url = numbers.one(&[
                "/",
                "/a",
                "/a/",
                "/a/b",
                "/a/b/c",
                "/A/b",
                "/a.json",
                "/a/b;v=1",
                "/%61",
                "/a/..%2fstatic",
                "/static",
                "/static/x",
                "/STATIC",
                "/static/%2e%2e/a",
                "/c",
                "/v1%2fusers",
                "/a?_method=PUT",
                "/a/..;/b",
                "/..%2fx",
                "/a?x=1",
            ]);
            let shown = numbers.below(tokens.len() + 1);
            let mut request = Request::new(method, url);
            let mut question = json!({ "method": method, "url": url });
            if let Some(token) = tokens.get(shown) {
                request = request.authorization(&format!("Bearer {token}"));
                question["token"] = json!(token);
            }
            let met = met(&isolate, &request);
            let asked = Request::new("POST", "/v1/rules/test")
                .authorization(&admin)
                .body(&question.to_string());
            let response = isolate.send(&asked);
            assert_eq!(response.status, 200, "{}", response.body);
            assert_eq!(
                json_of(&response)["verdict"],
                met,
                "{method} {url} by {shown}: {}\n{}",
                response.body,
                json!(rules)
            );
            assert!(
                tokens
                    .iter()
                    .filter(|token| token.len() > 8)
                    .all(|token| !response.body.contains(token))
            );
            *counts.entry(met).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.values().sum::<u32>(), 10_000);
    for verdict in ["public", "passes", "refused", "unknown"] {
        assert!(counts.get(verdict).is_some_and(|count| *count >= 50), "{counts:?}");
    }
}

#[test]
fn the_tester_tells_why_and_writes_nothing() {
    let world = World::new();
    let isolate = gateway(
        &world,
        &json!([
            { "path": "/a", "groups": [5], "roles": ["sales"] },
            { "path": "/a", "scopes": ["bad"], "deny": true },
            { "path": "/a", "apps": ["B"], "report": true },
        ]),
    );
    set_up(&isolate);
    let state = || world.database.dump();
    let before = state();
    let ask = |question: &Value| json_of(&isolate.administer("POST", "/v1/rules/test", question));
    let told = ask(&json!({ "method": "GET", "url": "/a/x", "username": "alice" }));
    let check = |check: &str, held: bool, detail: &str| {
        json!({
            "check": check, "held": held, "detail": detail,
        })
    };
    let deny = "rule 2 denies callers who meet all its conditions; this one does not";
    let reports = "rule 3, which only reports, would have refused: rule 3 of ORIGIN_RULES \
        requires what the caller lacks: apps";
    let expected = json!({
        "verdict": "refused", "origin": "http://origin.test", "rule": 1,
        "checks": [
            check("user", true, "user 2 (\"alice\", SYS_Reader) is enabled"),
            check("groups", false, "rule 1 wants one of the groups [5]; it does not hold"),
            check("roles", false, "rule 1 wants one of the roles [\"sales\"]; it does not hold"),
            check("scopes", false, "rule 2 asks for all of the scopes [\"bad\"]; it does not hold"),
            check("deny", true, deny),
            check("report", true, reports),
        ],
    });
    assert_eq!(told, expected);
    let of_bad_scope = ask(&json!({
        "method": "GET", "url": "/a", "token": token(&isolate, &json!({ "scope": "bad" })),
    }));
    assert_eq!((&of_bad_scope["verdict"], &of_bad_scope["rule"]), (&json!("refused"), &json!(2)));
    // A user whom the token would create is judged as if they existed, and is not created.
    isolate.administer(
        "PATCH",
        "/v1/token-apps/A",
        &json!({ "initialRoles": ["sales"], "createsUsers": true }),
    );
    let before_new = state();
    let new = json!({ "sub": "newcomer", "groups": ["testers"] });
    let told = ask(&json!({ "method": "GET", "url": "/a", "token": token(&isolate, &new) }));
    assert_eq!(
        told["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter(|check| check["check"] == "roles" && check["held"] == true)
            .count(),
        1
    );
    assert_eq!(state(), before_new);
    assert_ne!(before, before_new);
    for (question, status) in [
        (json!({ "method": "GET", "url": "/a", "username": "alice", "token": "x" }), 400),
        (json!({ "method": "GET", "url": "a" }), 400),
        (json!({ "url": "/a" }), 400),
        (json!({ "method": "GET", "url": "/a", "user": "alice" }), 400),
    ] {
        assert_eq!(
            isolate.administer("POST", "/v1/rules/test", &question).status,
            status,
            "{question}"
        );
    }
    let of_alice =
        Request::new("GET", "/v1/rules").authorization(&basic("alice", "correct horse alice"));
    assert_eq!(isolate.send(&of_alice).status, 403);
}
