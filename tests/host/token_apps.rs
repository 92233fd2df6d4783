//! What answers show of a token app and its keys, and how refusals are explained.

use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::fetch_problem::FetchProblem;
use postern::error::{Denied, Refusal};
use postern::ports::Statement;
use serde_json::{Value, json};

use crate::routes::{filled, routes};
use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, admin, block_on, forge, json_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEYS: &str = "https://issuer.test/keys";

fn create(isolate: &Isolate<'_>, members: &Value) -> Value {
    let mut body = json!({
        "name": "App", "algorithm": "HS256", "secret": SECRET, "claims": { "username": "sub" },
    });
    for (member, value) in members.as_object().expect("an object") {
        body[member] = value.clone();
    }
    let response = isolate.administer("POST", "/v1/token-apps", &body);
    assert_eq!(response.status, 201, "{}", response.body);
    json_of(&response)
}

fn token(isolate: &Isolate<'_>, claims: &Value) -> String {
    isolate.signed(SECRET, claims)
}

/// Programs depend on these reasons, so a reason that is added, renamed or removed changes the
/// contract.
#[test]
fn the_reasons_of_the_document_are_these() {
    let document: Value =
        serde_json::from_str(include_str!("../../public/v1/openapi.json")).expect("JSON");
    let reason = &document["components"]["schemas"]["Problem"]["properties"]["reason"]["anyOf"];
    let of_401 = "missing bad_scheme too_long not_three_parts bad_base64 bad_json doubled_member \
        unknown_algorithm critical_extension claim_type claim_missing no_lifetime no_app \
        wrong_parameter wrong_algorithm bad_signature expired not_yet_valid too_long_lived revoked \
        bad_key key_name issuer_mismatch audience_mismatch type_refused party_refused bound_token \
        wrong_password";
    let of_403 = "user_refused user_disabled user_deleted user_unknown id_conflict name_conflict \
        insufficient_scope no_permission cross_origin not_administrator key_refused \
        cookie_refused would_outlive not_provisioned rule";
    for (index, words) in [of_401, of_403].into_iter().enumerate() {
        let words: Vec<_> = words.split_whitespace().collect();
        assert_eq!(
            reason[index]["enum"],
            json!(words),
            "a reason that is meant to change is changed in this test, too"
        );
    }
    assert_eq!(reason.as_array().map(Vec::len), Some(3));
    assert_eq!(
        reason[2]["enum"],
        json!([
            "too_many_failures",
            "new_address",
            "address_failures",
            "rate_limit",
            "too_many_at_once"
        ])
    );
    // The other reasons occur only in calls that an application signed.
    let others: Vec<_> = Denied::REASONS
        .into_iter()
        .filter(|word| !of_401.split_whitespace().any(|known| known == *word))
        .collect();
    assert_eq!(
        others,
        ["unknown_application", "replayed", "stale_timestamp"],
        "these must stay the last rows of Denied: put a new one above them, and into of_401 here"
    );
    assert_eq!(Refusal::REASONS.join(" "), of_403, "put a new reason into of_403, in its order");
}

#[test]
fn every_route_that_refuses_a_token_says_why_in_a_header() {
    let world = World::new();
    let isolate = world.isolate();
    create(&isolate, &json!({}));
    let expired = format!("Bearer {}", token(&isolate, &json!({ "exp": 1_000 })));
    let alice = format!("Bearer {}", token(&isolate, &json!({})));
    assert_eq!(isolate.get("/v1/verify", &alice).status, 200);
    let mut told = std::collections::BTreeMap::new();
    // Pages of the console ask for a session instead of a token.
    for (dialect, route) in
        routes().filter(|(_, route)| !route.operation.ends_with("_console_session"))
    {
        for (credential, status, reasons) in [
            (&expired, 401, &["expired"][..]),
            (&alice, 403, &["not_administrator", "no_permission"]),
        ] {
            let request = Request::new(route.method, &filled(route.paths[0]))
                .authorization(credential)
                .body("{}");
            let response = isolate.send(&request);
            if response.status == status {
                let reason = response.header("x-postern-reason").unwrap_or_default();
                assert!(
                    reasons.contains(&reason),
                    "{} {status}: {reason:?} {}",
                    route.operation,
                    response.body
                );
                *told.entry((dialect.name, status)).or_insert(0) += 1;
            }
            assert!(
                response.status != 200 || response.header("x-postern-reason").is_none(),
                "{}",
                route.operation
            );
        }
    }
    let dialects: Vec<_> =
        told.keys().filter(|(_, status)| *status == 401).map(|(name, _)| *name).collect();
    let mut all: Vec<_> = routes()
        .filter(|(_, route)| route.access.is_checked_first())
        .map(|(dialect, _)| dialect.name)
        .collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(dialects, all, "{told:?}");
}

