//! Grants.
//!
//! A list reads few rows beyond those it returns. Every order has an index that begins with service
//! and type. Without filters, the total comes from counters. A page beyond the middle is read from
//! the other end.

use std::fmt::Write;

use crate::context::Cx;
use crate::domain::permissions::grant::{
    Condition, Grant, GrantField, GrantPage, GrantQuery, NewGrant, OrderBy, Test,
};
use crate::domain::permissions::period::Period;
use crate::domain::permissions::permission::{ObjectType, Permissions};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::reach::{Member, REACHED};
use crate::store::sql;

const COLUMNS: &str = "CAST(g.id AS TEXT) AS id, CAST(g.service_id AS TEXT) AS service_id,
    g.object_type, CAST(g.object_id AS TEXT) AS object_id, g.permissions, g.creator, g.created_at,
    g.starts_at, g.expires_at";

/// The columns for rows that come as one text.
const PACKED_COLUMNS: &str = "g.id, g.service_id, g.object_type, g.object_id, g.permissions,
    g.creator, g.created_at, g.starts_at, g.expires_at";
/// The names of the columns, followed by the object's name.
const NAMES: [&str; 10] = [
    "id",
    "service_id",
    "object_type",
    "object_id",
    "permissions",
    "creator",
    "created_at",
    "starts_at",
    "expires_at",
    "object_name",
];
/// This many grants with object names stay below 2 MB, D1's limit for a text: a name has at most
/// 256 characters of 4 bytes, and the rest of a grant less than 200 bytes.
const PACKED_WITH_NAMES: i64 = 1500;

/// SQL for the name of the user, department or group that has the grant.
const OBJECT_NAME: &str = "CASE g.object_type
    WHEN 'USER' THEN (SELECT COALESCE(u.name, u.username) FROM users u WHERE u.id = g.object_id)
    ELSE (SELECT d.name FROM units d WHERE d.object_type = g.object_type AND d.id = g.object_id)
    END";

/// Adds a grant. The object must not have one on the service. Returns the id.
#[must_use]
pub fn insert(grant: &NewGrant, now: Millis) -> Statement {
    let bound = |at: Option<Millis>| at.map_or(Param::Null, Param::from);
    Statement::new(
        "INSERT INTO grants (service_id, object_type, object_id, permissions, created_at, starts_at,
           expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING CAST(id AS TEXT) AS id",
        [
            Param::Int64(grant.service_id),
            grant.object_type.name().into(),
            Param::Int64(grant.object_id),
            Param::Number(grant.permissions.bits()),
            now.into(),
            bound(grant.period.starts_at),
            bound(grant.period.expires_at),
        ],
    )
}

/// Replaces a grant's permissions. Returns its id, or no row if there is no such grant or it is the
/// creator's.
#[must_use]
pub fn update(id: i64, permissions: Permissions) -> Statement {
    Statement::new(
        "UPDATE grants SET permissions = ?2 WHERE id = ?1 AND creator = 0
         RETURNING CAST(id AS TEXT) AS id",
        [Param::Int64(id), Param::Number(permissions.bits())],
    )
}

/// Deletes a grant. Returns its id, or no row if there is no such grant or it is the creator's.
#[must_use]
pub fn delete(id: i64) -> Statement {
    Statement::new(
        "DELETE FROM grants WHERE id = ?1 AND creator = 0 RETURNING CAST(id AS TEXT) AS id",
        [Param::Int64(id)],
    )
}

#[must_use]
pub fn delete_of_object(object_type: ObjectType, object_id: i64) -> Statement {
    Statement::new(
        "DELETE FROM grants WHERE object_type = ?1 AND object_id = ?2",
        [object_type.name().into(), Param::Int64(object_id)],
    )
}

#[must_use]
pub fn delete_of_service(service_id: i64) -> Statement {
    Statement::new("DELETE FROM grants WHERE service_id = ?1", [Param::Int64(service_id)])
}

pub async fn find(cx: &Cx, id: i64) -> Result<Option<Grant>> {
    let sql = format!("SELECT {COLUMNS} FROM grants g WHERE g.id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id)]), grant).await
}

pub async fn find_to(
    cx: &Cx,
    service_id: i64,
    object_type: ObjectType,
    object_id: i64,
) -> Result<Option<Grant>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM grants g
         WHERE g.service_id = ?1 AND g.object_type = ?2 AND g.object_id = ?3"
    );
    let params = [Param::Int64(service_id), object_type.name().into(), Param::Int64(object_id)];
    sql::first(cx, Statement::new(sql, params), grant).await
}

