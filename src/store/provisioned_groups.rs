//! Groups that an identity provider manages by SCIM. Statements change members by adding and
//! removing single users, so that two simultaneous changes lose nobody.

use std::collections::BTreeSet;

use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::domain::identity::provisioned::{KnownGroup, MemberChange};
use crate::domain::permissions::directory::UnitKind;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::constraint::Constraint;
use crate::store::ids::IdKind;
use crate::store::{audit, feed, sql, units};

const COLUMNS: &str = "CAST(g.id AS TEXT) AS id, g.name, g.created_at,
    p.group_id IS NOT NULL AS is_provisioned, p.external_id,
    COALESCE(p.modified_at, g.created_at) AS modified_at";

/// One filter finds at most this many groups.
const MAX_FOUND: i64 = 1000;
/// For up to this many changed members, the change feed gets an entry for each of them; for more,
/// one entry for everybody.
const MAX_ENTRIES: usize = 100;

/// A condition of a SCIM filter on groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Id(i64),
    /// The name, ignoring case.
    Name(String),
    /// The provider's id of the group.
    ExternalId(String),
    /// This user is a member.
    Member(i64),
    /// The provider gave the group an id.
    HasExternalId,
    HasMembers,
}

impl Condition {
    /// Tells whether an index finds the few groups that match.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        matches!(self, Self::Id(_) | Self::Name(_) | Self::ExternalId(_) | Self::Member(_))
    }

    /// The condition as SQL. Its value is appended to `params`.
    fn sql(&self, params: &mut Vec<Param>) -> String {
        let mut bind = |value: Param| {
            params.push(value);
            params.len()
        };
        match self {
            Self::Id(id) => format!("g.id = ?{}", bind(Param::Int64(*id))),
            Self::Name(name) => format!("g.name_folded = ?{}", bind(text::folded(name).into())),
            Self::ExternalId(id) => format!("p.external_id = ?{}", bind(id.as_str().into())),
            Self::Member(id) => {
                let user = bind(Param::Int64(*id));
                format!(
                    "g.id IN (SELECT object_id FROM memberships
                      WHERE user_id = ?{user} AND object_type = 'GROUP')"
                )
            }
            Self::HasExternalId => "p.external_id IS NOT NULL".to_owned(),
            Self::HasMembers => "EXISTS (SELECT 1 FROM memberships
                WHERE object_type = 'GROUP' AND object_id = g.id)"
                .to_owned(),
        }
    }
}

/// Groups that match all conditions, provisioned or not; the provisioned ones come first. At least
/// one condition must be selective.
pub async fn find_all(cx: &Cx, conditions: &[Condition]) -> Result<Vec<KnownGroup>> {
    // All conditions go into one query: a provider tests one membership by id and member together.
    let mut params = Vec::new();
    let conditions: Vec<_> =
        conditions.iter().map(|condition| condition.sql(&mut params)).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM units g LEFT JOIN provisioned_groups p ON p.group_id = g.id
         WHERE g.object_type = 'GROUP' AND {} ORDER BY p.group_id IS NULL, g.id LIMIT {MAX_FOUND}",
        conditions.join(" AND ")
    );
    sql::all(cx, Statement::new(sql, params), group).await
}

/// Counts the provisioned groups that match all conditions.
pub async fn count(cx: &Cx, conditions: &[Condition]) -> Result<i64> {
    let mut params = Vec::new();
    let conditions: Vec<_> =
        conditions.iter().map(|condition| condition.sql(&mut params)).collect();
    let sql = if conditions.is_empty() {
        "SELECT total FROM provisioned_counts WHERE kind = 'group'".to_owned()
    } else {
        format!(
            "SELECT COUNT(*) AS total FROM provisioned_groups p
             CROSS JOIN units g ON g.object_type = 'GROUP' AND g.id = p.group_id WHERE {}",
            conditions.join(" AND ")
        )
    };
    sql::total(cx, Statement::new(sql, params)).await
}

