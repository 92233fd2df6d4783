//! Derives the `OpenAPI` 3.1 document from the tables of routes. It is committed as
//! `public/v1/openapi.json`, and a test compares the two.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Map, Value, json};

use crate::api::http::message::MAX_BODY_BYTES;
use crate::api::http::route::{ANY_METHOD, Access, BesideHeaders, Dialect, Group, Route};
use crate::api::http::schemas::{
    Objects, collect, collect_kind, example, reference, schema, schema_of, value,
};
use crate::api::http::shape::{Body, Content, Field, Operation, Shape};
use crate::domain::identity::machine_key::May;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Fault, Limit, Refusal};

/// The description of the whole API, in Markdown.
const DESCRIPTION: &str = "\
Each tag is one dialect; all of them share users, tokens and grants.

**Bodies.** A body with members is described as JSON. A form (`application/x-www-form-urlencoded`) \
with the same members is taken too: `a[b]=1` or `a.b=1` is a member of an object, `a=1&a=2` is a \
list, `true` and `false` are booleans. The first character tells JSON from a form, so that curl \
may send JSON without a content type. Below `/v1`, a body that is neither, or that is a form by \
another content type, is refused with 400. So is a member or a query parameter that is not \
described here, \
and a body where none is described; the other dialects ignore them.

**Integers** are int64. Where a member is described as an integer or a string, its decimal digits \
in a string are taken, because JavaScript rounds integers beyond 2^53. A number with a fraction is \
refused, also `1.0`.

**Credentials.** One is enough: a user name and a password (HTTP Basic), an opaque token as bearer \
token, in `X-Auth-Token` or in the cookie, or a JSON Web Token of an enabled token app as bearer \
token or, where `parameter` is among the security schemes, in the URL parameter that its app names.

A key for machines is sent as bearer token, or by HTTP Basic with its name as user name; each \
operation says which keys may call it.

**Failures** have the body of their dialect. Below `/v1` they are problem details (RFC 9457): \
`reason` tells why a credential was refused, `field` which parameter or member breaks a rule.";

/// The whole document. `gate` are the operations of the service binding; their TypeScript types are
/// generated from it.
#[must_use]
pub fn document(dialects: &[&'static Dialect], gate: &[Operation]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    let mut responses = BTreeMap::new();
    for dialect in dialects {
        collect(dialect.failure_shape, Objects::Open, &mut schemas);
        for (group, route) in dialect.operations().filter(|(_, route)| route.is_documented) {
            collect_of(dialect, route, &mut schemas);
            for status in refusals(route).filter(|status| *status >= 400) {
                responses.entry(failure_name(dialect, status)).or_insert_with(|| {
                    failure(dialect, &sentence(status), &an_error(status), None)
                });
            }
            responses
                .entry(failure_name(dialect, "Default"))
                .or_insert_with(|| failure(dialect, "Any other failure", &an_error(500), None));
            for (index, path) in route.paths.iter().enumerate() {
                // `OpenAPI` cannot say "every method".
                let method = if route.method == ANY_METHOD {
                    "get".to_owned()
                } else {
                    route.method.to_lowercase()
                };
                paths
                    .entry(path)
                    .or_default()
                    .insert(method, operation(dialect, group, route, index, path));
            }
        }
    }
    let tags: Vec<_> = dialects
        .iter()
        .map(|dialect| json!({ "name": dialect.name, "description": dialect.summary }))
        .collect();
    let named = |operation: &Operation| (operation.name.to_owned(), binding(operation));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An authorization gate at the edge",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": security_schemes(),
        },
        "x-gate": Value::Object(gate.iter().map(named).collect()),
    })
}

/// An operation of the binding. Its shapes are written inline, because only some of them are also
/// schemas of paths.
fn binding(Operation { name: _, summary, question, answer }: &Operation) -> Value {
    let titled = |shape: &Shape, objects| {
        let mut schema = schema(shape, objects);
        schema.as_object_mut().map(|members| members.insert("title".to_owned(), json!(shape.name)));
        schema
    };
    json!({
        "summary": summary,
        "question": titled(question, Objects::Closed),
        "answer": titled(answer, Objects::Open),
    })
}

fn security_schemes() -> Value {
    json!({
        "basic": { "type": "http", "scheme": "basic" },
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "An opaque token, a key for machines, or a JSON Web Token of an enabled \
                 token app",
        },
        "authToken": {
            "type": "apiKey", "in": "header", "name": "X-Auth-Token",
            "description": "An opaque token",
        },
        "cookie": {
            "type": "apiKey", "in": "cookie", "name": "JSESSIONID",
            "description": "Set by the iManager token endpoint: 32 hex digits and .postern",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": "__Host-postern",
            "description": "A session of the gateway. It begins when a page is opened with a token \
                 in its URL, or at /v1/sign-in",
        },
        "applicationToken": {
            "type": "apiKey", "in": "header", "name": "apim-accesstoken",
            "description": "An application's access token",
        },
        "applicationTimestamp": {
            "type": "apiKey", "in": "header", "name": "apim-timestamp",
            "description": "Epoch milliseconds, within 15 minutes of now",
        },
        "applicationSignature": {
            "type": "apiKey", "in": "header", "name": "apim-signature",
            "description": "Lower-case hex SHA-256 of the access token, the query parameters in \
                 order of name (name, value), the body, the timestamp and the secret",
        },
        "parameter": {
            "type": "apiKey", "in": "query", "name": "token",
            "description": "A JSON Web Token; the parameter is named by its app's tokenName",
        },
    })
}

