//! What ends a key, and how many keys there may be.

use postern::actions::housekeeping;
use serde_json::{Value, json};

use super::{PASSWORD, alice, bearer, key, make, reason, send};
use crate::support::{Isolate, Request, World, admin, basic, block_on, json_of};

pub fn session(isolate: &Isolate<'_>, username: &str, password: &str) -> String {
    let body = json!({ "username": username, "password": password }).to_string();
    let response =
        isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    format!("Bearer {}", response.body)
}

pub fn status(isolate: &Isolate<'_>, authorization: &str) -> u16 {
    isolate.get("/v1/verify", authorization).status
}

pub fn wish(name: &str, may: &str) -> Value {
    json!({ "name": name, "may": [may] })
}

#[test]
fn no_credential_makes_a_key_that_outlives_it() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let password = alice(&isolate, "SYS_Reader");
    let now = world.now.get().0;
    let in_session = session(&isolate, "alice", PASSWORD);
    let ends = |made: &Value| made["expiresAt"].as_i64().map(|end| (end - now) / 1000);
    let far = json!({ "name": "far", "may": ["decisions"], "expiresAt": now + 100 * 86_400_000 });
    assert_eq!(ends(&make(&isolate, &password, &wish("by password", "decisions"))), None);
    assert_eq!(
        ends(&make(&isolate, &password, &far)),
        Some(100 * 86_400),
        "the end that was wished"
    );
    let of_session = make(&isolate, &in_session, &wish("by session", "administration"));
    let session_end = world.database.number("SELECT expires_at FROM sessions");
    assert_eq!(of_session["expiresAt"], json!(session_end));
    let far = json!({
        "name": "far by session", "may": ["decisions"], "expiresAt": now + 100 * 86_400_000,
    });
    assert_eq!(
        make(&isolate, &in_session, &far)["expiresAt"],
        json!(session_end),
        "no later than the session"
    );
    let near = json!({ "name": "near", "may": ["decisions"], "expiresAt": now + 5_000 });
    assert_eq!(ends(&make(&isolate, &in_session, &near)), Some(5));
    let token = isolate.token("bob");
    let of_token = make(&isolate, &format!("Bearer {token}"), &wish("by token", "decisions"));
    assert_eq!(ends(&of_token), Some(600));
    // An administrator may make a key without an expiry with any of their credentials, but a key
    // may not.
    let administrator = session(&isolate, "admin", crate::support::ADMIN_PASSWORD);
    assert_eq!(ends(&make(&isolate, &administrator, &wish("admin", "decisions"))), None);
    let limited =
        json!({ "name": "limited", "may": ["administration"], "expiresAt": now + 60_000 });
    let limited = make(&isolate, &admin(), &limited);
    assert_eq!(ends(&make(&isolate, &bearer(&limited), &wish("child", "decisions"))), Some(60));
    assert_eq!(
        ends(&make(&isolate, &bearer(&of_session), &wish("child", "decisions"))),
        Some((session_end - now) / 1000)
    );
    // The key expires at its time, also in an isolate that remembers it.
    let near = make(
        &isolate,
        &password,
        &json!({ "name": "soon", "may": ["decisions"], "expiresAt": now + 5_000 }),
    );
    assert_eq!(status(&isolate, &bearer(&near)), 200);
    world.pass(5);
    assert_eq!(reason(&isolate.get("/v1/verify", &bearer(&near))), (401, "expired".to_owned()));
    let past = json!({ "name": "past", "may": ["decisions"], "expiresAt": now });
    assert_eq!(send(&isolate, "POST", "/v1/keys", &password, &past).status, 400);
}

