//! Tokens whose signature was verified before: which work is saved, and that all other checks are
//! repeated.

use std::rc::Rc;

use postern::actions::find_signer::find_signer;
use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt::{UnverifiedToken, sign};
use postern::domain::tokens::public_key::KeyId;
use postern::domain::tokens::signed_tokens::{KEPT_BYTES, KEPT_TOKENS, SignedTokens};
use postern::domain::tokens::token_app::{Selection, TokenApp};
use postern::memory::known::Known;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, World, block_on};

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
    let now = || {
        (
            world.signatures.verifications.get(),
            world.database.batches.get(),
            world.issuers.asked.get(),
        )
    };
    let before = now();
    deed();
    let after = now();
    (after.0 - before.0, after.1 - before.1, after.2 - before.2)
}

fn accepted(isolate: &Isolate<'_>, token: &str) {
    assert_eq!(isolate.verify(token), (200, "alice".to_owned()));
}

/// A token is cached when it is seen for the second time.
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
    let [first, second] = [
        token(&isolate, &ours),
        ours.token(Algorithm::EdDsa, &json!({ "x": 2 }), &Value::Object(isolate.claims("alice"))),
    ];
    accepted(&isolate, &first);
    assert_eq!(cost(&world, || accepted(&isolate, &first)), (1, 0, 0), "many tokens are seen once");
    assert_eq!(cost(&world, || (0..10).for_each(|_| accepted(&isolate, &first))), (0, 0, 0));
    assert_eq!(
        cost(&world, || accepted(&isolate, &second)),
        (1, 0, 0),
        "another token is another signature"
    );
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
    assert_eq!(
        cost(&world, || (0..3).for_each(|_| refused(&isolate, &forged, "bad_signature"))),
        (3, 0, 0)
    );
    // The claims of a cached token with another signature, and the other way round.
    let (text, signature) = good.rsplit_once('.').expect("dots");
    let (other_text, other_signature) = forged.rsplit_once('.').expect("dots");
    refused(&isolate, &format!("{text}.{other_signature}"), "bad_signature");
    let stranger = issuer().token(
        Algorithm::EdDsa,
        &json!({}),
        &json!({ "loginname": "admin", "exp": 4_000_000_000_i64 }),
    );
    refused(
        &isolate,
        &format!("{}.{signature}", stranger.rsplit_once('.').expect("dots").0),
        "bad_signature",
    );
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
    // A cached token does not outlast a shorter lifetime that its app gets.
    let now = world.now.get().seconds();
    let issued = ours.token(
        Algorithm::EdDsa,
        &json!({}),
        &json!({ "loginname": "alice", "iat": now - 200, "exp": now + 600 }),
    );
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
    dies(&json!({ "secret": ours.pem(), "enable": "0" }), "no_app");
    dies(&json!({ "secret": new.pem() }), "bad_signature");
    dies(
        &json!({
            "secret": ours.jwk(&json!({})).to_string(),
            "fieldmap": { "username": "sub", "name": "n", "email": "e" },
        }),
        "claim_missing",
    );
    dies(&json!({ "secret": "abcd", "algorithm": "HS256" }), "wrong_algorithm");
    register(&isolate, &json!({ "secret": ours.pem() }));
    remembered(&isolate, &token);
    isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
    assert_eq!(isolate.verify(&token).0, 403);
    isolate.administer(
        "POST",
        "/plugin/datafor-modeler/api/token/delete",
        &json!({ "name": "ERP" }),
    );
    refused(&isolate, &token, "no_app");
}

#[test]
fn a_remembered_token_is_its_apps_and_no_others() {
    let [a, b] = [(); 2].map(|()| issuer());
    is_its_apps_and_no_others("EdDSA", &a.pem(), &b.pem(), |isolate| token(isolate, &b));
    is_its_apps_and_no_others("HS256", "another", "abcd", |isolate| isolate.token("alice"));
}