#[test]
fn chosen_claims_go_to_the_origin_under_names_that_no_client_can_send() {
    let world = World::new();
    let isolate = world.isolate_with(&[("ORIGIN_URL", Some("http://origin.test"))]);
    create(&isolate, &json!({ "passClaims": ["tenant", "/nested/list", "absent", "long"] }));
    let claims = json!({
        "tenant": "blå, 100%", "nested": { "list": [1, "x"] }, "other": 1, "long": "x".repeat(4097),
    });
    let bearer = format!("Bearer {}", token(&isolate, &claims));
    let expected = [
        ("x-auth-claim-tenant", "bl%C3%A5%2C 100%25"),
        ("x-auth-claim-nested-list", "[1%2C\"x\"]"),
    ];
    let request = Request::new("GET", "/page").authorization(&bearer);
    let request = request.header("x-auth-claim-tenant", "red").header("x-auth-claim-other", "red");
    assert_eq!(isolate.send(&request).status, 299);
    let forward = world.passed.borrow_mut().pop().expect("it went on");
    let claims = forward.headers.iter().filter(|(name, _)| name.starts_with("x-auth-claim-"));
    let claims: Vec<_> = claims.map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    assert_eq!(claims, expected);
}

/// A header's name has only ASCII letters, digits and `-`, and is case-insensitive.
#[test]
fn the_header_of_a_claim_is_its_name_without_what_no_header_has() {
    for (claim, header) in [
        ("Tenant_ID2", "x-auth-claim-tenant-id2"),
        ("https://claims.example/plan", "x-auth-claim-https---claims-example-plan"),
        ("größe", "x-auth-claim-gr--e"),
        ("//plan/", "x-auth-claim-plan-"),
    ] {
        let world = World::new();
        let isolate = world.isolate_with(&[("ORIGIN_URL", Some("http://origin.test"))]);
        create(&isolate, &json!({ "passClaims": [claim] }));
        let bearer = format!("Bearer {}", token(&isolate, &json!({ claim: "blue" })));
        assert_eq!(isolate.send(&Request::new("GET", "/page").authorization(&bearer)).status, 299);
        let forward = world.passed.borrow_mut().pop().expect("it went on");
        let told: Vec<_> =
            forward.headers.iter().filter(|(name, _)| name.starts_with("x-auth-claim-")).collect();
        assert_eq!(told.len(), 1, "{claim}");
        assert_eq!((told[0].0.as_ref(), told[0].1.as_str()), (header, "blue"));
    }
}

#[test]
fn the_bi_suites_dialect_shows_a_new_member_only_where_it_is_chosen() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let shown = || {
        let content =
            json_of(&isolate.get("/plugin/datafor-modeler/api/token/content?name=ERP", &admin()));
        let list = json_of(&isolate.get("/plugin/datafor-modeler/api/token/list", &admin()));
        [content, list["data"][0].clone()]
    };
    for app in shown() {
        let mut names: Vec<_> = app
            .as_object()
            .expect("an app")
            .keys()
            .filter(|name| *name != "success")
            .cloned()
            .collect();
        names.sort_unstable();
        let expected = "algorithm createdDate creatorId enable expire fieldmap initroles inituser \
            lastModifiedDate name secret token_name";
        assert_eq!(names.join(" "), expected);
        assert_eq!(
            app["fieldmap"],
            json!({ "name": "name", "email": "email", "username": "loginname" })
        );
    }
    let chosen = json!({
        "issuer": "https://idp.example", "tenants": null, "audiences": ["a"], "types": ["JWT"],
        "authorized_parties": ["web"],
        "required_scopes": ["x"], "speaks_for": "own", "bound_tokens": "ignore",
        "role_map": { "a": "b" }, "group_map": { "c": 5 },
        "groups_mode": "sync", "profile": "once", "pass_claims": ["tenant"],
    });
    let map = json!({
        "username": "loginname", "name": "name", "email": "email", "id": "uid", "groups": "groups",
        "roles": "roles",
    });
    let mut all = chosen.clone();
    all["fieldmap"] = map.clone();
    isolate.register(&all);
    for app in shown() {
        for (name, value) in chosen.as_object().expect("members") {
            let shown = app.get(name).unwrap_or(&Value::Null);
            assert_eq!(shown, value, "{name}");
        }
        assert_eq!(app["fieldmap"], map);
        assert!(app.get("discover").is_none() && app.get("any_audience").is_none(), "{app}");
    }
}

