//! Handlers of the `OAuth` endpoints.

use super::wire::{Introspection, Metadata, Present, Sent};
use crate::actions::{introspection, revocations};
use crate::api::http::declare::{Request, Sometimes};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::assertion::AssertionKeys;
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

/// The media type of introspection as a signed token (RFC 9701), which Postern does not offer.
const SIGNED: &str = "token-introspection+jwt";

/// Clients may cache the metadata for five minutes.
const CACHING: &str = "public, max-age=300";

pub(super) async fn introspect(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let accepts = call.request.header("accept").unwrap_or_default();
    if accepts.contains(SIGNED) && !accepts.contains("application/json") && !accepts.contains("*/*")
    {
        return Err(Error::NotAcceptable { format: SIGNED.to_owned() });
    }
    let introspected = introspection::introspect(cx, call.caller()?, &token(call).await?).await?;
    cx.noted.answered(introspected.is_some());
    Ok(Response::json(200, &Introspection::of(introspected.as_ref())))
}

pub(super) async fn revoke(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    revocations::revoke_own(cx, call.caller()?, &token(call).await?).await?;
    Ok(Response::empty(200))
}

/// The token in the body. A token in the URL is ignored, because URLs are logged (RFC 7662, 2.1).
async fn token(call: &Call<'_>) -> Result<PlainToken> {
    let Sent { token: Present(token), .. } = Sent::read(&call.fields().await?)?;
    Ok(PlainToken::new(token))
}

pub(super) async fn metadata(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    let none = || Error::not_found("metadata", "to publish: PUBLIC_ORIGIN is not set");
    let issuer = cx.config.browsers.public_origin.clone().ok_or_else(none)?;
    let published = cx.config.assertion_keys.as_ref().and_then(AssertionKeys::published);
    let metadata = Metadata {
        introspection_endpoint: format!("{issuer}/v1/introspect"),
        introspection_methods: &["client_secret_basic", "Bearer"],
        revocation_endpoint: format!("{issuer}/v1/revoke"),
        revocation_methods: &["client_secret_basic"],
        jwks_uri: Sometimes(published.map(|_| format!("{issuer}/.well-known/jwks.json"))),
        documentation: format!("{issuer}/v1/"),
        issuer,
    };
    Ok(Response::json(200, &metadata).with("cache-control", CACHING))
}
