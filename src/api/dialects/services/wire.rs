//! What the JSON of the services dialect looks like. Source: the published page on service authorization.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::api::http::body::Fields;
use crate::api::http::message::Response;
use crate::api::http::shape::{Kind, Shape, optional, required};
use crate::domain::permissions::grant::GrantPage;
use crate::domain::permissions::permission::{ObjectType, Permission, Permissions};
use crate::domain::time::Millis;
use crate::error::Result;

/// What the published page has where a permission is to stand: tried as it is, it asks for none, and so for VIEW.
const PLACEHOLDER: &str = "string";

const OBJECT_TYPE: Kind = Kind::OneOf(&["USER", "DEPT", "GROUP"]);

pub(super) const NEW_GRANT: Shape = Shape {
    name: "NewGrant",
    fields: &[
        required("authObjectType", OBJECT_TYPE, "to whom: a user, a department with those below, or a group"),
        required("authObjectId", Kind::Int64, "to which"),
        required("permissions", Kind::Texts, "ADD, VIEW, MODIFY, DELETE, TEST, GRANT, SHARE, RELEASE, EXPORT; VIEW is always among them"),
    ],
    example: r#"{"authObjectType":"USER","authObjectId":0,"permissions":["VIEW"]}"#,
};

pub(super) const PERMISSIONS: Shape = Shape {
    name: "GrantedPermissions",
    fields: &[required("permissions", Kind::Texts, "the whole new set; VIEW is always among them")],
    example: r#"{"permissions":["VIEW","TEST"]}"#,
};

const KEY: Shape = Shape {
    name: "GrantKey",
    fields: &[required("id", Kind::Int64, "the grant's id"), required("key", Kind::Text, "the authObjectId")],
    example: r#"{"id":1,"key":"0"}"#,
};

const EXT: Shape = Shape { name: "Ext", fields: &[optional("eKey", Kind::Text, "of a failure")], example: "{}" };

