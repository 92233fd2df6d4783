//! Whose a token is, for whom, and as what: each case fails when its check is taken out.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, admin, all_at_once, forge, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Creates a token app by `/v1` with some members beside those that it must have.
fn create(isolate: &Isolate<'_>, name: &str, change: &Value) -> Value {
    let mut body = json!({ "name": name, "algorithm": "HS256", "secret": SECRET, "claims": { "username": "sub" } });
    for (member, value) in change.as_object().expect("an object") {
        body[member] = value.clone();
    }
    let response = isolate.administer("POST", "/v1/token-apps", &body);
    assert_eq!(response.status, 201, "{}", response.body);
    json_of(&response)
}

fn change(isolate: &Isolate<'_>, name: &str, patch: &Value) -> Value {
    let response = isolate.administer("PATCH", &format!("/v1/token-apps/{name}"), patch);
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)
}

fn now_s(isolate: &Isolate<'_>) -> i64 {
    isolate.world.now.get().seconds()
}

/// A token with these claims, and a lifetime where they have none.
fn token(isolate: &Isolate<'_>, claims: &Value) -> String {
    token_of_type(isolate, &json!({ "alg": "HS256", "typ": "JWT" }), claims)
}

fn token_of_type(isolate: &Isolate<'_>, header: &Value, claims: &Value) -> String {
    let mut all = json!({ "sub": "alice", "iat": now_s(isolate), "exp": now_s(isolate) + 600 });
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let all: serde_json::Map<_, _> =
        all.as_object().expect("an object").clone().into_iter().filter(|(_, value)| *value != json!("absent")).collect();
    forge(&header.to_string(), &Value::Object(all).to_string(), SECRET.as_bytes())
}

/// The status, and the reason where there is one.
fn verify(isolate: &Isolate<'_>, token: &str) -> (u16, String) {
    let response = isolate.get("/v1/verify", &format!("Bearer {token}"));
    let reason = json_of(&response)["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(response.header("x-postern-reason").unwrap_or_default(), reason);
    (response.status, reason)
}

fn verified(isolate: &Isolate<'_>, token: &str) -> Value {
    let response = isolate.get("/v1/verify", &format!("Bearer {token}"));
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)
}

