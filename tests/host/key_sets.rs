//! Token apps whose issuers publish their keys: when an issuer is asked, and what happens while it does not answer.

use postern::api::http::message::Response;
use postern::domain::tokens::algorithm::Algorithm;
use postern::memory::key_sets::MAX_SET_BYTES;
use postern::ports::LocalFuture;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, all_at_once, json_of};

const URL: &str = "https://issuer.test/jwks.json";

fn publish(world: &World, keys: &[(&Issuer, &str)], cache_control: Option<&str>) {
    let keys: Vec<_> = keys.iter().map(|(issuer, id)| issuer.jwk(&json!({ "kid": id, "use": "sig" }))).collect();
    world.issuers.publish(URL, &json!({ "keys": keys }).to_string(), cache_control);
}

fn register(isolate: &Isolate<'_>) {
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": URL }));
}

fn issuer() -> Issuer {
    Issuer::of(Algorithm::EdDsa)
}

/// A token of ten minutes from now, naming its key.
fn token(isolate: &Isolate<'_>, issuer: &Issuer, id: &str) -> String {
    issuer.token(Algorithm::EdDsa, &json!({ "kid": id }), &Value::Object(isolate.claims("alice")))
}

fn asked(world: &World, deed: impl FnOnce()) -> u32 {
    let before = world.issuers.asked.get();
    deed();
    world.issuers.asked.get() - before
}

fn accepted(isolate: &Isolate<'_>, issuer: &Issuer, id: &str) {
    assert_eq!(isolate.verify(&token(isolate, issuer, id)), (200, "alice".to_owned()), "{id}");
}

fn refused(isolate: &Isolate<'_>, issuer: &Issuer, id: &str) {
    assert_eq!(isolate.verify(&token(isolate, issuer, id)), (401, "bad_signature".to_owned()), "{id}");
}

#[test]
fn an_issuer_is_asked_once_for_as_long_as_it_says_within_limits() {
    for (cache_control, seconds) in [(Some("max-age=600"), 600), (Some("max-age=5"), 60), (Some("max-age=86400"), 3600), (None, 300)] {
        let world = World::new();
        let isolate = world.isolate();
        let ours = issuer();
        publish(&world, &[(&ours, "1")], cache_control);
        assert_eq!(asked(&world, || register(&isolate)), 0, "not at registration");
        // The user, at first sight.
        accepted(&isolate, &ours, "1");
        let cold = world.isolate();
        let before = world.database.batches.get();
        assert_eq!(asked(&world, || accepted(&cold, &ours, "1")), 1);
        assert_eq!(world.database.batches.get() - before, 1, "one round trip to D1 as ever");
        assert_eq!(asked(&world, || accepted(&cold, &ours, "1")), 0);
        world.pass(seconds - 1);
        assert_eq!(asked(&world, || accepted(&cold, &ours, "1")), 0, "{cache_control:?}");
        world.pass(1);
        assert_eq!(asked(&world, || accepted(&cold, &ours, "1")), 1, "{cache_control:?}");
    }
}

#[test]
fn a_key_that_is_withdrawn_is_dead_when_the_set_is_read_again() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    publish(&world, &[(&old, "1"), (&new, "2")], Some("max-age=60"));
    register(&isolate);
    accepted(&isolate, &old, "1");
    publish(&world, &[(&new, "2")], Some("max-age=60"));
    accepted(&isolate, &old, "1");
    world.pass(60);
    refused(&isolate, &old, "1");
    accepted(&isolate, &new, "2");
    world.issuers.publish(URL, r#"{"keys":[]}"#, None);
    world.pass(60);
    refused(&isolate, &new, "2");
}

