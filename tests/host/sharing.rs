//! The cache that the isolates of a data centre share. It saves readings of D1, and never makes an
//! answer older than the bound.

use postern::domain::time::Millis;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, json_of};

/// The entries of a data centre's cache, and when each expires.
type Entries = std::collections::BTreeMap<String, (String, Millis)>;

/// A call by an administrator: method, path and body.
type Call<'a> = (&'a str, &'a str, Value);

/// Switches the data centre's cache on. Returns the isolate that registered an app there.
fn shared(world: &World) -> Isolate<'_> {
    world.shared.works.set(true);
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate
}

/// How often D1 was asked, and how often the cache.
fn cost(world: &World, deed: impl FnOnce()) -> (u32, u32) {
    let before = (world.database.batches.get(), world.shared.gets.get());
    deed();
    (world.database.batches.get() - before.0, world.shared.gets.get() - before.1)
}

fn id_of(isolate: &Isolate<'_>, username: &str) -> i64 {
    let response =
        isolate.administer("GET", &format!("/v1/users?username={username}"), &Value::Null);
    json_of(&response)["items"][0]["id"].as_i64().expect("an id")
}

fn set_user(isolate: &Isolate<'_>, id: i64, enabled: bool) {
    assert_eq!(
        isolate
            .administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": enabled }))
            .status,
        200
    );
}

/// Tokens of users whom Postern has created.
fn known<const N: usize>(writer: &Isolate<'_>, names: [&str; N]) -> [String; N] {
    names.map(|name| {
        let token = writer.token(name);
        assert_eq!(writer.verify(&token).0, 200);
        token
    })
}

/// Lets a new isolate read D1 as the first one here, and share what it has read.
fn seen_here(world: &World, token: &str) {
    // A new user is created first.
    world.isolate().verify(token);
    world.run_tasks();
    world.shared.entries.borrow_mut().clear();
    assert_eq!(world.isolate().verify(token).0, 200);
    world.run_tasks();
}

#[test]
fn a_cold_isolate_answers_those_whom_the_data_centre_has_seen_without_d1() {
    let world = World::new();
    let writer = shared(&world);
    let [alice, bob] = known(&writer, ["alice", "bob"]);
    world.run_tasks();
    world.shared.entries.borrow_mut().clear();
    let alone = world.isolate();
    assert_eq!(
        cost(&world, || assert_eq!(alone.verify(&alice).0, 200)).0,
        1,
        "nobody has read here before"
    );
    world.run_tasks();

    let second = world.isolate();
    assert_eq!(
        cost(&world, || assert_eq!(second.verify(&alice).0, 200)),
        (0, 3),
        "the window, the trust, and alice"
    );
    assert_eq!(cost(&world, || assert_eq!(second.verify(&alice).0, 200)), (0, 0), "warm");
    assert_eq!(
        cost(&world, || assert_eq!(second.verify(&bob).0, 200)),
        (1, 1),
        "bob was not seen here"
    );
    let third = world.isolate();
    assert_eq!(
        cost(&world, || assert_eq!(third.verify(&bob).0, 200)).0,
        1,
        "what bob's first isolate read is shared behind its answer"
    );
    world.run_tasks();
    let fourth = world.isolate();
    assert_eq!(cost(&world, || assert_eq!(fourth.verify(&bob).0, 200)), (0, 3));
    world.run_tasks();
}

#[test]
fn sessions_keys_and_permissions_are_shared_too() {
    let world = World::new();
    let writer = shared(&world);
    let alice = writer.token("alice");
    writer.verify(&alice);
    let id = id_of(&writer, "alice");
    let grant = json!({ "username": "alice", "permissions": ["VIEW"] });
    assert_eq!(writer.administer("POST", "/v1/services/7/grants", &grant).status, 201);
    let opaque = writer.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(
        &json!({ "username": "admin", "password": crate::support::ADMIN_PASSWORD }).to_string(),
    ));
    let key = writer.administer("POST", "/v1/keys", &json!({ "name": "k", "may": ["decisions"] }));
    let key = json_of(&key)["key"].as_str().expect("a key").to_owned();
    world.run_tasks();
    world.shared.entries.borrow_mut().clear();
    let asked = [
        ("/v1/check?service=7&permission=VIEW".to_owned(), alice),
        ("/v1/verify".to_owned(), opaque.body),
        (format!("/v1/check?service=7&permission=VIEW&user={id}"), key),
    ];
    for (path, credential) in &asked {
        let ask = |isolate: &Isolate<'_>| isolate.get(path, &format!("Bearer {credential}")).status;
        // The first of them also writes that the key was used today.
        for _ in 0..2 {
            world.shared.entries.borrow_mut().clear();
            assert_eq!(ask(&world.isolate()), 200, "{path}");
            world.run_tasks();
        }
        let second = world.isolate();
        assert_eq!(cost(&world, || assert_eq!(ask(&second), 200)).0, 0, "{path}");
        world.run_tasks();
    }
}

