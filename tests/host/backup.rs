//! Export and import: an import of an export restores the same state, and a wrong line writes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use postern::actions::housekeeping;
use postern::domain::backup::kinds::{Is, KINDS, LEFT_OUT};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, basic, block_on, json_of};
use crate::upgrade::fixtures;

/// The columns of each table of the migrations.
fn schema() -> BTreeMap<String, BTreeSet<String>> {
    let connection = Connection::open_in_memory().expect("SQLite opens in memory");
    let mut files: Vec<_> = std::fs::read_dir("migrations")
        .expect("migrations")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    for file in files {
        connection
            .execute_batch(&std::fs::read_to_string(file).expect("a migration"))
            .expect("SQL");
    }
    let sql = "SELECT t.name, c.name FROM sqlite_master t, pragma_table_xinfo(t.name) c \
        WHERE t.type = 'table'";
    let mut statement = connection.prepare(sql).expect("the schema");
    let mut schema = BTreeMap::<String, BTreeSet<String>>::new();
    let columns = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .expect("columns");
    for column in columns {
        let (table, column) = column.expect("a column");
        schema.entry(table).or_default().insert(column);
    }
    schema
}

#[test]
fn every_column_is_in_the_export_or_is_left_out_for_a_reason() {
    for (table, columns) in schema() {
        let kinds: Vec<_> = KINDS.iter().filter(|kind| kind.table == table).collect();
        let is_left_out = |what: &str| {
            LEFT_OUT.iter().any(|(left_out, reason)| *left_out == what && !reason.is_empty())
        };
        assert_eq!(
            kinds.is_empty(),
            is_left_out(&table),
            "{table}: give it either a kind in KINDS, or a reason in LEFT_OUT \
             (src/domain/backup/kinds.rs)"
        );
        for kind in kinds {
            let of_kind = kind.only.map(|(column, _)| column.to_owned()).into_iter();
            let of_fields = kind.fields.iter().flat_map(|field| {
                let key_id =
                    matches!(field.is, Is::Sealed(_)).then(|| format!("{}_key_id", field.column));
                key_id.into_iter().chain([field.column.to_owned()])
            });
            let known: BTreeSet<_> = of_kind.chain(of_fields).collect();
            // Only a department has a parent.
            let is_of_others = |column: &str| kind.word == "group" && column == "parent_id";
            for column in &columns {
                let left_out = is_left_out(&format!("{table}.{column}")) || is_of_others(column);
                assert_ne!(
                    known.contains(column),
                    left_out,
                    "{table}.{column}: give it a row of {} in KINDS, or a reason in LEFT_OUT \
                     (src/domain/backup/kinds.rs)",
                    kind.word
                );
            }
            assert!(known.is_subset(&columns), "{}: {known:?} {columns:?}", kind.word);
        }
    }
}

fn export_sealed(isolate: &Isolate<'_>, format: &str) -> String {
    let response = isolate.get(&format!("/v1/export?secrets=sealed&format={format}"), &admin());
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

/// Adds keys that are exported, a key that ends with an opaque token and is not exported, a
/// revocation, and a deleted group.
fn add_what_the_release_did_not_know(isolate: &Isolate<'_>, world: &World) {
    let made = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "lasting", "may": ["decisions"] }),
    ));
    let secret = format!("/v1/keys/{}/secret", made["id"]);
    assert_eq!(isolate.administer("POST", &secret, &Value::Null).status, 201);
    let removed = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "removed", "may": ["decisions"] }),
    ));
    assert_eq!(
        isolate.administer("DELETE", &format!("/v1/keys/{}", removed["id"]), &Value::Null).status,
        204
    );
    world.database.execute(
        "INSERT INTO sessions (id, token_hash, cookie_hash, user_id, created_at, expires_at)
            VALUES (99, 'x', 'y', 1, 0, 9e15);
         INSERT INTO machine_keys (id, name, may, created_by, session_id, created_at)
            VALUES (98, 'ending', 1, 1, 99, 0);
         INSERT INTO machine_keys (id, name, may, created_by, parent_id, created_at)
            VALUES (99, 'ends with it', 1, 1, 98, 0);",
    );
    let freed = json_of(&isolate.administer("POST", "/v1/users", &json!({ "username": "freed" })));
    for path in [format!("/v1/users/{}", freed["id"]), "/v1/tombstones/freed".to_owned()] {
        assert_eq!(isolate.administer("DELETE", &path, &Value::Null).status, 204);
    }
    let app = world.database.text("SELECT MIN(name) FROM token_apps");
    assert_eq!(
        isolate.administer("POST", "/v1/revocations", &json!({ "app": app, "jti": "j" })).status,
        204
    );
    let actions = json!({ "actions": { "read": "VIEW" } });
    assert_eq!(isolate.administer("PUT", "/v1/resource-types/record", &actions).status, 200);
    assert_eq!(
        isolate
            .administer(
                "PUT",
                "/v1/resource-types/record/resources/record-1",
                &json!({ "service": 101 })
            )
            .status,
        200
    );
    let person = json!({
        "userName": "pat@example.com", "externalId": "00u1",
        "name": { "givenName": "Pat", "familyName": "Ö", "formatted": "Pat Ö" },
        "emails": [
            { "value": "pat@example.com", "type": "work", "primary": true },
            { "value": "home@example.com" },
        ],
    });
    assert_eq!(isolate.administer("POST", "/scim/v2/Users", &person).status, 201);
    assert_eq!(
        isolate
            .administer(
                "POST",
                "/scim/v2/Groups",
                &json!({ "displayName": "Pushed", "externalId": "g1" })
            )
            .status,
        201
    );
    let group =
        json_of(&isolate.administer("POST", "/v1/groups", &json!({ "name": "short-lived" })));
    assert_eq!(
        isolate.administer("DELETE", &format!("/v1/groups/{}", group["id"]), &Value::Null).status,
        204
    );
}

/// Calls `test` with a Postern in which an earlier release has filled every table, and with an
/// empty Postern that has the same master key.
fn with_filled_and_empty(test: impl Fn(&World, &Isolate<'_>, &World, &Isolate<'_>)) {
    for fixture in fixtures() {
        let filled = fixture.world();
        let empty = World::new();
        empty.now.set(filled.now.get());
        let (from, to) = (fixture.isolate(&filled), fixture.isolate(&empty));
        add_what_the_release_did_not_know(&from, &filled);
        test(&filled, &from, &empty, &to);
    }
}

