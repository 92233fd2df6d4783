//! Services and their APIs.

use crate::context::Cx;
use crate::domain::permissions::directory::{Api, Service};
use crate::domain::permissions::permission::Permissions;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::beginnings::{self, Page};
use crate::store::ids::IdKind;
use crate::store::sql;

const COLUMNS: &str = "CAST(id AS TEXT) AS id, name, auth_enabled,
    CAST(creator_id AS TEXT) AS creator_id, created_at";
const API_COLUMNS: &str = "CAST(service_id AS TEXT) AS service_id, CAST(id AS TEXT) AS id, name,
    auth_enabled, created_at";

/// Creates a service. Its id must be free; without one, `ids::choose` must run before it. Returns
/// the id.
#[must_use]
pub fn insert(
    id: Option<i64>,
    name: Option<&str>,
    auth_enabled: bool,
    creator_id: Option<i64>,
    now: Millis,
) -> Statement {
    Statement::new(
        format!(
            "INSERT INTO services (id, name, auth_enabled, creator_id, created_at, modified_at)
             VALUES (COALESCE(CAST(?1 AS INTEGER), {}), ?2, ?3, CAST(?4 AS INTEGER), ?5, ?5)
             RETURNING CAST(id AS TEXT) AS id",
            IdKind::Service.chosen()
        ),
        [
            id.map_or(Param::Null, Param::Int64),
            name.map(str::to_owned).into(),
            auth_enabled.into(),
            creator_id.map_or(Param::Null, Param::Int64),
            now.into(),
        ],
    )
}

/// Adds the creator's grant, which holds all permissions. `id` is as for [`insert`].
#[must_use]
pub fn insert_creator_grant(creator_id: i64, id: Option<i64>, now: Millis) -> Statement {
    Statement::new(
        format!(
            "INSERT INTO grants (service_id, object_type, object_id, permissions, creator,
               created_at)
             VALUES (COALESCE(CAST(?2 AS INTEGER), {}), 'USER', CAST(?1 AS INTEGER), ?3, 1, ?4)",
            IdKind::Service.chosen()
        ),
        [
            Param::Int64(creator_id),
            id.map_or(Param::Null, Param::Int64),
            Param::Number(Permissions::ALL.bits()),
            now.into(),
        ],
    )
}

/// Inserts the service, switched on, unless it exists.
#[must_use]
pub fn register(id: i64, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO services (id, created_at, modified_at) VALUES (?1, ?2, ?2)
         ON CONFLICT (id) DO NOTHING",
        [Param::Int64(id), now.into()],
    )
}

/// Updates the name and the switch if they differ from `before`.
#[must_use]
pub fn update(before: &Service, after: &Service, now: Millis) -> Statement {
    let both = |of: fn(&Service) -> Param| [before, after].map(of);
    let columns = [
        ("name", both(|service| service.name.clone().into())),
        ("auth_enabled", both(|service| service.auth_enabled.into())),
    ];
    sql::edit(
        "services",
        &[("id", Param::Int64(before.id))],
        &[("modified_at", now.into())],
        columns,
    )
}

/// Sets a service's switch, and inserts the service if it does not exist.
#[must_use]
pub fn set_switch(id: i64, enabled: bool, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO services (id, auth_enabled, created_at, modified_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (id) DO UPDATE
         SET auth_enabled = excluded.auth_enabled, modified_at = excluded.modified_at",
        [Param::Int64(id), enabled.into(), now.into()],
    )
}

/// Sets the switches of all APIs of a service.
#[must_use]
pub fn set_api_switches(id: i64, enabled: bool) -> Statement {
    Statement::new(
        "UPDATE service_apis SET auth_enabled = ?2 WHERE service_id = ?1",
        [Param::Int64(id), enabled.into()],
    )
}

/// Deletes a service. The same batch must delete its APIs and grants.
#[must_use]
pub fn delete(id: i64) -> Statement {
    Statement::new("DELETE FROM services WHERE id = ?1", [Param::Int64(id)])
}

#[must_use]
pub fn delete_apis(service_id: i64) -> Statement {
    Statement::new("DELETE FROM service_apis WHERE service_id = ?1", [Param::Int64(service_id)])
}

