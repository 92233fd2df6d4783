//! Finds what a request has but its route does not declare: members of the body, including nested
//! objects, and query parameters.
//!
//! Reading, refusing and the `OpenAPI` document all derive from the route's declaration. A dialect
//! either refuses undeclared names, or ignores them and warns, if its envelope has a place for
//! warnings.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::api::http::shape::{Field, Kind, Shape};
use crate::domain::json;
use crate::domain::spelling;
use crate::error::Error;

/// At most this many undeclared names of one request are reported.
pub const MAX_TOLD: usize = 20;

#[derive(Debug, PartialEq, Eq)]
pub struct Undeclared {
    /// The full path, such as `checks[0].userId`.
    name: String,
    /// The declared name with the most similar spelling, if one is similar.
    nearest: Option<&'static str>,
    /// A phrase that tells which names are declared.
    hint: String,
    /// Whether it is a query parameter; otherwise it is a member of the body.
    is_parameter: bool,
}

impl Undeclared {
    /// A name that is not among the `known` ones. `others` describes further names in words.
    pub fn new(
        prefix: &str,
        name: &str,
        known: impl Iterator<Item = &'static str> + Clone,
        others: &'static str,
    ) -> Self {
        let nearest = spelling::nearest(name, known.clone());
        let known = known.chain(Some(others).filter(|others| !others.is_empty()));
        Self {
            name: format!("{prefix}{}", spelling::shown(name)),
            nearest,
            hint: spelling::hint(name, known),
            is_parameter: false,
        }
    }

    /// The name, as errors show it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn parameter(self) -> Self {
        Self { is_parameter: true, ..self }
    }

    /// Whether an answer of this shape has a member of this name, so that the caller may only be
    /// sending it back.
    #[must_use]
    pub fn is_sent_back(&self, answered: &Shape) -> bool {
        !self.is_parameter && answered.all_fields().any(|field| field.name == self.name)
    }

    #[must_use]
    pub fn refusal(&self) -> Error {
        Error::invalid(self.name.as_str(), format!("is unknown here: {}", self.hint))
    }

    #[must_use]
    pub fn warning(&self) -> String {
        let hint =
            self.nearest.map(|nearest| format!(": did you mean {nearest:?}?")).unwrap_or_default();
        format!("{} is unknown here and was ignored{hint}", self.name)
    }
}

/// The members of a body that its shape does not declare.
#[must_use]
pub fn members(members: &Map<String, Value>, is_form: bool, shape: &Shape) -> Vec<Undeclared> {
    let mut walk = Walk { is_form, found: Vec::new() };
    walk.object(members, shape, "");
    walk.found
}

struct Walk {
    is_form: bool,
    found: Vec<Undeclared>,
}

impl Walk {
    fn object(&mut self, members: &Map<String, Value>, shape: &Shape, prefix: &str) {
        let known = || shape.all_fields().map(|field| field.name);
        for name in members.keys().filter(|name| known().all(|known| known != *name)) {
            if self.found.len() == MAX_TOLD {
                return;
            }
            self.found.push(Undeclared::new(prefix, name, known(), ""));
        }
        self.declared(members, shape, prefix);
    }

    fn declared(&mut self, members: &Map<String, Value>, shape: &Shape, prefix: &str) {
        for field in shape.all_fields().filter(|field| has_members(&field.kind)) {
            if let Some(value) = members.get(field.name) {
                self.value(value, &field.kind, &format!("{prefix}{}", field.name));
            }
        }
    }

    /// A value of the wrong type is ignored here; whoever reads it reports the error.
    fn value(&mut self, value: &Value, kind: &Kind, place: &str) {
        match kind {
            Kind::Nullable(inner) => self.value(value, inner, place),
            Kind::AnyOf(kinds) => kinds.iter().for_each(|kind| self.value(value, kind, place)),
            Kind::List { item, .. } => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    self.value(value, item, &format!("{place}[{index}]"));
                }
            }
            Kind::MapOf(inner) => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    self.value(value, inner, &format!("{place}.{name}"));
                }
            }
            Kind::Object(shape) => {
                if let Some(members) = self.members(value) {
                    self.object(&members, shape, &format!("{place}."));
                }
            }
            Kind::OpenObject(shape) => {
                if let Some(members) = self.members(value) {
                    self.declared(&members, shape, &format!("{place}."));
                }
            }
            _ => {}
        }
    }

    /// The members of an object. In a form, the object may be JSON text.
    fn members<'v>(&self, value: &'v Value) -> Option<Cow<'v, Map<String, Value>>> {
        match value {
            Value::Object(members) => Some(Cow::Borrowed(members)),
            Value::String(text) if self.is_form => {
                json::parse_object(text.as_bytes()).ok().map(Cow::Owned)
            }
            _ => None,
        }
    }
}

