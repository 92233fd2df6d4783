//! The copy in KV of what verification needs, and how the scheduled event renews it.

use postern::actions::housekeeping;
use postern::ports::Statement;
use postern::store::snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Isolate, World, block_on, json_of};

const OLD: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";
const NEW: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";

const RECORD: &str = "trust/snapshot/v2";
const CHANGES: &str = "trust/changes/v2";
const NOTE: &str = "trust/renewed/v2";

/// Runs the scheduled event. Returns the number of batches, and whether the record was written.
fn published(isolate: &Isolate<'_>) -> (u32, bool) {
    let (batches, is_written, _) = renewed(isolate);
    (batches, is_written)
}

/// Like `published`, and whether changes were written.
fn renewed(isolate: &Isolate<'_>) -> (u32, bool, bool) {
    let world = isolate.world;
    let value = |key: &str| world.kv.values.borrow().get(key).cloned();
    let (batches, record, changes) = (world.database.batches.get(), value(RECORD), value(CHANGES));
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    (world.database.batches.get() - batches, value(RECORD) != record, value(CHANGES) != changes)
}

/// An isolate with an app, the user alice, and the copy of both.
fn with_copy(world: &World) -> Isolate<'_> {
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate.verify(&isolate.token("alice"));
    assert!(published(&isolate).1);
    isolate
}

/// The status that a new isolate answers to a token of alice while D1 does not answer.
fn without_d1(world: &World) -> u16 {
    world.database.answers.set(false);
    let isolate = world.isolate();
    let answer = isolate.verify(&isolate.token("alice")).0;
    world.database.answers.set(true);
    answer
}

fn id_of(world: &World, username: &str) -> i64 {
    world.database.number(&format!("SELECT id FROM users WHERE username = '{username}'"))
}

fn set_enabled(isolate: &Isolate<'_>, id: i64, enabled: bool) {
    isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": enabled }));
}

#[test]
fn the_snapshot_is_sealed_and_renewed_without_reading_what_did_not_change() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert!(published(&isolate).1);
    let (record, note) =
        (world.kv.values.borrow()[RECORD].clone(), world.kv.values.borrow()[NOTE].clone());
    // Names are searched with their quotes, because a short name may occur in the sealed text by
    // chance.
    assert!(
        !record.contains("\"ERP\"") && !record.contains("\"admin\"") && !note.contains("revision"),
        "sealed"
    );
    world.pass(300);
    let (unchanged, is_written) = published(&isolate);
    assert!(!is_written, "only the note is");
    assert_ne!(world.kv.values.borrow()[NOTE], note, "its time is new");
    isolate.register(&json!({}));
    assert_eq!(
        renewed(&isolate),
        (unchanged + 1, false, true),
        "what changed is read, and written beside the record"
    );
    world.pass(12 * 60 * 60 - 301);
    assert!(!published(&isolate).1, "not yet");
    world.pass(1);
    assert!(published(&isolate).1, "before KV forgets it");
}

#[test]
fn the_record_serves_for_as_long_as_its_note_says_that_it_holds() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate.verify(&isolate.token("alice"));
    published(&isolate);
    let first_note = world.kv.values.borrow()[NOTE].clone();
    for _ in 0..5 {
        world.pass(300);
        assert!(!published(&isolate).1);
    }
    world.database.answers.set(false);
    let answers = || world.isolate().verify(&isolate.token("alice")).0;
    world.pass(900);
    assert_eq!(answers(), 200, "40 minutes after it was written");
    world.pass(1);
    assert_eq!(answers(), 503, "older than STALE_IF_ERROR_S");
    world.pass(-901);
    let last_note =
        world.kv.values.borrow_mut().insert(NOTE.to_owned(), first_note).expect("a note");
    assert_eq!(answers(), 503, "an old note does not make it young");
    world.kv.values.borrow_mut().insert(NOTE.to_owned(), format!("{last_note}x"));
    assert_eq!(answers(), 503, "nor does one that is not ours");
    world.kv.values.borrow_mut().remove(NOTE);
    assert_eq!(answers(), 503, "and without one its own time counts");
    world.kv.values.borrow_mut().insert(NOTE.to_owned(), last_note);
    assert_eq!(answers(), 200);
}

