//! Keys for machines: which routes each key opens, what ends a key, and what its use costs.

mod costs;
mod ends;
mod makers;
mod raising;

use std::collections::BTreeSet;

use base64ct::{Base64, Encoding};
use postern::api::http::message::Response;
use postern::api::http::route::Access;
use postern::domain::identity::machine_key::May;
use serde_json::{Value, json};

use crate::routes::{filled, routes};
use crate::support::{Isolate, Request, World, admin, basic, json_of};

const PASSWORD: &str = "correct horse alice";

fn send(
    isolate: &Isolate<'_>,
    method: &str,
    path: &str,
    authorization: &str,
    body: &Value,
) -> Response {
    let request = Request::new(method, path).authorization(authorization);
    isolate.send(&if body.is_null() { request } else { request.body(&body.to_string()) })
}

/// Makes a key with a credential. Returns the answer's body.
fn make(isolate: &Isolate<'_>, authorization: &str, body: &Value) -> Value {
    let response = send(isolate, "POST", "/v1/keys", authorization, body);
    assert_eq!(response.status, 201, "{}", response.body);
    json_of(&response)
}

/// The first administrator makes a key without a user. Returns it as a bearer token.
fn key(isolate: &Isolate<'_>, may: &str) -> String {
    bearer(&make(isolate, &admin(), &json!({ "name": may, "may": [may] })))
}

fn bearer(made: &Value) -> String {
    format!("Bearer {}", made["key"].as_str().expect("a key"))
}

/// Creates alice as user 2 with this type. Returns her credential.
fn alice(isolate: &Isolate<'_>, user_type: &str) -> String {
    let body = json!({ "username": "alice", "password": PASSWORD, "type": user_type });
    assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
    basic("alice", PASSWORD)
}

fn reason(response: &Response) -> (u16, String) {
    (response.status, response.header("x-postern-reason").unwrap_or_default().to_owned())
}

/// The operations that a key with this right opens beside those that each key opens. A newly opened
/// route must be added here, so that none is opened by accident.
fn opened(may: May) -> BTreeSet<&'static str> {
    let asks = [
        "introspect",
        "check",
        "check_batch",
        "check_application",
        "get_service_switch",
        "get_user_permissions",
        "get_own_permissions",
        "check_user_permission",
        "evaluate_access",
        "evaluate_accesses",
        "search_subjects",
        "search_resources",
        "search_actions",
        "show_metrics",
    ];
    // A key may revoke itself.
    match may {
        May::Decisions => asks.into_iter().chain(["revoke"]).collect(),
        May::Provisioning => {
            let of_scim = routes()
                .filter(|(dialect, _)| dialect.name == "scim")
                .map(|(_, route)| route.operation);
            of_scim.chain(["import", "revoke"]).collect()
        }
        May::Administration => {
            let closed = ["order_node", "list_nodes", "sign_out"];
            let about_users =
                |access| matches!(access, Access::Shown | Access::ShownOrSent | Access::Public);
            let all = routes().filter(|(_, route)| {
                !about_users(route.access) && !closed.contains(&route.operation)
            });
            all.map(|(_, route)| route.operation).chain(asks).collect()
        }
    }
}

#[test]
fn each_route_opens_to_the_keys_that_the_table_names_and_to_no_other() {
    let world = World::new();
    let isolate = world.isolate();
    alice(&isolate, "SYS_Reader");
    let mut checked = 0;
    for may in May::ALL {
        // The key is made again for each route, because a route may delete it.
        for (_, route) in routes().filter(|(_, route)| route.access != Access::Public) {
            let is_about_itself = route.operation.starts_with("verify");
            let is_open = is_about_itself || opened(may).contains(route.operation);
            for path in route.paths {
                let made =
                    make(&isolate, &admin(), &json!({ "name": "each", "may": [may.name()] }));
                let question = if route.operation == "check" {
                    "?service=1&permission=VIEW&user=2"
                } else {
                    ""
                };
                let request = Request::new(route.method, &format!("{}{question}", filled(path)))
                    .authorization(&bearer(&made));
                let request = request
                    .header("x-forwarded-uri", "/")
                    .header("x-forwarded-method", "GET")
                    .body("{}");
                let response = isolate.send(&request);
                let is_refused = reason(&response) == (403, "key_refused".to_owned());
                // The route is open, but a key without a user has no permissions of its own.
                let needs_user = route.operation == "get_own_permissions";
                assert_eq!(
                    is_refused,
                    !is_open || needs_user,
                    "{} {path} {}: {}",
                    route.method,
                    may.name(),
                    response.body
                );
                assert!(
                    response.status != 401 && response.status != 500,
                    "{} {path}: {}",
                    route.method,
                    response.body
                );
                isolate.administer("DELETE", &format!("/v1/keys/{}", made["id"]), &Value::Null);
                checked += 1;
            }
        }
    }
    assert!(checked > 250, "{checked}");
}

