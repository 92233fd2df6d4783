//! The `OpenID` AuthZEN Authorization API 1.0, under `/access/v1`: decisions for gateways and
//! applications that speak this standard only. A deny is a success; a failure is a JSON string.

mod handlers;
mod pages;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Inbound, Response};
use crate::api::http::route::{
    Access, BesideHeaders, Dialect, Group, Handler, Keys, Route, handler,
};
use crate::api::http::shape::{Answer, Shape};
use crate::domain::identity::machine_key::May;
use crate::domain::time::Millis;
use crate::error::Error;

pub const DIALECT: Dialect = Dialect {
    name: "authzen",
    summary: "Decisions by the AuthZEN Authorization API 1.0",
    prefixes: &["/access/v1", METADATA],
    keeps_prefixes: true,
    beside_headers: BesideHeaders::Nothing,
    refuses_undeclared: false,
    groups: &[&Group { parameters: &[], routes: ROUTES }],
    failure,
    failure_with: None,
    failure_shape: &Shape {
        name: "AuthzenFailure",
        fields: &[],
        includes: &[],
        example: "\"resource.id is missing\"",
    },
    failure_type: "application/json",
};

const METADATA: &str = "/.well-known/authzen-configuration";

/// Seconds until a client may try again if D1 does not answer.
const RETRY_AFTER_S: &str = "2";

const ROUTES: &[Route] = &[
    asks("evaluate_access", &[wire::EVALUATION], handler!(handlers::evaluation))
        .summary("Decides whether a subject may perform an action on a resource")
        .about(
            "Types of subjects are user and identity (by user name), user_id, and application (by \
             access key). Types of resources are service (by id), route (a path or URL, with the \
             method as the action, decided by ORIGIN_RULES), organization, and those that \
             `/v1/resource-types` defines. Anything unknown is denied. `properties` and `context` \
             are accepted but ignored, with two exceptions: with `context.explain` administrators \
             get the grants that decided, and `resource.properties.hostname` is the host of a \
             route. Callers that are neither administrators nor keys may ask about themselves, and \
             about others on services where they have GRANT.",
        )
        .body(&wire::Evaluation::SHAPE)
        .answers(Answer::json(200, &wire::Decided::SHAPE)),
    asks("evaluate_accesses", &[wire::EVALUATIONS], handler!(handlers::evaluations))
        .summary("Decides up to 100 questions")
        .about(
            "The request's members replace those that an item omits, each as a whole. An item that \
             is incomplete, or that the caller may not ask, is denied with `context.error`. \
             Without items, the request itself is the question.",
        )
        .body(&wire::Evaluations::SHAPE)
        .answers(Answer::json(200, &wire::AllDecided::SHAPE)),
    asks("search_subjects", &[wire::SEARCH_SUBJECT], handler!(handlers::subjects))
        .summary("Lists the subjects of a type that may perform an action on a resource")
        .about(
            "Results are ordered by user id. A subject is a result exactly if an evaluation would \
             permit it.",
        )
        .body(&wire::SubjectSearch::SHAPE)
        .answers(Answer::json(200, &wire::ENTITIES)),
    asks("search_resources", &[wire::SEARCH_RESOURCE], handler!(handlers::resources))
        .summary("Lists the resources of a type on which a subject may perform an action")
        .about(
            "Results are ordered by service id. A resource is a result exactly if an evaluation \
             would permit it.",
        )
        .body(&wire::ResourceSearch::SHAPE)
        .answers(Answer::json(200, &wire::ENTITIES)),
    asks("search_actions", &[wire::SEARCH_ACTION], handler!(handlers::actions))
        .summary("Lists the actions that a subject may perform on a resource")
        .about(
            "Results are ordered by name: the names that `/v1/resource-types` gives the type, and \
             the permissions.",
        )
        .body(&wire::ActionSearch::SHAPE)
        .answers(Answer::json(200, &wire::ACTIONS)),
    Route::get("show_authzen_configuration", &[METADATA], handler!(handlers::metadata))
        .summary("Lists the URLs of the endpoints")
        .access(Access::Public)
        .answers(Answer::json(200, &wire::Metadata::SHAPE)),
];

const fn asks(operation: &'static str, paths: &'static [&'static str], handler: Handler) -> Route {
    Route::of("POST", operation, paths, handler)
        .access(Access::SignedIn)
        .keys(Keys::With(May::Decisions))
        .writes(false)
        .decides("authzen")
}

/// In bytes. A longer `X-Request-ID` is not echoed.
const MAX_REQUEST_ID: usize = 1024;

/// The request id that the caller sent. Every answer of this dialect echoes it unchanged.
pub fn request_id(request: &dyn Inbound) -> Option<String> {
    let path = request.path();
    let is_below = |prefix: &&str| {
        path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !DIALECT.prefixes.iter().any(is_below) {
        return None;
    }
    let may_be_sent = |id: &String| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id.chars().all(|c| c == ' ' || c.is_ascii_graphic())
    };
    request.header("x-request-id").filter(may_be_sent)
}

fn failure(error: &Error, _: Millis) -> Response {
    let response = Response::json(message::status(error), &message::sentence(error));
    match error {
        Error::Unavailable(fault) if fault.retry_after_s().is_none() => {
            response.with("retry-after", RETRY_AFTER_S)
        }
        _ => response,
    }
}
