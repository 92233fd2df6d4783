//! Each member that `PATCH` changes is stored, shown, and in the audit trail. The members derive
//! from the OpenAPI document.

use serde_json::{Value, json};

use crate::support::{Isolate, World, admin, json_of};

/// A route with `PATCH`: how to create its record, the record's path, and another value for each
/// member. Token apps have rules about several members; `tests/host/token_apps.rs` tests them.
const RECORDS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "/v1/users/{id}",
        "/v1/users",
        r#"{"username":"alice","id":100}"#,
        "/v1/users/100",
        r#"{"type":"SYS_Creator","roles":["boss"],"name":"B","email":"b@example.com","phone":"2",
            "enabled":false,"tokenApp":"ERP"}"#,
    ),
    ("/v1/groups/{id}", "/v1/groups", r#"{"id":1,"name":"A"}"#, "/v1/groups/1", r#"{"name":"B"}"#),
    (
        "/v1/departments/{id}",
        "/v1/departments",
        r#"{"id":2,"name":"A"}"#,
        "/v1/departments/2",
        r#"{"name":"B","parentId":1}"#,
    ),
    (
        "/v1/services/{id}",
        "/v1/services",
        r#"{"id":7,"name":"A"}"#,
        "/v1/services/7",
        r#"{"name":"B","authEnabled":false}"#,
    ),
    (
        "/v1/organizations/{id}",
        "/v1/organizations",
        r#"{"id":"o2","name":"A"}"#,
        "/v1/organizations/o2",
        r#"{"name":"B"}"#,
    ),
    (
        "/v1/applications/{accessKey}",
        "/v1/applications",
        r#"{"organization":"o1","accessKey":"k1","name":"A"}"#,
        "/v1/applications/k1",
        r#"{"name":"B","shortcut":true,"authorizeApplications":true,"enabled":false}"#,
    ),
];

const OTHERS: &[&str] = &["/v1/token-apps/{name}"];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// The members of the body that each `PATCH` of `/v1` takes.
fn members_of_patches() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string("public/v1/openapi.json").expect("the OpenAPI document");
    let document = parsed(&text);
    let names = |object: &Value| -> Vec<String> {
        object.as_object().expect("an object").keys().cloned().collect()
    };
    names(&document["paths"])
        .into_iter()
        .filter(|path| path.starts_with("/v1/") && document["paths"][path]["patch"].is_object())
        .map(|path| {
            let body = &document["paths"][&path]["patch"]["requestBody"]["content"];
            let schema = &body["application/json"]["schema"]["$ref"];
            let schema = schema.as_str().expect("a named schema").trim_start_matches('#');
            let members = names(&document.pointer(schema).expect("a schema")["properties"]);
            (path, members)
        })
        .collect()
}

/// What the newest entry of the audit trail says about the state after the change.
fn audited(isolate: &Isolate<'_>) -> Value {
    json_of(&isolate.get("/v1/audit?limit=1", &admin()))["items"][0]["after"].clone()
}

#[test]
fn each_member_that_patch_changes_is_stored_and_shown_and_in_the_audit_trail() {
    for (route, members) in members_of_patches() {
        if OTHERS.contains(&route.as_str()) {
            continue;
        }
        let (_, all, new, path, values) = RECORDS
            .iter()
            .find(|record| record.0 == route)
            .unwrap_or_else(|| panic!("add {route} to RECORDS in tests/host/changes.rs"));
        let values = parsed(values);
        for member in members {
            let value = values.get(&member).unwrap_or_else(|| {
                panic!("add a value for {member} of {route} to RECORDS in tests/host/changes.rs")
            });
            let world = World::new();
            let isolate = world.isolate();
            isolate.register(&json!({}));
            for (path, body) in [
                ("/v1/organizations", json!({ "id": "o1", "name": "O" })),
                ("/v1/departments", json!({ "id": 1, "name": "D" })),
                (all, parsed(new)),
            ] {
                let response = isolate.administer("POST", path, &body);
                assert_eq!(response.status, 201, "{path}: {}", response.body);
            }
            let before = json_of(&isolate.get(path, &admin()));
            assert_ne!(before.get(&member), Some(value), "{route} {member}: choose another value");
            let response = isolate.administer("PATCH", path, &json!({ &member: value }));
            assert_eq!(response.status, 200, "{route} {member}: {}", response.body);
            let places = [
                ("the answer", json_of(&response)),
                ("GET", json_of(&isolate.get(path, &admin()))),
                ("the audit trail", audited(&isolate)),
            ];
            for (place, shown) in places {
                assert_eq!(
                    shown.get(&member),
                    Some(value),
                    "{place} does not show what PATCH {route} sets in {member}: {shown}"
                );
            }
        }
    }
}
