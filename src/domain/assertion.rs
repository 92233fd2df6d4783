//! The assertion that the gateway sends to the origin: a short-lived JSON Web Token, signed by
//! Postern, that names the caller. By checking it, an origin can tell Postern's requests from
//! others.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};

use crate::domain::identity::user::{MAX_ROLES_BYTES, User};
use crate::domain::json;
use crate::domain::secret::{Secret, hmac_sha256, sha256};
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Curve;

/// The time for which an assertion is valid, in seconds.
pub const LIFETIME_S: i64 = 60;
/// The shortest shared secret, in bytes (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// The `typ` of the header. It keeps an assertion from being accepted as another kind of token.
const TYPE: &str = "postern+jwt";

/// `ORIGIN_ASSERTION_KEY` and `ORIGIN_ASSERTION_KEY_PREVIOUS`.
#[derive(Debug)]
pub struct AssertionKeys {
    /// Signs new assertions.
    pub current: AssertionKey,
    /// Signed earlier assertions, and signs nothing now. Its public half is still published.
    pub previous: Option<AssertionKey>,
}

#[derive(Debug)]
pub enum AssertionKey {
    /// Signs with HS256. The origin has the same secret.
    Shared(Secret),
    /// Signs with ES256. The origin fetches the public half.
    Private(PrivateKey),
}

/// A private key on P-256. Its parts are base64url, as in a JWK.
pub struct PrivateKey {
    x: String,
    y: String,
    d: Secret,
    id: String,
}

/// The claims of an assertion, without `iat` and `exp`.
pub struct Claims(Map<String, Value>);

impl AssertionKey {
    /// Reads a private JWK. Any other text is a shared secret. The error is a phrase to put after
    /// the variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            return PrivateKey::from_jwk(text).map(Self::Private);
        }
        if text.starts_with("-----BEGIN") {
            return Err("must be a private JWK or a shared secret, and is a PEM".to_owned());
        }
        if text.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "must have at least {MIN_SECRET_BYTES} bytes, or be a private JWK on P-256"
            ));
        }
        Ok(Self::Shared(Secret::new(text)))
    }

    /// The header and claims of an assertion made at `now`, in the form that is signed.
    #[must_use]
    pub fn text_to_sign(&self, claims: &Claims, now: Millis) -> String {
        let header = match self {
            Self::Shared(_) => json!({ "typ": TYPE, "alg": "HS256" }),
            Self::Private(key) => json!({ "typ": TYPE, "alg": "ES256", "kid": key.id }),
        };
        let mut claims = claims.0.clone();
        claims.insert("iat".to_owned(), json!(now.seconds()));
        claims.insert("exp".to_owned(), json!(now.seconds().saturating_add(LIFETIME_S)));
        let encoded = |part: Value| Base64UrlUnpadded::encode_string(part.to_string().as_bytes());
        [header, Value::Object(claims)].map(encoded).join(".")
    }
}

/// Joins the signed text and its signature into an assertion.
#[must_use]
pub fn compact(signed_text: &str, signature: &[u8]) -> String {
    format!("{signed_text}.{}", Base64UrlUnpadded::encode_string(signature))
}

/// Signs with HS256.
#[must_use]
pub fn sign_shared(secret: &Secret, text: &str) -> [u8; 32] {
    hmac_sha256(secret.expose(), text.as_bytes())
}

impl AssertionKeys {
    /// The public keys as members of a JWK Set (RFC 7517, section 5). `None` if all keys are shared
    /// secrets.
    #[must_use]
    pub fn published(&self) -> Option<Vec<Map<String, Value>>> {
        let keys = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        let public = keys.filter_map(|key| match key {
            AssertionKey::Private(key) => Some(key.public_jwk()),
            AssertionKey::Shared(_) => None,
        });
        Some(public.collect::<Vec<_>>()).filter(|keys| !keys.is_empty())
    }
}

impl PrivateKey {
    fn from_jwk(text: &str) -> Result<Self, String> {
        let jwk = json::parse_object(text.as_bytes())
            .map_err(|why| format!("is no readable JWK: {why}"))?;
        let is = |name: &str, wanted: &str| jwk.get(name).is_some_and(|value| value == wanted);
        let is_absent_or = |name: &str, wanted: &str| !jwk.contains_key(name) || is(name, wanted);
        if !is("kty", "EC") || !is("crv", Curve::P256.name()) {
            return Err(
                "must be a private JWK on P-256: \"kty\" must be EC, and \"crv\" P-256".to_owned()
            );
        }
        if !is_absent_or("alg", "ES256") || !is_absent_or("use", "sig") {
            return Err("must be a JWK for ES256: its \"alg\" or \"use\" says otherwise".to_owned());
        }
        let part = |name: &str| {
            let wrong =
                || format!("must be a private JWK with 32 bytes in base64url as \"{name}\"");
            let text = jwk.get(name).and_then(Value::as_str).ok_or_else(wrong)?;
            let bytes = Secret::new(Base64UrlUnpadded::decode_vec(text).map_err(|_| wrong())?);
            if bytes.len() == Curve::P256.bytes() { Ok(text) } else { Err(wrong()) }
        };
        let (x, y, d) = (part("x")?, part("y")?, Secret::new(part("d")?));
        let id = thumbprint(x, y);
        Ok(Self { x: x.to_owned(), y: y.to_owned(), d, id })
    }

