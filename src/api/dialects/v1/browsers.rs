//! Sign-in and sign-out with a browser. The pages work without scripts.

use crate::actions::{gateway_sessions, sign_in};
use crate::api::http::console_host::is_admin_host;
use crate::api::http::credentials;
use crate::api::http::declare::{Declared, Given, Request, request};
use crate::api::http::login;
use crate::api::http::message::Response;
use crate::api::http::pages::{self, Language};
use crate::api::http::route::{Call, Group, Route, handler};
use crate::api::http::session_cookie;
use crate::api::http::shape::{Answer, Field, Kind, optional};
use crate::context::Cx;
use crate::domain::browsers::{Login, SessionCookie, return_to};
use crate::domain::secret::Secret;
use crate::error::{Error, Result};

const RETURN_TO: Field =
    optional("return_to", Kind::TEXT, "the path and query to return to afterwards");

const PAGE: Answer = Answer::texts(200, &[("text/html", "<!doctype html>…")]);

request! {
    struct Account as "SignIn" {
        "return_to" return_to: Given<String> =>
            "the path and query to return to afterwards; default: /",
        "username" username: String => "the user name",
        "password" password: Secret => "the password",
    } example r#"{"username":"alice","password":"correct horse","return_to":"/reports"}"#
}

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::get("show_sign_in", &["/v1/sign-in"], handler!(show))
            .summary("Shows the sign-in page of the gateway, if LOGIN_URL is `password`")
            .query(&[RETURN_TO])
            .refuses(&[404])
            .answers(PAGE),
        Route::of("POST", "sign_in", &["/v1/sign-in"], handler!(sign_in))
            .summary(
                "Signs in by the form of that page: sets the gateway's session cookie and \
                 redirects to `return_to`",
            )
            .decides("sign-in")
            .body(&Account::SHAPE)
            .refuses(&[401, 403, 404, 429])
            .refuses_by_page(&[401, 403, 429])
            .answers(Answer::empty(303)),
        Route::get("sign_out_browser", &["/v1/sign-out"], handler!(sign_out))
            .summary("Ends the gateway's session, and redirects to LOGOUT_URL or shows a page")
            .refuses(&[403])
            .writes(true)
            .answers(PAGE),
        Route::of("POST", "sign_out_browser_posted", &["/v1/sign-out"], handler!(sign_out))
            .summary("Ends the gateway's session, for a form")
            .refuses(&[403])
            .answers(PAGE),
    ],
};

/// Refuses, unless the deployment sets LOGIN_URL to `password`.
fn is_wanted(cx: &Cx, call: &Call<'_>) -> Result<()> {
    is_on_its_host(cx, call)?;
    if cx.config.browsers.login == Some(Login::Password) {
        Ok(())
    } else {
        Err(Error::not_found("path", call.request.path()))
    }
}

/// Refuses on the console's own host, which has no gateway sessions.
fn is_on_its_host(cx: &Cx, call: &Call<'_>) -> Result<()> {
    if is_admin_host(cx, call.request) {
        Err(Error::not_found("path", call.request.path()))
    } else {
        Ok(())
    }
}

async fn show(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    is_wanted(cx, call)?;
    let to = return_to(call.query.one(RETURN_TO.name)?.unwrap_or_default());
    Ok(pages::sign_in(Language::of(call.request), "", to, None))
}

async fn sign_in(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let Account { username, password, return_to: to } =
        Account::read(&call.labelled_fields().await?)?;
    is_wanted(cx, call)?;
    // Otherwise a page of another site could sign the browser in with an attacker's account.
    credentials::refuse_cross_origin(cx, call.request)?;
    let to = to.0.unwrap_or_default();
    let to = return_to(&to);
    match sign_in::sign_in_browser(cx, &username, &password).await {
        Ok(cookie) => {
            let is_secure = session_cookie::is_secure(session_cookie::origin(cx, call.request));
            let (name, value) =
                session_cookie::set(cx, cookie.expose(), cx.config.token_ttl_s, is_secure);
            Ok(Response::empty(303).with("location", to.to_owned()).with(name, value))
        }
        Err(error @ (Error::Unauthenticated(_) | Error::Forbidden(_) | Error::TooMany { .. })) => {
            cx.noted.refused(&error);
            Ok(pages::sign_in(Language::of(call.request), &username, to, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

async fn sign_out(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    is_on_its_host(cx, call)?;
    credentials::refuse_cross_site(call.request)?;
    let header = call.request.header("cookie").unwrap_or_default();
    // End every session that is shown, under both names of the cookie: a proxy may hide the
    // client's scheme, and of two cookies it is unknown which one the browser would send next.
    for cookie in session_cookie::all(&header) {
        gateway_sessions::end(cx, &cookie).await?;
    }
    let is_secure = session_cookie::is_secure(session_cookie::origin(cx, call.request))
        || header.contains(session_cookie::SECURE);
    let response = match &cx.config.browsers.logout_url {
        Some(url) => Response::empty(303).with("location", url.clone()),
        None => pages::signed_out(Language::of(call.request), login::page(cx)),
    };
    let cookie = if is_secure { SessionCookie::Secure } else { SessionCookie::Plain };
    let (name, value) = session_cookie::take_back(cx, cookie);
    Ok(response.with(name, value))
}