fn is_its_apps_and_no_others(
    algorithm: &str,
    a: &str,
    b: &str,
    of_b: impl Fn(&Isolate<'_>) -> String,
) {
    let world = World::new();
    let isolate = world.isolate();
    let register = |name: &str, secret: &str| {
        isolate.register(&json!({ "name": name, "secret": secret, "algorithm": algorithm }));
    };
    register("A", a);
    register("B", b);
    let token = of_b(&isolate);
    remembered(&isolate, &token);
    let of = |app: &str| {
        isolate.get(&format!("/v1/verify?app={app}"), &format!("Bearer {token}")).status
    };
    assert_eq!((of("A"), of("B")), (401, 200));
    // If two apps have the same key, the first in order of name takes the token, cached or not.
    register("A", b);
    let app = |isolate: &Isolate<'_>| {
        crate::support::json_of(&isolate.get("/v1/verify", &format!("Bearer {token}")))["app"]
            .clone()
    };
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

/// The same holds for shared secrets, of which the cache has no copy.
#[test]
fn a_remembered_token_is_dead_once_its_shared_secret_is() {
    let world = World::new();
    let isolate = world.isolate();
    let token = isolate.token("alice");
    let lives = |secret: &str| {
        isolate.register(&json!({ "secret": secret }));
        remembered(&isolate, &token);
        assert!(
            isolate.memory.signed_tokens.read(&token).expect("a token").verified_before().is_some()
        );
    };
    let dies = |change: &Value, reason: &str| {
        lives("abcd");
        isolate.register(change);
        refused(&isolate, &token, reason);
    };
    dies(&json!({ "secret": "abce" }), "bad_signature");
    dies(&json!({ "secret": "abcd", "enable": "0" }), "no_app");
    dies(&json!({ "secret": "abcd", "algorithm": "HS512" }), "wrong_algorithm");
    dies(
        &json!({ "secret": "abcd", "fieldmap": { "username": "sub", "name": "n", "email": "e" } }),
        "claim_missing",
    );
    lives("abcd");
    world.pass(600 + 60);
    refused(&isolate, &token, "expired");
}

/// An app with the same secret and another algorithm never takes the token, also if the call names
/// it.
#[test]
fn a_remembered_token_is_of_its_own_algorithm() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    remembered(&isolate, &token);
    let selection =
        Selection { algorithm: Algorithm::Hs256, token_name: None, app: None, issuer: None };
    let [right] =
        isolate.memory.candidates(&selection).expect("known").try_into().expect("one app");
    let mut wrong = TokenApp::clone(&right);
    wrong.terms.algorithm = Algorithm::Hs512;
    let read = isolate.memory.signed_tokens.read(&token).expect("a token");
    let is_found = |app| {
        let (cx, candidates) = (isolate.cx(), [app]);
        block_on(async {
            let mut known = Known::current(&cx, Vec::new, None).await.expect("memory");
            find_signer(&cx, &mut known, &read, &candidates).await.is_ok()
        })
    };
    assert_eq!((is_found(right), is_found(Rc::new(wrong))), (true, false));
}

/// Tokens that share the end of a cached token, by which the cache finds it, are not taken for it.
#[test]
fn every_character_of_a_remembered_token_counts() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    remembered(&isolate, &token);
    for index in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[index] = if other[index] == b'A' { b'B' } else { b'A' };
        assert_eq!(
            isolate.verify(&String::from_utf8(other).expect("a text")).0,
            401,
            "character {index}"
        );
    }
    for longer in [
        format!("A{token}"),
        format!("{token}A"),
        format!(".{token}"),
        token.replace('.', ".A"),
        token.replacen('.', "..", 1),
    ] {
        assert_eq!(isolate.verify(&longer).0, 401, "{longer}");
    }
    accepted(&isolate, &token);
}

const KEY: KeyId = [1; 32];

/// A token with `number` as a claim, padded to a length.
fn numbered(number: usize, length: usize) -> String {
    let claims =
        json!({ "n": number, "x": "x".repeat(length) }).as_object().cloned().unwrap_or_default();
    sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a shared secret")
}

fn note(tokens: &SignedTokens, text: &str, key: KeyId) {
    let read = UnverifiedToken::parse(text).expect("a token");
    tokens.note(&read.verify(Algorithm::Hs256, &Secret::new("abcd")).expect("a signature"), key);
}

fn signer(tokens: &SignedTokens, text: &str) -> Option<KeyId> {
    tokens.read(text).expect("a token").verified_before().map(|(key, _)| key)
}

