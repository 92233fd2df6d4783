//! JSON Web Keys (RFC 7517; RFC 7518, section 6; RFC 8037, section 2): public keys for signatures,
//! and the bytes of shared secrets.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use crate::domain::tokens::algorithm::{Algorithm, Curve};
use crate::domain::tokens::public_key::PublicKey;

/// A public key with the metadata of its JWK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    pub key: PublicKey,
    /// `kid`, by which tokens name the key.
    pub id: Option<String>,
    /// `alg`, the only algorithm that the key may be used with.
    pub algorithm: Option<Algorithm>,
}

/// Members that only private or shared keys have.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl IssuerKey {
    /// The error is a phrase to put after the field's name.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, String> {
        if is_private(jwk) {
            return Err(
                "must be the public key: a private or shared key belongs to the issuer alone"
                    .to_owned(),
            );
        }
        check_use(jwk)?;
        let id = optional_text(jwk, "kid")?.map(str::to_owned);
        let algorithm = algorithm(jwk)?;
        let key = match text(jwk, "kty")? {
            "RSA" => PublicKey::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
            "EC" => {
                let curve = Curve::from_name(text(jwk, "crv")?)
                    .ok_or("must be on P-256, P-384 or P-521")?;
                PublicKey::ec(curve, &bytes(jwk, "x")?, &bytes(jwk, "y")?)?
            }
            "OKP" if text(jwk, "crv")? == "Ed25519" => PublicKey::ed25519(&bytes(jwk, "x")?)?,
            _ => return Err("must be an RSA, EC or Ed25519 key".to_owned()),
        };
        let key = Self { key, id, algorithm };
        key.algorithm.map_or(Ok(()), |algorithm| key.key.fits(algorithm)).map(|()| key)
    }

    /// Checks that the key is for its app's algorithm. The error is a phrase to put after the
    /// field's name.
    pub fn fits(&self, algorithm: Algorithm) -> Result<(), String> {
        check_algorithm(self.algorithm, algorithm)?;
        self.key.fits(algorithm)
    }
}

impl From<PublicKey> for IssuerKey {
    fn from(key: PublicKey) -> Self {
        Self { key, id: None, algorithm: None }
    }
}

/// Repairs what some issuers write: padding of base64url, which RFC 7515, section 2 forbids, and
/// null for members that they do not set.
pub(super) fn forgive(jwk: &mut Map<String, Value>) {
    jwk.retain(|_, value| !value.is_null());
    for name in ["n", "e", "x", "y"] {
        if let Some(Value::String(text)) = jwk.get_mut(name) {
            text.truncate(text.trim_end_matches('=').len());
        }
    }
}

/// The bytes of an `oct` key for the algorithm (RFC 7518, section 6.4.1). The error is a phrase to
/// put after the field's name.
pub(super) fn shared_bytes(jwk: &Map<String, Value>, wanted: Algorithm) -> Result<Vec<u8>, String> {
    check_use(jwk)?;
    check_algorithm(algorithm(jwk)?, wanted)?;
    bytes(jwk, "k")
}

fn check_use(jwk: &Map<String, Value>) -> Result<(), String> {
    if jwk.get("use").is_some_and(|value| value != "sig") {
        return Err("must be a key for signatures: its \"use\" is another".to_owned());
    }
    let verifies = |value: &Value| {
        value.as_array().is_some_and(|list| list.iter().any(|item| item == "verify"))
    };
    if jwk.get("key_ops").is_some_and(|value| !verifies(value)) {
        return Err("must be a key for verifying: its \"key_ops\" are others".to_owned());
    }
    Ok(())
}

fn algorithm(jwk: &Map<String, Value>) -> Result<Option<Algorithm>, String> {
    let foreign = || "must be a key for signatures: its \"alg\" is another".to_owned();
    optional_text(jwk, "alg")?
        .map(|name| Algorithm::of_signature(name).ok_or_else(foreign))
        .transpose()
}

fn check_algorithm(only: Option<Algorithm>, wanted: Algorithm) -> Result<(), String> {
    match only {
        Some(only) if only.canonical() != wanted.canonical() => {
            Err(format!("must be a key for {wanted}: its \"alg\" is {only}"))
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn is_private(jwk: &Map<String, Value>) -> bool {
    PRIVATE.iter().any(|name| jwk.contains_key(*name))
        || jwk.get("kty").is_some_and(|kind| kind == "oct")
}

fn optional_text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    let text = |value: &'a Value| {
        value.as_str().ok_or_else(|| format!("must be a JWK with a text as \"{name}\""))
    };
    jwk.get(name).map(text).transpose()
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    optional_text(jwk, name)?.ok_or_else(|| format!("must be a JWK with \"{name}\""))
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    Base64UrlUnpadded::decode_vec(text(jwk, name)?)
        .map_err(|_| format!("must be a JWK with base64url as \"{name}\""))
}
