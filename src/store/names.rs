//! Names of services, and the names that a resource type gives to permissions ("actions").

use std::collections::BTreeMap;

use serde_json::json;

use crate::context::Cx;
use crate::domain::permissions::names::{Actions, ResourceName, ResourceType};
use crate::domain::permissions::permission::Permission;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::sql;

/// Selects the services with these names, one row for each name in use.
#[must_use]
pub fn select_services(names: &[ResourceName]) -> Statement {
    let names: Vec<_> = names.iter().map(|name| json!([name.of.as_str(), &*name.id])).collect();
    Statement::new(
        "SELECT n.type, n.id, CAST(n.service_id AS TEXT) AS service_id FROM json_each(?1) asked
           CROSS JOIN resource_names n ON n.type = asked.value ->> 0 AND n.id = asked.value ->> 1",
        [json!(names).to_string().into()],
    )
}

pub fn services(asked: &[ResourceName], rows: &[Row]) -> Result<Vec<(ResourceName, Option<i64>)>> {
    let mut found: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for row in rows {
        found.insert((row.text("type")?, row.text("id")?), row.int64("service_id")?);
    }
    Ok(asked
        .iter()
        .map(|name| (name.clone(), found.get(&(name.of.as_str(), &*name.id)).copied()))
        .collect())
}

/// Selects the action names of these types, one row per name.
#[must_use]
pub fn select_actions(types: &[ResourceType]) -> Statement {
    let types: Vec<_> = types.iter().map(ResourceType::as_str).collect();
    Statement::new(
        "SELECT a.type, a.name, a.permission FROM json_each(?1) asked
           CROSS JOIN action_names a ON a.type = asked.value ORDER BY a.type, a.name",
        [json!(types).to_string().into()],
    )
}

pub fn actions(types: &[ResourceType], rows: &[Row]) -> Result<Vec<(ResourceType, Actions)>> {
    let mut found: BTreeMap<&str, Vec<(String, Permission)>> = BTreeMap::new();
    for row in rows {
        let permission = Permission::parse(row.text("permission")?).map_err(Error::internal)?;
        found
            .entry(row.text("type")?)
            .or_default()
            .push((row.text("name")?.to_owned(), permission));
    }
    Ok(types
        .iter()
        .map(|of| (of.clone(), found.remove(of.as_str()).unwrap_or_default().into()))
        .collect())
}

/// Gives a service a name. If another service has the name, it loses it.
#[must_use]
pub fn put(name: &ResourceName, service_id: i64) -> Statement {
    Statement::new(
        "INSERT INTO resource_names (type, id, service_id) VALUES (?1, ?2, ?3)
         ON CONFLICT (type, id) DO UPDATE SET service_id = excluded.service_id",
        [name.of.as_str().into(), (&*name.id).into(), Param::Int64(service_id)],
    )
}

#[must_use]
pub fn delete(name: &ResourceName) -> Statement {
    Statement::new(
        "DELETE FROM resource_names WHERE type = ?1 AND id = ?2",
        [name.of.as_str().into(), (&*name.id).into()],
    )
}

/// Adds the names of a service to the change feed. The service is deleted later in the same batch.
#[must_use]
pub fn note_loss(service_id: i64, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO changes (kind, key, at) SELECT 'name', type || '/' || id, ?2
         FROM resource_names WHERE service_id = ?1",
        [Param::Int64(service_id), now.into()],
    )
}

pub async fn find(cx: &Cx, name: &ResourceName) -> Result<Option<i64>> {
    let statement = select_services(std::slice::from_ref(name));
    sql::first(cx, statement, |row| row.int64("service_id")).await
}

/// The names of a type and their services, by ascending name id.
pub async fn list(
    cx: &Cx,
    of: &ResourceType,
    after_id: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT id, CAST(service_id AS TEXT) AS service_id FROM resource_names
        WHERE type = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let statement =
        Statement::new(sql, [of.as_str().into(), after_id.into(), Param::Number(limit)]);
    sql::all(cx, statement, |row| Ok((row.text("id")?.to_owned(), row.int64("service_id")?))).await
}

/// Replaces the action names of a type.
#[must_use]
pub fn replace_actions(of: &ResourceType, actions: &[(String, Permission)]) -> [Statement; 2] {
    let names: Vec<_> =
        actions.iter().map(|(name, permission)| json!([name, permission.name()])).collect();
    [
        delete_actions(of),
        Statement::new(
            "INSERT INTO action_names (type, name, permission) SELECT ?1, value ->> 0, value ->> 1
             FROM json_each(?2)",
            [of.as_str().into(), json!(names).to_string().into()],
        ),
    ]
}

#[must_use]
pub fn delete_actions(of: &ResourceType) -> Statement {
    Statement::new("DELETE FROM action_names WHERE type = ?1", [of.as_str().into()])
}

/// The action names of a type as D1 has them now, and whether any service has a name of the type.
pub async fn find_actions(cx: &Cx, of: &ResourceType) -> Result<(Actions, bool)> {
    let is_used = Statement::new(
        "SELECT 1 AS found FROM resource_names WHERE type = ?1 LIMIT 1",
        [of.as_str().into()],
    );
    let results =
        sql::query_all(cx, vec![select_actions(std::slice::from_ref(of)), is_used]).await?;
    let actions = actions(std::slice::from_ref(of), sql::rows(&results, 0)?)?;
    let actions = actions.into_iter().next().map(|(_, actions)| actions).unwrap_or_default();
    Ok((actions, !sql::rows(&results, 1)?.is_empty()))
}
