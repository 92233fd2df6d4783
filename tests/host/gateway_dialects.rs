//! Paths below a documented dialect's prefix: those of a route never go to the origin, the others
//! do.

use std::collections::BTreeSet;

use postern::api::dialects::{self, DIALECTS};
use postern::api::http::route::Dialect;
use postern::domain::config::Config;
use postern::domain::config::variables::Bindings;
use serde_json::json;

use crate::path_spellings::{Numbers, SLASHES, letter};
use crate::routes::filled;
use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, cookie_of, json_of};

const PASSED: u16 = 299;
/// Spellings that are tried of each path of each route.
const SPELLINGS: usize = 150;
/// Suffixes that some server removes from a segment.
const SUFFIXES: [&str; 10] = ["", "", "", ".json", ".", "%20", ";v=1", "%3bx", "::$DATA", "/."];
/// Suffixes that some server removes from a path.
const ENDS: [&str; 6] = ["", "", "%3fx", "%23x/y", "/", "%2f"];
/// Segments that some server resolves to nothing.
const DETOURS: [&str; 5] = ["", "", "", "x%2f..%2f", "%252e%2f"];
/// Segments that the runtime itself resolves to nothing, after a character that it reads as a
/// slash.
const RESOLVED_DETOURS: [&str; 4] = ["x/../", "%2e/", "x;y/%2e%2e/", "x\\..\\"];

/// Every path of the origin is public, so only the check of the path can refuse a request.
fn open_gateway<'a>(world: &'a World, dialects: Option<&str>) -> Isolate<'a> {
    world.isolate_with(&[
        ("ORIGIN_URL", Some("http://origin.test")),
        ("ORIGIN_PUBLIC", Some("/")),
        ("DIALECTS", dialects),
    ])
}

fn status(isolate: &Isolate<'_>, method: &str, path: &str) -> u16 {
    isolate.send(&Request::new(method, path)).status
}

fn documented() -> impl Iterator<Item = &'static Dialect> {
    DIALECTS.iter().copied().filter(|dialect| !dialect.keeps_prefixes)
}

#[test]
fn the_variable_names_the_dialects_that_there_are() {
    let secrets = [("MASTER_KEY", "ab".repeat(32)), ("ADMIN_PASSWORD", "x".to_owned())];
    let bindings: Bindings =
        secrets.into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect();
    let served: BTreeSet<_> =
        Config::read(&bindings).expect("a configuration").dialects.into_iter().collect();
    assert_eq!(served, documented().map(|dialect| dialect.name).collect());
}

#[test]
fn beside_the_routes_of_a_system_its_other_paths_are_the_origins() {
    let world = World::new();
    let isolate = world.isolate_with(&[("ORIGIN_URL", Some("http://origin.test"))]);
    for path in [
        "/imanager",
        "/imanager/services.json",
        "/imanager/security/users.json",
        "/imanager/cloud/web/nodes/1/start",
        "/plugin/datafor-modeler/api/model/list",
        "/plugin/datafor-modeler/api/token/listing",
        "/api/v1/services",
        "/api/v1/services/5",
        "/api/v1/services/5/apis",
        "/app-portal-service/v2.3/app/list",
        "/apim-token-service/v2.0/token",
    ] {
        let anonymous = isolate.send(&Request::new("POST", path));
        assert_eq!(
            (anonymous.status, anonymous.header("content-type")),
            (401, Some("application/problem+json")),
            "{path}"
        );
        assert_eq!(
            isolate.send(&Request::new("POST", path).authorization(&admin())).status,
            PASSED,
            "{path}"
        );
        assert_eq!(
            world.passed.borrow_mut().pop().expect("it went on").url,
            format!("http://origin.test{path}")
        );
        let alone = world.isolate().send(&Request::new("POST", path).authorization(&admin()));
        assert_eq!(alone.status, 404, "{path}: without an origin it is nobody's");
    }
}

