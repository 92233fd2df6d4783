//! What operators learn when something is wrong: `/health`, and answers that name the cause.

use postern::actions::housekeeping;
use postern::api::dialects::DIALECTS;
use postern::store::health::{NEWEST_COLUMN, NEWEST_OBJECT};
use serde_json::{Value, json};

use crate::support::{Database, Isolate, Request, World, admin, block_on, json_of};

const OLD: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";
const NEW: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";

fn health(isolate: &Isolate<'_>, authorization: &str) -> (u16, Value) {
    let response = isolate.get("/health", authorization);
    let mut body = json_of(&response);
    body.as_object_mut().expect("an object").remove("version");
    (response.status, body)
}

/// What `/health` says to a caller with this credential. Time passes first, because answers are
/// cached for seconds.
fn causes(isolate: &Isolate<'_>, authorization: &str) -> (u16, Value, Value) {
    isolate.world.pass(4);
    let (code, body) = health(isolate, authorization);
    (code, body["status"].clone(), body["causes"].clone())
}

#[test]
fn a_database_without_tables_is_told_in_every_dialect() {
    let world = World::on(Database::unmigrated());
    let isolate = world.isolate();
    for dialect in DIALECTS {
        let route = dialect.routes().find(|route| {
            route.operation != "health"
                && !matches!(route.access, postern::api::http::route::Access::Public)
        });
        let Some(route) = route else { continue };
        let path = crate::routes::filled(route.paths[0]);
        let response =
            isolate.send(&Request::new(route.method, &path).authorization(&admin()).body("{}"));
        assert_eq!(response.status, 503, "{path}: {}", response.body);
        assert!(
            response.body.contains("the database has no tables yet, or is older than this Worker"),
            "{path}: {}",
            response.body
        );
    }
    assert_eq!(
        causes(&isolate, ""),
        (503, json!("down"), json!([{ "kind": "schema_outdated", "count": 1 }]))
    );
}

#[test]
fn a_schema_that_lacks_the_newest_migration_is_degraded() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert_eq!(causes(&isolate, ""), (200, json!("ok"), Value::Null));
    let files = std::fs::read_dir("migrations")
        .expect("migrations")
        .map(|entry| entry.expect("entry").path());
    let newest = std::fs::read_to_string(files.max().expect("a migration")).expect("SQL");
    let (done, undone) = match NEWEST_COLUMN {
        Some(column) => (
            vec![format!("ALTER TABLE {NEWEST_OBJECT} ADD COLUMN {column} ")],
            vec![format!("ALTER TABLE {NEWEST_OBJECT} DROP COLUMN {column}")],
        ),
        None => ["INDEX", "TRIGGER", "TABLE"]
            .map(|kind| {
                (format!("CREATE {kind} {NEWEST_OBJECT} "), format!("DROP {kind} {NEWEST_OBJECT}"))
            })
            .into_iter()
            .unzip(),
    };
    let undone = done.iter().zip(undone).find(|(done, _)| newest.contains(done.as_str()));
    let (_, undone) = undone.unwrap_or_else(|| {
        panic!(
            "NEWEST_OBJECT and NEWEST_COLUMN in src/store/health.rs must name what the newest \
             migration adds: it has none of {done:?}"
        )
    });
    world.database.execute(&undone);
    assert_eq!(
        causes(&isolate, ""),
        (200, json!("degraded"), json!([{ "kind": "schema_outdated", "count": 1 }]))
    );
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 200, "verification works");
    world.database.execute("DROP TABLE revocations");
    world.pass(11);
    assert_eq!(isolate.verify(&isolate.token("alice")).0, 503, "nobody knows what is revoked");
    assert_eq!(
        causes(&isolate, ""),
        (503, json!("down"), json!([{ "kind": "schema_outdated", "count": 1 }]))
    );
}

#[test]
fn a_wrong_master_key_is_told_and_only_administrators_hear_names() {
    let world = World::new();
    let old = world.isolate();
    old.register(&json!({}));
    old.register(&json!({ "name": "CRM" }));
    let wrong = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    assert_eq!(
        causes(&wrong, ""),
        (503, json!("down"), json!([{ "kind": "secret_unopened", "count": 2 }]))
    );
    let named = json!([
        {
            "kind": "secret_unopened", "count": 2,
            "names": ["secret of token app CRM", "secret of token app ERP"],
        },
    ]);
    assert_eq!(causes(&wrong, &admin()).2, named);
    wrong.register(&json!({ "name": "CRM" }));
    assert_eq!(
        causes(&wrong, ""),
        (200, json!("degraded"), json!([{ "kind": "secret_unopened", "count": 1 }])),
        "one opens"
    );
    let reader = json!({ "username": "rita", "password": "password of rita" });
    assert_eq!(wrong.administer("POST", "/v1/users", &reader).status, 201);
    assert_eq!(
        causes(&wrong, &crate::support::basic("rita", "password of rita")).2,
        json!([{ "kind": "secret_unopened", "count": 1 }])
    );
    assert_eq!(
        causes(&wrong, &crate::support::basic("admin", "wrong")).2,
        json!([{ "kind": "secret_unopened", "count": 1 }])
    );
}

