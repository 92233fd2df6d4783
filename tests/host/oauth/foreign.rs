//! Opaque tokens of issuers that have an introspection endpoint.

use base64ct::{Base64, Encoding};
use postern::api::http::message::Response;
use postern::domain::time::Millis;
use postern::domain::tokens::fetch_problem::FetchProblem;
use serde_json::{Value, json};

use super::{introspect, is_active, revoke, signed_in, user};
use crate::revocations::token_with;
use crate::support::{Isolate, Request, World, admin, all_at_once, forge, json_of};

const ENDPOINT: &str = "https://idp.test/introspect";
/// Tokens as issuers make them: with characters that a form escapes, and with dots that have no
/// meaning.
const TOKENS: [&str; 3] = ["opaque+token/of=alice", "ya29.a0AfH6SM", "v2.local.xyz~"];

/// Sets the endpoint's answer.
fn says(world: &World, answer: &Value) {
    world.issuers.publish(ENDPOINT, &answer.to_string(), None);
}

/// The endpoint's answer about an access token of alice that is valid for a while.
fn active(world: &World, change: &Value) -> Value {
    let now = world.now.get().seconds();
    let mut answer = json!({
        "active": true, "token_type": "Bearer", "username": "alice", "iss": "https://idp.test",
        "aud": "gate",
        "iat": now, "exp": now + 600,
    });
    for (name, value) in change.as_object().expect("an object") {
        answer[name] = value.clone();
        if value.is_null() {
            answer.as_object_mut().expect("an object").remove(name);
        }
    }
    answer
}

