//! What is given to a reader of bytes from outside, and what must then hold.
//!
//! Each function takes any bytes. It panics where a reader lets through what it must not, or does
//! not read again what it has read. `cargo fuzz` looks for such bytes (CONTRIBUTING.md). The host
//! tests run each function over `fuzz/corpus`, with the bytes that were found so far.

use base64ct::{Base64UrlUnpadded, Encoding};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postern::api::dialects::scim::filter::{self, Attribute, Term, Test};
use postern::api::dialects::scim::path::Path;
use postern::api::http::body::{Fields, is_json};
use postern::api::http::query::{Query, decode};
use postern::domain::backup::format::Format;
use postern::domain::json;
use postern::domain::origin::{Demand, Prefix, Rules, read_rules};
use postern::domain::path_readings;
use postern::domain::secret::{Secret, hmac_sha256};
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwk::IssuerKey;
use postern::domain::tokens::jwt::{Clock, UnverifiedToken};
use postern::domain::tokens::key_set::KeySet;
use postern::domain::tokens::keys::Keys;
use postern::domain::tokens::public_key::{Members, PublicKey};
use postern::domain::tokens::public_key_recognition::recognize_public_key;
use postern::domain::tolerant_json;
use serde_json::{Map, Value, json};

/// A target by the name of its corpus.
pub type Target = fn(&[u8]);

/// All targets.
pub const ALL: &[(&str, Target)] = &[
    ("claims", claims),
    ("forms", forms),
    ("json", json),
    ("keys", keys),
    ("paths", paths),
    ("records", records),
    ("scim", scim),
    ("tokens", tokens),
];

const SECRET: &[u8] = b"a secret of the tests, long enough for each algorithm: 64 bytes.";

fn secret() -> Secret {
    Secret::new(SECRET)
}

/// A token as a client sends it. What is read has one spelling and a known algorithm, and of two
/// tokens that differ at most one is signed by the secret.
pub fn tokens(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = UnverifiedToken::parse(text) else { return };
    let parts: Vec<_> = text.split('.').collect();
    assert_eq!(parts.len(), 3, "a token has three parts");
    for part in &parts {
        let bytes = Base64UrlUnpadded::decode_vec(part).expect("each part is base64url");
        assert_eq!(Base64UrlUnpadded::encode_string(&bytes), *part, "a part has one spelling");
    }
    let header = Base64UrlUnpadded::decode_vec(parts[0]).expect("the header is base64url");
    let header: Value = serde_json::from_slice(&header).expect("the header is JSON");
    assert!(header.get("crit").is_none(), "no extension is understood");
    let name = header["alg"].as_str().expect("the header names its algorithm");
    let algorithm = Algorithm::of_signature(name).expect("the algorithm is a known one");
    assert_eq!(token.algorithm(), algorithm.canonical());
    let _ = (token.issuer(), token.key_id(), token.possible_usernames());
    for algorithm in Algorithm::ALL {
        assert!(token.verify(algorithm, &Secret::new("")).is_none(), "a blank secret is none");
        if token.verify(algorithm, &secret()).is_none() {
            continue;
        }
        assert!(algorithm.has_shared_secret() && token.algorithm() == algorithm.canonical());
        for place in (0..text.len()).step_by(text.len() / 8 + 1) {
            let mut other = text.as_bytes().to_vec();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("a token is ASCII");
            let verified = UnverifiedToken::parse(&other)
                .is_ok_and(|token| token.verify(algorithm, &secret()).is_some());
            assert!(!verified, "another text is not signed");
        }
    }
}

