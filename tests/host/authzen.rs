//! The AuthZEN API: requests, pages, who may ask, and routes decided by the gateway's rules.

use postern::api::http::message::Response;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, basic, json_of};

/// Alice (2) and Bob (3), two records, and a machine key with `decisions`.
struct Records<'a> {
    isolate: Isolate<'a>,
    key: String,
}

const PASSWORD: &str = "correct horse alice";

impl<'a> Records<'a> {
    fn new(isolate: Isolate<'a>) -> Self {
        let send = |method: &str, path: &str, body: &Value| {
            let response = isolate.administer(method, path, body);
            assert!(response.status < 300, "{method} {path}: {}", response.body);
            json_of(&response)
        };
        for name in ["alice", "bob"] {
            send(
                "POST",
                "/v1/users",
                &json!({ "username": name, "type": "SYS_Reader", "password": PASSWORD }),
            );
        }
        for (record, service) in [("record-1", 101), ("record-2", 102)] {
            send("POST", "/v1/services", &json!({ "id": service, "name": record }));
            send(
                "PUT",
                &format!("/v1/resource-types/record/resources/{record}"),
                &json!({ "service": service }),
            );
        }
        send(
            "PUT",
            "/v1/resource-types/record",
            &json!({ "actions": { "read": "VIEW", "write": "MODIFY", "delete": "DELETE" } }),
        );
        for (service, user, permission) in
            [(101, 2, "MODIFY"), (101, 3, "VIEW"), (102, 3, "MODIFY")]
        {
            let grant = json!({
                "authObjectType": "USER", "authObjectId": user, "permissions": [permission],
            });
            send("POST", &format!("/v1/services/{service}/grants"), &grant);
        }
        let key = send("POST", "/v1/keys", &json!({ "name": "pep", "may": ["decisions"] }));
        let key = key["key"].as_str().expect("a key").to_owned();
        Self { isolate, key }
    }

    fn ask_as(&self, authorization: &str, path: &str, body: &Value) -> Response {
        ask_at(&self.isolate, path, authorization, body)
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let response = self.ask_as(&format!("Bearer {}", self.key), path, body);
        assert_eq!(response.status, 200, "{path} {body}: {}", response.body);
        json_of(&response)
    }

    fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let response = self.ask_as(&format!("Bearer {}", self.key), path, body);
        (response.status, json_of(&response).as_str().unwrap_or_default().to_owned())
    }
}

fn ask_at(isolate: &Isolate<'_>, path: &str, authorization: &str, body: &Value) -> Response {
    let request = Request::new("POST", &format!("/access/v1/{path}")).authorization(authorization);
    isolate.send(&request.header("content-type", "application/json").body(&body.to_string()))
}

fn question(subject: &str, action: &str, resource: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": subject },
        "action": { "name": action },
        "resource": { "type": "record", "id": resource },
    })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[test]
fn a_batch_reads_its_names_in_one_round_trip_and_its_standings_in_one_and_warm_nothing() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let names = ["alice", "bob", "nobody", "admin"];
    let items: Vec<_> = (0..100)
        .map(|n| question(names[n % 4], "read", ["record-1", "record-2", "record-3"][n / 4 % 3]))
        .collect();
    // The first use of a key on a day is written to D1.
    records.ask("evaluation", &question("alice", "read", "record-1"));
    let cold = world.isolate();
    let authorization = format!("Bearer {}", records.key);
    let ask = |path: &str, body: &Value| {
        let before = world.database.batches.get();
        let response = ask_at(&cold, path, &authorization, body);
        assert_eq!(response.status, 200, "{}", response.body);
        (json_of(&response), world.database.batches.get() - before)
    };
    let all = json!({ "evaluations": items });
    let (first, reads) = ask("evaluations", &all);
    assert_eq!(reads, 3, "the key; the names; the standings");
    assert_eq!(first["evaluations"].as_array().map(Vec::len), Some(100));
    // An unknown user is looked up again, because somebody may have created them meanwhile.
    let known: Vec<_> = items.iter().filter(|item| item["subject"]["id"] != "nobody").collect();
    assert_eq!(ask("evaluations", &json!({ "evaluations": known })).1, 0);
    assert_eq!(
        ask("evaluation", &question("alice", "read", "record-3")).1,
        0,
        "a name that is nobody's is remembered"
    );
    assert_eq!(
        ask("evaluation", &question("bob", "write", "record-2")),
        (json!({ "decision": true, "context": { "reason": "granted" } }), 0)
    );
}

