//! Permission checks: a single one, which also verifies the credential, or a batch.

use crate::actions::caller::{Caller, Hints};
use crate::actions::names;
use crate::actions::permissions::{self, Question};
use crate::actions::user_names::Named;
use crate::api::http::declare::{Declared, Given, Line, Objects, Request, answer, request};
use crate::api::http::members;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, optional, required};
use crate::api::http::verdict;
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::user::Username;
use crate::domain::permissions::names::ResourceName;
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Refusal, Result};

const MAX_QUESTIONS: usize = 100;

pub(super) const APP: Field =
    optional("app", Kind::TEXT, "the only token app that the token may belong to");
pub(super) const PERMISSION: Field =
    required("permission", members::ASKED_PERMISSION, "the permission; any case is taken");

const CHECK_QUERY: &[Field] = &[
    optional("service", Kind::INT64, "the service's id"),
    optional(
        "resource",
        Kind::TEXT,
        "a name of the service, in place of the id: its type, a colon and its id within the type",
    ),
    PERMISSION,
    optional("user", Kind::INT64, "the user's id; default: the caller"),
    optional("username", Kind::TEXT, "the user name, in place of the id"),
    APP,
];

pub(super) const GROUP: Group = Group { parameters: &[], routes: &[CHECK, CHECK_BATCH] };

pub(super) const CHECK: Route = Route::get("check", &["/v1/check"], handler!(check))
    .summary(
        "Verifies the credential of the request, and tells whether its user, or another user, has \
         a permission on a service",
    )
    .decides("check")
    .about(
        "To ask about another user, the caller needs the permission GRANT on the service or must \
         be an administrator, and must not use a cookie. Name that user by `user` or by \
         `username`; an unknown user name is a 404.",
    )
    .access(Access::Shown)
    .keys(Keys::With(May::Decisions))
    .query(CHECK_QUERY)
    .refuses(&[404])
    .answers(Answer::json(200, &Checked::SHAPE));

pub(super) const CHECK_BATCH: Route =
    Route::of("POST", "check_batch", &["/v1/check/batch"], handler!(check_batch))
        .summary("Answers up to 100 permission checks, in their order")
        .decides("check")
        .access(Access::SignedIn)
        .keys(Keys::With(May::Decisions))
        .writes(false)
        .body(&Questions::SHAPE)
        .refuses(&[404])
        .answers(Answer::json(200, &Answers::SHAPE));

answer! {
    pub(super) struct Checked as "Checked" {
        "allowed" allowed: bool => "whether the user has the permission",
        "service" service: i64 => "the service's id",
        "permission" permission: &'static str as members::PERMISSION => "the permission",
        "user" user: i64 => "the user's id",
    } example r#"{"allowed":true,"service":1,"permission":"VIEW","user":2}"#
}

answer! {
    pub(super) struct Answers as "Answers" {
        "results" results: Vec<Checked> => "in the order of the questions",
    }
}

impl Checked {
    fn of(Question { service_id, user_id, permission }: Question, allowed: bool) -> Self {
        Self { allowed, service: service_id, permission: permission.name(), user: user_id }
    }
}

request! {
    pub(super) struct Asking as "Question" {
        "service" service: i64 => "the service's id",
        "user" user: Given<i64> => "the user's id; default: the caller",
        "username" username: Given<Line<{ Username::MAX }>> => "the user name, in place of the id",
        "permission" permission: Permission => "the permission; any case is taken",
    } example r#"{"service":1,"permission":"VIEW","user":2}"#
}

request! {
    pub(super) struct Questions as "Questions" {
        "checks" checks: Objects<Asking, MAX_QUESTIONS> => "the questions",
    } example r#"{
        "checks":[{"service":1,"permission":"VIEW","user":2},{"service":1,"permission":"GRANT"}]
    }"#
}

async fn check(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let resource = resource(call.query.one("resource")?)?;
    let asked = if resource.is_some() { None } else { asked(call)? };
    let (permission, user_id) = match (&asked, &resource) {
        (Some(asked), _) => (asked.permission, asked.user_id),
        (None, Some(_)) if call.query.one("service")?.is_some() => {
            return Err(Error::invalid(
                "resource",
                "must not be there beside service: name the service once",
            ));
        }
        (None, Some(_)) => (permission(call)?, call.query.integer("user", i64::MIN, i64::MAX)?),
        (None, None) => return Err(Error::missing("service")),
    };
    let user = named(user_id, call.query.one("username")?.map(str::to_owned))?;
    let shown = call.shown(cx)?;
    let (caller, credential) = call.identify_first(cx, &shown, hints(call, asked)?).await?;
    if credential.is_cookie() && user.as_ref().is_some_and(|user| !is_own(&caller, user)) {
        return Err(Refusal::CookieAsksAboutOthers.into());
    }
    let service_id = match (asked, &resource) {
        (Some(asked), _) => asked.service_id,
        (None, Some(name)) => of_name(cx, &caller, name, user.as_ref()).await?,
        (None, None) => return Err(Error::missing("service")),
    };
    let user = subject(&caller, user, "user")?;
    let response = answer_one(cx, &caller, permissions::Asked { service_id, user, permission })
        .await
        .map_err(|error| match error {
            // NoPermission would reveal that the name exists and which service has it.
            Error::Forbidden(Refusal::NoPermission { .. }) if resource.is_some() => {
                Refusal::NotYourself.into()
            }
            error => error,
        })?;
    Ok(verdict::kept(cx, call.request, Some(&caller), verdict::CREDENTIALS, response))
}

