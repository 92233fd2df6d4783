//! A revoked token is refused everywhere: on each path, in each spelling, in each isolate after the
//! bound, and while D1 does not answer.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::actions::housekeeping;
use postern::api::http::message::Inbound as _;
use postern::api::http::route::{Access, BesideHeaders};
use postern::domain::feed::Place;
use postern::domain::secret::HashedToken;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::revocation::RevocationKey;
use postern::memory::feed::MAX_CHANGES;
use postern::memory::revocations::KEPT_ALL;
use postern::store::revocations;
use serde_json::{Value, json};

use crate::revocations::{revoked, token_with};
use crate::routes::{filled, routes};
use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, admin, block_on, json_of};

/// How many batches and KV calls the deed costs.
fn cost(world: &World, deed: impl FnOnce()) -> (u32, u32) {
    let before = (world.database.batches.get(), world.kv.calls.get());
    deed();
    (world.database.batches.get() - before.0, world.kv.calls.get() - before.1)
}

fn is_revoked(isolate: &Isolate<'_>, token: &str) {
    assert_eq!(isolate.verify(token), (401, "revoked".to_owned()));
}

/// A request for each way to send a token to each route, and to the gateway.
fn ways_to_show(token: &str) -> Vec<Request> {
    let bearer = format!("Bearer {token}");
    let mut ways = Vec::new();
    for (dialect, route) in routes().filter(|(_, route)| route.access != Access::Public) {
        for path in route.paths.iter().map(|path| filled(path)) {
            let is_question = path == "/v1/check";
            let path = if is_question { format!("{path}?service=1&permission=VIEW") } else { path };
            let get = |path: &str| {
                let request = Request::new(route.method, path).header("x-forwarded-method", "GET");
                if path.starts_with("/v1/forward-auth") {
                    request.header("x-forwarded-uri", "/page")
                } else {
                    request
                }
            };
            ways.push(get(&path).authorization(&bearer));
            ways.push(get(&path).authorization(&bearer.replace("Bearer", "bearer ")));
            if dialect.beside_headers == BesideHeaders::Parameters {
                ways.push(get(&format!("{path}?token={token}")));
            }
            if path.starts_with("/v1/forward-auth") {
                let url = format!("/page?token={token}");
                ways.push(
                    Request::new(route.method, &path)
                        .header("x-forwarded-uri", &url)
                        .header("x-forwarded-method", "GET"),
                );
            }
        }
    }
    ways.push(Request::new("GET", &format!("/v1/verify?token={token}")));
    ways.push(Request::new("GET", &format!("/v1/verify?token={token}&app=ERP")));
    ways.push(Request::new("GET", &format!("/v1/check?service=1&permission=VIEW&token={token}")));
    ways.push(Request::new("POST", "/v1/verify").body(&json!({ "token": token }).to_string()));
    for method in ["GET", "HEAD", "POST"] {
        ways.push(Request::new(method, "/page").authorization(&bearer));
        ways.push(Request::new(method, &format!("/page?token={token}")));
    }
    ways.push(Request::new("GET", "/page").authorization(&bearer).header("upgrade", "websocket"));
    ways
}

#[test]
fn no_route_and_no_way_to_show_it_lets_a_revoked_token_pass() {
    let world = World::new();
    let origin = [
        ("ORIGIN_URL", Some("http://origin.test")),
        ("ORIGIN_RULES", Some(r#"[{"path":"/","methods":["GET"]}]"#)),
    ];
    let isolates = [&origin[..1], &origin[..1]].map(|variables| world.isolate_with(variables));
    let [here, there] = &isolates;
    here.register(&json!({ "speaks_for": "everybody", "initroles": ["Administrator"] }));
    let [token, sibling] =
        [1, 2].map(|number| token_with(here, &json!({ "n": number, "jti": format!("j{number}") })));
    for isolate in [here, there] {
        assert_eq!((isolate.verify(&token).0, isolate.verify(&sibling).0), (200, 200));
    }
    revoked(here, &token);
    world.pass(11);
    let cold = world.isolate_with(&origin[..1]);
    for isolate in [here, there, &cold] {
        for request in ways_to_show(&token) {
            let response = isolate.send(&request);
            let reason = response.header("x-postern-reason");
            assert_eq!(
                reason,
                Some("revoked"),
                "{request:?}: {} {}",
                response.status,
                response.body
            );
            assert!(world.passed.borrow().is_empty());
        }
    }
    assert!(ways_to_show(&token).len() > 150);
    // The same requests with another token of the same user are not refused as revoked.
    let fresh = world.isolate_with(&origin[..1]);
    for request in ways_to_show(&sibling) {
        let is_last = request.method() == "DELETE" || format!("{request:?}").contains("logout");
        if !is_last {
            let response = fresh.send(&request);
            assert_ne!(response.status, 401, "{request:?}: {}", response.body);
        }
    }
}

/// From an ECDSA signature (r, s), anybody can compute (r, n − s), which is valid, too.
fn other_signature(token: &str) -> String {
    let (text, signature) = token.rsplit_once('.').expect("two dots");
    let bytes = Base64UrlUnpadded::decode_vec(signature).expect("base64url");
    let signature = p256::ecdsa::Signature::from_slice(&bytes).expect("a signature");
    let (r, s) = signature.split_scalars();
    let other =
        p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).expect("a signature");
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&other.to_bytes()))
}