/// A page of the provisioned groups that match all conditions, by ascending id. It is read from the
/// nearer end.
pub async fn list(
    cx: &Cx,
    conditions: &[Condition],
    skip: i64,
    limit: i64,
    total: i64,
) -> Result<Vec<KnownGroup>> {
    let limit = limit.min(total - skip);
    if limit <= 0 {
        return Ok(Vec::new());
    }
    let is_backward = skip > total / 2;
    let offset = if is_backward { total - skip - limit } else { skip };
    let mut params = vec![Param::Number(limit), Param::Number(offset)];
    let conditions: Vec<_> =
        conditions.iter().map(|condition| condition.sql(&mut params)).collect();
    let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let sql = format!(
        "SELECT {COLUMNS} FROM provisioned_groups p
         CROSS JOIN units g ON g.object_type = 'GROUP' AND g.id = p.group_id
         WHERE {condition} ORDER BY p.group_id {} LIMIT ?1 OFFSET ?2",
        if is_backward { "DESC" } else { "ASC" }
    );
    let mut found = sql::all(cx, Statement::new(sql, params), group).await?;
    found.sort_by_key(|group| group.id);
    Ok(found)
}

pub async fn find(cx: &Cx, id: i64) -> Result<Option<KnownGroup>> {
    Ok(find_all(cx, &[Condition::Id(id)]).await?.pop())
}

const OF_MEMBERS: [&str; 2] = ["group_id", "user_id"];

/// The members of these groups, as pairs of group and user. At most `limit` pairs, those of the
/// first groups first.
pub async fn members_of(cx: &Cx, groups: &[i64], limit: i64) -> Result<Vec<(i64, i64)>> {
    let ids: Vec<_> = groups.iter().map(ToString::to_string).collect();
    let statement = Statement::new(
        "SELECT m.object_id AS group_id, m.user_id FROM json_each(?1) j
         CROSS JOIN memberships m ON m.object_type = 'GROUP'
           AND m.object_id = CAST(j.value AS INTEGER) LIMIT ?2",
        [sql::stored_strings(&ids).into(), Param::Number(limit)],
    );
    let read = |row: &Row| Ok((row.int64("group_id")?, row.int64("user_id")?));
    sql::query_packed(cx, &OF_MEMBERS, statement).await?.iter().map(read).collect()
}

/// At most `limit` members of a group with an id above `after`, by ascending id.
pub async fn members_behind(cx: &Cx, group: i64, after: i64, limit: i64) -> Result<Vec<i64>> {
    let statement = Statement::new(
        "SELECT object_id AS group_id, user_id FROM memberships
         WHERE object_type = 'GROUP' AND object_id = ?1 AND user_id > CAST(?2 AS INTEGER)
         ORDER BY memberships.user_id LIMIT ?3",
        [Param::Int64(group), Param::Int64(after), Param::Number(limit)],
    );
    sql::query_packed(cx, &OF_MEMBERS, statement)
        .await?
        .iter()
        .map(|row| row.int64("user_id"))
        .collect()
}

/// Adds the provider's data of a group that was created in the same batch.
#[must_use]
pub fn insert_of_new(external_id: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        format!(
            "INSERT INTO provisioned_groups (group_id, external_id, modified_at)
             VALUES ({}, ?1, ?2)",
            IdKind::Group.chosen()
        ),
        [external_id.map(str::to_owned).into(), now.into()],
    )
}

/// Adds members to the group that was created in the same batch.
#[must_use]
pub fn insert_members_of_new(members: &BTreeSet<i64>, now: Millis) -> Vec<Statement> {
    if members.is_empty() {
        return Vec::new();
    }
    let insert = format!(
        "INSERT INTO memberships (user_id, object_type, object_id)
         SELECT CAST(value AS INTEGER), 'GROUP', {} FROM json_each(?1) WHERE 1
         ON CONFLICT DO NOTHING",
        IdKind::Group.chosen()
    );
    let announced = if members.len() > MAX_ENTRIES {
        feed::directory_changed(now)
    } else {
        let sql =
            "INSERT INTO changes (kind, key, at) SELECT 'membership', value, ?2 FROM json_each(?1)";
        Statement::new(sql, [ids(members), now.into()])
    };
    vec![refuse_unknown_members(members), announced, Statement::new(insert, [ids(members)])]
}