#[test]
fn an_aging_isolate_learns_from_the_window_and_d1_is_asked_once_for_all() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    writer.verify(&token);
    let isolates: Vec<_> = (0..10).map(|_| world.isolate()).collect();
    for isolate in &isolates {
        isolate.verify(&token);
        world.run_tasks();
    }
    for _ in 0..5 {
        world.pass(6);
        let read = cost(&world, || {
            for isolate in &isolates {
                assert_eq!(isolate.verify(&token).0, 200);
                world.run_tasks();
            }
        });
        assert_eq!(read.0, 1, "one reads D1 behind its answer, nine the window");
    }
    world.pass(30);
    let read = cost(&world, || {
        for isolate in &isolates {
            assert_eq!(isolate.verify(&token).0, 200);
            world.run_tasks();
        }
    });
    assert_eq!(read.0, 1, "the same where all of them had expired");
}

/// All isolates have learned of the same reading, so in all of them memory reaches half of its
/// maximum age at the same time.
#[test]
fn of_isolates_that_age_at_the_same_moment_few_ask_d1() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    seen_here(&world, &token);
    let isolates: Vec<_> = (0..30).map(|_| world.isolate()).collect();
    for isolate in &isolates {
        isolate.verify(&token);
        world.run_tasks();
    }
    world.database.takes.set([Millis(5), Millis(5)]);
    world.pass(6);
    let read = cost(&world, || {
        for isolate in &isolates {
            assert_eq!(isolate.verify(&token).0, 200);
        }
        let behind = std::mem::take(&mut *world.tasks.0.borrow_mut());
        crate::support::all_at_once(behind);
    });
    // Some isolates draw almost the same time. Without turns, all 30 would read.
    assert!(read.0 <= 10, "{} of 30", read.0);
}

#[test]
fn nobody_waits_for_an_isolate_that_waits_for_its_turn() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    seen_here(&world, &token);
    for _ in 0..20 {
        let isolate = world.isolate();
        isolate.verify(&token);
        world.pass(9);
        world.now.set(world.now.get() + Millis(900));
        isolate.verify(&token);
        world.now.set(world.now.get() + Millis(101));
        let began = world.now.get();
        assert_eq!(isolate.verify(&token).0, 200);
        // The rest of the turn, and the pause between two looks.
        let waited = world.now.get() - began;
        assert!(waited <= Millis(200), "{waited:?}");
        world.run_tasks();
        seen_here(&world, &token);
    }
}

#[test]
fn what_ends_a_credential_reaches_everybody_by_the_window() {
    let world = World::new();
    let writer = shared(&world);
    let (alice, bob, carol) = (writer.token("alice"), writer.token("bob"), writer.token("carol"));
    let (one, two) = (world.isolate(), world.isolate());
    for token in [&alice, &bob, &carol] {
        for isolate in [&writer, &one, &two] {
            assert_eq!(isolate.verify(token).0, 200);
            world.run_tasks();
        }
    }
    set_user(&writer, id_of(&writer, "alice"), false);
    assert_eq!(writer.administer("POST", "/v1/revocations", &json!({ "token": bob })).status, 204);
    world.pass(11);
    assert_eq!(one.verify(&carol).0, 200);
    world.run_tasks();
    let statuses =
        |isolate: &Isolate<'_>| [&alice, &bob, &carol].map(|token| isolate.verify(token).0);
    let read = cost(&world, || assert_eq!(statuses(&two), [403, 401, 200])).0;
    assert_eq!(read, 1, "only alice, whom memory has forgotten, is read");
    world.run_tasks();
    let cold = world.isolate();
    assert_eq!(
        statuses(&cold),
        [403, 401, 200],
        "the entries of alice and of the trust were written before"
    );
    writer.register(&json!({ "enable": "0" }));
    world.pass(11);
    assert_eq!(
        (one.verify(&carol).0, two.verify(&carol).0, world.isolate().verify(&carol).0),
        (401, 401, 401)
    );
}

