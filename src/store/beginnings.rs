//! Lists of what has a name that begins with a text: in order of the folded name, and of the id
//! among equal ones, which an index has. So a page reads its own rows only, wherever it begins.

use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::text;
use crate::error::{Error, Result};
use crate::ports::{Param, Statement};
use crate::store::sql;

/// What is listed: where it is, and by which index.
pub struct Named {
    /// The table, with its alias where the columns have one.
    pub from: &'static str,
    /// The folded name, as the index has it.
    pub name: &'static str,
    /// The id that tells equal names apart, as the table calls it.
    pub id: &'static str,
    /// What a partial index wants besides.
    pub condition: &'static str,
    /// Folds what is looked for as the names were folded.
    fold: fn(&str) -> String,
}

/// Where a page of such a list begins.
#[derive(Debug)]
pub struct Page<'a> {
    /// What names begin with, whatever their case.
    pub beginning: &'a str,
    /// The id of the last of the page before.
    pub after: Option<Param>,
    /// How many.
    pub limit: i64,
}

/// SQLite folds ASCII only.
fn folded_by_sqlite(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// Users by user name.
pub const USERS: Named = Named {
    from: "users u",
    name: "u.username_folded",
    id: "u.id",
    condition: "1",
    fold: text::folded,
};
/// Services.
pub const SERVICES: Named = Named {
    from: "services",
    name: "lower(name)",
    id: "services.id",
    condition: "name IS NOT NULL",
    fold: folded_by_sqlite,
};
/// Organizations.
pub const ORGANIZATIONS: Named =
    Named { from: "organizations", id: "organizations.id", ..SERVICES };
/// Token apps, whose names are ids.
pub const TOKEN_APPS: Named =
    Named { from: "token_apps", id: "token_apps.name", condition: "1", ..SERVICES };
/// SQLite would else take the primary key, which begins with the type, and read all groups.
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

/// Departments or groups.
#[must_use]
pub const fn units(kind: UnitKind) -> Named {
    match kind {
        UnitKind::Department => DEPARTMENTS,
        UnitKind::Group => GROUPS,
    }
}

impl Named {
    /// The statement that reads these columns of a page.
    pub async fn select(&self, cx: &Cx, columns: &str, page: Page<'_>) -> Result<Statement> {
        let Self { from, name, id, condition, .. } = self;
        let beginning = (self.fold)(page.beginning);
        // No text that begins so is greater.
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

    /// The folded name of the last one of the page before.
    async fn name_of(&self, cx: &Cx, after: Param, beginning: &str) -> Result<String> {
        let Self { from, name, id, condition, .. } = self;
        // The key finds it, whatever index the list goes by.
        let table = from.split(" INDEXED BY ").next().unwrap_or(from);
        let sql = format!("SELECT {name} AS folded FROM {table} WHERE {condition} AND {id} = ?1");
        let rows = sql::query(cx, Statement::new(sql, [after])).await?;
        let folded = rows.first().map(|row| row.optional_text("folded")).transpose()?.flatten();
        let is_of_list = |folded: &&str| folded.starts_with(beginning);
        folded.filter(is_of_list).map(str::to_owned).ok_or_else(|| {
            let why = "is not of this search, or what it names is gone or has another name: begin again without it";
            Error::invalid("cursor", why)
        })
    }
}
