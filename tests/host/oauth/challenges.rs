use postern::api::http::route::{Access, BesideHeaders};
use serde_json::json;

use super::with_isolate;
use crate::revocations::token_with;
use crate::routes::{filled, routes};
use crate::support::{Request, basic, json_of};

const BEARER: &str = "Bearer realm=\"postern\"";
const BASIC: &str = ", Basic realm=\"postern\", charset=\"UTF-8\"";

/// A request for each route that needs a credential, with the headers that a proxy sends.
fn asked() -> Vec<(Request, bool)> {
    let mut requests = Vec::new();
    for (dialect, route) in routes().filter(|(_, route)| route.access != Access::Public) {
        for path in route.paths.iter().map(|path| filled(path)) {
            let url = if path == "/v1/check" {
                format!("{path}?service=1&permission=VIEW")
            } else {
                path
            };
            let request = Request::new(route.method, &url)
                .header("x-forwarded-uri", "/page")
                .header("x-forwarded-method", "GET");
            // Without a token in the body, this route asks for no credential.
            let request = if route.access == Access::Holder {
                request.body(r#"{"token":"x.y.z"}"#)
            } else {
                request
            };
            requests.push((request, dialect.beside_headers == BesideHeaders::Parameters));
        }
    }
    requests
}

#[test]
fn every_route_says_how_to_be_asked_and_names_no_error_without_a_credential() {
    with_isolate(|_, isolate| {
        let mut checked = 0;
        for (request, _) in asked() {
            let response = isolate.send(&request);
            let challenge = response.header("www-authenticate").unwrap_or_default();
            let is_about_body = challenge.contains("error=\"invalid_token\"");
            assert_eq!(response.status, 401, "{request:?}: {}", response.body);
            assert!(
                is_about_body || challenge == format!("{BEARER}{BASIC}"),
                "{request:?}: {challenge}"
            );
            checked += usize::from(!is_about_body);
        }
        assert!(checked > 115, "{checked}");
    });
}

#[test]
fn every_route_says_what_is_wrong_with_a_token() {
    with_isolate(|world, isolate| {
        isolate.register(&json!({}));
        let expired = token_with(isolate, &json!({ "exp": world.now.get().seconds() - 600 }));
        let expected = format!(
            "{BEARER}, error=\"invalid_token\", error_description=\"the token is expired\"{BASIC}"
        );
        for (request, takes_parameters) in asked() {
            let response =
                isolate.send(&request.clone().authorization(&format!("Bearer {expired}")));
            assert_eq!(
                (response.status, response.header("www-authenticate")),
                (401, Some(expected.as_str())),
                "{request:?}"
            );
            assert!(takes_parameters || response.header("x-postern-reason") == Some("expired"));
        }
    });
}

#[test]
fn a_wrong_password_is_no_wrong_token_and_a_browser_is_not_asked_for_one() {
    with_isolate(|_, isolate| {
        let challenge =
            |request: Request| isolate.send(&request).header("www-authenticate").map(str::to_owned);
        let request = || Request::new("GET", "/v1/users");
        assert_eq!(
            challenge(request().authorization(&basic("admin", "wrong"))),
            Some(format!("{BEARER}{BASIC}"))
        );
        assert_eq!(
            challenge(request().authorization("Digest x")),
            Some(format!("{BEARER}{BASIC}"))
        );
        for (name, value) in
            [("sec-fetch-site", "same-origin"), ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")]
        {
            assert_eq!(challenge(request().header(name, value)), Some(BEARER.to_owned()), "{name}");
        }
        assert_eq!(
            challenge(request().header("user-agent", "curl/8.5.0")),
            Some(format!("{BEARER}{BASIC}"))
        );
    });
}

#[test]
fn a_doubled_credential_is_an_invalid_request_and_a_missing_grant_no_matter_of_the_token() {
    with_isolate(|_, isolate| {
        isolate.register(&json!({}));
        let token = token_with(isolate, &json!({}));
        let doubled = isolate.get(&format!("/v1/verify?token={token}&token={token}"), "");
        let expected = format!(
            "{BEARER}, error=\"invalid_request\", error_description=\"token must not be there \
             twice\""
        );
        assert_eq!(
            (doubled.status, doubled.header("www-authenticate")),
            (400, Some(expected.as_str()))
        );
        let refused = isolate.get("/v1/forward-auth/1/VIEW", &format!("Bearer {token}"));
        assert_eq!((refused.status, refused.header("www-authenticate")), (403, None));
        let other = isolate.get("/v1/users?zzz=1", &crate::support::admin());
        assert_eq!((other.status, other.header("www-authenticate")), (400, None));
    });
}

#[test]
fn a_token_that_lacks_scopes_is_told_which() {
    with_isolate(|_, isolate| {
        isolate.register(&json!({ "required_scopes": ["a\"b", "c\u{e4}"] }));
        let refused =
            isolate.get("/v1/verify", &format!("Bearer {}", token_with(isolate, &json!({}))));
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert_eq!(refused.status, 403, "{}", json_of(&refused));
        assert!(
            challenge.starts_with(&format!(
                "{BEARER}, error=\"insufficient_scope\", error_description=\""
            )),
            "{challenge}"
        );
        assert!(
            challenge.ends_with("\", scope=\"ab c\""),
            "nothing that ends the quotes: {challenge}"
        );
    });
}
