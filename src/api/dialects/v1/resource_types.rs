//! Names of services and of actions, used by AuthZEN and `/v1/check`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::paging::{self, page};
use crate::actions::names;
use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Member, Request, answer, request};
use crate::api::http::members::{ASKED_PERMISSION, PERMISSION};
use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, required};
use crate::context::Cx;
use crate::domain::permissions::names::{MAX_ID, MAX_TYPE, ResourceName, ResourceType, action};
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Result};

const TYPE: Field =
    required("type", Kind::matching(1, MAX_TYPE, patterns::PLAIN_TYPE), "the type; case-sensitive");
const ID: Field = required(
    "id",
    Kind::matching(1, MAX_ID, patterns::LINE),
    "the id within the type; case-sensitive",
);

pub(super) const GROUP: Group = Group {
    parameters: &[TYPE, ID],
    routes: &[
        Route::get("get_resource_type", &["/v1/resource-types/{type}"], handler!(get_type))
            .summary("Shows the names of the actions of a resource type")
            .access(Access::Administrator)
            .answers(Answer::json(200, &OneType::SHAPE)),
        Route::of("PUT", "put_resource_type", &["/v1/resource-types/{type}"], handler!(put_type))
            .summary("Replaces the names of the actions of a resource type")
            .about(
                "The names of the permissions are valid for every type; these names are valid in \
                 addition. A type needs no names of actions. Without any it exists as long as a \
                 service has a name of this type.",
            )
            .access(Access::Administrator)
            .body(&TypeTerms::SHAPE)
            .answers(Answer::json(200, &OneType::SHAPE)),
        Route::get("list_resource_names", &["/v1/resource-types/{type}/resources"], handler!(list))
            .summary("Lists the names of a type by ascending id, with their services")
            .access(Access::Administrator)
            .query(paging::TEXT_QUERY)
            .answers(Answer::json(200, &NAMES)),
        Route::get(
            "get_resource_name",
            &["/v1/resource-types/{type}/resources/{id}"],
            handler!(get),
        )
        .summary("Shows the service that has a name")
        .access(Access::Administrator)
        .answers(Answer::json(200, &OneName::SHAPE)),
        Route::of(
            "PUT",
            "put_resource_name",
            &["/v1/resource-types/{type}/resources/{id}"],
            handler!(put),
        )
        .summary("Gives a service a name, and takes it from the service that had it")
        .about("A service has at most one name of each type.")
        .access(Access::Administrator)
        .body(&NameTerms::SHAPE)
        .refuses(&[409])
        .answers(Answer::json(200, &OneName::SHAPE)),
        Route::of(
            "DELETE",
            "delete_resource_name",
            &["/v1/resource-types/{type}/resources/{id}"],
            handler!(delete),
        )
        .summary("Removes a name")
        .access(Access::Administrator),
    ],
};

answer! {
    struct OneName<'a> as "ResourceName" {
        "type" of: &'a str => "the type",
        "id" id: &'a str => "the id within the type",
        "service" service: i64 => "the service's id",
    } example r#"{"type":"record","id":"record-1","service":101}"#
}

const NAMES: Shape = page!("ResourceNamePage", OneName<'_>, "by ascending id");

request! {
    struct NameTerms as "ResourceNameTerms" {
        "service" service: i64 => "the service's id",
    } example r#"{"service":101}"#
}

/// The permission for each name of an action.
struct ActionNames(Vec<(String, Permission)>);

impl Member for ActionNames {
    const KIND: Kind = Kind::MapOf(&ASKED_PERMISSION);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let members = fields.required_object(name)?;
        let names: Vec<String> = fields
            .required_object(name)?
            .into_members()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let read = |own: String| {
            let permission = members.parsed(&own, Permission::parse)?;
            action(&own).map_err(|why| members.invalid(&own, why))?;
            Ok((own, permission))
        };
        names.into_iter().map(read).collect::<Result<_>>().map(Self)
    }
}

request! {
    struct TypeTerms as "ResourceTypeTerms" {
        "actions" actions: ActionNames =>
            "the permission for each name of an action, at most 64 names",
    } example r#"{"actions":{"read":"VIEW","write":"MODIFY","delete":"DELETE"}}"#
}

#[derive(Serialize)]
struct OneType<'a> {
    #[serde(rename = "type")]
    of: &'a str,
    actions: BTreeMap<&'a str, &'static str>,
}

impl Declared for OneType<'_> {
    const SHAPE: Shape = Shape {
        name: "ResourceType",
        fields: &[
            required("type", Kind::TEXT, "the type"),
            required(
                "actions",
                Kind::MapOf(&PERMISSION),
                "the permission for each name of an action",
            ),
        ],
        includes: &[],
        example: r#"{
            "type":"record","actions":{"delete":"DELETE","read":"VIEW","write":"MODIFY"}
        }"#,
    };
}

fn of(call: &Call<'_>) -> Result<ResourceType> {
    ResourceType::parse(call.parameter(TYPE.name)?).map_err(|why| Error::invalid(TYPE.name, why))
}

fn name(call: &Call<'_>) -> Result<ResourceName> {
    ResourceName::new(&of(call)?, call.parameter(ID.name)?)
        .map_err(|why| Error::invalid(ID.name, why))
}

fn shown(of: &ResourceType, actions: &[(String, Permission)]) -> Response {
    let actions =
        actions.iter().map(|(name, permission)| (name.as_str(), permission.name())).collect();
    Response::json(200, &OneType { of: of.as_str(), actions })
}

async fn get_type(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let of = of(call)?;
    Ok(shown(&of, &names::actions(cx, &of).await?))
}

async fn put_type(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let of = of(call)?;
    let TypeTerms { actions: ActionNames(actions) } =
        TypeTerms::read(&call.labelled_fields().await?)?;
    names::set_actions(cx, call.caller()?, &of, &actions).await?;
    Ok(shown(&of, &actions))
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let of = of(call)?;
    let (limit, after_id) = paging::asked_by_text(call)?;
    let found = names::list(cx, &of, after_id, limit + 1).await?;
    let one = |(id, service): &'_ (String, i64)| OwnedName {
        of: of.as_str().to_owned(),
        id: id.clone(),
        service: *service,
    };
    Ok(paging::answer(&found, limit, one, |(id, _)| id.clone()))
}

#[derive(Serialize)]
struct OwnedName {
    #[serde(rename = "type")]
    of: String,
    id: String,
    service: i64,
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let name = name(call)?;
    let service = names::find(cx, &name).await?;
    Ok(Response::json(200, &OneName { of: name.of.as_str(), id: &name.id, service }))
}

async fn put(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let name = name(call)?;
    let NameTerms { service } = NameTerms::read(&call.labelled_fields().await?)?;
    names::put(cx, call.caller()?, &name, service).await?;
    Ok(Response::json(200, &OneName { of: name.of.as_str(), id: &name.id, service }))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    names::delete(cx, call.caller()?, &name(call)?).await?;
    Ok(Response::empty(204))
}
