//! Applications of organizations, and the types of data that each is authorized to.

use super::paging::{self, page};
use crate::actions::{applications, authorizations};
use crate::api::http::declare::{Change, Declared, Given, Line, Request, answer, request};
use crate::api::http::members::{AUTHORIZATION_TYPE, PLAIN_ID};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, optional, required};
use crate::context::Cx;
use crate::domain::applications::application::{
    self, AccessKey, ApplicationTerms, AuthorizationType, MAX_NAME, OrganizationId,
};
use crate::domain::identity::machine_key::May;
use crate::error::{Error, Result};

const ACCESS_KEY: Field =
    required("accessKey", Kind::text(1, usize::MAX), "the application's access key");
const TYPE: Field = required("type", AUTHORIZATION_TYPE, "the type of data");

const LIST_QUERY: &[Field] = &[
    optional("organization", Kind::TEXT, "only those of this organization"),
    paging::LIMIT,
    paging::TEXT_CURSOR,
];

const SHORTCUT: &str = "whether it is only a link, which cannot be authorized to anything";
const AUTHORIZES: &str = "whether it may authorize the applications of its organization";
const ENABLED: &str = "a disabled application may not call, and is authorized to nothing";

pub(super) const GROUP: Group = Group {
    parameters: &[ACCESS_KEY, TYPE],
    routes: &[
        Route::get("list_applications", &["/v1/applications"], handler!(list))
            .summary("Lists applications by ascending access key")
            .access(Access::Administrator)
            .query(LIST_QUERY)
            .answers(Answer::json(200, &APPLICATIONS)),
        Route::of("POST", "create_application", &["/v1/applications"], handler!(create))
            .summary("Registers an application, and shows its secret once")
            .about("A shortcut gets no secret.")
            .access(Access::Administrator)
            .body(&NewApplication::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &CreatedApplication::SHAPE)),
        Route::get("get_application", &["/v1/applications/{accessKey}"], handler!(get))
            .summary("Shows an application")
            .access(Access::Administrator)
            .answers(Answer::json(200, &Application::SHAPE)),
        Route::of(
            "PATCH",
            "update_application",
            &["/v1/applications/{accessKey}"],
            handler!(update),
        )
        .summary("Changes members of an application; disabling it ends its access token at once")
        .about("Members that are left out stay as they are.")
        .access(Access::Administrator)
        .body(&ApplicationChange::SHAPE)
        .answers(Answer::json(200, &Application::SHAPE)),
        Route::of(
            "DELETE",
            "delete_application",
            &["/v1/applications/{accessKey}"],
            handler!(delete),
        )
        .summary("Deletes an application, and its access token with it")
        .access(Access::Administrator),
        Route::of(
            "POST",
            "renew_application_secret",
            &["/v1/applications/{accessKey}/secret"],
            handler!(renew_secret),
        )
        .summary(
            "Replaces an application's secret, shows the new one once, and ends the access \
             token",
        )
        .access(Access::Administrator)
        .refuses(&[409])
        .answers(Answer::json(200, &ApplicationSecret::SHAPE)),
        Route::get(
            "check_application",
            &["/v1/applications/{accessKey}/authorizations/{type}"],
            handler!(check),
        )
        .summary("Tells whether an application is authorized to a type of data")
        .access(Access::SignedIn)
        .keys(Keys::With(May::Decisions))
        .answers(Answer::json(200, &Authorized::SHAPE)),
    ],
};

answer! {
    struct Application<'a> as "Application" {
        "accessKey" access_key: &'a str as PLAIN_ID => "the access key; public",
        "organization" organization: &'a str as PLAIN_ID => "the organization's id",
        "name" name: Option<&'a str> => "a name for people",
        "shortcut" shortcut: bool => SHORTCUT,
        "authorizeApplications" authorizes: bool => AUTHORIZES,
        "enabled" enabled: bool => ENABLED,
        "hasSecret" has_secret: bool => "whether it has a secret, with which it gets access tokens",
        "authorizations" authorizations: Vec<&'static str> as Kind::list(&AUTHORIZATION_TYPE) =>
            "the types of data that it is authorized to",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "modifiedAt" modified_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","organization":"o15504722874071",
        "name":"Reports","shortcut":false,"authorizeApplications":false,"enabled":true,
        "hasSecret":true,"authorizations":["USER"],"createdAt":1737599864898,
        "modifiedAt":1737599864898
    }"#
}

const APPLICATIONS: Shape = page!("Applications", Application<'_>, "by ascending access key");

impl<'a> Application<'a> {
    fn of(application: &'a application::Application) -> Self {
        let ApplicationTerms { name, shortcut, authorizes, enabled } = &application.terms;
        Self {
            access_key: application.access_key.as_str(),
            organization: application.organization_id.as_str(),
            name: name.as_deref(),
            shortcut: *shortcut,
            authorizes: *authorizes,
            enabled: *enabled,
            has_secret: application.secret.is_some(),
            authorizations: application.authorizations.names(),
            created_at: application.created_at.0,
            modified_at: application.modified_at.0,
        }
    }
}

answer! {
    struct CreatedApplication<'a> as "CreatedApplication" {
        includes application: Application<'a>,
        "secret" secret: Option<&'a str> => "the secret, shown only once; null for a shortcut",
    } example r#"{
        "accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","organization":"o15504722874071",
        "name":"Reports","shortcut":false,"authorizeApplications":true,"enabled":true,
        "hasSecret":true,"authorizations":[],"createdAt":1737599864898,"modifiedAt":1737599864898,
        "secret":"43 characters of base64url"
    }"#
}

