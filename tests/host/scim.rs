//! SCIM beyond the transcripts: concurrent requests, several isolates, the change feed, and renamed
//! users.

use std::collections::BTreeSet;

use postern::actions::housekeeping;
use postern::api::http::message::Response;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, all_at_once, block_on, json_of};

const USERS: &str = "/scim/v2/Users";
const GROUPS: &str = "/scim/v2/Groups";

/// Makes a key that may provision. Returns its bearer token.
fn provisioner(isolate: &Isolate<'_>) -> String {
    let made = isolate.administer(
        "POST",
        "/v1/keys",
        &json!({ "name": "entra", "may": ["provisioning"] }),
    );
    format!("Bearer {}", json_of(&made)["key"].as_str().expect("a key"))
}

fn request(method: &str, path: &str, key: &str, body: &Value) -> Request {
    let request = Request::new(method, path).authorization(key);
    if body.is_null() {
        request
    } else {
        request.header("content-type", "application/scim+json").body(&body.to_string())
    }
}

fn send(isolate: &Isolate<'_>, method: &str, path: &str, key: &str, body: &Value) -> Response {
    isolate.send(&request(method, path, key, body))
}

fn made(isolate: &Isolate<'_>, path: &str, key: &str, body: &Value) -> i64 {
    let response = send(isolate, "POST", path, key, body);
    assert_eq!(response.status, 201, "{}", response.body);
    json_of(&response)["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
}

fn patch(operations: &Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
    })
}

fn members(ids: impl IntoIterator<Item = i64>) -> Value {
    ids.into_iter().map(|id| json!({ "value": id.to_string() })).collect()
}

/// Inserts users with these ids directly into the database, as if a provider had made them.
fn fill(world: &World, ids: std::ops::RangeInclusive<i64>) {
    world.database.execute(&format!(
        "WITH RECURSIVE c (n) AS (SELECT {0} UNION ALL SELECT n + 1 FROM c WHERE n < {1})
         INSERT INTO users (id, username, type, created_at, modified_at)
           SELECT n, 'user ' || n, 'SYS_Reader', 0, 0 FROM c;
         WITH RECURSIVE c (n) AS (SELECT {0} UNION ALL SELECT n + 1 FROM c WHERE n < {1})
         INSERT INTO provisioned_users (user_id) SELECT n FROM c;",
        ids.start(),
        ids.end()
    ));
}

fn members_of(world: &World, group: i64) -> BTreeSet<i64> {
    let sql = format!(
        "SELECT COALESCE(group_concat(user_id, ','), '') FROM memberships \
         WHERE object_type = 'GROUP' AND object_id = {group}"
    );
    world.database.text(&sql).split(',').filter_map(|id| id.parse().ok()).collect()
}

#[test]
fn two_changes_at_once_lose_no_member() {
    let world = World::new();
    let (one, other) = (world.isolate(), world.isolate());
    let key = provisioner(&one);
    fill(&world, 11..=40);
    let group =
        made(&one, GROUPS, &key, &json!({ "displayName": "Sales", "members": members([11, 12]) }));
    let path = format!("{GROUPS}/{group}");
    let add = |ids: std::ops::RangeInclusive<i64>| {
        patch(&json!([{ "op": "Add", "path": "members", "value": members(ids) }]))
    };
    let remove = patch(&json!([{ "op": "Remove", "path": "members", "value": members([12]) }]));
    let requests = [add(13..=20), add(21..=30), remove, add(31..=40)]
        .map(|body| request("PATCH", &path, &key, &body));
    let running = requests.iter().zip([&one, &other, &one, &other]).map(|(request, isolate)| {
        let answer: postern::ports::LocalFuture<'_, Response> = Box::pin(isolate.answer(request));
        answer
    });
    let statuses: Vec<_> =
        all_at_once(running.collect()).iter().map(|response| response.status).collect();
    assert_eq!(statuses, [204; 4]);
    assert_eq!(members_of(&world, group), (11..=40).filter(|id| *id != 12).collect());
}

