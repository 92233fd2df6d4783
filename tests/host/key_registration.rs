//! Registration of public keys: which are accepted, which are refused with which message, and how
//! they are read.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use postern::domain::tokens::algorithm::{Algorithm, Curve};
use postern::domain::tokens::public_key::{KeyKind, PublicKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, World, json_of};

/// Registers the app ERP. Returns the answer's status and message.
pub fn try_register(isolate: &Isolate<'_>, algorithm: Algorithm, secret: &str) -> (u16, String) {
    let body = json!({
        "name": "ERP", "secret": secret, "expire": 86400,
        "fieldmap": { "username": "loginname", "name": "name", "email": "email" },
        "algorithm": algorithm.name(), "enable": "1", "inituser": "1", "initroles": [],
    });
    let response = isolate.administer("POST", "/plugin/datafor-modeler/api/token/update", &body);
    (response.status, json_of(&response)["msg"].as_str().unwrap_or_default().to_owned())
}

pub fn register(isolate: &Isolate<'_>, algorithm: Algorithm, secret: &str) {
    assert_eq!(
        try_register(isolate, algorithm, secret),
        (200, "success".to_owned()),
        "{algorithm}"
    );
}

pub fn without_lines(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stored_shared_secret_is_not_taken_over_into_an_algorithm_with_public_keys_or_back() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let kept = |algorithm: &str| {
        let body = json!({
            "name": "ERP", "expire": 60, "fieldmap": { "username": "u", "name": "n", "email": "e" },
            "algorithm": algorithm, "enable": "1", "inituser": "1", "initroles": [],
        });
        isolate.administer("POST", "/plugin/datafor-modeler/api/token/update", &body).status
    };
    assert_eq!((kept("RS256"), kept("HS512")), (400, 200));
    register(&isolate, Algorithm::Es256, &Issuer::of(Algorithm::Es256).pem());
    assert_eq!((kept("HS256"), kept("ES384"), kept("EdDSA"), kept("ES256")), (400, 400, 400, 200));
}

