//! The users whom an app's token may name, and the attributes that follow the token.

use super::*;

#[test]
fn an_app_speaks_for_nobody_above_it() {
    with_app(&json!({}), |isolate| {
        let of_admin = token(isolate, &json!({ "sub": "admin" }));
        // The first administrator exists, because they created the app.
        assert_eq!(verify(isolate, &of_admin), (403, "user_refused".to_owned()));
        assert_eq!(isolate.get("/v1/users", &format!("Bearer {of_admin}")).status, 403);
        change(isolate, "App", &json!({ "speaksFor": "everybody" }));
        assert_eq!(verify(isolate, &of_admin).0, 200);
        assert_eq!(isolate.get("/v1/users", &format!("Bearer {of_admin}")).status, 200);
        change(isolate, "App", &json!({ "speaksFor": "own" }));
        assert_eq!(verify(isolate, &of_admin), (403, "user_refused".to_owned()));
    });
}

#[test]
fn an_app_that_speaks_for_its_own_takes_nobody_else() {
    with_app(&json!({ "speaksFor": "own" }), |isolate| {
        let created = isolate.administer("POST", "/v1/users", &json!({ "username": "bob" }));
        let id = json_of(&created)["id"].clone();
        assert_eq!(
            verify(isolate, &token(isolate, &json!({ "sub": "alice" }))).0,
            200,
            "whom it created"
        );
        let of_bob = token(isolate, &json!({ "sub": "bob" }));
        assert_eq!(verify(isolate, &of_bob), (403, "user_refused".to_owned()));
        let given =
            isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "tokenApp": "App" }));
        assert_eq!(
            (given.status, &json_of(&given)["tokenApp"]),
            (200, &json!("App")),
            "{}",
            given.body
        );
        assert_eq!(verify(isolate, &of_bob).0, 200, "who was given to it");
        isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "tokenApp": null }));
        assert_eq!(verify(isolate, &of_bob), (403, "user_refused".to_owned()));
        create(
            isolate,
            "Other",
            &json!({
                "speaksFor": "own", "tokenName": "other",
                "secret": "another secret of thirty-two byte",
            }),
        );
    });
}

#[test]
fn an_app_does_not_inherit_the_users_of_a_deleted_one() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    create(&isolate, "App", &json!({ "speaksFor": "own" }));
    let of_alice = token(&isolate, &json!({}));
    assert_eq!([verify(&isolate, &of_alice).0, verify(&other, &of_alice).0], [200, 200]);
    assert_eq!(isolate.administer("DELETE", "/v1/token-apps/App", &json!({})).status, 204);
    create(&isolate, "App", &json!({ "speaksFor": "own" }));
    assert_eq!(verify(&isolate, &of_alice), (403, "user_refused".to_owned()));
    world.pass(11);
    assert_eq!(
        verify(&other, &of_alice),
        (403, "user_refused".to_owned()),
        "also where both were remembered"
    );
}

#[test]
fn roles_of_new_users_imply_for_whom_an_app_speaks_unless_it_says_so() {
    with_app(&json!({ "initialRoles": ["Administrator"] }), |isolate| {
        let shown = json_of(&isolate.get("/v1/token-apps/App", &admin()));
        assert_eq!(shown["speaksFor"], "everybody");
        assert!(
            shown["warnings"][0].as_str().expect("a warning").contains("administrators"),
            "{shown}"
        );
        assert_eq!(verified(isolate, &token(isolate, &json!({})))["user"]["type"], "Administrator");
        change(isolate, "App", &json!({ "speaksFor": "users" }));
        assert_eq!(
            verify(isolate, &token(isolate, &json!({ "sub": "new" }))),
            (403, "user_refused".to_owned())
        );
        let count =
            isolate.world.database.number("SELECT COUNT(*) FROM users WHERE username = 'new'");
        assert_eq!(count, 0, "nobody was created");
    });
}