fn operation(dialect: &Dialect, group: &Group, route: &Route, index: usize, path: &str) -> Value {
    // Each path of the document needs an operation id of its own.
    let id = if index == 0 {
        route.operation.to_owned()
    } else {
        format!("{}_{}", route.operation, index + 1)
    };
    let mut operation = json!({
        "operationId": id,
        "summary": route.summary,
        "description": description(route),
        "tags": [dialect.name],
        "security": security(dialect, route.access),
        "responses": responses(dialect, route),
    });
    let declared = |name: &str| group.parameters.iter().find(|field| field.name == name);
    let names =
        path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let path_parameters = names.filter_map(declared).map(|field| parameter("path", field));
    let parameters: Vec<_> =
        path_parameters.chain(route.query.iter().map(|field| parameter("query", field))).collect();
    let Value::Object(members) = &mut operation else { return operation };
    if !parameters.is_empty() {
        members.insert("parameters".to_owned(), json!(parameters));
    }
    if let Some(body) = &route.body {
        members.insert("requestBody".to_owned(), request_body(body));
    }
    operation
}

fn parameter(place: &str, field: &Field) -> Value {
    let Field { name, kind, required, about } = field;
    json!({
        "name": name,
        "in": place,
        "required": required,
        "description": about,
        "schema": schema_of(kind),
    })
}

