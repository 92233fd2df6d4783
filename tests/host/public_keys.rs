//! Token apps with public keys: honest tokens and forgeries.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use postern::domain::tokens::algorithm::Algorithm;
use serde_json::{Value, json};

use crate::key_registration::{register, try_register, without_lines};
use crate::support::signatures::Issuer;
use crate::support::{Isolate, World, forge};

const PUBLIC: [Algorithm; 10] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
];

fn claims(isolate: &Isolate<'_>) -> Value {
    Value::Object(isolate.claims("alice"))
}

fn accepted(isolate: &Isolate<'_>, token: &str) {
    assert_eq!(isolate.verify(token), (200, "alice".to_owned()), "{token}");
}

fn refused(isolate: &Isolate<'_>, token: &str, reason: &str) {
    assert_eq!(isolate.verify(token), (401, reason.to_owned()), "{token}");
}

/// Replaces the signature of a token.
fn with_signature(token: &str, signature: &[u8]) -> String {
    let (text, _) = token.rsplit_once('.').expect("two dots");
    format!("{text}.{}", Base64UrlUnpadded::encode_string(signature))
}

#[test]
fn every_algorithm_verifies_with_each_form_of_its_key() {
    for algorithm in PUBLIC {
        let issuer = Issuer::of(algorithm);
        let (pem, jwk) = (
            issuer.pem(),
            issuer.jwk(&json!({ "kid": "k1", "use": "sig", "alg": algorithm.name() })),
        );
        let forms = [
            format!(" \n{pem}"),
            pem.replace('\n', "\r\n"),
            without_lines(&pem),
            format!(" {jwk}"),
            json!({ "keys": [jwk] }).to_string(),
        ];
        for secret in forms {
            let world = World::new();
            let isolate = world.isolate();
            register(&isolate, algorithm, &secret);
            let token = issuer.token(algorithm, &json!({}), &claims(&isolate));
            accepted(&isolate, &token);
            let cold = world.isolate();
            let before = world.database.batches.get();
            accepted(&cold, &token);
            assert_eq!(
                world.database.batches.get() - before,
                1,
                "a cold verification is one round trip"
            );
            accepted(&cold, &token);
            assert_eq!(world.database.batches.get() - before, 1, "a warm verification is none");

            let mut signature =
                Base64UrlUnpadded::decode_vec(token.rsplit_once('.').expect("dots").1)
                    .expect("base64url");
            signature[5] ^= 1;
            refused(&isolate, &with_signature(&token, &signature), "bad_signature");
            let stranger = issuer.token(
                algorithm,
                &json!({}),
                &json!({ "loginname": "admin", "exp": 4_000_000_000_i64 }),
            );
            let (text, _) = stranger.rsplit_once('.').expect("dots");
            refused(
                &isolate,
                &format!("{text}.{}", token.rsplit_once('.').expect("dots").1),
                "bad_signature",
            );
        }
    }
}

#[test]
fn another_algorithm_of_the_same_key_is_not_the_apps() {
    let world = World::new();
    let isolate = world.isolate();
    let issuer = Issuer::of(Algorithm::Rs256);
    register(&isolate, Algorithm::Rs256, &issuer.pem());
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
        refused(
            &isolate,
            &issuer.token(algorithm, &json!({}), &claims(&isolate)),
            "wrong_algorithm",
        );
        // The header names another algorithm than the signature's.
        refused(
            &isolate,
            &issuer.token(algorithm, &json!({ "alg": "RS256" }), &claims(&isolate)),
            "bad_signature",
        );
    }
}

#[test]
fn a_token_of_another_curve_or_key_is_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = Issuer::of(Algorithm::Es256);
    register(&isolate, Algorithm::Es256, &ours.pem());
    let of_384 = Issuer::of(Algorithm::Es384);
    refused(
        &isolate,
        &of_384.token(Algorithm::Es384, &json!({}), &claims(&isolate)),
        "wrong_algorithm",
    );
    refused(
        &isolate,
        &of_384.token(Algorithm::Es384, &json!({ "alg": "ES256" }), &claims(&isolate)),
        "bad_signature",
    );
    refused(
        &isolate,
        &Issuer::of(Algorithm::Es256).token(Algorithm::Es256, &json!({}), &claims(&isolate)),
        "bad_signature",
    );
    accepted(&isolate, &ours.token(Algorithm::Es256, &json!({}), &claims(&isolate)));
}

