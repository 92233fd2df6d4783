//! The audit trail names what was created by its id. Of secrets it says which were replaced, and
//! never their text.

use serde_json::{Value, json};

use crate::support::{Isolate, World, admin, json_of};

/// The newest entry of an action: its `before` and `after`.
fn newest(isolate: &Isolate<'_>, action: &str) -> (Value, Value) {
    let events = json_of(&isolate.get(&format!("/v1/audit?action={action}&limit=1"), &admin()));
    let event = &events["items"][0];
    (event["before"].clone(), event["after"].clone())
}

/// The entry records a secret's change: two different ids.
fn is_change((before, after): &(Value, Value)) -> bool {
    let ids = [before, after].map(|side| side["secret_id"].as_str().map(str::to_owned));
    let is_named = after["secret"] == "changed";
    assert_eq!(is_named, ids.iter().any(Option::is_some), "{before} {after}");
    if is_named {
        assert_ne!(ids[0], ids[1], "{before} {after}");
    }
    is_named
}

#[test]
fn a_replaced_secret_of_a_token_app_shows_with_the_ids_of_both() {
    let world = World::new();
    let isolate = world.isolate();
    let action = "token_app.update";
    isolate.register(&json!({ "initpwd": "welcome to ERP" }));
    isolate.register(&json!({}));
    assert!(!is_change(&newest(&isolate, action)), "the same secret, given again");
    isolate.register(&json!({ "secret": "efgh" }));
    let first = newest(&isolate, action);
    assert!(is_change(&first));

    let changes = [
        ("PATCH", "/v1/token-apps/ERP", json!({ "secret": "ijkl" }), true),
        ("PATCH", "/v1/token-apps/ERP", json!({ "secret": "ijkl" }), false),
        ("PATCH", "/v1/token-apps/ERP", json!({ "expire": 60 }), false),
        ("PATCH", "/v1/token-apps/ERP", json!({ "secret": "efgh" }), true),
        (
            "PUT",
            "/v1/token-apps/ERP",
            json!({
                "algorithm": "HS256", "claims": { "username": "loginname" }, "expire": 60,
                "secret": "abcd",
            }),
            true,
        ),
    ];
    let mut ids = vec![first.0["secret_id"].clone(), first.1["secret_id"].clone()];
    for (method, path, body, is_new) in changes {
        let response = isolate.administer(method, path, &body);
        assert_eq!(response.status, 200, "{body} {}", response.body);
        let event = newest(&isolate, action);
        assert_eq!(is_change(&event), is_new, "{body} {event:?}");
        if is_new {
            assert_eq!(event.0["secret_id"], *ids.last().expect("an id"));
            ids.push(event.1["secret_id"].clone());
        }
    }
    assert_eq!(ids[1], ids[3], "the same secret has the same id");
    assert_eq!(ids[0], ids[4]);

    let all = isolate.get("/v1/audit", &admin()).body;
    for secret in ["\"abcd\"", "\"efgh\"", "\"ijkl\"", "welcome to ERP"] {
        assert!(!all.contains(secret), "{secret} is in {all}");
    }
}

#[test]
fn an_initial_password_that_is_set_or_removed_shows() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate.register(&json!({ "initpwd": "welcome to ERP" }));
    assert_eq!(newest(&isolate, "token_app.update").1["initpwd"], "set");
    isolate.register(&json!({}));
    assert_eq!(newest(&isolate, "token_app.update").1["initpwd"], "removed");
    isolate.register(&json!({}));
    assert_eq!(newest(&isolate, "token_app.update").1["initpwd"], Value::Null);
}

#[test]
fn a_renewed_secret_of_an_application_shows_with_the_ids_of_both() {
    let world = World::new();
    let isolate = world.isolate();
    let organization = json!({ "id": "acme", "name": "Acme" });
    assert_eq!(isolate.administer("POST", "/v1/organizations", &organization).status, 201);
    let application = json!({ "organization": "acme", "accessKey": "shop", "name": "Shop" });
    let response = isolate.administer("POST", "/v1/applications", &application);
    assert_eq!(response.status, 201, "{}", response.body);
    let mut last = Value::Null;
    for _ in 0..2 {
        let response = isolate.administer("POST", "/v1/applications/shop/secret", &Value::Null);
        assert_eq!(response.status, 200, "{}", response.body);
        let event = newest(&isolate, "application.renew_secret");
        assert!(is_change(&event), "{event:?}");
        assert!(last.is_null() || last == event.0["secret_id"]);
        last = event.1["secret_id"].clone();
        let secret = json_of(&response)["secret"].as_str().expect("a secret").to_owned();
        assert!(!isolate.get("/v1/audit", &admin()).body.contains(&secret));
    }
}

/// Routes below `/v1` in which the client chooses the id or names it.
#[test]
fn what_is_created_shows_with_its_id() {
    let world = World::new();
    let isolate = world.isolate();
    let named = 9_007_199_254_740_993_i64;
    for (path, action, body) in [
        ("/v1/services", "service.create", json!({ "name": "Maps" })),
        ("/v1/groups", "group.create", json!({ "name": "Surveyors" })),
        ("/v1/departments", "department.create", json!({ "name": "Field" })),
        ("/v1/users", "user.create", json!({ "username": "alice" })),
        (
            "/v1/services/1/grants",
            "grant.create",
            json!({ "username": "alice", "permissions": ["VIEW"] }),
        ),
        ("/v1/keys", "key.create", json!({ "name": "ci", "may": ["decisions"] })),
    ] {
        let has_named_id = !["/v1/services/1/grants", "/v1/keys"].contains(&path);
        for id in [None, Some(named)].into_iter().filter(|id| id.is_none() || has_named_id) {
            let mut body = body.clone();
            if let Some(id) = id {
                body["id"] = json!(id);
                body["username"] = if path == "/v1/users" { json!("bob") } else { Value::Null };
                body.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
            }
            let response = isolate.administer("POST", path, &body);
            assert_eq!(response.status, 201, "{path} {body} {}", response.body);
            let created = json_of(&response)["id"].clone();
            assert!(
                created.is_i64() && id.is_none_or(|id| created == id),
                "{path} {}",
                response.body
            );
            let events =
                json_of(&isolate.get(&format!("/v1/audit?action={action}&limit=1"), &admin()));
            let event = &events["items"][0];
            assert_eq!(event["after"]["id"], created, "{path} {event}");
            if ["service.create", "group.create", "department.create"].contains(&action) {
                assert_eq!(event["target"], created.to_string(), "{event}");
                let found = json_of(&isolate.get(&format!("/v1/audit?target={created}"), &admin()));
                assert!(
                    found["items"].as_array().is_some_and(|items| items.contains(event)),
                    "{found}"
                );
            }
        }
    }
}

#[test]
fn who_is_created_at_first_sight_shows_with_their_id() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 200);
    assert_eq!(newest(&isolate, "user.create").1["id"], 2);
    let all = json_of(&isolate.get("/v1/audit?action=user.create", &admin()));
    assert_eq!(all["items"][1]["after"]["id"], 1, "the first administrator: {all}");
}