/// The claims of a token that is signed. They are strict JSON, and a token that counts has neither
/// begun in the future nor ended.
pub fn claims(data: &[u8]) {
    let now_s = 1_700_000_000;
    let (expire_s, leeway_s) = (3600, 60);
    if data.len() > 8 * 1024 {
        return;
    }
    let [header, claims] = [br#"{"alg":"HS256"}"#, data].map(Base64UrlUnpadded::encode_string);
    let signed = format!("{header}.{claims}");
    let signature = hmac_sha256(SECRET, signed.as_bytes());
    let text = format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature));
    let Ok(token) = UnverifiedToken::parse(&text) else {
        assert!(json::parse_object(data).is_err(), "claims are refused for their JSON only");
        return;
    };
    let object = json::parse_object(data).expect("claims are an object");
    assert!(token.verify(Algorithm::Hs256, &Secret::new("another secret")).is_none());
    assert!(token.verify(Algorithm::Hs512, &secret()).is_none());
    let verified = token.verify(Algorithm::Hs256, &secret()).expect("the token is signed");
    let _ = (verified.jti(), verified.texts("aud"), verified.text("name", 10));
    if let Ok(name) = verified.username("loginname") {
        let claim = &object["loginname"];
        assert!(claim.is_string() || claim.is_i64() || claim.is_u64(), "{name:?} of {claim}");
    }
    for pointer in ["/a", "/a/b", "/a/0", "/~1"] {
        if !object.contains_key(pointer) {
            assert_eq!(verified.get(pointer), Value::Object(object.clone()).pointer(pointer));
        }
    }
    let clock = Clock { now: Millis(now_s * 1000), leeway_s };
    let Ok(lifetime) = verified.lifetime(expire_s, clock) else { return };
    let [exp, nbf, iat] = ["exp", "nbf", "iat"].map(|name| object.get(name));
    assert!(exp.is_some() || iat.is_some(), "a token has an end");
    let number = |value: &Value| value.as_f64().expect("a moment is a number");
    let in_seconds = |seconds: i64| seconds as f64;
    assert!(now_s < lifetime.end_s + leeway_s, "a token that counts has not ended");
    for begin in [nbf, iat].into_iter().flatten() {
        assert!(number(begin) < in_seconds(now_s + leeway_s + 1), "it has begun");
    }
    if let Some(exp) = exp {
        assert!(in_seconds(lifetime.end_s) <= number(exp), "no token outlives its exp");
    }
    let latest = iat.map_or(in_seconds(now_s + leeway_s), number);
    assert!(in_seconds(lifetime.end_s - expire_s) <= latest, "nor the app's limit");
}

/// Keys as they are registered and as issuers publish them. Each that is taken is read as itself
/// from all its forms, and no public key becomes a shared secret.
pub fn keys(data: &[u8]) {
    for algorithm in Algorithm::ALL {
        match Keys::parse(algorithm, &Secret::new(data)) {
            Ok(Keys::Shared(key)) => {
                assert!(algorithm.has_shared_secret());
                let bytes = key.secret.expose();
                assert!(!bytes.is_empty() && recognize_public_key(bytes).is_none());
            }
            Ok(Keys::Public(set)) => {
                assert!(!algorithm.has_shared_secret());
                check_set(&set);
            }
            Ok(Keys::Published(source)) => assert!(source.as_str().starts_with("https://")),
            Ok(Keys::None | Keys::Introspected(_)) | Err(_) => {}
        }
    }
    if let Ok(set) = KeySet::published(data) {
        check_set(&set);
    }
    if let Ok(key) = PublicKey::from_spki(data) {
        assert_eq!(key.spki(), data, "a key has one DER");
        check_key(&key);
    }
}

fn check_set(set: &KeySet) {
    for key in set.iter() {
        check_key(&key.key);
    }
    for algorithm in Algorithm::ALL {
        for key in set.choose(algorithm, None) {
            assert!(key.key.signature_bytes(algorithm).is_some(), "a chosen key fits");
        }
    }
}