#[test]
fn an_export_with_sealed_secrets_into_an_empty_postern_is_the_same_state() {
    with_filled_and_empty(|filled, from, empty, to| {
        for format in ["ndjson", "csv"] {
            let lines = export_sealed(from, format);
            for kind in &KINDS {
                assert!(
                    lines.contains(&format!("\"{}\"", kind.word)) || format == "csv",
                    "there is no {}:\n{lines}",
                    kind.word
                );
            }
            assert!(!lines.contains("$argon2id$"), "no hash is readable outside");
            assert!(
                !lines.contains("ending") && !lines.contains("ends with it"),
                "a key that ends with an opaque token stays"
            );
            let (status, body) = import(to, format, &lines);
            assert_eq!(status, 200, "{body}");
            assert_eq!(export_sealed(to, "ndjson"), export_sealed(from, "ndjson"));
            empty.pass(60);
            filled.pass(60);
            assert_eq!(import(to, format, &lines).0, 200, "twice");
            assert_eq!(export_sealed(to, "ndjson"), export_sealed(from, "ndjson"), "is once");
        }
    });
}

#[test]
fn after_a_restore_each_users_tokens_and_passwords_count_as_before() {
    for fixture in fixtures() {
        let filled = fixture.world();
        let empty = World::new();
        empty.now.set(filled.now.get());
        empty.issuers.publish(
            fixture.facts["keySet"]["url"].as_str().expect("a URL"),
            fixture.facts["keySet"]["body"].as_str().expect("keys"),
            None,
        );
        let (from, to) = (fixture.isolate(&filled), fixture.isolate(&empty));
        assert_eq!(import(&to, "ndjson", &export_sealed(&from, "ndjson")).0, 200);
        fixture.verify_tokens(&to);
        for (username, password) in fixture.facts["passwords"].as_object().expect("passwords") {
            let response =
                to.get("/v1/verify", &basic(username, password.as_str().expect("a password")));
            assert_eq!(response.status, 200, "{username}: {}", response.body);
        }
    }
}

#[test]
fn without_secrets_the_importer_says_which_apps_lack_one_and_what_is_there_stays() {
    with_filled_and_empty(|_, from, _, to| {
        let lines = export(from, "ndjson");
        assert!(
            !lines.contains("\"secret\"")
                && !lines.contains("password\"")
                && !lines.contains("\"token\":")
                && !lines.contains("v1."),
            "{lines}"
        );
        let (status, body) = import(to, "ndjson", &lines);
        assert_eq!(status, 200, "{body}");
        let lacking = body["withoutSecret"].as_array().expect("names");
        assert!(
            lacking
                .iter()
                .any(|name| name.as_str().is_some_and(|name| name.starts_with("token app "))),
            "{body}"
        );
        assert_eq!(export(to, "ndjson"), lines, "but for secrets it is the same");
        // An import into the Postern that made the export loses nothing.
        let before = export_sealed(from, "ndjson");
        let (status, body) = import(from, "ndjson", &lines);
        assert_eq!((status, &body["withoutSecret"]), (200, &Value::Null), "{body}");
        assert_eq!(export_sealed(from, "ndjson"), before);
    });
}

#[test]
fn what_is_sealed_under_another_master_key_is_named_and_refused() {
    with_filled_and_empty(|_, from, empty, _| {
        let lines = export_sealed(from, "ndjson");
        let other = empty.isolate_with(&[
            ("MASTER_KEY", Some("YW5vdGhlciBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzIS4=")),
            ("ADMIN_PASSWORD", Some("correct horse admin")),
        ]);
        let (status, body) = import(&other, "ndjson", &lines);
        assert_eq!(status, 400, "{body}");
        let errors = body["errors"].as_array().expect("errors");
        assert!(
            errors.iter().all(|error| error["why"]
                .as_str()
                .is_some_and(|why| why.contains("MASTER_KEY_PREVIOUS"))),
            "{body}"
        );
        for field in ["password", "secret", "token", "tokenHash", "initialPassword"] {
            assert!(errors.iter().any(|error| error["field"] == field), "{field}: {body}");
        }
        let request = Request::new("POST", "/v1/import?secrets=left-out")
            .authorization(&admin())
            .body(&lines);
        assert_eq!(other.send(&request).status, 200, "the way out that the error names");
    });
}

#[test]
fn a_sealed_value_counts_only_for_what_it_belongs_to() {
    with_filled_and_empty(|_, from, _, to| {
        let lines = export_sealed(from, "ndjson");
        let mut records: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let of = |name: &str, records: &[Value]| {
            records.iter().position(|record| record["username"] == name).expect("a user")
        };
        let (admin, carol) = (of("admin", &records), of("carol", &records));
        records[admin]["password"] = records[carol]["password"].clone();
        let moved = records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let (status, body) = import(to, "ndjson", &moved);
        assert_eq!((status, &body["errors"][0]["field"]), (400, &json!("password")), "{body}");
    });
}

#[test]
fn a_record_that_contradicts_what_is_there_is_refused_by_name_and_nothing_is_written() {
    let world = World::new();
    let isolate = world.isolate();
    let id =
        json_of(&isolate.administer("POST", "/v1/users", &json!({ "username": "alice" })))["id"]
            .as_i64()
            .expect("an id");
    let user = |id: i64, name: &str| {
        let line = json!({
            "record": "user", "id": id, "username": name, "type": "SYS_Reader", "enabled": true,
        });
        format!("{line}\n")
    };
    let group = "{\"record\":\"group\",\"id\":7}\n";
    for (lines, line, field, why) in [
        (
            group.to_owned() + &user(77, "alice"),
            2,
            "username",
            format!("\"alice\" is here as user {id}"),
        ),
        (group.to_owned() + &user(id, "bob"), 2, "id", "is that of user \"alice\" here".to_owned()),
        (
            user(78, "x") + &user(79, "x"),
            2,
            "record",
            "is about the same as line 1: leave out one of them".to_owned(),
        ),
    ] {
        let (status, body) = import(&isolate, "ndjson", &lines);
        assert_eq!(
            (status, &body["errors"]),
            (400, &json!([{ "line": line, "field": field, "why": why }])),
            "{body}"
        );
    }
    assert_eq!(world.database.number("SELECT COUNT(*) FROM units"), 0);
    assert_eq!(
        import(&isolate, "ndjson", &(user(id, "alice") + &user(80, "carol"))).0,
        200,
        "what agrees is taken"
    );
}

