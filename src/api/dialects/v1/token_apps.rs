//! Token apps: whose tokens are accepted, for which users, and with which roles.

use serde_json::{Map, Value};

use super::paging;
use crate::actions::key_sets::{self, UsableKey};
use crate::actions::token_apps::{self, InitialPasswordChange, Kept, Registered, Registration};
use crate::api::http::body::Fields;
use crate::api::http::declare::{
    Declared, Integer, Line, Member, Request, Sometimes, answer, request,
};
use crate::api::http::members::{InitialPassword, InitialRoles};
use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, required};
use crate::api::http::token_policy::{self, All, Naming};
use crate::context::Cx;
use crate::domain::json;
use crate::domain::secret::Secret;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::policy::Policy;
use crate::domain::tokens::token_app::{
    AppName, ClaimNames, MAX_EXPIRE_S, TokenApp, TokenAppTerms, TokenName,
};
use crate::error::{Error, Result};

const NAME: Field = required("name", Kind::matching(1, 64, patterns::APP_NAME), "the app's name");

const KEYS_ABOUT: &str = "\
    Keys are a shared secret, public keys, the https:// URL of a key set, or with `discover` the \
    issuer's. Only the ids of keys are shown.";

pub(super) const GROUP: Group = Group {
    parameters: &[NAME],
    routes: &[
        Route::get("list_apps", &["/v1/token-apps"], handler!(list))
            .summary("Lists token apps by name")
            .access(Access::Administrator)
            .query(&[paging::SEARCH])
            .answers(Answer::json(200, &TokenApps::SHAPE)),
        Route::of("POST", "create_app", &["/v1/token-apps"], handler!(create))
            .summary("Creates a token app")
            .about(KEYS_ABOUT)
            .access(Access::Administrator)
            .body(&NEW)
            .refuses(&[409])
            .answers(Answer::json(201, &App::SHAPE)),
        Route::get("get_app", &["/v1/token-apps/{name}"], handler!(get))
            .summary("Shows a token app")
            .access(Access::Administrator)
            .answers(Answer::json(200, &App::SHAPE)),
        Route::of("PUT", "replace_app", &["/v1/token-apps/{name}"], handler!(replace))
            .summary("Replaces a token app")
            .about(
                "Members that are left out get their defaults, except the secret, which is kept.",
            )
            .access(Access::Administrator)
            .body(&REPLACED)
            .refuses(&[409])
            .answers(Answer::json(200, &App::SHAPE)),
        Route::of("PATCH", "update_app", &["/v1/token-apps/{name}"], handler!(update))
            .summary("Changes members of a token app")
            .about(
                "The body is a JSON Merge Patch (RFC 7396): members that are left out stay as they \
                 are, null gives the default.",
            )
            .access(Access::Administrator)
            .body(&CHANGED)
            .refuses(&[409])
            .answers(Answer::json(200, &App::SHAPE)),
        Route::of("DELETE", "delete_app", &["/v1/token-apps/{name}"], handler!(delete))
            .summary("Deletes a token app; its tokens are refused from then on")
            .access(Access::Administrator),
        Route::get("list_app_keys", &["/v1/token-apps/{name}/keys"], handler!(list_keys))
            .summary(
                "Shows the keys with which a token app's tokens are verified now, and why other \
                 keys are not used",
            )
            .about(
                "The key set is fetched or read from the cache exactly as for a token. Of a shared \
                 secret only the length is shown. With the algorithm introspection there are no \
                 keys.",
            )
            .access(Access::Administrator)
            .answers(Answer::json(200, &AppKeys::SHAPE)),
    ],
};

request! {
    struct Claims as "TokenAppClaims" {
        "username" username: Line<128> => "the claim that holds the user name",
        "name" name: Option<Line<128>> => "the claim that holds the name for people; default name",
        "email" email: Option<Line<128>> => "the claim that holds the email address; default email",
        "id" id: Option<Line<128>> => "the claim that holds the user's id, an int64 from 1",
        "groups" groups: Option<Line<128>> => "the claim that holds the names of groups",
        "roles" roles: Option<Line<128>> => "the claim that holds roles",
    } example r#"{
        "username":"preferred_username","name":"name","email":"email","roles":"/realm_access/roles"
    }"#
}

