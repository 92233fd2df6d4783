//! Several applications behind one gateway: which of them gets a request.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::domain::origin::{Origins, read_origins};
use postern::domain::path_readings;
use serde_json::{Value, json};

use crate::path_spellings::{MODELS, spellings};
use crate::support::{Isolate, Request, World, admin, json_of};

const SPELLINGS: usize = 100_000;
/// The status of the tests' answer to a request that went on.
const PASSED: u16 = 299;

fn gateway<'a>(world: &'a World, origins: &Value, rest: Option<&str>) -> Isolate<'a> {
    let variables = [
        ("ORIGINS".to_owned(), origins.clone()),
        ("ORIGIN_URL".to_owned(), json!(rest)),
        ("ORIGIN_TIMEOUT_S".to_owned(), json!(20)),
        ("ORIGIN_ASSERTION_KEY".to_owned(), json!("0123456789abcdef0123456789abcdef")),
    ];
    let isolate = world.isolate_of(variables);
    isolate.register(&json!({}));
    isolate
}

fn three() -> Value {
    json!([
        { "path": "/maps", "url": "http://maps.test" },
        { "host": "Portal.example.com", "url": "http://portal.test/base/" },
        { "path": "/maps/tiles/", "url": "http://tiles.test", "timeoutS": 5 },
    ])
}

/// The URL at which the application gets the request, and its timeout.
fn arrival(isolate: &Isolate<'_>, url: &str) -> (String, i64) {
    let response = isolate.send(&Request::new("GET", url).authorization(&admin()));
    assert_eq!(response.status, PASSED, "{url}: {}", response.body);
    let forward = isolate.world.passed.borrow_mut().pop().expect("it went on");
    (forward.url, forward.timeout_s)
}

#[test]
fn hosts_come_before_paths_and_long_paths_before_short_ones() {
    let world = World::new();
    let isolate = gateway(&world, &three(), Some("http://rest.test"));
    for (url, expected, seconds) in [
        ("/", "http://rest.test/", 20),
        ("/mapsx", "http://rest.test/mapsx", 20),
        ("/Maps", "http://rest.test/Maps", 20),
        ("/maps", "http://maps.test/maps", 20),
        ("/maps/a?b=c", "http://maps.test/maps/a?b=c", 20),
        ("/maps/tiles", "http://tiles.test/maps/tiles", 5),
        ("/maps/tiles/1/2.png", "http://tiles.test/maps/tiles/1/2.png", 5),
        ("https://portal.example.com/maps/tiles/1", "http://portal.test/base/maps/tiles/1", 20),
        ("https://PORTAL.example.com.:8443/x", "http://portal.test/base/x", 20),
        ("https://portal.example.com.evil.example/x", "http://rest.test/x", 20),
    ] {
        assert_eq!(arrival(&isolate, url), (expected.to_owned(), seconds), "{url}");
    }
}

#[test]
fn the_assertion_is_for_the_application_that_gets_it() {
    let world = World::new();
    let isolate = gateway(&world, &three(), Some("http://rest.test"));
    for (url, audience) in [("/maps", "http://maps.test"), ("/x", "http://rest.test")] {
        let bearer = format!("Bearer {}", isolate.token("alice"));
        assert_eq!(isolate.send(&Request::new("GET", url).authorization(&bearer)).status, PASSED);
        let forward = world.passed.borrow_mut().pop().expect("it went on");
        let assertion = forward
            .headers
            .iter()
            .find(|(name, _)| name == "x-postern-assertion")
            .expect("an assertion");
        let claims = assertion.1.split('.').nth(1).expect("three parts");
        let claims = Base64UrlUnpadded::decode_vec(claims).expect("base64url");
        assert_eq!(serde_json::from_slice::<Value>(&claims).expect("JSON")["aud"], json!(audience));
    }
}

#[test]
fn what_no_application_takes_is_404_and_no_way_to_the_console() {
    let world = World::new();
    let isolate = gateway(&world, &three(), None);
    assert_eq!(arrival(&isolate, "/maps").0, "http://maps.test/maps");
    for url in ["/", "/x", "https://other.example.com/"] {
        assert_eq!(
            isolate.send(&Request::new("GET", url).authorization(&admin())).status,
            404,
            "{url}"
        );
    }
    assert_eq!(
        isolate
            .send(&Request::new("GET", "/imanager/services.json").authorization(&admin()))
            .status,
        404,
        "of a documented system, too"
    );
}