/// KV may return an old record. Meanwhile a user was disabled, and the note describes the record
/// that has this change.
#[test]
fn a_note_renews_only_its_own_record() {
    let world = World::new();
    let isolate = with_copy(&world);
    let old = world.kv.values.borrow()[RECORD].clone();
    world.pass(1000);
    set_enabled(&isolate, id_of(&world, "alice"), false);
    // Without the note, the whole record is written again.
    world.kv.values.borrow_mut().remove(NOTE);
    assert!(published(&isolate).1);
    assert_eq!(without_d1(&world), 403, "disabled");
    world.kv.values.borrow_mut().insert(RECORD.to_owned(), old);
    assert_eq!(without_d1(&world), 503, "the old record is older than STALE_IF_ERROR_S");
}

#[test]
fn a_record_that_kv_lost_or_that_another_release_wrote_is_written_anew() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    published(&isolate);
    let others = world.kv.values.borrow()[RECORD].clone();
    world.kv.values.borrow_mut().remove(RECORD);
    assert!(published(&isolate).1, "lost");
    world.kv.values.borrow_mut().insert(RECORD.to_owned(), others);
    assert!(published(&isolate).1, "another one");
    assert!(!published(&isolate).1);
}

#[test]
fn the_record_is_taken_anew_from_a_database_that_was_set_back() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    published(&isolate);
    assert!(!published(&isolate).1);
    let other =
        "UPDATE changes SET at = at + 1 WHERE revision = (SELECT MAX(revision) FROM changes)";
    block_on(isolate.cx().sql.batch(vec![Statement::new(other, [])])).expect("another history");
    assert!(published(&isolate).1);
}

#[test]
fn the_record_is_taken_anew_while_a_master_key_is_replaced() {
    let world = World::new();
    world.isolate().register(&json!({}));
    published(&world.isolate());
    let between =
        world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", Some(OLD))]);
    assert!(
        published(&between).1 && published(&between).1,
        "each time, since secrets are encrypted anew without a change of the feed"
    );
    let after = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    assert!(!published(&after).1);
    let token = after.token("alice");
    after.verify(&token);
    published(&after);
    world.database.answers.set(false);
    assert_eq!(
        world.isolate_with(&[("MASTER_KEY", Some(NEW))]).verify(&token).0,
        200,
        "under the new key alone"
    );
}

#[test]
fn the_record_of_another_version_is_taken_anew() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    published(&isolate);
    let cx = isolate.cx();
    let keys = &cx.config.master_keys;
    let note = keys.open(&world.kv.values.borrow()[NOTE], NOTE).expect("ours");
    let mut note: serde_json::Value = serde_json::from_slice(note.expose()).expect("JSON");
    note["version"] = json!("0.0.9");
    let sealed = keys.seal(note.to_string().as_bytes(), NOTE, [7; 12]).expect("sealed");
    world.kv.values.borrow_mut().insert(NOTE.to_owned(), sealed);
    assert!(published(&isolate).1);
    assert!(!published(&isolate).1);
}

#[test]
fn what_changed_is_copied_beside_the_record() {
    let world = World::new();
    let isolate = with_copy(&world);
    let id = id_of(&world, "alice");
    world.pass(300);
    set_enabled(&isolate, id, false);
    assert_eq!(renewed(&isolate), (renewed(&world.isolate()).0 + 1, false, true));
    assert_eq!(without_d1(&world), 403, "disabled");
    world.pass(300);
    set_enabled(&isolate, id, true);
    assert!(renewed(&isolate).2);
    assert_eq!(without_d1(&world), 200);
    world.pass(300);
    isolate.administer("DELETE", &format!("/v1/users/{id}"), &Value::Null);
    assert!(renewed(&isolate).2);
    assert_eq!(without_d1(&world), 503, "nobody can tell who that is");
}

#[test]
fn a_change_of_what_the_copy_does_not_hold_is_noted_alone() {
    let world = World::new();
    let isolate = with_copy(&world);
    world.pass(800);
    isolate.administer("POST", "/v1/services", &json!({ "name": "reports" }));
    let (_, record, changes) = renewed(&isolate);
    assert!(!record && !changes);
    world.pass(800);
    assert_eq!(without_d1(&world), 200, "it holds since the event has looked");
}