/// Another isolate has decided before, and reads the change from the feed.
#[test]
fn whoever_is_deprovisioned_is_refused_by_another_isolate_within_the_bound() {
    let world = World::new();
    let (provider, gate) = (world.isolate(), world.isolate());
    gate.register(&json!({ "inituser": "0" }));
    let key = provisioner(&provider);
    let ada = made(&provider, USERS, &key, &json!({ "userName": "ada@example.com" }));
    let token = gate.token("ada@example.com");
    assert_eq!(
        gate.verify(&token),
        (200, "ada@example.com".to_owned()),
        "the user of the same name is the same user"
    );
    let path = format!("{USERS}/{ada}");
    let off = patch(&json!([{ "op": "Replace", "path": "active", "value": "False" }]));
    assert_eq!(send(&provider, "PATCH", &path, &key, &off).status, 200);
    assert_eq!(provider.verify(&token), (403, "user_disabled".to_owned()));
    assert_eq!(gate.verify(&token).0, 200, "it has not heard of it yet");
    world.pass(11);
    assert_eq!(gate.verify(&token), (403, "user_disabled".to_owned()));
    let on = patch(&json!([{ "op": "Replace", "path": "active", "value": true }]));
    assert_eq!(send(&provider, "PATCH", &path, &key, &on).status, 200);
    world.pass(11);
    assert_eq!(gate.verify(&token).0, 200);
    assert_eq!(send(&provider, "DELETE", &path, &key, &Value::Null).status, 204);
    world.pass(11);
    assert_eq!(gate.verify(&token).0, 403);
}

#[test]
fn a_password_and_an_opaque_token_end_with_active() {
    let world = World::new();
    let isolate = world.isolate_with(&[("SCIM_ADOPT", Some("1"))]);
    let key = provisioner(&isolate);
    let body = json!({ "username": "alice", "password": "correct horse alice" });
    assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
    let password = crate::support::basic("alice", "correct horse alice");
    let sign_in = json!({ "username": "alice", "password": "correct horse alice" }).to_string();
    let token =
        isolate.send(&Request::new("POST", "/imanager/cloud/security/tokens").body(&sign_in)).body;
    assert_eq!(isolate.verify(&token).0, 200);
    let off = patch(&json!([{ "op": "replace", "value": { "active": false } }]));
    assert_eq!(send(&isolate, "PATCH", &format!("{USERS}/2"), &key, &off).status, 200);
    assert_eq!((isolate.verify(&token).0, isolate.get("/v1/verify", &password).status), (401, 403));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM sessions"), 0);
}

/// A changed membership is in force at once in the isolate that wrote it, and within the bound
/// elsewhere, whether the feed has an entry for each user or one for all.
#[test]
fn a_grant_to_a_group_counts_for_its_members_everywhere() {
    let world = World::new();
    let (provider, gate) = (world.isolate(), world.isolate());
    let key = provisioner(&provider);
    fill(&world, 11..=300);
    let group = made(
        &provider,
        GROUPS,
        &key,
        &json!({ "displayName": "Readers", "members": members([11]) }),
    );
    let grant =
        json!({ "authObjectType": "GROUP", "authObjectId": group, "permissions": ["VIEW"] });
    assert_eq!(provider.administer("POST", "/api/v1/services/5/auth", &grant).status, 200);
    let may = |isolate: &Isolate<'_>, user: i64| {
        json_of(&isolate.get(&format!("/v1/check?service=5&permission=VIEW&user={user}"), &admin()))
            ["allowed"]
            == json!(true)
    };
    let path = format!("{GROUPS}/{group}");
    let entries = |kind: &str| {
        world.database.number(&format!("SELECT COUNT(*) FROM changes WHERE kind = '{kind}'"))
    };
    for (operation, users, directory) in [
        ("add", 12..=111, 0),
        ("remove", 12..=111, 0),
        ("add", 12..=112, 1),
        ("remove", 12..=112, 1),
    ] {
        assert_eq!(
            (may(&gate, 12), may(&gate, 11)),
            (operation == "remove", true),
            "{operation} {users:?}"
        );
        let before = (entries("membership"), entries("directory"));
        let count = i64::try_from(users.clone().count()).expect("a count");
        let body = patch(&json!([{ "op": operation, "path": "members", "value": members(users) }]));
        for repeated in 0..2 {
            assert_eq!(send(&provider, "PATCH", &path, &key, &body).status, 204);
            let new = (entries("membership") - before.0, entries("directory") - before.1);
            assert_eq!(
                new,
                if directory == 1 { (0, 1) } else { (count, 0) },
                "{operation}, repeated {repeated} times"
            );
        }
        assert_eq!(may(&provider, 12), operation == "add");
        world.pass(11);
        assert_eq!(may(&gate, 12), operation == "add");
        assert_eq!(members_of(&world, group).len() == 1, operation == "remove");
    }
    let all = patch(&json!([{ "op": "replace", "path": "members", "value": members([12, 13]) }]));
    let before = entries("membership");
    assert_eq!(send(&provider, "PATCH", &path, &key, &all).status, 204);
    assert_eq!(entries("membership") - before, 3, "11 goes, and two come");
    assert_eq!((may(&provider, 11), may(&provider, 12)), (false, true));
}

