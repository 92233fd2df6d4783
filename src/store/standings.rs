//! How somebody stands with a service, in one statement: the switch, the user, and the union of the grants that reach them.

use std::collections::HashMap;

use crate::domain::feed::Pair;
use crate::domain::permission::{Permissions, Standing, StandingUser};
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::{self, trust::Subject};

/// A row for each grant that reaches the subject, and one where none does. It reads the subject's memberships and, for each, one index entry.
#[must_use]
pub fn select(subject: &Subject, service_id: i64) -> Statement {
    let (who, param) = match subject {
        Subject::Id(id) => ("SELECT CAST(?1 AS INTEGER)", Param::Int64(*id)),
        Subject::Names(names) => {
            ("SELECT id FROM users WHERE username IN (SELECT value FROM json_each(?1))", store::stored_strings(names).into())
        }
        Subject::Session(hash) => ("SELECT user_id FROM sessions WHERE token_hash = ?1 OR cookie_hash = ?1", hash.to_hex().into()),
    };
    let sql = format!(
        "WITH RECURSIVE
           subject (id) AS ({who}),
           reached (user_id, object_type, object_id) AS (
             SELECT id, 'USER', id FROM subject
             UNION
             SELECT m.user_id, m.object_type, m.object_id FROM subject s CROSS JOIN memberships m ON m.user_id = s.id
             UNION
             SELECT r.user_id, 'DEPT', d.parent_id FROM reached r
               CROSS JOIN units d ON r.object_type = 'DEPT' AND d.object_type = 'DEPT' AND d.id = r.object_id
               WHERE d.parent_id IS NOT NULL),
           granted (user_id, permissions, creator) AS (
             SELECT r.user_id, g.permissions, g.creator FROM reached r
               CROSS JOIN grants g ON g.service_id = CAST(?2 AS INTEGER) AND g.object_type = r.object_type AND g.object_id = r.object_id)
         SELECT CAST(s.id AS TEXT) AS user_id, u.type, u.enabled, (SELECT auth_enabled FROM services WHERE id = CAST(?2 AS INTEGER)) AS switch,
           g.permissions, g.creator
         FROM subject s LEFT JOIN users u ON u.id = s.id LEFT JOIN granted g ON g.user_id = s.id"
    );
    Statement::new(sql, [param, Param::Int64(service_id)])
}

/// Reads what [`select`] answered: one standing for each subject.
pub fn read(service_id: i64, rows: &[Row]) -> Result<Vec<(Pair, Standing)>> {
    let mut found: HashMap<i64, Standing> = HashMap::new();
    for row in rows {
        let user_id = row.int64("user_id")?;
        let granted = match (row.optional_number("permissions")?, row.optional_number("creator")?) {
            (Some(_), Some(1)) => Permissions::ALL,
            (Some(bits), _) => Permissions::from_bits(bits),
            (None, _) => Permissions::NONE,
        };
        if let Some(standing) = found.get_mut(&user_id) {
            standing.granted = standing.granted.union(granted);
            continue;
        }
        let switch = row.optional_number("switch")?;
        let user = match row.optional_text("type")? {
            Some(name) => Some(StandingUser { is_administrator: is_administrator(name)?, enabled: row.flag("enabled")? }),
            None => None,
        };
        found.insert(user_id, Standing { switch: switch != Some(0), service_exists: switch.is_some(), user, granted });
    }
    Ok(found.into_iter().map(|(user_id, standing)| (Pair { service_id, user_id }, standing)).collect())
}

fn is_administrator(name: &str) -> Result<bool> {
    let user_type = crate::domain::user::UserType::from_name(name);
    let user_type = user_type.ok_or_else(|| Error::internal("a stored user has an unreadable type"))?;
    Ok(user_type == crate::domain::user::UserType::Administrator)
}
