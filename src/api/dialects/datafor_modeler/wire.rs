//! What the JSON of the token apps looks like. Sources: the published pages "Add or modify a token" and "Get token list".

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::actions::generate_token::Generated;
use crate::actions::token_apps::Registration;
use crate::api::http::body::Fields;
use crate::api::http::message::Response;
use crate::api::http::shape::{Kind, Shape, optional, required};
use crate::domain::identity::password;
use crate::domain::text;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::token_app::{AppName, ClaimNames, MAX_EXPIRE_S, Terms, TokenApp, TokenName};
use crate::error::{Error, Result};

/// What stands for a secret that is not shown, and keeps the stored one when it is sent back.
const MASK: &str = "************";

pub(super) const FIELD_MAP: Shape = Shape {
    name: "FieldMap",
    fields: &[
        required("username", Kind::Text, "the claim that holds the user name, 1 to 128 characters"),
        required("name", Kind::Text, "the claim that holds the name for people"),
        required("email", Kind::Text, "the claim that holds the email address"),
    ],
    example: r#"{"username":"loginname","name":"name","email":"email"}"#,
};

pub(super) const CONFIGURATION: Shape = Shape {
    name: "TokenAppConfiguration",
    fields: &[
        required("name", Kind::Text, "1 to 64 letters, digits, spaces, -, _ or .; an existing app of that name is replaced"),
        optional("token_name", Kind::Text, "the URL parameter that carries the token; default token"),
        optional(
            "secret",
            Kind::Text,
            "HS: the shared secret; else the issuer's public key as SPKI PEM, JWK, JWK Set or the https:// URL of one; on update, absent or ************ keeps the stored one",
        ),
        required("expire", Kind::Int64, "seconds after its iat at which a token is over, 1 to 315360000"),
        required("fieldmap", Kind::Object(&FIELD_MAP), "which claims say who"),
        required("algorithm", Kind::OneOf(&Algorithm::NAMES), "how tokens are signed"),
        required("enable", Kind::OneOf(&["1", "0"]), "whether tokens are accepted"),
        required("inituser", Kind::OneOf(&["1", "0"]), "whether unknown users are created at first sight"),
        required("initroles", Kind::Texts, "their roles; a user type may be among them"),
        optional("initpwd", Kind::Text, "their password; it is never shown again"),
    ],
    example: r#"{"name":"ERP","token_name":"token","secret":"abcd","expire":86400,"fieldmap":{"username":"loginname","name":"name","email":"email"},"algorithm":"HS256","enable":"1","inituser":"1","initroles":["SYS_Reader"]}"#,
};

pub(super) const DONE: Shape = Shape {
    name: "Done",
    fields: &[
        required("msg", Kind::Text, "success"),
        required("success", Kind::Boolean, "true"),
        optional("warnings", Kind::Texts, "what is accepted, and unwise"),
    ],
    example: r#"{"msg":"success","success":true}"#,
};

pub(super) const TOKEN_APP: Shape = Shape {
    name: "TokenApp",
    fields: &[
        required("initroles", Kind::Texts, "roles of users created at first sight"),
        required("fieldmap", Kind::Object(&FIELD_MAP), "which claims say who"),
        required("createdDate", Kind::Int64, "epoch milliseconds"),
        required("inituser", Kind::OneOf(&["1", "0"]), "whether unknown users are created"),
        required("lastModifiedDate", Kind::Int64, "epoch milliseconds"),
        required("enable", Kind::OneOf(&["1", "0"]), "whether tokens are accepted"),
        required("expire", Kind::Int64, "seconds"),
        required("name", Kind::Text, "the app's name"),
        required("token_name", Kind::Text, "the URL parameter"),
        required("creatorId", Kind::Int64, "the id of the user who created it"),
        required("secret", Kind::Text, "in clear, or ************ with MASK_SECRETS"),
        required("algorithm", Kind::Text, "how tokens are signed"),
    ],
    example: r#"{"initroles":["SYS_Reader"],"fieldmap":{"name":"name","email":"email","username":"loginname"},"createdDate":1737599864898,"inituser":"1","lastModifiedDate":1737601114115,"enable":"1","expire":86400,"name":"ERP","token_name":"token","creatorId":1737601114115,"secret":"abcd","algorithm":"HS256"}"#,
};

