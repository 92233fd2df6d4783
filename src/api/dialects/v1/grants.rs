//! Grants: permissions on a service, given to users, departments and groups, for a time or for
//! good.

use super::paging::{self, page};
use crate::actions::grants;
use crate::actions::user_names::Named;
use crate::api::http::declare::{Declared, Line, Moment, Request, answer, request};
use crate::api::http::members::{Granted, OBJECT_TYPE, PERMISSIONS};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, optional, required};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::user::Username;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::permissions::grant::{self, NewGrant};
use crate::domain::permissions::period::{Period, Phase};
use crate::domain::permissions::permission::ObjectType;
use crate::domain::permissions::reach::{Reached, Through};
use crate::domain::time::{MAX_MILLIS, Millis};
use crate::error::{Error, Result};

const ID: Field = required("id", Kind::INT64, "the id of the service or user");

pub(super) const GROUP: Group = Group {
    parameters: &[ID],
    routes: &[
        Route::of("POST", "create_grant", &["/v1/services/{id}/grants"], handler!(create))
            .summary(
                "Gives permissions on a service to a user, a department or a group, for a time or \
                 for good",
            )
            .about(
                "The caller needs the permission GRANT on the service, or must be an \
                 administrator. A grant is in force from `startsAt` until just before `expiresAt`, \
                 everywhere at the same moment. An expired grant to the same object is replaced; \
                 any other one is a 409. Name the object by `authObjectType` and `authObjectId`, \
                 or a user by `username`; an unknown user name is a 404.",
            )
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .body(&GrantTerms::SHAPE)
            .refuses(&[404, 409])
            .answers(Answer::json(201, &Grant::SHAPE)),
        Route::of("DELETE", "delete_grant_to", &["/v1/services/{id}/grants"], handler!(delete))
            .summary("Takes back what is granted on a service to a user, a department or a group")
            .about(
                "The caller needs the permission GRANT on the service, or must be an \
                 administrator. Name the object by `authObjectType` and `authObjectId`, or a user \
                 by `username`. The grant of the service's creator cannot be taken back.",
            )
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .query(TO_WHOM),
        Route::get("list_service_grants", &["/v1/services/{id}/grants"], handler!(list_of_service))
            .summary("Lists the grants on a service by ascending id")
            .about(
                "The caller needs the permission GRANT on the service, or must be an \
                 administrator. Expired grants are listed until they are removed.",
            )
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .query(paging::QUERY)
            .refuses(&[404])
            .answers(Answer::json(200, &GRANTS)),
        Route::get("list_user_grants", &["/v1/users/{id}/grants"], handler!(list_of_user))
            .summary(
                "Lists the grants that reach a user, directly or through departments and groups, \
                 by ascending id",
            )
            .about(
                "Administrators may ask about everybody, users about themselves. Expired grants \
                 are listed until they are removed.",
            )
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .query(paging::QUERY)
            .refuses(&[404])
            .answers(Answer::json(200, &GRANTS)),
        Route::get("list_user_groups", &["/v1/users/{id}/groups"], handler!(list_reached))
            .summary(
                "Lists a user's departments and groups, and the departments above: departments \
                 first, by ascending id",
            )
            .about("Administrators may ask about everybody, users about themselves.")
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .query(paging::TEXT_QUERY)
            .refuses(&[404])
            .answers(Answer::json(200, &UNITS)),
    ],
};

const TO_WHOM: &[Field] = &[
    optional("authObjectType", OBJECT_TYPE, "the object's type: a user, a department or a group"),
    optional("authObjectId", Kind::INT64, "the object's id"),
    optional("username", Kind::TEXT, "the user name, in place of both"),
];

request! {
    struct GrantTerms as "GrantTerms" {
        "authObjectType" object_type: Option<ObjectType> =>
            "the object's type: a user, a department with those below it, or a group",
        "authObjectId" object_id: Option<i64> => "the object's id",
        "username" username: Option<Line<{ Username::MAX }>> => "the user name, in place of both",
        "permissions" permissions: Granted => "any case is taken; VIEW is always among them",
        "startsAt" starts_at: Option<Moment<0, MAX_MILLIS>> => "epoch milliseconds; default: now",
        "expiresAt" expires_at: Option<Moment<0, MAX_MILLIS>> =>
            "epoch milliseconds; default: never",
    } example r#"{
        "authObjectType":"USER","authObjectId":2,"permissions":["VIEW","TEST"],
        "expiresAt":4102444800000
    }"#
}

