//! JSON Web Tokens: strict parsing before any key is used, the check of signature and lifetime, and
//! signing.
//!
//! `jwt-compact` computes the signatures by shared secrets. The caller asks the platform about
//! signatures by public keys. This module refuses what `jwt-compact` would accept: an unknown
//! `crit`, `b64`, duplicate claims, an empty key.
//!
//! Sources: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best current practice).

use std::cell::OnceCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
use jwt_compact::{Algorithm as _, AlgorithmSignature};
use serde_json::{Map, Value};

use crate::domain::identity::user::Username;
use crate::domain::json::{self, Members};
use crate::domain::secret::{HashedToken, Secret};
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::{Algorithm, Family, Hash};
use crate::domain::tokens::public_key::{KeyId, PublicKey};
use crate::domain::tokens::revocation::RevocationKey;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Denied, Fault};

/// The longest token that is read from a header or a body.
pub const MAX_BYTES: usize = 16 * 1024;
/// The longest token that is read from a URL.
pub const MAX_BYTES_IN_URL: usize = 8 * 1024;

/// A token that was parsed but not verified.
pub struct UnverifiedToken<'a> {
    text: &'a str,
    parts: Rc<Parts>,
    signed_before_by: Option<KeyId>,
}

/// The content of a token.
pub(super) struct Parts {
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Kind,
    claims: Members,
    signature: Vec<u8>,
    /// The length of the signed text, which is everything before the last dot.
    signed_bytes: usize,
    /// The digest of the signed text. It is computed when a revocation is first looked up, and kept
    /// with the token.
    signed_digest: OnceCell<HashedToken>,
    /// Whether the claims come from the issuer's introspection endpoint instead of the token.
    introspected: bool,
}

/// The type in a token's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// There is no `typ`.
    None,
    /// `typ` without `application/` (RFC 7515, section 4.1.9). It is a media type, so its case does
    /// not matter.
    Type(String),
    /// `typ` is not a text.
    Unreadable,
}

/// The claims of a token that was verified. Only [`UnverifiedToken`] makes them, after
/// verification.
pub struct VerifiedClaims<'t>(&'t UnverifiedToken<'t>);

