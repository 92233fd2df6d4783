//! JSON Web Tokens: reading one strictly, before any key is touched; checking its signature and its
//! lifetime; signing one.
//!
//! `jwt-compact` does the signatures by shared secrets; the platform does those by public keys,
//! whom the caller asks. What it would let through (an unknown `crit`, `b64`, doubled claims, an
//! empty key) is refused here. Sources: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best current
//! practice).

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

/// The longest token that is looked at, in a header or a body.
pub const MAX_BYTES: usize = 16 * 1024;
/// The longest token that is looked at in a URL.
pub const MAX_BYTES_IN_URL: usize = 8 * 1024;

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
    kind: Kind,
    claims: Members,
    signature: Vec<u8>,
    /// The length of what is signed: all before the last dot.
    signed_bytes: usize,
    /// Of what is signed. Made when a revocation is first looked for, and kept with the token.
    signed_digest: OnceCell<HashedToken>,
    /// Whether the issuer's introspection endpoint says it, and not the token.
    introspected: bool,
}

/// What a token's header says about its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// There is no `typ`.
    None,
    /// `typ` without `application/` (RFC 7515, 4.1.9). It is a media type, whose letters' case does
    /// not matter.
    Type(String),
    /// `typ` is no text.
    Unreadable,
}

/// What a token says, of which it is known that it is signed. Made by [`UnverifiedToken`] only,
/// once it is verified.
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

    /// A token of which it is known what it says, and that the key signed this very text.
    pub(super) fn signed_before(text: &'a str, parts: Rc<Parts>, key: KeyId) -> Self {
        Self { text, parts, signed_before_by: Some(key) }
    }

    /// A token of which its issuer's introspection endpoint says what it says.
    pub(super) fn introspected(text: &'a str, parts: Rc<Parts>) -> Self {
        Self { text, parts, signed_before_by: None }
    }

    /// What the endpoint says; `None` where it was not asked.
    pub(super) fn introspected_claims(&self) -> Option<VerifiedClaims<'_>> {
        self.parts.introspected.then_some(VerifiedClaims(self))
    }

    /// The algorithm of the header in its canonical form, which only narrows the choice of apps.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.parts.algorithm
    }

    /// The header's `kid`.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.parts.key_id.as_deref()
    }

    /// `iss`, which is not believed yet: it only narrows the choice of apps.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.parts.claims.get("iss")?.as_str()
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text
    }

    /// What it says.
    pub(super) fn parts(&self) -> &Rc<Parts> {
        &self.parts
    }

    fn signed_text(&self) -> &[u8] {
        self.text.as_bytes().get(..self.parts.signed_bytes).unwrap_or_default()
    }

    /// Whatever in the claims could be a user name, at most 16: for reading ahead, never for
    /// believing.
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

    /// The keys by which it is revoked as a token of the app: its own, and the one of its `jti`.
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

    /// Checks the signature with the app's algorithm and its shared secret. The header's algorithm
    /// must be the same, and a blank secret verifies nothing.
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
            // Their keys are public: as a secret, one would let everybody sign.
            Family::RsaPkcs1(_)
            | Family::RsaPss(_)
            | Family::Ecdsa(_)
            | Family::Ed25519
            | Family::Introspection => false,
        };
        right.then_some(VerifiedClaims(self))
    }

    /// Checks the signature with the app's algorithm and one of its issuer's public keys. The
    /// header's algorithm must be the same, and the signature as long as the key makes them.
    /// `check` tells whether a signature over a message is by the key; its error is that the key
    /// cannot be used.
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

    /// The key that was found before to have signed this very token, and what it says. Whoever asks
    /// must see to it that the key counts.
    #[must_use]
    pub fn verified_before(&self) -> Option<(KeyId, VerifiedClaims<'_>)> {
        Some((self.signed_before_by?, VerifiedClaims(self)))
    }
}

impl Parts {
    /// What an introspection endpoint says of a token. One that has the form of a JSON Web Token is
    /// revoked by what is signed of it, and any other by the whole of it.
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

    /// `exp`, where it is a number.
    pub(super) fn expires_at_s(&self) -> Option<i64> {
        seconds(self.claims.get("exp")?)
    }

    /// About how much memory they take.
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

/// What of a token's header counts.
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Kind,
}

