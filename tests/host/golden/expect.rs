//! Compares an answer with what a step expects of it.

use std::collections::BTreeMap;

use postern::api::http::message::Response;
use serde_json::{Value, json};

/// The values of `{{name}}`: the tokens, the times and what was captured.
pub type Names = BTreeMap<String, String>;

/// Placeholders for a value of some shape.
pub const SHAPES: [&str; 8] =
    ["<int>", "<millis>", "<seconds>", "<uuid>", "<jwt>", "<cookie>", "<text>", "<any>"];

pub fn fill(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
}

pub fn check(expect: &Value, response: &Response, names: &Names) -> Result<(), String> {
    if expect["status"] != json!(response.status) {
        return Err(format!("status {} instead of {}", response.status, expect["status"]));
    }
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-request-id", "<text>"),
    ] {
        // If a step expects something else of this header, that expectation is used.
        if expect["headers"].get(name).is_some() {
            continue;
        }
        matches_text(value, response.header(name).unwrap_or_default())
            .map_err(|why| format!("header {name}: {why}"))?;
    }
    for (name, value) in expect["headers"].as_object().into_iter().flatten() {
        let actual = response
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref());
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
        (Value::Null, text) => {
            matches_text(&fill(text.as_str().unwrap_or_default(), names), &response.body)
        }
        (wanted, _) => {
            let wanted: Value = serde_json::from_str(&fill(&wanted.to_string(), names))
                .map_err(|error| error.to_string())?;
            let actual = serde_json::from_str(&response.body)
                .map_err(|error| format!("the body is no JSON: {error}"))?;
            matches_json("", &wanted, &actual)
        }
    }
}

pub fn matches_json(place: &str, wanted: &Value, actual: &Value) -> Result<(), String> {
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
        (Value::Array(wanted), Value::Array(actual)) if wanted.len() == actual.len() => {
            wanted.iter().zip(actual).enumerate().try_for_each(|(index, (wanted, actual))| {
                matches_json(&format!("{place}/{index}"), wanted, actual)
            })
        }
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
        (Value::String(wanted), Value::String(actual)) => {
            matches_text(wanted, actual).map_err(|why| format!("{place}: {why}"))
        }
        _ if wanted == actual => Ok(()),
        _ => Err(format!("{place}: {actual} instead of {wanted}")),
    }
}

/// Compares a text that may contain shapes.
fn matches_text(wanted: &str, actual: &str) -> Result<(), String> {
    if fits(wanted, actual) { Ok(()) } else { Err(format!("{actual:?} instead of {wanted:?}")) }
}

pub fn fits(wanted: &str, actual: &str) -> bool {
    let Some((before, shape, after)) = split(wanted) else { return wanted == actual };
    let Some(rest) = actual.strip_prefix(before) else { return false };
    (0..=rest.len())
        .rev()
        .filter(|&end| rest.is_char_boundary(end))
        .any(|end| is_of_shape(shape, &rest[..end]) && fits(after, &rest[end..]))
}

/// The first shape in a text, with the text before and after it.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (start, shape) =
        SHAPES.iter().filter_map(|shape| text.find(shape).map(|start| (start, *shape))).min()?;
    Some((&text[..start], shape, &text[start + shape.len()..]))
}

pub fn is_of_shape(shape: &str, text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match shape {
        "<int>" => text.parse::<i64>().is_ok(),
        "<millis>" => digits && text.len() == 13,
        "<seconds>" => digits && text.len() == 10,
        "<uuid>" => {
            let lengths: Vec<_> = text.split('-').map(str::len).collect();
            lengths == [8, 4, 4, 4, 12]
                && text.bytes().all(|byte| {
                    byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
                })
        }
        "<jwt>" => {
            text.split('.').count() == 3
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        }
        "<cookie>" => {
            text.len() == 32
                && text.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
        }
        "<text>" => !text.is_empty(),
        _ => true,
    }
}
