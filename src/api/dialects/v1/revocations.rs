//! Revocations of single tokens.

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
            .summary("Revokes a token, opaque or a JSON Web Token, a key, or all tokens of an app with a `jti`")
            .about(
                "Either `token` is sent, or `app` and `jti`. A token that no enabled app accepts, as a forged or an expired one, is \
                 refused as it is by `/v1/verify`, and nothing is written. To revoke a JSON Web Token again succeeds. A key is deleted \
                 with its secrets, as by `DELETE /v1/keys/{id}`. No revocation is taken back.",
            )
            .access(Access::Holder)
            .refuses(&[404])
            .body(&ToRevoke::SHAPE),
        Route::get("list_revocations", &["/v1/revocations"], handler!(list))
            .summary("Lists the revocations of token apps' tokens, the newest first, until the tokens are over by themselves")
            .access(Access::Administrator)
            .query(paging::QUERY)
            .answers(Answer::json(200, &REVOCATIONS)),
    ],
};

request! {
    /// A token that is to be over.
    struct ToRevoke as "ToRevoke" {
        "token" token: Option<String> => "the token or key itself",
        "app" app: Option<AppName> => "the token app; needed with `jti`, and with a token that more than 64 apps could have issued",
        "jti" jti: Option<Line<MAX_JTI>> => "the `jti` of tokens of the app, in place of a token; a whole number as its digits",
        "until" until: Option<i64> as Kind::Nullable(&Kind::TIME) => "with `jti`: when its tokens are over, epoch milliseconds; default: as late as tokens of any app can be, ten years",
    } example r#"{"token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"}"#
}

answer! {
    struct Revocation<'a> as "Revocation" {
        "id" id: i64 => "descending in the list",
        "kind" kind: &'a str => "token: one token; jti: all tokens of the app that have the jti",
        "app" app: &'a str => "the token app; Postern console: a session of the console that a key began",
        "username" username: Option<&'a str> => "whom the token names; null for a jti",
        "jti" jti: Option<&'a str> => "the token's jti, cut to 256 characters; null where it has none",
        "revokedAt" revoked_at: i64 as Kind::TIME => "epoch milliseconds",
        "until" until: i64 as Kind::TIME => "when the token is over by itself, whatever its app says by then, epoch milliseconds",
    } example r#"{"id":3,"kind":"token","app":"ERP","username":"alice","jti":"b6f1","revokedAt":1737599864898,"until":1737687504000}"#
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
                "must not be there beside token, which is revoked as it is",
            ));
        }
        (Some(_), None) if until.is_some() => {
            return Err(Error::invalid(
                "until",
                "must not be there beside token, which says it itself",
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

/// Who is signed in, if anybody. A credential that is shown must be good, also where none is
/// needed.
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
