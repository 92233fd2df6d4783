//! The introspection endpoint of an app (RFC 7662), and the credential that Postern sends to it.

use base64ct::{Base64, Encoding};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::secret::Secret;
use crate::domain::tokens::key_source::HttpsUrl;
use crate::domain::tokens::policy::Policy;

/// Characters that a form need not encode. A space becomes `%20`, which servers that expect a plus
/// also accept.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The introspection endpoint of an app, with the client's credential.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub url: HttpsUrl,
    client_id: String,
    secret: Secret,
}

impl Endpoint {
    /// Reads the endpoint of an app. The error is the name of a member, and a phrase to put after
    /// it.
    pub fn of(policy: &Policy, secret: &Secret) -> Result<Self, (&'static str, String)> {
        let url = policy
            .introspection_endpoint
            .as_deref()
            .ok_or(("introspectionEndpoint", REQUIRED.to_owned()))?;
        let client_id = policy
            .introspection_client_id
            .clone()
            .ok_or(("introspectionClientId", REQUIRED.to_owned()))?;
        let url = HttpsUrl::parse(url).map_err(|why| ("introspectionEndpoint", why))?;
        if secret.expose().trim_ascii().is_empty() || secret.expose_text().is_none() {
            return Err(("secret", "must be the client secret for the endpoint".to_owned()));
        }
        Ok(Self { url, client_id, secret: secret.clone() })
    }

    /// The value of `Authorization` for Basic. Both parts are form-encoded (RFC 6749, section
    /// 2.3.1).
    #[must_use]
    pub fn authorization(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, AS_IT_IS).to_string();
        let both = format!(
            "{}:{}",
            encoded(&self.client_id),
            encoded(self.secret.expose_text().unwrap_or_default())
        );
        format!("Basic {}", Base64::encode_string(both.as_bytes()))
    }

    /// The form body that asks about a token.
    #[must_use]
    pub fn question(token: &str) -> String {
        format!("token={}&token_type_hint=access_token", utf8_percent_encode(token, AS_IT_IS))
    }
}

const REQUIRED: &str = "is required with the algorithm introspection";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_is_encoded_like_a_form() {
        let policy = Policy {
            introspection_endpoint: Some("https://idp.test/introspect".to_owned()),
            introspection_client_id: Some("gate: a+b".to_owned()),
            ..Policy::default()
        };
        let endpoint = Endpoint::of(&policy, &Secret::new("p%ss w/\u{e4}")).unwrap();
        let sent = endpoint.authorization();
        let decoded = Base64::decode_vec(sent.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(decoded, b"gate%3A%20a%2Bb:p%25ss%20w%2F%C3%A4");
        assert_eq!(Endpoint::question("a+b/c="), "token=a%2Bb%2Fc%3D&token_type_hint=access_token");
    }
}
