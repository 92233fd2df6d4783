//! The common parts of SCIM's requests and answers: media type, errors, selection of attributes.

use serde_json::{Map, Value, json};

use super::names;
use crate::api::http::declare::{Sometimes, answer};
use crate::api::http::message::{self, Response};
use crate::api::http::route::Call;
use crate::api::http::shape::{Field, Kind, optional};
use crate::context::Cx;
use crate::domain::json;
use crate::domain::time::Millis;
use crate::error::{Error, Result, Rule};

pub(super) const MEDIA_TYPE: &str = "application/scim+json";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

pub(super) const ATTRIBUTES: Field = optional(
    "attributes",
    Kind::TEXT,
    "the attributes that the answer is to have, separated by commas",
);
pub(super) const EXCLUDED: Field = optional(
    "excludedAttributes",
    Kind::TEXT,
    "the attributes that the answer is not to have, separated by commas",
);

answer! {
    pub(super) struct ScimError<'a> as "ScimError" {
        "schemas" schemas: Vec<&'static str> => "the URN of this message",
        "status" status: String => "the HTTP status",
        "scimType" scim_type: Sometimes<&'static str> => "which rule of RFC 7644, 3.12, is broken",
        "detail" detail: &'a str => "what is wrong",
    } example r#"{
        "schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404",
        "detail":"there is no user 7"
    }"#
}

/// A failure in SCIM's envelope.
pub(super) fn failure(error: &Error, _: Millis) -> Response {
    let scim_type = match error {
        Error::Invalid { rule: Rule::OfDialect(word), .. } => Some(*word),
        Error::Invalid { rule: Rule::Syntax, .. } => Some("invalidSyntax"),
        Error::Invalid { .. } => Some("invalidValue"),
        Error::Conflict { .. } | Error::AlreadyExists { .. } => Some("uniqueness"),
        _ => None,
    };
    refusal(message::status(error), scim_type, &message::sentence(error))
}

/// A failure in SCIM's envelope that has no [`Error`].
pub(super) fn refusal(status: u16, scim_type: Option<&'static str>, detail: &str) -> Response {
    let body = ScimError {
        schemas: vec![ERROR],
        status: status.to_string(),
        scim_type: Sometimes(scim_type),
        detail,
    };
    Response::text(status, MEDIA_TYPE, serde_json::to_string(&body).unwrap_or_default())
}

/// A broken rule for which SCIM defines an error type.
pub(super) fn broken(
    rule: &'static str,
    field: impl Into<String>,
    why: impl Into<String>,
) -> Error {
    Error::Invalid { field: field.into(), why: why.into(), rule: Rule::OfDialect(rule) }
}

pub(super) fn answer(status: u16, body: &Value) -> Response {
    Response::text(status, MEDIA_TYPE, body.to_string())
}

/// The base URL of SCIM, as clients know it.
pub(super) fn base(cx: &Cx, call: &Call<'_>) -> String {
    let origin =
        cx.config.browsers.public_origin.as_deref().unwrap_or_else(|| call.request.origin());
    format!("{origin}/scim/v2")
}

/// The id in the path. A text that cannot be an id is answered with "not found".
pub(super) fn id(call: &Call<'_>, what: &'static str) -> Result<i64> {
    let text = call.parameter("id")?;
    let id = text.parse().ok().filter(|id: &i64| id.to_string() == text);
    id.ok_or_else(|| Error::not_found(what, text))
}

/// The members of the body. Without a content type the body is read as JSON.
pub(super) async fn body(call: &Call<'_>) -> Result<Map<String, Value>> {
    let label = call.request.header("content-type").unwrap_or_else(|| MEDIA_TYPE.to_owned());
    let media_type = label.split(';').next().unwrap_or_default().trim();
    if ![MEDIA_TYPE, "application/json"].iter().any(|taken| media_type.eq_ignore_ascii_case(taken))
    {
        return Err(Error::UnsupportedMediaType {
            taken: "application/scim+json or application/json",
        });
    }
    let body = call.body().await?;
    json::parse_object(&body)
        .map_err(|why| Error::unreadable("body", format!("must be a JSON object: {why}")))
}

