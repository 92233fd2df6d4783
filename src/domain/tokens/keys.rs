//! The keys of an app, read from its `secret`: a shared secret, public keys, or the place where the
//! issuer publishes them.

use std::cell::OnceCell;
use std::fmt;

use serde_json::{Map, Value};

use crate::domain::json;
use crate::domain::secret::{Secret, sha256_of};
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::introspection_endpoint::Endpoint;
use crate::domain::tokens::jwk::{self, IssuerKey};
use crate::domain::tokens::key_set::KeySet;
use crate::domain::tokens::key_source::{HttpsUrl, IssuerUrl, KeySource};
use crate::domain::tokens::policy::Policy;
use crate::domain::tokens::public_key::{KeyId, NO_KEY, PublicKey};
use crate::domain::tokens::public_key_recognition::recognize_public_key;

/// In bytes.
pub const MAX_SECRET_BYTES: usize = 16 * 1024;

/// The keys that verify an app's tokens. A public key is never used as a shared secret.
#[derive(Debug, Clone)]
pub enum Keys {
    /// No key is usable. No current master key decrypts the secret, or it does not fit the
    /// algorithm.
    None,
    Shared(SharedKey),
    /// Public keys that were registered.
    Public(KeySet),
    /// Public keys that the issuer publishes.
    Published(KeySource),
    /// No key. Postern asks the issuer about each token.
    Introspected(Endpoint),
}

/// A shared secret with its id.
#[derive(Clone)]
pub struct SharedKey {
    pub secret: Secret,
    id: OnceCell<KeyId>,
}

impl Keys {
    /// Reads a secret in the form that the algorithm needs. The error is a phrase to put after the
    /// field's name.
    pub fn parse(algorithm: Algorithm, secret: &Secret) -> Result<Self, String> {
        if secret.len() > MAX_SECRET_BYTES {
            return Err(format!("must have at most {MAX_SECRET_BYTES} bytes"));
        }
        if algorithm.has_shared_secret() {
            return shared(algorithm, secret);
        }
        let text = secret.expose_text().ok_or(NO_KEY)?.trim();
        if text.starts_with('{') {
            return from_json(algorithm, text);
        }
        if text.contains("://") {
            return HttpsUrl::parse(text).map(|url| Self::Published(KeySource::Url(url)));
        }
        let key = PublicKey::from_pem(text)?;
        key.fits(algorithm)?;
        Ok(Self::Public(KeySet::of(key.into())))
    }

    /// Whether the keys verify tokens for many audiences. They do if the issuer publishes them or
    /// is asked.
    #[must_use]
    pub fn are_of_issuer(&self) -> bool {
        matches!(self, Self::Published(_) | Self::Introspected(_))
    }

    /// The keys that the issuer's metadata leads to. The error is a phrase to put after the field's
    /// name.
    pub fn discovered(issuer: &str) -> Result<Self, String> {
        IssuerUrl::parse(issuer).map(|issuer| Self::Published(KeySource::Issuer(issuer)))
    }

    /// Reads a stored secret. One that does not fit gives [`Self::None`], which verifies nothing.
    #[must_use]
    pub fn stored(algorithm: Algorithm, secret: Option<&Secret>) -> Self {
        secret.and_then(|secret| Self::parse(algorithm, secret).ok()).unwrap_or(Self::None)
    }

    /// The keys of an app, from its stored secret or from its issuer's metadata.
    #[must_use]
    pub fn of_app(algorithm: Algorithm, policy: &Policy, secret: Option<&Secret>) -> Self {
        match &policy.issuer {
            Some(issuer) if policy.discover && !algorithm.has_shared_secret() => {
                Self::discovered(issuer).unwrap_or(Self::None)
            }
            _ if policy.discover => Self::None,
            _ if algorithm == Algorithm::Introspection => secret
                .and_then(|secret| Endpoint::of(policy, secret).ok())
                .map_or(Self::None, Self::Introspected),
            _ => Self::stored(algorithm, secret),
        }
    }

    /// The length in bytes of a shared secret.
    #[must_use]
    pub fn secret_bytes(&self) -> Option<usize> {
        match self {
            Self::Shared(key) => Some(key.secret.len()),
            Self::None | Self::Public(_) | Self::Published(_) | Self::Introspected(_) => None,
        }
    }
}

fn shared(algorithm: Algorithm, secret: &Secret) -> Result<Keys, String> {
    let secret = shared_secret(algorithm, secret)?;
    if secret.expose().iter().all(u8::is_ascii_whitespace) {
        return Err("must not be blank".to_owned());
    }
    let url = || {
        let text = secret.expose_text()?.trim().trim_matches(['"', '\'']);
        HttpsUrl::parse(text).is_ok().then_some("the URL of a JWK Set")
    };
    match recognize_public_key(secret.expose()).or_else(url) {
        Some(what) => Err(format!(
            "is {what}, which is no shared secret: an HS algorithm needs the secret itself"
        )),
        None => Ok(Keys::Shared(SharedKey { secret, id: OnceCell::new() })),
    }
}

