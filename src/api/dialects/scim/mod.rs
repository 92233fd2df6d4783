//! SCIM 2.0 (RFC 7643, 7644) for users and groups, as Entra and Okta use it, under `/scim/v2`.

mod discovery;
pub mod filter;
mod groups;
mod lists;
mod names;
mod patch;
pub mod path;
mod users;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::route::{BesideHeaders, Dialect};

pub const DIALECT: Dialect = Dialect {
    name: "scim",
    summary: "SCIM 2.0: users and groups, as an identity provider keeps them",
    prefixes: &["/scim/v2"],
    keeps_prefixes: true,
    beside_headers: BesideHeaders::Nothing,
    refuses_undeclared: false,
    groups: &[&discovery::GROUP, &users::GROUP, &groups::GROUP],
    failure: wire::failure,
    failure_with: None,
    failure_shape: &wire::ScimError::SHAPE,
    failure_type: wire::MEDIA_TYPE,
};
