//! How long memory is used, how many round trips a verification costs, and what happens while D1 or
//! KV does not answer.

use std::rc::Rc;

use postern::api::http::message::Response;
use postern::domain::feed::{Change, ChangeKind};
use postern::domain::identity::user::UserId;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::keys::Keys;
use postern::domain::tokens::policy::Policy;
use postern::domain::tokens::token_app::{
    AppName, ClaimNames, Selection, TokenApp, TokenAppTerms, TokenName,
};
use postern::memory::feed::Reading;
use postern::memory::isolate::Memory;
use serde_json::{Value, json};

use crate::support::{
    Isolate, Request, START, World, admin, all_at_once, basic, block_on, json_of,
};

fn erp(world: &World) -> Isolate<'_> {
    let isolate = world.isolate();
    isolate.register(&json!({}));
    isolate
}

/// How many batches and KV calls the deed costs.
fn cost(world: &World, deed: impl FnOnce()) -> (u32, u32) {
    let before = (world.database.batches.get(), world.kv.calls.get());
    deed();
    (world.database.batches.get() - before.0, world.kv.calls.get() - before.1)
}

fn set_enabled(isolate: &Isolate<'_>, enabled: &str) {
    isolate.register(&json!({ "enable": enabled }));
}

fn user_id(isolate: &Isolate<'_>, username: &str) -> i64 {
    let response =
        isolate.administer("GET", &format!("/v1/users?username={username}"), &Value::Null);
    json_of(&response)["items"][0]["id"].as_i64().expect("an id")
}

fn opaque(isolate: &Isolate<'_>, username: &str, password: &str) -> String {
    let body = json!({ "username": username, "password": password }).to_string();
    let response =
        isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens.json").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

#[test]
fn a_warm_verification_does_no_io_and_a_cold_one_one_round_trip() {
    let world = World::new();
    let first = erp(&world);
    let token = first.token("alice");
    assert_eq!(first.verify(&token).0, 200);
    assert_eq!(cost(&world, || assert_eq!(first.verify(&token).0, 200)), (0, 0));

    let cold = world.isolate();
    assert_eq!(cost(&world, || assert_eq!(cold.verify(&token).0, 200)), (1, 0));
    assert_eq!(cost(&world, || assert_eq!(cold.verify(&token).0, 200)), (0, 0));
    let by_parameter = world.isolate();
    let path = format!("/v1/verify?token={token}");
    assert_eq!(cost(&world, || assert_eq!(by_parameter.get(&path, "").status, 200)), (1, 0));
    assert_eq!(cost(&world, || assert_eq!(by_parameter.get(&path, "").status, 200)), (0, 0));

    let opaque = opaque(&first, "admin", crate::support::ADMIN_PASSWORD);
    let cold = world.isolate();
    assert_eq!(cost(&world, || assert_eq!(cold.verify(&opaque).0, 200)), (1, 0));
    assert_eq!(cost(&world, || assert_eq!(cold.verify(&opaque).0, 200)), (0, 0));
}

#[test]
fn a_forged_token_costs_a_warm_isolate_no_io() {
    let world = World::new();
    let isolate = erp(&world);
    let (text, _) = isolate
        .token("alice")
        .rsplit_once('.')
        .map(|(text, end)| (text.to_owned(), end.to_owned()))
        .expect("dots");
    let forged = format!("{text}.{}", "A".repeat(43));
    assert_eq!(
        cost(&world, || assert_eq!(isolate.verify(&forged), (401, "bad_signature".to_owned()))),
        (0, 0)
    );
}

#[test]
fn memory_ages_from_fresh_to_read_behind_to_read_first() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    world.pass(5);
    assert_eq!(cost(&world, || drop(isolate.verify(&token))), (0, 0), "fresh");
    world.run_tasks();
    world.pass(1);
    assert_eq!(
        cost(&world, || drop(isolate.verify(&token))),
        (0, 0),
        "aging: nothing before the answer"
    );
    assert_eq!(cost(&world, || world.run_tasks()), (1, 0), "one reading behind it");
    assert_eq!(
        cost(&world, || drop((isolate.verify(&token), world.run_tasks()))),
        (0, 0),
        "fresh again"
    );
    world.pass(11);
    assert_eq!(cost(&world, || drop(isolate.verify(&token))), (1, 0), "expired: read first");
}

