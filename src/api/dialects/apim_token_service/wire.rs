//! The JSON of access tokens. Sources: the published pages "Get Access Token" and "Refresh Access
//! Token".

use crate::actions::access_tokens::{Issued, SecretProof};
use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Member, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::shape::{Kind, Shape};
use crate::domain::applications::signed_call::Timestamp;
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

const BUSINESS: &str = "apim-token-service";

request! {
    pub(super) struct ApplicationProof as "ApplicationProof" {
        "appKey" access_key: Present => "the application's access key",
        "encryption" encryption: Present =>
            "lower-case hex SHA-256 of the concatenation of appKey, timestamp and appSecret",
        "timestamp" timestamp: Timestamp =>
            "epoch milliseconds, within 15 minutes of now; digits in a string are accepted",
    } example r#"{
        "appKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b",
        "encryption":"87c6885cec7525e2f219f86a82b280cc8c2d6ff4040a4b5f8acf9aeeda37aba8",
        "timestamp":1572574909697
    }"#
}

request! {
    pub(super) struct Refresh as "ApplicationRefresh" {
        "appKey" access_key: Present => "the application's access key",
        "encryption" encryption: Present =>
            "lower-case hex SHA-256 of the concatenation of appKey, timestamp and appSecret",
        "timestamp" timestamp: Timestamp =>
            "epoch milliseconds, within 15 minutes of now; digits in a string are accepted",
        "accessToken" access_token: Present => "the token to replace",
    } example r#"{
        "appKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b",
        "encryption":"87c6885cec7525e2f219f86a82b280cc8c2d6ff4040a4b5f8acf9aeeda37aba8",
        "timestamp":1572574909697,"accessToken":"64 hex digits"
    }"#
}

/// A required text. An empty one is reported as missing.
pub(super) struct Present(String);

impl Member for Present {
    const KIND: Kind = Kind::text(1, usize::MAX);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let text = fields.text(name)?.filter(|text| !text.is_empty());
        text.map(|text| Self(text.to_owned())).ok_or_else(|| Error::missing(name))
    }
}

impl Member for Timestamp {
    const KIND: Kind = Kind::AnyOf(&[Kind::TIME, Kind::matching(1, 18, patterns::EPOCH_MILLIS)]);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let digits = fields
            .digits(name)?
            .filter(|digits| !digits.is_empty())
            .ok_or_else(|| Error::missing(name))?;
        Self::parse(&digits).ok_or_else(|| fields.invalid(name, "must be epoch milliseconds"))
    }
}

answer! {
    pub(super) struct AccessToken<'a> as "AccessToken" {
        "accessToken" token: &'a str => "the token",
        "expire" expire: i64 => "seconds until it ends; 7200 at first",
    } example r#"{"accessToken":"64 hex digits","expire":7200}"#
}

answer! {
    pub(super) struct AccessTokenIssued<'a> as "AccessTokenIssued" {
        "status" status: i64 => "0",
        "msg" message: &'static str => "SUCCESS",
        "business" business: &'static str => "apim-token-service",
        "data" data: AccessToken<'a> => "the token",
    }
}

answer! {
    pub(super) struct Failure<'a> as "AccessTokenFailure" {
        "status" status: u16 =>
            "1001 used before, 1002 no such appKey, 1003 wrong encryption, 1004 wrong value, 1202 \
             missing, 1203 expired; else the HTTP status",
        "msg" message: &'a str => "what is wrong",
        "business" business: &'static str => "apim-token-service",
    } example r#"{
        "status":1002,"msg":"there is no such application","business":"apim-token-service"
    }"#
}

pub(super) const FAILURE: Shape = Failure::SHAPE;

pub(super) fn proof(fields: &Fields) -> Result<SecretProof> {
    let ApplicationProof { access_key, encryption, timestamp } = ApplicationProof::read(fields)?;
    Ok(SecretProof { access_key: access_key.0, timestamp, encryption: encryption.0 })
}

pub(super) fn refresh(fields: &Fields) -> Result<(SecretProof, PlainToken)> {
    let Refresh { access_key, encryption, timestamp, access_token } = Refresh::read(fields)?;
    Ok((
        SecretProof { access_key: access_key.0, timestamp, encryption: encryption.0 },
        PlainToken::new(access_token.0),
    ))
}

pub(super) fn issued(issued: &Issued) -> Response {
    let data = AccessToken { token: issued.token.expose(), expire: issued.seconds_left };
    Response::json(
        200,
        &AccessTokenIssued { status: 0, message: "SUCCESS", business: BUSINESS, data },
    )
}

pub(super) fn failure(http_status: u16, status: u16, message: &str) -> Response {
    Response::json(http_status, &Failure { status, message, business: BUSINESS })
}