#[must_use]
pub fn put_api(
    service_id: i64,
    id: i64,
    name: Option<&str>,
    auth_enabled: bool,
    now: Millis,
) -> Statement {
    Statement::new(
        "INSERT INTO service_apis (service_id, id, name, auth_enabled, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (service_id, id)
           DO UPDATE SET name = excluded.name, auth_enabled = excluded.auth_enabled",
        [
            Param::Int64(service_id),
            Param::Int64(id),
            name.map(str::to_owned).into(),
            auth_enabled.into(),
            now.into(),
        ],
    )
}

#[must_use]
pub fn delete_api(service_id: i64, id: i64) -> Statement {
    Statement::new(
        "DELETE FROM service_apis WHERE service_id = ?1 AND id = ?2",
        [Param::Int64(service_id), Param::Int64(id)],
    )
}

pub async fn find(cx: &Cx, id: i64) -> Result<Option<Service>> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id)]), service).await
}

/// Services by ascending id, or by name if `beginning` selects by name.
pub async fn list(
    cx: &Cx,
    beginning: Option<&str>,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Service>> {
    let statement = match beginning {
        Some(beginning) => {
            beginnings::SERVICES
                .select(cx, COLUMNS, Page { beginning, after: after_id.map(Param::Int64), limit })
                .await?
        }
        None => Statement::new(
            format!("SELECT {COLUMNS} FROM services WHERE id > ?1 ORDER BY services.id LIMIT ?2"),
            [Param::Int64(after_id.unwrap_or(i64::MIN)), Param::Number(limit)],
        ),
    };
    sql::all(cx, statement, service).await
}

/// The rows with these ids, by ascending id. Ids that do not exist are left out.
pub async fn list_by_ids(cx: &Cx, ids: &[i64]) -> Result<Vec<Service>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM services
         WHERE id IN (SELECT CAST(value AS INTEGER) FROM json_each(?1)) ORDER BY services.id"
    );
    let params = [Param::from(sql::stored_ids(ids))];
    sql::all(cx, Statement::new(sql, params), service).await
}

/// The APIs of a service, by ascending id.
pub async fn list_apis(
    cx: &Cx,
    service_id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Api>> {
    let sql = format!(
        "SELECT {API_COLUMNS} FROM service_apis WHERE service_id = ?1 AND id > ?2
         ORDER BY service_apis.id LIMIT ?3"
    );
    let params = [
        Param::Int64(service_id),
        Param::Int64(after_id.unwrap_or(i64::MIN)),
        Param::Number(limit),
    ];
    sql::all(cx, Statement::new(sql, params), api).await
}

/// Counts the APIs of a service whose switch is off, as `apis_off`.
#[must_use]
pub fn count_apis_off(service_id: i64) -> Statement {
    let sql =
        "SELECT COUNT(*) AS apis_off FROM service_apis WHERE service_id = ?1 AND auth_enabled = 0";
    Statement::new(sql, [Param::Int64(service_id)])
}

pub async fn find_api(cx: &Cx, service_id: i64, id: i64) -> Result<Option<Api>> {
    let sql = format!("SELECT {API_COLUMNS} FROM service_apis WHERE service_id = ?1 AND id = ?2");
    let params = [Param::Int64(service_id), Param::Int64(id)];
    sql::first(cx, Statement::new(sql, params), api).await
}

fn service(row: &Row) -> Result<Service> {
    Ok(Service {
        id: row.int64("id")?,
        name: row.optional_text("name")?.map(str::to_owned),
        auth_enabled: row.flag("auth_enabled")?,
        creator_id: row.optional_text("creator_id")?.and_then(|id| id.parse().ok()),
        created_at: Millis(row.number("created_at")?),
    })
}

fn api(row: &Row) -> Result<Api> {
    Ok(Api {
        service_id: row.int64("service_id")?,
        id: row.int64("id")?,
        name: row.optional_text("name")?.map(str::to_owned),
        auth_enabled: row.flag("auth_enabled")?,
        created_at: Millis(row.number("created_at")?),
    })
}
