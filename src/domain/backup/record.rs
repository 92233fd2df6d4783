//! A record with the values of its members.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::domain::applications::application::{AuthorizationType, Authorizations};
use crate::domain::backup::kinds::{Field, Is, KINDS, Kind, Presence, Wrong};
use crate::domain::identity::machine_key::{May, Rights};
use crate::domain::permissions::permission::{Permission, Permissions};
use crate::domain::spelling;
use crate::domain::time::{MAX_MILLIS, Millis};

/// The values are in the order of the kind's members. An absent member is NULL.
#[derive(Clone)]
pub struct Record {
    pub kind: &'static Kind,
    values: Vec<Value>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, [redacted])", self.key())
    }
}

impl Record {
    /// Reads a record. Numbers, flags and lists may be texts, as in CSV. Unknown members are
    /// refused.
    pub fn read(members: &Map<String, Value>) -> Result<Self, Wrong> {
        let kind = kind(members)?;
        let known = || ["record"].into_iter().chain(kind.fields.iter().map(|field| field.member));
        if let Some(name) = members.keys().find(|name| !known().any(|known| known == name.as_str()))
        {
            return Err((
                spelling::shown(name),
                format!("is unknown here: {}", spelling::hint(name, known())),
            ));
        }
        let values =
            kind.fields.iter().map(|field| field.of(members).map_err(|why| wrong(field, why)));
        let record = Self { kind, values: values.collect::<Result<_, _>>()? };
        kind.check.map_or(Ok(()), |check| check(&|member| record.get(member).clone()))?;
        Ok(record)
    }

    /// Reads the position of a record in an export. Only the members of its key are read.
    pub fn read_place(members: &Map<String, Value>) -> Result<Self, Wrong> {
        let kind = kind(members)?;
        let value = |field: &'static Field| match field.presence {
            Presence::Key => field.of(members).map_err(|why| wrong(field, why)),
            _ => Ok(Value::Null),
        };
        Ok(Self { kind, values: kind.fields.iter().map(value).collect::<Result<_, _>>()? })
    }

    /// `values` has one value for each member of the kind.
    #[must_use]
    pub fn new(kind: &'static Kind, values: Vec<Value>) -> Self {
        Self { kind, values }
    }

    /// Each member with its value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.kind.fields.iter().zip(&self.values)
    }

    /// NULL if the member is absent.
    #[must_use]
    pub fn get(&self, member: &str) -> &Value {
        self.fields()
            .find(|(field, _)| field.member == member)
            .map_or(&Value::Null, |(_, value)| value)
    }

    pub fn set(&mut self, member: &str, value: Value) {
        let found =
            self.kind.fields.iter().zip(&mut self.values).find(|(field, _)| field.member == member);
        if let Some((_, place)) = found {
            *place = value;
        }
    }

    #[must_use]
    pub fn number(&self, member: &str) -> Option<i64> {
        self.get(member).as_i64()
    }

    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.get(member).as_str()
    }

    /// False if the member is absent.
    #[must_use]
    pub fn flag(&self, member: &str) -> bool {
        self.get(member) == &Value::Bool(true)
    }

    /// The identity of a record. Two records with the same key contradict each other.
    #[must_use]
    pub fn key(&self) -> String {
        let keys = self.fields().filter(|(field, _)| field.presence == Presence::Key);
        keys.fold(self.kind.word.to_owned(), |key, (_, value)| format!("{key} {value}"))
    }

    /// The identity of a record by its other identifying member.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        self.kind.identity().map(|field| format!("{} = {}", self.kind.word, self.get(field.member)))
    }

    /// The identity of a record by an id of its own, which is unique within its kind.
    #[must_use]
    pub fn own_id(&self) -> Option<String> {
        let mut fields = self.fields();
        let (field, id) =
            fields.find(|(field, id)| field.presence == Presence::IdWhereFree && !id.is_null())?;
        Some(format!("{} . {} {id}", self.kind.word, field.member))
    }

    /// The members in order, without those whose value means the same as their absence.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        let said = self.fields().filter(|(field, value)| !field.is_as_absent(value));
        let said = said.map(|(field, value)| (field.member.to_owned(), value.clone()));
        [("record".to_owned(), json!(self.kind.word))].into_iter().chain(said).collect()
    }
}

fn kind(members: &Map<String, Value>) -> Result<&'static Kind, Wrong> {
    let word = members.get("record").and_then(Value::as_str).unwrap_or_default();
    Kind::of_word(word).ok_or_else(|| {
        let words: Vec<_> = KINDS.iter().map(|kind| kind.word).collect();
        ("record".to_owned(), spelling::one_of(word, &words))
    })
}

