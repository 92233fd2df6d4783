//! The scheduled event: it prunes, rotates the master key and writes the snapshot.

use postern::actions::housekeeping;
use serde_json::json;

use crate::support::{ADMIN_PASSWORD, Request, World, block_on};

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
    let counts = || {
        ["sessions", "failed_sign_ins", "changes"]
            .map(|table| world.database.number(&format!("SELECT COUNT(*) FROM {table}")))
    };
    // The migration's own entry of the feed is older than an hour, so the first event removes it.
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
    assert!(
        world.database.number("SELECT COUNT(*) FROM audit_events") > 0,
        "the audit trail stays"
    );
}

#[test]
fn a_master_key_is_rotated_without_a_pause() {
    let world = World::new();
    let old = world.isolate();
    for number in 0..3 {
        old.register(&json!({ "name": format!("App {number}") }));
    }
    let between =
        world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", Some(OLD))]);
    assert_eq!(between.verify(&between.token("alice")).0, 200, "under the old key still");
    block_on(housekeeping::run(&between.cx())).expect("the scheduled event");
    assert_eq!(world.database.number("SELECT COUNT(DISTINCT secret_key_id) FROM token_apps"), 1);
    let after = world.isolate_with(&[("MASTER_KEY", Some(NEW))]);
    assert_eq!(after.verify(&after.token("alice")).0, 200, "under the new key alone");
    assert_eq!(old.verify(&old.token("alice")).0, 200, "an isolate that remembers goes on");
    assert_eq!(
        world.isolate().verify(&old.token("alice")).0,
        503,
        "the old key alone opens nothing"
    );
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