/// The bytes that sign under an HS algorithm: those of an `oct` JWK (RFC 7518, section 6.4), or the
/// secret itself. The error is a phrase to put after the field's name.
pub fn shared_secret(algorithm: Algorithm, secret: &Secret) -> Result<Secret, String> {
    let is_oct = |jwk: &Map<String, Value>| jwk.get("kty").is_some_and(|kind| kind == "oct");
    match json::parse_object(secret.expose().trim_ascii()).ok().filter(is_oct) {
        Some(jwk) => jwk::shared_bytes(&jwk, algorithm).map(Secret::new),
        None => Ok(secret.clone()),
    }
}

fn from_json(algorithm: Algorithm, text: &str) -> Result<Keys, String> {
    let json = json::parse_object(text.as_bytes())
        .map_err(|why| format!("must be readable JSON: {why}"))?;
    let Some(keys) = json.get("keys") else {
        let key = IssuerKey::from_jwk(&json)?;
        key.fits(algorithm)?;
        return Ok(Keys::Public(KeySet::of(key)));
    };
    let mut members = keys.as_array().into_iter().flatten().filter_map(Value::as_object);
    if members.any(jwk::is_private) {
        return Err(
            "must hold public keys only: private and shared keys belong to the issuer alone"
                .to_owned(),
        );
    }
    let set = KeySet::from_members(&json)?;
    if set.choose(algorithm, None).is_empty() {
        return Err(format!("must hold a key for {algorithm}: of this set none can be used"));
    }
    Ok(Keys::Public(set))
}

impl SharedKey {
    /// An id of the secret. It never equals the id of a public key, because that is the SHA-256 of
    /// a different kind of text. Whoever knows the id can guess secrets offline, so it must stay in
    /// memory.
    #[must_use]
    pub fn id(&self) -> KeyId {
        *self.id.get_or_init(|| sha256_of(&[b"shared secret:", self.secret.expose()]))
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(algorithm: Algorithm, secret: &str, why: &str) {
        let error = Keys::parse(algorithm, &Secret::new(secret)).expect_err(secret);
        assert!(error.contains(why), "{secret}: {error}");
    }

    #[test]
    fn a_public_key_or_a_blank_is_no_shared_secret() {
        for blank in ["", " ", "\n\t "] {
            refused(Algorithm::Hs256, blank, "blank");
        }
        let bare = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let jwk =
            r#" {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for key in [
            "-----BEGIN PUBLIC KEY-----\nMIIB",
            " \n\t-----BEGIN PUBLIC KEY-----",
            bare,
            jwk,
            &format!(r#"{{"keys":[{jwk}]}}"#),
            "https://issuer.example/keys",
        ] {
            refused(Algorithm::Hs256, key, "which is no shared secret");
            assert!(
                matches!(Keys::stored(Algorithm::Hs256, Some(&Secret::new(key))), Keys::None),
                "{key}"
            );
        }
        assert!(matches!(Keys::parse(Algorithm::Hs256, &Secret::new("abcd")), Ok(Keys::Shared(_))));
        assert!(matches!(Keys::parse(Algorithm::EdDsa, &Secret::new(bare)), Ok(Keys::Public(_))));
    }

    #[test]
    fn a_url_of_a_set_is_https_and_has_no_user_name() {
        for right in [
            "https://issuer.example",
            " https://issuer.example:8443/jwks.json?tenant=a/b@c ",
            "https://[2001:db8::1]/keys",
        ] {
            assert!(
                matches!(
                    Keys::parse(Algorithm::Rs256, &Secret::new(right)),
                    Ok(Keys::Published(_))
                ),
                "{right}"
            );
        }
        let cases = [
            ("http://issuer.example/keys", "must be an https:// URL"),
            ("HTTPS://issuer.example/keys", "must be an https:// URL"),
            ("ftp://issuer.example/keys", "must be an https:// URL"),
            ("x https://issuer.example/keys", "must be an https:// URL"),
            ("https://user:password@issuer.example/keys", "without a user name or password"),
            ("https://user@issuer.example", "without a user name or password"),
            ("https://", "printable characters"),
            ("https:///keys", "printable characters"),
            ("https://issuer.example/keys#1", "without a fragment"),
            ("https://issuer.example/a b", "printable characters"),
            ("https://issuer.example\\@evil.example/", "without a user name"),
            ("https://issuer.example/\\", "printable characters"),
            ("https://issuer.\u{e4}/", "printable characters"),
            (&format!("https://issuer.example/{}", "x".repeat(2048)), "at most 2048"),
        ];
        for (url, why) in cases {
            refused(Algorithm::Es256, url, why);
        }
    }

    #[test]
    fn a_shared_secret_is_no_public_key() {
        for secret in ["abcd", "", "************", "{}", "[]", &"x".repeat(MAX_SECRET_BYTES + 1)] {
            refused(Algorithm::Rs256, secret, "must ");
        }
    }
}
