//! Explains why a token is refused, or why a user lacks a permission: runs all checks, for
//! administrators.

use super::grants::{STATE, TIME};
use crate::actions::explain::{self, About, Asked, Checked};
use crate::actions::explain_permission::{self, DecidedBy, PermissionExplained};
use crate::api::http::declare::{Declared, Request, answer, request};
use crate::api::http::members::{OBJECT_TYPE, PERMISSION, PERMISSIONS};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind};
use crate::context::Cx;
use crate::domain::permissions::grant::Grant;
use crate::domain::permissions::permission::Permission;
use crate::domain::permissions::reach::Through;
use crate::domain::secret::PlainToken;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Error, Result};

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::of("POST", "explain", &["/v1/explain"], handler!(explain))
        .summary("Tells why a token is accepted or refused, or what a user may do")
        .about(
            "Every check is made for every token app that could accept the token; a failed one \
             does not stop the others. No user is created, nothing is written, and the token is \
             neither logged nor audited. Send exactly one of `token` and `username`.",
        )
        .access(Access::Administrator)
        .writes(false)
        .body(&Question::SHAPE)
        .answers(Answer::json(200, &Explained::SHAPE))],
};

request! {
    struct Question as "ExplainedQuestion" {
        "token" token: Option<String> => "the token, opaque or a JSON Web Token",
        "username" username: Option<String> => "a user, in place of a token",
        "app" app: Option<AppName> => "only this token app",
        "service" service: Option<i64> => "a service on which to check a permission",
        "permission" permission: Option<Permission> =>
            "the permission to check; required with service",
    } example r#"{
        "token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
        "service":7,"permission":"VIEW"
    }"#
}

answer! {
    struct Explained<'a> as "Explanation" {
        "verdict" verdict: &'static str as Kind::OneOf(&["accepted", "refused"]) =>
            "accepted: the token is valid, and the user has the permission that was asked about",
        "checks" checks: Vec<OneCheck<'a>> => "in the order in which they were made",
        "permission" permission: Option<Decision<'a>> =>
            "how the permission was decided; null if none was asked about, or the credential was \
             refused",
    } example r#"{
        "verdict":"refused",
        "checks":[{
            "app":"Keycloak","check":"audience","held":false,
            "detail":"the token has aud \"account\", the app wants one of [\"bi\"]",
            "fix":"add the audience to audiences, if tokens for it are meant for this application"
        }],
        "permission":null
    }"#
}

answer! {
    struct OneCheck<'a> as "Check" {
        "app" app: Option<&'a str> =>
            "the token app; null if the check concerns only the token or the user",
        "check" check: &'static str => "the name of the check",
        "held" held: bool => "whether the check passed",
        "detail" detail: &'a str => "what was found",
        "fix" fix: Option<&'a str> =>
            "what to change; null if the check passed, or no change helps",
    } example r#"{"app":"Keycloak","check":"lifetime","held":true,"detail":"holds","fix":null}"#
}

answer! {
    struct Decision<'a> as "PermissionExplained" {
        "service" service: i64 => "the service's id",
        "permission" permission: &'static str as PERMISSION => "the permission",
        "allowed" allowed: bool => "whether a permission check allows it",
        "decidedBy" decided_by: &'static str as DECIDED_BY =>
            "the reason; switch: authEnabled is off, which allows everything but GRANT and RELEASE",
        "authEnabled" switch: bool => "the service's authorization switch",
        "apisOff" apis_off: i64 =>
            "how many APIs of the service have their switch off; this has no effect here",
        "grants" grants: Vec<Reaching<'a>> =>
            "the grants on the service that reach the user, by ascending id",
    }
}

answer! {
    struct Reaching<'a> as "ReachingGrant" {
        "id" id: i64 => "the grant's id",
        "authObjectType" object_type: &'static str as OBJECT_TYPE =>
            "the type of object that it is given to",
        "authObjectId" object_id: i64 => "the id of that object",
        "name" name: Option<&'a str> => "the name of that object",
        "permissions" permissions: Vec<&'static str> as PERMISSIONS =>
            "the permissions that it gives",
        "creator" creator: bool => "whether it is the grant of the service's creator",
        "gives" gives: bool => "whether it gives the permission now",
        "state" state: &'static str as STATE => "whether it is in force now",
        "startsAt" starts_at: Option<i64> as TIME => "epoch milliseconds",
        "expiresAt" expires_at: Option<i64> as TIME => "epoch milliseconds",
        "through" through: Option<&'static str> as THROUGH =>
            "why it applies to the user; null: it is given to them directly",
        "path" path: Vec<OnTheWay<'a>> =>
            "the departments from the user's own up to the one that the grant is given to",
    }
}

answer! {
    struct OnTheWay<'a> as "DepartmentOnTheWay" {
        "id" id: i64 => "the department's id",
        "name" name: Option<&'a str> => "a name for people",
    }
}

const DECIDED_BY: Kind = Kind::OneOf(&DecidedBy::NAMES);
const THROUGH: Kind = Kind::Nullable(&Kind::OneOf(&Through::NAMES));

impl<'a> Decision<'a> {
    fn of(explained: &'a PermissionExplained) -> Self {
        Self {
            service: explained.service_id,
            permission: explained.permission.name(),
            allowed: explained.decided_by.allows(),
            decided_by: explained.decided_by.name(),
            switch: explained.switch,
            apis_off: explained.apis_off,
            grants: explained.grants.iter().map(Reaching::of).collect(),
        }
    }
}

impl<'a> Reaching<'a> {
    fn of(reaching: &'a explain_permission::Reaching) -> Self {
        let Grant { id, object_type, object_id, permissions, creator, period, .. } =
            &reaching.grant;
        Self {
            id: *id,
            object_type: object_type.name(),
            object_id: *object_id,
            name: reaching.name.as_deref(),
            permissions: permissions.names(),
            creator: *creator,
            gives: reaching.gives,
            state: reaching.phase.name(),
            starts_at: period.starts_at.map(|at| at.0),
            expires_at: period.expires_at.map(|at| at.0),
            through: reaching.through.map(Through::name),
            path: reaching
                .path
                .iter()
                .map(|(id, name)| OnTheWay { id: *id, name: name.as_deref() })
                .collect(),
        }
    }
}

impl<'a> OneCheck<'a> {
    fn of(checked: &'a Checked) -> Self {
        Self {
            app: checked.app.as_deref(),
            check: checked.check,
            held: checked.held,
            detail: &checked.detail,
            fix: checked.fix.as_deref(),
        }
    }
}

async fn explain(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let Question { token, username, app, service, permission } =
        Question::read(&call.labelled_fields().await?)?;
    let about = match (token, username) {
        (Some(token), None) => About::Token(PlainToken::new(token.trim())),
        (None, Some(username)) => About::Username(username),
        _ => return Err(Error::invalid("token", "or username is required, and not both")),
    };
    let permission = match (service, permission) {
        (None, None) => None,
        (Some(service), Some(permission)) => Some((service, permission)),
        (None, Some(_)) => return Err(Error::missing("service")),
        (Some(_), None) => return Err(Error::missing("permission")),
    };
    let app = app.map(|name| name.as_str().to_owned());
    let explanation = explain::explain(cx, &Asked { about, app, permission }).await?;
    let verdict = if explanation.holds { "accepted" } else { "refused" };
    let checks = explanation.checks.iter().map(OneCheck::of).collect();
    Ok(Response::json(
        200,
        &Explained {
            verdict,
            checks,
            permission: explanation.permission.as_ref().map(Decision::of),
        },
    ))
}