/// Entra repeats its requests. A repeated one reads the feed and writes nothing.
#[test]
fn what_changes_nothing_writes_nothing() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let ada = made(
        &isolate,
        USERS,
        &key,
        &json!({ "userName": "ada", "externalId": "x", "emails": [{ "value": "a@b" }] }),
    );
    let group =
        made(&isolate, GROUPS, &key, &json!({ "displayName": "Sales", "members": members([ada]) }));
    world.run_tasks();
    let before = world.database.dump();
    world.pass(1);
    let user = patch(&json!([
        {
            "op": "replace",
            "value": { "active": true, "externalId": "x", "emails": [{ "value": "a@b" }] },
        },
    ]));
    assert_eq!(send(&isolate, "PATCH", &format!("{USERS}/{ada}"), &key, &user).status, 200);
    for operations in [
        json!([
            { "op": "add", "path": "members", "value": members([ada]) },
            { "op": "remove", "path": "members[value eq \"77\"]" },
        ]),
        json!([{ "op": "replace", "path": "members", "value": members([ada]) }]),
        json!([{ "op": "replace", "path": "displayName", "value": "Sales" }]),
    ] {
        assert_eq!(
            send(&isolate, "PATCH", &format!("{GROUPS}/{group}"), &key, &patch(&operations)).status,
            204
        );
    }
    assert_eq!(world.database.dump(), before);
}

/// Another client writes between the reading and the write.
#[test]
fn the_rules_hold_where_somebody_else_was_faster() {
    let user = |name: &str| json!({ "userName": name });
    for (method, path, body, meanwhile, status) in [
        (
            "POST",
            USERS,
            user("Bob"),
            "INSERT INTO users (id, username, type, created_at, modified_at) \
             VALUES (9, 'bob', 'SYS_Reader', 0, 0)",
            409,
        ),
        (
            "POST",
            USERS,
            user("bob"),
            "INSERT INTO users (id, username, type, created_at, modified_at) \
             VALUES (9, 'bob', 'SYS_Reader', 0, 0)",
            409,
        ),
        (
            "PUT",
            "/scim/v2/Users/2",
            user("Bob"),
            "INSERT INTO users (id, username, type, created_at, modified_at) \
             VALUES (9, 'bob', 'SYS_Reader', 0, 0)",
            409,
        ),
        (
            "PUT",
            "/scim/v2/Users/2",
            user("Bob"),
            "UPDATE users SET type = 'Administrator' WHERE id = 2",
            403,
        ),
        (
            "DELETE",
            "/scim/v2/Users/2",
            Value::Null,
            "UPDATE users SET type = 'Administrator' WHERE id = 2",
            403,
        ),
        (
            "POST",
            GROUPS,
            json!({ "displayName": "SALES" }),
            "INSERT INTO units (object_type, id, name, created_at) VALUES ('GROUP', 9, 'sales', 0)",
            409,
        ),
        (
            "PATCH",
            "/scim/v2/Groups/1",
            patch(&json!([{ "op": "add", "path": "members", "value": members([2]) }])),
            "DELETE FROM users WHERE id = 2",
            400,
        ),
    ] {
        let world = World::new();
        let isolate = world.isolate();
        let key = provisioner(&isolate);
        made(&isolate, USERS, &key, &user("ada"));
        made(&isolate, GROUPS, &key, &json!({ "displayName": "Readers" }));
        world.database.overtake(2, meanwhile);
        let response = send(&isolate, method, path, &key, &body);
        assert_eq!(response.status, status, "{method} {path} {meanwhile}: {}", response.body);
        assert_eq!(world.database.number("SELECT COUNT(*) FROM refusals"), 0);
    }
}