#[test]
fn a_key_ends_with_the_session_that_made_it_and_takes_its_own_keys_along() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    let password = alice(&isolate, "SYS_Reader");
    for (path, method) in [
        ("/imanager/security/logout", "GET"),
        ("/v1/users/2/tokens", "DELETE"),
        ("/v1/users/2/password", "PUT"),
    ] {
        let in_session = session(&isolate, "alice", PASSWORD);
        let parent = bearer(&make(&isolate, &in_session, &wish("parent", "administration")));
        let child = bearer(&make(&isolate, &parent, &wish("child", "decisions")));
        let lasting = make(&isolate, &password, &wish("lasting", "decisions"));
        for isolate in [&isolate, &other] {
            assert_eq!((status(isolate, &parent), status(isolate, &child)), (200, 200));
        }
        let by = if method == "GET" { &in_session } else { &admin() };
        let body = if method == "PUT" { json!({ "password": PASSWORD }) } else { Value::Null };
        let response = send(&isolate, method, path, by, &body);
        assert!(response.status < 300, "{path}: {}", response.body);
        assert_eq!((status(&isolate, &parent), status(&isolate, &child)), (401, 401), "{path}");
        // A request that ends all tokens of a user also ends the keys that their password made.
        let of_password = if path.ends_with("/tokens") { 401 } else { 200 };
        assert_eq!(status(&isolate, &bearer(&lasting)), of_password, "{path}");
        world.pass(11);
        assert_eq!(
            (status(&other, &parent), status(&other, &child)),
            (401, 401),
            "{path}, elsewhere"
        );
        assert_eq!(
            world.database.number("SELECT COUNT(*) FROM machine_keys"),
            i64::from(of_password == 200)
        );
        isolate.administer("DELETE", &format!("/v1/keys/{}", lasting["id"]), &Value::Null);
    }
}

#[test]
fn a_key_ends_with_its_user_and_not_with_the_administrator_who_made_it() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    for (method, path, body) in [
        ("DELETE", "/v1/users/2", Value::Null),
        ("PATCH", "/v1/users/3", json!({ "enabled": false })),
        ("PATCH", "/v1/users/4", json!({ "type": "SYS_Reader" })),
        ("DELETE", "/v1/users/5/tokens", Value::Null),
    ] {
        let id = path.split('/').nth(3).and_then(|id| id.parse::<i64>().ok()).expect("an id");
        let name = format!("user{id}");
        let new = json!({ "username": name, "password": PASSWORD, "type": "Administrator" });
        assert_eq!(isolate.administer("POST", "/v1/users", &new).status, 201);
        let user = basic(&name, PASSWORD);
        let nobodys = bearer(&make(&isolate, &user, &wish(&name, "administration")));
        let body_of_own = json!({ "name": "own", "may": ["administration"], "userId": id });
        let own = bearer(&make(&isolate, &user, &body_of_own));
        for isolate in [&isolate, &other] {
            assert_eq!(
                (isolate.get("/v1/users", &nobodys).status, isolate.get("/v1/users", &own).status),
                (200, 200)
            );
        }
        assert!(isolate.administer(method, path, &body).status < 300);
        world.pass(11);
        for isolate in [&isolate, &other] {
            let is_reader = body["type"] == json!("SYS_Reader");
            assert_eq!(
                isolate.get("/v1/users", &own).status,
                if is_reader { 403 } else { 401 },
                "{path}"
            );
            assert_eq!(isolate.get("/v1/users", &nobodys).status, 200, "{path}: it is no user's");
        }
    }
    // A user who is enabled again makes new keys. The old ones do not come back, as with tokens.
    isolate.administer("PATCH", "/v1/users/3", &json!({ "enabled": true }));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM machine_keys WHERE user_id = 3"), 0);
}