#[test]
fn a_hundred_items_are_answered_and_one_more_is_refused() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let items =
        |count: usize| json!({ "evaluations": vec![question("alice", "read", "record-1"); count] });
    assert_eq!(
        records.ask("evaluations", &items(100))["evaluations"].as_array().map(Vec::len),
        Some(100)
    );
    let (status, told) = records.refused("evaluations", &items(101));
    assert!(status == 400 && told.contains("100"), "{status} {told}");
    let large = with(
        question("alice", "read", "record-1"),
        "context",
        json!({ "filler": "x".repeat(1024 * 1024) }),
    );
    assert_eq!(records.refused("evaluation", &large).0, 413);
}

#[test]
fn a_revoked_grant_is_denied_within_the_bound_elsewhere_and_at_once_with_a_bookmark() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let there = world.isolate();
    let authorization = format!("Bearer {}", records.key);
    let decision = |bookmark: Option<&str>| {
        let mut request =
            Request::new("POST", "/access/v1/evaluation").authorization(&authorization);
        if let Some(bookmark) = bookmark {
            request = request.header("x-postern-bookmark", bookmark);
        }
        let body = question("alice", "write", "record-1").to_string();
        let request = request.header("content-type", "application/json").body(&body);
        json_of(&there.send(&request))["decision"] == true
    };
    assert!(decision(None));
    let gone = records.isolate.administer(
        "DELETE",
        "/v1/services/101/grants?authObjectType=USER&authObjectId=2",
        &Value::Null,
    );
    assert!(gone.status < 300, "{} {}", gone.status, gone.body);
    assert!(decision(None), "remembered for a moment");
    assert!(!decision(gone.header("x-postern-bookmark")), "not by whoever has seen the change");
    world.pass(11);
    assert!(!decision(None));
}

#[test]
fn a_name_that_is_given_moved_or_taken_away_counts_within_the_bound_elsewhere() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let there = world.isolate();
    let authorization = format!("Bearer {}", records.key);
    let reason = |action: &str, record: &str| {
        let body = question("bob", action, record);
        json_of(&ask_at(&there, "evaluation", &authorization, &body))["context"]["reason"]
            .as_str()
            .map(str::to_owned)
    };
    let expect = |action: &str, record: &str, is: &str| {
        assert_eq!(reason(action, record).as_deref(), Some(is), "{action} {record}");
    };
    let here = &records.isolate;
    let send = |method: &str, path: &str, body: &Value, status: u16| {
        let response = here.administer(method, path, body);
        assert_eq!(response.status, status, "{method} {path}: {}", response.body);
        world.pass(11);
    };
    expect("write", "record-1", "no_grant");
    expect("read", "new", "resource_unknown");
    expect("share", "record-1", "action_unknown");
    send("PUT", "/v1/resource-types/record/resources/new", &json!({ "service": 102 }), 409);
    send("DELETE", "/v1/resource-types/record/resources/record-2", &Value::Null, 204);
    send("PUT", "/v1/resource-types/record/resources/new", &json!({ "service": 102 }), 200);
    send(
        "PUT",
        "/v1/resource-types/record",
        &json!({ "actions": { "write": "VIEW", "share": "SHARE" } }),
        200,
    );
    expect("write", "record-1", "granted");
    expect("write", "new", "granted");
    expect("share", "record-1", "no_grant");
    expect("read", "record-1", "action_unknown");
    expect("VIEW", "record-2", "resource_unknown");
    send("DELETE", "/v1/services/102", &Value::Null, 204);
    expect("write", "new", "resource_unknown");
    assert_eq!(world.database.number("SELECT COUNT(*) FROM resource_names"), 1);
}