request! {
    struct Terms as "TokenAppTerms" {
        "enabled" enabled: Option<bool> => "whether tokens are accepted; default true",
        "tokenName" token_name: Option<TokenName> =>
            "the URL parameter that carries tokens; default token",
        "algorithm" algorithm: Algorithm => "how tokens are signed",
        "secret" secret: Option<Secret> =>
            "HS: the shared secret, or an oct JWK; otherwise the issuer's public key as SPKI PEM, \
             JWK, JWK Set or the https:// URL of one; left out or null: the stored one is kept",
        "expire" expire: Option<Integer<1, MAX_EXPIRE_S>> =>
            "seconds after its iat when a token expires; default 86400",
        "claims" claims: Claims =>
            "the claims that identify the user; a name that begins with / is a JSON Pointer",
        "createsUsers" creates_users: Option<bool> =>
            "whether an unknown user is created by their first token; default true",
        "initialRoles" initial_roles: Option<InitialRoles> =>
            "the roles of such users; a user type may be among them",
        "initialPassword" initial_password: Option<InitialPassword> =>
            "their password; it is never shown again",
    }
}

request! {
    struct New as "NewTokenAppName" {
        "name" name: AppName => "1 to 64 letters, digits, spaces, - _ ., but not . or .. alone",
    }
}

const EXAMPLE: &str = r#"{
    "name":"Keycloak","algorithm":"RS256","issuer":"https://idp.example/realms/main",
    "discover":true,"audiences":["bi"],
    "claims":{
        "username":"preferred_username","name":"name","email":"email","roles":"/realm_access/roles"
    },
    "roleMap":{"bi-authors":"SYS_Creator"}
}"#;
const NEW: Shape = Shape {
    name: "NewTokenApp",
    fields: New::SHAPE.fields,
    includes: &[&Terms::SHAPE, &token_policy::CAMEL],
    example: EXAMPLE,
};
const REPLACED: Shape = Shape {
    name: "ReplacedTokenApp",
    fields: OPTIONAL_NAME,
    includes: &[&Terms::SHAPE, &token_policy::CAMEL],
    example: r#"{
        "algorithm":"HS256","secret":"0123456789abcdef0123456789abcdef","claims":{"username":"sub"}
    }"#,
};
const OPTIONAL_NAME: &[Field] = &[Field {
    name: "name",
    kind: Kind::Nullable(&NAME.kind),
    required: false,
    about: "must equal the name in the path",
}];

const CHANGED: Shape = Shape {
    name: "TokenAppChange",
    fields: &[
        Field {
            name: "name",
            kind: Kind::Nullable(&NAME.kind),
            required: false,
            about: "must equal the name in the path",
        },
        Field {
            name: "enabled",
            kind: Kind::Nullable(&Kind::Boolean),
            required: false,
            about: "whether tokens are accepted",
        },
        Field {
            name: "tokenName",
            kind: Kind::Nullable(&Kind::TEXT),
            required: false,
            about: "the URL parameter that carries tokens",
        },
        Field {
            name: "algorithm",
            kind: Kind::OneOf(&Algorithm::NAMES),
            required: false,
            about: "how tokens are signed",
        },
        Field {
            name: "secret",
            kind: Kind::Nullable(&Kind::TEXT),
            required: false,
            about: "the new secret or keys",
        },
        Field {
            name: "expire",
            kind: Kind::Nullable(&EXPIRE),
            required: false,
            about: "seconds after its iat when a token expires",
        },
        Field {
            name: "claims",
            kind: Kind::Object(&CHANGED_CLAIMS),
            required: false,
            about: "the claims that identify the user",
        },
        Field {
            name: "createsUsers",
            kind: Kind::Nullable(&Kind::Boolean),
            required: false,
            about: "whether an unknown user is created by their first token",
        },
        Field {
            name: "initialRoles",
            kind: Kind::Nullable(&Kind::list(&Kind::TEXT)),
            required: false,
            about: "the roles of such users",
        },
        Field {
            name: "initialPassword",
            kind: Kind::Nullable(&Kind::TEXT),
            required: false,
            about: "their password; null removes it",
        },
    ],
    includes: &[&token_policy::CAMEL],
    example: r#"{"audiences":["bi","reports"],"enabled":true}"#,
};
const CHANGED_CLAIMS: Shape = Shape {
    name: "TokenAppClaimsChange",
    fields: &[
        claim("username"),
        claim("name"),
        claim("email"),
        claim("id"),
        claim("groups"),
        claim("roles"),
    ],
    includes: &[],
    example: r#"{"roles":"/realm_access/roles","groups":null}"#,
};
const fn claim(name: &'static str) -> Field {
    let kind = Kind::Nullable(&<Line<128> as Member>::KIND);
    Field {
        name,
        kind,
        required: false,
        about: "the claim that holds it; null restores the default",
    }
}
const EXPIRE: Kind = Kind::Int64 { min: 1, max: MAX_EXPIRE_S };