fn check_key(key: &PublicKey) {
    let again = PublicKey::from_spki(key.spki()).expect("a key is read from its SPKI");
    assert_eq!(again.id(), key.id());
    let base64 = base64ct::Base64::encode_string(key.spki());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    let again = PublicKey::from_pem(&pem).expect("a key is read from its PEM");
    assert_eq!(again.id(), key.id());
    let text = Base64UrlUnpadded::encode_string;
    let jwk = match key.members() {
        Members::Rsa { modulus, exponent } => {
            json!({ "kty": "RSA", "n": text(modulus), "e": text(exponent) })
        }
        Members::Ec { curve, x, y } => {
            json!({ "kty": "EC", "crv": curve.name(), "x": text(x), "y": text(y) })
        }
        Members::Ed25519 { x } => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(x) }),
    };
    let jwk = jwk.as_object().expect("a JWK is an object");
    let again = IssuerKey::from_jwk(jwk).expect("a key is read from its JWK");
    assert_eq!(again.key.id(), key.id());
    let shown = Secret::new(pem);
    assert!(Keys::parse(Algorithm::Hs256, &shown).is_err(), "no public key is a shared secret");
}

/// A query, a form or a JSON body. What is read is read as the same once it is written again.
pub fn forms(data: &[u8]) {
    if let Ok(fields) = Fields::parse(data) {
        for name in ["a", "b"] {
            let _ = (fields.text(name), fields.texts(name), fields.required_object(name));
            let _ = (fields.boolean(name), fields.integer(name, 0, 9), fields.secret(name));
        }
        let members = fields.into_members();
        if is_json(data) && !members.values().any(has_fraction) {
            let written = Value::Object(members.clone()).to_string();
            let again = Fields::parse(written.as_bytes()).expect("a body is read again");
            assert_eq!(again.into_members(), members);
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lenient = Query::of_others(text);
    let Ok(query) = Query::parse(text) else { return };
    let named = |query: &Query| {
        query.pairs().iter().filter(|(name, _)| !name.is_empty()).cloned().collect::<Vec<_>>()
    };
    assert_eq!(named(&query), named(&lenient), "both readers see the same parameters");
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let written: Vec<_> = query
        .pairs()
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let again = Query::parse(&written.join("&")).expect("a query is read again");
    assert_eq!(again.pairs(), query.pairs());
    for (_, value) in query.pairs() {
        assert_eq!(decode(&encoded(value), "value").as_ref(), Ok(value));
    }
}

/// What some server does to a path, each written here once more.
type Step = fn(&str) -> String;

const STEPS: [(char, Step); 8] = [
    ('d', |path| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()),
    ('b', |path| path.replace('\\', "/")),
    ('q', |path| path.split('?').next().unwrap_or_default().to_owned()),
    ('f', |path| path.split('#').next().unwrap_or_default().to_owned()),
    ('p', |path| each_segment(path, |segment| segment.split(';').next().unwrap_or_default())),
    ('w', |path| {
        each_segment(path, |segment| match segment {
            "." | ".." => segment,
            other => other.trim_end_matches(['.', ' ']),
        })
    }),
    ('s', |path| each_segment(path, |segment| segment.split(':').next().unwrap_or_default())),
    ('r', |path| resolved(path).expect("no server may climb above the root")),
];

fn each_segment(path: &str, step: impl Fn(&str) -> &str) -> String {
    path.split('/').map(step).collect::<Vec<_>>().join("/")
}

fn resolved(path: &str) -> Option<String> {
    let mut stack = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(stack.pop()?),
            other => stack.push(other),
        }
    }
    Some(format!("/{}", stack.join("/")))
}

/// A path, behind a line that names the steps by which a server reads it. What the gateway lets
/// pass as public is public for that server, and what a rule binds is bound however it is written.
pub fn paths(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (steps, path) = text.split_once('\n').unwrap_or(("dr", text));
    if !path.starts_with('/') || steps.len() > 8 {
        return;
    }
    let prefix = |text: &str| Prefix::parse(text).expect("a prefix");
    let public = Rules { public: vec![prefix("/static")], rules: Vec::new() };
    let rule = json!({ "path": "/reports", "service": 7, "permission": "VIEW" });
    let rules = read_rules(&[rule]).expect("a rule");
    let bound = Rules { public: vec![prefix("/")], rules };
    let Ok(matched) = public.demand("GET", "", path) else { return };
    let is_public = matched.demand == Demand::Nothing;
    let is_bound = bound.demand("GET", "", path).expect("as above").demand != Demand::Nothing;
    let mut read = path_readings::as_sent(path).expect("a path that was read can be sent");
    for step in steps.chars() {
        if let Some((_, step)) = STEPS.iter().find(|(name, _)| *name == step) {
            read = step(&read);
        }
    }
    let read = resolved(&read).expect("no server may climb above the root");
    let first = read.split('/').nth(1);
    assert!(!is_public || first == Some("static"), "{path:?} is read as {read:?}");
    assert!(is_bound || first != Some("reports"), "{path:?} is read as {read:?}");
}

