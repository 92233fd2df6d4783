//! Token apps whose issuers publish their keys: when an issuer is asked, and what happens while it
//! does not answer.

use postern::api::http::message::Response;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::fetch_problem::{FetchProblem, MAX_ANSWER_BYTES};
use postern::ports::LocalFuture;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, all_at_once, json_of};

const URL: &str = "https://issuer.test/jwks.json";

fn publish(world: &World, keys: &[(&Issuer, &str)], cache_control: Option<&str>) {
    let keys: Vec<_> =
        keys.iter().map(|(issuer, id)| issuer.jwk(&json!({ "kid": id, "use": "sig" }))).collect();
    world.issuers.publish(URL, &json!({ "keys": keys }).to_string(), cache_control);
}

fn register(isolate: &Isolate<'_>) {
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": URL }));
}

fn issuer() -> Issuer {
    Issuer::of(Algorithm::EdDsa)
}

/// A token that is valid for ten minutes and names its key.
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
    assert_eq!(
        isolate.verify(&token(isolate, issuer, id)),
        (401, "bad_signature".to_owned()),
        "{id}"
    );
}

#[test]
fn an_issuer_is_asked_once_for_as_long_as_it_says_within_limits() {
    for (cache_control, seconds) in [
        (Some("max-age=600"), 600),
        (Some("max-age=5"), 60),
        (Some("max-age=86400"), 3600),
        (None, 300),
    ] {
        let world = World::new();
        let isolate = world.isolate();
        let ours = issuer();
        publish(&world, &[(&ours, "1")], cache_control);
        assert_eq!(asked(&world, || register(&isolate)), 1, "to say what was found");
        // Creates the user at their first sign-in.
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

/// A token with an unknown key is answered with 503, because the issuer may have a new key. Returns
/// `Retry-After`.
fn later(isolate: &Isolate<'_>, issuer: &Issuer, id: &str) -> i64 {
    let response = isolate.get("/v1/verify", &format!("Bearer {}", token(isolate, issuer, id)));
    let detail = "the token names a key that its issuer did not have a moment ago; try again";
    assert_eq!((response.status, &json_of(&response)["detail"]), (503, &json!(detail)), "{id}");
    retry_after(&response)
}

fn retry_after(response: &Response) -> i64 {
    let header = response
        .headers
        .iter()
        .find(|(name, _)| *name == "retry-after")
        .map(|(_, value)| value.parse());
    header.expect("a Retry-After").expect("seconds")
}

#[test]
fn an_unknown_kid_asks_again_at_most_every_10_seconds_and_is_unknown_only_until_then() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    publish(&world, &[(&old, "1")], Some("max-age=3600"));
    // Another isolate registers the app, because the one that registers it fetches its keys.
    register(&world.isolate());
    accepted(&isolate, &old, "1");
    publish(&world, &[(&old, "1"), (&new, "2")], Some("max-age=3600"));
    // The set was just read, so tokens with invented key names cause no fetch.
    assert_eq!(
        asked(&world, || (0..10)
            .for_each(|id| assert_eq!(later(&isolate, &new, &format!("x{id}")), 10))),
        0
    );
    world.pass(5);
    assert_eq!(asked(&world, || assert_eq!(later(&isolate, &new, "2"), 5)), 0);
    world.pass(5);
    assert_eq!(asked(&world, || accepted(&isolate, &new, "2")), 1);
    assert_eq!(
        asked(&world, || (0..10)
            .for_each(|id| assert!(later(&isolate, &old, &format!("x{id}")) > 0))),
        0
    );
    world.pass(9);
    assert_eq!(asked(&world, || assert_eq!(later(&isolate, &new, "3"), 1)), 0);
    world.pass(1);
    // The issuer was asked after this token came, and does not have its key.
    assert_eq!(asked(&world, || refused(&isolate, &new, "3")), 1);
    assert_eq!(asked(&world, || (0..10).for_each(|_| assert!(later(&isolate, &new, "3") > 0))), 0);
    // A key name that is in the set never causes a fetch.
    world.pass(60);
    assert_eq!(asked(&world, || refused(&isolate, &new, "1")), 0);
    // The app's name as `kid` chooses the app, and causes no fetch either.
    assert_eq!(asked(&world, || accepted(&isolate, &new, "ERP")), 0);
}

#[test]
fn a_thousand_made_up_kids_delay_a_rotation_by_ten_seconds_at_most() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    publish(&world, &[(&old, "1")], Some("max-age=3600"));
    register(&isolate);
    accepted(&isolate, &old, "1");
    world.pass(10);
    let made_up = |from: i64| {
        (from..from + 100)
            .for_each(|id| drop(isolate.verify(&token(&isolate, &old, &format!("x{id}")))));
    };
    let fetches = asked(&world, || made_up(0));
    publish(&world, &[(&old, "1"), (&new, "2")], Some("max-age=3600"));
    let mut waited = 0;
    let more = asked(&world, || {
        for second in 0..10 {
            made_up(100 * second);
            accepted(&isolate, &old, "1");
            if isolate.verify(&token(&isolate, &new, "2")).0 == 200 {
                return;
            }
            world.pass(1);
            waited += 1;
        }
        accepted(&isolate, &new, "2");
    });
    assert_eq!((fetches, more), (1, 1));
    assert!(waited <= 10, "{waited}");
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
    assert_eq!(
        asked(&world, || (0..10).for_each(|_| accepted(&isolate, &ours, "1"))),
        1,
        "then it is left alone"
    );
    world.pass(30);
    assert_eq!(asked(&world, || accepted(&isolate, &ours, "1")), 1);
    assert!(world.log.0.borrow().iter().any(|line| line.contains(
        "the keys of https://issuer.test/jwks.json cannot be fetched: the issuer cannot be reached"
    )));
    world.pass(24 * 60 * 60 - 631);
    accepted(&isolate, &ours, "1");
    world.pass(1);
    let response = isolate.get("/v1/verify", &format!("Bearer {}", token(&isolate, &ours, "1")));
    assert_eq!(
        (response.status, &json_of(&response)["detail"]),
        (503, &json!("the token's issuer does not answer; try again"))
    );
    publish(&world, &[(&ours, "1")], Some("max-age=600"));
    assert_eq!(
        asked(&world, || assert_eq!(isolate.verify(&token(&isolate, &ours, "1")).0, 503)),
        0
    );
    world.pass(5);
    assert_eq!(asked(&world, || accepted(&isolate, &ours, "1")), 1);
}

