//! Chooses the ids of new users, groups, departments and services.
//!
//! A grant, a membership or an import may refer to an id before anything has it. A chosen id is
//! therefore one that nothing refers to and that was never given before. Ids that callers name do
//! not move the counters.

use crate::ports::Statement;

/// A kind of record whose ids Postern may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    User,
    Group,
    Department,
    Service,
}

/// After this many taken ids in a row, the steps grow, so that skipping a million taken ids takes
/// 1,500 lookups.
const SINGLE_STEPS: &str = "64";

impl IdKind {
    pub const ALL: [Self; 4] = [Self::User, Self::Group, Self::Department, Self::Service];

    /// The kind's name in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Department => "department",
            Self::Service => "service",
        }
    }

    /// Every place that may refer to an id of the kind, as a condition on `c.id`. An index serves
    /// each of them. Two places are left out. The audit trail names only users who existed, and
    /// `past_ids` holds their ids. `users.synced_groups` holds groups of a token app's map, and a
    /// user joins one only while a map names it.
    const fn named_in(self) -> &'static [&'static str] {
        match self {
            Self::User => &[
                "users WHERE id = c.id",
                "grants WHERE object_type = 'USER' AND object_id = c.id",
                "memberships WHERE user_id = c.id",
                "sessions WHERE user_id = c.id",
                "services WHERE creator_id = c.id",
                "token_apps WHERE creator_id = c.id",
                "node_orders WHERE creator_id = c.id",
                "machine_keys WHERE created_by = c.id",
            ],
            Self::Group => &[
                "units WHERE object_type = 'GROUP' AND id = c.id",
                "grants WHERE object_type = 'GROUP' AND object_id = c.id",
                "memberships WHERE object_type = 'GROUP' AND object_id = c.id",
                "mapped_groups WHERE group_id = c.id",
            ],
            Self::Department => &[
                "units WHERE object_type = 'DEPT' AND id = c.id",
                "units WHERE parent_id = c.id",
                "grants WHERE object_type = 'DEPT' AND object_id = c.id",
                "memberships WHERE object_type = 'DEPT' AND object_id = c.id",
            ],
            Self::Service => &[
                "services WHERE id = c.id",
                "grants WHERE service_id = c.id",
                "service_apis WHERE service_id = c.id",
                "resource_names WHERE service_id = c.id",
            ],
        }
    }

    /// The tables and columns that follow when a user gets another id.
    pub(super) const OF_A_USER: [(&'static str, &'static str); 3] =
        [("users", "id"), ("sessions", "user_id"), ("sign_in_networks", "user_id")];

    /// SQL: does anything refer to user `?1` that does not follow when the id changes?
    pub(super) fn is_user_named() -> String {
        let goes_along = |place: &str| {
            Self::OF_A_USER.iter().any(|(table, _)| place.split(' ').next() == Some(table))
        };
        let places =
            Self::User.named_in().iter().copied().chain(["machine_keys WHERE user_id = c.id"]);
        let places: Vec<_> = places
            .filter(|place| !goes_along(place))
            .map(|place| format!("EXISTS (SELECT 1 FROM {place})"))
            .collect();
        format!("SELECT {} AS found FROM (SELECT CAST(?1 AS INTEGER) AS id) c", places.join(" OR "))
    }

    /// SQL for the id that [`choose`] chose earlier in the same batch.
    pub(super) fn chosen(self) -> String {
        format!("(SELECT last FROM id_counters WHERE kind = '{}')", self.name())
    }
}

/// The id of a record that a batch creates. Until the batch runs, only the database knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId {
    /// A caller chose the id.
    Named(i64),
    /// [`choose`] chose the id in the same batch.
    Chosen(IdKind),
    /// The greatest id of a table whose ids ascend.
    Newest(&'static str),
}

impl NewId {
    /// The id that a caller named, else a chosen one.
    #[must_use]
    pub fn of(kind: IdKind, named: Option<i64>) -> Self {
        named.map_or(Self::Chosen(kind), Self::Named)
    }

    /// SQL for the id, for statements after the one that creates the record.
    pub(super) fn sql(self) -> String {
        match self {
            Self::Named(id) => format!("CAST('{id}' AS INTEGER)"),
            Self::Chosen(kind) => kind.chosen(),
            Self::Newest(table) => format!("(SELECT MAX(id) FROM {table})"),
        }
    }
}

/// Chooses the next id of the kind, for later statements of the same batch. `configured` are ids
/// that only the configuration names; they are skipped, too.
#[must_use]
pub fn choose(kind: IdKind, configured: &[i64]) -> Statement {
    let name = kind.name();
    let places = kind.named_in().iter().map(|place| format!("EXISTS (SELECT 1 FROM {place})"));
    let past = format!("EXISTS (SELECT 1 FROM past_ids WHERE kind = '{name}' AND id = c.id)");
    let configured: Vec<_> =
        configured.iter().map(|id| format!("CAST('{id}' AS INTEGER)")).collect();
    let configured =
        (!configured.is_empty()).then(|| format!("c.id IN ({})", configured.join(", ")));
    let is_taken = places.chain([past]).chain(configured).collect::<Vec<_>>().join(" OR ");
    Statement::new(
        format!(
            "UPDATE id_counters SET last = (
               WITH RECURSIVE c (id, looks) AS (
                 SELECT last + 1, 1 FROM id_counters WHERE kind = '{name}'
                 UNION ALL
                 SELECT c.id + MAX(1, c.looks - {SINGLE_STEPS}), c.looks + 1 FROM c
                   WHERE {is_taken})
               SELECT MAX(id) FROM c)
             WHERE kind = '{name}'"
        ),
        [],
    )
}