#[test]
fn a_token_of_a_page_counts_for_its_search_only_and_cannot_be_made_up() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let search = |action: &str| {
        json!({
            "subject": { "type": "user" }, "action": { "name": action },
            "resource": { "type": "record", "id": "record-1" },
        })
    };
    let first = records.ask("search/subject", &with(search("read"), "page", json!({ "limit": 1 })));
    let keys: Vec<_> = first.as_object().expect("an object").keys().cloned().collect();
    assert!(first["page"]["count"] == 1 && keys == ["page", "results"], "{first}");
    let token = first["page"]["next_token"].as_str().expect("a token").to_owned();
    assert!(!token.is_empty());
    // The token alone continues the search, with the limit of the first page.
    let second =
        records.ask("search/subject", &with(search("read"), "page", json!({ "token": token })));
    assert_eq!(second["page"]["count"], 1);
    assert_ne!(second["results"], first["results"]);
    // A limit that is sent along replaces it.
    let rest = records.ask(
        "search/subject",
        &with(search("read"), "page", json!({ "token": token, "limit": 50 })),
    );
    assert_eq!(rest["page"]["next_token"], "");

    let page = |token: &str| json!({ "token": token });
    assert_eq!(
        records.refused("search/subject", &with(search("write"), "page", page(&token))).0,
        400,
        "of another action"
    );
    let of_user_ids = with(search("read"), "subject", json!({ "type": "user_id" }));
    assert_eq!(
        records.refused("search/subject", &with(of_user_ids, "page", page(&token))).0,
        400,
        "of another type"
    );
    let actions = json!({
        "subject": { "type": "user", "id": "alice" },
        "resource": { "type": "record", "id": "record-1" },
    });
    assert_eq!(
        records.refused("search/action", &with(actions, "page", page(&token))).0,
        400,
        "of another endpoint"
    );
    for index in [0, token.len() / 2, token.len() - 1] {
        let mut altered = token.clone().into_bytes();
        altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("ASCII");
        assert_eq!(
            records.refused("search/subject", &with(search("read"), "page", page(&altered))).0,
            400,
            "{index}"
        );
    }
    for wrong in [json!(0), json!(-1), json!(1.5), json!("1"), Value::Null] {
        assert_eq!(
            records
                .refused("search/subject", &with(search("read"), "page", json!({ "limit": wrong })))
                .0,
            400
        );
    }
    let many = records.ask(
        "search/subject",
        &with(search("read"), "page", json!({ "limit": 99_999_999_999_u64, "later": true })),
    );
    assert_eq!(many["page"]["next_token"], "");
}

#[test]
fn pages_neither_repeat_nor_skip_where_a_grant_goes_or_comes_between_them() {
    let world = World::new();
    let records = Records::new(world.isolate());
    for id in 1000..1010 {
        let grant =
            json!({ "authObjectType": "USER", "authObjectId": id, "permissions": ["VIEW"] });
        assert!(records.isolate.administer("POST", "/v1/services/101/grants", &grant).status < 300);
    }
    let search = json!({
        "subject": { "type": "user_id" }, "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" },
    });
    let ids = |answer: &Value| -> Vec<i64> {
        let results = answer["results"].as_array().expect("results").iter();
        results
            .map(|result| result["id"].as_str().and_then(|id| id.parse().ok()).expect("an id"))
            .collect()
    };
    // User 1 is the administrator; 2 and 3 are Alice and Bob.
    let first = records.ask("search/subject", &with(search.clone(), "page", json!({ "limit": 6 })));
    assert_eq!(ids(&first), [1, 2, 3, 1000, 1001, 1002]);
    for gone in [1002, 1004] {
        assert!(
            records
                .isolate
                .administer(
                    "DELETE",
                    &format!("/v1/services/101/grants?authObjectType=USER&authObjectId={gone}"),
                    &Value::Null
                )
                .status
                < 300
        );
    }
    let grant = json!({ "authObjectType": "USER", "authObjectId": 999, "permissions": ["VIEW"] });
    assert!(records.isolate.administer("POST", "/v1/services/101/grants", &grant).status < 300);
    let token = first["page"]["next_token"].clone();
    let second = records.ask("search/subject", &with(search, "page", json!({ "token": token })));
    assert_eq!(ids(&second), [1003, 1005, 1006, 1007, 1008, 1009]);
    assert_eq!(second["page"]["next_token"], "");
}

