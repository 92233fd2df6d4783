//! What Postern answers while D1 takes longer than a request waits, and after D1 has recovered.

use postern::api::http::message::Response;
use postern::domain::time::Millis;
use serde_json::json;

use crate::support::{
    ADMIN_PASSWORD, Isolate, Request, World, all_at_once, basic, block_on, json_of,
};

/// As long as an answer waits for D1, and a little longer for what follows.
const IN_TIME: Millis = Millis(1_600);
const STALE: &str = "x-postern-stale";

fn erp(world: &World) -> Isolate<'_> {
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate
}

/// An isolate in which alice was verified `seconds` ago, and her token.
fn alice_seconds_ago(world: &World, seconds: i64) -> (Isolate<'_>, String) {
    let isolate = erp(world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    world.pass(seconds);
    (isolate, token)
}

fn verification(token: &str) -> Request {
    Request::new("GET", "/v1/verify").authorization(&format!("Bearer {token}"))
}

/// Sets how long a batch takes to reach D1, and its answer to come back, in milliseconds.
fn stall(world: &World, there: i64, back: i64) {
    world.database.takes.set([Millis(there), Millis(back)]);
}

fn timed<T>(world: &World, deed: impl FnOnce() -> T) -> (T, Millis, u32) {
    let (began, batches) = (world.now.get(), world.database.batches.get());
    let done = deed();
    (done, world.now.get() - began, world.database.batches.get() - batches)
}

fn stale_by(response: &Response) -> Option<i64> {
    response.header(STALE).map(|text| text.parse().expect("seconds"))
}

#[test]
fn a_remembered_token_waits_once_and_then_not_at_all() {
    for (there, back) in [(10_000, 0), (0, 10_000), (60_000, 0), (0, 60_000)] {
        let world = World::new();
        let (isolate, token) = alice_seconds_ago(&world, 11);
        stall(&world, there, back);
        let (answer, took, batches) = timed(&world, || isolate.send(&verification(&token)));
        assert_eq!(
            (answer.status, stale_by(&answer), batches),
            (200, Some(12), 1),
            "{there} {back}: {}",
            answer.body
        );
        assert!(took >= Millis(1_500) && took <= IN_TIME, "{took:?}");
        for _ in 0..5 {
            let (answer, took, batches) = timed(&world, || isolate.send(&verification(&token)));
            assert_eq!(
                (answer.status, took, batches),
                (200, Millis(0), 0),
                "one reading goes on behind the first answer"
            );
            assert!(stale_by(&answer).is_some());
            world.pass(3);
        }
    }
}

#[test]
fn of_many_at_once_one_asks_d1_and_all_answer_in_time() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    for (there, back) in [(10_000, 0), (0, 10_000), (100, 0)] {
        world.run_tasks();
        stall(&world, 0, 0);
        world.pass(3);
        isolate.verify(&token);
        world.pass(11);
        stall(&world, there, back);
        let request = verification(&token);
        let all = || {
            all_at_once(
                (0..5)
                    .map(|_| {
                        Box::pin(isolate.answer(&request)) as postern::ports::LocalFuture<'_, _>
                    })
                    .collect(),
            )
        };
        let (answers, took, batches): (Vec<Response>, _, _) = timed(&world, all);
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert!(took <= IN_TIME, "{took:?}");
        assert_eq!(batches, 1);
        assert!(
            answers.iter().all(|answer| stale_by(answer).is_some() == (there + back > 1_500)),
            "stale answers say so"
        );
    }
}

