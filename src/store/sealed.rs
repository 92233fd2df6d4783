//! Values that are stored encrypted under a master key ("sealed"). They are sealed when written,
//! opened when read, and sealed again after the key was replaced.

use crate::context::Cx;
use crate::domain::secret::Secret;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::sql;

/// A column with sealed values. The column `<name>_key_id` beside it holds the id of their master
/// key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    table: &'static str,
    /// The column that identifies the row a value belongs to. The value is bound to it: moved to
    /// another row, it does not open.
    owner: &'static str,
    column: &'static str,
    /// The value is sealed under the name `kind/owner`.
    kind: &'static str,
    /// The words for one value in messages.
    what: &'static str,
}

/// At most this many values of a kind are counted, and this many are named.
const COUNTED: usize = 1000;
const NAMED: usize = 20;

/// Values that are not sealed under the current master key.
#[derive(Debug, Default)]
pub struct SealedCounts {
    /// How many values the previous key sealed. They will be sealed again.
    pub under_previous: i64,
    /// How many values no known key opens.
    pub unopened: i64,
    /// Some of the unopened ones, in words.
    pub names: Vec<String>,
}

/// A sealed value and the id of its master key.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub stored: String,
    pub key_id: String,
}

impl SealedColumn {
    pub const TOKEN_APP_SECRET: Self = Self {
        table: "token_apps",
        owner: "name",
        column: "secret",
        kind: "token_app",
        what: "secret of token app",
    };
    pub const APPLICATION_SECRET: Self = Self {
        table: "applications",
        owner: "access_key",
        column: "secret",
        kind: "application",
        what: "secret of application",
    };
    pub const ACCESS_TOKEN: Self = Self {
        table: "applications",
        owner: "access_key",
        column: "token",
        kind: "access_token",
        what: "access token of application",
    };
    /// The passwords of ordered GIS servers.
    pub const NODE_PASSWORD: Self = Self {
        table: "node_orders",
        owner: "name",
        column: "password",
        kind: "node_password",
        what: "password of node",
    };

    pub const ALL: [Self; 4] =
        [Self::TOKEN_APP_SECRET, Self::APPLICATION_SECRET, Self::ACCESS_TOKEN, Self::NODE_PASSWORD];

    pub fn seal(self, cx: &Cx, owner: &str, value: &[u8]) -> Result<Sealed> {
        let keys = &cx.config.master_keys;
        let stored =
            keys.seal(value, &self.name_of(owner), cx.random()?).map_err(Error::Internal)?;
        Ok(Sealed { stored, key_id: keys.current_id().to_owned() })
    }

    /// Opens a stored value. If no master key opens it, writes a line to the log and returns
    /// `None`.
    #[must_use]
    pub fn open(self, cx: &Cx, owner: &str, stored: &str) -> Option<Secret> {
        let opened = cx.config.master_keys.open(stored, &self.name_of(owner));
        if opened.is_none() {
            cx.log.line(&format!(
                "the {} {owner:?} cannot be opened: is MASTER_KEY the one that sealed it?",
                self.what
            ));
        }
        opened
    }

    /// Lists values under the previous master key, with their owners, in order of the owner, after
    /// the owner `after`. Values under unknown keys are not listed.
    pub async fn list_under_previous_key(
        self,
        cx: &Cx,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, String)>> {
        let Some(previous) = cx.config.master_keys.previous_id() else { return Ok(Vec::new()) };
        let Self { table, owner, column, .. } = self;
        let sql = format!(
            "SELECT {owner} AS owner, {column} AS stored FROM {table}
             WHERE {column}_key_id = ?1 AND {owner} > ?2 ORDER BY {owner} LIMIT ?3"
        );
        let statement = Statement::new(sql, [previous.into(), after.into(), Param::Number(limit)]);
        let read = |row: &Row| Ok((row.text("owner")?.to_owned(), row.text("stored")?.to_owned()));
        sql::all(cx, statement, read).await
    }

    /// Counts the values under the previous master key and under unknown keys, and names some
    /// owners of the latter. One row per kind.
    #[must_use]
    pub fn select_counts(cx: &Cx) -> Statement {
        let keys = &cx.config.master_keys;
        let (current, previous) =
            (keys.current_id(), keys.previous_id().unwrap_or_else(|| keys.current_id()));
        let counts = Self::ALL.map(|place| {
            let Self { table, owner, column, what, .. } = place;
            let key = format!("{column}_key_id");
            // With discovery there is no secret, and the sealed value is empty. An import may leave
            // the secret out.
            let has_one = if place == Self::TOKEN_APP_SECRET {
                "AND secret <> '' AND json_extract(policy, '$.discover') IS NOT 1"
            } else {
                ""
            };
            let unknown = format!(
                "FROM {table}
                 WHERE ({key} < ?1 OR ({key} > ?1 AND {key} < ?2) OR {key} > ?2) {has_one}"
            );
            format!(
                "SELECT '{what}' AS what,
                   (SELECT COUNT(*) FROM (SELECT 1 FROM {table}
                     WHERE {key} = ?3 LIMIT {COUNTED})) AS under_previous,
                   (SELECT COUNT(*) FROM (SELECT 1 {unknown} LIMIT {COUNTED})) AS unopened,
                   (SELECT json_group_array(owner)
                     FROM (SELECT {owner} AS owner {unknown} LIMIT {NAMED})) AS owners"
            )
        });
        let under_previous = keys.previous_id().unwrap_or_default();
        Statement::new(
            counts.join(" UNION ALL "),
            [current.min(previous).into(), current.max(previous).into(), under_previous.into()],
        )
    }

    /// Reads the rows of [`select_counts`](Self::select_counts).
    pub fn counts(rows: &[Row]) -> Result<SealedCounts> {
        let mut counts = SealedCounts::default();
        for row in rows {
            counts.under_previous += row.number("under_previous")?;
            counts.unopened += row.number("unopened")?;
            let what = row.text("what")?;
            counts.names.extend(
                sql::strings(row.text("owners")?)?.iter().map(|owner| format!("{what} {owner}")),
            );
        }
        Ok(counts)
    }

    /// Seals a stored value again under the current master key, unless it was changed meanwhile.
    /// Returns `None` if no master key opens it.
    pub fn reseal(self, cx: &Cx, owner: &str, stored: &str) -> Result<Option<Statement>> {
        let Some(value) = self.open(cx, owner, stored) else { return Ok(None) };
        let sealed = self.seal(cx, owner, value.expose())?;
        let Self { table, owner: owner_column, column, .. } = self;
        Ok(Some(Statement::new(
            format!(
                "UPDATE {table} SET {column} = ?2, {column}_key_id = ?3
                 WHERE {owner_column} = ?1 AND {column} = ?4"
            ),
            [owner.into(), sealed.stored.into(), sealed.key_id.into(), stored.into()],
        )))
    }

    #[must_use]
    pub const fn what(self) -> &'static str {
        self.what
    }

    fn name_of(self, owner: &str) -> String {
        format!("{}/{owner}", self.kind)
    }
}
