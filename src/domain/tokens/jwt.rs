//! JSON Web Tokens: reading one strictly, before any key is touched; checking its signature and its lifetime; signing one.
//!
//! `jwt-compact` does the signatures by shared secrets; the platform does those by public keys, whom the caller asks. What it would let through (an unknown `crit`, `b64`, doubled claims, an empty key) is refused here.
//! Sources: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best current practice).

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
use jwt_compact::{Algorithm as _, AlgorithmSignature};
use serde_json::{Map, Value};

use crate::domain::identity::user::Username;
use crate::domain::json::Members;
use crate::domain::secret::Secret;
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::{Algorithm, Family, Hash};
use crate::domain::tokens::public_key::{KeyId, PublicKey};
use crate::error::{Denied, Fault};

/// The longest token that is looked at.
pub const MAX_BYTES: usize = 8 * 1024;

/// A token that was read, and not yet believed.
pub struct UnverifiedToken<'a> {
    text: &'a str,
    parts: Rc<Parts>,
    signed_before_by: Option<KeyId>,
}

/// What a token says.
pub(super) struct Parts {
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Members,
    signature: Vec<u8>,
    /// The length of what is signed: all before the last dot.
    signed_bytes: usize,
}

/// What a token says, of which it is known that it is signed. Made by [`UnverifiedToken`] only, once it is verified.
pub struct VerifiedClaims<'t>(&'t UnverifiedToken<'t>);

/// When a token counts.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Now.
    pub now: Millis,
    /// How far clocks may differ, in seconds.
    pub leeway_s: i64,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads a token in compact serialization (RFC 7515, 7.1).
    pub fn parse(token: &'a str) -> Result<Self, Denied> {
        if token.len() > MAX_BYTES {
            return Err(Denied::Malformed);
        }
        let (signed_text, signature) = token.rsplit_once('.').ok_or(Denied::Malformed)?;
        let (header, claims) = signed_text.split_once('.').ok_or(Denied::Malformed)?;
        // A fourth or fifth part would stand in one of these, and is no base64url.
        let Header { algorithm, key_id } = Header::read(header)?;
        let claims = read_object(claims)?;
        let signature = decode(signature)?;
        let parts = Parts { algorithm, key_id, claims, signature, signed_bytes: signed_text.len() };
        Ok(Self { text: token, parts: Rc::new(parts), signed_before_by: None })
    }

    /// A token of which it is known what it says, and that the key signed this very text.
    pub(super) fn signed_before(text: &'a str, parts: Rc<Parts>, key: KeyId) -> Self {
        Self { text, parts, signed_before_by: Some(key) }
    }

    /// The algorithm of the header, which only narrows the choice of apps.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.parts.algorithm
    }

    /// The header's `kid`.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.parts.key_id.as_deref()
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        self.text
    }

    /// What it says.
    pub(super) fn parts(&self) -> &Rc<Parts> {
        &self.parts
    }

    fn signed_text(&self) -> &[u8] {
        self.text.as_bytes().get(..self.parts.signed_bytes).unwrap_or_default()
    }

    /// Whatever in the claims could be a user name, at most 16: for reading ahead, never for believing.
    #[must_use]
    pub fn possible_usernames(&self) -> Vec<String> {
        self.parts.claims.values().filter_map(identifier).filter(|text| Username::parse(text).is_ok()).take(16).collect()
    }

    /// Checks the signature with the app's algorithm and its shared secret. The header's algorithm must be the same, and a blank secret verifies nothing.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, secret: &Secret) -> Option<VerifiedClaims<'_>> {
        if self.parts.algorithm != algorithm || secret.is_empty() {
            return None;
        }
        let (key, text, signature) = (secret.expose(), self.signed_text(), &self.parts.signature);
        let right = match algorithm.family() {
            Family::Hmac(Hash::Sha256) => fits(&Hs256, &Hs256Key::new(key), signature, text),
            Family::Hmac(Hash::Sha384) => fits(&Hs384, &Hs384Key::new(key), signature, text),
            Family::Hmac(Hash::Sha512) => fits(&Hs512, &Hs512Key::new(key), signature, text),
            // Their keys are public: as a secret, one would let everybody sign.
            Family::RsaPkcs1(_) | Family::RsaPss(_) | Family::Ecdsa(_) | Family::Ed25519 => false,
        };
        right.then_some(VerifiedClaims(self))
    }

    /// Checks the signature with the app's algorithm and one of its issuer's public keys. The header's algorithm must be the same, and the signature
    /// as long as the key makes them. `check` tells whether a signature over a message is by the key; its error is that the key cannot be used.
    pub async fn verify_by(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        check: impl AsyncFnOnce(&[u8], &[u8]) -> Result<bool, Fault>,
    ) -> Result<Option<VerifiedClaims<'_>>, Fault> {
        let Parts { algorithm: of_header, signature, .. } = &*self.parts;
        if *of_header != algorithm || key.signature_bytes(algorithm) != Some(signature.len()) {
            return Ok(None);
        }
        let right = check(signature, self.signed_text()).await?;
        Ok(right.then_some(VerifiedClaims(self)))
    }

    /// The key that was found before to have signed this very token, and what it says. Whoever asks must see to it that the key counts.
    #[must_use]
    pub fn verified_before(&self) -> Option<(KeyId, VerifiedClaims<'_>)> {
        Some((self.signed_before_by?, VerifiedClaims(self)))
    }
}

