//! The discovery endpoints of SCIM: the configuration, the resource types and their schemas.
//! Schemas list only the attributes that Postern stores, because clients change and compare every
//! attribute of a schema.

use serde_json::{Value, json};

use super::lists;
use super::wire;
use crate::api::http::message::Response;
use crate::api::http::route::{ANY_METHOD, Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, required};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::error::{Error, Result};

const CONFIGURATION: &str = include_str!("service_provider_config.json");
const RESOURCE_TYPES: &str = include_str!("resource_types.json");
const SCHEMAS: &str = include_str!("schemas.json");

const LIST: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{
        "schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
        "startIndex":1,"itemsPerPage":0,"Resources":[]
    }"#,
)];
const ONE: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User"}"#,
)];
const REFUSED: Answer = Answer::texts(501, &[(wire::MEDIA_TYPE, "{}")]);

const RESOURCE_TYPE: Field = required("resourceType", Kind::TEXT, "User or Group");
const URN: Field = required("urn", Kind::TEXT, "the URN of the schema");

const fn get(
    operation: &'static str,
    paths: &'static [&'static str],
    handler: crate::api::http::route::Handler,
) -> Route {
    Route::get(operation, paths, handler)
        .access(Access::Administrator)
        .keys(Keys::With(May::Provisioning))
}

pub(super) const GROUP: Group = Group {
    parameters: &[RESOURCE_TYPE, URN],
    routes: &[
        get("get_scim_configuration", &["/scim/v2/ServiceProviderConfig"], handler!(configuration))
            .summary("Tells which parts of SCIM are offered")
            .answers(Answer::texts(200, ONE)),
        get("list_scim_resource_types", &["/scim/v2/ResourceTypes"], handler!(resource_types))
            .summary("Lists the types of resources")
            .answers(Answer::texts(200, LIST)),
        get(
            "get_scim_resource_type",
            &["/scim/v2/ResourceTypes/{resourceType}"],
            handler!(resource_type),
        )
        .summary("Shows a type of resources")
        .answers(Answer::texts(200, ONE)),
        get("list_scim_schemas", &["/scim/v2/Schemas"], handler!(schemas))
            .summary("Lists the schemas with the attributes that are kept")
            .answers(Answer::texts(200, LIST)),
        get("get_scim_schema", &["/scim/v2/Schemas/{urn}"], handler!(schema))
            .summary("Shows a schema")
            .answers(Answer::texts(200, ONE)),
        unsupported(
            "search_all_scim",
            &["/scim/v2/.search"],
            "Refuses a search over users and groups at once",
        ),
        unsupported("send_scim_bulk", &["/scim/v2/Bulk"], "Refuses several changes in one request"),
        unsupported("get_scim_self", &["/scim/v2/Me"], "Refuses to alias the caller"),
    ],
};

const fn unsupported(
    operation: &'static str,
    paths: &'static [&'static str],
    summary: &'static str,
) -> Route {
    Route::of(ANY_METHOD, operation, paths, handler!(not_offered))
        .access(Access::Administrator)
        .keys(Keys::With(May::Provisioning))
        .summary(summary)
        .undocumented()
        .answers(REFUSED)
}

async fn not_offered(_: &Cx, _: &Call<'_>) -> Result<Response> {
    Ok(wire::refusal(
        501,
        None,
        "this part of SCIM is not offered: see /scim/v2/ServiceProviderConfig",
    ))
}

async fn configuration(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(one(cx, call, read(CONFIGURATION)?, "ServiceProviderConfig"))
}

async fn resource_types(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    all(cx, call, RESOURCE_TYPES, "ResourceType")
}

async fn resource_type(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    of_id(cx, call, RESOURCE_TYPES, "ResourceType", RESOURCE_TYPE.name)
}

async fn schemas(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    all(cx, call, SCHEMAS, "Schema")
}

async fn schema(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    of_id(cx, call, SCHEMAS, "Schema", URN.name)
}

fn read(text: &str) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal(format!("a description of SCIM is unreadable: {error}")))
}

/// Refuses a filter, so that no client takes the complete list for a filtered one (RFC 7644, 4).
fn refuse_filter(call: &Call<'_>) -> Option<Response> {
    let has_one = call.query.pairs().iter().any(|(name, _)| name == "filter");
    has_one.then(|| wire::refusal(403, None, "descriptions cannot be filtered"))
}

fn all(cx: &Cx, call: &Call<'_>, text: &str, kind: &str) -> Result<Response> {
    if let Some(refusal) = refuse_filter(call) {
        return Ok(refusal);
    }
    let items = read(text)?.as_array().cloned().unwrap_or_default();
    let items: Vec<_> = items.into_iter().map(|item| located(cx, call, item, kind)).collect();
    Ok(wire::answer(200, &lists::response(items.len(), 1, &items)))
}

fn of_id(cx: &Cx, call: &Call<'_>, text: &str, kind: &str, parameter: &str) -> Result<Response> {
    let id = call.parameter(parameter)?;
    let items = read(text)?.as_array().cloned().unwrap_or_default();
    let found = items.into_iter().find(|item| {
        item.get("id").and_then(Value::as_str).is_some_and(|own| own.eq_ignore_ascii_case(id))
    });
    let what = if kind == "Schema" { "schema" } else { "resource type" };
    Ok(one(cx, call, found.ok_or_else(|| Error::not_found(what, id))?, kind))
}

fn one(cx: &Cx, call: &Call<'_>, item: Value, kind: &str) -> Response {
    refuse_filter(call).unwrap_or_else(|| wire::answer(200, &located(cx, call, item, kind)))
}

fn located(cx: &Cx, call: &Call<'_>, mut item: Value, kind: &str) -> Value {
    let base = wire::base(cx, call);
    let location = match item.get("id").and_then(Value::as_str) {
        Some(id) => format!("{base}/{kind}s/{id}"),
        None => format!("{base}/{kind}"),
    };
    if let Some(members) = item.as_object_mut() {
        members.insert("meta".to_owned(), json!({ "resourceType": kind, "location": location }));
    }
    item
}