answer! {
    struct ShownClaims<'a> as "TokenAppClaimsShown" {
        "username" username: &'a str => "the claim that holds the user name",
        "name" name: &'a str => "the claim that holds the name for people",
        "email" email: &'a str => "the claim that holds the email address",
        "id" id: Option<&'a str> => "the claim that holds the user's id",
        "groups" groups: Option<&'a str> => "the claim that holds the names of groups",
        "roles" roles: Option<&'a str> => "the claim that holds roles",
    } example r#"{
        "username":"preferred_username","name":"name","email":"email","id":null,"groups":null,
        "roles":"/realm_access/roles"
    }"#
}

answer! {
    struct Key<'a> as "TokenAppKey" {
        "kid" kid: Option<&'a str> => "the key id",
        "alg" algorithm: &'static str => "the algorithm",
        "thumbprint" thumbprint: &'a str => "the JWK thumbprint (RFC 7638, SHA-256)",
    } example r#"{
        "kid":"2026-11","alg":"RS256","thumbprint":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    }"#
}

answer! {
    struct LookedKey<'a> as "TokenAppLookedKey" {
        "kid" kid: Option<&'a str> => "the key id",
        "kty" kind: Option<&'static str> =>
            "the key type; oct: a shared secret; null if the key could not be read",
        "alg" algorithm: Option<&'static str> => "the algorithm; null if the key could not be read",
        "use" used_for: Option<&'static str> as Kind::Nullable(&Kind::OneOf(&["sig"])) =>
            "sig; null if the key could not be read",
        "usable" usable: bool => "whether it is used to verify tokens of the app",
        "why" why: Sometimes<String> => "why it is not used",
        "bytes" bytes: Sometimes<usize> => "the length of a shared secret, in bytes",
    } example r#"{"kid":"2026-11","kty":"RSA","alg":"RS256","use":"sig","usable":true}"#
}

answer! {
    struct AppKeys<'a> as "TokenAppKeys" {
        "keys" keys: Vec<LookedKey<'a>> =>
            "the keys in use, and up to a hundred that could not be read",
        "fetchedAt" fetched_at: Sometimes<i64> as Kind::TIME =>
            "when the key set was fetched, epoch milliseconds",
        "error" error: Sometimes<String> => "why there are no keys, or why the key set is outdated",
    } example r#"{
        "keys":[
            {"kid":"2026-11","kty":"RSA","alg":"RS256","use":"sig","usable":true},
            {
                "kid":"old","kty":null,"alg":null,"use":null,"usable":false,
                "why":"it must be a key for signatures: its \"use\" is another"
            }
        ],
        "fetchedAt":1737599864898
    }"#
}

answer! {
    struct App<'a> as "RegisteredTokenApp" {
        "name" name: &'a str => "the app's name",
        "enabled" enabled: bool => "whether tokens are accepted",
        "tokenName" token_name: &'a str => "the URL parameter that carries tokens",
        "algorithm" algorithm: &'static str as Kind::OneOf(&Algorithm::NAMES) =>
            "how tokens are signed",
        "hasSecret" has_secret: bool => "whether a secret or keys are stored",
        "keys" keys: Vec<Key<'a>> => "the public keys; an issuer's as far as they are cached now",
        "expire" expire: i64 => "seconds after its iat when a token expires",
        "claims" claims: ShownClaims<'a> => "the claims that identify the user",
        "createsUsers" creates_users: bool =>
            "whether an unknown user is created by their first token",
        "initialRoles" initial_roles: &'a [String] => "the roles of such users",
        "hasInitialPassword" has_initial_password: bool => "whether such users have a password",
        "creatorId" creator_id: i64 => "the id of the user who created it",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "modifiedAt" modified_at: i64 as Kind::TIME => "epoch milliseconds",
        "warnings" warnings: Sometimes<Vec<String>> => "settings that are accepted, but unwise",
        then policy: All,
    } example r#"{
        "name":"Keycloak","enabled":true,"tokenName":"token","algorithm":"RS256","hasSecret":false,
        "keys":[],"expire":86400,
        "claims":{
            "username":"preferred_username","name":"name","email":"email","id":null,"groups":null,
            "roles":"/realm_access/roles"
        },
        "createsUsers":true,"initialRoles":[],"hasInitialPassword":false,"creatorId":1,
        "createdAt":1737599864898,"modifiedAt":1737599864898,
        "issuer":"https://idp.example/realms/main","discover":true,"audiences":["bi"],
        "speaksFor":"users"
    }"#
}