#[test]
fn answers_show_public_keys_by_their_ids_and_no_secret() {
    let world = World::new();
    let isolate = world.isolate();
    let everywhere = |name: &str| {
        let one = isolate.get(&format!("/v1/token-apps/{name}"), &admin());
        let patched = isolate.administer(
            "PATCH",
            &format!("/v1/token-apps/{name}"),
            &json!({ "expire": 60 }),
        );
        let list = isolate.get("/v1/token-apps", &admin());
        let audit = isolate.get("/v1/audit", &admin());
        [one.body, patched.body, list.body, audit.body]
    };
    let of_secret = create(&isolate, &json!({ "initialPassword": "correct horse new" }));
    assert_eq!((&of_secret["hasSecret"], &of_secret["keys"]), (&json!(true), &json!([])));
    for body in everywhere("App") {
        assert!(
            !body.contains(SECRET)
                && !body.contains("correct horse new")
                && !body.contains("argon2"),
            "{body}"
        );
    }
    let (first, second) = (Issuer::of(Algorithm::Es256), Issuer::of(Algorithm::Es256));
    let set = json!({
        "keys": [first.jwk(&json!({ "kid": "a", "alg": "ES256" })), second.jwk(&json!({}))],
    });
    let x = first.jwk(&json!({}))["x"].as_str().expect("a coordinate").to_owned();
    world.issuers.publish(KEYS, &set.to_string(), None);
    let registered =
        json!({ "name": "Registered", "algorithm": "ES256", "secret": set.to_string() });
    let published =
        json!({ "name": "Published", "algorithm": "ES256", "secret": KEYS, "anyAudience": true });
    for members in [registered, published] {
        let name = members["name"].as_str().expect("a name").to_owned();
        let created = create(&isolate, &members);
        let keys = created["keys"].as_array().expect("keys");
        let told: Vec<_> =
            keys.iter().map(|key| (key["kid"].as_str(), key["alg"].as_str())).collect();
        assert_eq!(told, [(Some("a"), Some("ES256")), (None, Some("ES256"))], "{name}");
        assert!(
            keys.iter().all(|key| key["thumbprint"].as_str().is_some_and(|text| text.len() == 43)),
            "{name}"
        );
        assert_ne!(keys[0]["thumbprint"], keys[1]["thumbprint"]);
        let shown = json_of(&isolate.get(&format!("/v1/token-apps/{name}"), &admin()));
        assert_eq!(
            (&shown["keys"], &shown["hasSecret"]),
            (&created["keys"], &json!(true)),
            "{name}"
        );
        assert!(everywhere(&name).iter().all(|body| !body.contains(&x)), "{name}");
    }
    // Another isolate has not asked the issuer, so it knows no keys, and does not ask for this
    // answer.
    let asked = world.issuers.asked.get();
    assert_eq!(
        json_of(&world.isolate().get("/v1/token-apps/Published", &admin()))["keys"],
        json!([])
    );
    assert_eq!(world.issuers.asked.get(), asked);
}

