//! Databases that earlier releases left, in `tests/upgrade/`. The newer migrations run on each, and
//! the Worker of these sources must answer with all of its data. `tests/upgrade/README.md`
//! describes a fixture.

use std::path::PathBuf;

use postern::actions::housekeeping;
use postern::api::dialects;
use postern::api::http::message::Response;
use postern::api::http::route::Route;
use postern::domain::secret::{Secret, hex, sha256};
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::{Value, json};

use crate::routes::{filled, routes};
use crate::support::{Database, Isolate, Request, World, basic, block_on, json_of};

/// A release's database, and the facts that must still hold on it.
pub struct Fixture {
    pub facts: Value,
    pub sql: String,
}

/// The fixtures of all releases, the oldest first.
pub fn fixtures() -> Vec<Fixture> {
    let files = std::fs::read_dir("tests/upgrade")
        .expect("tests/upgrade")
        .map(|entry| entry.expect("entry").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|ending| ending == "json")).collect();
    files.sort();
    assert!(!files.is_empty(), "there is no fixture in tests/upgrade");
    let read = |file: &PathBuf| {
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let fixture = |file: &PathBuf| Fixture {
        facts: serde_json::from_str(&read(file)).expect("facts"),
        sql: read(&file.with_extension("sql")),
    };
    files.iter().map(fixture).collect()
}

impl Fixture {
    /// A world one minute after the release wrote it, in which the issuer publishes its keys.
    pub fn world(&self) -> World {
        let world = World::on(Database::upgraded(&self.sql));
        world.now.set(Millis(self.facts["takenAt"].as_i64().expect("takenAt") + 60_000));
        world.issuers.publish(self.text("/keySet/url"), self.text("/keySet/body"), None);
        world
    }

    fn text(&self, pointer: &str) -> &str {
        self.facts
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {pointer}"))
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        let list = self.facts[name].as_array().unwrap_or_else(|| panic!("no list {name}"));
        assert!(!list.is_empty(), "{name} is empty");
        list.iter()
    }

    pub fn isolate<'a>(&self, world: &'a World) -> Isolate<'a> {
        world.isolate_with(&[
            ("MASTER_KEY", Some(self.text("/variables/MASTER_KEY"))),
            ("ADMIN_PASSWORD", Some(self.text("/variables/ADMIN_PASSWORD"))),
        ])
    }

    /// GET with the opaque token of the first administrator, which the release issued.
    fn get(&self, isolate: &Isolate<'_>, path: &str) -> Response {
        isolate.send(&Request::new("GET", path).header("x-auth-token", self.text("/opaque/token")))
    }

    /// The tokens expire in the year 2100 and have no `iat`, so they are valid only shortly before.
    pub fn verify_tokens(&self, isolate: &Isolate<'_>) {
        let now = isolate.world.now.replace(Millis::from_seconds(4_102_444_800 - 600));
        for token in self.list("tokens") {
            let response = isolate.get(
                "/v1/verify",
                &format!("Bearer {}", token["token"].as_str().expect("a token")),
            );
            let body = json_of(&response);
            assert_eq!((response.status, &body["app"]), (200, &token["app"]), "{}", response.body);
            assert_eq!(body["user"]["username"], token["username"]);
        }
        isolate.world.now.set(now);
    }
}

/// Each member that the release answered must still be there; a newer Worker may answer more.
fn still_answers(place: &str, then: &Value, now: &Value) {
    match (then, now) {
        (Value::Object(then), Value::Object(members)) => {
            // Skips the time of the answer itself.
            for (name, then) in then.iter().filter(|(name, _)| *name != "datetime") {
                let now = members.get(name).unwrap_or_else(|| panic!("{place}/{name} is missing"));
                still_answers(&format!("{place}/{name}"), then, now);
            }
        }
        (Value::Array(then), Value::Array(now)) => {
            assert_eq!(then.len(), now.len(), "{place} has other rows: {now:?}");
            for (index, (then, now)) in then.iter().zip(now).enumerate() {
                still_answers(&format!("{place}/{index}"), then, now);
            }
        }
        _ => assert_eq!(then, now, "{place}"),
    }
}