fn has_members(kind: &Kind) -> bool {
    match kind {
        Kind::Object(_) | Kind::OpenObject(_) => true,
        Kind::Nullable(inner) | Kind::MapOf(inner) | Kind::List { item: inner, .. } => {
            has_members(inner)
        }
        Kind::AnyOf(kinds) => kinds.iter().any(has_members),
        _ => false,
    }
}

/// Whether the query declares a parameter. A declaration with the index 0 covers every index.
#[must_use]
pub fn is_declared(query: &[Field], name: &str) -> bool {
    let is_one_of = |declared: &str| {
        let Some((before, after)) = declared.split_once("[0]") else { return false };
        let index = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let digits = index.and_then(|index| index.strip_prefix('[')?.strip_suffix(']'));
        digits.is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    query.iter().any(|field| field.name == name) || query.iter().any(|field| is_one_of(field.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::http::shape::{optional, required};

    const INNER: Shape = Shape {
        name: "Inner",
        fields: &[
            required("user", Kind::INT64, "who"),
            optional("tokenName", Kind::TEXT, "a name"),
        ],
        includes: &[],
        example: "",
    };
    const OUTER: Shape = Shape {
        name: "Outer",
        fields: &[
            required("checks", Kind::list(&Kind::Object(&INNER)), "a list"),
            optional("claims", Kind::Nullable(&Kind::Object(&INNER)), "an object"),
            optional("payload", Kind::OpenObject(&INNER), "with any others"),
            optional("map", Kind::MapOf(&Kind::Object(&INNER)), "by name"),
        ],
        includes: &[&INNER],
        example: "",
    };

    fn told(text: &str, is_form: bool) -> Vec<String> {
        let object = json::parse_object(text.as_bytes()).unwrap();
        members(&object, is_form, &OUTER).iter().map(|undeclared| undeclared.name.clone()).collect()
    }

    #[test]
    fn undeclared_members_are_found_wherever_they_are() {
        let text = r#"{
            "user":1,"users":1,"checks":[{},{"userId":3}],"claims":{"x":1},"payload":{"y":1},
            "map":{"a":{"z":1}}
        }"#;
        assert_eq!(told(text, false), ["users", "checks[1].userId", "claims.x", "map.a.z"]);
        assert_eq!(
            told(r#"{"claims":null,"checks":7,"map":[],"user":{"x":1}}"#, false),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_object_in_a_form_may_be_json_text() {
        let text = r#"{"claims":"{\"x\":1}"}"#;
        assert_eq!(told(text, true), ["claims.x"]);
        assert_eq!(told(text, false), Vec::<String>::new());
    }

    #[test]
    fn many_and_long_names_are_cut() {
        let many: Map<_, _> =
            (0..1000).map(|index| (format!("{index}{}", "x".repeat(1000)), Value::Null)).collect();
        let found = members(&many, false, &OUTER);
        assert_eq!(found.len(), MAX_TOLD);
        assert!(found.iter().all(|undeclared| undeclared.name.chars().count() == 65));
    }

    #[test]
    fn a_declared_index_stands_for_any() {
        let query = [
            optional("filters[0].key", Kind::TEXT, "a field"),
            optional("user", Kind::TEXT, "who"),
        ];
        for (name, is_one) in [
            ("filters[0].key", true),
            ("filters[19].key", true),
            ("filters[].key", false),
            ("filters[x].key", false),
            ("filters[0].keys", false),
            ("filters", false),
            ("user", true),
            ("userId", false),
            ("", false),
        ] {
            assert_eq!(is_declared(&query, name), is_one, "{name}");
        }
    }
}