fn app(change: &Value) -> Value {
    let mut body = json!({
        "name": "IdP", "algorithm": "introspection", "introspectionEndpoint": ENDPOINT,
        "introspectionClientId": "gate a+b",
        "secret": "p%ss w/\u{e4}", "audiences": ["gate"], "claims": { "username": "username" },
    });
    for (name, value) in change.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// Runs a test in an isolate that has the app. The endpoint answers that no token is active.
fn with_app(change: &Value, test: impl FnOnce(&World, &Isolate<'_>)) {
    let world = World::new();
    let isolate = world.isolate();
    says(&world, &json!({ "active": false }));
    let response = isolate.administer("POST", "/v1/token-apps", &app(change));
    assert_eq!(
        (response.status, json_of(&response)["warnings"].clone()),
        (201, Value::Null),
        "{}",
        response.body
    );
    world.issuers.introspected.borrow_mut().clear();
    test(&world, &isolate);
}

fn asked(world: &World) -> usize {
    world.issuers.introspected.borrow().len()
}

#[test]
fn a_token_is_good_as_its_issuer_says_and_is_asked_about_once_in_a_while() {
    for token in TOKENS {
        with_app(&json!({ "createsUsers": true, "passClaims": ["scope"] }), |world, isolate| {
            says(world, &active(world, &json!({ "scope": "read", "jti": "j" })));
            let verified = json_of(&isolate.get("/v1/verify", &format!("Bearer {token}")));
            assert_eq!(verified["user"]["username"], "alice", "{token}: {verified}");
            assert_eq!(
                (&verified["app"], &verified["kind"], &verified["claims"]["scope"]),
                (&json!("IdP"), &json!("jwt"), &json!("read"))
            );
            let [url, authorization, form] = world.issuers.introspected.borrow()[0].clone();
            assert_eq!(url, ENDPOINT);
            let credential =
                Base64::decode_vec(authorization.strip_prefix("Basic ").expect("Basic"))
                    .expect("base64");
            assert_eq!(
                String::from_utf8(credential).expect("text"),
                "gate%20a%2Bb:p%25ss%20w%2F%C3%A4"
            );
            let encoded = token
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D")
                .replace('~', "%7E");
            assert_eq!(form, format!("token={encoded}&token_type_hint=access_token"));

            world.run_tasks();
            let before = world.database.batches.get();
            (0..5).for_each(|_| assert_eq!(isolate.verify(token).0, 200));
            assert_eq!(
                (asked(world), world.database.batches.get()),
                (1, before),
                "a warm one asks nobody"
            );
            says(world, &json!({ "active": false }));
            world.pass(9);
            assert_eq!(isolate.verify(token).0, 200);
            world.pass(2);
            assert_eq!(
                isolate.verify(token),
                (401, "revoked".to_owned()),
                "the issuer has ended it"
            );
            assert_eq!(asked(world), 2);
        });
    }
}

#[test]
fn whatever_else_is_answered_lets_nobody_in() {
    let policy = json!({
        "issuer": "https://idp.test", "requiredScopes": ["read"], "introspectionCacheS": 0,
    });
    with_app(&policy, |world, isolate| {
        let now = world.now.get().seconds();
        let good = json!({ "scope": "read" });
        let table = [
            (json!({}), 403, "insufficient_scope"),
            (json!({ "active": "true" }), 503, ""),
            (json!({ "active": 1 }), 503, ""),
            (json!({ "active": null }), 503, ""),
            (json!({ "exp": null, "iat": null }), 401, "no_lifetime"),
            (json!({ "exp": now - 600 }), 401, "expired"),
            (json!({ "exp": "never" }), 401, "claim_type"),
            (json!({ "exp": (now + 600) * 1000, "iat": null }), 401, "too_long_lived"),
            (json!({ "nbf": now + 3600 }), 401, "not_yet_valid"),
            (json!({ "iat": now + 3600 }), 401, "not_yet_valid"),
            (json!({ "iss": "https://other.test" }), 401, "issuer_mismatch"),
            (json!({ "iss": null }), 401, "claim_missing"),
            (json!({ "aud": "other" }), 401, "audience_mismatch"),
            (json!({ "aud": ["gateway", "gat"] }), 401, "audience_mismatch"),
            (json!({ "aud": null }), 401, "claim_missing"),
            (json!({ "token_type": "DPoP" }), 401, "type_refused"),
            (json!({ "token_type": null }), 401, "type_refused"),
            (json!({ "token_use": "refresh_token" }), 401, "type_refused"),
            (json!({ "typ": "Refresh" }), 401, "type_refused"),
            (json!({ "events": {} }), 401, "type_refused"),
            (json!({ "cnf": { "jkt": "x" } }), 401, "bound_token"),
            (json!({ "username": null }), 401, "claim_missing"),
            (json!({ "username": ["alice"] }), 401, "claim_type"),
            // The app may speak for anybody but administrators.
            (json!({ "username": "admin" }), 403, "user_refused"),
            (json!({ "username": "[system]" }), 403, "user_refused"),
        ];
        assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
        let users = world.database.number("SELECT COUNT(*) FROM users");
        for (change, status, reason) in table {
            let mut all = if change == json!({}) { json!({}) } else { good.clone() };
            all.as_object_mut()
                .expect("an object")
                .extend(change.as_object().expect("an object").clone());
            says(world, &active(world, &all));
            let response = isolate.get("/v1/verify", "Bearer opaque");
            let told = response.header("x-postern-reason").unwrap_or_default();
            assert_eq!((response.status, told), (status, reason), "{change}: {}", response.body);
            assert_eq!(introspect_or_unavailable(isolate), status == 503, "{change}");
        }
        assert_eq!(world.database.number("SELECT COUNT(*) FROM users"), users);
        says(world, &active(world, &good));
        assert_eq!(
            isolate.verify("opaque"),
            (200, "alice".to_owned()),
            "all of it right is let in"
        );
    });
}

/// Introspects a token. Returns whether that fails; if not, the answer must be that it is not
/// active.
fn introspect_or_unavailable(isolate: &Isolate<'_>) -> bool {
    let response = super::post(isolate, "/v1/introspect", &admin(), "token=opaque");
    assert!(response.status == 503 || response.body == r#"{"active":false}"#, "{}", response.body);
    response.status == 503
}

#[test]
fn an_endpoint_that_does_not_answer_is_503_and_not_a_yes() {
    with_app(&json!({}), |world, isolate| {
        let fails = |what: &str| {
            // A question that failed a moment ago is not asked again.
            world.pass(2);
            let response = isolate.get("/v1/verify", "Bearer opaque");
            assert_eq!(
                (response.status, response.header("retry-after")),
                (503, Some("1")),
                "{what}: {}",
                response.body
            );
            assert_eq!(response.header("www-authenticate"), None);
        };
        for body in [
            "<!doctype html><title>Sign in</title>",
            "",
            "{\"active\":true",
            "[]",
            "{\"active\":true,\"active\":true}",
        ] {
            world.issuers.publish(ENDPOINT, body, None);
            fails(body);
        }
        let problems = [
            FetchProblem::BadRedirect("elsewhere".to_owned()),
            FetchProblem::Forbidden(401),
            FetchProblem::NotFound(404),
            FetchProblem::Status(500),
            FetchProblem::TooLong,
            FetchProblem::Unreachable("no such host".to_owned()),
        ];
        for problem in problems {
            world.issuers.fail(ENDPOINT, problem.clone());
            fails(problem.word());
        }
        assert_eq!(
            json_of(&isolate.get("/health", &admin()))["causes"][0]["kind"],
            "issuer_unreachable"
        );
        says(world, &active(world, &json!({})));
        world.issuers.delay.set(Millis(6_000));
        let begun = world.now.get();
        fails("five seconds");
        assert!(world.now.get() - begun <= Millis(7_100));
        world.issuers.delay.set(Millis(0));
        world.pass(2);
        assert_eq!(isolate.verify("opaque").0, 200);
        // While the endpoint does not answer, a cached answer is used for as long as otherwise.
        world.issuers.fail(ENDPOINT, FetchProblem::TimedOut);
        world.pass(9);
        assert_eq!(isolate.verify("opaque").0, 200);
        fails("longer");
        let log = world.log.0.borrow().join("\n");
        assert!(log.contains("the endpoint refuses the client id and secret: status 401"), "{log}");
        assert!(!log.contains("opaque") && !log.contains("p%ss"), "{log}");
    });
}

/// A token that Postern can judge itself is shown to no endpoint.
#[test]
fn no_token_of_postern_and_of_a_known_app_is_sent_anywhere() {
    with_app(&json!({}), |world, isolate| {
        says(world, &active(world, &json!({})));
        isolate.register(&json!({}));
        isolate.register(
            &json!({ "name": "OfIssuer", "secret": "efgh", "issuer": "https://jwt.test" }),
        );
        user(isolate, "bob", "SYS_Reader");
        let (opaque, gone) = (signed_in(isolate, "bob"), signed_in(isolate, "bob"));
        revoke(isolate, &admin(), &gone);
        let key =
            super::made_key(isolate, &admin(), &json!({ "name": "asker", "may": ["decisions"] }));
        let good = token_with(isolate, &json!({}));
        let expired = token_with(isolate, &json!({ "exp": world.now.get().seconds() - 600 }));
        let revoked = token_with(isolate, &json!({ "n": 1 }));
        isolate.verify(&revoked);
        revoke(isolate, &admin(), &revoked);
        let claims = json!({
            "loginname": "bob", "iss": "https://jwt.test", "exp": world.now.get().seconds() + 60,
        });
        let forged = forge(r#"{"alg":"HS256"}"#, &claims.to_string(), b"wrong");
        for (token, reason) in [
            (opaque.as_str(), 200),
            (&gone, 401),
            ("7ac687f1-51c3-46ad-8617-89d737d1ba0d", 401),
            (&key, 200),
            (&key[..50], 401),
            (&good, 200),
            (&expired, 401),
            (&revoked, 401),
            (&forged, 401),
            (&"a".repeat(17_000), 401),
        ] {
            assert_eq!(isolate.verify(token).0, reason, "{token}");
        }
        let elsewhere = [
            Request::new("GET", "/v1/users").header("x-auth-token", "opaque"),
            Request::new("GET", "/v1/verify?token=opaque"),
            Request::new("GET", "/v1/verify").header("cookie", "token=opaque"),
            Request::new("GET", "/v1/verify?app=ERP").authorization("Bearer opaque"),
        ];
        for request in elsewhere {
            assert_eq!(isolate.send(&request).status, 401, "{request:?}");
        }
        assert_eq!(asked(world), 0);
        // A JSON Web Token that no key here has signed, and that names no app's issuer, may be any
        // issuer's.
        let claims =
            json!({ "sub": "x", "iss": "https://idp.test", "exp": world.now.get().seconds() + 60 });
        for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#] {
            let before = asked(world);
            assert_eq!(
                isolate.verify(&forge(header, &claims.to_string(), b"?")),
                (200, "alice".to_owned()),
                "{header}"
            );
            assert_eq!(asked(world), before + 1);
        }
        let before = asked(world);
        let unreadable = forge(r#"{"alg":"introspection"}"#, &claims.to_string(), b"?");
        assert_eq!(isolate.verify(&unreadable), (401, "unknown_algorithm".to_owned()));
        assert_eq!(asked(world), before);
    });
}

#[test]
fn a_token_that_names_an_issuer_goes_to_that_issuer_only() {
    with_app(&json!({ "issuer": "https://idp.test" }), |world, isolate| {
        let other = app(&json!({
            "name": "Other", "issuer": "https://other.test",
            "introspectionEndpoint": "https://other.test/i",
        }));
        world.issuers.publish("https://other.test/i", r#"{"active":false}"#, None);
        assert_eq!(isolate.administer("POST", "/v1/token-apps", &other).status, 201);
        world.issuers.introspected.borrow_mut().clear();
        says(world, &active(world, &json!({})));
        let of =
            |issuer: &str| forge(r#"{"alg":"HS256"}"#, &json!({ "iss": issuer }).to_string(), b"?");
        assert_eq!(isolate.verify(&of("https://idp.test")).0, 200);
        assert_eq!(isolate.verify(&of("https://third.test")).0, 401);
        let urls: Vec<_> =
            world.issuers.introspected.borrow().iter().map(|[url, ..]| url.clone()).collect();
        assert_eq!(urls, [ENDPOINT]);
        // A token without an issuer may be from each of them.
        says(world, &json!({ "active": false }));
        assert_eq!(isolate.verify("opaque"), (401, "revoked".to_owned()));
        assert_eq!(asked(world), 3);
        // An endpoint that does not answer may know the token.
        world.issuers.fail("https://other.test/i", FetchProblem::TimedOut);
        assert_eq!(isolate.get("/v1/verify", "Bearer another").status, 503);
        let named = isolate.get("/v1/verify?app=IdP", "Bearer another");
        assert_eq!(named.status, 401);
    });
}

#[test]
fn answers_are_kept_for_a_short_time_and_never_beyond_the_end_of_the_token() {
    with_app(&json!({ "introspectionCacheS": 60 }), |world, isolate| {
        let now = world.now.get().seconds();
        says(world, &active(world, &json!({ "exp": now + 20 })));
        assert_eq!(isolate.verify("opaque").0, 200);
        world.pass(19);
        assert_eq!((isolate.verify("opaque").0, asked(world)), (200, 1));
        world.pass(2);
        says(world, &json!({ "active": false }));
        assert_eq!(isolate.verify("opaque"), (401, "revoked".to_owned()));
        assert_eq!(asked(world), 2);
        // The answer that a token is not active is cached for five seconds.
        (0..10).for_each(|_| assert_eq!(isolate.verify("opaque").0, 401));
        assert_eq!(asked(world), 2);
        says(world, &active(world, &json!({})));
        world.pass(6);
        assert_eq!((isolate.verify("opaque").0, asked(world)), (200, 3));
        // After the app has changed, no cached answer is used.
        world.pass(1);
        assert_eq!(
            isolate
                .administer("PATCH", "/v1/token-apps/IdP", &json!({ "introspectionCacheS": 0 }))
                .status,
            200
        );
        world.issuers.introspected.borrow_mut().clear();
        (0..3).for_each(|_| assert_eq!(isolate.verify("opaque").0, 200));
        assert_eq!(asked(world), 3, "without a time each request asks");
        assert_eq!(
            isolate.administer("PATCH", "/v1/token-apps/IdP", &json!({ "enabled": false })).status,
            200
        );
        assert_eq!(isolate.verify("opaque"), (401, "revoked".to_owned()));
    });
}

#[test]
fn many_at_once_ask_once() {
    with_app(&json!({}), |world, isolate| {
        says(world, &active(world, &json!({})));
        world.issuers.delay.set(Millis(300));
        let request = Request::new("GET", "/v1/verify").authorization("Bearer opaque");
        isolate.verify("warm");
        world.issuers.introspected.borrow_mut().clear();
        let futures = (0..40)
            .map(|_| Box::pin(isolate.answer(&request)) as postern::ports::LocalFuture<'_, _>)
            .collect();
        let answers: Vec<u16> =
            all_at_once(futures).iter().map(|answer: &Response| answer.status).collect();
        assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        assert_eq!(asked(world), 1);
    });
}

#[test]
fn postern_ends_a_foreign_token_whatever_its_issuer_says() {
    for token in TOKENS {
        with_app(&json!({}), |world, isolate| {
            let there = world.isolate();
            let neighbour = format!("{token}2");
            says(world, &active(world, &json!({ "jti": null })));
            for isolate in [isolate, &there] {
                assert_eq!((isolate.verify(token).0, isolate.verify(&neighbour).0), (200, 200));
            }
            assert_eq!(
                introspect(isolate, &admin(), &token.replace('+', "%2B"))["client_id"],
                "IdP"
            );
            revoke(isolate, &admin(), &token.replace('+', "%2B"));
            assert_eq!(isolate.verify(token), (401, "revoked".to_owned()));
            world.pass(11);
            assert_eq!(there.verify(token), (401, "revoked".to_owned()));
            assert_eq!(
                there.verify(&neighbour).0,
                200,
                "no token falls with another that begins as it does"
            );
            // The holder of such a token may revoke it, too.
            let body = json!({ "token": neighbour }).to_string();
            assert_eq!(
                isolate.send(&Request::new("POST", "/v1/revocations").body(&body)).status,
                204
            );
            assert_eq!(isolate.verify(&neighbour), (401, "revoked".to_owned()));
        });
    }
}

#[test]
fn all_tokens_of_a_user_end_with_one_call_and_none_makes_a_key() {
    with_app(&json!({}), |world, isolate| {
        says(world, &active(world, &json!({})));
        assert_eq!(isolate.verify("opaque").0, 200);
        let body = json!({ "name": "own", "may": ["decisions"] }).to_string();
        let made = isolate
            .send(&Request::new("POST", "/v1/keys").authorization("Bearer opaque").body(&body));
        assert_eq!(
            (made.status, made.header("x-postern-reason")),
            (403, Some("would_outlive")),
            "{}",
            made.body
        );
        assert_eq!(isolate.administer("DELETE", "/v1/users/2/tokens", &Value::Null).status, 204);
        assert_eq!(isolate.verify("opaque"), (401, "revoked".to_owned()));
    });
}

#[test]
fn an_app_is_registered_with_all_that_it_needs() {
    with_app(&json!({}), |world, isolate| {
        let shown = json_of(&isolate.get("/v1/token-apps/IdP", &admin()));
        assert_eq!(shown["introspectionEndpoint"], ENDPOINT);
        assert_eq!(
            (&shown["introspectionCacheS"], &shown["hasSecret"]),
            (&json!(10), &json!(true))
        );
        assert!(!shown.to_string().contains("p%ss"));
        let stored =
            world.database.text("SELECT secret || policy FROM token_apps WHERE name = 'IdP'");
        assert!(!stored.contains("p%ss"), "{stored}");
        for (change, field) in [
            (json!({ "introspectionEndpoint": null }), "introspectionEndpoint"),
            (
                json!({ "introspectionEndpoint": "http://idp.test/introspect" }),
                "introspectionEndpoint",
            ),
            (
                json!({ "introspectionEndpoint": "https://gate:secret@idp.test/introspect" }),
                "introspectionEndpoint",
            ),
            (
                json!({ "introspectionEndpoint": "https://idp.test/introspect#x" }),
                "introspectionEndpoint",
            ),
            (json!({ "introspectionClientId": null }), "introspectionClientId"),
            (json!({ "introspectionCacheS": 61 }), "introspectionCacheS"),
            (json!({ "introspectionCacheS": -1 }), "introspectionCacheS"),
            (json!({ "secret": " " }), "secret"),
            (json!({ "secret": null }), "secret"),
            (json!({ "audiences": [] }), "audiences"),
            (json!({ "algorithm": "HS256" }), "introspectionEndpoint"),
            (json!({ "discover": true, "issuer": "https://idp.test", "secret": null }), "discover"),
        ] {
            let response = isolate.administer(
                "POST",
                "/v1/token-apps",
                &app(&{
                    let mut change = change.clone();
                    change["name"] = json!("Wrong");
                    change
                }),
            );
            assert_eq!(
                (response.status, json_of(&response)["field"].clone()),
                (400, json!(field)),
                "{change}: {}",
                response.body
            );
        }
        // An administrator who registers the endpoint learns at once what does not work.
        for (problem, words) in [
            (Ok(r#"{"active":true}"#), "calls a token active that was made up"),
            (Ok("<html>"), "the answer is no introspection"),
            (Err(FetchProblem::Forbidden(401)), "refuses the client id and secret"),
        ] {
            match problem {
                Ok(body) => world.issuers.publish(ENDPOINT, body, None),
                Err(problem) => world.issuers.fail(ENDPOINT, problem),
            }
            let response = isolate.administer("PUT", "/v1/token-apps/IdP", &app(&json!({})));
            assert_eq!(response.status, 200, "{}", response.body);
            assert!(
                json_of(&response)["warnings"].to_string().contains(words),
                "{}",
                response.body
            );
        }
    });
}

#[test]
fn an_explanation_asks_the_endpoint_and_names_what_does_not_hold() {
    with_app(&json!({}), |world, isolate| {
        let explain = || {
            let body = json!({ "token": "opaque" });
            json_of(&isolate.administer("POST", "/v1/explain", &body))
        };
        let failed = |explained: &Value| {
            let checks = explained["checks"].as_array().cloned().unwrap_or_default();
            checks
                .iter()
                .filter(|check| check["held"] == false)
                .map(|check| check["check"].clone())
                .collect::<Vec<_>>()
        };
        let unknown = explain();
        assert_eq!(failed(&unknown), ["form", "introspection"]);
        let said = unknown["checks"][0]["detail"].as_str().unwrap_or_default();
        assert!(said.starts_with("this is no JSON Web Token"), "{unknown}");
        assert!(said.ends_with("none knows it"), "{unknown}");
        says(world, &active(world, &json!({ "aud": "other" })));
        assert_eq!(failed(&explain()), ["audience"]);
        says(world, &active(world, &json!({})));
        let explained = explain();
        assert_eq!(
            (explained["verdict"].clone(), failed(&explained)),
            (json!("accepted"), Vec::new()),
            "{explained}"
        );
        assert_eq!(
            world.database.number("SELECT COUNT(*) FROM users WHERE username = 'alice'"),
            0,
            "it creates nobody"
        );
        world.issuers.fail(ENDPOINT, FetchProblem::TimedOut);
        assert_eq!(failed(&explain()), ["form", "introspection"]);
        world
            .issuers
            .fail(ENDPOINT, FetchProblem::Unreachable("internal error; reference = x".to_owned()));
        let unreachable = explain();
        assert!(!unreachable.to_string().contains("internal error"), "{unreachable}");
    });
}

/// An endpoint may accept spellings that Postern refuses. Then a revoked token could be spelled in
/// another way.
#[test]
fn a_revoked_token_does_not_come_back_in_another_spelling() {
    with_app(&json!({ "createsUsers": true }), |world, isolate| {
        says(world, &active(world, &json!({})));
        let token = forge(r#"{"alg":"RS256"}"#, r#"{"iss":"https://idp.test"}"#, b"signature");
        assert_eq!(isolate.verify(&token).0, 200);
        assert_eq!(
            isolate.administer("POST", "/v1/revocations", &json!({ "token": token })).status,
            204
        );
        assert_eq!(isolate.verify(&token), (401, "revoked".to_owned()));
        let before = asked(world);
        for altered in
            [format!("{token}="), format!("{token}+"), format!("{token}."), format!("{token}%")]
        {
            assert_eq!(isolate.verify(&altered).0, 401, "{altered}");
        }
        assert_eq!(asked(world), before, "nobody is asked about them");
    });
}

#[test]
fn a_revocation_by_jti_holds_for_every_spelling_of_an_opaque_token() {
    with_app(&json!({ "createsUsers": true }), |world, isolate| {
        says(world, &active(world, &json!({ "jti": "j" })));
        assert_eq!(isolate.verify("opaque").0, 200);
        assert_eq!(
            isolate.administer("POST", "/v1/revocations", &json!({ "token": "opaque" })).status,
            204
        );
        assert_eq!(isolate.verify("OPAQUE"), (401, "revoked".to_owned()));
    });
}

/// An administrator who may change an app must not be able to get its secret, which nobody can
/// read.
#[test]
fn a_kept_secret_goes_to_no_other_endpoint() {
    with_app(&json!({}), |world, isolate| {
        isolate.administer(
            "POST",
            "/v1/token-apps",
            &json!({
                "name": "ERP", "algorithm": "HS256", "secret": "a shared secret of thirty-two b!",
                "claims": { "username": "sub" },
            }),
        );
        let evil = "https://evil.test/introspect";
        world.issuers.publish(evil, r#"{"active":false}"#, None);
        let endpoint = json!({
            "algorithm": "introspection", "introspectionEndpoint": evil,
            "introspectionClientId": "x", "anyAudience": true,
        });
        for (name, change) in [
            ("ERP", endpoint),
            ("IdP", json!({ "introspectionEndpoint": evil })),
            ("IdP", json!({ "introspectionClientId": "another" })),
            (
                "IdP",
                json!({
                    "algorithm": "HS256", "introspectionEndpoint": null,
                    "introspectionClientId": null,
                }),
            ),
        ] {
            let response = isolate.administer("PATCH", &format!("/v1/token-apps/{name}"), &change);
            assert_eq!(
                (response.status, json_of(&response)["field"].clone()),
                (400, json!("secret")),
                "{name}: {}",
                response.body
            );
        }
        assert_eq!(asked(world), 0);
        let enough = json!({ "introspectionEndpoint": evil, "secret": "of the other endpoint" });
        assert_eq!(isolate.administer("PATCH", "/v1/token-apps/IdP", &enough).status, 200);
    });
}

#[test]
fn no_key_or_token_of_postern_is_shown_to_an_endpoint() {
    with_app(&json!({}), |world, isolate| {
        let key = json_of(&isolate.administer(
            "POST",
            "/v1/keys",
            &json!({ "name": "k", "may": ["decisions"] }),
        ))["key"]
            .clone();
        let key = key.as_str().expect("a key");
        let other = world.isolate_with(&[("TOKEN_HEADERS", Some("x-access-token"))]);
        for path in ["/v1/verify", "/v1/forward-auth"] {
            other.send(&Request::new("GET", path).header("x-access-token", key));
            other.send(&Request::new("GET", path).authorization(&format!("Bearer {key}")));
        }
        assert_eq!(asked(world), 0);
    });
}

/// A client that guesses names of apps with unsigned tokens must not learn which of them
/// introspect.
#[test]
fn a_forged_token_is_refused_alike_whether_an_app_of_the_name_introspects_or_there_is_none() {
    with_app(&json!({}), |_, isolate| {
        let forged = forge(r#"{"alg":"RS256"}"#, r#"{"sub":"alice"}"#, b"signature");
        for token in [&forged, "x.y", "a.b.c", ".", "x.y.z.w", "junk"] {
            let answer = |app: &str| {
                let response =
                    isolate.get(&format!("/v1/verify?app={app}"), &format!("Bearer {token}"));
                (response.status, json_of(&response)["reason"].clone())
            };
            assert_eq!(answer("IdP"), answer("Nobody"), "{token}");
        }
    });
}

/// Nobody can say whether the endpoint of such an app knows a token. A name does not tell either.
#[test]
fn a_token_is_503_while_an_app_that_introspects_lacks_its_client_secret() {
    with_app(&json!({ "createsUsers": true }), |world, isolate| {
        let exported = isolate.administer("GET", "/v1/export?secrets=left-out", &Value::Null);
        let here = World::new();
        let fresh = here.isolate();
        says(&here, &active(world, &json!({})));
        let import = Request::new("POST", "/v1/import").authorization(&admin());
        let imported = fresh.send(&import.body(&exported.body));
        assert_eq!(imported.status, 200, "{}", imported.body);
        for query in ["", "?app=IdP", "?app=Nobody"] {
            let response = fresh.get(&format!("/v1/verify{query}"), "Bearer an-opaque-token");
            assert_eq!(response.status, 503, "{query}: {}", response.body);
        }
    });
}

#[test]
fn strangers_make_an_isolate_ask_only_so_often() {
    with_app(&json!({}), |world, isolate| {
        for number in 0..300 {
            isolate.verify(&format!("made-up-{number}"));
        }
        assert_eq!(asked(world), 100, "of one network");
        world.pass(5);
        assert_eq!(isolate.verify("another"), (401, "revoked".to_owned()));
    });
    for cache_s in [0, 10] {
        with_app(
            &json!({ "createsUsers": true, "introspectionCacheS": cache_s }),
            |world, isolate| {
                says(world, &active(world, &json!({})));
                assert_eq!(isolate.verify("good"), (200, "alice".to_owned()));
                world.pass(11);
                says(world, &json!({ "active": false }));
                world.issuers.introspected.borrow_mut().clear();
                for number in 0..600 {
                    let request = Request::new("GET", "/v1/verify")
                        .authorization(&format!("Bearer made-up-{number}"));
                    isolate.send(
                        &request
                            .header("cf-connecting-ip", &format!("198.51.100.{}", number % 200)),
                    );
                }
                assert_eq!(asked(world), 200, "of all networks; cache {cache_s}");
                says(world, &active(world, &json!({})));
                assert_eq!(
                    isolate.verify("good"),
                    (200, "alice".to_owned()),
                    "strangers turn no good token away; cache {cache_s}"
                );
            },
        );
    }
}

/// An endpoint may trim white space, and then still recognizes the token.
#[test]
fn no_text_with_white_space_is_shown_to_an_endpoint() {
    with_app(&json!({}), |world, isolate| {
        let session = signed_in(isolate, "admin");
        for token in [
            format!("{session}\n"),
            format!(" {session}"),
            " pst_x".to_owned(),
            " eyJhbGciOiJSUzI1NiJ9.e30.AA".to_owned(),
            "caf\u{e9}".to_owned(),
        ] {
            let response = isolate.administer("POST", "/v1/verify", &json!({ "token": token }));
            assert_eq!(response.status, 401, "{token:?}: {}", response.body);
            assert!(!is_active(isolate, &admin(), &token), "{token:?}");
        }
        assert_eq!(asked(world), 0);
    });
}

/// Where answers are not cached, one token must not use up the questions of all others.
#[test]
fn one_token_is_asked_about_only_so_often() {
    with_app(&json!({ "createsUsers": true, "introspectionCacheS": 0 }), |world, isolate| {
        says(world, &active(world, &json!({})));
        for _ in 0..250 {
            isolate.verify("busy");
        }
        assert_eq!(asked(world), 100);
        assert_eq!(isolate.verify("another"), (200, "alice".to_owned()));
    });
}

/// The list of revocations is kept short, so that an isolate can hold all of it.
#[test]
fn a_revocation_of_a_foreign_token_ends_some_time_after_the_token() {
    with_app(&json!({ "createsUsers": true, "expire": 3600 }), |world, isolate| {
        let month_s = 30 * 24 * 60 * 60;
        let until = |token: &str, change: &Value| {
            says(world, &active(world, change));
            assert_eq!(isolate.verify(token).0, 200);
            assert_eq!(
                isolate.administer("POST", "/v1/revocations", &json!({ "token": token })).status,
                204
            );
            assert_eq!(isolate.verify(token).0, 401);
            world.database.number("SELECT MAX(until) FROM revocations") / 1000
                - world.now.get().seconds()
        };
        assert_eq!(until("one", &json!({})), 3600 + month_s);
        assert_eq!(
            until("two", &json!({ "exp": world.now.get().seconds() + 7200 })),
            7200 + month_s,
            "the later of both ends"
        );
    });
}

#[test]
fn an_import_sends_no_kept_secret_to_another_endpoint() {
    with_app(&json!({}), |world, isolate| {
        isolate.administer(
            "POST",
            "/v1/token-apps",
            &json!({
                "name": "ERP", "algorithm": "HS256", "secret": "a shared secret of thirty-two b!",
                "claims": { "username": "sub" },
            }),
        );
        let exported = isolate.get("/v1/export?secrets=sealed", &admin()).body;
        let sealed =
            exported.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
        let secret =
            sealed.into_iter().find(|record| record["name"] == "IdP").expect("the app")["secret"]
                .clone();
        let evil = "https://evil.test/introspect";
        world.issuers.publish(evil, r#"{"active":false}"#, None);
        let line = |name: &str, endpoint: &str, secret: &Value| {
            json!({
                "record": "tokenApp", "name": name, "enabled": true, "algorithm": "introspection",
                "expire": 3600,
                "usernameClaim": "username", "createsUsers": false, "secret": secret,
                "policy": {
                    "introspectionEndpoint": endpoint, "introspectionClientId": "gate a+b",
                    "audiences": ["gate"],
                },
            })
        };
        let import = |line: &Value| {
            let mut line = line.clone();
            if line["secret"].is_null() {
                line.as_object_mut().expect("an object").remove("secret");
            }
            let response = isolate.administer("POST", "/v1/import?secrets=sealed", &line);
            (response.status, response.body)
        };
        for (name, secret) in [("IdP", &Value::Null), ("IdP", &secret), ("ERP", &Value::Null)] {
            let (status, body) = import(&line(name, evil, secret));
            assert_eq!(status, 400, "{name}: {body}");
            assert!(body.contains("would be sent there"), "{body}");
        }
        assert_eq!(import(&line("IdP", ENDPOINT, &secret)).0, 200, "as it is");
        assert_eq!(asked(world), 0);
    });
}

/// Apps without a client secret cannot be asked, and must not stop others from being asked.
#[test]
fn apps_without_a_client_secret_do_not_count_among_those_that_are_asked() {
    with_app(&json!({ "createsUsers": true }), |world, isolate| {
        for number in 0..5 {
            let other = app(&json!({ "name": format!("Lost {number}") }));
            assert_eq!(isolate.administer("POST", "/v1/token-apps", &other).status, 201);
        }
        world
            .database
            .number("UPDATE token_apps SET secret = '' WHERE name LIKE 'Lost %' RETURNING 1");
        says(world, &active(world, &json!({})));
        assert_eq!(world.isolate().verify("opaque"), (200, "alice".to_owned()));
    });
}