fn with_app(members: &Value, test: impl FnOnce(&Isolate<'_>)) {
    let world = World::new();
    let isolate = world.isolate();
    create(&isolate, "App", members);
    test(&isolate);
}

/// Each with claims, and what comes of a token with them.
fn cases(members: &Value, cases: &[(Value, u16, &str)]) {
    with_app(members, |isolate| {
        for (claims, status, reason) in cases {
            assert_eq!(verify(isolate, &token(isolate, claims)), (*status, (*reason).to_owned()), "{members} {claims}");
        }
    });
}

#[test]
fn the_issuer_is_compared_to_the_letter() {
    let members = json!({ "issuer": "https://idp.example/" });
    cases(
        &members,
        &[
            (json!({ "iss": "https://idp.example/" }), 200, ""),
            (json!({ "iss": "https://idp.example" }), 401, "issuer_mismatch"),
            (json!({ "iss": "https://IDP.example/" }), 401, "issuer_mismatch"),
            (json!({ "iss": "https://idp.example/x" }), 401, "issuer_mismatch"),
            (json!({ "iss": ["https://idp.example/"] }), 401, "claim_missing"),
            (json!({ "iss": null }), 401, "claim_missing"),
            (json!({ "iss": "__proto__" }), 401, "issuer_mismatch"),
            (json!({}), 401, "claim_missing"),
        ],
    );
}

#[test]
fn a_tenant_is_listed_and_is_the_one_in_the_issuer() {
    let members = json!({ "issuer": "https://login.example/{tenantid}/v2.0", "tenants": ["t1", "t2"] });
    cases(
        &members,
        &[
            (json!({ "iss": "https://login.example/t1/v2.0", "tid": "t1" }), 200, ""),
            (json!({ "iss": "https://login.example/t1/v2.0", "tid": "t2" }), 401, "issuer_mismatch"),
            (json!({ "iss": "https://login.example/t3/v2.0", "tid": "t3" }), 401, "issuer_mismatch"),
            (json!({ "iss": "https://login.example/t1/v2.0" }), 401, "issuer_mismatch"),
            (json!({ "iss": "https://login.example/t1/v2.0", "tid": ["t1"] }), 401, "claim_type"),
            (json!({ "iss": "https://login.example/{tenantid}/v2.0", "tid": "{tenantid}" }), 401, "issuer_mismatch"),
        ],
    );
}

#[test]
fn an_audience_is_compared_whole() {
    cases(
        &json!({ "audiences": ["bi", "reports"] }),
        &[
            (json!({ "aud": "bi" }), 200, ""),
            (json!({ "aud": ["other", "reports"] }), 200, ""),
            (json!({ "aud": "b" }), 401, "audience_mismatch"),
            (json!({ "aud": "bi2" }), 401, "audience_mismatch"),
            (json!({ "aud": "BI" }), 401, "audience_mismatch"),
            (json!({ "aud": "bi reports" }), 401, "audience_mismatch"),
            (json!({ "aud": [] }), 401, "audience_mismatch"),
            (json!({ "aud": ["bi", 7] }), 401, "claim_type"),
            (json!({ "aud": { "0": "bi" } }), 401, "claim_type"),
            (json!({ "aud": null }), 401, "claim_type"),
            (json!({}), 401, "claim_missing"),
        ],
    );
}

#[test]
fn only_types_that_are_credentials_are_taken() {
    let of = |isolate: &Isolate<'_>, kind: &Value| {
        let header = if kind.is_null() { json!({ "alg": "HS256" }) } else { json!({ "alg": "HS256", "typ": kind }) };
        verify(isolate, &token_of_type(isolate, &header, &json!({})))
    };
    with_app(&json!({}), |isolate| {
        for kind in [json!(null), json!("JWT"), json!("jwt"), json!("at+jwt"), json!("application/AT+JWT"), json!("")] {
            assert_eq!(of(isolate, &kind).0, 200, "{kind}");
        }
        let others = [
            "logout+jwt",
            "secevent+jwt",
            "dpop+jwt",
            "token-introspection+jwt",
            "oauth-authz-req+jwt",
            "JWT ",
            "at+jwt;x",
            "application/",
        ];
        for kind in others.map(Value::from).into_iter().chain([json!(["JWT"]), json!(7), json!({})]) {
            assert_eq!(of(isolate, &kind), (401, "type_refused".to_owned()), "{kind}");
        }
        let with_events = token(isolate, &json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }));
        assert_eq!(verify(isolate, &with_events), (401, "type_refused".to_owned()), "whatever its typ");
        change(isolate, "App", &json!({ "types": ["at+jwt"] }));
        assert_eq!(of(isolate, &json!("JWT")), (401, "type_refused".to_owned()));
        assert_eq!(of(isolate, &json!("at+jwt")), (401, "claim_missing".to_owned()), "RFC 9068 demands more claims");
        let header = json!({ "alg": "HS256", "typ": "at+jwt" });
        let all = json!({ "iss": "i", "aud": "a", "client_id": "c", "jti": "1" });
        assert_eq!(verify(isolate, &token_of_type(isolate, &header, &all)).0, 200);
    });
}

#[test]
fn the_authorized_party_is_the_first_that_is_told() {
    cases(
        &json!({ "authorizedParties": ["web"] }),
        &[
            (json!({ "azp": "web" }), 200, ""),
            (json!({ "client_id": "web" }), 200, ""),
            (json!({ "appid": "web" }), 200, ""),
            (json!({ "cid": "web" }), 200, ""),
            (json!({ "azp": "other", "client_id": "web" }), 401, "party_refused"),
            (json!({ "azp": "Web" }), 401, "party_refused"),
            (json!({ "azp": ["web"] }), 401, "claim_type"),
            (json!({}), 401, "claim_missing"),
        ],
    );
}

#[test]
fn scopes_are_all_needed() {
    cases(
        &json!({ "requiredScopes": ["a:read", "b"] }),
        &[
            (json!({ "scope": "b a:read c" }), 200, ""),
            (json!({ "scp": "a:read b" }), 200, ""),
            (json!({ "scp": ["a:read", "b"] }), 200, ""),
            (json!({ "scope": "b", "scp": ["a:read"] }), 200, ""),
            (json!({ "scope": "a:read" }), 403, "insufficient_scope"),
            (json!({ "scope": "a:reader b" }), 403, "insufficient_scope"),
            (json!({ "scope": 7 }), 401, "claim_type"),
            (json!({}), 403, "insufficient_scope"),
        ],
    );
    with_app(&json!({ "requiredScopes": ["a", "b"] }), |isolate| {
        let response = isolate.get("/v1/verify", &format!("Bearer {}", token(isolate, &json!({}))));
        assert_eq!(response.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"a b\""));
    });
}

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let bound = [json!({ "cnf": { "jkt": "x" } }), json!({ "cnf": { "x5t#S256": "x" } }), json!({ "cnf": {} }), json!({ "cnf": null })];
    for claims in bound {
        cases(&json!({}), &[(claims.clone(), 401, "bound_token")]);
        cases(&json!({ "boundTokens": "ignore" }), &[(claims, 200, "")]);
    }
}

