//! The schema's rules, recognized by the words with which SQLite refuses a write. The migrations
//! define the constraints.

use crate::error::{Denied, Error, Refusal};

/// A rule that the schema enforces, whichever code writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// Another user has this name.
    Username,
    /// Another user has this id.
    UserId,
    /// A deleted user had this name.
    NameOfDeletedUser,
    /// A deleted user had this id.
    IdOfDeletedUser,
    /// The token was issued to a deleted user of the same name.
    TokenOfDeletedUser,
    /// An application may take the name for another user's.
    LooksLikeAnotherUser,
    /// The write would leave no enabled administrator.
    LastAdministrator,
    TokenAppSecret,
    /// The token app changed after it was read.
    TokenAppChanged,
    ServiceId,
    /// The service already has a name of this type.
    ServiceIsNamed,
    /// The object already has a grant on the service.
    Grant,
    UnitId,
    /// A department would become its own descendant.
    DepartmentBelowItself,
    DepartmentsBelow,
    OrganizationId,
    OrganizationHasApplications,
    UnknownOrganization,
    AccessKey,
    /// Another key of the same user, or of nobody, has this name.
    KeyName,
    /// The limit on the number of keys is reached.
    TooManyKeys,
    /// The user, session, token app or key that creates the key has ended or changed since it was
    /// read.
    KeyMakerIsGone,
    TwoKeySecrets,
    SignatureUsed,
    TokenReplaced,
    /// Another provisioned user has this external id.
    ExternalIdOfUser,
    /// Another provisioned group has this external id.
    ExternalIdOfGroup,
    /// The name differs from another one only in case, and SCIM ignores case.
    ProvisionedName,
    /// A new member of the group is not a user.
    UnknownMember,
    NotProvisioned,
    /// A provisioned user's record refers to a user that does not exist.
    ProvisionedNobody,
    /// A provisioned group's record refers to a group that does not exist.
    ProvisionedNoGroup,
}