/// Finds a grant and the name of its object.
pub async fn find_named(cx: &Cx, id: i64) -> Result<Option<Named>> {
    let sql =
        format!("SELECT {COLUMNS}, {OBJECT_NAME} AS object_name FROM grants g WHERE g.id = ?1");
    sql::first(cx, Statement::new(sql, [Param::Int64(id)]), named).await
}

/// A grant, and the name of its object if it has one.
pub type Named = (Grant, Option<String>);

/// The grants on a service by ascending id. At most `limit` rows are read per object type.
pub async fn list_of_service(
    cx: &Cx,
    service_id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Named>> {
    let sql = format!(
        "WITH types (name) AS (VALUES ('USER'), ('DEPT'), ('GROUP'))
         SELECT {PACKED_COLUMNS}, {OBJECT_NAME} AS object_name FROM types t
           CROSS JOIN grants g ON g.id IN (
             SELECT x.id FROM grants x INDEXED BY grants_in_order
             WHERE x.service_id = CAST(?1 AS INTEGER) AND x.object_type = t.name
               AND x.id > CAST(?2 AS INTEGER) ORDER BY x.id LIMIT ?3)
         ORDER BY g.id LIMIT ?3"
    );
    let params = [
        Param::Int64(service_id),
        Param::Int64(after_id.unwrap_or(i64::MIN)),
        Param::Number(limit),
    ];
    list_named(cx, Statement::new(sql, params)).await
}

async fn list_named(cx: &Cx, statement: Statement) -> Result<Vec<Named>> {
    sql::query_packed(cx, &NAMES, statement).await?.iter().map(named).collect()
}

/// The grants to an object, on one service or on all of them, by ascending id.
pub async fn list_of_object(
    cx: &Cx,
    (object_type, object_id): (ObjectType, i64),
    service_id: Option<i64>,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Named>> {
    let (index, on_service) = match service_id {
        Some(_) => ("grants_by_object", "AND g.service_id = CAST(?5 AS INTEGER)"),
        None => ("grants_of_object", ""),
    };
    let sql = format!(
        "SELECT {PACKED_COLUMNS}, {OBJECT_NAME} AS object_name FROM grants g INDEXED BY {index}
         WHERE g.object_type = ?1 AND g.object_id = CAST(?2 AS INTEGER)
           AND g.id > CAST(?3 AS INTEGER) {on_service} ORDER BY g.id LIMIT ?4"
    );
    let mut params = vec![
        object_type.name().into(),
        Param::Int64(object_id),
        Param::Int64(after_id.unwrap_or(i64::MIN)),
        Param::Number(limit),
    ];
    params.extend(service_id.map(Param::Int64));
    list_named(cx, Statement::new(sql, params)).await
}

/// The grants that reach a user, by ascending id. At most `limit` rows are read for each object
/// that has them.
pub async fn list_of_user(
    cx: &Cx,
    member: &Member<'_>,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Named>> {
    let sql = format!(
        "WITH RECURSIVE {REACHED},
           objects (object_type, id) AS (SELECT 'USER', CAST(?1 AS INTEGER)
             UNION ALL SELECT object_type, id FROM reached)
         SELECT {PACKED_COLUMNS}, {OBJECT_NAME} AS object_name FROM objects o
           CROSS JOIN grants g ON g.id IN (
             SELECT x.id FROM grants x INDEXED BY grants_of_object
             WHERE x.object_type = o.object_type AND x.object_id = o.id
               AND x.id > CAST(?3 AS INTEGER) ORDER BY x.id LIMIT ?4)
         ORDER BY g.id LIMIT ?4"
    );
    let mut params = member.params();
    params.extend([Param::Int64(after_id.unwrap_or(i64::MIN)), Param::Number(limit)]);
    list_named(cx, Statement::new(sql, params)).await
}

/// The grants on a service that reach a user, including those that are not valid now.
#[must_use]
pub fn select_reaching(member: &Member<'_>, service_id: i64) -> Statement {
    let mut params = member.params();
    params.push(Param::Int64(service_id));
    Statement::new(
        format!(
            "WITH RECURSIVE {REACHED},
               objects (object_type, id) AS (SELECT 'USER', CAST(?1 AS INTEGER)
                 UNION ALL SELECT object_type, id FROM reached)
             SELECT {COLUMNS}, {OBJECT_NAME} AS object_name FROM objects o
               CROSS JOIN grants g ON g.service_id = CAST(?3 AS INTEGER)
                 AND g.object_type = o.object_type AND g.object_id = o.id
             ORDER BY g.id"
        ),
        params,
    )
}

/// Reads a page of a list, and the number of grants on all pages.
pub async fn list(cx: &Cx, query: &GrantQuery) -> Result<GrantPage> {
    if query.offset == 0 && query.conditions.is_empty() {
        // Without filters, a limit beyond the total reads no further rows.
        let results =
            sql::query_all(cx, vec![count(query), page(query, query.descending, 0, query.limit)])
                .await?;
        return Ok(GrantPage {
            total: sql::rows(&results, 0)?.first().map_or(Ok(0), |row| row.number("total"))?,
            grants: read_page(query, query.limit, sql::rows(&results, 1)?)?,
        });
    }
    let total = sql::total(cx, count(query)).await?;
    let limit = query.limit.min(total.saturating_sub(query.offset));
    if limit <= 0 {
        return Ok(GrantPage { total, grants: Vec::new() });
    }
    // So the last page costs no more than the first.
    let is_beyond_middle = query.offset > total / 2;
    let offset = if is_beyond_middle { total - query.offset - limit } else { query.offset };
    let rows =
        sql::query(cx, page(query, query.descending != is_beyond_middle, offset, limit)).await?;
    let mut grants = read_page(query, limit, &rows)?;
    if is_beyond_middle {
        grants.reverse();
    }
    Ok(GrantPage { total, grants })
}

fn count(query: &GrantQuery) -> Statement {
    if query.conditions.is_empty() {
        let (services, params) = services(query);
        let sql = format!(
            "SELECT COALESCE(SUM(g.grants), 0) AS total FROM grant_counts g
             WHERE {services} AND g.object_type = ?2"
        );
        return Statement::new(sql, params);
    }
    let (conditions, params) = conditions(query);
    Statement::new(format!("SELECT COUNT(*) AS total FROM grants g WHERE {conditions}"), params)
}

/// Tells whether the page's rows fit into one text.
fn is_packed(query: &GrantQuery, limit: i64) -> bool {
    !query.with_names || limit <= PACKED_WITH_NAMES
}

fn read_page(query: &GrantQuery, limit: i64, rows: &[Row]) -> Result<Vec<Named>> {
    if is_packed(query, limit) {
        sql::unpacked(&NAMES, rows)?.iter().map(named).collect()
    } else {
        rows.iter().map(named).collect()
    }
}

fn page(query: &GrantQuery, descending: bool, offset: i64, limit: i64) -> Statement {
    let (conditions, mut params) = conditions(query);
    let name = if query.with_names { OBJECT_NAME } else { "NULL" };
    let direction = if descending { "DESC" } else { "ASC" };
    let order = match query.order_by {
        // With one service, its id orders nothing. It is named so that SQLite walks the index
        // instead of sorting.
        OrderBy::Id if query.service_ids.len() > 1 => format!("g.id {direction}"),
        OrderBy::Id | OrderBy::ServiceId => {
            format!("g.service_id {direction}, g.object_type {direction}, g.id {direction}")
        }
        OrderBy::CreatedAt if query.service_ids.len() > 1 => {
            format!("g.created_at {direction}, g.id {direction}")
        }
        OrderBy::CreatedAt => {
            format!(
                "g.service_id {direction}, g.object_type {direction}, g.created_at {direction},
                   g.id {direction}"
            )
        }
    };
    let is_packed = is_packed(query, limit);
    let columns = if is_packed { PACKED_COLUMNS } else { COLUMNS };
    params.extend([Param::Number(limit), Param::Number(offset)]);
    let (limit, offset) = (params.len() - 1, params.len());
    let sql = format!(
        "SELECT {columns}, {name} AS object_name FROM grants g {} WHERE {conditions}
         ORDER BY {order} LIMIT ?{limit} OFFSET ?{offset}",
        access(query)
    );
    let statement = Statement::new(sql, params);
    if is_packed { sql::packed(&NAMES, statement) } else { statement }
}

/// The index hint for cases in which SQLite, not knowing the values, would choose badly.
fn access(query: &GrantQuery) -> &'static str {
    let is_one_of = |field| {
        let chosen = |condition: &Condition| {
            condition.field == field && matches!(condition.test, Test::Among { not: false, .. })
        };
        query.conditions.iter().any(chosen)
    };
    let is_in_time =
        query.conditions.iter().any(|condition| condition.field == GrantField::CreatedAt);
    if is_one_of(GrantField::Id) {
        // This uses the primary key, which is not an index.
        "NOT INDEXED"
    } else if is_one_of(GrantField::ObjectId) {
        "INDEXED BY grants_by_object"
    } else if query.order_by == OrderBy::Id && query.service_ids.len() > 1 && !is_in_time {
        // Each service's rows come in the order of their ids, so at most `limit` rows are read per
        // service.
        "INDEXED BY grants_in_order"
    } else if query.order_by == OrderBy::CreatedAt && query.service_ids.len() > 1 {
        // Without the hint, the SQLite in current workerd reads all grants of the object type.
        "INDEXED BY grants_by_created_at"
    } else {
        ""
    }
}

/// The condition on services and object type: `?1` is the service or the list of services, `?2` the
/// object type.
fn services(query: &GrantQuery) -> (&'static str, Vec<Param>) {
    let object_type = Param::from(query.object_type.name());
    match query.service_ids.as_slice() {
        [id] => ("g.service_id = CAST(?1 AS INTEGER)", vec![Param::Int64(*id), object_type]),
        ids => (
            "g.service_id IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))",
            vec![sql::stored_ids(ids).into(), object_type],
        ),
    }
}

fn conditions(query: &GrantQuery) -> (String, Vec<Param>) {
    let (services, mut params) = services(query);
    let mut sql = format!("{services} AND g.object_type = ?2");
    for condition in &query.conditions {
        condition_sql(condition, &mut sql, &mut params);
    }
    (sql, params)
}

fn condition_sql(condition: &Condition, sql: &mut String, params: &mut Vec<Param>) {
    let column = match condition.field {
        GrantField::Id => "g.id",
        GrantField::ServiceId => "g.service_id",
        GrantField::ObjectType => "g.object_type",
        GrantField::ObjectId => "g.object_id",
        GrantField::CreatedAt => "g.created_at",
    };
    let text = match condition.field {
        GrantField::CreatedAt => {
            "strftime('%Y-%m-%d %H:%M:%S', g.created_at / 1000, 'unixepoch')".to_owned()
        }
        _ => format!("CAST({column} AS TEXT)"),
    };
    let mut bind = |param: Param| {
        params.push(param);
        params.len()
    };
    // Writing into a string cannot fail.
    let _ = match &condition.test {
        Test::Within(first, last) => {
            for (operator, bound) in [(">=", first), ("<=", last)] {
                if let Some(bound) = bound {
                    let _ = write!(
                        sql,
                        " AND {column} {operator} CAST(?{} AS INTEGER)",
                        bind(Param::Int64(*bound))
                    );
                }
            }
            Ok(())
        }
        Test::Among { values, not } => {
            let not = if *not { "NOT " } else { "" };
            let value = if condition.field == GrantField::ObjectType {
                "value"
            } else {
                "CAST(value AS INTEGER)"
            };
            write!(
                sql,
                " AND {column} {not}IN (SELECT {value} FROM json_each(?{}))",
                bind(sql::stored_strings(values).into())
            )
        }
        Test::Like { text: part, at_start, not } => {
            let not = if *not { "NOT " } else { "" };
            let index = bind(part.as_str().into());
            if *at_start {
                write!(sql, " AND {not}(substr({text}, 1, length(?{index})) = ?{index})")
            } else {
                write!(sql, " AND {not}(instr({text}, ?{index}) > 0)")
            }
        }
        Test::Present(true) => write!(sql, " AND {column} IS NOT NULL"),
        Test::Present(false) => write!(sql, " AND {column} IS NULL"),
    };
}

pub(crate) fn named(row: &Row) -> Result<Named> {
    Ok((grant(row)?, row.optional_text("object_name")?.map(str::to_owned)))
}

fn grant(row: &Row) -> Result<Grant> {
    let object_type = ObjectType::parse(row.text("object_type")?)
        .map_err(|_| Error::internal("a stored grant has an unreadable type"))?;
    let creator = row.flag("creator")?;
    Ok(Grant {
        id: row.int64("id")?,
        service_id: row.int64("service_id")?,
        object_type,
        object_id: row.int64("object_id")?,
        permissions: if creator {
            Permissions::ALL
        } else {
            Permissions::from_bits(row.number("permissions")?)
        },
        creator,
        created_at: Millis(row.number("created_at")?),
        period: period(row)?,
    })
}

/// The period in which a grant is valid. The creator's grant is always valid.
pub(crate) fn period(row: &Row) -> Result<Period> {
    if row.flag("creator")? {
        return Ok(Period::ALWAYS);
    }
    let bound = |column| row.optional_number(column).map(|at| at.map(Millis));
    Ok(Period { starts_at: bound("starts_at")?, expires_at: bound("expires_at")? })
}