#[test]
fn a_claim_gives_a_type_only_by_a_map() {
    with_app(
        &json!({ "claims": { "username": "sub", "roles": "/realm_access/roles" } }),
        |isolate| {
            let claims =
                json!({ "realm_access": { "roles": ["Administrator", "SYS_Creator", "sales"] } });
            let user = verified(isolate, &token(isolate, &claims))["user"].clone();
            assert_eq!((&user["type"], &user["roles"]), (&json!("SYS_Reader"), &json!(["sales"])));
            change(
                isolate,
                "App",
                &json!({ "roleMap": { "bi-authors": "SYS_Creator", "x": "y" } }),
            );
            let claims = json!({
                "sub": "bob", "realm_access": { "roles": ["bi-authors", "sales", "Administrator"] },
            });
            let user = verified(isolate, &token(isolate, &claims))["user"].clone();
            assert_eq!(
                (&user["type"], &user["roles"]),
                (&json!("SYS_Creator"), &json!(["SYS_Creator"]))
            );
            let map = json!({ "roleMap": { "bosses": "Administrator" } });
            let refused = isolate.administer("PATCH", "/v1/token-apps/App", &map);
            assert_eq!(
                (refused.status, &json_of(&refused)["field"]),
                (400, &json!("roleMap")),
                "{}",
                refused.body
            );
            change(
                isolate,
                "App",
                &json!({ "roleMap": { "bosses": "Administrator" }, "speaksFor": "everybody" }),
            );
            let claims = json!({ "sub": "carol", "realm_access": { "roles": ["bosses"] } });
            assert_eq!(
                verified(isolate, &token(isolate, &claims))["user"]["type"],
                "Administrator"
            );
            // Of several types the highest one is taken, wherever it is in the list.
            for (name, roles) in
                [("dave", ["bi-authors", "bosses"]), ("erin", ["bosses", "bi-authors"])]
            {
                let claims = json!({ "sub": name, "realm_access": { "roles": roles } });
                assert_eq!(
                    verified(isolate, &token(isolate, &claims))["user"]["type"],
                    "Administrator",
                    "{roles:?}"
                );
            }
        },
    );
}

#[test]
fn a_value_of_a_claim_is_a_role_where_its_name_may_be_one() {
    with_app(&json!({ "claims": { "username": "sub", "roles": "roles" } }), |isolate| {
        let longest = "r".repeat(128);
        let claims =
            json!({ "roles": [longest, "r".repeat(129), "", " sales", "sa\u{7}les", "sales"] });
        assert_eq!(
            verified(isolate, &token(isolate, &claims))["user"]["roles"],
            json!([longest, "sales"])
        );
    });
}

#[test]
fn a_profile_follows_the_token_with_one_write() {
    with_app(&json!({ "claims": { "username": "sub", "roles": "roles" } }), |isolate| {
        let told = |name: &str, roles: &[&str], seconds: i64| {
            json!({
                "name": name, "email": "a@example.com", "roles": roles,
                "iat": now_s(isolate) + seconds,
            })
        };
        let user = |claims: &Value| verified(isolate, &token(isolate, claims))["user"].clone();
        let followed = "SELECT COUNT(*) FROM audit_events WHERE action = 'user.follow'";
        user(&told("Alice", &["a"], 0));
        let after = user(&told("Alice B.", &["b"], 0));
        assert_eq!((&after["name"], &after["roles"]), (&json!("Alice B."), &json!(["b"])));
        for _ in 0..3 {
            user(&told("Alice B.", &["b"], 0));
        }
        assert_eq!(isolate.world.database.number(followed), 1);
        let older = user(&told("Old", &["old"], -60));
        assert_eq!(older["name"], "Alice B.", "an older token changes nothing");
        change(isolate, "App", &json!({ "profile": "once" }));
        assert_eq!(user(&told("Eve", &["c"], 0))["name"], "Alice B.");
        // Without the claim, only roles are removed, because all of them come from the claim.
        change(isolate, "App", &json!({ "profile": "follow" }));
        let without = user(&json!({ "iat": now_s(isolate) }));
        assert_eq!((&without["name"], &without["roles"]), (&json!("Alice B."), &json!([])));
    });
}

