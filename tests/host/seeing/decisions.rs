//! The decisions that a deployment with a binding for them counts.

use postern::api::gate;
use serde_json::{Value, json};

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, block_on};

/// The decisions that a request records, without their time.
fn noted(isolate: &Isolate<'_>, request: &Request) -> Vec<Value> {
    isolate.world.decisions.0.borrow_mut().clear();
    drop(isolate.send(request));
    taken(isolate.world)
}

fn taken(world: &World) -> Vec<Value> {
    let mut points = world.decisions.0.take();
    for point in &mut points {
        assert_eq!(
            point.as_object_mut().and_then(|point| point.remove("begunAt")),
            Some(json!(world.now.get().0))
        );
    }
    points
}

fn point(
    kind: &str,
    outcome: &str,
    reason: &str,
    dialect: &str,
    app: &str,
    answers: [u32; 2],
) -> Value {
    let [yes, no] = answers;
    json!({
        "kind": kind, "outcome": outcome, "reason": reason, "dialect": dialect, "app": app,
        "rule": null, "yes": yes, "no": no,
    })
}

#[test]
fn each_decision_is_one_point_and_nothing_else_is_one() {
    let world = World::new();
    world.counts_decisions.set(true);
    let isolate = world.isolate_with(&[("LOGIN_URL", Some("password"))]);
    isolate.register(&json!({}));
    let alice = isolate.token("alice");
    let bearer = |path: &str| Request::new("GET", path).authorization(&format!("Bearer {alice}"));
    let post = |path: &str, body: &Value| {
        Request::new("POST", path)
            .authorization(&admin())
            .header("content-type", "application/json")
            .body(&body.to_string())
    };
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["VIEW"] });
    isolate.verify(&alice);
    assert_eq!(isolate.administer("POST", "/api/v1/services/7/auth", &grant).status, 200);
    let account = |password: &str| json!({ "username": "admin", "password": password });
    let checks = json!({
        "checks": [
            { "service": 7, "permission": "VIEW", "user": 2 },
            { "service": 7, "permission": "GRANT", "user": 2 },
        ],
    });
    let evaluation = json!({
        "subject": { "type": "user", "id": "alice" }, "action": { "name": "VIEW" },
        "resource": { "type": "service", "id": "7" },
    });
    for (request, expected) in [
        (bearer("/v1/verify"), point("verify", "yes", "", "v1", "ERP", [0, 0])),
        (
            Request::new("GET", "/v1/verify"),
            point("verify", "refused", "missing", "v1", "", [0, 0]),
        ),
        (
            bearer("/v1/check?service=7&permission=VIEW"),
            point("check", "yes", "", "v1", "ERP", [1, 0]),
        ),
        (
            bearer("/v1/check?service=7&permission=GRANT"),
            point("check", "no", "", "v1", "ERP", [0, 1]),
        ),
        (bearer("/v1/check?service=7"), point("check", "wrong", "invalid", "v1", "", [0, 0])),
        (post("/v1/check/batch", &checks), point("check", "mixed", "", "v1", "", [1, 1])),
        (bearer("/v1/forward-auth/7/VIEW"), point("forward-auth", "yes", "", "v1", "ERP", [0, 0])),
        (
            bearer("/v1/forward-auth/7/GRANT"),
            point("forward-auth", "refused", "no_permission", "v1", "ERP", [0, 0]),
        ),
        (
            post("/access/v1/evaluation", &evaluation),
            point("authzen", "yes", "", "authzen", "", [1, 0]),
        ),
        (
            post("/v1/introspect", &json!({ "token": alice })),
            point("introspect", "yes", "", "oauth", "", [1, 0]),
        ),
        (
            post("/v1/introspect", &json!({ "token": "x" })),
            point("introspect", "no", "", "oauth", "", [0, 1]),
        ),
        (
            post("/v1/sign-in", &account(ADMIN_PASSWORD)),
            point("sign-in", "yes", "", "v1", "", [0, 0]),
        ),
        (
            post("/v1/sign-in", &account("wrong")),
            point("sign-in", "refused", "wrong_password", "v1", "", [0, 0]),
        ),
    ] {
        assert_eq!(noted(&isolate, &request), [expected], "{request:?}");
    }
    for request in [
        Request::new("GET", "/health"),
        Request::new("GET", "/v1/users").authorization(&admin()),
        Request::new("GET", "/nowhere"),
    ] {
        assert_eq!(noted(&isolate, &request), Vec::<Value>::new(), "{request:?}");
    }
    let ask = |operation: &str, question: Value| {
        drop(block_on(gate::answer(&isolate.cx(), operation, Some(&question.to_string()))));
        taken(&world)
    };
    assert_eq!(
        ask("verify", json!({ "token": alice })),
        [point("verify", "yes", "", "gate", "ERP", [0, 0])]
    );
    assert_eq!(
        ask("introspect", json!({ "token": "x" })),
        [point("introspect", "no", "", "gate", "", [0, 1])]
    );
    assert_eq!(
        ask("check", json!({ "service": 7, "permission": "VIEW", "user": 2 })),
        [point("check", "yes", "", "gate", "", [1, 0])]
    );
}

#[test]
fn the_gateway_notes_who_passes_and_which_rule_refuses() {
    let world = World::new();
    world.counts_decisions.set(true);
    let rules = r#"[{"path": "/secret", "roles": ["boss"]}]"#;
    let isolate = world
        .isolate_with(&[("ORIGIN_URL", Some("http://origin.test")), ("ORIGIN_RULES", Some(rules))]);
    isolate.register(&json!({}));
    let bearer = |path: &str| {
        Request::new("GET", path).authorization(&format!("Bearer {}", isolate.token("alice")))
    };
    assert_eq!(
        noted(&isolate, &bearer("/a")),
        [point("gateway", "yes", "", "gateway", "ERP", [0, 0])]
    );
    let mut refused = point("gateway", "refused", "rule", "gateway", "ERP", [0, 0]);
    refused["rule"] = json!(1);
    assert_eq!(noted(&isolate, &bearer("/secret")), [refused]);
}

#[test]
fn a_deployment_without_such_a_place_notes_nothing() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(noted(&isolate, &Request::new("GET", "/v1/verify")), Vec::<Value>::new());
}