#[test]
fn an_unknown_kid_asks_again_at_most_every_30_seconds() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    publish(&world, &[(&old, "1")], Some("max-age=3600"));
    register(&isolate);
    accepted(&isolate, &old, "1");
    publish(&world, &[(&old, "1"), (&new, "2")], Some("max-age=3600"));
    // Just read: whoever invents names of keys makes nobody ask.
    assert_eq!(asked(&world, || (0..10).for_each(|id| refused(&isolate, &new, &format!("x{id}")))), 0);
    world.pass(30);
    assert_eq!(asked(&world, || accepted(&isolate, &new, "2")), 1);
    assert_eq!(asked(&world, || (0..10).for_each(|id| refused(&isolate, &old, &format!("x{id}")))), 0);
    world.pass(29);
    assert_eq!(asked(&world, || refused(&isolate, &new, "3")), 0);
    world.pass(1);
    assert_eq!(asked(&world, || (0..10).for_each(|_| refused(&isolate, &new, "3"))), 1);
    // A name that the set has never does.
    world.pass(60);
    assert_eq!(asked(&world, || refused(&isolate, &new, "1")), 0);
    // Nor does the name of the app, which chooses the app.
    assert_eq!(asked(&world, || accepted(&isolate, &new, "ERP")), 0);
}

#[test]
fn the_last_good_set_serves_for_a_day_while_the_issuer_does_not_answer() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    publish(&world, &[(&ours, "1")], Some("max-age=600"));
    register(&isolate);
    accepted(&isolate, &ours, "1");
    world.issuers.answers.borrow_mut().clear();
    world.pass(600);
    assert_eq!(asked(&world, || (0..10).for_each(|_| accepted(&isolate, &ours, "1"))), 1, "then it is left alone");
    world.pass(30);
    assert_eq!(asked(&world, || accepted(&isolate, &ours, "1")), 1);
    assert!(world.log.0.borrow().iter().any(|line| line.contains("the keys of token app \"ERP\" cannot be fetched")));
    world.pass(24 * 60 * 60 - 631);
    accepted(&isolate, &ours, "1");
    world.pass(1);
    let response = isolate.get("/v1/verify", &format!("Bearer {}", token(&isolate, &ours, "1")));
    assert_eq!((response.status, &json_of(&response)["detail"]), (503, &json!("the token's issuer does not answer; try again")));
    publish(&world, &[(&ours, "1")], Some("max-age=600"));
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token(&isolate, &ours, "1")).0, 503)), 0);
    world.pass(5);
    assert_eq!(asked(&world, || accepted(&isolate, &ours, "1")), 1);
}

#[test]
fn what_is_no_set_counts_as_no_answer() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    publish(&world, &[(&ours, "1")], Some("max-age=60"));
    register(&isolate);
    accepted(&isolate, &ours, "1");
    let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(MAX_SET_BYTES));
    for body in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, &long] {
        world.issuers.publish(URL, body, None);
        world.pass(60);
        assert_eq!(asked(&world, || accepted(&isolate, &ours, "1")), 1, "{body:.40}");
        let cold = world.isolate();
        assert_eq!(cold.verify(&token(&cold, &ours, "1")).0, 503, "{body:.40}");
    }
}

#[test]
fn private_and_unusable_keys_of_a_set_are_skipped() {
    let world = World::new();
    let isolate = world.isolate();
    let [ours, private] = [(); 2].map(|()| issuer());
    let keys = json!({ "keys": [
        null, { "kty": "future" }, private.jwk(&json!({ "kid": "p", "d": "AQ" })), { "kty": "oct", "k": "AQ", "kid": "1" },
        ours.jwk(&json!({ "kid": "1", "x5c": ["not looked at"] })),
    ] });
    world.issuers.publish(URL, &keys.to_string(), None);
    register(&isolate);
    accepted(&isolate, &ours, "1");
    refused(&isolate, &private, "p");
}

#[test]
fn an_issuer_that_does_not_answer_does_not_stand_in_the_way_of_others() {
    let world = World::new();
    let isolate = world.isolate();
    let [ours, stranger] = [(); 2].map(|()| issuer());
    isolate.register(&json!({ "name": "A", "algorithm": "EdDSA", "secret": "https://down.test/" }));
    publish(&world, &[(&ours, "1")], None);
    register(&isolate);
    accepted(&isolate, &ours, "1");
    assert_eq!(isolate.verify(&token(&isolate, &stranger, "1")).0, 503, "the silent one may have signed it");
    assert_eq!(isolate.get("/v1/verify?app=ERP", &format!("Bearer {}", token(&isolate, &stranger, "1"))).status, 401);
}

