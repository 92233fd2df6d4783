//! The assertion in `X-Postern-Assertion`, and the key with which an origin checks it.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::api::http::message::Forward;
use postern::domain::secret::hmac_sha256;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwk::IssuerKey;
use postern::ports::Signatures as _;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, block_on, json_of};

const ORIGIN: &str = "http://origin.test:8080/base";
const SECRET: &str = "a secret of thirty-two bytes, or more";
/// The key of RFC 7517, appendix A.2. Its thumbprint is by RFC 7638.
const JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
const OTHER_JWK: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"A363oMmQhAuZylhxC2RrrrctBdkzqq8cwRrync5USZ8",
    "y":"IPdIOStdz2jvaRMLtKSKHiLh4z0tFh9cENiqnHmUkLw",
    "d":"-1u53P4dfVSwTLZubZVO2vascs9igOc1tm7Ywj0lRZg"}"#;

fn gateway<'a>(world: &'a World, key: &str, more: &[(&str, &str)]) -> Isolate<'a> {
    let mut variables = vec![
        ("ORIGIN_URL", Some(ORIGIN)),
        ("ORIGIN_PUBLIC", Some("/static")),
        ("ORIGIN_ASSERTION_KEY", Some(key)),
    ];
    variables.extend(more.iter().map(|(name, value)| (*name, Some(*value))));
    let isolate = world.isolate_with(&variables);
    isolate.register(&json!({}));
    isolate
}

fn passed(isolate: &Isolate<'_>, request: &Request) -> Forward {
    let response = isolate.send(request);
    assert_eq!(response.status, 299, "{}", response.body);
    isolate.world.passed.borrow_mut().pop().expect("it went on")
}

/// The assertion of a request that went on; there must be exactly one.
fn assertion(forward: &Forward) -> String {
    let values: Vec<_> =
        forward.headers.iter().filter(|(name, _)| name == "x-postern-assertion").collect();
    assert_eq!(values.len(), 1, "{values:?}");
    values[0].1.clone()
}

fn part(assertion: &str, index: usize) -> Value {
    let text = assertion.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(text).expect("base64url")).expect("JSON")
}

fn as_alice(isolate: &Isolate<'_>) -> Request {
    Request::new("GET", "/x").authorization(&format!("Bearer {}", isolate.token("alice")))
}

