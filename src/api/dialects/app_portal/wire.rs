//! What the JSON of application authorization looks like. Source: the published page "Update Application Authorization".

use serde_json::json;

use crate::api::http::body::Fields;
use crate::api::http::message::Response;
use crate::api::http::shape::{Kind, Shape, required};
use crate::domain::applications::application::{AuthorizationType, Authorizations};
use crate::error::{Error, Result};

/// The parameter that names the organization.
pub(super) const ORGANIZATION: &str = "orgId";
/// The member or parameter that names the application.
pub(super) const APPLICATION: &str = "appId";
/// The member with what it is authorized to.
pub(super) const TYPES: &str = "dataAuthorizeType";

const TYPES_ABOUT: &str = "USER, ASSET, ROLE, USER_OP, USER_PERMISSION, USER_ALL_PERMISSION, ROLE_OP, MENU_GROUP_OP";

pub(super) const AUTHORIZATION: Shape = Shape {
    name: "Authorization",
    fields: &[required("appId", Kind::Text, "the application's access key"), required("dataAuthorizeType", Kind::Texts, TYPES_ABOUT)],
    example: r#"{"appId":"your_access_key","dataAuthorizeType":["ROLE","USER_OP","ASSET","USER"]}"#,
};

pub(super) const DONE: Shape = Shape {
    name: "AuthorizationSet",
    fields: &[required("code", Kind::Int64, "0"), required("message", Kind::Text, "OK"), required("data", Kind::Boolean, "true")],
    example: r#"{"code":0,"message":"OK","data":true}"#,
};

const TYPES_SHAPE: Shape = Shape {
    name: "AuthorizationTypes",
    fields: &[required("dataAuthorizeType", Kind::Texts, TYPES_ABOUT)],
    example: r#"{"dataAuthorizeType":["USER","ASSET","ROLE","USER_OP"]}"#,
};

pub(super) const INFO: Shape = Shape {
    name: "AuthorizationInfo",
    fields: &[
        required("code", Kind::Int64, "0"),
        required("message", Kind::Text, "OK"),
        required("data", Kind::Object(&TYPES_SHAPE), "what the application is authorized to"),
    ],
    example: r#"{"code":0,"message":"OK","data":{"dataAuthorizeType":["USER","ASSET","ROLE","USER_OP"]}}"#,
};

pub(super) const FAILURE: Shape = Shape {
    name: "AuthorizationFailure",
    fields: &[
        required("code", Kind::Int64, "31000 and the HTTP status"),
        required("message", Kind::Text, "what is wrong"),
        required("data", Kind::Boolean, "false"),
    ],
    example: r#"{"code":31400,"message":"OU ID is required","data":false}"#,
};

/// Reads an application's access key and what it is to be authorized to. Doubles collapse.
pub(super) fn authorization(fields: &Fields) -> Result<(String, Authorizations)> {
    let access_key = fields.required_text(APPLICATION)?;
    if access_key.is_empty() {
        return Err(Error::missing(APPLICATION));
    }
    let kind = |name: &String| AuthorizationType::parse(name).map_err(|why| Error::invalid(TYPES, why));
    let kinds = fields.required_texts(TYPES)?.iter().map(kind).collect::<Result<_>>()?;
    Ok((access_key.to_owned(), kinds))
}

/// What a change answers.
pub(super) fn done() -> Response {
    Response::json(200, &json!({ "code": 0, "message": "OK", "data": true }))
}

/// What an application is authorized to.
pub(super) fn info(authorizations: Authorizations) -> Response {
    Response::json(200, &json!({ "code": 0, "message": "OK", "data": { "dataAuthorizeType": authorizations.names() } }))
}

/// The envelope of failures.
pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "code": 31_000 + u32::from(status), "message": message, "data": false }))
}