/// KV may return old changes, or lose them. The age of the record is then measured from its own
/// time, and the age of old changes from theirs.
#[test]
fn a_note_renews_only_its_own_changes() {
    let world = World::new();
    let isolate = with_copy(&world);
    let id = id_of(&world, "alice");
    world.pass(400);
    isolate.register(&json!({}));
    assert!(renewed(&isolate).2);
    let old = world.kv.values.borrow()[CHANGES].clone();
    world.pass(400);
    set_enabled(&isolate, id, false);
    assert!(renewed(&isolate).2);
    world.pass(500);
    assert!(!renewed(&isolate).2);
    assert_eq!(without_d1(&world), 403, "disabled");
    let new = world.kv.values.borrow_mut().insert(CHANGES.to_owned(), old).expect("changes");
    assert_eq!(without_d1(&world), 200, "900 s old");
    world.pass(1);
    assert_eq!(without_d1(&world), 503, "901 s old");
    world.kv.values.borrow_mut().remove(CHANGES);
    world.pass(-400);
    assert_eq!(without_d1(&world), 503, "the record alone is 901 s old");
    world.kv.values.borrow_mut().insert(CHANGES.to_owned(), format!("{new}x"));
    assert_eq!(without_d1(&world), 503, "so are changes that no key opens");
    world.pass(400);
    world.kv.values.borrow_mut().insert(CHANGES.to_owned(), new);
    assert_eq!(without_d1(&world), 403, "of the event before the last");
}

/// A new record contains all changes, so the changes of the record before it must not be applied to
/// it.
#[test]
fn changes_are_applied_to_their_own_record_only() {
    let world = World::new();
    let isolate = with_copy(&world);
    let id = id_of(&world, "alice");
    world.pass(300);
    set_enabled(&isolate, id, false);
    assert!(renewed(&isolate).2);
    world.pass(300);
    set_enabled(&isolate, id, true);
    world.kv.values.borrow_mut().remove(NOTE);
    assert_eq!(renewed(&isolate), (renewed(&world.isolate()).0, true, false));
    assert_eq!(without_d1(&world), 200);
}

#[test]
fn changes_that_kv_lost_or_too_many_of_them_are_a_record_written_anew() {
    let world = World::new();
    let isolate = with_copy(&world);
    let create = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            isolate.administer(
                "POST",
                "/v1/users",
                &json!({ "username": format!("user {number}") }),
            );
        }
    };
    create(0..1);
    assert!(renewed(&isolate).2);
    world.kv.values.borrow_mut().remove(CHANGES);
    create(1..2);
    assert!(renewed(&isolate).1, "lost");
    create(2..502);
    let (_, record, changes) = renewed(&isolate);
    assert!(!record && changes, "500 changes are read at once");
    create(502..1002);
    let (_, record, changes) = renewed(&isolate);
    assert!(!record && changes, "1,000 changed users are kept beside the record");
    create(1002..1003);
    assert!(renewed(&isolate).1, "no more");
    create(1003..1504);
    assert!(renewed(&isolate).1, "501 changes are not read at once");
}

