//! The questions of other Workers of the account. They arrive by a service binding, without HTTP.
//!
//! The questions are those of `/v1/verify`, `/v1/check` and `/v1/check/batch`, answered by the same
//! code. The binding itself acts as a key with `decisions`. Undeclared members are refused.

use std::rc::Rc;

use serde_json::Value;

use super::{checks, verification};
use crate::actions::authenticate::authenticate;
use crate::actions::caller::{Caller, Credential, Hints, KeyCaller, Proof, UserCaller};
use crate::actions::permissions;
use crate::api::http::body::{Fields, parse_json};
use crate::api::http::declare::{Declared, Given, Line, Request, Sometimes, answer, request};
use crate::api::http::message::Response;
use crate::api::http::route::Route;
use crate::api::http::shape::Operation;
use crate::context::Cx;
use crate::domain::identity::machine_key::MachineKey;
use crate::domain::identity::user::Username;
use crate::domain::permissions::permission::Permission;
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

/// JavaScript's `Number.MAX_SAFE_INTEGER`, 2^53 - 1. A larger number may have been rounded.
const MAX_EXACT: u64 = (1 << 53) - 1;

request! {
    struct TokenAsked as "TokenAsked" {
        "token" token: String => "the token, opaque or a JSON Web Token",
        "app" app: Given<String> => "the only token app that the token may belong to",
    }
}

request! {
    /// One question of a batch, or a question about the user of a token.
    struct CheckAsked as "CheckAsked" {
        "service" service: i64 => "the service's id",
        "permission" permission: Permission => "the permission; any case is taken",
        "user" user: Given<i64> => "the user's id",
        "username" username: Given<Line<{ Username::MAX }>> => "the user name, in place of the id",
        "token" token: Given<String> =>
            "a token of the user, in place of the id; the token's groups are taken into account",
        "app" app: Given<String> => "the only token app that the token may belong to",
    }
}

answer! {
    /// The members of RFC 7662, 2.2, as far as Postern stores their values.
    struct Introspected<'a> as "Introspected" {
        "active" active: bool => "whether the token is valid",
        "token_type" token_type: Sometimes<&'static str> => "Bearer",
        "sub" sub: Sometimes<String> => "the user's id",
        "username" username: Sometimes<&'a str> => "the user name",
        "client_id" client_id: Sometimes<&'a str> =>
            "the token app, or postern for a token of its own",
        "exp" exp: Sometimes<i64> => "when it expires, epoch seconds",
        "scope" scope: Sometimes<&'a str> => "the claim scope, if the token app passes it on",
    }
}

pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "verify",
        summary: "Verifies a token and tells whose it is, as POST /v1/verify does",
        question: &TokenAsked::SHAPE,
        answer: &verification::Verified::SHAPE,
    },
    Operation {
        name: "introspect",
        summary: "Introspects a token as RFC 7662 describes; a refused token is not a failure",
        question: &TokenAsked::SHAPE,
        answer: &Introspected::SHAPE,
    },
    Operation {
        name: "check",
        summary: "Tells whether a user has a permission on a service, as GET /v1/check does",
        question: &CheckAsked::SHAPE,
        answer: &checks::Checked::SHAPE,
    },
    Operation {
        name: "checkBatch",
        summary: "Answers up to 100 questions about users, as POST /v1/check/batch does",
        question: &checks::Questions::SHAPE,
        answer: &checks::Answers::SHAPE,
    },
];

/// The kind of decision that an operation makes, as analytics record it.
#[must_use]
pub fn decides(operation: &str) -> Option<&'static str> {
    match operation {
        "verify" => Some("verify"),
        "introspect" => Some("introspect"),
        "check" | "checkBatch" => Some("check"),
        _ => None,
    }
}

/// Answers a question. `question` is its JSON text; `None` means that it was too large to be
/// converted.
pub async fn answer(cx: &Cx, operation: &str, question: Option<&str>) -> Result<Response> {
    let fields = read(question)?;
    match operation {
        "verify" => verify(cx, &fields).await,
        "introspect" => introspect(cx, &fields).await,
        "check" => check(cx, &fields).await,
        "checkBatch" => check_batch(cx, &fields).await,
        _ => Err(Error::internal(format!("there is no operation {operation}"))),
    }
}

async fn verify(cx: &Cx, fields: &Fields) -> Result<Response> {
    let asked: TokenAsked = declared(fields)?;
    Ok(verification::verified(&holder(cx, &verification::VERIFY_POSTED, asked, None).await?))
}

async fn introspect(cx: &Cx, fields: &Fields) -> Result<Response> {
    match holder(cx, &verification::VERIFY_POSTED, declared(fields)?, None).await {
        Ok(Caller::User(caller)) => Ok(Response::json(200, &Introspected::of(&caller))),
        // A key works only at Postern's own endpoints. RFC 7662 tells no caller why a token is
        // refused.
        Ok(Caller::Key(_)) | Err(Error::Unauthenticated(_) | Error::Forbidden(_)) => {
            cx.noted.answered(false);
            Ok(Response::json(200, &Introspected::INACTIVE))
        }
        Err(error) => Err(error),
    }
}

