//! What the JSON of access tokens looks like. Sources: the published pages "Get Access Token" and "Refresh Access Token".

use serde_json::json;

use crate::actions::access_tokens::{Issued, Proof};
use crate::api::http::body::Fields;
use crate::api::http::message::Response;
use crate::api::http::shape::{Field, Kind, Shape, optional, required};
use crate::domain::applications::signed_call::Timestamp;
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

const BUSINESS: &str = "apim-token-service";

const APP_KEY: Field = required("appKey", Kind::Text, "the application's access key");
const ENCRYPTION: Field =
    required("encryption", Kind::Text, "lower-case hex SHA-256 of appKey, timestamp and appSecret, one after another");
const TIMESTAMP: Field = required("timestamp", Kind::Int64, "epoch milliseconds, within 15 minutes of now; digits in a string are taken");

pub(super) const PROOF: Shape = Shape {
    name: "ApplicationProof",
    fields: &[APP_KEY, ENCRYPTION, TIMESTAMP],
    example: r#"{"appKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","encryption":"87c6885cec7525e2f219f86a82b280cc8c2d6ff4040a4b5f8acf9aeeda37aba8","timestamp":1572574909697}"#,
};

pub(super) const REFRESH: Shape = Shape {
    name: "ApplicationRefresh",
    fields: &[APP_KEY, ENCRYPTION, TIMESTAMP, required("accessToken", Kind::Text, "the token that is to be replaced")],
    example: r#"{"appKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","encryption":"87c6885cec7525e2f219f86a82b280cc8c2d6ff4040a4b5f8acf9aeeda37aba8","timestamp":1572574909697,"accessToken":"64 hex digits"}"#,
};

const TOKEN: Shape = Shape {
    name: "AccessToken",
    fields: &[required("accessToken", Kind::Text, "the token"), required("expire", Kind::Int64, "seconds until it ends; 7200 at first")],
    example: r#"{"accessToken":"64 hex digits","expire":7200}"#,
};

pub(super) const ISSUED: Shape = Shape {
    name: "AccessTokenIssued",
    fields: &[
        required("status", Kind::Int64, "0"),
        required("msg", Kind::Text, "SUCCESS"),
        required("business", Kind::Text, BUSINESS),
        required("data", Kind::Object(&TOKEN), "the token"),
    ],
    example: r#"{"status":0,"msg":"SUCCESS","business":"apim-token-service","data":{"accessToken":"64 hex digits","expire":7200}}"#,
};

pub(super) const FAILURE: Shape = Shape {
    name: "AccessTokenFailure",
    fields: &[
        required(
            "status",
            Kind::Int64,
            "1001 used before, 1002 no such appKey, 1003 wrong encryption, 1004 wrong value, 1202 missing, 1203 expired; else the HTTP status",
        ),
        required("msg", Kind::Text, "what is wrong"),
        required("business", Kind::Text, BUSINESS),
        optional("data", Kind::Any, "nothing"),
    ],
    example: r#"{"status":1002,"msg":"there is no such application","business":"apim-token-service"}"#,
};

/// Reads an application's proof.
pub(super) fn proof(fields: &Fields) -> Result<Proof> {
    let access_key = present(fields, "appKey")?;
    let encryption = present(fields, "encryption")?;
    let timestamp = fields.digits("timestamp")?.filter(|digits| !digits.is_empty()).ok_or_else(|| Error::missing("timestamp"))?;
    let timestamp = Timestamp::parse(&timestamp).ok_or_else(|| fields.invalid("timestamp", "must be epoch milliseconds"))?;
    Ok(Proof { access_key, timestamp, encryption })
}

/// Reads the token that is to be replaced.
pub(super) fn access_token(fields: &Fields) -> Result<PlainToken> {
    present(fields, "accessToken").map(PlainToken::new)
}

fn present(fields: &Fields, name: &str) -> Result<String> {
    let text = fields.text(name)?.filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| Error::missing(name))
}

/// What brings a token.
pub(super) fn issued(issued: &Issued) -> Response {
    let data = json!({ "accessToken": issued.token.expose(), "expire": issued.seconds_left });
    Response::json(200, &json!({ "status": 0, "msg": "SUCCESS", "business": BUSINESS, "data": data }))
}

/// The envelope of failures.
pub(super) fn failure(http_status: u16, code: u16, message: &str) -> Response {
    Response::json(http_status, &json!({ "status": code, "msg": message, "business": BUSINESS }))
}
