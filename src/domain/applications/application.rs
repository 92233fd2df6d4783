//! Applications of organizations (OUs): what they are authorized to, and the access token that they
//! sign their calls with. Source: the published page "Update Application Authorization".

use std::fmt;

use serde_json::{Value, json};

use crate::domain::secret::{HashedToken, PlainToken, Secret};
use crate::domain::text;
use crate::domain::time::Millis;

/// The longest name of an organization or an application, in characters.
pub const MAX_NAME: usize = 256;

/// How long an access token counts, as the platform documents it: two hours.
pub const TOKEN_LIFETIME: Millis = Millis::from_seconds(7200);

/// An application's access key: 1 to 128 of `A–Z a–z 0–9 - _ . :`; public, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKey(String);

/// An organization's id: 1 to 128 of `A–Z a–z 0–9 - _ . :`; case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationId(String);

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The callers' id.
    pub id: OrganizationId,
    /// A name for people.
    pub name: Option<String>,
    /// When it was registered.
    pub created_at: Millis,
    /// When it was last changed.
    pub modified_at: Millis,
}

/// An application.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its access key.
    pub access_key: AccessKey,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// All that can be chosen about it.
    pub terms: ApplicationTerms,
    /// What it may read and do in its organization.
    pub authorizations: Authorizations,
    /// What it signs with; `None` where it has none, or where no master key opens it any more.
    pub secret: Option<Secret>,
    /// Its access token, whether it has ended or not.
    pub token: Option<AccessToken>,
    /// When it was registered.
    pub created_at: Millis,
    /// When it was last changed.
    pub modified_at: Millis,
}

/// What can be chosen about an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationTerms {
    /// A name for people.
    pub name: Option<String>,
    /// A link to something else: it may do nothing, and nothing can be authorized.
    pub shortcut: bool,
    /// Whether it may authorize the applications of its organization.
    pub authorizes: bool,
    /// A disabled one may do nothing, and is authorized to nothing.
    pub enabled: bool,
}

/// An application's access token. There is one at a time.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token itself; `None` where no master key opens it any more.
    pub token: Option<PlainToken>,
    /// By which it is found.
    pub hash: HashedToken,
    /// When it ends.
    pub expires_at: Millis,
}

/// Something that an application may be authorized to.
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

/// A set of [`AuthorizationType`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authorizations(u8);

macro_rules! identifier {
    ($name:ident) => {
        impl $name {
            /// Checks the rule; the error is the phrase that follows the field's name.
            pub fn parse(text: &str) -> Result<Self, String> {
                text::plain(text, 128, "-_.:")?;
                Ok(Self(text.to_owned()))
            }

            /// The text.
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
    /// All of them, in the order of answers.
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

    /// The name.
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

    /// By its name, which is case-sensitive; the error is the phrase that follows the field's name.
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
    /// From stored bits.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(u8::try_from(bits & 0xff).unwrap_or(0))
    }

    /// From names; unknown names are dropped.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        names.filter_map(|name| AuthorizationType::parse(name).ok()).collect()
    }

    /// To be stored.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0 as i64
    }

    /// Whether the type is among them.
    #[must_use]
    pub const fn has(self, kind: AuthorizationType) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The names, in the order of answers.
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
    /// Whether it may do anything at all.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.terms.enabled && !self.terms.shortcut
    }

    /// Whether it may read or do what the type says.
    #[must_use]
    pub fn is_authorized(&self, kind: AuthorizationType) -> bool {
        self.may_act() && self.authorizations.has(kind)
    }

    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        self.terms.for_audit(&self.organization_id)
    }
}

impl ApplicationTerms {
    /// What the audit trail keeps.
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