impl Constraint {
    /// Each constraint with the text by which SQLite's message identifies it: columns of a unique
    /// index, the message of a trigger, or the name of a check.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Username, "users.username"),
        (Self::UserId, "users.id"),
        (Self::NameOfDeletedUser, "name_of_deleted_user"),
        (Self::IdOfDeletedUser, "id_of_deleted_user"),
        (Self::TokenOfDeletedUser, "token_of_deleted_user"),
        (Self::LooksLikeAnotherUser, "looks_like_another_user"),
        (Self::LastAdministrator, "last administrator"),
        (Self::TokenAppSecret, "token_apps.secret"),
        // `refusals` has no check of this name. NULL breaks its NOT NULL instead.
        (Self::TokenAppChanged, "refusals.rule"),
        (Self::ServiceId, "services.id"),
        (Self::ServiceIsNamed, "resource_names.service_id"),
        (Self::Grant, "grants.service_id"),
        (Self::UnitId, "units.object_type, units.id"),
        (Self::DepartmentBelowItself, "department_below_itself"),
        (Self::DepartmentsBelow, "departments_below"),
        (Self::OrganizationId, "organizations.id"),
        (Self::OrganizationHasApplications, "organization has applications"),
        (Self::UnknownOrganization, "unknown organization"),
        (Self::AccessKey, "applications.access_key"),
        (Self::KeyName, "machine_keys_by_name"),
        (Self::TooManyKeys, "too many machine keys"),
        (Self::KeyMakerIsGone, "maker of the machine key is gone"),
        (Self::TwoKeySecrets, "two secrets of the machine key"),
        (Self::SignatureUsed, "used_signatures.hash"),
        (Self::TokenReplaced, "token_replaced"),
        (Self::ExternalIdOfUser, "provisioned_users.external_id"),
        (Self::ExternalIdOfGroup, "provisioned_groups.external_id"),
        (Self::ProvisionedName, "provisioned_name_taken"),
        (Self::UnknownMember, "unknown_member"),
        (Self::NotProvisioned, "not_provisioned"),
        (Self::ProvisionedNobody, "provisioned user is no user"),
        (Self::ProvisionedNoGroup, "provisioned group is no group"),
    ];

    /// Finds the constraint in SQLite's message; `None` if it names none of these.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, words)| text.contains(words)).map(|(constraint, _)| *constraint)
    }

    /// The error to answer unless the caller knows a more exact one.
    #[must_use]
    pub fn error(self) -> Error {
        let conflict = |why: &str| Error::Conflict { why: why.to_owned() };
        match self {
            Self::Username => conflict("a user of that name exists"),
            Self::NameOfDeletedUser => Refusal::UserDeleted.into(),
            Self::TokenOfDeletedUser => Denied::Revoked.into(),
            Self::LooksLikeAnotherUser => Refusal::NameConflict.into(),
            Self::IdOfDeletedUser => {
                conflict("the id belonged to a user who was deleted: name another")
            }
            Self::LastAdministrator => conflict("the last enabled administrator must stay one"),
            Self::TokenAppSecret => Error::invalid("secret", "is required for a new token app"),
            Self::TokenAppChanged => {
                conflict("the token app was changed meanwhile: look at it, and repeat the change")
            }
            Self::ServiceIsNamed => conflict(
                "the service has a name of that type already: a service has one name of each type",
            ),
            Self::DepartmentBelowItself => conflict("a department would lie below itself"),
            Self::DepartmentsBelow => conflict("there are departments below it"),
            Self::OrganizationHasApplications => {
                conflict("the organization has applications: delete them first")
            }
            Self::UnknownOrganization => {
                Error::invalid("organization", "must be the id of an organization")
            }
            Self::KeyName => conflict("there is a key of that name"),
            Self::TooManyKeys => conflict(
                "a user has at most 20 keys, and 10,000 speak for nobody: delete one first",
            ),
            Self::KeyMakerIsGone => conflict(
                "the user, session, token app or key that creates it has ended or changed \
                 meanwhile: look at it, and repeat the request",
            ),
            Self::TwoKeySecrets => conflict(
                "the key has two secrets: remove one with DELETE /v1/keys/{id}/secret?prefix=",
            ),
            Self::UserId
            | Self::ServiceId
            | Self::Grant
            | Self::UnitId
            | Self::OrganizationId
            | Self::AccessKey => conflict("it is there already"),
            Self::SignatureUsed | Self::TokenReplaced => Denied::Replayed.into(),
            Self::ExternalIdOfUser => conflict("another user has that externalId"),
            Self::ExternalIdOfGroup => conflict("another group has that externalId"),
            Self::ProvisionedName => conflict("there is one of that name"),
            Self::UnknownMember => Error::invalid("members", "must be ids of users"),
            Self::ProvisionedNobody => {
                conflict("a provisionedUser is about no user: send the user before it, or with it")
            }
            Self::ProvisionedNoGroup => conflict(
                "a provisionedGroup is about no group: send the group before it, or with it",
            ),
            Self::NotProvisioned => Refusal::NotProvisioned { is_administrator: false }.into(),
        }
    }

    /// SQL that fails the batch if the condition holds. It inserts the constraint's name into the
    /// table `refusals`, whose check or trigger for that name refuses the row. So the table is
    /// always empty.
    pub(super) fn refuse_where(self, condition: &str) -> String {
        let name = Self::ALL
            .iter()
            .find(|(constraint, _)| *constraint == self)
            .map_or("", |(_, name)| name);
        let rule =
            if self == Self::TokenAppChanged { "NULL".to_owned() } else { format!("'{name}'") };
        format!("INSERT INTO refusals (rule) SELECT {rule} WHERE {condition}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_of_sqlite_and_d1_names_its_constraint() {
        for (text, constraint) in [
            ("UNIQUE constraint failed: users.username", Some(Constraint::Username)),
            (
                "D1_ERROR: UNIQUE constraint failed: units.object_type, units.id: \
                 SQLITE_CONSTRAINT",
                Some(Constraint::UnitId),
            ),
            (
                "CHECK constraint failed: department_below_itself",
                Some(Constraint::DepartmentBelowItself),
            ),
            ("NOT NULL constraint failed: token_apps.secret", Some(Constraint::TokenAppSecret)),
            ("last administrator", Some(Constraint::LastAdministrator)),
            ("no such table: users", None),
        ] {
            assert_eq!(Constraint::of(text), constraint, "{text}");
        }
    }

    #[test]
    fn each_rule_is_listed_once_and_no_text_is_part_of_another() {
        for (index, (constraint, words)) in Constraint::ALL.iter().enumerate() {
            for (other, others) in Constraint::ALL.iter().skip(index + 1) {
                assert!(
                    constraint != other && !words.contains(others) && !others.contains(words),
                    "{words} {others}"
                );
            }
        }
    }

    fn migrated() -> rusqlite::Connection {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let entries = std::fs::read_dir("migrations").unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            connection.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
        }
        connection
    }

    #[test]
    fn the_migrations_have_every_rule() {
        let connection = migrated();
        let counts = |sql: &str, words: &str| {
            connection.query_row(sql, [words], |row| row.get::<_, i64>(0)).unwrap() > 0
        };
        for (constraint, words) in Constraint::ALL {
            let is_there = words.split(", ").all(|words| match words.split_once('.') {
                Some((table, column)) => counts(
                    &format!("SELECT COUNT(*) FROM pragma_table_info('{table}') WHERE name = ?1"),
                    column,
                ),
                None => counts(
                    "SELECT COUNT(*) FROM sqlite_master
                     WHERE name = ?1 OR instr(sql, 'CONSTRAINT ' || ?1 || ' ')
                       OR instr(sql, char(39) || ?1 || char(39))",
                    words,
                ),
            });
            assert!(
                is_there,
                "{constraint:?}: no migration has a check, a trigger or an index named {words}"
            );
        }
    }

    /// Without its check, a broken rule would leave a row in `refusals` and refuse nothing.
    #[test]
    fn the_table_of_refusals_refuses_each_rule_that_is_written_into_it() {
        let connection = migrated();
        let entries = std::fs::read_dir("src/store").unwrap();
        let sources: Vec<String> = entries
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .map(|text| text.split_whitespace().collect())
            .collect();
        let mut found = 0;
        for (constraint, words) in Constraint::ALL {
            let call = format!("Constraint::{constraint:?}.refuse_where(");
            if !sources.iter().any(|text| text.contains(&call)) {
                continue;
            }
            found += 1;
            let refused = connection.execute(&constraint.refuse_where("1"), []);
            let why = refused.map_or_else(|why| why.to_string(), |_| "nothing".to_owned());
            assert_eq!(
                Constraint::of(&why),
                Some(*constraint),
                "a migration must add a column to refusals with a check named {words}, as \
                 migrations/0019_names_and_ids_of_tokens.sql does; SQLite said: {why}"
            );
        }
        assert!(found >= 9, "{found}");
    }
}