/// An ended key is in no list, its name is free, and it gets no new secret.
#[test]
fn whatever_moves_valid_from_deletes_the_keys_that_speak_for_the_user() {
    let world = World::new();
    let isolate = world.isolate();
    let alice = alice(&isolate, "SYS_Reader");
    let id = world.database.number("SELECT id FROM users WHERE username = 'alice'");
    let for_alice = |name: &str| json!({ "name": name, "may": ["decisions"], "userId": id });
    let names = || {
        let listed = json_of(&isolate.get("/v1/keys", &admin()));
        let items = listed["items"].as_array().expect("keys").clone();
        items.iter().map(|key| key["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    make(&isolate, &admin(), &wish("nobodys", "decisions"));
    let own = make(&isolate, &alice, &wish("own", "decisions"));
    make(&isolate, &admin(), &for_alice("given"));
    assert_eq!(
        isolate.administer("DELETE", &format!("/v1/users/{id}/tokens"), &Value::Null).status,
        204
    );
    assert_eq!(names(), ["nobodys"]);
    assert_eq!(status(&isolate, &bearer(&own)), 401);
    let event =
        json_of(&isolate.get("/v1/audit?action=token.revoke_all", &admin()))["items"][0].clone();
    assert_eq!(event["before"], json!({ "keys": ["own", "given"] }));
    let secret = format!("/v1/keys/{}/secret", own["id"]);
    assert_eq!(isolate.administer("POST", &secret, &Value::Null).status, 404);
    // The names of the deleted keys are free.
    make(&isolate, &admin(), &for_alice("given"));
    make(&isolate, &alice, &wish("own", "decisions"));

    world.pass(5);
    let later = make(&isolate, &admin(), &for_alice("later"));
    let user = json!({
        "record": "user", "id": id, "username": "alice", "type": "SYS_Reader", "enabled": true,
        "validFrom": world.now.get().0,
    });
    let import = |line: &Value| {
        isolate
            .send(
                &Request::new("POST", "/v1/import").authorization(&admin()).body(&line.to_string()),
            )
            .status
    };
    assert_eq!(import(&user), 200);
    assert_eq!(names(), ["nobodys", "later"]);
    assert_eq!(status(&isolate, &bearer(&later)), 200);
    // The trigger also refuses a key that the Worker did not check.
    let over = "INSERT INTO machine_keys (name, may, user_id, created_by, created_at) \
        VALUES ('over', 1, 2, 1, 5)";
    let refused =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.database.execute(over)));
    assert!(refused.is_err());
}

#[test]
fn the_migration_deletes_the_keys_that_were_over_already() {
    let connection = rusqlite::Connection::open_in_memory().expect("SQLite opens in memory");
    let mut files: Vec<_> = std::fs::read_dir("migrations")
        .expect("migrations")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    let is_earlier = |file: &std::path::PathBuf| !file.ends_with("0014_ended_keys.sql");
    let apply = |file: &std::path::PathBuf| {
        connection
            .execute_batch(&std::fs::read_to_string(file).expect("a migration"))
            .expect("SQL");
    };
    files.iter().take_while(|file| is_earlier(file)).for_each(apply);
    connection
        .execute_batch(
            "INSERT INTO users (id, username, type, roles, enabled, valid_from, created_at,
               modified_at)
               VALUES (1, 'alice', 'SYS_Reader', '[]', 1, 2000, 0, 0);
             INSERT INTO machine_keys (id, name, may, user_id, created_by, created_at)
               VALUES (1, 'over', 1, 1, 1, 1999), (2, 'counts', 1, 1, 1, 2000),
                 (3, 'nobodys', 1, NULL, 1, 0);
             INSERT INTO machine_key_secrets (hash, key_id, prefix, created_at)
               VALUES ('x', 1, 'p', 0);",
        )
        .expect("SQL");
    files.iter().skip_while(|file| is_earlier(file)).for_each(apply);
    let text =
        |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).expect("a text");
    assert_eq!(text("SELECT group_concat(id) FROM machine_keys"), "2,3");
    assert_eq!(text("SELECT hash FROM past_key_secrets"), "x");
}

#[test]
fn whoever_holds_a_key_may_end_it() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    let key = make(&isolate, &admin(), &wish("ci", "administration"));
    let child = make(&isolate, &bearer(&key), &wish("child", "decisions"));
    let secret =
        isolate.administer("POST", &format!("/v1/keys/{}/secret", key["id"]), &Value::Null);
    assert_eq!(secret.status, 201);
    let both = [bearer(&key), bearer(&json_of(&secret)), bearer(&child)];
    assert!(both.iter().all(|key| status(&other, key) == 200));
    let revoke = || {
        let body = json!({ "token": key["key"] }).to_string();
        isolate.send(&Request::new("POST", "/v1/revocations").body(&body)).status
    };
    assert_eq!(revoke(), 204);
    world.pass(11);
    for isolate in [&isolate, &other] {
        assert!(both.iter().all(|key| status(isolate, key) == 401));
    }
    assert_eq!(revoke(), 401, "it is over now");
    let event = json_of(&isolate.get("/v1/audit?action=key.delete", &admin()))["items"][0].clone();
    assert_eq!((&event["actor"], &event["target"]), (&json!("[holder of the key]"), &json!("ci")));
}

