//! The scheduled event: pruning, rotating the master key, the snapshot.

use postern::actions::housekeeping;
use postern::ports::Statement;
use serde_json::json;

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, block_on};

const OLD: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";
const NEW: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";

#[test]
fn what_is_over_is_pruned_and_nothing_else() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let sign_in = |password: &str| {
        let body = json!({ "username": "admin", "password": password }).to_string();
        isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body)).status
    };
    assert_eq!((sign_in(ADMIN_PASSWORD), sign_in("wrong password")), (200, 401));
    let counts = || ["sessions", "failed_sign_ins", "changes"].map(|table| world.database.number(&format!("SELECT COUNT(*) FROM {table}")));
    // The entry of the migration is older than an hour.
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    let before = counts();
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(counts(), before, "nothing is over");
    world.pass(601);
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(counts(), [before[0], 0, before[2]], "failures are");
    world.pass(43_200);
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(counts(), [0, 0, 1], "sessions are, and the feed but for its newest entry");
    assert!(world.database.number("SELECT COUNT(*) FROM audit_events") > 0, "the audit trail stays");
}

#[test]
fn a_master_key_is_rotated_without_a_pause() {
    let world = World::new();
    let old = world.isolate();
    for number in 0..3 {
        old.register(&json!({ "name": format!("App {number}") }));
    }
    let between = world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", Some(OLD))]);
    assert_eq!(between.verify(&between.token("alice")).0, 200, "under the old key still");
    block_on(housekeeping::run(&between.cx())).expect("the scheduled event");
    assert_eq!(world.database.number("SELECT COUNT(DISTINCT secret_key_id) FROM token_apps"), 1);
    let after = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    assert_eq!(after.verify(&after.token("alice")).0, 200, "under the new key alone");
    assert_eq!(old.verify(&old.token("alice")).0, 200, "an isolate that remembers goes on");
    assert_eq!(world.isolate().verify(&old.token("alice")).0, 503, "the old key alone opens nothing");
}

#[test]
fn a_secret_under_an_unknown_key_is_left_alone_and_logged() {
    let world = World::new();
    let old = world.isolate();
    old.register(&json!({}));
    let stored = world.database.text("SELECT secret FROM token_apps");
    let without = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    block_on(housekeeping::run(&without.cx())).expect("the scheduled event");
    assert_eq!(world.database.text("SELECT secret FROM token_apps"), stored);
    assert!(world.log.0.borrow().iter().any(|line| line.contains("cannot be opened")));
}

const RECORD: &str = "trust/snapshot/v2";
const NOTE: &str = "trust/renewed/v2";

/// Runs the scheduled event, and answers how often it has asked D1, and whether it wrote the record.
fn published(isolate: &Isolate<'_>) -> (u32, bool) {
    let world = isolate.world;
    let record = || world.kv.values.borrow().get(RECORD).cloned();
    let (batches, before) = (world.database.batches.get(), record());
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    (world.database.batches.get() - batches, record() != before)
}

#[test]
fn the_snapshot_is_sealed_and_renewed_without_reading_what_did_not_change() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    assert!(published(&isolate).1);
    let (record, note) = (world.kv.values.borrow()[RECORD].clone(), world.kv.values.borrow()[NOTE].clone());
    // With their quotes, which sealed text cannot have: short names may be in it by chance.
    assert!(!record.contains("\"ERP\"") && !record.contains("\"admin\"") && !note.contains("revision"), "sealed");
    world.pass(300);
    let (unchanged, is_written) = published(&isolate);
    assert!(!is_written, "only the note is");
    assert_ne!(world.kv.values.borrow()[NOTE], note, "its time is new");
    isolate.register(&json!({}));
    let (batches, is_written) = published(&isolate);
    assert!(is_written && batches == unchanged + 1, "read anew after a change");
    world.pass(12 * 60 * 60 - 1);
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
    let last_note = world.kv.values.borrow_mut().insert(NOTE.to_owned(), first_note).expect("a note");
    assert_eq!(answers(), 503, "an old note does not make it young");
    world.kv.values.borrow_mut().insert(NOTE.to_owned(), format!("{last_note}x"));
    assert_eq!(answers(), 503, "nor does one that is not ours");
    world.kv.values.borrow_mut().remove(NOTE);
    assert_eq!(answers(), 503, "and without one its own time counts");
    world.kv.values.borrow_mut().insert(NOTE.to_owned(), last_note);
    assert_eq!(answers(), 200);
}

/// KV may bring an old record back. A user is disabled meanwhile, and the note is about the record that says so.
#[test]
fn a_note_makes_no_other_record_young() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    isolate.verify(&token);
    published(&isolate);
    let old = world.kv.values.borrow()[RECORD].clone();
    world.pass(1000);
    let id = world.database.number("SELECT id FROM users WHERE username = 'alice'");
    isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": false }));
    assert!(published(&isolate).1);
    world.database.answers.set(false);
    assert_eq!(world.isolate().verify(&token).0, 401, "disabled");
    world.kv.values.borrow_mut().insert(RECORD.to_owned(), old);
    assert_eq!(world.isolate().verify(&token).0, 503, "the old record is older than STALE_IF_ERROR_S");
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
    let other = "UPDATE changes SET at = at + 1 WHERE revision = (SELECT MAX(revision) FROM changes)";
    block_on(isolate.cx().sql.batch(vec![Statement::new(other, [])])).expect("another history");
    assert!(published(&isolate).1);
}

#[test]
fn the_record_is_taken_anew_while_a_master_key_is_replaced() {
    let world = World::new();
    world.isolate().register(&json!({}));
    published(&world.isolate());
    let between = world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", Some(OLD))]);
    assert!(published(&between).1 && published(&between).1, "each time, since secrets are encrypted anew without a change of the feed");
    let after = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    assert!(!published(&after).1);
    let token = after.token("alice");
    after.verify(&token);
    published(&after);
    world.database.answers.set(false);
    assert_eq!(world.isolate_with(&[("MASTER_KEY", Some(NEW))]).verify(&token).0, 200, "under the new key alone");
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