answer! {
    struct TokenApps<'a> as "TokenApps" {
        "items" items: Vec<App<'a>> => "by name",
    }
}

impl<'a> Key<'a> {
    fn of(key: &'a UsableKey) -> Self {
        Self {
            kid: key.kid.as_deref(),
            algorithm: key.algorithm.name(),
            thumbprint: &key.thumbprint,
        }
    }
}

impl<'a> LookedKey<'a> {
    fn of(key: &'a key_sets::LookedKey) -> Self {
        let key_sets::LookedKey { kid, kind, algorithm, bytes, why_not } = key;
        Self {
            kid: kid.as_deref(),
            kind: *kind,
            algorithm: algorithm.map(Algorithm::name),
            used_for: kind.map(|_| "sig"),
            usable: why_not.is_none(),
            why: Sometimes(why_not.as_ref().map(|why| format!("it {why}"))),
            bytes: Sometimes(*bytes),
        }
    }
}

impl<'a> App<'a> {
    fn of(app: &'a TokenApp, keys: &'a [UsableKey], warnings: Vec<String>) -> Self {
        let TokenAppTerms {
            token_name,
            algorithm,
            expire_s,
            claims,
            enabled,
            creates_users,
            initial_roles,
            policy,
        } = &app.terms;
        Self {
            name: app.name.as_str(),
            enabled: *enabled,
            token_name: token_name.as_str(),
            algorithm: algorithm.name(),
            has_secret: app.secret.as_ref().is_some_and(|secret| !secret.is_empty()),
            keys: keys.iter().map(Key::of).collect(),
            expire: *expire_s,
            claims: ShownClaims {
                username: &claims.username,
                name: &claims.name,
                email: &claims.email,
                id: policy.id_claim.as_deref(),
                groups: policy.groups_claim.as_deref(),
                roles: policy.roles_claim.as_deref(),
            },
            creates_users: *creates_users,
            initial_roles,
            has_initial_password: app.initial_password.is_some(),
            creator_id: app.creator_id.0,
            created_at: app.created_at.0,
            modified_at: app.modified_at.0,
            warnings: Sometimes(Some(warnings).filter(|warnings| !warnings.is_empty())),
            policy: All::of(app),
        }
    }
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let apps = match paging::search(call)? {
        Some(beginning) => token_apps::list_beginning(cx, beginning).await?,
        None => token_apps::list(cx).await?,
    };
    let mut keys = Vec::new();
    for app in &apps {
        keys.push(token_apps::known_keys(cx, app).await);
    }
    let items = apps
        .iter()
        .zip(&keys)
        .map(|(app, keys)| App::of(app, keys, token_apps::warnings(app)))
        .collect();
    Ok(Response::json(200, &TokenApps { items }))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.labelled_fields().await?;
    let New { name } = New::read(&fields)?;
    let registered =
        token_apps::register(cx, call.caller()?, &name, Kept::Everything, |before| match before {
            Some(_) => {
                Err(Error::AlreadyExists { what: "token app", id: name.as_str().to_owned() })
            }
            None => registration(&fields, InitialPasswordChange::Goes),
        });
    let Registered { app, warnings, keys } = registered.await?;
    let path = percent_encoding::utf8_percent_encode(
        app.name.as_str(),
        percent_encoding::NON_ALPHANUMERIC,
    );
    Ok(Response::json(201, &App::of(&app, &keys, warnings))
        .with("location", format!("/v1/token-apps/{path}")))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let app = token_apps::find(cx, call.parameter(NAME.name)?).await?;
    let (keys, warnings) = (token_apps::known_keys(cx, &app).await, token_apps::warnings(&app));
    Ok(Response::json(200, &App::of(&app, &keys, warnings)))
}