macro_rules! envelope {
    ($name:literal, $data:expr, $about:literal, $example:literal) => {
        Shape {
            name: $name,
            fields: &[
                required("code", Kind::Text, "S"),
                required("msg", Kind::Text, "Success"),
                required("data", $data, $about),
                required("datetime", Kind::Text, "yyyy-MM-dd HH:mm:ss, UTC"),
                required("ext", Kind::Object(&EXT), "empty"),
            ],
            example: concat!(r#"{"code":"S","msg":"Success","data":"#, $example, r#","datetime":"2025-01-23 02:37:44","ext":{}}"#),
        }
    };
}

pub(super) const CREATED: Shape = envelope!("GrantCreated", Kind::Object(&KEY), "the new grant", r#"{"id":1,"key":"0"}"#);
pub(super) const NOTHING: Shape = envelope!("Nothing", Kind::Any, "null", "null");
pub(super) const FLAG: Shape = envelope!("Flag", Kind::Boolean, "the answer", "true");
pub(super) const NAMES: Shape = envelope!("PermissionNames", Kind::Texts, "permissions", r#"["VIEW","TEST"]"#);

const STANDING: Shape = Shape {
    name: "OwnPermissions",
    fields: &[required("serviceAuth", Kind::Boolean, "the service's switch"), required("permissions", Kind::Texts, "permissions")],
    example: r#"{"serviceAuth":true,"permissions":["VIEW"]}"#,
};

pub(super) const OWN: Shape =
    envelope!("OwnPermissionsAnswer", Kind::Object(&STANDING), "the caller's", r#"{"serviceAuth":true,"permissions":["VIEW"]}"#);

const GRANT: Shape = Shape {
    name: "Grant",
    fields: &[
        required("id", Kind::Int64, "the grant's id"),
        required("authObjectType", OBJECT_TYPE, "to whom"),
        required("authObjectId", Kind::Int64, "to which"),
        required("permissions", Kind::Texts, "permissions"),
        required("serviceId", Kind::Int64, "on which service"),
        required("creator", Kind::Boolean, "whether it is the grant of who created the service"),
        optional("name", Kind::Text, "the object's name, with infoScope=DETAIL; null where it is unknown"),
        required("createdDate", Kind::Text, "yyyy-MM-dd HH:mm:ss, UTC"),
    ],
    example: r#"{"id":1,"authObjectType":"USER","authObjectId":0,"permissions":["VIEW"],"serviceId":1,"creator":false,"createdDate":"2025-01-23 02:37:44"}"#,
};

const PAGE: Shape = Shape {
    name: "GrantPage",
    fields: &[required("total", Kind::Int64, "on all pages"), required("list", Kind::List(&GRANT), "this page")],
    example: r#"{"total":0,"list":[]}"#,
};

pub(super) const LIST: Shape = envelope!(
    "GrantList",
    Kind::Object(&PAGE),
    "a page",
    r#"{"total":1,"list":[{"id":1,"authObjectType":"USER","authObjectId":0,"permissions":["VIEW"],"serviceId":1,"creator":false,"createdDate":"2025-01-23 02:37:44"}]}"#
);

pub(super) const FAILURE: Shape = Shape {
    name: "ServicesFailure",
    fields: &[
        required("code", Kind::Text, "E0 protocol, E1 business, E2 ours, or ATS001, ATS380, ATS381"),
        required("msg", Kind::Text, "what is wrong"),
        required("data", Kind::Text, "null, or a detail"),
        required("datetime", Kind::Text, "yyyy-MM-dd HH:mm:ss, UTC"),
        required("ext", Kind::Object(&EXT), "eKey"),
    ],
    example: r#"{"code":"ATS380","msg":"No `Grant` service permission","data":null,"datetime":"2025-01-23 02:37:44","ext":{"eKey":"ATS380"}}"#,
};

/// A success.
pub(super) fn success(data: &Value, now: Millis) -> Response {
    envelope(200, "S", "Success", data, now, &json!({}))
}

/// The no of a check, which is a success with a failure's code.
pub(super) fn no(permission: Permission, now: Millis) -> Response {
    envelope(200, "ATS380", &format!("No `{}` service permission", permission.title()), &json!(false), now, &json!({}))
}

/// A failure.
pub(super) fn failure(status: u16, code: &str, message: &str, key: &str, now: Millis) -> Response {
    envelope(status, code, message, &Value::Null, now, &json!({ "eKey": key }))
}

fn envelope(status: u16, code: &str, message: &str, data: &Value, now: Millis, ext: &Value) -> Response {
    Response::json(status, &json!({ "code": code, "msg": message, "data": data, "datetime": datetime(now), "ext": ext }))
}

/// `yyyy-MM-dd HH:mm:ss`, UTC.
pub(super) fn datetime(time: Millis) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let known = OffsetDateTime::from_unix_timestamp(time.seconds()).ok();
    known.and_then(|time| time.format(format).ok()).unwrap_or_default()
}

/// The code and message of a permission that a caller lacks: listing has its own.
pub(super) fn no_permission(permission: Permission, service_id: i64) -> (&'static str, String) {
    match permission {
        Permission::View => ("ATS381", format!("No `View` service {service_id} permission")),
        other => ("ATS380", format!("No `{}` service permission", other.title())),
    }
}

/// The product's name of a noun.
pub(super) fn resource(what: &str) -> &str {
    match what {
        "grant" => "ServicesAuth",
        "service" => "Services",
        "user" => "User",
        "group" => "Group",
        "department" => "Department",
        other => other,
    }
}

/// A grant to be given.
pub(super) struct NewGrant {
    pub(super) object_type: ObjectType,
    pub(super) object_id: i64,
    pub(super) permissions: Permissions,
}

/// Reads a grant to be given.
pub(super) fn new_grant(fields: &Fields) -> Result<NewGrant> {
    Ok(NewGrant {
        object_type: fields.parsed("authObjectType", ObjectType::parse)?,
        object_id: fields.required_integer("authObjectId", i64::MIN, i64::MAX)?,
        permissions: permissions(fields)?,
    })
}

/// Reads a set of permissions.
pub(super) fn permissions(fields: &Fields) -> Result<Permissions> {
    let names = fields.required_texts("permissions")?;
    let parse = |name: &String| Permission::parse(name).map_err(|why| fields.invalid("permissions", why));
    names.iter().filter(|name| *name != PLACEHOLDER).map(parse).collect::<Result<Vec<_>>>().map(Permissions::of_grant)
}

/// A page of grants.
pub(super) fn page(page: &GrantPage, with_names: bool) -> Value {
    let items: Vec<_> = page
        .grants
        .iter()
        .map(|(grant, name)| {
            let mut item = json!({
                "id": grant.id, "authObjectType": grant.object_type.name(), "authObjectId": grant.object_id,
                "permissions": grant.permissions.names(), "serviceId": grant.service_id, "creator": grant.creator,
            });
            if let Value::Object(members) = &mut item {
                if with_names {
                    members.insert("name".to_owned(), json!(name));
                }
                members.insert("createdDate".to_owned(), json!(datetime(grant.created_at)));
            }
            item
        })
        .collect();
    json!({ "total": page.total, "list": items })
}
