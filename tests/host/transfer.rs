//! Import and export: what comes out goes in as the same, and a wrong line writes nothing.

use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, json_of};

fn import(isolate: &Isolate<'_>, format: &str, body: &str) -> (u16, Value) {
    let request = Request::new("POST", &format!("/v1/grants/import?format={format}")).authorization(&admin()).body(body);
    let response = isolate.send(&request);
    (response.status, json_of(&response))
}

fn export(isolate: &Isolate<'_>, format: &str) -> String {
    let response = isolate.get(&format!("/v1/grants/export?format={format}"), &admin());
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

fn fill(isolate: &Isolate<'_>) {
    let services =
        [json!({ "id": 9_007_199_254_740_993_i64, "name": "Orders, \"new\"" }), json!({ "id": -5, "name": "Stock", "authEnabled": false })];
    for service in services {
        assert_eq!(isolate.administer("POST", "/v1/services", &service).status, 201);
    }
    isolate.administer("PUT", "/v1/services/-5/apis/7", &json!({ "name": "List", "authEnabled": false }));
    isolate.administer("POST", "/v1/departments", &json!({ "id": 1, "name": "Üben" }));
    isolate.administer("POST", "/v1/departments", &json!({ "id": 2, "name": "Sales", "parentId": 1 }));
    isolate.administer("POST", "/v1/groups", &json!({ "id": 1, "name": "Testers" }));
    isolate.administer("PUT", "/v1/departments/2/members/9007199254740993", &Value::Null);
    isolate.administer("PUT", "/v1/groups/1/members/5", &Value::Null);
    for (kind, id) in [("USER", 9_007_199_254_740_993_i64), ("DEPT", 1), ("GROUP", 1)] {
        let body = json!({ "authObjectType": kind, "authObjectId": id, "permissions": ["TEST", "GRANT"] });
        assert_eq!(isolate.administer("POST", "/api/v1/services/42/auth", &body).status, 200);
    }
}

#[test]
fn what_is_exported_imports_into_an_empty_postern_as_the_same_state() {
    let world = World::new();
    let isolate = world.isolate();
    fill(&isolate);
    for format in ["ndjson", "csv"] {
        let lines = export(&isolate, format);
        assert!(lines.contains("9007199254740993"), "{lines}");
        let other = World::new();
        let empty = other.isolate();
        let records = lines.lines().count() - usize::from(format == "csv");
        assert_eq!(import(&empty, format, &lines), (200, json!({ "imported": records })));
        assert_eq!(export(&empty, "ndjson"), export(&isolate, "ndjson"), "{format}");
        other.pass(60);
        assert_eq!(import(&empty, format, &lines).0, 200, "twice");
        assert_eq!(export(&empty, "ndjson"), export(&isolate, "ndjson"), "is once");
    }
}

#[test]
fn an_interrupted_export_goes_on_behind_its_last_line() {
    let world = World::new();
    let isolate = world.isolate();
    fill(&isolate);
    for format in ["ndjson", "csv"] {
        let whole = export(&isolate, format);
        let lines: Vec<_> = whole.lines().collect();
        for end in usize::from(format == "csv") + 1..=lines.len() {
            let after = percent_encode(lines[end - 1]);
            let rest = isolate.get(&format!("/v1/grants/export?format={format}&after={after}"), &admin());
            assert_eq!(rest.body.lines().collect::<Vec<_>>(), lines[end..], "{format} {end}");
        }
    }
}

fn percent_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn a_long_export_comes_in_pages_without_gaps_or_doubles() {
    let world = World::new();
    let isolate = world.isolate();
    let line = |id: usize| {
        format!("{{\"record\":\"grant\",\"serviceId\":{},\"authObjectType\":\"USER\",\"authObjectId\":{id},\"permissions\":[]}}\n", id % 7)
    };
    for chunk in 0..3 {
        let lines: String = (chunk * 2000..(chunk + 1) * 2000).map(line).collect();
        assert_eq!(import(&isolate, "ndjson", &lines).0, 200);
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM grants"), 6000);
    let lines = export(&isolate, "ndjson");
    let mut grants: Vec<_> = lines.lines().filter(|line| line.contains("\"grant\"")).collect();
    assert_eq!(grants.len(), 6000);
    grants.sort_unstable();
    grants.dedup();
    assert_eq!(grants.len(), 6000);
    let total = isolate.get("/v1/grants/export", &admin());
    assert_eq!(total.header("x-postern-total"), Some("6007"), "with the seven services");
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_written() {
    let world = World::new();
    let isolate = world.isolate();
    let good = r#"{"record":"group","id":1}"#;
    let bad = r#"{"record":"grant","serviceId":1,"authObjectType":"USER","authObjectId":1,"permissions":["FLY"]}"#;
    let (status, body) = import(&isolate, "ndjson", &format!("{good}\n{bad}\n"));
    assert_eq!((status, &body["errors"][0]["line"], &body["errors"][0]["field"]), (400, &json!(2), &json!("permissions")), "{body}");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM units"), 0);
    let cycle = "{\"record\":\"department\",\"id\":1,\"parentId\":2}\n{\"record\":\"department\",\"id\":2,\"parentId\":1}";
    assert_eq!(import(&isolate, "ndjson", cycle).0, 409);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM units"), 0);
    assert_eq!(import(&isolate, "csv", "record,id,wings\ngroup,1,2").0, 400);
    assert_eq!(import(&isolate, "xml", "").0, 400);
}

#[test]
fn a_strict_directory_takes_only_what_is_registered_or_comes_along() {
    let world = World::new();
    let strict = world.isolate_with(&[("DIRECTORY", Some("strict"))]);
    let grant = r#"{"record":"grant","serviceId":1,"authObjectType":"GROUP","authObjectId":1,"permissions":[]}"#;
    let (status, body) = import(&strict, "ndjson", grant);
    let fields: Vec<_> = body["errors"].as_array().into_iter().flatten().map(|error| error["field"].as_str().unwrap_or_default()).collect();
    assert_eq!((status, fields), (400, vec!["serviceId", "authObjectId"]), "{body}");
    let whole = format!("{{\"record\":\"service\",\"id\":1}}\n{{\"record\":\"group\",\"id\":1}}\n{grant}");
    assert_eq!(import(&strict, "ndjson", &whole).0, 200);
}

#[test]
fn an_import_is_in_force_at_once_here_and_within_ten_seconds_elsewhere() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    let user = json_of(&here.administer("POST", "/v1/users", &json!({ "username": "alice" })))["id"].to_string();
    let allowed = |isolate: &Isolate<'_>| {
        let response = isolate.get(&format!("/v1/check?service=1&permission=TEST&user={user}"), &admin());
        json_of(&response)["allowed"] == json!(true)
    };
    assert!(!allowed(&here) && !allowed(&there));
    let line = format!(r#"{{"record":"grant","serviceId":1,"authObjectType":"USER","authObjectId":{user},"permissions":["TEST"]}}"#);
    assert_eq!(import(&here, "ndjson", &line).0, 200);
    assert!(allowed(&here));
    world.pass(11);
    assert!(allowed(&there));
}
