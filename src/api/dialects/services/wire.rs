//! The JSON of the services dialect. Source: the published page on service authorization.

use time::OffsetDateTime;

use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Member, Sometimes, answer, request};
use crate::api::http::members::{ASKED_PERMISSION, OBJECT_TYPE, PERMISSIONS};
use crate::api::http::message::Response;
use crate::api::http::route::{Call, NO_MEMBERS};
use crate::api::http::shape::{Kind, Shape};
use crate::domain::permissions::grant::{self, GrantPage};
use crate::domain::permissions::permission::{ObjectType, Permission, Permissions};
use crate::domain::time::Millis;
use crate::error::Result;

/// The published example has this word in place of a permission. It is ignored, so a client that
/// sends the example unchanged grants VIEW only.
const PLACEHOLDER: &str = "string";

request! {
    pub(super) struct NewGrant as "NewGrant" {
        "authObjectType" object_type: ObjectType =>
            "the object's type: a user, a department with those below it, or a group",
        "authObjectId" object_id: i64 => "the object's id",
        "permissions" permissions: Permissions => "in any case; VIEW is always added",
    } example r#"{"authObjectType":"USER","authObjectId":0,"permissions":["VIEW"]}"#
}

request! {
    pub(super) struct GrantedPermissions as "GrantedPermissions" {
        "permissions" permissions: Permissions =>
            "the complete new set, in any case; VIEW is always added",
    } example r#"{"permissions":["VIEW","TEST"]}"#
}

impl Member for Permissions {
    const KIND: Kind =
        Kind::list(&Kind::AnyOf(&[ASKED_PERMISSION, Kind::matching(0, usize::MAX, "^string$")]));

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let names = fields.required_texts(name)?;
        let parse =
            |word: &String| Permission::parse(word).map_err(|why| fields.invalid(name, why));
        names
            .iter()
            .filter(|word| *word != PLACEHOLDER)
            .map(parse)
            .collect::<Result<Vec<_>>>()
            .map(Self::of_grant)
    }
}

answer! {
    pub(super) struct GrantKey as "GrantKey" {
        "id" id: i64 => "the grant's id",
        "key" key: String => "the authObjectId",
    } example r#"{"id":1,"key":"0"}"#
}

answer! {
    pub(super) struct OwnPermissions as "OwnPermissions" {
        "serviceAuth" switch: bool => "the service's switch",
        "permissions" permissions: Vec<&'static str> as PERMISSIONS => "permissions",
    } example r#"{"serviceAuth":true,"permissions":["VIEW"]}"#
}

answer! {
    pub(super) struct Grant as "Grant" {
        "id" id: i64 => "the grant's id",
        "authObjectType" object_type: &'static str as OBJECT_TYPE => "the object's type",
        "authObjectId" object_id: i64 => "the object's id",
        "permissions" permissions: Vec<&'static str> as PERMISSIONS => "permissions",
        "serviceId" service_id: i64 => "the service's id",
        "creator" creator: bool => "whether it is the grant of the service's creator",
        "name" name: Sometimes<Option<String>> =>
            "the object's name, with infoScope=DETAIL; null if it is unknown",
        "createdDate" created_at: String => "yyyy-MM-dd HH:mm:ss, UTC",
    } example r#"{
        "id":1,"authObjectType":"USER","authObjectId":0,"permissions":["VIEW"],"serviceId":1,
        "creator":false,"createdDate":"2025-01-23 02:37:44"
    }"#
}

answer! {
    pub(super) struct Page as "GrantPage" {
        "total" total: i64 => "on all pages",
        "list" list: Vec<Grant> => "this page",
    }
}

answer! {
    pub(super) struct Ext<'a> as "Ext" {
        "eKey" key: Sometimes<&'a str> => "the key of a failure",
        "warnings" warnings: Sometimes<Vec<String>> =>
            "of a success: unknown members that were ignored",
    } example "{}"
}

answer! {
    pub(super) struct Failure<'a> as "ServicesFailure" {
        "code" code: &'a str => "E0 protocol, E1 business, E2 ours, or ATS001, ATS380, ATS381",
        "msg" message: &'a str => "what is wrong",
        "data" data: () => "null",
        "datetime" datetime: String => DATETIME,
        "ext" ext: Ext<'a> => "eKey",
    } example r#"{
        "code":"ATS380","msg":"No `Grant` service permission","data":null,
        "datetime":"2025-01-23 02:37:44","ext":{"eKey":"ATS380"}
    }"#
}

