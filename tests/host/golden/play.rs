//! Plays a transcript on an empty Postern: the states that it names, then its own steps.

use postern::api::http::message::Response;
use postern::api::http::query::Query;
use postern::domain::secret::{hex, sha256};
use serde_json::{Value, json};

use super::expect::{Names, check, fill};
use super::files::States;
use crate::support::{ADMIN_PASSWORD, Request, World, basic, forge};

/// The first administrator, with a password that is verified at once.
const ADMINISTRATOR: &str = include_str!("../../golden/administrator.sql");

/// Plays a transcript and fails at the first answer that is not as expected.
pub fn play(transcript: &Value, states: &States) -> Result<(), String> {
    play_with(transcript, states, |step, response, names| check(&step["expect"], response, names))
}

/// Plays a transcript. The answers to its own steps go to `judge`; those to the steps of its
/// states must be as expected.
pub fn play_with(
    transcript: &Value,
    states: &States,
    mut judge: impl FnMut(&Value, &Response, &Names) -> Result<(), String>,
) -> Result<(), String> {
    let world = World::new();
    let isolate =
        world.isolate_of(transcript["variables"].as_object().cloned().unwrap_or_default());
    let mut names = Names::from([("admin".to_owned(), basic("admin", ADMIN_PASSWORD))]);
    let given = states.given(transcript)?;
    let first = given.first().map_or(transcript, |(_, state)| state);
    if begins_with_administrator(transcript, first) {
        world.database.execute(&ADMINISTRATOR.replace("NOW", &world.now.get().0.to_string()));
    }
    let states = given.into_iter().map(|(name, state)| (Some(name), state));
    for (state, part) in states.chain([(None, transcript)]) {
        learn(&world, part, &mut names);
        for (index, step) in part["steps"].as_array().ok_or("no steps")?.iter().enumerate() {
            let response = isolate.send(&request(&world, &step["send"], &names));
            let judged = match state {
                Some(_) => check(&step["expect"], &response, &names),
                None => judge(step, &response, &names),
            };
            let place = state.map(|name| format!("given {name}, ")).unwrap_or_default();
            judged.map_err(|why| {
                format!(
                    "{place}step {}: {why}\n  answer: {} {}",
                    index + 1,
                    response.status,
                    response.body
                )
            })?;
            for (name, place) in step["capture"].as_object().into_iter().flatten() {
                names.insert(name.clone(), capture(place.as_str().unwrap_or_default(), &response)?);
            }
            world.run_tasks();
        }
    }
    Ok(())
}

/// Answers whether the administrator can be inserted at once. If the first step creates them or
/// expects other secrets, they cannot.
fn begins_with_administrator(transcript: &Value, first: &Value) -> bool {
    let has_secrets = ["ADMIN_PASSWORD", "MASTER_KEY"]
        .iter()
        .all(|name| transcript["variables"].get(name).is_none());
    has_secrets
        && transcript["empty"] != true
        && first["steps"][0]["send"]["headers"]["authorization"] == "{{admin}}"
}

/// Adds the tokens and the moments of a transcript or a state.
fn learn(world: &World, part: &Value, names: &mut Names) {
    for (name, token) in part["tokens"].as_object().into_iter().flatten() {
        names.insert(name.clone(), sign(world, token));
    }
    for (name, offset) in part["moments"].as_object().into_iter().flatten() {
        names.insert(name.clone(), moment(world, offset.as_str().unwrap_or_default()));
    }
}

fn sign(world: &World, token: &Value) -> String {
    let now = world.now.get().seconds();
    let mut claims = token["claims"].clone();
    for value in claims.as_object_mut().into_iter().flat_map(|claims| claims.values_mut()) {
        let offset = value
            .as_str()
            .filter(|text| text.starts_with(['+', '-']))
            .and_then(|text| text.parse::<i64>().ok());
        if let Some(offset) = offset {
            *value = json!(now + offset);
        }
    }
    let header = if token["header"].is_null() {
        r#"{"typ":"JWT","alg":"HS256"}"#.to_owned()
    } else {
        token["header"].to_string()
    };
    forge(&header, &claims.to_string(), token["secret"].as_str().unwrap_or_default().as_bytes())
}

/// A text that begins with a sign is an offset from now in milliseconds; another text stays as it
/// is.
fn moment(world: &World, text: &str) -> String {
    let offset = text.starts_with(['+', '-']).then(|| text.parse::<i64>().ok()).flatten();
    offset.map_or_else(|| text.to_owned(), |offset| (world.now.get().0 + offset).to_string())
}

/// The digest by which an application proves its secret or signs a call: SHA-256 of all parts, in
/// hex.
fn digest(parts: &[&str]) -> String {
    hex(&sha256(parts.concat().as_bytes()))
}

/// The members that `prove` adds to a body.
fn prove(world: &World, prove: &Value, names: &Names) -> Vec<(&'static str, Value)> {
    let text = |name: &str, default: &str| fill(prove[name].as_str().unwrap_or(default), names);
    let (app_key, timestamp) = (text("appKey", ""), moment(world, &text("timestamp", "+0")));
    let encryption = digest(&[&app_key, &timestamp, &text("secret", "")]);
    let number = timestamp.parse::<i64>().map_or(Value::Null, Value::from);
    let timestamp = if prove["as"] == json!("string") { json!(timestamp) } else { number };
    vec![("appKey", json!(app_key)), ("encryption", json!(encryption)), ("timestamp", timestamp)]
}

/// The headers that `sign` adds. They sign what is sent, or the `query` and `body` that the
/// transcript names.
fn sign_call(
    world: &World,
    sign: &Value,
    path: &str,
    body: &str,
    names: &Names,
) -> [(&'static str, String); 3] {
    let text = |name: &str, default: &str| fill(sign[name].as_str().unwrap_or(default), names);
    let query = text("query", path.split_once('?').map_or("", |(_, query)| query));
    let mut pairs: Vec<_> = Query::parse(&query).expect("a query").pairs().to_vec();
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let params: String = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
    let (token, timestamp) = (text("token", ""), moment(world, &text("timestamp", "+0")));
    let signature =
        digest(&[&token, &params, &text("body", body), &timestamp, &text("secret", "")]);
    [("apim-accesstoken", token), ("apim-timestamp", timestamp), ("apim-signature", signature)]
}

fn request(world: &World, send: &Value, names: &Names) -> Request {
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
    if !json.is_null() && send.pointer("/headers/content-type").is_none() {
        request = request.header("content-type", "application/json");
    }
    let body = match (&json, &send["text"]) {
        (Value::Null, Value::Null) => None,
        (Value::Null, body) => Some(text(body)),
        (body, _) => Some(fill(&body.to_string(), names)),
    };
    if !send["sign"].is_null() {
        for (name, value) in
            sign_call(world, &send["sign"], &path, body.as_deref().unwrap_or_default(), names)
        {
            request = request.header(name, &value);
        }
    }
    match body {
        Some(body) => request.body(&body),
        None => request,
    }
}

fn capture(place: &str, response: &Response) -> Result<String, String> {
    let found = if let Some(pointer) = place.strip_prefix("json:") {
        let body: Value = serde_json::from_str(&response.body).unwrap_or(Value::Null);
        body.pointer(pointer)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    } else if let Some(name) = place.strip_prefix("header:") {
        response.header(name).map(str::to_owned)
    } else {
        (place == "text").then(|| response.body.clone())
    };
    found.ok_or(format!("nothing to capture at {place}"))
}
