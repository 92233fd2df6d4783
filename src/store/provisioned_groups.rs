//! Groups as an identity provider keeps them here. Who is in one is changed by statements that name
//! who comes and who goes, so that two changes at once lose nobody.

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

const COLUMNS: &str = "CAST(g.id AS TEXT) AS id, g.name, g.created_at, p.group_id IS NOT NULL AS is_provisioned, p.external_id,
    COALESCE(p.modified_at, g.created_at) AS modified_at";

/// How many groups one filter finds at most.
const MAX_FOUND: i64 = 1000;
/// The change feed has an entry for each user whose groups one change changes, or one entry where
/// they are more.
const MAX_ENTRIES: usize = 100;

/// What a group must be to be in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The group of this id.
    Id(i64),
    /// Those of this name, in whatever case.
    Name(String),
    /// The group that the provider knows by this id.
    ExternalId(String),
    /// Those that this user is in.
    Member(i64),
    /// Those that the provider knows by an id.
    HasExternalId,
    /// Those that somebody is in.
    HasMembers,
}

impl Condition {
    /// Whether an index finds those few that it holds for.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        matches!(self, Self::Id(_) | Self::Name(_) | Self::ExternalId(_) | Self::Member(_))
    }

    /// As SQL, with its value behind those that are there.
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
                format!("g.id IN (SELECT object_id FROM memberships WHERE user_id = ?{user} AND object_type = 'GROUP')")
            }
            Self::HasExternalId => "p.external_id IS NOT NULL".to_owned(),
            Self::HasMembers => "EXISTS (SELECT 1 FROM memberships WHERE object_type = 'GROUP' AND object_id = g.id)".to_owned(),
        }
    }
}

/// Those for which all conditions hold, whoever made them: the provisioned ones first. One
/// condition is selective.
pub async fn find_all(cx: &Cx, conditions: &[Condition]) -> Result<Vec<KnownGroup>> {
    // The id and a member are looked at together: that is how a provider asks for one membership.
    let mut params = Vec::new();
    let conditions: Vec<_> =
        conditions.iter().map(|condition| condition.sql(&mut params)).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM units g LEFT JOIN provisioned_groups p ON p.group_id = g.id
         WHERE g.object_type = 'GROUP' AND {} ORDER BY p.group_id IS NULL, g.id LIMIT {MAX_FOUND}",
        conditions.join(" AND ")
    );
    sql::query(cx, Statement::new(sql, params)).await?.iter().map(group).collect()
}

/// How many provisioned groups there are for which all conditions hold.
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
    sql::query(cx, Statement::new(sql, params))
        .await?
        .first()
        .map_or(Ok(0), |row| row.number("total"))
}

/// A page of the provisioned groups for which all conditions hold, by ascending id. It is read from
/// the end that is nearer.
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
        "SELECT {COLUMNS} FROM provisioned_groups p CROSS JOIN units g ON g.object_type = 'GROUP' AND g.id = p.group_id
         WHERE {condition} ORDER BY p.group_id {} LIMIT ?1 OFFSET ?2",
        if is_backward { "DESC" } else { "ASC" }
    );
    let mut found: Vec<KnownGroup> = sql::query(cx, Statement::new(sql, params))
        .await?
        .iter()
        .map(group)
        .collect::<Result<_>>()?;
    found.sort_by_key(|group| group.id);
    Ok(found)
}

/// One group.
pub async fn find(cx: &Cx, id: i64) -> Result<Option<KnownGroup>> {
    Ok(find_all(cx, &[Condition::Id(id)]).await?.pop())
}

const OF_MEMBERS: [&str; 2] = ["group_id", "user_id"];

/// Who is in these groups, as pairs of the group and the user; at most `limit`, those of the first
/// groups first.
pub async fn members_of(cx: &Cx, groups: &[i64], limit: i64) -> Result<Vec<(i64, i64)>> {
    let ids: Vec<_> = groups.iter().map(ToString::to_string).collect();
    let statement = Statement::new(
        "SELECT m.object_id AS group_id, m.user_id FROM json_each(?1) j
         CROSS JOIN memberships m ON m.object_type = 'GROUP' AND m.object_id = CAST(j.value AS INTEGER) LIMIT ?2",
        [sql::stored_strings(&ids).into(), Param::Number(limit)],
    );
    let read = |row: &Row| Ok((row.int64("group_id")?, row.int64("user_id")?));
    sql::query_packed(cx, &OF_MEMBERS, statement).await?.iter().map(read).collect()
}