/// A key that speaks for a user may not do what the user may not, whatever rights it names.
#[test]
fn a_key_that_speaks_for_a_user_may_no_more_than_they() {
    let world = World::new();
    let isolate = world.isolate();
    let alice = alice(&isolate, "SYS_Reader");
    for (_, route) in routes().filter(|(_, route)| route.access.is_checked_first()) {
        for path in route.paths {
            let body =
                json!({ "name": "own", "may": ["decisions", "provisioning", "administration"] });
            let made = make(&isolate, &alice, &body);
            assert_eq!(made["userId"], json!(2));
            let ask = |authorization: &str| {
                let request = Request::new(route.method, &filled(path)).body("{}");
                reason(&isolate.send(&request.authorization(authorization)))
            };
            let with_key = ask(&bearer(&made));
            if with_key != (403, "key_refused".to_owned()) {
                assert_eq!(with_key, ask(&alice), "{} {path}", route.method);
            }
            isolate.administer("DELETE", &format!("/v1/keys/{}", made["id"]), &Value::Null);
        }
    }
    // She may ask about herself. A question by her key that names nobody is about her.
    let made = make(&isolate, &alice, &json!({ "name": "asks", "may": ["decisions"] }));
    let ask = |query: &str| {
        isolate.get(&format!("/v1/check?service=1&permission=VIEW{query}"), &bearer(&made))
    };
    assert_eq!(json_of(&ask(""))["user"], json!(2));
    assert_eq!(reason(&ask("&user=1")), (403, "no_permission".to_owned()));
    isolate.administer(
        "POST",
        "/api/v1/services/1/auth",
        &json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["GRANT"] }),
    );
    assert_eq!(ask("&user=1").status, 200, "she may now ask about others, and so may her key");
}

#[test]
fn a_key_with_decisions_asks_about_everybody_and_changes_nothing() {
    let world = World::new();
    let isolate = world.isolate();
    alice(&isolate, "SYS_Reader");
    let asks = key(&isolate, "decisions");
    isolate.administer(
        "POST",
        "/api/v1/services/1/auth",
        &json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["TEST"] }),
    );
    let check =
        |query: &str| isolate.get(&format!("/v1/check?service=1&permission=TEST{query}"), &asks);
    assert_eq!(json_of(&check("&user=2"))["allowed"], json!(true));
    assert_eq!(json_of(&check("&user=77"))["allowed"], json!(false));
    let nobody = check("");
    assert_eq!(
        (nobody.status, json_of(&nobody)["field"].clone()),
        (400, json!("user")),
        "a key is no user to ask about"
    );
    let batch = json!({
        "checks": [
            { "service": 1, "permission": "TEST", "user": 2 },
            { "service": 1, "permission": "GRANT", "user": 2 },
        ],
    });
    let answers = json_of(&send(&isolate, "POST", "/v1/check/batch", &asks, &batch));
    assert_eq!(
        (&answers["results"][0]["allowed"], &answers["results"][1]["allowed"]),
        (&json!(true), &json!(false))
    );
    let path = "/api/v1/services/1/user/2/auth/TEST/check";
    assert_eq!(json_of(&isolate.get(path, &asks))["data"], json!(true));
    for path in ["/v1/users", "/v1/export", "/v1/audit", "/v1/keys"] {
        assert_eq!(reason(&isolate.get(path, &asks)), (403, "key_refused".to_owned()), "{path}");
    }
}

#[test]
fn the_gateway_and_proxies_refuse_a_key() {
    let world = World::new();
    let isolate = world
        .isolate_with(&[("ORIGIN_URL", Some("https://app.example")), ("ORIGIN_NODES", Some("1"))]);
    let alice = alice(&isolate, "Administrator");
    let body = json!({ "name": "k", "may": ["decisions", "provisioning", "administration"] });
    let nobodys = make(&isolate, &admin(), &body);
    let own =
        make(&isolate, &alice, &json!({ "name": "k", "may": ["administration"], "userId": 2 }));
    assert_eq!(isolate.get("/page", &alice).status, 299);
    for made in [&nobodys, &own] {
        let by_name = format!(
            "Basic {}",
            Base64::encode_string(format!("k:{}", made["key"].as_str().expect("a key")).as_bytes())
        );
        for authorization in [&bearer(made), &by_name] {
            for path in [
                "/page",
                "/v1/forward-auth",
                "/v1/forward-auth/signed-in",
                "/imanager/icloud/web/nodes/server.json",
            ] {
                let response = isolate.get(path, authorization);
                let is_closed =
                    reason(&response) == (403, "key_refused".to_owned()) || response.status == 404;
                assert!(is_closed, "{path}: {} {}", response.status, response.body);
            }
            assert_eq!(isolate.get("/v1/verify", authorization).status, 200);
        }
    }
    assert_eq!(world.passed.borrow().len(), 1, "only the user's request went on");
}

