//! The JSON of the token apps. Sources: the published pages "Add or modify a token" and "Get token
//! list".

use serde_json::{Map, Value};

use crate::actions::generate_token::Generated;
use crate::actions::token_apps::{AUDIENCE_UNCHECKED, InitialPasswordChange, Registration};
use crate::api::http::body::Fields;
use crate::api::http::declare::{
    Change, Declared, Integer, Line, Member, Sometimes, answer, request,
};
use crate::api::http::members::{InitialPassword, InitialRoles};
use crate::api::http::message::Response;
use crate::api::http::shape::{Body, Kind, Shape, required};
use crate::api::http::token_policy::{self, Chosen, Naming};
use crate::domain::secret::Secret;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::token_app::{
    AppName, ClaimNames, MAX_EXPIRE_S, TokenApp, TokenAppTerms, TokenName,
};
use crate::error::{Error, Result};

/// Shown in place of a secret. A request that sends it back keeps the stored secret.
const MASK: &str = "************";

request! {
    pub(super) struct ClaimMap as "ClaimMap" {
        "username" username: Line<128> => "the claim that holds the user name",
        "name" name: Line<128> => "the claim that holds the name for people",
        "email" email: Line<128> => "the claim that holds the email address",
        "id" id: Change<Line<128>> => "the claim that holds the user's id, an int64",
        "groups" groups: Change<Line<128>> => "the claim that holds the names of groups",
        "roles" roles: Change<Line<128>> => "the claim that holds roles",
    } example r#"{"username":"loginname","name":"name","email":"email"}"#
}

request! {
    pub(super) struct Configuration as "TokenAppConfiguration" {
        "name" name: AppName => "an existing app of that name is replaced",
        "token_name" token_name: Option<TokenName> =>
            "the URL parameter that carries the token; default token",
        "secret" secret: Option<Secret> =>
            "HS: the shared secret; otherwise the issuer's public key as SPKI PEM, JWK, JWK Set or \
             the https:// URL of one; on update, absent or ************ keeps the stored one",
        "expire" expire: Integer<1, MAX_EXPIRE_S> => "seconds after its iat when a token expires",
        "fieldmap" claims: ClaimMap => "the claims that identify the user",
        "algorithm" algorithm: Algorithm => "how tokens are signed",
        "enable" enabled: Flag => "whether tokens are accepted",
        "inituser" creates_users: Flag => "whether an unknown user is created by their first token",
        "initroles" initial_roles: InitialRoles =>
            "the roles of such users; a user type may be among them",
        "initpwd" initial_password: Option<InitialPassword> =>
            "their password; it is never shown again",
    } example r#"{
        "name":"ERP","token_name":"token","secret":"abcd","expire":86400,
        "fieldmap":{"username":"loginname","name":"name","email":"email"},"algorithm":"HS256",
        "enable":"1","inituser":"1","initroles":["SYS_Reader"]
    }"#
}

/// A whole configuration: the members of the published form, and Postern's additional ones.
pub(super) const CONFIGURATION: Shape =
    Shape { includes: &[&token_policy::SNAKE], ..Configuration::SHAPE };

/// The string `"1"` or `"0"`.
pub(super) struct Flag(bool);

const FLAG: Kind = Kind::OneOf(&["1", "0"]);

impl Member for Flag {
    const KIND: Kind = FLAG;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_flag(name).map(Self)
    }
}

answer! {
    pub(super) struct Done<'a> as "Done" {
        "msg" message: &'static str => "success",
        "success" success: bool => "true",
        "warnings" warnings: Sometimes<&'a [String]> =>
            "settings that are accepted but unwise, and unknown members that were ignored",
    } example r#"{"msg":"success","success":true}"#
}

answer! {
    pub(super) struct FieldMap<'a> as "FieldMap" {
        "name" name: &'a str => "the claim that holds the name for people",
        "email" email: &'a str => "the claim that holds the email address",
        "id" id: Sometimes<&'a str> => "the claim that holds the user's id",
        "groups" groups: Sometimes<&'a str> => "the claim that holds the names of groups",
        "roles" roles: Sometimes<&'a str> => "the claim that holds roles",
        "username" username: &'a str => "the claim that holds the user name",
    } example r#"{"name":"name","email":"email","username":"loginname"}"#
}