#[test]
fn a_token_without_iat_ends_no_later_than_its_app_allows() {
    let world = World::new();
    let isolate = world.isolate();
    create(&isolate, "App", &json!({ "expire": 3600 }));
    let now = now_s(&isolate);
    for (exp, status, reason) in [
        (json!(now + 3600), 200, ""),
        (json!(now + 3660), 200, ""),
        (json!(now + 3661), 401, "too_long_lived"),
        (json!(now * 1000), 401, "too_long_lived"),
        (json!(now + 0x7fff_ffff), 401, "too_long_lived"),
        (json!("soon"), 401, "claim_type"),
        (json!("absent"), 401, "no_lifetime"),
    ] {
        let token = token(&isolate, &json!({ "iat": "absent", "exp": exp }));
        assert_eq!(verify(&isolate, &token), (status, reason.to_owned()), "{exp}");
    }
    let milliseconds = token(&isolate, &json!({ "iat": now * 1000, "exp": "absent" }));
    assert_eq!(verify(&isolate, &milliseconds), (401, "not_yet_valid".to_owned()));
}

#[test]
fn of_apps_with_one_key_the_one_whose_terms_hold_takes_the_token() {
    let world = World::new();
    let isolate = world.isolate();
    create(&isolate, "A", &json!({ "audiences": ["a"] }));
    create(&isolate, "B", &json!({ "audiences": ["b"], "requiredScopes": ["x"] }));
    create(&isolate, "C", &json!({ "audiences": ["c"] }));
    for name in ["a", "c"] {
        let body = verified(&isolate, &token(&isolate, &json!({ "aud": name })));
        assert_eq!(body["app"], name.to_uppercase());
        // Remembered tokens are told apart alike.
        let token = token(&isolate, &json!({ "aud": name }));
        for _ in 0..3 {
            assert_eq!(verified(&isolate, &token)["app"], name.to_uppercase());
        }
    }
    // The app whose checks held longest says why.
    assert_eq!(verify(&isolate, &token(&isolate, &json!({ "aud": "b" }))), (403, "insufficient_scope".to_owned()));
    assert_eq!(verify(&isolate, &token(&isolate, &json!({ "aud": "d" }))), (401, "audience_mismatch".to_owned()));
}

#[test]
fn a_remembered_token_is_refused_once_the_terms_change() {
    with_app(&json!({}), |isolate| {
        let token = token(isolate, &json!({ "aud": "other", "iss": "https://other.example", "azp": "other" }));
        for _ in 0..3 {
            assert_eq!(verify(isolate, &token).0, 200);
        }
        for (patch, back, reason) in [
            (json!({ "audiences": ["mine"] }), json!({ "audiences": null }), "audience_mismatch"),
            (json!({ "issuer": "https://mine.example" }), json!({ "issuer": null }), "issuer_mismatch"),
            (json!({ "authorizedParties": ["mine"] }), json!({ "authorizedParties": [] }), "party_refused"),
            (json!({ "types": ["at+jwt"] }), json!({ "types": null }), "type_refused"),
        ] {
            change(isolate, "App", &patch);
            assert_eq!(verify(isolate, &token), (401, reason.to_owned()), "{patch}");
            change(isolate, "App", &back);
            assert_eq!(verify(isolate, &token).0, 200, "{back}");
        }
    });
}

#[test]
fn an_app_speaks_for_nobody_above_it() {
    with_app(&json!({}), |isolate| {
        let of_admin = token(isolate, &json!({ "sub": "admin" }));
        // The first administrator exists: the app was created by them.
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
        assert_eq!(verify(isolate, &token(isolate, &json!({ "sub": "alice" }))).0, 200, "whom it created");
        let of_bob = token(isolate, &json!({ "sub": "bob" }));
        assert_eq!(verify(isolate, &of_bob), (403, "user_refused".to_owned()));
        let given = isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "tokenApp": "App" }));
        assert_eq!((given.status, &json_of(&given)["tokenApp"]), (200, &json!("App")), "{}", given.body);
        assert_eq!(verify(isolate, &of_bob).0, 200, "who was given to it");
        isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "tokenApp": null }));
        assert_eq!(verify(isolate, &of_bob), (403, "user_refused".to_owned()));
        create(isolate, "Other", &json!({ "speaksFor": "own", "tokenName": "other", "secret": "another secret of thirty-two byte" }));
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
    assert_eq!(verify(&other, &of_alice), (403, "user_refused".to_owned()), "also where both were remembered");
}