#[test]
fn what_nobody_could_take_back_is_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let user = |id: i64, more: Value| {
        let mut line = json!({
            "record": "user", "id": id, "username": "alice", "type": "SYS_Reader", "enabled": true,
        });
        line.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        line.to_string()
    };
    let now = world.now.get();
    for (line, field, why) in [
        (user(0, json!({})), "id", "must be 1 or more"),
        (user(-1, json!({})), "id", "must be 1 or more"),
        (
            user(7, json!({ "validFrom": now.0 + 601_000 })),
            "validFrom",
            "must not be in the future: nobody could undo it",
        ),
        (
            user(7, json!({ "followedAt": now.seconds() + 601 })),
            "followedAt",
            "must not be in the future: nobody could undo it",
        ),
    ] {
        let (status, body) = import(&isolate, "ndjson", &line);
        assert_eq!(
            (status, &body["errors"]),
            (400, &json!([{ "line": 1, "field": field, "why": why }])),
            "{line} {body}"
        );
    }
    let line = user(7, json!({ "validFrom": now.0 + 1000, "followedAt": now.seconds() }));
    assert_eq!(import(&isolate, "ndjson", &line).0, 200, "a clock may be ahead");
}

/// Read as milliseconds, these times are long past: a grant that should begin later would be in
/// force at once.
#[test]
fn seconds_are_refused_where_something_begins_or_ends_and_what_is_stored_is_exported() {
    let world = World::new();
    let isolate = world.isolate();
    let grant = |more: Value| {
        let mut line = json!({
            "record": "grant", "serviceId": 7, "authObjectType": "USER", "authObjectId": 5,
            "permissions": ["TEST"],
        });
        line.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        line
    };
    let seconds = 1_795_792_109;
    let key = json!({
        "record": "key", "id": 1, "name": "ci", "may": ["decisions"], "createdBy": 1,
        "createdAt": 1, "expiresAt": seconds,
    });
    let user = json!({
        "record": "user", "id": 7, "username": "alice", "type": "SYS_Reader", "enabled": true,
        "validFrom": seconds,
    });
    for (line, field) in [
        (grant(json!({ "startsAt": seconds })), "startsAt"),
        (grant(json!({ "expiresAt": seconds })), "expiresAt"),
        (key, "expiresAt"),
        (user, "validFrom"),
    ] {
        let (status, body) = import(&isolate, "ndjson", &line.to_string());
        let why = "looks like seconds: epoch milliseconds are expected";
        assert_eq!(
            (status, &body["errors"]),
            (400, &json!([{ "line": 1, "field": field, "why": why }])),
            "{line}"
        );
    }
    let csv = format!(
        "record,serviceId,authObjectType,authObjectId,permissions,startsAt\n\
         grant,7,USER,5,TEST,{seconds}\n"
    );
    assert_eq!(import(&isolate, "csv", &csv).0, 400);
    assert_eq!(import(&isolate, "ndjson", &grant(json!({ "startsAt": 0 })).to_string()).0, 200);
    world.database.execute("UPDATE grants SET starts_at = 1795792109");
    assert!(export(&isolate, "ndjson").contains("\"startsAt\":1795792109"));
    let granted = json_of(&isolate.administer("GET", "/v1/services/7/grants", &Value::Null));
    assert_eq!(granted["items"][0]["startsAt"], seconds, "{granted}");
}

/// A key names its user by id, so it would belong to another user who got this id.
#[test]
fn an_administrator_with_a_key_or_who_made_one_keeps_their_id() {
    for key in [
        json!({ "name": "own", "may": ["decisions"], "userId": 1 }),
        json!({ "name": "made", "may": ["decisions"] }),
    ] {
        let world = World::new();
        let isolate = world.isolate();
        let made = json_of(&isolate.administer("POST", "/v1/keys", &key));
        let boss = user_line(1, "boss", "Administrator");
        let (status, body) = import(&isolate, "ndjson", &boss);
        assert_eq!(
            (status, &body["errors"][0]["why"]),
            (400, &json!("is that of user \"admin\" here")),
            "{body}"
        );
        assert_eq!(
            isolate.administer("DELETE", &format!("/v1/keys/{}", made["id"]), &Value::Null).status,
            204
        );
        assert_eq!(import(&isolate, "ndjson", &boss).0, 200);
        let networks = "SELECT COUNT(*) FROM sign_in_networks WHERE user_id = 1";
        assert_eq!(
            world.database.number(networks),
            0,
            "from where one signs in does not vouch for the other"
        );
    }
}

/// Makes a key. Returns the record and its bearer token.
fn make_key(isolate: &Isolate<'_>, name: &str) -> (Value, String) {
    let made = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": name, "may": ["decisions"] }),
    ));
    let bearer = format!("Bearer {}", made["key"].as_str().expect("a key"));
    (made, bearer)
}

fn lines_of(lines: &str, kind: &str) -> String {
    let begin = format!("{{\"record\":\"{kind}\"");
    lines.split_inclusive('\n').filter(|line| line.starts_with(&begin)).collect()
}

#[test]
fn no_backup_brings_back_a_secret_of_a_key_that_was_removed() {
    let world = World::new();
    let isolate = world.isolate();
    let (deleted, of_deleted) = make_key(&isolate, "deleted");
    let (replaced, of_replaced) = make_key(&isolate, "replaced");
    let before = export_sealed(&isolate, "ndjson");
    assert_eq!(
        isolate.administer("DELETE", &format!("/v1/keys/{}", deleted["id"]), &Value::Null).status,
        204
    );
    let secret = format!("/v1/keys/{}/secret", replaced["id"]);
    assert_eq!(isolate.administer("POST", &secret, &Value::Null).status, 201);
    let prefix = replaced["prefix"].as_str().expect("a prefix");
    assert_eq!(
        isolate.administer("DELETE", &format!("{secret}?prefix={prefix}"), &Value::Null).status,
        204
    );
    let after = export_sealed(&isolate, "ndjson");
    let over = |isolate: &Isolate<'_>| {
        for key in [&of_deleted, &of_replaced] {
            assert_eq!(isolate.get("/v1/verify", key).status, 401);
        }
    };

    let (status, body) = import(&isolate, "ndjson", &before);
    let whys = body["errors"].as_array().into_iter().flatten().map(|error| error["why"].clone());
    assert_eq!(
        (status, whys.collect::<Vec<_>>()),
        (400, vec![json!("was removed here, and is never valid again: leave the line out"); 2])
    );
    over(&isolate);

    // A later backup ends the key also in a Postern that was restored from an earlier backup.
    let other = World::new();
    other.now.set(world.now.get());
    let elsewhere = other.isolate();
    assert_eq!(import(&elsewhere, "ndjson", &before).0, 200);
    assert_eq!(elsewhere.get("/v1/verify", &of_replaced).status, 200);
    assert_eq!(import(&elsewhere, "ndjson", &after).0, 200);
    over(&elsewhere);
    assert_eq!(import(&elsewhere, "ndjson", &before).0, 400);
    over(&elsewhere);
}