#[test]
fn while_d1_stalls_a_cold_isolate_knows_what_its_data_centre_had_read() {
    let world = World::new();
    let writer = shared(&world);
    let (alice, bob) = (writer.token("alice"), writer.token("bob"));
    for token in [&alice, &bob] {
        writer.verify(token);
        seen_here(&world, token);
    }
    assert_eq!(world.isolate().verify(&alice).0, 200);
    world.run_tasks();
    assert_eq!(writer.administer("POST", "/v1/revocations", &json!({ "token": bob })).status, 204);
    world.pass(11);
    assert_eq!(world.isolate().verify(&bob).0, 401, "somebody here has read of it");
    world.run_tasks();
    world.pass(60);
    world.database.takes.set([Millis(10_000), Millis(0)]);
    let cold = world.isolate();
    for (token, status) in [(&alice, 200), (&bob, 401)] {
        let answer =
            cold.send(&Request::new("GET", "/v1/verify").authorization(&format!("Bearer {token}")));
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(
            answer
                .header("x-postern-stale")
                .is_some_and(|age| age.parse::<i64>().expect("seconds") >= 60)
        );
    }
    assert_eq!(cold.verify(&writer.token("carol")).0, 503, "who is new");
}

#[test]
fn a_permission_that_was_taken_away_is_taken_from_what_is_shared() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    writer.verify(&token);
    let administer = |method: &str, path: &str, body: &Value| {
        let answer = writer.administer(method, path, body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.body);
    };
    for department in [1, 2] {
        administer(
            "POST",
            "/v1/departments",
            &json!({ "id": department, "name": format!("d{department}") }),
        );
    }
    administer("PUT", "/v1/departments/2/members?username=alice", &Value::Null);
    let of_department =
        json!({ "authObjectType": "DEPT", "authObjectId": 1, "permissions": ["VIEW"] });
    let check = |isolate: &Isolate<'_>, service: i64| {
        let answer = isolate.get(
            &format!("/v1/check?service={service}&permission=VIEW"),
            &format!("Bearer {token}"),
        );
        json_of(&answer)["allowed"].as_bool().expect("an answer")
    };
    let ways: [(i64, Call<'_>, Call<'_>); 4] = [
        (
            7,
            (
                "POST",
                "/v1/services/7/grants",
                json!({ "username": "alice", "permissions": ["VIEW"] }),
            ),
            ("DELETE", "/v1/services/7/grants?username=alice", Value::Null),
        ),
        (
            8,
            ("PATCH", "/v1/departments/2", json!({ "parentId": 1 })),
            ("PATCH", "/v1/departments/2", json!({ "parentId": null })),
        ),
        (
            8,
            ("PATCH", "/v1/departments/2", json!({ "parentId": 1 })),
            ("DELETE", "/v1/departments/2/members?username=alice", Value::Null),
        ),
        (
            9,
            (
                "POST",
                "/v1/services/9/grants",
                json!({ "username": "alice", "permissions": ["VIEW"] }),
            ),
            ("PATCH", "/v1/services/9", json!({ "name": "closed" })),
        ),
    ];
    administer("POST", "/v1/services/8/grants", &of_department);
    administer("POST", "/v1/services", &json!({ "id": 9, "name": "open" }));
    let bob = writer.token("bob");
    writer.verify(&bob);
    for (service, give, take) in &ways {
        administer(give.0, give.1, &give.2);
        world.pass(11);
        world.run_tasks();
        world.shared.entries.borrow_mut().clear();
        assert!(check(&world.isolate(), *service), "{give:?}");
        world.run_tasks();
        administer(take.0, take.1, &take.2);
        world.pass(11);
        // Another isolate here reads the feed and shares it.
        assert_eq!(world.isolate().verify(&bob).0, 200);
        world.run_tasks();
        let cold = world.isolate();
        assert_eq!(check(&cold, *service), *service == 9, "{take:?}");
        assert_eq!(
            check(&world.isolate_with(&[("STALENESS_S", Some("2"))]), *service),
            *service == 9,
            "{take:?}"
        );
    }
}

