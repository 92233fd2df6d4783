//! Users that an identity provider manages by SCIM.

use crate::context::Cx;
use crate::domain::identity::provisioned::{Email, Emails, KnownPerson, Person};
use crate::domain::identity::user::{UserId, UserType, Username};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Param, Row, Statement};
use crate::store::constraint::Constraint;
use crate::store::sql;

const COLUMNS: &str = "CAST(u.id AS TEXT) AS id, u.username, u.name, u.email, u.type, u.enabled,
    u.created_at, u.modified_at, p.user_id IS NOT NULL AS is_provisioned, p.external_id,
    p.given_name, p.family_name, p.formatted_name, p.emails,
    COALESCE(p.tells_active, 1) AS tells_active";

/// One filter finds at most this many users.
const MAX_FOUND: i64 = 1000;

/// A condition of a SCIM filter on users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Id(i64),
    /// The user name, ignoring case.
    Username(String),
    /// The provider's id of the user.
    ExternalId(String),
    /// The e-mail address, ignoring the case of ASCII letters.
    Email(String),
    /// The user is enabled, or is not.
    Active(bool),
    /// The provider gave the user an id.
    HasExternalId,
    /// The user has an e-mail address.
    HasEmail,
}

impl Condition {
    /// Tells whether an index finds the few users who match.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        matches!(self, Self::Id(_) | Self::Username(_) | Self::ExternalId(_) | Self::Email(_))
    }

    /// The condition as SQL. Its values are appended to `params`.
    fn sql(&self, params: &mut Vec<Param>) -> String {
        let mut bind = |value: Param| {
            params.push(value);
            params.len()
        };
        match self {
            Self::Id(id) => format!("u.id = ?{}", bind(Param::Int64(*id))),
            Self::Username(name) => {
                let exact = bind(name.as_str().into());
                format!(
                    "(u.username = ?{exact} OR u.username_folded = ?{})",
                    bind(text::folded(name).into())
                )
            }
            Self::ExternalId(id) => format!("p.external_id = ?{}", bind(id.as_str().into())),
            Self::Email(email) => format!(
                "u.email IS NOT NULL AND lower(u.email) = lower(?{})",
                bind(email.as_str().into())
            ),
            Self::Active(active) => format!("u.enabled = ?{}", bind((*active).into())),
            Self::HasExternalId => "p.external_id IS NOT NULL".to_owned(),
            Self::HasEmail => "u.email IS NOT NULL".to_owned(),
        }
    }
}

/// Users who match all conditions, by ascending id, provisioned or not. At least one condition must
/// be selective.
pub async fn find_all(cx: &Cx, conditions: &[Condition]) -> Result<Vec<KnownPerson>> {
    let mut params = Vec::new();
    let conditions: Vec<_> =
        conditions.iter().map(|condition| condition.sql(&mut params)).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM users u LEFT JOIN provisioned_users p ON p.user_id = u.id WHERE {}
         ORDER BY u.id LIMIT {MAX_FOUND}",
        conditions.join(" AND ")
    );
    sql::all(cx, Statement::new(sql, params), person).await
}

/// Counts the provisioned users who match all conditions.
pub async fn count(cx: &Cx, conditions: &[Condition]) -> Result<i64> {
    if conditions.is_empty() {
        let statement =
            Statement::new("SELECT total FROM provisioned_counts WHERE kind = 'user'", []);
        return sql::total(cx, statement).await;
    }
    let mut params = Vec::new();
    let conditions: Vec<_> =
        conditions.iter().map(|condition| condition.sql(&mut params)).collect();
    let sql = format!(
        "SELECT COUNT(*) AS total FROM provisioned_users p CROSS JOIN users u ON u.id = p.user_id
         WHERE {}",
        conditions.join(" AND ")
    );
    sql::total(cx, Statement::new(sql, params)).await
}