/// Makes an existing group a provisioned one.
#[must_use]
pub fn adopt(id: i64, external_id: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO provisioned_groups (group_id, external_id, modified_at)
         SELECT id, ?2, ?3 FROM units WHERE object_type = 'GROUP' AND id = ?1",
        [Param::Int64(id), external_id.map(str::to_owned).into(), now.into()],
    )
}

/// Updates the name and the provider's id.
#[must_use]
pub fn update(before: &KnownGroup, after: &KnownGroup, now: Millis) -> [Statement; 2] {
    let both = |of: fn(&KnownGroup) -> Param| [before, after].map(of);
    let of_group = [
        ("name", both(|group| group.name.clone().into())),
        ("name_folded", both(|group| units::folded(UnitKind::Group, group.name.as_deref()))),
    ];
    let of_provider = [("external_id", both(|group| group.external_id.clone().into()))];
    [
        sql::edit(
            "units",
            &[("object_type", "GROUP".into()), ("id", Param::Int64(before.id))],
            &[],
            of_group,
        ),
        sql::edit(
            "provisioned_groups",
            &[("group_id", Param::Int64(before.id))],
            &[("modified_at", now.into())],
            of_provider,
        ),
    ]
}

/// Fails the batch if the group has been deleted or is no longer provisioned.
#[must_use]
pub fn refuse_other_than(known: &KnownGroup) -> Statement {
    let there = if known.is_provisioned {
        "SELECT 1 FROM provisioned_groups WHERE group_id = ?1"
    } else {
        "SELECT 1 FROM units WHERE object_type = 'GROUP' AND id = ?1"
    };
    Statement::new(
        Constraint::NotProvisioned.refuse_where(&format!("NOT EXISTS ({there})")),
        [Param::Int64(known.id)],
    )
}

/// Fails the batch if another group has this name, ignoring case.
#[must_use]
pub fn refuse_taken_name(name: &str, but: Option<i64>) -> Statement {
    Statement::new(
        Constraint::ProvisionedName.refuse_where(
            "EXISTS (SELECT 1 FROM units
               WHERE object_type = 'GROUP' AND name_folded = ?1 AND id IS NOT CAST(?2 AS INTEGER))",
        ),
        [text::folded(name).into(), but.map_or(Param::Null, Param::Int64)],
    )
}

