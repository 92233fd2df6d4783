//! Applications of organizations (OUs): what they are authorized to do, and the access token with
//! which they sign calls. Source: the published page "Update Application Authorization".

use std::fmt;

use serde_json::{Value, json};

use crate::domain::secret::{HashedToken, PlainToken, Secret};
use crate::domain::text;
use crate::domain::time::Millis;

/// The longest name of an organization or an application, in characters.
pub const MAX_NAME: usize = 256;

/// Two hours, as the platform documents it.
pub const TOKEN_LIFETIME: Millis = Millis::from_seconds(7200);

/// An application's access key: 1 to 128 of `A–Z a–z 0–9 - _ . :`. It is public and case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKey(String);

/// An organization's id: 1 to 128 of `A–Z a–z 0–9 - _ . :`, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationId(String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Chosen by the caller.
    pub id: OrganizationId,
    /// A display name.
    pub name: Option<String>,
    pub created_at: Millis,
    pub modified_at: Millis,
}

#[derive(Debug, Clone)]
pub struct Application {
    pub access_key: AccessKey,
    pub organization_id: OrganizationId,
    pub terms: ApplicationTerms,
    /// What the application may read and do in its organization.
    pub authorizations: Authorizations,
    /// The key that signs calls. `None` if there is none, or if no current master key can decrypt
    /// it.
    pub secret: Option<Secret>,
    /// The latest access token, expired or not.
    pub token: Option<AccessToken>,
    pub created_at: Millis,
    pub modified_at: Millis,
}

/// The attributes of an application that can be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationTerms {
    /// A display name.
    pub name: Option<String>,
    /// A link to another application. It may do nothing, and cannot be authorized.
    pub shortcut: bool,
    /// Whether the application may authorize the applications of its organization.
    pub authorizes: bool,
    /// A disabled application may do nothing, and has no authorizations.
    pub enabled: bool,
}

/// An application's access token. An application has at most one.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// `None` if no current master key can decrypt it.
    pub token: Option<PlainToken>,
    /// The database finds the token by this hash.
    pub hash: HashedToken,
    pub expires_at: Millis,
}

/// Something that an application can be authorized to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthorizationType {
    /// Read all users of the organization.
    User,
    /// Read all assets.
    Asset,
    /// Read all roles.
    Role,
    /// Create and delete users.
    UserOp,
    /// Authorize users.
    UserPermission,
    /// Read all permissions of users.
    UserAllPermission,
    /// Change all roles.
    RoleOp,
    /// Change all menu groups.
    MenuGroupOp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authorizations(u8);

macro_rules! identifier {
    ($name:ident) => {
        impl $name {
            /// The error is a phrase to put after the field's name.
            pub fn parse(text: &str) -> Result<Self, String> {
                text::plain(text, 128, "-_.:")?;
                Ok(Self(text.to_owned()))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

identifier!(AccessKey);
identifier!(OrganizationId);

impl AuthorizationType {
    /// In the order of answers.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Asset,
        Self::Role,
        Self::UserOp,
        Self::UserPermission,
        Self::UserAllPermission,
        Self::RoleOp,
        Self::MenuGroupOp,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Asset => "ASSET",
            Self::Role => "ROLE",
            Self::UserOp => "USER_OP",
            Self::UserPermission => "USER_PERMISSION",
            Self::UserAllPermission => "USER_ALL_PERMISSION",
            Self::RoleOp => "ROLE_OP",
            Self::MenuGroupOp => "MENU_GROUP_OP",
        }
    }

    /// Case-sensitive. The error is a phrase to put after the field's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            format!(
                "has an unknown type {name:?}: it must be one of {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Authorizations {
    /// Drops unknown bits.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(u8::try_from(bits & 0xff).unwrap_or(0))
    }

    /// Drops unknown names.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        names.filter_map(|name| AuthorizationType::parse(name).ok()).collect()
    }

    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0 as i64
    }

    #[must_use]
    pub const fn has(self, kind: AuthorizationType) -> bool {
        self.0 & kind.bit() != 0
    }

    /// In the order of answers.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        AuthorizationType::ALL
            .into_iter()
            .filter(|kind| self.has(*kind))
            .map(AuthorizationType::name)
            .collect()
    }
}

impl FromIterator<AuthorizationType> for Authorizations {
    fn from_iter<I: IntoIterator<Item = AuthorizationType>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

impl fmt::Display for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Application {
    /// Whether the application is enabled and not a shortcut.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.terms.enabled && !self.terms.shortcut
    }

    #[must_use]
    pub fn is_authorized(&self, kind: AuthorizationType) -> bool {
        self.may_act() && self.authorizations.has(kind)
    }

    #[must_use]
    pub fn for_audit(&self) -> Value {
        self.terms.for_audit(&self.organization_id)
    }
}

impl ApplicationTerms {
    #[must_use]
    pub fn for_audit(&self, organization_id: &OrganizationId) -> Value {
        json!({
            "organization": organization_id.as_str(), "name": self.name, "shortcut": self.shortcut,
            "authorizeApplications": self.authorizes, "enabled": self.enabled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_types_survives_its_bits_in_the_order_of_answers() {
        let set: Authorizations =
            [AuthorizationType::UserOp, AuthorizationType::User, AuthorizationType::UserOp]
                .into_iter()
                .collect();
        assert_eq!(Authorizations::from_bits(set.bits()).names(), ["USER", "USER_OP"]);
        let all: Authorizations = AuthorizationType::ALL.into_iter().collect();
        assert_eq!(all.names(), AuthorizationType::ALL.map(AuthorizationType::name));
        assert!(Authorizations::default().names().is_empty());
    }

    #[test]
    fn types_are_spelled_as_documented() {
        assert_eq!(
            AuthorizationType::parse("USER_ALL_PERMISSION"),
            Ok(AuthorizationType::UserAllPermission)
        );
        for wrong in ["user", "USER ", "", "ALL"] {
            assert!(AuthorizationType::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn identifiers_follow_their_rule() {
        assert!(
            AccessKey::parse("your_access_key").is_ok()
                && OrganizationId::parse("o15504722874071").is_ok()
        );
        for wrong in ["", "a b", "a/b", "ä", &"x".repeat(129)] {
            assert!(AccessKey::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
