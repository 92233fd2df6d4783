use serde_json::{Value, json};

use super::{is_active, made_key, revoke, signed_in, user, with_isolate};
use crate::revocations::token_with;
use crate::support::{Isolate, admin, json_of};

fn refusals(isolate: &Isolate<'_>) -> Vec<(Value, Value)> {
    let events = json_of(&isolate.get("/v1/audit?action=token.revoke_refused", &admin()));
    let items = events["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| (item["actor"].clone(), item["target"].clone())).collect()
}

#[test]
fn everybody_revokes_their_own_and_nobody_that_of_others() {
    with_isolate(|_, isolate| {
        isolate.register(&json!({}));
        let (alice, bob) =
            (user(isolate, "alice", "SYS_Reader"), user(isolate, "bob", "SYS_Creator"));
        let of_bob = format!(
            "Bearer {}",
            made_key(isolate, &bob, &json!({ "name": "own", "may": ["administration"] }))
        );
        let asking = format!(
            "Bearer {}",
            made_key(isolate, &admin(), &json!({ "name": "asker", "may": ["decisions"] }))
        );
        let (opaque, token) =
            (signed_in(isolate, "alice"), token_with(isolate, &json!({ "jti": "1" })));
        let key = made_key(isolate, &alice, &json!({ "name": "hers", "may": ["decisions"] }));
        assert_eq!(isolate.verify(&token).0, 200);
        for other in [&bob, &of_bob, &asking] {
            for shown in [&opaque, &token, &key] {
                revoke(isolate, other, shown);
                assert_eq!(
                    isolate.get("/v1/verify", &format!("Bearer {shown}")).status,
                    200,
                    "{other}"
                );
            }
        }
        let told = refusals(isolate);
        assert_eq!(told.len(), 9, "{told:?}");
        assert!(
            told.contains(&(json!("bob"), json!("alice")))
                && told.contains(&(json!("bob"), json!("hers"))),
            "{told:?}"
        );
        for shown in [&opaque, &token, &key] {
            revoke(isolate, &alice, shown);
            assert_eq!(isolate.verify(shown), (401, "revoked".to_owned()));
            revoke(isolate, &alice, shown);
        }
        assert_eq!(refusals(isolate).len(), 9, "what is over is nobody's");
    });
}

#[test]
fn an_administrator_and_a_key_that_administers_revoke_all() {
    with_isolate(|_, isolate| {
        isolate.register(&json!({}));
        let alice = user(isolate, "alice", "SYS_Reader");
        let key = format!(
            "Bearer {}",
            made_key(isolate, &admin(), &json!({ "name": "all", "may": ["administration"] }))
        );
        for by in [admin(), key] {
            let (opaque, token) =
                (signed_in(isolate, "alice"), token_with(isolate, &json!({ "by": by })));
            let hers = made_key(isolate, &alice, &json!({ "name": "hers", "may": ["decisions"] }));
            assert!(is_active(isolate, &admin(), &opaque) && is_active(isolate, &admin(), &token));
            for shown in [&opaque, &token, &hers] {
                revoke(isolate, &by, shown);
                assert_eq!(isolate.verify(shown), (401, "revoked".to_owned()));
            }
        }
        assert!(refusals(isolate).is_empty());
    });
}

/// A disabled user may be enabled again, and then their key would be valid again.
#[test]
fn a_key_is_revoked_whether_its_user_is_disabled_or_not() {
    with_isolate(|_, isolate| {
        let alice = user(isolate, "alice", "SYS_Reader");
        let key = made_key(isolate, &alice, &json!({ "name": "hers", "may": ["decisions"] }));
        isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
        revoke(isolate, &admin(), &key);
        isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": true }));
        assert_eq!(isolate.verify(&key), (401, "revoked".to_owned()));
    });
}

#[test]
fn a_key_revokes_itself() {
    with_isolate(|_, isolate| {
        let key = made_key(isolate, &admin(), &json!({ "name": "asker", "may": ["decisions"] }));
        revoke(isolate, &format!("Bearer {key}"), &key);
        assert_eq!(isolate.verify(&key), (401, "revoked".to_owned()));
    });
}

#[test]
fn a_revocation_counts_in_another_isolate_within_the_bound_and_costs_nothing_there() {
    with_isolate(|world, isolate| {
        isolate.register(&json!({}));
        let there = world.isolate();
        let token = token_with(isolate, &json!({}));
        assert_eq!((isolate.verify(&token).0, there.verify(&token).0), (200, 200));
        revoke(isolate, &admin(), &token);
        world.pass(11);
        assert_eq!(there.verify(&token), (401, "revoked".to_owned()));
        let before = (world.database.batches.get(), world.kv.calls.get());
        for _ in 0..10 {
            assert_eq!(there.verify(&token), (401, "revoked".to_owned()));
        }
        assert_eq!((world.database.batches.get(), world.kv.calls.get()), before);
    });
}

#[test]
fn what_cannot_be_written_is_not_said_to_be_done() {
    with_isolate(|world, isolate| {
        isolate.register(&json!({}));
        let token = token_with(isolate, &json!({}));
        let bearer = format!("Bearer {token}");
        assert!(is_active(isolate, &bearer, &token));
        world.database.answers.set(false);
        let response = super::post(isolate, "/v1/revoke", &bearer, &format!("token={token}"));
        assert_eq!(response.status, 503);
        assert!(response.header("retry-after").is_some());
        world.database.answers.set(true);
    });
}