    /// The members of the private JWK, for import by the platform.
    #[must_use]
    pub fn members(&self) -> [(&'static str, &str); 5] {
        let d = self.d.expose_text().unwrap_or_default();
        [("kty", "EC"), ("crv", Curve::P256.name()), ("x", &self.x), ("y", &self.y), ("d", d)]
    }

    /// The thumbprint of the public half, which is also its `kid`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn public_jwk(&self) -> Map<String, Value> {
        let members = [
            ("kty", "EC"),
            ("crv", Curve::P256.name()),
            ("x", &self.x),
            ("y", &self.y),
            ("kid", &self.id),
            ("use", "sig"),
            ("alg", "ES256"),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }
}

/// The thumbprint of a public key on P-256 (RFC 7638, section 3). It covers the required members in
/// the order of their names. Base64url coordinates need no escapes.
fn thumbprint(x: &str, y: &str) -> String {
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Base64UrlUnpadded::encode_string(&sha256(text.as_bytes()))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Claims {
    /// The claims that Postern, as `issuer`, makes for the origin, as `audience`. `app` is the
    /// token app of the caller's token.
    #[must_use]
    pub fn of(issuer: &str, audience: &str, user: &User, app: Option<&str>) -> Self {
        let profile = &user.profile;
        let roles = json!(profile.roles);
        let has_roles = roles.to_string().len() <= MAX_ROLES_BYTES;
        let members = [
            ("iss", Some(json!(issuer))),
            ("aud", Some(json!(audience))),
            ("sub", Some(json!(user.id.0.to_string()))),
            ("preferred_username", Some(json!(user.username.as_str()))),
            ("name", profile.name.as_ref().map(|name| json!(name))),
            ("email", profile.email.as_ref().map(|email| json!(email))),
            ("roles", has_roles.then_some(roles)),
            ("roles_truncated", (!has_roles).then_some(json!(true))),
            ("app", app.map(|app| json!(app))),
        ];
        Self(
            members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
        )
    }

    /// A digest of all claims.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(json!(self.0).to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7517, appendix A.2.
    const JWK: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;

    fn with(name: &str, value: Value) -> String {
        let mut jwk: Map<String, Value> = serde_json::from_str(JWK).unwrap();
        jwk.insert(name.to_owned(), value);
        json!(jwk).to_string()
    }

    #[test]
    fn a_private_jwk_is_for_es256_and_anything_else_long_enough_for_hs256() {
        assert!(matches!(AssertionKey::parse(JWK), Ok(AssertionKey::Private(_))));
        assert!(matches!(
            AssertionKey::parse(&with("alg", json!("ES256"))),
            Ok(AssertionKey::Private(_))
        ));
        assert!(matches!(AssertionKey::parse(&"x".repeat(32)), Ok(AssertionKey::Shared(_))));
        let wrong = [
            with("crv", json!("P-384")),
            with("kty", json!("RSA")),
            with("alg", json!("ES384")),
            with("use", json!("enc")),
            with("d", json!("AQ")),
            with("d", json!(1)),
            with("x", json!("AQ")),
            JWK.replace("\"d\"", "\"e\""),
            "{".to_owned(),
            "x".repeat(31),
            format!("-----BEGIN PRIVATE KEY-----\n{}", "x".repeat(64)),
        ];
        for text in wrong {
            let why = AssertionKey::parse(&text).unwrap_err();
            assert!(!why.contains("870MB6"), "{why}");
        }
    }

    #[test]
    fn nothing_private_is_published_or_printed() {
        let key = || AssertionKey::parse(JWK).unwrap();
        let keys = AssertionKeys { current: key(), previous: Some(key()) };
        let published = json!(keys.published().unwrap()).to_string();
        assert!(!published.contains("870MB6") && !format!("{keys:?}").contains("870MB6"));
        // The thumbprint was computed with jose 6, by `calculateJwkThumbprint`.
        assert!(
            published.contains(r#""kid":"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s""#),
            "{published}"
        );
        let shared = || AssertionKey::parse(&"x".repeat(32)).unwrap();
        assert_eq!(AssertionKeys { current: shared(), previous: None }.published(), None);
        let replaced = AssertionKeys { current: shared(), previous: Some(key()) };
        assert_eq!(replaced.published().map(|keys| keys.len()), Some(1));
    }
}