#[test]
fn what_is_new_is_refused_in_time_and_a_forged_token_as_ever() {
    let world = World::new();
    let isolate = erp(&world);
    let (alice, stranger) = (isolate.token("alice"), isolate.token("stranger"));
    isolate.verify(&alice);
    let (text, _) = alice.rsplit_once('.').expect("dots");
    let forged = verification(&format!("{text}.{}", "A".repeat(43)));
    let sign_in = Request::new("POST", "/imanager/cloud/security/tokens.json")
        .body(&json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string());
    let health = Request::new("GET", "/health");
    let written = isolate.administer("POST", "/v1/groups", &json!({ "name": "x" }));
    let bookmark = written.header("x-postern-bookmark").expect("a bookmark").to_owned();
    let with_bookmark = verification(&alice).header("x-postern-bookmark", &bookmark);
    for (request, status) in [
        (verification(&stranger), 503),
        (forged, 401),
        (sign_in, 503),
        (health, 200),
        (with_bookmark, 503),
    ] {
        world.run_tasks();
        stall(&world, 0, 0);
        world.pass(3);
        isolate.verify(&alice);
        world.pass(11);
        stall(&world, 0, 10_000);
        for _ in 0..3 {
            let (answer, took, _) = timed(&world, || isolate.send(&request));
            assert_eq!(answer.status, status, "{}", answer.body);
            assert!(took <= IN_TIME, "{status}: {took:?}");
            // `/health` says it in its body.
            let says_so = stale_by(&answer).is_some() || status == 200;
            assert_eq!(
                says_so,
                status < 500,
                "an answer that refuses for lack of D1 relies on nothing"
            );
        }
    }
}

#[test]
fn a_cold_isolate_answers_from_the_copy_in_kv_and_says_so() {
    let world = World::new();
    let writer = erp(&world);
    let token = writer.token("alice");
    writer.verify(&token);
    block_on(postern::actions::housekeeping::run(&writer.cx())).expect("the scheduled event");
    world.pass(60);
    stall(&world, 10_000, 0);
    let cold = world.isolate();
    let (answer, took, _) = timed(&world, || cold.send(&verification(&token)));
    assert_eq!((answer.status, stale_by(&answer)), (200, Some(61)), "{}", answer.body);
    assert!(took <= IN_TIME, "{took:?}");
}

#[test]
fn what_was_read_before_the_stall_is_in_force_and_memory_is_right_after_it() {
    let world = World::new();
    let (here, there) = (erp(&world), world.isolate());
    let (alice, bob) = (here.token("alice"), here.token("bob"));
    for token in [&alice, &bob] {
        assert_eq!((here.verify(token).0, there.verify(token).0), (200, 200));
    }
    assert_eq!(here.administer("POST", "/v1/revocations", &json!({ "token": alice })).status, 204);
    world.pass(11);
    assert_eq!(there.verify(&alice).0, 401, "read before the stall");
    assert_eq!(here.administer("POST", "/v1/revocations", &json!({ "token": bob })).status, 204);
    world.pass(11);
    stall(&world, 0, 10_000);
    assert_eq!(there.verify(&alice).0, 401);
    assert_eq!(there.verify(&bob).0, 200, "D1 has not said otherwise");
    stall(&world, 0, 0);
    world.run_tasks();
    let answer = there.send(&verification(&bob));
    assert_eq!(
        (answer.status, stale_by(&answer)),
        (401, None),
        "the reading behind the answer has come"
    );
}

#[test]
fn a_reading_that_never_ends_is_given_up_and_another_one_begins() {
    let world = World::new();
    let (isolate, token) = alice_seconds_ago(&world, 11);
    stall(&world, 600_000, 0);
    isolate.verify(&token);
    world.pass(20);
    assert_eq!(timed(&world, || isolate.verify(&token).0).2, 0);
    world.pass(8);
    stall(&world, 0, 0);
    let (answer, took, batches) = timed(&world, || isolate.send(&verification(&token)));
    assert_eq!(
        (answer.status, stale_by(&answer), took, batches),
        (200, None, Millis(0), 1),
        "{}",
        answer.body
    );
}

