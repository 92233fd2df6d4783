//! Postern's own dialect: verification, users, the directory, the audit trail.
//!
//! Failures are problem details (RFC 9457); those of a credential say why in `reason`.

mod application_shapes;
mod applications;
mod catalogue;
mod directory;
mod shapes;
mod transfer;
mod verification;
mod wire;

use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, Dialect, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, optional, required};
use crate::domain::time::Millis;
use crate::error::Error;

/// The dialect.
pub const DIALECT: Dialect = Dialect {
    name: "v1",
    summary: "Verification at the edge, users and the audit trail",
    prefixes: &["/v1", "/health"],
    takes_parameters: false,
    routes: ROUTES,
    failure,
    failure_shape: &shapes::PROBLEM,
    failure_type: "application/problem+json",
};

const VERIFY_QUERY: &[Field] = &[
    optional("token", Kind::Text, "the token, under the name that its app's token_name says"),
    optional("app", Kind::Text, "the only token app that the token may belong to"),
];
const FORWARD_QUERY: &[Field] = &[
    optional("app", Kind::Text, "the only token app that the token may belong to"),
    optional("service", Kind::Int64, "a service on which the user must have a permission"),
    optional("permission", Kind::Text, "which"),
];
const CHECK_QUERY: &[Field] = &[
    required("service", Kind::Int64, "the service's id"),
    required("permission", Kind::Text, "ADD, VIEW, MODIFY, DELETE, TEST, GRANT, SHARE, RELEASE or EXPORT"),
    optional("user", Kind::Int64, "the user's id; default: the caller"),
    optional("app", Kind::Text, "the only token app that the token may belong to"),
];
const USERS_QUERY: &[Field] = &[
    optional("username", Kind::Text, "only the user of this name"),
    optional("limit", Kind::Int64, "1 to 500, default 50"),
    optional("cursor", Kind::Text, "the `next` of the page before"),
];
const PAGE_QUERY: &[Field] =
    &[optional("limit", Kind::Int64, "1 to 500, default 50"), optional("cursor", Kind::Text, "the `next` of the page before")];
const APPLICATIONS_QUERY: &[Field] = &[
    optional("organization", Kind::Text, "only those of this organization"),
    optional("limit", Kind::Int64, "1 to 500, default 50"),
    optional("cursor", Kind::Text, "the `next` of the page before"),
];
const FORMAT_QUERY: &[Field] = &[optional("format", Kind::OneOf(&["ndjson", "csv"]), "default ndjson")];
const EXPORT_QUERY: &[Field] = &[
    optional("format", Kind::OneOf(&["ndjson", "csv"]), "default ndjson"),
    optional("after", Kind::Text, "the last line that an interrupted export brought: this one goes on behind it"),
];
const AUDIT_QUERY: &[Field] = &[
    optional("actor", Kind::Text, "only of this user name"),
    optional("action", Kind::Text, "only this action, for example token_app.update"),
    optional("from", Kind::Int64, "not before, epoch milliseconds"),
    optional("until", Kind::Int64, "before, epoch milliseconds"),
    optional("limit", Kind::Int64, "1 to 500, default 50"),
    optional("cursor", Kind::Text, "the `next` of the page before"),
];