#[test]
fn a_path_that_two_applications_may_read_as_their_own_is_refused() {
    let world = World::new();
    let isolate = gateway(&world, &three(), Some("http://rest.test"));
    let get = |path: &str| isolate.send(&Request::new("GET", path).authorization(&admin()));
    for path in
        ["/maps%2f..%2fx", "/maps%5ctiles", "/maps/tiles%2fx", "/x%2f..%2fmaps", "/maps;x=1/tiles"]
    {
        assert_eq!(get(path).status, 400, "{path}");
    }
    for path in ["/maps/a%2fb", "/maps/a;x=1", "/x%2fmaps", "/x;y/maps"] {
        assert_eq!(get(path).status, PASSED, "{path}");
    }
    let response = get("/maps%2fx");
    assert_eq!(response.status, 400, "{}", response.body);
    assert!(response.body.contains("more than one application of ORIGINS"), "{}", response.body);
}

/// An application with a `path` gets only requests below it, as real servers read the path.
#[test]
fn no_spelling_brings_an_application_a_path_of_another() {
    let list = read_origins(&[json!({ "path": "/base/reports", "url": "http://reports.test" })])
        .expect("origins");
    let origins = Origins::new(list, Some("http://rest.test".to_owned()), 60, false);
    let is_below = |segments: &[String]| {
        segments.len() >= 2 && segments[0] == "base" && segments[1].starts_with("reports")
    };
    let (mut to_reports, mut to_rest) = (0, 0);
    for path in spellings().take(SPELLINGS) {
        let path = format!("/base{path}");
        match origins.of("app.example.com", &path) {
            Ok(Some(origin)) if origin.url == "http://reports.test" => {
                to_reports += 1;
                let sent = path_readings::as_sent(&path).expect("it was read");
                for (name, model) in MODELS {
                    let read = model(&sent);
                    assert!(
                        read.as_deref().is_none_or(is_below),
                        "{name} reads {sent} as {read:?}"
                    );
                }
            }
            Ok(_) => to_rest += 1,
            Err(_) => {}
        }
    }
    println!(
        "of {SPELLINGS} spellings {to_reports} go to the one application and {to_rest} to the other"
    );
    assert!(to_reports > SPELLINGS / 50 && to_rest > SPELLINGS / 50, "{to_reports} {to_rest}");
}

#[test]
fn the_tester_names_the_application_that_the_gateway_asks() {
    let world = World::new();
    let isolate = gateway(&world, &three(), None);
    let ask = |url: &str| {
        json_of(&isolate.administer(
            "POST",
            "/v1/rules/test",
            &json!({ "method": "GET", "url": url, "username": "admin" }),
        ))
    };
    for (url, origin, verdict) in [
        ("/maps/x", json!("http://maps.test"), "passes"),
        ("https://portal.example.com/maps/x", json!("http://portal.test/base"), "passes"),
        ("/other", Value::Null, "refused"),
        ("/maps%2fx", Value::Null, "refused"),
    ] {
        let told = ask(url);
        assert_eq!(
            (&told["origin"], &told["verdict"]),
            (&origin, &json!(verdict)),
            "{url}: {told}"
        );
        let met = isolate.send(&Request::new("GET", url).authorization(&admin())).status;
        assert_eq!(met == PASSED, verdict == "passes", "{url}");
    }
    let shown = json_of(&isolate.administer("GET", "/v1/rules", &Value::Null));
    let expected = json!([
        {
            "host": "portal.example.com", "path": "/", "url": "http://portal.test/base",
            "timeoutS": 20,
        },
        { "host": null, "path": "/maps/tiles", "url": "http://tiles.test", "timeoutS": 5 },
        { "host": null, "path": "/maps", "url": "http://maps.test", "timeoutS": 20 },
    ]);
    assert_eq!(shown["origins"], expected);
}

#[test]
fn what_is_wrong_about_an_application_is_named() {
    for (wrong, named) in [
        (json!("x"), "shape is no object"),
        (json!({}), "url is missing"),
        (json!({ "url": "maps.test" }), "url must be like"),
        (json!({ "url": "http://a.test", "path": "maps" }), "path must list path prefixes"),
        (json!({ "url": "http://a.test", "path": "/maps/*" }), "without patterns"),
        (json!({ "url": "http://a.test", "host": "https://a.test" }), "host must be a host's name"),
        (json!({ "url": "http://a.test", "host": "*.example.com" }), "host must be a host's name"),
        (
            json!({ "url": "http://a.test", "timeoutS": 0 }),
            "timeoutS is no whole number from 1 to 600",
        ),
        (json!({ "url": "http://a.test", "timeoutS": "9" }), "timeoutS is no whole number"),
        (json!({ "url": "http://a.test", "timeout_s": 9 }), "member \"timeout_s\" is unknown"),
        (
            json!({ "url": "http://a.test", "path": "/maps/" }),
            "host and path are those of number 1",
        ),
    ] {
        let why =
            read_origins(&[json!({ "path": "/maps", "url": "http://maps.test" }), wrong.clone()])
                .expect_err("it is wrong");
        assert!(
            why.starts_with("has an application (number 2) whose ") && why.contains(named),
            "{wrong}: {why}"
        );
    }
}