#[test]
fn a_key_makes_keys_that_end_with_it_and_for_nobody_else() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    alice(&isolate, "Administrator");
    let parent = make(&isolate, &admin(), &wish("parent", "administration"));
    let child = make(&isolate, &bearer(&parent), &wish("child", "administration"));
    assert_eq!((&child["createdBy"], &child["userId"]), (&json!(1), &Value::Null));
    let grandchild =
        send(&isolate, "POST", "/v1/keys", &bearer(&child), &wish("grandchild", "decisions"));
    assert_eq!(reason(&grandchild), (403, "key_refused".to_owned()));
    assert_eq!(status(&other, &bearer(&child)), 200);
    // A key may extend the keys that it made, and no others.
    let extend = |id: &Value| {
        reason(&send(
            &isolate,
            "POST",
            &format!("/v1/keys/{id}/secret"),
            &bearer(&parent),
            &Value::Null,
        ))
        .1
    };
    assert_eq!(
        (extend(&child["id"]), extend(&parent["id"])),
        (String::new(), "would_outlive".to_owned())
    );
    assert_eq!(
        isolate.administer("DELETE", &format!("/v1/keys/{}", parent["id"]), &Value::Null).status,
        204
    );
    assert_eq!(status(&isolate, &bearer(&child)), 401);
    world.pass(11);
    assert_eq!(status(&other, &bearer(&child)), 401);
    // A key that speaks for an administrator can make only keys that speak for the same
    // administrator.
    let own = bearer(&make(
        &isolate,
        &admin(),
        &json!({ "name": "own", "may": ["administration"], "userId": 2 }),
    ));
    assert_eq!(make(&isolate, &own, &wish("child", "administration"))["userId"], json!(2));
    let others = json!({ "name": "other", "may": ["administration"], "userId": 1 });
    assert_eq!(
        reason(&send(&isolate, "POST", "/v1/keys", &own, &others)),
        (403, "not_administrator".to_owned())
    );
}

