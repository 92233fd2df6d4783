//! Strict reading of JSON from outside: UTF-8 only, without duplicate members, trailing garbage or
//! deep nesting ([`MAX_DEPTH`]).
//!
//! `serde_json` alone keeps the last of two equal members. Two readers of the same text could then
//! see different contents.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;

/// Reads one JSON text. The error is a phrase for the caller.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth_left: MAX_DEPTH }
        .deserialize(&mut reader)
        .map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Reads one JSON text, which must be an object.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, String> {
    match parse(text)? {
        Value::Object(members) => Ok(members),
        _ => Err("not a JSON object".to_owned()),
    }
}

/// Applies a JSON Merge Patch (RFC 7396) to an object.
pub fn merge_patch(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.remove(&name)),
            Value::Object(members) => {
                let inner = target.entry(name).or_insert(Value::Null);
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                if let Value::Object(inner) = inner {
                    merge_patch(inner, members);
                }
            }
            other => drop(target.insert(name, other)),
        }
    }
}

/// The beginning of the error for a duplicate member.
const DOUBLED: &str = "duplicate member";

/// Whether an error of this module says that a member is duplicate.
#[must_use]
pub fn is_doubled(why: &str) -> bool {
    why.starts_with(DOUBLED)
}

/// The members of an object, in order. A list is cheaper than a map for a few members that are read
/// once. Duplicate names are found by sorting once, so hostile input cannot cause quadratic work.
#[derive(Debug)]
pub struct Members(Vec<(String, Value)>);

impl Members {
    /// Reads one JSON text, which must be an object, with the same rules as [`parse`].
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let members = reader.deserialize_any(MembersVisitor).map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        let mut names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next) {
            Some((name, _)) => Err(format!("{DOUBLED} {name:?}")),
            None => Ok(Self(members)),
        }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Finds a value by a JSON Pointer (RFC 6901), which starts at the object.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        let (first, rest) = pointer
            .strip_prefix('/')?
            .split_once('/')
            .map_or((pointer.get(1..)?, ""), |(first, _)| {
                (first, pointer.get(first.len() + 1..).unwrap_or(""))
            });
        self.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
    }

    /// The approximate memory use in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let values: usize = self.0.iter().map(|(name, value)| name.len() + bytes_of(value)).sum();
        values + self.0.capacity() * size_of::<(String, Value)>()
    }

    /// All values, in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
    }
}

/// The approximate memory use of a value in bytes, without the `Value` itself.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + bytes_of(item)).sum(),
        // The nodes of a map have spare capacity.
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| 3 * size_of::<Value>() + name.len() + bytes_of(value))
            .sum(),
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let inner = Strict { depth_left: MAX_DEPTH }.deeper()?;
        let mut list = Vec::with_capacity(8);
        while let Some(name) = members.next_key()? {
            list.push((name, members.next_value_seed(inner)?));
        }
        Ok(list)
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth_left: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left }),
            None => Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{DOUBLED} {name:?}")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str, why: &str) {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }

    #[test]
    fn duplicate_members_are_refused_at_every_level() {
        refused(r#"{"a":1,"a":2}"#, "duplicate member \"a\"");
        refused(r#"[{"x":{"a":1,"\u0061":2}}]"#, "duplicate member \"a\"");
    }

    #[test]
    fn trailing_garbage_is_refused() {
        refused("{} {}", "trailing");
        refused("1 x", "trailing");
    }

    #[test]
    fn depth_is_limited() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(deep(MAX_DEPTH).as_bytes()).is_ok());
        refused(&deep(MAX_DEPTH + 1), "nested deeper");
        refused(&deep(100_000), "");
    }

    #[test]
    fn invalid_utf8_is_refused() {
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(br#""\ud800""#).is_err());
    }

    #[test]
    fn int64_keeps_its_full_range() {
        for number in [9_007_199_254_740_993, i64::MIN, i64::MAX] {
            assert_eq!(parse(number.to_string().as_bytes()).unwrap().as_i64(), Some(number));
        }
    }

    #[test]
    fn members_are_read_as_strictly() {
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        for wrong in [
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            "{} {}",
            "[]",
            "1",
            "",
            &deep(MAX_DEPTH),
        ] {
            assert!(Members::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let members = Members::parse(br#"{"b":1,"a":{"b":2}}"#).unwrap();
        assert_eq!((members.get("b"), members.get("c")), (Some(&1.into()), None));
        assert!(Members::parse(deep(MAX_DEPTH - 1).as_bytes()).is_ok());
    }

    /// The cases of RFC 7396, appendix A, whose patches are objects.
    #[test]
    fn a_patch_is_merged() {
        for (target, patch, merged) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut target = parse_object(target.as_bytes()).unwrap();
            merge_patch(&mut target, parse_object(patch.as_bytes()).unwrap());
            assert_eq!(target, parse_object(merged.as_bytes()).unwrap(), "{patch}");
        }
    }

    #[test]
    fn a_pointer_finds_what_serde_json_finds() {
        let text = br#"{"a":{"b/c":[1,{"~":2}],"":3},"a.b":4,"/realm":5,"":{"x":6}}"#;
        let (members, object) =
            (Members::parse(text).unwrap(), Value::Object(parse_object(text).unwrap()));
        for pointer in [
            "/a",
            "/a/b~1c/1/~0",
            "/a/b~1c/0",
            "/a/",
            "/a.b",
            "/~1realm",
            "//x",
            "/",
            "/none",
            "/a/b/c",
            "/a/b~1c/01",
            "a",
        ] {
            assert_eq!(members.pointer(pointer), object.pointer(pointer), "{pointer}");
        }
    }

    proptest! {
        #[test]
        fn members_are_those_of_the_object(
            text in r#"\{("[ab]{1,2}":([0-9]|"x"|\{"a":1\}),){0,3}"[ab]":[0-9]\}"#,
        ) {
            let members = Members::parse(text.as_bytes());
            let object = parse_object(text.as_bytes());
            prop_assert_eq!(members.is_ok(), object.is_ok());
            if let (Ok(members), Ok(object)) = (members, object) {
                prop_assert_eq!(members.0, object.into_iter().collect::<Vec<_>>());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_read_is_what_serde_json_reads(text in r#"[\[\]{}",:0-9a-z ]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
