//! The departments and groups whose grants reach a user.

use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::permissions::permission::ObjectType;
use crate::domain::permissions::reach::{Reached, Through};
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::sql;

/// The table `reached` of a `WITH RECURSIVE`: each department and group once, including the
/// departments above. `?1` and `?2` are [`Member::params`].
pub(super) const REACHED: &str = "reached (object_type, id) AS (
           SELECT m.object_type, m.object_id FROM memberships m
             WHERE m.user_id = CAST(?1 AS INTEGER)
           UNION SELECT 'GROUP', CAST(value AS INTEGER) FROM json_each(?2)
           UNION SELECT 'DEPT', d.parent_id FROM reached r
             CROSS JOIN units d ON d.object_type = 'DEPT' AND d.id = r.id
             WHERE r.object_type = 'DEPT' AND d.parent_id IS NOT NULL)";

/// A user, together with the groups that their token claims.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The user may be unknown to Postern.
    pub user_id: i64,
    /// The ids of the token's groups, which are added to the stored ones.
    pub token_groups: &'a [i64],
}

impl Member<'_> {
    pub(super) fn params(&self) -> Vec<Param> {
        let groups: Vec<_> = self.token_groups.iter().map(ToString::to_string).collect();
        vec![Param::Int64(self.user_id), sql::stored_strings(&groups).into()]
    }
}

/// At most `limit` departments and groups after `after`: departments first, each kind by ascending
/// id.
#[must_use]
pub fn select(member: &Member<'_>, after: Option<(UnitKind, i64)>, limit: i64) -> Statement {
    let mut params = member.params();
    let (kind, id) = after.map_or(("", i64::MIN), |(kind, id)| (kind.object_type().name(), id));
    params.extend([kind.into(), Param::Int64(id), Param::Number(limit)]);
    Statement::new(
        format!(
            "WITH RECURSIVE {REACHED}
             SELECT r.object_type, CAST(r.id AS TEXT) AS id, u.name,
               CAST(u.parent_id AS TEXT) AS parent_id,
               EXISTS (SELECT 1 FROM memberships m
                 WHERE m.user_id = CAST(?1 AS INTEGER) AND m.object_type = r.object_type
                   AND m.object_id = r.id) AS is_member
             FROM reached r LEFT JOIN units u ON u.object_type = r.object_type AND u.id = r.id
             WHERE (r.object_type, r.id) > (?3, CAST(?4 AS INTEGER))
             ORDER BY r.object_type, r.id LIMIT ?5"
        ),
        params,
    )
}

pub async fn list(
    cx: &Cx,
    member: &Member<'_>,
    after: Option<(UnitKind, i64)>,
    limit: i64,
) -> Result<Vec<Reached>> {
    sql::all(cx, select(member, after, limit), reached).await
}

pub fn reached(row: &Row) -> Result<Reached> {
    let kind = match ObjectType::parse(row.text("object_type")?) {
        Ok(ObjectType::Dept) => UnitKind::Department,
        Ok(ObjectType::Group) => UnitKind::Group,
        _ => return Err(Error::internal("a stored membership has an unreadable type")),
    };
    let through = match kind {
        _ if row.flag("is_member")? => Through::Membership,
        UnitKind::Department => Through::DepartmentBelow,
        UnitKind::Group => Through::Token,
    };
    Ok(Reached {
        kind,
        id: row.int64("id")?,
        name: row.optional_text("name")?.map(str::to_owned),
        parent_id: row.optional_text("parent_id")?.and_then(|id| id.parse().ok()),
        through,
    })
}
