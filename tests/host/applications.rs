//! Applications: access tokens, signed calls, and how soon each isolate knows of a change.

use postern::actions::housekeeping;
use postern::api::http::message::Response;
use postern::domain::applications::signed_call::{Timestamp, encryption, signature};
use postern::domain::secret::Secret;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, all_at_once, block_on, json_of};

const GET: &str = "/apim-token-service/v2.0/token/get";
const REFRESH: &str = "/apim-token-service/v2.0/token/refresh";
const SET: &str = "/app-portal-service/v2.3/app/authorization/set?orgId=o1";

/// An application that may authorize others; `target` is one that it authorizes.
struct Application {
    secret: String,
}

impl Application {
    fn new(isolate: &Isolate<'_>) -> Self {
        let create = |body: &Value| {
            let response = isolate.administer("POST", "/v1/applications", body);
            assert_eq!(response.status, 201, "{}", response.body);
            json_of(&response)["secret"].as_str().expect("a secret").to_owned()
        };
        create(&json!({ "organization": "o1", "accessKey": "target" }));
        Self {
            secret: create(&json!({
                "organization": "o1", "accessKey": "console", "authorizeApplications": true,
            })),
        }
    }

    fn proof(&self, at: i64) -> Value {
        let timestamp = Timestamp::parse(&at.to_string()).expect("a time");
        json!({
            "appKey": "console", "timestamp": at,
            "encryption": encryption("console", &timestamp, &Secret::new(self.secret.as_str())),
        })
    }

    fn signed(&self, token: &str, at: i64, types: &[&str]) -> Request {
        let body = json!({ "appId": "target", "dataAuthorizeType": types }).to_string();
        let timestamp = Timestamp::parse(&at.to_string()).expect("a time");
        let query = [("orgId".to_owned(), "o1".to_owned())];
        let signature = signature(
            token,
            &query,
            body.as_bytes(),
            &timestamp,
            &Secret::new(self.secret.as_str()),
        );
        Request::new("POST", SET)
            .header("apim-accesstoken", token)
            .header("apim-timestamp", &at.to_string())
            .header("apim-signature", &signature)
            .body(&body)
    }
}

fn now(world: &World) -> i64 {
    world.now.get().0
}

fn ask(path: &str, body: &Value) -> Request {
    Request::new("POST", path).body(&body.to_string())
}

fn status(response: &Response) -> i64 {
    json_of(response)["status"].as_i64().expect("a status")
}

fn token(response: &Response) -> (String, i64) {
    let data = &json_of(response)["data"];
    assert_eq!(response.status, 200, "{}", response.body);
    (
        data["accessToken"].as_str().expect("a token").to_owned(),
        data["expire"].as_i64().expect("seconds"),
    )
}

fn authorizations(isolate: &Isolate<'_>) -> Value {
    json_of(&isolate.get("/v1/applications/target", &admin()))["authorizations"].clone()
}

#[test]
fn a_token_counts_for_two_hours_and_the_next_one_is_another() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let (first, seconds) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    assert_eq!(seconds, 7200);
    world.pass(7199);
    let (same, seconds) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    assert_eq!((same, seconds), (first.clone(), 1));
    assert_eq!(isolate.send(&application.signed(&first, now(&world), &["USER"])).status, 200);
    world.pass(1);
    assert_eq!(isolate.send(&application.signed(&first, now(&world), &["ROLE"])).status, 401);
    assert_eq!(authorizations(&isolate), json!(["USER"]));
    let stale = application.proof(now(&world));
    let refresh = |body: &Value, token: &str| {
        let mut body = body.clone();
        body["accessToken"] = json!(token);
        isolate.send(&ask(REFRESH, &body))
    };
    assert_eq!(status(&refresh(&stale, &first)), 1203);
    let (second, seconds) = token(&isolate.send(&ask(GET, &application.proof(now(&world) + 1))));
    assert!(second != first && seconds == 7200);
    // A proof works once: when its token is gone, it brings no other one.
    let (third, _) = token(&refresh(&application.proof(now(&world) + 2), &second));
    assert_ne!(third, second);
    assert_eq!(status(&isolate.send(&ask(GET, &application.proof(now(&world) + 1)))), 1001);
    assert_eq!(token(&isolate.send(&ask(GET, &application.proof(now(&world) + 3)))).0, third);
}

#[test]
fn a_token_that_was_replaced_signs_nothing_where_both_are_remembered() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let (first, _) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    assert_eq!(isolate.send(&application.signed(&first, now(&world), &["USER"])).status, 200);
    let mut body = application.proof(now(&world) + 1);
    body["accessToken"] = json!(first);
    let (second, _) = token(&isolate.send(&ask(REFRESH, &body)));
    assert_eq!(isolate.send(&application.signed(&second, now(&world), &["USER"])).status, 200);
    assert_eq!(isolate.send(&application.signed(&first, now(&world) + 1, &["ROLE"])).status, 401);
}