/// Everybody knows the public key. If it were used as a shared secret, everybody could sign.
#[test]
fn a_public_key_is_never_used_as_a_shared_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let world = World::new();
        let isolate = world.isolate();
        let issuer = Issuer::of(algorithm);
        let (pem, claims) = (issuer.pem(), claims(&isolate).to_string());
        register(&isolate, algorithm, &pem);
        let forms = [
            pem.clone(),
            pem.trim().to_owned(),
            format!("\n {pem}"),
            without_lines(&pem),
            issuer.jwk(&json!({})).to_string(),
        ];
        for secret in forms.iter().map(|form| form.as_bytes().to_vec()).chain([issuer.spki()]) {
            for name in ["HS256", "HS384", "HS512"] {
                refused(
                    &isolate,
                    &forge(&format!(r#"{{"alg":"{name}"}}"#), &claims, &secret),
                    "wrong_algorithm",
                );
            }
            refused(
                &isolate,
                &forge(&format!(r#"{{"alg":"{algorithm}"}}"#), &claims, &secret),
                "bad_signature",
            );
        }
        // The registration refuses it …
        for secret in &forms {
            let (status, message) = try_register(&isolate, Algorithm::Hs256, secret);
            assert!(
                status == 400 && message.contains("which is no shared secret"),
                "{secret}: {message}"
            );
        }
        // … and verification does not use it, if the row came about in another way.
        world.database.text("UPDATE token_apps SET algorithm = 'HS256' RETURNING algorithm");
        for secret in &forms {
            refused(
                &world.isolate(),
                &forge(r#"{"alg":"HS256"}"#, &claims, secret.as_bytes()),
                "bad_signature",
            );
        }
    }
}

#[test]
fn keys_in_the_header_are_never_consulted() {
    let world = World::new();
    let isolate = world.isolate();
    let (ours, theirs) = (Issuer::of(Algorithm::Es256), Issuer::of(Algorithm::Es256));
    register(&isolate, Algorithm::Es256, &ours.pem());
    for header in [
        json!({ "jwk": theirs.jwk(&json!({})) }),
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "x5u": "https://evil.example/cert" }),
        json!({ "x5c": [Base64::encode_string(&theirs.spki())] }),
        json!({ "kid": "ERP", "jwk": theirs.jwk(&json!({})) }),
    ] {
        refused(
            &isolate,
            &theirs.token(Algorithm::Es256, &header, &claims(&isolate)),
            "bad_signature",
        );
        accepted(&isolate, &ours.token(Algorithm::Es256, &header, &claims(&isolate)));
    }
}

#[test]
fn signatures_of_zeros_ones_and_wrong_lengths_are_refused_before_any_verification() {
    for algorithm in PUBLIC {
        let world = World::new();
        let isolate = world.isolate();
        let issuer = Issuer::of(algorithm);
        register(&isolate, algorithm, &issuer.pem());
        let token = issuer.token(algorithm, &json!({}), &claims(&isolate));
        let signature = Base64UrlUnpadded::decode_vec(token.rsplit_once('.').expect("dots").1)
            .expect("base64url");
        let length = signature.len();
        let asked = world.signatures.verifications.get();
        for wrong in [
            vec![],
            vec![0; length - 1],
            vec![0; length + 1],
            [signature.as_slice(), &[0]].concat(),
            signature[1..].to_vec(),
        ] {
            refused(&isolate, &with_signature(&token, &wrong), "bad_signature");
        }
        assert_eq!(world.signatures.verifications.get(), asked, "{algorithm}");
        for wrong in [vec![0; length], vec![0xff; length], vec![1; length]] {
            refused(&isolate, &with_signature(&token, &wrong), "bad_signature");
        }
        let log = world.log.0.borrow();
        assert!(log.iter().all(|line| line.contains(r#""reason":"bad_signature""#)), "{log:?}");
    }
}

/// The DER form of X.509 is not the form of a token's signature (RFC 7518, 3.4).
#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let issuer = Issuer::of(Algorithm::Es256);
    register(&isolate, Algorithm::Es256, &issuer.pem());
    let token = issuer.token(Algorithm::Es256, &json!({}), &claims(&isolate));
    let signature = issuer.sign(Algorithm::Es256, b"x");
    let der = p256::ecdsa::Signature::from_slice(&signature).expect("a signature").to_der();
    refused(&isolate, &with_signature(&token, der.as_bytes()), "bad_signature");
}

#[test]
fn the_kid_chooses_among_the_keys_of_a_set() {
    let world = World::new();
    let isolate = world.isolate();
    let [a, b, nameless] = [(); 3].map(|()| Issuer::of(Algorithm::Es256));
    let other = Issuer::of(Algorithm::Es384);
    let set = json!({ "keys": [
        other.jwk(&json!({ "kid": "a" })), a.jwk(&json!({ "kid": "a" })),
        b.jwk(&json!({ "kid": "b" })), nameless.jwk(&json!({})),
        { "kty": "future", "kid": "a" }, { "kty": "EC", "crv": "P-256", "kid": "a" }, "no key",
        a.jwk(&json!({ "kid": "enc", "use": "enc" })),
    ] });
    register(&isolate, Algorithm::Es256, &set.to_string());
    let token =
        |issuer: &Issuer, header: Value| issuer.token(Algorithm::Es256, &header, &claims(&isolate));
    for (issuer, id) in [(&a, "a"), (&b, "b"), (&nameless, "c"), (&a, "ERP"), (&b, "ERP")] {
        accepted(&isolate, &token(issuer, json!({ "kid": id })));
    }
    for issuer in [&a, &b, &nameless] {
        accepted(&isolate, &token(issuer, json!({})));
    }
    for (issuer, id) in [(&a, "b"), (&b, "a"), (&nameless, "a"), (&a, "c"), (&a, "enc")] {
        refused(&isolate, &token(issuer, json!({ "kid": id })), "bad_signature");
    }
    assert_eq!(isolate.verify(&token(&a, json!({ "kid": 7 }))), (401, "claim_type".to_owned()));
    let before = world.signatures.verifications.get();
    accepted(&isolate, &token(&b, json!({ "kid": "b", "x": "another token" })));
    assert_eq!(world.signatures.verifications.get() - before, 1);
}

/// A key set with these keys and `count` more. Nobody signs with those.
fn many(keys: &[&Issuer], count: usize) -> String {
    let stranger = Issuer::of(Algorithm::EdDsa).jwk(&json!({}));
    let keys = keys.iter().map(|issuer| issuer.jwk(&json!({})));
    json!({ "keys": keys.chain(std::iter::repeat_n(stranger, count)).collect::<Vec<_>>() })
        .to_string()
}

#[test]
fn an_app_with_many_keys_does_not_stand_in_the_way_of_others() {
    let world = World::new();
    let isolate = world.isolate();
    let [ours, theirs, named] = [(); 3].map(|()| Issuer::of(Algorithm::EdDsa));
    let url = "https://issuer.test/many";
    let mut set: Value = serde_json::from_str(&many(&[&theirs], 900)).expect("JSON");
    set["keys"].as_array_mut().expect("keys").push(named.jwk(&json!({ "kid": "named" })));
    world.issuers.publish(url, &set.to_string(), None);
    isolate.register(&json!({ "name": "A", "algorithm": "EdDSA", "secret": url }));
    isolate.register(&json!({ "name": "B", "algorithm": "EdDSA", "secret": ours.pem() }));
    isolate.register(&json!({ "name": "C", "algorithm": "EdDSA", "secret": many(&[&theirs], 63) }));
    let token =
        |issuer: &Issuer, header: Value| issuer.token(Algorithm::EdDsa, &header, &claims(&isolate));
    for _ in 0..2 {
        accepted(&isolate, &token(&ours, json!({})));
        accepted(&isolate, &token(&theirs, json!({})));
        accepted(&isolate, &token(&named, json!({ "kid": "named" })));
    }
    // The app A alone has more keys than may be tried for a token without `kid`.
    let nameless = token(&theirs, json!({}));
    let response = isolate.get("/v1/verify?app=A", &format!("Bearer {nameless}"));
    assert_eq!(response.status, 400);
    assert!(response.body.contains("more than 64 keys"), "{}", response.body);
    assert_eq!(
        isolate.verify(&token(&Issuer::of(Algorithm::EdDsa), json!({ "kid": "named" }))).1,
        "bad_signature"
    );
}

#[test]
fn at_most_512_keys_are_tried_on_one_token() {
    let world = World::new();
    let isolate = world.isolate();
    let ours = Issuer::of(Algorithm::EdDsa);
    let stranger =
        Issuer::of(Algorithm::EdDsa).token(Algorithm::EdDsa, &json!({}), &claims(&isolate));
    for number in 0..8 {
        isolate.register(&json!({
            "name": format!("App {number}"), "algorithm": "EdDSA", "secret": many(&[&ours], 63),
        }));
    }
    let before = world.signatures.verifications.get();
    refused(&isolate, &stranger, "bad_signature");
    assert_eq!(world.signatures.verifications.get() - before, 512);
    isolate.register(&json!({ "name": "App 8", "algorithm": "EdDSA", "secret": ours.pem() }));
    assert_eq!(isolate.verify(&stranger), (400, String::new()));
    accepted(&isolate, &ours.token(Algorithm::EdDsa, &json!({}), &claims(&isolate)));
}

#[test]
fn a_token_is_dead_once_its_app_is_disabled_or_its_key_replaced() {
    let world = World::new();
    let isolate = world.isolate();
    let [old, new] = [(); 2].map(|()| Issuer::of(Algorithm::EdDsa));
    register(&isolate, Algorithm::EdDsa, &old.pem());
    let token = old.token(Algorithm::EdDsa, &json!({}), &claims(&isolate));
    accepted(&isolate, &token);
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": old.pem(), "enable": "0" }));
    refused(&isolate, &token, "no_app");
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": old.pem() }));
    accepted(&isolate, &token);
    isolate.register(&json!({ "algorithm": "EdDSA", "secret": new.pem() }));
    refused(&isolate, &token, "bad_signature");
    accepted(&isolate, &new.token(Algorithm::EdDsa, &json!({}), &claims(&isolate)));
    isolate.administer(
        "POST",
        "/plugin/datafor-modeler/api/token/delete",
        &json!({ "name": "ERP" }),
    );
    refused(&isolate, &token, "no_app");
}
