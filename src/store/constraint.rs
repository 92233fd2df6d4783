//! What of the schema refuses a write, told by the words of SQLite. The migrations have the
//! constraints themselves.

use crate::error::{Denied, Error, Refusal};

/// A rule that the schema holds against every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// A user has that name.
    Username,
    /// A user has that id.
    UserId,
    /// A user of that name was deleted.
    NameOfDeletedUser,
    /// A user of that id was deleted.
    IdOfDeletedUser,
    /// The token was issued to a user of that name who was deleted.
    TokenOfDeletedUser,
    /// It would leave no enabled administrator.
    LastAdministrator,
    /// A new token app needs a secret.
    TokenAppSecret,
    /// The token app is not as it was read.
    TokenAppChanged,
    /// A service has that id.
    ServiceId,
    /// The service has another name of the type.
    ServiceIsNamed,
    /// There is a grant on the service to the same object.
    Grant,
    /// A department or group has that id.
    UnitId,
    /// A department would be below itself.
    DepartmentBelowItself,
    /// There are departments below it.
    DepartmentsBelow,
    /// An organization has that id.
    OrganizationId,
    /// The organization has applications.
    OrganizationHasApplications,
    /// There is no such organization.
    UnknownOrganization,
    /// An application has that access key.
    AccessKey,
    /// A key of the same user, or another of nobody's, has that name.
    KeyName,
    /// There are as many keys as there may be.
    TooManyKeys,
    /// What the key would end with is over, or who makes it is not as they were read.
    KeyMakerIsGone,
    /// The key has two secrets.
    TwoKeySecrets,
    /// The signature was used before.
    SignatureUsed,
    /// Another request has replaced the access token.
    TokenReplaced,
    /// Provisioning knows another user by that external id.
    ExternalIdOfUser,
    /// Provisioning knows another group by that external id.
    ExternalIdOfGroup,
    /// The name differs from another one in case only, which SCIM does not tell apart.
    ProvisionedName,
    /// Somebody who is to be in the group is no user.
    UnknownMember,
    /// Provisioning may not change it.
    NotProvisioned,
    /// What provisioning keeps is about a user who is not there.
    ProvisionedNobody,
    /// What provisioning keeps is about a group that is not there.
    ProvisionedNoGroup,
}

impl Constraint {
    /// Each with what SQLite says of it: the columns of a unique index, the text of a trigger, the
    /// name of a check.
    pub const ALL: [(Self, &str); 31] = [
        (Self::Username, "users.username"),
        (Self::UserId, "users.id"),
        (Self::NameOfDeletedUser, "name_of_deleted_user"),
        (Self::IdOfDeletedUser, "id_of_deleted_user"),
        (Self::TokenOfDeletedUser, "token_of_deleted_user"),
        (Self::LastAdministrator, "last administrator"),
        (Self::TokenAppSecret, "token_apps.secret"),
        // `refusals` has no check for it, and takes no rule without a name.
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

    /// What a refusal means; `None` where no rule of ours is in its text.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(_, words)| text.contains(words))
            .map(|(constraint, _)| constraint)
    }

    /// What it means where the caller says nothing more exact.
    #[must_use]
    pub fn error(self) -> Error {
        let conflict = |why: &str| Error::Conflict { why: why.to_owned() };
        match self {
            Self::Username => conflict("a user of that name exists"),
            Self::NameOfDeletedUser => Refusal::UserDeleted.into(),
            Self::TokenOfDeletedUser => Denied::Revoked.into(),
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
                "the user, session, token app or key that makes it is over, or was changed meanwhile: look, and repeat it",
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

    /// Refuses the batch where the condition holds. `constraint` is the name of a check of the
    /// table `refusals`, which holds no row ever.
    pub(super) fn refuse_where(self, condition: &str) -> String {
        let name = Self::ALL
            .into_iter()
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
    fn what_sqlite_and_d1_say_is_told_apart() {
        for (text, constraint) in [
            ("UNIQUE constraint failed: users.username", Some(Constraint::Username)),
            (
                "D1_ERROR: UNIQUE constraint failed: units.object_type, units.id: SQLITE_CONSTRAINT",
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
        for (index, (constraint, words)) in Constraint::ALL.into_iter().enumerate() {
            for (other, others) in Constraint::ALL.into_iter().skip(index + 1) {
                assert!(
                    constraint != other && !words.contains(others) && !others.contains(words),
                    "{words} {others}"
                );
            }
        }
    }
}