/// The record and its changes, merged as a reader merges them: apps, users and revocations in
/// order.
fn copied(isolate: &Isolate<'_>) -> Vec<Vec<String>> {
    let cx = isolate.cx();
    let (record, changes) =
        block_on(async { (snapshot::get(&cx).await, snapshot::changes(&cx).await) });
    let record = record.expect("KV answers").expect("a record").with(changes.expect("KV answers"));
    let texts = |rows: Vec<serde_json::Map<String, Value>>| {
        rows.into_iter().map(|row| Value::Object(row).to_string())
    };
    let sorted = |rows| {
        let mut texts: Vec<_> = texts(rows).collect();
        texts.sort();
        texts
    };
    vec![sorted(record.apps), sorted(record.users), sorted(record.revocations)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever changes between two scheduled events, the record with its changes equals a record
    /// that is written anew.
    #[test]
    fn the_record_with_its_changes_equals_a_new_record(
        steps in proptest::collection::vec((0..10_u8, 0..4_u8), 1..40),
    ) {
        let world = World::new();
        let isolate = with_copy(&world);
        let send = |method: &str, path: &str, body: &Value| isolate.administer(method, path, body);
        let department = json_of(&send("POST", "/v1/departments", &json!({ "name": "d" })));
        let department = department["id"].clone();
        for (step, which) in steps {
            world.pass(1);
            let name = format!("user {which}");
            let id = || world.database.number(&format!(
                "SELECT COALESCE((SELECT id FROM users WHERE username = '{name}'), 0)"
            ));
            match step {
                0 | 1 => drop(send("POST", "/v1/users", &json!({ "username": name }))),
                2 => drop(send("DELETE", &format!("/v1/users/{}", id()), &Value::Null)),
                3 => set_enabled(&isolate, id(), which % 2 == 0),
                4 => drop(isolate.verify(&isolate.token(&name))),
                5 => isolate.register(&json!({
                    "name": format!("App {which}"), "enable": if id() > 0 { "1" } else { "0" },
                })),
                6 => drop(send("DELETE", &format!("/v1/token-apps/App%20{which}"), &Value::Null)),
                7 => {
                    let token = json!({ "token": isolate.token(&name) });
                    drop(isolate.administer("POST", "/v1/revocations", &token));
                }
                8 => {
                    let path = format!("/v1/departments/{department}/members/{}", id());
                    drop(send("PUT", &path, &Value::Null));
                }
                _ => drop(renewed(&isolate)),
            }
        }
        renewed(&isolate);
        let parts = copied(&isolate);
        world.kv.values.borrow_mut().clear();
        renewed(&isolate);
        prop_assert_eq!(parts, copied(&isolate));
    }
}

/// Users of a deleted app belong to no app, so another app with its name does not speak for them.
#[test]
fn users_of_a_deleted_app_are_not_copied_as_those_of_another_one_of_its_name() {
    let world = World::new();
    let isolate = with_copy(&world);
    world.pass(300);
    let deletion = isolate.administer("DELETE", "/v1/token-apps/ERP", &Value::Null);
    assert_eq!(deletion.status, 204, "{}", deletion.body);
    isolate.register(&json!({ "speaks_for": "own" }));
    renewed(&isolate);
    let live = world.isolate();
    assert_eq!(live.verify(&live.token("alice")), (403, "user_refused".to_owned()));
    assert_eq!(without_d1(&world), 403);
}

/// The isolate knows another app of this name. Only the copy has the user, from before that app.
#[test]
fn a_user_of_the_copy_is_not_judged_with_another_app_of_the_same_name() {
    let world = World::new();
    let isolate = with_copy(&world);
    world.pass(60);
    assert_eq!(isolate.administer("DELETE", "/v1/token-apps/ERP", &Value::Null).status, 204);
    isolate.register(&json!({ "speaks_for": "own" }));
    let other = world.isolate();
    assert_eq!(other.verify(&other.token("bob")).0, 200, "it knows the new app, and not alice");
    world.pass(60);
    world.database.answers.set(false);
    assert_eq!(other.verify(&other.token("alice")).0, 503);
    assert_eq!(other.verify(&other.token("bob")).0, 200);
}

/// A newer copy says that no user has this name any more.
#[test]
fn who_is_not_in_a_newer_copy_of_all_users_is_not_taken_from_memory() {
    let world = World::new();
    let isolate = with_copy(&world);
    let warm = world.isolate();
    assert_eq!(warm.verify(&warm.token("alice")).0, 200);
    world.pass(60);
    let id = id_of(&world, "alice");
    assert_eq!(isolate.administer("DELETE", &format!("/v1/users/{id}"), &Value::Null).status, 204);
    assert!(renewed(&isolate).2);
    world.database.answers.set(false);
    assert_eq!(warm.verify(&warm.token("alice")).0, 503);
}

/// A copy that was cut at its bound lacks some users. What it says about the others still applies.
#[test]
fn who_is_gone_or_renamed_in_a_newer_copy_that_is_full_is_not_taken_from_memory() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let fill = format!(
        "WITH RECURSIVE c (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM c WHERE n < {})
         INSERT INTO users (id, username, type, created_at, modified_at) \
         SELECT n, 'user ' || n, 'SYS_Reader', 0, 0 FROM c",
        1000 + postern::memory::snapshot::MAX_USERS
    );
    world.database.execute(&fill);
    for name in ["alice", "bob", "carol"] {
        assert_eq!(isolate.verify(&isolate.token(name)).0, 200);
    }
    world.pass(1);
    published(&isolate);
    let warm = world.isolate();
    for name in ["alice", "bob", "carol", "user 1000"] {
        assert_eq!(warm.verify(&warm.token(name)).0, 200, "{name}");
    }
    world.pass(60);
    assert_eq!(
        isolate
            .administer("DELETE", &format!("/v1/users/{}", id_of(&world, "alice")), &Value::Null)
            .status,
        204
    );
    let bob = id_of(&world, "bob");
    world.database.execute(&format!("UPDATE users SET username = 'robert' WHERE id = {bob}"));
    assert_eq!(
        isolate
            .administer("PATCH", &format!("/v1/users/{bob}"), &json!({ "name": "Robert" }))
            .status,
        200
    );
    assert!(renewed(&isolate).2, "beside the record");
    world.database.answers.set(false);
    assert_eq!(warm.verify(&warm.token("alice")).0, 503, "she is gone");
    assert_eq!(warm.verify(&warm.token("bob")).0, 503, "he has another name");
    assert_eq!(warm.verify(&warm.token("carol")).0, 200);
    assert_eq!(
        warm.verify(&warm.token("user 1000")).0,
        200,
        "who is not in the copy is judged by memory"
    );
}