#[test]
fn fifty_that_ask_at_once_get_one_token() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let requests: Vec<_> =
        (0..50).map(|number| ask(GET, &application.proof(now(&world) + number / 2))).collect();
    let answers = all_at_once(
        requests.iter().map(|request| Box::pin(isolate.answer(request)) as _).collect(),
    );
    let tokens: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| token(answer).0).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        world
            .database
            .number("SELECT COUNT(*) FROM audit_events WHERE action = 'access_token.issue'"),
        1
    );
}

#[test]
fn of_refreshes_at_once_one_makes_the_token_and_all_tell_it() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let (first, _) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    let request = |number: i64| {
        let mut body = application.proof(now(&world) + 1 + number);
        body["accessToken"] = json!(first);
        ask(REFRESH, &body)
    };
    let requests: Vec<_> = (0..10).map(request).collect();
    let answers = all_at_once(
        requests.iter().map(|request| Box::pin(isolate.answer(request)) as _).collect(),
    );
    let tokens: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| token(answer).0).collect();
    assert!(tokens.len() == 1 && !tokens.contains(&first));
    assert_eq!(
        world
            .database
            .number("SELECT COUNT(*) FROM audit_events WHERE action = 'access_token.refresh'"),
        1
    );
}

#[test]
fn of_a_signed_call_that_is_sent_twenty_times_one_counts() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let (key, _) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    let request = application.signed(&key, now(&world), &["USER"]);
    let answers = all_at_once((0..20).map(|_| Box::pin(isolate.answer(&request)) as _).collect());
    let statuses: Vec<u16> = answers.iter().map(|answer: &Response| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 19);
    // A signature that was refused for another reason cannot be used again either.
    let early = application.signed(&key, now(&world), &["NOTHING"]);
    assert_eq!((isolate.send(&early).status, isolate.send(&early).status), (400, 401));
    world.pass(16 * 60);
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM used_signatures"),
        0,
        "what no timestamp lets in is forgotten"
    );
    assert_eq!(isolate.send(&request).status, 401, "its timestamp is too old");
}

#[test]
fn a_token_of_another_application_signs_nothing() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let response = isolate.administer(
        "POST",
        "/v1/applications",
        &json!({ "organization": "o2", "accessKey": "other", "authorizeApplications": true }),
    );
    let other = Secret::new(json_of(&response)["secret"].as_str().expect("a secret"));
    let timestamp = Timestamp::parse(&now(&world).to_string()).expect("a time");
    let proof = json!({
        "appKey": "other", "timestamp": now(&world),
        "encryption": encryption("other", &timestamp, &other),
    });
    let (foreign, _) = token(&isolate.send(&ask(GET, &proof)));
    assert_eq!(
        isolate.send(&application.signed(&foreign, now(&world), &["USER"])).status,
        401,
        "its token, our secret"
    );
    let ours = Application { secret: other.expose_text().expect("text").to_owned() };
    assert_eq!(
        isolate.send(&ours.signed(&foreign, now(&world), &["USER"])).status,
        403,
        "its own, in another organization"
    );
    assert_eq!(authorizations(&isolate), json!([]));
}

#[test]
fn a_check_is_one_round_trip_cold_and_none_warm_and_sees_a_change_elsewhere_in_ten_seconds() {
    let world = World::new();
    let (writer, reader) = (world.isolate(), world.isolate());
    let application = Application::new(&writer);
    let check = |isolate: &Isolate<'_>| {
        let response = isolate.get("/v1/applications/target/authorizations/USER", &admin());
        (response.status, json_of(&response)["allowed"].as_bool())
    };
    let (key, _) = token(&writer.send(&ask(GET, &application.proof(now(&world)))));
    assert_eq!(writer.send(&application.signed(&key, now(&world), &["USER"])).status, 200);
    assert_eq!(check(&reader), (200, Some(true)));
    let before = world.database.batches.get();
    assert_eq!(check(&reader), (200, Some(true)));
    assert_eq!(world.database.batches.get(), before, "warm");
    assert_eq!(reader.get("/v1/applications/unknown/authorizations/USER", &admin()).status, 200);
    assert_eq!(world.database.batches.get(), before + 1, "cold");
    reader.get("/v1/applications/unknown/authorizations/USER", &admin());
    assert_eq!(world.database.batches.get(), before + 1, "that there is none is remembered");

    let set = |types: &[&str]| json!({ "appId": "target", "dataAuthorizeType": types });
    assert_eq!(writer.administer("POST", SET, &set(&[])).status, 200);
    assert_eq!(check(&writer), (200, Some(false)), "at once here");
    world.pass(10);
    assert_eq!(check(&reader), (200, Some(true)), "ten seconds are what is promised");
    world.run_tasks();
    assert_eq!(check(&reader), (200, Some(false)));
    assert_eq!(writer.administer("POST", SET, &set(&["USER"])).status, 200);
    let unknown = json!({ "appId": "unknown", "dataAuthorizeType": ["USER"] });
    assert_eq!(writer.administer("POST", SET, &unknown).status, 200);
    world.pass(11);
    assert_eq!(check(&reader), (200, Some(true)));
    let response = reader.get("/v1/applications/unknown/authorizations/USER", &admin());
    assert_eq!(json_of(&response)["allowed"], true, "a no is forgotten, too");
}