fn wrong(field: &Field, why: String) -> Wrong {
    (field.member.to_owned(), why)
}

impl Field {
    /// The value of the member as records store it.
    fn of(&self, members: &Map<String, Value>) -> Result<Value, String> {
        match members.get(self.member).filter(|value| !value.is_null()) {
            Some(value) => self.is.read(value),
            None => match self.presence {
                Presence::Key | Presence::Identity | Presence::Same | Presence::Needed => {
                    Err("is required".to_owned())
                }
                Presence::Default(json) => Ok(serde_json::from_str(json).unwrap_or_default()),
                _ => Ok(Value::Null),
            },
        }
    }

    /// Whether a value means the same as the absence of the member.
    fn is_as_absent(&self, value: &Value) -> bool {
        match self.presence {
            Presence::Grows => {
                matches!(value, Value::Null | Value::Bool(false)) || value == &json!(0)
            }
            // A secret that was left out is stored as an empty one.
            Presence::Kept("\"\"") => value.is_null() || value == &json!(""),
            Presence::Default(json) if self.is.is_often_left_out() => {
                value == &serde_json::from_str::<Value>(json).unwrap_or_default()
            }
            _ => value.is_null(),
        }
    }
}

impl Is {
    /// Empty lists and objects are left out. Flags are always written, for human readers.
    fn is_often_left_out(self) -> bool {
        !matches!(self, Self::Flag)
    }

    fn read(self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Id(max) => {
                let id = integer(value).ok_or("must be an int64")?;
                if id <= max {
                    Ok(json!(id))
                } else {
                    Err(format!(
                        "must be at most {max}, since Postern gives ids of the kind itself"
                    ))
                }
            }
            Self::Number(max) => {
                let number = integer(value).filter(|number| (0..=max).contains(number));
                number.map(Value::from).ok_or_else(|| format!("must be 0 to {max}"))
            }
            Self::Time => {
                let time = integer(value).ok_or("must be an int64")?;
                if (0..=MAX_MILLIS).contains(&time) {
                    Ok(json!(time))
                } else {
                    Err("must be epoch milliseconds".to_owned())
                }
            }
            Self::Moment => {
                let moment = integer(value).ok_or("must be an int64")?;
                Millis::named(moment).map(|Millis(moment)| json!(moment))
            }
            Self::Flag => match value {
                Value::Bool(_) => Ok(value.clone()),
                Value::String(word) if word == "true" || word == "false" => {
                    Ok(json!(word == "true"))
                }
                _ => Err("must be true or false".to_owned()),
            },
            Self::Text(rule) => {
                let text = text(value)?;
                rule(text).map(|()| json!(text))
            }
            Self::Word(words) => {
                let text = text(value)?;
                let word = words.iter().find(|word| **word == text);
                word.map(|word| json!(word)).ok_or_else(|| spelling::one_of(text, words))
            }
            Self::Permissions => {
                let named: Vec<_> = names(value)?
                    .iter()
                    .map(|name| Permission::parse(name))
                    .collect::<Result<_, _>>()?;
                Ok(json!(Permissions::of_grant(named).names()))
            }
            Self::Authorizations => {
                let named: Vec<_> = names(value)?
                    .iter()
                    .map(|name| AuthorizationType::parse(name))
                    .collect::<Result<_, _>>()?;
                Ok(json!(named.into_iter().collect::<Authorizations>().names()))
            }
            Self::Rights => {
                let named: Vec<_> =
                    names(value)?.iter().map(|name| May::parse(name)).collect::<Result<_, _>>()?;
                Rights::of(named)
                    .map(|rights| json!(rights.names()))
                    .ok_or_else(|| "must not be empty".to_owned())
            }
            Self::Texts(rule) => {
                let list = from_json(value)?;
                let items = list.as_array().ok_or("must be a list of strings")?;
                for item in items {
                    rule(item.as_str().ok_or("must be a list of strings")?)
                        .map_err(|why| format!("has an item that {why}"))?;
                }
                Ok(list)
            }
            Self::Json(rule) => rule(&from_json(value)?),
            Self::Sealed(_) | Self::Hash(_) => text(value).map(|text| json!(text)),
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_i64(),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a string".to_owned())
}

/// Parses a text as JSON, as in a cell of CSV. Other values are already JSON.
fn from_json(value: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) => serde_json::from_str(text).map_err(|_| "must be JSON".to_owned()),
        other => Ok(other.clone()),
    }
}

/// Names in a list, or joined by `|`.
fn names(value: &Value) -> Result<Vec<&str>, String> {
    let wrong = || "must be a list of strings".to_owned();
    match value {
        Value::String(joined) => Ok(joined.split('|').filter(|name| !name.is_empty()).collect()),
        Value::Array(items) => items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}