#[test]
fn a_shared_secret_signs_who_calls_from_where_and_for_whom() {
    let world = World::new();
    let isolate = gateway(&world, SECRET, &[]);
    let signed = assertion(&passed(&isolate, &as_alice(&isolate)));
    assert_eq!(part(&signed, 0), json!({ "typ": "postern+jwt", "alg": "HS256" }));
    let now = world.now.get().seconds();
    assert_eq!(
        part(&signed, 1),
        json!({
            "iss": "http://postern.test", "aud": ORIGIN, "sub": "2", "preferred_username": "alice",
            "roles": ["SYS_Reader"], "app": "ERP", "iat": now, "exp": now + 60,
        })
    );
    let (text, signature) = signed.rsplit_once('.').expect("a signature");
    assert_eq!(
        signature,
        Base64UrlUnpadded::encode_string(&hmac_sha256(SECRET.as_bytes(), text.as_bytes()))
    );
    assert_eq!(
        part(&assertion(&passed(&isolate, &Request::new("GET", "/x").authorization(&admin()))), 1)
            ["app"],
        Value::Null
    );
    let named =
        json!({ "loginname": "bob", "name": "Bob", "email": "bob@example.com", "exp": now + 60 });
    let token = crate::support::forge(r#"{"alg":"HS256"}"#, &named.to_string(), b"abcd");
    let claims =
        part(&assertion(&passed(&isolate, &Request::new("GET", &format!("/x?token={token}")))), 1);
    assert_eq!((&claims["name"], &claims["email"]), (&json!("Bob"), &json!("bob@example.com")));
}

#[test]
fn a_private_key_signs_so_that_the_published_key_verifies() {
    let world = World::new();
    let isolate = gateway(&world, JWK, &[("ORIGIN_ASSERTION_KEY_PREVIOUS", OTHER_JWK)]);
    let signed = assertion(&passed(&isolate, &as_alice(&isolate)));
    assert_eq!(
        (&part(&signed, 0)["typ"], &part(&signed, 0)["alg"]),
        (&json!("postern+jwt"), &json!("ES256"))
    );

    let response = isolate.get("/.well-known/jwks.json", "");
    assert_eq!(
        (response.status, response.header("cache-control")),
        (200, Some("public, max-age=300"))
    );
    assert!(!response.body.contains("\"d\""), "{}", response.body);
    let keys = json_of(&response)["keys"].as_array().cloned().expect("keys");
    assert_eq!(keys.len(), 2, "the previous one is still published");
    let verifies = |jwk: &Value| {
        let key = IssuerKey::from_jwk(jwk.as_object().expect("a JWK")).expect("a public key");
        let (text, signature) = signed.rsplit_once('.').expect("a signature");
        let signature = Base64UrlUnpadded::decode_vec(signature).expect("base64url");
        block_on(world.signatures.verify(Algorithm::Es256, &key.key, &signature, text.as_bytes()))
            .expect("the key can be used")
    };
    assert_eq!(keys.iter().map(verifies).collect::<Vec<_>>(), [true, false]);
    assert_eq!(part(&signed, 0)["kid"], keys[0]["kid"]);
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    assert!(keys.iter().all(|key| key["alg"] == "ES256" && key["use"] == "sig"), "{keys:?}");
}

#[test]
fn an_assertion_is_sent_again_until_half_of_its_life_is_over_or_it_would_say_something_else() {
    let world = World::new();
    let isolate = gateway(&world, JWK, &[]);
    let first = assertion(&passed(&isolate, &as_alice(&isolate)));
    world.pass(29);
    assert_eq!(assertion(&passed(&isolate, &as_alice(&isolate))), first);
    assert_eq!(world.signatures.signatures.get(), 1);
    world.pass(2);
    assert_eq!(
        part(&assertion(&passed(&isolate, &as_alice(&isolate))), 1)["iat"],
        json!(world.now.get().seconds())
    );
    assert_eq!(world.signatures.signatures.get(), 2);

    assert_eq!(
        isolate.administer("PATCH", "/v1/users/2", &json!({ "roles": ["auditor"] })).status,
        200
    );
    let changed = assertion(&passed(&isolate, &as_alice(&isolate)));
    assert_eq!(
        part(&changed, 1)["roles"],
        json!(["auditor"]),
        "a change of the user is in the next assertion"
    );
}

#[test]
fn nobody_is_asserted_where_nobody_was_asked_or_no_key_is_set() {
    let world = World::new();
    let isolate = gateway(&world, SECRET, &[]);
    let forged = |request: Request| {
        request.header("x-postern-assertion", "forged").header("X_Postern.Assertion", "forged")
    };
    let public = passed(&isolate, &forged(Request::new("GET", "/static/x")));
    assert!(!format!("{public:?}").to_lowercase().contains("assertion"), "{public:?}");
    let world = World::new();
    let without = gateway(&world, "", &[]);
    let forward = passed(&without, &forged(as_alice(&without)));
    assert!(!format!("{forward:?}").to_lowercase().contains("assertion"), "{forward:?}");
}

#[test]
fn without_a_private_key_there_is_no_key_set_and_the_rest_of_well_known_is_the_origins() {
    let world = World::new();
    for key in ["", SECRET] {
        let isolate = gateway(&world, key, &[]);
        let response = isolate.get("/.well-known/jwks.json", &admin());
        assert_eq!(response.status, 404, "{}", response.body);
        assert!(
            response.body.contains("ORIGIN_ASSERTION_KEY is no private JWK"),
            "{}",
            response.body
        );
        let forward = passed(
            &isolate,
            &Request::new("GET", "/.well-known/openid-configuration").authorization(&admin()),
        );
        assert_eq!(forward.url, format!("{ORIGIN}/.well-known/openid-configuration"));
    }
}

#[test]
fn a_key_that_cannot_sign_is_named_in_a_503() {
    let world = World::new();
    let short = world.isolate_with(&[("ORIGIN_ASSERTION_KEY", Some("too short"))]);
    let response = short.get("/v1/verify", &admin());
    assert_eq!(response.status, 503);
    assert!(
        response.body.contains("ORIGIN_ASSERTION_KEY must have at least 32 bytes"),
        "{}",
        response.body
    );
    let of_another = OTHER_JWK.replace(
        "-1u53P4dfVSwTLZubZVO2vascs9igOc1tm7Ywj0lRZg",
        "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    );
    let isolate = gateway(&world, &of_another, &[]);
    let response = isolate.send(&as_alice(&isolate));
    assert_eq!(response.status, 503, "{}", response.body);
    assert!(
        response.body.contains("ORIGIN_ASSERTION_KEY is a JWK that the platform cannot sign with"),
        "{}",
        response.body
    );
    assert!(world.passed.borrow().is_empty());
}
