//! Test vectors of the standards, and of products that issue tokens.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::domain::secret::Secret;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwk::IssuerKey;
use postern::domain::tokens::jwt::{Clock, UnverifiedToken, VerifiedClaims, sign};
use postern::error::Denied;
use postern::ports::Signatures as _;
use serde_json::{Value, json};

use crate::support::block_on;
use crate::support::signatures::Native;

/// RFC 7515, appendix A.1. Its claims are the example of RFC 7519, 3.1.
const RFC_7515_A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RFC_7515_A1_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

fn end(claims: &VerifiedClaims<'_>, clock: Clock) -> Result<i64, Denied> {
    claims.lifetime(86_400, clock).map(|lifetime| lifetime.end_s)
}

fn at(seconds: i64) -> Clock {
    Clock { now: Millis::from_seconds(seconds), leeway_s: 60 }
}

#[test]
fn rfc_7515_appendix_a_1_verifies_until_its_exp() {
    let key = Secret::new(Base64UrlUnpadded::decode_vec(RFC_7515_A1_KEY).expect("the key"));
    let token = UnverifiedToken::parse(RFC_7515_A1).expect("the token");
    assert_eq!(token.algorithm(), Algorithm::Hs256);
    let claims = token.verify(Algorithm::Hs256, &key).expect("the signature");
    assert_eq!(claims.username("iss").map(|name| name.as_str().to_owned()), Ok("joe".to_owned()));
    assert_eq!(end(&claims, at(1_300_819_379)), Ok(1_300_819_380));
    assert_eq!(end(&claims, at(1_300_819_380 + 59)), Ok(1_300_819_380), "within the leeway");
    assert_eq!(end(&claims, at(1_300_819_380 + 60)), Err(Denied::Expired));
    assert!(token.verify(Algorithm::Hs256, &Secret::new("another")).is_none());
}

const RFC_7515_CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn verifies_by(token: &str, algorithm: Algorithm, jwk: &Value) -> bool {
    let key = IssuerKey::from_jwk(jwk.as_object().expect("an object")).expect("the key");
    let token = UnverifiedToken::parse(token).expect("the token");
    let native = Native::default();
    let check = async |signature: &[u8], message: &[u8]| {
        native.verify(algorithm, &key.key, signature, message).await
    };
    let claims = block_on(token.verify_by(algorithm, &key.key, check)).expect("a usable key");
    claims.is_some_and(|claims| end(&claims, at(1_300_819_379)) == Ok(1_300_819_380))
}

#[test]
fn rfc_7515_appendix_a_2_verifies_with_its_rsa_key() {
    let key = json!({
        "kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    });
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{RFC_7515_CLAIMS}.{signature}");
    assert!(verifies_by(&token, Algorithm::Rs256, &key));
    assert!(!verifies_by(&token, Algorithm::Ps256, &key));
}

#[test]
fn rfc_7515_appendix_a_3_verifies_with_its_p_256_key() {
    let mut key = json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_CLAIMS}.{signature}");
    assert!(verifies_by(&token, Algorithm::Es256, &key));
    key["alg"] = json!("ES384");
    assert!(IssuerKey::from_jwk(key.as_object().expect("an object")).is_err());
}

/// The unsecured token of RFC 7519, 6.1.
#[test]
fn rfc_7519_section_6_1_is_refused() {
    let unsecured = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(UnverifiedToken::parse(unsecured).err(), Some(Denied::UnknownAlgorithm));
}

/// The key of the BI suite's example is the four raw bytes of its secret.
#[test]
fn the_documented_pair_verifies_at_signature_level() {
    let token = crate::support::forge(
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{"loginname":"admin","exp":1737687504}"#,
        b"abcd",
    );
    let header = token.split('.').next();
    assert_eq!(header, Some("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"));
    let read = UnverifiedToken::parse(&token).expect("the token");
    let claims = read.verify(Algorithm::Hs256, &Secret::new("abcd")).expect("the signature");
    assert_eq!(
        claims.username("loginname").map(|name| name.as_str().to_owned()),
        Ok("admin".to_owned())
    );
}

/// RFC 4231, test case 2, for the three hashes. HMAC is tested through the tokens that it signs.
#[test]
fn every_algorithm_signs_what_it_verifies_and_nothing_else() {
    let claims =
        json!({ "sub": "a", "exp": 1_900_000_000 }).as_object().cloned().unwrap_or_default();
    for algorithm in Algorithm::ALL {
        let Some(token) = sign(algorithm, &Secret::new("Jefe"), &claims) else {
            assert!(!algorithm.has_shared_secret());
            continue;
        };
        let read = UnverifiedToken::parse(&token).expect("the token");
        for other in Algorithm::ALL {
            assert_eq!(
                read.verify(other, &Secret::new("Jefe")).is_some(),
                other == algorithm,
                "{algorithm} as {other}"
            );
        }
    }
}

#[test]
fn a_blank_secret_verifies_nothing_not_even_what_it_signed() {
    let token = crate::support::forge(r#"{"alg":"HS256"}"#, r#"{"sub":"a"}"#, b"");
    let read = UnverifiedToken::parse(&token).expect("the token");
    assert!(read.verify(Algorithm::Hs256, &Secret::new("")).is_none());
}

#[test]
fn lifetimes_follow_exp_nbf_and_iat() {
    let check = |claims: serde_json::Value| {
        let token = crate::support::forge(r#"{"alg":"HS256"}"#, &claims.to_string(), b"k");
        let read = UnverifiedToken::parse(&token).expect("the token");
        read.verify(Algorithm::Hs256, &Secret::new("k"))
            .expect("the signature")
            .lifetime(100, at(1000))
            .map(|lifetime| lifetime.end_s)
    };
    let cases = [
        (json!({ "exp": 1010 }), Ok(1010)),
        (json!({ "exp": 940 }), Err(Denied::Expired)),
        (json!({ "exp": 941 }), Ok(941)),
        (json!({ "exp": 1010.9 }), Ok(1010)),
        (json!({ "iat": 950 }), Ok(1050)),
        (json!({ "iat": 950, "exp": 5000 }), Ok(1050)),
        (json!({ "iat": 950, "exp": 1020 }), Ok(1020)),
        (json!({ "iat": 800, "exp": 5000 }), Err(Denied::Expired)),
        (json!({ "exp": 1150, "nbf": 1060 }), Ok(1150)),
        (json!({ "exp": 2000, "nbf": 1061 }), Err(Denied::NotYetValid)),
        (json!({ "exp": 2000, "iat": 1061 }), Err(Denied::NotYetValid)),
        (json!({}), Err(Denied::NoLifetime)),
        (json!({ "nbf": 900 }), Err(Denied::NoLifetime)),
        (json!({ "exp": "1010" }), Err(Denied::ClaimType("exp".into()))),
        (json!({ "exp": null }), Err(Denied::ClaimType("exp".into()))),
        (json!({ "exp": 1e300 }), Err(Denied::ClaimType("exp".into()))),
        (json!({ "exp": 1010, "iat": "950" }), Err(Denied::ClaimType("iat".into()))),
        (json!({ "exp": 1160 }), Ok(1160)),
        (json!({ "exp": 1161 }), Err(Denied::TooLongLived)),
        (json!({ "exp": 1_010_000 }), Err(Denied::TooLongLived)),
        (json!({ "exp": i64::MAX }), Err(Denied::TooLongLived)),
        (json!({ "iat": i64::MIN }), Err(Denied::Expired)),
    ];
    for (claims, expected) in cases {
        assert_eq!(check(claims.clone()), expected, "{claims}");
    }
}
