//! The bodies of the specification. Members that it does not define are ignored at every level.
//! Null in place of an object or a string, and repeated members, are refused.

use serde_json::{Map, Value};

use crate::actions::decisions::Reason;
use crate::api::http::declare::Declared;
use crate::api::http::declare::{Sometimes, answer};
use crate::api::http::message::Inbound;
use crate::api::http::shape::{Field, Kind, Shape, optional, required};
use crate::domain::json;
use crate::error::{Error, Result};

pub(super) const MAX_EVALUATIONS: usize = 100;
const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

pub(super) const EVALUATION: &str = "/access/v1/evaluation";
pub(super) const EVALUATIONS: &str = "/access/v1/evaluations";
pub(super) const SEARCH_SUBJECT: &str = "/access/v1/search/subject";
pub(super) const SEARCH_RESOURCE: &str = "/access/v1/search/resource";
pub(super) const SEARCH_ACTION: &str = "/access/v1/search/action";

const PROPERTIES: Field = optional("properties", Kind::AnyObject, "accepted, but ignored");
const TYPE: Field = required("type", Kind::TEXT, "the type");

/// Declares the shape of a request.
macro_rules! shape {
    ($type:ident as $name:literal { $($field:expr),* $(,)? } example $example:literal) => {
        pub(super) struct $type;

        impl Declared for $type {
            const SHAPE: Shape =
                Shape { name: $name, fields: &[$($field),*], includes: &[], example: $example };
        }
    };
}

const ENTITY: Shape = Shape {
    name: "AuthzenEntity",
    fields: &[TYPE, required("id", Kind::TEXT, "the id within the type"), PROPERTIES],
    includes: &[],
    example: r#"{"type":"user","id":"alice"}"#,
};
const ENTITY_TYPE: Shape = Shape {
    name: "AuthzenEntityType",
    fields: &[TYPE, optional("id", Kind::TEXT, "ignored"), PROPERTIES],
    includes: &[],
    example: r#"{"type":"user"}"#,
};
const ACTION: Shape = Shape {
    name: "AuthzenAction",
    fields: &[
        required(
            "name",
            Kind::TEXT,
            "a permission, a name of the type's own, or the method of a route",
        ),
        PROPERTIES,
    ],
    includes: &[],
    example: r#"{"name":"read"}"#,
};
const OPTIONS: Shape = Shape {
    name: "AuthzenOptions",
    fields: &[optional(
        "evaluations_semantic",
        Kind::OneOf(&Semantic::NAMES),
        "which items are answered: all, or those up to the first that is denied or permitted; \
         default: all",
    )],
    includes: &[],
    example: r#"{"evaluations_semantic":"execute_all"}"#,
};
const PAGE: Shape = Shape {
    name: "AuthzenPage",
    fields: &[
        optional(
            "limit",
            Kind::Int64 { min: 1, max: i64::MAX },
            "the most results of a page; default 100, at most 1000",
        ),
        optional("token", Kind::TEXT, "the next_token of the page before"),
        PROPERTIES,
    ],
    includes: &[],
    example: r#"{"limit":100}"#,
};
const CONTEXT: Field =
    optional("context", Kind::AnyObject, "accepted, but ignored, except for explain");
const ASKED_PAGE: Field = optional("page", Kind::OpenObject(&PAGE), "which page");

const fn entity(name: &'static str, about: &'static str) -> Field {
    required(name, Kind::OpenObject(&ENTITY), about)
}

const fn entity_type(name: &'static str, about: &'static str) -> Field {
    required(name, Kind::OpenObject(&ENTITY_TYPE), about)
}

const fn action() -> Field {
    required("action", Kind::OpenObject(&ACTION), "what is to be done")
}

