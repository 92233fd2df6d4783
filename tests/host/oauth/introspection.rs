use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{introspect, is_active, made_key, post, revoke, signed_in, user, with_isolate};
use crate::revocations::{revoked, token_with};
use crate::support::{Request, admin, basic, json_of};

/// Encodes a text as a form does (RFC 6749, appendix B).
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+")
}

#[test]
fn a_token_of_an_app_is_told_with_what_it_says() {
    with_isolate(|world, isolate| {
        isolate.register(&json!({}));
        let now = world.now.get().seconds();
        let more = json!({
            "iat": now, "exp": now + 600, "iss": "https://idp.test", "aud": ["a", "b"],
            "scope": "x y", "scp": "z", "jti": 7,
        });
        let token = token_with(isolate, &more);
        let expected = json!({
            "active": true, "token_type": "Bearer", "username": "alice", "sub": "2",
            "client_id": "ERP",
            "exp": now + 600, "iat": now, "aud": ["a", "b"], "scope": "x y z", "jti": "7",
        });
        assert_eq!(
            introspect(isolate, &admin(), &token),
            expected,
            "`sub` is Postern's, so `iss` is not the token's"
        );
        let bare = json!({
            "active": true, "token_type": "Bearer", "username": "alice", "sub": "2",
            "client_id": "ERP", "exp": now + 600,
        });
        assert_eq!(
            introspect(isolate, &admin(), &token_with(isolate, &json!({}))),
            bare,
            "what it does not say is left out"
        );
    });
}

#[test]
fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    with_isolate(|world, isolate| {
        isolate.register(&json!({}));
        let alice = user(isolate, "alice", "SYS_Reader");
        let opaque = signed_in(isolate, "alice");
        let [good, gone] = [1, 2].map(|number| token_with(isolate, &json!({ "n": number })));
        let past = world.now.get().seconds() - 60;
        let key = made_key(isolate, &admin(), &json!({ "name": "asker", "may": ["decisions"] }));
        revoked(isolate, &gone);
        for token in [&opaque, &good] {
            assert!(is_active(isolate, &admin(), token) && is_active(isolate, &alice, token));
        }
        let forged = format!("{good}x");
        let long = "a".repeat(20_000);
        let expired = token_with(isolate, &json!({ "exp": past }));
        for token in [
            "x",
            "a.b.c",
            &key,
            &gone,
            &forged,
            &long,
            &expired,
            "7ac687f1-51c3-46ad-8617-89d737d1ba0d",
        ] {
            assert!(!is_active(isolate, &admin(), token), "{token}");
        }
        isolate.administer("PATCH", "/v1/users/2", &json!({ "enabled": false }));
        for token in [&opaque, &good] {
            assert!(!is_active(isolate, &admin(), token), "its user is disabled");
        }
    });
}

#[test]
fn whoever_may_not_know_is_told_what_is_told_of_a_bad_token() {
    with_isolate(|_, isolate| {
        isolate.register(&json!({}));
        let (alice, bob) =
            (user(isolate, "alice", "SYS_Reader"), user(isolate, "bob", "SYS_Creator"));
        let (opaque, token) = (signed_in(isolate, "alice"), token_with(isolate, &json!({})));
        let key = |may: &str| {
            format!("Bearer {}", made_key(isolate, &admin(), &json!({ "name": may, "may": [may] })))
        };
        let of_bob = made_key(
            isolate,
            &bob,
            &json!({ "name": "own", "may": ["decisions", "administration"] }),
        );
        let (asking, bringing) = (key("decisions"), key("provisioning"));
        for token in [&opaque, &token] {
            for may in
                [&admin(), &alice, &asking, &format!("Bearer {token}"), &format!("Bearer {opaque}")]
            {
                assert!(is_active(isolate, may, token), "{may}");
            }
            for may_not in [&bob, &format!("Bearer {of_bob}")] {
                assert!(!is_active(isolate, may_not, token), "{may_not}");
            }
            let refused = post(isolate, "/v1/introspect", &bringing, &format!("token={token}"));
            assert_eq!(
                (refused.status, json_of(&refused)["error"].clone()),
                (403, json!("access_denied"))
            );
        }
    });
}

