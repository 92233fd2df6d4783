//! Lists of records whose name begins with a text, ordered by the folded name and then by id. An
//! index has this order, so a page reads only its own rows, wherever it begins.

use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::text;
use crate::error::{Error, Result};
use crate::ports::{Param, Statement};
use crate::store::sql;

/// A kind of list: its table and columns.
pub struct Named {
    /// The table, with its alias if the columns have one.
    pub from: &'static str,
    /// The folded name, written as in the index.
    pub name: &'static str,
    /// The id that orders equal names, as the table calls it.
    pub id: &'static str,
    /// The condition of the partial index.
    pub condition: &'static str,
    /// Folds the searched text in the way in which the names were folded.
    fold: fn(&str) -> String,
}

/// The position and size of a page.
#[derive(Debug)]
pub struct Page<'a> {
    /// Names must begin with this, ignoring case.
    pub beginning: &'a str,
    /// The id of the last row of the previous page.
    pub after: Option<Param>,
    pub limit: i64,
}

/// SQLite folds ASCII only.
fn folded_by_sqlite(text: &str) -> String {
    text.to_ascii_lowercase()
}

pub const USERS: Named = Named {
    from: "users u",
    name: "u.username_folded",
    id: "u.id",
    condition: "1",
    fold: text::folded,
};
pub const SERVICES: Named = Named {
    from: "services",
    name: "lower(name)",
    id: "services.id",
    condition: "name IS NOT NULL",
    fold: folded_by_sqlite,
};
pub const ORGANIZATIONS: Named =
    Named { from: "organizations", id: "organizations.id", ..SERVICES };
/// A token app's name is its id.
pub const TOKEN_APPS: Named =
    Named { from: "token_apps", id: "token_apps.name", condition: "1", ..SERVICES };
/// Without the hint SQLite takes the primary key, which begins with the type, and reads all groups.
const GROUPS: Named = Named {
    from: "units INDEXED BY groups_by_name_folded",
    name: "name_folded",
    id: "units.id",
    condition: "object_type = 'GROUP'",
    fold: text::folded,
};
const DEPARTMENTS: Named = Named {
    from: "units INDEXED BY departments_by_lower_name",
    id: "units.id",
    condition: "object_type = 'DEPT' AND name IS NOT NULL",
    ..SERVICES
};

#[must_use]
pub const fn units(kind: UnitKind) -> Named {
    match kind {
        UnitKind::Department => DEPARTMENTS,
        UnitKind::Group => GROUPS,
    }
}

impl Named {
    /// Builds the statement that reads these columns of a page.
    pub async fn select(&self, cx: &Cx, columns: &str, page: Page<'_>) -> Result<Statement> {
        let Self { from, name, id, condition, .. } = self;
        let beginning = (self.fold)(page.beginning);
        // No text with this beginning is greater.
        let end = format!("{beginning}\u{10ffff}");
        let mut params = vec![Param::Number(page.limit), end.into()];
        let lowest = match page.after {
            None => {
                params.push(beginning.into());
                format!("{name} >= ?3")
            }
            Some(after) => {
                let last = self.name_of(cx, after.clone(), &beginning).await?;
                params.extend([last.into(), after]);
                format!("({name}, {id}) > (?3, ?4)")
            }
        };
        let sql = format!(
            "SELECT {columns} FROM {from} WHERE {condition} AND {lowest} AND {name} < ?2
             ORDER BY {name}, {id} LIMIT ?1"
        );
        Ok(Statement::new(sql, params))
    }

    /// The folded name of the last row of the previous page.
    async fn name_of(&self, cx: &Cx, after: Param, beginning: &str) -> Result<String> {
        let Self { from, name, id, condition, .. } = self;
        // The primary key finds the row, so the hint is dropped.
        let table = from.split(" INDEXED BY ").next().unwrap_or(from);
        let sql = format!("SELECT {name} AS folded FROM {table} WHERE {condition} AND {id} = ?1");
        let rows = sql::query(cx, Statement::new(sql, [after])).await?;
        let folded = rows.first().map(|row| row.optional_text("folded")).transpose()?.flatten();
        let is_of_list = |folded: &&str| folded.starts_with(beginning);
        folded.filter(is_of_list).map(str::to_owned).ok_or_else(|| {
            let why = "belongs to another search, or its record was deleted or renamed: \
                       begin again without it";
            Error::invalid("cursor", why)
        })
    }
}