pub(super) const LIST: Shape = Shape {
    name: "TokenAppList",
    fields: &[required("data", Kind::List(&TOKEN_APP), "ordered by name"), required("success", Kind::Boolean, "true")],
    example: r#"{"data":[{"initroles":["SYS_Reader"],"fieldmap":{"name":"name","email":"email","username":"loginname"},"createdDate":1737599864898,"inituser":"1","lastModifiedDate":1737601114115,"enable":"1","expire":86400,"name":"ERP","token_name":"token","creatorId":1737601114115,"secret":"abcd","algorithm":"HS256"}],"success":true}"#,
};

pub(super) const CONTENT: Shape = Shape {
    name: "TokenAppContent",
    fields: &[
        required("success", Kind::Boolean, "true"),
        required("initroles", Kind::Texts, "roles of users created at first sight"),
        required("fieldmap", Kind::Object(&FIELD_MAP), "which claims say who"),
        required("createdDate", Kind::Int64, "epoch milliseconds"),
        required("inituser", Kind::OneOf(&["1", "0"]), "whether unknown users are created"),
        required("lastModifiedDate", Kind::Int64, "epoch milliseconds"),
        required("enable", Kind::OneOf(&["1", "0"]), "whether tokens are accepted"),
        required("expire", Kind::Int64, "seconds"),
        required("name", Kind::Text, "the app's name"),
        required("token_name", Kind::Text, "the URL parameter"),
        required("creatorId", Kind::Int64, "the id of the user who created it"),
        required("secret", Kind::Text, "************"),
        required("algorithm", Kind::Text, "how tokens are signed"),
    ],
    example: r#"{"success":true,"initroles":["SYS_Reader"],"fieldmap":{"name":"name","email":"email","username":"loginname"},"createdDate":1737599864898,"inituser":"1","lastModifiedDate":1737601114115,"enable":"1","expire":86400,"name":"ERP","token_name":"token","creatorId":1,"secret":"************","algorithm":"HS256"}"#,
};

pub(super) const NAME: Shape =
    Shape { name: "TokenAppName", fields: &[required("name", Kind::Text, "the app's name")], example: r#"{"name":"ERP"}"# };

pub(super) const NAMES: Shape = Shape { name: "TokenAppNames", fields: &[], example: r#"["ERP","CRM"]"# };

pub(super) const GENERATE: Shape = Shape {
    name: "GenerateToken",
    fields: &[
        required("name", Kind::Text, "the app's name"),
        required("privateKey", Kind::Text, "the shared secret to sign with"),
        required("payload", Kind::Any, "an object; its members become claims, renamed as fieldmap says"),
    ],
    example: r#"{"name":"ERP","privateKey":"abcd","payload":{"username":"admin"}}"#,
};

pub(super) const GENERATED: Shape = Shape {
    name: "GeneratedToken",
    fields: &[
        required("success", Kind::Boolean, "true"),
        required("token", Kind::Text, "a JSON Web Token"),
        required("expire", Kind::Int64, "seconds until it is over"),
    ],
    example: r#"{"success":true,"token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJsb2dpbm5hbWUiOiJhZG1pbiJ9.c2lnbmF0dXJl","expire":86400}"#,
};

pub(super) const FAILURE: Shape = Shape {
    name: "Failure",
    fields: &[
        required("success", Kind::Boolean, "false"),
        required("code", Kind::Text, "the HTTP status, as a string"),
        required("msg", Kind::Text, "what is wrong"),
        required("type", Kind::Text, "1"),
    ],
    example: r#"{"success":false,"code":"403","msg":"no permission","type":"1"}"#,
};

/// Reads a whole configuration.
pub(super) fn registration(fields: &Fields) -> Result<Registration> {
    let name = fields.parsed("name", AppName::parse)?;
    let token_name = match fields.text("token_name")? {
        None | Some("") => TokenName::default(),
        Some(text) => TokenName::parse(text).map_err(|why| fields.invalid("token_name", why))?,
    };
    let secret = fields.secret("secret")?.filter(|secret| secret.expose() != MASK.as_bytes());
    let expire_s = fields.required_integer("expire", 1, MAX_EXPIRE_S)?;
    let map = fields.required_object("fieldmap")?;
    let claim = |name| map.parsed(name, |text| text::printable(text, 128).map(|()| text.to_owned()));
    let claims = ClaimNames { username: claim("username")?, name: claim("name")?, email: claim("email")? };
    let algorithm = fields.parsed("algorithm", algorithm)?;
    let enabled = fields.required_flag("enable")?;
    let creates_users = fields.required_flag("inituser")?;
    let initial_roles = roles(fields)?;
    let initial_password = match fields.text("initpwd")? {
        None | Some("") => None,
        Some(text) => {
            password::length_rule(text).map_err(|why| fields.invalid("initpwd", why))?;
            fields.secret("initpwd")?
        }
    };
    let terms = Terms { token_name, algorithm, expire_s, claims, enabled, creates_users, initial_roles };
    Ok(Registration { name, terms, secret, initial_password })
}

fn algorithm(name: &str) -> std::result::Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| format!("must be one of {}", Algorithm::NAMES.join(", ")))
}