#[test]
fn users_may_ask_about_themselves_and_with_grant_about_a_service() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let alice = basic("alice", PASSWORD);
    let status = |path: &str, body: &Value| records.ask_as(&alice, path, body).status;
    assert_eq!(status("evaluation", &question("alice", "read", "record-1")), 200);
    assert_eq!(status("evaluation", &question("alice", "read", "nothing")), 200);
    for (subject, resource) in [("bob", "record-1"), ("nobody", "record-1"), ("bob", "nothing")] {
        let response = records.ask_as(&alice, "evaluation", &question(subject, "read", resource));
        assert_eq!(
            (response.status, json_of(&response)),
            (403, json!("only the user themselves or an administrator may do this"))
        );
    }
    for (id, expected) in [("2", 200), ("3", 403), ("99", 403)] {
        for resource in ["record-1", "nothing"] {
            let subject = json!({ "type": "user_id", "id": id });
            let asked = with(question("", "read", resource), "subject", subject);
            assert_eq!(status("evaluation", &asked), expected, "{asked}");
        }
    }
    let batch = json!({
        "evaluations": [question("alice", "read", "record-1"), question("bob", "read", "record-1")],
    });
    let answers = json_of(&records.ask_as(&alice, "evaluations", &batch));
    assert_eq!(answers["evaluations"][0]["decision"], true);
    assert_eq!(answers["evaluations"][1]["context"]["error"]["status"], 403, "{answers}");
    assert_eq!(answers["evaluations"][1]["decision"], false);
    let subjects = json!({
        "subject": { "type": "user" }, "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" },
    });
    let of = |name: &str| {
        json!({
            "subject": { "type": "user", "id": name }, "action": { "name": "read" },
            "resource": { "type": "record" },
        })
    };
    assert_eq!(status("search/subject", &subjects), 403);
    assert_eq!(
        [status("search/resource", &of("alice")), status("search/resource", &of("bob"))],
        [200, 403]
    );
    assert_eq!(
        [
            status("search/action", &question("alice", "x", "record-1")),
            status("search/action", &question("bob", "x", "record-1"))
        ],
        [200, 403]
    );
    let grant =
        json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["MODIFY", "GRANT"] });
    assert!(
        records
            .isolate
            .administer(
                "DELETE",
                "/v1/services/101/grants?authObjectType=USER&authObjectId=2",
                &Value::Null
            )
            .status
            < 300
    );
    assert!(records.isolate.administer("POST", "/v1/services/101/grants", &grant).status < 300);
    assert_eq!(status("evaluation", &question("bob", "read", "record-1")), 200);
    assert_eq!(status("search/subject", &subjects), 403, "a list would have all administrators");
    assert_eq!(status("search/action", &question("bob", "x", "record-1")), 200);
    assert_eq!(status("evaluation", &question("bob", "read", "record-2")), 403);
    // A caller may learn the decision, but not whether a user exists or is disabled.
    let reason = |subject: Value| {
        let mut body = question("bob", "delete", "record-1");
        body["subject"] = subject;
        json_of(&records.ask_as(&alice, "evaluation", &body))["context"]["reason"].clone()
    };
    let disabled = json!({ "username": "carol", "enabled": false });
    let carol = json_of(&records.isolate.administer("POST", "/v1/users", &disabled))["id"].clone();
    for subject in [
        json!({ "type": "user_id", "id": carol.to_string() }),
        json!({ "type": "user_id", "id": "99" }),
    ] {
        assert_eq!(reason(subject.clone()), "no_grant", "{subject}");
    }
    assert_eq!(reason(json!({ "type": "user", "id": "nobody" })), "no_grant");
    assert_eq!(
        records.ask_as("", "evaluation", &question("alice", "read", "record-1")).status,
        401
    );
}

