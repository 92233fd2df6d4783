//! No line of the log has a credential, wherever a client has sent it.

use serde_json::json;

use crate::support::{
    ADMIN_PASSWORD, Isolate, Request, World, admin, basic, block_on, cookie_of, json_of,
};

const PASSWORD: &str = "distinctive-horse-of-bob";

/// A valid and an invalid credential of each kind, with a description.
fn credentials(isolate: &Isolate<'_>) -> Vec<(&'static str, String)> {
    isolate.administer("POST", "/v1/users", &json!({ "username": "bob", "password": PASSWORD }));
    let key = |name: &str| {
        json_of(&isolate.administer(
            "POST",
            "/v1/keys",
            &json!({ "name": name, "may": ["decisions"] }),
        ))["key"]
            .clone()
    };
    let key = key("ci").as_str().expect("a key").to_owned();
    let body = json!({ "username": "admin", "password": ADMIN_PASSWORD }).to_string();
    let signed_in = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body));
    let value = |cookie: &str| cookie.split_once('=').expect("a cookie").1.to_owned();
    let page = Request::new("GET", &format!("/page?token={}", isolate.token("alice")))
        .header("sec-fetch-mode", "navigate");
    vec![
        ("a token", isolate.token("alice")),
        ("a forged token", isolate.signed("wrong", &json!({ "loginname": "alice" }))),
        (
            "an expired token",
            isolate.signed("abcd", &json!({ "loginname": "alice", "exp": 1_700_000_000 })),
        ),
        ("an opaque token", signed_in.body.clone()),
        ("an unknown opaque token", "0f0e0d0c-0b0a-4908-8706-050403020100".to_owned()),
        ("a cookie of the GIS manager", value(&cookie_of(&signed_in))),
        ("a session of a password", value(&isolate.session_of_admin())),
        ("a session of a token", value(&cookie_of(&isolate.send(&page)))),
        ("a key", key.clone()),
        ("a mistyped key", format!("{}x", &key[..key.len() - 1])),
        ("a password", PASSWORD.to_owned()),
        ("another system's token", "Zm9yZWlnbi10b2tlbi1vZi1hbm90aGVyLXN5c3RlbQ0K7x".to_owned()),
    ]
}

/// Places in a path, where only texts that look like tokens are hidden.
const OF_PATHS: [&str; 7] = [
    "a segment",
    "an encoded segment",
    "a parameter of a segment",
    "a segment of Postern's",
    "a segment of Postern's keys",
    "the path in X-Forwarded-Uri",
    "behind the path",
];