fn roles(fields: &Fields) -> Result<Vec<String>> {
    let roles = fields.required_texts("initroles")?;
    if roles.len() > 100 {
        return Err(fields.invalid("initroles", "must have at most 100 items"));
    }
    for role in &roles {
        text::printable(role, 128).map_err(|why| fields.invalid("initroles", format!("has an item that {why}")))?;
    }
    Ok(roles)
}

/// Reads a list of names.
pub(super) fn names(body: Value) -> Result<Vec<String>> {
    let wrong = || Error::invalid("body", "must be a JSON array of names");
    let Value::Array(items) = body else { return Err(wrong()) };
    if items.len() > 1000 {
        return Err(Error::invalid("body", "must have at most 1000 names"));
    }
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

#[derive(Serialize)]
struct Item<'a> {
    initroles: &'a [String],
    fieldmap: FieldMap<'a>,
    #[serde(rename = "createdDate")]
    created_date: i64,
    inituser: &'static str,
    #[serde(rename = "lastModifiedDate")]
    last_modified_date: i64,
    enable: &'static str,
    expire: i64,
    name: &'a str,
    token_name: &'a str,
    #[serde(rename = "creatorId")]
    creator_id: i64,
    secret: &'a str,
    algorithm: &'static str,
}

#[derive(Serialize)]
struct FieldMap<'a> {
    name: &'a str,
    email: &'a str,
    username: &'a str,
}

fn item(app: &TokenApp, masks: bool) -> Item<'_> {
    let flag = |value| if value { "1" } else { "0" };
    let Terms { token_name, algorithm, expire_s, claims, enabled, creates_users, initial_roles } = &app.terms;
    let secret = app.secret.as_ref().filter(|_| !masks).and_then(|secret| secret.expose_text());
    Item {
        initroles: initial_roles,
        fieldmap: FieldMap { name: &claims.name, email: &claims.email, username: &claims.username },
        created_date: app.created_at.0,
        inituser: flag(*creates_users),
        last_modified_date: app.modified_at.0,
        enable: flag(*enabled),
        expire: *expire_s,
        name: app.name.as_str(),
        token_name: token_name.as_str(),
        creator_id: app.creator_id.0,
        secret: secret.unwrap_or(MASK),
        algorithm: algorithm.name(),
    }
}

/// The answer to `list`.
pub(super) fn list(apps: &[TokenApp], masks: bool) -> Response {
    #[derive(Serialize)]
    struct List<'a> {
        data: Vec<Item<'a>>,
        success: bool,
    }
    Response::json(200, &List { data: apps.iter().map(|app| item(app, masks)).collect(), success: true })
}

/// The answer to `content`.
pub(super) fn content(app: &TokenApp) -> Response {
    #[derive(Serialize)]
    struct Content<'a> {
        success: bool,
        #[serde(flatten)]
        item: Item<'a>,
    }
    Response::json(200, &Content { success: true, item: item(app, true) })
}

/// The answer to whatever needs no more than a nod.
pub(super) fn done(warnings: &[String]) -> Response {
    let mut body = Map::new();
    body.insert("msg".to_owned(), json!("success"));
    body.insert("success".to_owned(), json!(true));
    if !warnings.is_empty() {
        body.insert("warnings".to_owned(), json!(warnings));
    }
    Response::json(200, &body)
}

/// The answer to `generate`.
pub(super) fn generated(token: &Generated) -> Response {
    Response::json(200, &json!({ "success": true, "token": token.token, "expire": token.expire_s }))
}

/// The envelope of failures.
pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "success": false, "code": status.to_string(), "msg": message, "type": "1" }))
}