#[test]
fn one_token_makes_at_most_eight_issuers_be_asked() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    for number in 0..10 {
        let url = format!("https://issuer.test/{number}");
        let keys = if number == 9 { vec![ours.jwk(&json!({}))] } else { vec![issuer().jwk(&json!({}))] };
        world.issuers.publish(&url, &json!({ "keys": keys }).to_string(), None);
        isolate.register(&json!({ "name": format!("App {number}"), "algorithm": "EdDSA", "secret": url }));
    }
    let token = token(&isolate, &ours, "1");
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 400)), 8);
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 200)), 2, "the others are known by now");
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 200)), 0, "and the token is remembered from now on");
    world.pass(30);
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 200)), 0, "nobody is asked before the known keys are tried");
    let cold = world.isolate();
    let by_name = || assert_eq!(cold.get("/v1/verify?app=App%209", &format!("Bearer {token}")).status, 200);
    assert_eq!(asked(&world, by_name), 1);
}

#[test]
fn the_url_is_the_apps_and_is_listed() {
    let world = World::new();
    let isolate = world.isolate();
    let [ours, theirs] = [(); 2].map(|()| issuer());
    publish(&world, &[(&ours, "1")], None);
    world.issuers.publish("https://evil.test/", &json!({ "keys": [theirs.jwk(&json!({ "kid": "1" }))] }).to_string(), None);
    register(&isolate);
    let header = json!({ "kid": "1", "jku": "https://evil.test/" });
    let forged = theirs.token(Algorithm::EdDsa, &header, &Value::Object(isolate.claims("alice")));
    assert_eq!(isolate.verify(&forged), (401, "bad_signature".to_owned()));
    let list = isolate.administer("GET", "/plugin/datafor-modeler/api/token/list", &Value::Null);
    assert_eq!(json_of(&list)["data"][0]["secret"], URL);
    // Another URL is another issuer, at once.
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": "https://evil.test/" }));
    refused(&isolate, &ours, "1");
    accepted(&isolate, &theirs, "1");
}

/// While a set that may have the key is on its way to one request, the others are not told that their key does not exist.
#[test]
fn a_burst_of_tokens_by_a_new_key_asks_once_and_refuses_nobody() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    publish(&world, &[(&old, "1")], Some("max-age=3600"));
    register(&isolate);
    accepted(&isolate, &old, "1");
    publish(&world, &[(&new, "2")], Some("max-age=3600"));
    world.pass(30);
    // The feed, first: only the keys are to be fetched in what follows.
    accepted(&isolate, &old, "1");
    let tokens: Vec<_> = (0..8).map(|index| if index % 4 == 3 { token(&isolate, &old, "1") } else { token(&isolate, &new, "2") }).collect();
    let mut statuses = Vec::new();
    assert_eq!(asked(&world, || statuses = at_once(&isolate, &tokens)), 1);
    assert_eq!(statuses, [200, 503, 503, 200, 503, 503, 503, 200]);
    accepted(&isolate, &new, "2");
    refused(&isolate, &old, "1");
}

/// The statuses of tokens that come at once.
fn at_once(isolate: &Isolate<'_>, tokens: &[String]) -> Vec<u16> {
    let request = |token: &String| Request::new("GET", "/v1/verify").header("authorization", &format!("Bearer {token}"));
    let requests: Vec<_> = tokens.iter().map(request).collect();
    let answers = requests.iter().map(|request| Box::pin(isolate.answer(request)) as LocalFuture<'_, Response>).collect();
    all_at_once(answers).iter().map(|answer| answer.status).collect()
}

#[test]
fn a_burst_that_finds_no_set_asks_sixteen_times_at_most() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    publish(&world, &[(&ours, "1")], None);
    register(&isolate);
    accepted(&isolate, &ours, "1");
    let cold = world.isolate();
    let tokens = vec![token(&isolate, &ours, "1"); 40];
    let mut statuses = Vec::new();
    assert_eq!(asked(&world, || statuses = at_once(&cold, &tokens)), 16);
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((count(200), count(503)), (16, 24));
    accepted(&cold, &ours, "1");
}
