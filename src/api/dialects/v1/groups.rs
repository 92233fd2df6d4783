//! Groups and their members.

use super::members::{self, MEMBERS};
use super::paging::{self, page};
use crate::actions::units;
use crate::api::http::declare::{Change, Declared, Line, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, required};
use crate::context::Cx;
use crate::domain::permissions::directory::{MAX_NAME, Unit, UnitKind};
use crate::error::Result;

const ID: Field = required("id", Kind::INT64, "the group's id");

pub(super) const GROUP: Group = Group {
    parameters: &[ID, members::USER_ID],
    routes: &[
        Route::get("list_groups", &["/v1/groups"], handler!(list))
            .summary(
                "Lists groups by ascending id; with `search` by name, those whose name begins with \
                 it",
            )
            .access(Access::Administrator)
            .query(paging::NAMED_QUERY)
            .answers(Answer::json(200, &GROUPS)),
        Route::of("POST", "create_group", &["/v1/groups"], handler!(create))
            .summary("Creates a group")
            .access(Access::Administrator)
            .body(&NewGroup::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &GroupAnswer::SHAPE)),
        Route::get("get_group", &["/v1/groups/{id}"], handler!(get))
            .summary("Shows a group")
            .access(Access::Administrator)
            .answers(Answer::json(200, &GroupAnswer::SHAPE)),
        Route::of("PATCH", "update_group", &["/v1/groups/{id}"], handler!(update))
            .summary("Changes a group's name")
            .about("Members that are left out stay as they are.")
            .access(Access::Administrator)
            .body(&GroupChange::SHAPE)
            .answers(Answer::json(200, &GroupAnswer::SHAPE)),
        Route::of("DELETE", "delete_group", &["/v1/groups/{id}"], handler!(delete))
            .summary("Deletes a group, and the grants to it")
            .access(Access::Administrator),
        Route::get("list_group_members", &["/v1/groups/{id}/members"], handler!(list_members))
            .summary("Lists the members of a group by ascending user id")
            .access(Access::Administrator)
            .query(paging::QUERY)
            .answers(Answer::json(200, &MEMBERS)),
        Route::of(
            "PUT",
            "add_named_group_member",
            &["/v1/groups/{id}/members"],
            handler!(add_named),
        )
        .summary("Adds the user named by `userId` or `username` to a group")
        .access(Access::Administrator)
        .query(members::NAMED),
        Route::of(
            "DELETE",
            "remove_named_group_member",
            &["/v1/groups/{id}/members"],
            handler!(remove_named),
        )
        .summary("Removes the user named by `userId` or `username` from a group")
        .access(Access::Administrator)
        .query(members::NAMED),
        Route::of(
            "PUT",
            "add_group_member",
            &["/v1/groups/{id}/members/{userId}"],
            handler!(add_member),
        )
        .summary("Adds a user to a group")
        .access(Access::Administrator),
        Route::of(
            "DELETE",
            "remove_group_member",
            &["/v1/groups/{id}/members/{userId}"],
            handler!(remove_member),
        )
        .summary("Removes a user from a group")
        .access(Access::Administrator),
    ],
};

answer! {
    struct GroupAnswer<'a> as "Group" {
        "id" id: i64 => "the group's id, which callers may choose",
        "name" name: Option<&'a str> => "a name for people",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{"id":3,"name":"Testers","createdAt":1737599864898}"#
}

const GROUPS: Shape = page!("GroupPage", GroupAnswer<'_>, "by ascending id");

impl<'a> GroupAnswer<'a> {
    fn of(unit: &'a Unit) -> Self {
        Self { id: unit.id, name: unit.name.as_deref(), created_at: unit.created_at.0 }
    }
}

request! {
    struct NewGroup as "NewGroup" {
        "name" name: Line<MAX_NAME> => "a name for people",
        "id" id: Option<i64> => "an id of your choice; default: one that Postern chooses",
    } example r#"{"name":"Testers"}"#
}

request! {
    struct GroupChange as "GroupChange" {
        "name" name: Change<Line<MAX_NAME>> => "null removes it",
    } example r#"{"name":"Testers"}"#
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found =
        units::list(cx, UnitKind::Group, paging::search(call)?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, GroupAnswer::of, |unit| unit.id))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let NewGroup { name: Line(name), id } = NewGroup::read(&call.labelled_fields().await?)?;
    let unit = units::create(cx, call.caller()?, UnitKind::Group, id, Some(&name), None).await?;
    Ok(Response::json(201, &GroupAnswer::of(&unit))
        .with("location", format!("/v1/groups/{}", unit.id)))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let unit = units::find(cx, UnitKind::Group, call.int64(ID.name)?).await?;
    Ok(Response::json(200, &GroupAnswer::of(&unit)))
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let GroupChange { name } = GroupChange::read(&call.labelled_fields().await?)?;
    let unit = units::update(cx, call.caller()?, UnitKind::Group, call.int64(ID.name)?, |unit| {
        name.map(|Line(text)| text).apply(&mut unit.name);
    });
    Ok(Response::json(200, &GroupAnswer::of(&unit.await?)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    units::delete(cx, call.caller()?, UnitKind::Group, call.int64(ID.name)?).await?;
    Ok(Response::empty(204))
}

async fn list_members(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::list(cx, call, UnitKind::Group).await
}

async fn add_member(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set(cx, call, UnitKind::Group, true).await
}

async fn remove_member(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set(cx, call, UnitKind::Group, false).await
}

async fn add_named(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set_named(cx, call, UnitKind::Group, true).await
}

async fn remove_named(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set_named(cx, call, UnitKind::Group, false).await
}
