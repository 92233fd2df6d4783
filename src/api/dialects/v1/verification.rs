//! The main job: whose credential is this? Parse, act, map.

use super::wire;
use crate::actions::authenticate::required;
use crate::actions::caller::{Caller, Credential, Hints};
use crate::actions::permissions::Question;
use crate::actions::{health, permissions};
use crate::api::http::credentials;
use crate::api::http::identity;
use crate::api::http::message::{Inbound, Response};
use crate::api::http::query::Query;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::permissions::permission::Permission;
use crate::domain::secret::PlainToken;
use crate::error::{Error, Refusal, Result};

pub(super) async fn verify(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let credential = credential(call.request, call.query)?;
    let caller = required(cx, credential.as_ref(), hints(call, None)?).await?;
    Ok(wire::verified(&caller))
}

pub(super) async fn verify_posted(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    // A token in the body is what the caller asks about; the headers then say nothing.
    let Some(token) = call.fields().await?.text("token")?.map(PlainToken::new) else { return verify(cx, call).await };
    let caller = required(cx, Some(&Credential::Token(token)), hints(call, None)?).await?;
    Ok(wire::verified(&caller))
}

pub(super) async fn forward_auth(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let asked = asked(call)?;
    let forwarded = call.request.header("x-forwarded-uri").or_else(|| call.request.header("x-original-uri"));
    if forwarded.is_some() {
        refuse_unknown(call)?;
    }
    let forwarded = forwarded.map(|url| Query::of_others(url.split_once('?').map_or("", |(_, query)| query)));
    let credential = credential(call.request, forwarded.as_ref().unwrap_or(call.query))?;
    let caller = required(cx, credential.as_ref(), hints(call, asked)?).await?;
    if let Some(Asked { service_id, permission, .. }) = asked {
        let question = Question { service_id, user_id: caller.user.id.0, permission };
        if !permissions::check(cx, &caller, question).await? {
            return Err(Refusal::NoPermission { permission, service_id }.into());
        }
    }
    Ok(identity(&caller))
}

pub(super) async fn check(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let asked = asked(call)?.ok_or_else(|| Error::missing("service"))?;
    let Asked { service_id, permission, user_id } = asked;
    let credential = credential(call.request, call.query)?;
    let caller = required(cx, credential.as_ref(), hints(call, Some(asked))?).await?;
    let user_id = user_id.unwrap_or(caller.user.id.0);
    let question = Question { service_id, user_id, permission };
    let allowed = permissions::check(cx, &caller, question).await?;
    Ok(wire::checked(question, allowed))
}

pub(super) async fn check_batch(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let caller = call.caller()?;
    let questions = wire::questions(&call.fields().await?, caller.user.id.0)?;
    let answers = permissions::check_all(cx, caller, &questions).await?;
    Ok(wire::checked_batch(&questions, &answers))
}

/// Refuses a proxy's question that is misspelled, which would else be no question at all, or that a client has added to.
fn refuse_unknown(call: &Call<'_>) -> Result<()> {
    let unknown = call.query.pairs().iter().find(|(name, _)| !["app", "service", "permission"].contains(&name.as_str()));
    unknown.map_or(Ok(()), |(name, _)| Err(Error::invalid(name, "is unknown here: a proxy may send app, service and permission")))
}

/// What a query asks about.
#[derive(Clone, Copy)]
struct Asked {
    service_id: i64,
    permission: Permission,
    user_id: Option<i64>,
}

/// The question in the query; `service` and `permission` come together or not at all.
fn asked(call: &Call<'_>) -> Result<Option<Asked>> {
    let Some(service_id) = call.query.integer("service", i64::MIN, i64::MAX)? else {
        return if call.query.one("permission")?.is_some() { Err(Error::missing("service")) } else { Ok(None) };
    };
    let permission = Permission::parse(call.query.required("permission")?).map_err(|why| Error::invalid("permission", why))?;
    Ok(Some(Asked { service_id, permission, user_id: call.query.integer("user", i64::MIN, i64::MAX)? }))
}

fn hints<'a>(call: &'a Call<'_>, asked: Option<Asked>) -> Result<Hints<'a>> {
    let user_id = asked.and_then(|asked| asked.user_id);
    Ok(Hints { app: call.query.one("app")?, service_id: asked.map(|asked| asked.service_id), user_id })
}

pub(super) async fn health(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    Ok(wire::health(health::health(cx).await))
}

fn credential(request: &dyn Inbound, query: &Query) -> Result<Option<Credential>> {
    Ok(credentials::in_headers(request)?.or_else(|| credentials::in_query(query)))
}

/// Who it is, in headers that a proxy passes on.
fn identity(caller: &Caller) -> Response {
    identity::headers(caller).into_iter().fold(Response::empty(200), |response, (name, value)| response.with(name, value))
}
