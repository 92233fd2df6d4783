//! The tables of routes, and what derives from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use postern::api::dialects::v1::binding::OPERATIONS;
use postern::api::dialects::{self, DIALECTS};
use postern::api::http::openapi;
use postern::api::http::route::{Access, Dialect, Route};
use serde_json::Value;

use crate::golden;
use crate::support::World;

const ENDPOINTS: &str = "docs/reference/endpoints.md";

pub fn routes() -> impl Iterator<Item = (&'static Dialect, &'static Route)> {
    DIALECTS.iter().flat_map(|dialect| dialect.routes().map(move |route| (*dialect, route)))
}

/// Fills the parameters of a path in.
pub fn filled(path: &str) -> String {
    path.replace("{format}", "xml")
        .replace("{authPermission}", "VIEW")
        .replace("{id}", "1")
        .replace("{userId}", "1")
        .replace("{apiId}", "1")
        .replace("{tokenId}", "1")
        .replace("{accessKey}", "key")
        .replace("{type}", "USER")
        .replace("{service}", "1")
        .replace("{permission}", "VIEW")
        .replace("{resourceType}", "User")
        .replace("{urn}", "urn:ietf:params:scim:schemas:core:2.0:User")
}

#[test]
fn every_route_is_reached_at_every_path() {
    for (_, route) in routes() {
        for path in route.paths {
            let found = dialects::find(route.method, &filled(path))
                .unwrap_or_else(|error| panic!("{path}: {error:?}"));
            assert_eq!(found.route.operation, route.operation, "{path}");
        }
    }
}

#[test]
fn names_and_places_are_unique_and_summaries_are_sentences() {
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for (dialect, route) in routes() {
        assert!(names.insert(route.operation), "{} is there twice", route.operation);
        for path in route.paths {
            assert!(places.insert((route.method, *path)), "{} {path} is there twice", route.method);
            assert!(
                dialect.prefixes.iter().any(|prefix| path.starts_with(prefix)),
                "{path} is outside its dialect"
            );
        }
        let begins = route.summary.chars().next().is_some_and(char::is_uppercase);
        assert!(
            begins && !route.summary.ends_with('.') && route.summary.contains(' '),
            "{}: {:?}",
            route.operation,
            route.summary
        );
    }
}

#[test]
fn every_operation_has_a_golden_success_and_a_golden_refusal() {
    let files = golden::files();
    for (dialect, route) in routes() {
        let folder = Path::new("tests/golden").join(dialect.name).join(route.operation);
        let statuses: Vec<u16> = files
            .iter()
            .filter(|file| file.starts_with(&folder))
            .filter_map(|file| file.file_name()?.to_str()?.split('-').next()?.parse().ok())
            .collect();
        assert!(
            statuses.contains(&route.answer.status),
            "{} lacks a {} transcript",
            folder.display(),
            route.answer.status
        );
        assert!(
            statuses.iter().any(|status| *status >= 400),
            "{} lacks a refusal",
            folder.display()
        );
    }
}

/// Each path of the five published documents, as they write it.
const DOCUMENTED: [(&str, &str); 17] = [
    ("POST", "/plugin/datafor-modeler/api/token/updateAuthorization"),
    ("GET", "/plugin/datafor-modeler/api/token/list"),
    ("PUT", "/api/v1/services/auth/{id}"),
    ("DELETE", "/api/v1/services/auth/{id}"),
    ("POST", "/api/v1/services/{id}/auth"),
    ("PATCH", "/api/v1/services/{id}/auth/enabled"),
    ("PATCH", "/api/v1/services/{id}/apis/auth/enabled"),
    ("GET", "/api/v1/services/{id}/user/{userId}/auth"),
    ("GET", "/api/v1/services/{id}/user/{userId}/auth/{authPermission}/check"),
    ("GET", "/api/v1/services/{id}/user/auth/current"),
    ("GET", "/api/v1/services/{id}/auth/status"),
    ("GET", "/api/v1/services/auth"),
    ("POST", "/imanager/cloud/security/tokens"),
    ("POST", "/imanager/cloud/security/tokens.json"),
    ("POST", "/imanager/cloud/web/nodes/server"),
    ("POST", "/imanager/cloud/web/nodes/server.json"),
    ("POST", "/app-portal-service/v2.3/app/authorization/set"),
];

