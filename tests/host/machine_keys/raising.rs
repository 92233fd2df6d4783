//! A key without `administration` makes no administrator, raises nobody's rights, and creates
//! nothing that could: token apps (which give roles to new users), applications and further keys.

use std::rc::Rc;

use postern::actions::caller::{Caller, KeyCaller};
use postern::actions::permissions::{self, Question};
use postern::domain::backup::kinds::{KINDS, Part};
use postern::domain::identity::machine_key::{KeyName, MachineKey, May, Rights};
use postern::domain::identity::user::UserId;
use postern::domain::permissions::permission::Permission;
use postern::domain::time::Millis;
use serde_json::{Value, json};

use super::{PASSWORD, alice, key};
use crate::routes::{filled, routes};
use crate::support::{Isolate, Request, World, block_on};

/// Tables that decide who may administer Postern.
const TABLES: [&str; 5] = ["users", "token_apps", "applications", "machine_keys", "sessions"];

fn rights(world: &World) -> Vec<String> {
    let holds_rights =
        |line: &&str| TABLES.iter().any(|table| line.starts_with(&format!("{table}: ")));
    world
        .database
        .dump()
        .lines()
        .filter(holds_rights)
        .filter(|line| !is_new_reader(line))
        .map(str::to_owned)
        .collect()
}

/// Provisioning creates users without rights, whatever type the request names.
fn is_new_reader(line: &str) -> bool {
    line.starts_with("users: ")
        && line.contains("create_scim_user")
        && line.contains("SYS_Reader")
        && !line.contains("Administrator")
}

/// A record of this kind; if it is about a user, it is about Alice.
fn record(kind: &str) -> Value {
    let mut record = match kind {
        "service" => json!({ "id": 1, "name": "Orders", "creatorId": 2 }),
        "api" => json!({ "serviceId": 1, "id": 1, "name": "Orders" }),
        "department" | "group" => json!({ "id": 1, "name": "Administrators" }),
        "member" => json!({ "authObjectType": "GROUP", "authObjectId": 1, "userId": 2 }),
        "grant" => {
            json!({
                "serviceId": 1, "authObjectType": "USER", "authObjectId": 2,
                "permissions": ["GRANT"], "creator": true,
            })
        }
        "resourceName" => json!({ "type": "record", "id": "record-1", "serviceId": 1 }),
        "actionName" => json!({ "type": "record", "name": "read", "permission": "VIEW" }),
        _ => panic!("say here what a key with provisioning may do by a record of the kind {kind}"),
    };
    record["record"] = json!(kind);
    record
}

#[test]
fn an_import_by_a_key_with_provisioning_raises_nobody() {
    let world = World::new();
    let isolate = world.isolate();
    alice(&isolate, "SYS_Reader");
    let provisions = key(&isolate, "provisioning");
    let before = rights(&world);
    let import = |format: &str, body: &str| {
        let request = Request::new("POST", &format!("/v1/import?format={format}"));
        let status = isolate.send(&request.authorization(&provisions).body(body)).status;
        assert_eq!(rights(&world), before, "{body}");
        status
    };
    for kind in KINDS.iter().filter(|kind| kind.part == Part::Directory).map(|kind| kind.word) {
        assert_eq!(import("ndjson", &record(kind).to_string()), 200, "{kind}");
        for (name, value) in
            [("type", "Administrator"), ("roles", "Administrator"), ("initroles", "Administrator")]
        {
            let mut raising = record(kind);
            raising[name] = json!(value);
            // The column `type` of a resource's name has nothing to do with a user's type.
            let is_own = record(kind).get(name).is_some();
            assert_eq!(
                import("ndjson", &raising.to_string()),
                if is_own { 200 } else { 400 },
                "{raising}"
            );
            assert_eq!(
                import("csv", &format!("record,id,{name}\n{kind},1,{value}\n")),
                400,
                "{kind} {name}"
            );
        }
    }
    // Records that decide who somebody is. An administrator may import each of these lines.
    let identities = [
        json!({
            "record": "user", "id": 2, "username": "alice", "type": "Administrator",
            "enabled": true,
        }),
        json!({
            "record": "user", "id": 99, "username": "eve", "type": "SYS_Reader", "enabled": true,
        }),
        json!({
            "record": "tokenApp", "name": "X", "enabled": true, "algorithm": "HS256", "expire": 1,
            "usernameClaim": "sub", "createsUsers": true, "initialRoles": ["Administrator"],
        }),
        json!({ "record": "provisionedUser", "userId": 1 }),
        json!({ "record": "provisionedGroup", "groupId": 1 }),
        json!({ "record": "organization", "id": "o" }),
        json!({
            "record": "application", "accessKey": "a", "organizationId": "o", "enabled": true,
        }),
        json!({
            "record": "nodeOrder", "id": 1, "spec": "S", "count": 1, "name": "n", "creatorId": 2,
        }),
        json!({
            "record": "key", "id": 99, "name": "k", "may": ["administration"], "createdBy": 1,
            "createdAt": 1,
        }),
        json!({ "record": "pastKeySecret", "digest": "00".repeat(32) }),
        json!({ "record": "chosenId", "kind": "user", "last": 9 }),
        json!({ "record": "pastId", "kind": "user", "id": 9 }),
        json!({ "record": "tombstone", "username": "bob", "id": 9 }),
        json!({ "record": "freedName", "username": "bob", "deletedAt": 1_700_000_000_000_i64 }),
        json!({ "record": "lastId", "table": "grants", "id": 9 }),
        json!({
            "record": "revocation", "kind": "jti", "digest": "00".repeat(32), "until": 1,
            "app": "X",
        }),
    ];
    for line in &identities {
        assert_eq!(import("ndjson", &line.to_string()), 400, "{line}");
    }
    for kind in KINDS.iter().filter(|kind| kind.part == Part::Identity) {
        // The records of secrets are skipped, because they need the record that they belong to.
        assert!(
            kind.is_secret() || identities.iter().any(|line| line["record"] == kind.word),
            "{}",
            kind.word
        );
    }
}