/// A body as JSON, whole or line by line. A line that is not JSON is a text.
fn body(text: &str) -> Value {
    let line = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    serde_json::from_str(text).unwrap_or_else(|_| text.lines().map(line).collect())
}

#[test]
fn no_table_of_a_fixture_is_empty() {
    for fixture in fixtures() {
        let mut tables = 0;
        for (_, rest) in fixture
            .sql
            .match_indices("CREATE TABLE ")
            .map(|(at, found)| fixture.sql.split_at(at + found.len()))
        {
            let name = rest.split([' ', '(']).next().unwrap_or_default();
            assert!(
                fixture.sql.contains(&format!("\nINSERT INTO {name} VALUES"))
                    || name == "d1_migrations",
                "{name} is empty"
            );
            tables += 1;
        }
        assert!(tables >= 16, "{tables} tables");
    }
}

#[test]
fn a_token_of_each_app_of_the_release_can_be_revoked() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        world.now.set(Millis::from_seconds(4_102_444_800 - 600));
        for token in fixture.list("tokens") {
            let token = token["token"].as_str().expect("a token");
            assert_eq!(isolate.verify(token).0, 200);
            let body = json!({ "token": token }).to_string();
            assert_eq!(
                isolate.send(&Request::new("POST", "/v1/revocations").body(&body)).status,
                204
            );
            for isolate in [&isolate, &fixture.isolate(&world)] {
                assert_eq!(isolate.verify(token), (401, "revoked".to_owned()));
            }
        }
    }
}

fn record(line: &str) -> Value {
    serde_json::from_str(line).expect("a record")
}