/// The time at which a token is checked.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub now: Millis,
    /// The difference between clocks that is tolerated, in seconds.
    pub leeway_s: i64,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads a token in compact serialization (RFC 7515, section 7.1).
    pub fn parse(token: &'a str) -> Result<Self, Denied> {
        if token.len() > MAX_BYTES {
            return Err(Denied::TooLong);
        }
        let (signed_text, signature) = token.rsplit_once('.').ok_or(Denied::NotThreeParts)?;
        let (header, claims) = signed_text
            .split_once('.')
            .filter(|(_, claims)| !claims.contains('.'))
            .ok_or(Denied::NotThreeParts)?;
        let Header { algorithm, key_id, kind } = Header::read(header)?;
        let claims = read_object(claims)?;
        let signature = decode(signature)?;
        let parts = Parts {
            algorithm,
            key_id,
            kind,
            claims,
            signature,
            signed_bytes: signed_text.len(),
            signed_digest: OnceCell::new(),
            introspected: false,
        };
        Ok(Self { text: token, parts: Rc::new(parts), signed_before_by: None })
    }

    /// A token with known content. The caller must know that the key signed exactly this text.
    pub(super) fn signed_before(text: &'a str, parts: Rc<Parts>, key: KeyId) -> Self {
        Self { text, parts, signed_before_by: Some(key) }
    }

    /// A token whose content is the answer of its issuer's introspection endpoint.
    pub(super) fn introspected(text: &'a str, parts: Rc<Parts>) -> Self {
        Self { text, parts, signed_before_by: None }
    }

    /// The claims in the endpoint's answer. `None` if the endpoint was not asked.
    pub(super) fn introspected_claims(&self) -> Option<VerifiedClaims<'_>> {
        self.parts.introspected.then_some(VerifiedClaims(self))
    }

    /// The header's algorithm in its canonical form. It is not trusted, and only narrows the choice
    /// of apps.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.parts.algorithm
    }

    /// The header's `kid`.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.parts.key_id.as_deref()
    }

    /// `iss`. It is not verified yet, and only narrows the choice of apps.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.parts.claims.get("iss")?.as_str()
    }

    /// The whole token.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text
    }

    pub(super) fn parts(&self) -> &Rc<Parts> {
        &self.parts
    }

    fn signed_text(&self) -> &[u8] {
        self.text.as_bytes().get(..self.parts.signed_bytes).unwrap_or_default()
    }

    /// Claims that could be a user name, at most 16. They are for prefetching only, since they are
    /// not verified.
    #[must_use]
    pub fn possible_usernames(&self) -> Vec<String> {
        self.parts
            .claims
            .values()
            .filter_map(identifier)
            .filter(|text| Username::parse(text).is_ok())
            .take(16)
            .collect()
    }

    /// The keys under which a revocation of this token is stored: that of the token itself, and
    /// that of its `jti` within the app.
    #[must_use]
    pub fn revocation_keys(&self, app: &AppName) -> (RevocationKey, Option<RevocationKey>) {
        (self.revocation_key(), self.jti().map(|jti| RevocationKey::of_jti(app, &jti)))
    }

    fn revocation_key(&self) -> RevocationKey {
        let digest = || HashedToken::of(&[self.signed_text()]);
        RevocationKey::of_token(*self.parts.signed_digest.get_or_init(digest))
    }

    fn jti(&self) -> Option<String> {
        self.parts.claims.get("jti").and_then(identifier)
    }

    /// Checks the signature with the app's algorithm and shared secret. Fails unless the header
    /// names the same algorithm. A blank secret verifies nothing.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, secret: &Secret) -> Option<VerifiedClaims<'_>> {
        if self.parts.algorithm != algorithm.canonical() || secret.is_empty() {
            return None;
        }
        let (key, text, signature) = (secret.expose(), self.signed_text(), &self.parts.signature);
        let right = match algorithm.family() {
            Family::Hmac(Hash::Sha256) => fits(&Hs256, &Hs256Key::new(key), signature, text),
            Family::Hmac(Hash::Sha384) => fits(&Hs384, &Hs384Key::new(key), signature, text),
            Family::Hmac(Hash::Sha512) => fits(&Hs512, &Hs512Key::new(key), signature, text),
            // The keys of these algorithms are public. Used as a shared secret, one would let
            // anybody sign.
            Family::RsaPkcs1(_)
            | Family::RsaPss(_)
            | Family::Ecdsa(_)
            | Family::Ed25519
            | Family::Introspection => false,
        };
        right.then_some(VerifiedClaims(self))
    }

    /// Checks the signature with the app's algorithm and a public key of its issuer. Fails unless
    /// the header names the same algorithm and the signature has the length that the key makes.
    /// `check` gets the signature and the message. Its error means that the key cannot be used.
    pub async fn verify_by(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        check: impl AsyncFnOnce(&[u8], &[u8]) -> Result<bool, Fault>,
    ) -> Result<Option<VerifiedClaims<'_>>, Fault> {
        let Parts { algorithm: of_header, signature, .. } = &*self.parts;
        if *of_header != algorithm.canonical()
            || key.signature_bytes(algorithm) != Some(signature.len())
        {
            return Ok(None);
        }
        let right = check(signature, self.signed_text()).await?;
        Ok(right.then_some(VerifiedClaims(self)))
    }

    /// The claims and the key, if the key is known to have signed exactly this token. The caller
    /// must check that the key is still valid for the app.
    #[must_use]
    pub fn verified_before(&self) -> Option<(KeyId, VerifiedClaims<'_>)> {
        Some((self.signed_before_by?, VerifiedClaims(self)))
    }
}

impl Parts {
    /// Makes the content from the answer of an introspection endpoint. A revocation without a `jti`
    /// covers the signed text of a token in the form of a JWT, and the whole text of any other
    /// token.
    pub(super) fn introspected(claims: Members, kind: Kind, token: &str, is_jwt: bool) -> Self {
        let signed = token.rsplit_once('.').filter(|_| is_jwt).map_or(token, |(signed, _)| signed);
        Self {
            algorithm: Algorithm::Introspection,
            key_id: None,
            kind,
            claims,
            signature: Vec::new(),
            signed_bytes: signed.len(),
            signed_digest: OnceCell::new(),
            introspected: true,
        }
    }

    /// `exp` if it is a number, in seconds since the epoch.
    pub(super) fn expires_at_s(&self) -> Option<i64> {
        seconds(self.claims.get("exp")?)
    }

