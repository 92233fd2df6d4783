//! The dialect of the GIS manager's node orders, under `/imanager/cloud/web/nodes`. Clients before
//! version 11.1 use `/imanager/icloud/web/nodes`.
//!
//! Failures are `{"isSucceed":false,"msg":…,"resultId":null}`, unlike those of the GIS manager's
//! tokens.

mod handlers;
mod wire;

use crate::api::http::declare::Declared;
use crate::api::http::message::{self, Response};
use crate::api::http::route::{Access, BesideHeaders, Dialect, Group, Route, handler};
use crate::api::http::shape::Answer;
use crate::domain::time::Millis;
use crate::error::Error;

pub const DIALECT: Dialect = Dialect {
    name: "imanager_nodes",
    summary: "Orders of GIS servers, as the GIS manager takes them",
    prefixes: &["/imanager/cloud/web/nodes", "/imanager/icloud/web/nodes"],
    keeps_prefixes: false,
    beside_headers: BesideHeaders::Cookie,
    refuses_undeclared: false,
    groups: &[&Group { parameters: &[], routes: ROUTES }],
    failure,
    failure_with: None,
    failure_shape: &wire::FAILURE,
    failure_type: "application/json",
};

const PATHS: &[&str] = &[
    "/imanager/cloud/web/nodes/server.json",
    "/imanager/cloud/web/nodes/server",
    "/imanager/icloud/web/nodes/server.json",
    "/imanager/icloud/web/nodes/server",
];

const ROUTES: &[Route] = &[
    Route::of("POST", "order_node", PATHS, handler!(handlers::order))
        .summary("Orders GIS servers; with ORIGIN_NODES the origin takes the order")
        .access(Access::Creator)
        .may_be_of_origin()
        .body(&wire::Order::SHAPE)
        .answers(Answer::json(200, &wire::Ordered::SHAPE)),
    Route::get("list_nodes", PATHS, handler!(handlers::list))
        .summary("Lists the orders, the newest first; with ORIGIN_NODES the origin answers")
        .access(Access::Creator)
        .may_be_of_origin()
        .query(wire::PAGE)
        .answers(Answer::json(200, &wire::Nodes::SHAPE)),
];

fn failure(error: &Error, _: Millis) -> Response {
    let message = match error {
        Error::Unauthenticated(_) => "Not logged in".to_owned(),
        _ => message::sentence(error),
    };
    wire::failure(message::status(error), &message)
}
