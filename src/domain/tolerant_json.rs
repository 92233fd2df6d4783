//! Tolerant reading of JSON from an issuer.
//!
//! The strict reader (`json`) refuses a text if any object in it has a duplicate member. For a list
//! of keys that is too strict: one odd key would lock out all users whose tokens are signed with
//! the other keys.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

use crate::domain::json::MAX_DEPTH;

/// A value, or the reason why it is ambiguous.
pub type Item = Result<Value, String>;

/// Reads the list `name` of a JSON object, each item by itself. `None` if the object has no such
/// member. Other members are ignored. The error is a phrase for the caller.
pub fn list_in(text: &[u8], name: &str) -> Result<Option<Vec<Item>>, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let list = reader.deserialize_map(Object { name }).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(list)
}

struct Object<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<Vec<Item>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut list = None;
        while let Some(name) = members.next_key::<String>()? {
            if name != self.name {
                members.next_value::<IgnoredAny>()?;
            } else if list.replace(members.next_value_seed(List)?).is_some() {
                return Err(A::Error::custom(format_args!("duplicate member {name:?}")));
            }
        }
        Ok(list)
    }
}

struct List;

impl<'de> DeserializeSeed<'de> for List {
    type Value = Vec<Item>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Vec<Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Tolerant { depth_left: MAX_DEPTH })? {
            list.push(item);
        }
        Ok(list)
    }
}

/// Reads a value to its end, whatever it contains. It fails only if the text is not JSON.
#[derive(Clone, Copy)]
struct Tolerant {
    depth_left: usize,
}

impl Tolerant {
    fn deeper(self) -> Option<Self> {
        self.depth_left.checked_sub(1).map(|depth_left| Self { depth_left })
    }
}

fn too_deep<T>() -> Result<T, String> {
    Err(format!("is nested deeper than {MAX_DEPTH}"))
}

impl<'de> DeserializeSeed<'de> for Tolerant {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tolerant {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Ok(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Item, E> {
        Ok(Ok(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Item, E> {
        Ok(Ok(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Item, E> {
        Ok(Ok(Value::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Item, E> {
        Ok(Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| "has a number out of range".to_owned()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Item, E> {
        Ok(Ok(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
        let Some(inner) = self.deeper() else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(too_deep());
        };
        let mut list = Ok(Vec::new());
        while let Some(item) = items.next_element_seed(inner)? {
            match (&mut list, item) {
                (Ok(list), Ok(item)) => list.push(item),
                (Ok(_), Err(why)) => list = Err(why),
                (Err(_), _) => {}
            }
        }
        Ok(list.map(Value::Array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Item, A::Error> {
        let Some(inner) = self.deeper() else {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(too_deep());
        };
        let mut object = Map::new();
        let mut problem = None;
        while let Some(name) = members.next_key::<String>()? {
            match members.next_value_seed(inner)? {
                Ok(_) if object.contains_key(&name) => {
                    problem = problem.or(Some(format!("has the member {name:?} twice")));
                }
                Ok(value) => drop(object.insert(name, value)),
                Err(why) => problem = problem.or(Some(why)),
            }
        }
        Ok(problem.map_or(Ok(Value::Object(object)), Err))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::json;

    #[test]
    fn an_odd_item_does_not_spoil_the_others() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let text = format!(
            "\u{feff}{{\"x\":{{\"a\":1,\"a\":2}},\"x\":1,\
             \"keys\":[1,{{\"a\":1,\"a\":2}},{{\"b\":[{{\"c\":1,\"c\":1}}]}},{deep},2]}}"
        );
        let list = list_in(text.as_bytes(), "keys").expect("JSON").expect("a list");
        assert_eq!((list.first(), list.last()), (Some(&Ok(1.into())), Some(&Ok(2.into()))));
        let why: Vec<_> = list.iter().filter_map(|item| item.clone().err()).collect();
        assert_eq!(
            why,
            [
                "has the member \"a\" twice",
                "has the member \"c\" twice",
                "is nested deeper than 32"
            ]
        );
    }

    #[test]
    fn what_is_no_object_with_one_such_list_is_refused() {
        for wrong in [
            "",
            "[]",
            "1",
            r#"{"keys":[]} x"#,
            r#"{"keys":{}}"#,
            r#"{"keys":[],"keys":[]}"#,
            r#"{"keys":[1}"#,
            r#"{"keys":null}"#,
        ] {
            assert!(list_in(wrong.as_bytes(), "keys").is_err(), "{wrong}");
        }
        assert_eq!(list_in(b"{}", "keys"), Ok(None));
    }

    proptest! {
        /// Everything that the strict reader accepts is read to the same value.
        #[test]
        fn items_are_those_of_the_strict_reader(
            text in r#"\{"keys":\[(([0-9]|"x"|\{"[ab]":[0-9],"[ab]":\[\]\}),){0,3}1\]\}"#,
        ) {
            let strict = json::parse(text.as_bytes());
            let tolerant = list_in(text.as_bytes(), "keys").expect("JSON").expect("a list");
            let all: Result<Vec<_>, _> = tolerant.into_iter().collect();
            prop_assert_eq!(strict.is_ok(), all.is_ok());
            if let (Ok(strict), Ok(all)) = (strict, all) {
                prop_assert_eq!(&strict["keys"], &Value::Array(all));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = list_in(&bytes, "keys");
        }
    }
}
