//! The shapes of organizations and applications, for the `OpenAPI` document. What reads and writes them is in `wire`.

use super::shapes::NEXT;
use crate::api::http::shape::{Field, Kind, Shape, optional, required};

const NAME: Field = optional("name", Kind::Text, "a name for people, or null");
const ORGANIZATION_ID: Field = required("id", Kind::Text, "your own id, 1 to 128 of letters, digits, -, _, . and :");

pub(super) const ORGANIZATION: Shape = Shape {
    name: "Organization",
    fields: &[
        ORGANIZATION_ID,
        required("name", Kind::Text, "a name for people, or null"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
        required("modifiedAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":"o15504722874071","name":"Wind","createdAt":1737599864898,"modifiedAt":1737599864898}"#,
};

pub(super) const ORGANIZATIONS: Shape = Shape {
    name: "Organizations",
    fields: &[required("items", Kind::List(&ORGANIZATION), "by ascending id"), NEXT],
    example: r#"{"items":[{"id":"o15504722874071","name":"Wind","createdAt":1737599864898,"modifiedAt":1737599864898}],"next":null}"#,
};

pub(super) const NEW_ORGANIZATION: Shape =
    Shape { name: "NewOrganization", fields: &[ORGANIZATION_ID, NAME], example: r#"{"id":"o15504722874071","name":"Wind"}"# };

pub(super) const ORGANIZATION_CHANGE: Shape = Shape { name: "OrganizationChange", fields: &[NAME], example: r#"{"name":"Wind"}"# };

const ACCESS_KEY: Field = required("accessKey", Kind::Text, "the access key; public");
const ABOUT_SHORTCUT: &str = "whether it is a link to something else, so that nothing can be authorized";
const ABOUT_AUTHORIZES: &str = "whether it may authorize the applications of its organization";
const ABOUT_ENABLED: &str = "a disabled application may do nothing, and is authorized to nothing";

pub(super) const APPLICATION: Shape = Shape {
    name: "Application",
    fields: &[
        ACCESS_KEY,
        required("organization", Kind::Text, "the organization's id"),
        required("name", Kind::Text, "a name for people, or null"),
        required("shortcut", Kind::Boolean, ABOUT_SHORTCUT),
        required("authorizeApplications", Kind::Boolean, ABOUT_AUTHORIZES),
        required("enabled", Kind::Boolean, ABOUT_ENABLED),
        required("hasSecret", Kind::Boolean, "whether it can get access tokens"),
        required("authorizations", Kind::Texts, "what it is authorized to"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
        required("modifiedAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","organization":"o15504722874071","name":"Reports","shortcut":false,"authorizeApplications":false,"enabled":true,"hasSecret":true,"authorizations":["USER"],"createdAt":1737599864898,"modifiedAt":1737599864898}"#,
};

pub(super) const APPLICATIONS: Shape = Shape {
    name: "Applications",
    fields: &[required("items", Kind::List(&APPLICATION), "by ascending access key"), NEXT],
    example: r#"{"items":[{"accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","organization":"o15504722874071","name":"Reports","shortcut":false,"authorizeApplications":false,"enabled":true,"hasSecret":true,"authorizations":["USER"],"createdAt":1737599864898,"modifiedAt":1737599864898}],"next":null}"#,
};

pub(super) const NEW_APPLICATION: Shape = Shape {
    name: "NewApplication",
    fields: &[
        required("organization", Kind::Text, "the organization's id"),
        optional("accessKey", Kind::Text, "1 to 128 of letters, digits, -, _, . and :; chosen where it is left out"),
        NAME,
        optional("shortcut", Kind::Boolean, ABOUT_SHORTCUT),
        optional("authorizeApplications", Kind::Boolean, ABOUT_AUTHORIZES),
        optional("enabled", Kind::Boolean, "default true"),
    ],
    example: r#"{"organization":"o15504722874071","name":"Reports","authorizeApplications":true}"#,
};

pub(super) const CREATED_APPLICATION: Shape = Shape {
    name: "CreatedApplication",
    fields: &[
        ACCESS_KEY,
        required("organization", Kind::Text, "the organization's id"),
        required("name", Kind::Text, "a name for people, or null"),
        required("shortcut", Kind::Boolean, ABOUT_SHORTCUT),
        required("authorizeApplications", Kind::Boolean, ABOUT_AUTHORIZES),
        required("enabled", Kind::Boolean, ABOUT_ENABLED),
        required("hasSecret", Kind::Boolean, "whether it can get access tokens"),
        required("authorizations", Kind::Texts, "what it is authorized to"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
        required("modifiedAt", Kind::Int64, "epoch milliseconds"),
        required("secret", Kind::Text, "the secret, shown this once; null for a shortcut"),
    ],
    example: r#"{"accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","organization":"o15504722874071","name":"Reports","shortcut":false,"authorizeApplications":true,"enabled":true,"hasSecret":true,"authorizations":[],"createdAt":1737599864898,"modifiedAt":1737599864898,"secret":"43 characters of base64url"}"#,
};

pub(super) const APPLICATION_CHANGE: Shape = Shape {
    name: "ApplicationChange",
    fields: &[
        NAME,
        optional("shortcut", Kind::Boolean, ABOUT_SHORTCUT),
        optional("authorizeApplications", Kind::Boolean, ABOUT_AUTHORIZES),
        optional("enabled", Kind::Boolean, ABOUT_ENABLED),
    ],
    example: r#"{"authorizeApplications":true}"#,
};

pub(super) const SECRET: Shape = Shape {
    name: "ApplicationSecret",
    fields: &[ACCESS_KEY, required("secret", Kind::Text, "the secret, shown this once")],
    example: r#"{"accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","secret":"43 characters of base64url"}"#,
};

pub(super) const AUTHORIZED: Shape = Shape {
    name: "Authorized",
    fields: &[required("allowed", Kind::Boolean, "the answer"), ACCESS_KEY, required("type", Kind::Text, "what was asked about")],
    example: r#"{"allowed":true,"accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","type":"USER"}"#,
};
