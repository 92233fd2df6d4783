//! Why a token is refused, or somebody may not: all checks, for administrators.

use crate::actions::explain::{self, About, Asked, Checked};
use crate::api::http::declare::{Declared, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind};
use crate::context::Cx;
use crate::domain::permissions::permission::Permission;
use crate::domain::secret::PlainToken;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Error, Result};

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::of("POST", "explain", &["/v1/explain"], handler!(explain))
        .summary("Tells why a token is accepted or refused, or what a user may do")
        .about(
            "Every check is gone through for every token app that could take the token; none stops the others. It creates nobody, writes \
             nothing, and the token is neither logged nor audited. Exactly one of `token` and `username` is asked about.",
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
        "service" service: Option<i64> => "a service on which the user is to have a permission",
        "permission" permission: Option<Permission> => "which; together with service",
    } example r#"{"token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl","service":7,"permission":"VIEW"}"#
}

answer! {
    struct Explained<'a> as "Explanation" {
        "verdict" verdict: &'static str as Kind::OneOf(&["accepted", "refused"]) => "accepted: the token counts, and the user may what was asked",
        "checks" checks: Vec<OneCheck<'a>> => "in the order in which they were made",
    } example r#"{"verdict":"refused","checks":[{"app":"Keycloak","check":"audience","held":false,"detail":"the token has aud \"account\", the app wants one of [\"bi\"]","fix":"add the audience to audiences, if tokens for it are meant for this application"}]}"#
}

answer! {
    struct OneCheck<'a> as "Check" {
        "app" app: Option<&'a str> => "the token app; null where the check is about the token or the user alone",
        "check" check: &'static str => "its name",
        "held" held: bool => "whether it held",
        "detail" detail: &'a str => "what was found",
        "fix" fix: Option<&'a str> => "what to change; null where it held, or nothing helps",
    } example r#"{"app":"Keycloak","check":"lifetime","held":true,"detail":"holds","fix":null}"#
}

impl<'a> OneCheck<'a> {
    fn of(checked: &'a Checked) -> Self {
        Self { app: checked.app.as_deref(), check: checked.check, held: checked.held, detail: &checked.detail, fix: checked.fix.as_deref() }
    }
}

async fn explain(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let Question { token, username, app, service, permission } = Question::read(&call.labelled_fields().await?)?;
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
    Ok(Response::json(200, &Explained { verdict, checks: explanation.checks.iter().map(OneCheck::of).collect() }))
}