/// An isolate still accepts the replaced password for a moment if it was right there before.
#[test]
fn a_password_that_an_import_replaces_makes_no_key_and_no_session() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    let alice = json!({ "username": "alice", "password": "correct horse alice" });
    assert_eq!(here.administer("POST", "/v1/users", &alice).status, 201);
    let before = export_sealed(&here, "ndjson");
    assert_eq!(
        here.administer("PUT", "/v1/users/2/password", &json!({ "password": "battery staple" }))
            .status,
        204
    );
    let replaced = basic("alice", "battery staple");
    assert_eq!(there.get("/v1/verify", &replaced).status, 200);
    world.pass(1);
    assert_eq!(import(&here, "ndjson", &before).0, 200);
    let key = Request::new("POST", "/v1/keys")
        .authorization(&replaced)
        .body(r#"{"name":"hers","may":["decisions"]}"#);
    let response = there.send(&key);
    assert_eq!(response.status, 409, "{}", response.body);
    assert_eq!(
        world.database.number("SELECT password_set_at FROM users WHERE id = 2"),
        world.now.get().0
    );
}

#[test]
fn whoever_imports_themselves_as_disabled_loses_their_opaque_token_for_good() {
    let world = World::new();
    let isolate = world.isolate();
    let boss =
        json!({ "username": "boss", "password": "correct horse boss", "type": "Administrator" });
    assert_eq!(isolate.administer("POST", "/v1/users", &boss).status, 201);
    let body = json!({ "username": "boss", "password": "correct horse boss" }).to_string();
    let token = isolate
        .send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body))
        .body;
    let line =
        user_line(2, "boss", "Administrator").replace("\"enabled\":true", "\"enabled\":false");
    let request =
        Request::new("POST", "/v1/import").authorization(&format!("Bearer {token}")).body(&line);
    assert_eq!(isolate.send(&request).status, 200);
    assert_eq!(isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": true })).status, 200);
    assert_eq!(isolate.verify(&token).0, 401);
}

/// Two Posterns may have the same master key, and keys with the same ids.
#[test]
fn a_secret_is_added_to_no_key_but_its_own() {
    let (from, to) = (World::new(), World::new());
    let (there, here) = (from.isolate(), to.isolate());
    let (_, stranger) = make_key(&there, "ci");
    let lines = export_sealed(&there, "ndjson");
    let secret = lines_of(&lines, "keySecret");
    let refused = |lines: &str, line: i64, field: &str, why: &str| {
        let (status, body) = import(&here, "ndjson", lines);
        assert_eq!(
            (status, &body["errors"]),
            (400, &json!([{ "line": line, "field": field, "why": why }])),
            "{body}"
        );
        assert_eq!(here.get("/v1/verify", &stranger).status, 401);
    };
    refused(&secret, 1, "keyId", "is no key here: send the line of the key along");
    to.pass(1);
    let made =
        here.administer("POST", "/v1/keys", &json!({ "name": "ci", "may": ["administration"] }));
    assert_eq!(json_of(&made)["id"], 1);
    let why = "is a key here, but may be another one: send the line of the key along, which shows \
        whether it is the same, or leave the line out";
    refused(&secret, 1, "keyId", why);
    refused(&(lines_of(&lines, "key") + &secret), 1, "id", "is that of key \"ci\" here");
    // In the Postern that made the key, the secret can be imported any number of times.
    for lines in [&secret, &lines] {
        assert_eq!(import(&there, "ndjson", lines).0, 200);
        assert_eq!(there.get("/v1/verify", &stranger).status, 200);
    }
}

/// In a long list, the secrets of keys come in a later request than the keys.
#[test]
fn the_secrets_of_restored_keys_may_follow_in_another_request() {
    let (from, to) = (World::new(), World::new());
    let (there, here) = (from.isolate(), to.isolate());
    let (_, key) = make_key(&there, "ci");
    let lines = export_sealed(&there, "ndjson");
    for kind in ["key", "keySecret", "keySecret"] {
        assert_eq!(import(&here, "ndjson", &lines_of(&lines, kind)).0, 200);
    }
    assert_eq!(here.get("/v1/verify", &key).status, 200);
}

/// A key that a token made ends with each change of the token's app, also with an import of the
/// app.
#[test]
fn a_key_that_ends_by_an_import_does_not_come_back_by_the_same_one() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let by = format!("Bearer {}", isolate.token("alice"));
    let request = Request::new("POST", "/v1/keys")
        .authorization(&by)
        .body(r#"{"name":"hers","may":["decisions"]}"#);
    let made = json_of(&isolate.send(&request));
    let key = format!("Bearer {}", made["key"].as_str().expect("a key"));
    let before = export_sealed(&isolate, "ndjson");
    assert_eq!(import(&isolate, "ndjson", &before).0, 200);
    assert_eq!(isolate.get("/v1/verify", &key).status, 200, "nothing was changed");
    world.database.execute("UPDATE token_apps SET expire_s = 3600");
    assert_eq!(import(&isolate, "ndjson", &before).0, 200);
    assert_eq!(isolate.get("/v1/verify", &key).status, 401);
}

