//! The main job: whose credential is this? Parse, act, map.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::wire;
use crate::actions::authenticate::{Caller, Credential, Proof, required};
use crate::actions::health;
use crate::api::credentials;
use crate::api::http::{Inbound, Response};
use crate::api::query::Query;
use crate::api::route::Call;
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};
use crate::ports::Cx;

/// What header values are encoded by: everything but printable ASCII, and `%` and `,` so that it can be undone.
const HEADER_VALUE: &AsciiSet = &CONTROLS.add(b'%').add(b',');

pub(super) async fn verify(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let credential = credential(call.request, call.query)?;
    let caller = required(cx, credential.as_ref(), call.query.one("app")?).await?;
    Ok(wire::verified(&caller))
}

pub(super) async fn verify_posted(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    // A token in the body is what the caller asks about; the headers then say nothing.
    let Some(token) = call.fields().await?.text("token")?.map(PlainToken::new) else { return verify(cx, call).await };
    let caller = required(cx, Some(&Credential::Token(token)), call.query.one("app")?).await?;
    Ok(wire::verified(&caller))
}

pub(super) async fn forward_auth(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    for name in ["service", "permission"] {
        if call.query.one(name)?.is_some() {
            return Err(Error::invalid(name, "cannot be checked: this version keeps no grants"));
        }
    }
    let forwarded = call.request.header("x-forwarded-uri").or_else(|| call.request.header("x-original-uri")).unwrap_or_default();
    let forwarded = Query::of_others(forwarded.split_once('?').map_or("", |(_, query)| query));
    let credential = credential(call.request, &forwarded)?;
    let caller = required(cx, credential.as_ref(), call.query.one("app")?).await?;
    Ok(identity(&caller))
}

pub(super) async fn health(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    Ok(wire::health(health::health(cx).await))
}

fn credential(request: &dyn Inbound, query: &Query) -> Result<Option<Credential>> {
    Ok(credentials::in_headers(request)?.or_else(|| credentials::in_query(query)))
}

/// Who it is, in headers that a proxy passes on.
fn identity(caller: &Caller) -> Response {
    let encoded = |text: &str| utf8_percent_encode(text, HEADER_VALUE).to_string();
    let user = &caller.user;
    let roles: Vec<_> = user.profile.roles.iter().map(|role| encoded(role)).collect();
    let app = match &caller.proof {
        Proof::Jwt { app, .. } => Some(app.as_str()),
        Proof::Password | Proof::Session(_) => None,
    };
    let optional = [("x-auth-name", user.profile.name.as_deref()), ("x-auth-email", user.profile.email.as_deref()), ("x-auth-app", app)];
    let response = Response::empty(200)
        .with("x-auth-user", encoded(user.username.as_str()))
        .with("x-auth-user-id", user.id.0.to_string())
        .with("x-auth-roles", roles.join(","));
    optional.into_iter().fold(response, |response, (name, value)| match value {
        Some(value) => response.with(name, encoded(value)),
        None => response,
    })
}
