//! The dialect of the API testing platform's service grants, under `/api/v1/services`.
//!
//! Every answer, success or failure, has the envelope `{"code","msg","data","datetime","ext"}`. A
//! success has the code `S` and the status 200.

mod filters;
mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::members;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, BesideHeaders, Dialect, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, optional, required};
use crate::domain::identity::machine_key::May;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Refusal, Rule};

pub const DIALECT: Dialect = Dialect {
    name: "services",
    summary: "Who may do what with a service, as the API testing platform asks",
    prefixes: &["/api/v1/services"],
    keeps_prefixes: false,
    beside_headers: BesideHeaders::Nothing,
    refuses_undeclared: false,
    groups: &[&Group { parameters: PARAMETERS, routes: ROUTES }],
    failure,
    failure_with: None,
    failure_shape: &wire::FAILURE,
    failure_type: "application/json",
};

const PARAMETERS: &[Field] = &[
    required("id", Kind::INT64, "the service's id; in paths with `auth/{id}` the grant's id"),
    required("userId", Kind::INT64, "the user's id"),
    required("authPermission", members::ASKED_PERMISSION, "the permission; any case is taken"),
];
const ENABLED: &[Field] = &[required("enabled", Kind::Boolean, "true or false")];
const ADMIN: &[Field] = &[optional(
    "admin",
    Kind::Boolean,
    "whether an administrator has all permissions here; default false",
)];

const ROUTES: &[Route] = &[
    Route::of("POST", "add_grant", &["/api/v1/services/{id}/auth"], handler!(handlers::add))
        .summary("Gives a user, department or group permissions on a service")
        .access(Access::SignedIn)
        .keys(Keys::With(May::Administration))
        .body(&wire::NewGrant::SHAPE)
        .refuses(&[409])
        .answers(Answer::json(200, &wire::Created::SHAPE)),
    Route::of("PUT", "replace_grant", &["/api/v1/services/auth/{id}"], handler!(handlers::replace))
        .summary("Replaces the permissions of a grant")
        .access(Access::SignedIn)
        .keys(Keys::With(May::Administration))
        .body(&wire::GrantedPermissions::SHAPE)
        .answers(Answer::json(200, &wire::Nothing::SHAPE)),
    Route::of(
        "DELETE",
        "delete_grant",
        &["/api/v1/services/auth/{id}"],
        handler!(handlers::delete),
    )
    .summary("Takes a grant back")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Administration))
    .answers(Answer::json(200, &wire::Nothing::SHAPE)),
    Route::of(
        "PATCH",
        "switch_service",
        &["/api/v1/services/{id}/auth/enabled"],
        handler!(handlers::switch_service),
    )
    .summary("Sets the authorization switch of a service and of all its APIs")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Administration))
    .query(ENABLED)
    .answers(Answer::json(200, &wire::Nothing::SHAPE)),
    Route::of(
        "PATCH",
        "switch_service_apis",
        &["/api/v1/services/{id}/apis/auth/enabled"],
        handler!(handlers::switch_apis),
    )
    .summary("Sets the authorization switches of all APIs of a service")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Administration))
    .query(ENABLED)
    .answers(Answer::json(200, &wire::Nothing::SHAPE)),
    Route::get(
        "get_service_switch",
        &["/api/v1/services/{id}/auth/status"],
        handler!(handlers::status),
    )
    .summary("Tells whether the authorization of a service is switched on")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Decisions))
    .answers(Answer::json(200, &wire::Yes::SHAPE)),
    Route::get(
        "get_user_permissions",
        &["/api/v1/services/{id}/user/{userId}/auth"],
        handler!(handlers::permissions_of_user),
    )
    .summary("Lists a user's permissions on a service")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Decisions))
    .query(ADMIN)
    .answers(Answer::json(200, &wire::Names::SHAPE)),
    Route::get(
        "get_own_permissions",
        &["/api/v1/services/{id}/user/auth/current"],
        handler!(handlers::own_permissions),
    )
    .summary("Lists the caller's permissions on a service, and tells its switch")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Decisions))
    .query(ADMIN)
    .answers(Answer::json(200, &wire::Own::SHAPE)),
    Route::get(
        "check_user_permission",
        &["/api/v1/services/{id}/user/{userId}/auth/{authPermission}/check"],
        handler!(handlers::check),
    )
    .summary("Tells whether a user has a permission on a service; a denial is also a success")
    .decides("check")
    .access(Access::SignedIn)
    .keys(Keys::With(May::Decisions))
    .answers(Answer::json(200, &wire::Yes::SHAPE)),
    Route::get("list_grants", &["/api/v1/services/auth"], handler!(handlers::list))
        .summary("Lists the grants on services, filtered, ordered and paged")
        .access(Access::SignedIn)
        .keys(Keys::With(May::Administration))
        .query(filters::QUERY)
        .answers(Answer::json(200, &wire::GrantList::SHAPE)),
];

