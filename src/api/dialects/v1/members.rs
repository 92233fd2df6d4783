//! Members of departments and groups.

use super::paging::{self, page};
use crate::actions::units;
use crate::actions::user_names::{self, Named};
use crate::api::http::declare::answer;
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::api::http::shape::{Field, Kind, Shape, optional, required};
use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::error::{Error, Result};

pub(super) const USER_ID: Field = required("userId", Kind::INT64, "the user's id");

answer! {
    struct Member as "Member" {
        "userId" user_id: i64 => "the user's id",
    } example r#"{"userId":5}"#
}

pub(super) const MEMBERS: Shape = page!("MemberPage", Member, "by ascending id");

pub(super) async fn list(cx: &Cx, call: &Call<'_>, kind: UnitKind) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found = units::list_members(cx, kind, call.int64("id")?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, |user_id| Member { user_id: *user_id }, |user_id| *user_id))
}

pub(super) const NAMED: &[Field] = &[
    optional("userId", Kind::INT64, "the user's id"),
    optional("username", Kind::TEXT, "the user name, in place of the id"),
];

/// Adds the user in the query to the department or group, or removes them. An unknown user name is
/// an error.
pub(super) async fn set_named(
    cx: &Cx,
    call: &Call<'_>,
    kind: UnitKind,
    is_member: bool,
) -> Result<Response> {
    let user =
        match (call.query.integer("userId", i64::MIN, i64::MAX)?, call.query.one("username")?) {
            (Some(id), None) => Named::Id(id),
            (None, Some(name)) => Named::Username(name.to_owned()),
            _ => return Err(Error::invalid("userId", "or username is required, and not both")),
        };
    let user_id = user_names::id_now(cx, &user).await?;
    units::set_member(cx, call.caller()?, kind, call.int64("id")?, user_id, is_member).await?;
    Ok(Response::empty(204))
}

/// Adds the user in the path to the department or group, or removes them.
pub(super) async fn set(
    cx: &Cx,
    call: &Call<'_>,
    kind: UnitKind,
    is_member: bool,
) -> Result<Response> {
    units::set_member(
        cx,
        call.caller()?,
        kind,
        call.int64("id")?,
        call.int64(USER_ID.name)?,
        is_member,
    )
    .await?;
    Ok(Response::empty(204))
}
