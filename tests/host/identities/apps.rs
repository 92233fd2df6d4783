//! Token apps that administrators change, and token apps of older releases.

use super::*;

#[test]
fn a_key_set_needs_an_audience_or_a_word_that_all_will_do() {
    let world = World::new();
    let isolate = world.isolate();
    let body = |more: Value| {
        let mut body = json!({
            "name": "SSO", "algorithm": "RS256", "secret": "https://idp.example/keys",
            "claims": { "username": "sub" },
        });
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
        (
            json!({
                "audiences": ["a"],
                "secret": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
            }),
            "issuer",
        ),
        (
            json!({ "audiences": ["a"], "secret": "https://www.googleapis.com/oauth2/v3/certs" }),
            "issuer",
        ),
        (json!({ "audiences": ["a"], "issuer": "https://x/{tenantid}" }), "tenants"),
        (json!({ "audiences": ["a"], "issuer": "https://x/", "tenants": ["t"] }), "tenants"),
        (json!({ "audiences": ["a"], "types": [] }), "types"),
        (json!({ "audience": ["a"] }), "audience"),
        (
            json!({ "audiences": ["a"], "claims": { "username": "sub", "mail": "x" } }),
            "claims.mail",
        ),
    ] {
        let response = isolate.administer("POST", "/v1/token-apps", &body(more.clone()));
        assert_eq!(
            (response.status, &json_of(&response)["field"]),
            (400, &json!(field)),
            "{more}: {}",
            response.body
        );
    }
    assert_eq!(
        isolate.administer("POST", "/v1/token-apps", &body(json!({ "anyAudience": true }))).status,
        201
    );
    let misspelled =
        isolate.administer("PATCH", "/v1/token-apps/SSO", &json!({ "audience": ["a"] }));
    assert!(misspelled.body.contains("did you mean \\\"audiences\\\"?"), "{}", misspelled.body);
}