#[test]
fn every_route_is_answered_here_with_every_method() {
    let world = World::new();
    let isolate = open_gateway(&world, None);
    for route in documented().flat_map(Dialect::routes) {
        for path in route.paths {
            for method in ["GET", "POST", "PUT", "PROPFIND", "OPTIONS"] {
                let answer = status(&isolate, method, &filled(path));
                assert!([200, 400, 401, 405, 406].contains(&answer), "{method} {path}: {answer}");
            }
        }
    }
    assert!(world.passed.borrow().is_empty());
    let response = isolate.send(&Request::new("DELETE", "/imanager/security/tokens"));
    assert_eq!((response.status, response.header("allow")), (405, Some("POST")));
}

/// A spelling that some server reads as `path`.
fn spelling(numbers: &mut Numbers, path: &str) -> String {
    let mut spelled = String::new();
    for segment in path.split('/').skip(1) {
        let is_plain = numbers.below(3) > 0;
        let letters = segment.chars().map(|c| match c {
            'a'..='z' if !is_plain => letter(numbers, c),
            _ => c.to_string(),
        });
        let segment: String = letters.collect();
        let slash = numbers.one(&SLASHES);
        spelled += slash;
        let is_resolved =
            ["/", "\\"].iter().any(|end| slash.ends_with(end)) && numbers.below(4) == 0;
        spelled += numbers.one(if is_resolved { &RESOLVED_DETOURS } else { &DETOURS });
        spelled += &segment;
        spelled += numbers.one(&SUFFIXES);
    }
    // A URL begins with a plain slash.
    format!("/{}{}", spelled.trim_start_matches(['/', '\\']), numbers.one(&ENDS))
}