impl Ext<'static> {
    fn of_success(call: &Call<'_>) -> Self {
        let warnings = Some(call.warnings(&NO_MEMBERS)).filter(|warnings| !warnings.is_empty());
        Self { key: Sometimes(None), warnings: Sometimes(warnings) }
    }
}

pub(super) const FAILURE: Shape = Failure::SHAPE;

const DATETIME: &str = "yyyy-MM-dd HH:mm:ss, UTC";

/// Declares a success: the envelope around its data.
macro_rules! envelope {
    ($name:ident $shape:literal {
        $data:ty $(as $kind:expr)? => $about:literal
    } $function:ident) => {
        answer! {
            pub(super) struct $name as $shape {
                "code" code: &'static str => "S",
                "msg" message: String => "Success",
                "data" data: $data $(as $kind)? => $about,
                "datetime" datetime: String => DATETIME,
                "ext" ext: Ext<'static> => "empty, or warnings",
            }
        }

        pub(super) fn $function(data: $data, call: &Call<'_>, now: Millis) -> Response {
            let (message, datetime) = ("Success".to_owned(), datetime(now));
            let ext = Ext::of_success(call);
            Response::json(200, &$name { code: "S", message, data, datetime, ext })
        }
    };
}

envelope!(Created "GrantCreated" { GrantKey => "the new grant" } created);
envelope!(Nothing "Nothing" { () => "null" } nothing);
envelope!(Yes "Flag" { bool => "the answer" } flag);
envelope!(Names "PermissionNames" { Vec<&'static str> as PERMISSIONS => "permissions" } names);
envelope!(Own "OwnPermissionsAnswer" { OwnPermissions => "the caller's" } own);
envelope!(GrantList "GrantList" { Page => "a page" } grant_list);

/// The negative answer to a check: a success with the code of a failure.
pub(super) fn no(permission: Permission, call: &Call<'_>, now: Millis) -> Response {
    let message = format!("No `{}` service permission", permission.title());
    let (datetime, ext) = (datetime(now), Ext::of_success(call));
    Response::json(200, &Yes { code: "ATS380", message, data: false, datetime, ext })
}

pub(super) fn failure(status: u16, code: &str, message: &str, key: &str, now: Millis) -> Response {
    let (datetime, ext) =
        (datetime(now), Ext { key: Sometimes(Some(key)), warnings: Sometimes(None) });
    Response::json(status, &Failure { code, message, data: (), datetime, ext })
}

/// `yyyy-MM-dd HH:mm:ss`, UTC; empty after the year 9999. Formatted by hand, because a page has
/// thousands of times.
pub(super) fn datetime(time: Millis) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp(time.seconds()) else {
        return String::new();
    };
    let mut text = String::with_capacity(19);
    two_digits(&mut text, time.year().unsigned_abs() / 100);
    two_digits(&mut text, time.year().unsigned_abs() % 100);
    let rest = [
        ('-', u8::from(time.month())),
        ('-', time.day()),
        (' ', time.hour()),
        (':', time.minute()),
        (':', time.second()),
    ];
    for (before, number) in rest {
        text.push(before);
        two_digits(&mut text, number.into());
    }
    text
}

fn two_digits(text: &mut String, number: u32) {
    text.extend(
        [number / 10 % 10, number % 10].into_iter().filter_map(|digit| char::from_digit(digit, 10)),
    );
}

/// The code and message for a missing permission. VIEW has a code of its own.
pub(super) fn no_permission(permission: Permission, service_id: i64) -> (&'static str, String) {
    match permission {
        Permission::View => ("ATS381", format!("No `View` service {service_id} permission")),
        other => ("ATS380", format!("No `{}` service permission", other.title())),
    }
}

/// The name that the platform uses for a noun.
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

impl Page {
    pub(super) fn of(page: &GrantPage, with_names: bool) -> Self {
        let grant = |(grant, name): &(grant::Grant, Option<String>)| Grant {
            id: grant.id,
            object_type: grant.object_type.name(),
            object_id: grant.object_id,
            permissions: grant.permissions.names(),
            service_id: grant.service_id,
            creator: grant.creator,
            name: Sometimes(with_names.then(|| name.clone())),
            created_at: datetime(grant.created_at),
        };
        Self { total: page.total, list: page.grants.iter().map(grant).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_to_the_second_up_to_the_year_9999() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00"),
            (1_737_599_864_898, "2025-01-23 02:37:44"),
            (951_782_399_000, "2000-02-28 23:59:59"),
            (253_402_300_799_999, "9999-12-31 23:59:59"),
            (253_402_300_800_000, ""),
        ] {
            assert_eq!(datetime(Millis(millis)), text);
        }
    }
}
