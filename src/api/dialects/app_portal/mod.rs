//! The dialect of the IoT portal's application authorization, under `/app-portal-service`.
//!
//! A success is `{"code":0,"message":"OK","data":…}`. A failure has the code 31000 plus the HTTP
//! status, and `data` is false.

mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, BesideHeaders, Dialect, Group, Route, handler};
use crate::api::http::shape::Answer;
use crate::domain::time::Millis;
use crate::error::{Error, Refusal, Rule};

pub const DIALECT: Dialect = Dialect {
    name: "app_portal",
    summary: "What applications are authorized to, as the IoT portal sets it",
    prefixes: &["/app-portal-service"],
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
        "set_authorizations",
        &["/app-portal-service/v2.3/app/authorization/set"],
        handler!(handlers::set),
    )
    .summary("Replaces the types of data that an application of an organization is authorized to")
    .access(Access::Application)
    .query(&[wire::ORGANIZATION])
    .refuses(&[404])
    .body(&wire::Authorization::SHAPE)
    .answers(Answer::json(200, &wire::DONE)),
    Route::get(
        "get_authorizations",
        &["/app-portal-service/v2.3/app/authorization/info"],
        handler!(handlers::info),
    )
    .summary("Lists the types of data that an application of an organization is authorized to")
    .access(Access::Application)
    .query(&[wire::ORGANIZATION, wire::APPLICATION])
    .refuses(&[404])
    .answers(Answer::json(200, &wire::Info::SHAPE)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let message = match error {
        Error::Forbidden(refusal) => forbidden(refusal),
        Error::Invalid { rule: Rule::Organization, .. } => {
            "OU has no permission to access the application".to_owned()
        }
        Error::Invalid { rule: Rule::Shortcut, .. } => {
            "The target application is an application shortcut".to_owned()
        }
        Error::Invalid { field, rule: Rule::Presence, .. } if field == wire::ORGANIZATION.name => {
            "OU ID is required".to_owned()
        }
        Error::Invalid { field, rule: Rule::Presence, .. } if field == wire::APPLICATION.name => {
            "AccessKey is required".to_owned()
        }
        Error::Invalid { field, .. } if field == wire::TYPES => {
            "authorization type is invalid".to_owned()
        }
        _ => message::sentence(error),
    };
    wire::failure(message::status(error), &message)
}

/// The message for a known caller who is refused.
fn forbidden(refusal: &Refusal) -> String {
    match refusal {
        Refusal::MayNotAuthorize | Refusal::NotAdministrator => {
            "The application of the service account has no permission to authorize applications"
                .to_owned()
        }
        Refusal::NoPermission { .. }
        | Refusal::CreatorGrant
        | Refusal::NotCreator
        | Refusal::NotYourself
        | Refusal::UserDisabled
        | Refusal::UserDeleted
        | Refusal::UnknownUser
        | Refusal::UserRefused
        | Refusal::IdConflict
        | Refusal::NameConflict
        | Refusal::InsufficientScope { .. }
        | Refusal::KeyMayNot { .. }
        | Refusal::KeyIsNoUser
        | Refusal::KeyOfKey
        | Refusal::CookieAsksAboutOthers
        | Refusal::WouldOutlive
        | Refusal::NotProvisioned { .. }
        | Refusal::ByRule { .. }
        | Refusal::CrossOrigin
        | Refusal::NotOfConsole
        | Refusal::ConsoleIsForAdministrators
        | Refusal::OriginNotListed => refusal.to_string(),
    }
}