/// A refusal makes the same reads for each name, so that its duration does not tell which names
/// exist.
#[test]
fn a_refusal_reads_nothing_about_the_subject_that_was_asked_about() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let send = |path: &str, body: &Value| {
        assert!(records.isolate.administer("POST", path, body).status < 300);
    };
    send("/v1/organizations", &json!({ "id": "acme" }));
    let alice = basic("alice", PASSWORD);
    let application = |key: &str| {
        json!({
            "subject": { "type": "application", "id": key },
            "action": { "name": "SERVICE" },
            "resource": { "type": "organization", "id": "acme" },
        })
    };
    let reads = |isolate: &Isolate<'_>, path: &str, body: &Value| {
        let before = world.database.batches.get();
        let response = ask_at(isolate, path, &alice, body);
        assert!(matches!(response.status, 200 | 403), "{}", response.body);
        world.database.batches.get() - before
    };
    for resource in ["record-1", "nothing"] {
        for subject in ["bob", "nobody", "admin"] {
            let cold = world.isolate();
            reads(&cold, "evaluation", &question("alice", "read", "record-2"));
            let first = reads(&cold, "evaluation", &question(subject, "read", resource));
            assert_eq!(
                first, 2,
                "the name of {resource} and Alice's own standing, whoever {subject} is"
            );
            assert_eq!(
                reads(&cold, "evaluation", &question(subject, "read", resource)),
                0,
                "{subject}"
            );
            assert_eq!(
                reads(&cold, "evaluation", &question("carol", "read", resource)),
                0,
                "another name"
            );
        }
    }
    let isolate = world.isolate();
    reads(&isolate, "evaluation", &question("alice", "read", "record-1"));
    let items: Vec<_> = (0..100).map(|n| application(&format!("key-{n}"))).collect();
    assert_eq!(
        reads(&isolate, "evaluations", &json!({ "evaluations": items })),
        0,
        "no application is looked for"
    );
    // The same holds for checks by user name.
    for user in ["bob", "nobody"] {
        let cold = world.isolate();
        let get = |path: String| {
            let before = world.database.batches.get();
            assert_eq!(cold.get(&path, &alice).status, 403);
            world.database.batches.get() - before
        };
        get("/v1/check?service=102&permission=VIEW&username=bob".to_owned());
        assert_eq!(
            get(format!("/v1/check?service=102&permission=VIEW&username={user}")),
            0,
            "{user}"
        );
        let batch =
            json!({ "checks": [{ "service": 102, "permission": "VIEW", "username": user }] });
        let before = world.database.batches.get();
        let request = Request::new("POST", "/v1/check/batch")
            .authorization(&alice)
            .header("content-type", "application/json");
        assert_eq!(cold.send(&request.body(&batch.to_string())).status, 403);
        assert_eq!(world.database.batches.get() - before, 0, "{user}");
    }
}

#[test]
fn administrators_are_told_the_grants_that_decided_and_nobody_else_is() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let explained = |body: Value| with(body, "context", json!({ "explain": true }));
    let asked = explained(question("alice", "write", "record-1"));
    assert_eq!(records.ask("evaluation", &asked)["context"], json!({ "reason": "granted" }));
    let of_admin = |path: &str, body: &Value| json_of(&records.ask_as(&admin(), path, body));
    let via = of_admin("evaluation", &asked)["context"]["via"].clone();
    assert!(
        via[0]["grant"].is_i64() && via[0]["object_type"] == "USER" && via[0]["object_id"] == 2,
        "{via}"
    );
    assert_eq!(
        of_admin("evaluation", &explained(question("bob", "write", "record-1")))["context"]["via"],
        json!([])
    );
    assert!(
        of_admin("evaluation", &question("alice", "write", "record-1"))["context"]["via"].is_null()
    );
    // Each item of a batch has its own context.
    let items = json!([
        { "subject": { "type": "user", "id": "alice" } }, { "context": {} }, { "resource": {} },
    ]);
    let batch = with(explained(question("bob", "read", "record-1")), "evaluations", items);
    let answer = of_admin("evaluations", &batch);
    let vias = [0, 1, 2]
        .map(|index| answer["evaluations"][index]["context"]["via"][0]["object_id"].clone());
    assert_eq!(vias, [json!(2), Value::Null, Value::Null], "{answer}");
    assert_eq!(answer["evaluations"][2]["context"]["error"]["status"], 400);
}

/// The groups of a token count for the user whom it names, and for nobody who is asked about.
#[test]
fn an_administrators_token_lends_its_groups_to_no_other_user() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let world = World::new();
    let records = Records::new(world.isolate());
    let send = |path: &str, body: &Value| {
        let response = records.isolate.administer("POST", path, body);
        assert!(response.status < 300, "{path}: {}", response.body);
    };
    let app = json!({
        "name": "App", "algorithm": "HS256", "secret": SECRET, "speaksFor": "everybody",
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4 },
    });
    send("/v1/token-apps", &app);
    let grant = json!({ "authObjectType": "GROUP", "authObjectId": 4, "permissions": ["VIEW"] });
    send("/v1/services/102/grants", &grant);
    let token = records.isolate.signed(SECRET, &json!({ "sub": "admin", "groups": ["ops"] }));
    let via = |subject: &str| {
        let asked =
            with(question(subject, "read", "record-2"), "context", json!({ "explain": true }));
        let response = records.ask_as(&format!("Bearer {token}"), "evaluation", &asked);
        assert_eq!(response.status, 200, "{}", response.body);
        let grants = json_of(&response)["context"]["via"].as_array().expect("a list").clone();
        grants.iter().filter(|grant| grant["object_type"] == "GROUP").count()
    };
    assert_eq!([via("admin"), via("alice")], [1, 0]);
}