#[test]
fn no_spelling_of_a_revoked_token_passes() {
    for first in [false, true] {
        let world = World::new();
        let isolate = world.isolate();
        let issuer = Issuer::of(Algorithm::Es256);
        crate::key_registration::register(&isolate, Algorithm::Es256, &issuer.pem());
        let token =
            issuer.token(Algorithm::Es256, &json!({}), &Value::Object(isolate.claims("alice")));
        let (text, signature) = token.rsplit_once('.').expect("two dots");
        let again = format!(
            "{text}.{}",
            Base64UrlUnpadded::encode_string(&issuer.sign(Algorithm::Es256, text.as_bytes()))
        );
        let mirrored = other_signature(&token);
        assert_ne!(token, mirrored);
        for same in [&token, &mirrored, &again, &mirrored] {
            assert_eq!(isolate.verify(same).0, 200, "it verifies before");
        }
        revoked(&isolate, if first { &mirrored } else { &token });
        for isolate in [&isolate, &world.isolate()] {
            for same in [&token, &mirrored, &again] {
                is_revoked(isolate, same);
                is_revoked(isolate, same);
                is_revoked(isolate, &format!(" {same} "));
            }
            // Each part with another spelling of its bytes. None of these is a token at all.
            let [header, claims] = [0, 1].map(|part| text.split('.').nth(part).expect("a part"));
            let spelled = |part: &str| {
                let (begin, last) = part.split_at(part.len() - 1);
                let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let others = alphabet.chars().map(move |letter| format!("{begin}{letter}"));
                let padded = ["=", "==", "\n", " ", "%3D", "A"].map(|more| format!("{part}{more}"));
                let last = last.to_owned();
                others
                    .chain(padded)
                    .filter(move |other| !other.ends_with(&last) || other.len() > begin.len() + 1)
                    .collect::<Vec<_>>()
            };
            let mut spellings: Vec<_> = spelled(header)
                .iter()
                .map(|other| format!("{other}.{claims}.{signature}"))
                .collect();
            spellings.extend(
                spelled(claims).iter().map(|other| format!("{header}.{other}.{signature}")),
            );
            spellings.extend(spelled(signature).iter().map(|other| format!("{text}.{other}")));
            assert!(spellings.len() > 200);
            for other in spellings {
                assert_eq!(isolate.verify(&other).0, 401, "{other:?}");
            }
        }
    }
}

#[test]
fn a_revocation_is_in_force_at_once_here_and_within_ten_seconds_elsewhere() {
    let world = World::new();
    let (here, there, asleep) = (world.isolate(), world.isolate(), world.isolate());
    here.register(&json!({}));
    let token = token_with(&here, &json!({ "jti": "7" }));
    let other = token_with(&here, &json!({ "jti": "8" }));
    for isolate in [&here, &there, &asleep] {
        assert_eq!((isolate.verify(&token).0, isolate.verify(&other).0), (200, 200));
    }
    revoked(&here, &token);
    is_revoked(&here, &token);
    assert_eq!(there.verify(&token).0, 200, "memory is fresh there");
    world.pass(10);
    assert_eq!(
        cost(&world, || drop(there.verify(&token))),
        (0, 0),
        "the feed is read behind the answer"
    );
    world.run_tasks();
    assert_eq!(cost(&world, || is_revoked(&there, &token)), (0, 0));
    world.pass(1);
    assert_eq!(
        cost(&world, || is_revoked(&asleep, &token)),
        (1, 0),
        "longer ago, the feed is read first"
    );
    let body = json!({ "app": "ERP", "jti": "8" });
    let answer = here.administer("POST", "/v1/revocations", &body);
    let bookmark = answer.header("x-postern-bookmark").expect("a bookmark").to_owned();
    assert_eq!(there.verify(&other).0, 200);
    let request = Request::new("GET", "/v1/verify")
        .authorization(&format!("Bearer {other}"))
        .header("x-postern-bookmark", &bookmark);
    assert_eq!(
        there.send(&request).status,
        401,
        "with the bookmark of the revocation it is in force everywhere"
    );
    world.pass(11);
    is_revoked(&asleep, &other);
}

