//! The JSON of node orders. Source: the published page "token", in its example that creates a GIS
//! server.

use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Integer, Member, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::query::Query;
use crate::api::http::shape::{Field, Kind, Shape, optional};
use crate::domain::node_order::{MAX_COUNT, NodeOrder, NodeTerms};
use crate::domain::secret::Secret;
use crate::error::{Error, Result};

const MAX_PAGE_SIZE: i64 = 2000;
const PAGE_SIZE: Field = optional(
    "pageSize",
    Kind::AnyOf(&[Kind::Int64 { min: -1, max: -1 }, Kind::Int64 { min: 1, max: MAX_PAGE_SIZE }]),
    "-1 for all; default -1",
);
const PAGE_NUMBER: Field =
    optional("pageNo", Kind::Int64 { min: 1, max: 1_000_000 }, "from 1; default 1");
pub(super) const PAGE: &[Field] = &[PAGE_SIZE, PAGE_NUMBER];

request! {
    pub(super) struct Order as "NodeOrder" {
        "nodeSpec" spec: Name => "the size",
        "nodeCount" count: Integer<1, MAX_COUNT> => "how many",
        "nodeName" name: NodeName => "the name; one is made where it is empty",
        "description" description: Remark<1024> => "for people",
        "physicalMachineName" physical_machine_name: Remark<128> => "the machine for the servers",
        "password" password: NodePassword => "stored encrypted, and never shown; empty for none",
    } example r#"{
        "nodeSpec":"MEDIUM","nodeCount":1,"nodeName":"iserver","password":"","description":"",
        "physicalMachineName":"admin"
    }"#
}

/// A text of 1 to 64 characters that is not only white space.
pub(super) struct Name(String);

impl Member for Name {
    const KIND: Kind = Kind::matching(1, 64, patterns::NOT_BLANK);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        text(fields, name, 1, 64).map(Self)
    }
}

/// The name of the servers. Old clients send an empty one: `None`.
pub(super) struct NodeName(Option<String>);

impl Member for NodeName {
    const KIND: Kind = Kind::matching(0, 64, patterns::NOT_BLANK_OR_EMPTY);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        match fields.text(name)? {
            Some("") => Ok(Self(None)),
            _ => text(fields, name, 1, 64).map(|name| Self(Some(name))),
        }
    }
}

/// A text of at most `MAX` characters that may have several lines.
pub(super) struct Remark<const MAX: usize>(String);

impl<const MAX: usize> Member for Remark<MAX> {
    const KIND: Kind = Kind::Nullable(&Kind::matching(0, MAX, patterns::LINES));
    const REQUIRED: bool = false;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        text(fields, name, 0, MAX).map(Self)
    }
}

const MAX_PASSWORD_BYTES: usize = 1024;

/// The password of the servers. An empty one means none.
pub(super) struct NodePassword(Option<Secret>);

impl Member for NodePassword {
    const KIND: Kind = Kind::Nullable(&Kind::text(0, MAX_PASSWORD_BYTES));
    const REQUIRED: bool = false;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let password = fields.secret(name)?.filter(|password| !password.is_empty());
        if password.as_ref().is_some_and(|password| password.len() > MAX_PASSWORD_BYTES) {
            return Err(
                fields.invalid(name, format!("must have at most {MAX_PASSWORD_BYTES} bytes"))
            );
        }
        Ok(Self(password))
    }
}

answer! {
    pub(super) struct Ordered as "NodeOrdered" {
        "isSucceed" succeeded: bool => "true",
        "msg" message: &'static str => "empty",
        "resultId" result_id: String => "the order's id, digits",
    } example r#"{"isSucceed":true,"msg":"","resultId":"684"}"#
}

answer! {
    pub(super) struct Failure<'a> as "NodeFailure" {
        "isSucceed" succeeded: bool => "false",
        "msg" message: &'a str => "what is wrong",
        "resultId" result_id: () => "null",
    } example r#"{"isSucceed":false,"msg":"Not logged in","resultId":null}"#
}

answer! {
    pub(super) struct Node<'a> as "Node" {
        "id" id: i64 => "the order's id",
        "nodeName" name: &'a str => "the name",
        "nodeSpec" spec: &'a str => "the size",
        "nodeCount" count: i64 => "how many",
        "description" description: &'a str => "for people",
        "physicalMachineName" physical_machine_name: &'a str => "the machine for the servers",
        "createTime" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "nodeSource" source: &'static str => "CREATED",
    } example r#"{
        "id":684,"nodeName":"iserver","nodeSpec":"MEDIUM","nodeCount":1,"description":"",
        "physicalMachineName":"admin","createTime":1737599864898,"nodeSource":"CREATED"
    }"#
}

answer! {
    pub(super) struct Nodes<'a> as "Nodes" {
        "list" list: Vec<Node<'a>> => "the newest first",
        "total" total: i64 => "on all pages",
    }
}

pub(super) const FAILURE: Shape = Failure::SHAPE;

/// Reads an order and the servers' password. `made_name` is called if the order has no name.
pub(super) fn order(
    fields: &Fields,
    made_name: impl FnOnce() -> Result<String>,
) -> Result<(NodeTerms, Option<Secret>)> {
    let Order { spec, count, name, description, physical_machine_name, password } =
        Order::read(fields)?;
    let terms = NodeTerms {
        spec: spec.0,
        count: count.0,
        name: name.0.map_or_else(made_name, Ok)?,
        description: description.0,
        physical_machine_name: physical_machine_name.0,
    };
    Ok((terms, password.0))
}

/// A text with this number of characters. The only control characters allowed are line breaks and
/// tabs, and only if `min` is 0.
fn text(fields: &Fields, name: &str, min: usize, max: usize) -> Result<String> {
    let text = fields.text(name)?.unwrap_or_default();
    let length = text.chars().count();
    if min > 0 && text.trim().is_empty() {
        return Err(Error::missing(name));
    }
    if length > max {
        return Err(fields.invalid(name, format!("must have at most {max} characters")));
    }
    let is_foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(is_foreign) || (min > 0 && text.chars().any(char::is_control)) {
        return Err(fields.invalid(name, "must not have control characters"));
    }
    Ok(text.to_owned())
}

/// The number and the size of the page; `None` asks for all orders.
pub(super) fn page(query: &Query) -> Result<Option<(i64, i64)>> {
    let wrong = |_| {
        Error::invalid(
            "pageSize",
            format!("must be a whole number from 1 to {MAX_PAGE_SIZE}, or -1"),
        )
    };
    let number = query.declared_integer(&PAGE_NUMBER)?.unwrap_or(1);
    match query.one("pageSize")? {
        None | Some("-1") => Ok(None),
        Some(_) => Ok(query
            .integer("pageSize", 1, MAX_PAGE_SIZE)
            .map_err(wrong)?
            .map(|size| (number, size))),
    }
}

pub(super) fn ordered(id: i64) -> Response {
    Response::json(200, &Ordered { succeeded: true, message: "", result_id: id.to_string() })
}

pub(super) fn list(orders: &[NodeOrder], total: i64) -> Response {
    Response::json(200, &Nodes { list: orders.iter().map(Node::of).collect(), total })
}

impl<'a> Node<'a> {
    fn of(order: &'a NodeOrder) -> Self {
        let NodeTerms { spec, count, name, description, physical_machine_name } = &order.terms;
        Self {
            id: order.id,
            name,
            spec,
            count: *count,
            description,
            physical_machine_name,
            created_at: order.created_at.0,
            source: "CREATED",
        }
    }
}

pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &Failure { succeeded: false, message, result_id: () })
}