#[test]
fn whatever_ends_an_application_ends_its_token_everywhere_within_ten_seconds() {
    let world = World::new();
    let writer = world.isolate();
    let application = Application::new(&writer);
    let ends: [(&str, &str, Value); 4] = [
        ("PATCH", "/v1/applications/console", json!({ "shortcut": true })),
        ("PATCH", "/v1/applications/console", json!({ "enabled": false })),
        ("POST", "/v1/applications/console/secret", json!({})),
        ("DELETE", "/v1/applications/console", json!({})),
    ];
    let mut secret = application.secret;
    for (method, path, body) in ends {
        let application = Application { secret: secret.clone() };
        let reader = world.isolate();
        world.pass(60);
        let (key, _) = token(&writer.send(&ask(GET, &application.proof(now(&world)))));
        assert_eq!(
            reader.send(&application.signed(&key, now(&world), &["USER"])).status,
            200,
            "{method} {path}"
        );
        let response = writer.administer(method, path, &body);
        assert!(response.status < 300, "{}", response.body);
        if let Some(new) = json_of(&response)["secret"].as_str() {
            new.clone_into(&mut secret);
        }
        assert_eq!(
            writer.send(&application.signed(&key, now(&world) + 1, &["ROLE"])).status,
            401,
            "at once here: {path}"
        );
        world.pass(11);
        assert_eq!(
            reader.send(&application.signed(&key, now(&world), &["ROLE"])).status,
            401,
            "{path}"
        );
        assert_eq!(authorizations(&writer), json!(["USER"]));
        writer.administer(
            "PATCH",
            "/v1/applications/console",
            &json!({ "enabled": true, "shortcut": false }),
        );
    }
}

#[test]
fn without_d1_a_token_counts_where_it_is_remembered_and_nothing_is_written() {
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let (key, _) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    let info = |isolate: &Isolate<'_>| {
        let timestamp = Timestamp::parse(&now(&world).to_string()).expect("a time");
        let query =
            [("orgId".to_owned(), "o1".to_owned()), ("appId".to_owned(), "target".to_owned())];
        let signature =
            signature(&key, &query, b"", &timestamp, &Secret::new(application.secret.as_str()));
        let request = Request::new(
            "GET",
            "/app-portal-service/v2.3/app/authorization/info?orgId=o1&appId=target",
        )
        .header("apim-accesstoken", &key)
        .header("apim-timestamp", &now(&world).to_string())
        .header("apim-signature", &signature);
        isolate.send(&request).status
    };
    assert_eq!(info(&isolate), 200);
    world.database.answers.set(false);
    world.pass(60);
    assert_eq!(info(&isolate), 503, "what an application is authorized to is read from D1");
    assert_eq!(info(&world.isolate()), 503, "and nobody knows the token elsewhere");
    assert_eq!(isolate.send(&application.signed(&key, now(&world), &["USER"])).status, 503);
    assert_eq!(isolate.send(&ask(GET, &application.proof(now(&world)))).status, 503);
    world.database.answers.set(true);
    world.pass(60);
    assert_eq!(info(&isolate), 200);
}

#[test]
fn secrets_tokens_and_passwords_are_sealed_and_sealed_anew() {
    const OLD: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";
    const NEW: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
    let world = World::new();
    let isolate = world.isolate();
    let application = Application::new(&isolate);
    let (key, _) = token(&isolate.send(&ask(GET, &application.proof(now(&world)))));
    let node = json!({
        "nodeSpec": "MEDIUM", "nodeCount": 1, "nodeName": "iserver",
        "password": "distinctive node password",
    });
    assert_eq!(isolate.administer("POST", "/imanager/cloud/web/nodes/server", &node).status, 200);
    let dump = world.database.dump();
    for secret in [application.secret.as_str(), key.as_str(), "distinctive node password"] {
        assert!(!dump.contains(secret), "{secret} is in the database");
        assert!(
            !world.log.0.borrow().iter().any(|line| line.contains(secret)),
            "{secret} is in the log"
        );
    }

    let between =
        world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", Some(OLD))]);
    block_on(housekeeping::run(&between.cx())).expect("the scheduled event");
    let keys = "SELECT COUNT(DISTINCT k) FROM (SELECT secret_key_id AS k FROM applications \
        UNION ALL SELECT token_key_id FROM applications WHERE token IS NOT NULL \
        UNION ALL SELECT password_key_id FROM node_orders)";
    assert_eq!(world.database.number(keys), 1);
    let after = world.isolate_with(&[("MASTER_KEY", Some(NEW)), ("MASTER_KEY_PREVIOUS", None)]);
    let (same, _) = token(&after.send(&ask(GET, &application.proof(now(&world) + 1))));
    assert_eq!(same, key, "under the new key alone");
    let lost = world.isolate_with(&[("MASTER_KEY", Some(OLD))]);
    assert_eq!(
        status(&lost.send(&ask(GET, &application.proof(now(&world) + 2)))),
        1003,
        "the old key alone opens nothing"
    );
}
