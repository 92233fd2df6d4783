//! Calls of other Workers by a service binding: their cost, limits and answers.
//! `tests/edge/binding.test.mjs` compares the answers with those of the HTTP paths.

use postern::api::dialects::v1::binding::OPERATIONS;
use postern::api::gate;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Isolate, World, block_on, json_of};

fn ask_text(isolate: &Isolate<'_>, operation: &str, question: Option<&str>) -> Value {
    let text = block_on(gate::answer(&isolate.cx(), operation, question));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{operation} {question:?}: {error}: {text}"))
}

fn ask(isolate: &Isolate<'_>, operation: &str, question: &Value) -> Value {
    ask_text(isolate, operation, Some(&question.to_string()))
}

/// Registers an app, alice with TEST on the service 1, and bob without a grant. Returns their ids.
fn set_up(isolate: &Isolate<'_>) -> [i64; 2] {
    isolate.register(&json!({}));
    let ids = ["alice", "bob"].map(|name| {
        isolate.verify(&isolate.token(name));
        let users = json_of(&isolate.administer(
            "GET",
            &format!("/v1/users?username={name}"),
            &Value::Null,
        ));
        users["items"][0]["id"].as_i64().expect("an id")
    });
    let grant =
        json!({ "authObjectType": "USER", "authObjectId": ids[0], "permissions": ["TEST"] });
    assert_eq!(isolate.administer("POST", "/v1/services/1/grants", &grant).status, 201);
    ids
}

fn batches(world: &World, deed: impl FnOnce()) -> u32 {
    let before = world.database.batches.get();
    deed();
    world.database.batches.get() - before
}

#[test]
fn a_cold_question_is_one_round_trip_and_a_warm_one_none() {
    let world = World::new();
    let writer = world.isolate();
    let [alice, _] = set_up(&writer);
    let token = writer.token("alice");
    for (operation, question) in [
        ("verify", json!({ "token": token })),
        ("introspect", json!({ "token": token })),
        ("check", json!({ "service": 1, "permission": "TEST", "token": token })),
        ("check", json!({ "service": 1, "permission": "TEST", "user": alice })),
        (
            "checkBatch",
            json!({ "checks": [{ "service": 1, "permission": "TEST", "user": alice }] }),
        ),
    ] {
        let cold = world.isolate();
        let asked = || {
            assert_eq!(
                ask(&cold, operation, &question)["ok"],
                json!(true),
                "{operation} {question}"
            );
        };
        assert_eq!(batches(&world, asked), 1, "cold: {operation} {question}");
        assert_eq!(batches(&world, asked), 0, "warm: {operation} {question}");
    }
}

#[test]
fn every_operation_of_the_table_answers_and_no_other_does() {
    let world = World::new();
    let isolate = world.isolate();
    for operation in OPERATIONS {
        let answer = ask(&isolate, operation.name, &json!({}));
        assert_eq!(
            (&answer["ok"], &answer["status"]),
            (&json!(false), &json!(400)),
            "{}: {answer}",
            operation.name
        );
    }
    for other in ["", "verify_posted", "Verify", "fetch", "list_users"] {
        assert_eq!(ask(&isolate, other, &json!({}))["status"], json!(500), "{other}");
    }
}

#[test]
fn a_binding_asks_about_everybody_and_a_token_about_its_user_only() {
    let world = World::new();
    let isolate = world.isolate();
    let [alice, bob] = set_up(&isolate);
    let allowed = |question: Value| ask(&isolate, "check", &question)["allowed"].clone();
    let of = |who: Value| {
        let mut question = json!({ "service": 1, "permission": "TEST" });
        question
            .as_object_mut()
            .expect("an object")
            .extend(who.as_object().cloned().unwrap_or_default());
        question
    };
    assert_eq!(allowed(of(json!({ "user": alice }))), json!(true));
    assert_eq!(allowed(of(json!({ "user": bob }))), json!(false));
    assert_eq!(allowed(of(json!({ "username": "alice" }))), json!(true));
    assert_eq!(allowed(of(json!({ "token": isolate.token("alice") }))), json!(true));
    assert_eq!(allowed(of(json!({ "token": isolate.token("bob") }))), json!(false));
    // No user is named, and the binding has none of its own.
    assert_eq!(ask(&isolate, "check", &of(json!({})))["field"], json!("user"));
    let two = ask(&isolate, "check", &of(json!({ "token": isolate.token("bob"), "user": alice })));
    assert_eq!((&two["status"], &two["field"]), (&json!(400), &json!("token")));
    // A key that may not ask at `/v1/check` is refused here, too.
    for (may, status) in [("provisioning", json!(403)), ("decisions", Value::Null)] {
        let made = isolate.administer(
            "POST",
            "/v1/keys",
            &json!({ "name": may, "may": [may], "userId": 1 }),
        );
        assert_eq!(made.status, 201, "{}", made.body);
        let answer = ask(&isolate, "check", &of(json!({ "token": json_of(&made)["key"] })));
        assert_eq!(answer["status"], status, "{answer}");
    }
}