/// Maps an error to a code, a message and a key. The status is the same in all dialects.
fn failure(error: &Error, now: Millis) -> Response {
    let (code, message, key) = match error {
        Error::Unauthenticated(Denied::Missing) => {
            ("E0", "Unauthorized access".to_owned(), "unauthorized")
        }
        Error::Unauthenticated(_) => ("E0", "Unauthorized access".to_owned(), "invalid_token"),
        Error::Forbidden(refusal) => forbidden(refusal),
        Error::NotFound { what: "path", .. } => {
            ("E0", message::sentence(error), "handler_not_found")
        }
        Error::NotFound { what, id } => (
            "E0",
            format!("Not found resource {}[{id}]", wire::resource(what)),
            "resource_not_found",
        ),
        Error::MethodNotAllowed { .. } => ("E0", message::sentence(error), "method_not_supported"),
        Error::AlreadyExists { id, .. } => {
            ("E0", format!("Already exists resource Authorization:{id}"), "resource_already_exists")
        }
        Error::Invalid { field, rule: Rule::Presence, .. } => {
            ("E0", format!("Parameter {field} are missing"), "param_missing")
        }
        Error::Invalid { rule: Rule::Syntax, .. } => (
            "E0",
            format!("Parameter parsing failed: {}", message::sentence(error)),
            "param_parsing_error",
        ),
        Error::Invalid {
            rule: Rule::Value | Rule::Credential | Rule::Organization | Rule::Shortcut,
            ..
        } => ("E0", message::sentence(error), "param_validation_error"),
        Error::Invalid { field, why, rule: Rule::OfDialect(key) } => (
            "E0",
            format!("Unsupported {} field:{field} {why}", filters::unsupported_part(key)),
            *key,
        ),
        Error::NotAcceptable { .. } => {
            ("E0", message::sentence(error), "media_type_not_acceptable")
        }
        Error::UnsupportedMediaType { .. } => {
            ("E0", message::sentence(error), "media_type_not_supported")
        }
        Error::Conflict { .. } => ("E1", message::sentence(error), "conflict"),
        Error::TooLarge { .. } => ("E0", message::sentence(error), "too_large"),
        Error::TooMany { .. } => ("E0", message::sentence(error), "too_many_requests"),
        Error::OriginFailed(_) | Error::OriginTimedOut { .. } => {
            ("E2", message::sentence(error), "origin_unavailable")
        }
        Error::Unavailable(_) => ("E2", message::sentence(error), "service_unavailable"),
        Error::Misconfigured(_) => ("E2", message::sentence(error), "not_configured"),
        Error::Internal(_) => ("E2", message::sentence(error), "internal_error"),
    };
    wire::failure(message::status(error), code, &message, key, now)
}

/// The code, the message and the key for a known caller who is refused.
fn forbidden(refusal: &Refusal) -> (&'static str, String, &'static str) {
    match refusal {
        Refusal::NoPermission { permission, service_id } => {
            let (code, message) = wire::no_permission(*permission, *service_id);
            (code, message, code)
        }
        Refusal::CreatorGrant => {
            ("ATS001", "Forbid modifying creator authorization".to_owned(), "ATS001")
        }
        Refusal::NotAdministrator
        | Refusal::NotCreator
        | Refusal::MayNotAuthorize
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
        | Refusal::OriginNotListed => ("E1", refusal.to_string(), "forbidden"),
    }
}