answer! {
    pub(super) struct Item<'a> as "TokenApp" {
        "initroles" initial_roles: &'a [String] =>
            "the roles of users created by their first token",
        "fieldmap" claims: FieldMap<'a> => "the claims that identify the user",
        "createdDate" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "inituser" creates_users: &'static str as FLAG =>
            "whether an unknown user is created by their first token",
        "lastModifiedDate" modified_at: i64 as Kind::TIME => "epoch milliseconds",
        "enable" enabled: &'static str as FLAG => "whether tokens are accepted",
        "expire" expire: i64 => "seconds",
        "name" name: &'a str => "the app's name",
        "token_name" token_name: &'a str => "the URL parameter",
        "creatorId" creator_id: i64 => "the id of the user who created it",
        "secret" secret: &'a str =>
            "in clear in lists, unless MASK_SECRETS is set; otherwise ************",
        "algorithm" algorithm: &'static str as <Algorithm as Member>::KIND =>
            "how tokens are signed",
        "warnings" warnings: Sometimes<Vec<String>> => "settings in force that are dangerous",
        then policy: Chosen,
    } example r#"{
        "initroles":["SYS_Reader"],
        "fieldmap":{"name":"name","email":"email","username":"loginname"},
        "createdDate":1737599864898,"inituser":"1","lastModifiedDate":1737601114115,"enable":"1",
        "expire":86400,"name":"ERP","token_name":"token","creatorId":1,"secret":"abcd",
        "algorithm":"HS256"
    }"#
}

answer! {
    pub(super) struct List<'a> as "TokenAppList" {
        "data" data: Vec<Item<'a>> => "ordered by name",
        "success" success: bool => "true",
    }
}

answer! {
    pub(super) struct Content<'a> as "TokenAppContent" {
        "success" success: bool => "true",
        then item: Item<'a>,
    }
}

request! {
    pub(super) struct Name as "TokenAppName" {
        "name" name: String => "the app's name",
    } example r#"{"name":"ERP"}"#
}

pub(super) const NAMES: Body = Body::Array {
    kind: Kind::List { item: &Kind::TEXT, min: 0, max: MAX_NAMES },
    example: r#"["ERP","CRM"]"#,
};

const MAX_NAMES: usize = 1000;

request! {
    pub(super) struct Generate as "GenerateToken" {
        "privateKey" secret: PrivateKey => "the shared secret to sign with",
        "payload" payload: Map<String, Value> as Kind::OpenObject(&PAYLOAD) =>
            "the claims; its members are renamed by fieldmap",
        "name" name: String => "the app's name",
    } example r#"{"name":"ERP","privateKey":"abcd","payload":{"username":"admin"}}"#
}

/// A secret. The action refuses an empty one, with its own message.
pub(super) struct PrivateKey(pub(super) Secret);

impl Member for PrivateKey {
    const KIND: Kind = Kind::text(1, usize::MAX);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.secret(name).map(|secret| Self(secret.unwrap_or_else(|| Secret::new(""))))
    }
}

const PAYLOAD: Shape = Shape {
    name: "TokenPayload",
    fields: &[required(
        "username",
        Kind::Any,
        "the user whom the token names; neither null nor empty",
    )],
    includes: &[],
    example: r#"{"username":"admin"}"#,
};

answer! {
    pub(super) struct Signed<'a> as "GeneratedToken" {
        "success" success: bool => "true",
        "token" token: &'a str => "a JSON Web Token",
        "expire" expire: i64 => "seconds until it expires",
        "warnings" warnings: Sometimes<&'a [String]> => "unknown members that were ignored",
    } example r#"{
        "success":true,
        "token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJsb2dpbm5hbWUiOiJhZG1pbiJ9.c2lnbmF0dXJl",
        "expire":86400
    }"#
}

answer! {
    pub(super) struct Failure<'a> as "Failure" {
        "success" success: bool => "false",
        "code" code: String => "the HTTP status, as a string",
        "msg" message: &'a str => "what is wrong",
        "type" kind: &'static str => "1",
    } example r#"{"success":false,"code":"403","msg":"no permission","type":"1"}"#
}

pub(super) const FAILURE: Shape = Failure::SHAPE;
pub(super) const ITEM: Shape = Item::SHAPE;