#[test]
fn an_answer_that_is_no_key_set_is_a_failure() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    publish(&world, &[(&ours, "1")], Some("max-age=60"));
    register(&isolate);
    accepted(&isolate, &ours, "1");
    let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
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
        null, { "kty": "future" }, private.jwk(&json!({ "kid": "p", "d": "AQ" })),
        { "kty": "oct", "k": "AQ", "kid": "1" },
        ours.jwk(&json!({ "kid": "1", "x5c": ["not looked at"] })),
    ] });
    world.issuers.publish(URL, &keys.to_string(), None);
    // Another isolate registers the app, because the one that registers it fetches its keys.
    register(&world.isolate());
    accepted(&isolate, &ours, "1");
    assert_eq!(later(&isolate, &private, "p"), 10);
    world.pass(10);
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
    assert_eq!(
        isolate.verify(&token(&isolate, &stranger, "1")).0,
        503,
        "the silent one may have signed it"
    );
    assert_eq!(
        isolate
            .get("/v1/verify?app=ERP", &format!("Bearer {}", token(&isolate, &stranger, "1")))
            .status,
        401
    );
}

#[test]
fn one_token_makes_at_most_eight_issuers_be_asked() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    for number in 0..10 {
        let url = format!("https://issuer.test/{number}");
        let keys =
            if number == 9 { vec![ours.jwk(&json!({}))] } else { vec![issuer().jwk(&json!({}))] };
        world.issuers.publish(&url, &json!({ "keys": keys }).to_string(), None);
        // Another isolate registers the app, because the one that registers it fetches its keys.
        world.isolate().register(
            &json!({ "name": format!("App {number}"), "algorithm": "EdDSA", "secret": url }),
        );
    }
    let token = token(&isolate, &ours, "1");
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 400)), 8);
    assert_eq!(
        asked(&world, || assert_eq!(isolate.verify(&token).0, 200)),
        2,
        "the others are known by now"
    );
    assert_eq!(
        asked(&world, || assert_eq!(isolate.verify(&token).0, 200)),
        0,
        "and the token is remembered from now on"
    );
    world.pass(30);
    assert_eq!(
        asked(&world, || assert_eq!(isolate.verify(&token).0, 200)),
        0,
        "nobody is asked before the known keys are tried"
    );
    let cold = world.isolate();
    let by_name =
        || assert_eq!(cold.get("/v1/verify?app=App%209", &format!("Bearer {token}")).status, 200);
    assert_eq!(asked(&world, by_name), 1);
}

