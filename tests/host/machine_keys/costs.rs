//! What a request with a key costs, and what an isolate remembers of it.

use postern::domain::identity::machine_key;
use serde_json::{Value, json};

use super::{bearer, key, make, reason, send};
use crate::support::{Isolate, World, admin, json_of};

fn verify(isolate: &Isolate<'_>, authorization: &str) -> (u16, String) {
    reason(&isolate.get("/v1/verify", authorization))
}

fn unknown(byte: u8) -> String {
    format!("Bearer {}", machine_key::generate([byte; 32]).expose())
}

#[test]
fn a_mistyped_key_costs_nothing_and_an_unknown_one_one_reading() {
    let world = World::new();
    let isolate = world.isolate();
    let good = key(&isolate, "decisions");
    assert_eq!(verify(&isolate, &good).0, 200);
    world.run_tasks();
    let before = world.database.batches.get();
    let mut mistyped = good.clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    for wrong in ["Bearer pst_", "Bearer pst_short", &good[..good.len() - 1], &mistyped] {
        assert_eq!(verify(&isolate, wrong), (401, "bad_key".to_owned()), "{wrong}");
    }
    assert_eq!(world.database.batches.get(), before, "no reading for a wrong checksum");
    assert_eq!(verify(&isolate, &unknown(7)), (401, "revoked".to_owned()));
    assert_eq!(world.database.batches.get(), before + 1);
    for _ in 0..3 {
        assert_eq!(verify(&isolate, &unknown(7)), (401, "revoked".to_owned()));
    }
    assert_eq!(world.database.batches.get(), before + 1, "the miss is remembered");
}

#[test]
fn guesses_push_no_key_out_of_memory() {
    let world = World::new();
    let isolate = world.isolate();
    let good = key(&isolate, "decisions");
    assert_eq!(verify(&isolate, &good).0, 200);
    world.run_tasks();
    for number in 0..2_000_u16 {
        let [high, low] = number.to_be_bytes();
        let mut random = [3; 32];
        random[..2].copy_from_slice(&[high, low]);
        let guess = format!("Bearer {}", machine_key::generate(random).expose());
        assert_eq!(verify(&isolate, &guess).0, 401);
    }
    let before = world.database.batches.get();
    assert_eq!(verify(&isolate, &good).0, 200);
    assert_eq!(world.database.batches.get(), before);
}

#[test]
fn a_warm_key_costs_no_reading_and_its_day_is_written_once_behind_the_answer() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    let good = key(&isolate, "decisions");
    let last_used_on = || json_of(&isolate.get("/v1/keys/1", &admin()))["lastUsedOn"].clone();
    assert_eq!(last_used_on(), Value::Null);
    assert_eq!(verify(&isolate, &good).0, 200);
    assert_eq!(last_used_on(), Value::Null, "the answer did not wait for it");
    world.run_tasks();
    assert_eq!(last_used_on(), json!("2027-01-15"));
    let before = world.database.batches.get();
    for _ in 0..5 {
        assert_eq!(verify(&isolate, &good).0, 200);
        world.run_tasks();
    }
    assert_eq!(world.database.batches.get(), before, "warm, and written today already");
    assert_eq!(verify(&other, &good).0, 200);
    world.run_tasks();
    assert_eq!(
        world.database.batches.get(),
        before + 1,
        "another isolate reads what was written, and writes nothing"
    );
    world.pass(86_400);
    assert_eq!(verify(&isolate, &good).0, 200);
    world.run_tasks();
    assert_eq!(last_used_on(), json!("2027-01-16"));
}

#[test]
fn a_key_and_its_check_cost_one_reading_cold_and_none_warm() {
    let world = World::new();
    let isolate = world.isolate();
    let nobodys = key(&isolate, "decisions");
    let own = bearer(&make(
        &isolate,
        &admin(),
        &json!({ "name": "own", "may": ["decisions"], "userId": 1 }),
    ));
    for (authorization, query) in [(&nobodys, "&user=1"), (&own, "")] {
        let cold = world.isolate();
        let check =
            || cold.get(&format!("/v1/check?service=1&permission=VIEW{query}"), authorization);
        let before = world.database.batches.get();
        assert_eq!(check().status, 200);
        assert_eq!(world.database.batches.get(), before + 1, "cold{query}");
        world.run_tasks();
        let before = world.database.batches.get();
        assert_eq!(check().status, 200);
        assert_eq!(world.database.batches.get(), before, "warm{query}");
    }
}

#[test]
fn while_d1_does_not_answer_a_key_counts_where_it_is_remembered() {
    let world = World::new();
    let (warm, cold) = (world.isolate(), world.isolate());
    let good = key(&warm, "decisions");
    assert_eq!(verify(&warm, &good).0, 200);
    world.run_tasks();
    cold.administer("GET", "/v1/keys", &Value::Null);
    world.database.answers.set(false);
    world.pass(20);
    assert_eq!(verify(&warm, &good).0, 200);
    assert_eq!(verify(&cold, &good).0, 503);
    assert_eq!(
        verify(&warm, &unknown(9)).0,
        503,
        "whether there is such a key, only D1 could tell"
    );
    // The first use on a new day is not written while D1 is down, but afterwards.
    world.pass(86_400 - 30);
    world.database.answers.set(true);
    assert_eq!(verify(&warm, &good).0, 200);
    world.run_tasks();
    assert_eq!(json_of(&warm.get("/v1/keys/1", &admin()))["lastUsedOn"], json!("2027-01-16"));
}

#[test]
fn a_removed_key_is_over_at_once_here_and_within_ten_seconds_elsewhere() {
    let world = World::new();
    let (writer, reader) = (world.isolate(), world.isolate());
    let good = make(&writer, &admin(), &json!({ "name": "a", "may": ["decisions"] }));
    let rotated = json_of(&send(&writer, "POST", "/v1/keys/1/secret", &admin(), &Value::Null));
    let both = [bearer(&good), bearer(&rotated)];
    for isolate in [&writer, &reader] {
        for secret in &both {
            assert_eq!(verify(isolate, secret).0, 200, "both secrets count");
        }
    }
    world.run_tasks();
    let path = format!("/v1/keys/1/secret?prefix={}", good["prefix"].as_str().expect("a prefix"));
    assert_eq!(writer.administer("DELETE", &path, &Value::Null).status, 204);
    assert_eq!((verify(&writer, &both[0]).0, verify(&writer, &both[1]).0), (401, 200));
    world.pass(11);
    assert_eq!((verify(&reader, &both[0]).0, verify(&reader, &both[1]).0), (401, 200));
    assert_eq!(writer.administer("DELETE", &path, &Value::Null).status, 404);
    let last =
        format!("/v1/keys/1/secret?prefix={}", rotated["prefix"].as_str().expect("a prefix"));
    assert_eq!(
        writer.administer("DELETE", &last, &Value::Null).status,
        409,
        "the only secret stays"
    );
    assert_eq!(writer.administer("DELETE", "/v1/keys/1", &Value::Null).status, 204);
    assert_eq!(verify(&writer, &both[1]).0, 401);
    world.pass(11);
    assert_eq!(verify(&reader, &both[1]).0, 401);
    assert_eq!(world.database.number("SELECT COUNT(*) FROM machine_key_secrets"), 0);
}
