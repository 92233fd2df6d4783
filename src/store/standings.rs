//! A subject's standing with a service, read in one statement: the service's switch, the user, and
//! the union of the grants that reach them.

use std::collections::HashMap;

use crate::domain::identity::user::UserId;
use crate::domain::permissions::period::{self, InTime, Period};
use crate::domain::permissions::permission::{Pair, Permissions, Standing, StandingUser};
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::{grants, sql};

/// The columns of a grant `g` that decide.
const GRANTED: &str = "g.permissions, g.creator, g.starts_at, g.expires_at";

/// A subject as a request names it, before it has been looked up.
#[derive(Debug, Clone)]
pub enum Subject {
    /// An id, which may be unknown to Postern.
    Id(i64),
    /// The users with these names.
    Names(Vec<String>),
    /// The user of a session, by the hash of its token or cookie.
    Session(HashedToken),
    /// The user for whom a key speaks, by the hash of the key.
    Key(HashedToken),
}

/// Selects a row for the subject, without permissions, and a row for each grant that reaches them.
/// It reads the subject's memberships, the departments above those, and one index entry for each of
/// them.
#[must_use]
pub fn select(subject: &Subject, service_id: i64) -> Statement {
    let (is_kept, who, param) = who(subject);
    let sql = format!(
        "WITH RECURSIVE
           subject (id) AS {is_kept} ({who}),
           above (user_id, id) AS (
             SELECT m.user_id, d.parent_id FROM subject s
               CROSS JOIN memberships m ON m.user_id = s.id AND m.object_type = 'DEPT'
               CROSS JOIN units d ON d.object_type = 'DEPT' AND d.id = m.object_id
               WHERE d.parent_id IS NOT NULL
             UNION
             SELECT a.user_id, d.parent_id FROM above a
               CROSS JOIN units d ON d.object_type = 'DEPT' AND d.id = a.id
               WHERE d.parent_id IS NOT NULL)
         SELECT CAST(s.id AS TEXT) AS user_id, u.type, u.enabled,
           (SELECT auth_enabled FROM services WHERE id = CAST(?2 AS INTEGER)) AS switch,
           NULL AS permissions, NULL AS creator, NULL AS starts_at, NULL AS expires_at
         FROM subject s LEFT JOIN users u ON u.id = s.id
         UNION ALL
         SELECT CAST(s.id AS TEXT), NULL, NULL, NULL, {GRANTED} FROM subject s
           CROSS JOIN grants g ON g.service_id = CAST(?2 AS INTEGER) AND g.object_type = 'USER'
             AND g.object_id = s.id
         UNION ALL
         SELECT CAST(s.id AS TEXT), NULL, NULL, NULL, {GRANTED} FROM subject s
           CROSS JOIN memberships m ON m.user_id = s.id
           CROSS JOIN grants g ON g.service_id = CAST(?2 AS INTEGER)
             AND g.object_type = m.object_type AND g.object_id = m.object_id
         UNION ALL
         SELECT CAST(a.user_id AS TEXT), NULL, NULL, NULL, {GRANTED} FROM above a
           CROSS JOIN grants g ON g.service_id = CAST(?2 AS INTEGER) AND g.object_type = 'DEPT'
             AND g.object_id = a.id"
    );
    Statement::new(sql, [param, Param::Int64(service_id)])
}

/// SQL that finds the subject's id, whether to materialize it, and its parameter.
fn who(subject: &Subject) -> (&'static str, &'static str, Param) {
    // SQLite may repeat a constant id wherever it is needed; a subject that must be looked up is
    // looked up once.
    match subject {
        Subject::Id(id) => ("NOT MATERIALIZED", "SELECT CAST(?1 AS INTEGER)", Param::Int64(*id)),
        Subject::Names(names) => (
            "MATERIALIZED",
            "SELECT id FROM users WHERE username IN (SELECT value FROM json_each(?1))",
            sql::stored_strings(names).into(),
        ),
        Subject::Key(hash) => (
            "MATERIALIZED",
            "SELECT k.user_id FROM machine_key_secrets s
             CROSS JOIN machine_keys k ON k.id = s.key_id
             WHERE s.hash = ?1 AND k.user_id IS NOT NULL",
            hash.to_hex().into(),
        ),
        Subject::Session(hash) => (
            "MATERIALIZED",
            "SELECT user_id FROM sessions WHERE token_hash = ?1 OR cookie_hash = ?1",
            hash.to_hex().into(),
        ),
    }
}