fn resource(name: Option<&str>) -> Result<Option<ResourceName>> {
    name.map(|name| ResourceName::parse(name).map_err(|why| Error::invalid("resource", why)))
        .transpose()
}

/// The service of a name. A caller who may not ask about that user does not learn whether the name
/// exists.
async fn of_name(
    cx: &Cx,
    caller: &Caller,
    name: &ResourceName,
    user: Option<&Named>,
) -> Result<i64> {
    let may_know = caller.asks_about_everybody() || user.is_none_or(|user| is_own(caller, user));
    match names::service(cx, name).await? {
        Some(service_id) => Ok(service_id),
        None if may_know => {
            Err(Error::not_found("resource", format!("{}:{}", name.of.as_str(), name.id)))
        }
        // Do the same work for an unknown name, so that the time taken does not reveal it.
        None => match permissions::require(cx, caller, i64::MIN, Permission::Grant).await {
            Ok(()) | Err(Error::Forbidden(_)) => Err(Refusal::NotYourself.into()),
            Err(error) => Err(error),
        },
    }
}

/// Whether the named user is the caller.
fn is_own(caller: &Caller, named: &Named) -> bool {
    caller.limited_by().is_some_and(|user| named.is(user))
}

/// Answers one question of a caller whom the route has admitted.
pub(super) async fn answer_one(
    cx: &Cx,
    caller: &Caller,
    asked: permissions::Asked,
) -> Result<Response> {
    let answers = permissions::check_named(cx, caller, &[asked]).await?;
    for (_, allowed) in &answers {
        cx.noted.answered(*allowed);
    }
    let (question, allowed) =
        answers.first().ok_or_else(|| Error::internal("a question has no answer"))?;
    Ok(Response::json(200, &Checked::of(*question, *allowed)))
}

async fn check_batch(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    answer_all(cx, call.caller()?, Questions::read(&call.labelled_fields().await?)?).await
}

/// Answers several questions of a caller whom the route has admitted.
pub(super) async fn answer_all(cx: &Cx, caller: &Caller, questions: Questions) -> Result<Response> {
    let Questions { checks: Objects(checks) } = questions;
    let asked = |(at, Asking { service, user, username, permission }): (usize, Asking)| {
        let user = named(user.0, username.0.map(|Line(name)| name))?;
        let user = subject(caller, user, &format!("checks[{at}].user"))?;
        Ok(permissions::Asked { service_id: service, user, permission })
    };
    let asked = checks.into_iter().enumerate().map(asked).collect::<Result<Vec<_>>>()?;
    let answers = permissions::check_named(cx, caller, &asked).await?;
    for (_, allowed) in &answers {
        cx.noted.answered(*allowed);
    }
    let results =
        answers.into_iter().map(|(question, allowed)| Checked::of(question, allowed)).collect();
    Ok(Response::json(200, &Answers { results }))
}

/// The user that a question names, by id or by name.
pub(super) fn named(user_id: Option<i64>, username: Option<String>) -> Result<Option<Named>> {
    match (user_id, username) {
        (Some(_), Some(_)) => {
            Err(Error::invalid("username", "must not be there beside user: name the user once"))
        }
        (Some(id), None) => Ok(Some(Named::Id(id))),
        (None, username) => Ok(username.map(Named::Username)),
    }
}

/// The user that a question is about: the named one, otherwise the caller or the user whom their
/// key acts for.
pub(super) fn subject(caller: &Caller, named: Option<Named>, member: &str) -> Result<Named> {
    let own = || caller.own_id().map(|id| Named::Id(id.0));
    named.or_else(own).ok_or_else(|| Error::missing(member))
}

#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) service_id: i64,
    pub(super) permission: Permission,
    user_id: Option<i64>,
}

/// The question in the query. `service` and `permission` must be given together; with neither it is
/// `None`.
pub(super) fn asked(call: &Call<'_>) -> Result<Option<Asked>> {
    let Some(service_id) = call.query.integer("service", i64::MIN, i64::MAX)? else {
        return if call.query.one(PERMISSION.name)?.is_some() {
            Err(Error::missing("service"))
        } else {
            Ok(None)
        };
    };
    let permission = permission(call)?;
    Ok(Some(Asked {
        service_id,
        permission,
        user_id: call.query.integer("user", i64::MIN, i64::MAX)?,
    }))
}

fn permission(call: &Call<'_>) -> Result<Permission> {
    let name = call.query.required(PERMISSION.name)?;
    Permission::parse(name).map_err(|why| Error::invalid(PERMISSION.name, why))
}

/// Restrictions for the verification: the token app, the service and the user that the query names.
pub(super) fn hints<'a>(call: &'a Call<'_>, asked: Option<Asked>) -> Result<Hints<'a>> {
    let user_id = asked.and_then(|asked| asked.user_id);
    Ok(Hints {
        app: call.query.one(APP.name)?,
        service_id: asked.map(|asked| asked.service_id),
        user_id,
        ..Hints::default()
    })
}
