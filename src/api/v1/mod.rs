//! Postern's own dialect: verification, users, the audit trail; and whatever no other dialect owns.
//!
//! Failures are problem details (RFC 9457); those of a credential say why in `reason`.

mod directory;
mod verification;
mod wire;

use crate::api::http::{self, Response};
use crate::api::route::{Access, Dialect, Route, handler};
use crate::api::shape::{Answer, Field, Kind, optional};
use crate::error::Error;

/// The dialect.
pub const DIALECT: Dialect = Dialect {
    name: "v1",
    summary: "Verification at the edge, users and the audit trail",
    prefixes: &[""],
    takes_parameters: false,
    routes: ROUTES,
    failure,
    failure_shape: &wire::PROBLEM,
    failure_type: "application/problem+json",
};

const VERIFY_QUERY: &[Field] = &[
    optional("token", Kind::Text, "the token, under the name that its app's token_name says"),
    optional("app", Kind::Text, "the only token app that the token may belong to"),
];
const FORWARD_QUERY: &[Field] = &[optional("app", Kind::Text, "the only token app that the token may belong to")];
const USERS_QUERY: &[Field] = &[
    optional("username", Kind::Text, "only the user of this name"),
    optional("limit", Kind::Int64, "1 to 500, default 50"),
    optional("cursor", Kind::Text, "the `next` of the page before"),
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
        .answers(Answer::json(200, &wire::VERIFIED)),
    Route::of("POST", "verify_posted", &["/v1/verify"], handler!(verification::verify_posted))
        .summary("Verifies the token in the body, else the credential of the request")
        .writes(false)
        .query(VERIFY_QUERY)
        .body(&wire::TOKEN)
        .answers(Answer::json(200, &wire::VERIFIED)),
    Route::get("forward_auth", &["/v1/forward-auth"], handler!(verification::forward_auth))
        .summary("Answers a reverse proxy: 200 with identity headers, 401 or 403")
        .query(FORWARD_QUERY)
        .answers(Answer::empty(200)),
    Route::of("POST", "forward_auth_posted", &["/v1/forward-auth"], handler!(verification::forward_auth))
        .summary("The same, for proxies that pass the method on")
        .writes(false)
        .query(FORWARD_QUERY)
        .answers(Answer::empty(200)),
    Route::get("health", &["/health"], handler!(verification::health))
        .summary("Tells whether verification works, and whether D1 and KV answer")
        .answers(Answer::json(200, &wire::HEALTH)),
    Route::get("list_users", &["/v1/users"], handler!(directory::list_users))
        .summary("Lists users by ascending id")
        .access(Access::Administrator)
        .query(USERS_QUERY)
        .answers(Answer::json(200, &wire::USERS)),
    Route::of("POST", "create_user", &["/v1/users"], handler!(directory::create_user))
        .summary("Creates a user")
        .access(Access::Administrator)
        .body(&wire::NEW_USER)
        .answers(Answer::json(201, &wire::USER)),
    Route::get("get_user", &["/v1/users/{id}"], handler!(directory::get_user))
        .summary("Shows a user, to administrators and to themselves")
        .access(Access::SignedIn)
        .answers(Answer::json(200, &wire::USER)),
    Route::of("PATCH", "update_user", &["/v1/users/{id}"], handler!(directory::update_user))
        .summary("Changes the named members of a user; a disabled user's tokens are dead at once")
        .access(Access::Administrator)
        .body(&wire::USER_CHANGE)
        .answers(Answer::json(200, &wire::USER)),
    Route::of("DELETE", "delete_user", &["/v1/users/{id}"], handler!(directory::delete_user))
        .summary("Deletes a user and ends their tokens")
        .access(Access::Administrator),
    Route::of("PUT", "set_password", &["/v1/users/{id}/password"], handler!(directory::set_password))
        .summary("Sets a user's password and ends their other tokens; users change their own with the current one")
        .access(Access::SignedIn)
        .body(&wire::PASSWORD),
    Route::get("list_user_tokens", &["/v1/users/{id}/tokens"], handler!(directory::list_tokens))
        .summary("Lists a user's opaque tokens, the newest first; the tokens themselves are stored nowhere")
        .access(Access::Administrator)
        .answers(Answer::json(200, &wire::TOKENS)),
    Route::of("DELETE", "revoke_user_tokens", &["/v1/users/{id}/tokens"], handler!(directory::revoke_tokens))
        .summary("Revokes all of a user's opaque tokens")
        .access(Access::Administrator),
    Route::of("DELETE", "revoke_user_token", &["/v1/users/{id}/tokens/{tokenId}"], handler!(directory::revoke_token))
        .summary("Revokes one of a user's opaque tokens")
        .access(Access::Administrator),
    Route::get("list_audit_events", &["/v1/audit"], handler!(directory::list_audit_events))
        .summary("Lists what was written, by whom and from where, and failed sign-ins; the newest first")
        .access(Access::Administrator)
        .query(AUDIT_QUERY)
        .answers(Answer::json(200, &wire::EVENTS)),
];

fn failure(error: &Error) -> Response {
    let member = match error {
        Error::Unauthenticated(denied) => Some(("reason", denied.reason())),
        Error::Invalid { field, .. } => Some(("field", field.as_str())),
        Error::Forbidden(_)
        | Error::NotFound { .. }
        | Error::MethodNotAllowed { .. }
        | Error::NotAcceptable { .. }
        | Error::Conflict { .. }
        | Error::TooLarge { .. }
        | Error::TooMany { .. }
        | Error::Unavailable(_)
        | Error::Misconfigured(_)
        | Error::Internal(_) => None,
    };
    wire::problem(http::status(error), &http::sentence(error), member)
}