/// A newer reading has overtaken this one in its isolate, so memory is already at a later revision.
#[test]
fn what_a_slow_reading_brings_is_shared_as_of_its_own_place() {
    let world = World::new();
    let writer = shared(&world);
    let [alice, bob] = known(&writer, ["alice", "bob"]);
    world.run_tasks();
    world.shared.entries.borrow_mut().clear();
    let isolate = world.isolate();
    assert_eq!(isolate.verify(&bob).0, 200);
    world.database.takes.set([Millis(0), Millis(900)]);
    let request = Request::new("GET", "/v1/verify").authorization(&format!("Bearer {alice}"));
    let mut slow = Box::pin(isolate.answer(&request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..4 {
        assert!(std::future::Future::poll(slow.as_mut(), &mut context).is_pending());
    }
    world.database.takes.set([Millis(0); 2]);
    set_user(&writer, id_of(&writer, "alice"), false);
    assert_eq!(isolate.verify(&writer.token("carol")).0, 200, "which reads the feed");
    assert_eq!(crate::support::block_on(slow).status, 200, "as it was when the question was asked");
    world.run_tasks();
    // The entry is named by the revision of the slow reading, and a warm isolate finds it under
    // that name.
    let later = world.isolate();
    assert_eq!(later.verify(&bob).0, 200);
    assert_eq!(cost(&world, || assert_eq!(later.verify(&alice).0, 403)), (1, 1));
}

/// The users of a deleted app belong to no app, and a new app of its name may not speak for them.
#[test]
fn a_user_of_a_deleted_app_is_not_read_from_what_was_shared_before() {
    let world = World::new();
    let writer = shared(&world);
    writer.register(&json!({ "speaks_for": "own" }));
    let (alice, bob) = (writer.token("alice"), writer.token("bob"));
    let reader = world.isolate();
    reader.verify(&bob);
    seen_here(&world, &alice);
    let delete = json!({ "name": "ERP" });
    assert_eq!(
        writer.administer("POST", "/plugin/datafor-modeler/api/token/delete", &delete).status,
        200
    );
    world.pass(1);
    writer.register(&json!({ "speaks_for": "own" }));
    assert_eq!(writer.verify(&alice).0, 403);
    world.pass(11);
    let fresh = writer.token("carol");
    assert_eq!(
        reader.verify(&fresh).0,
        200,
        "who shares all that has changed since alice was read"
    );
    world.run_tasks();
    assert_eq!(world.isolate().verify(&fresh).0, 200, "who shares the new app");
    world.run_tasks();
    let warm = world.isolate();
    assert_eq!(cost(&world, || assert_eq!(warm.verify(&fresh).0, 200)).0, 0, "both are there");
    assert_eq!(world.isolate().verify(&alice).0, 403);
}

/// Entries of the feed with a kind that this release does not know are skipped, and evict nothing.
#[test]
fn a_window_that_spans_more_changes_than_it_knows_is_not_taken() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    writer.verify(&token);
    let (old, reader) = (world.isolate(), world.isolate());
    assert_eq!((old.verify(&token).0, reader.verify(&token).0), (200, 200));
    for _ in 0..3 {
        let now = world.now.get().0;
        world.database.execute(&format!(
            "INSERT INTO changes (kind, key, at)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             SELECT 'of a later release', i, {now} FROM n"
        ));
        world.pass(3);
        assert_eq!(reader.verify(&writer.token(&format!("new at {now}"))).0, 200);
        world.run_tasks();
    }
    world.pass(8);
    assert_eq!((old.verify(&token).0, reader.verify(&token).0), (200, 200));
}

/// Whatever is done to the entries, a cold and an old isolate answer as if there were none.
#[test]
fn entries_that_are_foreign_cut_exchanged_or_from_the_future_count_for_nothing() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    seen_here(&world, &token);
    let good = world.shared.entries.borrow().clone();
    assert_eq!(good.len(), 3);
    let with_text = |change: &dyn Fn(&str, &str) -> String| {
        good.iter()
            .map(|(name, (text, until))| (name.clone(), (change(name, text), *until)))
            .collect()
    };
    let names: Vec<_> = good.keys().cloned().collect();
    let next = |name: &str| {
        names[(names.iter().position(|of| of == name).expect("a name") + 1) % names.len()].clone()
    };
    let other_world = World::new();
    let other = {
        other_world.shared.works.set(true);
        let variables = [("MASTER_KEY", Some("eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="))];
        let isolate = other_world.isolate_with(&variables);
        isolate.register(&json!({}));
        let cold = other_world.isolate_with(&variables);
        cold.verify(&token);
        other_world.run_tasks();
        let entries = other_world.shared.entries.borrow();
        entries.values().map(|(text, _)| text.clone()).collect::<Vec<_>>()
    };
    let spoilt: [(&str, Entries); 6] = [
        ("cut", with_text(&|_, text| text[..text.len() - 1].to_owned())),
        (
            "changed",
            with_text(&|_, text| format!("{}A", &text[..text.len() - 1]).replace("AA", "AB")),
        ),
        ("exchanged", with_text(&|name, _| good[&next(name)].0.clone())),
        (
            "of another key",
            with_text(&|name, _| {
                other[names.iter().position(|of| of == name).expect("a name")].clone()
            }),
        ),
        ("no entry at all", with_text(&|_, _| "{}".to_owned())),
        ("empty", with_text(&|_, _| String::new())),
    ];
    for (how, entries) in spoilt {
        *world.shared.entries.borrow_mut() = entries;
        let cold = world.isolate();
        assert_eq!(cost(&world, || assert_eq!(cold.verify(&token).0, 200)).0, 1, "{how}");
        *world.tasks.0.borrow_mut() = Vec::new();
    }
    let now = world.now.get();
    for (behind_s, reads) in [(0, 0), (2, 0), (3, 1), (60, 1)] {
        *world.shared.entries.borrow_mut() = good.clone();
        world.now.set(now - Millis::from_seconds(behind_s));
        let cold = world.isolate();
        assert_eq!(
            cost(&world, || assert_eq!(cold.verify(&token).0, 200)).0,
            reads,
            "{behind_s} s from the future"
        );
        *world.tasks.0.borrow_mut() = Vec::new();
    }
}