shape! {
    Evaluation as "AuthzenEvaluation" {
        entity("subject", "who acts"), action(), entity("resource", "what is acted on"), CONTEXT
    }
    example r#"{
        "subject":{"type":"user","id":"alice"},"action":{"name":"read"},
        "resource":{"type":"record","id":"record-1"}
    }"#
}
const ITEM: Shape = Shape {
    name: "AuthzenEvaluationItem",
    fields: &[
        optional("subject", Kind::OpenObject(&ENTITY), "who acts; default: the request's"),
        optional("action", Kind::OpenObject(&ACTION), "what is to be done; default: the request's"),
        optional("resource", Kind::OpenObject(&ENTITY), "what is acted on; default: the request's"),
        CONTEXT,
    ],
    includes: &[],
    example: r#"{"resource":{"type":"record","id":"record-1"}}"#,
};
shape! {
    Evaluations as "AuthzenEvaluations" {
        optional("subject", Kind::OpenObject(&ENTITY), "who acts, if an item does not name it"),
        optional(
            "action",
            Kind::OpenObject(&ACTION),
            "what is to be done, if an item does not name it",
        ),
        optional(
            "resource",
            Kind::OpenObject(&ENTITY),
            "what is acted on, if an item does not name it",
        ),
        CONTEXT,
        optional(
            "evaluations",
            Kind::List { item: &Kind::OpenObject(&ITEM), min: 0, max: MAX_EVALUATIONS },
            "the questions",
        ),
        optional("options", Kind::OpenObject(&OPTIONS), "how they are answered"),
    }
    example r#"{
        "subject":{"type":"user","id":"alice"},"action":{"name":"read"},
        "evaluations":[
            {"resource":{"type":"record","id":"record-1"}},
            {"resource":{"type":"record","id":"record-2"}}
        ]
    }"#
}
shape! {
    SubjectSearch as "AuthzenSubjectSearch" {
        entity_type("subject", "the type of subjects to search for"), action(),
        entity("resource", "what is acted on"), CONTEXT, ASKED_PAGE
    }
    example r#"{
        "subject":{"type":"user"},"action":{"name":"read"},
        "resource":{"type":"record","id":"record-1"}
    }"#
}
shape! {
    ResourceSearch as "AuthzenResourceSearch" {
        entity("subject", "who acts"), action(),
        entity_type("resource", "the type of resources to search for"), CONTEXT, ASKED_PAGE
    }
    example r#"{
        "subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record"}
    }"#
}
shape! {
    ActionSearch as "AuthzenActionSearch" {
        entity("subject", "who acts"), entity("resource", "what is acted on"), CONTEXT, ASKED_PAGE
    }
    example r#"{
        "subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"}
    }"#
}

answer! {
    pub(super) struct Decided as "AuthzenDecision" {
        "decision" decision: bool => "whether the subject may perform the action",
        "context" context: Sometimes<Why> => "why",
    } example r#"{"decision":true,"context":{"reason":"granted"}}"#
}

answer! {
    pub(super) struct Why as "AuthzenReason" {
        "reason" reason: Sometimes<&'static str> as Kind::OneOf(&Reason::NAMES) =>
            "the reason, in one word",
        "via" via: Sometimes<Vec<Via>> =>
            "the grants that decided; for administrators who send context.explain",
        "error" error: Sometimes<ItemError> => "what is wrong with the item of a batch",
    } example r#"{"reason":"granted"}"#
}

answer! {
    pub(super) struct Via as "AuthzenGrant" {
        "grant" grant: i64 => "the grant's id",
        "object_type" object_type: &'static str as Kind::OneOf(&["USER", "DEPT", "GROUP"]) =>
            "the type of object that it is given to",
        "object_id" object_id: i64 => "the id of that object",
    } example r#"{"grant":17,"object_type":"GROUP","object_id":4}"#
}

answer! {
    pub(super) struct ItemError as "AuthzenItemError" {
        "status" status: i64 as Kind::Int64 { min: 400, max: 599 } =>
            "the status that a request with only this item would get",
        "message" message: String => "what is wrong",
    } example r#"{"status":400,"message":"resource is missing"}"#
}

answer! {
    pub(super) struct AllDecided as "AuthzenDecisions" {
        "evaluations" evaluations: Sometimes<Vec<Decided>> => "in the order of the questions",
        "decision" decision: Sometimes<bool> => "the decision, if the request has no items",
        "context" context: Sometimes<Why> => "the reason, if the request has no items",
    } example r#"{
        "evaluations":[
            {"decision":true,"context":{"reason":"granted"}},
            {"decision":false,"context":{"reason":"no_grant"}}
        ]
    }"#
}

answer! {
    pub(super) struct Entity<'a> as "AuthzenFoundEntity" {
        "type" of: &'a str => "the type that was asked for",
        "id" id: &'a str => "the id",
    } example r#"{"type":"user","id":"alice"}"#
}

answer! {
    pub(super) struct FoundAction<'a> as "AuthzenFoundAction" {
        "name" name: &'a str => "the name",
    } example r#"{"name":"read"}"#
}

