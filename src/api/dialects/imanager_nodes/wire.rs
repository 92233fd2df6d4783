//! What the JSON of node orders looks like. Source: the published page "token", where it creates a GIS server.

use serde_json::{Value, json};

use crate::api::http::body::Fields;
use crate::api::http::message::Response;
use crate::api::http::query::Query;
use crate::api::http::shape::{Kind, Shape, optional, required};
use crate::domain::node_order::{MAX_COUNT, NodeOrder, Terms};
use crate::domain::secret::Secret;
use crate::error::{Error, Result};

const MAX_PAGE_SIZE: i64 = 2000;

pub(super) const ORDER: Shape = Shape {
    name: "NodeOrder",
    fields: &[
        required("nodeSpec", Kind::Text, "the size, 1 to 64 characters"),
        required("nodeCount", Kind::Int64, "how many, 1 to 100"),
        required("nodeName", Kind::Text, "the name, 1 to 64 characters"),
        optional("password", Kind::Text, "stored encrypted, and never shown"),
        optional("description", Kind::Text, "for people, at most 1024 characters"),
        optional("physicalMachineName", Kind::Text, "where to, at most 128 characters"),
    ],
    example: r#"{"nodeSpec":"MEDIUM","nodeCount":1,"nodeName":"iserver","password":"","description":"","physicalMachineName":"admin"}"#,
};

pub(super) const ORDERED: Shape = Shape {
    name: "NodeOrdered",
    fields: &[
        required("isSucceed", Kind::Boolean, "true"),
        required("msg", Kind::Text, "empty"),
        required("resultId", Kind::Text, "the order's id, digits"),
    ],
    example: r#"{"isSucceed":true,"msg":"","resultId":"684"}"#,
};

pub(super) const FAILURE: Shape = Shape {
    name: "NodeFailure",
    fields: &[
        required("isSucceed", Kind::Boolean, "false"),
        required("msg", Kind::Text, "what is wrong"),
        required("resultId", Kind::Text, "null"),
    ],
    example: r#"{"isSucceed":false,"msg":"Not logged in","resultId":null}"#,
};

const NODE: Shape = Shape {
    name: "Node",
    fields: &[
        required("id", Kind::Int64, "the order's id"),
        required("nodeName", Kind::Text, "the name"),
        required("nodeSpec", Kind::Text, "the size"),
        required("nodeCount", Kind::Int64, "how many"),
        required("description", Kind::Text, "for people"),
        required("physicalMachineName", Kind::Text, "where to"),
        required("createTime", Kind::Int64, "epoch milliseconds"),
        required("nodeSource", Kind::Text, "CREATED"),
    ],
    example: r#"{"id":684,"nodeName":"iserver","nodeSpec":"MEDIUM","nodeCount":1,"description":"","physicalMachineName":"admin","createTime":1737599864898,"nodeSource":"CREATED"}"#,
};

pub(super) const LIST: Shape = Shape {
    name: "Nodes",
    fields: &[required("list", Kind::List(&NODE), "the newest first"), required("total", Kind::Int64, "on all pages")],
    example: r#"{"list":[{"id":684,"nodeName":"iserver","nodeSpec":"MEDIUM","nodeCount":1,"description":"","physicalMachineName":"admin","createTime":1737599864898,"nodeSource":"CREATED"}],"total":1}"#,
};

/// Reads an order and the servers' password; an empty one is none.
pub(super) fn order(fields: &Fields) -> Result<(Terms, Option<Secret>)> {
    let required = |name| text(fields, name, 1, 64);
    let terms = Terms {
        spec: required("nodeSpec")?,
        count: fields.required_integer("nodeCount", 1, MAX_COUNT)?,
        name: required("nodeName")?,
        description: text(fields, "description", 0, 1024)?,
        physical_machine_name: text(fields, "physicalMachineName", 0, 128)?,
    };
    let password = fields.secret("password")?.filter(|password| !password.is_empty());
    if password.as_ref().is_some_and(|password| password.len() > 1024) {
        return Err(fields.invalid("password", "must have at most 1024 bytes"));
    }
    Ok((terms, password))
}

/// A text of so many characters, without control characters but line breaks and tabs.
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

/// The number and the size of the page; `None` is all.
pub(super) fn page(query: &Query) -> Result<Option<(i64, i64)>> {
    let wrong = |_| Error::invalid("pageSize", format!("must be a whole number from 1 to {MAX_PAGE_SIZE}, or -1"));
    let number = query.integer("pageNo", 1, 1_000_000)?.unwrap_or(1);
    match query.one("pageSize")? {
        None | Some("-1") => Ok(None),
        Some(_) => Ok(query.integer("pageSize", 1, MAX_PAGE_SIZE).map_err(wrong)?.map(|size| (number, size))),
    }
}

/// What an order answers.
pub(super) fn ordered(id: i64) -> Response {
    Response::json(200, &json!({ "isSucceed": true, "msg": "", "resultId": id.to_string() }))
}

/// What was ordered.
pub(super) fn list(orders: &[NodeOrder], total: i64) -> Response {
    let item = |order: &NodeOrder| -> Value {
        let Terms { spec, count, name, description, physical_machine_name } = &order.terms;
        json!({
            "id": order.id, "nodeName": name, "nodeSpec": spec, "nodeCount": count, "description": description,
            "physicalMachineName": physical_machine_name, "createTime": order.created_at.0, "nodeSource": "CREATED",
        })
    };
    Response::json(200, &json!({ "list": orders.iter().map(item).collect::<Vec<_>>(), "total": total }))
}

/// The envelope of failures.
pub(super) fn failure(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "isSucceed": false, "msg": message, "resultId": null }))
}