#[test]
fn every_read_of_every_dialect_answers_as_the_release_did() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        let mut asked = Vec::new();
        for (path, then) in fixture.facts["answers"].as_object().expect("answers") {
            // The whole state is exported at another path now, and must contain what the release
            // exported.
            if path == "/v1/grants/export" {
                let now = fixture.get(&isolate, "/v1/export").body;
                let now: Vec<_> = now.lines().map(record).collect();
                for line in then.as_str().expect("lines").lines().map(record) {
                    let holds = |other: &Value| {
                        line.as_object().is_some_and(|line| {
                            line.iter().all(|(name, value)| &other[name] == value)
                        })
                    };
                    assert!(now.iter().any(holds), "{line}");
                }
                asked.push("export");
                continue;
            }
            let response = fixture.get(&isolate, path);
            assert_eq!(response.status, 200, "{path}: {}", response.body);
            let (mut then, mut now) = (body(then.as_str().expect("a text")), body(&response.body));
            if path == "/health" {
                // One of its apps has keys at a URL, and the release had no audiences.
                assert_eq!(
                    now["causes"],
                    json!([{ "kind": "audience_unchecked", "count": 1, "names": ["SSO"] }])
                );
                then["status"].take();
                assert_eq!(now["status"].take(), "degraded");
            }
            still_answers(path, &then, &now);
            let found =
                dialects::find("GET", path.split('?').next().unwrap_or_default()).expect("a route");
            asked.push(found.route.operation);
        }
        // The release had no machine keys, so this is the first.
        let new_key =
            Request::new("POST", "/v1/keys").header("x-auth-token", fixture.text("/opaque/token"));
        let made = isolate.send(&new_key.body(r#"{"name":"first","may":["decisions"]}"#));
        assert_eq!((made.status, &json_of(&made)["id"]), (201, &json!(1)), "{}", made.body);
        let key = json_of(&made)["key"].as_str().map(|key| isolate.verify(key).0);
        assert_eq!(key, Some(200));
        // It had no names of services either.
        let name = Request::new("PUT", "/v1/resource-types/USER/resources/1")
            .header("x-auth-token", fixture.text("/opaque/token"));
        assert_eq!(isolate.send(&name.body(r#"{"service":1}"#)).status, 200);
        // Routes that the release did not have must answer, too. Signing out comes last, because it
        // ends the token. No release has had a key that signs assertions.
        let is_new = |route: &&Route| {
            !asked.contains(&route.operation)
                && !["list_signing_keys", "show_sign_in", "show_metadata"]
                    .contains(&route.operation)
        };
        let (leaving, staying): (Vec<_>, Vec<_>) = routes()
            .map(|(_, route)| route)
            .filter(|route| route.method == "GET")
            .filter(is_new)
            .partition(|route| route.operation == "sign_out");
        for route in staying.into_iter().chain(leaving) {
            let mut path = filled(&route.paths[0].replace("{name}", "ERP"));
            if route.operation == "list_object_grants" {
                path += "?authObjectType=USER&authObjectId=1";
            }
            let request =
                Request::new("GET", &path).header("x-auth-token", fixture.text("/opaque/leaving"));
            let response = isolate.send(&request);
            assert!(
                (200..300).contains(&response.status),
                "{path}: {} {}",
                response.status,
                response.body
            );
        }
        assert_eq!(isolate.verify(fixture.text("/opaque/leaving")).0, 401, "it has signed out");
    }
}

#[test]
fn passwords_and_tokens_of_a_release_still_count() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        for (username, password) in fixture.facts["passwords"].as_object().expect("passwords") {
            let password = password.as_str().expect("a password");
            assert_eq!(
                isolate.get("/v1/verify", &basic(username, password)).status,
                200,
                "{username}"
            );
            assert_eq!(
                isolate.get("/v1/verify", &basic(username, "wrong")).status,
                401,
                "{username}"
            );
        }
        assert_eq!(isolate.verify(fixture.text("/opaque/token")), (200, "admin".to_owned()));
        // The release named its cookie JSESSIONID, as Java applications do. Now that cookie is the
        // application's.
        let cookie = format!("JSESSIONID={}", fixture.text("/opaque/cookie"));
        for path in ["/v1/verify", "/imanager/security/logout"] {
            assert_eq!(
                isolate.send(&Request::new("GET", path).header("cookie", &cookie)).status,
                401,
                "{path}"
            );
        }
        fixture.verify_tokens(&isolate);
        for token in fixture.list("refused") {
            assert_eq!(isolate.verify(token.as_str().expect("a token")).0, 401);
        }
        // The release counted failures by name alone. Now each address has its own limit.
        let body = json!({ "username": fixture.text("/locked"), "password": "wrong" }).to_string();
        let request = Request::new("POST", "/imanager/security/tokens")
            .header("cf-connecting-ip", "192.0.2.1")
            .body(&body);
        let answers: Vec<_> = (0..10).map(|_| isolate.send(&request).status).collect();
        assert_eq!(
            answers,
            [401, 401, 401, 401, 401, 401, 401, 401, 401, 429],
            "its failure is remembered"
        );
    }
}

#[test]
fn grants_of_a_release_still_decide() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        for check in fixture.list("checks") {
            let of = |name: &str| {
                check[name].as_str().map_or_else(|| check[name].to_string(), str::to_owned)
            };
            let path = format!(
                "/v1/check?service={}&permission={}&user={}",
                of("service"),
                of("permission"),
                of("user")
            );
            let response = fixture.get(&isolate, &path);
            assert_eq!(response.status, 200, "{path}: {}", response.body);
            assert_eq!(json_of(&response)["allowed"], check["allowed"], "{path}");
        }
    }
}

#[test]
fn grants_of_a_release_never_end_and_new_ones_may() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        let grants = json_of(&fixture.get(&isolate, "/v1/services/1/grants"));
        let grants = grants["items"].as_array().expect("a list");
        assert!(!grants.is_empty());
        assert!(grants.iter().all(|grant| grant["state"] == "active"
            && grant["expiresAt"].is_null()
            && grant["startsAt"].is_null()));
        let end = world.now.get().0 + 1000;
        let body = json!({
            "authObjectType": "USER", "authObjectId": 777, "permissions": ["TEST"],
            "expiresAt": end,
        });
        let token = fixture.text("/opaque/token");
        let request = Request::new("POST", "/v1/services/1/grants")
            .header("x-auth-token", token)
            .body(&body.to_string());
        assert_eq!(isolate.send(&request).status, 201);
        let allowed = || {
            let path = "/v1/check?service=1&permission=TEST&user=777";
            json_of(&fixture.get(&isolate, path))["allowed"].clone()
        };
        assert_eq!(allowed(), json!(true));
        world.pass(1);
        assert_eq!(allowed(), json!(false));
        block_on(housekeeping::run(&isolate.cx())).expect("the scheduled event");
        assert_eq!(world.database.number("SELECT COUNT(*) FROM grants WHERE object_id = 777"), 0);
    }
}

