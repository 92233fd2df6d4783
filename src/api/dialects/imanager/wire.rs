//! What the bodies of the GIS manager look like. Source: the published page "token".

use serde_json::json;

use crate::actions::sign_in::SignedIn;
use crate::api::http::body::Fields;
use crate::api::http::credentials::COOKIE;
use crate::api::http::message::Response;
use crate::api::http::shape::{Kind, Shape, required};
use crate::domain::secret::Secret;
use crate::error::Result;

pub(super) const ACCOUNT: Shape = Shape {
    name: "Account",
    fields: &[required("username", Kind::Text, "the user name"), required("password", Kind::Text, "the password")],
    example: r#"{"username":"admin","password":"admin"}"#,
};

pub(super) const SUCCEEDED: Shape =
    Shape { name: "Succeeded", fields: &[required("succeed", Kind::Boolean, "true")], example: r#"{"succeed":true}"# };

const REASON: Shape = Shape {
    name: "ImanagerError",
    fields: &[required("code", Kind::Int64, "the HTTP status"), required("errorMsg", Kind::Text, "what is wrong")],
    example: r#"{"code":401,"errorMsg":"The user name or password is incorrect"}"#,
};

pub(super) const FAILURE: Shape = Shape {
    name: "ImanagerFailure",
    fields: &[required("succeed", Kind::Boolean, "false"), required("error", Kind::Object(&REASON), "why")],
    example: r#"{"succeed":false,"error":{"code":401,"errorMsg":"The user name or password is incorrect"}}"#,
};

/// Reads a user name and a password.
pub(super) fn account(fields: &Fields) -> Result<(String, Secret)> {
    Ok((fields.required_text("username")?.to_owned(), Secret::new(fields.required_text("password")?)))
}

/// The token itself, without quotes or newline, and its cookie.
pub(super) fn token(signed_in: &SignedIn, is_https: bool) -> Response {
    Response::text(200, "text/plain;charset=UTF-8", signed_in.token.expose())
        .with("set-cookie", set_cookie(signed_in.cookie.expose(), is_https, ""))
}

/// What answers a sign-out: the cookie is taken back.
pub(super) fn signed_out(is_https: bool) -> Response {
    Response::json(200, &json!({ "succeed": true })).with("set-cookie", set_cookie("", is_https, "; Max-Age=0"))
}

fn set_cookie(value: &str, is_https: bool, end: &str) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{end}")
}

/// The envelope of failures.
pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "succeed": false, "error": { "code": status, "errorMsg": message } }))
}
