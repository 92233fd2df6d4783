//! Tokens by public keys whose signature was checked before: what is saved, and that everything else is looked at again.

use postern::domain::algorithm::Algorithm;
use postern::domain::signed_tokens::SignedTokens;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, World};

const URL: &str = "https://issuer.test/jwks.json";

fn issuer() -> Issuer {
    Issuer::of(Algorithm::EdDsa)
}

fn register(isolate: &Isolate<'_>, change: &Value) {
    let mut body = json!({ "algorithm": "EdDSA" });
    for (name, value) in change.as_object().expect("an object") {
        body[name] = value.clone();
    }
    isolate.register(&body);
}

fn token(isolate: &Isolate<'_>, issuer: &Issuer) -> String {
    issuer.token(Algorithm::EdDsa, &json!({}), &Value::Object(isolate.claims("alice")))
}

/// How many signatures are verified, and how often D1 and issuers are asked.
fn cost(world: &World, deed: impl FnOnce()) -> (u32, u32, u32) {
    let now = || (world.signatures.verifications.get(), world.database.batches.get(), world.issuers.asked.get());
    let before = now();
    deed();
    let after = now();
    (after.0 - before.0, after.1 - before.1, after.2 - before.2)
}

fn accepted(isolate: &Isolate<'_>, token: &str) {
    assert_eq!(isolate.verify(token), (200, "alice".to_owned()));
}

/// A token is remembered from the second time on.
fn remembered(isolate: &Isolate<'_>, token: &str) {
    accepted(isolate, token);
    accepted(isolate, token);
}

fn refused(isolate: &Isolate<'_>, token: &str, reason: &str) {
    assert_eq!(isolate.verify(token), (401, reason.to_owned()));
}

#[test]
fn a_signature_is_verified_twice_an_isolate_and_not_again() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    register(&isolate, &json!({ "secret": ours.pem() }));
    let [first, second] =
        [token(&isolate, &ours), ours.token(Algorithm::EdDsa, &json!({ "x": 2 }), &Value::Object(isolate.claims("alice")))];
    accepted(&isolate, &first);
    assert_eq!(cost(&world, || accepted(&isolate, &first)), (1, 0, 0), "many tokens are seen once");
    assert_eq!(cost(&world, || (0..10).for_each(|_| accepted(&isolate, &first))), (0, 0, 0));
    assert_eq!(cost(&world, || accepted(&isolate, &second)), (1, 0, 0), "another token is another signature");
    let cold = world.isolate();
    assert_eq!(cost(&world, || accepted(&cold, &first)), (1, 1, 0));
}

#[test]
fn a_wrong_signature_is_not_remembered_in_either_way() {
    let world = World::new();
    let isolate = world.isolate();
    let [ours, theirs] = [(); 2].map(|()| issuer());
    register(&isolate, &json!({ "secret": ours.pem() }));
    let [good, forged] = [&ours, &theirs].map(|issuer| token(&isolate, issuer));
    remembered(&isolate, &good);
    assert_eq!(cost(&world, || (0..3).for_each(|_| refused(&isolate, &forged, "bad_signature"))), (3, 0, 0));
    // The claims of a known token with another signature, and the other way round.
    let (text, signature) = good.rsplit_once('.').expect("dots");
    let (other_text, other_signature) = forged.rsplit_once('.').expect("dots");
    refused(&isolate, &format!("{text}.{other_signature}"), "bad_signature");
    let stranger = issuer().token(Algorithm::EdDsa, &json!({}), &json!({ "loginname": "admin", "exp": 4_000_000_000_i64 }));
    refused(&isolate, &format!("{}.{signature}", stranger.rsplit_once('.').expect("dots").0), "bad_signature");
    assert_eq!(text, other_text);
}

#[test]
fn a_hit_never_extends_a_lifetime() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    register(&isolate, &json!({ "secret": ours.pem() }));
    let token = token(&isolate, &ours);
    remembered(&isolate, &token);
    world.pass(600 + 59);
    accepted(&isolate, &token);
    world.pass(1);
    refused(&isolate, &token, "expired");
    // Nor does it outlast a shorter lifetime that the app is given.
    let now = world.now.get().seconds();
    let issued = ours.token(Algorithm::EdDsa, &json!({}), &json!({ "loginname": "alice", "iat": now - 200, "exp": now + 600 }));
    remembered(&isolate, &issued);
    register(&isolate, &json!({ "secret": ours.pem(), "expire": 100 }));
    refused(&isolate, &issued, "expired");
}