/// A token names its user by name. A user who gets a name by a rename must not get tokens of the
/// name's earlier user.
#[test]
fn a_renamed_user_gets_no_token_that_was_issued_before() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "inituser": "0" }));
    let key = provisioner(&isolate);
    let signed = |name: &str| {
        let now = world.now.get().seconds();
        isolate.signed("abcd", &json!({ "loginname": name, "iat": now, "exp": now + 600 }))
    };
    let bob = made(&isolate, USERS, &key, &json!({ "userName": "bob" }));
    let ada = made(&isolate, USERS, &key, &json!({ "userName": "ada" }));
    let (of_bob, of_ada) = (signed("bob"), signed("ada"));
    assert_eq!((isolate.verify(&of_bob).0, isolate.verify(&of_ada).0), (200, 200));
    for (id, name) in [(bob, "robert"), (ada, "bob")] {
        let rename = patch(&json!([{ "op": "replace", "path": "userName", "value": name }]));
        assert_eq!(send(&isolate, "PATCH", &format!("{USERS}/{id}"), &key, &rename).status, 200);
    }
    assert_eq!(
        isolate.verify(&of_bob),
        (401, "revoked".to_owned()),
        "bob's token is no token of the new bob"
    );
    assert_eq!(isolate.verify(&of_ada), (403, "user_unknown".to_owned()));
    world.pass(1);
    assert_eq!(isolate.verify(&signed("bob")), (200, "bob".to_owned()));
    assert_eq!(isolate.verify(&signed("robert")), (200, "robert".to_owned()));
}

/// A renamed user leaves the old name like a deleted user. A token that names it creates nobody,
/// and is not valid for a later user of the name.
#[test]
fn a_name_that_somebody_gave_up_takes_no_token_of_theirs_along() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "speaks_for": "everybody" }));
    let key = provisioner(&isolate);
    let signed = |name: &str| {
        let now = world.now.get().seconds();
        isolate.signed("abcd", &json!({ "loginname": name, "iat": now, "exp": now + 600 }))
    };
    let john = made(&isolate, USERS, &key, &json!({ "userName": "jsmith", "externalId": "john" }));
    let of_john = signed("jsmith");
    assert_eq!(isolate.verify(&of_john).0, 200);
    let rename =
        |name: &str| patch(&json!([{ "op": "replace", "path": "userName", "value": name }]));
    assert_eq!(
        send(&isolate, "PATCH", &format!("{USERS}/{john}"), &key, &rename("john.s")).status,
        200
    );
    assert_eq!(isolate.verify(&of_john), (403, "user_deleted".to_owned()), "it makes nobody");
    assert_eq!(world.isolate().verify(&of_john), (403, "user_deleted".to_owned()));
    let jane = made(&isolate, USERS, &key, &json!({ "userName": "jsmith", "externalId": "jane" }));
    assert_ne!(john, jane);
    assert_eq!(isolate.verify(&of_john), (401, "revoked".to_owned()), "nor is it the next one's");
    world.pass(2);
    assert_eq!(isolate.verify(&signed("jsmith")), (200, "jsmith".to_owned()));
    assert_eq!(
        send(&isolate, "DELETE", &format!("{USERS}/{jane}"), &key, &Value::Null).status,
        204
    );
    assert_eq!(
        send(&isolate, "PATCH", &format!("{USERS}/{john}"), &key, &rename("jsmith")).status,
        200,
        "back to the old name"
    );
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM tombstones WHERE username = 'jsmith'"),
        0
    );
    assert_eq!(
        world
            .database
            .text("SELECT deleted_by || ' ' || id FROM tombstones WHERE username = 'john.s'"),
        "[key 1 entra] 0"
    );
}

