//! `/v1/explain` and `/v1/verify` have the same verdict on whatever is shown, however token apps
//! are set up.

use std::collections::BTreeSet;

use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::fetch_problem::FetchProblem;
use postern::ports::Statement;
use serde_json::{Value, json};

use crate::support::signatures::Issuer;
use crate::support::{Isolate, Request, World, admin, block_on, cookie_of, forge, json_of};

const FIRST: &str = "https://idp.test/introspect";
const SECOND: &str = "https://second.test/introspect";
const KEYS: &str = "https://issuer.test/keys";
const SHARED: &str = "0123456789abcdef0123456789abcdef";

/// A text, and a name for messages.
type Shown = (String, String);

/// What the endpoints answer about every token.
#[derive(Debug, Clone, Copy)]
enum Endpoints {
    Active,
    OnlySecondActive,
    /// The first does not answer, the second calls every token active.
    FirstDown,
    ActiveForOthers,
    Inactive,
    Down,
}

impl Endpoints {
    const ALL: [Self; 6] = [
        Self::Active,
        Self::OnlySecondActive,
        Self::FirstDown,
        Self::ActiveForOthers,
        Self::Inactive,
        Self::Down,
    ];

    fn publish(self, world: &World) {
        let now = world.now.get().seconds();
        let active = |audience: &str| {
            let answer = json!({
                "active": true, "token_type": "Bearer", "username": "alice", "aud": audience,
                "iss": "https://idp.test", "iat": now, "exp": now + 4_000,
            });
            Some(answer.to_string())
        };
        let inactive = || Some(json!({ "active": false }).to_string());
        let answers = match self {
            Self::Active => [active("gate"), active("gate")],
            Self::OnlySecondActive => [inactive(), active("gate")],
            Self::FirstDown => [None, active("gate")],
            Self::ActiveForOthers => [active("other"), active("other")],
            Self::Inactive => [inactive(), inactive()],
            Self::Down => [None, None],
        };
        for (url, answer) in [FIRST, SECOND].into_iter().zip(answers) {
            match answer {
                Some(answer) => world.issuers.publish(url, &answer, None),
                None => world.issuers.fail(url, FetchProblem::TimedOut),
            }
        }
    }
}

fn with(base: Value, change: &Value) -> Value {
    let mut body = base;
    for (member, value) in change.as_object().expect("an object") {
        body[member] = value.clone();
    }
    body
}

fn register(isolate: &Isolate<'_>, body: &Value) {
    let response = isolate.administer("POST", "/v1/token-apps", body);
    assert_eq!(response.status, 201, "{}", response.body);
}

/// An app that accepts tokens which a secret or a key signs.
fn signed(name: &str, change: &Value) -> Value {
    let base = json!({
        "name": name, "algorithm": "HS256", "secret": SHARED, "claims": { "username": "sub" },
    });
    with(base, change)
}

/// An app that asks an endpoint.
fn introspecting(name: &str, change: &Value) -> Value {
    let base = json!({
        "name": name, "algorithm": "introspection", "introspectionEndpoint": FIRST,
        "introspectionClientId": "gate", "secret": "a client secret", "audiences": ["gate"],
        "claims": { "username": "username" },
    });
    with(base, change)
}

/// The keys of the apps with keys.
struct Signers {
    public: Issuer,
    published: Issuer,
}

/// The apps with keys: of each kind of key one, a disabled one, one with an issuer.
fn apps_with_keys(world: &World, isolate: &Isolate<'_>) -> Signers {
    let [public, published] = [Algorithm::Es256, Algorithm::EdDsa].map(Issuer::of);
    let set = json!({ "keys": [published.jwk(&json!({ "kid": "k" }))] });
    world.issuers.publish(KEYS, &set.to_string(), None);
    register(isolate, &signed("Shared", &json!({})));
    register(
        isolate,
        &signed(
            "Of issuer",
            &json!({
                "secret": SHARED.repeat(2), "issuer": "https://jwt.test",
            }),
        ),
    );
    register(isolate, &signed("Off", &json!({ "secret": "off ".repeat(9), "enabled": false })));
    register(
        isolate,
        &signed(
            "Public",
            &json!({
                "algorithm": "ES256", "secret": public.pem(),
            }),
        ),
    );
    register(
        isolate,
        &signed(
            "Published",
            &json!({
                "algorithm": "EdDSA", "secret": KEYS, "anyAudience": true,
            }),
        ),
    );
    Signers { public, published }
}