#[test]
fn a_type_that_an_administrator_gave_stays_unless_the_map_has_it() {
    with_app(
        &json!({
            "claims": { "username": "sub", "roles": "roles" }, "speaksFor": "everybody",
            "roleMap": { "authors": "SYS_Creator" },
        }),
        |isolate| {
            let user = |claims: &Value| verified(isolate, &token(isolate, claims))["user"].clone();
            assert_eq!(user(&json!({ "sub": "admin", "roles": [] }))["type"], "Administrator");
            assert_eq!(user(&json!({ "roles": ["authors"] }))["type"], "SYS_Creator");
            assert_eq!(
                user(&json!({ "roles": [] }))["type"],
                "SYS_Reader",
                "it goes with the role"
            );
            // The last administrator is never changed, so the test needs a second one.
            let body = json!({ "username": "bob", "type": "Administrator" });
            assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
            assert_eq!(user(&json!({ "sub": "bob", "roles": [] }))["type"], "Administrator");
            change(
                isolate,
                "App",
                &json!({ "roleMap": { "authors": null, "bosses": "Administrator" } }),
            );
            assert_eq!(
                user(&json!({ "sub": "bob", "roles": ["bosses"] }))["type"],
                "Administrator"
            );
            assert_eq!(
                user(&json!({ "sub": "bob", "roles": [] }))["type"],
                "SYS_Reader",
                "the map has it"
            );
        },
    );
}

/// The token that creates a user is also the first one whose claims they get.
#[test]
fn a_token_from_before_the_one_that_created_its_user_changes_nothing() {
    with_app(&json!({ "claims": { "username": "sub", "roles": "roles" } }), |isolate| {
        let user = |name: &str, seconds: i64| {
            let claims = json!({
                "name": name, "email": name, "roles": [name], "iat": now_s(isolate) + seconds,
            });
            let user = verified(isolate, &token(isolate, &claims))["user"].clone();
            ["name", "email"]
                .map(|member| user[member].clone())
                .into_iter()
                .chain([user["roles"][0].clone()])
                .collect::<Vec<_>>()
        };
        assert_eq!(user("new", 0), ["new"; 3]);
        assert_eq!(user("old", -60), ["new"; 3]);
        assert_eq!(
            user("other", 0),
            ["other"; 3],
            "of two tokens of one second either may be the newer"
        );
    });
}

#[test]
fn the_id_of_a_user_is_the_one_that_the_claim_says() {
    with_app(&json!({ "claims": { "username": "sub", "id": "uid" } }), |isolate| {
        assert_eq!(verified(isolate, &token(isolate, &json!({ "uid": 4711 })))["user"]["id"], 4711);
        assert_eq!(
            verified(isolate, &token(isolate, &json!({ "sub": "bob", "uid": "9007199254740993" })))
                ["user"]["id"],
            9_007_199_254_740_993_i64
        );
        for (claims, reason) in [
            (json!({ "uid": 4712 }), (403, "id_conflict")),
            (json!({ "sub": "eve", "uid": 4711 }), (403, "id_conflict")),
            (json!({ "sub": "eve", "uid": 1 }), (403, "id_conflict")),
            (json!({ "sub": "eve" }), (401, "claim_missing")),
            (json!({ "sub": "eve", "uid": 0 }), (401, "claim_type")),
            (json!({ "sub": "eve", "uid": -5 }), (401, "claim_type")),
            (json!({ "sub": "eve", "uid": 1.5 }), (401, "claim_type")),
            (json!({ "sub": "eve", "uid": "007" }), (401, "claim_type")),
            (json!({ "sub": "eve", "uid": "9223372036854775808" }), (401, "claim_type")),
        ] {
            assert_eq!(
                verify(isolate, &token(isolate, &claims)),
                (reason.0, reason.1.to_owned()),
                "{claims}"
            );
        }
        assert_eq!(
            isolate.world.database.number("SELECT COUNT(*) FROM users WHERE username = 'eve'"),
            0
        );
    });
}

fn allowed(isolate: &Isolate<'_>, token: &str) -> bool {
    let response = isolate.get("/v1/check?service=7&permission=TEST", &format!("Bearer {token}"));
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)["allowed"] == true
}

fn grant_to_group(isolate: &Isolate<'_>, group: i64) {
    let body = json!({ "authObjectType": "GROUP", "authObjectId": group, "permissions": ["TEST"] });
    let response = isolate.administer("POST", "/api/v1/services/7/auth", &body);
    assert_eq!(response.status, 200, "{}", response.body);
}

