//! A deleted user stays deleted until an administrator frees the name or the id.

use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::{Value, json};

use super::create;
use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, basic, json_of};

/// A token that is issued now.
fn later(isolate: &Isolate<'_>, world: &World, username: &str) -> String {
    let mut claims = isolate.claims(username);
    claims.insert("iat".to_owned(), json!(world.now.get().seconds()));
    jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a token")
}

/// However a later user gets a freed name, tokens of the deleted user are refused.
#[test]
fn tokens_of_a_deleted_user_are_nobody_s_also_when_the_name_was_freed() {
    for path in ["token", "user", "import", "scim", "token without iat"] {
        let world = World::new();
        let isolate = world.isolate();
        isolate.register(&json!({ "expire": 3600 }));
        let without_iat = isolate.token("alice");
        let before = later(&isolate, &world, "alice");
        assert_eq!(isolate.verify(&before), (200, "alice".to_owned()));
        world.pass(5);
        assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
        assert_eq!(isolate.administer("DELETE", "/v1/tombstones/alice", &Value::Null).status, 204);
        world.pass(5);
        match path {
            "token" => assert_eq!(
                isolate.verify(&later(&isolate, &world, "alice")),
                (200, "alice".to_owned())
            ),
            "user" => {
                assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "alice" })).0, 201);
            }
            "import" => {
                let line = json!({
                    "record": "user", "id": 9, "username": "alice", "type": "SYS_Reader",
                    "enabled": true,
                });
                assert_eq!(isolate.administer("POST", "/v1/import", &line).status, 200);
            }
            "scim" => assert_eq!(
                isolate
                    .administer("POST", "/scim/v2/Users", &json!({ "userName": "alice" }))
                    .status,
                201
            ),
            _ => {}
        }
        for token in [&before, &without_iat] {
            assert_eq!(isolate.verify(token), (401, "revoked".to_owned()), "{path}");
        }
        assert_eq!(
            isolate.verify(&later(&isolate, &world, "alice")),
            (200, "alice".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn a_deleted_user_does_not_come_back_until_an_administrator_says_so() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    assert_eq!(isolate.verify(&token), (200, "alice".to_owned()));
    assert_eq!(other.verify(&token), (200, "alice".to_owned()));
    assert_eq!(
        isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false })).status,
        200
    );
    assert_eq!(isolate.verify(&token), (403, "user_disabled".to_owned()));
    assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
    let deleted = (403, "user_deleted".to_owned());
    assert_eq!(isolate.verify(&token), deleted);
    world.pass(11);
    assert_eq!(other.verify(&token), deleted, "in other isolates within the bound");
    let explained = json_of(&isolate.administer("POST", "/v1/explain", &json!({ "token": token })));
    assert_eq!(explained["verdict"], "refused", "{explained}");
    assert!(explained.to_string().contains("/v1/tombstones/"), "{explained}");

    // After the name is freed, a token creates another user with a new id.
    assert_eq!(create(&isolate, "/v1/users", &json!({ "id": 2, "username": "bob" })).0, 409);
    assert_eq!(isolate.administer("DELETE", "/v1/tombstones/alice", &Value::Null).status, 204);
    assert_eq!(isolate.administer("DELETE", "/v1/tombstones/alice", &Value::Null).status, 404);
    assert_eq!(isolate.verify(&token), (401, "revoked".to_owned()), "it is the former alice's");
    let explained = json_of(&isolate.administer("POST", "/v1/explain", &json!({ "token": token })));
    assert!(
        explained["verdict"] == "refused"
            && explained.to_string().contains("tokens issued to the user at that time are revoked"),
        "{explained}"
    );
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users WHERE username = 'alice'"), 0);
    let token = later(&isolate, &world, "alice");
    assert_eq!(isolate.verify(&token), (200, "alice".to_owned()));
    assert_eq!(world.database.number("SELECT id FROM users WHERE username = 'alice'"), 3);

    // If the user is created again, the old id stays closed. If the name is freed, the id may be
    // used.
    assert_eq!(isolate.administer("DELETE", "/v1/users/3", &Value::Null).status, 204);
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "alice" })).1["id"], 4);
    assert_eq!(create(&isolate, "/v1/users", &json!({ "id": 3, "username": "bob" })).0, 409);
    assert_eq!(create(&isolate, "/v1/users", &json!({ "id": 2, "username": "bob" })).0, 201);
}

/// The name has another tombstone or none, so freeing a name does not free the id.
#[test]
fn an_id_that_no_tombstone_names_is_freed_as_the_error_says() {
    let world = World::new();
    let isolate = world.isolate();
    let bob =
        |id: Option<i64>| create(&isolate, "/v1/users", &json!({ "username": "bob", "id": id }));
    assert_eq!(bob(Some(6)).0, 201);
    assert_eq!(isolate.administer("DELETE", "/v1/users/6", &Value::Null).status, 204);
    let (status, made) = bob(None);
    assert_eq!(status, 201);
    assert_eq!(
        isolate.administer("DELETE", &format!("/v1/users/{}", made["id"]), &Value::Null).status,
        204
    );
    let (status, refused) = bob(Some(6));
    assert_eq!(status, 409, "{refused}");
    let detail = refused["detail"].as_str().expect("a detail");
    let line = detail
        .split_once("POST /v1/import ")
        .and_then(|(_, rest)| rest.split_once(", after"))
        .expect("a way out")
        .0;
    let import = Request::new("POST", "/v1/import").authorization(&admin()).body(line);
    assert_eq!(isolate.send(&import).status, 200, "{line}");
    assert_eq!(bob(Some(6)).0, 201);
}