#[test]
fn disabling_an_app_is_in_force_at_once_here_and_within_ten_seconds_elsewhere() {
    let world = World::new();
    let here = erp(&world);
    let there = world.isolate();
    let token = here.token("alice");
    assert_eq!((here.verify(&token).0, there.verify(&token).0), (200, 200));

    set_enabled(&here, "0");
    assert_eq!(here.verify(&token), (401, "no_app".to_owned()), "at once");
    assert_eq!(there.verify(&token).0, 200, "memory is fresh there");
    world.pass(10);
    // The answer may still be the old one, but the feed is read in the background.
    assert_eq!(there.verify(&token).0, 200);
    world.run_tasks();
    assert_eq!(there.verify(&token), (401, "no_app".to_owned()));

    set_enabled(&here, "1");
    assert_eq!(here.verify(&token).0, 200);
    world.pass(11);
    assert_eq!(there.verify(&token).0, 200, "longer ago, the feed is read first");
}

#[test]
fn whatever_kills_a_credential_is_in_force_elsewhere_within_ten_seconds() {
    let world = World::new();
    let here = erp(&world);
    let there = world.isolate();
    let token = here.token("alice");
    here.verify(&token);
    let id = user_id(&here, "alice");
    here.administer(
        "PUT",
        &format!("/v1/users/{id}/password"),
        &json!({ "password": "correct horse" }),
    );
    let opaque = opaque(&here, "alice", "correct horse");
    let basic = crate::support::basic("alice", "correct horse");
    let all = |isolate: &Isolate<'_>| {
        let statuses = [
            isolate.verify(&token).0,
            isolate.verify(&opaque).0,
            isolate.get("/v1/verify", &basic).status,
        ];
        world.run_tasks();
        statuses
    };
    assert_eq!((all(&here), all(&there)), ([200; 3], [200; 3]));

    here.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": false }));
    assert_eq!(all(&here), [403, 401, 403], "at once");
    world.pass(11);
    assert_eq!(all(&there), [403, 401, 403]);
    here.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": true }));
    world.pass(11);
    assert_eq!(
        (all(&here), all(&there)),
        ([200, 401, 200], [200, 401, 200]),
        "an opaque token is over for good"
    );
    let opaque = self::opaque(&here, "alice", "correct horse");
    let all = |isolate: &Isolate<'_>| {
        let statuses = [
            isolate.verify(&token).0,
            isolate.verify(&opaque).0,
            isolate.get("/v1/verify", &basic).status,
        ];
        world.run_tasks();
        statuses
    };
    assert_eq!((all(&here), all(&there)), ([200; 3], [200; 3]));

    here.administer("DELETE", &format!("/v1/users/{id}/tokens"), &Value::Null);
    assert_eq!(all(&here), [401, 401, 200]);
    world.pass(11);
    assert_eq!(all(&there), [401, 401, 200]);

    let mut claims = here.claims("alice");
    claims.insert("iat".to_owned(), world.now.get().seconds().into());
    // Without `iat`, the token would be refused until the app's `expire` has passed.
    let token = crate::support::forge(
        r#"{"alg":"HS256","typ":"JWT"}"#,
        &Value::Object(claims).to_string(),
        b"abcd",
    );
    let opaque = self::opaque(&here, "alice", "correct horse");
    let all = |isolate: &Isolate<'_>| {
        let statuses = [
            isolate.verify(&token).0,
            isolate.verify(&opaque).0,
            isolate.get("/v1/verify", &basic).status,
        ];
        world.run_tasks();
        statuses
    };
    assert_eq!((all(&here), all(&there)), ([200; 3], [200; 3]));
    here.administer(
        "PUT",
        &format!("/v1/users/{id}/password"),
        &json!({ "password": "another horse" }),
    );
    assert_eq!(all(&here), [200, 401, 401], "a new password ends no token of an app");
    world.pass(11);
    assert_eq!(all(&there), [200, 401, 401]);
}

#[test]
fn a_token_of_a_deleted_user_makes_a_new_one_only_where_an_administrator_and_the_app_say_so() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    let id = user_id(&isolate, "alice");
    isolate.administer("DELETE", &format!("/v1/users/{id}"), &Value::Null);
    assert_eq!(isolate.verify(&token), (403, "user_deleted".to_owned()));
    isolate.register(&json!({ "inituser": "0" }));
    isolate.administer("DELETE", "/v1/tombstones/alice", &Value::Null);
    assert_eq!(isolate.verify(&token), (403, "user_unknown".to_owned()));
    isolate.register(&json!({ "inituser": "1" }));
    assert_eq!(isolate.verify(&token), (401, "revoked".to_owned()), "it is the deleted user's");
    world.pass(1);
    let now = world.now.get().seconds();
    let token =
        isolate.signed("abcd", &json!({ "loginname": "alice", "iat": now, "exp": now + 600 }));
    assert_eq!(isolate.verify(&token), (200, "alice".to_owned()));
    assert!(user_id(&isolate, "alice") > id, "an id is never given twice");
}