#[test]
fn only_the_providers_id_tells_that_somebody_comes_back() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let bob = made(&isolate, USERS, &key, &json!({ "userName": "bob" }));
    let off = patch(&json!([{ "op": "replace", "path": "active", "value": false }]));
    assert_eq!(send(&isolate, "PATCH", &format!("{USERS}/{bob}"), &key, &off).status, 200);
    assert_eq!(send(&isolate, "POST", USERS, &key, &json!({ "userName": "bob" })).status, 409);
    assert_eq!(
        send(&isolate, "POST", USERS, &key, &json!({ "userName": "bob", "externalId": "x" }))
            .status,
        409
    );
}

#[test]
fn long_lists_are_refused_before_anybody_goes_through_them() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let bob = made(&isolate, USERS, &key, &json!({ "userName": "bob" }));
    let emails: Vec<_> =
        (0..21).map(|number| json!({ "value": format!("{number}@example.com") })).collect();
    let add = patch(&json!([{ "op": "add", "path": "emails", "value": emails }]));
    assert_eq!(send(&isolate, "PATCH", &format!("{USERS}/{bob}"), &key, &add).status, 400);
    let attributes = vec!["a"; 101];
    assert_eq!(
        send(
            &isolate,
            "POST",
            "/scim/v2/Groups/.search",
            &key,
            &json!({ "attributes": attributes })
        )
        .status,
        400
    );
    let group = made(&isolate, GROUPS, &key, &json!({ "displayName": "g" }));
    let many = patch(&json!([{ "op": "remove", "path": "members", "value": members(1..=20_001) }]));
    assert_eq!(send(&isolate, "PATCH", &format!("{GROUPS}/{group}"), &key, &many).status, 400);
}

/// Names in other alphabets are compared in lower case and in one normal form, however they were
/// written.
#[test]
fn names_are_compared_without_case_in_every_alphabet() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let find = |path: &str, filter: &str| {
        let encoded =
            percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("{path}?filter={encoded}");
        json_of(&send(&isolate, "GET", &path, &key, &Value::Null))["totalResults"].clone()
    };
    made(&isolate, USERS, &key, &json!({ "userName": "Åsa@Example.com" }));
    assert_eq!(isolate.administer("POST", "/v1/groups", &json!({ "name": "Führung" })).status, 201);
    for name in ["åsa@example.com", "ÅSA@EXAMPLE.COM", "A\u{30a}sa@example.com"] {
        assert_eq!(find(USERS, &format!("userName eq \"{name}\"")), json!(1), "{name}");
        assert_eq!(
            send(&isolate, "POST", USERS, &key, &json!({ "userName": name })).status,
            409,
            "{name}"
        );
    }
    assert_eq!(find(GROUPS, "displayName eq \"FÜHRUNG\""), json!(1));
    assert_eq!(
        send(&isolate, "POST", GROUPS, &key, &json!({ "displayName": "führung" })).status,
        409
    );
    assert_eq!(
        isolate.administer("PATCH", "/v1/groups/1", &json!({ "name": "Ärzte" })).status,
        200
    );
    assert_eq!(
        (find(GROUPS, "displayName eq \"führung\""), find(GROUPS, "displayName eq \"ärzte\"")),
        (json!(0), json!(1))
    );
    // The scheduled event folds names that the last release or an import has written.
    world.database.execute(
        "INSERT INTO users (id, username, type, created_at, modified_at)
           VALUES (50, 'Öko', 'SYS_Reader', 0, 0), (51, 'ASCII', 'SYS_Reader', 0, 0);
         UPDATE units SET name = 'Übung' WHERE id = 1",
    );
    assert_eq!(
        (find(USERS, "userName eq \"öko\""), find(USERS, "userName eq \"ascii\"")),
        (json!(0), json!(1))
    );
    block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
    assert_eq!(
        (find(USERS, "userName eq \"öko\""), find(GROUPS, "displayName eq \"übung\"")),
        (json!(1), json!(1))
    );
}