/// Each documented path is a route, is on the page of endpoints, and has a transcript that ends in
/// the route's success.
#[test]
fn every_documented_path_is_routed_listed_and_has_a_transcript() {
    let page = std::fs::read_to_string(ENDPOINTS).expect(ENDPOINTS);
    for (method, path) in DOCUMENTED {
        let found = dialects::find(method, &filled(path))
            .unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        assert!(
            found.route.paths.contains(&path),
            "{method} {path} is another route's: {}",
            found.route.operation
        );
        let row = page.lines().find(|line| {
            line.starts_with(&format!("| `{method}` ")) && line.contains(&format!("`{path}`"))
        });
        assert!(row.is_some(), "{method} {path} is not in {ENDPOINTS}");
        let success = format!("{}-", found.route.answer.status);
        let shows = |file: &std::path::PathBuf| {
            let name = file
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            file.iter().any(|part| part == found.route.operation)
                && name.starts_with(&success)
                && golden::asks(file, method, path)
        };
        assert!(
            golden::files().iter().any(shows),
            "no transcript of {method} {path} ends in {success}"
        );
    }
}

#[test]
fn nobody_gets_past_access_without_a_credential() {
    let world = World::new();
    let isolate = world.isolate();
    for (_, route) in routes().filter(|(_, route)| route.access.is_checked_first()) {
        for path in route.paths {
            let request =
                crate::support::Request::new(route.method, &filled(path)).body("{not json");
            assert_eq!(isolate.send(&request).status, 401, "{} {path}", route.method);
        }
    }
    assert_eq!(world.database.batches.get(), 0, "and nothing was asked of the database");
}

/// The handler of such a route checks the credential itself, and nothing checks it before.
#[test]
fn a_route_about_a_credential_refuses_a_request_that_shows_none() {
    let world = World::new();
    let isolate = world.isolate();
    let about_one = |route: &Route| matches!(route.access, Access::Shown | Access::ShownOrSent);
    for (_, route) in routes().filter(|(_, route)| about_one(route)) {
        for path in route.paths {
            let question = if *path == "/v1/verify" { "" } else { "?service=1&permission=VIEW" };
            let url = format!("{}{question}", filled(path));
            let request = crate::support::Request::new(route.method, &url);
            let request =
                request.header("x-forwarded-uri", "/").header("x-forwarded-method", "GET");
            assert_eq!(isolate.send(&request).status, 401, "{} {path}", route.method);
        }
    }
}

#[test]
fn the_openapi_document_is_the_committed_one() {
    let document = openapi::document(DIALECTS, OPERATIONS);
    let path = "public/v1/openapi.json";
    let text = serde_json::to_string_pretty(&document).expect("a document") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("public/v1/openapi.json");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "{path} is out of date: run UPDATE=1 cargo test --test host openapi"
    );
    refers_to_what_exists(&document, &document);
}

#[test]
fn each_parameter_of_a_path_is_declared_and_each_declared_one_is_in_a_path() {
    for group in DIALECTS.iter().flat_map(|dialect| dialect.groups) {
        let declared: BTreeSet<_> = group.parameters.iter().map(|field| field.name).collect();
        assert_eq!(declared.len(), group.parameters.len(), "{declared:?} has one of them twice");
        let paths = group.routes.iter().flat_map(|route| route.paths);
        let used: BTreeSet<_> = paths.flat_map(|path| parameters_of(path)).collect();
        assert_eq!(declared, used, "{:?}", group.routes.first().map(|route| route.paths));
    }
}

fn parameters_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// Statuses that any operation may answer. The document has `default` for them.
const OF_ANY_OPERATION: [&str; 7] = ["404", "405", "406", "413", "414", "500", "503"];

#[test]
fn each_status_of_a_transcript_is_in_the_document() {
    let document = openapi::document(DIALECTS, OPERATIONS);
    let operations = document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, path)| path.as_object())
        .flatten();
    let responses: BTreeMap<_, _> = operations
        .filter_map(|(_, operation)| {
            Some((operation["operationId"].as_str()?, &operation["responses"]))
        })
        .collect();
    let mut checked = 0;
    for file in golden::files() {
        for step in golden::steps(&golden::read(&file)) {
            let path = step["send"]["path"].as_str().unwrap_or_default();
            let found =
                dialects::find(golden::method(step), path.split('?').next().unwrap_or_default());
            let Some(responses) = found.ok().and_then(|found| responses.get(found.route.operation))
            else {
                continue;
            };
            let status = step["expect"]["status"].to_string();
            let is_there =
                responses.get(&status).is_some() || OF_ANY_OPERATION.contains(&status.as_str());
            assert!(is_there, "{}: the document has no {status} for {path}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked}");
}

fn refers_to_what_exists(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                assert!(
                    document.pointer(reference.trim_start_matches('#')).is_some(),
                    "{reference}"
                );
            }
            members.values().for_each(|member| refers_to_what_exists(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| refers_to_what_exists(document, item)),
        _ => {}
    }
}

