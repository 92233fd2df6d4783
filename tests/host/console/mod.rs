//! Sign-in to the console: where its cookie is accepted, what ends its session, and how its host is
//! separated from the application. `tests/all` tests this in a browser.

mod counting;
mod ends;
mod hosts;
mod signing_in;

use postern::api::http::message::Response;
use serde_json::{Value, json};

use crate::support::{ADMIN_PASSWORD, Isolate, Request, World, admin, cookie_of, json_of};

const SESSION: &str = "/v1/console/session";
const PASSED: u16 = 299;
const REVOKED: (u16, &str) = (401, "revoked");

/// A request with the headers that browsers send for a page of the same web origin.
fn own_page(method: &str, url: &str) -> Request {
    Request::new(method, url).header("sec-fetch-site", "same-origin")
}

fn sign_in_with(isolate: &Isolate<'_>, body: &Value) -> Response {
    isolate.send(&own_page("POST", SESSION).body(&body.to_string()))
}

/// Signs the first administrator in. Returns the console's cookie.
fn signed_in(isolate: &Isolate<'_>) -> String {
    let response =
        sign_in_with(isolate, &json!({ "username": "admin", "password": ADMIN_PASSWORD }));
    assert_eq!(response.status, 201, "{}", response.body);
    cookie_of(&response)
}

/// Creates another administrator and signs them in. Returns their id and the cookie.
fn signed_in_as(isolate: &Isolate<'_>, username: &str) -> (i64, String) {
    let body =
        json!({ "username": username, "password": "correct horse", "type": "Administrator" });
    let created = isolate.administer("POST", "/v1/users", &body);
    let response =
        sign_in_with(isolate, &json!({ "username": username, "password": "correct horse" }));
    assert_eq!(response.status, 201, "{}", response.body);
    (json_of(&created)["id"].as_i64().expect("an id"), cookie_of(&response))
}

/// The first administrator makes a key. Returns the answer.
fn make_key(isolate: &Isolate<'_>, body: &Value) -> Value {
    let response = isolate.administer("POST", "/v1/keys", body);
    assert_eq!(response.status, 201, "{}", response.body);
    json_of(&response)
}

/// Signs in with a key. Returns the console's cookie.
fn signed_in_by(isolate: &Isolate<'_>, made: &Value) -> String {
    let response = sign_in_with(isolate, &json!({ "key": made["key"] }));
    assert_eq!(response.status, 201, "{}", response.body);
    cookie_of(&response)
}

fn answer(isolate: &Isolate<'_>, cookie: &str) -> Response {
    isolate.send(&own_page("GET", "/v1/users").header("cookie", cookie))
}

/// A page of the console asks for the list of users. Returns the status and the reason.
fn manages(isolate: &Isolate<'_>, cookie: &str) -> (u16, &'static str) {
    let response = answer(isolate, cookie);
    let reason = response.header("x-postern-reason").unwrap_or_default();
    let known =
        ["", "missing", "expired", "revoked", "not_administrator", "user_disabled", "key_refused"];
    (response.status, known.into_iter().find(|word| *word == reason).expect("a known reason"))
}

fn value_of(cookie: &str) -> &str {
    cookie.split_once('=').expect("a value").1
}

#[test]
fn who_is_signed_in_is_told_to_the_consoles_own_pages() {
    let world = World::new();
    let isolate = world.isolate();
    let cookie = signed_in(&isolate);
    let told = |request: Request| json_of(&isolate.send(&request));
    let session = told(own_page("GET", SESSION).header("cookie", &cookie));
    let ends_at = world.now.get().0 + 43_200_000;
    assert_eq!(
        session,
        json!({
            "signIn": "here", "user": { "id": 1, "username": "admin" }, "key": null,
            "expiresAt": ends_at,
        })
    );
    let nobody = json!({ "signIn": "here", "user": null, "key": null, "expiresAt": null });
    assert_eq!(told(own_page("GET", SESSION)), nobody);
    assert_eq!(told(Request::new("GET", SESSION).header("cookie", &cookie)), nobody);
    assert_eq!(
        told(
            Request::new("GET", SESSION)
                .header("cookie", &cookie)
                .header("sec-fetch-site", "same-site")
        ),
        nobody
    );
    assert_eq!(
        told(own_page("GET", SESSION).authorization(&admin())),
        nobody,
        "another credential is no session"
    );
}
