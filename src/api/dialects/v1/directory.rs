//! Users, their tokens, and the audit trail. Parse, act, map.

use super::wire;
use crate::actions::users::Filter;
use crate::actions::{audit, sessions, users};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::error::{Error, Result};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 500;

pub(super) async fn list_users(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = page(call)?;
    let username = call.query.one("username")?.map(str::to_owned);
    // One more than asked for tells whether there is a next page.
    let filter = Filter { username, after_id, limit: limit + 1 };
    let found = users::list(cx, &filter).await?;
    Ok(wire::page(&found, limit, wire::user, |user| user.id.0))
}

pub(super) async fn create_user(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let new = wire::new_user(&call.fields().await?)?;
    let user = users::create(cx, call.caller()?, &new.username, &new.profile, new.password.as_ref()).await?;
    Ok(Response::json(201, &wire::user(&user)).with("location", format!("/v1/users/{}", user.id.0)))
}

pub(super) async fn get_user(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let user = users::show(cx, call.caller()?, id(call)?).await?;
    Ok(Response::json(200, &wire::user(&user)))
}

pub(super) async fn update_user(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let change = wire::user_change(&call.fields().await?)?;
    let user = users::update(cx, call.caller()?, id(call)?, |profile| change.apply(profile)).await?;
    Ok(Response::json(200, &wire::user(&user)))
}

pub(super) async fn delete_user(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    users::delete(cx, call.caller()?, id(call)?).await?;
    Ok(Response::empty(204))
}

pub(super) async fn set_password(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.fields().await?;
    let new = fields.secret("password")?.ok_or_else(|| Error::invalid("password", "is required"))?;
    let current = fields.secret("currentPassword")?;
    users::set_password(cx, call.caller()?, id(call)?, &new, current.as_ref()).await?;
    Ok(Response::empty(204))
}

pub(super) async fn list_tokens(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(wire::tokens(&sessions::list(cx, id(call)?).await?))
}

pub(super) async fn revoke_tokens(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    sessions::revoke_all(cx, call.caller()?, id(call)?).await?;
    Ok(Response::empty(204))
}

pub(super) async fn revoke_token(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    sessions::revoke(cx, call.caller()?, id(call)?, call.int64("tokenId")?).await?;
    Ok(Response::empty(204))
}

pub(super) async fn list_audit_events(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, before_id) = page(call)?;
    let text = |name| call.query.one(name).map(|text| text.map(str::to_owned));
    let time = |name| call.query.integer(name, 0, 1 << 53).map(|time| time.map(Millis));
    let filter = audit::Filter {
        actor: text("actor")?,
        action: text("action")?,
        from: time("from")?,
        until: time("until")?,
        before_id,
        limit: limit + 1,
    };
    let found = audit::list(cx, &filter).await?;
    Ok(wire::page(&found, limit, wire::event, |event| event.id))
}

fn id(call: &Call<'_>) -> Result<UserId> {
    call.int64("id").map(UserId)
}

/// How many, and from which id on.
pub(super) fn page(call: &Call<'_>) -> Result<(i64, Option<i64>)> {
    Ok((limit(call)?, call.query.integer("cursor", i64::MIN, i64::MAX)?))
}

/// How many a page has at most.
pub(super) fn limit(call: &Call<'_>) -> Result<i64> {
    Ok(call.query.integer("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT))
}