#[test]
fn keys_that_are_none_for_the_algorithm_are_refused_at_registration() {
    use Algorithm::{EdDsa, Es256, Es384, Es512, Hs256, Ps384, Rs256};
    let world = World::new();
    let isolate = world.isolate();
    let [rsa, p256, p384, ed] = [Rs256, Es256, Es384, EdDsa].map(Issuer::of);
    let jwk = |issuer: &Issuer, more: Value| issuer.jwk(&more).to_string();
    let short = rsa_pem(1024);
    let off_curve = Issuer::of(Es256).jwk(&json!({
        "x": Base64UrlUnpadded::encode_string(&[1; 32]),
        "y": Base64UrlUnpadded::encode_string(&[1; 32]),
    }));
    let private = |kind: &str| format!("-----BEGIN {kind}-----\nMC4CAQA=\n-----END {kind}-----");
    let cases: Vec<(Algorithm, String, &str)> = vec![
        (Rs256, short, "must be an RSA key of at least 2048 bits (RFC 7518, 3.3), not 1024"),
        (Ps384, rsa_pem(2040), "at least 2048 bits"),
        (Rs256, rsa_pem(8200), "at most 8192 bits"),
        (Rs256, p256.pem(), "must be an RSA key for RS256, not P-256"),
        (Es256, rsa.pem(), "must be a key on P-256 for ES256, not an RSA key"),
        (Es256, p384.pem(), "must be a key on P-256 for ES256, not P-384"),
        (Es384, p256.pem(), "must be a key on P-384 for ES384, not P-256"),
        (Es512, jwk(&p256, json!({})), "must be a key on P-521 for ES512, not P-256"),
        (EdDsa, p256.pem(), "must be an Ed25519 key for EdDSA, not P-256"),
        (Es256, ed.pem(), "not Ed25519"),
        (Rs256, private("PRIVATE KEY"), "a private key belongs to the issuer alone"),
        (Rs256, private("RSA PRIVATE KEY"), "a private key belongs to the issuer alone"),
        (Es256, private("EC PRIVATE KEY"), "a private key belongs to the issuer alone"),
        (Es256, private("ENCRYPTED PRIVATE KEY"), "a private key belongs to the issuer alone"),
        (Rs256, private("CERTIFICATE"), "not a certificate"),
        (Rs256, private("RSA PUBLIC KEY"), "must be a PEM of type PUBLIC KEY (SPKI)"),
        (Rs256, "MC4CAQA=".to_owned(), "must be the issuer's public key"),
        (Es256, format!("{}{}", p256.pem(), p256.pem()), "must be"),
        (Es256, p256.pem().replace("END PUBLIC", "END PRIVATE"), "must be one PEM"),
        (
            Es256,
            jwk(&p256, json!({ "d": "AQ" })),
            "a private or shared key belongs to the issuer alone",
        ),
        (
            Es256,
            json!({ "keys": [p256.jwk(&json!({})), p256.jwk(&json!({ "d": "AQ" }))] }).to_string(),
            "must hold public keys only",
        ),
        (
            Es256,
            json!({ "keys": [p256.jwk(&json!({})), { "kty": "oct", "k": "AQ" }] }).to_string(),
            "must hold public keys only",
        ),
        (
            Es256,
            json!({ "kty": "oct", "k": "AQ" }).to_string(),
            "a private or shared key belongs to the issuer alone",
        ),
        (Es256, jwk(&p256, json!({ "use": "enc" })), "\"use\""),
        (Es256, jwk(&p256, json!({ "key_ops": ["sign"] })), "\"key_ops\""),
        (Es256, jwk(&p256, json!({ "key_ops": "verify" })), "\"key_ops\""),
        (Es256, jwk(&p256, json!({ "alg": "ECDH-ES" })), "\"alg\""),
        (
            Rs256,
            jwk(&rsa, json!({ "alg": "PS256" })),
            "must be a key for RS256: its \"alg\" is PS256",
        ),
        (Es384, jwk(&p256, json!({ "alg": "ES384" })), "must be a key on P-384"),
        (Es256, jwk(&p256, json!({ "kid": 7 })), "\"kid\""),
        (Es256, jwk(&p256, json!({ "x": "AQ" })), "coordinates of 32 bytes"),
        (Es256, jwk(&p256, json!({ "x": "=" })), "base64url as \"x\""),
        (Es256, jwk(&p256, json!({ "crv": "secp256k1" })), "P-256, P-384 or P-521"),
        (EdDsa, jwk(&ed, json!({ "crv": "X25519" })), "must be an RSA, EC or Ed25519 key"),
        (EdDsa, jwk(&ed, json!({ "x": "AQ" })), "32 bytes"),
        (Es256, off_curve.to_string(), "WebCrypto does not take its numbers"),
        (Es256, json!({ "keys": [] }).to_string(), "of this set none can be used"),
        (Es256, json!({ "keys": [rsa.jwk(&json!({}))] }).to_string(), "must hold a key for ES256"),
        (Es256, json!({ "keys": [off_curve] }).to_string(), "WebCrypto does not take its numbers"),
        (Es256, json!({ "keys": {} }).to_string(), "with a list \"keys\""),
        (Es256, r#"{"kty":"EC","kty":"EC"}"#.to_owned(), "duplicate member"),
        (Es256, "{".to_owned(), "must be readable JSON"),
        (Es256, "abcd".to_owned(), "must be the issuer's public key"),
        (Rs256, "x".repeat(16_385), "must have at most 16384 bytes"),
        (Hs256, p256.pem(), "is a PEM key, which is no shared secret"),
        (Hs256, without_lines(&p256.pem()), "is a public key, which is no shared secret"),
        (Hs256, jwk(&p256, json!({})), "is a JWK, which is no shared secret"),
        (Hs256, json!({ "keys": [] }).to_string(), "is a JWK, which is no shared secret"),
    ];
    for (algorithm, secret, why) in cases {
        let (status, message) = try_register(&isolate, algorithm, &secret);
        assert!(
            status == 400 && message.starts_with("secret ") && message.contains(why),
            "{algorithm} {secret}: {status} {message}"
        );
    }
    let list = isolate.administer("GET", "/plugin/datafor-modeler/api/token/list", &Value::Null);
    assert_eq!(json_of(&list)["data"], json!([]), "nothing of it was registered");
}

/// An odd number with `bits` bits, as a modulus. Nobody has the private key.
fn rsa_pem(bits: usize) -> String {
    let wrap = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("a length").to_be_bytes();
        let length = match length {
            [0, low @ ..=127] => vec![low],
            [0, low] => vec![0x81, low],
            [high, low] => vec![0x82, high, low],
        };
        [&[tag], length.as_slice(), content].concat()
    };
    let modulus = [vec![0], vec![0xff; bits / 8]].concat();
    let key = wrap(0x30, &[wrap(2, &modulus).as_slice(), &[2, 3, 1, 0, 1]].concat());
    let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let spki = wrap(0x30, &[&algorithm[..], &wrap(3, &[&[0][..], &key].concat())].concat());
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        Base64::encode_string(&spki)
    )
}