/// A restore continues with the file that it began with, also if the secrets were encrypted again
/// meanwhile.
#[test]
fn the_same_restore_around_a_change_of_the_master_key_ends_nothing() {
    const NEW: &str = "YW5vdGhlciBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzIS4=";
    let (from, to) = (World::new(), World::new());
    let there = from.isolate();
    there.register(&json!({}));
    let by = format!("Bearer {}", there.token("alice"));
    let request = Request::new("POST", "/v1/keys")
        .authorization(&by)
        .body(r#"{"name":"hers","may":["decisions"]}"#);
    let made = json_of(&there.send(&request));
    let key = format!("Bearer {}", made["key"].as_str().expect("a key"));
    let application = json!({ "organization": "o1", "accessKey": "target" });
    assert_eq!(there.administer("POST", "/v1/applications", &application).status, 201);
    let lines = export_sealed(&there, "ndjson");
    let old = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";
    let here = to.isolate_with(&[
        ("MASTER_KEY", Some(NEW)),
        ("MASTER_KEY_PREVIOUS", Some(old)),
        ("ADMIN_PASSWORD", Some("correct horse admin")),
    ]);
    assert_eq!(import(&here, "ndjson", &lines).0, 200);
    assert_eq!(here.get("/v1/verify", &key).status, 200);
    let sealed = || {
        to.database
            .text("SELECT (SELECT secret FROM token_apps) || (SELECT secret FROM applications)")
    };
    let before = sealed();
    block_on(housekeeping::run(&here.cx())).expect("the scheduled event");
    let anew = sealed();
    assert_ne!(before, anew, "it was encrypted anew");
    // A record without `modifiedAt` gets the time of the import.
    let without = lines.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).expect("JSON");
        record.as_object_mut().expect("an object").remove("modifiedAt");
        record.to_string()
    });
    let without = without.collect::<Vec<_>>().join("\n");
    for lines in [&lines, &lines, &without, &lines] {
        to.pass(60);
        let (status, body) = import(&here, "ndjson", lines);
        assert_eq!(status, 200, "{body}");
        assert_eq!(here.get("/v1/verify", &key).status, 200);
        assert_eq!(sealed(), anew);
    }
    let replaced = json!({ "secret": "another secret of enough bytes!!" });
    assert_eq!(here.administer("PATCH", "/v1/token-apps/ERP", &replaced).status, 200);
    assert_eq!(here.get("/v1/verify", &key).status, 401);
}

#[test]
fn a_key_whose_user_or_maker_is_not_here_is_named_with_what_is_missing() {
    let world = World::new();
    let isolate = world.isolate();
    let import = |lines: &[Value]| {
        let lines = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let (status, body) = import(&isolate, "ndjson", &lines);
        let error = &body["errors"][0];
        (
            status,
            error["line"].as_i64().unwrap_or_default(),
            error["field"].clone(),
            error["why"].clone(),
        )
    };
    let key = |id: i64, more: Value| {
        let mut line = json!({
            "record": "key", "id": id, "name": format!("key{id}"), "may": ["decisions"],
            "createdBy": 1, "createdAt": 2_000_000_000_000_i64,
        });
        line.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        line
    };
    let user = |enabled: bool, valid_from: i64| {
        json!({
            "record": "user", "id": 7, "username": "alice", "type": "SYS_Reader",
            "enabled": enabled,
            "validFrom": valid_from,
        })
    };
    let child = || key(502, json!({ "parentId": 501 }));
    let hers = |id: i64| key(id, json!({ "userId": 7 }));
    let refused = |lines: &[Value], line: i64, field: &str, why: &str| {
        assert_eq!(import(lines), (400, line, json!(field), json!(why)));
        assert_eq!(world.database.number("SELECT COUNT(*) FROM machine_keys WHERE id > 502"), 0);
    };
    refused(
        &[child(), key(501, json!({}))],
        1,
        "parentId",
        "501 is not here: put the line of that key before this one",
    );
    let why = "501 is not here: send the line of that key before this one, or leave the line out";
    refused(&[child()], 1, "parentId", why);
    refused(
        &[hers(503)],
        1,
        "userId",
        "7 is no user here: send the line of that user along, or leave the line out",
    );
    refused(
        &[user(false, 0), hers(503)],
        2,
        "userId",
        "7 is a disabled user, whose keys ended: leave the line out",
    );
    let mut over = hers(503);
    over["createdAt"] = json!(1_500_000_000_000_i64);
    let why = "is before the validFrom of its user, so the key has ended: leave the line out";
    refused(&[over.clone(), user(true, 1_600_000_000_000)], 1, "createdAt", why);
    assert_eq!(
        import(&[key(501, json!({})), child(), hers(502 + 1), user(true, 1_600_000_000_000)]).0,
        200
    );
    assert_eq!(import(&[child()]).0, 200, "its maker is here");
    let again = json!({
        "record": "key", "id": 504, "name": "over", "may": ["decisions"], "createdBy": 1,
        "createdAt": 1, "userId": 7,
    });
    assert_eq!(import(&[again]), (400, 1, json!("createdAt"), json!(why)), "as the user is here");
    let disable = json!({ "enabled": false });
    assert_eq!(isolate.administer("PATCH", "/v1/users/7", &disable).status, 200);
    assert_eq!(import(&[hers(505)]).2, json!("userId"));
}

fn user_line(id: i64, name: &str, kind: &str) -> String {
    let line = json!({
        "record": "user", "id": id, "username": name, "type": kind, "enabled": true,
        "createdAt": 1, "modifiedAt": 1,
    });
    format!("{line}\n")
}

fn grant_line(service: i64, kind: &str, object: i64, permissions: &[&str]) -> String {
    let line = json!({
        "record": "grant", "serviceId": service, "authObjectType": kind, "authObjectId": object,
        "permissions": permissions,
    });
    format!("{line}\n")
}

fn grant_line_with_id(user: i64, id: i64) -> String {
    let line = json!({
        "record": "grant", "serviceId": 1, "authObjectType": "USER", "authObjectId": user,
        "permissions": [], "id": id,
    });
    format!("{line}\n")
}

#[test]
fn the_first_administrator_of_an_empty_postern_makes_way_for_whoever_has_their_id() {
    let world = World::new();
    let isolate = world.isolate();
    let own_id = || world.database.number("SELECT id FROM users WHERE username = 'admin'");
    assert_eq!(import(&isolate, "ndjson", "").0, 200);
    assert_eq!(own_id(), 1);
    assert_eq!(import(&isolate, "ndjson", &user_line(1, "boss", "Administrator")).0, 200);
    assert!(own_id() >= 1 << 52);
    assert_eq!(world.database.text("SELECT username FROM users WHERE id = 1"), "boss");
    // A later request of the same restore finds them by name.
    assert_eq!(
        import(
            &isolate,
            "ndjson",
            &(user_line(9, "admin", "Administrator") + &user_line(10, "bob", "SYS_Reader"))
        )
        .0,
        200
    );
    assert_eq!(own_id(), 9);
    assert!(export(&isolate, "ndjson").starts_with(&user_line(1, "boss", "Administrator")));
    // From now on, the first administrator does not make way any more.
    let (status, body) = import(&isolate, "ndjson", &user_line(11, "admin", "Administrator"));
    assert_eq!(
        (status, &body["errors"][0]["why"]),
        (400, &json!("\"admin\" is here as user 9")),
        "{body}"
    );
}

