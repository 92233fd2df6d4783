//! The opaque tokens of a user.

use super::users;
use crate::actions::sessions;
use crate::api::http::declare::{Declared, answer};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind, required};
use crate::context::Cx;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::UserId;
use crate::error::Result;

pub(super) const GROUP: Group = Group {
    parameters: &[users::ID, required("tokenId", Kind::INT64, "the token's id")],
    routes: &[
        Route::get("list_user_tokens", &["/v1/users/{id}/tokens"], handler!(list))
            .summary(
                "Lists a user's opaque tokens, the newest first, without the tokens themselves, \
                 which are not stored",
            )
            .access(Access::Administrator)
            .answers(Answer::json(200, &IssuedTokens::SHAPE)),
        Route::of("DELETE", "revoke_user_tokens", &["/v1/users/{id}/tokens"], handler!(revoke_all))
            .summary(
                "Revokes all tokens issued to a user so far: opaque ones, those of token apps, and \
                 keys that act for the user",
            )
            .about(
                "A token app's token is revoked if its `iat` is before now; without `iat`, if \
                 `exp` minus the app's `expire` is. `iat` has whole seconds, so the answer is sent \
                 in the next second: tokens issued after the answer are valid.",
            )
            .access(Access::Administrator),
        Route::of(
            "DELETE",
            "revoke_user_token",
            &["/v1/users/{id}/tokens/{tokenId}"],
            handler!(revoke),
        )
        .summary("Revokes one of a user's opaque tokens")
        .access(Access::Administrator),
    ],
};

answer! {
    struct IssuedToken<'a> as "IssuedToken" {
        "id" id: i64 => "the token's id, by which it can be revoked",
        "address" address: Option<&'a str> => "the client's address at its creation",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "expiresAt" expires_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "id":7,"address":"203.0.113.9","createdAt":1737599864898,"expiresAt":1737643064898
    }"#
}

answer! {
    struct IssuedTokens<'a> as "IssuedTokens" {
        "items" items: Vec<IssuedToken<'a>> => "the newest first, 500 at most",
    }
}

impl<'a> IssuedToken<'a> {
    fn of(session: &'a Session) -> Self {
        Self {
            id: session.id,
            address: session.address.as_deref(),
            created_at: session.created_at.0,
            expires_at: session.expires_at.0,
        }
    }
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let sessions = sessions::list(cx, user_id(call)?).await?;
    Ok(Response::json(200, &IssuedTokens { items: sessions.iter().map(IssuedToken::of).collect() }))
}

async fn revoke_all(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    sessions::revoke_all(cx, call.caller()?, user_id(call)?).await?;
    Ok(Response::empty(204))
}

async fn revoke(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    sessions::revoke(cx, call.caller()?, user_id(call)?, call.int64("tokenId")?).await?;
    Ok(Response::empty(204))
}

fn user_id(call: &Call<'_>) -> Result<UserId> {
    call.int64(users::ID.name).map(UserId)
}