#[test]
fn no_spelling_of_a_route_reaches_the_origin() {
    let world = World::new();
    let isolate = open_gateway(&world, None);
    let mut numbers = Numbers::new(19);
    let mut tried = 0;
    for dialect in DIALECTS {
        for route in dialect.routes() {
            for path in route.paths {
                let path = filled(path);
                for _ in 0..if dialect.keeps_prefixes { SPELLINGS / 10 } else { SPELLINGS } {
                    let spelled = spelling(&mut numbers, &path);
                    status(&isolate, "PROPFIND", &spelled);
                    assert!(world.passed.borrow().is_empty(), "{spelled} may be read as {path}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 5000, "{tried}");
}

#[test]
fn what_postern_keeps_is_the_origins_in_no_spelling() {
    let world = World::new();
    let isolate = open_gateway(&world, Some("[]"));
    assert_eq!(status(&isolate, "GET", "/x"), 503, "a text is no JSON list");
    let isolate = world.isolate_of([
        ("ORIGIN_URL".to_owned(), json!("http://origin.test")),
        ("ORIGIN_PUBLIC".to_owned(), json!(["/"])),
        ("DIALECTS".to_owned(), json!([])),
    ]);
    for path in [
        "/v1/nowhere",
        "/health/x",
        "/.well-known/jwks.json/x",
        "/scim/v2",
        "/scim/v2/nowhere",
        "/access/v1/nothing",
    ] {
        assert_eq!(status(&isolate, "GET", path), 404, "{path}");
        let mut numbers = Numbers::new(7);
        for _ in 0..SPELLINGS {
            let spelled = spelling(&mut numbers, path);
            status(&isolate, "PROPFIND", &spelled);
            assert!(world.passed.borrow().is_empty(), "{spelled} may be read as {path}");
        }
    }
    for path in
        ["/scim", "/scim/v3", "/access/v2", "/.well-known/openid-configuration", "/v10", "/healthy"]
    {
        assert_eq!(status(&isolate, "GET", path), PASSED, "{path}");
    }
}

#[test]
fn the_paths_of_a_dialect_that_is_not_served_are_the_origins_or_nobodys() {
    for dialect in documented() {
        let world = World::new();
        let served: Vec<_> =
            documented().map(|other| other.name).filter(|name| *name != dialect.name).collect();
        let isolate = open_gateway(&world, Some(&served.join(",")));
        let alone = world.isolate_with(&[("DIALECTS", Some(&served.join(",")))]);
        for route in dialect.routes() {
            for path in route.paths {
                let path = filled(path);
                assert_eq!(status(&isolate, route.method, &path), PASSED, "{path}");
                assert_eq!(status(&alone, route.method, &path), 404, "{path}");
            }
        }
        for route in
            documented().filter(|other| other.name != dialect.name).flat_map(Dialect::routes)
        {
            let found = dialects::owner(route.paths[0]).expect("a dialect");
            let before = world.passed.borrow().len();
            status(&isolate, route.method, &filled(route.paths[0]));
            assert_eq!(
                world.passed.borrow().len(),
                before,
                "{} still serves {}",
                found.name,
                route.paths[0]
            );
        }
    }
    let world = World::new();
    let problem = json_of(
        &world.isolate_with(&[("DIALECTS", Some("imanger"))]).send(&Request::new("GET", "/health")),
    );
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("DIALECTS must be")),
        "{problem}"
    );
}

#[test]
fn clients_of_the_gis_manager_reach_its_other_paths_by_its_cookie() {
    let world = World::new();
    let signs_in = world.isolate_with(&[("ORIGIN_URL", Some("http://origin.test"))]);
    signs_in.register(&json!({}));
    let account = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let gis = cookie_of(
        &signs_in.send(&Request::new("POST", "/imanager/security/tokens.json").body(&account)),
    );
    let ask = |isolate: &Isolate<'_>, path: &str, cookie: &str, more: &[(&str, &str)]| {
        let request = Request::new("POST", path).header("cookie", cookie);
        let answered = isolate
            .send(&more.iter().fold(request, |request, (name, value)| request.header(name, value)))
            .status;
        let forward = world.passed.borrow_mut().pop();
        let told = |name: &str| {
            forward
                .as_ref()
                .and_then(|forward| forward.headers.iter().find(|(key, _)| key == name))
                .map(|(_, v)| v.clone())
        };
        (answered, told("x-auth-user").unwrap_or_default(), told("cookie"))
    };
    let expected = || (PASSED, "admin".to_owned(), Some("theme=dark".to_owned()));
    for path in
        ["/imanager/web/api/service.json", "/imanager", "/imanager/icloud/web/nodes/started.json"]
    {
        assert_eq!(ask(&signs_in, path, &format!("theme=dark; {gis}"), &[]), expected(), "{path}");
        assert_eq!(
            ask(&signs_in, path, &gis, &[("origin", "https://evil.example")]).0,
            403,
            "{path}"
        );
    }
    let bearer = format!("Bearer {}", signs_in.token("alice"));
    assert_eq!(
        ask(&signs_in, "/imanager/x", &gis, &[("authorization", &bearer)]).1,
        "alice",
        "headers come first"
    );
    assert_eq!(ask(&signs_in, "/imanager/x", &gis, &[("authorization", "Bearer wrong")]).0, 401);
    assert_eq!(
        ask(&signs_in, "/imanager/x", &format!("postern=v1.0.AA; {gis}"), &[]).1,
        "admin",
        "an old session is none"
    );
    assert_eq!(ask(&signs_in, "/imanager/x", &format!("{gis}; {gis}"), &[]).0, 400);
    assert_eq!(
        ask(&signs_in, "/imanager/x", &format!("JSESSIONID={}.postern", "A".repeat(32)), &[]).0,
        401
    );
    for elsewhere in [
        "/x",
        "/IMANAGER/x",
        "/imanagers/x",
        "/plugin/datafor-modeler/api/model/list",
        "/api/v1/services/5",
    ] {
        assert_eq!(ask(&signs_in, elsewhere, &gis, &[]).0, 401, "{elsewhere}");
    }
    let without = world.isolate_with(&[
        ("ORIGIN_URL", Some("http://origin.test")),
        ("DIALECTS", Some("services")),
    ]);
    assert_eq!(
        ask(&without, "/imanager/x", &gis, &[]).0,
        401,
        "where the GIS manager is not served, nobody signs in to it"
    );
}
