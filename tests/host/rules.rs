//! The rules of the gateway, over HTTP: what is looked up for them, when, and what is logged.

use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, basic, forge, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The status of a host test for what went on.
const PASSED: u16 = 299;

fn gateway<'a>(world: &'a World, rules: &Value) -> Isolate<'a> {
    let rules = rules.to_string();
    let variables =
        [("ORIGIN_URL", Some("http://origin.test")), ("ORIGIN_PUBLIC", Some("/static")), ("ORIGIN_RULES", Some(rules.as_str()))];
    world.isolate_with(&variables)
}

/// The app `A`, whose tokens say roles and groups, and the user alice.
fn set_up(isolate: &Isolate<'_>) {
    let app = json!({ "name": "A", "algorithm": "HS256", "secret": SECRET, "claims": { "username": "sub", "groups": "groups" },
        "groupsMode": "request", "groupMap": { "testers": 9 } });
    let response = isolate.administer("POST", "/v1/token-apps", &app);
    assert_eq!(response.status, 201, "{}", response.body);
    let alice = json!({ "username": "alice", "password": "correct horse alice" });
    assert_eq!(isolate.administer("POST", "/v1/users", &alice).status, 201);
    assert_eq!(isolate.administer("PATCH", "/v1/users/2", &json!({ "tokenApp": "A" })).status, 200);
}

fn token(isolate: &Isolate<'_>, claims: &Value) -> String {
    let now = isolate.world.now.get().seconds();
    let mut all = json!({ "sub": "alice", "iat": now, "exp": now + 600 });
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    forge(r#"{"alg":"HS256","typ":"JWT"}"#, &all.to_string(), SECRET.as_bytes())
}

fn get(isolate: &Isolate<'_>, path: &str, claims: &Value) -> (u16, String) {
    answer(isolate, &Request::new("GET", path).authorization(&format!("Bearer {}", token(isolate, claims))))
}

/// The status, and the word that says why.
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
    assert_eq!(get(&there, "/a", &json!({})), passed(), "elsewhere with the next reading of the feed");
    here.administer("DELETE", "/v1/groups/5/members/2", &Value::Null);
    world.pass(11);
    assert_eq!(get(&there, "/a", &json!({})), refused("rule"));

    // A group that is deleted is nobody's.
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
    let isolate = gateway(&world, &json!([{ "path": "/a", "groups": [5] }, { "path": "/b", "groups": [5], "report": true }]));
    set_up(&isolate);
    isolate.administer("PUT", "/v1/groups/5/members/2", &Value::Null);
    let cold = gateway(&world, &json!([{ "path": "/a", "groups": [5] }, { "path": "/b", "groups": [5], "report": true }]));
    assert_eq!(get(&isolate, "/a", &json!({})), passed());
    assert_eq!(get(&cold, "/c", &json!({})), passed(), "alice is known here, and her groups are not");
    world.database.answers.set(false);
    world.pass(11);
    assert_eq!(get(&isolate, "/a", &json!({})), passed());
    assert_eq!(get(&cold, "/a", &json!({})).0, 503);
    assert_eq!(get(&cold, "/b", &json!({})), passed(), "what only reports refuses nobody");
    assert!(world.log.0.borrow().iter().any(|line| line.contains("GET /b: rule 2 of ORIGIN_RULES") && line.contains("does not answer")));
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
    let by_password = |path: &str| answer(&isolate, &Request::new("GET", path).authorization(&basic("alice", "correct horse alice")));
    assert_eq!(by_password("/scopes"), refused("insufficient_scope"));
    assert_eq!(by_password("/audience"), refused("rule"));
    assert_eq!(by_password("/app"), refused("rule"));
    assert_eq!(by_password("/type"), passed());
    isolate.administer("PATCH", "/v1/users/2", &json!({ "roles": ["sales"] }));
    assert_eq!(get(&isolate, "/roles", &json!({})), passed());
    let key = json_of(&isolate.administer("POST", "/v1/keys", &json!({ "name": "k", "userId": 2, "may": ["decisions"] })));
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
    let why = "GET /a/b: rule 1 of ORIGIN_RULES, which only reports, would have refused: \
               user 2: rule 1 of ORIGIN_RULES wants something of the caller that does not hold: roles";
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
        let request = Request::new("GET", "/v1/forward-auth/rules").header("x-forwarded-method", "GET").header("x-original-url", url);
        let request = match hosts {
            Some(hosts) => request.header("x-forwarded-host", hosts),
            None => request,
        };
        (answer(&isolate, &request).0, answer(&isolate, &request.authorization(&jwt)).0)
    };
    assert_eq!(asked(Some("postern.test:8443"), "/a"), (401, 200));
    assert_eq!(asked(Some("open.test"), "/a"), (200, 200));
    assert_eq!(asked(Some("other.test"), "/a"), (401, 403));
    assert_eq!(asked(Some("open.test, other.test"), "/a"), (401, 403), "either may be the client's");
    assert_eq!(asked(Some("open.test"), "https://other.test/a"), (401, 403));
    assert_eq!(asked(None, "https://open.test/a"), (200, 200));
    assert_eq!(asked(None, "/a"), (400, 400), "rules look at hosts, and none is told");
}

#[test]
fn a_table_that_cannot_be_understood_lets_nobody_in() {
    for rule in [json!({ "path": "/a", "group": [5] }), json!({ "path": "/a", "groups": [] }), json!({ "path": "/a", "any": [] })] {
        let world = World::new();
        let isolate = gateway(&world, &json!([rule]));
        let response = isolate.send(&Request::new("GET", "/static/x").authorization(&admin()));
        assert_eq!(response.status, 503, "{}", response.body);
        assert!(response.body.contains("ORIGIN_RULES has a rule (number 1)"), "{}", response.body);
    }
}
