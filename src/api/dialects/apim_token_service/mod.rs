//! The dialect of the IoT portal's access tokens, under `/apim-token-service`: an application
//! proves that it has its secret, and gets a token.
//!
//! `status` is 0, or an error code of that platform. For errors without a code, it is the HTTP
//! status.

mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{BesideHeaders, Dialect, Group, Route, handler};
use crate::api::http::shape::Answer;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Rule};

pub const DIALECT: Dialect = Dialect {
    name: "apim_token_service",
    summary: "Access tokens of applications, as the IoT portal issues them",
    prefixes: &["/apim-token-service"],
    keeps_prefixes: false,
    beside_headers: BesideHeaders::Nothing,
    refuses_undeclared: false,
    groups: &[&Group { parameters: &[], routes: ROUTES }],
    failure,
    failure_with: None,
    failure_shape: &wire::FAILURE,
    failure_type: "application/json",
};

const ROUTES: &[Route] = &[
    Route::of(
        "POST",
        "get_access_token",
        &["/apim-token-service/v2.0/token/get"],
        handler!(handlers::get),
    )
    .summary("Issues an application its access token; while that is valid, the same token again")
    .body(&wire::ApplicationProof::SHAPE)
    .refuses(&[401])
    .answers(Answer::json(200, &wire::AccessTokenIssued::SHAPE)),
    Route::of(
        "POST",
        "refresh_access_token",
        &["/apim-token-service/v2.0/token/refresh"],
        handler!(handlers::refresh),
    )
    .summary("Replaces an application's access token")
    .body(&wire::Refresh::SHAPE)
    .refuses(&[401])
    .answers(Answer::json(200, &wire::AccessTokenIssued::SHAPE)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let http_status = message::status(error);
    let code = match error {
        Error::Unauthenticated(denied) => code(denied).unwrap_or(http_status),
        Error::Invalid { rule: Rule::Presence, .. } => 1202,
        Error::Invalid { .. } => 1004,
        _ => http_status,
    };
    let message = match error {
        Error::Unauthenticated(Denied::BadSignature) => "encryption is invalid".to_owned(),
        other => message::sentence(other),
    };
    wire::failure(http_status, code, &message)
}

/// The documented code of a refused proof.
fn code(denied: &Denied) -> Option<u16> {
    match denied {
        Denied::Replayed => Some(1001),
        Denied::UnknownApplication => Some(1002),
        Denied::BadSignature => Some(1003),
        Denied::Expired => Some(1203),
        Denied::Missing
        | Denied::BadScheme
        | Denied::TooLong
        | Denied::NotThreeParts
        | Denied::BadBase64
        | Denied::BadJson
        | Denied::DoubledMember
        | Denied::UnknownAlgorithm
        | Denied::CriticalExtension
        | Denied::ClaimType(_)
        | Denied::ClaimMissing(_)
        | Denied::NoLifetime
        | Denied::NoApp
        | Denied::WrongParameter
        | Denied::WrongAlgorithm
        | Denied::NotYetValid
        | Denied::TooLongLived
        | Denied::Revoked
        | Denied::BadKey
        | Denied::KeyName
        | Denied::IssuerMismatch
        | Denied::AudienceMismatch
        | Denied::TypeRefused
        | Denied::PartyRefused
        | Denied::BoundToken
        | Denied::WrongPassword
        | Denied::StaleTimestamp => None,
    }
}