/// A list with members ends where they become too many, and the next request continues after the
/// last group.
#[test]
fn a_list_of_large_groups_comes_in_parts() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    fill(&world, 11..=10_010);
    for group in 1..=4 {
        world.database.execute(&format!(
            "INSERT INTO units (object_type, id, name, created_at)
               VALUES ('GROUP', {group}, 'g{group}', 0);
             INSERT INTO provisioned_groups (group_id, modified_at) VALUES ({group}, 0);
             INSERT INTO memberships (user_id, object_type, object_id)
               SELECT user_id, 'GROUP', {group} FROM provisioned_users WHERE user_id <= {}",
            if group == 2 { 10_010 } else { 5_010 }
        ));
    }
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let page = json_of(&send(
            &isolate,
            "GET",
            &format!("{GROUPS}?startIndex={}", seen.len() + 1),
            &key,
            &Value::Null,
        ));
        let groups = page["Resources"].as_array().expect("groups");
        assert!(!groups.is_empty() && page["totalResults"] == json!(4), "{}", page["totalResults"]);
        assert_eq!(page["itemsPerPage"], json!(groups.len()));
        seen.extend(groups.iter().map(|group| group["members"].as_array().map_or(0, Vec::len)));
    }
    assert_eq!(seen, [5000, 10_000, 5000, 5000]);
    let bare = json_of(&send(
        &isolate,
        "GET",
        &format!("{GROUPS}?excludedAttributes=members"),
        &key,
        &Value::Null,
    ));
    assert_eq!(bare["itemsPerPage"], json!(4));
}

/// Pages are the same from both ends of the list, and have no deleted user.
#[test]
fn pages_have_everybody_once() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    fill(&world, 11..=117);
    assert_eq!(send(&isolate, "DELETE", &format!("{USERS}/60"), &key, &Value::Null).status, 204);
    for count in [7, 50, 200] {
        let mut seen = Vec::new();
        loop {
            let path =
                format!("{USERS}?startIndex={}&count={count}&attributes=userName", seen.len() + 1);
            let page = json_of(&send(&isolate, "GET", &path, &key, &Value::Null));
            let ids: Vec<i64> = page["Resources"]
                .as_array()
                .expect("users")
                .iter()
                .filter_map(|user| user["id"].as_str()?.parse().ok())
                .collect();
            if ids.is_empty() {
                break;
            }
            seen.extend(ids);
        }
        assert_eq!(seen, (11..=117).filter(|id| *id != 60).collect::<Vec<_>>(), "{count}");
    }
}

/// An adopted user keeps their grants. SCIM adopts only users whom the provider asks for.
#[test]
fn an_adopted_user_keeps_their_grants_and_a_deleted_one_leaves_none() {
    let world = World::new();
    let isolate = world.isolate_with(&[("SCIM_ADOPT", Some("true"))]);
    let key = provisioner(&isolate);
    assert_eq!(
        isolate.administer("POST", "/v1/users", &json!({ "username": "alice" })).status,
        201
    );
    let grant = json!({ "authObjectType": "USER", "authObjectId": 2, "permissions": ["TEST"] });
    assert_eq!(isolate.administer("POST", "/api/v1/services/5/auth", &grant).status, 200);
    assert_eq!(made(&isolate, USERS, &key, &json!({ "userName": "alice" })), 2);
    let count = |table: &str| world.database.number(&format!("SELECT COUNT(*) FROM {table}"));
    assert_eq!((count("grants WHERE object_id = 2"), count("provisioned_users")), (1, 1));
    assert_eq!(
        world.database.number("SELECT total FROM provisioned_counts WHERE kind = 'user'"),
        1
    );
    assert_eq!(send(&isolate, "DELETE", &format!("{USERS}/2"), &key, &Value::Null).status, 204);
    assert_eq!((count("grants WHERE object_id = 2"), count("provisioned_users")), (0, 0));
    assert_eq!(
        world.database.number("SELECT total FROM provisioned_counts WHERE kind = 'user'"),
        0
    );
    // The next user of that name is another user.
    assert_eq!(made(&isolate, USERS, &key, &json!({ "userName": "alice" })), 3);
}