#[test]
fn a_reading_that_stalls_behind_an_answer_is_not_begun_again() {
    let world = World::new();
    let (isolate, token) = alice_seconds_ago(&world, 6);
    stall(&world, 0, 60_000);
    assert_eq!(
        timed(&world, || isolate.verify(&token).0),
        (200, Millis(0), 0),
        "the feed is read behind the answer"
    );
    assert_eq!(isolate.verify(&isolate.token("stranger")).0, 503);
    world.pass(2);
    let waiting = world.tasks.0.borrow().len();
    assert_eq!(timed(&world, || isolate.verify(&token).0), (200, Millis(0), 0));
    assert_eq!(world.tasks.0.borrow().len(), waiting, "nothing more is begun");
}

#[test]
fn of_a_cold_isolate_nobody_waits_for_the_reading_of_another() {
    let world = World::new();
    let writer = erp(&world);
    let tokens = ["alice", "bob", "carol"].map(|name| verification(&writer.token(name)));
    for token in &tokens {
        writer.send(token);
    }
    stall(&world, 50, 50);
    let cold = world.isolate();
    let ask = || {
        all_at_once(
            tokens
                .iter()
                .map(|token| Box::pin(cold.answer(token)) as postern::ports::LocalFuture<'_, _>)
                .collect(),
        )
    };
    let (answers, took, batches): (Vec<Response>, _, _) = timed(&world, ask);
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!((took, batches), (Millis(100), 3), "one round trip for each, side by side");
}

#[test]
fn the_pause_after_a_failure_begins_when_d1_failed() {
    let world = World::new();
    let (isolate, token) = alice_seconds_ago(&world, 11);
    world.database.answers.set(false);
    stall(&world, 700, 0);
    assert_eq!(timed(&world, || isolate.verify(&token).0), (200, Millis(700), 1));
    world.pass(1);
    assert_eq!(
        timed(&world, || isolate.verify(&token).0),
        (200, Millis(0), 0),
        "a second later D1 is left alone"
    );
    world.pass(1);
    assert_eq!(
        timed(&world, || isolate.verify(&token).0),
        (200, Millis(700), 1),
        "two seconds later it is asked again"
    );
}

#[test]
fn memory_older_than_the_limit_serves_no_longer() {
    let world = World::new();
    let isolate = world.isolate_with(&[("STALE_IF_ERROR_S", Some("60"))]);
    isolate.register(&json!({}));
    let token = isolate.token("alice");
    isolate.verify(&token);
    world.pass(61);
    stall(&world, 10_000, 0);
    let (answer, took, _) = timed(&world, || isolate.send(&verification(&token)));
    assert_eq!((answer.status, stale_by(&answer)), (503, None), "{}", answer.body);
    assert!(took <= Millis(2_600), "{took:?}: KV is waited for where nothing else serves");
}

#[test]
fn the_operator_chooses_how_old_memory_may_be() {
    let world = World::new();
    let writer = erp(&world);
    let token = writer.token("alice");
    for (seconds, fresh, usable) in [("2", 1, 2), ("10", 5, 10), ("60", 30, 60), ("300", 150, 300)]
    {
        let isolate = world.isolate_with(&[("STALENESS_S", Some(seconds))]);
        let read = |after: i64| {
            isolate.verify(&token);
            world.pass(after);
            let batches = timed(&world, || isolate.verify(&token)).2;
            (batches, timed(&world, || world.run_tasks()).2)
        };
        assert_eq!(read(fresh), (0, 0), "{seconds}: as it is");
        isolate.memory.expire(world.now.get(), isolate.cx().config.staleness);
        assert_eq!(read(usable), (0, 1), "{seconds}: read behind the answer");
        isolate.memory.expire(world.now.get(), isolate.cx().config.staleness);
        assert_eq!(read(usable + 1), (1, 0), "{seconds}: read first");
    }
}

#[test]
fn a_staleness_above_the_limit_for_copies_is_a_slip() {
    let world = World::new();
    let problem = |variables: &[(&str, Option<&str>)]| {
        let response =
            world.isolate_with(variables).get("/v1/verify", &basic("admin", ADMIN_PASSWORD));
        (response.status == 503)
            .then(|| json_of(&response)["detail"].as_str().map(str::to_owned))
            .flatten()
    };
    let both = |staleness, limit| {
        problem(&[("STALENESS_S", Some(staleness)), ("STALE_IF_ERROR_S", Some(limit))])
    };
    assert!(both("61", "60").is_some_and(|text| {
        text.contains("STALENESS_S must be at most STALE_IF_ERROR_S, which is 60")
    }));
    assert_eq!((both("60", "60"), both("60", "0")), (None, None));
    assert_eq!(
        problem(&[("STALE_IF_ERROR_S", Some("5"))]),
        None,
        "as before there was STALENESS_S"
    );
}

/// The platform ends background work after a while, and nothing records that it did.
#[test]
fn after_a_reading_that_went_with_its_request_the_next_stall_is_noted_too() {
    let world = World::new();
    let (isolate, token) = alice_seconds_ago(&world, 11);
    stall(&world, 600_000, 0);
    isolate.verify(&token);
    world.tasks.0.borrow_mut().clear();
    world.pass(26);
    isolate.verify(&token);
    for _ in 0..5 {
        world.pass(3);
        let (answer, took, batches) = timed(&world, || isolate.send(&verification(&token)));
        assert_eq!(
            (answer.status, took, batches),
            (200, Millis(0), 0),
            "one reading goes on behind the first answer"
        );
    }
}

#[test]
fn a_reading_that_began_before_a_write_of_unknown_outcome_is_not_believed() {
    let world = World::new();
    let (isolate, token) = alice_seconds_ago(&world, 6);
    stall(&world, 0, 900);
    assert_eq!(isolate.verify(&token).0, 200);
    let mut behind = world.tasks.0.borrow_mut().pop().expect("a reading behind the answer");
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..6 {
        assert!(behind.as_mut().poll(&mut context).is_pending(), "its answer is on its way");
    }
    stall(&world, 0, 0);
    world.database.loses_answers.set(true);
    world.now.set(world.now.get() + Millis(100));
    let lost = isolate.administer(
        "POST",
        "/plugin/datafor-modeler/api/token/delete",
        &json!({ "name": "ERP" }),
    );
    assert_eq!(lost.status, 503);
    world.database.loses_answers.set(false);
    block_on(behind);
    world.pass(3);
    assert_eq!(isolate.verify(&token), (401, "no_app".to_owned()));
}

/// Memory knows the session. The copy in KV, which is fresher, does not.
#[test]
fn an_answer_that_relies_on_the_older_copy_says_how_old_that_one_is() {
    let world = World::new();
    let isolate = erp(&world);
    let path = "/imanager/cloud/security/tokens.json";
    let session = isolate.send(
        &Request::new("POST", path)
            .body(&json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string()),
    );
    assert_eq!(isolate.send(&verification(&session.body)).status, 200);
    world.pass(300);
    block_on(postern::actions::housekeeping::run(&world.isolate().cx()))
        .expect("the scheduled event");
    world.pass(60);
    stall(&world, 600_000, 0);
    let answer = isolate.send(&verification(&session.body));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(stale_by(&answer) >= Some(360), "{:?}", stale_by(&answer));
}

#[test]
fn another_worker_is_told_how_old_an_answer_is_too() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    let ask = || {
        let question = json!({ "token": token }).to_string();
        let text = block_on(postern::api::gate::answer(&isolate.cx(), "verify", Some(&question)));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    assert_eq!((&ask()["ok"], &ask()["headers"]), (&json!(true), &json!(null)));
    world.pass(60);
    stall(&world, 600_000, 0);
    let answer = ask();
    assert_eq!((&answer["ok"], &answer["headers"]), (&json!(true), &json!({ STALE: "61" })));
}
