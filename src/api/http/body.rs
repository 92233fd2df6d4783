//! Reads bodies. The first character tells JSON from a form, because published examples declare the
//! wrong content type.
//!
//! Both become named members. In a form, `a[b]=…`, `a.b=…` or `a={"b":…}` is an object, and
//! `a=1&a=2`, `a[]=1` or `a=["1"]` is a list.

use serde_json::{Map, Value};

use crate::api::http::query::{self, Query};
use crate::api::http::shape::Shape;
use crate::api::http::undeclared::{self, Undeclared};
use crate::domain::json;
use crate::domain::secret::Secret;
use crate::error::{Error, Result};

/// The members of a body, or of an object in it.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    is_form: bool,
    prefix: String,
}

impl Fields {
    /// Reads a body. An empty body has no members.
    pub fn parse(body: &[u8]) -> Result<Self> {
        if !is_json(body) {
            return Self::parse_form(body);
        }
        match parse_json(body)? {
            Value::Object(members) => Ok(Self { members, is_form: false, prefix: String::new() }),
            _ => Err(Error::unreadable("body", "must be a JSON object")),
        }
    }

    fn parse_form(body: &[u8]) -> Result<Self> {
        let text =
            std::str::from_utf8(body).map_err(|_| Error::unreadable("body", "must be UTF-8"))?;
        let mut members = Map::new();
        for (name, value) in Query::parse(text.trim())?.pairs() {
            add_pair(&mut members, name, value)?;
        }
        Ok(Self { members, is_form: true, prefix: String::new() })
    }

    #[must_use]
    pub fn from_members(members: Map<String, Value>) -> Self {
        Self { members, is_form: false, prefix: String::new() }
    }

    /// Whether the member is present, possibly null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Whether the member is present and not null.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// The members that the shape does not declare, including those of nested objects.
    #[must_use]
    pub fn undeclared(&self, shape: &Shape) -> Vec<Undeclared> {
        undeclared::members(&self.members, self.is_form, shape)
    }

    /// An error that names the member by its full path.
    pub fn invalid(&self, name: &str, why: impl Into<String>) -> Error {
        Error::invalid(format!("{}{name}", self.prefix), why)
    }

    /// The value of a required member.
    pub fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Error::missing(format!("{}{name}", self.prefix)))
    }

    /// A string. `None` if the member is absent or null.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Array(_)) if self.is_form => {
                Err(self.invalid(name, "must not be there twice"))
            }
            Some(_) => Err(self.invalid(name, "must be a string")),
        }
    }

    pub fn required_text(&self, name: &str) -> Result<&str> {
        self.required(name, self.text(name)?)
    }

    /// A required string that must follow a rule.
    pub fn parsed<T>(
        &self,
        name: &str,
        rule: impl FnOnce(&str) -> std::result::Result<T, String>,
    ) -> Result<T> {
        rule(self.required_text(name)?).map_err(|why| self.invalid(name, why))
    }

    pub fn secret(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.text(name)?.map(Secret::new))
    }

    /// A whole number within limits. Its decimal digits in a string are accepted, too.
    pub fn integer(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(value) => value.as_i64(),
        };
        let number = number.filter(|number| (min..=max).contains(number));
        number.map(Some).ok_or_else(|| self.invalid(name, query::limits(min, max)))
    }

    /// A whole number as text, as the caller sent it: a number or a string.
    pub fn digits(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_i64() => Ok(Some(number.to_string())),
            Some(_) => Err(self.invalid(name, "must be a whole number")),
        }
    }

    pub fn required_integer(&self, name: &str, min: i64, max: i64) -> Result<i64> {
        self.required(name, self.integer(name, min, max)?)
    }

    /// A required `"1"` or `"0"`.
    pub fn required_flag(&self, name: &str) -> Result<bool> {
        match self.required_text(name)? {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err(self.invalid(name, "must be \"1\" or \"0\"")),
        }
    }

    /// A boolean. In a form it is the word `true` or `false`.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(word)) if self.is_form && word == "true" => Ok(Some(true)),
            Some(Value::String(word)) if self.is_form && word == "false" => Ok(Some(false)),
            Some(_) => Err(self.invalid(name, "must be true or false")),
        }
    }

    /// A list of strings. In a form it may also be a single string, or JSON text.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let wrong = || self.invalid(name, "must be a list of strings");
        let parsed;
        let list = match self.get(name) {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(Value::String(text)) if self.is_form && text.is_empty() => {
                return Ok(Some(Vec::new()));
            }
            Some(Value::String(text)) if self.is_form && text.trim_start().starts_with('[') => {
                parsed = json::parse(text.as_bytes())
                    .map_err(|why| self.invalid(name, format!("is no JSON: {why}")))?;
                parsed.as_array().ok_or_else(wrong)?
            }
            Some(Value::String(text)) if self.is_form => return Ok(Some(vec![text.clone()])),
            Some(_) => return Err(wrong()),
        };
        list.iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_>>()
            .map(Some)
    }

    pub fn required_texts(&self, name: &str) -> Result<Vec<String>> {
        self.required(name, self.texts(name)?)
    }

    /// A required object. In a form it may also be JSON text.
    pub fn required_object(&self, name: &str) -> Result<Self> {
        let members = match self.required(name, self.get(name))? {
            Value::Object(members) => members.clone(),
            Value::String(text) if self.is_form && text.trim_start().starts_with('{') => {
                json::parse_object(text.as_bytes())
                    .map_err(|why| self.invalid(name, format!("is no JSON: {why}")))?
            }
            _ => return Err(self.invalid(name, "must be an object")),
        };
        Ok(Self { members, is_form: self.is_form, prefix: format!("{}{name}.", self.prefix) })
    }

    pub fn required_objects(&self, name: &str, max: usize) -> Result<Vec<Self>> {
        let items = self
            .required(name, self.get(name))?
            .as_array()
            .ok_or_else(|| self.invalid(name, "must be a list of objects"))?;
        if items.is_empty() || items.len() > max {
            return Err(self.invalid(name, format!("must have 1 to {max} items")));
        }
        let object = |(index, item): (usize, &Value)| match item {
            Value::Object(members) => Ok(Self {
                members: members.clone(),
                is_form: self.is_form,
                prefix: format!("{}{name}[{index}].", self.prefix),
            }),
            _ => Err(self.invalid(name, "must be a list of objects")),
        };
        items.iter().enumerate().map(object).collect()
    }

    #[must_use]
    pub fn into_members(self) -> Map<String, Value> {
        self.members
    }
}