#[test]
fn roles_of_new_users_imply_for_whom_an_app_speaks_unless_it_says_so() {
    with_app(&json!({ "initialRoles": ["Administrator"] }), |isolate| {
        let shown = json_of(&isolate.get("/v1/token-apps/App", &admin()));
        assert_eq!(shown["speaksFor"], "everybody");
        assert!(shown["warnings"][0].as_str().expect("a warning").contains("administrators"), "{shown}");
        assert_eq!(verified(isolate, &token(isolate, &json!({})))["user"]["type"], "Administrator");
        change(isolate, "App", &json!({ "speaksFor": "users" }));
        assert_eq!(verify(isolate, &token(isolate, &json!({ "sub": "new" }))), (403, "user_refused".to_owned()));
        let count = isolate.world.database.number("SELECT COUNT(*) FROM users WHERE username = 'new'");
        assert_eq!(count, 0, "nobody was created");
    });
}

#[test]
fn a_claim_gives_a_type_only_by_a_map() {
    with_app(&json!({ "claims": { "username": "sub", "roles": "/realm_access/roles" } }), |isolate| {
        let claims = json!({ "realm_access": { "roles": ["Administrator", "SYS_Creator", "sales"] } });
        let user = verified(isolate, &token(isolate, &claims))["user"].clone();
        assert_eq!((&user["type"], &user["roles"]), (&json!("SYS_Reader"), &json!(["sales"])));
        change(isolate, "App", &json!({ "roleMap": { "bi-authors": "SYS_Creator", "x": "y" } }));
        let claims = json!({ "sub": "bob", "realm_access": { "roles": ["bi-authors", "sales", "Administrator"] } });
        let user = verified(isolate, &token(isolate, &claims))["user"].clone();
        assert_eq!((&user["type"], &user["roles"]), (&json!("SYS_Creator"), &json!(["SYS_Creator"])));
        let map = json!({ "roleMap": { "bosses": "Administrator" } });
        let refused = isolate.administer("PATCH", "/v1/token-apps/App", &map);
        assert_eq!((refused.status, &json_of(&refused)["field"]), (400, &json!("roleMap")), "{}", refused.body);
        change(isolate, "App", &json!({ "roleMap": { "bosses": "Administrator" }, "speaksFor": "everybody" }));
        let claims = json!({ "sub": "carol", "realm_access": { "roles": ["bosses"] } });
        assert_eq!(verified(isolate, &token(isolate, &claims))["user"]["type"], "Administrator");
    });
}

#[test]
fn a_profile_follows_the_token_with_one_write() {
    with_app(&json!({ "claims": { "username": "sub", "roles": "roles" } }), |isolate| {
        let told = |name: &str, roles: &[&str], seconds: i64| json!({ "name": name, "email": "a@example.com", "roles": roles, "iat": now_s(isolate) + seconds });
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
        // Without the claim nothing is taken away but roles, which are all of the claim's.
        change(isolate, "App", &json!({ "profile": "follow" }));
        let without = user(&json!({ "iat": now_s(isolate) }));
        assert_eq!((&without["name"], &without["roles"]), (&json!("Alice B."), &json!([])));
    });
}

#[test]
fn a_type_that_was_given_by_hand_stays_unless_the_map_has_it() {
    with_app(
        &json!({ "claims": { "username": "sub", "roles": "roles" }, "speaksFor": "everybody", "roleMap": { "authors": "SYS_Creator" } }),
        |isolate| {
            let user = |claims: &Value| verified(isolate, &token(isolate, claims))["user"].clone();
            assert_eq!(user(&json!({ "sub": "admin", "roles": [] }))["type"], "Administrator");
            assert_eq!(user(&json!({ "roles": ["authors"] }))["type"], "SYS_Creator");
            assert_eq!(user(&json!({ "roles": [] }))["type"], "SYS_Reader", "it goes with the role");
        },
    );
}