#[test]
fn the_url_is_the_apps_and_is_listed() {
    let world = World::new();
    let isolate = world.isolate();
    let [ours, theirs] = [(); 2].map(|()| issuer());
    publish(&world, &[(&ours, "1")], None);
    world.issuers.publish(
        "https://evil.test/",
        &json!({ "keys": [theirs.jwk(&json!({ "kid": "1" }))] }).to_string(),
        None,
    );
    register(&isolate);
    let header = json!({ "kid": "1", "jku": "https://evil.test/" });
    let forged = theirs.token(Algorithm::EdDsa, &header, &Value::Object(isolate.claims("alice")));
    assert_eq!(isolate.verify(&forged), (401, "bad_signature".to_owned()));
    let list = isolate.administer("GET", "/plugin/datafor-modeler/api/token/list", &Value::Null);
    assert_eq!(json_of(&list)["data"][0]["secret"], URL);
    // With another URL, the keys of the first one are not used any more, at once.
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": "https://evil.test/" }));
    refused(&isolate, &ours, "1");
    accepted(&isolate, &theirs, "1");
}

/// Tokens that arrive while one request fetches the set wait for it.
#[test]
fn a_burst_of_tokens_by_a_new_key_asks_once_and_refuses_nobody() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| issuer());
    publish(&world, &[(&old, "1")], Some("max-age=3600"));
    register(&isolate);
    accepted(&isolate, &old, "1");
    publish(&world, &[(&new, "2")], Some("max-age=3600"));
    world.issuers.delay.set(Millis(300));
    world.pass(30);
    // Reads the change feed first, so that what follows fetches only the keys.
    accepted(&isolate, &old, "1");
    let tokens: Vec<_> =
        (0..8)
            .map(|index| {
                if index % 4 == 3 { token(&isolate, &old, "1") } else { token(&isolate, &new, "2") }
            })
            .collect();
    let mut statuses = Vec::new();
    assert_eq!(asked(&world, || statuses = at_once(&isolate, &tokens)), 1);
    assert_eq!(statuses, [200; 8]);
    accepted(&isolate, &new, "2");
    assert_eq!(later(&isolate, &old, "1"), 10);
}

/// The statuses of tokens that arrive at the same time.
fn at_once(isolate: &Isolate<'_>, tokens: &[String]) -> Vec<u16> {
    let request = |token: &String| {
        Request::new("GET", "/v1/verify").header("authorization", &format!("Bearer {token}"))
    };
    let requests: Vec<_> = tokens.iter().map(request).collect();
    let answers = requests
        .iter()
        .map(|request| Box::pin(isolate.answer(request)) as LocalFuture<'_, Response>)
        .collect();
    all_at_once(answers).iter().map(|answer| answer.status).collect()
}

/// A world with an issuer whose keys are not known yet and that answers after `delay`. Also returns
/// one of its tokens.
fn cold(delay: Millis) -> (World, String) {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    publish(&world, &[(&ours, "1")], None);
    register(&isolate);
    accepted(&isolate, &ours, "1");
    let token = token(&isolate, &ours, "1");
    world.issuers.delay.set(delay);
    (world, token)
}

#[test]
fn a_burst_that_finds_no_set_asks_once_and_waits() {
    let (world, token) = cold(Millis(300));
    let (isolate, begun) = (world.isolate(), world.now.get());
    let mut statuses = Vec::new();
    assert_eq!(asked(&world, || statuses = at_once(&isolate, &vec![token; 40])), 1);
    assert_eq!(statuses, [200; 40]);
    let passed = (world.now.get() - begun).0;
    assert!((300..=400).contains(&passed), "{passed} ms");
}

#[test]
fn nobody_waits_longer_than_an_issuer_may_take() {
    let (world, token) = cold(Millis::from_seconds(60));
    let (isolate, begun) = (world.isolate(), world.now.get());
    let mut statuses = Vec::new();
    assert_eq!(asked(&world, || statuses = at_once(&isolate, &vec![token.clone(); 40])), 1);
    assert_eq!(statuses, [503; 40]);
    let passed = (world.now.get() - begun).0;
    assert!((5_000..=5_100).contains(&passed), "{passed} ms");
    world.issuers.delay.set(Millis(0));
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 503)), 0);
    world.pass(5);
    assert_eq!(asked(&world, || assert_eq!(isolate.verify(&token).0, 200)), 1);
}

/// When a client has been gone for long enough, the runtime ends what its request began.
#[test]
fn when_a_fetch_is_lost_exactly_one_of_those_who_wait_starts_the_next() {
    let (world, token) = cold(Millis(300));
    let isolate = world.isolate();
    let request =
        Request::new("GET", "/v1/verify").header("authorization", &format!("Bearer {token}"));
    let answer = || Box::pin(isolate.answer(&request)) as LocalFuture<'_, Response>;
    let mut lost = answer();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let before = world.issuers.asked.get();
    while world.issuers.asked.get() == before {
        assert!(lost.as_mut().poll(&mut context).is_pending());
    }
    drop(lost);
    world.tasks.0.borrow_mut().clear();
    let begun = world.now.get();
    let statuses: Vec<_> = all_at_once((0..40).map(|_| answer()).collect())
        .iter()
        .map(|response| response.status)
        .collect();
    assert_eq!(statuses, [200; 40]);
    assert_eq!(world.issuers.asked.get() - before, 2);
    let passed = (world.now.get() - begun).0;
    assert!((5_250..=5_700).contains(&passed), "{passed} ms");
}