#[test]
fn groups_of_a_token_count_for_its_request_only() {
    let members = json!({
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 },
    });
    with_app(&members, |isolate| {
        grant_to_group(isolate, 4);
        let of = |groups: Value| token(isolate, &json!({ "groups": groups }));
        assert!(allowed(isolate, &of(json!(["ops"]))));
        assert!(allowed(isolate, &of(json!(["ops", "dev"]))));
        assert!(!allowed(isolate, &of(json!(["dev", "Ops"]))));
        assert!(!allowed(isolate, &of(json!([]))));
        assert_eq!(
            isolate.world.database.number("SELECT COUNT(*) FROM memberships"),
            0,
            "nothing is written"
        );
        let other = verified(isolate, &of(json!([])))["user"]["id"].clone();
        let response =
            isolate.get(&format!("/v1/check?service=7&permission=TEST&user={other}"), &admin());
        assert_eq!(
            json_of(&response)["allowed"],
            false,
            "nobody else's question is answered by them"
        );
        // In a warm isolate, the group's grant is in force until it is deleted.
        let warm = of(json!(["ops"]));
        assert!(allowed(isolate, &warm));
        let grant = isolate.world.database.number("SELECT id FROM grants");
        assert_eq!(
            isolate
                .administer("DELETE", &format!("/api/v1/services/auth/{grant}"), &json!({}))
                .status,
            200
        );
        assert!(!allowed(isolate, &warm));
    });
}

#[test]
fn groups_of_a_token_become_memberships_where_the_app_says_so() {
    let members = json!({
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 },
        "groupsMode": "sync",
    });
    with_app(&members, |isolate| {
        grant_to_group(isolate, 4);
        let groups =
            "SELECT COALESCE(SUM(object_id), 0) FROM memberships WHERE object_type = 'GROUP'";
        let sum = || isolate.world.database.number(groups);
        let sign_in =
            |groups: Value| verified(isolate, &token(isolate, &json!({ "groups": groups })));
        let id = sign_in(json!(["ops"]))["user"]["id"].clone();
        assert_eq!(sum(), 4);
        assert!(allowed(isolate, &token(isolate, &json!({ "groups": ["ops"] }))));
        let events = "SELECT COUNT(*) FROM audit_events WHERE action = 'user.sync_groups'";
        sign_in(json!(["ops"]));
        assert_eq!(isolate.world.database.number(events), 1, "what is so already is not written");
        sign_in(json!(["dev"]));
        assert_eq!(sum(), 5);
        isolate.administer("PUT", &format!("/v1/groups/9/members/{id}"), &json!({}));
        isolate.administer("DELETE", &format!("/v1/groups/5/members/{id}"), &json!({}));
        sign_in(json!(["dev"]));
        assert_eq!(sum(), 5 + 9, "groups that are not mapped stay; what was taken away comes back");
        let overage = token(isolate, &json!({ "_claim_names": { "groups": "src1" } }));
        verified(isolate, &overage);
        assert_eq!(sum(), 5 + 9, "too many groups for the token are not none");
        verified(
            isolate,
            &token(isolate, &json!({ "groups": ["ops"], "_claim_names": { "roles": "src1" } })),
        );
        assert_eq!(sum(), 4 + 9, "what is left out is another claim");
        verified(isolate, &token(isolate, &json!({})));
        assert_eq!(sum(), 9, "no claim is no group");
        sign_in(json!(["dev"]));
        sign_in(json!([]));
        assert_eq!(sum(), 9);
        // An older token that is still valid removes nothing, so two tokens do not write in turns.
        verified(
            isolate,
            &token(isolate, &json!({ "groups": ["ops"], "iat": now_s(isolate) - 60 })),
        );
        assert_eq!(sum(), 9);
    });
}

