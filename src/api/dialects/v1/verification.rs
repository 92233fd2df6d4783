//! Verifies a credential and tells whose it is.

use serde_json::{Map, Value};

use super::checks;
use crate::actions::caller::{Caller, Credential, KeyCaller, Proof, UserCaller};
use crate::api::http::declare::{Declared, Given, Request, Sometimes, answer, request};
use crate::api::http::members::USER_TYPE;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, optional};
use crate::api::http::verdict;
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::user::{Profile, User};
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;
use crate::error::Result;

const VERIFY_QUERY: &[Field] = &[
    optional("token", Kind::TEXT, "the token; the parameter is named by the app's tokenName"),
    checks::APP,
];
pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::get("verify", &["/v1/verify"], handler!(verify))
            .summary("Verifies the credential of the request and tells whose it is")
            .decides("verify")
            .access(Access::Shown)
            .keys(Keys::All)
            .query(VERIFY_QUERY)
            .answers(Answer::json(200, &Verified::SHAPE)),
        VERIFY_POSTED,
    ],
};

/// Verifies a token in the body, which need not be the request's own credential.
pub(super) const VERIFY_POSTED: Route =
    Route::of("POST", "verify_posted", &["/v1/verify"], handler!(verify_posted))
        .summary("Verifies the token in the body, otherwise the credential of the request")
        .decides("verify")
        .access(Access::ShownOrSent)
        .keys(Keys::All)
        .writes(false)
        .query(VERIFY_QUERY)
        .optional_body(&Token::SHAPE)
        .answers(Answer::json(200, &Verified::SHAPE));

request! {
    struct Token as "Token" {
        "token" token: Given<String> => "the token to verify, opaque or a JSON Web Token",
    } example r#"{"token":"7ac687f1-51c3-46ad-8617-89d737d1ba0d"}"#
}

answer! {
    pub(super) struct Verified<'a> as "Verified" {
        "active" active: bool => "true",
        "kind" kind: &'static str as Kind::OneOf(&["jwt", "opaque", "basic", "key"]) =>
            "the kind of credential",
        "app" app: Sometimes<&'a str> => "the token app, for a jwt",
        "user" user: Sometimes<Identity<'a>> =>
            "the user; a key for machines has the member key instead",
        "key" key: Sometimes<ShownKey<'a>> => "the key for machines",
        "expiresAt" expires_at: Option<i64> =>
            "when it expires, epoch seconds; null for a password, and for a key that does not \
             expire",
        "claims" claims: Sometimes<Map<String, Value>> => "the claims that the token app passes on",
    } example r#"{
        "active":true,"kind":"jwt","app":"ERP",
        "user":{
            "id":1,"username":"admin","name":"Ada","email":"ada@example.com","type":"SYS_Reader",
            "roles":["SYS_Reader"]
        },
        "expiresAt":1737687504
    }"#
}

answer! {
    pub(super) struct Identity<'a> as "Identity" {
        "id" id: i64 => "the user's id",
        "username" username: &'a str => "the user name",
        "name" name: Option<&'a str> => "a name for people",
        "email" email: Option<&'a str> => "an email address",
        "type" user_type: &'static str as USER_TYPE => "the user type",
        "roles" roles: &'a [String] => "roles",
    } example r#"{
        "id":1,"username":"admin","name":"Ada","email":"ada@example.com","type":"SYS_Reader",
        "roles":["SYS_Reader"]
    }"#
}

answer! {
    pub(super) struct ShownKey<'a> as "ShownKey" {
        "id" id: i64 => "the key's id",
        "name" name: &'a str => "the key's name",
        "may" may: Vec<&'static str> as Kind::list(&Kind::OneOf(&May::NAMES)) => "its rights",
        "userId" user_id: Option<i64> => "the user it acts for, whose rights limit it",
    } example r#"{"id":7,"name":"billing","may":["decisions"],"userId":null}"#
}

impl<'a> Verified<'a> {
    fn of(caller: &'a Caller) -> Self {
        match caller {
            Caller::User(caller) => Self::of_user(caller),
            Caller::Key(caller) => Self::of_key(caller),
        }
    }

    fn of_key(KeyCaller { key, .. }: &'a KeyCaller) -> Self {
        let user_id = key.user_id.map(|id| id.0);
        let shown = ShownKey { id: key.id, name: key.name.as_str(), may: key.may.names(), user_id };
        Self {
            active: true,
            kind: "key",
            app: Sometimes(None),
            user: Sometimes(None),
            key: Sometimes(Some(shown)),
            expires_at: key.expires_at.map(Millis::seconds),
            claims: Sometimes(None),
        }
    }

    fn of_user(caller: &'a UserCaller) -> Self {
        let (kind, app, expires_at) = match &caller.proof {
            Proof::Jwt { app, expires_at_s, .. } => {
                ("jwt", Some(app.as_str()), Some(*expires_at_s))
            }
            Proof::Session(session) => ("opaque", None, Some(session.expires_at.seconds())),
            Proof::Password => ("basic", None, None),
        };
        let passed = |claims: &[(String, Value)]| {
            (!claims.is_empty()).then(|| claims.iter().cloned().collect())
        };
        let claims =
            if let Proof::Jwt { claims, .. } = &caller.proof { passed(claims) } else { None };
        let user = Sometimes(Some(Identity::of(&caller.user)));
        Self {
            active: true,
            kind,
            app: Sometimes(app),
            user,
            key: Sometimes(None),
            expires_at,
            claims: Sometimes(claims),
        }
    }
}

impl<'a> Identity<'a> {
    fn of(user: &'a User) -> Self {
        let Profile { name, email, user_type, roles, .. } = &user.profile;
        Self {
            id: user.id.0,
            username: user.username.as_str(),
            name: name.as_deref(),
            email: email.as_deref(),
            user_type: user_type.name(),
            roles,
        }
    }
}

async fn verify(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let shown = call.shown(cx)?;
    let (caller, _) = call.identify_first(cx, &shown, checks::hints(call, None)?).await?;
    Ok(verdict::kept(cx, call.request, Some(&caller), verdict::CREDENTIALS, verified(&caller)))
}

async fn verify_posted(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    // A token in the body is the subject of the question; the headers are then not read.
    let Some(token) = Token::read(&call.labelled_fields().await?)?.token.0 else {
        return verify(cx, call).await;
    };
    let credential = Credential::of_token(PlainToken::new(token));
    let caller = call.identify(cx, Some(&credential), checks::hints(call, None)?).await?;
    Ok(verified(&caller))
}

pub(super) fn verified(caller: &Caller) -> Response {
    Response::json(200, &Verified::of(caller))
}