/// Calls each route with a body that would raise Alice's rights, or would create what could raise
/// somebody's, if the route reads it. Returns how many requests changed who may administer Postern.
fn changes(may: May) -> usize {
    let world = World::new();
    let isolate = world.isolate();
    alice(&isolate, "SYS_Reader");
    let authorization = key(&isolate, may.name());
    let mut changes = 0;
    let mut before = rights(&world);
    let mut ask = |isolate: &Isolate<'_>, request: Request| {
        isolate.send(&request.authorization(&authorization));
        let after = rights(&world);
        changes += usize::from(after != before);
        before = after;
    };
    for (_, route) in routes() {
        for path in route.paths {
            let path = filled(
                &path.replace("{id}", "2").replace("{userId}", "2").replace("{name}", "ERP"),
            );
            for body in bodies(route.operation) {
                ask(&isolate, Request::new(route.method, &path).body(&body.to_string()));
            }
        }
    }
    changes
}

fn bodies(operation: &str) -> Vec<Value> {
    let user = json!({ "username": operation, "password": PASSWORD, "type": "Administrator" });
    let raised = json!({ "type": "Administrator" });
    let key = json!({ "name": operation, "may": ["administration"] });
    let app = json!({
        "name": "ERP", "algorithm": "HS256", "secret": "a secret of thirty-two bytes, yes",
        "claims": { "username": "sub" }, "roles": ["Administrator"],
    });
    let application = json!({ "name": "ERP", "organization": "default" });
    vec![user, raised, key, app, application, json!({}), Value::Null]
}

/// Routes refuse keys before actions run. The actions' own checks must hold without that.
#[test]
fn a_key_has_in_actions_what_it_may_and_no_more() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.administer("GET", "/v1/keys", &Value::Null);
    for may in May::ALL {
        let key = MachineKey {
            id: 1,
            name: KeyName::parse("a").expect("a name"),
            may: Rights::of([may]).expect("rights"),
            user_id: None,
            created_by: UserId(1),
            session_id: None,
            parent_id: None,
            token: None,
            jti: None,
            app: None,
            created_at: Millis(0),
            expires_at: None,
        };
        let caller = Caller::Key(KeyCaller { key: Rc::new(key), user: None });
        let question = Question { service_id: 1, user_id: 2, permission: Permission::View };
        let is_answered = block_on(permissions::check(&isolate.cx(), &caller, question)).is_ok();
        assert_eq!(is_answered, may != May::Provisioning, "{may:?}");
        assert_eq!(caller.asks_about_everybody(), may != May::Provisioning, "{may:?}");
        assert_eq!(caller.is_administrator(), may == May::Administration, "{may:?}");
        assert!(caller.user().is_err(), "{may:?}");
    }
}

#[test]
fn only_a_key_with_administration_changes_who_may_what_of_postern_itself() {
    assert_eq!(changes(May::Provisioning), 0);
    assert_eq!(changes(May::Decisions), 0);
    let by_administration = changes(May::Administration);
    assert!(
        by_administration > 5,
        "the same requests change something where they may: {by_administration}"
    );
}