#[test]
fn another_host_and_another_deployment_share_nothing() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    seen_here(&world, &token);
    let ask = |host: &str| {
        Request::new("GET", "/v1/verify")
            .authorization(&format!("Bearer {token}"))
            .header("host", host)
    };
    let cold = world.isolate();
    assert_eq!(cost(&world, || assert_eq!(cold.send(&ask("staging.example")).status, 200)).0, 1);
}

/// Like D1's Time Travel: what was written since has revisions that entries already name.
#[test]
fn entries_from_before_a_database_was_set_back_count_for_nothing() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("mallory");
    writer.verify(&token);
    let id = id_of(&writer, "mallory");
    set_user(&writer, id, false);
    let head = world.database.number("SELECT MAX(revision) FROM changes");
    set_user(&writer, id, true);
    seen_here(&world, &token);
    world.database.execute(&format!(
        "UPDATE users SET enabled = 0 WHERE id = {id}; DELETE FROM changes WHERE revision > {head};
         UPDATE sqlite_sequence SET seq = {head} WHERE name = 'changes'"
    ));
    world.pass(11);
    for number in 0..3 {
        let other = world.isolate();
        assert_eq!(
            other
                .administer("POST", "/v1/users", &json!({ "username": format!("new{number}") }))
                .status,
            201
        );
        world.run_tasks();
        assert_eq!(world.isolate().verify(&token).0, 403, "after {number} writes");
        world.run_tasks();
    }
}

#[test]
fn after_a_write_of_unknown_outcome_no_older_window_is_believed() {
    let world = World::new();
    let isolate = shared(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    world.pass(1);
    seen_here(&world, &token);
    world.database.loses_answers.set(true);
    let lost = isolate.administer(
        "POST",
        "/plugin/datafor-modeler/api/token/delete",
        &json!({ "name": "ERP" }),
    );
    assert_eq!(lost.status, 503);
    world.database.loses_answers.set(false);
    world.pass(3);
    assert_eq!(isolate.verify(&token), (401, "no_app".to_owned()));
}

/// By the clock of another machine, a reading from before the write may seem one second younger
/// than the write.
#[test]
fn after_such_a_write_a_window_is_believed_only_when_clocks_leave_no_doubt() {
    let world = World::new();
    let isolate = shared(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    let other = world.isolate();
    other.verify(&token);
    // In the first round the window does not reach back to the revision of the isolate.
    for (passes, reads) in [(3, 1), (2, 1), (3, 0)] {
        world.pass(11);
        world.run_tasks();
        world.database.loses_answers.set(true);
        assert_eq!(
            isolate
                .administer("POST", "/v1/groups", &json!({ "name": format!("{passes}") }))
                .status,
            503
        );
        world.database.loses_answers.set(false);
        world.pass(passes);
        other.verify(&token);
        world.run_tasks();
        assert_eq!(
            cost(&world, || assert_eq!(isolate.verify(&token).0, 200)).0,
            reads,
            "{passes} s after it"
        );
    }
}

#[test]
fn a_slow_cache_is_not_waited_for_and_one_that_keeps_nothing_is_left_alone() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    seen_here(&world, &token);
    world.shared.takes.set(Millis(5_000));
    let cold = world.isolate();
    let began = world.now.get();
    assert_eq!(cold.verify(&token).0, 200);
    assert!(world.now.get() - began <= Millis(100), "{:?}", world.now.get() - began);
    world.shared.takes.set(Millis(0));
    world.shared.works.set(false);
    for _ in 0..10 {
        world.pass(6);
        cold.verify(&token);
        world.run_tasks();
    }
    world.pass(6);
    assert_eq!(cost(&world, || drop((cold.verify(&token), world.run_tasks()))), (1, 0), "D1 alone");
    world.shared.works.set(true);
    world.pass(301);
    cold.verify(&token);
    world.run_tasks();
    seen_here(&world, &token);
}

/// Pseudo-random numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// Each time at which alice was enabled or disabled.
struct Truth(Vec<(Millis, bool)>);

impl Truth {
    /// Answers whether she was in that state at some time since `from`.
    fn was(&self, enabled: bool, from: Millis) -> bool {
        let until = |index: usize| self.0.get(index + 1).map_or(Millis(i64::MAX), |(at, _)| *at);
        self.0
            .iter()
            .enumerate()
            .any(|(index, (_, state))| *state == enabled && until(index) >= from)
    }
}

/// The isolate in which an administrator disables and enables alice.
struct Writer<'w> {
    isolate: Isolate<'w>,
    authorization: String,
    id: i64,
}