impl GrantTerms {
    fn period(&self, now: Millis) -> Result<Period> {
        let bound = |at: &Option<Moment<0, MAX_MILLIS>>| at.map(|Moment(at)| at);
        let period = Period::new(bound(&self.starts_at), bound(&self.expires_at))
            .map_err(|why| Error::invalid("expiresAt", why))?;
        if period.phase(now) == Phase::After {
            return Err(Error::invalid(
                "expiresAt",
                format!("must be in the future, in epoch milliseconds: now is {}", now.0),
            ));
        }
        Ok(period)
    }
}

answer! {
    struct Grant<'a> as "ServiceGrant" {
        "id" id: i64 => "the grant's id",
        "serviceId" service_id: i64 => "the service's id",
        "authObjectType" object_type: &'static str as OBJECT_TYPE =>
            "the object's type: a user, a department with those below it, or a group",
        "authObjectId" object_id: i64 => "the object's id",
        "name" name: Option<&'a str> => "the name of the user, department or group",
        "permissions" permissions: Vec<&'static str> as PERMISSIONS =>
            "the permissions that it gives",
        "creator" creator: bool => "whether it is the grant of the service's creator",
        "state" state: &'static str as STATE => "whether it is in force now",
        "startsAt" starts_at: Option<i64> as TIME => "epoch milliseconds; null: from its creation",
        "expiresAt" expires_at: Option<i64> as TIME => "epoch milliseconds; null: it never expires",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "id":1,"serviceId":7,"authObjectType":"USER","authObjectId":2,"name":"Alice",
        "permissions":["VIEW","TEST"],"creator":false,"state":"active","startsAt":null,
        "expiresAt":4102444800000,"createdAt":1737599864898
    }"#
}

pub(super) const STATE: Kind =
    Kind::OneOf(&[Phase::Before.name(), Phase::Within.name(), Phase::After.name()]);
pub(super) const TIME: Kind = Kind::Nullable(&Kind::TIME);
const GRANTS: Shape = page!("ServiceGrantPage", Grant<'_>, "by ascending id");

impl<'a> Grant<'a> {
    fn of((grant, name): &'a (grant::Grant, Option<String>), now: Millis) -> Self {
        Self {
            id: grant.id,
            service_id: grant.service_id,
            object_type: grant.object_type.name(),
            object_id: grant.object_id,
            name: name.as_deref(),
            permissions: grant.permissions.names(),
            creator: grant.creator,
            state: grant.period.phase(now).name(),
            starts_at: grant.period.starts_at.map(|at| at.0),
            expires_at: grant.period.expires_at.map(|at| at.0),
            created_at: grant.created_at.0,
        }
    }
}

answer! {
    struct Unit<'a> as "UserGroup" {
        "kind" kind: &'static str as KIND => "a department or a group",
        "id" id: i64 => "the id of the department or group",
        "name" name: Option<&'a str> => "a name for people",
        "parentId" parent_id: Option<i64> => "the department above",
        "through" through: &'static str as THROUGH =>
            "membership: the user is in it; token: their token names it; departmentBelow: it is \
             above a department of theirs",
    } example r#"{"kind":"department","id":2,"name":"Sales","parentId":1,"through":"membership"}"#
}