#[test]
fn what_provisioning_keeps_is_imported_only_for_somebody_who_is_there() {
    let world = World::new();
    let isolate = world.isolate();
    let import = |records: &[Value]| {
        let body = records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let request = Request::new("POST", "/v1/import")
            .authorization(&admin())
            .header("content-type", "application/x-ndjson");
        isolate.send(&request.body(&body))
    };
    for (record, words) in [
        (json!({ "record": "provisionedUser", "userId": 70 }), "about no user"),
        (json!({ "record": "provisionedGroup", "groupId": 70 }), "about no group"),
    ] {
        let response = import(&[record]);
        assert_eq!(response.status, 409, "{}", response.body);
        assert!(response.body.contains(words), "{}", response.body);
    }
    let user = json!({
        "record": "user", "id": 70, "username": "carol", "type": "SYS_Reader", "enabled": true,
    });
    let response = import(&[json!({ "record": "provisionedUser", "userId": 70 }), user]);
    assert_eq!(response.status, 200, "{}", response.body);
}

#[test]
fn a_group_that_is_deleted_and_made_again_meanwhile_is_not_provisioning_s() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let group = made(&isolate, GROUPS, &key, &json!({ "displayName": "ops" }));
    let again = format!(
        "DELETE FROM units WHERE object_type = 'GROUP' AND id = {group};
         INSERT INTO units (object_type, id, name, created_at)
           VALUES ('GROUP', {group}, 'local', 0);"
    );
    for operation in [
        json!({ "op": "replace", "path": "displayName", "value": "mine" }),
        json!({ "op": "add", "path": "members", "value": [{ "value": "1" }] }),
    ] {
        world.database.overtake(2, &again);
        let response = send(
            &isolate,
            "PATCH",
            &format!("{GROUPS}/{group}"),
            &key,
            &patch(&json!([operation])),
        );
        assert_eq!(response.status, 403, "{}", response.body);
        world.database.execute(&format!(
            "INSERT INTO provisioned_groups (group_id, modified_at) VALUES ({group}, 0)"
        ));
    }
    world.database.overtake(2, &again);
    let response = send(&isolate, "DELETE", &format!("{GROUPS}/{group}"), &key, &Value::Null);
    assert_eq!(response.status, 403, "{}", response.body);
    assert_eq!(world.database.text(&format!("SELECT name FROM units WHERE id = {group}")), "local");
}

#[test]
fn brackets_of_a_filter_are_about_one_address() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let emails = json!([
        { "value": "a@example.com", "type": "home", "primary": true },
        { "value": "b@example.com", "type": "work" },
    ]);
    made(&isolate, USERS, &key, &json!({ "userName": "carol", "emails": emails }));
    let found = |filter: &str| {
        let request = Request::new("POST", &format!("{USERS}/.search")).authorization(&key);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter,
        });
        let response = isolate
            .send(&request.header("content-type", "application/scim+json").body(&body.to_string()));
        (response.status, json_of(&response)["totalResults"].as_i64())
    };
    for (filter, total) in [
        (r#"emails.value eq "A@example.com""#, 1),
        (r#"emails[type eq "home"].value eq "a@example.com""#, 1),
        (r#"emails[type eq "home" and value eq "a@example.com"]"#, 1),
        (r#"emails[type eq "work"].value eq "a@example.com""#, 0),
        (r#"emails[primary eq true].value eq "a@example.com""#, 1),
        (r#"emails[primary eq false and value eq "a@example.com"]"#, 0),
    ] {
        assert_eq!(found(filter), (200, Some(total)), "{filter}");
    }
    assert_eq!(found(r#"emails[display eq "x"].value eq "a@example.com""#).0, 400);
}

#[test]
fn many_operations_make_no_longer_list_than_one() {
    let world = World::new();
    let isolate = world.isolate();
    let key = provisioner(&isolate);
    let ada = made(&isolate, USERS, &key, &json!({ "userName": "ada" }));
    let emails = |from: usize| {
        (from..from + 20)
            .map(|n| json!({ "value": format!("a{n}@example.com") }))
            .collect::<Value>()
    };
    let operations: Vec<_> =
        (0..3).map(|n| json!({ "op": "add", "path": "emails", "value": emails(n * 20) })).collect();
    let response =
        send(&isolate, "PATCH", &format!("{USERS}/{ada}"), &key, &patch(&json!(operations)));
    assert_eq!(response.status, 400, "{}", response.body);
    assert!(response.body.contains("20 addresses"), "{}", response.body);
}
