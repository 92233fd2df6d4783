//! Sessions of the console: sign-in, sign-out, and who is signed in.

use crate::actions::caller::{Caller, Hints};
use crate::actions::console_sessions::{self, ConsoleSession};
use crate::api::http::console_cookie;
use crate::api::http::console_host::{self, SignIn};
use crate::api::http::declare::{Declared, Request, Sometimes, answer, request};
use crate::api::http::message::Response;
use crate::api::http::route::{Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind};
use crate::context::Cx;
use crate::domain::browsers::EndedSession;
use crate::domain::secret::{PlainToken, Secret};
use crate::error::{Error, Result};

const PATH: &[&str] = &["/v1/console/session"];

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::get("show_console_session", PATH, handler!(show))
            .summary("Tells where to sign in to the console, and who is signed in")
            .about(
                "`user` and `key` are null unless the console's cookie is valid and its user or \
                 key may administer.",
            )
            .answers(Answer::json(200, &Session::SHAPE)),
        Route::of("POST", "begin_console_session", PATH, handler!(begin))
            .summary(
                "Signs in to the console, by an administrator's password or by a key with \
                 administration",
            )
            .decides("sign-in")
            .about(
                "The answer sets the console's cookie. On the same host it replaces the \
                 Authorization header in requests that the console's own pages send to operations \
                 for administrators and for signed-in callers. A session that the request already \
                 has ends.",
            )
            .body(&Account::SHAPE)
            .refuses(&[401, 403, 404, 429])
            .answers(Answer::json(201, &Session::SHAPE)),
        Route::of("DELETE", "end_console_session", PATH, handler!(end))
            .summary("Signs out of the console")
            .refuses(&[403, 404]),
    ],
};

answer! {
    struct SignedInUser<'a> as "ConsoleUser" {
        "id" id: i64 => "the user's id",
        "username" username: &'a str => "the user name",
    } example r#"{"id":1,"username":"admin"}"#
}

answer! {
    struct SignedInKey<'a> as "ConsoleKey" {
        "id" id: i64 => "the key's id",
        "name" name: &'a str => "the key's name",
    } example r#"{"id":3,"name":"ci"}"#
}

answer! {
    struct Session<'a> as "ConsoleSession" {
        "signIn" sign_in: &'static str as Kind::OneOf(&["here", "elsewhere", "off"]) =>
            "here: on this host; elsewhere: at the URL in `at`; off: nowhere, because an \
             application may share this host and ADMIN_HOST is not set",
        "at" at: Sometimes<String> => "for elsewhere: the URL of the console on ADMIN_HOST",
        "user" user: Option<SignedInUser<'a>> => "the administrator who is signed in",
        "key" key: Option<SignedInKey<'a>> => "the key that was used to sign in",
        "expiresAt" expires_at: Option<i64> as Kind::Nullable(&Kind::TIME) =>
            "when the session ends, epoch milliseconds",
    } example r#"{
        "signIn":"here","user":{"id":1,"username":"admin"},"key":null,"expiresAt":1737643064898
    }"#
}

request! {
    struct Account as "ConsoleSignIn" {
        "username" username: Option<String> =>
            "an administrator's user name; needed with `password`",
        "password" password: Option<Secret> => "the password",
        "key" key: Option<Secret> => "a key with administration, in place of both",
    } example r#"{"username":"admin","password":"correct horse"}"#
}

impl<'a> Session<'a> {
    fn of(place: SignIn, session: Option<&'a ConsoleSession>) -> Self {
        let (sign_in, at) = match place {
            SignIn::Here => ("here", None),
            SignIn::Elsewhere(url) => ("elsewhere", Some(url)),
            SignIn::Off => ("off", None),
        };
        let user =
            session.and_then(|session| session.caller.user().ok()).map(|caller| &caller.user);
        let user =
            user.map(|user| SignedInUser { id: user.id.0, username: user.username.as_str() });
        let key = session.and_then(|session| {
            if let Caller::Key(caller) = &session.caller { Some(&caller.key) } else { None }
        });
        let key = key.map(|key| SignedInKey { id: key.id, name: key.name.as_str() });
        Self {
            sign_in,
            at: Sometimes(at),
            user,
            key,
            expires_at: session.map(|session| session.ends_at.0),
        }
    }
}

async fn show(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let session = match shown(cx, call) {
        Some(cookie) => match console_sessions::find(cx, &cookie, Hints::default()).await {
            Ok(session) => Some(session),
            Err(Error::Unauthenticated(_) | Error::Forbidden(_)) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    Ok(Response::json(200, &Session::of(console_host::sign_in(cx, call.request), session.as_ref())))
}

/// The session cookie, if it is valid for this request. With two cookies neither is used, and the
/// browser is told to delete the session.
fn shown(cx: &Cx, call: &Call<'_>) -> Option<PlainToken> {
    match <[PlainToken; 1]>::try_from(console_cookie::counting(cx, call.request)) {
        Ok([cookie]) => Some(cookie),
        Err(none_or_several) => {
            if !none_or_several.is_empty() {
                cx.ended_session.set(Some(EndedSession::OfConsole));
            }
            None
        }
    }
}

async fn begin(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let account = Account::read(&call.labelled_fields().await?)?;
    console_cookie::refuse_others(cx, call.request)?;
    let (session, cookie) = match account {
        Account { key: Some(_), username: Some(_), .. } => return Err(beside_key("username")),
        Account { key: Some(_), password: Some(_), .. } => return Err(beside_key("password")),
        Account { key: Some(key), .. } => {
            let key = key.expose_text().unwrap_or_default().trim();
            console_sessions::begin_by_key(cx, &PlainToken::new(key)).await?
        }
        Account { key: None, username, password } => {
            let username = username.ok_or_else(|| {
                Error::invalid("username", "is required with password, or else key")
            })?;
            let password = password.ok_or_else(|| Error::missing("password"))?;
            console_sessions::begin(cx, &username, &password).await?
        }
    };
    // A new session for each sign-in, so that nobody else can know its id. The sessions before it
    // end.
    for before in console_cookie::all(call.request) {
        console_sessions::end(cx, &before).await?;
    }
    let max_age_s = (session.ends_at - cx.now).seconds().max(1);
    let (name, value) = console_cookie::set(call.request, cookie.expose(), max_age_s);
    Ok(Response::json(201, &Session::of(SignIn::Here, Some(&session))).with(name, value))
}

fn beside_key(field: &str) -> Error {
    Error::invalid(field, "must not be there beside key: a key signs in by itself")
}

async fn end(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    console_cookie::refuse_others(cx, call.request)?;
    for cookie in console_cookie::all(call.request) {
        console_sessions::end(cx, &cookie).await?;
    }
    let (name, value) = console_cookie::take_back(call.request);
    Ok(Response::empty(204).with(name, value))
}