impl<'w> Writer<'w> {
    fn new(world: &'w World) -> Self {
        world.shared.works.set(true);
        // The administrator's token is valid for as long as all histories take.
        let isolate = world.isolate_with(&[("TOKEN_TTL_S", Some("31536000"))]);
        isolate.register(&json!({ "expire": 86_400 }));
        let account = json!({ "username": "admin", "password": crate::support::ADMIN_PASSWORD });
        let path = "/imanager/cloud/security/tokens.json";
        let authorization = format!(
            "Bearer {}",
            isolate.send(&Request::new("POST", path).body(&account.to_string())).body
        );
        isolate.verify(&isolate.token("alice"));
        let id = id_of(&isolate, "alice");
        Self { isolate, authorization, id }
    }
}

struct History<'w> {
    writer: &'w Writer<'w>,
    isolates: Vec<Isolate<'w>>,
    truth: Truth,
    token: String,
    staleness_s: i64,
    answers: [u32; 3],
}

impl<'w> History<'w> {
    fn new(writer: &'w Writer<'w>, staleness: &str) -> Self {
        let world = writer.isolate.world;
        let mut history = Self {
            writer,
            isolates: (0..3)
                .map(|_| world.isolate_with(&[("STALENESS_S", Some(staleness))]))
                .collect(),
            truth: Truth(vec![(Millis(0), true)]),
            token: writer.isolate.signed(
                "abcd",
                &json!({ "loginname": "alice", "exp": world.now.get().seconds() + 86_000 }),
            ),
            staleness_s: staleness.parse().expect("seconds"),
            answers: [0; 3],
        };
        history.write(true);
        history
    }

    fn world(&self) -> &'w World {
        self.writer.isolate.world
    }

    /// An administrator changes alice, after D1 has recovered if it did not answer.
    fn write(&mut self, enabled: bool) {
        let Writer { isolate, authorization, id } = self.writer;
        self.world().database.takes.set([Millis(0); 2]);
        self.world().pass(3);
        let body = json!({ "enabled": enabled }).to_string();
        let request = Request::new("PATCH", &format!("/v1/users/{id}"))
            .authorization(authorization)
            .body(&body);
        if isolate.send(&request).status == 503 {
            // Its own reading of the feed is still stalled.
            self.world().pass(26);
            assert_eq!(isolate.send(&request).status, 200);
        }
        self.truth.0.push((self.world().now.get(), enabled));
    }

    /// Alice sends her token to an isolate. The answer must have been right within the bound, or at
    /// the age that it states.
    fn verify(&mut self, isolate: usize, story: &dyn Fn() -> String) {
        let asked_at = self.world().now.get();
        let request =
            Request::new("GET", "/v1/verify").authorization(&format!("Bearer {}", self.token));
        let response = self.isolates[isolate].send(&request);
        let stale_s = response
            .header("x-postern-stale")
            .map(|text| text.parse::<i64>().expect("seconds") + 1);
        let bound = Millis::from_seconds(stale_s.unwrap_or(self.staleness_s + 2));
        let enabled = match response.status {
            200 => true,
            403 => false,
            503 => {
                self.answers[2] += 1;
                return;
            }
            other => panic!("{other}: {}", story()),
        };
        self.answers[usize::from(enabled)] += 1;
        let from = asked_at - bound;
        assert!(
            self.truth.was(enabled, from),
            "alice was answered as enabled={enabled} at {asked_at:?}: {:?}\n{}",
            self.truth.0,
            story()
        );
    }
}

const DEEDS: [&str; 5] = ["write", "here", "there", "6 s", "behind"];

