//! Postern's own dialect. Each file has one noun: its routes, its bodies and its handlers.
//!
//! Failures are problem details (RFC 9457). A refused credential has its reason in `reason`.

mod applications;
mod audit;
mod backup;
pub mod binding;
mod browsers;
mod checks;
mod console;
mod departments;
mod explain;
mod forward_auth;
mod grants;
mod groups;
mod health;
mod keys;
mod members;
mod metrics;
mod organizations;
mod overview;
mod paging;
mod problem;
mod resource_types;
mod revocations;
mod rules;
mod services;
mod signing_keys;
mod token_apps;
mod tokens;
mod tombstones;
mod users;
mod verification;

use crate::api::http::declare::Declared;
use crate::api::http::route::{BesideHeaders, Dialect};

pub const DIALECT: Dialect = Dialect {
    name: "v1",
    summary: "Verification at the edge, users and the audit trail",
    prefixes: &["/v1", "/health", "/.well-known/jwks.json"],
    keeps_prefixes: true,
    beside_headers: BesideHeaders::Console,
    refuses_undeclared: true,
    groups: &[
        &verification::GROUP,
        &explain::GROUP,
        &rules::GROUP,
        &forward_auth::GROUP,
        &browsers::GROUP,
        &console::GROUP,
        &checks::GROUP,
        &health::GROUP,
        &overview::GROUP,
        &metrics::GROUP,
        &users::GROUP,
        &tombstones::GROUP,
        &tokens::GROUP,
        &keys::GROUP,
        &revocations::GROUP,
        &token_apps::GROUP,
        &services::GROUP,
        &resource_types::GROUP,
        &departments::GROUP,
        &groups::GROUP,
        &grants::GROUP,
        &backup::GROUP,
        &organizations::GROUP,
        &applications::GROUP,
        &audit::GROUP,
        &signing_keys::GROUP,
    ],
    failure: problem::failure,
    failure_with: Some(problem::failure_with),
    failure_shape: &problem::Problem::SHAPE,
    failure_type: "application/problem+json",
};