const RULES: &str = r#"[
    {"path": "/users", "methods": ["GET"], "service": 101, "permission": "VIEW"},
    {"path": "/todos", "methods": ["GET"], "service": 101, "permission": "VIEW"},
    {"path": "/todos", "methods": ["POST", "PUT", "DELETE"],
     "service": 101, "permission": "MODIFY"},
    {"path": "/reports", "groups": [5]},
    {"path": "/tokens", "scopes": ["read"]},
    {"path": "/open", "public": true},
    {"path": "/barred", "deny": true, "roles": ["nobody"]}
]"#;

fn route(subject: &str, method: &str, id: &str) -> Value {
    json!({
        "subject": { "type": "identity", "id": subject },
        "action": { "name": method },
        "resource": { "type": "route", "id": id },
    })
}

/// The names come from AuthZEN's interoperability scenario for API gateways.
#[test]
fn routes_are_decided_by_the_rules_of_the_gateway() {
    let world = World::new();
    let isolate = world.isolate_with(&[("ORIGIN_RULES", Some(RULES))]);
    let records = Records::new(isolate);
    assert!(records.isolate.administer("PUT", "/v1/groups/5/members/3", &Value::Null).status < 300);
    for (subject, method, id, decision, reason) in [
        ("alice", "GET", "/users/{userId}", true, "granted"),
        ("bob", "GET", "/users/{userId}", true, "granted"),
        ("alice", "PUT", "/todos/{todoId}", true, "granted"),
        ("bob", "GET", "/todos", true, "granted"),
        ("bob", "POST", "/todos", false, "no_grant"),
        ("bob", "DELETE", "/todos/{todoId}", false, "no_grant"),
        ("bob", "DELETE", "https://app.example.com/todos/7?force=1", false, "no_grant"),
        ("nobody", "GET", "/todos", false, "user_unknown"),
        ("alice", "GET", "/elsewhere", false, "no_rule"),
        ("alice", "PATCH", "/todos", false, "no_rule"),
        ("alice", "GET", "/barred", false, "no_rule"),
        ("alice", "get", "/todos", false, "action_unknown"),
        ("alice", "CONNECT", "/todos", false, "action_unknown"),
        ("alice", "GET", "no path", false, "resource_unknown"),
        ("bob", "GET", "/reports/1", true, "granted"),
        ("alice", "GET", "/reports/1", false, "rule"),
        ("alice", "GET", "/tokens", false, "rule"),
        ("nobody", "GET", "/open/door", true, "public"),
    ] {
        let answer = records.ask("evaluation", &route(subject, method, id));
        assert_eq!(
            answer,
            json!({ "decision": decision, "context": { "reason": reason } }),
            "{subject} {method} {id}"
        );
        // The page that explains the rules gives the same verdict for a request of this user.
        if !matches!(reason, "no_rule" | "action_unknown" | "resource_unknown")
            && subject != "nobody"
        {
            let test = json!({ "method": method, "url": id, "username": subject });
            let verdict =
                json_of(&records.isolate.administer("POST", "/v1/rules/test", &test))["verdict"]
                    .clone();
            assert_eq!(verdict == "passes", decision, "{subject} {method} {id}: {verdict}");
        }
    }
    // No other spelling of a path avoids the rule.
    for id in ["/todos/../todos/1", "//todos", "/%74odos", "/todos;x=1", "/TODOS"] {
        assert_eq!(records.ask("evaluation", &route("bob", "POST", id))["decision"], false, "{id}");
    }
    let warm = world.database.batches.get();
    assert_eq!(records.ask("evaluation", &route("alice", "PUT", "/todos/8"))["decision"], true);
    assert_eq!(records.ask("evaluation", &route("bob", "GET", "/reports/2"))["decision"], true);
    assert_eq!(world.database.batches.get(), warm, "from memory");
    let found = records.ask("search/action", &route("bob", "", "/todos"));
    assert_eq!(found["results"], json!([{ "name": "GET" }, { "name": "HEAD" }]));
    assert_eq!(
        records.refused("search/subject", &route("", "GET", "/todos")).0,
        400,
        "it cannot be listed"
    );
    assert_eq!(records.refused("search/resource", &route("bob", "GET", "")).0, 400);
    // A subject of the type `user_id` is the same user.
    let by_id =
        with(route("", "POST", "/todos"), "subject", json!({ "type": "user_id", "id": "2" }));
    assert_eq!(records.ask("evaluation", &by_id)["decision"], true);
}