/// Two isolates with a shared cache and a set clock: each order of these deeds.
#[test]
fn no_order_of_writes_readings_and_expiries_makes_an_answer_older_than_the_bound() {
    let world = World::new();
    let writer = Writer::new(&world);
    let mut told = [0; 3];
    for number in 0..5_u32.pow(5) {
        let deeds: Vec<usize> =
            (0..5).map(|digit| (number / 5_u32.pow(digit)) as usize % 5).collect();
        let is_of_interest = [1, 2, 4].iter().all(|deed| deeds.contains(deed));
        if !is_of_interest || deeds.windows(2).any(|pair| pair[0] == pair[1] && pair[0] != 3) {
            continue;
        }
        world.shared.entries.borrow_mut().clear();
        let mut history = History::new(&writer, "10");
        for isolate in 0..2 {
            history.verify(isolate, &|| "at first".to_owned());
            world.run_tasks();
        }
        history.write(false);
        let mut enabled = false;
        for deed in &deeds {
            let story = || deeds.iter().map(|deed| DEEDS[*deed]).collect::<Vec<_>>().join(", ");
            match deed {
                0 => {
                    enabled = !enabled;
                    history.write(enabled);
                }
                1 => history.verify(0, &story),
                2 => history.verify(1, &story),
                3 => world.pass(6),
                _ => world.run_tasks(),
            }
        }
        world.run_tasks();
        told = [0, 1, 2].map(|of| told[of] + history.answers[of]);
    }
    assert!(told[0] > 20 && told[1] > 1_000 && told[2] == 0, "both kinds of answers: {told:?}");
}

/// D1 stalls, fails and lags; the cache loses entries and returns old ones; isolates start and end.
#[test]
fn whatever_d1_and_the_cache_do_no_answer_is_older_than_it_may_be_or_says() {
    let histories =
        std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let world = World::new();
    let writer = Writer::new(&world);
    let mut told = [0; 3];
    for seed in 0..histories {
        let mut numbers = Numbers(seed);
        let staleness = ["2", "10", "60"][numbers.below(3)];
        world.database.takes.set([Millis(0); 2]);
        world.database.answers.set(true);
        world.shared.entries.borrow_mut().clear();
        let mut history = History::new(&writer, staleness);
        let mut past: Vec<Entries> = Vec::new();
        let mut story = vec![format!("seed {seed}, STALENESS_S {staleness}")];
        for _ in 0..25 {
            let deed = numbers.below(20);
            story.push(format!("{deed} at {:?}", world.now.get()));
            let told = story.clone();
            match deed {
                0..=7 => history.verify(numbers.below(3), &|| told.join("\n")),
                8 | 9 => {
                    world.database.answers.set(true);
                    history.write(numbers.below(2) == 0);
                }
                10 => world.pass(i64::try_from(numbers.below(8)).expect("seconds")),
                11 => world.pass(i64::try_from(numbers.below(80)).expect("seconds")),
                12 | 13 => world.run_tasks(),
                14 => {
                    let takes = [0, 100, 1_400, 1_600, 10_000, 60_000].map(Millis);
                    world.database.takes.set([takes[numbers.below(6)], takes[numbers.below(6)]]);
                }
                15 => world.database.answers.set(numbers.below(2) == 0),
                16 => {
                    history.isolates[numbers.below(3)] =
                        world.isolate_with(&[("STALENESS_S", Some(staleness))]);
                }
                17 => past.push(world.shared.entries.borrow().clone()),
                18 => {
                    // An old entry comes back, with any expiry.
                    if let Some(old) = past.get(numbers.below(past.len().max(1))) {
                        let forever =
                            |(text, _): &(String, Millis)| (text.clone(), Millis(i64::MAX));
                        let old = old
                            .iter()
                            .filter(|_| numbers.below(2) == 0)
                            .map(|(name, entry)| (name.clone(), forever(entry)));
                        world.shared.entries.borrow_mut().extend(old.collect::<Vec<_>>());
                    }
                }
                _ => world.shared.entries.borrow_mut().retain(|_, _| numbers.below(2) == 0),
            }
        }
        world.database.takes.set([Millis(0); 2]);
        world.database.answers.set(true);
        world.run_tasks();
        world.pass(3);
        for isolate in 0..3 {
            world.pass(history.staleness_s + 1);
            let told = story.clone();
            history.verify(isolate, &|| told.join("\n"));
        }
        told = [0, 1, 2].map(|of| told[of] + history.answers[of]);
    }
    assert!(told.iter().all(|count| *count > 50), "all kinds of answers: {told:?}");
}

