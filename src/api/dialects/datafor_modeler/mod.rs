//! The dialect of the BI suite's token apps, under `/plugin/datafor-modeler/api`.
//!
//! A success carries `"success":true`. A failure is
//! `{"success":false,"code":"403","msg":…,"type":"1"}`: `code` is the HTTP status as a string.

mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, BesideHeaders, Dialect, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind, required};
use crate::domain::time::Millis;
use crate::error::Error;

pub const DIALECT: Dialect = Dialect {
    name: "datafor_modeler",
    summary: "Token apps of the BI suite",
    prefixes: &["/plugin/datafor-modeler/api"],
    keeps_prefixes: false,
    beside_headers: BesideHeaders::Parameters,
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
        "update_token_app",
        &[
            "/plugin/datafor-modeler/api/token/updateAuthorization",
            "/plugin/datafor-modeler/api/token/update",
        ],
        handler!(handlers::update),
    )
    .summary("Creates a token app, or replaces it as a whole")
    .access(Access::Administrator)
    .body(&wire::CONFIGURATION)
    .answers(Answer::json(200, &wire::Done::SHAPE)),
    Route::get(
        "list_token_apps",
        &["/plugin/datafor-modeler/api/token/list"],
        handler!(handlers::list),
    )
    .summary("Lists all token apps, ordered by name")
    .access(Access::Administrator)
    .answers(Answer::json(200, &wire::List::SHAPE)),
    Route::get(
        "get_token_app",
        &["/plugin/datafor-modeler/api/token/content"],
        handler!(handlers::content),
    )
    .summary("Shows one token app, its secret masked")
    .access(Access::Administrator)
    .query(&[required("name", Kind::text(1, usize::MAX), "the app's name")])
    .refuses(&[404])
    .answers(Answer::json(200, &wire::Content::SHAPE)),
    Route::of(
        "POST",
        "delete_token_app",
        &["/plugin/datafor-modeler/api/token/delete"],
        handler!(handlers::delete),
    )
    .summary("Deletes a token app; an unknown name is skipped")
    .access(Access::Administrator)
    .body(&wire::Name::SHAPE)
    .answers(Answer::json(200, &wire::Done::SHAPE)),
    Route::of(
        "POST",
        "delete_token_apps",
        &["/plugin/datafor-modeler/api/token/deleteBatch"],
        handler!(handlers::delete_batch),
    )
    .summary("Deletes token apps, all of them or none; unknown names are skipped")
    .access(Access::Administrator)
    .takes(wire::NAMES)
    .answers(Answer::json(200, &wire::Done::SHAPE)),
    Route::of(
        "POST",
        "generate_token",
        &["/plugin/datafor-modeler/api/token/generate"],
        handler!(handlers::generate),
    )
    .summary("Signs a token for a token app, with a secret that the caller brings")
    .access(Access::Administrator)
    .writes(false)
    .body(&wire::Generate::SHAPE)
    .answers(Answer::json(200, &wire::Signed::SHAPE)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let message = match error {
        Error::Unauthenticated(_) => "not logged in".to_owned(),
        Error::Forbidden(_) => "no permission".to_owned(),
        _ => message::sentence(error),
    };
    wire::failure(message::status(error), &message)
}