/// A fixed defect: the event looked at the same hundred values that no key opens, again and again.
#[test]
fn values_that_no_key_opens_hide_none_that_the_previous_one_does() {
    let world = World::new();
    let old = world.isolate();
    old.register(&json!({ "name": "Z" }));
    let damaged = "INSERT INTO token_apps SELECT 'App ' || n, token_name, 'v1.x', KEY, expire_s, \
        claim_username, claim_name, claim_email, algorithm, 0, creates_users, initial_roles, \
        initial_password, creator_id, created_at, modified_at, policy FROM token_apps, \
        (WITH RECURSIVE c (n) AS (SELECT FIRST UNION ALL SELECT n + 1 FROM c \
        WHERE n < FIRST + 149) SELECT n FROM c) WHERE name = 'Z'";
    world.database.execute(&damaged.replace("KEY", "'00000000'").replace("FIRST", "1000"));
    world.database.execute(&damaged.replace("KEY", "secret_key_id").replace("FIRST", "2000"));
    let between =
        world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", Some(OLD))]);
    assert_eq!(causes(&between, "").2, json!([{ "kind": "secret_unopened", "count": 150 }]));
    assert_eq!(health(&between, "").1["toReencrypt"], json!(151));
    block_on(housekeeping::run(&between.cx())).expect("the scheduled event");
    let after = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    assert_eq!(after.verify(&after.token("alice")).0, 200, "under the new key alone");
    let event =
        json_of(&between.get("/v1/audit?action=master_key.reseal", &admin()))["items"][0]["after"]
            .clone();
    assert_eq!(
        (&event["reencrypted"], &event["left"], &event["unopened"]),
        (&json!(1), &json!(150), &json!(150)),
        "{event}"
    );
    assert_eq!(event["names"].as_array().map(Vec::len), Some(20));
}

#[test]
fn a_copy_that_is_not_renewed_is_told() {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(
        causes(&isolate, ""),
        (200, json!("ok"), Value::Null),
        "before the first scheduled event"
    );
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.pass(20 * 60 - 5);
    assert_eq!(causes(&isolate, ""), (200, json!("ok"), Value::Null));
    world.pass(10);
    assert_eq!(
        causes(&isolate, ""),
        (200, json!("degraded"), json!([{ "kind": "copy_not_renewed", "count": 1 }]))
    );
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(causes(&isolate, ""), (200, json!("ok"), Value::Null));
    world
        .kv
        .values
        .borrow_mut()
        .insert("trust/renewed/v2".to_owned(), "v1.another.AAAA".to_owned());
    world.pass(5);
    assert_eq!(causes(&isolate, "").1, json!("degraded"), "no key opens the note");
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.pass(5);
    assert_eq!(causes(&isolate, "").1, json!("ok"));
}

#[test]
fn an_issuer_that_does_not_answer_is_told() {
    let world = World::new();
    let isolate = world.isolate();
    let url = "https://idp.example/keys";
    isolate.register(&json!({ "algorithm": "RS256", "secret": url }));
    let token = crate::support::forge(
        r#"{"alg":"RS256"}"#,
        &Value::Object(isolate.claims("alice")).to_string(),
        b"x",
    );
    assert_eq!(isolate.verify(&token).0, 503);
    assert_eq!(
        causes(&isolate, ""),
        (200, json!("degraded"), json!([{ "kind": "issuer_unreachable", "count": 1 }]))
    );
    assert_eq!(causes(&isolate, &admin()).2[0]["names"], json!([url]));
}

#[test]
fn old_events_are_deleted_a_thousand_at_a_time() {
    let world = World::new();
    let isolate = world.isolate_with(&[("AUDIT_RETENTION_DAYS", Some("2"))]);
    isolate.register(&json!({}));
    let day = 24 * 60 * 60;
    let insert = "INSERT INTO audit_events (at, actor, action, target, request_id)
        WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1500)
        SELECT 1, 'x', 'y', 'z', '' FROM c";
    world.database.execute(insert);
    let count =
        |of: &str| world.database.number(&format!("SELECT COUNT(*) FROM audit_events WHERE {of}"));
    let run = || block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    run();
    assert_eq!(count("actor = 'x'"), 500);
    run();
    assert_eq!((count("actor = 'x'"), count("action = 'token_app.create'")), (0, 1));
    world.pass(2 * day + 1);
    run();
    assert_eq!(count("1"), 0);
}

#[test]
fn a_short_initial_password_is_taken_with_a_warning() {
    let world = World::new();
    let isolate = world.isolate();
    let register = |password: &str| {
        let body = json!({
            "name": "ERP", "secret": "a secret of more than 32 bytes, for once", "expire": 60,
            "algorithm": "HS256", "enable": "1", "inituser": "1",
            "fieldmap": { "username": "u", "name": "n", "email": "e" }, "initroles": [],
            "initpwd": password,
        });
        let path = "/plugin/datafor-modeler/api/token/update";
        json_of(&isolate.administer("POST", path, &body))["warnings"].clone()
    };
    let warning = "the initial password has fewer than 12 characters, and every new user has it";
    assert_eq!(register("elevenchars"), json!([warning]));
    assert_eq!(register("twelve chars"), Value::Null);
}