/// Who is in a group, by ascending id behind `after`, at most `limit`.
pub async fn members_behind(cx: &Cx, group: i64, after: i64, limit: i64) -> Result<Vec<i64>> {
    let statement = Statement::new(
        "SELECT object_id AS group_id, user_id FROM memberships WHERE object_type = 'GROUP' AND object_id = ?1 AND user_id > CAST(?2 AS INTEGER)
         ORDER BY memberships.user_id LIMIT ?3",
        [Param::Int64(group), Param::Int64(after), Param::Number(limit)],
    );
    sql::query_packed(cx, &OF_MEMBERS, statement)
        .await?
        .iter()
        .map(|row| row.int64("user_id"))
        .collect()
}

/// Notes what a provider says of the group that was created in the same batch.
#[must_use]
pub fn insert_of_new(external_id: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        format!(
            "INSERT INTO provisioned_groups (group_id, external_id, modified_at) VALUES ({}, ?1, ?2)",
            IdKind::Group.chosen()
        ),
        [external_id.map(str::to_owned).into(), now.into()],
    )
}

/// Puts users into the group that was created in the same batch.
#[must_use]
pub fn insert_members_of_new(members: &BTreeSet<i64>, now: Millis) -> Vec<Statement> {
    if members.is_empty() {
        return Vec::new();
    }
    let insert = format!(
        "INSERT INTO memberships (user_id, object_type, object_id)
         SELECT CAST(value AS INTEGER), 'GROUP', {} FROM json_each(?1) WHERE 1 ON CONFLICT DO NOTHING",
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

/// Takes a group over.
#[must_use]
pub fn adopt(id: i64, external_id: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO provisioned_groups (group_id, external_id, modified_at)
         SELECT id, ?2, ?3 FROM units WHERE object_type = 'GROUP' AND id = ?1",
        [Param::Int64(id), external_id.map(str::to_owned).into(), now.into()],
    )
}

/// Changes the name and the provider's id.
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

/// Refuses the whole batch where the group is gone by now, or is no longer provisioned.
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

/// Refuses the whole batch where another group has this name, in whatever case.
#[must_use]
pub fn refuse_taken_name(name: &str, but: Option<i64>) -> Statement {
    Statement::new(
        Constraint::ProvisionedName.refuse_where(
            "EXISTS (SELECT 1 FROM units WHERE object_type = 'GROUP' AND name_folded = ?1 AND id IS NOT CAST(?2 AS INTEGER))",
        ),
        [text::folded(name).into(), but.map_or(Param::Null, Param::Int64)],
    )
}

/// Changes who is in a group, with the entries of the feed and the deed; nothing is written where
/// nothing changes. Whether something does is looked up in the batch, since others write too.
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
        "INSERT INTO changes (kind, key, at) SELECT 'membership', CAST(user_id AS TEXT), ?4 FROM ({changed}) WHERE NOT ({is_many})"
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
         WHERE EXISTS (SELECT 1 FROM units WHERE object_type = 'GROUP' AND id = ?1) ON CONFLICT DO NOTHING";
    statements.push(Statement::new(insert, [Param::Int64(group), ids(add)]));
    statements
}

/// Whose membership a change changes, as rows of `user_id`. The group, who comes and who goes are
/// bound from `first` on.
fn changed(change: &MemberChange, first: usize) -> String {
    let [group, add, remove] = [first, first + 1, first + 2].map(|index| format!("?{index}"));
    let is_in = format!(
        "EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = CAST(j.value AS INTEGER) AND m.object_type = 'GROUP'
           AND m.object_id = {group})"
    );
    let coming = format!(
        "SELECT CAST(j.value AS INTEGER) AS user_id FROM json_each({add}) j WHERE NOT {is_in}"
    );
    match change {
        MemberChange::Some { .. } => {
            format!("{coming} UNION ALL SELECT CAST(j.value AS INTEGER) FROM json_each({remove}) j WHERE {is_in}")
        }
        MemberChange::All(_) => format!(
            "{coming} UNION ALL SELECT user_id FROM memberships WHERE object_type = 'GROUP' AND object_id = {group}
               AND user_id NOT IN (SELECT CAST(value AS INTEGER) FROM json_each({add})) AND {remove} IS NOT NULL"
        ),
    }
}

/// Refuses the whole batch where one of these is no user.
fn refuse_unknown_members(members: &BTreeSet<i64>) -> Statement {
    Statement::new(
        Constraint::UnknownMember.refuse_where(
            "EXISTS (SELECT 1 FROM json_each(?1) j WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = CAST(j.value AS INTEGER)))",
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