#[test]
fn health_tells_the_bound_and_what_an_isolate_has_seen_of_the_cache() {
    for (works, word) in [(true, "works"), (false, "inert")] {
        let world = World::new();
        world.shared.works.set(works);
        let isolate = world.isolate_with(&[("STALENESS_S", Some("4"))]);
        isolate.register(&json!({}));
        let token = isolate.token("alice");
        let told = || {
            let health = json_of(&isolate.get("/health", ""));
            (health["stalenessS"].clone(), health["sharedCache"].clone())
        };
        assert_eq!(told(), (json!(4), json!("unknown")));
        for _ in 0..5 {
            world.pass(3);
            assert_eq!(isolate.verify(&token).0, 200);
            world.run_tasks();
        }
        assert_eq!(told(), (json!(4), json!(word)));
    }
}

/// The platform's cache keeps nothing for `workers.dev`. People may reach the same isolates there,
/// and a wildcard route lets them name any host.
#[test]
fn a_host_whose_entries_are_lost_does_not_end_sharing_at_another() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    seen_here(&world, &token);
    let isolate = world.isolate();
    let elsewhere = || {
        let request = Request::new("GET", "/v1/verify")
            .authorization(&format!("Bearer {token}"))
            .header("host", "x.workers.dev");
        assert_eq!(isolate.send(&request).status, 200);
        world.run_tasks();
        world.shared.entries.borrow_mut().retain(|name, _| !name.starts_with("x.workers.dev"));
    };
    for _ in 0..8 {
        world.pass(6);
        elsewhere();
    }
    world.pass(11);
    let other = world.isolate();
    other.verify(&token);
    world.run_tasks();
    assert_eq!(
        cost(&world, || assert_eq!(isolate.verify(&token).0, 200)),
        (0, 1),
        "the window of the usual host"
    );
    world.run_tasks();
}

#[test]
fn a_reading_for_one_host_does_not_keep_the_window_from_another() {
    let world = World::new();
    let writer = shared(&world);
    let (token, bob) = (writer.token("alice"), writer.token("bob"));
    writer.verify(&bob);
    seen_here(&world, &token);
    let (isolate, other) = (world.isolate(), world.isolate());
    for isolate in [&isolate, &other] {
        isolate.verify(&token);
        world.run_tasks();
    }
    world.pass(11);
    let made_up = Request::new("GET", "/v1/verify")
        .authorization(&format!("Bearer {token}"))
        .header("host", "made-up.example");
    assert_eq!(isolate.send(&made_up).status, 200);
    world.run_tasks();
    // A user who was not seen here is read from D1, and the window of that reading is new at this
    // host.
    isolate.verify(&bob);
    world.run_tasks();
    assert_eq!(cost(&world, || assert_eq!(other.verify(&token).0, 200)).0, 0);
}

/// Turns last for 10 s here, and a request that waits for its turn began that much earlier.
#[test]
fn isolates_also_take_turns_where_turns_are_longer_than_clocks_differ() {
    let world = World::new();
    let writer = shared(&world);
    let token = writer.token("alice");
    let isolate = || world.isolate_with(&[("STALENESS_S", Some("60"))]);
    isolate().verify(&token);
    world.run_tasks();
    let isolates: Vec<_> = (0..30).map(|_| isolate()).collect();
    for isolate in &isolates {
        isolate.verify(&token);
        world.run_tasks();
    }
    world.pass(31);
    let (early, late) = isolates.split_at(10);
    for isolate in early {
        assert_eq!(isolate.verify(&token).0, 200);
    }
    let waiting = std::mem::take(&mut *world.tasks.0.borrow_mut());
    world.pass(5);
    let read = cost(&world, || {
        for isolate in late {
            assert_eq!(isolate.verify(&token).0, 200);
            world.run_tasks();
        }
        crate::support::all_at_once(waiting);
    });
    assert_eq!(read.0, 1, "of 30");
}

#[test]
fn the_use_of_a_key_is_noted_once_a_day_however_many_isolates_find_it_shared() {
    let world = World::new();
    let writer = shared(&world);
    let key = writer.administer("POST", "/v1/keys", &json!({ "name": "k", "may": ["decisions"] }));
    let key = json_of(&key)["key"].as_str().expect("a key").to_owned();
    let ask = |isolate: &Isolate<'_>| {
        isolate.get("/v1/check?service=7&permission=VIEW&user=5", &format!("Bearer {key}")).status
    };
    for day in 0..2 {
        for number in 0..4 {
            let isolate = world.isolate();
            let read = cost(&world, || {
                assert_eq!(ask(&isolate), 200);
                world.run_tasks();
            });
            assert!(number < 2 || read.0 == 0, "day {day}, isolate {number}: {}", read.0);
        }
        // Another isolate renews the window. Entries are kept for a day.
        world.pass(80_000);
        writer.verify(&writer.token("alice"));
        world.run_tasks();
    }
}