const ROUTES: &[Route] = &[
    Route::get("verify", &["/v1/verify"], handler!(verification::verify))
        .summary("Verifies the credential of the request and tells whose it is")
        .query(VERIFY_QUERY)
        .answers(Answer::json(200, &shapes::VERIFIED)),
    Route::of("POST", "verify_posted", &["/v1/verify"], handler!(verification::verify_posted))
        .summary("Verifies the token in the body, else the credential of the request")
        .writes(false)
        .query(VERIFY_QUERY)
        .body(&shapes::TOKEN)
        .answers(Answer::json(200, &shapes::VERIFIED)),
    Route::get("forward_auth", &["/v1/forward-auth"], handler!(verification::forward_auth))
        .summary("Answers a reverse proxy: 200 with identity headers, 401 or 403")
        .query(FORWARD_QUERY)
        .answers(Answer::empty(200)),
    Route::of("POST", "forward_auth_posted", &["/v1/forward-auth"], handler!(verification::forward_auth))
        .summary("The same, for proxies that pass the method on")
        .writes(false)
        .query(FORWARD_QUERY)
        .answers(Answer::empty(200)),
    Route::get("check", &["/v1/check"], handler!(verification::check))
        .summary("Verifies the credential of the request, and tells whether its user, or another one, has a permission on a service")
        .query(CHECK_QUERY)
        .answers(Answer::json(200, &shapes::CHECKED)),
    Route::of("POST", "check_batch", &["/v1/check/batch"], handler!(verification::check_batch))
        .summary("Answers up to 100 such questions, in their order")
        .access(Access::SignedIn)
        .writes(false)
        .body(&shapes::QUESTIONS)
        .answers(Answer::json(200, &shapes::ANSWERS)),
    Route::get("health", &["/health"], handler!(verification::health))
        .summary("Tells whether verification works, and whether D1 and KV answer")
        .answers(Answer::json(200, &shapes::HEALTH)),
    Route::get("list_users", &["/v1/users"], handler!(directory::list_users))
        .summary("Lists users by ascending id")
        .access(Access::Administrator)
        .query(USERS_QUERY)
        .answers(Answer::json(200, &shapes::USERS)),
    Route::of("POST", "create_user", &["/v1/users"], handler!(directory::create_user))
        .summary("Creates a user")
        .access(Access::Administrator)
        .body(&shapes::NEW_USER)
        .answers(Answer::json(201, &shapes::USER)),
    Route::get("get_user", &["/v1/users/{id}"], handler!(directory::get_user))
        .summary("Shows a user, to administrators and to themselves")
        .access(Access::SignedIn)
        .answers(Answer::json(200, &shapes::USER)),
    Route::of("PATCH", "update_user", &["/v1/users/{id}"], handler!(directory::update_user))
        .summary("Changes the named members of a user; a disabled user's tokens are dead at once")
        .access(Access::Administrator)
        .body(&shapes::USER_CHANGE)
        .answers(Answer::json(200, &shapes::USER)),
    Route::of("DELETE", "delete_user", &["/v1/users/{id}"], handler!(directory::delete_user))
        .summary("Deletes a user and ends their tokens")
        .access(Access::Administrator),
    Route::of("PUT", "set_password", &["/v1/users/{id}/password"], handler!(directory::set_password))
        .summary("Sets a user's password and ends their other tokens; users change their own with the current one")
        .access(Access::SignedIn)
        .body(&shapes::PASSWORD),
    Route::get("list_user_tokens", &["/v1/users/{id}/tokens"], handler!(directory::list_tokens))
        .summary("Lists a user's opaque tokens, the newest first; the tokens themselves are stored nowhere")
        .access(Access::Administrator)
        .answers(Answer::json(200, &shapes::TOKENS)),
    Route::of("DELETE", "revoke_user_tokens", &["/v1/users/{id}/tokens"], handler!(directory::revoke_tokens))
        .summary("Revokes all of a user's opaque tokens")
        .access(Access::Administrator),
    Route::of("DELETE", "revoke_user_token", &["/v1/users/{id}/tokens/{tokenId}"], handler!(directory::revoke_token))
        .summary("Revokes one of a user's opaque tokens")
        .access(Access::Administrator),
    Route::get("list_services", &["/v1/services"], handler!(catalogue::list_services))
        .summary("Lists services by ascending id")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &shapes::SERVICES)),
    Route::of("POST", "create_service", &["/v1/services"], handler!(catalogue::create_service))
        .summary("Creates a service, and gives who creates it every permission on it")
        .access(Access::Administrator)
        .body(&shapes::NEW_SERVICE)
        .answers(Answer::json(201, &shapes::SERVICE)),
    Route::get("get_service", &["/v1/services/{id}"], handler!(catalogue::get_service))
        .summary("Shows a service")
        .access(Access::Administrator)
        .answers(Answer::json(200, &shapes::SERVICE)),
    Route::of("PATCH", "update_service", &["/v1/services/{id}"], handler!(catalogue::update_service))
        .summary("Changes a service's name or switch")
        .access(Access::Administrator)
        .body(&shapes::SERVICE_CHANGE)
        .answers(Answer::json(200, &shapes::SERVICE)),
    Route::of("DELETE", "delete_service", &["/v1/services/{id}"], handler!(catalogue::delete_service))
        .summary("Deletes a service with its APIs and all grants on it")
        .access(Access::Administrator),
    Route::get("list_service_apis", &["/v1/services/{id}/apis"], handler!(catalogue::list_apis))
        .summary("Lists the APIs of a service by ascending id")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &shapes::APIS)),
    Route::of("PUT", "put_service_api", &["/v1/services/{id}/apis/{apiId}"], handler!(catalogue::put_api))
        .summary("Creates an API of a service or replaces it")
        .access(Access::Administrator)
        .body(&shapes::SERVICE_CHANGE)
        .answers(Answer::json(200, &shapes::API)),
    Route::of("DELETE", "delete_service_api", &["/v1/services/{id}/apis/{apiId}"], handler!(catalogue::delete_api))
        .summary("Deletes an API of a service")
        .access(Access::Administrator),
    Route::get("list_departments", &["/v1/departments"], handler!(catalogue::list_departments))
        .summary("Lists departments by ascending id")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &shapes::DEPARTMENTS)),
    Route::of("POST", "create_department", &["/v1/departments"], handler!(catalogue::create_department))
        .summary("Creates a department, below another one or not")
        .access(Access::Administrator)
        .body(&shapes::NEW_DEPARTMENT)
        .answers(Answer::json(201, &shapes::DEPARTMENT)),
    Route::get("get_department", &["/v1/departments/{id}"], handler!(catalogue::get_department))
        .summary("Shows a department")
        .access(Access::Administrator)
        .answers(Answer::json(200, &shapes::DEPARTMENT)),
    Route::of("PATCH", "update_department", &["/v1/departments/{id}"], handler!(catalogue::update_department))
        .summary("Changes a department's name or where it lies, but never below itself")
        .access(Access::Administrator)
        .body(&shapes::DEPARTMENT_CHANGE)
        .answers(Answer::json(200, &shapes::DEPARTMENT)),
    Route::of("DELETE", "delete_department", &["/v1/departments/{id}"], handler!(catalogue::delete_department))
        .summary("Deletes a department that has none below, and the grants to it")
        .access(Access::Administrator),
    Route::get("list_department_members", &["/v1/departments/{id}/members"], handler!(catalogue::list_department_members))
        .summary("Lists who is in a department, by ascending id of the user")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &shapes::MEMBERS)),
    Route::of("PUT", "add_department_member", &["/v1/departments/{id}/members/{userId}"], handler!(catalogue::add_department_member))
        .summary("Puts a user into a department")
        .access(Access::Administrator),
    Route::of(
        "DELETE",
        "remove_department_member",
        &["/v1/departments/{id}/members/{userId}"],
        handler!(catalogue::remove_department_member),
    )
    .summary("Takes a user out of a department")
    .access(Access::Administrator),
    Route::get("list_groups", &["/v1/groups"], handler!(catalogue::list_groups))
        .summary("Lists groups by ascending id")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &shapes::GROUPS)),
    Route::of("POST", "create_group", &["/v1/groups"], handler!(catalogue::create_group))
        .summary("Creates a group")
        .access(Access::Administrator)
        .body(&shapes::NEW_GROUP)
        .answers(Answer::json(201, &shapes::GROUP)),
    Route::get("get_group", &["/v1/groups/{id}"], handler!(catalogue::get_group))
        .summary("Shows a group")
        .access(Access::Administrator)
        .answers(Answer::json(200, &shapes::GROUP)),
    Route::of("PATCH", "update_group", &["/v1/groups/{id}"], handler!(catalogue::update_group))
        .summary("Changes a group's name")
        .access(Access::Administrator)
        .body(&shapes::GROUP_CHANGE)
        .answers(Answer::json(200, &shapes::GROUP)),
    Route::of("DELETE", "delete_group", &["/v1/groups/{id}"], handler!(catalogue::delete_group))
        .summary("Deletes a group, and the grants to it")
        .access(Access::Administrator),
    Route::get("list_group_members", &["/v1/groups/{id}/members"], handler!(catalogue::list_group_members))
        .summary("Lists who is in a group, by ascending id of the user")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &shapes::MEMBERS)),
    Route::of("PUT", "add_group_member", &["/v1/groups/{id}/members/{userId}"], handler!(catalogue::add_group_member))
        .summary("Puts a user into a group")
        .access(Access::Administrator),
    Route::of("DELETE", "remove_group_member", &["/v1/groups/{id}/members/{userId}"], handler!(catalogue::remove_group_member))
        .summary("Takes a user out of a group")
        .access(Access::Administrator),
    Route::of("POST", "import_grants", &["/v1/grants/import"], handler!(transfer::import))
        .summary("Writes up to 1 MiB of records (services, APIs, departments, groups, members, grants), all of them or none; twice is once")
        .access(Access::Administrator)
        .query(FORMAT_QUERY)
        .body(&shapes::RECORD)
        .answers(Answer::json(200, &shapes::IMPORTED)),
    Route::get("export_grants", &["/v1/grants/export"], handler!(transfer::export))
        .summary("Streams all records, so that they import into an empty Postern as the same state")
        .access(Access::Administrator)
        .query(EXPORT_QUERY)
        .answers(Answer::text(
            200,
            "{\"record\":\"grant\",\"serviceId\":1,\"authObjectType\":\"USER\",\"authObjectId\":2,\"permissions\":[\"VIEW\"]}",
        )),
    Route::get("list_organizations", &["/v1/organizations"], handler!(applications::list_organizations))
        .summary("Lists organizations by ascending id")
        .access(Access::Administrator)
        .query(PAGE_QUERY)
        .answers(Answer::json(200, &application_shapes::ORGANIZATIONS)),
    Route::of("POST", "create_organization", &["/v1/organizations"], handler!(applications::create_organization))
        .summary("Registers an organization")
        .access(Access::Administrator)
        .body(&application_shapes::NEW_ORGANIZATION)
        .answers(Answer::json(201, &application_shapes::ORGANIZATION)),
    Route::get("get_organization", &["/v1/organizations/{id}"], handler!(applications::get_organization))
        .summary("Shows an organization")
        .access(Access::Administrator)
        .answers(Answer::json(200, &application_shapes::ORGANIZATION)),
    Route::of("PATCH", "update_organization", &["/v1/organizations/{id}"], handler!(applications::update_organization))
        .summary("Changes an organization's name")
        .access(Access::Administrator)
        .body(&application_shapes::ORGANIZATION_CHANGE)
        .answers(Answer::json(200, &application_shapes::ORGANIZATION)),
    Route::of("DELETE", "delete_organization", &["/v1/organizations/{id}"], handler!(applications::delete_organization))
        .summary("Deletes an organization that has no applications")
        .access(Access::Administrator),
    Route::get("list_applications", &["/v1/applications"], handler!(applications::list_applications))
        .summary("Lists applications by ascending access key")
        .access(Access::Administrator)
        .query(APPLICATIONS_QUERY)
        .answers(Answer::json(200, &application_shapes::APPLICATIONS)),
    Route::of("POST", "create_application", &["/v1/applications"], handler!(applications::create_application))
        .summary("Registers an application, and shows its secret this once")
        .access(Access::Administrator)
        .body(&application_shapes::NEW_APPLICATION)
        .answers(Answer::json(201, &application_shapes::CREATED_APPLICATION)),
    Route::get("get_application", &["/v1/applications/{accessKey}"], handler!(applications::get_application))
        .summary("Shows an application")
        .access(Access::Administrator)
        .answers(Answer::json(200, &application_shapes::APPLICATION)),
    Route::of("PATCH", "update_application", &["/v1/applications/{accessKey}"], handler!(applications::update_application))
        .summary("Changes the named members of an application; a disabled one's access token is dead at once")
        .access(Access::Administrator)
        .body(&application_shapes::APPLICATION_CHANGE)
        .answers(Answer::json(200, &application_shapes::APPLICATION)),
    Route::of("DELETE", "delete_application", &["/v1/applications/{accessKey}"], handler!(applications::delete_application))
        .summary("Deletes an application with its access token")
        .access(Access::Administrator),
    Route::of("POST", "renew_application_secret", &["/v1/applications/{accessKey}/secret"], handler!(applications::renew_secret))
        .summary("Gives an application a new secret, shown this once, and ends its access token")
        .access(Access::Administrator)
        .answers(Answer::json(200, &application_shapes::SECRET)),
    Route::get("check_application", &["/v1/applications/{accessKey}/authorizations/{type}"], handler!(applications::check_authorization))
        .summary("Tells whether an application is authorized to something: what services ask that hold the data")
        .access(Access::SignedIn)
        .answers(Answer::json(200, &application_shapes::AUTHORIZED)),
    Route::get("list_audit_events", &["/v1/audit"], handler!(directory::list_audit_events))
        .summary("Lists what was written, by whom and from where, and failed sign-ins; the newest first")
        .access(Access::Administrator)
        .query(AUDIT_QUERY)
        .answers(Answer::json(200, &shapes::EVENTS)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let member = match error {
        Error::Unauthenticated(denied) => Some(("reason", denied.reason())),
        Error::Invalid { field, .. } => Some(("field", field.as_str())),
        Error::Forbidden(_)
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
        | Error::Internal(_) => None,
    };
    wire::problem(message::status(error), &message::sentence(error), member)
}
