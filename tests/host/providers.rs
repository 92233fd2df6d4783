//! The identity providers of `tests/providers`: tokens as they issue them, and forgeries of those.

use std::path::{Path, PathBuf};

use postern::domain::tokens::algorithm::Algorithm;
use postern::error::{Denied, Refusal};
use serde_json::{Map, Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, World, json_of};

const TIMES: [&str; 4] = ["iat", "nbf", "exp", "auth_time"];
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A provider, with its token app registered in its own world.
struct Provider<'a> {
    file: &'a Value,
    isolate: &'a Isolate<'a>,
    algorithm: Algorithm,
    key: &'a Issuer,
}

impl Provider<'_> {
    /// The valid token with some header members and claims changed; null removes one.
    fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_signed_by(self.key, header, claims)
    }

    fn token_signed_by(&self, key: &Issuer, header: &Value, claims: &Value) -> String {
        let good = &self.file["accepted"];
        let header = changed(&good["header"], header);
        let mut claims = changed(&good["claims"], claims);
        let now_s = self.isolate.world.now.get().seconds();
        for name in TIMES {
            if let Some(seconds) = claims.get(name).and_then(Value::as_i64) {
                claims[name] = json!(now_s + seconds);
            }
        }
        key.token(self.algorithm, &Value::Object(header), &Value::Object(claims))
    }

    fn verify(&self, token: &str) -> Value {
        let response = self.isolate.get("/v1/verify", &format!("Bearer {token}"));
        let mut body = json_of(&response);
        body["status"] = json!(response.status);
        body
    }

    /// Verifies a token. Returns a text if the status or the reason differs from the expected one.
    fn differs(&self, what: &str, token: &str, status: u16, reason: &str) -> Option<String> {
        let answer = self.verify(token);
        let is_right =
            answer["status"] == status && answer["reason"].as_str().unwrap_or_default() == reason;
        (!is_right).then(|| format!("{what}: {status} {reason} expected, not {answer}"))
    }

    /// The groups whose services the token's user may use with the permission.
    fn groups(&self, token: &str) -> Vec<i64> {
        let allowed = |group: &i64| {
            let path = format!("/v1/check?service={group}&permission=TEST");
            json_of(&self.isolate.get(&path, &format!("Bearer {token}")))["allowed"] == true
        };
        mapped_groups(self.file).into_iter().filter(allowed).collect()
    }
}

fn changed(good: &Value, change: &Value) -> Map<String, Value> {
    let mut all = good.as_object().cloned().unwrap_or_default();
    for (name, value) in change.as_object().into_iter().flatten() {
        all.insert(name.clone(), value.clone());
    }
    all.retain(|_, value| !value.is_null());
    all
}

fn mapped_groups(file: &Value) -> Vec<i64> {
    file["app"]["groupMap"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, id)| id.as_i64())
        .collect()
}

fn files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers");
    let entries =
        std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        serde_json::from_str(&std::fs::read_to_string(path).expect("a text")).expect("JSON")
    };
    paths
        .iter()
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(path)))
        .collect()
}

