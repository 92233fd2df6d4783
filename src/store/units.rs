//! Departments, groups, and their members.

use crate::context::Cx;
use crate::domain::permissions::directory::{Unit, UnitKind};
use crate::domain::permissions::permission::ObjectType;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::beginnings::{self, Page};
use crate::store::constraint::Constraint;
use crate::store::ids::IdKind;
use crate::store::sql;

const COLUMNS: &str = "CAST(id AS TEXT) AS id, name, CAST(parent_id AS TEXT) AS parent_id,
    created_at";

#[must_use]
pub const fn id_kind(kind: UnitKind) -> IdKind {
    match kind {
        UnitKind::Department => IdKind::Department,
        UnitKind::Group => IdKind::Group,
    }
}

/// Creates a department or group. Its id must be free; without one, `ids::choose` must run before
/// it. Returns the id.
#[must_use]
pub fn insert(
    kind: UnitKind,
    id: Option<i64>,
    name: Option<&str>,
    parent_id: Option<i64>,
    now: Millis,
) -> Statement {
    Statement::new(
        format!(
            "INSERT INTO units (object_type, id, name, parent_id, created_at, name_folded)
             VALUES (?1, COALESCE(CAST(?2 AS INTEGER), {}), ?3, ?4, ?5, ?6)
             RETURNING CAST(id AS TEXT) AS id",
            id_kind(kind).chosen()
        ),
        [
            kind.object_type().name().into(),
            id.map_or(Param::Null, Param::Int64),
            name.map(str::to_owned).into(),
            parent_id.map_or(Param::Null, Param::Int64),
            now.into(),
            folded(kind, name),
        ],
    )
}

/// A group's name as SCIM compares it; NULL for a department.
pub(super) fn folded(kind: UnitKind, name: Option<&str>) -> Param {
    name.filter(|_| kind == UnitKind::Group).map(text::folded).into()
}

/// Updates the name and the parent department if they differ from `before`.
#[must_use]
pub fn update(before: &Unit, after: &Unit) -> Statement {
    let both = |of: fn(&Unit) -> Param| [before, after].map(of);
    let columns = [
        ("name", both(|unit| unit.name.clone().into())),
        ("name_folded", both(|unit| folded(unit.kind, unit.name.as_deref()))),
        ("parent_id", both(|unit| unit.parent_id.map_or(Param::Null, Param::Int64))),
    ];
    let keys =
        [("object_type", before.kind.object_type().name().into()), ("id", Param::Int64(before.id))];
    sql::edit("units", &keys, &[], columns)
}

/// Deletes a department or group. The same batch must delete its memberships and grants.
#[must_use]
pub fn delete(kind: UnitKind, id: i64) -> Statement {
    Statement::new(
        "DELETE FROM units WHERE object_type = ?1 AND id = ?2",
        [kind.object_type().name().into(), Param::Int64(id)],
    )
}

/// Fails the batch if one of these departments has become its own descendant.
#[must_use]
pub fn refuse_circle(ids: &[i64]) -> Statement {
    Statement::new(
        Constraint::DepartmentBelowItself.refuse_where(
            "EXISTS (
               WITH RECURSIVE above (start, id) AS (
                 SELECT id, parent_id FROM units
                   WHERE object_type = 'DEPT' AND parent_id IS NOT NULL
                     AND id IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))
                 UNION
                 SELECT a.start, d.parent_id FROM above a
                   CROSS JOIN units d ON d.object_type = 'DEPT' AND d.id = a.id
                   WHERE d.parent_id IS NOT NULL)
               SELECT 1 FROM above WHERE start = id)",
        ),
        [sql::stored_strings(&ids.iter().map(ToString::to_string).collect::<Vec<_>>()).into()],
    )
}

/// Fails the batch if this department was deleted and has departments below it.
#[must_use]
pub fn refuse_orphans(id: i64) -> Statement {
    Statement::new(
        Constraint::DepartmentsBelow.refuse_where(
            "EXISTS (SELECT 1 FROM units WHERE parent_id = ?1)
               AND NOT EXISTS (SELECT 1 FROM units WHERE object_type = 'DEPT' AND id = ?1)",
        ),
        [Param::Int64(id)],
    )
}

/// Adds a member, unless they are one.
#[must_use]
pub fn insert_member(kind: UnitKind, id: i64, user_id: i64) -> Statement {
    Statement::new(
        "INSERT INTO memberships (user_id, object_type, object_id) VALUES (?3, ?1, ?2)
         ON CONFLICT DO NOTHING",
        [kind.object_type().name().into(), Param::Int64(id), Param::Int64(user_id)],
    )
}

#[must_use]
pub fn delete_member(kind: UnitKind, id: i64, user_id: i64) -> Statement {
    Statement::new(
        "DELETE FROM memberships WHERE user_id = ?3 AND object_type = ?1 AND object_id = ?2",
        [kind.object_type().name().into(), Param::Int64(id), Param::Int64(user_id)],
    )
}

/// Removes a user from those of the groups that a token does not claim, unless a token that was
/// issued later has set them.
#[must_use]
pub fn leave_groups(user_id: i64, groups: &[i64], wanted: &[i64], issued_at_s: i64) -> Statement {
    Statement::new(
        "DELETE FROM memberships WHERE user_id = ?1 AND object_type = 'GROUP'
           AND object_id IN (SELECT CAST(value AS INTEGER) FROM json_each(?2))
           AND object_id NOT IN (SELECT CAST(value AS INTEGER) FROM json_each(?3))
           AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND followed_at <= ?4)",
        [Param::Int64(user_id), ids(groups), ids(wanted), Param::Number(issued_at_s)],
    )
}

