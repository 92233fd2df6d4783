//! Names of deleted users. No token can create a user of such a name.

use super::paging::{self, page};
use crate::actions::users;
use crate::api::http::declare::answer;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, required};
use crate::context::Cx;
use crate::error::Result;

const USERNAME: Field = required("username", Kind::TEXT, "the user name");

pub(super) const GROUP: Group = Group {
    parameters: &[USERNAME],
    routes: &[
        Route::get("list_tombstones", &["/v1/tombstones"], handler!(list))
            .summary("Lists the names of deleted users by ascending name")
            .access(Access::Administrator)
            .query(paging::TEXT_QUERY)
            .answers(Answer::json(200, &TOMBSTONES)),
        Route::of("DELETE", "delete_tombstone", &["/v1/tombstones/{username}"], handler!(delete))
            .summary(
                "Frees the name of a deleted user, so that a token can create a user of that name \
                 again",
            )
            .about(
                "The new user gets another id. The old id is used again only if POST /v1/users or \
                 the id claim of a token names it.",
            )
            .access(Access::Administrator),
    ],
};

answer! {
    struct Tombstone<'a> as "Tombstone" {
        "username" username: &'a str => "the user name",
        "id" id: i64 => "the id that the user had",
        "deletedAt" deleted_at: i64 as Kind::TIME => "epoch milliseconds",
        "deletedBy" deleted_by: &'a str => "the user name of the administrator who deleted them",
    } example r#"{"username":"alice","id":2,"deletedAt":1737599864898,"deletedBy":"admin"}"#
}

const TOMBSTONES: Shape = page!("Tombstones", Tombstone<'_>, "by ascending name");

impl<'a> Tombstone<'a> {
    fn of(of: &'a users::Tombstone) -> Self {
        Self {
            username: &of.username,
            id: of.id.0,
            deleted_at: of.deleted_at.0,
            deleted_by: &of.deleted_by,
        }
    }
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after) = paging::asked_by_text(call)?;
    let found = users::list_tombstones(cx, after, limit + 1).await?;
    Ok(paging::answer(&found, limit, Tombstone::of, |of| of.username.clone()))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    users::free_tombstone(cx, call.caller()?, call.parameter(USERNAME.name)?).await?;
    Ok(Response::empty(204))
}