#[test]
fn a_remembered_token_is_dead_once_its_app_or_its_user_is() {
    let world = World::new();
    let [isolate, other] = [(); 2].map(|()| world.isolate());
    let [ours, new] = [(); 2].map(|()| issuer());
    register(&isolate, &json!({ "secret": ours.pem() }));
    let token = token(&isolate, &ours);
    let dies = |change: &Value, reason: &str| {
        register(&isolate, &json!({ "secret": ours.pem() }));
        world.pass(11);
        for isolate in [&isolate, &other] {
            remembered(isolate, &token);
        }
        register(&isolate, change);
        refused(&isolate, &token, reason);
        world.pass(11);
        refused(&other, &token, reason);
    };
    dies(&json!({ "secret": ours.pem(), "enable": "0" }), "unknown_app");
    dies(&json!({ "secret": new.pem() }), "bad_signature");
    dies(
        &json!({ "secret": ours.jwk(&json!({})).to_string(), "fieldmap": { "username": "sub", "name": "n", "email": "e" } }),
        "no_username",
    );
    dies(&json!({ "secret": "abcd", "algorithm": "HS256" }), "unknown_app");
    register(&isolate, &json!({ "secret": ours.pem() }));
    remembered(&isolate, &token);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
    assert_eq!(isolate.verify(&token).0, 403);
    isolate.administer("POST", "/plugin/datafor-modeler/api/token/delete", &json!({ "name": "ERP" }));
    refused(&isolate, &token, "unknown_app");
}

#[test]
fn a_remembered_token_is_its_apps_and_no_others() {
    let world = World::new();
    let isolate = world.isolate();
    let [a, b] = [(); 2].map(|()| issuer());
    register(&isolate, &json!({ "name": "A", "secret": a.pem() }));
    register(&isolate, &json!({ "name": "B", "secret": b.pem() }));
    let token = token(&isolate, &b);
    remembered(&isolate, &token);
    let of = |app: &str| isolate.get(&format!("/v1/verify?app={app}"), &format!("Bearer {token}")).status;
    assert_eq!((of("A"), of("B")), (401, 200));
    // The same key, registered twice: the first in order of name is it, remembered or not.
    register(&isolate, &json!({ "name": "A", "secret": b.pem() }));
    let app = |isolate: &Isolate<'_>| crate::support::json_of(&isolate.get("/v1/verify", &format!("Bearer {token}")))["app"].clone();
    assert_eq!((app(&isolate), app(&world.isolate())), (json!("A"), json!("A")));
}

#[test]
fn a_withdrawn_key_of_a_published_set_takes_its_tokens_with_it() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    let publish = |issuers: &[&Issuer]| {
        let keys: Vec<_> = issuers.iter().map(|issuer| issuer.jwk(&json!({}))).collect();
        world.issuers.publish(URL, &json!({ "keys": keys }).to_string(), Some("max-age=60"));
    };
    publish(&[&old, &new]);
    register(&isolate, &json!({ "secret": URL }));
    let token = token(&isolate, &old);
    remembered(&isolate, &token);
    assert_eq!(cost(&world, || accepted(&isolate, &token)), (0, 0, 0));
    publish(&[&new]);
    world.pass(60);
    refused(&isolate, &token, "bad_signature");
    publish(&[&new, &old]);
    world.pass(60);
    accepted(&isolate, &token);
}

#[test]
fn so_many_tokens_are_remembered_and_no_more() {
    let tokens = SignedTokens::default();
    let digest = |number: u32| postern::domain::secret::sha256(&number.to_be_bytes());
    let note = |number| tokens.note(&digest(number), || digest(number), digest(1));
    let signer = |number| tokens.signer(&digest(number), || digest(number));
    for number in 0..10_001 {
        note(number);
        assert_eq!(signer(number), None, "seen once");
        note(number);
    }
    assert_eq!((signer(0), signer(1), signer(10_000)), (None, Some(digest(1)), Some(digest(1))));
}

#[test]
fn tokens_that_come_once_push_no_other_out() {
    let tokens = SignedTokens::default();
    let digest = |number: u32| postern::domain::secret::sha256(&number.to_be_bytes());
    for number in [0, 0].into_iter().chain(1..50_000) {
        tokens.note(&digest(number), || digest(number), digest(1));
    }
    assert_eq!(tokens.signer(&digest(0), || digest(0)), Some(digest(1)));
}

#[test]
fn the_whole_token_decides_and_not_where_it_was_found() {
    let tokens = SignedTokens::default();
    let (key, signature) = ([1; 32], [7; 64]);
    for _ in 0..2 {
        tokens.note(&signature, || [2; 32], key);
    }
    assert_eq!(tokens.signer(&signature, || [2; 32]), Some(key));
    assert_eq!(tokens.signer(&signature, || [3; 32]), None);
    // One that begins alike takes its place.
    tokens.note(&[7; 65], || [3; 32], key);
    assert_eq!((tokens.signer(&signature, || [3; 32]), tokens.signer(&signature, || [2; 32])), (Some(key), None));
}