#[test]
fn chosen_claims_are_passed_on() {
    with_app(&json!({ "passClaims": ["tenant", "/nested/list", "absent"] }), |isolate| {
        let claims = json!({ "tenant": "blue", "nested": { "list": [1, "ä"] }, "other": 1 });
        let body = verified(isolate, &token(isolate, &claims));
        assert_eq!(body["claims"], json!({ "tenant": "blue", "/nested/list": [1, "ä"] }));
        let twice = isolate.administer(
            "PATCH",
            "/v1/token-apps/App",
            &json!({ "passClaims": ["a-b", "/a/b"] }),
        );
        assert_eq!((twice.status, &json_of(&twice)["field"]), (400, &json!("passClaims")));
    });
}

#[test]
fn groups_in_another_order_or_twice_are_the_same_groups() {
    let map = json!({ "ops": 4, "admins": 4, "dev": 5 });
    let members = json!({
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": map, "groupsMode": "sync",
    });
    with_app(&members, |isolate| {
        for groups in
            [json!(["ops", "dev"]), json!(["dev", "ops"]), json!(["dev", "admins", "ops", "dev"])]
        {
            verified(isolate, &token(isolate, &json!({ "groups": groups })));
        }
        assert_eq!(isolate.world.database.number("SELECT COUNT(*) FROM memberships"), 2);
        let events = "SELECT COUNT(*) FROM audit_events WHERE action = 'user.sync_groups'";
        assert_eq!(isolate.world.database.number(events), 1, "what is so already is not written");
    });
}

/// A token that is older than the one whose groups were applied last may be valid for hours, and
/// the memberships would stay for longer.
#[test]
fn an_older_token_brings_no_membership_back() {
    let members = json!({
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 },
        "groupsMode": "sync",
    });
    with_app(&members, |isolate| {
        let groups = || {
            isolate.world.database.number(
                "SELECT COALESCE(SUM(object_id), 0) FROM memberships WHERE object_type = 'GROUP'",
            )
        };
        let older = token(isolate, &json!({ "groups": ["ops"], "iat": now_s(isolate) - 60 }));
        let newer = token(isolate, &json!({ "groups": ["dev"] }));
        let other = isolate.world.isolate();
        verified(&other, &older);
        assert_eq!(groups(), 4);
        verified(isolate, &newer);
        assert_eq!(groups(), 5);
        let events = "SELECT COUNT(*) FROM audit_events WHERE action = 'user.sync_groups'";
        let count = isolate.world.database.number(events);
        verified(isolate, &older);
        assert_eq!(
            (groups(), isolate.world.database.number(events)),
            (5, count),
            "by the isolate that knows of the newer one"
        );
        let id = isolate.world.database.number("SELECT id FROM users WHERE username = 'alice'");
        isolate.administer("PUT", &format!("/v1/groups/9/members/{id}"), &json!({}));
        verified(isolate, &older);
        assert_eq!(groups(), 5 + 9, "after the note of the groups was taken away");
        isolate.administer("DELETE", &format!("/v1/groups/9/members/{id}"), &json!({}));
        let oldest = token(isolate, &json!({ "groups": [], "iat": now_s(isolate) - 50 }));
        verified(&other, &oldest);
        assert_eq!(groups(), 5, "by an isolate that does not know of the newer one yet");
    });
}

/// The isolate may not know yet what an administrator has removed.
#[test]
fn following_a_token_writes_nothing_back_that_changed_elsewhere() {
    with_app(&json!({}), |isolate| {
        let other = isolate.world.isolate();
        let named = |name: &str| token(isolate, &json!({ "name": name }));
        let id = verified(isolate, &named("Alice"))["user"]["id"].clone();
        let set = |user_type: &str, roles: Value| {
            let response = isolate.administer(
                "PATCH",
                &format!("/v1/users/{id}"),
                &json!({ "type": user_type, "roles": roles }),
            );
            assert_eq!(response.status, 200, "{}", response.body);
        };
        set("SYS_Creator", json!(["boss"]));
        assert_eq!(verified(&other, &named("Alice"))["user"]["type"], "SYS_Creator");
        set("SYS_Reader", json!([]));
        let after = verified(&other, &named("Alice B."))["user"].clone();
        assert_eq!(
            (&after["name"], &after["type"], &after["roles"]),
            (&json!("Alice B."), &json!("SYS_Reader"), &json!([]))
        );
    });
}

