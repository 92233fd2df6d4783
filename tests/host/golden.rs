//! The transcripts of `tests/golden`, through `api::handle`. Their format is in `tests/golden/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use postern::api::http::message::Response;
use postern::api::http::query::Query;
use postern::domain::secret::{hex, sha256};
use serde_json::{Value, json};

use crate::support::{ADMIN_PASSWORD, Request, World, basic, forge};

/// Every transcript: its path below `tests/golden`, without the ending.
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("tests/golden")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("tests/golden") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_transcript_holds() {
    let only = std::env::var("GOLDEN").unwrap_or_default();
    let files: Vec<_> = files().into_iter().filter(|file| file.to_string_lossy().contains(&only)).collect();
    assert!(!files.is_empty(), "there are no transcripts");
    let failures = all(&files);
    assert!(failures.is_empty(), "{} of {} transcripts:\n{}", failures.len(), files.len(), failures.join("\n"));
    println!("{} transcripts", files.len());
}

/// Plays them on as many threads as there are processors; answers what failed.
fn all(files: &[PathBuf]) -> Vec<String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = |file: &PathBuf| play(file).err().map(|why| format!("{}: {why}", file.display()));
    std::thread::scope(|scope| {
        let parts: Vec<_> = files
            .chunks(files.len().div_ceil(threads))
            .map(|part| scope.spawn(move || part.iter().filter_map(failed).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("a thread")).collect()
    })
}

/// Whether a step of the transcript sends this method to a path of this form.
pub fn asks(file: &Path, method: &str, path: &str) -> bool {
    let fits = |sent: &str| {
        let sent: Vec<_> = sent.split('?').next().unwrap_or_default().split('/').collect();
        let wanted: Vec<_> = path.split('/').collect();
        sent.len() == wanted.len() && sent.iter().zip(&wanted).all(|(sent, wanted)| wanted.starts_with('{') || sent == wanted)
    };
    let asks = |step: &Value| step["send"]["method"].as_str().unwrap_or("GET") == method && step["send"]["path"].as_str().is_some_and(fits);
    read(file)["steps"].as_array().is_some_and(|steps| steps.iter().any(asks))
}