/// Changes a group's members, with entries in the change feed and an event in the audit trail. If
/// nothing changes, nothing is written; the batch itself checks that, because other requests write,
/// too.
#[must_use]
pub fn change_members(cx: &Cx, group: i64, change: &MemberChange, deed: &Deed) -> Vec<Statement> {
    let empty = BTreeSet::new();
    let (add, remove) = match change {
        MemberChange::Some { add, remove } => (add, remove),
        MemberChange::All(all) => (all, &empty),
    };
    let bound = |rest: Option<Param>| {
        [Param::Int64(group), ids(add), ids(remove)].into_iter().chain(rest).collect::<Vec<_>>()
    };
    let changed = changed(change, 1);
    let is_many = format!(
        "(SELECT COUNT(*) FROM (SELECT 1 FROM ({changed}) LIMIT {})) > {MAX_ENTRIES}",
        MAX_ENTRIES + 1
    );
    let each = format!(
        "INSERT INTO changes (kind, key, at) SELECT 'membership', CAST(user_id AS TEXT), ?4
         FROM ({changed}) WHERE NOT ({is_many})"
    );
    let all_at_once =
        format!("INSERT INTO changes (kind, key, at) SELECT 'directory', '', ?4 WHERE {is_many}");
    let touch = format!(
        "UPDATE provisioned_groups SET modified_at = ?4 WHERE group_id = ?1 AND EXISTS ({changed})"
    );
    let now = || Some(Param::from(cx.now));
    let mut statements = vec![
        refuse_unknown_members(add),
        Statement::new(all_at_once, bound(now())),
        Statement::new(each, bound(now())),
        Statement::new(touch, bound(now())),
        audit::insert_where(
            cx,
            deed,
            |first| format!("EXISTS ({})", self::changed(change, first)),
            bound(None),
        ),
    ];
    let of_group = "FROM memberships WHERE object_type = 'GROUP' AND object_id = ?1 AND user_id";
    let listed = "(SELECT CAST(value AS INTEGER) FROM json_each(?2))";
    match change {
        MemberChange::Some { .. } if remove.is_empty() => {}
        MemberChange::Some { .. } => {
            statements.push(Statement::new(
                format!("DELETE {of_group} IN {listed}"),
                [Param::Int64(group), ids(remove)],
            ));
        }
        MemberChange::All(_) => {
            statements.push(Statement::new(
                format!("DELETE {of_group} NOT IN {listed}"),
                [Param::Int64(group), ids(add)],
            ));
        }
    }
    let insert = "INSERT INTO memberships (user_id, object_type, object_id)
         SELECT CAST(value AS INTEGER), 'GROUP', CAST(?1 AS INTEGER) FROM json_each(?2)
         WHERE EXISTS (SELECT 1 FROM units WHERE object_type = 'GROUP' AND id = ?1)
         ON CONFLICT DO NOTHING";
    statements.push(Statement::new(insert, [Param::Int64(group), ids(add)]));
    statements
}

/// SQL for the users whose membership changes, as rows of `user_id`. Its three parameters, from
/// `first` on, are the group, the added users and the removed users.
fn changed(change: &MemberChange, first: usize) -> String {
    let [group, add, remove] = [first, first + 1, first + 2].map(|index| format!("?{index}"));
    let is_in = format!(
        "EXISTS (SELECT 1 FROM memberships m
           WHERE m.user_id = CAST(j.value AS INTEGER) AND m.object_type = 'GROUP'
           AND m.object_id = {group})"
    );
    let coming = format!(
        "SELECT CAST(j.value AS INTEGER) AS user_id FROM json_each({add}) j WHERE NOT {is_in}"
    );
    match change {
        MemberChange::Some { .. } => {
            format!(
                "{coming} UNION ALL SELECT CAST(j.value AS INTEGER) FROM json_each({remove}) j
                 WHERE {is_in}"
            )
        }
        MemberChange::All(_) => format!(
            "{coming} UNION ALL SELECT user_id FROM memberships
             WHERE object_type = 'GROUP' AND object_id = {group}
               AND user_id NOT IN (SELECT CAST(value AS INTEGER) FROM json_each({add}))
               AND {remove} IS NOT NULL"
        ),
    }
}

/// Fails the batch if one of these ids is not a user.
fn refuse_unknown_members(members: &BTreeSet<i64>) -> Statement {
    Statement::new(
        Constraint::UnknownMember.refuse_where(
            "EXISTS (SELECT 1 FROM json_each(?1) j
               WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = CAST(j.value AS INTEGER)))",
        ),
        [ids(members)],
    )
}

fn ids(ids: &BTreeSet<i64>) -> Param {
    sql::stored_strings(&ids.iter().map(ToString::to_string).collect::<Vec<_>>()).into()
}

fn group(row: &Row) -> Result<KnownGroup> {
    let text = |column| row.optional_text(column).map(|text| text.map(str::to_owned));
    Ok(KnownGroup {
        id: row.int64("id")?,
        external_id: text("external_id")?,
        name: text("name")?,
        is_provisioned: row.flag("is_provisioned")?,
        created_at: Millis(row.number("created_at")?),
        modified_at: Millis(row.number("modified_at")?),
    })
}