/// Whether a body is JSON and not a form: JSON begins with `{` or `[`.
#[must_use]
pub fn is_json(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[")
}

pub fn parse_json(body: &[u8]) -> Result<Value> {
    json::parse(body).map_err(|why| Error::unreadable("body", format!("is no JSON: {why}")))
}

fn add_pair(members: &mut Map<String, Value>, name: &str, value: &str) -> Result<()> {
    let twice = || Error::invalid(name, "must not be there twice");
    let text = Value::String(value.to_owned());
    if let Some(list) = name.strip_suffix("[]") {
        match members.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(items) => items.push(text),
            _ => return Err(twice()),
        }
        return Ok(());
    }
    if let Some((outer, inner)) = nested(name) {
        let Value::Object(object) =
            members.entry(outer).or_insert_with(|| Value::Object(Map::new()))
        else {
            return Err(twice());
        };
        return if object.insert(inner.to_owned(), text).is_some() { Err(twice()) } else { Ok(()) };
    }
    match members.get_mut(name) {
        None => drop(members.insert(name.to_owned(), text)),
        Some(Value::Array(items)) => items.push(text),
        Some(first @ Value::String(_)) => *first = Value::Array(vec![first.take(), text]),
        Some(_) => return Err(twice()),
    }
    Ok(())
}

/// Splits `a[b]` or `a.b` into `a` and `b`.
fn nested(name: &str) -> Option<(&str, &str)> {
    let bracketed = || name.strip_suffix(']')?.split_once('[');
    bracketed()
        .or_else(|| name.split_once('.'))
        .filter(|(outer, inner)| !outer.is_empty() && !inner.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(body: &str) -> Result<String> {
        Fields::parse(body.as_bytes())?
            .required_object("fieldmap")?
            .required_text("username")
            .map(str::to_owned)
    }

    #[test]
    fn an_object_in_a_form_has_three_spellings() {
        for body in [
            "fieldmap[username]=u",
            "fieldmap%5Busername%5D=u",
            "fieldmap.username=u",
            r#"fieldmap={"username":"u"}"#,
        ] {
            assert_eq!(object(body).as_deref(), Ok("u"), "{body}");
        }
        for body in [
            "fieldmap[username]=u&fieldmap.username=v",
            "fieldmap=x&fieldmap[username]=u",
            r#"fieldmap={"username":"u","username":"v"}"#,
        ] {
            assert!(object(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_list_in_a_form_has_three_spellings() {
        for body in ["r=A&r=B", "r[]=A&r[]=B", r#"r=["A","B"]"#] {
            let list = Fields::parse(body.as_bytes()).unwrap().texts("r").unwrap();
            assert_eq!(list, Some(vec!["A".to_owned(), "B".to_owned()]), "{body}");
        }
        assert_eq!(Fields::parse(b"r=").unwrap().texts("r").unwrap(), Some(Vec::new()));
        assert_eq!(Fields::parse(b"r=A").unwrap().texts("r").unwrap(), Some(vec!["A".to_owned()]));
    }

    #[test]
    fn json_is_json_whatever_it_is_labelled() {
        let fields = Fields::parse(b" \n{\"expire\":\"60\",\"enable\":\"1\"}").unwrap();
        assert_eq!(fields.required_integer("expire", 1, 100), Ok(60));
        assert_eq!(fields.required_flag("enable"), Ok(true));
        assert!(Fields::parse(br#"{"a":1,"a":2}"#).is_err());
        assert!(Fields::parse(b"[1]").is_err());
    }

    #[test]
    fn a_scalar_that_is_there_twice_is_refused() {
        assert!(Fields::parse(b"name=a&name=b").unwrap().text("name").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Fields::parse(&bytes);
        }

        #[test]
        fn any_form_is_read_or_refused(text in r"([a-c\[\].]{0,4}=[a-c{}\[\]%]{0,4}&?){0,6}") {
            if let Ok(fields) = Fields::parse(text.as_bytes()) {
                for name in ["a", "b", "c"] {
                let _ = (fields.text(name), fields.texts(name));
                let _ = (fields.required_object(name), fields.integer(name, 0, 9));
                }
            }
        }
    }
}
