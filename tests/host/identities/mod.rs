//! Which app takes a token, for which user, and with which rights. Each case fails when its check
//! is taken out.

mod apps;
mod users;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, admin, all_at_once, block_on, forge, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Creates a token app by `/v1`. `change` has members beside the required ones.
fn create(isolate: &Isolate<'_>, name: &str, change: &Value) -> Value {
    let mut body = json!({
        "name": name, "algorithm": "HS256", "secret": SECRET, "claims": { "username": "sub" },
    });
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

/// A token with these claims; `exp` is added if they lack it.
fn token(isolate: &Isolate<'_>, claims: &Value) -> String {
    token_of_type(isolate, &json!({ "alg": "HS256", "typ": "JWT" }), claims)
}

fn token_of_type(isolate: &Isolate<'_>, header: &Value, claims: &Value) -> String {
    let mut all = json!({ "sub": "alice", "iat": now_s(isolate), "exp": now_s(isolate) + 600 });
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let all: serde_json::Map<_, _> = all
        .as_object()
        .expect("an object")
        .clone()
        .into_iter()
        .filter(|(_, value)| *value != json!("absent"))
        .collect();
    forge(&header.to_string(), &Value::Object(all).to_string(), SECRET.as_bytes())
}

/// The status, and the reason of a refusal.
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

/// Each case has claims, and the status and reason of a token with them.
fn cases(members: &Value, cases: &[(Value, u16, &str)]) {
    with_app(members, |isolate| {
        for (claims, status, reason) in cases {
            assert_eq!(
                verify(isolate, &token(isolate, claims)),
                (*status, (*reason).to_owned()),
                "{members} {claims}"
            );
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
    let members =
        json!({ "issuer": "https://login.example/{tenantid}/v2.0", "tenants": ["t1", "t2"] });
    cases(
        &members,
        &[
            (json!({ "iss": "https://login.example/t1/v2.0", "tid": "t1" }), 200, ""),
            (
                json!({ "iss": "https://login.example/t1/v2.0", "tid": "t2" }),
                401,
                "issuer_mismatch",
            ),
            (
                json!({ "iss": "https://login.example/t3/v2.0", "tid": "t3" }),
                401,
                "issuer_mismatch",
            ),
            (
                json!({ "iss": "https://login.example/T1/v2.0", "tid": "T1" }),
                401,
                "issuer_mismatch",
            ),
            (json!({ "iss": "https://login.example/t1/v2.0" }), 401, "issuer_mismatch"),
            (json!({ "iss": "https://login.example/t1/v2.0", "tid": ["t1"] }), 401, "claim_type"),
            (
                json!({ "iss": "https://login.example/{tenantid}/v2.0", "tid": "{tenantid}" }),
                401,
                "issuer_mismatch",
            ),
        ],
    );
}

/// An app that a call or a `kid` names is tried whatever the token's issuer is; the issuer is
/// compared after the signature.
#[test]
fn an_app_that_is_named_takes_no_token_of_another_issuer() {
    let plain = json!({ "issuer": "https://idp.example/" });
    let of_tenants =
        json!({ "issuer": "https://login.example/{tenantid}/v2.0", "tenants": ["t1"] });
    for (members, claims, status, reason) in [
        (&plain, json!({ "iss": "https://idp.example/" }), 200, ""),
        (&plain, json!({ "iss": "https://IDP.example/" }), 401, "issuer_mismatch"),
        (&plain, json!({ "iss": "https://idp.example/x" }), 401, "issuer_mismatch"),
        (&plain, json!({ "iss": "" }), 401, "issuer_mismatch"),
        (&plain, json!({ "iss": ["https://idp.example/"] }), 401, "claim_type"),
        (&plain, json!({ "iss": null }), 401, "claim_type"),
        (&plain, json!({}), 401, "claim_missing"),
        (&of_tenants, json!({ "iss": "https://login.example/t1/v2.0", "tid": "t1" }), 200, ""),
        (
            &of_tenants,
            json!({ "iss": "https://login.example/t2/v2.0", "tid": "t2" }),
            401,
            "issuer_mismatch",
        ),
        (&of_tenants, json!({ "tid": "t1" }), 401, "claim_missing"),
    ] {
        with_app(members, |isolate| {
            let by_call =
                isolate.get("/v1/verify?app=App", &format!("Bearer {}", token(isolate, &claims)));
            let header = json!({ "alg": "HS256", "typ": "JWT", "kid": "App" });
            let by_kid = isolate
                .get("/v1/verify", &format!("Bearer {}", token_of_type(isolate, &header, &claims)));
            for response in [by_call, by_kid] {
                let told = response.header("x-postern-reason").unwrap_or_default();
                assert_eq!((response.status, told), (status, reason), "{members} {claims}");
            }
        });
    }
}

#[test]
fn an_audience_is_compared_as_a_whole() {
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
        let header = if kind.is_null() {
            json!({ "alg": "HS256" })
        } else {
            json!({ "alg": "HS256", "typ": kind })
        };
        verify(isolate, &token_of_type(isolate, &header, &json!({})))
    };
    with_app(&json!({}), |isolate| {
        for kind in [
            json!(null),
            json!("JWT"),
            json!("jwt"),
            json!("at+jwt"),
            json!("application/AT+JWT"),
            json!(""),
        ] {
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
        for kind in others.map(Value::from).into_iter().chain([json!(["JWT"]), json!(7), json!({})])
        {
            assert_eq!(of(isolate, &kind), (401, "type_refused".to_owned()), "{kind}");
        }
        let with_events = token(
            isolate,
            &json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
        );
        assert_eq!(
            verify(isolate, &with_events),
            (401, "type_refused".to_owned()),
            "whatever its typ"
        );
        change(isolate, "App", &json!({ "types": ["at+jwt"] }));
        assert_eq!(of(isolate, &json!("JWT")), (401, "type_refused".to_owned()));
        assert_eq!(
            of(isolate, &json!("at+jwt")),
            (401, "claim_missing".to_owned()),
            "RFC 9068 demands more claims"
        );
        let header = json!({ "alg": "HS256", "typ": "at+jwt" });
        let all = json!({ "iss": "i", "aud": "a", "client_id": "c", "jti": "1" });
        assert_eq!(verify(isolate, &token_of_type(isolate, &header, &all)).0, 200);
    });
}

#[test]
fn an_app_for_access_tokens_alone_needs_each_of_their_claims() {
    for kind in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        with_app(&json!({ "types": [kind], "claims": { "username": "login" } }), |isolate| {
            let all =
                json!({ "login": "alice", "iss": "i", "aud": "a", "client_id": "c", "jti": "1" });
            let of = |claims: &Value| {
                verify(
                    isolate,
                    &token_of_type(isolate, &json!({ "alg": "HS256", "typ": "at+jwt" }), claims),
                )
            };
            assert_eq!(of(&all).0, 200, "{kind}");
            for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
                let mut claims = all.clone();
                claims[name] = json!("absent");
                assert_eq!(of(&claims), (401, "claim_missing".to_owned()), "{kind} {name}");
            }
        });
    }
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
    with_app(&json!({ "authorizedParties": ["web", "mobile"] }), |isolate| {
        for (party, status) in [("web", 200), ("mobile", 200), ("desktop", 401)] {
            assert_eq!(
                verify(isolate, &token(isolate, &json!({ "azp": party }))).0,
                status,
                "{party}"
            );
        }
        let response = isolate.get("/v1/verify", &format!("Bearer {}", token(isolate, &json!({}))));
        assert!(response.body.contains("the claim azp is missing"), "{}", response.body);
    });
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
            (json!({ "scope": "A:READ B" }), 403, "insufficient_scope"),
            (json!({ "scope": "a:read\tb" }), 200, ""),
            (json!({ "scope": "a:read\u{a0}b" }), 403, "insufficient_scope"),
            (json!({ "scope": 7 }), 401, "claim_type"),
            (json!({ "scope": "a:read b", "scp": 7 }), 401, "claim_type"),
            (json!({ "scope": 7, "scp": "a:read b" }), 401, "claim_type"),
            (json!({}), 403, "insufficient_scope"),
        ],
    );
    cases(&json!({}), &[(json!({ "scope": 7, "scp": [7] }), 200, "")]);
    with_app(&json!({ "requiredScopes": ["a", "b"] }), |isolate| {
        let response = isolate.get("/v1/verify", &format!("Bearer {}", token(isolate, &json!({}))));
        let challenge = response.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.contains("error=\"insufficient_scope\"")
                && challenge.ends_with("scope=\"a b\""),
            "{challenge}"
        );
    });
}

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let bound = [
        json!({ "cnf": { "jkt": "x" } }),
        json!({ "cnf": { "x5t#S256": "x" } }),
        json!({ "cnf": {} }),
        json!({ "cnf": null }),
    ];
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
        // Cached tokens are distinguished in the same way.
        let token = token(&isolate, &json!({ "aud": name }));
        for _ in 0..3 {
            assert_eq!(verified(&isolate, &token)["app"], name.to_uppercase());
        }
    }
    // The reason is that of the app whose checks held longest.
    assert_eq!(
        verify(&isolate, &token(&isolate, &json!({ "aud": "b" }))),
        (403, "insufficient_scope".to_owned())
    );
    assert_eq!(
        verify(&isolate, &token(&isolate, &json!({ "aud": "d" }))),
        (401, "audience_mismatch".to_owned())
    );
}

