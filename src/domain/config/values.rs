//! Reads the value of a variable according to its row in the table.
//!
//! `wrangler.toml` has texts and other values. The others arrive as numbers, booleans, lists and
//! objects. Here all of them are `Value`s. Each error is a phrase to put after the variable's name,
//! and never contains a secret.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::config::variables::ValueKind;
use crate::domain::json;

/// The value of a variable. `None` if it is not set.
type Given<'a> = Option<&'a Value>;
type Parsed<T> = Result<T, String>;

/// JavaScript passes the values on, and rounds larger numbers.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

impl ValueKind {
    /// The text that follows "must be" in an error.
    fn wanted(&self, value: &Value) -> String {
        match self {
            Self::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Boolean if value.is_string() => "\"0\" or \"1\"".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Words(words) => format!(
                "a list of names among {}, or a text that has them with commas",
                words.join(", ")
            ),
            Self::List => "a list of texts, or one text with commas between them".to_owned(),
            Self::Json => "a list, or a text that holds one as JSON".to_owned(),
            Self::Secret { .. } | Self::Text(_) | Self::Url | Self::Host => "a text".to_owned(),
        }
    }

    fn wrong(&self, value: &Value) -> String {
        format!("must be {}", self.wanted(value))
    }

    fn wrong_type(&self, value: &Value) -> String {
        let found = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a table",
        };
        format!("must be {}, and is {found}", self.wanted(value))
    }

    pub fn integer(&self, value: Given<'_>) -> Parsed<i64> {
        let Self::Integer { default, min, max } = *self else {
            return Err(self.is_other("a number"));
        };
        let Some(value) = value else { return Ok(default) };
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64(),
            other => return Err(self.wrong_type(other)),
        };
        number.filter(|number| (min..=max).contains(number)).ok_or_else(|| self.wrong(value))
    }

    pub fn boolean(&self, value: Given<'_>) -> Parsed<bool> {
        let Self::Boolean = self else { return Err(self.is_other("true or false")) };
        match value {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(value @ Value::String(text)) => match text.trim() {
                "0" | "false" => Ok(false),
                "1" | "true" => Ok(true),
                _ => Err(self.wrong(value)),
            },
            Some(other) => Err(self.wrong_type(other)),
        }
    }

    pub fn word(&self, value: Given<'_>) -> Parsed<&'static str> {
        let Self::Word(words) = *self else { return Err(self.is_other("a word")) };
        match value {
            None => Ok(words.first().copied().unwrap_or_default()),
            Some(value @ Value::String(text)) => {
                let word = words.iter().find(|word| **word == text.trim());
                word.copied().ok_or_else(|| self.wrong(value))
            }
            Some(other) => Err(self.wrong_type(other)),
        }
    }

    /// Some of the words, in the order of the table.
    pub fn words(&self, value: Given<'_>) -> Parsed<Vec<&'static str>> {
        let Self::Words(words) = *self else { return Err(self.is_other("some words")) };
        let Some(value) = value else { return Ok(words.to_vec()) };
        let named: Vec<_> = match value {
            Value::String(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
            }
            Value::Array(items) => {
                let texts = items.iter().map(|item| item.as_str().map(str::trim));
                texts.collect::<Option<_>>().ok_or_else(|| self.wrong(value))?
            }
            other => return Err(self.wrong_type(other)),
        };
        match named.iter().find(|name| !words.contains(name)) {
            Some(unknown) => Err(format!("{}: {unknown:?} is none of them", self.wrong(value))),
            None => Ok(words.iter().copied().filter(|word| named.contains(word)).collect()),
        }
    }

    /// A text, a URL or a secret, read by `parse`. `None` if it is not set and has no default.
    pub fn text<T>(&self, value: Given<'_>, parse: fn(&str) -> Parsed<T>) -> Parsed<Option<T>> {
        let default = match *self {
            Self::Text(default) => Some(default),
            Self::Secret { .. } | Self::Url | Self::Host => None,
            _ => return Err(self.is_other("a text")),
        };
        match value {
            None => default.map(parse).transpose(),
            Some(Value::String(text)) => parse(text).map(Some),
            Some(other) => Err(self.wrong_type(other)),
        }
    }

    /// A list with each item read by `parse`. A text may have empty items, for example after a
    /// final comma. A list may not.
    pub fn list<T>(&self, value: Given<'_>, parse: fn(&str) -> Parsed<T>) -> Parsed<Vec<T>> {
        let Self::List = self else { return Err(self.is_other("a list")) };
        match value {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => {
                let items = text.split(',').map(str::trim);
                items.filter(|item| !item.is_empty()).map(parse).collect()
            }
            Some(Value::Array(items)) => {
                let item = |item: &Value| match item.as_str().map(str::trim) {
                    Some("") => Err("must not have an empty item".to_owned()),
                    Some(text) => parse(text),
                    None => Err("must have texts only in its list".to_owned()),
                };
                items.iter().map(item).collect()
            }
            Some(other) => Err(self.wrong_type(other)),
        }
    }

    /// A list of tables, read by `parse`.
    pub fn json<T>(
        &self,
        value: Given<'_>,
        parse: fn(&[Value]) -> Parsed<Vec<T>>,
    ) -> Parsed<Vec<T>> {
        let Self::Json = self else { return Err(self.is_other("a list of tables")) };
        let value = match value {
            None => return Ok(Vec::new()),
            Some(Value::String(text)) => {
                let parsed = json::parse(text.as_bytes());
                Cow::Owned(parsed.map_err(|why| format!("is no JSON: {why}"))?)
            }
            Some(value) => Cow::Borrowed(value),
        };
        let items = value.as_array().ok_or_else(|| self.wrong_type(&value))?;
        if matches!(value, Cow::Borrowed(_)) && items.iter().any(has_rounded_number) {
            return Err(format!(
                "has a number over {MAX_EXACT}, which may have been rounded: \
                 write the whole variable as a text of JSON"
            ));
        }
        parse(items)
    }

    /// The error if `Config::read` asks for another type than the table has.
    fn is_other(&self, asked: &str) -> String {
        format!("is read as {asked}, which its row in the table does not say: {self:?}")
    }
}

fn has_rounded_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_none_or(|number| number.abs() > MAX_EXACT),
        Value::Array(items) => items.iter().any(has_rounded_number),
        Value::Object(members) => members.values().any(has_rounded_number),
        _ => false,
    }
}
