//! Organizations, which own applications.

use super::paging::{self, page};
use crate::actions::organizations;
use crate::api::http::declare::{Change, Declared, Line, Request, answer, request};
use crate::api::http::members::PLAIN_ID;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, required};
use crate::context::Cx;
use crate::domain::applications::application::{self, MAX_NAME, OrganizationId};
use crate::error::Result;

const ID: Field = required("id", PLAIN_ID, "the organization's id");

pub(super) const GROUP: Group = Group {
    parameters: &[ID],
    routes: &[
        Route::get("list_organizations", &["/v1/organizations"], handler!(list))
            .summary(
                "Lists organizations by ascending id; with `search` by name, those whose name \
                 begins with it",
            )
            .access(Access::Administrator)
            .query(paging::NAMED_TEXT_QUERY)
            .answers(Answer::json(200, &ORGANIZATIONS)),
        Route::of("POST", "create_organization", &["/v1/organizations"], handler!(create))
            .summary("Registers an organization")
            .access(Access::Administrator)
            .body(&NewOrganization::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &Organization::SHAPE)),
        Route::get("get_organization", &["/v1/organizations/{id}"], handler!(get))
            .summary("Shows an organization")
            .access(Access::Administrator)
            .answers(Answer::json(200, &Organization::SHAPE)),
        Route::of("PATCH", "update_organization", &["/v1/organizations/{id}"], handler!(update))
            .summary("Changes an organization's name")
            .access(Access::Administrator)
            .body(&OrganizationChange::SHAPE)
            .answers(Answer::json(200, &Organization::SHAPE)),
        Route::of("DELETE", "delete_organization", &["/v1/organizations/{id}"], handler!(delete))
            .summary("Deletes an organization that has no applications")
            .access(Access::Administrator)
            .refuses(&[409]),
    ],
};

answer! {
    struct Organization<'a> as "Organization" {
        "id" id: &'a str as PLAIN_ID => "an id of your choice",
        "name" name: Option<&'a str> => "a name for people",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "modifiedAt" modified_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "id":"o15504722874071","name":"Wind","createdAt":1737599864898,"modifiedAt":1737599864898
    }"#
}

const ORGANIZATIONS: Shape = page!("Organizations", Organization<'_>, "by ascending id");

impl<'a> Organization<'a> {
    fn of(organization: &'a application::Organization) -> Self {
        Self {
            id: organization.id.as_str(),
            name: organization.name.as_deref(),
            created_at: organization.created_at.0,
            modified_at: organization.modified_at.0,
        }
    }
}

request! {
    struct NewOrganization as "NewOrganization" {
        "id" id: OrganizationId => "an id of your choice",
        "name" name: Change<Line<MAX_NAME>> => "a name for people",
    } example r#"{"id":"o15504722874071","name":"Wind"}"#
}

request! {
    struct OrganizationChange as "OrganizationChange" {
        "name" name: Change<Line<MAX_NAME>> => "null removes it",
    } example r#"{"name":"Wind"}"#
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked_by_text(call)?;
    let found = organizations::list(cx, paging::search(call)?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, Organization::of, |organization| organization.id.clone()))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let NewOrganization { id, name } = NewOrganization::read(&call.labelled_fields().await?)?;
    let organization =
        organizations::create(cx, call.caller()?, &id, name.given().as_deref()).await?;
    Ok(Response::json(201, &Organization::of(&organization))
        .with("location", format!("/v1/organizations/{id}")))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(
        200,
        &Organization::of(&organizations::find(cx, call.parameter(ID.name)?).await?),
    ))
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let OrganizationChange { name } = OrganizationChange::read(&call.labelled_fields().await?)?;
    let change = |of: &mut Option<String>| name.map(|Line(text)| text).apply(of);
    let organization =
        organizations::update(cx, call.caller()?, call.parameter(ID.name)?, change).await?;
    Ok(Response::json(200, &Organization::of(&organization)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    organizations::delete(cx, call.caller()?, call.parameter(ID.name)?).await?;
    Ok(Response::empty(204))
}
