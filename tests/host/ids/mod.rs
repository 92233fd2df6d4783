//! Nobody gets an id to which a right was granted before, and a deleted user does not come back.

mod histories;
mod model;
mod names;
mod references;
mod tombstones;

use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::{Value, json};

use crate::support::{Isolate, World, json_of};

fn create(isolate: &Isolate<'_>, path: &str, body: &Value) -> (u16, Value) {
    let response = isolate.administer("POST", path, body);
    (response.status, json_of(&response))
}

fn grant(isolate: &Isolate<'_>, kind: &str, id: i64) {
    let body = json!({ "authObjectType": kind, "authObjectId": id, "permissions": ["GRANT"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/1/auth", &body).status, 200);
}

fn may(isolate: &Isolate<'_>, user: &Value) -> bool {
    let path = format!("/v1/check?service=1&permission=GRANT&user={user}");
    json_of(&isolate.get(&path, &crate::support::admin()))["allowed"] == true
}

#[test]
fn whoever_signs_in_first_gets_no_right_that_was_given_to_an_id() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    for id in 2..=4 {
        grant(&isolate, "USER", id);
    }
    assert_eq!(isolate.administer("PUT", "/v1/groups/1/members/5", &Value::Null).status, 204);
    let response = isolate.get("/v1/verify", &format!("Bearer {}", isolate.token("clerk")));
    let id = json_of(&response)["user"]["id"].clone();
    assert_eq!(id, 6, "{}", response.body);
    assert!(!may(&isolate, &id) && may(&isolate, &json!(3)));
}

#[test]
fn a_new_group_department_or_service_has_no_members_grants_or_apis_of_before() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "groups_mode": "request", "group_map": { "staff": 3 } }));
    grant(&isolate, "GROUP", 1);
    grant(&isolate, "DEPT", 1);
    for path in ["groups", "departments"] {
        assert_eq!(
            isolate.administer("PUT", &format!("/v1/{path}/2/members/9"), &Value::Null).status,
            204
        );
    }
    assert_eq!(create(&isolate, "/v1/groups", &json!({ "name": "everybody" })).1["id"], 4);
    let (_, department) = create(&isolate, "/v1/departments", &json!({ "name": "all" }));
    assert_eq!(department["id"], 3);
    // The first grant on service 1 registers it.
    assert_eq!(create(&isolate, "/v1/services", &json!({ "name": "new" })).1["id"], 2);
}

#[test]
fn an_id_that_a_caller_names_is_given_or_refused_and_moves_no_counter() {
    let world = World::new();
    let isolate = world.isolate();
    for id in [4711, 9_007_199_254_740_993, i64::MAX] {
        let name = format!("user {id}");
        assert_eq!(
            create(&isolate, "/v1/users", &json!({ "id": id, "username": name })).1["id"],
            id
        );
        let (status, body) =
            create(&isolate, "/v1/users", &json!({ "id": id, "username": "other" }));
        assert_eq!(status, 409, "{body}");
    }
    for id in [json!(0), json!(-1), json!("x"), json!(1.5)] {
        assert_eq!(
            create(&isolate, "/v1/users", &json!({ "id": id, "username": "other" })).0,
            400,
            "{id}"
        );
    }
    for path in ["groups", "departments", "services"] {
        for id in [i64::MIN, i64::MAX] {
            assert_eq!(
                create(&isolate, &format!("/v1/{path}"), &json!({ "id": id, "name": "x" })).0,
                201
            );
        }
        assert_eq!(
            create(&isolate, &format!("/v1/{path}"), &json!({ "name": "y" })).1["id"],
            1,
            "{path}"
        );
    }
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "next" })).1["id"], 2);
}

#[test]
fn ids_of_what_was_deleted_are_not_chosen_again() {
    let world = World::new();
    let isolate = world.isolate();
    for path in ["groups", "departments", "services"] {
        let id = create(&isolate, &format!("/v1/{path}"), &json!({ "id": 2, "name": "x" })).1["id"]
            .clone();
        assert_eq!(
            isolate.administer("DELETE", &format!("/v1/{path}/{id}"), &Value::Null).status,
            204
        );
        for next in [1, 3] {
            assert_eq!(
                create(&isolate, &format!("/v1/{path}"), &json!({ "name": "y" })).1["id"],
                next,
                "{path}"
            );
        }
    }
}

/// Each step is about ten index searches. A million steps would take half a minute.
#[test]
fn a_million_ids_in_a_row_that_are_taken_are_passed_over_in_a_moment() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(create(&isolate, "/v1/groups", &json!({ "name": "first" })).0, 201);
    world.database.execute(
        "INSERT INTO past_ids (kind, id)
         WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= 1000000)
         SELECT 'group', i FROM n",
    );
    let before = world.database.steps.get();
    let (_, group) = create(&isolate, "/v1/groups", &json!({ "name": "next" }));
    let id = group["id"].as_i64().expect("an id");
    // The steps grow, so the chosen id is a little above the first free one.
    assert!((1_000_002..1_003_000).contains(&id), "{id}");
    let steps = world.database.steps.get() - before;
    assert!(steps < 200_000, "{steps} steps of SQLite's machine");
}