/// The origin gets the roles. `Administrator` among them would claim a type that the user does not
/// have.
#[test]
fn roles_that_follow_name_no_type_above_the_users_own() {
    let members = json!({
        "claims": { "username": "sub", "roles": "roles" },
        "initialRoles": ["Administrator", "SYS_Creator", "staff"], "speaksFor": "users",
    });
    with_app(&members, |isolate| {
        isolate.administer("POST", "/v1/users", &json!({ "username": "alice" }));
        let user =
            verified(isolate, &token(isolate, &json!({ "roles": ["sales"] })))["user"].clone();
        assert_eq!(
            (&user["type"], &user["roles"]),
            (&json!("SYS_Reader"), &json!(["staff", "sales"]))
        );
    });
}

/// For two tokens of the same second, such as an ID token and an access token, it is unknown which
/// is newer.
#[test]
fn tokens_that_are_shown_in_turn_write_a_few_times_a_minute() {
    let members = json!({
        "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 },
        "groupsMode": "sync",
    });
    with_app(&members, |isolate| {
        let one = token(isolate, &json!({ "name": "One", "groups": ["ops"] }));
        let other = token(isolate, &json!({ "name": "Other", "groups": ["dev"] }));
        let written = || {
            isolate.world.database.number(
                "SELECT COUNT(*) FROM audit_events \
                WHERE action IN ('user.follow', 'user.sync_groups')",
            )
        };
        let in_turn = || {
            let before = written();
            for _ in 0..20 {
                verified(isolate, &one);
                verified(isolate, &other);
            }
            written() - before
        };
        assert_eq!(in_turn(), 10);
        assert_eq!(in_turn(), 0, "in the same minute");
        verified(isolate, &token(isolate, &json!({ "sub": "bob", "groups": ["ops"] })));
        assert_eq!(
            isolate.world.database.number("SELECT COUNT(*) FROM memberships WHERE user_id = 3"),
            1,
            "others are not held up"
        );
        isolate.world.pass(60);
        assert_eq!(in_turn(), 10);
    });
}

/// An application may ignore case, accents and compatibility forms, and people mistake letters.
#[test]
fn a_token_creates_no_user_who_may_be_taken_for_another() {
    with_app(&json!({ "speaksFor": "everybody" }), |isolate| {
        assert_eq!(verify(isolate, &token(isolate, &json!({ "sub": "jose@x.example" }))).0, 200);
        for first in ["user1", "\u{3bf}\u{3b4}\u{3bf}\u{3c3}", "m\u{dc}SSIG"] {
            assert_eq!(verify(isolate, &token(isolate, &json!({ "sub": first }))).0, 200);
        }
        let alike = [
            "ADMIN",
            "Admin",
            "\u{430}dmin",
            "\u{c1}dmin",
            "adm\u{131}n",
            "\u{1d41a}dmin",
            "jos\u{e9}@x.example",
            "Jose@X.example",
            // Databases such as MySQL compare by Unicode's order, where these are equal.
            "admi\u{640}n",
            "a\u{f0}min",
            "\u{1f170}dmin",
            "user\u{967}",
            "user\u{661}",
            "user\u{2776}",
            // The other small sigma, and a letter whose upper case is two letters.
            "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
            "\u{39f}\u{394}\u{39f}\u{3a3}",
            "m\u{fc}\u{df}ig",
        ];
        for name in alike {
            let token = token(isolate, &json!({ "sub": name }));
            assert_eq!(verify(isolate, &token), (403, "name_conflict".to_owned()), "{name}");
            let explained = isolate.administer("POST", "/v1/explain", &json!({ "token": token }));
            assert_eq!(json_of(&explained)["verdict"], "refused", "{}", explained.body);
            assert!(explained.body.contains("look alike"), "{}", explained.body);
        }
        assert_eq!(isolate.world.database.number("SELECT COUNT(*) FROM users"), 5);
        // An administrator decides that they are two people.
        let created = isolate.administer("POST", "/v1/users", &json!({ "username": "ADMIN" }));
        assert_eq!(created.status, 201, "{}", created.body);
        let shown = verified(isolate, &token(isolate, &json!({ "sub": "ADMIN" })));
        assert_eq!(shown["user"]["username"], "ADMIN");
        for other in ["admin2", "\u{414}\u{43c}\u{438}\u{442}\u{440}\u{438}\u{439}"] {
            assert_eq!(
                verify(isolate, &token(isolate, &json!({ "sub": other }))).0,
                200,
                "{other}"
            );
        }
    });
}