request! {
    struct NewApplication as "NewApplication" {
        "name" name: Change<Line<MAX_NAME>> => "a name for people",
        "shortcut" shortcut: Option<bool> => SHORTCUT,
        "authorizeApplications" authorizes: Option<bool> => AUTHORIZES,
        "enabled" enabled: Option<bool> => "default true",
        "accessKey" access_key: Option<AccessKey> => "default: one that Postern chooses",
        "organization" organization: OrganizationId => "the organization's id",
    } example r#"{"organization":"o15504722874071","name":"Reports","authorizeApplications":true}"#
}

request! {
    struct ApplicationChange as "ApplicationChange" {
        "name" name: Change<Line<MAX_NAME>> => "null removes it",
        "shortcut" shortcut: Given<bool> => SHORTCUT,
        "authorizeApplications" authorizes: Given<bool> => AUTHORIZES,
        "enabled" enabled: Given<bool> => ENABLED,
    } example r#"{"authorizeApplications":true}"#
}

impl ApplicationChange {
    fn apply(self, terms: &mut ApplicationTerms) {
        self.name.map(|Line(text)| text).apply(&mut terms.name);
        terms.shortcut = self.shortcut.0.unwrap_or(terms.shortcut);
        terms.authorizes = self.authorizes.0.unwrap_or(terms.authorizes);
        terms.enabled = self.enabled.0.unwrap_or(terms.enabled);
    }
}

answer! {
    struct ApplicationSecret<'a> as "ApplicationSecret" {
        "accessKey" access_key: &'a str as PLAIN_ID => "the access key; public",
        "secret" secret: Option<&'a str> as Kind::TEXT => "the secret; it is shown only once",
    } example r#"{
        "accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","secret":"43 characters of base64url"
    }"#
}

answer! {
    struct Authorized<'a> as "Authorized" {
        "allowed" allowed: bool => "whether it is authorized",
        "accessKey" access_key: &'a str as Kind::TEXT => "the access key; public",
        "type" kind: &'static str as AUTHORIZATION_TYPE => "the type of data",
    } example r#"{"allowed":true,"accessKey":"5acb82e7-a11e-4300-9164-c8b20b638e8b","type":"USER"}"#
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_key) = paging::asked_by_text(call)?;
    let found =
        applications::list(cx, call.query.one("organization")?, after_key, limit + 1).await?;
    Ok(paging::answer(&found, limit, Application::of, |application| application.access_key.clone()))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let NewApplication { name, shortcut, authorizes, enabled, access_key, organization } =
        NewApplication::read(&call.labelled_fields().await?)?;
    let mut terms = ApplicationTerms { enabled: true, ..ApplicationTerms::default() };
    let (shortcut, authorizes, enabled) = (Given(shortcut), Given(authorizes), Given(enabled));
    ApplicationChange { name, shortcut, authorizes, enabled }.apply(&mut terms);
    let (application, secret) =
        applications::create(cx, call.caller()?, access_key, &organization, &terms).await?;
    let secret = secret.as_ref().and_then(|secret| secret.expose_text());
    let location = format!("/v1/applications/{}", application.access_key);
    Ok(Response::json(
        201,
        &CreatedApplication { application: Application::of(&application), secret },
    )
    .with("location", location))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let application = applications::find(cx, call.parameter(ACCESS_KEY.name)?).await?;
    Ok(Response::json(200, &Application::of(&application)))
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let change = ApplicationChange::read(&call.labelled_fields().await?)?;
    let access_key = call.parameter(ACCESS_KEY.name)?;
    let application =
        applications::update(cx, call.caller()?, access_key, |terms| change.apply(terms)).await?;
    Ok(Response::json(200, &Application::of(&application)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    applications::delete(cx, call.caller()?, call.parameter(ACCESS_KEY.name)?).await?;
    Ok(Response::empty(204))
}

async fn renew_secret(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let access_key = call.parameter(ACCESS_KEY.name)?;
    let secret = applications::renew_secret(cx, call.caller()?, access_key).await?;
    Ok(Response::json(200, &ApplicationSecret { access_key, secret: secret.expose_text() }))
}

async fn check(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let access_key = call.parameter(ACCESS_KEY.name)?;
    let kind = AuthorizationType::parse(call.parameter(TYPE.name)?)
        .map_err(|why| Error::invalid(TYPE.name, why))?;
    let allowed = authorizations::check(cx, access_key, kind).await?;
    Ok(Response::json(200, &Authorized { allowed, access_key, kind: kind.name() }))
}