#[test]
fn a_bookmark_makes_a_read_see_the_write_past_all_caches() {
    let world = World::new();
    let here = erp(&world);
    let there = world.isolate();
    let token = here.token("alice");
    there.verify(&token);
    let write = here.administer(
        "POST",
        "/plugin/datafor-modeler/api/token/delete",
        &json!({ "name": "ERP" }),
    );
    let bookmark = write.header("x-postern-bookmark").expect("a bookmark").to_owned();
    assert_eq!(there.verify(&token).0, 200, "memory is fresh");
    let request = Request::new("GET", "/v1/verify")
        .authorization(&format!("Bearer {token}"))
        .header("x-postern-bookmark", &bookmark);
    assert_eq!(there.send(&request).status, 401);
}

#[test]
fn a_bookmark_that_postern_did_not_give_is_ignored_and_d1_not_asked() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    let write = isolate.administer("POST", "/v1/groups", &json!({ "name": "x" }));
    let given = write.header("x-postern-bookmark").expect("a bookmark").to_owned();
    let (of_d1, mark) = given.rsplit_once('.').expect("a mark");
    let before = world.database.batches.get();
    let made_up = [
        of_d1.to_owned(),
        format!("first-primary.{mark}"),
        format!("{given}x"),
        "first-unconstrained".to_owned(),
        "9".repeat(9_000),
    ];
    let bearer = format!("Bearer {token}");
    let with = |bookmark: &str| {
        Request::new("GET", "/v1/verify")
            .authorization(&bearer)
            .header("x-postern-bookmark", bookmark)
    };
    for bookmark in &made_up {
        assert_eq!(isolate.send(&with(bookmark)).status, 200, "{bookmark}");
    }
    assert_eq!(world.database.batches.get(), before);
    assert_eq!(isolate.send(&with(&given)).status, 200);
    assert_eq!(world.database.batches.get(), before + 1);
}

#[test]
fn a_gap_in_the_feed_empties_memory() {
    let world = World::new();
    let here = erp(&world);
    let there = world.isolate();
    let token = here.token("alice");
    there.verify(&token);
    set_enabled(&here, "0");
    world.pass(2 * 3600);
    block_on(postern::actions::housekeeping::run(&here.cx())).expect("the scheduled event");
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM changes"),
        1,
        "pruned but for the newest"
    );
    set_enabled(&here, "0");
    let fresh = here.token("alice");
    assert_eq!(there.verify(&fresh), (401, "no_app".to_owned()));
}

#[test]
fn an_app_beyond_the_thousand_that_memory_holds_is_found_by_name() {
    let world = World::new();
    let isolate = erp(&world);
    let cx = isolate.cx();
    let insert = "INSERT INTO token_apps SELECT 'App ' || value, 'p' || value, secret,
        secret_key_id, expire_s, claim_username, claim_name, claim_email, algorithm, enabled,
        creates_users, initial_roles, initial_password, creator_id, created_at, modified_at, policy
        FROM token_apps, json_each((SELECT '[' || group_concat(n) || ']' FROM (
          WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1100)
          SELECT n FROM c)))
        WHERE name = 'ERP'";
    block_on(cx.sql.batch(vec![postern::ports::Statement::new(insert, [])])).expect("1,100 apps");
    let cold = world.isolate();
    let token = cold.token("alice");
    assert_eq!(cold.get(&format!("/v1/verify?token={token}"), "").status, 200);
    assert_eq!(
        cost(&world, || assert_eq!(cold.get(&format!("/v1/verify?token={token}"), "").status, 200)),
        (0, 0)
    );
    assert_eq!(cold.verify(&token), (400, String::new()), "more than 64 candidates");
    set_enabled(&isolate, "0");
    world.pass(11);
    assert_eq!(cold.get(&format!("/v1/verify?token={token}"), "").status, 401);
    assert_eq!(world.isolate().get(&format!("/v1/verify?token={token}"), "").status, 401);
}

