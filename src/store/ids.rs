//! Ids that Postern chooses: the one place for users, groups, departments and services.
//!
//! A grant, a membership or an import may name an id before anybody has it. So a chosen id is never
//! one that anything refers to, and never one that was given before. Ids that callers name do not
//! move the counters.

use crate::ports::Statement;

/// What has ids that Postern may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A department.
    Department,
    /// A service.
    Service,
}

/// After so many ids in a row that are taken, the steps grow: a million in a row take 1,500 looks.
const SINGLE_STEPS: &str = "64";

impl IdKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::User, Self::Group, Self::Department, Self::Service];

    /// The word in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Department => "department",
            Self::Service => "service",
        }
    }

    /// Every place that may name an id of the kind, as a condition on `c.id`. Each is an index.
    /// The audit trail names only users who were there, whose ids `past_ids` holds; the groups of
    /// `users.synced_groups` are of a token app's map, and joining one takes a map that names it.
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

    /// What a user takes along to another id, as a table and its column.
    pub(super) const OF_A_USER: [(&'static str, &'static str); 3] =
        [("users", "id"), ("sessions", "user_id"), ("sign_in_networks", "user_id")];

    /// Whether anything names the user `?1` that they do not take along, as SQL.
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

    /// The id that [`choose`] chose in the same batch, as SQL.
    pub(super) fn chosen(self) -> String {
        format!("(SELECT last FROM id_counters WHERE kind = '{}')", self.name())
    }
}

/// The id of what a batch creates, where it is known to the database only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId {
    /// A caller named it.
    Named(i64),
    /// [`choose`] chose it in the same batch.
    Chosen(IdKind),
    /// The greatest id of a table that gives ascending ones.
    Newest(&'static str),
}

impl NewId {
    /// Of something that has the id that a caller named, or else a chosen one.
    #[must_use]
    pub fn of(kind: IdKind, named: Option<i64>) -> Self {
        named.map_or(Self::Chosen(kind), Self::Named)
    }

    /// The id as SQL, behind the statement that creates it.
    pub(super) fn sql(self) -> String {
        match self {
            Self::Named(id) => format!("CAST('{id}' AS INTEGER)"),
            Self::Chosen(kind) => kind.chosen(),
            Self::Newest(table) => format!("(SELECT MAX(id) FROM {table})"),
        }
    }
}

/// Chooses the next id of the kind, for the statements behind it in the same batch. `configured`
/// are ids that the configuration names, which no table has.
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
                 SELECT c.id + MAX(1, c.looks - {SINGLE_STEPS}), c.looks + 1 FROM c WHERE {is_taken})
               SELECT MAX(id) FROM c)
             WHERE kind = '{name}'"
        ),
        [],
    )
}