answer! {
    pub(super) struct FoundPage as "AuthzenFoundPage" {
        "next_token" next_token: String => "leads to the next page; empty on the last one",
        "count" count: i64 => "how many results the page has",
    } example r#"{"next_token":"","count":1}"#
}

const FOUND_PAGE: Field = optional(
    "page",
    Kind::Object(&FoundPage::SHAPE),
    "present if the request has it, or if there is a next page",
);

pub(super) const ENTITIES: Shape = Shape {
    name: "AuthzenEntities",
    fields: &[
        FOUND_PAGE,
        required("results", Kind::list(&Kind::Object(&Entity::SHAPE)), "what was found"),
    ],
    includes: &[],
    example: r#"{"results":[{"type":"user","id":"alice"},{"type":"user","id":"bob"}]}"#,
};

pub(super) const ACTIONS: Shape = Shape {
    name: "AuthzenActions",
    fields: &[
        FOUND_PAGE,
        required("results", Kind::list(&Kind::Object(&FoundAction::SHAPE)), "what was found"),
    ],
    includes: &[],
    example: r#"{"results":[{"name":"read"},{"name":"write"}]}"#,
};

answer! {
    pub(super) struct Metadata as "AuthzenConfiguration" {
        "policy_decision_point" policy_decision_point: String => "the origin",
        "access_evaluation_endpoint" access_evaluation_endpoint: String =>
            "the URL for a single question",
        "access_evaluations_endpoint" access_evaluations_endpoint: String =>
            "the URL for many questions",
        "search_subject_endpoint" search_subject_endpoint: String =>
            "the URL for searches of subjects",
        "search_resource_endpoint" search_resource_endpoint: String =>
            "the URL for searches of resources",
        "search_action_endpoint" search_action_endpoint: String =>
            "the URL for searches of actions",
    } example r#"{
        "policy_decision_point":"https://pdp.example.com",
        "access_evaluation_endpoint":"https://pdp.example.com/access/v1/evaluation",
        "access_evaluations_endpoint":"https://pdp.example.com/access/v1/evaluations",
        "search_subject_endpoint":"https://pdp.example.com/access/v1/search/subject",
        "search_resource_endpoint":"https://pdp.example.com/access/v1/search/resource",
        "search_action_endpoint":"https://pdp.example.com/access/v1/search/action"
    }"#
}

pub(super) type Members = Map<String, Value>;

/// Reads a body, which must be a JSON object with the content type JSON.
pub(super) fn members(request: &dyn Inbound, body: &[u8]) -> Result<Members> {
    let label = request.header("content-type").unwrap_or_default();
    let media_type = label.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Error::invalid("Content-Type", "must be application/json"));
    }
    if body.trim_ascii().is_empty() {
        return Err(Error::missing("the body"));
    }
    match json::parse(body)
        .map_err(|why| Error::unreadable("the body", format!("is no JSON: {why}")))?
    {
        Value::Object(members) => Ok(members),
        _ => Err(Error::unreadable("the body", "must be a JSON object")),
    }
}

/// A subject or resource with its type, its id if it has one, and the property `hostname`.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) of: String,
    pub(super) id: Option<String>,
    pub(super) hostname: Option<String>,
}

/// What is wrong with a part of a question. In a batch, a missing part is an error of the item; a
/// part of the wrong type is an error of the request.
pub(super) enum Wrong {
    Missing(String),
    Type(Error),
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Missing(place) => Self::invalid(place, "is missing"),
            Wrong::Type(error) => error,
        }
    }
}

type Read<T> = std::result::Result<T, Wrong>;

fn wrong_type<T>(place: &str, due: &str) -> Read<T> {
    Err(Wrong::Type(Error::invalid(place, format!("must be {due}"))))
}

/// An optional member that must be an object.
fn object<'m>(members: &'m Members, name: &str, place: &str) -> Read<Option<&'m Members>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => wrong_type(place, "an object"),
    }
}

fn text(members: &Members, name: &str, place: &str) -> Read<Option<String>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => wrong_type(place, "a string"),
    }
}

/// A subject or resource; `None` if it is absent.
pub(super) fn named(members: &Members, name: &str) -> Read<Option<Named>> {
    let Some(object_of) = object(members, name, name)? else { return Ok(None) };
    let of = text(object_of, "type", &format!("{name}.type"))?;
    let id = text(object_of, "id", &format!("{name}.id"))?;
    let properties = object(object_of, "properties", &format!("{name}.properties"))?;
    let hostname =
        properties.and_then(|properties| properties.get("hostname")?.as_str().map(str::to_owned));
    let of = of.ok_or_else(|| Wrong::Missing(format!("{name}.type")))?;
    Ok(Some(Named { of, id, hostname }))
}