#[test]
fn with_all_revocations_in_memory_a_token_costs_no_further_look_at_d1() {
    let world = World::new();
    let first = world.isolate();
    first.register(&json!({}));
    many(&world, KEPT_ALL - 1);
    let (token, gone) =
        (token_with(&first, &json!({ "jti": "1" })), token_with(&first, &json!({ "jti": "2" })));
    first.verify(&token);
    revoked(&first, &gone);
    let cold = world.isolate();
    assert_eq!(
        cost(&world, || assert_eq!(cold.verify(&token).0, 200)),
        (1, 0),
        "a cold one is one round trip"
    );
    assert_eq!(cost(&world, || is_revoked(&cold, &gone)), (0, 0), "and brings all of them");
    assert_eq!(
        cost(&world, || assert_eq!(cold.verify(&token_with(&cold, &json!({ "jti": "3" }))).0, 200)),
        (0, 0),
        "a new one"
    );
    assert_eq!(cost(&world, || (0..10).for_each(|_| drop(cold.verify(&token)))), (0, 0));
    // A gap in the feed empties memory. The same batch reads all revocations again.
    world
        .database
        .execute("DELETE FROM changes WHERE revision < (SELECT MAX(revision) FROM changes)");
    world
        .database
        .execute("INSERT INTO changes (revision, kind, key, at) VALUES (9000, 'start', '', 0)");
    world.pass(11);
    assert_eq!(cost(&world, || is_revoked(&cold, &gone)), (1, 0));
}

/// Adds `count` revocations of other tokens.
fn many(world: &World, count: usize) {
    world.database.execute(&format!(
        "INSERT INTO revocations (kind, key, until, app, created_at)
         WITH RECURSIVE numbers(n) AS (
           SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}
         )
         SELECT 'token', printf('%064x', n), 4000000000000, 'ERP', 0 FROM numbers"
    ));
}

/// SQLite takes at least ten steps for each row that it reads.
#[test]
fn what_is_read_of_revocations_does_not_grow_with_them() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    many(&world, 4 * KEPT_ALL);
    let now = world.now.get();
    let [revision, at] = ["revision", "at"].map(|column| {
        world.database.number(&format!("SELECT {column} FROM changes ORDER BY revision DESC"))
    });
    let head = Some(Place { revision, at: Millis(at) });
    let limit = i64::try_from(KEPT_ALL).expect("small") + 1;
    let all = |since| {
        world.database.steps(&revocations::select_all_at_gap(since, MAX_CHANGES, limit, now))
    };
    assert!(all(head) < 200, "none where the feed has no gap: {}", all(head));
    let steps_a_row = all(None) / i32::try_from(limit).expect("small");
    assert!((5..20).contains(&steps_a_row), "at most the limit where it has one: {steps_a_row}");
    let keys: Vec<_> =
        (0..8u8).map(|number| RevocationKey::of_token(HashedToken::of(&[&[number]]))).collect();
    assert!(world.database.steps(&revocations::select_among(&keys)) < 1000);
    assert!(world.database.steps(&revocations::prune(now)) < 100);
    let page = world.database.steps(&revocations::select_page(Some(9000), 11));
    assert!(page < 500, "{page}");
}

