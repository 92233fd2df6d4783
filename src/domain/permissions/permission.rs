//! What may be done with a service, and by whom: the decisions. `tests/host/oracle.rs` says the
//! same naively.

use std::fmt;

/// One thing that may be done with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Add to it.
    Add,
    /// See it; part of every grant.
    View,
    /// Change it.
    Modify,
    /// Delete it.
    Delete,
    /// Test it.
    Test,
    /// Say who may do what with it.
    Grant,
    /// Share it.
    Share,
    /// Release it.
    Release,
    /// Export it.
    Export,
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u16);

/// Whom a grant is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    /// A user.
    User,
    /// A department, and the departments below.
    Dept,
    /// A group.
    Group,
}

/// Somebody and a service. The user need not be known to Postern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The service's id.
    pub service_id: i64,
    /// The user's id.
    pub user_id: i64,
}

/// A group and a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceGroup {
    /// The service's id.
    pub service_id: i64,
    /// The group's id.
    pub group_id: i64,
}

/// How somebody stands with a service: all that a check decides from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The service's authorization switch; on for a service that nobody registered.
    pub switch: bool,
    /// Whether the service is registered.
    pub service_exists: bool,
    /// The user, where Postern knows them.
    pub user: Option<StandingUser>,
    /// The union of the grants to the user, their departments with those above, and their groups; a
    /// creator's is everything.
    pub granted: Permissions,
}

/// What matters about a known user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingUser {
    /// Of type `Administrator`.
    pub is_administrator: bool,
    /// Disabled users have no permissions.
    pub enabled: bool,
}

impl Permission {
    /// All of them, in the order of answers.
    pub const ALL: [Self; 9] = [
        Self::Add,
        Self::View,
        Self::Modify,
        Self::Delete,
        Self::Test,
        Self::Grant,
        Self::Share,
        Self::Release,
        Self::Export,
    ];

    /// The name, upper case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::View => "VIEW",
            Self::Modify => "MODIFY",
            Self::Delete => "DELETE",
            Self::Test => "TEST",
            Self::Grant => "GRANT",
            Self::Share => "SHARE",
            Self::Release => "RELEASE",
            Self::Export => "EXPORT",
        }
    }

    /// The name as messages write it: `View`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::View => "View",
            Self::Modify => "Modify",
            Self::Delete => "Delete",
            Self::Test => "Test",
            Self::Grant => "Grant",
            Self::Share => "Share",
            Self::Release => "Release",
            Self::Export => "Export",
        }
    }

    /// By its name, in any case; the error is the phrase that follows the field's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found =
            Self::ALL.into_iter().find(|permission| permission.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            format!("has an unknown permission {name:?}: it must be one of {}", Permissions::ALL)
        })
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Permissions {
    /// Every permission.
    pub const ALL: Self = Self(0x1ff);
    /// No permission.
    pub const NONE: Self = Self(0);

    /// From stored bits; unknown bits are dropped.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(u16::try_from(bits & i64::from(Self::ALL.0)).unwrap_or(0))
    }

    /// To be stored.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0 as i64
    }

    /// From names; unknown names are dropped.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        names.filter_map(|name| Permission::parse(name).ok()).fold(Self::NONE, Self::with)
    }

    /// The set of a grant: these, and VIEW.
    #[must_use]
    pub fn of_grant(permissions: impl IntoIterator<Item = Permission>) -> Self {
        permissions.into_iter().fold(Self::NONE.with(Permission::View), Self::with)
    }

    /// One more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// Both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Each, in the order of answers.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }

    /// Names, in the order of answers.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Permission::name).collect()
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

impl ObjectType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::User, Self::Dept, Self::Group];

    /// The name, upper case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Dept => "DEPT",
            Self::Group => "GROUP",
        }
    }

    /// By its name, in any case; the error is the phrase that follows the field's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found =
            Self::ALL.into_iter().find(|object_type| object_type.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| "must be USER, DEPT or GROUP".to_owned())
    }
}

impl Standing {
    /// Whether the user is a known and enabled administrator.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.user.is_some_and(|user| user.is_administrator && user.enabled)
    }

    /// What was granted; nothing to a disabled user.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        if self.user.is_some_and(|user| !user.enabled) { Permissions::NONE } else { self.granted }
    }

    /// Whether the permission is there, by grant, by being an administrator, or because the switch
    /// is off: that is a yes to everything but GRANT and RELEASE, for all but disabled users.
    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        if self.user.is_some_and(|user| !user.enabled) {
            return false;
        }
        let spared = !self.switch && !matches!(permission, Permission::Grant | Permission::Release);
        spared || self.is_administrator() || self.granted.has(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_unknown_ones_are_named() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(&permission.name().to_lowercase()), Ok(permission));
        }
        assert!(Permission::parse("FLY").is_err_and(|why| why.contains("\"FLY\"")));
    }

    #[test]
    fn view_is_part_of_every_grant() {
        assert_eq!(Permissions::of_grant([]).names(), ["VIEW"]);
        assert_eq!(
            Permissions::of_grant([Permission::Export, Permission::Add]).names(),
            ["ADD", "VIEW", "EXPORT"]
        );
        assert_eq!(Permissions::of_grant(Permission::ALL), Permissions::ALL);
    }

    #[test]
    fn the_switch_spares_everything_but_grant_and_release() {
        let mut standing = Standing {
            switch: false,
            service_exists: true,
            user: None,
            granted: Permissions::NONE,
        };
        let allowed = Permission::ALL
            .into_iter()
            .filter(|permission| !standing.allows(*permission))
            .collect::<Vec<_>>();
        assert_eq!(allowed, [Permission::Grant, Permission::Release]);
        standing.user = Some(StandingUser { is_administrator: true, enabled: false });
        assert!(!standing.allows(Permission::View), "not for the disabled");
    }
}
