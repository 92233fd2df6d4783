//! JSON Schemas of shapes, and examples.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::http::shape::{Field, Kind, Shape, Text};

/// The name of the shared schema for any int64 in a request. Its pattern is too long to be
/// repeated.
const INT64: &str = "Int64";

/// Whether a schema allows members that it does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    Open,
    Closed,
}

/// Adds the schemas of a shape and of its members.
pub fn collect(
    shape: &'static Shape,
    objects: Objects,
    schemas: &mut BTreeMap<&'static str, Value>,
) {
    for field in shape.all_fields() {
        collect_kind(&field.kind, objects, schemas);
    }
    schemas.insert(shape.name, schema(shape, objects));
}

/// Adds the schemas that a kind refers to.
pub fn collect_kind(kind: &Kind, objects: Objects, schemas: &mut BTreeMap<&'static str, Value>) {
    match kind {
        Kind::Object(shape) => collect(shape, objects, schemas),
        Kind::OpenObject(shape) => collect(shape, Objects::Open, schemas),
        Kind::List { item, .. } => collect_kind(item, objects, schemas),
        Kind::Nullable(inner) | Kind::MapOf(inner) => collect_kind(inner, objects, schemas),
        Kind::AnyOf(kinds) => kinds.iter().for_each(|kind| collect_kind(kind, objects, schemas)),
        Kind::Digits { min: i64::MIN, max: i64::MAX } => {
            drop(schemas.insert(INT64, digits(i64::MIN, i64::MAX)))
        }
        Kind::Digits { .. }
        | Kind::Text(_)
        | Kind::Int64 { .. }
        | Kind::Boolean
        | Kind::OneOf(_)
        | Kind::AnyCase(_)
        | Kind::AnyObject
        | Kind::Null
        | Kind::Any => {}
    }
}

#[must_use]
pub fn schema(shape: &Shape, objects: Objects) -> Value {
    if shape.is_text() {
        return json!({ "type": "string" });
    }
    let properties: Map<_, _> =
        shape.all_fields().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<_> =
        shape.all_fields().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    bound(&mut schema, "additionalProperties", (objects == Objects::Closed).then_some(false));
    schema
}

fn property(field: &Field) -> Value {
    let mut schema = schema_of(&field.kind);
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), json!(field.about));
    }
    schema
}

#[must_use]
pub fn schema_of(kind: &Kind) -> Value {
    match kind {
        Kind::Text(text) => schema_of_text(text),
        Kind::Int64 { min, max } => {
            int64(json!({ "type": "integer", "format": "int64" }), *min, *max)
        }
        Kind::Digits { min: i64::MIN, max: i64::MAX } => {
            json!({ "$ref": format!("#/components/schemas/{INT64}") })
        }
        Kind::Digits { min, max } => digits(*min, *max),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::AnyCase(words) => {
            let pattern = format!(
                "^({})$",
                words.iter().map(|word| any_case(word)).collect::<Vec<_>>().join("|")
            );
            let exact = json!({ "type": "string", "enum": words });
            json!({ "anyOf": [exact, { "type": "string", "pattern": pattern }] })
        }
        Kind::AnyOf(kinds) => json!({ "anyOf": kinds.iter().map(schema_of).collect::<Vec<_>>() }),
        Kind::List { item, min, max } => {
            let mut schema = json!({ "type": "array", "items": schema_of(item) });
            bound(&mut schema, "minItems", (*min > 0).then_some(*min));
            bound(&mut schema, "maxItems", (*max < usize::MAX).then_some(*max));
            schema
        }
        Kind::Object(shape) | Kind::OpenObject(shape) => reference(shape),
        Kind::Nullable(inner) => nullable(schema_of(inner)),
        Kind::MapOf(inner) => json!({ "type": "object", "additionalProperties": schema_of(inner) }),
        Kind::AnyObject => json!({ "type": "object" }),
        Kind::Null => json!({ "type": "null" }),
        Kind::Any => json!({}),
    }
}

fn schema_of_text(text: &Text) -> Value {
    let mut schema = json!({ "type": "string" });
    bound(&mut schema, "minLength", (text.min > 0).then_some(text.min));
    bound(&mut schema, "maxLength", (text.max < usize::MAX).then_some(text.max));
    if let (Value::Object(members), false) = (&mut schema, text.pattern.is_empty()) {
        members.insert("pattern".to_owned(), json!(text.pattern));
    }
    schema
}

fn int64(mut schema: Value, min: i64, max: i64) -> Value {
    bound(&mut schema, "minimum", (min > i64::MIN).then_some(min));
    bound(&mut schema, "maximum", (max < i64::MAX).then_some(max));
    schema
}

/// A whole number, or its digits in a string.
fn digits(min: i64, max: i64) -> Value {
    int64(
        json!({
            "type": ["integer", "string"],
            "format": "int64",
            "pattern": digits_pattern(min, max),
        }),
        min,
        max,
    )
}

