//! Departments and their members.

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

const ID: Field = required("id", Kind::INT64, "the department's id");

pub(super) const GROUP: Group = Group {
    parameters: &[ID, members::USER_ID],
    routes: &[
        Route::get("list_departments", &["/v1/departments"], handler!(list))
            .summary(
                "Lists departments by ascending id; with `search` by name, those whose name begins \
                 with it",
            )
            .access(Access::Administrator)
            .query(paging::NAMED_QUERY)
            .answers(Answer::json(200, &DEPARTMENTS)),
        Route::of("POST", "create_department", &["/v1/departments"], handler!(create))
            .summary("Creates a department, below another one or not")
            .access(Access::Administrator)
            .body(&NewDepartment::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &DepartmentAnswer::SHAPE)),
        Route::get("get_department", &["/v1/departments/{id}"], handler!(get))
            .summary("Shows a department")
            .access(Access::Administrator)
            .answers(Answer::json(200, &DepartmentAnswer::SHAPE)),
        Route::of("PATCH", "update_department", &["/v1/departments/{id}"], handler!(update))
            .summary("Renames a department, or moves it, but never below itself")
            .about("Members that are left out stay as they are.")
            .access(Access::Administrator)
            .body(&DepartmentChange::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(200, &DepartmentAnswer::SHAPE)),
        Route::of("DELETE", "delete_department", &["/v1/departments/{id}"], handler!(delete))
            .summary("Deletes a department that has none below it, and the grants to it")
            .access(Access::Administrator)
            .refuses(&[409]),
        Route::get(
            "list_department_members",
            &["/v1/departments/{id}/members"],
            handler!(list_members),
        )
        .summary("Lists the members of a department by ascending user id")
        .access(Access::Administrator)
        .query(paging::QUERY)
        .answers(Answer::json(200, &MEMBERS)),
        Route::of(
            "PUT",
            "add_named_department_member",
            &["/v1/departments/{id}/members"],
            handler!(add_named),
        )
        .summary("Adds the user named by `userId` or `username` to a department")
        .access(Access::Administrator)
        .query(members::NAMED),
        Route::of(
            "DELETE",
            "remove_named_department_member",
            &["/v1/departments/{id}/members"],
            handler!(remove_named),
        )
        .summary("Removes the user named by `userId` or `username` from a department")
        .access(Access::Administrator)
        .query(members::NAMED),
        Route::of(
            "PUT",
            "add_department_member",
            &["/v1/departments/{id}/members/{userId}"],
            handler!(add_member),
        )
        .summary("Adds a user to a department")
        .access(Access::Administrator),
        Route::of(
            "DELETE",
            "remove_department_member",
            &["/v1/departments/{id}/members/{userId}"],
            handler!(remove_member),
        )
        .summary("Removes a user from a department")
        .access(Access::Administrator),
    ],
};

answer! {
    struct DepartmentAnswer<'a> as "Department" {
        "id" id: i64 => "the department's id, which callers may choose",
        "name" name: Option<&'a str> => "a name for people",
        "parentId" parent_id: Option<i64> => "the department above",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{"id":2,"name":"Sales","parentId":1,"createdAt":1737599864898}"#
}

const DEPARTMENTS: Shape = page!("DepartmentPage", DepartmentAnswer<'_>, "by ascending id");

impl<'a> DepartmentAnswer<'a> {
    fn of(unit: &'a Unit) -> Self {
        Self {
            id: unit.id,
            name: unit.name.as_deref(),
            parent_id: unit.parent_id,
            created_at: unit.created_at.0,
        }
    }
}

request! {
    struct NewDepartment as "NewDepartment" {
        "name" name: Line<MAX_NAME> => "a name for people",
        "id" id: Option<i64> => "an id of your choice; default: one that Postern chooses",
        "parentId" parent_id: Option<i64> => "the department above; it must exist",
    } example r#"{"name":"Sales","parentId":1}"#
}

request! {
    struct DepartmentChange as "DepartmentChange" {
        "name" name: Change<Line<MAX_NAME>> => "null removes it",
        "parentId" parent_id: Change<i64> => "the department above; null for none",
    } example r#"{"parentId":null}"#
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found =
        units::list(cx, UnitKind::Department, paging::search(call)?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, DepartmentAnswer::of, |unit| unit.id))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let NewDepartment { name: Line(name), id, parent_id } =
        NewDepartment::read(&call.labelled_fields().await?)?;
    let unit =
        units::create(cx, call.caller()?, UnitKind::Department, id, Some(&name), parent_id).await?;
    Ok(Response::json(201, &DepartmentAnswer::of(&unit))
        .with("location", format!("/v1/departments/{}", unit.id)))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let unit = units::find(cx, UnitKind::Department, call.int64(ID.name)?).await?;
    Ok(Response::json(200, &DepartmentAnswer::of(&unit)))
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let DepartmentChange { name, parent_id } =
        DepartmentChange::read(&call.labelled_fields().await?)?;
    let unit =
        units::update(cx, call.caller()?, UnitKind::Department, call.int64(ID.name)?, |unit| {
            name.map(|Line(text)| text).apply(&mut unit.name);
            parent_id.apply(&mut unit.parent_id);
        });
    Ok(Response::json(200, &DepartmentAnswer::of(&unit.await?)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    units::delete(cx, call.caller()?, UnitKind::Department, call.int64(ID.name)?).await?;
    Ok(Response::empty(204))
}

async fn list_members(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::list(cx, call, UnitKind::Department).await
}

async fn add_member(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set(cx, call, UnitKind::Department, true).await
}

async fn remove_member(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set(cx, call, UnitKind::Department, false).await
}

async fn add_named(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set_named(cx, call, UnitKind::Department, true).await
}

async fn remove_named(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    members::set_named(cx, call, UnitKind::Department, false).await
}
