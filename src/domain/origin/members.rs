//! Reads the members of the objects in `ORIGIN_RULES` and `ORIGINS`. Each error is a phrase to put
//! after "whose".

use serde_json::{Map, Value};

pub(super) type Members = Map<String, Value>;

pub(super) fn refuse_unknown(members: &Members, known: &[&str]) -> Result<(), String> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("member {name:?} is unknown: there are {}", known.join(", "))),
        None => Ok(()),
    }
}

pub(super) fn text<'m>(members: &'m Members, name: &str) -> Result<Option<&'m str>, String> {
    members
        .get(name)
        .map(|value| value.as_str().ok_or_else(|| format!("{name} is no text")))
        .transpose()
}

pub(super) fn flag(members: &Members, name: &str) -> Result<bool, String> {
    members.get(name).map_or(Ok(false), |value| {
        value.as_bool().ok_or_else(|| format!("{name} is neither true nor false"))
    })
}
