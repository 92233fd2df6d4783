//! Endpoints for `OAuth` 2.0 software: introspection (RFC 7662), revocation (RFC 7009) and the
//! metadata that name both (RFC 8414).
//!
//! Failures follow RFC 6749, 5.2. Unknown parameters are ignored, as it requires.

mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, BesideHeaders, Dialect, Group, Keys, Route, handler};
use crate::api::http::shape::Answer;
use crate::domain::identity::machine_key::May;
use crate::domain::time::Millis;
use crate::error::Error;

pub const DIALECT: Dialect = Dialect {
    name: "oauth",
    summary: "Introspection and revocation of tokens, as OAuth 2.0 has them",
    prefixes: &["/v1/introspect", "/v1/revoke", "/.well-known/oauth-authorization-server"],
    keeps_prefixes: true,
    beside_headers: BesideHeaders::Nothing,
    refuses_undeclared: false,
    groups: &[&Group { parameters: &[], routes: ROUTES }],
    failure,
    failure_with: None,
    failure_shape: &wire::Failure::SHAPE,
    failure_type: "application/json",
};

const ROUTES: &[Route] = &[
    Route::of("POST", "introspect", &["/v1/introspect"], handler!(handlers::introspect))
        .summary("Tells whether a token is valid and whose it is (RFC 7662)")
        .decides("introspect")
        .about(
            "The body is a form, or JSON. Administrators and keys with `decisions` may ask about \
             every token, users about their own. For an invalid token, and for a caller who may \
             not ask, the answer is `{\"active\":false}`. It is the same for keys for machines, \
             which are valid only at Postern's own endpoints. An unknown user of a token app is \
             created, as by `/v1/verify`.",
        )
        .access(Access::Client)
        .keys(Keys::With(May::Decisions))
        .writes(false)
        .body(&wire::Sent::SHAPE)
        .refuses(&[406, 503])
        .answers(Answer::json(200, &wire::Introspection::SHAPE)),
    Route::of("POST", "revoke", &["/v1/revoke"], handler!(handlers::revoke))
        .summary("Revokes a token: opaque, a JSON Web Token, or a key for machines (RFC 7009)")
        .about(
            "The body is a form, or JSON. Administrators may revoke every token, others their own; \
             a key may revoke itself. The answer is 200 also for an unknown or expired token. It \
             is 200 also for a token of another user, which is not revoked; the audit trail \
             records the attempt. At `/v1/revocations` every holder of a token can revoke it.",
        )
        .access(Access::Client)
        .keys(Keys::All)
        .body(&wire::Sent::SHAPE)
        .refuses(&[503])
        .answers(Answer::empty(200)),
    Route::get(
        "show_metadata",
        &["/.well-known/oauth-authorization-server"],
        handler!(handlers::metadata),
    )
    .summary("Tells clients where introspection and revocation are (RFC 8414)")
    .about(
        "The answer is 404 if PUBLIC_ORIGIN is not set. Postern issues no tokens by a grant of \
         OAuth, so there is no `token_endpoint` and no `response_types_supported`. The answer \
         may be cached for five minutes.",
    )
    .refuses(&[404])
    .answers(Answer::json(200, &wire::Metadata::SHAPE)),
];

/// Seconds until a client may try again, unless the fault tells it (RFC 7009, 2.2.1).
const RETRY_AFTER_S: &str = "5";

fn failure(error: &Error, _: Millis) -> Response {
    let sentence = message::sentence(error);
    let response = Response::json(
        message::status(error),
        &wire::Failure { error: word(error), description: &sentence },
    );
    match error {
        Error::Unavailable(fault) if fault.retry_after_s().is_none() => {
            response.with("retry-after", RETRY_AFTER_S)
        }
        _ => response,
    }
}

fn word(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated(_) => "invalid_client",
        Error::Forbidden(_) => "access_denied",
        Error::Invalid { .. }
        | Error::NotFound { .. }
        | Error::MethodNotAllowed { .. }
        | Error::NotAcceptable { .. }
        | Error::Conflict { .. }
        | Error::AlreadyExists { .. }
        | Error::UnsupportedMediaType { .. }
        | Error::TooLarge { .. } => "invalid_request",
        Error::TooMany { .. } | Error::Unavailable(_) | Error::Misconfigured(_) => {
            "temporarily_unavailable"
        }
        Error::OriginFailed(_) | Error::OriginTimedOut { .. } | Error::Internal(_) => {
            "server_error"
        }
    }
}