#[test]
fn an_administrator_whose_id_is_named_or_who_is_not_alone_keeps_their_id() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(
        isolate.administer("POST", "/v1/services", &json!({ "name": "theirs" })).status,
        201
    );
    let (status, body) = import(&isolate, "ndjson", &user_line(1, "boss", "Administrator"));
    assert_eq!(
        (status, &body["errors"][0]["why"]),
        (400, &json!("is that of user \"admin\" here")),
        "{body}"
    );
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(import(&isolate, "ndjson", &user_line(2, "alice", "SYS_Reader")).0, 200);
    assert_eq!(import(&isolate, "ndjson", &user_line(1, "boss", "Administrator")).0, 400);
    assert_eq!(import(&isolate, "ndjson", &user_line(3, "admin", "Administrator")).0, 400);
}

#[test]
fn a_user_who_is_imported_as_disabled_or_with_another_password_loses_their_opaque_tokens() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    let sign_in = |name: &str, password: &str| {
        let body = json!({ "username": name, "password": password }).to_string();
        let response =
            here.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body));
        assert_eq!(response.status, 200, "{}", response.body);
        assert_eq!(there.get("/v1/verify", &format!("Bearer {}", response.body)).status, 200);
        response.body
    };
    let new = |name: &str| {
        assert_eq!(
            here.administer(
                "POST",
                "/v1/users",
                &json!({ "username": name, "password": "correct horse" })
            )
            .status,
            201
        );
        sign_in(name, "correct horse")
    };
    let (disabled, changed, same) = (new("disabled"), new("changed"), new("same"));
    let mut lines = export_sealed(&here, "ndjson").replace(
        r#""username":"disabled","type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true"#,
        r#""username":"disabled","type":"SYS_Reader","enabled":false"#,
    );
    let id = world.database.text("SELECT CAST(id AS TEXT) FROM users WHERE username = 'changed'");
    here.administer(
        "PUT",
        &format!("/v1/users/{id}/password"),
        &json!({ "password": "battery staple" }),
    );
    let again = sign_in("changed", "battery staple");
    assert!(lines.contains("\"enabled\":false"), "{lines}");
    lines.push_str("{\"record\":\"group\",\"id\":1}\n");
    assert_eq!(import(&here, "ndjson", &lines).0, 200);
    world.pass(11);
    for isolate in [&here, &there] {
        let status = |token: &str| isolate.get("/v1/verify", &format!("Bearer {token}")).status;
        assert_eq!(
            [status(&disabled), status(&changed), status(&again), status(&same)],
            [401, 401, 401, 200]
        );
    }
}

#[test]
fn a_key_with_provisioning_is_told_nothing_about_users_and_chooses_no_id() {
    let world = World::new();
    let isolate = world.isolate();
    for name in ["alice", "bob"] {
        assert_eq!(
            isolate.administer("POST", "/v1/users", &json!({ "username": name })).status,
            201
        );
    }
    assert_eq!(isolate.administer("DELETE", "/v1/users/3", &Value::Null).status, 204);
    let made = json_of(&isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "hr", "may": ["provisioning"] }),
    ));
    let bearer = format!("Bearer {}", made["key"].as_str().expect("a key"));
    let send = |lines: &str| {
        json_of(
            &isolate.send(&Request::new("POST", "/v1/import").authorization(&bearer).body(lines)),
        )
    };
    let kind = "SYS_Reader";
    let errors = send(
        &(user_line(2, "x", kind) + &user_line(77, "alice", kind) + &user_line(78, "bob", kind)),
    )["errors"]
        .clone();
    assert_eq!(errors.as_array().map(Vec::len), Some(3), "{errors}");
    for error in errors.as_array().into_iter().flatten() {
        assert_eq!(error["field"], "record", "{errors}");
    }
    let grant = grant_line_with_id(2, 9_007_199_254_740_991);
    assert_eq!(send(&grant), json!({ "imported": 1 }));
    assert_eq!(world.database.number("SELECT id FROM grants"), 1);
}

