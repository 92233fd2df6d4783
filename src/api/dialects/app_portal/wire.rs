//! The JSON of application authorization. Source: the published page "Update Application
//! Authorization".

use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Member, Request, answer, request};
use crate::api::http::members::{AUTHORIZATION_TYPE, PLAIN_ID};
use crate::api::http::message::Response;
use crate::api::http::shape::{Field, Kind, Shape, required};
use crate::domain::applications::application::{AuthorizationType, Authorizations};
use crate::error::{Error, Result};

/// The parameter that names the organization.
pub(super) const ORGANIZATION: Field = required("orgId", PLAIN_ID, "the organization's id");
/// The parameter that names the application.
pub(super) const APPLICATION: Field = required("appId", PLAIN_ID, "the application's access key");
/// The member with the types of data that the application is authorized to.
pub(super) const TYPES: &str = "dataAuthorizeType";

request! {
    pub(super) struct Authorization as "Authorization" {
        "appId" access_key: AppId => "the application's access key",
        "dataAuthorizeType" authorizations: Authorizations =>
            "the types of data to authorize it to; duplicates are ignored",
    } example r#"{"appId":"your_access_key","dataAuthorizeType":["ROLE","USER_OP","ASSET","USER"]}"#
}

/// An access key. An empty one is reported as missing.
pub(super) struct AppId(pub(super) String);

impl Member for AppId {
    const KIND: Kind = PLAIN_ID;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let text = fields.required_text(name)?;
        if text.is_empty() { Err(Error::missing(name)) } else { Ok(Self(text.to_owned())) }
    }
}

impl Member for Authorizations {
    const KIND: Kind = Kind::list(&AUTHORIZATION_TYPE);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let kind =
            |text: &String| AuthorizationType::parse(text).map_err(|why| Error::invalid(name, why));
        fields.required_texts(name)?.iter().map(kind).collect()
    }
}

answer! {
    pub(super) struct Done as "AuthorizationSet" {
        "code" code: i64 => "0",
        "message" message: &'static str => "OK",
        "data" data: bool => "true",
    } example r#"{"code":0,"message":"OK","data":true}"#
}

answer! {
    pub(super) struct Types as "AuthorizationTypes" {
        "dataAuthorizeType" types: Vec<&'static str> as Kind::list(&AUTHORIZATION_TYPE) =>
            "the types of data that the application is authorized to",
    } example r#"{"dataAuthorizeType":["USER","ASSET","ROLE","USER_OP"]}"#
}

answer! {
    pub(super) struct Info as "AuthorizationInfo" {
        "code" code: i64 => "0",
        "message" message: &'static str => "OK",
        "data" data: Types => "the types of data that the application is authorized to",
    } example r#"{
        "code":0,"message":"OK","data":{"dataAuthorizeType":["USER","ASSET","ROLE","USER_OP"]}
    }"#
}

answer! {
    pub(super) struct Failure<'a> as "AuthorizationFailure" {
        "code" code: i64 => "31000 plus the HTTP status",
        "message" message: &'a str => "what is wrong",
        "data" data: bool => "false",
    } example r#"{"code":31400,"message":"OU ID is required","data":false}"#
}

pub(super) const DONE: Shape = Done::SHAPE;
pub(super) const FAILURE: Shape = Failure::SHAPE;

pub(super) fn authorization(fields: &Fields) -> Result<(String, Authorizations)> {
    let Authorization { access_key: AppId(access_key), authorizations } =
        Authorization::read(fields)?;
    Ok((access_key, authorizations))
}

pub(super) fn done() -> Response {
    Response::json(200, &Done { code: 0, message: "OK", data: true })
}

pub(super) fn info(authorizations: Authorizations) -> Response {
    Response::json(
        200,
        &Info { code: 0, message: "OK", data: Types { types: authorizations.names() } },
    )
}

pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &Failure { code: 31_000 + i64::from(status), message, data: false })
}