/// The issuer's tokens for the deleted user may still be valid, but they do not mean the new user.
#[test]
fn earlier_tokens_do_not_name_a_new_user_of_a_deleted_name() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = || {
        let mut claims = isolate.claims("alice");
        claims.insert("iat".to_owned(), json!(world.now.get().seconds()));
        jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a token")
    };
    let before = token();
    assert_eq!(isolate.verify(&before), (200, "alice".to_owned()));
    assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
    world.pass(5);
    let between = token();
    world.pass(5);
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "alice" })).0, 201);
    for (token, when) in
        [(&before, "before the deletion"), (&between, "before the user was made anew")]
    {
        assert_eq!(isolate.verify(token), (401, "revoked".to_owned()), "{when}");
        let explained =
            json_of(&isolate.administer("POST", "/v1/explain", &json!({ "token": token })));
        assert!(explained.to_string().contains("issued after the user was made"), "{explained}");
    }
    let of_this_second = token();
    assert_eq!(
        isolate.verify(&of_this_second),
        (200, "alice".to_owned()),
        "it is about the new one"
    );

    // The user was deleted and created again within one second, so a token of that second may mean
    // either.
    assert_eq!(isolate.administer("DELETE", "/v1/users/3", &Value::Null).status, 204);
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "alice" })).0, 201);
    assert_eq!(isolate.verify(&of_this_second), (401, "revoked".to_owned()));
    world.pass(1);
    assert_eq!(isolate.verify(&token()), (200, "alice".to_owned()));
}

/// The isolate that remembers the deleted user still has their name for the id.
#[test]
fn the_deleted_name_does_not_name_the_new_user_of_a_freed_id() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    for knows_alice in [&isolate, &other] {
        assert_eq!(knows_alice.verify(&token), (200, "alice".to_owned()));
    }
    assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
    assert_eq!(isolate.administer("DELETE", "/v1/tombstones/alice", &Value::Null).status, 204);
    assert_eq!(create(&isolate, "/v1/users", &json!({ "id": 2, "username": "bob" })).0, 201);
    isolate.register(&json!({ "inituser": "0" }));
    world.pass(11);
    for knows_bob in [&isolate, &other] {
        assert_eq!(knows_bob.verify(&isolate.token("bob")), (200, "bob".to_owned()));
        assert_eq!(knows_bob.verify(&token), (403, "user_unknown".to_owned()));
        let check = json_of(&knows_bob.administer(
            "GET",
            "/v1/check?service=1&permission=VIEW&username=alice",
            &Value::Null,
        ));
        assert_eq!(check["user"], Value::Null, "{check}");
    }
}

#[test]
fn the_first_administrator_does_not_come_back_either() {
    let world = World::new();
    let isolate = world.isolate();
    let boss =
        json!({ "username": "boss", "password": "correct horse boss", "type": "Administrator" });
    assert_eq!(create(&isolate, "/v1/users", &boss).0, 201);
    let request = Request::new("DELETE", "/v1/users/1");
    let response = isolate.send(&request.authorization(&basic("boss", "correct horse boss")));
    assert_eq!(response.status, 204, "{}", response.body);
    let response = isolate.get("/v1/verify", &basic("admin", ADMIN_PASSWORD));
    assert_eq!(
        (response.status, json_of(&response)["reason"].clone()),
        (401, json!("wrong_password"))
    );
}

#[test]
fn a_tombstone_tells_who_deleted_the_user_and_when() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "alice" })).0, 201);
    assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
    let listed =
        || json_of(&isolate.administer("GET", "/v1/tombstones", &Value::Null))["items"].clone();
    let now = world.now.get().0;
    assert_eq!(
        listed(),
        json!([{ "username": "alice", "id": 2, "deletedAt": now, "deletedBy": "admin" }])
    );
    assert_eq!(create(&isolate, "/v1/users", &json!({ "username": "alice" })).0, 201);
    assert_eq!(listed(), json!([]), "a name is a user's or a deleted user's");
}

/// While a new release is rolled out, the Worker of the last release also deletes and creates
/// users.
#[test]
fn what_the_last_release_deletes_and_creates_is_a_tombstone_and_none() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    assert_eq!(isolate.verify(&token).0, 200);
    world.database.execute(
        "DELETE FROM users WHERE username = 'alice'; \
        INSERT INTO changes (kind, key, at) VALUES ('user', '2', 0)",
    );
    world.pass(11);
    assert_eq!(isolate.verify(&token), (403, "user_deleted".to_owned()));
    let listed =
        || json_of(&isolate.administer("GET", "/v1/tombstones", &Value::Null))["items"].clone();
    assert_eq!(
        (&listed()[0]["username"], &listed()[0]["deletedBy"]),
        (&json!("alice"), &json!(""))
    );
    world.database.execute(
        "INSERT INTO users (username, type, created_at, modified_at) \
        VALUES ('alice', 'SYS_Reader', 0, 0)",
    );
    assert_eq!(listed(), json!([]));
    assert_eq!(isolate.verify(&token), (200, "alice".to_owned()));
}

#[test]
fn one_place_inserts_users() {
    fn files(folder: &str) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        entries
            .flat_map(|path| {
                if path.is_dir() { files(path.to_str().expect("a path")) } else { vec![path] }
            })
            .collect()
    }
    let inserts = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        ["INTO users ", "INTO users("].iter().any(|words| text.contains(words))
    };
    let found: Vec<_> = files("src").into_iter().filter(inserts).collect();
    assert_eq!(found, [std::path::PathBuf::from("src/store/new_users.rs")]);
}
