//! The JSON of `OAuth`: RFC 7662, 2.2; RFC 8414, 2; RFC 6749, 5.2.

use serde_json::Value;

use crate::actions::introspection::Introspected;
use crate::api::http::body::Fields;
use crate::api::http::declare::{Member, Sometimes, answer, request};
use crate::api::http::shape::Kind;
use crate::error::{Error, Result};

request! {
    pub(super) struct Sent as "OAuthToken" {
        "token" token: Present => "the token itself",
        "token_type_hint" _hint: Option<String> =>
            "the kind of token; ignored, because the token itself tells it",
    } example r#"{"token":"7ac687f1-51c3-46ad-8617-89d737d1ba0d","token_type_hint":"access_token"}"#
}

/// A required text. An empty one is reported as missing (RFC 6749, 3.2).
pub(super) struct Present(pub(super) String);

impl Member for Present {
    const KIND: Kind = Kind::text(1, usize::MAX);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let text = fields.text(name)?.filter(|text| !text.is_empty());
        text.map(|text| Self(text.to_owned())).ok_or_else(|| Error::missing(name))
    }
}

answer! {
    /// An introspection. For an inactive token only `active` is sent.
    pub(super) struct Introspection<'a> as "Introspection" {
        "active" active: bool => "whether the token is valid, and the caller may ask about it",
        "token_type" token_type: Sometimes<&'static str> as Kind::OneOf(&["Bearer"]) =>
            "the scheme with which the token is sent",
        "username" username: Sometimes<&'a str> => "the user name of the token's user",
        "sub" subject: Sometimes<String> => "the user's id",
        "client_id" client: Sometimes<&'a str> =>
            "the token app; postern for an opaque token of Postern",
        "exp" expires_at: Sometimes<i64> => "when it expires, epoch seconds",
        "iat" issued_at: Sometimes<i64> => "when it was issued, epoch seconds",
        "iss" issuer: Sometimes<&'a str> => "`PUBLIC_ORIGIN`, for an opaque token of Postern",
        "aud" audience: Sometimes<&'a Value> => "the audience: a string, or a list of strings",
        "scope" scope: Sometimes<&'a str> => "its scopes, separated by spaces",
        "jti" id: Sometimes<&'a str> => "its id",
    } example r#"{
        "active":true,"token_type":"Bearer","username":"alice","sub":"7","client_id":"ERP",
        "exp":1737687504,"iat":1737683904,"aud":"bi","scope":"read","jti":"b6f1"
    }"#
}

impl<'a> Introspection<'a> {
    pub(super) fn of(introspected: Option<&'a Introspected>) -> Self {
        Self {
            active: introspected.is_some(),
            token_type: Sometimes(introspected.map(|_| "Bearer")),
            username: Sometimes(introspected.map(|of| of.username.as_str())),
            subject: Sometimes(introspected.map(|of| of.user_id.0.to_string())),
            client: Sometimes(introspected.map(|of| of.client.as_str())),
            expires_at: Sometimes(introspected.map(|of| of.expires_at_s)),
            issued_at: Sometimes(introspected.and_then(|of| of.issued_at_s)),
            issuer: Sometimes(introspected.and_then(|of| of.issuer.as_deref())),
            audience: Sometimes(introspected.and_then(|of| of.audience.as_ref())),
            scope: Sometimes(introspected.and_then(|of| of.scope.as_deref())),
            id: Sometimes(introspected.and_then(|of| of.id.as_deref())),
        }
    }
}

answer! {
    /// Postern's metadata for clients of `OAuth`. Empty members are omitted (RFC 8414, 3.2).
    pub(super) struct Metadata as "AuthorizationServerMetadata" {
        "issuer" issuer: String => "PUBLIC_ORIGIN",
        "introspection_endpoint" introspection_endpoint: String => "the URL of introspection",
        "introspection_endpoint_auth_methods_supported"
            introspection_methods: &'static [&'static str] =>
            "how a client authenticates there",
        "revocation_endpoint" revocation_endpoint: String => "the URL of revocation",
        "revocation_endpoint_auth_methods_supported" revocation_methods: &'static [&'static str] =>
            "how a client authenticates there",
        "jwks_uri" jwks_uri: Sometimes<String> =>
            "the keys of X-Postern-Assertion, if public ones are published",
        "service_documentation" documentation: String => "a page for people",
    } example r#"{
        "issuer":"https://gate.example.com",
        "introspection_endpoint":"https://gate.example.com/v1/introspect",
        "introspection_endpoint_auth_methods_supported":["client_secret_basic","Bearer"],
        "revocation_endpoint":"https://gate.example.com/v1/revoke",
        "revocation_endpoint_auth_methods_supported":["client_secret_basic"],
        "service_documentation":"https://gate.example.com/v1/"
    }"#
}

answer! {
    pub(super) struct Failure<'a> as "OAuthFailure" {
        "error" error: &'static str => "one of the words of RFC 6749",
        "error_description" description: &'a str => "what is wrong",
    } example r#"{"error":"invalid_request","error_description":"token is required"}"#
}