/// Software that follows RFC 6749 encodes both parts. A user name or a password may contain
/// characters that this changes.
#[test]
fn a_client_may_have_an_id_and_a_secret_that_need_escaping() {
    with_isolate(|_, isolate| {
        let (name, password) = ("svc+orders@example.com", "p%ss:w/rd +\u{e4}&=");
        let body = json!({ "username": name, "password": password, "type": "Administrator" });
        assert_eq!(isolate.administer("POST", "/v1/users", &body).status, 201);
        let key =
            made_key(isolate, &admin(), &json!({ "name": "order service", "may": ["decisions"] }));
        let status =
            |authorization: &str| post(isolate, "/v1/introspect", authorization, "token=x").status;
        assert_eq!(status(&basic(&encoded(name), &encoded(password))), 200);
        assert_eq!(status(&basic(&encoded("order service"), &key)), 200);
        assert_eq!(status(&basic("order service", &key)), 200);
        assert_eq!(status(&basic(name, password)), 200, "many clients encode nothing");
        assert_eq!(status(&basic(&encoded(name), password)), 401, "both parts, or none");
        isolate.administer(
            "POST",
            "/v1/users",
            &json!({ "username": "a+b", "password": "long+enough", "type": "SYS_Reader" }),
        );
        assert_eq!(status(&basic(&encoded("a+b"), &encoded("long+enough"))), 200);
        assert_eq!(
            status(&basic("a+b", "long+enough")),
            401,
            "what may be encoded is taken for that"
        );
        assert_eq!(status(&basic(&encoded("other service"), &key)), 401, "a key of another name");
        // A text that cannot be a form's encoding is used unchanged.
        isolate.administer(
            "POST",
            "/v1/users",
            &json!({ "username": "carl", "password": "100% of carl's", "type": "SYS_Reader" }),
        );
        assert_eq!(status(&basic("carl", "100% of carl's")), 200);
        // On other routes, user name and password are used unchanged.
        let verify = |authorization: &str| isolate.get("/v1/verify", authorization).status;
        assert_eq!(verify(&basic(&encoded(name), &encoded(password))), 401);
        assert_eq!(verify(&basic(name, password)), 200);
    });
}

#[test]
fn a_signed_answer_is_not_made() {
    with_isolate(|_, isolate| {
        let ask = |accept: &str| {
            let request = Request::new("POST", "/v1/introspect")
                .authorization(&admin())
                .header("accept", accept);
            isolate.send(&request.body("token=x")).status
        };
        assert_eq!(ask("application/token-introspection+jwt"), 406);
        assert_eq!(ask("application/token-introspection+jwt, application/json;q=0.5"), 200);
        assert_eq!(ask("application/json"), 200);
    });
}

/// A resource server asks for each request, so a warm question must not cost a reading of D1.
#[test]
fn a_warm_question_asks_nobody_and_a_revocation_counts_at_once_here() {
    with_isolate(|world, isolate| {
        isolate.register(&json!({}));
        user(isolate, "alice", "SYS_Reader");
        let key = format!(
            "Bearer {}",
            made_key(isolate, &admin(), &json!({ "name": "asker", "may": ["decisions"] }))
        );
        let (opaque, token) = (signed_in(isolate, "alice"), token_with(isolate, &json!({})));
        for token in [&opaque, &token] {
            assert!(is_active(isolate, &key, token));
        }
        world.run_tasks();
        let before = world.database.batches.get();
        for _ in 0..10 {
            assert!(is_active(isolate, &key, &opaque) && is_active(isolate, &key, &token));
        }
        assert_eq!(world.database.batches.get(), before);
        for token in [&opaque, &token] {
            revoke(isolate, &admin(), token);
            assert!(!is_active(isolate, &key, token));
        }
    });
}
