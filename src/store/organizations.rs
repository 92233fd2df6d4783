//! Organizations.

use crate::context::Cx;
use crate::domain::applications::application::{Organization, OrganizationId};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::beginnings::{self, Page};
use crate::store::sql;

const COLUMNS: &str = "id, name, created_at, modified_at";

/// Adds an organization. Its id must be free.
#[must_use]
pub fn insert(id: &OrganizationId, name: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO organizations (id, name, created_at, modified_at) VALUES (?1, ?2, ?3, ?3)",
        [id.as_str().into(), name.map(str::to_owned).into(), now.into()],
    )
}

/// Adds an organization, unless the id exists.
#[must_use]
pub fn register(id: &OrganizationId, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO organizations (id, created_at, modified_at) VALUES (?1, ?2, ?2)
         ON CONFLICT (id) DO NOTHING",
        [id.as_str().into(), now.into()],
    )
}

#[must_use]
pub fn update(id: &OrganizationId, name: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        "UPDATE organizations SET name = ?2, modified_at = ?3 WHERE id = ?1",
        [id.as_str().into(), name.map(str::to_owned).into(), now.into()],
    )
}

/// Deletes an organization. The write is refused while it has applications.
#[must_use]
pub fn delete(id: &OrganizationId) -> Statement {
    Statement::new("DELETE FROM organizations WHERE id = ?1", [id.as_str().into()])
}

pub async fn find(cx: &Cx, id: &str) -> Result<Option<Organization>> {
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE id = ?1");
    sql::first(cx, Statement::new(sql, [id.into()]), organization).await
}

/// Organizations by ascending id, or by name if `beginning` selects by name.
pub async fn list(
    cx: &Cx,
    beginning: Option<&str>,
    after_id: &str,
    limit: i64,
) -> Result<Vec<Organization>> {
    let statement = match beginning {
        Some(beginning) => {
            let after = Some(after_id).filter(|id| !id.is_empty()).map(Param::from);
            beginnings::ORGANIZATIONS.select(cx, COLUMNS, Page { beginning, after, limit }).await?
        }
        None => Statement::new(
            format!("SELECT {COLUMNS} FROM organizations WHERE id > ?1 ORDER BY id LIMIT ?2"),
            [after_id.into(), Param::Number(limit)],
        ),
    };
    sql::all(cx, statement, organization).await
}

fn organization(row: &Row) -> Result<Organization> {
    let id = OrganizationId::parse(row.text("id")?)
        .map_err(|_| Error::internal("a stored organization has an unreadable id"))?;
    Ok(Organization {
        id,
        name: row.optional_text("name")?.map(str::to_owned),
        created_at: Millis(row.number("created_at")?),
        modified_at: Millis(row.number("modified_at")?),
    })
}
