//! Searches for the users who have a permission on a service, and for the services on which a user
//! has one. Results come in pages by ascending id. Of each source (grants, memberships, switches),
//! no more rows are read than the page needs.

use crate::context::Cx;
use crate::domain::permissions::names::ResourceType;
use crate::domain::permissions::permission::{Permission, Permissions};
use crate::error::Result;
use crate::ports::{Param, Statement};
use crate::store::reach::{Member, REACHED};
use crate::store::sql;

/// SQL: does the grant `g` give permission `?5` at the time `?6`? The creator's grant always does.
const GIVES: &str = "(g.creator = 1 OR (g.permissions & ?5 <> 0
    AND (g.starts_at IS NULL OR g.starts_at <= ?6)
    AND (g.expires_at IS NULL OR ?6 < g.expires_at)))";

#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Only ids above this one.
    pub after: i64,
    pub limit: i64,
}

/// Tells whether everybody has the permission while the service's switch is off.
fn is_spared(permission: Permission) -> bool {
    !matches!(permission, Permission::Grant | Permission::Release)
}

fn bit(permission: Permission) -> Param {
    Param::Number(Permissions::NONE.with(permission).bits())
}

/// The ids and names of users who have the permission on the service. `also` adds a user who has it
/// for a reason that is not stored. With `strangers`, the result includes ids that grants or
/// memberships name and that no user has.
pub async fn users(
    cx: &Cx,
    (service_id, permission): (i64, Permission),
    also: Option<i64>,
    strangers: bool,
    page: Page,
) -> Result<Vec<(i64, Option<String>)>> {
    let users = if strangers { "LEFT JOIN users u" } else { "CROSS JOIN users u" };
    let sql = format!(
        "WITH RECURSIVE
           granted (object_type, id) AS (
             SELECT g.object_type, g.object_id FROM grants g
               WHERE g.service_id = CAST(?1 AS INTEGER) AND g.object_type IN ('DEPT', 'GROUP')
                 AND {GIVES}
             UNION
             SELECT 'DEPT', d.id FROM granted a CROSS JOIN units d ON d.parent_id = a.id
               WHERE a.object_type = 'DEPT' AND d.object_type = 'DEPT'),
           found (id) AS (
             SELECT * FROM (
               SELECT u.id FROM services s CROSS JOIN users u
                 WHERE s.id = CAST(?1 AS INTEGER) AND s.auth_enabled = 0 AND ?4 = 1
                   AND u.id > CAST(?2 AS INTEGER) AND u.enabled = 1 ORDER BY u.id LIMIT ?3)
             UNION
             SELECT * FROM (
               SELECT u.id FROM users u INDEXED BY users_administrators
                 WHERE u.type = 'Administrator' AND u.enabled = 1 AND u.id > CAST(?2 AS INTEGER)
                 ORDER BY u.id LIMIT ?3)
             UNION
             SELECT * FROM (
               SELECT g.object_id FROM grants g {users} ON u.id = g.object_id
                 WHERE g.service_id = CAST(?1 AS INTEGER) AND g.object_type = 'USER'
                   AND g.object_id > CAST(?2 AS INTEGER)
                   AND {GIVES} AND u.enabled IS NOT 0 ORDER BY g.object_id LIMIT ?3)
             UNION
             SELECT m.user_id FROM granted a
               CROSS JOIN memberships m ON m.object_type = a.object_type AND m.object_id = a.id
               AND m.user_id IN (
                 SELECT x.user_id FROM memberships x {users} ON u.id = x.user_id
                   WHERE x.object_type = a.object_type AND x.object_id = a.id
                     AND x.user_id > CAST(?2 AS INTEGER)
                     AND u.enabled IS NOT 0 ORDER BY x.user_id LIMIT ?3)
             UNION
             SELECT CAST(?7 AS INTEGER) WHERE CAST(?7 AS INTEGER) > CAST(?2 AS INTEGER))
         SELECT f.id, u.username FROM found f LEFT JOIN users u ON u.id = f.id
         ORDER BY f.id LIMIT ?3"
    );
    let params = [
        Param::Int64(service_id),
        Param::Int64(page.after),
        Param::Number(page.limit),
        is_spared(permission).into(),
        bit(permission),
        cx.now.into(),
        also.map_or(Param::Null, Param::Int64),
    ];
    let rows = sql::query_packed(cx, &["id", "username"], Statement::new(sql, params)).await?;
    rows.iter()
        .map(|row| Ok((row.int64("id")?, row.optional_text("username")?.map(str::to_owned))))
        .collect()
}