/// No id would be left for the next record, so nothing could be created ever again.
#[test]
fn the_greatest_id_is_refused_where_postern_chooses_the_next_one() {
    let world = World::new();
    let isolate = world.isolate();
    let greatest = i64::MAX;
    let least = (1_i64 << 53) - 1;
    let line = |id: i64| {
        [
            ("id", grant_line_with_id(1, id)),
            (
                "id",
                json!({
                    "record": "nodeOrder", "id": id, "spec": "s", "count": 1, "name": "n",
                    "creatorId": 1,
                })
                .to_string(),
            ),
            (
                "id",
                json!({
                    "record": "key", "id": id, "name": "k", "may": ["decisions"], "createdBy": 1,
                    "createdAt": 1,
                })
                .to_string(),
            ),
            ("id", format!(r#"{{"record":"lastId","table":"machine_keys","id":{id}}}"#)),
            ("last", format!(r#"{{"record":"chosenId","kind":"user","last":{id}}}"#)),
        ]
    };
    for (field, line) in line(greatest) {
        let (status, body) = import(&isolate, "ndjson", &line);
        assert_eq!((status, &body["errors"][0]["field"]), (400, &json!(field)), "{line} {body}");
    }
    for (_, line) in line(least) {
        assert_eq!(import(&isolate, "ndjson", &line).0, 200, "{line}");
    }
    let grant = json!({ "authObjectType": "USER", "authObjectId": 9, "permissions": [] });
    for (path, body) in [
        ("/v1/services/1/grants", grant),
        ("/v1/users", json!({ "username": "next" })),
        ("/v1/keys", json!({ "name": "next", "may": ["decisions"] })),
    ] {
        let response = isolate.administer("POST", path, &body);
        assert_eq!(response.status, 201, "{}", response.body);
    }
}

/// A lookup would not find a digest that is stored in upper case.
#[test]
fn a_digest_is_taken_in_lower_case_only() {
    let world = World::new();
    let isolate = world.isolate();
    for kind in [
        r#""record":"revocation","kind":"token","until":1000000000000,"app":"ERP""#,
        r#""record":"pastKeySecret""#,
    ] {
        for (digit, status) in [("a", 200), ("A", 400)] {
            assert_eq!(
                import(
                    &isolate,
                    "ndjson",
                    &format!("{{{kind},\"digest\":\"{}\"}}", digit.repeat(64))
                )
                .0,
                status,
                "{kind} {digit}"
            );
        }
    }
}

#[test]
fn lines_that_contradict_each_other_are_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let grant = |user: i64| grant_line_with_id(user, 7);
    let tombstone = "{\"record\":\"tombstone\",\"username\":\"alice\",\"id\":4}\n";
    for (lines, field, why) in [
        (grant(1) + &grant(2), "record", "is about the same as line 1: leave out one of them"),
        (
            user_line(5, "alice", "SYS_Reader") + tombstone,
            "username",
            "is that of the user of line 1: leave out one of them",
        ),
        (
            user_line(4, "alice", "SYS_Reader") + tombstone,
            "username",
            "is that of the user of line 1: leave out one of them",
        ),
    ] {
        let (status, body) = import(&isolate, "ndjson", &lines);
        assert_eq!(
            (status, &body["errors"]),
            (400, &json!([{ "line": 2, "field": field, "why": why }])),
            "{body}"
        );
    }
}

#[test]
fn a_user_who_was_made_anew_and_an_app_without_its_secret_are_restored_again_and_again() {
    let world = World::new();
    let isolate = world.isolate();
    let alice = json!({ "id": 2, "username": "alice" });
    assert_eq!(isolate.administer("POST", "/v1/users", &alice).status, 201);
    assert_eq!(isolate.administer("DELETE", "/v1/users/2", &Value::Null).status, 204);
    assert_eq!(isolate.administer("POST", "/v1/users", &alice).status, 201);
    isolate.register(&json!({}));
    world.database.execute("UPDATE token_apps SET secret = '', secret_key_id = ''");
    let lines = export_sealed(&isolate, "ndjson");
    let other = World::new();
    other.now.set(world.now.get());
    let empty = other.isolate();
    for to in [&isolate, &empty, &empty] {
        assert_eq!(import(to, "ndjson", &lines).0, 200);
        assert_eq!(export_sealed(to, "ndjson"), lines);
    }
    // The id stays reserved.
    assert_eq!(import(&empty, "ndjson", &user_line(2, "bob", "SYS_Reader")).0, 400);
}

#[test]
fn ids_of_grants_stay_and_none_is_given_again_after_a_restore() {
    let world = World::new();
    let isolate = world.isolate();
    fill(&isolate);
    let list = |isolate: &Isolate<'_>| json_of(&isolate.get("/api/v1/services/42/auth", &admin()));
    let newest = world.database.number("SELECT MAX(id) FROM grants");
    assert_eq!(
        isolate
            .administer("DELETE", &format!("/api/v1/services/auth/{newest}"), &Value::Null)
            .status,
        200
    );
    let other = World::new();
    let empty = other.isolate();
    assert_eq!(import(&empty, "ndjson", &export(&isolate, "ndjson")).0, 200);
    assert_eq!(list(&empty), list(&isolate));
    let body = json!({ "authObjectType": "USER", "authObjectId": 77, "permissions": [] });
    assert_eq!(empty.administer("POST", "/api/v1/services/42/auth", &body).status, 200);
    assert_eq!(other.database.number("SELECT MAX(id) FROM grants"), newest + 1);
}

#[test]
fn a_request_whose_records_grow_inside_is_split_and_not_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let mut lines = "record,serviceId,authObjectType,authObjectId,permissions\n".to_owned();
    let mut records = 0;
    while lines.len() < 1_048_000 {
        records += 1;
        lines.push_str(&format!("grant,1,USER,{records},VIEW\n"));
    }
    assert_eq!(import(&isolate, "csv", &lines), (200, json!({ "imported": records })));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM grants"), records);
}

fn import(isolate: &Isolate<'_>, format: &str, body: &str) -> (u16, Value) {
    let request = Request::new("POST", &format!("/v1/import?format={format}"))
        .authorization(&admin())
        .body(body);
    let response = isolate.send(&request);
    assert!(response.status < 500, "{} {:?}", response.body, isolate.world.log.0.borrow());
    (response.status, json_of(&response))
}

fn export(isolate: &Isolate<'_>, format: &str) -> String {
    let response = isolate.get(&format!("/v1/export?format={format}"), &admin());
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

fn fill(isolate: &Isolate<'_>) {
    let services = [
        json!({ "id": 9_007_199_254_740_993_i64, "name": "Orders, \"new\"" }),
        json!({ "id": -5, "name": "Stock", "authEnabled": false }),
    ];
    for service in services {
        assert_eq!(isolate.administer("POST", "/v1/services", &service).status, 201);
    }
    isolate.administer(
        "PUT",
        "/v1/services/-5/apis/7",
        &json!({ "name": "List", "authEnabled": false }),
    );
    isolate.administer("POST", "/v1/departments", &json!({ "id": 1, "name": "Üben" }));
    isolate.administer(
        "POST",
        "/v1/departments",
        &json!({ "id": 2, "name": "Sales", "parentId": 1 }),
    );
    isolate.administer("POST", "/v1/groups", &json!({ "id": 1, "name": "Testers" }));
    isolate.administer("PUT", "/v1/departments/2/members/9007199254740993", &Value::Null);
    isolate.administer("PUT", "/v1/groups/1/members/5", &Value::Null);
    for (kind, id) in [("USER", 9_007_199_254_740_993_i64), ("DEPT", 1), ("GROUP", 1)] {
        let body =
            json!({ "authObjectType": kind, "authObjectId": id, "permissions": ["TEST", "GRANT"] });
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
            let rest = isolate.get(&format!("/v1/export?format={format}&after={after}"), &admin());
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
    let line = |id: i64| grant_line(id % 7, "USER", id, &[]);
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
    let total = isolate.get("/v1/export", &admin());
    assert_eq!(
        total.header("x-postern-total"),
        Some("6013"),
        "with the seven services, the administrator, the last id and the four chosen ones"
    );
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_written() {
    let world = World::new();
    let isolate = world.isolate();
    let good = r#"{"record":"group","id":1}"#;
    let bad = grant_line(1, "USER", 1, &["FLY"]);
    let (status, body) = import(&isolate, "ndjson", &format!("{good}\n{bad}"));
    assert_eq!(
        (status, &body["errors"][0]["line"], &body["errors"][0]["field"]),
        (400, &json!(2), &json!("permissions")),
        "{body}"
    );
    assert_eq!(world.database.number("SELECT COUNT(*) FROM units"), 0);
    let cycle = "{\"record\":\"department\",\"id\":1,\"parentId\":2}\n\
        {\"record\":\"department\",\"id\":2,\"parentId\":1}";
    assert_eq!(import(&isolate, "ndjson", cycle).0, 409);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM units"), 0);
    assert_eq!(import(&isolate, "csv", "record,id,wings\ngroup,1,2").0, 400);
    let (status, body) = import(&isolate, "csv", "record,id,name\ngroup,1,a\ngroup,2,\"b");
    assert_eq!((status, &body["errors"][0]["line"]), (400, &json!(3)), "{body}");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM units"), 0);
    let lines = "record,id,name\rgroup,1,a\rgroup,2,b\r";
    assert_eq!(import(&isolate, "csv", lines), (200, json!({ "imported": 2 })));
    assert_eq!(import(&isolate, "xml", "").0, 400);
}

#[test]
fn a_strict_directory_takes_only_what_is_registered_or_comes_along() {
    let world = World::new();
    let strict = world.isolate_with(&[("DIRECTORY", Some("strict"))]);
    let grant = grant_line(1, "GROUP", 1, &[]);
    let (status, body) = import(&strict, "ndjson", &grant);
    let fields: Vec<_> = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| error["field"].as_str().unwrap_or_default())
        .collect();
    assert_eq!((status, fields), (400, vec!["serviceId", "authObjectId"]), "{body}");
    let whole =
        format!("{{\"record\":\"service\",\"id\":1}}\n{{\"record\":\"group\",\"id\":1}}\n{grant}");
    assert_eq!(import(&strict, "ndjson", &whole).0, 200);
}

#[test]
fn an_import_is_in_force_at_once_here_and_within_ten_seconds_elsewhere() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    let user =
        json_of(&here.administer("POST", "/v1/users", &json!({ "username": "alice" })))["id"]
            .to_string();
    let allowed = |isolate: &Isolate<'_>| {
        let response =
            isolate.get(&format!("/v1/check?service=1&permission=TEST&user={user}"), &admin());
        json_of(&response)["allowed"] == json!(true)
    };
    assert!(!allowed(&here) && !allowed(&there));
    let user = user.parse().expect("an id");
    let line = grant_line(1, "USER", user, &["TEST"]);
    assert_eq!(import(&here, "ndjson", &line).0, 200);
    assert!(allowed(&here));
    world.pass(11);
    assert!(allowed(&there));
}

#[test]
fn an_app_that_waits_for_its_secret_verifies_nothing_is_told_by_health_and_works_with_a_new_one() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    here.register(&json!({}));
    let token = world.isolate().token("alice");
    assert_eq!(here.verify(&token).0, 200);
    let other = World::new();
    other.now.set(world.now.get());
    let restored = other.isolate();
    let lines = export(&here, "ndjson");
    let (_, body) = import(&restored, "ndjson", &lines);
    assert_eq!(body["withoutSecret"].as_array().map(Vec::len), Some(1), "{body}");
    // Without the secret, nobody can say whether the token is valid, so the answer is no 401.
    for path in ["/v1/verify", "/v1/verify?app=ERP"] {
        let response = restored.get(path, &format!("Bearer {token}"));
        assert_eq!(response.status, 503, "{path}: {}", response.body);
        assert!(response.body.contains("has no secret"), "{path}: {}", response.body);
    }
    let explained = restored.administer("POST", "/v1/explain", &json!({ "token": token })).body;
    assert!(
        explained.contains("an import brought it without")
            && explained.contains("give the app its secret"),
        "{explained}"
    );
    let keys = restored.get("/v1/token-apps/ERP/keys", &admin()).body;
    assert!(keys.contains("an import brought it without"), "{keys}");
    let health = restored.get("/health", &admin());
    let body = json_of(&health);
    assert_eq!(
        (health.status, &body["status"], &body["causes"][0]["kind"]),
        (200, &json!("degraded"), &json!("secret_missing")),
        "{body}"
    );
    restored.register(&json!({}));
    other.pass(11);
    assert_eq!((restored.verify(&token).0, other.isolate().verify(&token).0), (200, 200));
    drop(there);
}
/// On the first Postern the boss is user 2 and has DELETE. On the second one, a clerk signs in
/// first.
#[test]
fn whoever_signs_in_first_after_a_restore_or_before_it_gets_no_right_of_another() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert_eq!(isolate.verify(&isolate.token("boss")), (200, "boss".to_owned()));
    let body = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["DELETE"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/1/auth", &body).status, 200);
    let may_delete = |isolate: &Isolate<'_>, name: &str| {
        let response = isolate.get(
            "/v1/check?service=1&permission=DELETE",
            &format!("Bearer {}", isolate.token(name)),
        );
        json_of(&response)["allowed"] == true
    };
    assert!(may_delete(&isolate, "boss"));
    let everything = export(&isolate, "ndjson");
    let grants: Vec<_> = everything.lines().filter(|line| line.contains("\"grant\"")).collect();
    let grants = grants.join("\n");
    assert_eq!(grants.lines().count(), 1, "{everything}");
    for (lines, boss_may) in [(everything.as_str(), true), (grants.as_str(), false)] {
        let other = World::new();
        let empty = other.isolate();
        assert_eq!(import(&empty, "ndjson", lines).0, 200);
        empty.register(&json!({}));
        assert_eq!(
            (may_delete(&empty, "clerk"), may_delete(&empty, "boss")),
            (false, boss_may),
            "{lines}"
        );
        assert_eq!(other.database.number("SELECT id FROM users WHERE username = 'clerk'"), 3);
    }
    let other = World::new();
    let used = other.isolate();
    used.register(&json!({}));
    assert_eq!(used.verify(&used.token("clerk")), (200, "clerk".to_owned()));
    let (status, body) = import(&used, "ndjson", &everything);
    assert_eq!(
        (status, &body["errors"][0]["why"]),
        (400, &json!("is that of user \"clerk\" here")),
        "{body}"
    );
    assert!(!may_delete(&used, "clerk"));
}

/// Tokens that are older than the deletion are refused, so a later user of the name could not sign
/// in.
#[test]
fn a_deletion_in_the_future_is_refused() {
    let world = World::new();
    let isolate = world.isolate();
    for record in [
        json!({
            "record": "freedName", "username": "boss", "deletedAt": 9_000_000_000_000_000_i64,
        }),
        json!({
            "record": "tombstone", "username": "boss", "id": 9,
            "deletedAt": 9_000_000_000_000_000_i64,
        }),
    ] {
        let response = isolate.administer("POST", "/v1/import", &record);
        assert_eq!(response.status, 400, "{}", response.body);
        assert!(
            response.body.contains("deletedAt")
                && response.body.contains("must not be in the future"),
            "{}",
            response.body
        );
    }
}