/// Checks a permission. With a token its user is the caller, as at `/v1/check`, so that the token's
/// groups are taken into account.
async fn check(cx: &Cx, fields: &Fields) -> Result<Response> {
    let CheckAsked { service, permission, user, username, token, app } = declared(fields)?;
    let named = checks::named(user.0, username.0.map(|Line(name)| name))?;
    let caller = match (token.0, &named) {
        (Some(token), None) => {
            holder(cx, &checks::CHECK, TokenAsked { token, app }, Some(service)).await?
        }
        (Some(_), Some(_)) => {
            return Err(fields.invalid(
                "token",
                "must not be there beside user or username: name the user once",
            ));
        }
        (None, _) if app.0.is_some() => {
            return Err(fields.invalid("app", "is about a token, and there is none"));
        }
        (None, _) => binding(&checks::CHECK)?,
    };
    let user = checks::subject(&caller, named, "user")?;
    checks::answer_one(cx, &caller, permissions::Asked { service_id: service, user, permission })
        .await
}

async fn check_batch(cx: &Cx, fields: &Fields) -> Result<Response> {
    checks::answer_all(cx, &binding(&checks::CHECK_BATCH)?, declared(fields)?).await
}

/// The caller that a token proves, if the route that answers this question over HTTP admits them.
async fn holder(
    cx: &Cx,
    route: &Route,
    TokenAsked { token, app }: TokenAsked,
    service_id: Option<i64>,
) -> Result<Caller> {
    let hints = Hints { app: app.0.as_deref(), service_id, ..Hints::default() };
    let caller = authenticate(cx, &Credential::of_token(PlainToken::new(token)), hints).await?;
    route.let_in(&caller)?;
    Ok(caller)
}

/// The Worker that asks, as a key, if the route that answers this question over HTTP admits that
/// key.
fn binding(route: &Route) -> Result<Caller> {
    let caller = Caller::Key(KeyCaller { key: Rc::new(MachineKey::of_binding()), user: None });
    route.let_in(&caller)?;
    Ok(caller)
}

fn read(question: Option<&str>) -> Result<Fields> {
    let invalid = |why: &str| Error::invalid("question", why);
    let text = question.ok_or_else(|| {
        invalid("is too large: it must have at most 10,000 values and a million characters")
    })?;
    let Value::Object(members) = parse_json(text.as_bytes())? else {
        return Err(invalid("must be a plain object"));
    };
    for (name, value) in &members {
        refuse_rounded(name, value)?;
    }
    Ok(Fields::from_members(members))
}

/// Refuses an integer that JavaScript may have rounded: the answer would be about another id.
fn refuse_rounded(place: &str, value: &Value) -> Result<()> {
    match value {
        Value::Number(number)
            if number.as_i64().is_some_and(|number| number.unsigned_abs() > MAX_EXACT) =>
        {
            Err(Error::invalid(
                place,
                "may have been rounded by JavaScript: send a BigInt, or the digits in a string",
            ))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| refuse_rounded(&format!("{place}[{index}]"), item)),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(name, value)| refuse_rounded(&format!("{place}.{name}"), value)),
        _ => Ok(()),
    }
}

fn declared<T: Request>(fields: &Fields) -> Result<T> {
    match fields.undeclared(&T::SHAPE).first() {
        Some(undeclared) => Err(undeclared.refusal()),
        None => T::read(fields),
    }
}

impl<'a> Introspected<'a> {
    const INACTIVE: Self = Self {
        active: false,
        token_type: Sometimes(None),
        sub: Sometimes(None),
        username: Sometimes(None),
        client_id: Sometimes(None),
        exp: Sometimes(None),
        scope: Sometimes(None),
    };

    fn of(UserCaller { user, proof }: &'a UserCaller) -> Self {
        let (client_id, exp, scope) = match proof {
            Proof::Jwt { app, expires_at_s, claims, .. } => {
                (Some(app.as_str()), Some(*expires_at_s), scope(claims))
            }
            Proof::Session(session) => (Some("postern"), Some(session.expires_at.seconds()), None),
            Proof::Password => (None, None, None),
        };
        Self {
            active: true,
            token_type: Sometimes(Some("Bearer")),
            sub: Sometimes(Some(user.id.0.to_string())),
            username: Sometimes(Some(user.username.as_str())),
            client_id: Sometimes(client_id),
            exp: Sometimes(exp),
            scope: Sometimes(scope),
        }
    }
}

fn scope(claims: &[(String, Value)]) -> Option<&str> {
    claims.iter().find(|(name, _)| name == "scope").and_then(|(_, value)| value.as_str())
}
