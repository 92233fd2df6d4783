//! Services and their APIs.

use super::paging::{self, page};
use crate::actions::services;
use crate::api::http::declare::{Change, Declared, Given, Line, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, required};
use crate::context::Cx;
use crate::domain::permissions::directory::{self, MAX_NAME};
use crate::error::Result;

const ID: Field = required("id", Kind::INT64, "the service's id");
const API_ID: Field = required("apiId", Kind::INT64, "the API's id, unique in its service");

pub(super) const GROUP: Group = Group {
    parameters: &[ID, API_ID],
    routes: &[
        Route::get("list_services", &["/v1/services"], handler!(list))
            .summary(
                "Lists services by ascending id; with `search` by name, those whose name begins \
                 with it",
            )
            .access(Access::Administrator)
            .query(paging::NAMED_QUERY)
            .answers(Answer::json(200, &SERVICES)),
        Route::of("POST", "create_service", &["/v1/services"], handler!(create))
            .summary("Creates a service, and gives its creator every permission on it")
            .access(Access::Administrator)
            .body(&NewService::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &Service::SHAPE)),
        Route::get("get_service", &["/v1/services/{id}"], handler!(get))
            .summary("Shows a service")
            .access(Access::Administrator)
            .answers(Answer::json(200, &Service::SHAPE)),
        Route::of("PATCH", "update_service", &["/v1/services/{id}"], handler!(update))
            .summary("Changes a service's name or switch")
            .about("Members that are left out stay as they are.")
            .access(Access::Administrator)
            .body(&ServiceChange::SHAPE)
            .answers(Answer::json(200, &Service::SHAPE)),
        Route::of("DELETE", "delete_service", &["/v1/services/{id}"], handler!(delete))
            .summary("Deletes a service with its APIs and all grants on it")
            .access(Access::Administrator),
        Route::get("list_service_apis", &["/v1/services/{id}/apis"], handler!(list_apis))
            .summary("Lists the APIs of a service by ascending id")
            .access(Access::Administrator)
            .query(paging::QUERY)
            .answers(Answer::json(200, &APIS)),
        Route::of("PUT", "put_service_api", &["/v1/services/{id}/apis/{apiId}"], handler!(put_api))
            .summary("Creates or replaces an API of a service")
            .access(Access::Administrator)
            .body(&Api::SHAPE)
            .answers(Answer::json(200, &ServiceApi::SHAPE)),
        Route::of(
            "DELETE",
            "delete_service_api",
            &["/v1/services/{id}/apis/{apiId}"],
            handler!(delete_api),
        )
        .summary("Deletes an API of a service")
        .access(Access::Administrator),
    ],
};

answer! {
    struct Service<'a> as "Service" {
        "id" id: i64 => "the service's id, which callers may choose",
        "name" name: Option<&'a str> => "a name for people",
        "authEnabled" auth_enabled: bool =>
            "the authorization switch: off allows everything but GRANT and RELEASE",
        "creatorId" creator_id: Option<i64> => "the user id of its creator",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "id":1,"name":"Orders","authEnabled":true,"creatorId":1,"createdAt":1737599864898
    }"#
}

const SERVICES: Shape = page!("ServicePage", Service<'_>, "by ascending id");

impl<'a> Service<'a> {
    fn of(service: &'a directory::Service) -> Self {
        Self {
            id: service.id,
            name: service.name.as_deref(),
            auth_enabled: service.auth_enabled,
            creator_id: service.creator_id,
            created_at: service.created_at.0,
        }
    }
}

request! {
    struct NewService as "NewService" {
        "name" name: Line<MAX_NAME> => "a name for people",
        "id" id: Option<i64> => "an id of your choice; default: one that Postern chooses",
        "authEnabled" auth_enabled: Option<bool> => "the authorization switch; default true",
    } example r#"{"id":1,"name":"Orders"}"#
}

request! {
    struct ServiceChange as "ServiceChange" {
        "name" name: Change<Line<MAX_NAME>> => "null removes it",
        "authEnabled" auth_enabled: Given<bool> =>
            "the authorization switch: off allows everything but GRANT and RELEASE",
    } example r#"{"authEnabled":false}"#
}

answer! {
    struct ServiceApi<'a> as "ServiceApi" {
        "id" id: i64 => "unique in its service",
        "serviceId" service_id: i64 => "the service's id",
        "name" name: Option<&'a str> => "a name for people",
        "authEnabled" auth_enabled: bool => "the API's authorization switch",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "id":2,"serviceId":1,"name":"List orders","authEnabled":true,"createdAt":1737599864898
    }"#
}

const APIS: Shape = page!("ServiceApiPage", ServiceApi<'_>, "by ascending id");

impl<'a> ServiceApi<'a> {
    fn of(api: &'a directory::Api) -> Self {
        Self {
            id: api.id,
            service_id: api.service_id,
            name: api.name.as_deref(),
            auth_enabled: api.auth_enabled,
            created_at: api.created_at.0,
        }
    }
}

request! {
    struct Api as "ServiceApiTerms" {
        "name" name: Change<Line<MAX_NAME>> => "a name for people",
        "authEnabled" auth_enabled: Option<bool> => "the authorization switch; default true",
    } example r#"{"name":"List orders","authEnabled":true}"#
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found = services::list(cx, paging::search(call)?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, Service::of, |service| service.id))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let NewService { name: Line(name), id, auth_enabled } =
        NewService::read(&call.labelled_fields().await?)?;
    let service =
        services::create(cx, call.caller()?, id, Some(&name), auth_enabled.unwrap_or(true)).await?;
    Ok(Response::json(201, &Service::of(&service))
        .with("location", format!("/v1/services/{}", service.id)))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(200, &Service::of(&services::find(cx, call.int64(ID.name)?).await?)))
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let ServiceChange { name, auth_enabled } = ServiceChange::read(&call.labelled_fields().await?)?;
    let service = services::update(cx, call.caller()?, call.int64(ID.name)?, |service| {
        name.map(|Line(text)| text).apply(&mut service.name);
        service.auth_enabled = auth_enabled.0.unwrap_or(service.auth_enabled);
    });
    Ok(Response::json(200, &Service::of(&service.await?)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    services::delete(cx, call.caller()?, call.int64(ID.name)?).await?;
    Ok(Response::empty(204))
}

async fn list_apis(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found = services::list_apis(cx, call.int64(ID.name)?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, ServiceApi::of, |api| api.id))
}

async fn put_api(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let Api { name, auth_enabled } = Api::read(&call.labelled_fields().await?)?;
    let (service_id, id) = (call.int64(ID.name)?, call.int64(API_ID.name)?);
    let name = name.given();
    let api = services::put_api(
        cx,
        call.caller()?,
        service_id,
        id,
        name.as_deref(),
        auth_enabled.unwrap_or(true),
    )
    .await?;
    Ok(Response::json(200, &ServiceApi::of(&api)))
}

async fn delete_api(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    services::delete_api(cx, call.caller()?, call.int64(ID.name)?, call.int64(API_ID.name)?)
        .await?;
    Ok(Response::empty(204))
}
