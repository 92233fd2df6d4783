//! The identity headers that an origin gets: each of them on every request, and none above its
//! limit.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::api::http::message::Forward;
use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::{Map, Value, json};

use crate::support::{Isolate, Request, World};

const NAMES: [&str; 7] = [
    "x-auth-user",
    "x-auth-user-id",
    "x-auth-name",
    "x-auth-email",
    "x-auth-roles",
    "x-auth-app",
    "x-auth-roles-truncated",
];

fn gateway(world: &World) -> Isolate<'_> {
    let key = "a shared secret of thirty-two bytes or more";
    world.isolate_with(&[
        ("ORIGIN_URL", Some("http://origin.test")),
        ("ORIGIN_PUBLIC", Some("/static")),
        ("ORIGIN_ASSERTION_KEY", Some(key)),
    ])
}

/// Creates a user with these roles. Returns their credential.
fn user(isolate: &Isolate<'_>, username: &str, roles: &[String]) -> String {
    let app =
        json!({ "name": username, "token_name": username, "secret": username, "initroles": roles });
    isolate.register(&app);
    let token = jwt::sign(Algorithm::Hs256, &Secret::new(username), &isolate.claims(username))
        .expect("a shared secret");
    format!("Bearer {token}")
}

fn passed(isolate: &Isolate<'_>, request: &Request) -> Forward {
    let response = isolate.send(request);
    assert_eq!(response.status, 299, "{}", response.body);
    isolate.world.passed.borrow_mut().pop().expect("it went on")
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The identity headers; those of the gateway and of forward-auth must be the same.
fn told(isolate: &Isolate<'_>, credential: &str) -> Vec<(String, String)> {
    let forward = passed(isolate, &Request::new("GET", "/x").authorization(credential));
    let answer =
        isolate.send(&Request::new("GET", "/v1/forward-auth/signed-in").authorization(credential));
    assert_eq!(answer.status, 200);
    for name in NAMES {
        assert_eq!(
            value(&forward.headers, name),
            answer.header(name),
            "{name}: both ways tell the same"
        );
        assert!(answer.header(name).is_some(), "{name} is there");
    }
    forward.headers
}

fn assertion(headers: &[(String, String)]) -> Value {
    let token = value(headers, "x-postern-assertion").expect("an assertion");
    let claims = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(claims).expect("base64url"))
        .expect("JSON")
}

#[test]
fn what_is_unknown_is_empty() {
    let world = World::new();
    let isolate = gateway(&world);
    let headers = told(&isolate, &user(&isolate, "bare", &[]));
    let found: Vec<_> = NAMES.iter().filter_map(|name| value(&headers, name)).collect();
    assert_eq!(found, ["bare", "2", "", "", "", "bare", ""]);
    let headers = told(&isolate, &crate::support::admin());
    assert_eq!(
        (value(&headers, "x-auth-user"), value(&headers, "x-auth-app")),
        (Some("admin"), Some(""))
    );
}

#[test]
fn a_public_path_names_nobody() {
    let world = World::new();
    let isolate = gateway(&world);
    let asked = Request::new("GET", "/v1/forward-auth/rules")
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-uri", "/static/x");
    let answer = isolate.send(&asked.authorization(&crate::support::admin()));
    assert_eq!(answer.status, 200);
    for name in NAMES {
        assert_eq!(
            answer.header(name),
            Some(""),
            "{name}: a proxy that copies it overwrites the client's word"
        );
    }
    let forward = passed(&isolate, &Request::new("GET", "/static/x").header("x-auth-user", "root"));
    assert!(
        !forward.headers.iter().any(|(name, _)| name.starts_with("x-auth-")),
        "the gateway asks nobody, and sends nothing"
    );
}

#[test]
fn roles_that_are_too_long_together_are_left_out_and_it_is_said() {
    let world = World::new();
    let isolate = gateway(&world);
    // With the commas, 40 roles of 101 bytes and one of 16 bytes take 4,096 bytes.
    let mut roles: Vec<_> = (0..40).map(|number| format!("{number:0>101}")).collect();
    roles.push("y".repeat(16));
    let longest = roles.join(",");
    assert_eq!(longest.len(), 4096);
    let headers = told(&isolate, &user(&isolate, "fits", &roles));
    assert_eq!(
        (value(&headers, "x-auth-roles"), value(&headers, "x-auth-roles-truncated")),
        (Some(longest.as_str()), Some(""))
    );

    roles.push("z".to_owned());
    let headers = told(&isolate, &user(&isolate, "long", &roles));
    assert_eq!(
        (value(&headers, "x-auth-roles"), value(&headers, "x-auth-roles-truncated")),
        (Some(""), Some("1"))
    );

    // The limit is about the encoded bytes: a letter outside ASCII takes six of them.
    let encoded: Vec<_> = (0..30).map(|number| format!("{number}{}", "ä".repeat(30))).collect();
    let headers = told(&isolate, &user(&isolate, "encoded", &encoded));
    assert_eq!(
        (value(&headers, "x-auth-roles"), value(&headers, "x-auth-roles-truncated")),
        (Some(""), Some("1"))
    );
}

#[test]
fn the_assertion_leaves_out_long_roles_too() {
    let world = World::new();
    let isolate = gateway(&world);
    let few = told(&isolate, &user(&isolate, "few", &["a".to_owned(), "b".to_owned()]));
    assert_eq!(
        (&assertion(&few)["roles"], &assertion(&few)["roles_truncated"]),
        (&json!(["a", "b"]), &Value::Null)
    );
    let map: Map<_, _> =
        (0..200).map(|number| (number.to_string(), json!(format!("{number:0>100}")))).collect();
    let roles: Vec<_> = map.keys().cloned().collect();
    let fieldmap =
        json!({ "username": "loginname", "name": "name", "email": "email", "roles": "roles" });
    isolate.register(&json!({
        "name": "many", "token_name": "many", "secret": "many", "fieldmap": fieldmap,
        "role_map": map,
    }));
    let mut claims = isolate.claims("many");
    claims.extend([
        ("roles".to_owned(), json!(roles)),
        ("iat".to_owned(), json!(world.now.get().seconds())),
    ]);
    let token =
        jwt::sign(Algorithm::Hs256, &Secret::new("many"), &claims).expect("a shared secret");
    let headers = told(&isolate, &format!("Bearer {token}"));
    assert_eq!(
        (value(&headers, "x-auth-roles"), value(&headers, "x-auth-roles-truncated")),
        (Some(""), Some("1"))
    );
    let claims = assertion(&headers);
    assert_eq!(
        (&claims["roles"], &claims["roles_truncated"]),
        (&Value::Null, &json!(true)),
        "{claims}"
    );
    for (name, value) in &headers {
        assert!(
            name.len() + value.len() < 8000,
            "{name} has {} bytes: nginx reads 8 KiB for one header",
            value.len()
        );
    }
}