    /// The approximate memory use in bytes.
    pub(super) fn bytes(&self) -> usize {
        let kind = if let Kind::Type(kind) = &self.kind { kind.len() } else { 0 };
        let texts = self.key_id.as_ref().map_or(0, String::len) + kind + self.signature.len();
        size_of::<Self>() + texts + self.claims.bytes()
    }
}

fn fits<A: jwt_compact::Algorithm>(
    algorithm: &A,
    key: &A::VerifyingKey,
    signature: &[u8],
    text: &[u8],
) -> bool {
    // `try_from_slice` panics on a wrong length, which an attacker may send.
    let has_length = A::Signature::LENGTH.is_none_or(|length| length.get() == signature.len());
    has_length
        && A::Signature::try_from_slice(signature)
            .is_ok_and(|signature| algorithm.verify_signature(&signature, key, text))
}

fn decode(part: &str) -> Result<Vec<u8>, Denied> {
    // Refuses padding, foreign characters and non-canonical last characters.
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::BadBase64)
}

fn read_object(part: &str) -> Result<Members, Denied> {
    let unreadable =
        |why: String| if json::is_doubled(&why) { Denied::DoubledMember } else { Denied::BadJson };
    Members::parse(&decode(part)?).map_err(unreadable)
}

/// The members of a token's header that are used.
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Kind,
}

impl Header {
    fn read(text: &str) -> Result<Self, Denied> {
        let header = read_object(text)?;
        let name = header.get("alg").and_then(Value::as_str);
        // This refuses every spelling of `none`, and everything else that is not registered.
        let algorithm =
            name.and_then(Algorithm::of_signature).ok_or(Denied::UnknownAlgorithm)?.canonical();
        // RFC 7515, section 4.1.11: an extension that is not understood must be refused. No
        // extension is understood here. RFC 7797, section 6 says the same of `b64`.
        if header.get("crit").is_some()
            || header.get("b64").is_some_and(|value| *value != Value::Bool(true))
        {
            return Err(Denied::CriticalExtension);
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Denied::ClaimType("kid".into())),
        };
        let kind = match header.get("typ") {
            None => Kind::None,
            Some(Value::String(kind)) => Kind::of(kind),
            Some(_) => Kind::Unreadable,
        };
        Ok(Self { algorithm, key_id, kind })
    }
}

impl Kind {
    /// An empty `typ` is treated as absent.
    fn of(text: &str) -> Self {
        match media_type(text) {
            "" => Self::None,
            kind => Self::Type(kind.to_owned()),
        }
    }

    /// Whether this is the named type, in any case, with or without `application/`. An empty text
    /// names tokens without a type.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::None => media_type(text).is_empty(),
            Self::Type(kind) => kind.eq_ignore_ascii_case(media_type(text)),
            Self::Unreadable => false,
        }
    }
}

/// Strips `application/`, which a `typ` may leave out.
pub(super) fn media_type(text: &str) -> &str {
    const APPLICATION: &str = "application/";
    match text.split_at_checked(APPLICATION.len()) {
        Some((begin, rest)) if begin.eq_ignore_ascii_case(APPLICATION) && !rest.is_empty() => rest,
        _ => text,
    }
}

impl VerifiedClaims<'_> {
    /// A copy of the claims.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(self.0)
    }
}

