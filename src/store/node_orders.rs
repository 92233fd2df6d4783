//! Orders of GIS servers.

use crate::context::Cx;
use crate::domain::identity::user::UserId;
use crate::domain::node_order::{NodeOrder, NodeTerms};
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::sealed::Sealed;
use crate::store::sql;

/// Adds an order. Returns its id.
#[must_use]
pub fn insert(
    terms: &NodeTerms,
    password: Option<&Sealed>,
    creator_id: UserId,
    now: Millis,
) -> Statement {
    Statement::new(
        "INSERT INTO node_orders (spec, count, name, password, password_key_id, description,
           physical_machine_name, creator_id, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING CAST(id AS TEXT) AS id",
        [
            terms.spec.as_str().into(),
            Param::Number(terms.count),
            terms.name.as_str().into(),
            password.map(|password| password.stored.clone()).into(),
            password.map(|password| password.key_id.clone()).into(),
            terms.description.as_str().into(),
            terms.physical_machine_name.as_str().into(),
            Param::Int64(creator_id.0),
            now.into(),
        ],
    )
}

/// A page of orders, the newest first, and the number of all orders. A `limit` of -1 lists all.
pub async fn list(cx: &Cx, offset: i64, limit: i64) -> Result<(Vec<NodeOrder>, i64)> {
    let count = Statement::new("SELECT COUNT(*) AS total FROM node_orders", []);
    let page = Statement::new(
        "SELECT CAST(id AS TEXT) AS id, spec, count, name, description, physical_machine_name,
           CAST(creator_id AS TEXT) AS creator_id, created_at
         FROM node_orders ORDER BY node_orders.id DESC LIMIT ?1 OFFSET ?2",
        [Param::Number(limit), Param::Number(offset)],
    );
    let results = sql::query_all(cx, vec![count, page]).await?;
    let total = sql::rows(&results, 0)?.first().map_or(Ok(0), |row| row.number("total"))?;
    Ok((sql::rows(&results, 1)?.iter().map(order).collect::<Result<_>>()?, total))
}

fn order(row: &Row) -> Result<NodeOrder> {
    Ok(NodeOrder {
        id: row.int64("id")?,
        terms: NodeTerms {
            spec: row.text("spec")?.to_owned(),
            count: row.number("count")?,
            name: row.text("name")?.to_owned(),
            description: row.text("description")?.to_owned(),
            physical_machine_name: row.text("physical_machine_name")?.to_owned(),
        },
        creator_id: UserId(row.int64("creator_id")?),
        created_at: Millis(row.number("created_at")?),
    })
}