impl Header {
    fn read(text: &str) -> Result<Self, Denied> {
        let header = read_object(text)?;
        let name = header.get("alg").and_then(Value::as_str);
        // Not among them are `none` in every spelling, and whatever else is not registered.
        let algorithm =
            name.and_then(Algorithm::of_signature).ok_or(Denied::UnknownAlgorithm)?.canonical();
        // RFC 7515, 4.1.11: an extension that is not understood must be refused, and none is. RFC
        // 7797, 6: `b64` likewise.
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
    /// The type that a `typ` names; an empty one is none.
    fn of(text: &str) -> Self {
        match media_type(text) {
            "" => Self::None,
            kind => Self::Type(kind.to_owned()),
        }
    }

    /// Whether it is this type, with or without `application/`, in any case; an empty text is for
    /// tokens without a type.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::None => media_type(text).is_empty(),
            Self::Type(kind) => kind.eq_ignore_ascii_case(media_type(text)),
            Self::Unreadable => false,
        }
    }
}

/// A media type without `application/`, which a `typ` may leave out.
pub(super) fn media_type(text: &str) -> &str {
    const APPLICATION: &str = "application/";
    match text.split_at_checked(APPLICATION.len()) {
        Some((begin, rest)) if begin.eq_ignore_ascii_case(APPLICATION) && !rest.is_empty() => rest,
        _ => text,
    }
}

impl VerifiedClaims<'_> {
    /// The same claims once more.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(self.0)
    }
}

impl VerifiedClaims<'_> {
    /// The token that says it.
    pub(super) fn token(&self) -> &UnverifiedToken<'_> {
        self.0
    }

    /// The key by which this token is revoked, whatever its signature.
    #[must_use]
    pub fn revocation_key(&self) -> RevocationKey {
        self.0.revocation_key()
    }

    /// `jti`, by which its issuer knows the token: a text, or a whole number as its decimal digits.
    #[must_use]
    pub fn jti(&self) -> Option<String> {
        self.0.jti()
    }

    /// The value of a claim. A name that begins with a slash, and is no claim's, is a JSON Pointer
    /// (RFC 6901).
    #[must_use]
    pub fn get(&self, claim: &str) -> Option<&Value> {
        let claims = &self.0.parts.claims;
        claims.get(claim).or_else(|| claims.pointer(claim))
    }

    /// The type that the token's header says.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.0.parts.kind
    }

    /// Checks `exp` and `nbf` (RFC 7519, 4.1.4 and 4.1.5), with `iat` + `expire_s` as a second end,
    /// and answers the earlier end in seconds. Where there is no `iat`, `exp` may not lie further
    /// ahead than `expire_s`. A token with neither would live for ever, and is refused.
    pub fn lifetime(&self, expire_s: i64, clock: Clock) -> Result<Lifetime, Denied> {
        let now_s = clock.now.seconds();
        let [exp, nbf, iat] = [self.seconds("exp")?, self.seconds("nbf")?, self.seconds("iat")?];
        let latest_s = now_s.saturating_add(clock.leeway_s);
        // Without this an `iat` in the future would stretch `iat` + `expire_s` at will.
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

    /// The user name: a string, or an integer as its decimal digits.
    pub fn username(&self, claim: &str) -> Result<Username, Denied> {
        let value = self.get(claim).ok_or_else(|| Denied::ClaimMissing(claim.into()))?;
        let name = identifier(value).and_then(|text| Username::parse(&text).ok());
        name.ok_or_else(|| Denied::ClaimType(claim.into()))
    }

    /// An optional text, cut to `max` characters; empty is none.
    #[must_use]
    pub fn text(&self, claim: &str, max: usize) -> Option<String> {
        let text = self.get(claim)?.as_str()?.trim();
        let text: String = text.chars().filter(|c| !c.is_control()).take(max).collect();
        (!text.is_empty()).then_some(text)
    }

    /// A text, or a list of texts; `None` where the claim is absent.
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

    /// A `NumericDate` (RFC 7519, 2), which may have a fraction, in whole seconds.
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

/// From when until when a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Its end, in seconds since the epoch.
    pub end_s: i64,
    /// `iat`; where there is none, the earliest moment at which it can have been issued.
    pub issued_at_s: i64,
    /// `exp`, which no app can put off.
    pub exp_s: Option<i64>,
}

fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// Signs claims with a shared secret, with the header `{"typ":"JWT","alg":…}` in this order. `None`
/// for an algorithm that has none.
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