/// Reads a whole configuration. Additional members, which the published form does not have, keep
/// their values if they are absent.
pub(super) fn registration(
    configuration: Configuration,
    fields: &Fields,
    before: Option<&TokenApp>,
) -> Result<Registration> {
    let Configuration {
        name: _,
        token_name,
        secret,
        expire: Integer(expire_s),
        claims,
        algorithm,
        enabled: Flag(enabled),
        creates_users: Flag(creates_users),
        initial_roles: InitialRoles(initial_roles),
        initial_password,
    } = configuration;
    let ClaimMap {
        username: Line(username),
        name: Line(display_name),
        email: Line(email),
        id,
        groups,
        roles,
    } = claims;
    let mut policy = token_policy::read(
        fields,
        Naming::Snake,
        before.map(|app| app.terms.policy.clone()).unwrap_or_default(),
    )?;
    let line = |change: Change<Line<128>>| change.map(|Line(text)| text);
    line(id).apply(&mut policy.id_claim);
    line(groups).apply(&mut policy.groups_claim);
    line(roles).apply(&mut policy.roles_claim);
    let terms = TokenAppTerms {
        token_name: token_name.unwrap_or_default(),
        algorithm,
        expire_s,
        claims: ClaimNames { username, name: display_name, email },
        enabled,
        creates_users,
        initial_roles,
        policy,
    };
    let initial_password = initial_password.and_then(|InitialPassword(password)| password);
    Ok(Registration {
        terms,
        secret: secret.filter(|secret| secret.expose() != MASK.as_bytes()),
        initial_password: initial_password
            .map_or(InitialPasswordChange::Goes, InitialPasswordChange::Becomes),
    })
}

/// An error with the member names of this dialect.
pub(super) fn in_own_names(error: Error) -> Error {
    match error {
        Error::Invalid { field, why, rule } => {
            let field = token_policy::name_in(Naming::Snake, &field).to_owned();
            Error::Invalid { field, why: token_policy::sentence_in(Naming::Snake, &why), rule }
        }
        other => other,
    }
}

pub(super) fn names(body: Value) -> Result<Vec<String>> {
    let wrong = || Error::invalid("body", "must be a JSON array of names");
    let Value::Array(items) = body else { return Err(wrong()) };
    if items.len() > MAX_NAMES {
        return Err(Error::invalid("body", format!("must have at most {MAX_NAMES} names")));
    }
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn item(app: &TokenApp, masks: bool) -> Item<'_> {
    let flag = |value| if value { "1" } else { "0" };
    let TokenAppTerms {
        token_name,
        algorithm,
        expire_s,
        claims,
        enabled,
        creates_users,
        initial_roles,
        policy,
    } = &app.terms;
    let secret = app.secret.as_ref().filter(|_| !masks).and_then(|secret| secret.expose_text());
    Item {
        initial_roles,
        claims: FieldMap {
            name: &claims.name,
            email: &claims.email,
            id: Sometimes(policy.id_claim.as_deref()),
            groups: Sometimes(policy.groups_claim.as_deref()),
            roles: Sometimes(policy.roles_claim.as_deref()),
            username: &claims.username,
        },
        created_at: app.created_at.0,
        creates_users: flag(*creates_users),
        modified_at: app.modified_at.0,
        enabled: flag(*enabled),
        expire: *expire_s,
        name: app.name.as_str(),
        token_name: token_name.as_str(),
        creator_id: app.creator_id.0,
        secret: secret.unwrap_or(MASK),
        algorithm: algorithm.name(),
        warnings: Sometimes(
            app.leaves_audience_unchecked().then(|| vec![AUDIENCE_UNCHECKED.to_owned()]),
        ),
        policy: Chosen::of(app),
    }
}

pub(super) fn list(apps: &[TokenApp], masks: bool) -> Response {
    Response::json(
        200,
        &List { data: apps.iter().map(|app| item(app, masks)).collect(), success: true },
    )
}

pub(super) fn content(app: &TokenApp) -> Response {
    Response::json(200, &Content { item: item(app, true), success: true })
}

/// The answer to a call that returns no data.
pub(super) fn done(warnings: &[String]) -> Response {
    Response::json(200, &Done { message: "success", success: true, warnings: some(warnings) })
}

pub(super) fn generated(token: &Generated, warnings: &[String]) -> Response {
    let warnings = some(warnings);
    Response::json(
        200,
        &Signed { success: true, token: &token.token, expire: token.expire_s, warnings },
    )
}

fn some(warnings: &[String]) -> Sometimes<&[String]> {
    Sometimes(Some(warnings).filter(|warnings| !warnings.is_empty()))
}

pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(
        status,
        &Failure { success: false, code: status.to_string(), message, kind: "1" },
    )
}
