//! Vectors of the standards, and of the products that issue the tokens.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::domain::algorithm::Algorithm;
use postern::domain::jwt::{Clock, UnverifiedToken, sign};
use postern::domain::secret::Secret;
use postern::domain::time::Millis;
use postern::error::Denied;
use serde_json::json;

/// RFC 7515, appendix A.1; its claims are the example of RFC 7519, 3.1.
const RFC_7515_A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RFC_7515_A1_KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

fn at(seconds: i64) -> Clock {
    Clock { now: Millis::from_seconds(seconds), leeway_s: 60 }
}

#[test]
fn rfc_7515_appendix_a_1_verifies_until_its_exp() {
    let key = Secret::new(Base64UrlUnpadded::decode_vec(RFC_7515_A1_KEY).expect("the key"));
    let token = UnverifiedToken::parse(RFC_7515_A1).expect("the token");
    assert_eq!(token.algorithm, Some(Algorithm::Hs256));
    let claims = token.verify(Algorithm::Hs256, &key).expect("the signature");
    assert_eq!(claims.username("iss").map(|name| name.as_str().to_owned()), Ok("joe".to_owned()));
    assert_eq!(claims.lifetime(86_400, at(1_300_819_379)), Ok(1_300_819_380));
    assert_eq!(claims.lifetime(86_400, at(1_300_819_380 + 59)), Ok(1_300_819_380), "within the leeway");
    assert_eq!(claims.lifetime(86_400, at(1_300_819_380 + 60)), Err(Denied::Expired));
    assert!(token.verify(Algorithm::Hs256, &Secret::new("another")).is_none());
}

/// RFC 7519, 6.1: an unsecured token.
#[test]
fn rfc_7519_section_6_1_is_refused() {
    let unsecured = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(UnverifiedToken::parse(unsecured).err(), Some(Denied::Malformed));
}

/// The key of the BI suite's example is the four raw bytes of its secret.
#[test]
fn the_documented_pair_verifies_at_signature_level() {
    let token = crate::support::forge(r#"{"typ":"JWT","alg":"HS256"}"#, r#"{"loginname":"admin","exp":1737687504}"#, b"abcd");
    let header = token.split('.').next();
    assert_eq!(header, Some("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"));
    let read = UnverifiedToken::parse(&token).expect("the token");
    let claims = read.verify(Algorithm::Hs256, &Secret::new("abcd")).expect("the signature");
    assert_eq!(claims.username("loginname").map(|name| name.as_str().to_owned()), Ok("admin".to_owned()));
}

/// RFC 4231, test case 2, for the three hashes: HMAC itself, through the tokens that are made of it.
#[test]
fn every_algorithm_signs_what_it_verifies_and_nothing_else() {
    let claims = json!({ "sub": "a", "exp": 1_900_000_000 }).as_object().cloned().unwrap_or_default();
    for algorithm in Algorithm::ALL {
        let token = sign(algorithm, &Secret::new("Jefe"), &claims);
        let read = UnverifiedToken::parse(&token).expect("the token");
        for other in Algorithm::ALL {
            assert_eq!(read.verify(other, &Secret::new("Jefe")).is_some(), other == algorithm, "{algorithm} as {other}");
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
        read.verify(Algorithm::Hs256, &Secret::new("k")).expect("the signature").lifetime(100, at(1000))
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
        (json!({ "exp": 2000, "nbf": 1060 }), Ok(2000)),
        (json!({ "exp": 2000, "nbf": 1061 }), Err(Denied::NotYetValid)),
        (json!({ "exp": 2000, "iat": 1061 }), Err(Denied::NotYetValid)),
        (json!({}), Err(Denied::Malformed)),
        (json!({ "exp": "1010" }), Err(Denied::Malformed)),
        (json!({ "exp": null }), Err(Denied::Malformed)),
        (json!({ "exp": 1e300 }), Err(Denied::Malformed)),
        (json!({ "exp": i64::MAX }), Ok(i64::MAX)),
        (json!({ "iat": i64::MIN }), Err(Denied::Expired)),
    ];
    for (claims, expected) in cases {
        assert_eq!(check(claims.clone()), expected, "{claims}");
    }
}
