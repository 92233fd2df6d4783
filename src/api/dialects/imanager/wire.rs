//! The bodies of the GIS manager. Source: the published page "token".

use crate::actions::sign_in::SignedIn;
use crate::api::http::body::Fields;
use crate::api::http::credentials::COOKIE;
use crate::api::http::declare::{Declared, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::shape::Shape;
use crate::domain::secret::Secret;
use crate::error::Result;

request! {
    pub(super) struct Account as "Account" {
        "username" username: String => "the user name",
        "password" password: Secret => "the password",
    } example r#"{"username":"admin","password":"admin"}"#
}

answer! {
    pub(super) struct Succeeded as "Succeeded" {
        "succeed" succeed: bool => "true",
    } example r#"{"succeed":true}"#
}

answer! {
    pub(super) struct Reason<'a> as "ImanagerError" {
        "code" code: u16 => "the HTTP status",
        "errorMsg" message: &'a str => "what is wrong",
    } example r#"{"code":401,"errorMsg":"The user name or password is incorrect"}"#
}

answer! {
    pub(super) struct Failure<'a> as "ImanagerFailure" {
        "succeed" succeed: bool => "false",
        "error" error: Reason<'a> => "why",
    } example r#"{
        "succeed":false,"error":{"code":401,"errorMsg":"The user name or password is incorrect"}
    }"#
}

pub(super) const SUCCEEDED: Shape = Succeeded::SHAPE;
pub(super) const FAILURE: Shape = Failure::SHAPE;

pub(super) fn account(fields: &Fields) -> Result<(String, Secret)> {
    Account::read(fields).map(|Account { username, password }| (username, password))
}

/// The token itself, without quotes or newline, and the cookie.
pub(super) fn token(signed_in: &SignedIn, is_https: bool) -> Response {
    Response::text(200, "text/plain;charset=UTF-8", signed_in.token.expose())
        .with("set-cookie", set_cookie(signed_in.cookie.expose(), is_https, ""))
}

/// The answer to a sign-out; it deletes the cookie.
pub(super) fn signed_out(is_https: bool) -> Response {
    Response::json(200, &Succeeded { succeed: true })
        .with("set-cookie", set_cookie("", is_https, "; Max-Age=0"))
}

fn set_cookie(value: &str, is_https: bool, end: &str) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{end}")
}

pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &Failure { succeed: false, error: Reason { code: status, message } })
}