/// A pattern for the decimal numbers from `min`, which must be 1 or the least int64, to `max`.
fn digits_pattern(min: i64, max: i64) -> String {
    let digits = max.to_string();
    let shorter = digits.len().checked_sub(2).map(|others| format!("[1-9][0-9]{{0,{others}}}"));
    let mut alternatives: Vec<_> = shorter.into_iter().collect();
    // Numbers with as many digits as `max`: equal digits first, then a smaller digit, then any
    // digits.
    for (index, digit) in digits.bytes().enumerate() {
        let least = if index == 0 { b'1' } else { b'0' };
        if digit > least {
            let (same, others) =
                (digits.get(..index).unwrap_or_default(), digits.len() - index - 1);
            alternatives.push(format!(
                "{same}[{}-{}][0-9]{{{others}}}",
                char::from(least),
                char::from(digit - 1)
            ));
        }
    }
    alternatives.push(digits);
    let positive = alternatives.join("|");
    if min > 0 {
        format!("^\\+?0*({positive})$")
    } else {
        format!("^([+-]?0*(0|{positive})|-0*{})$", min.unsigned_abs())
    }
}

/// A pattern for a word, ignoring case.
fn any_case(word: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphabetic() {
            format!("[{}{}]", c, c.to_ascii_lowercase())
        } else {
            c.to_string()
        }
    };
    word.chars().map(letter).collect()
}

fn bound<T: Into<Value>>(schema: &mut Value, name: &str, limit: Option<T>) {
    if let (Value::Object(members), Some(limit)) = (schema, limit) {
        members.insert(name.to_owned(), limit.into());
    }
}

fn nullable(mut schema: Value) -> Value {
    let Value::Object(members) = &mut schema else { return schema };
    if let Some(Value::Array(words)) = members.get_mut("enum") {
        words.push(Value::Null);
    }
    match members.get("type").cloned() {
        Some(Value::Array(mut names)) => {
            names.push(json!("null"));
            members.insert("type".to_owned(), json!(names));
            schema
        }
        Some(name) => {
            members.insert("type".to_owned(), json!([name, "null"]));
            schema
        }
        // An empty schema already allows null.
        None if members.is_empty() => schema,
        None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

#[must_use]
pub fn reference(shape: &Shape) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
}

/// The shape's own example, otherwise one built from its members.
#[must_use]
pub fn example(shape: &Shape) -> Value {
    if !shape.example.is_empty() {
        return value(shape.example);
    }
    Value::Object(
        shape.all_fields().map(|field| (field.name.to_owned(), example_of(&field.kind))).collect(),
    )
}

fn example_of(kind: &Kind) -> Value {
    match kind {
        Kind::Object(shape) | Kind::OpenObject(shape) => example(shape),
        Kind::List { item, .. } => json!([example_of(item)]),
        Kind::OneOf(words) | Kind::AnyCase(words) => json!(words.first()),
        Kind::AnyOf(kinds) => kinds.first().map_or(Value::Null, example_of),
        Kind::Boolean => json!(true),
        Kind::Int64 { min, .. } | Kind::Digits { min, .. } => json!((*min).max(1)),
        Kind::Text(_) => json!("text"),
        Kind::MapOf(inner) => json!({ "value": example_of(inner) }),
        Kind::AnyObject => json!({}),
        Kind::Nullable(_) | Kind::Null | Kind::Any => Value::Null,
    }
}

#[must_use]
pub fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    const LIMITS: [(i64, i64); 5] =
        [(1, 7), (1, 100), (1, 315_360_000), (1, i64::MAX), (i64::MIN, i64::MAX)];

    fn numbers((min, max): (i64, i64)) -> impl Strategy<Value = (String, i64, i64)> {
        let pattern = digits_pattern(min, max);
        let inner = pattern.trim_start_matches('^').trim_end_matches('$').to_owned();
        string_regex(&inner).expect("a pattern").prop_map(move |digits| (digits, min, max))
    }

    proptest! {
        #[test]
        fn digits_that_match_are_a_number_within_the_limits(
            (digits, min, max) in proptest::sample::select(&LIMITS).prop_flat_map(numbers),
        ) {
            let number: i64 = digits.parse().expect("an int64");
            prop_assert!((min..=max).contains(&number), "{digits}");
        }
    }

    #[test]
    fn a_pattern_of_digits_has_a_part_for_each_shorter_beginning() {
        assert_eq!(digits_pattern(1, 7), r"^\+?0*([1-6][0-9]{0}|7)$");
        assert_eq!(digits_pattern(1, 100), r"^\+?0*([1-9][0-9]{0,1}|100)$");
        assert_eq!(
            digits_pattern(1, 320),
            r"^\+?0*([1-9][0-9]{0,1}|[1-2][0-9]{2}|3[0-1][0-9]{1}|320)$"
        );
    }
}