#[test]
fn an_id_that_is_taken_is_refused_with_whose_it_is() {
    let world = World::new();
    let isolate = world.isolate();
    let why = |id: i64, username: &str| {
        let (status, body) =
            create(&isolate, "/v1/users", &json!({ "id": id, "username": username }));
        (status, body["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(why(4711, "alice"), (201, String::new()));
    assert_eq!(why(4711, "bob"), (409, "the id 4711 belongs to the user alice".to_owned()));
    assert_eq!(why(4712, "alice"), (409, "a user of that name exists".to_owned()));
    assert_eq!(isolate.administer("DELETE", "/v1/users/4711", &Value::Null).status, 204);
    let (status, detail) = why(4711, "bob");
    assert!(status == 409 && detail.contains("belonged to alice, who was deleted"), "{detail}");
    // Alice was created again with another id, so nobody may get the old one.
    assert_eq!(why(4712, "alice"), (201, String::new()));
    let (status, detail) = why(4711, "bob");
    assert!(
        status == 409
            && detail.starts_with(
                "the id 4711 belonged to a user who was deleted: name another, or free it by "
            ),
        "{detail}"
    );
    // A user who is created again with their own id is the same user.
    assert_eq!(isolate.administer("DELETE", "/v1/users/4712", &Value::Null).status, 204);
    assert_eq!(why(4712, "alice"), (201, String::new()));
}

#[test]
fn what_shows_a_user_tells_how_many_grants_name_the_id_already() {
    let world = World::new();
    let isolate = world.isolate();
    for service in 1..=3 {
        let body =
            json!({ "authObjectType": "USER", "authObjectId": 4711, "permissions": ["VIEW"] });
        assert_eq!(
            isolate.administer("POST", &format!("/api/v1/services/{service}/auth"), &body).status,
            200
        );
    }
    grant(&isolate, "GROUP", 4711);
    let (_, user) = create(&isolate, "/v1/users", &json!({ "id": 4711, "username": "alice" }));
    assert_eq!(user["grantsNamingId"], 3);
    let answer =
        |method: &str, path: &str, body: &Value| json_of(&isolate.administer(method, path, body));
    assert_eq!(answer("GET", "/v1/users/4711", &Value::Null)["grantsNamingId"], 3);
    assert_eq!(answer("PATCH", "/v1/users/4711", &json!({ "name": "Alice" }))["grantsNamingId"], 3);
    assert_eq!(
        answer("GET", "/v1/users?username=alice", &Value::Null)["items"][0]["grantsNamingId"],
        3
    );
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "bob" })).1["grantsNamingId"], 0);
    // At most a hundred grants are counted.
    world.database.execute(
        "INSERT INTO grants (service_id, object_type, object_id, permissions, created_at)
         WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         SELECT i, 'USER', 4711, 1, 0 FROM n",
    );
    assert_eq!(answer("GET", "/v1/users/4711", &Value::Null)["grantsNamingId"], 100);
}

/// The user has the claim's id from the first sign-in, so grants to that id reach them.
#[test]
fn the_id_of_a_claim_is_given_or_refused_and_explained() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({
        "fieldmap": { "username": "loginname", "name": "name", "email": "email", "id": "uid" },
    }));
    grant(&isolate, "USER", 4711);
    let token = |username: &str, id: i64| {
        let mut claims = isolate.claims(username);
        claims.insert("uid".to_owned(), json!(id));
        claims.insert("iat".to_owned(), json!(world.now.get().seconds()));
        jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a token")
    };
    let explained =
        |token: &str| isolate.administer("POST", "/v1/explain", &json!({ "token": token })).body;
    assert_eq!(isolate.verify(&token("alice", 4711)), (200, "alice".to_owned()));
    assert!(may(&isolate, &json!(4711)));
    let conflict = (403, "id_conflict".to_owned());
    for (token, why) in [
        (token("eve", 4711), "the id 4711 belongs to the user alice"),
        (token("alice", 4712), "the token says the id 4712, and the user has the id 4711"),
    ] {
        assert_eq!(isolate.verify(&token), conflict);
        let explained = explained(&token);
        assert!(
            explained.contains(why) && explained.contains("to move a known user"),
            "{explained}"
        );
    }
    assert_eq!(isolate.administer("DELETE", "/v1/users/4711", &Value::Null).status, 204);
    assert_eq!(isolate.verify(&token("alice", 4711)), (403, "user_deleted".to_owned()));
    assert_eq!(isolate.verify(&token("eve", 4711)), conflict);
    let explained = explained(&token("eve", 4711));
    assert!(explained.contains("the id 4711 belonged to alice, who was deleted"), "{explained}");
    assert_eq!(isolate.administer("DELETE", "/v1/tombstones/alice", &Value::Null).status, 204);
    assert_eq!(
        isolate.verify(&token("alice", 4711)),
        (401, "revoked".to_owned()),
        "it is of before the deletion"
    );
    world.pass(1);
    let of_eve = token("eve", 4711);
    assert_eq!(isolate.verify(&of_eve), conflict, "the id is kept for the freed name");
    let explained = isolate.administer("POST", "/v1/explain", &json!({ "token": of_eve })).body;
    assert!(explained.contains("an administrator may give it by POST /v1/users"), "{explained}");
    assert_eq!(isolate.verify(&token("alice", 4711)), (200, "alice".to_owned()));
    assert!(!may(&isolate, &json!(4711)), "the grant went with the user");
}