/// A page of the provisioned users who match all conditions, by ascending id. It is read from the
/// nearer end.
pub async fn list(
    cx: &Cx,
    conditions: &[Condition],
    skip: i64,
    limit: i64,
    total: i64,
) -> Result<Vec<KnownPerson>> {
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
    let order = if is_backward { "DESC" } else { "ASC" };
    // Without conditions, the skipped rows are read only from the small table.
    let sql = if conditions.is_empty() {
        format!(
            "SELECT {COLUMNS} FROM (SELECT * FROM provisioned_users
               ORDER BY user_id {order} LIMIT ?1 OFFSET ?2) p
             CROSS JOIN users u ON u.id = p.user_id"
        )
    } else {
        format!(
            "SELECT {COLUMNS} FROM provisioned_users p CROSS JOIN users u ON u.id = p.user_id
             WHERE {condition}
             ORDER BY p.user_id {order} LIMIT ?1 OFFSET ?2"
        )
    };
    let mut found = sql::all(cx, Statement::new(sql, params), person).await?;
    found.sort_by_key(|person| person.id);
    Ok(found)
}

/// The registered groups of users, as the user's id, the group's id and its name. At most `limit`
/// rows.
pub async fn groups_of(
    cx: &Cx,
    users: &[UserId],
    limit: i64,
) -> Result<Vec<(UserId, i64, Option<String>)>> {
    let ids: Vec<_> = users.iter().map(|id| id.0.to_string()).collect();
    let statement = Statement::new(
        "SELECT CAST(m.user_id AS TEXT) AS user_id, CAST(g.id AS TEXT) AS id, g.name
         FROM json_each(?1) j
         CROSS JOIN memberships m ON m.user_id = CAST(j.value AS INTEGER)
           AND m.object_type = 'GROUP'
         CROSS JOIN units g ON g.object_type = 'GROUP' AND g.id = m.object_id LIMIT ?2",
        [sql::stored_strings(&ids).into(), Param::Number(limit)],
    );
    let read = |row: &Row| {
        Ok((
            UserId(row.int64("user_id")?),
            row.int64("id")?,
            row.optional_text("name")?.map(str::to_owned),
        ))
    };
    sql::all(cx, statement, read).await
}

/// Adds the provider's data of a user who was created in the same batch.
#[must_use]
pub fn insert_of_new(person: &Person) -> Statement {
    insert("username = ?1", person.username.as_str().into(), person)
}

/// Makes an existing user a provisioned one.
#[must_use]
pub fn adopt(id: UserId, person: &Person) -> Statement {
    insert("id = ?1", Param::Int64(id.0), person)
}

fn insert(condition: &str, key: Param, person: &Person) -> Statement {
    let text = |text: &Option<String>| Param::from(text.clone());
    Statement::new(
        format!(
            "INSERT INTO provisioned_users (user_id, external_id, given_name, family_name,
               formatted_name, emails, tells_active)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM users WHERE {condition}"
        ),
        [
            key,
            text(&person.external_id),
            text(&person.given_name),
            text(&person.family_name),
            text(&person.formatted_name),
            person.emails.stored().to_string().into(),
            person.tells_active.into(),
        ],
    )
}

/// Updates what differs from `before`.
#[must_use]
pub fn update(id: UserId, before: &Person, after: &Person, now: Millis) -> [Statement; 2] {
    let text = |of: fn(&Person) -> &Option<String>| {
        [before, after].map(|person| Param::from(of(person).clone()))
    };
    let both = |of: fn(&Person) -> Param| [before, after].map(of);
    let of_user = [
        ("username", both(|person| person.username.as_str().into())),
        ("username_folded", both(|person| text::folded(&person.username).into())),
        ("name", text(|person| &person.display_name)),
        ("email", both(|person| person.emails.first().map(str::to_owned).into())),
        ("enabled", both(|person| person.active.into())),
    ];
    let of_provider = [
        ("external_id", text(|person| &person.external_id)),
        ("given_name", text(|person| &person.given_name)),
        ("family_name", text(|person| &person.family_name)),
        ("formatted_name", text(|person| &person.formatted_name)),
        ("emails", both(|person| person.emails.stored().to_string().into())),
        ("tells_active", both(|person| person.tells_active.into())),
    ];
    [
        sql::edit("users", &[("id", Param::Int64(id.0))], &[("modified_at", now.into())], of_user),
        sql::edit("provisioned_users", &[("user_id", Param::Int64(id.0))], &[], of_provider),
    ]
}