#[test]
fn with_too_many_revocations_each_token_is_asked_about_once() {
    let world = World::new();
    let first = world.isolate();
    first.register(&json!({}));
    many(&world, KEPT_ALL);
    let (token, gone) =
        (token_with(&first, &json!({ "jti": "1" })), token_with(&first, &json!({ "jti": "2" })));
    let by_jti = token_with(&first, &json!({ "jti": "3" }));
    assert_eq!((first.verify(&token).0, first.verify(&by_jti).0), (200, 200));
    revoked(&first, &gone);
    assert_eq!(cost(&world, || is_revoked(&first, &gone)), (0, 0), "it came with the feed");
    assert_eq!(
        first.administer("POST", "/v1/revocations", &json!({ "app": "ERP", "jti": "3" })).status,
        204
    );
    is_revoked(&first, &by_jti);
    let cold = world.isolate();
    assert_eq!(cost(&world, || assert_eq!(cold.verify(&token).0, 200)), (2, 0));
    assert_eq!(cost(&world, || assert_eq!(cold.verify(&token).0, 200)), (0, 0));
    assert_eq!(cost(&world, || is_revoked(&cold, &gone)), (1, 0));
    assert_eq!(cost(&world, || is_revoked(&cold, &gone)), (0, 0));
    is_revoked(&cold, &by_jti);
    let forged = format!("{}.{}", token.rsplit_once('.').expect("two dots").0, "A".repeat(43));
    assert_eq!(
        cost(&world, || assert_eq!(cold.verify(&forged).1, "bad_signature")),
        (0, 0),
        "a stranger cannot have D1 asked"
    );
    // The isolate has found that the token is not revoked; it may be revoked later.
    revoked(&first, &token);
    world.pass(11);
    is_revoked(&cold, &token);
    // While D1 does not answer, an isolate cannot check a token that it has not seen, because the
    // copy is too large to have the revocations.
    block_on(housekeeping::run(&first.cx())).expect("the scheduled event");
    let known = token_with(&first, &json!({ "jti": "4" }));
    assert_eq!(cold.verify(&known).0, 200);
    world.database.answers.set(false);
    world.pass(11);
    assert_eq!(cold.verify(&known).0, 200, "from memory");
    is_revoked(&cold, &gone);
    assert_eq!(cold.verify(&token_with(&cold, &json!({ "jti": "5" }))).0, 503);
    assert_eq!(world.isolate().verify(&known).0, 503);
}

/// The copy is fresh, but too large to have revocations, and memory is too old.
#[test]
fn memory_that_is_too_old_does_not_say_that_a_token_was_not_revoked() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    isolate.register(&json!({}));
    many(&world, KEPT_ALL + 1);
    let token = token_with(&isolate, &json!({ "exp": 1_800_003_600 }));
    assert_eq!(isolate.verify(&token).0, 200);
    world.pass(600);
    block_on(housekeeping::run(&other.cx())).expect("the scheduled event");
    world.database.answers.set(false);
    assert_eq!(isolate.verify(&token).0, 200, "memory is 600 s old");
    world.pass(301);
    assert_eq!(isolate.verify(&token).0, 503);
}

#[test]
fn while_d1_does_not_answer_either_copy_refuses_what_it_knows_to_be_revoked() {
    let world = World::new();
    let (here, there) = (world.isolate(), world.isolate());
    here.register(&json!({}));
    let tokens: Vec<_> = (0..3)
        .map(|number| {
            token_with(&here, &json!({ "jti": format!("j{number}"), "exp": 1_800_003_600 }))
        })
        .collect();
    let [good, early, late] = tokens.try_into().expect("three");
    let verify_all =
        |isolate: &Isolate<'_>| [&good, &early, &late].map(|token| isolate.verify(token).0);
    assert_eq!((verify_all(&here), verify_all(&there)), ([200; 3], [200; 3]));
    revoked(&here, &early);
    block_on(housekeeping::run(&here.cx())).expect("the scheduled event");
    revoked(&here, &late);
    world.database.answers.set(false);
    world.pass(11);
    assert_eq!(verify_all(&here), [200, 401, 401], "memory is newer than the copy");
    assert_eq!(
        verify_all(&there),
        [200, 401, 200],
        "the copy is newer than memory; what was revoked since, nobody can know"
    );
    assert_eq!(verify_all(&world.isolate()), [200, 401, 200], "a cold isolate has the copy alone");
    world.pass(900);
    assert_eq!(verify_all(&there), [503; 3], "it fails closed");
    assert_eq!(verify_all(&world.isolate()), [503; 3]);
    world.database.answers.set(true);
    world.pass(10);
    is_revoked(&there, &late);
}

/// The copy's key in KV, and the key of an earlier release, whose copy has no revocations.
const KEYS: [&str; 2] = ["trust/snapshot/v2", "trust/snapshot/v1"];

