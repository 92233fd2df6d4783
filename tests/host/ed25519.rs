//! Ed25519: one algorithm with two names, and the points that must not be keys.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::public_key::PublicKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::key_registration::{register, try_register};
use crate::support::World;
use crate::support::signatures::Issuer;

/// The y-coordinates of the eight points of small order, also those that are not reduced, in hex as
/// in RFC 8032. Each is tried with both signs of x.
const SMALL: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn encodings() -> Vec<[u8; 32]> {
    let bytes = |text: &str| {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
    };
    SMALL
        .iter()
        .map(|text| bytes(text))
        .flat_map(|point: [u8; 32]| {
            let mut negative = point;
            negative[31] |= 0x80;
            [point, negative]
        })
        .collect()
}

fn jwk(point: &[u8; 32]) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": Base64UrlUnpadded::encode_string(point) })
}

#[test]
fn points_of_small_order_are_refused_in_all_their_encodings() {
    let world = World::new();
    let isolate = world.isolate();
    let good = Issuer::of(Algorithm::EdDsa);
    for point in encodings() {
        assert!(
            ed25519_dalek::VerifyingKey::from_bytes(&point).is_ok_and(|key| key.is_weak()),
            "{point:?}"
        );
        let (status, message) = try_register(&isolate, Algorithm::EdDsa, &jwk(&point).to_string());
        assert!(status == 400 && message.contains("small order"), "{point:?}: {message}");
        // With the neutral element as key, a signature of a neutral R and S = 0 is valid for each
        // message.
        let set = json!({ "keys": [jwk(&point), good.jwk(&json!({}))] });
        register(&isolate, Algorithm::EdDsa, &set.to_string());
        let claims = Value::Object(isolate.claims("alice"));
        let honest = good.token(Algorithm::EdDsa, &json!({}), &claims);
        assert_eq!(isolate.verify(&honest).0, 200);
        let (text, _) = honest.rsplit_once('.').expect("dots");
        for r in encodings() {
            let signature = Base64UrlUnpadded::encode_string(&[r, [0; 32]].concat());
            assert_eq!(isolate.verify(&format!("{text}.{signature}")).1, "bad_signature");
        }
    }
}

proptest! {
    /// The library's `is_weak` is the judge.
    #[test]
    fn other_points_are_taken(
        bytes in any::<[u8; 32]>(), near in 0..14_usize, bit in 0..256_usize,
    ) {
        let mut neighbour = encodings()[near];
        neighbour[bit / 8] ^= 1 << (bit % 8);
        for point in [bytes, neighbour] {
            let is_weak =
                ed25519_dalek::VerifyingKey::from_bytes(&point).is_ok_and(|key| key.is_weak());
            prop_assert_eq!(PublicKey::ed25519(&point).is_err(), is_weak, "{:?}", point);
        }
    }
}

#[test]
fn ed25519_and_eddsa_are_one_algorithm_under_two_names() {
    for (of_app, of_key, of_token) in [
        ("EdDSA", "EdDSA", "Ed25519"),
        ("EdDSA", "Ed25519", "EdDSA"),
        ("Ed25519", "EdDSA", "EdDSA"),
        ("Ed25519", "Ed25519", "Ed25519"),
    ] {
        let world = World::new();
        let isolate = world.isolate();
        let algorithm = Algorithm::from_name(of_app).expect("an algorithm");
        let issuer = Issuer::of(algorithm);
        register(&isolate, algorithm, &issuer.jwk(&json!({ "alg": of_key })).to_string());
        let token = issuer.token(
            algorithm,
            &json!({ "alg": of_token }),
            &Value::Object(isolate.claims("alice")),
        );
        for isolate in [&isolate, &world.isolate()] {
            for _ in 0..3 {
                assert_eq!(
                    isolate.verify(&token),
                    (200, "alice".to_owned()),
                    "{of_app} {of_key} {of_token}"
                );
            }
        }
        let list =
            isolate.administer("GET", "/plugin/datafor-modeler/api/token/list", &Value::Null);
        assert_eq!(
            crate::support::json_of(&list)["data"][0]["algorithm"],
            of_app,
            "as it was given"
        );
        let lower = issuer.token(
            algorithm,
            &json!({ "alg": "ed25519" }),
            &Value::Object(isolate.claims("alice")),
        );
        assert_eq!(isolate.verify(&lower).0, 401);
    }
}