#[test]
fn a_public_key_is_listed_as_it_was_registered_and_may_be_masked() {
    let world = World::new();
    let issuer = Issuer::of(Algorithm::EdDsa);
    register(&world.isolate(), Algorithm::EdDsa, &issuer.pem());
    let secret = |isolate: &Isolate<'_>| {
        let list =
            isolate.administer("GET", "/plugin/datafor-modeler/api/token/list", &Value::Null);
        json_of(&list)["data"][0]["secret"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(secret(&world.isolate()), issuer.pem());
    assert_eq!(secret(&world.isolate_with(&[("MASK_SECRETS", Some("1"))])), "************");
    assert!(
        !world.database.dump().contains(issuer.pem().lines().nth(1).expect("a line")),
        "it is sealed, as secrets are"
    );
}

#[test]
fn short_public_keys_are_not_short_secrets() {
    let world = World::new();
    let isolate = world.isolate_with(&[("MIN_SECRET_BYTES", Some("1024"))]);
    register(&isolate, Algorithm::EdDsa, &without_lines(&Issuer::of(Algorithm::EdDsa).pem()));
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_or_none_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let _ = PublicKey::from_spki(&bytes);
    }

    /// A key that was read is written as the same bytes, so no key has two forms.
    #[test]
    fn a_changed_key_is_refused_or_another_key(
        index in any::<prop::sample::Index>(), change in 1..=255_u8, kind in 0..3_usize,
    ) {
        let mut spki = match kind {
            0 => PublicKey::rsa(&[0xff; 256], &[1, 0, 1]),
            1 => PublicKey::ec(Curve::P256, &[7; 32], &[8; 32]),
            _ => PublicKey::ed25519(&[9; 32]),
        }.expect("a key").spki().to_vec();
        let original = PublicKey::from_spki(&spki).expect("the same key");
        prop_assert_eq!(original.spki(), spki.as_slice());
        let at = index.index(spki.len());
        spki[at] ^= change;
        if let Ok(other) = PublicKey::from_spki(&spki) {
            prop_assert_eq!(other.spki(), spki.as_slice());
            prop_assert_ne!(other.id(), original.id());
        }
        spki.truncate(at);
        prop_assert!(PublicKey::from_spki(&spki).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_no_rsa_key(
        exponent in proptest::collection::vec(any::<u8>(), 0..8), zeros in 0..4_usize,
    ) {
        let number = exponent.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let right = number > 1 && number % 2 == 1 && number < 1 << 33;
        let padded = [vec![0; zeros], exponent].concat();
        let key = PublicKey::rsa(&[0xff; 256], &padded);
        prop_assert_eq!(key.is_ok(), right, "{}", number);
        prop_assert!(key.is_err() || key == PublicKey::rsa(&[0xff; 256], &number.to_be_bytes()));
    }
}

#[test]
fn the_length_of_a_signature_is_the_keys() {
    let rsa = PublicKey::rsa(&[0xff; 384], &[1, 0, 1]).expect("a key");
    assert_eq!(
        (rsa.kind(), rsa.signature_bytes(Algorithm::Ps512)),
        (KeyKind::Rsa { bytes: 384 }, Some(384))
    );
    let lengths = [
        (Curve::P256, Algorithm::Es256, 64),
        (Curve::P384, Algorithm::Es384, 96),
        (Curve::P521, Algorithm::Es512, 132),
    ];
    for (curve, algorithm, length) in lengths {
        let coordinate = vec![1; curve.bytes()];
        let key = PublicKey::ec(curve, &coordinate, &coordinate).expect("a key");
        for other in Algorithm::ALL {
            assert_eq!(
                key.signature_bytes(other),
                (other == algorithm).then_some(length),
                "{other}"
            );
        }
    }
    let zero = PublicKey::rsa(&[0xfe; 256], &[1, 0, 1]);
    assert!(zero.is_err(), "an even modulus");
}
