//! Introspection (RFC 7662), revocation (RFC 7009), metadata (RFC 8414), and `WWW-Authenticate` of
//! refusals (RFC 6750).

mod challenges;
mod foreign;
mod introspection;
mod revocation;

use postern::api::http::message::Response;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, basic, json_of};

const PASSWORD: &str = "correct horse alice";

fn post(isolate: &Isolate<'_>, path: &str, authorization: &str, form: &str) -> Response {
    let request = Request::new("POST", path)
        .authorization(authorization)
        .header("content-type", "application/x-www-form-urlencoded");
    isolate.send(&request.body(form))
}

/// The introspection endpoint's answer about a token.
fn introspect(isolate: &Isolate<'_>, authorization: &str, token: &str) -> Value {
    let response = post(
        isolate,
        "/v1/introspect",
        authorization,
        &format!("token={token}&token_type_hint=access_token"),
    );
    assert_eq!(
        (response.status, response.header("cache-control")),
        (200, Some("no-store")),
        "{}",
        response.body
    );
    if !response.body.starts_with(r#"{"active":true,"#) {
        assert_eq!(response.body, r#"{"active":false}"#);
    }
    json_of(&response)
}

fn is_active(isolate: &Isolate<'_>, authorization: &str, token: &str) -> bool {
    introspect(isolate, authorization, token)["active"] == true
}

/// Revokes a token. The answer is always that of success.
fn revoke(isolate: &Isolate<'_>, authorization: &str, token: &str) {
    let response = post(isolate, "/v1/revoke", authorization, &format!("token={token}"));
    assert_eq!((response.status, response.body.as_str()), (200, ""));
}

/// Creates a user with this type and the usual password. Returns their credential.
fn user(isolate: &Isolate<'_>, username: &str, user_type: &str) -> String {
    let body = json!({ "username": username, "password": PASSWORD, "type": user_type });
    assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
    basic(username, PASSWORD)
}

fn signed_in(isolate: &Isolate<'_>, username: &str) -> String {
    let body = json!({ "username": username, "password": PASSWORD }).to_string();
    isolate.send(&Request::new("POST", "/imanager/security/tokens.json").body(&body)).body
}

fn made_key(isolate: &Isolate<'_>, authorization: &str, body: &Value) -> String {
    let request =
        Request::new("POST", "/v1/keys").authorization(authorization).body(&body.to_string());
    let response = isolate.send(&request);
    assert_eq!(response.status, 201, "{}", response.body);
    json_of(&response)["key"].as_str().expect("a key").to_owned()
}

fn with_isolate(test: impl FnOnce(&World, &Isolate<'_>)) {
    let world = World::new();
    let isolate = world.isolate();
    test(&world, &isolate);
}

#[test]
fn metadata_name_what_there_is_and_nothing_that_is_empty() {
    let world = World::new();
    let path = "/.well-known/oauth-authorization-server";
    assert_eq!(world.isolate().get(path, "").status, 404);
    let isolate = world.isolate_with(&[("PUBLIC_ORIGIN", Some("https://gate.test"))]);
    let metadata = json_of(&isolate.get(path, ""));
    let expected = json!({
        "issuer": "https://gate.test",
        "introspection_endpoint": "https://gate.test/v1/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
        "revocation_endpoint": "https://gate.test/v1/revoke",
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
        "service_documentation": "https://gate.test/v1/",
    });
    assert_eq!(metadata, expected);
    // The endpoints that the metadata names exist.
    for endpoint in ["introspection_endpoint", "revocation_endpoint"] {
        let path = metadata[endpoint]
            .as_str()
            .and_then(|url| url.strip_prefix("https://gate.test"))
            .expect("a path");
        assert_eq!(post(&isolate, path, &admin(), "token=x").status, 200, "{path}");
    }
}

#[test]
fn failures_have_the_form_of_oauth() {
    with_isolate(|world, isolate| {
        let failure = |response: &Response| {
            (response.status, json_of(response)["error"].as_str().unwrap_or_default().to_owned())
        };
        for path in ["/v1/introspect", "/v1/revoke"] {
            for form in ["", "token=", "other=1", "token=a&token=b"] {
                assert_eq!(
                    failure(&post(isolate, path, &admin(), form)),
                    (400, "invalid_request".to_owned()),
                    "{path} {form}"
                );
            }
            let in_url = post(isolate, &format!("{path}?token=a"), &admin(), "");
            assert_eq!(
                failure(&in_url),
                (400, "invalid_request".to_owned()),
                "a token in the URL is none"
            );
            let anonymous = post(isolate, path, "", "token=a");
            assert_eq!(failure(&anonymous), (401, "invalid_client".to_owned()));
            assert!(
                anonymous
                    .header("www-authenticate")
                    .is_some_and(|challenge| challenge.contains("Basic realm=\"postern\""))
            );
            assert_eq!(isolate.get(path, &admin()).status, 405);
            // Unknown parameters are ignored (RFC 6749, 3.2).
            assert_eq!(
                post(isolate, path, &admin(), "token=a&resource=b&token_type_hint=c").status,
                200
            );
            world.database.answers.set(false);
            let down = post(isolate, path, &basic("nobody", "x"), "token=a");
            assert_eq!(failure(&down), (503, "temporarily_unavailable".to_owned()));
            assert!(down.header("retry-after").is_some());
            world.database.answers.set(true);
            world.pass(30);
        }
    });
}
