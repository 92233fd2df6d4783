//! Many records at once: a request's worth in a few statements, and pages of all there is in the order of their keys.

use serde_json::{Value, json};

use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::permissions::period::Period;
use crate::domain::permissions::permission::{ObjectType, Permissions};
use crate::domain::permissions::record::Record;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::{grants, sql};

/// The statements that write all of the records; what is there already is replaced. They count as one with what they are batched with.
#[must_use]
pub fn write(records: &[Record], now: Millis) -> Vec<Statement> {
    let rows = |row: fn(&Record) -> Option<Value>| {
        let rows: Vec<_> = records.iter().filter_map(row).collect();
        (!rows.is_empty()).then(|| Param::Text(Value::Array(rows).to_string()))
    };
    let statement = |sql: &'static str, rows: Option<Param>| rows.map(|rows| Statement::new(sql, [rows, now.into()]));
    [
        statement(SERVICES, rows(service_row)),
        statement(APIS, rows(api_row)),
        statement(UNITS, rows(unit_row)),
        statement(MEMBERS, rows(member_row)),
        // A service that nobody registered is registered by its first grant.
        statement(SERVICES_OF_GRANTS, rows(grant_row)),
        statement(GRANTS, rows(grant_row)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const SERVICES: &str = "INSERT INTO services (id, name, auth_enabled, creator_id, created_at, modified_at)
    SELECT CAST(value ->> 0 AS INTEGER), value ->> 1, value ->> 2, CAST(value ->> 3 AS INTEGER), COALESCE(value ->> 4, ?2), ?2 FROM json_each(?1) WHERE 1
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, auth_enabled = excluded.auth_enabled,
      creator_id = COALESCE(excluded.creator_id, services.creator_id), modified_at = excluded.modified_at";

const APIS: &str = "INSERT INTO service_apis (service_id, id, name, auth_enabled, created_at)
    SELECT CAST(value ->> 0 AS INTEGER), CAST(value ->> 1 AS INTEGER), value ->> 2, value ->> 3, COALESCE(value ->> 4, ?2) FROM json_each(?1) WHERE 1
    ON CONFLICT (service_id, id) DO UPDATE SET name = excluded.name, auth_enabled = excluded.auth_enabled";

const UNITS: &str = "INSERT INTO units (object_type, id, name, parent_id, created_at)
    SELECT value ->> 0, CAST(value ->> 1 AS INTEGER), value ->> 2, CAST(value ->> 3 AS INTEGER), COALESCE(value ->> 4, ?2) FROM json_each(?1) WHERE 1
    ON CONFLICT (object_type, id) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id";

const MEMBERS: &str = "INSERT INTO memberships (object_type, object_id, user_id)
    SELECT value ->> 0, CAST(value ->> 1 AS INTEGER), CAST(value ->> 2 AS INTEGER) FROM json_each(?1) WHERE ?2 IS NOT NULL
    ON CONFLICT DO NOTHING";

const SERVICES_OF_GRANTS: &str = "INSERT INTO services (id, created_at, modified_at)
    SELECT DISTINCT CAST(value ->> 0 AS INTEGER), ?2, ?2 FROM json_each(?1) WHERE 1 ON CONFLICT (id) DO NOTHING";

const GRANTS: &str = "INSERT INTO grants (service_id, object_type, object_id, permissions, creator, created_at, starts_at, expires_at)
    SELECT CAST(value ->> 0 AS INTEGER), value ->> 1, CAST(value ->> 2 AS INTEGER), value ->> 3, value ->> 4, COALESCE(value ->> 5, ?2),
      value ->> 6, value ->> 7
    FROM json_each(?1) WHERE 1
    ON CONFLICT (service_id, object_type, object_id)
      DO UPDATE SET permissions = excluded.permissions, creator = MAX(grants.creator, excluded.creator),
        starts_at = CASE WHEN grants.creator THEN NULL ELSE excluded.starts_at END,
        expires_at = CASE WHEN grants.creator THEN NULL ELSE excluded.expires_at END
      WHERE grants.permissions <> excluded.permissions OR grants.creator < excluded.creator
        OR grants.starts_at IS NOT excluded.starts_at OR grants.expires_at IS NOT excluded.expires_at";

fn service_row(record: &Record) -> Option<Value> {
    let Record::Service { id, name, auth_enabled, creator_id, created_at } = record else { return None };
    Some(json!([id.to_string(), name, i32::from(*auth_enabled), creator_id.map(|id| id.to_string()), created_at]))
}

fn api_row(record: &Record) -> Option<Value> {
    let Record::Api { service_id, id, name, auth_enabled, created_at } = record else { return None };
    Some(json!([service_id.to_string(), id.to_string(), name, i32::from(*auth_enabled), created_at]))
}

fn unit_row(record: &Record) -> Option<Value> {
    let Record::Unit { kind, id, name, parent_id, created_at } = record else { return None };
    Some(json!([kind.object_type().name(), id.to_string(), name, parent_id.map(|id| id.to_string()), created_at]))
}

fn member_row(record: &Record) -> Option<Value> {
    let Record::Member { kind, id, user_id } = record else { return None };
    Some(json!([kind.object_type().name(), id.to_string(), user_id.to_string()]))
}

fn grant_row(record: &Record) -> Option<Value> {
    let Record::Grant { service_id, object_type, object_id, permissions, creator, created_at, period } = record else { return None };
    let key = (service_id.to_string(), object_type.name(), object_id.to_string());
    let Period { starts_at, expires_at } = period;
    Some(json!([key.0, key.1, key.2, permissions.bits(), i32::from(*creator), created_at, starts_at, expires_at]))
}

/// Which of these are not registered: `kind` is `SERVICE`, `USER`, `DEPT` or `GROUP`.
pub async fn missing(cx: &Cx, references: &[(&'static str, i64)]) -> Result<Vec<(String, i64)>> {
    let list: Vec<_> = references.iter().map(|(kind, id)| json!([kind, id.to_string()])).collect();
    let statement = Statement::new(
        "SELECT value ->> 0 AS kind, value ->> 1 AS id FROM json_each(?1) WHERE NOT CASE value ->> 0
           WHEN 'SERVICE' THEN EXISTS (SELECT 1 FROM services WHERE id = CAST(value ->> 1 AS INTEGER))
           WHEN 'USER' THEN EXISTS (SELECT 1 FROM users WHERE id = CAST(value ->> 1 AS INTEGER))
           ELSE EXISTS (SELECT 1 FROM units WHERE object_type = value ->> 0 AND id = CAST(value ->> 1 AS INTEGER)) END",
        [Param::Text(Value::Array(list).to_string())],
    );
    let pair = |row: &Row| Ok((row.text("kind")?.to_owned(), row.int64("id")?));
    sql::query(cx, statement).await?.iter().map(pair).collect()
}

/// How many records there are in all.
pub async fn count(cx: &Cx) -> Result<i64> {
    let statement = Statement::new(
        "SELECT (SELECT COUNT(*) FROM services) + (SELECT COUNT(*) FROM service_apis) + (SELECT COUNT(*) FROM units)
           + (SELECT COUNT(*) FROM memberships) + (SELECT COALESCE(SUM(grants), 0) FROM grant_counts) AS total",
        [],
    );
    sql::query(cx, statement).await?.first().map_or(Ok(0), |row| row.number("total"))
}

/// The kinds of records, in the order in which they are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Services.
    Services,
    /// Their APIs.
    Apis,
    /// Departments, then groups.
    Units,
    /// Who is in them.
    Members,
    /// Grants.
    Grants,
}

impl Section {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Services, Self::Apis, Self::Units, Self::Members, Self::Grants];
}

/// At most `limit` records of a section, behind the key of `after` in its order.
pub async fn page(cx: &Cx, section: Section, after: Option<&Record>, limit: i64) -> Result<Vec<Record>> {
    let (columns, key, order, first) = match section {
        Section::Services => (
            "CAST(id AS TEXT) AS id, name, auth_enabled, CAST(creator_id AS TEXT) AS creator_id, created_at FROM services",
            "services.id",
            "services.id",
            "CAST(?1 AS INTEGER)",
        ),
        Section::Apis => (
            "CAST(service_id AS TEXT) AS service_id, CAST(id AS TEXT) AS id, name, auth_enabled, created_at FROM service_apis",
            "(service_id, id)",
            "service_apis.service_id, service_apis.id",
            "(CAST(?1 AS INTEGER), CAST(?2 AS INTEGER))",
        ),
        Section::Units => (
            "object_type, CAST(id AS TEXT) AS id, name, CAST(parent_id AS TEXT) AS parent_id, created_at FROM units",
            "(object_type, id)",
            "units.object_type, units.id",
            "(?1, CAST(?2 AS INTEGER))",
        ),
        Section::Members => (
            "CAST(user_id AS TEXT) AS user_id, object_type, CAST(object_id AS TEXT) AS object_id FROM memberships",
            "(user_id, object_type, object_id)",
            "memberships.user_id, memberships.object_type, memberships.object_id",
            "(CAST(?1 AS INTEGER), ?2, CAST(?3 AS INTEGER))",
        ),
        Section::Grants => (
            "CAST(service_id AS TEXT) AS service_id, object_type, CAST(object_id AS TEXT) AS object_id, permissions, creator, created_at, starts_at, expires_at
             FROM grants",
            "(service_id, object_type, object_id)",
            "grants.service_id, grants.object_type, grants.object_id",
            "(CAST(?1 AS INTEGER), ?2, CAST(?3 AS INTEGER))",
        ),
    };
    let mut params = after.map(key_of).unwrap_or_default();
    params.push(Param::Number(limit));
    let behind = if after.is_some() { format!("WHERE {key} > {first}") } else { String::new() };
    let sql = format!("SELECT {columns} {behind} ORDER BY {order} LIMIT ?{}", params.len());
    sql::query(cx, Statement::new(sql, params)).await?.iter().map(|row| record(section, row)).collect()
}

fn key_of(record: &Record) -> Vec<Param> {
    match record {
        Record::Service { id, .. } => vec![Param::Int64(*id)],
        Record::Api { service_id, id, .. } => vec![Param::Int64(*service_id), Param::Int64(*id)],
        Record::Unit { kind, id, .. } => vec![kind.object_type().name().into(), Param::Int64(*id)],
        Record::Member { kind, id, user_id } => vec![Param::Int64(*user_id), kind.object_type().name().into(), Param::Int64(*id)],
        Record::Grant { service_id, object_type, object_id, .. } => {
            vec![Param::Int64(*service_id), object_type.name().into(), Param::Int64(*object_id)]
        }
    }
}

fn record(section: Section, row: &Row) -> Result<Record> {
    let name = || row.optional_text("name").map(|name| name.map(str::to_owned));
    let created_at = || row.number("created_at").map(|time| Some(Millis(time)));
    Ok(match section {
        Section::Services => Record::Service {
            id: row.int64("id")?,
            name: name()?,
            auth_enabled: row.flag("auth_enabled")?,
            creator_id: row.optional_text("creator_id")?.and_then(|id| id.parse().ok()),
            created_at: created_at()?,
        },
        Section::Apis => Record::Api {
            service_id: row.int64("service_id")?,
            id: row.int64("id")?,
            name: name()?,
            auth_enabled: row.flag("auth_enabled")?,
            created_at: created_at()?,
        },
        Section::Units => Record::Unit {
            kind: kind(row)?,
            id: row.int64("id")?,
            name: name()?,
            parent_id: row.optional_text("parent_id")?.and_then(|id| id.parse().ok()),
            created_at: created_at()?,
        },
        Section::Members => Record::Member { kind: kind(row)?, id: row.int64("object_id")?, user_id: row.int64("user_id")? },
        Section::Grants => Record::Grant {
            service_id: row.int64("service_id")?,
            object_type: object_type(row)?,
            object_id: row.int64("object_id")?,
            permissions: Permissions::from_bits(row.number("permissions")?),
            creator: row.flag("creator")?,
            created_at: created_at()?,
            period: grants::period(row)?,
        },
    })
}

fn object_type(row: &Row) -> Result<ObjectType> {
    ObjectType::parse(row.text("object_type")?).map_err(|_| Error::internal("a stored object type is unreadable"))
}

fn kind(row: &Row) -> Result<UnitKind> {
    let object_type = object_type(row)?;
    let kind = UnitKind::ALL.into_iter().find(|kind| kind.object_type() == object_type);
    kind.ok_or_else(|| Error::internal("a stored unit has an unreadable type"))
}