/// Records of an import. What is read is read as the same from both formats.
pub fn records(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for format in [Format::Ndjson, Format::Csv] {
        let _ = format.read_place(text);
        let Ok(records) = format.read(text) else { continue };
        let members: Vec<_> = records.iter().map(|(_, record)| record.members()).collect();
        for written in [Format::Ndjson, Format::Csv] {
            let lines: String = records.iter().map(|(_, record)| written.line(record)).collect();
            let text = format!("{}{lines}", written.head());
            let again = written.read(&text).unwrap_or_else(|wrong| panic!("{wrong:?}: {text}"));
            let again: Vec<_> = again.iter().map(|(_, record)| record.members()).collect();
            assert_eq!(again, members, "{text}");
        }
    }
}

/// JSON. The strict reader reads what `serde_json` reads, and the others read what it does.
pub fn json(data: &[u8]) {
    let tolerant = tolerant_json::list_in(data, "keys");
    let Ok(value) = json::parse(data) else {
        assert!(json::Members::parse(data).is_err(), "both readers are as strict");
        return;
    };
    assert_eq!(serde_json::from_slice::<Value>(data).ok().as_ref(), Some(&value));
    if !has_fraction(&value) {
        assert_eq!(json::parse(value.to_string().as_bytes()).as_ref(), Ok(&value));
    }
    let Value::Object(object) = value else { return };
    let members = json::Members::parse(data).expect("both readers are as strict");
    for (name, value) in &object {
        assert_eq!(members.get(name), Some(value));
    }
    assert_eq!(members.values().count(), object.len());
    let list = tolerant.ok().flatten().map(|items| items.into_iter().collect::<Result<_, _>>());
    if let Some(Value::Array(items)) = object.get("keys") {
        assert_eq!(list, Some(Ok(items.clone())), "what is right is read as it is");
    }
    let mut merged = Map::new();
    json::merge_patch(&mut merged, object);
}

/// Whether a number in it may come back as the number beside it: `serde_json` reads fractions fast,
/// and not to the last bit.
fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A filter or a path of SCIM. What is read is read as the same once it is written again.
pub fn scim(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(terms) = filter::parse(text) {
        let written = written(&terms);
        assert_eq!(filter::parse(&written).as_ref(), Ok(&terms), "{written}");
    }
    if let Ok(Path::Attribute(attribute)) = Path::parse(text) {
        let Attribute { name, which, part } = &attribute;
        let which = which.as_ref().map_or(String::new(), |terms| format!("[{}]", written(terms)));
        let part = part.as_ref().map_or(String::new(), |part| format!(".{part}"));
        let written = format!("{name}{which}{part}");
        assert_eq!(Path::parse(&written), Ok(Path::Attribute(attribute)), "{written}");
    }
}

fn written(terms: &[Term]) -> String {
    let term = |term: &Term| {
        let (name, part) = term.name.split_once('.').unwrap_or((&term.name, ""));
        let dot = if part.is_empty() { "" } else { "." };
        let which =
            term.which.as_ref().map_or(String::new(), |terms| format!("[{}]", written(terms)));
        let test = match &term.test {
            Test::Present => "pr".to_owned(),
            Test::Equals(text) => format!("eq {}", Value::from(text.as_str())),
        };
        format!("{name}{which}{dot}{part} {test}")
    };
    terms.iter().map(term).collect::<Vec<_>>().join(" and ")
}