/// The ids of services on which the user has the permission. With `of`, only services that have a
/// name of this type, together with the name.
pub async fn services(
    cx: &Cx,
    member: &Member<'_>,
    permission: Permission,
    of: Option<&ResourceType>,
    page: Page,
) -> Result<Vec<(i64, Option<String>)>> {
    let mut params = member.params();
    params.extend([
        Param::Number(page.limit),
        is_spared(permission).into(),
        bit(permission),
        cx.now.into(),
        Param::Int64(page.after),
    ]);
    if let Some(of) = of {
        params.extend([of.as_str().into(), cx.config.strict_directory.into()]);
    }
    let sql = if of.is_some() { named_services() } else { all_services() };
    let rows = sql::query_packed(cx, &["id", "name"], Statement::new(sql, params)).await?;
    rows.iter()
        .map(|row| Ok((row.int64("id")?, row.optional_text("name")?.map(str::to_owned))))
        .collect()
}

/// The beginning of both searches for services: the user, department and group ids whose grants
/// reach the user, and the user's id if they are an administrator.
fn who() -> String {
    format!(
        "WITH RECURSIVE {REACHED},
           objects (object_type, id) AS (SELECT 'USER', CAST(?1 AS INTEGER)
             UNION ALL SELECT object_type, id FROM reached),
           administrator (id) AS (
             SELECT id FROM users WHERE id = CAST(?1 AS INTEGER) AND enabled = 1
               AND type = 'Administrator')"
    )
}

/// A disabled user has no permissions.
const IS_NOT_DISABLED: &str =
    "NOT EXISTS (SELECT 1 FROM users WHERE id = CAST(?1 AS INTEGER) AND enabled = 0)";

fn all_services() -> String {
    format!(
        "{},
           found (id) AS (
             SELECT * FROM (
               SELECT s.id FROM administrator a CROSS JOIN services s
                 WHERE s.id > CAST(?7 AS INTEGER) ORDER BY s.id LIMIT ?3)
             UNION
             SELECT * FROM (
               SELECT s.id FROM services s INDEXED BY services_switched_off
                 WHERE s.auth_enabled = 0 AND ?4 = 1 AND s.id > CAST(?7 AS INTEGER)
                 ORDER BY s.id LIMIT ?3)
             UNION
             SELECT x.service_id FROM objects o
               CROSS JOIN grants x ON x.object_type = o.object_type AND x.object_id = o.id
                 AND x.service_id IN (
                 SELECT g.service_id FROM grants g INDEXED BY grants_of_object_by_service
                   WHERE g.object_type = o.object_type AND g.object_id = o.id
                     AND g.service_id > CAST(?7 AS INTEGER) AND {GIVES}
                   ORDER BY g.service_id LIMIT ?3))
         SELECT f.id, NULL AS name FROM found f WHERE {IS_NOT_DISABLED} ORDER BY f.id LIMIT ?3",
        who()
    )
}

fn named_services() -> String {
    format!(
        "{},
           found (id) AS (
             SELECT * FROM (
               SELECT n.service_id FROM administrator a
                 CROSS JOIN resource_names n INDEXED BY resource_names_in_order
                 WHERE n.type = ?8 AND n.service_id > CAST(?7 AS INTEGER)
                   AND (?9 = 0 OR EXISTS (SELECT 1 FROM services WHERE id = n.service_id))
                 ORDER BY n.service_id LIMIT ?3)
             UNION
             SELECT * FROM (
               SELECT s.id FROM services s INDEXED BY services_switched_off
                 CROSS JOIN resource_names n INDEXED BY resource_names_by_service
                   ON n.service_id = s.id AND n.type = ?8
                 WHERE s.auth_enabled = 0 AND ?4 = 1 AND s.id > CAST(?7 AS INTEGER)
                 ORDER BY s.id LIMIT ?3)
             UNION
             SELECT x.service_id FROM objects o
               CROSS JOIN grants x ON x.object_type = o.object_type AND x.object_id = o.id
                 AND x.service_id IN (
                 SELECT g.service_id FROM grants g INDEXED BY grants_of_object_by_service
                   CROSS JOIN resource_names n INDEXED BY resource_names_by_service
                     ON n.service_id = g.service_id AND n.type = ?8
                   WHERE g.object_type = o.object_type AND g.object_id = o.id
                     AND g.service_id > CAST(?7 AS INTEGER) AND {GIVES}
                   ORDER BY g.service_id LIMIT ?3))
         SELECT f.id, n.id AS name FROM found f
           CROSS JOIN resource_names n INDEXED BY resource_names_by_service
             ON n.service_id = f.id AND n.type = ?8
         WHERE {IS_NOT_DISABLED} ORDER BY f.id LIMIT ?3",
        who()
    )
}