/// Adds a user to the groups of a token, unless a token that was issued later has set them. With
/// `only_registered` (a strict directory), unregistered groups are skipped.
#[must_use]
pub fn join_groups(
    user_id: i64,
    groups: &[i64],
    only_registered: bool,
    issued_at_s: i64,
) -> Statement {
    Statement::new(
        "INSERT INTO memberships (user_id, object_type, object_id)
         SELECT CAST(?1 AS INTEGER), 'GROUP', CAST(value AS INTEGER) FROM json_each(?2)
         WHERE (?3 = 0 OR EXISTS (SELECT 1 FROM units
           WHERE object_type = 'GROUP' AND id = CAST(value AS INTEGER)))
           AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND followed_at <= ?4)
         ON CONFLICT DO NOTHING",
        [Param::Int64(user_id), ids(groups), only_registered.into(), Param::Number(issued_at_s)],
    )
}

fn ids(ids: &[i64]) -> Param {
    sql::stored_strings(&ids.iter().map(ToString::to_string).collect::<Vec<_>>()).into()
}

#[must_use]
pub fn delete_members(kind: UnitKind, id: i64) -> Statement {
    Statement::new(
        "DELETE FROM memberships WHERE object_type = ?1 AND object_id = ?2",
        [kind.object_type().name().into(), Param::Int64(id)],
    )
}

/// Removes a user from all departments and groups.
#[must_use]
pub fn delete_memberships(user_id: i64) -> Statement {
    Statement::new("DELETE FROM memberships WHERE user_id = ?1", [Param::Int64(user_id)])
}

pub async fn find(cx: &Cx, kind: UnitKind, id: i64) -> Result<Option<Unit>> {
    let sql = format!("SELECT {COLUMNS} FROM units WHERE object_type = ?1 AND id = ?2");
    let params = [kind.object_type().name().into(), Param::Int64(id)];
    sql::first(cx, Statement::new(sql, params), |row| unit(kind, row)).await
}

/// Departments or groups by ascending id, or by name if `beginning` selects by name.
pub async fn list(
    cx: &Cx,
    kind: UnitKind,
    beginning: Option<&str>,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<Unit>> {
    let statement = match beginning {
        Some(beginning) => {
            let page = Page { beginning, after: after_id.map(Param::Int64), limit };
            beginnings::units(kind).select(cx, COLUMNS, page).await?
        }
        None => Statement::new(
            format!(
                "SELECT {COLUMNS} FROM units WHERE object_type = ?1 AND id > ?2
                 ORDER BY units.id LIMIT ?3"
            ),
            [
                kind.object_type().name().into(),
                Param::Int64(after_id.unwrap_or(i64::MIN)),
                Param::Number(limit),
            ],
        ),
    };
    sql::all(cx, statement, |row| unit(kind, row)).await
}

/// The rows with these ids, by ascending id. Ids that do not exist are left out.
pub async fn list_by_ids(cx: &Cx, kind: UnitKind, ids: &[i64]) -> Result<Vec<Unit>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM units WHERE object_type = ?1
         AND id IN (SELECT CAST(value AS INTEGER) FROM json_each(?2))
         ORDER BY units.id"
    );
    let params = [kind.object_type().name().into(), Param::from(sql::stored_ids(ids))];
    sql::all(cx, Statement::new(sql, params), |row| unit(kind, row)).await
}

/// The members of a department or group, by ascending id.
pub async fn list_members(
    cx: &Cx,
    kind: UnitKind,
    id: i64,
    after_id: Option<i64>,
    limit: i64,
) -> Result<Vec<i64>> {
    let statement = Statement::new(
        "SELECT CAST(user_id AS TEXT) AS user_id FROM memberships
         WHERE object_type = ?1 AND object_id = ?2 AND user_id > ?3
         ORDER BY memberships.user_id LIMIT ?4",
        [
            kind.object_type().name().into(),
            Param::Int64(id),
            Param::Int64(after_id.unwrap_or(i64::MIN)),
            Param::Number(limit),
        ],
    );
    sql::all(cx, statement, |row| row.int64("user_id")).await
}

/// Tells whether the object of a grant is a registered user, department or group.
pub async fn exists(cx: &Cx, object_type: ObjectType, id: i64) -> Result<bool> {
    let sql = match object_type {
        ObjectType::User => "SELECT 1 AS found FROM users WHERE id = ?1 AND ?2 = 'USER'",
        ObjectType::Dept | ObjectType::Group => {
            "SELECT 1 AS found FROM units WHERE id = ?1 AND object_type = ?2"
        }
    };
    let statement = Statement::new(sql, [Param::Int64(id), object_type.name().into()]);
    Ok(!sql::query(cx, statement).await?.is_empty())
}

fn unit(kind: UnitKind, row: &Row) -> Result<Unit> {
    Ok(Unit {
        kind,
        id: row.int64("id")?,
        name: row.optional_text("name")?.map(str::to_owned),
        parent_id: row.optional_text("parent_id")?.and_then(|id| id.parse().ok()),
        created_at: Millis(row.number("created_at")?),
    })
}