/// A member of an object, ignoring the case of its name. Null is treated as absent.
pub(super) fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let found = object.get(name).or_else(|| {
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    });
    found.filter(|value| !value.is_null())
}

/// In each of the two lists.
const MAX_SELECTED: usize = 100;

/// The attributes that an answer is to contain.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Only these; `None` for all.
    only: Option<Vec<String>>,
    /// None of these.
    but: Vec<String>,
}

impl Selection {
    pub(super) fn of_query(call: &Call<'_>) -> Result<Self> {
        let list = |name| {
            Ok::<_, Error>(
                call.query
                    .one(name)?
                    .map(|text| text.split(',').map(names::normal).collect::<Vec<_>>()),
            )
        };
        Self::new(list(ATTRIBUTES.name)?, list(EXCLUDED.name)?)
    }

    fn new(only: Option<Vec<String>>, but: Option<Vec<String>>) -> Result<Self> {
        let but = but.unwrap_or_default();
        for (name, list) in [
            (ATTRIBUTES.name, only.as_deref().unwrap_or_default()),
            (EXCLUDED.name, but.as_slice()),
        ] {
            if list.len() > MAX_SELECTED {
                return Err(Error::invalid(name, format!("may have {MAX_SELECTED} names at most")));
            }
        }
        Ok(Self { only, but })
    }

    pub(super) fn of_search(body: &Map<String, Value>) -> Result<Self> {
        let list = |name: &str| match member(body, name) {
            None => Ok(None),
            Some(Value::Array(items)) => {
                let text = |item: &Value| {
                    item.as_str()
                        .map(names::normal)
                        .ok_or_else(|| Error::invalid(name, "must be a list of strings"))
                };
                items.iter().map(text).collect::<Result<Vec<_>>>().map(Some)
            }
            Some(_) => Err(Error::invalid(name, "must be a list of strings")),
        };
        Self::new(list(ATTRIBUTES.name)?, list(EXCLUDED.name)?)
    }

    /// Whether the request names the attributes it wants.
    pub(super) fn names_some(&self) -> bool {
        self.only.is_some()
    }

    /// Whether the answer contains any part of this attribute, given in lower case.
    pub(super) fn wants(&self, attribute: &str) -> bool {
        let is_of = |name: &String| name.split('.').next() == Some(attribute);
        self.only.as_ref().is_none_or(|only| only.iter().any(is_of))
            && !self.but.iter().any(|name| name == attribute)
    }

    /// The selected attributes of a resource. `id` and `schemas` are always included.
    pub(super) fn of(&self, resource: Map<String, Value>) -> Value {
        if self.only.is_none() && self.but.is_empty() {
            return Value::Object(resource);
        }
        let mut kept = Map::new();
        for (name, value) in resource {
            let key = name.to_ascii_lowercase();
            if key == "id" || key == "schemas" {
                kept.insert(name, value);
            } else if self.wants(&key) {
                let value = self.within(&key, value);
                if !is_empty(&value) {
                    kept.insert(name, value);
                }
            }
        }
        Value::Object(kept)
    }

    /// The selected sub-attributes of an attribute.
    fn within(&self, attribute: &str, value: Value) -> Value {
        match value {
            Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| self.within(attribute, item))
                    .filter(|item| !is_empty(item))
                    .collect(),
            ),
            Value::Object(members) => {
                let part = |name: &str| format!("{attribute}.{}", name.to_ascii_lowercase());
                let is_whole =
                    self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == attribute));
                let is_kept = |name: &String| {
                    let part = part(name);
                    (is_whole || self.only.iter().flatten().any(|name| *name == part))
                        && !self.but.contains(&part)
                };
                Value::Object(members.into_iter().filter(|(name, _)| is_kept(name)).collect())
            }
            other => other,
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The `meta` attribute of a resource.
pub(super) fn meta(
    resource_type: &str,
    created_at: Millis,
    modified_at: Millis,
    location: &str,
) -> Value {
    json!({
        "resourceType": resource_type,
        "created": created_at.iso(),
        "lastModified": modified_at.iso(),
        "location": location,
    })
}