#[test]
fn a_fetch_ends_also_if_its_request_was_dropped() {
    let (world, token) = cold(Millis(300));
    let isolate = world.isolate();
    let request =
        Request::new("GET", "/v1/verify").header("authorization", &format!("Bearer {token}"));
    let mut cancelled = Box::pin(isolate.answer(&request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let before = world.issuers.asked.get();
    while world.issuers.asked.get() == before {
        assert!(cancelled.as_mut().poll(&mut context).is_pending());
    }
    drop(cancelled);
    assert_eq!(isolate.verify(&token).0, 200);
    assert_eq!(world.issuers.asked.get() - before, 1);
}

#[test]
fn a_token_whose_key_is_in_the_fresh_set_never_waits() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    publish(&world, &[(&ours, "1")], Some("max-age=3600"));
    register(&isolate);
    accepted(&isolate, &ours, "1");
    world.issuers.delay.set(Millis::from_seconds(3));
    world.pass(10);
    accepted(&isolate, &ours, "1");
    let unknown = token(&isolate, &ours, "2");
    let request =
        Request::new("GET", "/v1/verify").header("authorization", &format!("Bearer {unknown}"));
    let mut waiting = Box::pin(isolate.answer(&request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..10 {
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    let begun = world.now.get();
    accepted(&isolate, &ours, "1");
    assert_eq!(world.now.get(), begun);
}

#[test]
fn what_kind_of_problem_an_issuer_has_is_remembered_and_logged() {
    let problems = [
        (FetchProblem::TimedOut, "did not answer within 5 seconds"),
        (FetchProblem::Forbidden(403), "refuses to show its keys: status 403"),
        (FetchProblem::NotFound(404), "has nothing at this URL: status 404"),
        (FetchProblem::Status(500), "answered with status 500"),
        (FetchProblem::TooLong, "longer than 262144 bytes"),
        (
            FetchProblem::BadRedirect("it leads nowhere".to_owned()),
            "redirect cannot be followed: it leads nowhere",
        ),
    ];
    for (problem, text) in problems {
        let (world, token) = cold(Millis(0));
        world.issuers.fail(URL, problem.clone());
        let isolate = world.isolate();
        let response = isolate.get("/v1/verify", &format!("Bearer {token}"));
        assert_eq!((response.status, retry_after(&response)), (503, 5));
        assert!(
            world.log.0.borrow().iter().any(|line| line.contains(text)),
            "{text}: {:?}",
            world.log.0.borrow()
        );
        let known = isolate.memory.key_sets.problems();
        assert_eq!(
            known.iter().map(|(source, problem)| (source.as_str(), problem)).collect::<Vec<_>>(),
            [(URL, &problem)]
        );
        world.pass(5);
        world.issuers.publish(URL, r#"{"keys":[]}"#, None);
        assert_eq!(isolate.verify(&token).0, 401);
        assert_eq!(isolate.memory.key_sets.problems(), []);
    }
}

#[test]
fn odd_keys_of_a_set_are_named_once_and_the_good_ones_are_used() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = issuer();
    let good = ours.jwk(&json!({ "kid": "1" })).to_string().replace("\",\"kty", "=\",\"kty");
    let doubled = r#"{"kid":"odd","kty":"EC","kty":"EC"}"#;
    let odd = format!("\u{feff}{{\"keys\":[{doubled},{good}],\"x\":{{\"a\":1,\"a\":1}}}}");
    world.issuers.publish(URL, &odd, Some("max-age=60"));
    register(&isolate);
    let named = || {
        world
            .log
            .0
            .borrow()
            .iter()
            .filter(|line| {
                line.contains("1 cannot be used: one without a name has the member \"kty\" twice")
            })
            .count()
    };
    for _ in 0..3 {
        accepted(&isolate, &ours, "1");
        world.pass(60);
    }
    assert_eq!(named(), 1, "{:?}", world.log.0.borrow());
    publish(&world, &[(&ours, "1")], Some("max-age=60"));
    accepted(&isolate, &ours, "1");
    world.pass(60);
    world.issuers.publish(URL, &odd, None);
    accepted(&isolate, &ours, "1");
    assert_eq!(named(), 2, "after a change");
}