const KIND: Kind = Kind::OneOf(&[UnitKind::Department.noun(), UnitKind::Group.noun()]);
const THROUGH: Kind = Kind::OneOf(&Through::NAMES);
const UNITS: Shape = page!("UserGroupPage", Unit<'_>, "departments first, by ascending id");

impl<'a> Unit<'a> {
    fn of(reached: &'a Reached) -> Self {
        Self {
            kind: reached.kind.noun(),
            id: reached.id,
            name: reached.name.as_deref(),
            parent_id: reached.parent_id,
            through: reached.through.name(),
        }
    }
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let service_id = call.int64(ID.name)?;
    let terms = GrantTerms::read(&call.labelled_fields().await?)?;
    let period = terms.period(cx.now)?;
    let GrantTerms { object_type, object_id, username, permissions: Granted(permissions), .. } =
        terms;
    let username = username.map(|Line(name)| name);
    let (object_type, object_id) =
        object(cx, call, service_id, (object_type, object_id, username)).await?;
    let grant = NewGrant { service_id, object_type, object_id, permissions, period };
    let id = match grants::add(cx, call.caller()?, &grant).await {
        Err(Error::AlreadyExists { .. }) => return Err(already(cx, call, &grant).await?),
        added => added?,
    };
    let found = grants::find_named(cx, call.caller()?, id).await?;
    Ok(Response::json(201, &Grant::of(&found, cx.now)))
}

/// Why a grant to the same object already exists, and how to change that one.
async fn already(cx: &Cx, call: &Call<'_>, grant: &NewGrant) -> Result<Error> {
    let NewGrant { service_id, object_type, object_id, .. } = *grant;
    let object = format!("{} {object_id}", object_type.name());
    let why = match grants::find_to(cx, call.caller()?, service_id, object_type, object_id).await? {
        Some(there) if there.creator => {
            format!("{object} created service {service_id}; the creator's grant cannot be changed")
        }
        Some(there) => format!(
            "{object} already has the grant {} on service {service_id}: PUT \
             /api/v1/services/auth/{} replaces its permissions, a record of POST /v1/import also \
             its times, and DELETE /v1/services/{service_id}/grants takes it back",
            there.id, there.id
        ),
        // The grant was taken back in the meantime.
        None => format!("{object} had a grant on service {service_id} a moment ago: try again"),
    };
    Ok(Error::Conflict { why })
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let service_id = call.int64(ID.name)?;
    let object_type = call.query.one("authObjectType")?.map(ObjectType::parse).transpose();
    let object_type = object_type.map_err(|why| Error::invalid("authObjectType", why))?;
    let object_id = call.query.integer("authObjectId", i64::MIN, i64::MAX)?;
    let username = call.query.one("username")?.map(str::to_owned);
    let (object_type, object_id) =
        object(cx, call, service_id, (object_type, object_id, username)).await?;
    grants::delete_to(cx, call.caller()?, service_id, object_type, object_id).await?;
    Ok(Response::empty(204))
}

/// The object of a grant: read from a type and an id, or from a user name.
async fn object(
    cx: &Cx,
    call: &Call<'_>,
    service_id: i64,
    (object_type, object_id, username): (Option<ObjectType>, Option<i64>, Option<String>),
) -> Result<(ObjectType, i64)> {
    let Some(name) = username else {
        let object_type = object_type.ok_or_else(|| Error::missing("authObjectType"))?;
        return Ok((object_type, object_id.ok_or_else(|| Error::missing("authObjectId"))?));
    };
    if object_id.is_some() {
        return Err(Error::invalid(
            "username",
            "must not be there beside authObjectId: name the user once",
        ));
    }
    if object_type.is_some_and(|object_type| object_type != ObjectType::User) {
        return Err(Error::invalid(
            "username",
            "names a user: leave authObjectType out, or set it to USER",
        ));
    }
    let id = grants::user_id(cx, call.caller()?, service_id, &Named::Username(name)).await?;
    Ok((ObjectType::User, id))
}

async fn list_of_service(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found =
        grants::list_of_service(cx, call.caller()?, call.int64(ID.name)?, after_id, limit + 1)
            .await?;
    Ok(paging::answer(&found, limit, |found| Grant::of(found, cx.now), |(grant, _)| grant.id))
}

async fn list_of_user(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let found =
        grants::list_of_user(cx, call.caller()?, call.int64(ID.name)?, after_id, limit + 1).await?;
    Ok(paging::answer(&found, limit, |found| Grant::of(found, cx.now), |(grant, _)| grant.id))
}

async fn list_reached(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, cursor) = paging::asked_by_text(call)?;
    let after = if cursor.is_empty() { None } else { Some(place(cursor)?) };
    let found =
        grants::list_reached(cx, call.caller()?, call.int64(ID.name)?, after, limit + 1).await?;
    Ok(paging::answer(&found, limit, Unit::of, |unit| format!("{}/{}", unit.kind.noun(), unit.id)))
}

/// Reads a cursor: the kind, a slash, the id.
fn place(cursor: &str) -> Result<(UnitKind, i64)> {
    let read = || {
        let (noun, id) = cursor.split_once('/')?;
        let kind = UnitKind::ALL.into_iter().find(|kind| kind.noun() == noun)?;
        Some((kind, id.parse().ok()?))
    };
    read().ok_or_else(|| Error::invalid("cursor", "must be the `next` of the page before"))
}