/// Some identity providers write a name as the person typed it. In another case, it is no way back.
#[test]
fn a_token_creates_no_user_whose_name_looks_like_a_deleted_users() {
    with_app(&json!({}), |isolate| {
        let of = |name: &str| token(isolate, &json!({ "sub": name }));
        for name in ["Bob", "carol", "\u{414}\u{438}\u{43c}\u{430}"] {
            verified(isolate, &of(name));
            let encoded =
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            let path = format!("/v1/users?username={encoded}");
            let listed = json_of(&isolate.administer("GET", &path, &json!(null)));
            let id = &listed["items"][0]["id"];
            let deleted = isolate.administer("DELETE", &format!("/v1/users/{id}"), &json!(null));
            assert_eq!(deleted.status, 204, "{}", deleted.body);
        }
        let alike = ["bob", "BOB", "b\u{f3}b", "b\u{43e}b", "Carol", "\u{441}arol"];
        for name in alike.into_iter().chain(["\u{434}\u{438}\u{43c}\u{430}"]) {
            let refused = verify(isolate, &of(name));
            assert_eq!(refused, (403, "name_conflict".to_owned()), "{name}");
            let asked = json!({ "token": of(name) });
            let explained = isolate.administer("POST", "/v1/explain", &asked);
            assert_eq!(json_of(&explained)["verdict"], "refused", "{}", explained.body);
            assert!(explained.body.contains("look alike"), "{}", explained.body);
        }
        assert_eq!(verify(isolate, &of("Bob")), (403, "user_deleted".to_owned()));
        // A freed name is anybody's, in whatever case.
        let freed = isolate.administer("DELETE", "/v1/tombstones/Bob", &json!(null));
        assert_eq!(freed.status, 204, "{}", freed.body);
        verified(isolate, &of("bob"));
    });
}

/// A token that is refused for its groups creates nobody, whatever else is wrong with its user.
#[test]
fn a_claim_of_groups_that_cannot_be_used_is_the_reason_also_for_a_name_that_nobody_may_have() {
    with_app(&json!({}), |isolate| {
        create(
            isolate,
            "Synced",
            &json!({ "groupsMode": "sync", "groupMap": {}, "claims": { "username": "sub", "groups": "groups" } }),
        );
        let token = token(isolate, &json!({ "sub": "Admin", "groups": 7 }));
        let explained =
            isolate.administer("POST", "/v1/explain", &json!({ "token": token, "app": "Synced" }));
        assert!(explained.body.contains("the claim groups"), "{}", explained.body);
        assert!(!explained.body.contains("look alike"), "{}", explained.body);
    });
}

/// An import does not fold such names, and neither did an older release.
#[test]
fn the_scheduled_event_folds_names_of_deleted_users() {
    with_app(&json!({}), |isolate| {
        let line = json!({
            "record": "tombstone", "username": "\u{416}\u{430}\u{43d}\u{43d}\u{430}", "id": 77,
        });
        let imported = isolate.administer("POST", "/v1/import", &line);
        assert_eq!(imported.status, 200, "{}", imported.body);
        block_on(postern::actions::housekeeping::run(&isolate.cx())).expect("the scheduled event");
        let alike = token(isolate, &json!({ "sub": "\u{436}\u{430}\u{43d}\u{43d}\u{430}" }));
        assert_eq!(verify(isolate, &alike), (403, "name_conflict".to_owned()));
    });
}

/// Users of one name who are created at the same time are one user, not look-alikes.
#[test]
fn each_of_two_first_tokens_of_a_user_is_accepted() {
    let world = World::new();
    let (isolate, other) = (world.isolate(), world.isolate());
    create(&isolate, "App", &json!({}));
    let of_alice = token(&isolate, &json!({ "sub": "\u{c5}lice" }));
    assert_eq!([verify(&isolate, &of_alice).0, verify(&other, &of_alice).0], [200, 200]);
}