#[test]
fn an_update_by_the_published_form_loses_none_of_the_new_members() {
    let world = World::new();
    let isolate = world.isolate();
    let members = json!({
        "audiences": ["bi"], "issuer": "https://idp.example", "requiredScopes": ["x"],
        "speaksFor": "own",
        "claims": { "username": "sub", "groups": "groups", "roles": "roles", "id": "uid" },
        "roleMap": { "a": "b" },
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
    let content =
        json_of(&isolate.get("/plugin/datafor-modeler/api/token/content?name=ERP", &admin()));
    assert_eq!(
        (&content["audiences"], &content["required_scopes"], &content["speaks_for"]),
        (&json!(["bi"]), &json!(["x"]), &json!("own"))
    );
    isolate.register(&json!({ "audiences": null, "speaks_for": null }));
    let shown = json_of(&isolate.get("/v1/token-apps/ERP", &admin()));
    assert_eq!(
        (&shown["audiences"], &shown["speaksFor"], &shown["issuer"]),
        (&json!([]), &json!("users"), &members["issuer"])
    );
}

#[test]
fn a_change_of_a_token_app_leaves_the_rest_as_it_is() {
    let world = World::new();
    let isolate = world.isolate();
    let all = json!({
        "initialPassword": "correct horse new", "roleMap": { "a": "b", "c": "d" },
        "audiences": ["x"], "passClaims": ["y"],
    });
    let before = create(&isolate, "App", &all);
    let after = change(
        &isolate,
        "App",
        &json!({ "roleMap": { "a": null, "e": "f" }, "claims": { "name": "nick" }, "expire": 60 }),
    );
    let mut expected = before;
    expected["roleMap"] = json!({ "c": "d", "e": "f" });
    expected["claims"]["name"] = json!("nick");
    expected["expire"] = json!(60);
    assert_eq!(after, expected);
    let good = token(&isolate, &json!({ "aud": "x" }));
    assert_eq!(verify(&isolate, &good).0, 200, "the secret was kept");
    assert_eq!(
        change(&isolate, "App", &json!({ "initialPassword": null }))["hasInitialPassword"],
        false
    );
    let replaced = isolate.administer(
        "PUT",
        "/v1/token-apps/App",
        &json!({ "algorithm": "HS256", "claims": { "username": "sub" } }),
    );
    let replaced = json_of(&replaced);
    assert_eq!(
        (&replaced["audiences"], &replaced["expire"], &replaced["hasSecret"]),
        (&json!([]), &json!(86_400), &json!(true))
    );
    for (name, other) in [("App", json!({ "name": "Other" })), ("Nobody", json!({}))] {
        let response = isolate.administer("PATCH", &format!("/v1/token-apps/{name}"), &other);
        assert_eq!(response.status, if name == "App" { 400 } else { 404 }, "{}", response.body);
    }
}

#[test]
fn an_app_of_an_older_release_is_marked_where_its_audience_is_unchecked() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(
        &json!({ "name": "SSO", "algorithm": "RS256", "secret": "https://idp.example/keys" }),
    );
    let sql = "UPDATE token_apps SET policy = '{}' WHERE name = 'SSO'";
    crate::support::block_on(isolate.cx().sql.batch(vec![postern::ports::Statement::new(sql, [])]))
        .expect("written");
    let shown = json_of(&isolate.get("/v1/token-apps/SSO", &admin()));
    assert!(
        shown["warnings"][0]
            .as_str()
            .is_some_and(|warning| warning.starts_with("audience unchecked")),
        "{shown}"
    );
    let health = json_of(&world.isolate().get("/health", ""));
    assert_eq!(
        (&health["status"], &health["causes"]),
        (&json!("degraded"), &json!([{ "kind": "audience_unchecked", "count": 1 }]))
    );
    let listed = json_of(&isolate.get("/plugin/datafor-modeler/api/token/list", &admin()));
    assert!(
        listed["data"][0]["warnings"][0]
            .as_str()
            .is_some_and(|warning| warning.starts_with("audience unchecked")),
        "{listed}"
    );
}

#[test]
fn an_app_of_an_older_release_can_be_disabled_before_its_audience_is_known() {
    let url = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
    let world = World::new();
    let isolate = world.isolate();
    let app = json!({
        "name": "SSO", "algorithm": "RS256", "secret": url, "issuer": "https://login.example",
    });
    isolate.register(&app);
    let sql = "UPDATE token_apps SET policy = '{}' WHERE name = 'SSO'";
    crate::support::block_on(isolate.cx().sql.batch(vec![postern::ports::Statement::new(sql, [])]))
        .expect("written");
    assert_eq!(change(&isolate, "SSO", &json!({ "enabled": false }))["enabled"], false);
    let published = |enabled: &str| {
        let body = json!({
            "name": "SSO", "algorithm": "RS256", "secret": url, "expire": 60, "enable": enabled,
            "inituser": "1", "initroles": [],
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
        assert_eq!(
            (response.status, &json_of(&response)["field"]),
            (400, &json!(field)),
            "{patch}: {}",
            response.body
        );
    }
    change(
        &isolate,
        "SSO",
        &json!({ "enabled": true, "issuer": "https://login.example", "audiences": ["a"] }),
    );
}

/// Otherwise each request would write back what the other has changed, so a disabled app would be
/// enabled again.
#[test]
fn of_two_changes_of_an_app_at_once_one_is_refused_and_none_is_lost() {
    let world = World::new();
    let isolate = world.isolate();
    // Other requests may change the app while its issuer is asked for its keys.
    create(
        &isolate,
        "App",
        &json!({
            "algorithm": "RS256", "secret": "https://idp.example/keys", "audiences": ["erp"],
        }),
    );
    world.pass(1);
    let patch =
        |body: &str| Request::new("PATCH", "/v1/token-apps/App").authorization(&admin()).body(body);
    let requests = [patch(r#"{"enabled":false}"#), patch(r#"{"audiences":["bi"]}"#)];
    let other = world.isolate();
    let answers = all_at_once(vec![
        Box::pin(isolate.answer(&requests[0])),
        Box::pin(other.answer(&requests[1])),
    ]);
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{}", answers[1].body);
    let app = json_of(&isolate.get("/v1/token-apps/App", &admin()));
    assert_ne!(app["enabled"] == false, app["audiences"] == json!(["bi"]), "{app}");
}
