//! Handlers: parse the request, call the action, map the answer.

use super::wire;
use crate::actions::token_apps::{Kept, Registered};
use crate::actions::{generate_token, token_apps};
use crate::api::http::body::parse_json;
use crate::api::http::declare::Request;
use crate::api::http::message::Response;
use crate::api::http::route::{Call, NO_MEMBERS};
use crate::context::Cx;
use crate::error::Result;

pub(super) async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.fields().await?;
    let configuration = wire::Configuration::read(&fields)?;
    let name = configuration.name.clone();
    let registered = token_apps::register(cx, call.caller()?, &name, Kept::Policy, |before| {
        wire::registration(configuration, &fields, before)
    })
    .await;
    let Registered { warnings, .. } = registered.map_err(wire::in_own_names)?;
    Ok(wire::done(&[call.warnings(&wire::ITEM), warnings].concat()))
}

pub(super) async fn list(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    Ok(wire::list(&token_apps::list(cx).await?, cx.config.mask_secrets))
}

pub(super) async fn content(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(wire::content(&token_apps::find(cx, call.query.required("name")?).await?))
}

pub(super) async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let wire::Name { name } = wire::Name::read(&call.fields().await?)?;
    token_apps::delete(cx, call.caller()?, &[name]).await?;
    Ok(wire::done(&call.warnings(&NO_MEMBERS)))
}

pub(super) async fn delete_batch(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let names = wire::names(parse_json(&call.body().await?)?)?;
    token_apps::delete(cx, call.caller()?, &names).await?;
    Ok(wire::done(&call.warnings(&NO_MEMBERS)))
}

pub(super) async fn generate(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let wire::Generate { secret: wire::PrivateKey(secret), payload, name } =
        wire::Generate::read(&call.fields().await?)?;
    let generated = generate_token::generate_token(cx, &name, &secret, &payload).await;
    let generated = generated.map_err(|error| error.with_field_named("key", "privateKey"))?;
    Ok(wire::generated(&generated, &call.warnings(&NO_MEMBERS)))
}