#[test]
fn a_copy_that_says_nothing_of_revocations_serves_only_until_there_is_one_that_does() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let (token, gone) = (isolate.token("alice"), token_with(&isolate, &json!({ "jti": "gone" })));
    isolate.verify(&token);
    revoked(&isolate, &gone);
    let cx = isolate.cx();
    block_on(housekeeping::run(&cx)).expect("the scheduled event");
    let sealed = world.kv.values.borrow().get(KEYS[0]).cloned().expect("a copy");
    let text = cx.config.master_keys.open(&sealed, KEYS[0]).expect("ours");
    let mut record: Value = serde_json::from_slice(text.expose()).expect("JSON");
    let write = |key: &str, record: &Value| {
        let sealed = cx
            .config
            .master_keys
            .seal(record.to_string().as_bytes(), key, [7; 12])
            .expect("sealed");
        world.kv.values.borrow_mut().insert(key.to_owned(), sealed);
    };
    let answers = || [&token, &gone].map(|token| world.isolate().verify(token).0);
    world.database.answers.set(false);
    assert_eq!(answers(), [200, 401], "as it was written");
    record.as_object_mut().expect("an object").remove("revocations").expect("revocations");
    write(KEYS[1], &record);
    assert_eq!(answers(), [200, 401], "the other is not read");
    write(KEYS[0], &record);
    assert_eq!(answers(), [503, 503], "a copy of now always says it");
    world.kv.values.borrow_mut().remove(KEYS[0]);
    assert_eq!(answers(), [200, 200], "right after the upgrade there is no other");
    world.database.answers.set(true);
    world.pass(11);
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    world.database.answers.set(false);
    assert_eq!(answers(), [200, 401], "the scheduled event does not take it for its own");
}

#[test]
fn a_key_ends_with_the_token_that_made_it_in_every_spelling_of_the_token() {
    let world = World::new();
    let isolate = world.isolate();
    let issuer = Issuer::of(Algorithm::Es256);
    crate::key_registration::register(&isolate, Algorithm::Es256, &issuer.pem());
    let token = |number: u8| {
        let mut claims = isolate.claims("alice");
        claims.insert("n".to_owned(), number.into());
        issuer.token(Algorithm::Es256, &json!({}), &Value::Object(claims))
    };
    let made = |token: &str, name: &str| {
        let body = json!({ "name": name, "may": ["decisions"] }).to_string();
        let request =
            Request::new("POST", "/v1/keys").authorization(&format!("Bearer {token}")).body(&body);
        json_of(&isolate.send(&request))["key"].as_str().expect("a key").to_owned()
    };
    let (first, second) = (token(1), token(2));
    let keys = [made(&first, "one"), made(&other_signature(&first), "two"), made(&second, "three")];
    let statuses = |isolate: &Isolate<'_>| {
        keys.each_ref().map(|key| isolate.get("/v1/verify", &format!("Bearer {key}")).status)
    };
    let other = world.isolate();
    assert_eq!((statuses(&isolate), statuses(&other)), ([200; 3], [200; 3]));
    revoked(&isolate, &first);
    assert_eq!(statuses(&isolate), [401, 401, 200]);
    world.pass(11);
    assert_eq!((statuses(&other), statuses(&world.isolate())), ([401, 401, 200], [401, 401, 200]));
}

#[test]
fn explain_tells_that_a_token_was_revoked_and_by_what() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let explained = |token: &str| {
        let explanation =
            json_of(&isolate.administer("POST", "/v1/explain", &json!({ "token": token })));
        let checks = explanation["checks"].as_array().expect("checks").clone();
        let check =
            checks.into_iter().find(|check| check["check"] == "revocation").expect("the check");
        (explanation["verdict"].clone(), check["held"].clone())
    };
    let [token, by_jti] =
        [1, 2].map(|number| token_with(&isolate, &json!({ "jti": format!("j{number}") })));
    assert_eq!(
        (explained(&token), explained(&by_jti)),
        ((json!("accepted"), json!(true)), (json!("accepted"), json!(true)))
    );
    let elsewhere = world.isolate();
    revoked(&elsewhere, &token);
    assert_eq!(
        elsewhere
            .administer("POST", "/v1/revocations", &json!({ "app": "ERP", "jti": "j2" }))
            .status,
        204
    );
    let refused = (json!("refused"), json!(false));
    assert_eq!(
        (explained(&token), explained(&by_jti)),
        (refused.clone(), refused),
        "as D1 has it now"
    );
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
}