/// In a cold isolate, a batch of routes reads all names once, all groups once, and all standings
/// once.
#[test]
fn a_batch_of_routes_reads_in_three_round_trips() {
    let world = World::new();
    let records = Records::new(world.isolate_with(&[("ORIGIN_RULES", Some(RULES))]));
    // The first use of a key on a day is written to D1.
    records.ask("evaluation", &question("alice", "read", "record-1"));
    let cold = world.isolate_with(&[("ORIGIN_RULES", Some(RULES))]);
    let items: Vec<_> = (0..99)
        .map(|n| {
            route(
                ["alice", "bob", "admin"][n % 3],
                "GET",
                ["/todos", "/users/1", "/reports"][n / 3 % 3],
            )
        })
        .collect();
    let before = world.database.batches.get();
    let answer = ask_at(
        &cold,
        "evaluations",
        &format!("Bearer {}", records.key),
        &json!({ "evaluations": items }),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        world.database.batches.get() - before,
        4,
        "the key; the names; the groups; the standings"
    );
}

#[test]
fn a_rule_about_a_host_wants_the_host() {
    let world = World::new();
    let rules = r#"[{"host": "a.example.com", "path": "/", "service": 101, "permission": "VIEW"}]"#;
    let records = Records::new(world.isolate_with(&[("ORIGIN_RULES", Some(rules))]));
    let (status, told) = records.refused("evaluation", &route("alice", "GET", "/x"));
    assert!(status == 400 && told.contains("hostname"), "{status} {told}");
    let decision = |body: &Value| records.ask("evaluation", body)["decision"].clone();
    assert_eq!(decision(&route("alice", "GET", "https://a.example.com/x")), true);
    assert_eq!(decision(&route("alice", "GET", "https://b.example.com/x")), false);
    let mut with_property = route("alice", "GET", "/x");
    with_property["resource"]["properties"] = json!({ "hostname": "a.example.com" });
    assert_eq!(decision(&with_property), true);
}

#[test]
fn what_is_unknown_is_denied_also_where_the_directory_is_strict() {
    let world = World::new();
    let records = Records::new(world.isolate_with(&[("DIRECTORY", Some("strict"))]));
    let of = |subject: Value, resource: Value| {
        json!({
            "subject": subject, "action": { "name": "VIEW" }, "resource": resource,
        })
    };
    let alice = json!({ "type": "user", "id": "alice" });
    let record = json!({ "type": "record", "id": "record-1" });
    for (subject, resource, reason) in [
        (json!({ "type": "user_id", "id": "77" }), record.clone(), "user_unknown"),
        (json!({ "type": "user_id", "id": "007" }), record.clone(), "user_unknown"),
        (json!({ "type": "spaceship", "id": "x" }), record.clone(), "user_unknown"),
        (json!({ "type": "user", "id": "" }), record, "user_unknown"),
        (alice.clone(), json!({ "type": "service", "id": "999" }), "resource_unknown"),
        (alice.clone(), json!({ "type": "service", "id": "x" }), "resource_unknown"),
        (alice.clone(), json!({ "type": "spaceship", "id": "x" }), "resource_unknown"),
        (alice, json!({ "type": "tool", "id": "x" }), "resource_unknown"),
    ] {
        let answer = records.ask("evaluation", &of(subject.clone(), resource.clone()));
        assert_eq!(
            answer,
            json!({ "decision": false, "context": { "reason": reason } }),
            "{subject} {resource}"
        );
    }
    // A switch that is off lets everybody in, and here only users of the directory.
    let off = json!({ "authEnabled": false });
    assert_eq!(records.isolate.administer("PATCH", "/v1/services/102", &off).status, 200);
    for (id, allowed, found) in
        [("2", true, json!(["record-1", "record-2"])), ("77", false, json!([]))]
    {
        let user = || json!({ "type": "user_id", "id": id });
        let asked = of(user(), json!({ "type": "record", "id": "record-2" }));
        assert_eq!(records.ask("evaluation", &asked)["decision"], allowed, "{id}");
        let search = records.ask("search/resource", &of(user(), json!({ "type": "record" })));
        let results = search["results"].as_array().expect("results");
        let names: Vec<_> = results.iter().map(|result| result["id"].clone()).collect();
        assert_eq!(Value::Array(names), found, "{id}");
    }
    let search = of(json!({ "type": "user" }), json!({ "type": "service", "id": "999" }));
    assert_eq!(records.ask("search/subject", &search), json!({ "results": [] }));
    let search = of(json!({ "type": "user_id", "id": "77" }), json!({ "type": "service" }));
    assert_eq!(records.ask("search/resource", &search), json!({ "results": [] }));
}