#[test]
fn basic_has_the_keys_name_which_is_decoded_like_a_form() {
    let world = World::new();
    let isolate = world.isolate();
    let alice = alice(&isolate, "SYS_Reader");
    let made = make(&isolate, &admin(), &json!({ "name": "billing job.1", "may": ["decisions"] }));
    let text = made["key"].as_str().expect("a key").to_owned();
    let verify = |name: &str, key: &str| reason(&isolate.get("/v1/verify", &basic(name, key)));
    for name in ["billing job.1", "billing+job.1", "billing%20job%2E1"] {
        assert_eq!(verify(name, &text), (200, String::new()), "{name}");
    }
    assert_eq!(verify("billing job.1", &text.replace('_', "%5F")), (200, String::new()));
    for name in ["", "billing", "Billing job.1", "admin"] {
        assert_eq!(verify(name, &text), (401, "key_name".to_owned()), "{name}");
    }
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM failed_sign_ins"),
        0,
        "none of it was a sign-in"
    );
    // A password that begins like a key is still a password.
    let (long, odd) = (format!("{text}0"), format!("{}!", &text[..text.len() - 1]));
    for password in ["pst_correct+horse%20alice", "pst_", &long, &odd] {
        assert_eq!(verify("alice", password), (401, "wrong_password".to_owned()));
    }
    let body = json!({ "password": "pst_correct+horse%20alice", "currentPassword": PASSWORD });
    assert_eq!(send(&isolate, "PUT", "/v1/users/2/password", &alice, &body).status, 204);
    assert_eq!(verify("alice", "pst_correct+horse%20alice"), (200, String::new()));
    // A key is not accepted anywhere else.
    for (name, value) in [("x-auth-token", text.clone()), ("cookie", format!("JSESSIONID={text}"))]
    {
        assert_eq!(
            isolate.send(&Request::new("GET", "/v1/verify").header(name, &value)).status,
            401,
            "{name}"
        );
    }
    assert_eq!(
        isolate.get(&format!("/v1/check?service=1&permission=VIEW&user=2&token={text}"), "").status,
        401
    );
}

/// A key without a user may create what users create. The audit trail names the key, and nobody
/// gets a creator's grant.
#[test]
fn what_a_key_makes_is_the_keys() {
    let world = World::new();
    let isolate = world.isolate();
    let administers = key(&isolate, "administration");
    let service =
        send(&isolate, "POST", "/v1/services", &administers, &json!({ "id": 7, "name": "Orders" }));
    assert_eq!((service.status, &json_of(&service)["creatorId"]), (201, &Value::Null));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM grants"), 0);
    let app = json!({
        "name": "CRM", "algorithm": "HS256", "secret": "a secret of thirty-two bytes, yes",
        "claims": { "username": "sub" },
    });
    let app = send(&isolate, "POST", "/v1/token-apps", &administers, &app);
    assert_eq!((app.status, &json_of(&app)["creatorId"]), (201, &json!(1)), "{}", app.body);
    let user = send(&isolate, "POST", "/v1/users", &administers, &json!({ "username": "bob" }));
    assert_eq!(user.status, 201);
    let events = json_of(&isolate.get("/v1/audit?limit=3", &admin()));
    for event in events["items"].as_array().expect("events") {
        assert_eq!(event["actor"], json!("[key 1 administration]"), "{event}");
        assert_eq!(event["actorId"], Value::Null);
    }
}

#[test]
fn making_and_removing_is_in_the_audit_and_no_secret_is() {
    let world = World::new();
    let isolate = world.isolate();
    let alice = alice(&isolate, "SYS_Reader");
    let made = make(&isolate, &alice, &json!({ "name": "own", "may": ["decisions"] }));
    let second = json_of(&send(&isolate, "POST", "/v1/keys/1/secret", &alice, &Value::Null));
    let first = format!("/v1/keys/1/secret?prefix={}", made["prefix"].as_str().expect("a prefix"));
    assert_eq!(send(&isolate, "DELETE", &first, &alice, &Value::Null).status, 204);
    assert_eq!(isolate.administer("DELETE", "/v1/keys/1", &Value::Null).status, 204);
    let events = json_of(&isolate.get("/v1/audit?limit=4", &admin()));
    let told: Vec<_> = events["items"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| (&event["action"], &event["actor"]))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["key.delete", "admin"],
            ["key.remove_secret", "alice"],
            ["key.add_secret", "alice"],
            ["key.create", "alice"]
        ])
    );
    assert_eq!(events["items"][3]["after"]["prefix"], made["prefix"]);
    let dump = world.database.dump();
    for made in [&made, &second] {
        let key = made["key"].as_str().expect("a key");
        assert!(!dump.contains(key) && !dump.contains(&key[14..]), "a key is in the database");
    }
}