/// Requests with a credential in each place where it belongs, or where somebody may put it.
fn requests(secret: &str) -> Vec<(&'static str, Request)> {
    let get = |path: &str| Request::new("GET", path);
    let post = |path: &str, body: String| Request::new("POST", path).body(&body);
    let mut all = Vec::new();
    for path in [
        "/v1/verify",
        "/v1/users",
        "/v1/check?service=1&permission=VIEW",
        "/access/v1/evaluation",
        "/scim/v2/Users",
        "/a",
    ] {
        all.extend([
            ("Bearer", get(path).authorization(&format!("Bearer {secret}"))),
            ("the name in Basic", get(path).authorization(&basic(secret, "x"))),
            ("the password in Basic", get(path).authorization(&basic("bob", secret))),
            ("another scheme", get(path).authorization(&format!("Digest {secret}"))),
            ("X-Auth-Token", get(path).header("x-auth-token", secret)),
            (
                "a cookie",
                get(path).header(
                    "cookie",
                    &format!("JSESSIONID={secret}; postern={secret}; __Host-postern={secret}"),
                ),
            ),
            (
                "the Referer",
                get(path).header("referer", &format!("http://postern.test/?token={secret}")),
            ),
            ("X-Forwarded-For", get(path).header("x-forwarded-for", secret)),
            ("a header of its own", get(path).header("x-token", secret)),
        ]);
    }
    all.extend([
        ("the query", get(&format!("/v1/verify?token={secret}"))),
        ("the query of a page", get(&format!("/page?token={secret}&key={secret}"))),
        ("the query of a wrong path", get(&format!("/v1/users?token={secret}"))),
        ("a segment", get(&format!("/page/{secret}/x"))),
        ("an encoded segment", get(&format!("/page/%2F{}", secret.replace('.', "%2E")))),
        ("a parameter of a segment", get(&format!("/page;jsessionid={secret}/x"))),
        ("a segment of Postern's", get(&format!("/v1/users/{secret}"))),
        ("a segment of Postern's keys", Request::new("DELETE", &format!("/v1/keys/{secret}"))),
        (
            "X-Forwarded-Uri",
            get("/v1/forward-auth").header("x-forwarded-uri", &format!("/page?token={secret}")),
        ),
        (
            "the path in X-Forwarded-Uri",
            get("/v1/forward-auth").header("x-forwarded-uri", &format!("/page/{secret}")),
        ),
        (
            "X-Forwarded-Method",
            get("/v1/forward-auth/rules")
                .header("x-forwarded-uri", "/x")
                .header("x-forwarded-method", secret),
        ),
        (
            "behind the path",
            get(&format!("/v1/forward-auth/signed-in/-/page/{secret}?token={secret}")),
        ),
        ("the method", Request::new(secret, "/a")),
        ("a body of JSON", post("/v1/verify", json!({ "token": secret }).to_string())),
        ("a body that breaks off", post("/v1/verify", format!("{{\"token\":\"{secret}\""))),
        ("a form", post("/v1/introspect", format!("token={secret}"))),
        (
            "a form of a client",
            post("/v1/introspect", format!("token={secret}&client_secret={secret}")),
        ),
        (
            "a sign-in",
            post("/v1/sign-in", json!({ "username": "bob", "password": secret }).to_string()),
        ),
        (
            "a name that signs in",
            post(
                "/imanager/security/tokens",
                json!({ "username": secret, "password": "x" }).to_string(),
            ),
        ),
        (
            "an evaluation",
            post(
                "/access/v1/evaluation",
                json!({ "subject": { "type": "user", "id": secret } }).to_string(),
            ),
        ),
        (
            "a body of an administrator",
            post("/v1/users", json!({ "username": secret, "password": secret }).to_string())
                .authorization(&admin()),
        ),
        ("a resource", get(&format!("/v1/check?resource={secret}&permission=VIEW"))),
    ]);
    all
}

#[test]
fn no_credential_is_in_the_log_wherever_it_was_sent() {
    let world = World::new();
    let variables = [
        ("ORIGIN_URL", Some("http://origin.test")),
        ("LOGIN_URL", Some("password")),
        ("TOKEN_HEADERS", Some("x-token")),
        ("ORIGIN_RULES", Some(r#"[{"path":"/a","roles":["boss"]}]"#)),
    ];
    let isolate = world.isolate_with(&variables);
    isolate.register(&json!({}));
    let mut logged = 0;
    for (kind, secret) in credentials(&isolate) {
        // Lets the limits on guesses expire, which other tests check.
        world.pass(3600);
        for answers in [true, false] {
            world.database.answers.set(answers);
            for (place, request) in requests(&secret) {
                world.log.0.borrow_mut().clear();
                drop(isolate.send(&request));
                let _ = block_on(isolate.may_stay_open(&request, "1 "));
                for line in &*world.log.0.borrow() {
                    logged += 1;
                    // A password in a path looks like any word, and Postern does not accept one
                    // there.
                    if kind == "a password" && OF_PATHS.contains(&place) {
                        continue;
                    }
                    assert!(!line.contains(&secret), "{kind} in {place}: {line}");
                    // The line has neither the token's signature nor its second half.
                    let half = &secret[secret.len() / 2..];
                    assert!(!line.contains(half), "half of {kind} in {place}: {line}");
                }
            }
        }
        world.database.answers.set(true);
        world.pass(3600);
    }
    assert!(logged > 500, "only {logged} lines were looked through");
}