/// Fails the batch if another user has this name, ignoring case.
#[must_use]
pub fn refuse_taken_name(username: &Username, but: Option<UserId>) -> Statement {
    Statement::new(
        Constraint::ProvisionedName.refuse_where(
            "EXISTS (SELECT 1 FROM users
               WHERE username_folded = ?1 AND id IS NOT CAST(?2 AS INTEGER))",
        ),
        [text::folded(username.as_str()).into(), but.map_or(Param::Null, |id| Param::Int64(id.0))],
    )
}

/// Fails the batch if the user has become an administrator or has been deleted.
#[must_use]
pub fn refuse_administrator(id: UserId) -> Statement {
    Statement::new(
        Constraint::NotProvisioned.refuse_where(
            "NOT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND type <> 'Administrator')",
        ),
        [Param::Int64(id.0)],
    )
}

/// Names of users, deleted users and groups that have not been folded yet.
pub async fn unfolded(cx: &Cx, limit: i64) -> Result<Vec<Unfolded>> {
    let statement = Statement::new(
        "SELECT 'user' AS kind, CAST(id AS TEXT) AS id, username AS name FROM users
         WHERE username_folded IS NULL
         UNION ALL SELECT 'tombstone', '0', username FROM tombstones WHERE username_folded IS NULL
         UNION ALL SELECT 'group', CAST(id AS TEXT), name FROM units
         WHERE object_type = 'GROUP' AND name_folded IS NULL AND name IS NOT NULL
         LIMIT ?1",
        [Param::Number(limit)],
    );
    let read = |row: &Row| {
        Ok(Unfolded {
            of: match row.text("kind")? {
                "user" => UnfoldedKind::User,
                "tombstone" => UnfoldedKind::Tombstone,
                _ => UnfoldedKind::Group,
            },
            id: row.int64("id")?,
            name: row.text("name")?.to_owned(),
        })
    };
    sql::all(cx, statement, read).await
}

#[derive(Debug)]
pub struct Unfolded {
    of: UnfoldedKind,
    /// 0 for a deleted user.
    id: i64,
    name: String,
}

#[derive(Debug)]
enum UnfoldedKind {
    User,
    Tombstone,
    Group,
}

/// Stores the folded name, unless the name has changed meanwhile.
#[must_use]
pub fn fold(Unfolded { of, id, name }: &Unfolded) -> Statement {
    let sql = match of {
        UnfoldedKind::User => {
            "UPDATE users SET username_folded = ?3 WHERE id = ?1 AND username = ?2"
        }
        UnfoldedKind::Tombstone => "UPDATE tombstones SET username_folded = ?3 WHERE username = ?2",
        UnfoldedKind::Group => {
            "UPDATE units SET name_folded = ?3
             WHERE object_type = 'GROUP' AND id = ?1 AND name = ?2"
        }
    };
    Statement::new(sql, [Param::Int64(*id), name.as_str().into(), text::folded(name).into()])
}

fn person(row: &Row) -> Result<KnownPerson> {
    let text = |column| row.optional_text(column).map(|text| text.map(str::to_owned));
    let unreadable =
        |error| Error::internal(format!("stored e-mail addresses are unreadable: {error}"));
    let stored = row
        .optional_text("emails")?
        .map(serde_json::from_str::<Emails>)
        .transpose()
        .map_err(unreadable)?;
    let email = text("email")?;
    let only = || Emails {
        list: email
            .map(|value| Email { value, kind: Some("work".to_owned()), primary: Some(true) })
            .into_iter()
            .collect(),
    };
    Ok(KnownPerson {
        id: UserId(row.int64("id")?),
        person: Person {
            external_id: text("external_id")?,
            username: row.text("username")?.to_owned(),
            display_name: text("name")?,
            given_name: text("given_name")?,
            family_name: text("family_name")?,
            formatted_name: text("formatted_name")?,
            emails: stored.unwrap_or_else(only),
            active: row.flag("enabled")?,
            tells_active: row.flag("tells_active")?,
        },
        is_provisioned: row.flag("is_provisioned")?,
        is_administrator: row.text("type")? == UserType::Administrator.name(),
        created_at: Millis(row.number("created_at")?),
        modified_at: Millis(row.number("modified_at")?),
    })
}