/// The status in a file's name is that of its last answer, so that the table test can count on it.
#[test]
fn files_are_named_by_their_last_status() {
    for file in files() {
        let transcript = read(&file);
        let last = transcript["steps"].as_array().and_then(|steps| steps.last()).map(|step| step["expect"]["status"].to_string());
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(name.split('-').next(), last.as_deref(), "{}", file.display());
    }
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("a transcript");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn play(file: &Path) -> Result<(), String> {
    let transcript = read(file);
    let world = World::new();
    let isolate = world.isolate_of(transcript["variables"].as_object().cloned().unwrap_or_default());
    let mut names = BTreeMap::from([("admin".to_owned(), basic("admin", ADMIN_PASSWORD))]);
    for (name, token) in transcript["tokens"].as_object().into_iter().flatten() {
        names.insert(name.clone(), sign(&world, token));
    }
    for (name, offset) in transcript["moments"].as_object().into_iter().flatten() {
        names.insert(name.clone(), moment(&world, offset.as_str().unwrap_or_default()));
    }
    for (index, step) in transcript["steps"].as_array().ok_or("no steps")?.iter().enumerate() {
        let response = isolate.send(&request(&world, &step["send"], &names));
        check(&step["expect"], &response, &names)
            .map_err(|why| format!("step {}: {why}\n  answer: {} {}", index + 1, response.status, response.body))?;
        for (name, place) in step["capture"].as_object().into_iter().flatten() {
            names.insert(name.clone(), capture(place.as_str().unwrap_or_default(), &response)?);
        }
        world.run_tasks();
    }
    Ok(())
}

fn sign(world: &World, token: &Value) -> String {
    let now = world.now.get().seconds();
    let mut claims = token["claims"].clone();
    for value in claims.as_object_mut().into_iter().flat_map(|claims| claims.values_mut()) {
        let offset = value.as_str().filter(|text| text.starts_with(['+', '-'])).and_then(|text| text.parse::<i64>().ok());
        if let Some(offset) = offset {
            *value = json!(now + offset);
        }
    }
    let header = if token["header"].is_null() { r#"{"typ":"JWT","alg":"HS256"}"#.to_owned() } else { token["header"].to_string() };
    forge(&header, &claims.to_string(), token["secret"].as_str().unwrap_or_default().as_bytes())
}

/// Now and so many milliseconds, where the text begins with a sign; else what it says.
fn moment(world: &World, text: &str) -> String {
    let offset = text.starts_with(['+', '-']).then(|| text.parse::<i64>().ok()).flatten();
    offset.map_or_else(|| text.to_owned(), |offset| (world.now.get().0 + offset).to_string())
}

/// What an application proves with its secret, or signs with it: SHA-256 of all parts, in hex.
fn digest(parts: &[&str]) -> String {
    hex(&sha256(parts.concat().as_bytes()))
}

/// The members that `prove` adds to a body.
fn prove(world: &World, prove: &Value, names: &BTreeMap<String, String>) -> Vec<(&'static str, Value)> {
    let text = |name: &str, default: &str| fill(prove[name].as_str().unwrap_or(default), names);
    let (app_key, timestamp) = (text("appKey", ""), moment(world, &text("timestamp", "+0")));
    let encryption = digest(&[&app_key, &timestamp, &text("secret", "")]);
    let number = timestamp.parse::<i64>().map_or(Value::Null, Value::from);
    let timestamp = if prove["as"] == json!("string") { json!(timestamp) } else { number };
    vec![("appKey", json!(app_key)), ("encryption", json!(encryption)), ("timestamp", timestamp)]
}

/// The headers that `sign` adds, over what is sent, or over `query` and `body` where the transcript names them.
fn sign_call(world: &World, sign: &Value, path: &str, body: &str, names: &BTreeMap<String, String>) -> [(&'static str, String); 3] {
    let text = |name: &str, default: &str| fill(sign[name].as_str().unwrap_or(default), names);
    let query = text("query", path.split_once('?').map_or("", |(_, query)| query));
    let mut pairs: Vec<_> = Query::parse(&query).expect("a query").pairs().to_vec();
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let params: String = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
    let (token, timestamp) = (text("token", ""), moment(world, &text("timestamp", "+0")));
    let signature = digest(&[&token, &params, &text("body", body), &timestamp, &text("secret", "")]);
    [("apim-accesstoken", token), ("apim-timestamp", timestamp), ("apim-signature", signature)]
}

fn request(world: &World, send: &Value, names: &BTreeMap<String, String>) -> Request {
    let text = |value: &Value| fill(value.as_str().unwrap_or_default(), names);
    let method = send["method"].as_str().unwrap_or("GET");
    let path = text(&send["path"]);
    let mut request = Request::new(method, &path);
    for (name, value) in send["headers"].as_object().into_iter().flatten() {
        for value in value.as_array().unwrap_or(&vec![value.clone()]) {
            request = request.header(name, &text(value));
        }
    }
    let mut json = send["json"].clone();
    if !send["prove"].is_null() {
        for (name, value) in prove(world, &send["prove"], names) {
            if json.get(name).is_none() {
                json[name] = value;
            }
        }
    }
    let body = match (&json, &send["text"]) {
        (Value::Null, Value::Null) => None,
        (Value::Null, body) => Some(text(body)),
        (body, _) => Some(fill(&body.to_string(), names)),
    };
    if !send["sign"].is_null() {
        for (name, value) in sign_call(world, &send["sign"], &path, body.as_deref().unwrap_or_default(), names) {
            request = request.header(name, &value);
        }
    }
    match body {
        Some(body) => request.body(&body),
        None => request,
    }
}

fn fill(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn capture(place: &str, response: &Response) -> Result<String, String> {
    let found = if let Some(pointer) = place.strip_prefix("json:") {
        let body: Value = serde_json::from_str(&response.body).unwrap_or(Value::Null);
        body.pointer(pointer).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    } else if let Some(name) = place.strip_prefix("header:") {
        response.header(name).map(str::to_owned)
    } else {
        (place == "text").then(|| response.body.clone())
    };
    found.ok_or(format!("nothing to capture at {place}"))
}

fn check(expect: &Value, response: &Response, names: &BTreeMap<String, String>) -> Result<(), String> {
    if expect["status"] != json!(response.status) {
        return Err(format!("status {} instead of {}", response.status, expect["status"]));
    }
    for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("x-request-id", "<text>")] {
        matches_text(value, response.header(name).unwrap_or_default()).map_err(|why| format!("header {name}: {why}"))?;
    }
    for (name, value) in expect["headers"].as_object().into_iter().flatten() {
        let actual = response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref());
        match (value, actual) {
            (Value::Null, None) => {}
            (Value::Null, Some(actual)) => return Err(format!("header {name} is there: {actual}")),
            (_, None) => return Err(format!("header {name} is missing")),
            (value, Some(actual)) => {
                let wanted = fill(value.as_str().unwrap_or_default(), names);
                matches_text(&wanted, actual).map_err(|why| format!("header {name}: {why}"))?;
            }
        }
    }
    match (&expect["json"], &expect["text"]) {
        (Value::Null, Value::Null) => Ok(()),
        (Value::Null, text) => matches_text(&fill(text.as_str().unwrap_or_default(), names), &response.body),
        (wanted, _) => {
            let wanted: Value = serde_json::from_str(&fill(&wanted.to_string(), names)).map_err(|error| error.to_string())?;
            let actual = serde_json::from_str(&response.body).map_err(|error| format!("the body is no JSON: {error}"))?;
            matches_json("", &wanted, &actual)
        }
    }
}

fn matches_json(place: &str, wanted: &Value, actual: &Value) -> Result<(), String> {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => {
            if let Some(name) = actual.keys().find(|name| !wanted.contains_key(*name)) {
                return Err(format!("{place}/{name} is not expected"));
            }
            wanted.iter().try_for_each(|(name, value)| {
                let actual = actual.get(name).ok_or(format!("{place}/{name} is missing"))?;
                matches_json(&format!("{place}/{name}"), value, actual)
            })
        }
        (Value::Array(wanted), Value::Array(actual)) if wanted.len() == actual.len() => wanted
            .iter()
            .zip(actual)
            .enumerate()
            .try_for_each(|(index, (wanted, actual))| matches_json(&format!("{place}/{index}"), wanted, actual)),
        (Value::String(shape), Value::Number(number)) => {
            let number = number.as_i64().ok_or(format!("{place}: no whole number"))?;
            let fits = match shape.as_str() {
                "<int>" | "<any>" => true,
                "<millis>" => (1_000_000_000_000..10_000_000_000_000).contains(&number),
                "<seconds>" => (1_000_000_000..10_000_000_000).contains(&number),
                _ => false,
            };
            if fits { Ok(()) } else { Err(format!("{place}: {number} instead of {shape}")) }
        }
        (Value::String(shape), _) if shape == "<any>" => Ok(()),
        (Value::String(wanted), Value::String(actual)) => matches_text(wanted, actual).map_err(|why| format!("{place}: {why}")),
        _ if wanted == actual => Ok(()),
        _ => Err(format!("{place}: {actual} instead of {wanted}")),
    }
}

/// A text that may have shapes within.
fn matches_text(wanted: &str, actual: &str) -> Result<(), String> {
    if fits(wanted, actual) { Ok(()) } else { Err(format!("{actual:?} instead of {wanted:?}")) }
}

fn fits(wanted: &str, actual: &str) -> bool {
    let Some((before, shape, after)) = split(wanted) else { return wanted == actual };
    let Some(rest) = actual.strip_prefix(before) else { return false };
    (0..=rest.len())
        .rev()
        .filter(|&end| rest.is_char_boundary(end))
        .any(|end| is_of_shape(shape, &rest[..end]) && fits(after, &rest[end..]))
}

/// The first shape in a text, with what stands before and after.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let shapes = ["<int>", "<millis>", "<seconds>", "<uuid>", "<jwt>", "<cookie>", "<text>", "<any>"];
    let (start, shape) = shapes.iter().filter_map(|shape| text.find(shape).map(|start| (start, *shape))).min()?;
    Some((&text[..start], shape, &text[start + shape.len()..]))
}

fn is_of_shape(shape: &str, text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match shape {
        "<int>" => text.parse::<i64>().is_ok(),
        "<millis>" => digits && text.len() == 13,
        "<seconds>" => digits && text.len() == 10,
        "<uuid>" => {
            let lengths: Vec<_> = text.split('-').map(str::len).collect();
            lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        }
        "<jwt>" => text.split('.').count() == 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "<cookie>" => text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)),
        "<text>" => !text.is_empty(),
        _ => true,
    }
}
