//! Checks, grants and memberships that name a user by user name.

use serde_json::{Value, json};

use super::create;
use crate::support::{Isolate, Request, World, json_of};

const BY_NAME: &str = "/v1/check?service=1&permission=TEST&username=alice";

fn with_alice(world: &World) -> Isolate<'_> {
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert_eq!(
        create(&isolate, "/v1/users", &json!({ "id": 4711, "username": "alice" })).1["id"],
        4711
    );
    let grant = json!({ "username": "alice", "permissions": ["TEST"] });
    let (status, grant) = create(&isolate, "/v1/services/1/grants", &grant);
    assert_eq!(
        (status, &grant["authObjectType"], &grant["authObjectId"]),
        (201, &json!("USER"), &json!(4711))
    );
    isolate
}

#[test]
fn a_warm_check_by_name_does_no_io() {
    let world = World::new();
    let isolate = with_alice(&world);
    let ask = || json_of(&isolate.administer("GET", BY_NAME, &Value::Null));
    assert_eq!((&ask()["allowed"], &ask()["user"]), (&json!(true), &json!(4711)));
    let before = world.database.batches.get();
    assert_eq!(ask()["allowed"], true);
    assert_eq!(world.database.batches.get(), before);
}

/// A caller who may not ask about others does not learn which names exist.
#[test]
fn whether_a_name_is_somebodys_is_told_to_those_only_who_may_ask() {
    let world = World::new();
    let isolate = with_alice(&world);
    let stranger = format!("Bearer {}", isolate.token("mallory"));
    let send = |method: &str, path: &str, body: &Value| {
        let response = isolate
            .send(&Request::new(method, path).authorization(&stranger).body(&body.to_string()));
        assert_eq!(response.status, 403, "{method} {path}: {}", response.body);
        response.body
    };
    for name in ["alice", "nobody"] {
        let check = json!({ "checks": [{ "service": 1, "permission": "TEST", "username": name }] });
        let grant = json!({ "username": name, "permissions": ["TEST"] });
        let query = format!("/v1/check?service=1&permission=TEST&username={name}");
        let answers = [
            json_of(&isolate.get(&query, &stranger))["detail"].to_string(),
            send("POST", "/v1/check/batch", &check),
            send("POST", "/v1/services/1/grants", &grant),
        ];
        assert!(answers.iter().all(|answer| answer.contains("GRANT on service 1")), "{answers:?}");
        let response = isolate.send(
            &Request::new("DELETE", &format!("/v1/services/1/grants?username={name}"))
                .authorization(&stranger),
        );
        assert_eq!(response.status, 403);
    }
    let own = isolate.get("/v1/check?service=1&permission=TEST&username=mallory", &stranger);
    assert_eq!((own.status, &json_of(&own)["allowed"]), (200, &json!(false)));
}

/// A write uses the user whom D1 has now, because another isolate may have deleted and created the
/// user since.
#[test]
fn a_grant_by_name_reaches_who_has_the_name_now() {
    let world = World::new();
    let (isolate, other) = (with_alice(&world), world.isolate());
    assert_eq!(json_of(&isolate.administer("GET", BY_NAME, &Value::Null))["user"], 4711);
    assert_eq!(other.administer("DELETE", "/v1/users/4711", &Value::Null).status, 204);
    assert_eq!(create(&other, "/v1/users", &json!({ "id": 4712, "username": "alice" })).0, 201);
    let grant = json!({ "username": "alice", "permissions": ["VIEW"] });
    assert_eq!(create(&isolate, "/v1/services/1/grants", &grant).1["authObjectId"], 4712);
    assert_eq!(
        isolate.administer("PUT", "/v1/groups/1/members?username=alice", &Value::Null).status,
        204
    );
    let members = json_of(&isolate.administer("GET", "/v1/groups/1/members", &Value::Null));
    assert_eq!(members["items"], json!([{ "userId": 4712 }]));
    assert_eq!(json_of(&isolate.administer("GET", BY_NAME, &Value::Null))["allowed"], false);
}

#[test]
fn an_unknown_name_is_told_like_an_unknown_id_in_a_strict_directory() {
    let world = World::new();
    let isolate = world.isolate_with(&[("DIRECTORY", Some("strict"))]);
    assert_eq!(create(&isolate, "/v1/services", &json!({ "id": 1, "name": "x" })).0, 201);
    assert_eq!(create(&isolate, "/v1/groups", &json!({ "id": 1, "name": "x" })).0, 201);
    for query in ["user=77", "username=alice", "username=%20%20"] {
        let path = format!("/v1/check?service=1&permission=TEST&{query}");
        assert_eq!(isolate.administer("GET", &path, &Value::Null).status, 404, "{query}");
    }
    let put = |path: &str| isolate.administer("PUT", path, &Value::Null).status;
    assert_eq!(
        (put("/v1/groups/1/members/77"), put("/v1/groups/1/members?username=alice")),
        (404, 404)
    );
    let grant = |body: Value| create(&isolate, "/v1/services/1/grants", &body);
    let by_id =
        grant(json!({ "authObjectType": "USER", "authObjectId": 77, "permissions": ["TEST"] }));
    let by_name = grant(json!({ "username": "alice", "permissions": ["TEST"] }));
    assert_eq!((by_id.0, by_name.0), (404, 404));
    assert!(
        by_name.1["detail"].as_str().is_some_and(|detail| detail.contains("alice")),
        "{}",
        by_name.1
    );
}
