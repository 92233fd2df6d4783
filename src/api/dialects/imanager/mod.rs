//! The dialect of the GIS manager, under `/imanager`: exchanges a user name and a password for a
//! token.

mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, BesideHeaders, Dialect, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, required};
use crate::domain::time::Millis;
use crate::error::{Denied, Error};

pub const DIALECT: Dialect = Dialect {
    name: "imanager",
    summary: "Opaque tokens, as the GIS manager issues them",
    prefixes: &["/imanager"],
    keeps_prefixes: false,
    beside_headers: BesideHeaders::Cookie,
    refuses_undeclared: false,
    groups: &[&Group { parameters: &[FORMAT], routes: ROUTES }],
    failure,
    failure_with: None,
    failure_shape: &wire::FAILURE,
    failure_type: "application/json",
};

const FORMAT: Field = required("format", Kind::TEXT, "a format");

const ROUTES: &[Route] = &[
    Route::of(
        "POST",
        "issue_token",
        &[
            "/imanager/cloud/security/tokens.json",
            "/imanager/cloud/security/tokens",
            "/imanager/security/tokens.json",
            "/imanager/security/tokens",
            "/imanager/icloud/security/tokens.json",
            "/imanager/icloud/security/tokens",
        ],
        handler!(handlers::issue_token),
    )
    .summary("Issues a token for a user name and a password; the body is the token itself")
    .decides("sign-in")
    .body(&wire::Account::SHAPE)
    .refuses(&[401, 403, 429])
    .answers(Answer::texts(200, &[("text/plain", "7ac687f1-51c3-46ad-8617-89d737d1ba0d")])),
    Route::of(
        "POST",
        "issue_token_in_another_format",
        &[
            "/imanager/cloud/security/tokens.{format}",
            "/imanager/security/tokens.{format}",
            "/imanager/icloud/security/tokens.{format}",
        ],
        handler!(handlers::other_format),
    )
    .summary("Refuses every format but json")
    .undocumented()
    .answers(Answer::empty(406)),
    Route::get(
        "sign_out",
        &[
            "/imanager/security/logout",
            "/imanager/cloud/security/logout",
            "/imanager/icloud/security/logout",
        ],
        handler!(handlers::sign_out),
    )
    .summary("Revokes the token or cookie of the request")
    .access(Access::SignedIn)
    .writes(true)
    .answers(Answer::json(200, &wire::SUCCEEDED)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let message = match error {
        Error::Unauthenticated(Denied::WrongPassword) => {
            "The user name or password is incorrect".to_owned()
        }
        Error::Unauthenticated(_) => "Not logged in".to_owned(),
        _ => message::sentence(error),
    };
    wire::failure(message::status(error), &message)
}