/// Registers the provider's app, and publishes its keys and its metadata.
fn with_provider(file: &Value, test: impl FnOnce(&Provider<'_>) -> Vec<String>) -> Vec<String> {
    let world = World::new();
    let isolate = world.isolate();
    let algorithm = Algorithm::from_name(file["app"]["algorithm"].as_str().expect("a name"))
        .expect("an algorithm");
    let key = Issuer::of(algorithm);
    let metadata = &file["metadata"];
    let jwks_uri = metadata["jwks_uri"].as_str().expect("a URL");
    let mut set = changed(&file["set"], &json!({}));
    set.insert("keys".to_owned(), json!([key.jwk(&file["key"])]));
    world.issuers.publish(jwks_uri, &Value::Object(set).to_string(), None);
    if let Some(url) = metadata["url"].as_str() {
        let told = changed(metadata, &json!({ "url": null }));
        world.issuers.publish(url, &Value::Object(told).to_string(), None);
    }
    let response = isolate.administer("POST", "/v1/token-apps", &file["app"]);
    assert_eq!(
        (response.status, &json_of(&response)["warnings"]),
        (201, &Value::Null),
        "{}",
        response.body
    );
    for group in mapped_groups(file) {
        let grant =
            json!({ "authObjectType": "GROUP", "authObjectId": group, "permissions": ["TEST"] });
        let response =
            isolate.administer("POST", &format!("/api/v1/services/{group}/auth"), &grant);
        assert_eq!(response.status, 200, "{}", response.body);
    }
    test(&Provider { file, isolate: &isolate, algorithm, key: &key })
}

/// Runs a test for each provider, and shows all differences together.
fn for_all(test: impl Fn(&Provider<'_>) -> Vec<String>) {
    let files = files();
    assert!(files.len() >= 8, "{}", files.len());
    let differences: Vec<String> = files
        .iter()
        .flat_map(|(name, file)| {
            with_provider(file, &test)
                .into_iter()
                .map(move |difference| format!("{name}: {difference}"))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_right_token_names_the_right_user_with_their_roles_and_groups() {
    for_all(|provider| {
        let good = &provider.file["accepted"];
        let token = provider.token(&json!({}), &json!({}));
        let answer = provider.verify(&token);
        let mut user = answer["user"].as_object().cloned().unwrap_or_default();
        user.remove("id");
        let told = json!({
            "status": answer["status"], "app": answer["app"], "user": user,
            "groups": provider.groups(&token), "passed": answer["claims"],
        });
        let groups = if good["groups"].is_null() { json!([]) } else { good["groups"].clone() };
        let expected = json!({
            "status": 200, "app": provider.file["app"]["name"], "user": good["user"],
            "groups": groups, "passed": good["passed"],
        });
        if told == expected {
            Vec::new()
        } else {
            vec![format!("{expected} expected, not {answer}, {told}")]
        }
    });
}

#[test]
fn tokens_that_look_alike_are_told_apart() {
    for_all(|provider| {
        let others = provider.file["others"].as_array().expect("a list");
        let differs = |other: &Value| {
            let text = |name: &str| other[name].as_str().unwrap_or_default();
            let made = || provider.token(&other["header"], &other["claims"]);
            let token = other["token"].as_str().map_or_else(made, str::to_owned);
            let status = other["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .expect("a status");
            let is_reason = Denied::REASONS.contains(&text("reason")) || status != 401;
            assert!(is_reason, "{other}");
            provider.differs(text("what"), &token, status, text("reason"))
        };
        others.iter().filter_map(differs).collect()
    });
}

#[test]
fn these_tokens_are_refused_for_every_provider() {
    for_all(|provider| {
        let claims = &provider.file["app"]["claims"];
        let username = claims["username"].as_str().expect("a name");
        let issuer = provider.file["accepted"]["claims"]["iss"].as_str().expect("an issuer");
        let none = json!({});
        let logout = json!({ "events": { LOGOUT: {} }, "nonce": null });
        let other_key = loop {
            let key = if matches!(provider.key, Issuer::Rsa(_)) {
                other_rsa_key()
            } else {
                Issuer::of(provider.algorithm)
            };
            if key.spki() != provider.key.spki() {
                break key;
            }
        };
        let cases = [
            (
                "another key",
                provider.token_signed_by(&other_key, &none, &none),
                401,
                "bad_signature",
            ),
            (
                "another issuer",
                provider.token(&none, &json!({ "iss": format!("{issuer}x") })),
                401,
                "issuer_mismatch",
            ),
            ("no issuer", provider.token(&none, &json!({ "iss": null })), 401, "claim_missing"),
            (
                "an expired token",
                provider.token(&none, &json!({ "iat": -7200, "nbf": -7200, "exp": -3600 })),
                401,
                "expired",
            ),
            (
                "a token of next year",
                provider.token(&none, &json!({ "nbf": 31_536_000, "exp": 31_539_600 })),
                401,
                "not_yet_valid",
            ),
            (
                "a logout token",
                provider.token(&json!({ "typ": "logout+jwt" }), &logout),
                401,
                "type_refused",
            ),
            (
                "a logout token of type JWT",
                provider.token(&json!({ "typ": "JWT" }), &logout),
                401,
                "type_refused",
            ),
            (
                "a bound token",
                provider.token(&none, &json!({ "cnf": { "jkt": "x" } })),
                401,
                "bound_token",
            ),
            (
                "an administrator's name",
                provider.token(&none, &json!({ username: "admin" })),
                403,
                "user_refused",
            ),
        ];
        cases
            .iter()
            .filter_map(|(what, token, status, reason)| {
                provider.differs(what, token, *status, reason)
            })
            .collect()
    });
}

/// A second RSA key, because all issuers of [`Issuer::of`] share one.
fn other_rsa_key() -> Issuer {
    static OTHER: std::sync::OnceLock<rsa::RsaPrivateKey> = std::sync::OnceLock::new();
    let key =
        OTHER.get_or_init(|| rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 2048).expect("a key"));
    Issuer::Rsa(Box::new(key.clone()))
}

/// The fenced blocks of this kind on a page.
fn blocks<'p>(page: &'p str, kind: &str) -> Vec<&'p str> {
    let begin = format!("```{kind}\n");
    page.split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
        .collect()
}

/// The bodies that the page's commands send to `POST /v1/token-apps`.
fn typed_bodies(page: &str) -> Vec<Value> {
    let sent = |block: &&str| block.contains("/v1/token-apps -d '");
    let body = |block: &str| {
        block
            .split_once("/v1/token-apps -d '")
            .and_then(|(_, rest)| rest.split_once('\''))
            .map(|(body, _)| body.to_owned())
    };
    let read = |body: String| serde_json::from_str(&body).expect("JSON");
    blocks(page, "sh").into_iter().filter(sent).filter_map(body).map(read).collect()
}

#[test]
fn the_page_for_operators_has_the_bodies_that_are_tested_here() {
    let page = include_str!("../../docs/identity-providers.md");
    let read = |block: &&str| serde_json::from_str::<Value>(block).expect("JSON");
    let of_page: Vec<Value> =
        blocks(page, "json").iter().map(read).filter(|body| body["claims"].is_object()).collect();
    let files = files();
    for (name, file) in &files {
        assert!(
            of_page.contains(&file["app"]),
            "the page lacks the body of {name}: {}",
            file["app"]
        );
    }
    assert_eq!(of_page.len(), files.len(), "every body of the page is in tests/providers");
    let world = World::new();
    let isolate = world.isolate();
    let typed = typed_bodies(page);
    assert_eq!(typed.len(), 2);
    for body in typed {
        let response = isolate.administer("POST", "/v1/token-apps", &body);
        assert_eq!(response.status, 201, "{body}: {}", response.body);
    }
}

#[test]
fn the_page_for_operators_explains_every_reason_that_a_provider_can_meet() {
    let page = include_str!("../../docs/identity-providers.md");
    let (_, table) = page.split_once("| reason | what to look at |").expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1));
    let explained: Vec<&str> =
        rows.flat_map(|cell| cell.split(',')).map(|word| word.trim().trim_matches('`')).collect();
    let known: Vec<&str> =
        Denied::REASONS.into_iter().chain(Refusal::REASONS.iter().copied()).collect();
    for word in &explained {
        assert!(known.contains(word), "{word} is no reason");
    }
    for (name, file) in files() {
        for other in file["others"].as_array().expect("a list") {
            let reason = other["reason"].as_str().unwrap_or("expired");
            assert!(explained.contains(&reason), "{name}: {reason} is not explained");
        }
    }
}