#[test]
fn an_application_is_asked_about_in_its_organization() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let made = records.isolate.administer(
        "POST",
        "/v1/applications",
        &json!({ "organization": "wind", "accessKey": "turbines", "name": "Turbines" }),
    );
    assert!(made.status < 300, "{}", made.body);
    let set = json!({ "appId": "turbines", "dataAuthorizeType": ["USER"] });
    let response = records.isolate.administer(
        "POST",
        "/app-portal-service/v2.3/app/authorization/set?orgId=wind",
        &set,
    );
    let is_set = response.status == 200;
    let ask = |key: &str, action: &str, organization: &str| {
        let body = json!({
            "subject": { "type": "application", "id": key },
            "action": { "name": action },
            "resource": { "type": "organization", "id": organization },
        });
        records.ask("evaluation", &body)["context"]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(is_set, "{}", response.body);
    assert_eq!(ask("turbines", "USER", "wind"), "granted");
    assert_eq!(ask("turbines", "ASSET", "wind"), "no_grant");
    assert_eq!(ask("turbines", "FLY", "wind"), "action_unknown");
    assert_eq!(ask("turbines", "USER", "water"), "resource_unknown");
    assert_eq!(ask("nobody", "USER", "wind"), "user_unknown");
    for change in [json!({ "enabled": false }), json!({ "enabled": true, "shortcut": true })] {
        let path = "/v1/applications/turbines";
        let response = records.isolate.administer("PATCH", path, &change);
        assert_eq!(response.status, 200, "{}", response.body);
        assert_eq!(ask("turbines", "USER", "wind"), "user_disabled", "{change}");
    }
}

#[test]
fn nobody_is_denied_because_the_database_does_not_answer() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let cold = world.isolate();
    let authorization = format!("Bearer {}", records.key);
    // This isolate knows the key, but nothing that the questions are about.
    assert_eq!(
        ask_at(&cold, "evaluation", &authorization, &question("alice", "read", "record-1")).status,
        200
    );
    world.database.answers.set(false);
    assert_eq!(
        json_of(&ask_at(
            &cold,
            "evaluation",
            &authorization,
            &question("alice", "read", "record-1")
        ))["decision"],
        true
    );
    let response =
        ask_at(&cold, "evaluation", &authorization, &question("bob", "read", "record-2"));
    assert_eq!(response.status, 503, "{}", response.body);
    assert!(
        response.header("retry-after").is_some() && json_of(&response).is_string(),
        "{response:?}"
    );
}

#[test]
fn a_check_takes_the_name_of_a_resource() {
    let world = World::new();
    let records = Records::new(world.isolate());
    let get = |path: &str, authorization: &str| {
        let response = records.isolate.get(path, authorization);
        (response.status, json_of(&response))
    };
    let key = format!("Bearer {}", records.key);
    let checked = json!({ "allowed": true, "service": 101, "permission": "MODIFY", "user": 2 });
    assert_eq!(
        get("/v1/check?resource=record:record-1&permission=MODIFY&username=alice", &key),
        (200, checked.clone())
    );
    assert_eq!(
        get("/v1/check?resource=record:record-1&permission=MODIFY", &basic("alice", PASSWORD)),
        (200, checked)
    );
    assert_eq!(get("/v1/check?resource=record:nothing&permission=VIEW&user=2", &key).0, 404);
    assert_eq!(get("/v1/check?resource=nothing&permission=VIEW&user=2", &key).0, 400);
    assert_eq!(
        get("/v1/check?resource=record:record-1&service=101&permission=VIEW&user=2", &key).0,
        400
    );
    // A caller who may not ask about Bob does not learn which names exist.
    let refused = ["record-1", "nothing"].map(|id| {
        get(
            &format!("/v1/check?resource=record:{id}&permission=VIEW&username=bob"),
            &basic("alice", PASSWORD),
        )
    });
    assert_eq!(refused[0], refused[1]);
    assert_eq!(refused[0].0, 403);
}