/// An example with an undeclared member, or without a required one, would mislead a reader who
/// copies it.
#[test]
fn examples_have_the_shapes_that_they_illustrate() {
    let document = openapi::document(DIALECTS, OPERATIONS);
    let mut checked = 0;
    for path in document["paths"].as_object().into_iter().flat_map(|paths| paths.values()) {
        for operation in path.as_object().into_iter().flat_map(|path| path.values()) {
            let bodies = operation.pointer("/requestBody/content/application~1json").into_iter();
            let answers = operation["responses"]
                .as_object()
                .into_iter()
                .flat_map(|responses| responses.values());
            let contents = answers
                .filter_map(|answer| answer["content"].as_object())
                .flat_map(|content| content.values());
            for content in bodies.chain(contents) {
                fits(
                    &document,
                    &content["schema"],
                    &content["example"],
                    operation["operationId"].as_str().unwrap_or_default(),
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

fn fits(document: &Value, schema: &Value, example: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a schema");
        return fits(document, schema, example, &format!("{place} {reference}"));
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let fits_type = types.iter().any(|name| match *name {
        "object" => example.is_object(),
        "array" => example.is_array(),
        "string" => example.is_string(),
        "integer" => example.is_i64(),
        "boolean" => example.is_boolean(),
        _ => example.is_null(),
    });
    assert!(types.is_empty() || fits_type, "{place}: {example} is no {types:?}");
    for (name, value) in example.as_object().into_iter().flatten() {
        let property = &schema["properties"][name];
        assert!(
            !property.is_null() || schema["properties"].is_null(),
            "{place}: {name} is not in the shape"
        );
        fits(document, property, value, &format!("{place}.{name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(example.get(name).is_some(), "{place}: {name} is required");
    }
    example
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|item| fits(document, &schema["items"], item, place));
}

/// Authors of clients read the examples, so each failure has its own.
#[test]
fn the_example_of_a_failure_has_its_status() {
    let document = openapi::document(DIALECTS, OPERATIONS);
    let responses = document["components"]["responses"].as_object().expect("responses");
    let of_v1: Vec<_> = responses
        .iter()
        .filter_map(|(name, response)| Some((name.strip_prefix("Problem")?, response)))
        .collect();
    assert!(of_v1.len() > 8, "{of_v1:?}");
    for (status, response) in of_v1 {
        let example = &response["content"]["application/problem+json"]["example"];
        let expected = status.parse().unwrap_or(500);
        assert_eq!(example["status"], Value::from(expected), "{status}");
        let is_unauthorized = example["title"] == "Unauthorized";
        assert_eq!(is_unauthorized, expected == 401, "{status}: {example}");
    }
}

#[test]
fn the_page_of_endpoints_is_the_committed_one() {
    let mut page = String::from(
        "# Endpoints\n\n\
         This page is generated from the route tables: \
         `UPDATE=1 cargo test --test host page_of_endpoints`.\n\
         `public/v1/openapi.json` describes the bodies, `tests/golden/` shows each case.\n",
    );
    for dialect in DIALECTS {
        page.push_str(&format!("\n## {}\n\n{}.\n\n", dialect.name, dialect.summary));
        page.push_str("| endpoint | who | keys | what |\n|---|---|---|---|\n");
        dialect.routes().for_each(|route| page.push_str(&endpoint_row(route)));
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(ENDPOINTS, &page).expect(ENDPOINTS);
    }
    let committed = std::fs::read_to_string(ENDPOINTS).unwrap_or_default();
    assert!(
        committed == page,
        "{ENDPOINTS} is out of date: run UPDATE=1 cargo test --test host page_of_endpoints"
    );
}

fn endpoint_row(route: &Route) -> String {
    let who = match route.access {
        Access::Public | Access::Shown | Access::ShownOrSent => "anybody",
        Access::Holder => "whoever has the token, administrators",
        Access::SignedIn | Access::Client => "signed in",
        Access::Creator => "creators, administrators",
        Access::Application => "administrators, applications",
        Access::Administrator => "administrators",
    };
    let keys = match route.opened_by() {
        None => "–",
        Some(None) => "all",
        Some(Some(may)) => may.name(),
    };
    let paths: Vec<_> = route.paths.iter().map(|path| format!("`{path}`")).collect();
    format!("| `{}` {} | {who} | {keys} | {} |\n", route.method, paths.join(", "), route.summary)
}