impl VerifiedClaims<'_> {
    pub(super) fn token(&self) -> &UnverifiedToken<'_> {
        self.0
    }

    /// The key under which a revocation of this token is stored. It does not depend on the
    /// signature.
    #[must_use]
    pub fn revocation_key(&self) -> RevocationKey {
        self.0.revocation_key()
    }

    /// `jti`: a text, or a whole number in decimal digits.
    #[must_use]
    pub fn jti(&self) -> Option<String> {
        self.0.jti()
    }

    /// The value of a claim. A name that begins with a slash and is not the name of a claim is a
    /// JSON Pointer (RFC 6901).
    #[must_use]
    pub fn get(&self, claim: &str) -> Option<&Value> {
        let claims = &self.0.parts.claims;
        claims.get(claim).or_else(|| claims.pointer(claim))
    }

    /// The type in the token's header.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.0.parts.kind
    }

    /// Checks `exp` and `nbf` (RFC 7519, sections 4.1.4 and 4.1.5). A token also ends at `iat` +
    /// `expire_s`, and the earlier end holds. Without `iat`, `exp` must not be more than `expire_s`
    /// ahead. A token with neither would never expire, so it is refused.
    pub fn lifetime(&self, expire_s: i64, clock: Clock) -> Result<Lifetime, Denied> {
        let now_s = clock.now.seconds();
        let [exp, nbf, iat] = [self.seconds("exp")?, self.seconds("nbf")?, self.seconds("iat")?];
        let latest_s = now_s.saturating_add(clock.leeway_s);
        // Without this check, an `iat` in the future would make `iat` + `expire_s` as late as the
        // issuer likes.
        if [nbf, iat].into_iter().flatten().any(|begin| begin > latest_s) {
            return Err(Denied::NotYetValid);
        }
        let (end_s, issued_at_s) = match (exp, iat) {
            (None, None) => return Err(Denied::NoLifetime),
            (Some(exp), None) if exp > latest_s.saturating_add(expire_s) => {
                return Err(Denied::TooLongLived);
            }
            (Some(exp), None) => (exp, exp.saturating_sub(expire_s)),
            (exp, Some(iat)) => (exp.unwrap_or(i64::MAX).min(iat.saturating_add(expire_s)), iat),
        };
        if now_s >= end_s.saturating_add(clock.leeway_s) {
            Err(Denied::Expired)
        } else {
            Ok(Lifetime { end_s, issued_at_s, exp_s: exp })
        }
    }

    /// The user name: a text, or a whole number in decimal digits.
    pub fn username(&self, claim: &str) -> Result<Username, Denied> {
        let value = self.get(claim).ok_or_else(|| Denied::ClaimMissing(claim.into()))?;
        let name = identifier(value).and_then(|text| Username::parse(&text).ok());
        name.ok_or_else(|| Denied::ClaimType(claim.into()))
    }

    /// An optional text, without control characters, cut to `max` characters. `None` if it is
    /// empty.
    #[must_use]
    pub fn text(&self, claim: &str, max: usize) -> Option<String> {
        let text = self.get(claim)?.as_str()?.trim();
        let text: String = text.chars().filter(|c| !c.is_control()).take(max).collect();
        (!text.is_empty()).then_some(text)
    }

    /// A text or a list of texts. `None` if the claim is absent.
    pub fn texts(&self, claim: &str) -> Result<Option<Vec<&str>>, Denied> {
        let wrong = || Denied::ClaimType(claim.into());
        match self.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text])),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().ok_or_else(wrong))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    /// A `NumericDate` (RFC 7519, section 2) in whole seconds. It may have a fraction, which is
    /// rounded down.
    fn seconds(&self, claim: &str) -> Result<Option<i64>, Denied> {
        let Some(value) = self.0.parts.claims.get(claim) else { return Ok(None) };
        seconds(value).map(Some).ok_or_else(|| Denied::ClaimType(claim.into()))
    }
}

fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded in the same expression")]
    let fraction =
        || value.as_f64().filter(|number| number.abs() < 1e15).map(|number| number.floor() as i64);
    value.as_i64().or_else(fraction)
}

/// The time in which a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// In seconds since the epoch.
    pub end_s: i64,
    /// `iat`, or the earliest possible time of issue if there is no `iat`. In seconds since the
    /// epoch.
    pub issued_at_s: i64,
    /// `exp`, in seconds since the epoch. No app can postpone it.
    pub exp_s: Option<i64>,
}

fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// Signs claims with a shared secret. The header is `{"typ":"JWT","alg":…}` in this order. `None`
/// if the algorithm has no shared secret.
#[must_use]
pub fn sign(algorithm: Algorithm, secret: &Secret, claims: &Map<String, Value>) -> Option<String> {
    let header = format!(r#"{{"typ":"JWT","alg":"{}"}}"#, algorithm.name());
    let claims = Value::Object(claims.clone()).to_string();
    let text =
        [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".");
    let (key, bytes) = (secret.expose(), text.as_bytes());
    let signature = match algorithm.family() {
        Family::Hmac(Hash::Sha256) => {
            Hs256.sign(&Hs256Key::new(key), bytes).as_bytes().into_owned()
        }
        Family::Hmac(Hash::Sha384) => {
            Hs384.sign(&Hs384Key::new(key), bytes).as_bytes().into_owned()
        }
        Family::Hmac(Hash::Sha512) => {
            Hs512.sign(&Hs512Key::new(key), bytes).as_bytes().into_owned()
        }
        Family::RsaPkcs1(_)
        | Family::RsaPss(_)
        | Family::Ecdsa(_)
        | Family::Ed25519
        | Family::Introspection => return None,
    };
    Some(format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature)))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::secret::hmac_sha256;
    use crate::domain::tokens::jwk::IssuerKey;
    use crate::domain::tokens::revocation::digest_of;

    const KEY: &[u8] = b"a shared secret";

    fn text_of(header: &str, claims: &str) -> String {
        [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".")
    }

    /// Signs by HMAC with SHA-256, whatever the header says.
    fn signed(header: &Value, claims: &Value, key: &[u8]) -> String {
        let text = text_of(&header.to_string(), &claims.to_string());
        let signature = hmac_sha256(key, text.as_bytes());
        format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
    }

    fn hs256(claims: &Value) -> String {
        signed(&json!({ "alg": "HS256" }), claims, KEY)
    }

    fn with_claims<T>(claims: &Value, read: impl FnOnce(&VerifiedClaims<'_>) -> T) -> T {
        let token = hs256(claims);
        let token = UnverifiedToken::parse(&token).unwrap();
        read(&token.verify(Algorithm::Hs256, &Secret::new(KEY)).unwrap())
    }

    #[test]
    fn a_token_has_three_parts_and_at_most_16_kib() {
        let refusal = |token: &str| UnverifiedToken::parse(token).err();
        let token = hs256(&json!({}));
        assert_eq!(refusal(&token), None);
        let (text, _) = token.rsplit_once('.').unwrap();
        for parts in ["", ".", "a", text, &format!("{token}."), &format!("{token}.AAAA")] {
            assert_eq!(refusal(parts), Some(Denied::NotThreeParts), "{parts}");
        }
        for part in ["A", "AB==", "AA+A", "AB", "AA A"] {
            assert_eq!(refusal(&format!("{text}.{part}")), Some(Denied::BadBase64), "{part}");
        }
        // Four characters are three bytes, so that every length comes about.
        let fill = |token: &str, length: usize| {
            format!("{token}.{}", "A".repeat(length - token.len() - 1))
        };
        let longest = (0..4)
            .map(|pad| text_of(r#"{"alg":"HS256"}"#, &format!("{{}}{}", " ".repeat(pad))))
            .find(|text| (MAX_BYTES - text.len() - 1).is_multiple_of(4))
            .unwrap();
        assert_eq!(refusal(&fill(&longest, 16_384)), None);
        assert_eq!(refusal(&fill(&longest, 16_385)), Some(Denied::TooLong));
        assert_eq!(refusal(&fill(&longest, 20_000)), Some(Denied::TooLong));
        assert_eq!(MAX_BYTES_IN_URL, 8_192);
    }

    #[test]
    fn a_header_is_read_strictly() {
        let read = |header: &str| {
            UnverifiedToken::parse(&format!("{}.", text_of(header, "{}")))
                .map(|token| (token.algorithm(), token.key_id().map(str::to_owned)))
        };
        assert_eq!(read(r#"{"alg":"ES256"}"#), Ok((Algorithm::Es256, None)));
        assert_eq!(
            read(r#"{"alg":"Ed25519","kid":"k","b64":true}"#),
            Ok((Algorithm::EdDsa, Some("k".to_owned())))
        );
        for (header, why) in [
            ("{}", Denied::UnknownAlgorithm),
            (r#"{"alg":"none"}"#, Denied::UnknownAlgorithm),
            (r#"{"alg":"hs256"}"#, Denied::UnknownAlgorithm),
            (r#"{"alg":"introspection"}"#, Denied::UnknownAlgorithm),
            (r#"{"alg":["HS256"]}"#, Denied::UnknownAlgorithm),
            (r#"{"alg":"HS256","crit":[]}"#, Denied::CriticalExtension),
            (r#"{"alg":"HS256","crit":["b64"],"b64":true}"#, Denied::CriticalExtension),
            (r#"{"alg":"HS256","b64":false}"#, Denied::CriticalExtension),
            (r#"{"alg":"HS256","kid":7}"#, Denied::ClaimType("kid".into())),
            (r#"{"alg":"HS256","alg":"HS256"}"#, Denied::DoubledMember),
            (r#"["HS256"]"#, Denied::BadJson),
            ("", Denied::BadJson),
        ] {
            assert_eq!(read(header), Err(why), "{header}");
        }
    }

    #[test]
    fn a_type_is_compared_as_a_media_type() {
        let is = |kind: Value, wanted: &str| {
            let token = signed(&json!({ "alg": "HS256", "typ": kind }), &json!({}), KEY);
            let token = UnverifiedToken::parse(&token).unwrap();
            token.verify(Algorithm::Hs256, &Secret::new(KEY)).unwrap().kind().is(wanted)
        };
        for (kind, wanted) in [
            ("", ""),
            ("JWT", "jwt"),
            ("at+jwt", "application/at+jwt"),
            ("APPLICATION/at+JWT", "at+jwt"),
            ("application/", "application/"),
        ] {
            assert!(is(json!(kind), wanted), "{kind:?} is {wanted:?}");
        }
        for (kind, wanted) in [
            ("", "JWT"),
            ("JWT", ""),
            ("application/", ""),
            ("JWT ", "JWT"),
            ("text/JWT", "JWT"),
            ("logout+jwt", "at+jwt"),
        ] {
            assert!(!is(json!(kind), wanted), "{kind:?} is not {wanted:?}");
        }
        // A value that is no text is never the same as an absent one.
        for unreadable in [json!(null), json!(7), json!(["JWT"])] {
            assert!(!is(unreadable.clone(), "") && !is(unreadable.clone(), "JWT"), "{unreadable}");
        }
        assert!(with_claims(&json!({}), |claims| claims.kind().is("")));
    }

    #[test]
    fn a_signature_counts_for_its_text_its_key_and_its_algorithm_only() {
        let verifies = |token: &str, algorithm: Algorithm, key: &[u8]| {
            UnverifiedToken::parse(token).unwrap().verify(algorithm, &Secret::new(key)).is_some()
        };
        let claims = json!({ "sub": "alice" });
        let token = hs256(&claims);
        for algorithm in Algorithm::ALL {
            assert_eq!(verifies(&token, algorithm, KEY), algorithm == Algorithm::Hs256);
        }
        assert!(!verifies(&token, Algorithm::Hs256, b"another secret"));
        assert!(!verifies(
            &signed(&json!({ "alg": "HS384" }), &claims, KEY),
            Algorithm::Hs256,
            KEY
        ));
        let blank = signed(&json!({ "alg": "HS256" }), &claims, b"");
        assert!(!verifies(&blank, Algorithm::Hs256, b""));
        let (text, signature) = token.rsplit_once('.').unwrap();
        for length in (0..signature.len()).filter(|length| length % 4 == 0) {
            let cut = format!("{text}.{}", &signature[..length]);
            assert!(!verifies(&cut, Algorithm::Hs256, KEY), "{cut}");
        }
        let other = hs256(&json!({ "sub": "admin" }));
        let (other, _) = other.rsplit_once('.').unwrap();
        assert!(!verifies(&format!("{other}.{signature}"), Algorithm::Hs256, KEY));
    }

    /// The key of RFC 7515, appendix A.3.
    fn public_key() -> PublicKey {
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        IssuerKey::from_jwk(jwk.as_object().unwrap()).unwrap().key
    }

    /// The platform's answer is passed on. It is asked only about a signature that this key can
    /// make, and only about the text that is before it.
    #[test]
    fn the_platform_is_asked_about_what_the_key_can_have_signed() {
        let asked = |header: &str, bytes: usize, answer: Result<bool, Fault>| {
            let text = text_of(&json!({ "alg": header }).to_string(), "{}");
            let signature = Base64UrlUnpadded::encode_string(&vec![7; bytes]);
            let token = format!("{text}.{signature}");
            let token = UnverifiedToken::parse(&token).unwrap();
            let mut is_asked = false;
            let key = public_key();
            let check = async |signature: &[u8], message: &[u8]| {
                is_asked = true;
                assert_eq!((signature, message), (&vec![7; bytes][..], text.as_bytes()));
                answer
            };
            let verdict = {
                let verified = pin!(token.verify_by(Algorithm::Es256, &key, check));
                let Poll::Ready(verdict) = verified.poll(&mut Context::from_waker(Waker::noop()))
                else {
                    panic!("nothing waits")
                };
                verdict.map(|claims| claims.is_some())
            };
            (is_asked, verdict)
        };
        assert_eq!(asked("ES256", 64, Ok(true)), (true, Ok(true)));
        assert_eq!(asked("ES256", 64, Ok(false)), (true, Ok(false)));
        let fault = || Fault::new("no such curve");
        assert_eq!(asked("ES256", 64, Err(fault())), (true, Err(fault())));
        for (header, bytes) in
            [("ES256", 0), ("ES256", 63), ("ES256", 65), ("ES384", 64), ("HS256", 64)]
        {
            assert_eq!(asked(header, bytes, Ok(true)), (false, Ok(false)), "{header} {bytes}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Small numbers, so that every two of them are often equal.
        #[test]
        fn a_token_counts_between_its_times_and_no_longer_than_its_app_says(
            [exp, nbf, iat] in any::<[Option<u8>; 3]>(),
            expire_s in 0_i64..12,
            leeway_s in 0_i64..4,
            now_s in 0_i64..24,
        ) {
            let [exp, nbf, iat] = [exp, nbf, iat].map(|time| time.map(|time| i64::from(time % 24)));
            let claims: Map<_, _> = [("exp", exp), ("nbf", nbf), ("iat", iat)]
                .into_iter()
                .filter_map(|(name, time)| Some((name.to_owned(), json!(time?))))
                .collect();
            let now = Millis(now_s * 1000 + 999);
            let lifetime = with_claims(&Value::Object(claims), |claims| {
                claims.lifetime(expire_s, Clock { now, leeway_s })
            });
            // By some clock that is right, the token has begun, and by another it has not ended.
            let begun = |time: Option<i64>| time.is_none_or(|time| time <= now_s + leeway_s);
            let lasts = |end: Option<i64>| end.is_none_or(|end| now_s - leeway_s < end);
            let by_app = iat.map(|iat| iat + expire_s);
            let is_of_the_app = match (exp, iat) {
                (None, None) => false,
                (Some(exp), None) => exp - expire_s <= now_s + leeway_s,
                (_, Some(_)) => true,
            };
            let counts =
                begun(nbf) && begun(iat) && lasts(exp) && lasts(by_app) && is_of_the_app;
            prop_assert_eq!(lifetime.is_ok(), counts, "{:?}", lifetime);
            if let Ok(Lifetime { end_s, issued_at_s, exp_s }) = lifetime {
                prop_assert_eq!(Some(end_s), exp.into_iter().chain(by_app).min());
                prop_assert_eq!(exp_s, exp);
                prop_assert!(issued_at_s + expire_s >= end_s && begun(Some(issued_at_s)));
                prop_assert!(iat.is_none_or(|iat| iat == issued_at_s));
            }
        }
    }

    #[test]
    fn a_time_is_a_number_that_is_rounded_down() {
        let exp = |value: Value| {
            let clock = Clock { now: Millis(0), leeway_s: 10 };
            with_claims(&json!({ "exp": value, "iat": 0 }), |claims| {
                claims.lifetime(1 << 60, clock)
            })
            .map(|lifetime| lifetime.end_s)
        };
        assert_eq!(exp(json!(7)), Ok(7));
        assert_eq!(exp(json!(7.9)), Ok(7));
        assert_eq!(exp(json!(-0.5)), Ok(-1));
        assert_eq!(exp(json!(1e14)), Ok(100_000_000_000_000));
        for wrong in [json!(1e15), json!(1e300), json!("7"), json!(null), json!([7]), json!(true)] {
            assert_eq!(exp(wrong.clone()), Err(Denied::ClaimType("exp".into())), "{wrong}");
        }
        let clock = Clock { now: Millis(0), leeway_s: 0 };
        let refusal =
            |claims: Value| with_claims(&claims, |claims| claims.lifetime(10, clock).err());
        assert_eq!(refusal(json!({ "nbf": 0 })), Some(Denied::NoLifetime));
        assert_eq!(refusal(json!({ "exp": 0 })), Some(Denied::Expired));
        assert_eq!(refusal(json!({ "exp": 11 })), Some(Denied::TooLongLived));
        assert_eq!(refusal(json!({ "exp": 5, "nbf": 1 })), Some(Denied::NotYetValid));
        assert_eq!(refusal(json!({ "iat": i64::MIN })), Some(Denied::Expired));
        assert_eq!(refusal(json!({ "exp": i64::MAX })), Some(Denied::TooLongLived));
    }

    #[test]
    fn a_name_is_a_text_or_a_whole_number() {
        let name = |value: Value| {
            with_claims(&json!({ "sub": value, "jti": value }), |claims| {
                let name = claims.username("sub").map(|name| name.as_str().to_owned());
                (name.ok(), claims.jti())
            })
        };
        for (value, text) in [
            (json!("alice"), "alice"),
            (json!(7), "7"),
            (json!(-7), "-7"),
            (json!(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(name(value), (Some(text.to_owned()), Some(text.to_owned())));
        }
        for wrong in [json!(7.5), json!(true), json!(null), json!(["alice"]), json!({})] {
            assert_eq!(name(wrong.clone()), (None, None), "{wrong}");
        }
        let refusal = |claims: &Value| with_claims(claims, |claims| claims.username("sub").err());
        assert_eq!(refusal(&json!({})), Some(Denied::ClaimMissing("sub".into())));
        assert_eq!(refusal(&json!({ "sub": "" })), Some(Denied::ClaimType("sub".into())));
    }

    #[test]
    fn a_claim_is_found_by_its_name_before_its_path() {
        let claims = json!({
            "realm": { "roles": ["a", "b"] }, "/realm/roles": "own", "mixed": ["a", 7],
            "name": " Al\u{7}ice \n", "blank": "\u{7}",
        });
        with_claims(&claims, |claims| {
            assert_eq!(claims.texts("/realm/roles"), Ok(Some(vec!["own"])));
            assert_eq!(claims.get("/realm/roles/1"), Some(&json!("b")));
            assert_eq!(claims.texts("/mixed/0"), Ok(Some(vec!["a"])));
            assert_eq!(claims.texts("absent"), Ok(None));
            for wrong in ["mixed", "realm", "/mixed/1"] {
                assert_eq!(claims.texts(wrong), Err(Denied::ClaimType(wrong.into())));
            }
            assert_eq!(claims.text("name", 9).as_deref(), Some("Alice"));
            assert_eq!(claims.text("name", 2).as_deref(), Some("Al"));
            for none in ["blank", "realm", "absent"] {
                assert_eq!(claims.text(none, 9), None, "{none}");
            }
        });
        assert_eq!(
            with_claims(&json!({ "realm": { "roles": ["a", "b"] } }), |claims| {
                claims.texts("/realm/roles").map(|texts| texts.map(|texts| texts.join(" ")))
            }),
            Ok(Some("a b".to_owned()))
        );
    }

    #[test]
    fn the_memory_of_a_token_counts_each_of_its_texts() {
        let bytes = |lengths: [usize; 4]| {
            let [key_id, kind, claim, signature] = lengths.map(|length| "A".repeat(length));
            let header = json!({ "alg": "HS256", "kid": key_id, "typ": kind });
            let text = text_of(&header.to_string(), &json!({ "sub": claim }).to_string());
            UnverifiedToken::parse(&format!("{text}.{signature}")).unwrap().parts.bytes()
        };
        let least = bytes([8, 8, 8, 8]);
        assert!(least > size_of::<Parts>());
        for longer in [[408, 8, 8, 8], [8, 408, 8, 8], [8, 8, 408, 8]] {
            assert_eq!(bytes(longer), least + 400, "{longer:?}");
        }
        assert_eq!(bytes([8, 8, 8, 408]), least + 300, "four characters are three bytes");
    }

    #[test]
    fn a_revocation_names_the_signed_text_and_the_jti_within_an_app() {
        let app = |name: &str| AppName::parse(name).unwrap();
        let keys = |token: &str, of: &str| {
            UnverifiedToken::parse(token).unwrap().revocation_keys(&app(of))
        };
        let token = hs256(&json!({ "jti": 7 }));
        let (text, _) = token.rsplit_once('.').unwrap();
        let of_text = RevocationKey::of_token(digest_of(&token));
        assert_eq!(keys(&token, "A"), (of_text, Some(RevocationKey::of_jti(&app("A"), "7"))));
        assert_eq!(keys(&format!("{text}.AAAA"), "B").0, of_text, "another signature");
        assert_ne!(keys(&token, "B").1, keys(&token, "A").1);
        let other = hs256(&json!({}));
        assert_eq!(keys(&other, "A"), (RevocationKey::of_token(digest_of(&other)), None));
        assert_ne!(keys(&other, "A").0, of_text);
        with_claims(&json!({ "jti": 7 }), |claims| assert_eq!(claims.revocation_key(), of_text));
    }
}