#[test]
fn users_see_and_extend_their_own_keys_and_no_others() {
    let world = World::new();
    let isolate = world.isolate();
    let password = alice(&isolate, "SYS_Reader");
    key(&isolate, "decisions");
    let in_session = session(&isolate, "alice", PASSWORD);
    let lasting = make(&isolate, &password, &wish("lasting", "decisions"));
    let passing = make(&isolate, &in_session, &wish("passing", "decisions"));
    let others = json!({ "name": "x", "may": ["decisions"], "userId": 1 });
    assert_eq!(
        reason(&send(&isolate, "POST", "/v1/keys", &password, &others)),
        (403, "not_administrator".to_owned())
    );
    let names = |path: &str| {
        let list = json_of(&isolate.get(path, &password));
        list["items"]
            .as_array()
            .map(|items| items.iter().map(|item| item["name"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(names("/v1/keys"), Some(vec![json!("lasting"), json!("passing")]));
    assert_eq!(
        reason(&isolate.get("/v1/keys?userId=1", &password)),
        (403, "not_administrator".to_owned())
    );
    for method in ["GET", "DELETE"] {
        assert_eq!(
            send(&isolate, method, "/v1/keys/1", &password, &Value::Null).status,
            404,
            "{method}"
        );
    }
    assert_eq!(send(&isolate, "POST", "/v1/keys/1/secret", &password, &Value::Null).status, 404);
    // A stolen session must not make a secret that outlives it.
    let extend = |id: &Value, by: &str| {
        reason(&send(&isolate, "POST", &format!("/v1/keys/{id}/secret"), by, &Value::Null))
    };
    assert_eq!(extend(&lasting["id"], &in_session), (403, "would_outlive".to_owned()));
    assert_eq!(extend(&passing["id"], &in_session).0, 201);
    assert_eq!(extend(&lasting["id"], &password).0, 201);
    assert_eq!(extend(&lasting["id"], &password).0, 409, "two are the most");
    assert_eq!(
        json_of(&isolate.get("/v1/keys?userId=2", &admin()))["items"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn there_are_bounds_and_no_two_of_one_name() {
    let world = World::new();
    let isolate = world.isolate();
    let password = alice(&isolate, "SYS_Reader");
    for number in 1..=20 {
        make(&isolate, &password, &wish(&format!("key {number}"), "decisions"));
    }
    assert_eq!(
        send(&isolate, "POST", "/v1/keys", &password, &wish("key 21", "decisions")).status,
        409
    );
    assert_eq!(send(&isolate, "DELETE", "/v1/keys/1", &password, &Value::Null).status, 204);
    assert_eq!(
        send(&isolate, "POST", "/v1/keys", &password, &wish("key 2", "decisions")).status,
        409,
        "of that name is one"
    );
    make(&isolate, &password, &wish("key 1", "decisions"));
    make(&isolate, &admin(), &wish("key 1", "decisions"));
    assert_eq!(isolate.administer("POST", "/v1/keys", &wish("key 1", "decisions")).status, 409);
    for wrong in [
        json!({ "name": "", "may": ["decisions"] }),
        json!({ "name": "a:b", "may": ["decisions"] }),
        json!({ "name": "x".repeat(65), "may": ["decisions"] }),
        json!({ "name": "a", "may": [] }),
        json!({ "name": "a" }),
        json!({ "name": "a", "may": ["everything"] }),
        json!({ "name": "a", "may": ["decisions"], "userId": 77 }),
        json!({ "name": "a", "may": ["decisions"], "expiresAt": 0 }),
        json!({ "name": "a", "may": ["decisions"], "expiresAt": 253_402_300_800_000_i64 }),
    ] {
        assert_eq!(isolate.administer("POST", "/v1/keys", &wrong).status, 400, "{wrong}");
    }
}

#[test]
fn ten_thousand_keys_speak_for_nobody_and_not_one_more() {
    let world = World::new();
    let isolate = world.isolate();
    // The first administrator is user 1 and makes the keys.
    isolate.administer("GET", "/v1/users", &Value::Null);
    // The trigger counts the keys at each insert, which would take seconds, so it is dropped
    // meanwhile.
    let bound = world
        .database
        .text("SELECT sql FROM sqlite_master WHERE name = 'machine_keys_are_bounded'");
    world.database.execute(&format!(
        "DROP TRIGGER machine_keys_are_bounded;
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9999)
         INSERT INTO machine_keys (name, may, created_by, created_at)
           SELECT 'key ' || n, 1, 1, 1 FROM numbers;
         {bound};"
    ));
    make(&isolate, &admin(), &wish("the last one", "decisions"));
    let response = isolate.administer("POST", "/v1/keys", &wish("one more", "decisions"));
    assert_eq!(response.status, 409, "{}", response.body);
    assert!(
        response.body.contains("at most 20 keys, and 10,000 speak for nobody"),
        "{}",
        response.body
    );
    // Keys that speak for users have a bound of their own.
    make(&isolate, &admin(), &json!({ "name": "own", "may": ["decisions"], "userId": 1 }));
    assert_eq!(isolate.administer("DELETE", "/v1/keys/1", &Value::Null).status, 204);
    make(&isolate, &admin(), &wish("one more", "decisions"));
}

#[test]
fn an_expired_key_is_removed_after_30_days_and_the_audit_says_so() {
    let world = World::new();
    let isolate = world.isolate();
    alice(&isolate, "SYS_Reader");
    let in_session = session(&isolate, "alice", PASSWORD);
    make(&isolate, &in_session, &wish("passing", "decisions"));
    key(&isolate, "decisions");
    let keys = || world.database.number("SELECT COUNT(*) FROM machine_keys");
    let run = || block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.pass(30 * 86_400);
    run();
    assert_eq!(keys(), 2, "expired, and listed still");
    world.pass(86_400);
    run();
    assert_eq!(keys(), 1, "the one without an end stays");
    let events = json_of(&isolate.get("/v1/audit?action=key.delete", &admin()));
    let event = &events["items"][0];
    assert_eq!((&event["actor"], &event["target"]), (&json!("[scheduled]"), &json!("passing")));
    run();
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM sessions"),
        0,
        "what it hung on goes after it"
    );
}
