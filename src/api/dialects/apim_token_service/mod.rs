//! The dialect of the IoT portal's access tokens, under `/apim-token-service`: an application's proof for a token.
//!
//! `status` is 0, or a code of the platform's; where it has none, the HTTP status.

mod handlers;
mod wire;

use crate::api::http::message::{self, Response};
use crate::api::http::route::{Dialect, Route, handler};
use crate::api::http::shape::Answer;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Rule};

/// The dialect.
pub const DIALECT: Dialect = Dialect {
    name: "apim_token_service",
    summary: "Access tokens of applications, as the IoT portal issues them",
    prefixes: &["/apim-token-service"],
    takes_parameters: false,
    routes: ROUTES,
    failure,
    failure_shape: &wire::FAILURE,
    failure_type: "application/json",
};

const ROUTES: &[Route] = &[
    Route::of("POST", "get_access_token", &["/apim-token-service/v2.0/token/get"], handler!(handlers::get))
        .summary("Issues an application its access token; while one counts, the same again")
        .body(&wire::PROOF)
        .answers(Answer::json(200, &wire::ISSUED)),
    Route::of("POST", "refresh_access_token", &["/apim-token-service/v2.0/token/refresh"], handler!(handlers::refresh))
        .summary("Replaces an application's access token by a new one")
        .body(&wire::REFRESH)
        .answers(Answer::json(200, &wire::ISSUED)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let http_status = message::status(error);
    let code = match error {
        Error::Unauthenticated(Denied::Replayed) => 1001,
        Error::Unauthenticated(Denied::UnknownApplication) => 1002,
        Error::Unauthenticated(Denied::BadSignature) => 1003,
        Error::Unauthenticated(Denied::Expired) => 1203,
        Error::Invalid { rule: Rule::Presence, .. } => 1202,
        Error::Invalid { .. } => 1004,
        Error::Unauthenticated(_)
        | Error::Forbidden(_)
        | Error::NotFound { .. }
        | Error::MethodNotAllowed { .. }
        | Error::NotAcceptable { .. }
        | Error::Conflict { .. }
        | Error::AlreadyExists { .. }
        | Error::TooLarge { .. }
        | Error::TooMany { .. }
        | Error::OriginFailed(_)
        | Error::OriginTimedOut { .. }
        | Error::Unavailable(_)
        | Error::Misconfigured(_)
        | Error::Internal(_) => http_status,
    };
    let message = match error {
        Error::Unauthenticated(Denied::BadSignature) => "encryption is invalid".to_owned(),
        other => message::sentence(other),
    };
    wire::failure(http_status, code, &message)
}
