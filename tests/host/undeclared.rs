//! A request with something that no route reads is never answered with success. The cases derive
//! from the tables of routes, so a new route is tested without a further test.

use postern::api::dialects::DIALECTS;
use postern::api::dialects::v1::binding::OPERATIONS;
use postern::api::http::openapi;
use postern::api::http::route::Route;
use postern::api::http::shape::{Body, Kind, Shape};
use postern::domain::backup::format::Format;
use postern::domain::backup::kinds::KINDS;
use serde_json::{Value, json};

use crate::routes::{filled, routes};
use crate::support::{Isolate, Request, World, admin, json_of};

/// A name that no route declares, and that is not similar to a declared one.
const UNKNOWN: &str = "zzzzzzzz";

/// The routes that refuse what they do not declare, each at its first path.
fn strict_routes() -> impl Iterator<Item = (&'static Route, String)> {
    let strict = routes().filter(|(dialect, _)| dialect.refuses_undeclared);
    strict.map(|(_, route)| (route, filled(route.paths.first().expect("a path"))))
}

fn has_own_query(route: &Route) -> bool {
    !route.takes_client_url
}

fn request(route: &Route, path: &str) -> Request {
    let request = Request::new(route.method, path).authorization(&admin());
    request.header("x-forwarded-uri", "/").header("x-forwarded-method", "GET")
}

