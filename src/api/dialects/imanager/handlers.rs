//! Handlers: parse the request, call the action, map the answer.

use super::wire;
use crate::actions::{sessions, sign_in};
use crate::api::http::message::Response;
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::error::{Error, Result};

pub(super) async fn issue_token(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (username, password) = wire::account(&call.fields().await?)?;
    let signed_in = sign_in::sign_in(cx, &username, &password).await?;
    Ok(wire::token(&signed_in, is_https(call)))
}

pub(super) async fn other_format(_: &Cx, call: &Call<'_>) -> Result<Response> {
    Err(Error::NotAcceptable { format: call.parameter("format")?.to_owned() })
}

pub(super) async fn sign_out(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    sessions::sign_out(cx, call.caller()?).await?;
    Ok(wire::signed_out(is_https(call)))
}

fn is_https(call: &Call<'_>) -> bool {
    call.request.origin().starts_with("https:")
}