#[test]
fn the_number_of_remembered_tokens_is_bounded() {
    let tokens = SignedTokens::default();
    let text = |number| numbered(number, 0);
    for number in 0..=KEPT_TOKENS {
        note(&tokens, &text(number), KEY);
        assert_eq!(signer(&tokens, &text(number)), None, "seen once");
        note(&tokens, &text(number), KEY);
    }
    assert_eq!(
        [0, 1, KEPT_TOKENS].map(|number| signer(&tokens, &text(number))),
        [None, Some(KEY), Some(KEY)]
    );
}

#[test]
fn the_bytes_of_remembered_tokens_are_bounded() {
    let tokens = SignedTokens::default();
    let text = |number| numbered(number, 5_000);
    let too_many = KEPT_BYTES / 5_000 + 1;
    for number in 0..too_many {
        for _ in 0..2 {
            note(&tokens, &text(number), KEY);
        }
    }
    let known = (0..too_many).filter(|number| signer(&tokens, &text(*number)).is_some()).count();
    assert_eq!(signer(&tokens, &text(0)), None);
    let kept = known * (5_000 + text(0).len());
    assert!(
        kept <= KEPT_BYTES && kept * 10 > KEPT_BYTES * 9,
        "{known} of {too_many}: the claims and the text of each"
    );
    assert!(
        (too_many - known..too_many).all(|number| signer(&tokens, &text(number)).is_some()),
        "the last"
    );
}

#[test]
fn a_token_that_is_noted_again_is_counted_once() {
    let tokens = SignedTokens::default();
    let (small, large) = (numbered(0, 0), numbered(0, 5_000));
    for text in
        [&small, &small].into_iter().chain(std::iter::repeat_n(&large, KEPT_BYTES / 5_000 + 1))
    {
        note(&tokens, text, KEY);
    }
    assert_eq!((signer(&tokens, &small), signer(&tokens, &large)), (Some(KEY), Some(KEY)));
}

/// Orders in which the same tokens come again and again: the same order each time, reversed every
/// second time, and shuffled each time.
#[test]
fn in_whatever_order_as_many_tokens_come_all_are_remembered_from_their_third_time_on() {
    let texts: Vec<_> = (0..KEPT_TOKENS).map(|number| numbered(number, 0)).collect();
    for order in 0..3_usize {
        let tokens = SignedTokens::default();
        let mut numbers: Vec<_> = (0..KEPT_TOKENS).collect();
        for round in 0..4_usize {
            let missed =
                numbers.iter().filter(|number| signer(&tokens, &texts[**number]).is_none()).count();
            for number in &numbers {
                if signer(&tokens, &texts[*number]).is_none() {
                    note(&tokens, &texts[*number], KEY);
                }
            }
            assert_eq!(
                missed,
                if round < 2 { KEPT_TOKENS } else { 0 },
                "round {round} of order {order}"
            );
            match order {
                0 => {}
                1 => numbers.reverse(),
                _ => numbers
                    .sort_by_key(|number| number.wrapping_mul(2_654_435_761 + 2 * round) % 10_007),
            }
        }
    }
}

#[test]
fn tokens_that_come_once_push_no_other_out() {
    let tokens = SignedTokens::default();
    for number in [0, 0].into_iter().chain(1..50_000) {
        note(&tokens, &numbered(number, 0), KEY);
    }
    assert_eq!(signer(&tokens, &numbered(0, 0)), Some(KEY));
}

#[test]
fn the_whole_token_decides_and_not_where_it_was_found() {
    let tokens = SignedTokens::default();
    let (text, other) = (numbered(1, 0), numbered(2, 0));
    for _ in 0..2 {
        note(&tokens, &text, KEY);
    }
    assert_eq!(signer(&tokens, &text), Some(KEY));
    let (_, signature) = text.rsplit_once('.').expect("dots");
    let (signed, _) = other.rsplit_once('.').expect("dots");
    assert_eq!(signer(&tokens, &format!("{signed}.{signature}")), None);
    // From now on, the cache names another key as the signer.
    note(&tokens, &text, [2; 32]);
    assert_eq!(signer(&tokens, &text), Some([2; 32]));
}