#[test]
fn a_number_that_may_have_been_rounded_is_refused_wherever_it_is() {
    let world = World::new();
    let isolate = world.isolate();
    set_up(&isolate);
    for user in [(1_i64 << 53) - 1, -((1 << 53) - 1)] {
        assert_eq!(
            ask(
                &isolate,
                "check",
                &json!({
                    "service": 1, "permission": "VIEW", "user": user,
                })
            )["ok"],
            json!(true)
        );
    }
    for user in [1_i64 << 53, -(1 << 53), i64::MAX, i64::MIN] {
        let question = json!({ "service": 1, "permission": "VIEW", "user": user });
        assert_eq!(ask(&isolate, "check", &question)["field"], json!("user"), "{user}");
        let batch =
            json!({ "checks": [{ "service": 1, "permission": "VIEW", "user": 1 }, question] });
        assert_eq!(ask(&isolate, "checkBatch", &batch)["field"], json!("checks[1].user"), "{user}");
        let digits = json!({ "service": 1, "permission": "VIEW", "user": user.to_string() });
        assert_eq!(ask(&isolate, "check", &digits)["ok"], json!(true), "{user}");
    }
}

#[test]
fn a_member_that_is_not_declared_is_refused_wherever_it_is() {
    let world = World::new();
    let isolate = world.isolate();
    for (operation, question, field) in [
        ("verify", json!({ "token": "x", "tokne": "y" }), "tokne"),
        ("introspect", json!({ "token": "x", "user": 1 }), "user"),
        ("check", json!({ "service": 1, "permission": "VIEW", "userId": 1 }), "userId"),
        (
            "checkBatch",
            json!({ "checks": [{ "service": 1, "permission": "VIEW", "token": "x" }] }),
            "checks[0].token",
        ),
    ] {
        assert_eq!(
            ask(&isolate, operation, &question)["field"],
            json!(field),
            "{operation} {question}"
        );
    }
}

#[test]
fn while_d1_is_down_a_cold_binding_says_so_and_calls_nobody_inactive() {
    let world = World::new();
    let writer = world.isolate();
    set_up(&writer);
    let token = writer.token("alice");
    world.database.answers.set(false);
    let cold = world.isolate();
    for (operation, question) in [
        ("verify", json!({ "token": token })),
        ("introspect", json!({ "token": token })),
        ("introspect", json!({ "token": "opaque" })),
        ("check", json!({ "service": 1, "permission": "TEST", "user": 2 })),
    ] {
        let answer = ask(&cold, operation, &question);
        assert_eq!(
            (&answer["ok"], &answer["status"]),
            (&json!(false), &json!(503)),
            "{operation} {question}: {answer}"
        );
        assert_eq!(answer.get("active"), None);
    }
}

#[test]
fn a_question_that_is_too_large_or_no_object_is_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for question in [
        None,
        Some(""),
        Some("null"),
        Some("[]"),
        Some("token=x"),
        Some("{"),
        Some(r#"{"token":"a","token":"b"}"#),
        Some(&deep),
    ] {
        for operation in OPERATIONS {
            let answer = ask_text(&isolate, operation.name, question);
            assert_eq!(
                (&answer["ok"], &answer["status"]),
                (&json!(false), &json!(400)),
                "{question:?}: {answer}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_asked_the_answer_is_an_object_that_says_ok_or_not(
        operation in proptest::sample::select(
            OPERATIONS.iter().map(|operation| operation.name).collect::<Vec<_>>()
        ),
        names in proptest::collection::vec(
            "(token|app|service|user|username|permission|checks|x)", 0..5
        ),
        values in proptest::collection::vec(
            proptest::sample::select(vec![
                "null", "true", "1", "-1", "1.5", "1e400", "9007199254740992",
                "99999999999999999999", r#""""#, r#""VIEW""#, r#""1""#, r#""a.b.c""#,
                r#""pst_x""#, "[]", "{}", "[{}]", "[null]",
                r#"[{"service":1,"permission":"VIEW","user":1}]"#,
            ]),
            5,
        ),
    ) {
        let world = World::new();
        let isolate = world.isolate();
        let members: Vec<_> = names
            .iter()
            .zip(&values)
            .map(|(name, value)| format!("{name:?}:{value}"))
            .collect();
        let answer = ask_text(&isolate, operation, Some(&format!("{{{}}}", members.join(","))));
        let is_failure = answer["ok"] == json!(false);
        prop_assert!(answer["ok"].is_boolean());
        let is_whole = answer["status"].is_number()
            && answer["detail"].is_string()
            && answer["headers"].is_object();
        prop_assert_eq!(is_failure, is_whole);
        prop_assert!(answer["status"] != json!(500), "{}", answer);
    }
}