/// The name of an action; `None` if the action is absent.
pub(super) fn action_name(members: &Members) -> Read<Option<String>> {
    let Some(action) = object(members, "action", "action")? else { return Ok(None) };
    object(action, "properties", "action.properties")?;
    let name = text(action, "name", "action.name")?;
    name.map(Some).ok_or_else(|| Wrong::Missing("action.name".to_owned()))
}

/// Whether the context asks for an explanation; `None` if there is no context.
pub(super) fn explains(members: &Members) -> Read<Option<bool>> {
    let context = object(members, "context", "context")?;
    Ok(context.map(|context| context.get("explain") == Some(&Value::Bool(true))))
}

pub(super) fn needed<T>(part: Option<T>, name: &str) -> Read<T> {
    part.ok_or_else(|| Wrong::Missing(name.to_owned()))
}

impl Named {
    pub(super) fn id(&self, name: &str) -> Read<&str> {
        self.id.as_deref().ok_or_else(|| Wrong::Missing(format!("{name}.id")))
    }
}

/// Which items of a batch are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Semantic {
    ExecuteAll,
    /// The items up to the first denied one.
    DenyOnFirstDeny,
    /// The items up to the first permitted one.
    PermitOnFirstPermit,
}

impl Semantic {
    const NAMES: [&'static str; 3] =
        ["execute_all", "deny_on_first_deny", "permit_on_first_permit"];

    /// Reads `options.evaluations_semantic`. Other options are ignored.
    pub(super) fn of(members: &Members) -> Result<Self> {
        let options = object(members, "options", "options")?;
        let place = "options.evaluations_semantic";
        let word = options
            .map(|options| text(options, "evaluations_semantic", place))
            .transpose()?
            .flatten();
        match word.as_deref() {
            None | Some("execute_all") => Ok(Self::ExecuteAll),
            Some("deny_on_first_deny") => Ok(Self::DenyOnFirstDeny),
            Some("permit_on_first_permit") => Ok(Self::PermitOnFirstPermit),
            Some(_) => {
                Err(Error::invalid(place, format!("must be one of {}", Self::NAMES.join(", "))))
            }
        }
    }

    /// Whether the batch stops after an item with this decision.
    pub(super) fn ends_with(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

/// The items of a batch; `None` if the request itself is the question.
pub(super) fn items(members: &Members) -> Result<Option<Vec<&Members>>> {
    let list = match members.get("evaluations") {
        None => return Ok(None),
        Some(Value::Array(list)) if list.is_empty() => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Error::invalid("evaluations", "must be an array")),
    };
    if list.len() > MAX_EVALUATIONS {
        return Err(Error::invalid(
            "evaluations",
            format!("must have at most {MAX_EVALUATIONS} items"),
        ));
    }
    let item = |(index, item): (usize, &'_ Value)| match item {
        Value::Object(_) => Ok(()),
        _ => Err(Error::invalid(format!("evaluations[{index}]"), "must be an object")),
    };
    list.iter().enumerate().try_for_each(item)?;
    Ok(Some(list.iter().filter_map(Value::as_object).collect()))
}

#[derive(Default)]
pub(super) struct AskedPage {
    /// Whether the request has the member `page`.
    pub(super) is_there: bool,
    pub(super) limit: Option<i64>,
    pub(super) token: Option<String>,
}

impl AskedPage {
    pub(super) const DEFAULT_LIMIT: i64 = DEFAULT_LIMIT;

    pub(super) fn of(members: &Members) -> Result<Self> {
        let Some(page) = object(members, "page", "page")? else { return Ok(Self::default()) };
        object(page, "properties", "page.properties")?;
        let limit =
            match page.get("limit") {
                None => None,
                Some(limit) => Some(limit_of(limit).ok_or_else(|| {
                    Error::invalid("page.limit", "must be a whole number from 1 on")
                })?),
            };
        // Some clients send an empty token for the first page.
        let token = text(page, "token", "page.token")?.filter(|token| !token.is_empty());
        Ok(Self { is_there: true, limit, token })
    }
}

/// A limit above the maximum is reduced to it.
fn limit_of(limit: &Value) -> Option<i64> {
    let number = limit.as_u64().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    number.filter(|number| *number > 0).map(|number| number.min(MAX_LIMIT))
}