#[test]
fn without_d1_known_tokens_verify_from_copies_until_they_are_too_old() {
    let world = World::new();
    let writer = erp(&world);
    let token = writer.token("alice");
    writer.verify(&token);
    block_on(postern::actions::housekeeping::run(&writer.cx())).expect("the scheduled event");
    let warm = world.isolate();
    warm.verify(&token);
    world.database.answers.set(false);

    let cold = world.isolate();
    assert_eq!(cold.verify(&token), (200, "alice".to_owned()), "from the snapshot");
    world.pass(60);
    assert_eq!(warm.verify(&warm.token("alice")), (200, "alice".to_owned()), "from memory");
    assert_eq!(cold.verify(&cold.token("nobody")).0, 503, "an unknown user cannot be created");
    let forged = format!("{}A", &token[..token.len() - 1]);
    assert_ne!(cold.verify(&forged).0, 200);
    let token_of_the_day = cold.token("alice");
    let update = json!({ "name": "ERP" }).to_string();
    let write = |isolate: &Isolate<'_>| {
        let request = Request::new("POST", "/plugin/datafor-modeler/api/token/delete")
            .authorization(&admin())
            .body(&update);
        isolate.send(&request)
    };
    assert_eq!(write(&cold).status, 503, "writes are refused");
    let health = cold.get("/health", "");
    assert_eq!(
        (health.status, json_of(&health)["d1"].clone()),
        (200, json!("down")),
        "{}",
        health.body
    );

    world.pass(900);
    assert_eq!(cold.verify(&token_of_the_day).0, 503, "it fails closed");
    assert_eq!(warm.verify(&token_of_the_day).0, 503);
    assert_eq!(cold.get("/health", "").status, 503);
    world.database.answers.set(true);
    world.pass(10);
    assert_eq!(cold.verify(&cold.token("alice")).0, 200, "and recovers");
}

#[test]
fn without_d1_the_snapshot_never_overrules_what_memory_knows() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    block_on(postern::actions::housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.pass(1);
    let id = user_id(&isolate, "alice");
    isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": false }));
    world.database.answers.set(false);
    world.pass(11);
    assert_ne!(isolate.verify(&token).0, 200, "the snapshot still says enabled");
    world.database.answers.set(true);
    world.pass(11);
    isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": true }));
    set_enabled(&isolate, "0");
    world.database.answers.set(false);
    world.pass(11);
    assert_ne!(isolate.verify(&token).0, 200, "the snapshot still has the app");
}

#[test]
fn without_kv_nothing_changes_for_callers() {
    let world = World::new();
    world.kv.fails.set(true);
    let isolate = erp(&world);
    let token = isolate.token("alice");
    assert_eq!(isolate.verify(&token).0, 200);
    assert_eq!(world.isolate().verify(&token).0, 200);
    set_enabled(&isolate, "0");
    assert_eq!(isolate.verify(&token).0, 401);
    let health = isolate.get("/health", "");
    assert_eq!((health.status, json_of(&health)["status"].clone()), (200, json!("degraded")));
    assert!(
        block_on(postern::actions::housekeeping::run(&isolate.cx())).is_err(),
        "the log says that the snapshot was not written"
    );
    assert!(world.log.0.borrow().iter().any(|line| line.contains("KV does not answer")));
}

/// A write whose answer is lost may have taken effect, so memory must not be used after it.
#[test]
fn after_a_write_of_unknown_outcome_the_feed_is_read_first() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    world.database.loses_answers.set(true);
    let response = isolate.administer(
        "POST",
        "/plugin/datafor-modeler/api/token/delete",
        &json!({ "name": "ERP" }),
    );
    assert_eq!(response.status, 503);
    world.database.loses_answers.set(false);
    world.pass(3);
    assert_eq!(isolate.verify(&token), (401, "no_app".to_owned()));
}

#[test]
fn fifty_first_sign_ins_at_once_make_one_user() {
    let world = World::new();
    let first = erp(&world);
    let others = [world.isolate(), world.isolate(), world.isolate()];
    let request = Request::new("GET", "/v1/verify")
        .authorization(&format!("Bearer {}", first.token("alice")));
    let futures = (0..50).map(|number| {
        let request = &request;
        let isolate = &others[number % others.len()];
        Box::pin(async move { isolate.answer(request).await }) as postern::ports::LocalFuture<'_, _>
    });
    let answers: Vec<Response> = all_at_once(futures.collect());
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM users WHERE username = 'alice'"), 1);
    let events =
        "SELECT COUNT(*) FROM audit_events WHERE action = 'user.create' AND target = 'alice'";
    assert_eq!(world.database.number(events), 1, "and one event");
}

