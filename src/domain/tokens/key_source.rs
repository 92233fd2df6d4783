//! The place where an issuer publishes its keys: the URL of a set, or the URL that its metadata
//! names (OIDC Discovery 1.0, section 4; RFC 8414, section 3).

use std::fmt;

use serde_json::Value;

use crate::domain::json;
use crate::domain::tokens::fetch_problem::FetchProblem;
use crate::domain::tokens::policy::TENANT;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySource {
    Url(HttpsUrl),
    /// The metadata of this issuer names the URL.
    Issuer(IssuerUrl),
}

/// An `https://` URL without user information and without a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpsUrl(String);

/// An issuer identifier (RFC 8414, section 2). Issuers are compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerUrl(String);

/// The members of an issuer's metadata that Postern uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The URL of the issuer's keys.
    pub jwks_uri: HttpsUrl,
}

impl HttpsUrl {
    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("https://") else {
            return Err("must be an https:// URL".to_owned());
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return Err("must be a URL without a user name or password".to_owned());
        }
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if host.is_empty() || !is_plain || text.contains('#') || text.len() > 2048 {
            return Err(
                "must be an https:// URL of at most 2048 printable characters, without a fragment"
                    .to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL as an issuer identifier, to look for metadata. `None` if it cannot be one.
    #[must_use]
    pub fn as_issuer(&self) -> Option<IssuerUrl> {
        IssuerUrl::parse(&self.0).ok()
    }
}

impl IssuerUrl {
    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        HttpsUrl::parse(text)?;
        if text.contains('?') {
            return Err("must be an issuer, which is an https:// URL without a query".to_owned());
        }
        if text.replacen(TENANT, "", 1).contains(['{', '}']) || text.len() > 1024 {
            return Err(format!(
                "must be an https:// URL of at most 1024 characters; \
                 of braces it may have {TENANT} only"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URLs at which the metadata may be, in the order in which they are tried. An issuer for
    /// all tenants has its own metadata below `common`.
    #[must_use]
    pub fn metadata_urls(&self) -> Vec<HttpsUrl> {
        let whole = self.0.replacen(TENANT, "common", 1);
        let base = whole.trim_end_matches('/');
        let (host, path) = base.split_at(
            base.get(8..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| at + 8),
        );
        let mut urls = vec![
            format!("{base}/.well-known/openid-configuration"),
            format!("{host}/.well-known/oauth-authorization-server{path}"),
        ];
        if !path.is_empty() {
            urls.push(format!("{host}/.well-known/openid-configuration{path}"));
        }
        urls.into_iter().map(HttpsUrl).collect()
    }
}

impl Metadata {
    /// Reads the metadata of an issuer. Fails if it names another issuer (RFC 8414, section 3.3).
    pub fn read(text: &[u8], issuer: &IssuerUrl) -> Result<Self, FetchProblem> {
        let (found, jwks_uri) = names(text).map_err(FetchProblem::NotMetadata)?;
        if found != issuer.as_str() {
            return Err(FetchProblem::IssuerMismatch { found: found.chars().take(200).collect() });
        }
        HttpsUrl::parse(&jwks_uri)
            .map(|jwks_uri| Self { jwks_uri })
            .map_err(FetchProblem::BadKeysUrl)
    }

    /// The problem to report if the text is an issuer's metadata where a key set was expected.
    #[must_use]
    pub fn in_place_of_a_set(text: &[u8]) -> Option<FetchProblem> {
        let (issuer, jwks_uri) =
            names(text).ok().filter(|(issuer, jwks_uri)| issuer.len() + jwks_uri.len() <= 4096)?;
        Some(FetchProblem::IsMetadata { issuer, jwks_uri })
    }
}

/// Reads `issuer` and `jwks_uri`. The error is a phrase to put after "it".
fn names(text: &[u8]) -> Result<(String, String), String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let json = json::parse_object(text).map_err(|why| format!("must be readable JSON: {why}"))?;
    let member = |name: &str| {
        json.get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("must have a text {name:?}"))
    };
    Ok((member("issuer")?, member("jwks_uri")?))
}

impl KeySource {
    /// The URL or issuer that was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Url(url) => url.as_str(),
            Self::Issuer(issuer) => issuer.as_str(),
        }
    }
}

/// For the log. The query is left out, because it may have an API key in it.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().split('?').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_in_three_places() {
        let urls = |issuer: &str| {
            let issuer = IssuerUrl::parse(issuer).expect("an issuer");
            issuer.metadata_urls().iter().map(|url| url.as_str().to_owned()).collect::<Vec<_>>()
        };
        let of_keycloak = [
            "https://idp.test/realms/a/.well-known/openid-configuration",
            "https://idp.test/.well-known/oauth-authorization-server/realms/a",
            "https://idp.test/.well-known/openid-configuration/realms/a",
        ];
        assert_eq!(urls("https://idp.test/realms/a"), of_keycloak);
        let of_auth0 = [
            "https://tenant.auth0.test/.well-known/openid-configuration",
            "https://tenant.auth0.test/.well-known/oauth-authorization-server",
        ];
        assert_eq!(urls("https://tenant.auth0.test/"), of_auth0);
        assert_eq!(urls("https://tenant.auth0.test"), of_auth0);
        assert_eq!(
            urls("https://login.test/{tenantid}/v2.0")[0],
            "https://login.test/common/v2.0/.well-known/openid-configuration"
        );
    }

    #[test]
    fn metadata_is_believed_of_its_own_issuer_only() {
        let issuer = IssuerUrl::parse("https://idp.test/{tenantid}/").expect("an issuer");
        let read = |issuer_member: &str, jwks_uri: &str| {
            let text =
                serde_json::json!({ "issuer": issuer_member, "jwks_uri": jwks_uri }).to_string();
            Metadata::read(text.as_bytes(), &issuer).map_err(|problem| problem.word())
        };
        assert!(read("https://idp.test/{tenantid}/", "https://keys.test/").is_ok());
        for other in [
            "https://idp.test/{tenantid}",
            "https://idp.test/common/",
            "HTTPS://idp.test/{tenantid}/",
            "",
        ] {
            assert_eq!(read(other, "https://keys.test/"), Err("issuer_mismatch"), "{other}");
        }
        for uri in ["http://keys.test/", "https://user@keys.test/", "/keys", ""] {
            assert_eq!(read("https://idp.test/{tenantid}/", uri), Err("bad_jwks_uri"), "{uri}");
        }
        for text in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"issuer":"https://idp.test/{tenantid}/"}"#,
            r#"{"issuer":1,"jwks_uri":"https://keys.test/"}"#,
        ] {
            assert_eq!(
                Metadata::read(text.as_bytes(), &issuer).map_err(|problem| problem.word()),
                Err("not_metadata"),
                "{text}"
            );
        }
        let doubled = r#"{"issuer":"https://evil.test","issuer":"https://idp.test/{tenantid}/",
            "jwks_uri":"https://keys.test/"}"#;
        assert_eq!(
            Metadata::read(doubled.as_bytes(), &issuer).map_err(|problem| problem.word()),
            Err("not_metadata")
        );
    }

    #[test]
    fn an_issuer_is_an_https_url_without_query_or_fragment() {
        for wrong in [
            "http://idp.test",
            "https://u@idp.test",
            "https://idp.test/?a",
            "https://idp.test/#a",
            "https://idp.test/{x}",
            "https://",
            "idp.test",
        ] {
            assert!(IssuerUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