impl Parts {
    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.key_id.as_ref().map_or(0, String::len) + self.signature.len();
        size_of::<Self>() + texts + self.claims.bytes()
    }
}

fn fits<A: jwt_compact::Algorithm>(algorithm: &A, key: &A::VerifyingKey, signature: &[u8], text: &[u8]) -> bool {
    // `try_from_slice` panics on a wrong length, which an attacker may send.
    let has_length = A::Signature::LENGTH.is_none_or(|length| length.get() == signature.len());
    has_length && A::Signature::try_from_slice(signature).is_ok_and(|signature| algorithm.verify_signature(&signature, key, text))
}

fn decode(part: &str) -> Result<Vec<u8>, Denied> {
    // Refuses padding, foreign characters and non-canonical last characters.
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::Malformed)
}

fn read_object(part: &str) -> Result<Members, Denied> {
    Members::parse(&decode(part)?).map_err(|_| Denied::Malformed)
}

/// What of a token's header counts.
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Header {
    fn read(text: &str) -> Result<Self, Denied> {
        let header = read_object(text)?;
        let name = header.get("alg").and_then(Value::as_str);
        // Not among them are `none` in every spelling, and whatever else is not registered.
        let algorithm = name.and_then(Algorithm::from_name).ok_or(Denied::Malformed)?;
        // RFC 7515, 4.1.11: an extension that is not understood must be refused, and none is. RFC 7797, 6: `b64` likewise.
        if header.get("crit").is_some() || header.get("b64").is_some_and(|value| *value != Value::Bool(true)) {
            return Err(Denied::Malformed);
        }
        match header.get("kid") {
            None => Ok(Self { algorithm, key_id: None }),
            Some(Value::String(id)) => Ok(Self { algorithm, key_id: Some(id.clone()) }),
            Some(_) => Err(Denied::Malformed),
        }
    }
}

impl VerifiedClaims<'_> {
    /// The token that says it.
    pub(super) fn token(&self) -> &UnverifiedToken<'_> {
        self.0
    }

    fn get(&self, claim: &str) -> Option<&Value> {
        self.0.parts.claims.get(claim)
    }

    /// Checks `exp` and `nbf` (RFC 7519, 4.1.4 and 4.1.5), with `iat` + `expire_s` as a second end, and answers the earlier end in seconds.
    /// A token with neither `exp` nor `iat` would live for ever, and is refused.
    pub fn lifetime(&self, expire_s: i64, clock: Clock) -> Result<i64, Denied> {
        let now_s = clock.now.seconds();
        let [exp, nbf, iat] = [self.seconds("exp")?, self.seconds("nbf")?, self.seconds("iat")?];
        // Without this an `iat` in the future would stretch `iat` + `expire_s` at will.
        if [nbf, iat].into_iter().flatten().any(|begin| begin > now_s.saturating_add(clock.leeway_s)) {
            return Err(Denied::NotYetValid);
        }
        let ends = [exp, iat.map(|iat| iat.saturating_add(expire_s))];
        let end = ends.into_iter().flatten().min().ok_or(Denied::Malformed)?;
        if now_s >= end.saturating_add(clock.leeway_s) { Err(Denied::Expired) } else { Ok(end) }
    }

    /// The user name: a string, or an integer as its decimal digits.
    pub fn username(&self, claim: &str) -> Result<Username, Denied> {
        let text = self.get(claim).and_then(identifier).ok_or(Denied::NoUsername)?;
        Username::parse(&text).map_err(|_| Denied::NoUsername)
    }

    /// An optional text, cut to `max` characters; empty is none.
    #[must_use]
    pub fn text(&self, claim: &str, max: usize) -> Option<String> {
        let text = self.get(claim)?.as_str()?.trim();
        let text: String = text.chars().filter(|c| !c.is_control()).take(max).collect();
        (!text.is_empty()).then_some(text)
    }

    /// A `NumericDate` (RFC 7519, 2), which may have a fraction, in whole seconds.
    fn seconds(&self, claim: &str) -> Result<Option<i64>, Denied> {
        let Some(value) = self.get(claim) else { return Ok(None) };
        #[expect(clippy::cast_possible_truncation, reason = "bounded in the same expression")]
        let fraction = || value.as_f64().filter(|number| number.abs() < 1e15).map(|number| number.floor() as i64);
        value.as_i64().or_else(fraction).map(Some).ok_or(Denied::Malformed)
    }
}

fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// Signs claims with a shared secret, with the header `{"typ":"JWT","alg":…}` in this order. `None` for an algorithm that has none.
#[must_use]
pub fn sign(algorithm: Algorithm, secret: &Secret, claims: &Map<String, Value>) -> Option<String> {
    let header = format!(r#"{{"typ":"JWT","alg":"{}"}}"#, algorithm.name());
    let claims = Value::Object(claims.clone()).to_string();
    let text = [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".");
    let (key, bytes) = (secret.expose(), text.as_bytes());
    let signature = match algorithm.family() {
        Family::Hmac(Hash::Sha256) => Hs256.sign(&Hs256Key::new(key), bytes).as_bytes().into_owned(),
        Family::Hmac(Hash::Sha384) => Hs384.sign(&Hs384Key::new(key), bytes).as_bytes().into_owned(),
        Family::Hmac(Hash::Sha512) => Hs512.sign(&Hs512Key::new(key), bytes).as_bytes().into_owned(),
        Family::RsaPkcs1(_) | Family::RsaPss(_) | Family::Ecdsa(_) | Family::Ed25519 => return None,
    };
    Some(format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature)))
}