/// What a caller should know, and who may call.
fn description(route: &Route) -> String {
    let who = match route.access {
        Access::Public => "Anybody may call it.",
        Access::Shown => "It is about the credential that the request shows.",
        Access::ShownOrSent => {
            "It is about the credential in the body, or else about the one that the request shows."
        }
        Access::Holder => {
            "Whoever has the token may call it, without a further credential; else administrators."
        }
        Access::SignedIn => "Whoever is signed in may call it.",
        Access::Client => {
            "Whoever is signed in may call it. A user name and a password in Basic, or a key and \
             its name, are encoded like a form (RFC 6749, 2.3.1)."
        }
        Access::Creator => "Administrators and users of type SYS_Creator may call it.",
        Access::Administrator => "Administrators may call it.",
        Access::Application => "Administrators may call it, and applications by signed calls.",
    };
    let keys = match route.opened_by() {
        None => String::new(),
        Some(None) => "Every key for machines may call it.".to_owned(),
        Some(Some(May::Administration)) => "Keys with `administration` may call it.".to_owned(),
        Some(Some(may)) => format!("Keys with `{}` or `administration` may call it.", may.name()),
    };
    let parts = [route.about, who, &keys];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn security(dialect: &Dialect, access: Access) -> Value {
    if access == Access::Public {
        return json!([]);
    }
    let mut schemes = vec!["basic", "bearer", "authToken"];
    let is_about_one = matches!(access, Access::Shown | Access::ShownOrSent);
    schemes.extend((dialect.beside_headers == BesideHeaders::Cookie).then_some("cookie"));
    schemes.extend(is_about_one.then_some("session"));
    schemes.extend(
        (dialect.beside_headers == BesideHeaders::Parameters || is_about_one)
            .then_some("parameter"),
    );
    let mut schemes: Vec<_> = schemes.into_iter().map(|scheme| json!({ (scheme): [] })).collect();
    if access == Access::Application {
        schemes.push(json!({
            "applicationToken": [],
            "applicationTimestamp": [],
            "applicationSignature": [],
        }));
    }
    if matches!(access, Access::ShownOrSent | Access::Holder) {
        schemes.push(json!({}));
    }
    json!(schemes)
}

fn request_body(body: &Body) -> Value {
    let (required, content) = match body {
        // Forms are accepted, too, but not listed: with both media types, generators make two
        // arguments of one type, or code that does not load.
        Body::Members(shape) => (true, json!({ "application/json": content(shape) })),
        Body::OptionalMembers(shape) => (false, json!({ "application/json": content(shape) })),
        Body::Array { kind, example } => (
            true,
            json!({ "application/json": { "schema": schema_of(kind), "example": value(example) } }),
        ),
        Body::Texts(texts) => (true, texts_of(texts)),
    };
    json!({ "required": required, "content": content })
}

fn responses(dialect: &Dialect, route: &Route) -> Value {
    let status = route.answer.status;
    let description = if status < 400 { "Success" } else { "Failure" };
    let success = match &route.answer.content {
        Content::Json(shape) => {
            json!({ "description": description, "content": { "application/json": content(shape) } })
        }
        Content::Texts(texts) => json!({ "description": description, "content": texts_of(texts) }),
        Content::Empty => json!({ "description": description }),
    };
    let reference = |name: String| json!({ "$ref": format!("#/components/responses/{name}") });
    let mut responses = Map::new();
    responses.insert(status.to_string(), success);
    for status in refusals(route).filter(|refusal| *refusal != status) {
        let refused = if status < 400 {
            json!({ "description": "Success, with nothing to say" })
        } else if route.pages.contains(&status) {
            failure(dialect, &sentence(status), &an_error(status), Some(PAGE))
        } else {
            reference(failure_name(dialect, status))
        };
        responses.insert(status.to_string(), refused);
    }
    responses.insert("default".to_owned(), reference(failure_name(dialect, "Default")));
    Value::Object(responses)
}

/// The error statuses that a caller can cause, ascending: those that follow from the route's
/// parameters and access, and those that it declares.
fn refusals(route: &Route) -> impl Iterator<Item = u16> {
    let asks_who = route.access != Access::Public;
    let has_parameters = route.paths.iter().any(|path| path.contains('{'));
    // Every route refuses a query that is not valid UTF-8.
    let mut statuses = vec![400];
    statuses.extend(asks_who.then_some([401, 403, 429]).into_iter().flatten());
    statuses.extend(has_parameters.then_some(404));
    statuses.extend(route.body.is_some().then_some(413));
    statuses.extend(route.refusals);
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter()
}

fn sentence(status: u16) -> String {
    match status {
        400 => "A parameter or a member breaks a rule",
        401 => "The credential is missing, or is refused",
        403 => "The caller may not do this",
        404 => "There is no such thing",
        405 => "The method is another",
        406 => "The format is not supported",
        409 => "It contradicts what is there",
        413 => "The body is too long",
        415 => "The body is of another type",
        429 => "Too many sign-ins failed",
        503 => "It does not work at the moment",
        _ => "Failure",
    }
    .to_owned()
}

fn failure_name(dialect: &Dialect, status: impl Display) -> String {
    format!("{}{status}", dialect.failure_shape.name)
}

/// An error with this status, for the example.
fn an_error(status: u16) -> Error {
    match status {
        400 => Error::missing("name"),
        401 => Denied::BadSignature.into(),
        403 => Refusal::NotAdministrator.into(),
        404 => Error::not_found("user", 7),
        405 => Error::MethodNotAllowed { allow: vec!["GET".to_owned(), "HEAD".to_owned()] },
        406 => Error::NotAcceptable { format: "xml".to_owned() },
        415 => Error::UnsupportedMediaType { taken: "application/json" },
        409 => Error::Conflict { why: "a user of that name exists".to_owned() },
        413 => Error::TooLarge { what: "body", limit_bytes: MAX_BODY_BYTES },
        429 => Error::TooMany { limit: Limit::Failures, retry_after_s: 540 },
        503 => Error::Unavailable(Fault::new("")),
        _ => Error::internal(""),
    }
}

/// The time in the examples of failures: epoch milliseconds.
const EXAMPLE_TIME: Millis = Millis(1_737_599_864_898);

/// The page that a person sees in place of a failure.
const PAGE: (&str, &str) = ("text/html", "<!doctype html>…");

fn failure(
    dialect: &Dialect,
    description: &str,
    error: &Error,
    page: Option<(&str, &str)>,
) -> Value {
    let example = value(&(dialect.failure)(error, EXAMPLE_TIME).body);
    let content = json!({ "schema": reference(dialect.failure_shape), "example": example });
    let page = page.map(|(media_type, example)| {
        (media_type, json!({ "schema": { "type": "string" }, "example": example }))
    });
    let contents: Map<_, _> = [(dialect.failure_type, content)]
        .into_iter()
        .chain(page)
        .map(|(name, content)| (name.to_owned(), content))
        .collect();
    json!({ "description": description, "content": contents })
}

fn content(shape: &Shape) -> Value {
    json!({ "schema": reference(shape), "example": example(shape) })
}

fn texts_of(texts: &[(&str, &str)]) -> Value {
    let content = |(media_type, example): &(&str, &str)| {
        let content = if media_type.ends_with("+json") {
            json!({ "schema": { "type": "object" }, "example": value(example) })
        } else {
            json!({ "schema": { "type": "string" }, "example": example })
        };
        (media_type.to_string(), content)
    };
    Value::Object(texts.iter().map(content).collect())
}

/// Later versions may add members to answers, so only request bodies can be closed.
fn collect_of(dialect: &Dialect, route: &Route, schemas: &mut BTreeMap<&'static str, Value>) {
    let objects = if dialect.refuses_undeclared { Objects::Closed } else { Objects::Open };
    match &route.body {
        Some(Body::Members(shape) | Body::OptionalMembers(shape)) => {
            collect(shape, objects, schemas)
        }
        Some(Body::Array { kind, .. }) => collect_kind(kind, objects, schemas),
        Some(Body::Texts(_)) | None => {}
    }
    if let Content::Json(shape) = route.answer.content {
        collect(shape, Objects::Open, schemas);
    }
}