async fn list_keys(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let app = token_apps::find(cx, call.parameter(NAME.name)?).await?;
    let looked = token_apps::look_at_keys(cx, &app).await?;
    Ok(Response::json(
        200,
        &AppKeys {
            keys: looked.keys.iter().map(LookedKey::of).collect(),
            fetched_at: Sometimes(looked.fetched_at.map(|at| at.0)),
            error: Sometimes(looked.problem),
        },
    ))
}

async fn replace(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let fields = call.labelled_fields().await?;
    change(cx, call, |_| Ok((fields, InitialPasswordChange::Goes))).await
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let patch = call.labelled_fields().await?.into_members();
    change(cx, call, |before| {
        // The password is never shown, so a patch that does not name it keeps it.
        let unnamed = if patch.contains_key("initialPassword") {
            InitialPasswordChange::Goes
        } else {
            InitialPasswordChange::Stays
        };
        let mut members = shown(before);
        json::merge_patch(&mut members, patch);
        Ok((Fields::from_members(members), unnamed))
    })
    .await
}

/// Replaces an app. `made` builds the whole new body from the app as it was. It also decides what
/// happens to the password if the body has none.
async fn change(
    cx: &Cx,
    call: &Call<'_>,
    made: impl FnOnce(&TokenApp) -> Result<(Fields, InitialPasswordChange)>,
) -> Result<Response> {
    let name = AppName::parse(call.parameter(NAME.name)?).map_err(|_| {
        Error::not_found("token app", call.parameter(NAME.name).unwrap_or_default())
    })?;
    let registered = token_apps::register(cx, call.caller()?, &name, Kept::Everything, |before| {
        let before = before.ok_or_else(|| Error::not_found("token app", name.as_str()))?;
        let (fields, unnamed_password) = made(before)?;
        if fields.text("name")?.is_some_and(|other| other != name.as_str()) {
            return Err(Error::invalid(
                "name",
                "must be the one in the path: a token app keeps its name",
            ));
        }
        registration(&fields, unnamed_password)
    });
    let Registered { app, warnings, keys } = registered.await?;
    Ok(Response::json(200, &App::of(&app, &keys, warnings)))
}

/// An app as the members of a request body.
fn shown(app: &TokenApp) -> Map<String, Value> {
    let shown = serde_json::to_value(App::of(app, &[], Vec::new()));
    let mut members = if let Ok(Value::Object(members)) = shown { members } else { Map::new() };
    if app.terms.policy.speaks_for.is_none() {
        members.remove("speaksFor");
    }
    let settable: Vec<_> = names().collect();
    members.retain(|name, _| settable.contains(&name.as_str()));
    members
}

/// The members that a request body may have.
fn names() -> impl Iterator<Item = &'static str> + Clone {
    NEW.fields
        .iter()
        .chain(Terms::SHAPE.fields)
        .chain(token_policy::CAMEL.fields)
        .map(|field| field.name)
}

fn registration(fields: &Fields, unnamed_password: InitialPasswordChange) -> Result<Registration> {
    let Terms {
        enabled,
        token_name,
        algorithm,
        secret,
        expire,
        claims,
        creates_users,
        initial_roles,
        initial_password,
    } = Terms::read(fields)?;
    let text = |line: Option<Line<128>>| line.map(|Line(text)| text);
    let Line(username) = claims.username;
    let mut policy = token_policy::read(fields, Naming::Camel, Policy::default())?;
    policy.id_claim = text(claims.id);
    policy.groups_claim = text(claims.groups);
    policy.roles_claim = text(claims.roles);
    let terms = TokenAppTerms {
        token_name: token_name.unwrap_or_default(),
        algorithm,
        expire_s: expire.map_or(DEFAULT_EXPIRE_S, |Integer(seconds)| seconds),
        claims: ClaimNames {
            username,
            name: text(claims.name).unwrap_or_else(|| "name".to_owned()),
            email: text(claims.email).unwrap_or_else(|| "email".to_owned()),
        },
        enabled: enabled.unwrap_or(true),
        creates_users: creates_users.unwrap_or(true),
        initial_roles: initial_roles.map(|InitialRoles(roles)| roles).unwrap_or_default(),
        policy,
    };
    let given = initial_password.and_then(|InitialPassword(password)| password);
    let initial_password = given.map_or(unnamed_password, InitialPasswordChange::Becomes);
    Ok(Registration { terms, secret, initial_password })
}

const DEFAULT_EXPIRE_S: i64 = 86_400;

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    token_apps::delete_one(cx, call.caller()?, call.parameter(NAME.name)?).await?;
    Ok(Response::empty(204))
}