/// Selects the ids of the subject's groups: a row for each, and one without a group for the
/// subject.
#[must_use]
pub fn select_groups(subject: &Subject) -> Statement {
    let (_, who, param) = who(subject);
    Statement::new(
        format!(
            "WITH subject (id) AS MATERIALIZED ({who})
             SELECT CAST(s.id AS TEXT) AS user_id, NULL AS group_id FROM subject s
             UNION ALL
             SELECT CAST(s.id AS TEXT), CAST(m.object_id AS TEXT) FROM subject s
               CROSS JOIN memberships m ON m.user_id = s.id AND m.object_type = 'GROUP'"
        ),
        [param],
    )
}

/// Reads the rows of [`select_groups`]: the groups of each subject.
pub fn read_groups(rows: &[Row]) -> Result<HashMap<UserId, Vec<i64>>> {
    let mut found: HashMap<UserId, Vec<i64>> = HashMap::new();
    for row in rows {
        let groups = found.entry(UserId(row.int64("user_id")?)).or_default();
        if row.optional_text("group_id")?.is_some() {
            groups.push(row.int64("group_id")?);
        }
    }
    Ok(found)
}

/// Reads the rows of [`select`] at `now`: one standing for each subject.
pub fn read(service_id: i64, rows: &[Row], now: Millis) -> Result<Vec<(Pair, InTime<Standing>)>> {
    let mut found: HashMap<i64, Standing> = HashMap::new();
    let mut given: HashMap<i64, Vec<(Permissions, Period)>> = HashMap::new();
    for row in rows {
        let user_id = row.int64("user_id")?;
        if row.optional_number("permissions")?.is_some() {
            given.entry(user_id).or_default().push(granted(row)?);
            continue;
        }
        let switch = row.optional_number("switch")?;
        let user = match row.optional_text("type")? {
            Some(name) => Some(StandingUser {
                is_administrator: is_administrator(name)?,
                enabled: row.flag("enabled")?,
            }),
            None => None,
        };
        found.insert(
            user_id,
            Standing {
                switch: switch != Some(0),
                service_exists: switch.is_some(),
                user,
                granted: Permissions::NONE,
            },
        );
    }
    let in_time = |(user_id, standing): (i64, Standing)| {
        let given = given.get(&user_id).map_or(&[][..], Vec::as_slice);
        (
            Pair { service_id, user_id },
            period::union(given, now).map(|granted| Standing { granted, ..standing }),
        )
    };
    Ok(found.into_iter().map(in_time).collect())
}

/// The grant's permissions and its period.
fn granted(row: &Row) -> Result<(Permissions, Period)> {
    let permissions = if row.flag("creator")? {
        Permissions::ALL
    } else {
        Permissions::from_bits(row.number("permissions")?)
    };
    Ok((permissions, grants::period(row)?))
}

fn is_administrator(name: &str) -> Result<bool> {
    let user_type = crate::domain::identity::user::UserType::from_name(name);
    let user_type =
        user_type.ok_or_else(|| Error::internal("a stored user has an unreadable type"))?;
    Ok(user_type == crate::domain::identity::user::UserType::Administrator)
}

/// Selects the grants on a service to these groups.
#[must_use]
pub fn select_of_groups(service_id: i64, groups: &[i64]) -> Statement {
    let ids: Vec<_> = groups.iter().map(ToString::to_string).collect();
    Statement::new(
        format!(
            "SELECT CAST(g.object_id AS TEXT) AS object_id, {GRANTED} FROM json_each(?2) ids
             CROSS JOIN grants g ON g.service_id = CAST(?1 AS INTEGER) AND g.object_type = 'GROUP'
               AND g.object_id = CAST(ids.value AS INTEGER)"
        ),
        [Param::Int64(service_id), sql::stored_strings(&ids).into()],
    )
}

/// Reads the rows of [`select_of_groups`] at `now`: the permissions of each group.
pub fn read_of_groups(
    groups: &[i64],
    rows: &[Row],
    now: Millis,
) -> Result<Vec<(i64, InTime<Permissions>)>> {
    let mut given: HashMap<i64, Vec<(Permissions, Period)>> =
        groups.iter().map(|group| (*group, Vec::new())).collect();
    for row in rows {
        given.entry(row.int64("object_id")?).or_default().push(granted(row)?);
    }
    Ok(given.into_iter().map(|(group, given)| (group, period::union(&given, now))).collect())
}