/// Runs a test in a new world, after its first administrator was created.
fn with_isolate(test: impl FnOnce(&World, &Isolate<'_>)) {
    let world = World::new();
    let isolate = world.isolate();
    assert_eq!(isolate.get("/v1/verify", &admin()).status, 200);
    test(&world, &isolate);
}

/// Checks that the request is refused because of the field, and has changed nothing.
fn is_refused(world: &World, isolate: &Isolate<'_>, request: &Request, field: &str) {
    let before = world.database.dump();
    let response = isolate.send(request);
    assert_eq!(response.status, 400, "{request:?}: {}", response.body);
    assert_eq!(json_of(&response)["field"], json!(field), "{request:?}: {}", response.body);
    assert_eq!(world.database.dump(), before, "{request:?}");
}

#[test]
fn every_route_of_v1_refuses_a_parameter_that_it_does_not_declare() {
    with_isolate(|world, isolate| {
        let mut checked = 0;
        for (route, path) in strict_routes().filter(|(route, _)| has_own_query(route)) {
            is_refused(world, isolate, &request(route, &format!("{path}?{UNKNOWN}=1")), UNKNOWN);
            is_refused(world, isolate, &request(route, &format!("{path}?{UNKNOWN}")), UNKNOWN);
            for field in route.query {
                let (name, near) = (field.name, format!("{}x", field.name));
                is_refused(world, isolate, &request(route, &format!("{path}?{near}=1")), &near);
                is_refused(
                    world,
                    isolate,
                    &request(route, &format!("{path}?{name}=1&{name}=1")),
                    name,
                );
            }
            checked += 1;
        }
        assert!(checked > 50, "{checked}");
    });
}

/// For each place where an object of the body may have an undeclared member: a body that has one
/// there, and the name of the place.
fn bodies_with_an_unknown_member(shape: &'static Shape) -> Vec<(Value, String)> {
    let mut bodies = vec![(json!({ UNKNOWN: 1 }), UNKNOWN.to_owned())];
    for field in shape.all_fields() {
        for (value, place) in values_with_an_unknown_member(&field.kind) {
            bodies.push((json!({ field.name: value }), format!("{}{place}", field.name)));
        }
    }
    bodies
}

fn values_with_an_unknown_member(kind: &'static Kind) -> Vec<(Value, String)> {
    match kind {
        Kind::Object(shape) => {
            let inner = bodies_with_an_unknown_member(shape).into_iter();
            inner.map(|(value, place)| (value, format!(".{place}"))).collect()
        }
        Kind::List { item, .. } => {
            let inner = values_with_an_unknown_member(item).into_iter();
            inner.map(|(value, place)| (json!([value]), format!("[0]{place}"))).collect()
        }
        Kind::MapOf(inner) => {
            let inner = values_with_an_unknown_member(inner).into_iter();
            inner.map(|(value, place)| (json!({ "a": value }), format!(".a{place}"))).collect()
        }
        Kind::Nullable(inner) => values_with_an_unknown_member(inner),
        Kind::AnyOf(kinds) => kinds.iter().flat_map(values_with_an_unknown_member).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_route_of_v1_refuses_a_member_that_it_does_not_declare() {
    with_isolate(|world, isolate| {
        let (mut checked, mut nested) = (0, 0);
        for (route, path) in strict_routes() {
            let Some(shape) = route.body.as_ref().and_then(Body::shape) else { continue };
            for (body, place) in bodies_with_an_unknown_member(shape) {
                is_refused(world, isolate, &request(route, &path).body(&body.to_string()), &place);
                nested += usize::from(place != UNKNOWN);
            }
            is_refused(
                world,
                isolate,
                &request(route, &path).body(&format!("{UNKNOWN}=1")),
                UNKNOWN,
            );
            for field in shape.all_fields() {
                // Misspelled names, and names in the spelling of other systems.
                for near in [format!("{}x", field.name), field.name.to_uppercase()] {
                    is_refused(
                        world,
                        isolate,
                        &request(route, &path).body(&json!({ &near: null }).to_string()),
                        &near,
                    );
                }
                let twice = format!("{{\"{0}\":1,\"{0}\":1}}", field.name);
                is_refused(world, isolate, &request(route, &path).body(&twice), "body");
            }
            checked += 1;
        }
        assert!(checked >= 20 && nested > 3, "{checked} {nested}");
    });
}

/// A member that is left out means the caller, or keeps the stored value. Null does not: the client
/// has lost a value.
#[test]
fn every_route_of_v1_refuses_null_where_the_document_has_none() {
    with_isolate(|world, isolate| {
        let (mut refused, mut taken) = (Vec::new(), 0);
        for (route, path) in strict_routes() {
            let Some(shape) = route.body.as_ref().and_then(Body::shape) else { continue };
            for field in shape.all_fields() {
                if matches!(field.kind, Kind::Nullable(_)) {
                    taken += 1;
                    continue;
                }
                let before = world.database.dump();
                let body = json!({ field.name: null }).to_string();
                let response = isolate.send(&request(route, &path).body(&body));
                // Some paths name something that does not exist.
                assert!(
                    [400, 404].contains(&response.status),
                    "{} {path} {body}: {}",
                    route.method,
                    response.body
                );
                assert_eq!(world.database.dump(), before, "{} {path} {body}", route.method);
                if response.status == 400 && !field.required {
                    assert_eq!(
                        json_of(&response)["field"],
                        field.name,
                        "{path}: {}",
                        response.body
                    );
                    refused.push(format!("{} {}", route.operation, field.name));
                }
            }
        }
        for one in ["update_user enabled", "update_service authEnabled", "verify_posted token"] {
            assert!(refused.iter().any(|of| of == one), "{one}: {refused:?}");
        }
        assert!(taken > 10, "{taken}");
    });
}

#[test]
fn every_route_of_v1_refuses_a_body_that_is_no_json_or_that_is_needed_and_not_there() {
    with_isolate(|world, isolate| {
        let plain = |request: Request| request.header("content-type", "text/plain");
        for (route, path) in
            strict_routes().filter(|(route, _)| !matches!(route.body, Some(Body::Texts(_))))
        {
            if route.method == "GET" || route.is_about_client {
                continue;
            }
            for text in [
                "please disable",
                "null",
                "[]",
                "[{\"enabled\":false}]",
                "{\"enabled\":false",
                "\"\"",
                "{} {}",
            ] {
                is_refused(world, isolate, &plain(request(route, &path)).body(text), "body");
            }
            // Without a content type, the body is read as a form with a member of that name.
            is_refused(
                world,
                isolate,
                &request(route, &path).body("please disable"),
                "please disable",
            );
            if matches!(route.body, Some(Body::Members(_))) {
                is_refused(world, isolate, &request(route, &path), "body");
                is_refused(world, isolate, &request(route, &path).body(" \n"), "body");
            }
        }
    });
}

#[test]
fn every_route_of_v1_without_a_body_refuses_one_that_says_something() {
    with_isolate(|world, isolate| {
        let mut checked = 0;
        for (route, path) in strict_routes().filter(|(route, _)| route.body.is_none()) {
            if route.method == "GET" || route.is_about_client {
                continue;
            }
            let required = route.query.iter().find(|field| field.required);
            let path =
                required.map_or_else(|| path.clone(), |field| format!("{path}?{}=1", field.name));
            is_refused(
                world,
                isolate,
                &request(route, &path).body(&json!({ UNKNOWN: 1 }).to_string()),
                UNKNOWN,
            );
            is_refused(
                world,
                isolate,
                &request(route, &path).body(&format!("{UNKNOWN}=1")),
                UNKNOWN,
            );
            // Some routes take the user from the query.
            let names_user = route.query.iter().any(|field| field.name == "username");
            let path = if names_user { format!("{path}?username=admin") } else { path };
            for nothing in ["", "{}"] {
                let response = isolate.send(&request(route, &path).body(nothing));
                assert!(response.status != 400, "{} {path}: {}", route.method, response.body);
            }
            checked += 1;
        }
        assert!(checked > 8, "{checked}");
    });
}

/// The body of a proxied request belongs to the application, so it must be neither read nor
/// refused.
#[test]
fn only_what_answers_proxies_passes_bodies_and_queries_over() {
    for (route, path) in
        strict_routes().filter(|(route, _)| route.is_about_client || route.takes_client_url)
    {
        assert!(
            path.starts_with("/v1/forward-auth") && route.body.is_none() && !route.writes,
            "{path}"
        );
    }
}

#[test]
fn the_document_closes_the_objects_of_bodies_and_leaves_those_of_answers_open() {
    let document = openapi::document(DIALECTS, OPERATIONS);
    let closed = |schema: &str| {
        document["components"]["schemas"][schema]["additionalProperties"] == json!(false)
    };
    let mut names = Vec::new();
    for (dialect, route) in routes() {
        if let Some(shape) = route.body.as_ref().and_then(Body::shape) {
            names_of(shape, &mut names);
            for name in names.drain(..) {
                assert_eq!(closed(name), dialect.refuses_undeclared, "{name}");
            }
        }
        if let postern::api::http::shape::Content::Json(shape) = &route.answer.content {
            names_of(shape, &mut names);
            for name in names.drain(..) {
                assert!(!closed(name), "{name}");
            }
        }
    }
}

/// The names of a shape and of the shapes inside it, except for open ones.
fn names_of(shape: &'static Shape, names: &mut Vec<&'static str>) {
    names.push(shape.name);
    shape.all_fields().for_each(|field| names_in(&field.kind, names));
}

fn names_in(kind: &'static Kind, names: &mut Vec<&'static str>) {
    match kind {
        Kind::Object(shape) => names_of(shape, names),
        Kind::Nullable(inner) | Kind::MapOf(inner) | Kind::List { item: inner, .. } => {
            names_in(inner, names);
        }
        Kind::AnyOf(kinds) => kinds.iter().for_each(|kind| names_in(kind, names)),
        _ => {}
    }
}

#[test]
fn every_kind_of_record_refuses_a_field_that_it_does_not_have() {
    for kind in &KINDS {
        let of_others = KINDS.iter().flat_map(|other| other.fields).map(|field| field.member);
        let of_others = of_others
            .filter(|name| kind.fields.iter().all(|field| field.member != *name))
            .map(str::to_owned);
        let misspelt = kind
            .fields
            .iter()
            .flat_map(|field| [format!("{}x", field.member), field.member.to_uppercase()]);
        for name in of_others.chain(misspelt).chain([UNKNOWN.to_owned()]) {
            for value in [Value::Null, json!(1)] {
                let line = json!({ "record": kind.word, name.as_str(): value }).to_string();
                let errors = Format::Ndjson.read(&line).expect_err(&name);
                assert_eq!(
                    errors.first().map(|error| error.field.as_str()),
                    Some(name.as_str()),
                    "{}: {errors:?}",
                    kind.word
                );
                assert!(
                    errors.iter().all(|error| error.why.starts_with("is unknown here")),
                    "{errors:?}"
                );
            }
        }
    }
}

/// The answer names the field and the most similar one that exists, and nothing is imported.
#[test]
fn an_import_with_something_unread_is_refused_as_a_whole() {
    let columns = "record,id,name";
    for (format, text, line, field, hint) in [
        (
            "ndjson",
            "{\"record\":\"service\",\"id\":6,\"authenabled\":false}".to_owned(),
            1,
            "authenabled",
            "did you mean \"authEnabled\"?",
        ),
        (
            "ndjson",
            "{\"record\":\"group\",\"id\":5}\n{\"record\":\"group\",\"id\":6,\"parentId\":5}"
                .to_owned(),
            2,
            "parentId",
            "id, name",
        ),
        (
            "ndjson",
            "{\"record\":\"group\",\"id\":5}\n\n{\"record\":\"group\",\"id\":5,\"name\":\"x\"}"
                .to_owned(),
            3,
            "record",
            "line 1",
        ),
        (
            "ndjson",
            "{\"record\":\"group\",\"id\":5,\"id\":6}".to_owned(),
            1,
            "",
            "duplicate member",
        ),
        ("csv", format!("{columns},nmae\ngroup,5,x,y\n"), 1, "nmae", "did you mean \"name\"?"),
        ("csv", format!("{columns},name\ngroup,5,x,y\n"), 1, "name", "twice"),
        ("csv", format!("{columns},parentId\ngroup,5,x,7\n"), 2, "parentId", "id, name"),
        (
            "csv",
            format!("{columns}\ngroup,5,x\ndepartment,5,x\ngroup,5,y\n"),
            4,
            "record",
            "line 2",
        ),
    ] {
        with_isolate(|world, isolate| {
            let before = world.database.dump();
            let path = format!("/v1/import?format={format}");
            let response =
                isolate.send(&Request::new("POST", &path).authorization(&admin()).body(&text));
            let body = json_of(&response);
            let error = &body["errors"][0];
            assert_eq!(
                (response.status, &error["line"], &error["field"]),
                (400, &json!(line), &json!(field)),
                "{text}: {body}"
            );
            assert!(error["why"].as_str().unwrap_or_default().contains(hint), "{text}: {body}");
            assert_eq!(world.database.dump(), before, "{text}");
        });
    }
}