/// The app is registered also if its issuer does not answer. The problem is shown in the answer,
/// the log and the explanation.
#[test]
fn the_problem_of_an_issuer_is_told_at_registration_in_the_log_and_in_an_explanation() {
    let problems = [
        (FetchProblem::TimedOut, "did not answer within 5 seconds"),
        (FetchProblem::Forbidden(403), "refuses to show its keys: status 403"),
        (FetchProblem::NotFound(404), "has nothing at this URL: status 404"),
        (FetchProblem::Status(500), "answered with status 500"),
        (FetchProblem::NotASet("x".to_owned()), "is no JWK Set"),
    ];
    let issuer = Issuer::of(Algorithm::EdDsa);
    for (problem, text) in problems {
        let world = World::new();
        let isolate = world.isolate();
        match problem {
            FetchProblem::NotASet(_) => world.issuers.publish(KEYS, "<html>", None),
            other => world.issuers.fail(KEYS, other),
        }
        let created =
            create(&isolate, &json!({ "algorithm": "EdDSA", "secret": KEYS, "audiences": ["a"] }));
        let warning = created["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains(text) && warning.contains(KEYS), "{warning}");
        assert_eq!(
            (created["warnings"].as_array().map(Vec::len), &created["keys"]),
            (Some(1), &json!([]))
        );
        let body = json!({
            "name": "BI", "secret": KEYS, "audiences": ["a"], "expire": 60, "algorithm": "EdDSA",
            "enable": "0", "inituser": "1",
            "initroles": [], "fieldmap": { "username": "u", "name": "n", "email": "e" },
        });
        let by_bi =
            json_of(&isolate.administer("POST", "/plugin/datafor-modeler/api/token/update", &body));
        assert!(
            by_bi["warnings"][0].as_str().is_some_and(|warning| warning.contains(text)),
            "{by_bi}"
        );
        assert!(world.log.0.borrow().iter().any(|line| line.contains(text)), "the log");
        let now = world.now.get().seconds();
        let token = issuer.token(
            Algorithm::EdDsa,
            &json!({}),
            &json!({ "sub": "alice", "aud": "a", "exp": now + 60 }),
        );
        let explained = json_of(&isolate.administer(
            "POST",
            "/v1/explain",
            &json!({ "token": token, "app": "App" }),
        ));
        let signature = explained["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["check"] == "signature");
        assert!(
            signature.is_some_and(|check| check["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(text))),
            "{explained}"
        );
        // Other callers learn that the issuer does not answer, and when to try again.
        let refused = isolate.get("/v1/verify", &format!("Bearer {token}"));
        assert_eq!(
            (refused.status, refused.header("retry-after").is_some()),
            (503, true),
            "{}",
            refused.body
        );
        assert!(!refused.body.contains(text), "{}", refused.body);
    }
}

#[test]
fn registration_says_which_keys_of_a_url_were_left_out_and_what_the_url_is_instead() {
    let world = World::new();
    let isolate = world.isolate();
    let (ours, ec) = (Issuer::of(Algorithm::EdDsa), Issuer::of(Algorithm::Es256));
    let set = json!({ "keys": [ours.jwk(&json!({ "kid": "a" })), ec.jwk(&json!({ "kid": "b" }))] });
    world.issuers.publish(KEYS, &set.to_string(), None);
    let created =
        create(&isolate, &json!({ "algorithm": "EdDSA", "secret": KEYS, "audiences": ["a"] }));
    assert_eq!(created["keys"].as_array().map(Vec::len), Some(1), "{created}");
    let left_out =
        json!(["the key \"b\" is left out: it must be an Ed25519 key for EdDSA, not P-256"]);
    assert_eq!(created["warnings"], left_out);
    assert_eq!(world.issuers.asked.get(), 1, "once");
    let metadata = json!({ "issuer": "https://issuer.test", "jwks_uri": KEYS });
    let place = "https://issuer.test/.well-known/openid-configuration";
    world.issuers.publish(place, &metadata.to_string(), None);
    world.issuers.fail("https://issuer.test", FetchProblem::NotFound(404));
    for (name, secret) in [("Metadata", place), ("Issuer", "https://issuer.test")] {
        let created = create(
            &isolate,
            &json!({ "name": name, "algorithm": "EdDSA", "secret": secret, "audiences": ["a"] }),
        );
        let hint = created["warnings"][1].as_str().unwrap_or_default();
        assert!(hint.starts_with(&format!("register {KEYS:?}")), "{name}: {created}");
    }
}

#[test]
fn an_explanation_names_the_key_that_signed_the_token() {
    let world = World::new();
    let isolate = world.isolate();
    let (first, second) = (Issuer::of(Algorithm::EdDsa), Issuer::of(Algorithm::EdDsa));
    let set = json!({ "keys": [first.jwk(&json!({ "kid": "a" })), second.jwk(&json!({}))] });
    world.issuers.publish(KEYS, &set.to_string(), None);
    let now = world.now.get().seconds();
    for secret in [set.to_string(), KEYS.to_owned()] {
        let app = json!({
            "algorithm": "EdDSA", "secret": secret, "anyAudience": true,
            "claims": { "username": "sub" },
        });
        let method = if secret == KEYS { "PUT" } else { "POST" };
        let path = if secret == KEYS { "/v1/token-apps/App" } else { "/v1/token-apps" };
        let mut body = app;
        body["name"] = json!("App");
        let shown = json_of(&isolate.administer(method, path, &body));
        for (issuer, index, name) in [(&first, 0, "the kid \"a\""), (&second, 1, "no kid")] {
            // A token without `kid`.
            let token = issuer.token(
                Algorithm::EdDsa,
                &json!({}),
                &json!({ "sub": "alice", "exp": now + 60 }),
            );
            let explained =
                json_of(&isolate.administer("POST", "/v1/explain", &json!({ "token": token })));
            let checks = explained["checks"].as_array().expect("checks");
            let signature = checks.iter().find(|check| check["check"] == "signature").expect("one");
            let detail = signature["detail"].as_str().unwrap_or_default();
            let thumbprint = shown["keys"][index]["thumbprint"].as_str().expect("a thumbprint");
            assert!(detail.contains(name) && detail.contains(thumbprint), "{detail}");
        }
    }
}

#[test]
fn a_secret_of_bytes_signs_and_a_public_key_is_none() {
    let world = World::new();
    let isolate = world.isolate();
    let secret = json!({
        "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "alg": "HS256",
        "use": "sig",
    })
    .to_string();
    let created = create(&isolate, &json!({ "secret": secret }));
    assert_eq!((&created["hasSecret"], created.get("warnings")), (&json!(true), None), "{created}");
    let bytes: Vec<u8> = (0..32).collect();
    let now = world.now.get().seconds();
    let claims = json!({ "sub": "alice", "exp": now + 60 }).to_string();
    let verify = |secret: &[u8]| isolate.verify(&forge(r#"{"alg":"HS256"}"#, &claims, secret));
    assert_eq!(verify(&bytes), (200, "alice".to_owned()));
    assert_eq!(
        verify(secret.as_bytes()),
        (401, "bad_signature".to_owned()),
        "the text of the JWK is no secret"
    );
    for wrong in [
        json!({
            "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "alg": "HS512",
        })
        .to_string(),
        json!({
            "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "use": "enc",
        })
        .to_string(),
        json!({
            "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "key_ops": ["wrapKey"],
        })
        .to_string(),
        Issuer::of(Algorithm::Es256).jwk(&json!({})).to_string(),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3pT2m0Yw8m3lq3cM2iB1m7h2m0Yw8m3lq3cM2iB1m7 \
         me@example.com"
            .to_owned(),
    ] {
        let response = isolate.administer(
            "PATCH",
            "/v1/token-apps/App",
            &json!({
                "secret": wrong,
            }),
        );
        assert_eq!(
            (response.status, &json_of(&response)["field"]),
            (400, &json!("secret")),
            "{wrong}: {}",
            response.body
        );
    }
    assert_eq!(verify(&bytes).0, 200, "a refused change changes nothing");
}

/// A client must not find out from refusals which apps exist.
#[test]
fn an_app_that_is_named_and_disabled_is_told_like_one_that_is_not_there() {
    let world = World::new();
    let isolate = world.isolate();
    create(&isolate, &json!({}));
    create(&isolate, &json!({ "name": "Off", "enabled": false }));
    create(&isolate, &json!({ "name": "Other", "algorithm": "HS512", "secret": SECRET.repeat(2) }));
    create(&isolate, &json!({ "name": "Elsewhere", "tokenName": "other" }));
    let good = token(&isolate, &json!({}));
    let told = |app: &str| {
        let response = isolate.get(&format!("/v1/verify?app={app}&token={good}"), "");
        (response.status, response.body)
    };
    assert_eq!(told("App").0, 200);
    let unknown = told("Nobody");
    assert_eq!((unknown.0, unknown.1.contains("\"no_app\"")), (401, true), "{}", unknown.1);
    for app in ["Off", "Other", "Elsewhere"] {
        assert_eq!(told(app), unknown, "{app}");
    }
}

/// Stores apps like `App`, whose secrets an import has left out.
fn without_secret(isolate: &Isolate<'_>, count: usize) {
    let insert = format!(
        "INSERT INTO token_apps (name, token_name, secret, secret_key_id, expire_s, claim_username,
           claim_name, claim_email, algorithm, enabled, creates_users, initial_roles, creator_id,
           created_at, modified_at, policy)
         SELECT 'A ' || n, token_name, '', secret_key_id, expire_s, claim_username, claim_name,
           claim_email, algorithm, enabled, creates_users, initial_roles, creator_id, created_at,
           modified_at, policy
         FROM token_apps,
           (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count})
            SELECT n FROM c)
         WHERE name = 'App'"
    );
    block_on(isolate.cx().sql.batch(vec![Statement::new(insert, [])])).expect("the apps");
}

/// An import without secrets must not lock out the tokens of other apps. With more than a thousand
/// apps, memory does not keep them, and D1 selects.
#[test]
fn apps_without_a_secret_do_not_count_among_those_that_could_have_issued_a_token() {
    for count in [70, 1_100] {
        let world = World::new();
        let isolate = world.isolate();
        create(&isolate, &json!({}));
        without_secret(&isolate, count);
        let cold = world.isolate();
        let good = token(&cold, &json!({}));
        assert_eq!(cold.verify(&good), (200, "alice".to_owned()), "{count}");
        let forged = forge(r#"{"alg":"HS256"}"#, r#"{"sub":"alice"}"#, b"wrong");
        assert_eq!(cold.verify(&forged).0, 503, "{count}: an app without a secret may know it");
        let explained = cold.administer("POST", "/v1/explain", &json!({ "token": forged }));
        assert!(explained.body.contains("give the app its secret"), "{count}: {}", explained.body);
    }
}

#[test]
fn a_kid_tells_no_stranger_which_apps_there_are_however_many_there_are() {
    let told = |isolate: &Isolate<'_>, kid: &str, issuer: &Value| {
        let header = json!({ "alg": "HS256", "kid": kid }).to_string();
        let claims = json!({ "sub": "alice", "iss": issuer }).to_string();
        let forged = forge(&header, &claims, b"wrong");
        let response = isolate.get("/v1/verify", &format!("Bearer {forged}"));
        (response.status, response.body)
    };
    for (count, statuses) in [(3, [401, 503]), (65, [400, 400])] {
        let world = World::new();
        let isolate = world.isolate();
        create(&isolate, &json!({}));
        create(&isolate, &json!({ "name": "Of issuer", "issuer": "https://b.test" }));
        for number in 0..count {
            create(&isolate, &json!({ "name": format!("C {number}") }));
        }
        for (status, has_lost_secret) in statuses.into_iter().zip([false, true]) {
            if has_lost_secret {
                without_secret(&isolate, 1);
            }
            let cold = world.isolate();
            for issuer in [json!(null), json!("https://b.test"), json!("https://other.test")] {
                let unknown = told(&cold, "Nobody", &issuer);
                assert_eq!(unknown.0, status, "{count} apps, {issuer}: {}", unknown.1);
                for kid in ["App", "Of issuer", "C 1", "A 1"] {
                    assert_eq!(told(&cold, kid, &issuer), unknown, "{count}, {issuer}, {kid}");
                }
            }
            let claims = json!({ "sub": "alice", "exp": world.now.get().seconds() + 60 });
            let named =
                forge(r#"{"alg":"HS256","kid":"App"}"#, &claims.to_string(), SECRET.as_bytes());
            assert_eq!(cold.verify(&named), (200, "alice".to_owned()));
        }
    }
}