#[test]
fn applications_of_a_release_still_sign_and_a_used_signature_stays_used() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        let [key, secret, token] = ["accessKey", "secret", "token"]
            .map(|name| fixture.text(&format!("/application/{name}")));
        assert_eq!(access_token(&isolate, key, secret), token, "while one counts, the same again");

        let timestamp = world.now.get().0.to_string();
        let body = json!({ "appId": key, "dataAuthorizeType": ["ASSET"] }).to_string();
        let signature = digest(&[token, "orgId", "1", &body, &timestamp, secret]);
        let fresh = Request::new("POST", "/app-portal-service/v2.3/app/authorization/set?orgId=1")
            .header("content-type", "application/json")
            .header("apim-accesstoken", token)
            .header("apim-timestamp", &timestamp)
            .header("apim-signature", &signature)
            .body(&body);
        assert_eq!(isolate.send(&fresh).status, 200);

        let used = &fixture.facts["usedCall"];
        let mut request = Request::new("POST", used["path"].as_str().expect("a path"))
            .body(used["body"].as_str().expect("a body"));
        for (name, value) in used["headers"].as_object().expect("headers") {
            request = request.header(name, value.as_str().expect("a value"));
        }
        let response = isolate.send(&request);
        assert_eq!(response.status, 401, "{}", response.body);
    }
}

/// The access token that an application gets for a proof of its secret.
fn access_token(isolate: &Isolate<'_>, key: &str, secret: &str) -> String {
    let timestamp = isolate.world.now.get().0;
    let encryption = digest(&[key, &timestamp.to_string(), secret]);
    let body = json!({ "appKey": key, "timestamp": timestamp, "encryption": encryption });
    let response = isolate
        .send(&Request::new("POST", "/apim-token-service/v2.0/token/get").body(&body.to_string()));
    assert_eq!(response.status, 200, "{}", response.body);
    json_of(&response)["data"]["accessToken"].as_str().expect("a token").to_owned()
}

fn digest(parts: &[&str]) -> String {
    hex(&sha256(parts.concat().as_bytes()))
}

/// Re-encryption opens each value of each sealed column, and all of them work with the new key.
#[test]
fn everything_that_a_release_sealed_still_opens() {
    const NEW: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
    for fixture in fixtures() {
        let world = fixture.world();
        let password = ("ADMIN_PASSWORD", Some(fixture.text("/variables/ADMIN_PASSWORD")));
        let previous = ("MASTER_KEY_PREVIOUS", Some(fixture.text("/variables/MASTER_KEY")));
        let between = world.isolate_with(&[("MASTER_KEY", Some(NEW)), previous, password]);
        block_on(housekeeping::run(&between.cx())).expect("the scheduled event");
        for (table, column) in [
            ("token_apps", "secret_key_id"),
            ("applications", "secret_key_id"),
            ("applications", "token_key_id"),
            ("node_orders", "password_key_id"),
        ] {
            let of = |what: &str| {
                format!("SELECT COUNT({what}) FROM {table} WHERE {column} IS NOT NULL")
            };
            assert!(world.database.number(&of("*")) > 0, "{table}.{column} has a value");
            assert_eq!(
                world.database.number(&of(&format!("DISTINCT {column}"))),
                1,
                "{table}.{column}"
            );
        }
        let after = world.isolate_with(&[("MASTER_KEY", Some(NEW)), password]);
        fixture.verify_tokens(&after);
        let [key, secret, token] = ["accessKey", "secret", "token"]
            .map(|name| fixture.text(&format!("/application/{name}")));
        assert_eq!(access_token(&after, key, secret), token);
    }
}

