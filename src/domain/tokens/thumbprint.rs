//! Thumbprints of public keys (RFC 7638). With them people compare a key with the one that its
//! issuer shows.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::domain::secret::sha256;
use crate::domain::tokens::public_key::{Members, PublicKey};

/// The SHA-256 of the key's JWK with only its required members, in base64url.
#[must_use]
pub fn thumbprint(key: &PublicKey) -> String {
    let base64 = Base64UrlUnpadded::encode_string;
    // The members are in the order of their names, and none of their values needs an escape.
    let jwk = match key.members() {
        Members::Rsa { modulus, exponent } => {
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64(exponent), base64(modulus))
        }
        Members::Ec { curve, x, y } => {
            format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                base64(x),
                base64(y)
            )
        }
        Members::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64(x)),
    };
    base64(&sha256(jwk.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::tokens::jwk::IssuerKey;

    fn of(jwk: &Value) -> String {
        thumbprint(&IssuerKey::from_jwk(jwk.as_object().expect("an object")).expect("a key").key)
    }

    #[test]
    fn thumbprints_are_those_of_the_standards() {
        // RFC 7638, section 3.1.
        let rsa = json!({
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhD\
                  R1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0\
                  h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91C\
                  bOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-c\
                  sFCur-kEgU8awapJzKnqDKgw",
        });
        assert_eq!(of(&rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037, appendix A.3.
        let ed25519 = json!({
            "kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        assert_eq!(of(&ed25519), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
