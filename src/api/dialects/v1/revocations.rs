//! Revocations of tokens, and of keys.

use super::paging::{self, page};
use crate::actions::caller::{Caller, Hints};
use crate::actions::revocations::{self, Stored};
use crate::api::http::console_cookie;
use crate::api::http::credentials;
use crate::api::http::declare::{Declared, Line, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind, Shape};
use crate::context::Cx;
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::MAX_JTI;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Denied, Error, Refusal, Result};

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::of("POST", "revoke_token", &["/v1/revocations"], handler!(revoke))
            .summary(
                "Revokes a token, opaque or a JSON Web Token, a key, or all tokens of an app with \
                 a `jti`",
            )
            .about(
                "Send either `token`, or `app` and `jti`. A token that no enabled app accepts, \
                 such as a forged or expired one, is refused as by `/v1/verify`, and nothing is \
                 written. Revoking a JSON Web Token again succeeds. A key is deleted with its \
                 secrets, as by `DELETE /v1/keys/{id}`. A revocation cannot be undone.",
            )
            .access(Access::Holder)
            .refuses(&[404])
            .body(&ToRevoke::SHAPE),
        Route::get("list_revocations", &["/v1/revocations"], handler!(list))
            .summary(
                "Lists the revocations of token apps' tokens, the newest first, until the tokens \
                 expire",
            )
            .access(Access::Administrator)
            .query(paging::QUERY)
            .answers(Answer::json(200, &REVOCATIONS)),
    ],
};

request! {
    struct ToRevoke as "ToRevoke" {
        "token" token: Option<String> => "the token or key itself",
        "app" app: Option<AppName> =>
            "the token app; required with `jti`, and with a token that more than 64 apps could \
             have issued",
        "jti" jti: Option<Line<MAX_JTI>> =>
            "the `jti` of tokens of the app, in place of a token; of a number, its digits",
        "until" until: Option<i64> as Kind::Nullable(&Kind::TIME) =>
            "with `jti`: when its tokens expire, epoch milliseconds; default: in ten years, the \
             longest that any app's tokens are valid",
    } example r#"{
        "token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    }"#
}

answer! {
    struct Revocation<'a> as "Revocation" {
        "id" id: i64 => "descending in the list",
        "kind" kind: &'a str => "token: one token; jti: all tokens of the app with this jti",
        "app" app: &'a str =>
            "the token app; `Postern console` for a console session that was begun with a key",
        "username" username: Option<&'a str> => "the user that the token names; null for a jti",
        "jti" jti: Option<&'a str> => "the token's jti, cut to 256 characters; null if it has none",
        "revokedAt" revoked_at: i64 as Kind::TIME => "epoch milliseconds",
        "until" until: i64 as Kind::TIME =>
            "when the token expires at the latest, even if its app is changed, epoch milliseconds",
    } example r#"{
        "id":3,"kind":"token","app":"ERP","username":"alice","jti":"b6f1","revokedAt":1737599864898,
        "until":1737687504000
    }"#
}

const REVOCATIONS: Shape = page!("Revocations", Revocation<'_>, "the newest first");

impl<'a> Revocation<'a> {
    fn of(stored: &'a Stored) -> Self {
        let Stored { id, kind, listed, until, created_at } = stored;
        Self {
            id: *id,
            kind,
            app: &listed.app,
            username: listed.username.as_deref(),
            jti: listed.jti.as_deref(),
            revoked_at: created_at.0,
            until: until.0,
        }
    }
}

async fn revoke(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let caller = caller(cx, call).await?;
    let ToRevoke { token, app, jti, until } = ToRevoke::read(&call.labelled_fields().await?)?;
    match (token, jti) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "jti",
                "must not be there beside token: send one of the two",
            ));
        }
        (Some(_), None) if until.is_some() => {
            return Err(Error::invalid(
                "until",
                "must not be there beside token: the token has its own end",
            ));
        }
        (Some(token), None) => {
            let app = app.as_ref().map(AppName::as_str);
            revocations::revoke_token(cx, caller.as_ref(), &PlainToken::new(token.trim()), app)
                .await?;
        }
        (None, jti) => {
            let caller = caller.ok_or(Denied::Missing)?;
            if !caller.is_administrator() {
                return Err(Refusal::NotAdministrator.into());
            }
            let missing = || {
                if app.is_some() {
                    Error::invalid("jti", "is required beside app")
                } else {
                    Error::missing("token")
                }
            };
            let Line(jti) = jti.ok_or_else(missing)?;
            let app = app.ok_or_else(|| Error::missing("app"))?;
            revocations::revoke_jti(cx, &caller, &app, jti, until.map(Millis)).await?;
        }
    }
    Ok(Response::empty(204))
}

/// The caller, or `None` without a credential. A credential that is shown must be valid, even if
/// the call needs none.
async fn caller(cx: &Cx, call: &Call<'_>) -> Result<Option<Caller>> {
    let shown = match credentials::in_headers(call.request)? {
        None => console_cookie::read(cx, call.request)?,
        shown => shown,
    };
    let Some(credential) = shown else { return Ok(None) };
    call.identify(cx, Some(&credential), Hints::default()).await.map(Some)
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, before) = paging::asked(call)?;
    let found = revocations::list(cx, before, limit + 1).await?;
    Ok(paging::answer(&found, limit, Revocation::of, |stored| stored.id))
}