#[test]
fn the_id_of_a_user_is_the_one_that_the_claim_says() {
    with_app(&json!({ "claims": { "username": "sub", "id": "uid" } }), |isolate| {
        assert_eq!(verified(isolate, &token(isolate, &json!({ "uid": 4711 })))["user"]["id"], 4711);
        assert_eq!(
            verified(isolate, &token(isolate, &json!({ "sub": "bob", "uid": "9007199254740993" })))["user"]["id"],
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
            assert_eq!(verify(isolate, &token(isolate, &claims)), (reason.0, reason.1.to_owned()), "{claims}");
        }
        assert_eq!(isolate.world.database.number("SELECT COUNT(*) FROM users WHERE username = 'eve'"), 0);
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
    let members = json!({ "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 } });
    with_app(&members, |isolate| {
        grant_to_group(isolate, 4);
        let of = |groups: Value| token(isolate, &json!({ "groups": groups }));
        assert!(allowed(isolate, &of(json!(["ops"]))));
        assert!(allowed(isolate, &of(json!(["ops", "dev"]))));
        assert!(!allowed(isolate, &of(json!(["dev", "Ops"]))));
        assert!(!allowed(isolate, &of(json!([]))));
        assert_eq!(isolate.world.database.number("SELECT COUNT(*) FROM memberships"), 0, "nothing is written");
        let other = verified(isolate, &of(json!([])))["user"]["id"].clone();
        let response = isolate.get(&format!("/v1/check?service=7&permission=TEST&user={other}"), &admin());
        assert_eq!(json_of(&response)["allowed"], false, "nobody else's question is answered by them");
        // Warm, the group's grant is in force as long as it is there.
        let warm = of(json!(["ops"]));
        assert!(allowed(isolate, &warm));
        let grant = isolate.world.database.number("SELECT id FROM grants");
        assert_eq!(isolate.administer("DELETE", &format!("/api/v1/services/auth/{grant}"), &json!({})).status, 200);
        assert!(!allowed(isolate, &warm));
    });
}

#[test]
fn groups_of_a_token_become_memberships_where_the_app_says_so() {
    let members = json!({ "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 }, "groupsMode": "sync" });
    with_app(&members, |isolate| {
        grant_to_group(isolate, 4);
        let groups = "SELECT COALESCE(SUM(object_id), 0) FROM memberships WHERE object_type = 'GROUP'";
        let sum = || isolate.world.database.number(groups);
        let sign_in = |groups: Value| verified(isolate, &token(isolate, &json!({ "groups": groups })));
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
        sign_in(json!([]));
        assert_eq!(sum(), 9);
        // An older token that is still good takes nothing back, and so two tokens do not write in turns.
        verified(isolate, &token(isolate, &json!({ "groups": ["ops"], "iat": now_s(isolate) - 60 })));
        assert_eq!(sum(), 9);
    });
}

#[test]
fn chosen_claims_are_passed_on() {
    with_app(&json!({ "passClaims": ["tenant", "/nested/list", "absent"] }), |isolate| {
        let claims = json!({ "tenant": "blue", "nested": { "list": [1, "ä"] }, "other": 1 });
        let body = verified(isolate, &token(isolate, &claims));
        assert_eq!(body["claims"], json!({ "tenant": "blue", "/nested/list": [1, "ä"] }));
        let twice = isolate.administer("PATCH", "/v1/token-apps/App", &json!({ "passClaims": ["a-b", "/a/b"] }));
        assert_eq!((twice.status, &json_of(&twice)["field"]), (400, &json!("passClaims")));
    });
}

#[test]
fn a_key_set_needs_an_audience_or_a_word_that_all_will_do() {
    let world = World::new();
    let isolate = world.isolate();
    let body = |more: Value| {
        let mut body =
            json!({ "name": "SSO", "algorithm": "RS256", "secret": "https://idp.example/keys", "claims": { "username": "sub" } });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    for (more, field) in [
        (json!({}), "audiences"),
        (json!({ "audiences": [] }), "audiences"),
        (json!({ "anyAudience": false }), "audiences"),
        (json!({ "anyAudience": true, "audiences": ["a"] }), "anyAudience"),
        (json!({ "audiences": ["a"], "secret": "https://login.microsoftonline.com/common/discovery/v2.0/keys" }), "issuer"),
        (json!({ "audiences": ["a"], "secret": "https://www.googleapis.com/oauth2/v3/certs" }), "issuer"),
        (json!({ "audiences": ["a"], "issuer": "https://x/{tenantid}" }), "tenants"),
        (json!({ "audiences": ["a"], "issuer": "https://x/", "tenants": ["t"] }), "tenants"),
        (json!({ "audiences": ["a"], "types": [] }), "types"),
        (json!({ "audience": ["a"] }), "audience"),
        (json!({ "audiences": ["a"], "claims": { "username": "sub", "mail": "x" } }), "claims.mail"),
    ] {
        let response = isolate.administer("POST", "/v1/token-apps", &body(more.clone()));
        assert_eq!((response.status, &json_of(&response)["field"]), (400, &json!(field)), "{more}: {}", response.body);
    }
    assert_eq!(isolate.administer("POST", "/v1/token-apps", &body(json!({ "anyAudience": true }))).status, 201);
    let misspelled = isolate.administer("PATCH", "/v1/token-apps/SSO", &json!({ "audience": ["a"] }));
    assert!(misspelled.body.contains("did you mean \\\"audiences\\\"?"), "{}", misspelled.body);
}

#[test]
fn an_update_by_the_published_form_loses_none_of_the_new_members() {
    let world = World::new();
    let isolate = world.isolate();
    let members = json!({
        "audiences": ["bi"], "issuer": "https://idp.example", "requiredScopes": ["x"], "speaksFor": "own",
        "claims": { "username": "sub", "groups": "groups", "roles": "roles", "id": "uid" }, "roleMap": { "a": "b" },
    });
    create(&isolate, "ERP", &members);
    isolate.register(&json!({ "expire": 60 }));
    let shown = json_of(&isolate.get("/v1/token-apps/ERP", &admin()));
    assert_eq!(shown["expire"], 60);
    for name in ["audiences", "issuer", "requiredScopes", "speaksFor", "roleMap"] {
        assert_eq!(shown[name], members[name], "{name}");
    }
    for name in ["groups", "roles", "id"] {
        assert_eq!(shown["claims"][name], members["claims"][name], "{name}");
    }
    let content = json_of(&isolate.get("/plugin/datafor-modeler/api/token/content?name=ERP", &admin()));
    assert_eq!(
        (&content["audiences"], &content["required_scopes"], &content["speaks_for"]),
        (&json!(["bi"]), &json!(["x"]), &json!("own"))
    );
    isolate.register(&json!({ "audiences": null, "speaks_for": null }));
    let shown = json_of(&isolate.get("/v1/token-apps/ERP", &admin()));
    assert_eq!((&shown["audiences"], &shown["speaksFor"], &shown["issuer"]), (&json!([]), &json!("users"), &members["issuer"]));
}

#[test]
fn a_change_of_a_token_app_leaves_the_rest_as_it_is() {
    let world = World::new();
    let isolate = world.isolate();
    let all = json!({ "initialPassword": "correct horse new", "roleMap": { "a": "b", "c": "d" }, "audiences": ["x"], "passClaims": ["y"] });
    let before = create(&isolate, "App", &all);
    let after = change(&isolate, "App", &json!({ "roleMap": { "a": null, "e": "f" }, "claims": { "name": "nick" }, "expire": 60 }));
    let mut expected = before;
    expected["roleMap"] = json!({ "c": "d", "e": "f" });
    expected["claims"]["name"] = json!("nick");
    expected["expire"] = json!(60);
    assert_eq!(after, expected);
    let good = token(&isolate, &json!({ "aud": "x" }));
    assert_eq!(verify(&isolate, &good).0, 200, "the secret was kept");
    assert_eq!(change(&isolate, "App", &json!({ "initialPassword": null }))["hasInitialPassword"], false);
    let replaced = isolate.administer("PUT", "/v1/token-apps/App", &json!({ "algorithm": "HS256", "claims": { "username": "sub" } }));
    let replaced = json_of(&replaced);
    assert_eq!((&replaced["audiences"], &replaced["expire"], &replaced["hasSecret"]), (&json!([]), &json!(86_400), &json!(true)));
    for (name, other) in [("App", json!({ "name": "Other" })), ("Nobody", json!({}))] {
        let response = isolate.administer("PATCH", &format!("/v1/token-apps/{name}"), &other);
        assert_eq!(response.status, if name == "App" { 400 } else { 404 }, "{}", response.body);
    }
}

#[test]
fn an_app_of_an_older_release_is_marked_where_its_audience_is_unchecked() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "name": "SSO", "algorithm": "RS256", "secret": "https://idp.example/keys" }));
    let sql = "UPDATE token_apps SET policy = '{}' WHERE name = 'SSO'";
    crate::support::block_on(isolate.cx().sql.batch(vec![postern::ports::Statement::new(sql, [])])).expect("written");
    let shown = json_of(&isolate.get("/v1/token-apps/SSO", &admin()));
    assert!(shown["warnings"][0].as_str().is_some_and(|warning| warning.starts_with("audience unchecked")), "{shown}");
    let health = json_of(&world.isolate().get("/health", ""));
    assert_eq!((&health["status"], &health["causes"]), (&json!("degraded"), &json!([{ "kind": "audience_unchecked", "count": 1 }])));
    let listed = json_of(&isolate.get("/plugin/datafor-modeler/api/token/list", &admin()));
    assert!(listed["data"][0]["warnings"][0].as_str().is_some_and(|warning| warning.starts_with("audience unchecked")), "{listed}");
}

#[test]
fn an_app_of_an_older_release_can_be_disabled_before_its_audience_is_known() {
    let url = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
    let world = World::new();
    let isolate = world.isolate();
    let app = json!({ "name": "SSO", "algorithm": "RS256", "secret": url, "issuer": "https://login.example" });
    isolate.register(&app);
    let sql = "UPDATE token_apps SET policy = '{}' WHERE name = 'SSO'";
    crate::support::block_on(isolate.cx().sql.batch(vec![postern::ports::Statement::new(sql, [])])).expect("written");
    assert_eq!(change(&isolate, "SSO", &json!({ "enabled": false }))["enabled"], false);
    let published = |enabled: &str| {
        let body = json!({
            "name": "SSO", "algorithm": "RS256", "secret": url, "expire": 60, "enable": enabled, "inituser": "1", "initroles": [],
            "fieldmap": { "username": "loginname", "name": "name", "email": "email" },
        });
        isolate.administer("POST", "/plugin/datafor-modeler/api/token/update", &body).status
    };
    assert_eq!((published("0"), published("1")), (200, 400));
    for (patch, field) in [
        (json!({ "enabled": true }), "issuer"),
        (json!({ "enabled": true, "issuer": "https://login.example" }), "audiences"),
        (json!({ "requiredScopes": ["x"] }), "issuer"),
    ] {
        let response = isolate.administer("PATCH", "/v1/token-apps/SSO", &patch);
        assert_eq!((response.status, &json_of(&response)["field"]), (400, &json!(field)), "{patch}: {}", response.body);
    }
    change(&isolate, "SSO", &json!({ "enabled": true, "issuer": "https://login.example", "audiences": ["a"] }));
}

/// Tokens of one issuer for many clients: whoever is let in is let in by an app that names their audience.
#[test]
fn a_key_set_lets_in_no_other_client() {
    let world = World::new();
    let isolate = world.isolate();
    let issuer = Issuer::of(postern::domain::tokens::algorithm::Algorithm::Es256);
    world.issuers.publish("https://idp.example/keys", &json!({ "keys": [issuer.jwk(&json!({}))] }).to_string(), None);
    create(
        &isolate,
        "BI",
        &json!({ "algorithm": "ES256", "secret": "https://idp.example/keys", "audiences": ["bi"], "issuer": "https://idp.example" }),
    );
    let claims = |aud: &str, iss: &str| json!({ "sub": "alice", "aud": aud, "iss": iss, "exp": now_s(&isolate) + 60 });
    let sign = |claims: &Value| issuer.token(postern::domain::tokens::algorithm::Algorithm::Es256, &json!({}), claims);
    assert_eq!(verify(&isolate, &sign(&claims("bi", "https://idp.example"))).0, 200);
    assert_eq!(verify(&isolate, &sign(&claims("crm", "https://idp.example"))), (401, "audience_mismatch".to_owned()));
    assert_eq!(verify(&isolate, &sign(&claims("bi", "https://evil.example"))), (401, "issuer_mismatch".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a token says, nobody is an administrator by an app that speaks for users, and no claim makes one.
    #[test]
    fn no_token_makes_an_administrator(
        names in proptest::collection::vec("admin|alice|Administrator|SYS_Creator|bob", 1..4),
        roles in proptest::collection::vec("Administrator|SYS_Creator|SYS_Reader|x|y", 0..5),
    ) {
        let world = World::new();
        let isolate = world.isolate();
        create(&isolate, "App", &json!({ "claims": { "username": "sub", "roles": "roles" } }));
        for name in &names {
            let token = token(&isolate, &json!({ "sub": name, "roles": roles, "type": "Administrator" }));
            let response = isolate.get("/v1/verify", &format!("Bearer {token}"));
            let body = json_of(&response);
            prop_assert!(body["user"]["type"] != "Administrator" && body["user"]["type"] != "SYS_Creator", "{}", response.body);
            prop_assert!(name != "admin" || response.status == 403);
        }
        prop_assert_eq!(world.database.number("SELECT COUNT(*) FROM users WHERE type = 'Administrator'"), 1);
    }
}

/// A token that is older than the one whose groups were taken last may be good for hours, and the
/// memberships would stay for longer.
#[test]
fn an_older_token_brings_no_membership_back() {
    let members = json!({ "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 }, "groupsMode": "sync" });
    with_app(&members, |isolate| {
        let groups = || isolate.world.database.number("SELECT COALESCE(SUM(object_id), 0) FROM memberships WHERE object_type = 'GROUP'");
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
        assert_eq!((groups(), isolate.world.database.number(events)), (5, count), "by the isolate that knows of the newer one");
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

/// An isolate may not know yet what an administrator took away.
#[test]
fn following_a_token_writes_nothing_back_that_changed_elsewhere() {
    with_app(&json!({}), |isolate| {
        let other = isolate.world.isolate();
        let named = |name: &str| token(isolate, &json!({ "name": name }));
        let id = verified(isolate, &named("Alice"))["user"]["id"].clone();
        let set = |user_type: &str, roles: Value| {
            let response = isolate.administer("PATCH", &format!("/v1/users/{id}"), &json!({ "type": user_type, "roles": roles }));
            assert_eq!(response.status, 200, "{}", response.body);
        };
        set("SYS_Creator", json!(["boss"]));
        assert_eq!(verified(&other, &named("Alice"))["user"]["type"], "SYS_Creator");
        set("SYS_Reader", json!([]));
        let after = verified(&other, &named("Alice B."))["user"].clone();
        assert_eq!((&after["name"], &after["type"], &after["roles"]), (&json!("Alice B."), &json!("SYS_Reader"), &json!([])));
    });
}

/// The origin is told the roles, and `Administrator` among them says what the user is not.
#[test]
fn roles_that_follow_name_no_type_above_the_users_own() {
    let members = json!({
        "claims": { "username": "sub", "roles": "roles" }, "initialRoles": ["Administrator", "SYS_Creator", "staff"], "speaksFor": "users",
    });
    with_app(&members, |isolate| {
        isolate.administer("POST", "/v1/users", &json!({ "username": "alice" }));
        let user = verified(isolate, &token(isolate, &json!({ "roles": ["sales"] })))["user"].clone();
        assert_eq!((&user["type"], &user["roles"]), (&json!("SYS_Reader"), &json!(["staff", "sales"])));
    });
}

/// Two tokens of one second, as an ID token and an access token are, do not say which is the newer.
#[test]
fn tokens_that_are_shown_in_turn_write_a_few_times_a_minute() {
    let members = json!({ "claims": { "username": "sub", "groups": "groups" }, "groupMap": { "ops": 4, "dev": 5 }, "groupsMode": "sync" });
    with_app(&members, |isolate| {
        let one = token(isolate, &json!({ "name": "One", "groups": ["ops"] }));
        let other = token(isolate, &json!({ "name": "Other", "groups": ["dev"] }));
        let written =
            || isolate.world.database.number("SELECT COUNT(*) FROM audit_events WHERE action IN ('user.follow', 'user.sync_groups')");
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
        assert_eq!(isolate.world.database.number("SELECT COUNT(*) FROM memberships WHERE user_id = 3"), 1, "others are not held up");
        isolate.world.pass(60);
        assert_eq!(in_turn(), 10);
    });
}

/// Each would write back what the other has changed: an app that was disabled would be enabled again.
#[test]
fn of_two_changes_of_an_app_at_once_one_is_refused_and_none_is_lost() {
    let world = World::new();
    let isolate = world.isolate();
    // While the issuer is asked for its keys, others may change the app.
    create(&isolate, "App", &json!({ "algorithm": "RS256", "secret": "https://idp.example/keys", "audiences": ["erp"] }));
    world.pass(1);
    let patch = |body: &str| Request::new("PATCH", "/v1/token-apps/App").authorization(&admin()).body(body);
    let requests = [patch(r#"{"enabled":false}"#), patch(r#"{"audiences":["bi"]}"#)];
    let other = world.isolate();
    let answers = all_at_once(vec![Box::pin(isolate.answer(&requests[0])), Box::pin(other.answer(&requests[1]))]);
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{}", answers[1].body);
    let app = json_of(&isolate.get("/v1/token-apps/App", &admin()));
    assert_ne!(app["enabled"] == false, app["audiences"] == json!(["bi"]), "{app}");
}