#[test]
fn the_snapshot_of_a_release_still_serves_while_d1_does_not_answer() {
    for fixture in fixtures() {
        let world = fixture.world();
        let [key, value] =
            ["/snapshot/key", "/snapshot/value"].map(|pointer| fixture.text(pointer).to_owned());
        world.kv.values.borrow_mut().insert(key, value);
        world.database.answers.set(false);
        let isolate = fixture.isolate(&world);
        for token in fixture.list("tokens") {
            // A token that is valid for too long is refused as such only if its signature is valid.
            let answer = isolate.verify(token["token"].as_str().expect("a token"));
            assert_eq!(answer, (401, "too_long_lived".to_owned()), "{}", token["app"]);
        }
    }
}

#[test]
fn ids_that_a_release_has_given_or_named_are_not_chosen() {
    const NAMED: [(&str, &str); 4] = [
        (
            "users",
            "SELECT id FROM users UNION SELECT object_id FROM grants \
             WHERE object_type = 'USER' UNION SELECT user_id FROM memberships",
        ),
        (
            "groups",
            "SELECT id FROM units WHERE object_type = 'GROUP' \
             UNION SELECT object_id FROM grants WHERE object_type = 'GROUP' \
             UNION SELECT object_id FROM memberships WHERE object_type = 'GROUP'",
        ),
        (
            "departments",
            "SELECT id FROM units WHERE object_type = 'DEPT' \
             UNION SELECT object_id FROM grants WHERE object_type = 'DEPT' \
             UNION SELECT object_id FROM memberships WHERE object_type = 'DEPT'",
        ),
        (
            "services",
            "SELECT id FROM services UNION SELECT service_id FROM grants UNION \
            SELECT service_id FROM service_apis",
        ),
    ];
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        let named = |sql: &str| {
            world.database.text(&format!("SELECT ',' || group_concat(id) || ',' FROM ({sql})"))
        };
        let before = NAMED.map(|(_, sql)| named(sql));
        for number in 0..5 {
            for ((path, _), before) in NAMED.iter().zip(&before) {
                let name = if *path == "users" { "username" } else { "name" };
                let response = isolate.administer(
                    "POST",
                    &format!("/v1/{path}"),
                    &json!({ name: format!("new {number}") }),
                );
                let id = json_of(&response)["id"].clone();
                assert_eq!(response.status, 201, "{path}: {}", response.body);
                assert!(!before.contains(&format!(",{id},")), "{path}: {id} is among {before}");
                assert!(
                    *path != "users" || id.as_i64() > fixture.facts["deletedUser"].as_i64(),
                    "{id}"
                );
            }
        }
    }
}

#[test]
fn users_whom_a_release_deleted_stay_deleted() {
    for fixture in fixtures() {
        let world = fixture.world();
        let isolate = fixture.isolate(&world);
        let id = fixture.facts["deletedUser"].clone();
        let token = || {
            let mut claims = isolate.claims("gone");
            claims.insert("iat".to_owned(), json!(world.now.get().seconds()));
            jwt::sign(Algorithm::Hs256, &Secret::new("abcd"), &claims).expect("a token")
        };
        let gone = token();
        assert_eq!(isolate.verify(&gone), (403, "user_deleted".to_owned()));
        let tombstones = json_of(&fixture.get(&isolate, "/v1/tombstones"))["items"].clone();
        let [tombstone] = tombstones.as_array().map_or(&[][..], Vec::as_slice) else {
            panic!("{tombstones}")
        };
        assert_eq!((&tombstone["username"], &tombstone["id"]), (&json!("gone"), &id));
        assert_eq!(tombstone["deletedBy"], "admin");
        let other = json!({ "id": id, "username": "other" });
        assert_eq!(isolate.administer("POST", "/v1/users", &other).status, 409);
        world.pass(1);
        assert_eq!(
            isolate
                .administer("POST", "/v1/users", &json!({ "id": id, "username": "gone" }))
                .status,
            201
        );
        assert_eq!(
            isolate.verify(&gone),
            (401, "revoked".to_owned()),
            "it is about who was deleted"
        );
        assert_eq!(isolate.verify(&token()), (200, "gone".to_owned()));
    }
}