#[test]
fn a_remembered_token_is_refused_once_the_terms_change() {
    with_app(&json!({}), |isolate| {
        let token = token(
            isolate,
            &json!({ "aud": "other", "iss": "https://other.example", "azp": "other" }),
        );
        for _ in 0..3 {
            assert_eq!(verify(isolate, &token).0, 200);
        }
        for (patch, back, reason) in [
            (json!({ "audiences": ["mine"] }), json!({ "audiences": null }), "audience_mismatch"),
            (
                json!({ "issuer": "https://mine.example" }),
                json!({ "issuer": null }),
                "issuer_mismatch",
            ),
            (
                json!({ "authorizedParties": ["mine"] }),
                json!({ "authorizedParties": [] }),
                "party_refused",
            ),
            (json!({ "types": ["at+jwt"] }), json!({ "types": null }), "type_refused"),
        ] {
            change(isolate, "App", &patch);
            assert_eq!(verify(isolate, &token), (401, reason.to_owned()), "{patch}");
            change(isolate, "App", &back);
            assert_eq!(verify(isolate, &token).0, 200, "{back}");
        }
    });
}

/// One issuer signs tokens for many clients. Only an app that names a token's audience accepts it.
#[test]
fn a_key_set_lets_in_no_other_client() {
    let world = World::new();
    let isolate = world.isolate();
    let issuer = Issuer::of(postern::domain::tokens::algorithm::Algorithm::Es256);
    world.issuers.publish(
        "https://idp.example/keys",
        &json!({ "keys": [issuer.jwk(&json!({}))] }).to_string(),
        None,
    );
    create(
        &isolate,
        "BI",
        &json!({
            "algorithm": "ES256", "secret": "https://idp.example/keys", "audiences": ["bi"],
            "issuer": "https://idp.example",
        }),
    );
    let claims = |aud: &str, iss: &str| {
        json!({
            "sub": "alice", "aud": aud, "iss": iss, "exp": now_s(&isolate) + 60,
        })
    };
    let sign = |claims: &Value| {
        issuer.token(postern::domain::tokens::algorithm::Algorithm::Es256, &json!({}), claims)
    };
    assert_eq!(verify(&isolate, &sign(&claims("bi", "https://idp.example"))).0, 200);
    assert_eq!(
        verify(&isolate, &sign(&claims("crm", "https://idp.example"))),
        (401, "audience_mismatch".to_owned())
    );
    assert_eq!(
        verify(&isolate, &sign(&claims("bi", "https://evil.example"))),
        (401, "issuer_mismatch".to_owned())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a token says, an app that speaks for users makes nobody an administrator, and no
    /// claim does.
    #[test]
    fn no_token_makes_an_administrator(
        names in proptest::collection::vec("admin|alice|Administrator|SYS_Creator|bob", 1..4),
        roles in proptest::collection::vec("Administrator|SYS_Creator|SYS_Reader|x|y", 0..5),
    ) {
        let world = World::new();
        let isolate = world.isolate();
        create(&isolate, "App", &json!({ "claims": { "username": "sub", "roles": "roles" } }));
        for name in &names {
            let token = token(&isolate, &json!({
                "sub": name, "roles": roles, "type": "Administrator",
            }));
            let response = isolate.get("/v1/verify", &format!("Bearer {token}"));
            let body = json_of(&response);
            let user_type = &body["user"]["type"];
            let is_raised = user_type == "Administrator" || user_type == "SYS_Creator";
            prop_assert!(!is_raised, "{}", response.body);
            prop_assert!(name != "admin" || response.status == 403);
        }
        let count = "SELECT COUNT(*) FROM users WHERE type = 'Administrator'";
        prop_assert_eq!(world.database.number(count), 1);
    }
}