#[test]
fn a_reading_that_was_overtaken_changes_nothing() {
    let selection =
        Selection { algorithm: Algorithm::Hs256, token_name: None, app: None, issuer: None };
    let app = Rc::new(TokenApp {
        name: AppName::parse("ERP").expect("a name"),
        terms: TokenAppTerms {
            token_name: TokenName::default(),
            algorithm: Algorithm::Hs256,
            expire_s: 1,
            claims: ClaimNames {
                username: String::new(),
                name: String::new(),
                email: String::new(),
            },
            enabled: true,
            creates_users: false,
            initial_roles: Vec::new(),
            policy: Policy::default(),
        },
        secret: None,
        keys: Keys::None,
        initial_password: None,
        creator_id: UserId(1),
        created_at: START,
        modified_at: START,
    });
    let change = |revision| Change {
        kind: ChangeKind::TokenApp,
        key: "ERP".to_owned(),
        revision,
        at: START,
    };
    let trust = Memory::default();
    trust.take_in(
        &Reading { head: 3, oldest: 1, apps: vec![Rc::clone(&app)], ..Reading::default() },
        START,
    );
    assert_eq!(trust.candidates(&selection).map(|apps| apps.len()), Some(1));
    // The app is disabled at revision 5. A reading at revision 4, when it was enabled, arrives
    // later.
    let newer = Reading {
        head: 5,
        oldest: 1,
        since: Some(3),
        changes: vec![change(4), change(5)],
        ..Reading::default()
    };
    let older = Reading {
        head: 4,
        oldest: 1,
        since: Some(3),
        changes: vec![change(4)],
        apps: vec![app],
        ..Reading::default()
    };
    trust.take_in(&newer, START);
    trust.take_in(&older, START);
    assert_eq!(trust.candidates(&selection).map(|apps| apps.len()), Some(0));
    assert_eq!(trust.revision(), Some(5));
}

/// Like D1's Time Travel: what was written since has revisions that isolates have read already.
#[test]
fn a_database_that_was_set_back_empties_memory_also_where_it_was_written_since() {
    let world = World::new();
    let (here, there) = (erp(&world), world.isolate());
    let mallory = json!({ "username": "mallory", "password": "correct horse mallory" });
    assert_eq!(here.administer("POST", "/v1/users", &mallory).status, 201);
    let head = world.database.number("SELECT MAX(revision) FROM changes");
    let raise = json!({ "type": "Administrator" });
    assert_eq!(
        here.administer("PATCH", &format!("/v1/users/{}", user_id(&here, "mallory")), &raise)
            .status,
        200
    );
    let lists = |isolate: &Isolate<'_>| {
        isolate.get("/v1/users", &basic("mallory", "correct horse mallory")).status
    };
    assert_eq!([lists(&here), lists(&there)], [200, 200]);
    world.database.execute(&format!(
        "UPDATE users SET type = 'SYS_Reader' WHERE username = 'mallory';
         DELETE FROM changes WHERE revision > {head};
         UPDATE sqlite_sequence SET seq = {head} WHERE name = 'changes'"
    ));
    for written in 0..3 {
        world.pass(4);
        assert_eq!(
            world
                .isolate()
                .administer("POST", "/v1/users", &json!({ "username": format!("new{written}") }))
                .status,
            201
        );
    }
    assert_eq!([lists(&here), lists(&there)], [403, 403]);
}

/// A reading that began before a write must not restore what the write has evicted.
#[test]
fn a_slow_reading_never_overwrites_a_newer_revision() {
    let world = World::new();
    let isolate = erp(&world);
    let token = isolate.token("alice");
    isolate.verify(&token);
    world.pass(11);
    let verify = Request::new("GET", "/v1/verify").authorization(&format!("Bearer {token}"));
    let mut body = json!({
        "name": "ERP", "secret": "abcd", "expire": 86_400,
        "fieldmap": { "username": "loginname", "name": "name", "email": "email" },
        "algorithm": "HS256", "enable": "0", "inituser": "1", "initroles": [],
    });
    for enabled in ["0", "1", "0"] {
        body["enable"] = json!(enabled);
        let write = Request::new("POST", "/plugin/datafor-modeler/api/token/update")
            .authorization(&admin())
            .body(&body.to_string());
        let mut futures: Vec<postern::ports::LocalFuture<'_, _>> = Vec::new();
        for _ in 0..5 {
            futures.push(Box::pin(isolate.answer(&verify)));
        }
        futures.push(Box::pin(isolate.answer(&write)));
        for _ in 0..5 {
            futures.push(Box::pin(isolate.answer(&verify)));
        }
        let answers = all_at_once(futures);
        assert_eq!(answers[5].status, 200, "{}", answers[5].body);
        let expected = if enabled == "1" { 200 } else { 401 };
        assert_eq!(isolate.verify(&token).0, expected);
        world.pass(11);
        assert_eq!(isolate.verify(&token).0, expected);
    }
}