fn revoke(isolate: &Isolate<'_>, body: &Value) {
    let response = isolate.administer("POST", "/v1/revocations", body);
    assert_eq!(response.status, 204, "{}", response.body);
}

/// Texts of every kind.
fn texts(world: &World, isolate: &Isolate<'_>, signers: Option<&Signers>) -> Vec<Shown> {
    let mut texts: Vec<Shown> = Vec::new();
    let mut add = |name: String, text: String| texts.push((name, text));
    let now = world.now.get().seconds();
    let claims = |change: &Value| {
        with(json!({ "sub": "alice", "iat": now, "exp": now + 80_000 }), change).to_string()
    };
    for name in ["opaque", "goodopaque.two", "a.b.c", "a.b.c.d", ".", "..", "eyJ.b.c", "ey.b.c"] {
        add(name.to_owned(), name.to_owned());
    }
    add("an empty text".to_owned(), String::new());
    add("a long text".to_owned(), "a".repeat(17_000));
    add("a long text with a dot".to_owned(), format!("a.{}", "a".repeat(17_000)));
    add("two words".to_owned(), "two words".to_owned());
    add("no ASCII".to_owned(), "caf\u{e9}.x".to_owned());
    let headers = [
        json!({}),
        json!({ "kid": "Shared" }),
        json!({ "kid": "Of issuer" }),
        json!({ "kid": "Off" }),
        json!({ "kid": "First" }),
        json!({ "kid": "Nobody" }),
    ];
    let changes = [
        json!({}),
        json!({ "iss": "https://jwt.test" }),
        json!({ "iss": "https://idp.test" }),
        json!({ "iss": "https://third.test" }),
        json!({ "exp": now - 600 }),
        json!({ "sub": "admin" }),
    ];
    for (row, header) in headers.iter().enumerate() {
        let header = with(json!({ "alg": "HS256" }), header).to_string();
        // Each header and each change alone, and a third of the pairs.
        let chosen = |(column, _): &(usize, &Value)| {
            row == 0 || *column == 0 || (row + column).is_multiple_of(3)
        };
        for (_, change) in changes.iter().enumerate().filter(chosen) {
            for (whose, secret) in [
                ("Shared", SHARED.to_owned()),
                ("Of issuer", SHARED.repeat(2)),
                ("Off", "off ".repeat(9)),
                ("nobody", "nobody".to_owned()),
            ] {
                if row == 0 || whose != "Off" {
                    let token = forge(&header, &claims(change), secret.as_bytes());
                    add(format!("{header} {change} of {whose}"), token);
                }
            }
        }
    }
    let token = |change: &Value| forge(r#"{"alg":"HS256"}"#, &claims(change), SHARED.as_bytes());
    for algorithm in ["none", "RS256", "HS512", "introspection", "PS384"] {
        let header = json!({ "alg": algorithm }).to_string();
        add(format!("under {algorithm}"), forge(&header, &claims(&json!({})), b"?"));
    }
    if let Some(Signers { public, published }) = signers {
        let claims = serde_json::from_str(&claims(&json!({}))).expect("claims");
        for (whose, issuer, algorithm) in
            [("Public", public, Algorithm::Es256), ("Published", published, Algorithm::EdDsa)]
        {
            for kid in ["", "k", "unknown", whose] {
                let header = if kid.is_empty() { json!({}) } else { json!({ "kid": kid }) };
                add(format!("kid {kid:?} of {whose}"), issuer.token(algorithm, &header, &claims));
            }
        }
        let [by_text, by_jti] =
            [json!({ "n": 1 }), json!({ "jti": "ended" })].map(|change| token(&change));
        revoke(isolate, &json!({ "token": by_text }));
        revoke(isolate, &json!({ "app": "Shared", "jti": "ended" }));
        add("revoked".to_owned(), by_text.clone());
        add("revoked by jti".to_owned(), by_jti);
        for end in ["=", ".", "A", "%", "\u{e9}"] {
            add(format!("revoked, and {end:?} at its end"), format!("{by_text}{end}"));
        }
        add("cut".to_owned(), by_text[..by_text.len() - 30].to_owned());
        add("without a signature".to_owned(), token(&json!({ "n": 2 })).replacen('.', "", 1));
    }
    let sign_in = |username: &str| {
        let body = json!({ "username": username, "password": "correct horse bob" }).to_string();
        isolate.send(&Request::new("POST", "/imanager/security/tokens.json").body(&body))
    };
    let own = sign_in("bob").body;
    let ended = sign_in("bob").body;
    revoke(isolate, &json!({ "token": ended }));
    add("Postern's own token, ended".to_owned(), ended);
    add("Postern's own token".to_owned(), own.clone());
    add("Postern's own token in capitals".to_owned(), own.to_uppercase());
    add("nobody's own token".to_owned(), "7ac687f1-51c3-46ad-8617-89d737d1ba0d".to_owned());
    let cookie = cookie_of(&sign_in("bob"));
    add("a cookie".to_owned(), cookie.split_once('=').expect("a cookie").1.to_owned());
    add("nobody's cookie".to_owned(), format!("{}.postern", "AB".repeat(16)));
    for (what, user) in [("a key", json!(null)), ("a key of bob", json!(2))] {
        let body = json!({ "name": what, "may": ["decisions"], "userId": user });
        let key = json_of(&isolate.administer("POST", "/v1/keys", &body))["key"].clone();
        let key = key.as_str().expect("a key").to_owned();
        add(format!("{what}, cut"), key[..key.len() - 1].to_owned());
        add(format!("{what} with dots"), format!("{key}.a.b"));
        add(what.to_owned(), key);
    }
    texts
}

fn verify(isolate: &Isolate<'_>, text: &str, app: Option<&str>) -> (bool, String) {
    let query = app.map_or_else(String::new, |app| format!("?app={}", app.replace(' ', "%20")));
    let request = Request::new("POST", &format!("/v1/verify{query}"))
        .body(&json!({ "token": text }).to_string());
    let response = isolate.send(&request);
    (response.status == 200, format!("{} {}", response.status, response.body))
}

/// A new key that administers. A password would be hashed once a minute.
fn administrator(world: &World) -> String {
    let name = format!("at {}", world.now.get().0);
    let body = json!({ "name": name, "may": ["administration"] });
    let made = world.isolate().administer("POST", "/v1/keys", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    format!("Bearer {}", json_of(&made)["key"].as_str().expect("a key"))
}

fn explain(isolate: &Isolate<'_>, (by, text): (&str, &str), app: Option<&str>) -> Value {
    let mut body = json!({ "token": text });
    if let Some(app) = app {
        body["app"] = json!(app);
    }
    let request = Request::new("POST", "/v1/explain").authorization(by).body(&body.to_string());
    let response = isolate.send(&request);
    assert_eq!(response.status, 200, "{text}: {}", response.body);
    json_of(&response)
}

/// Compares the verdicts on all texts. Returns the names of the texts that were accepted.
fn compare(
    world: &World,
    isolate: &Isolate<'_>,
    texts: &[Shown],
    apps: &[Option<&str>],
    what: &str,
) -> BTreeSet<String> {
    let mut accepted = BTreeSet::new();
    let by = administrator(world);
    for (name, text) in texts {
        for app in apps {
            // An isolate that was asked about many tokens asks no endpoint for a while, and no
            // issuer for keys.
            world.pass(11);
            let explained = explain(isolate, (&by, text), *app);
            if name.contains("unknown") {
                world.pass(11);
            }
            let (is_accepted, answer) = verify(isolate, text, *app);
            assert_eq!(
                explained["verdict"] == "accepted",
                is_accepted,
                "{what}: {name}, app {app:?}: {answer}\n{explained}"
            );
            let checks = explained["checks"].as_array().expect("checks");
            assert!(!checks.is_empty(), "{what}: {name}");
            let has_failed = checks.iter().any(|check| check["held"] == false);
            assert!(is_accepted || has_failed, "{what}: {name}, app {app:?}: {explained}");
            if is_accepted {
                accepted.insert(name.clone());
            }
        }
    }
    accepted
}

fn with_world(test: impl FnOnce(&World, &Isolate<'_>)) {
    let world = World::new();
    let isolate = world.isolate();
    let bob = json!({ "username": "bob", "password": "correct horse bob" });
    assert_eq!(isolate.administer("POST", "/v1/users", &bob).status, 201);
    Endpoints::Active.publish(&world);
    test(&world, &isolate);
}

fn assert_accepted(accepted: &BTreeSet<String>, names: &[&str]) {
    for name in names {
        assert!(accepted.contains(*name), "{name}: {accepted:?}");
    }
}

#[test]
fn without_introspection_they_agree() {
    with_world(|world, isolate| {
        let texts = texts(world, isolate, None);
        let accepted = compare(world, isolate, &texts, &[None, Some("Nobody")], "no app");
        assert_eq!(accepted.len(), 3, "{accepted:?}");
    });
    with_world(|world, isolate| {
        let signers = apps_with_keys(world, isolate);
        let texts = texts(world, isolate, Some(&signers));
        let apps = [None, Some("Shared"), Some("Off"), Some("Published"), Some("Nobody")];
        let accepted = compare(world, isolate, &texts, &apps, "keys");
        assert_accepted(
            &accepted,
            &[
                "Postern's own token",
                "a key",
                "a key of bob",
                "{\"alg\":\"HS256\"} {} of Shared",
                "kid \"\" of Public",
                "kid \"k\" of Published",
                "kid \"Published\" of Published",
            ],
        );
        world.issuers.fail(KEYS, FetchProblem::TimedOut);
        compare(world, &world.isolate(), &texts, &apps, "no key set");
    });
}

#[test]
fn with_introspection_they_agree() {
    let setups: [(&str, bool, Vec<Value>); 6] = [
        ("one", true, vec![introspecting("First", &json!({}))]),
        ("alone", false, vec![introspecting("First", &json!({}))]),
        (
            "of an issuer",
            true,
            vec![introspecting(
                "First",
                &json!({
                    "issuer": "https://idp.test",
                }),
            )],
        ),
        (
            "two",
            true,
            vec![
                introspecting("First", &json!({})),
                introspecting(
                    "Second",
                    &json!({
                        "introspectionEndpoint": SECOND, "introspectionCacheS": 0,
                    }),
                ),
            ],
        ),
        ("disabled", true, vec![introspecting("First", &json!({ "enabled": false }))]),
        (
            "five",
            true,
            (0..5)
                .map(|number| {
                    let name = if number == 0 { "First".to_owned() } else { format!("I {number}") };
                    introspecting(&name, &json!({}))
                })
                .collect(),
        ),
    ];
    for (what, has_keys, apps) in setups {
        with_world(|world, isolate| {
            let signers = has_keys.then(|| apps_with_keys(world, isolate));
            for app in &apps {
                register(isolate, app);
            }
            let mut texts = texts(world, isolate, signers.as_ref());
            if ["one", "alone", "two"].contains(&what) {
                let unsigned = forge(r#"{"alg":"RS256"}"#, r#"{"sub":"alice"}"#, b"?");
                for text in ["ended.opaque".to_owned(), unsigned] {
                    revoke(isolate, &json!({ "token": text }));
                    texts.push((format!("{text}, ended"), text));
                }
            }
            let mut accepted = BTreeSet::new();
            let all: &[_] = match what {
                "two" => &Endpoints::ALL,
                "one" => &[Endpoints::Active, Endpoints::ActiveForOthers, Endpoints::Down],
                "alone" => &[Endpoints::Active, Endpoints::Inactive],
                _ => &[Endpoints::Active],
            };
            for endpoints in all {
                // Tokens of endpoints end sooner than the comparison.
                let what = format!("{what}, {endpoints:?}");
                for part in texts.chunks(30) {
                    endpoints.publish(world);
                    let isolate = world.isolate();
                    let apps = [None, Some("First"), Some("Of issuer")];
                    accepted.extend(compare(world, &isolate, part, &apps, &what));
                }
            }
            assert_accepted(&accepted, &["Postern's own token", "a key"]);
            if what != "disabled" {
                assert_accepted(&accepted, &["opaque", "goodopaque.two", "a.b.c", "under RS256"]);
            }
        });
    }
}

#[test]
fn while_apps_lack_their_secrets_they_agree() {
    with_world(|world, isolate| {
        let signers = apps_with_keys(world, isolate);
        register(isolate, &introspecting("First", &json!({})));
        register(isolate, &introspecting("Second", &json!({ "introspectionEndpoint": SECOND })));
        let texts = texts(world, isolate, Some(&signers));
        for number in 0..70 {
            register(isolate, &signed(&format!("More {number}"), &json!({})));
        }
        let few: Vec<_> = texts.iter().filter(|(name, _)| !name.contains("iss")).cloned().collect();
        let apps = [None, Some("First"), Some("More 1")];
        let lose = |names: &str| {
            let update = format!("UPDATE token_apps SET secret = '' WHERE name LIKE '{names}'");
            let update = vec![Statement::new(update, [])];
            block_on(isolate.cx().sql.batch(update)).expect("apps without a secret");
        };
        for (names, endpoints) in [
            ("none", Endpoints::Inactive),
            ("More %", Endpoints::Inactive),
            ("First", Endpoints::OnlySecondActive),
            ("First", Endpoints::Inactive),
            ("Shared", Endpoints::Inactive),
        ] {
            lose(names);
            for part in few.chunks(30) {
                endpoints.publish(world);
                compare(world, &world.isolate(), part, &apps, &format!("{names} {endpoints:?}"));
            }
        }
    });
}

/// Nobody's endpoint gets a text that verification would not show it.
#[test]
fn an_explanation_shows_endpoints_no_more_than_verification_does() {
    with_world(|world, isolate| {
        let signers = apps_with_keys(world, isolate);
        register(isolate, &introspecting("First", &json!({})));
        let texts = texts(world, isolate, Some(&signers));
        let asked = || std::mem::take(&mut *world.issuers.introspected.borrow_mut()).len();
        let by = administrator(world);
        for (name, text) in texts {
            for app in [None, Some("First"), Some("Shared")] {
                asked();
                explain(isolate, (&by, &text), app);
                let by_explanation = asked() > 0;
                world.pass(61);
                Endpoints::Active.publish(world);
                verify(isolate, &text, app);
                let form = format!("token={text}&");
                let is_shown = world
                    .issuers
                    .introspected
                    .borrow()
                    .iter()
                    .any(|[_, _, sent]| sent.starts_with(&form));
                assert_eq!(by_explanation, is_shown, "{name}, {app:?}");
            }
        }
    });
}

#[test]
fn a_text_is_called_what_it_is() {
    with_world(|world, isolate| {
        let detail = |text: &str, app: Option<&str>| {
            let checks = explain(isolate, (&admin(), text), app)["checks"].clone();
            checks
                .as_array()
                .expect("checks")
                .iter()
                .map(|check| format!("{} {}", check["check"], check["detail"]).replace('"', ""))
                .collect::<Vec<_>>()
                .join("\n")
        };
        register(isolate, &introspecting("First", &json!({})));
        register(isolate, &introspecting("Off", &json!({ "enabled": false })));
        register(isolate, &signed("Shared", &json!({})));
        for (app, words) in [
            (
                "Shared",
                "has no introspection endpoint to ask about it: it takes tokens under HS256",
            ),
            ("Off", "is disabled, so its endpoint is not asked about it"),
            ("Nobody", "there is no token app"),
        ] {
            for text in ["opaque", "a.b.c"] {
                let told = detail(text, Some(app));
                assert!(told.contains(words), "{app}: {told}");
                assert!(!told.contains("no token app has"), "{app}: {told}");
            }
        }
        assert!(detail("", None).contains("it is empty"));
        assert!(detail(&"a".repeat(17_000), None).contains("it is longer than 16384 bytes"));
        let body = json!({ "username": "bob", "password": "correct horse bob" }).to_string();
        let signed_in =
            isolate.send(&Request::new("POST", "/imanager/security/tokens.json").body(&body));
        let cookie = cookie_of(&signed_in).split_once('=').expect("a cookie").1.to_owned();
        let told = detail(&cookie, None);
        assert!(told.contains("Postern's session cookie JSESSIONID"), "{told}");
        assert!(told.contains("session as a cookie it is valid"), "{told}");
        assert!(told.contains("bob") && !told.contains(&cookie), "{told}");
        world.pass(40 * 24 * 3600);
        assert!(!detail(&cookie, None).contains("it is valid"));
    });
}
